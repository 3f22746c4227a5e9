//! Finished units on disk, those that ended about together in one file: written whole (temporary file, fsync, rename), a checksum to
//! each unit, read back or set aside. Truth about what is done is these files and nothing else.

use super::part::Part;
use crate::job::plan::Problem;
use crate::table::atomic::{self, FileError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// First bytes of a file of units; the digit is the version of its layout.
const MAGIC: &[u8] = b"tcs-units-2\n";
/// Before each unit: length of its id, length of its body, checksum of its body.
const HEAD_BYTES: usize = 4 + 8 + 32;

/// What is kept of a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The unit's id.
    pub unit: String,
    /// Its parts: label, key, result.
    pub parts: Vec<(String, String, Part)>,
    /// Why nothing could be computed, if so.
    pub problem: Option<Problem>,
    /// How often it was tried.
    pub attempts: u32,
    /// Wall time, seconds.
    pub seconds: f64,
    /// Peak memory of its process, bytes.
    pub peak_memory_bytes: Option<u64>,
}

impl Stored {
    /// The part of this key.
    pub fn part(&self, key: &str) -> Option<&Part> {
        self.parts.iter().find(|(_, known, _)| known == key).map(|(_, _, part)| part)
    }
}

/// The files of finished units below an output folder. Each holds the units that were kept together; the later file counts where one
/// unit is in several.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    /// Where each unit stood when the store was opened.
    index: Arc<HashMap<String, Place>>,
    /// Number of the next file.
    next: Arc<AtomicU64>,
}

/// Where a unit stands.
#[derive(Debug, Clone)]
struct Place {
    file: Arc<PathBuf>,
    start: u64,
    length: u64,
    checksum: [u8; 32],
}

impl Store {
    /// The store of `out`; makes its folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(out: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(out.join("shards").join("units"))?;
        Ok(Self::existing(out))
    }

    /// The store of `out` if there is one; makes nothing.
    pub fn existing(out: &Path) -> Self {
        let folder = out.join("shards").join("units");
        let mut files: Vec<(u64, PathBuf)> = std::fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((number_of(&entry.file_name().to_string_lossy())?, entry.path())))
            .collect();
        files.sort();
        let next = files.last().map_or(1, |(number, _)| number + 1);
        let mut index = HashMap::new();
        for (_, path) in files {
            // What cannot be read is computed again.
            if let Err(error) = look_through(&Arc::new(path.clone()), &mut index) {
                tracing::warn!("{} is damaged ({error}); its units are computed again", path.display());
            }
        }
        Self { folder, index: Arc::new(index), next: Arc::new(AtomicU64::new(next)) }
    }

    /// What was kept of a unit when the store was opened; `None` when there was nothing, or it is damaged (it is then computed again).
    pub fn load(&self, unit: &str) -> Option<Stored> {
        let place = self.index.get(unit)?;
        let stored = place.read().ok().and_then(|body| postcard::from_bytes::<Stored>(&body).ok()).filter(|stored| stored.unit == unit);
        if stored.is_none() {
            tracing::warn!("{}: {unit} is damaged; it is computed again", place.file.display());
        }
        stored
    }

    /// Keeps units, in one file: written aside, synced, renamed.
    ///
    /// # Errors
    /// When the file cannot be written (a full disk); what was there before stays.
    pub fn save<'a>(&self, units: impl IntoIterator<Item = &'a Stored>) -> Result<(), FileError> {
        let bytes = encode(units);
        // Two runs at once, where there are no locks, must not write the same name.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{number:08}-{}.units", &blake3::hash(&bytes).to_hex()[..8]);
        atomic::write_bytes(&self.folder.join(name), &bytes)
    }

    /// Removes what killed runs left half-written, and puts everything into few files when most of it is outdated or the files are
    /// very many. Only for the run that holds the folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn tidy(self, out: &Path) -> Result<Self, FileError> {
        /// More files than this slow down opening.
        const MANY_FILES: usize = 2_000;
        /// Units are put together up to this size, bytes.
        const FILE_BYTES: u64 = 64 << 20;
        atomic::sweep(&self.folder);
        let files: Vec<PathBuf> = std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.file_name().is_some_and(|name| number_of(&name.to_string_lossy()).is_some()))
            .collect();
        let all: u64 = files.iter().filter_map(|path| path.metadata().ok()).map(|meta| meta.len()).sum();
        let live: u64 = self.index.values().map(|place| place.length).sum();
        if files.len() <= MANY_FILES && all <= 2 * live + (1 << 20) {
            return Ok(self);
        }
        let mut names: Vec<&String> = self.index.keys().collect();
        names.sort_unstable();
        let (mut together, mut bytes) = (Vec::new(), 0);
        for name in names {
            together.extend(self.load(name));
            bytes += self.index[name].length;
            if bytes > FILE_BYTES {
                self.save(&together)?;
                (together, bytes) = (Vec::new(), 0);
            }
        }
        self.save(&together)?;
        for path in files {
            // An old file that stays is outdated, not wrong: later ones count.
            let _ = std::fs::remove_file(path);
        }
        Ok(Self::existing(out))
    }
}

/// The number in a file's name `NUMBER-CHECKSUM.units`.
fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".units")?.split_once('-')?.0.parse().ok()
}

impl Place {
    fn read(&self) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(self.file.as_ref())?;
        file.seek(SeekFrom::Start(self.start))?;
        let mut body = Vec::new();
        file.take(self.length).read_to_end(&mut body)?;
        if body.len() as u64 != self.length || blake3::hash(&body).as_bytes() != &self.checksum {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        Ok(body)
    }
}

/// Notes where each unit of a file stands; reads no body.
fn look_through(path: &Arc<PathBuf>, index: &mut HashMap<String, Place>) -> std::io::Result<()> {
    let broken = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let file = File::open(path.as_ref())?;
    let size = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    let mut magic = [0; MAGIC.len()];
    reader.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(broken());
    }
    let mut at = MAGIC.len() as u64;
    while at < size {
        let mut head = [0; HEAD_BYTES];
        reader.read_exact(&mut head)?;
        let (id_length, rest) = head.split_first_chunk::<4>().ok_or_else(broken)?;
        let (length, checksum) = rest.split_first_chunk::<8>().ok_or_else(broken)?;
        let (id_length, length) = (u64::from(u32::from_le_bytes(*id_length)), u64::from_le_bytes(*length));
        let start = at + HEAD_BYTES as u64 + id_length;
        let end = start.checked_add(length).filter(|&end| end <= size).ok_or_else(broken)?;
        let mut id = vec![0; id_length as usize];
        reader.read_exact(&mut id)?;
        let id = String::from_utf8(id).map_err(|_| broken())?;
        let checksum = checksum.try_into().map_err(|_| broken())?;
        index.insert(id, Place { file: Arc::clone(path), start, length, checksum });
        reader.seek_relative(i64::try_from(length).map_err(|_| broken())?)?;
        at = end;
    }
    Ok(())
}

fn encode<'a>(units: impl IntoIterator<Item = &'a Stored>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for stored in units {
        let body = postcard::to_stdvec(stored).unwrap_or_default();
        bytes.extend((stored.unit.len() as u32).to_le_bytes());
        bytes.extend((body.len() as u64).to_le_bytes());
        bytes.extend(blake3::hash(&body).as_bytes());
        bytes.extend(stored.unit.as_bytes());
        bytes.extend(body);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Diagrams, Pair};

    fn stored(unit: &str, seconds: f64) -> Stored {
        let diagrams =
            Diagrams { by_dim: vec![vec![Pair { birth: 0.0, death: f64::INFINITY }]], threshold: 1.0, n_points: 1, covering_radius: None };
        let part = Part::Persistence { diagrams, rows: Vec::new() };
        Stored {
            unit: unit.into(),
            parts: vec![("persistence:rips".into(), "key".into(), part)],
            problem: None,
            attempts: 1,
            seconds,
            peak_memory_bytes: Some(1),
        }
    }

    #[test]
    fn what_is_saved_is_loaded_and_the_later_counts() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.save(&[stored("a/all", 1.0), stored("b/all", 2.0)]).unwrap();
        store.save(&[stored("b/all", 3.0)]).unwrap();
        let store = Store::existing(folder.path());
        assert_eq!(store.load("a/all"), Some(stored("a/all", 1.0)));
        assert_eq!(store.load("b/all"), Some(stored("b/all", 3.0)));
        assert_eq!(store.load("c/all"), None);
        Store::existing(folder.path()).save(&[stored("a/all", 4.0)]).unwrap();
        assert_eq!(Store::existing(folder.path()).load("a/all"), Some(stored("a/all", 4.0)), "a new run's files come later");
    }

    #[test]
    fn outdated_units_are_cleared_away_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut heavy = stored("a/all", 0.0);
        heavy.problem = Some(Problem { kind: "x".into(), message: "y".repeat(1 << 20), skipped: false });
        for seconds in [1.0, 2.0, 3.0, 4.0] {
            heavy.seconds = seconds;
            Store::open(folder.path()).unwrap().save([&heavy, &stored("b/all", seconds)]).unwrap();
        }
        let store = Store::open(folder.path()).unwrap().tidy(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path().join("shards/units")).unwrap().count(), 1);
        assert_eq!((store.load("a/all"), store.load("b/all")), (Some(heavy), Some(stored("b/all", 4.0))));
    }

    #[test]
    fn a_damaged_file_is_no_result() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (stored("a/all", 1.0), stored("b/all", 2.0));
        Store::open(folder.path()).unwrap().save([&first, &second]).unwrap();
        let path = std::fs::read_dir(folder.path().join("shards/units")).unwrap().next().unwrap().unwrap().path();
        let whole = std::fs::read(&path).unwrap();
        let right = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let store = Store::existing(folder.path());
            let (a, b) = (store.load("a/all"), store.load("b/all"));
            assert!(a.as_ref().is_none_or(|a| *a == first) && b.as_ref().is_none_or(|b| *b == second));
            (a.is_some(), b.is_some())
        };
        assert_eq!(right(&whole), (true, true));
        for cut in 0..whole.len() {
            let (_, b) = right(&whole[..cut]);
            assert!(!b, "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            let (a, b) = right(&flipped);
            assert!(!(a && b), "byte {at}");
        }
    }
}
