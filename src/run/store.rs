//! Finished units on disk, one file each: written whole (temporary file, fsync, rename) with a checksum, read back or set aside.
//! Truth about what is done is these files and nothing else.

use super::part::Part;
use crate::job::plan::Problem;
use crate::table::atomic::{self, FileError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// First bytes of a unit file; the digit is the version of its layout.
const MAGIC: &[u8] = b"tcs-unit-1\n";

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

/// The folder of unit files below an output folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store of `out`; makes its folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(out: &Path) -> std::io::Result<Self> {
        let folder = out.join("shards").join("units");
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }
    /// The store of `out` if there is one; makes nothing.
    pub fn existing(out: &Path) -> Self {
        Self { folder: out.join("shards").join("units") }
    }

    fn path(&self, unit: &str) -> PathBuf {
        let name = blake3::hash(unit.as_bytes()).to_hex();
        self.folder.join(format!("{}.unit", &name[..32]))
    }
    /// What is kept of a unit; `None` when there is nothing, or the file is damaged (it is then computed again).
    pub fn load(&self, unit: &str) -> Option<Stored> {
        let path = self.path(unit);
        let bytes = std::fs::read(&path).ok()?;
        let stored = decode(&bytes);
        if stored.is_none() {
            tracing::warn!("{} is damaged; its unit is computed again", path.display());
        }
        stored.filter(|stored| stored.unit == unit)
    }
    /// Keeps a unit.
    ///
    /// # Errors
    /// When the file cannot be written (a full disk); what was there before stays.
    pub fn save(&self, stored: &Stored) -> Result<(), FileError> {
        atomic::write_bytes(&self.path(&stored.unit), &encode(stored))
    }
    /// Keeps several units, waiting for the disk about once. One result a unit.
    pub fn save_all<'a>(&self, several: impl IntoIterator<Item = &'a Stored>) -> Vec<Result<(), FileError>> {
        let files: Vec<_> = several.into_iter().map(|stored| (self.path(&stored.unit), encode(stored))).collect();
        atomic::write_group(&files)
    }
    /// Removes what a killed run left half-written. Only for the run that holds the folder.
    pub fn sweep(&self) {
        atomic::sweep(&self.folder);
    }
}

fn encode(stored: &Stored) -> Vec<u8> {
    let body = postcard::to_stdvec(stored).unwrap_or_default();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 32 + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(blake3::hash(&body).as_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Stored> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (checksum, body) = rest.split_at_checked(32)?;
    if blake3::hash(body).as_bytes() != checksum {
        return None;
    }
    postcard::from_bytes(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Diagrams, Pair};

    fn stored() -> Stored {
        let diagrams =
            Diagrams { by_dim: vec![vec![Pair { birth: 0.0, death: f64::INFINITY }]], threshold: 1.0, n_points: 1, covering_radius: None };
        let part = Part::Persistence { diagrams, rows: Vec::new() };
        Stored {
            unit: "a/all".into(),
            parts: vec![("persistence:rips".into(), "key".into(), part)],
            problem: None,
            attempts: 1,
            seconds: 0.5,
            peak_memory_bytes: Some(1),
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.save(&stored()).unwrap();
        assert_eq!(store.load("a/all"), Some(stored()));
        assert_eq!(store.load("b/all"), None);
    }

    #[test]
    fn a_damaged_file_is_no_result() {
        let whole = encode(&stored());
        assert!(decode(&whole).is_some());
        for cut in [0, 5, 20, whole.len() - 1] {
            assert_eq!(decode(&whole[..cut]), None);
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert_eq!(decode(&flipped), None, "byte {at}");
        }
    }
}
