//! Files that are not here: read with range requests, without fetching all of them.
//!
//! libhdf5 reads a sparse copy with holes (`fetch::sparse`). Whatever it touched that was a hole is fetched, and the same is done again
//! from a fresh opening, until a pass touched no hole. That pass read true bytes alone, so its result is that of the whole file; what
//! the passes before it made of zeros is thrown away. The number of passes is the depth of the pointers in the file, not their number.

use super::hdf5::trace::Watch;
use super::{Format, Header, Inspection, ReadError, Reader, Request};
use crate::data::{Content, Span};
use crate::fetch::download::Version;
use crate::fetch::sparse::Sparse;
use crate::fetch::{FetchError, Fetcher, Settings, Wanted};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::AtomicI32;
use std::sync::{Mutex, PoisonError};

/// A file whose pointers are deeper than this is read as a whole, or is damaged.
const MOST_PASSES: usize = 1_000;

/// Formats that are read in parts.
const IN_PARTS: &[&str] = &["nwb", "hdf5"];

/// Whether files of a format can be read in parts.
pub fn in_parts(format: &Format) -> bool {
    IN_PARTS.contains(&format.name)
}

/// What reading it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes fetched.
    pub fetched: u64,
    /// Of so many.
    pub total: u64,
    /// Requests.
    pub requests: u32,
    /// Passes over the file.
    pub passes: usize,
}

/// A sparse copy and the log of what is read of it.
struct Parts<'a> {
    sparse: Sparse<'a>,
    watch: Watch,
    shown: String,
}

impl<'a> Parts<'a> {
    fn open(fetcher: &mut Fetcher<'a>, wanted: &Wanted, folder: Option<&Path>) -> Result<Self, FetchError> {
        let sparse = Sparse::open(fetcher, wanted, folder)?;
        let beside = sparse.path().parent().unwrap_or(Path::new(".")).to_owned();
        let watch = Watch::new(sparse.path(), &beside).map_err(|error| FetchError::cache(&beside, &error))?;
        Ok(Self { sparse, watch, shown: wanted.address.shown() })
    }

    /// Does `work` again and again until it touched true bytes alone. It must open the file anew, and close it.
    fn until_whole<T>(
        &mut self,
        hear: &mut dyn FnMut(Traffic),
        mut work: impl FnMut() -> Result<T, ReadError>,
    ) -> Result<(T, Traffic), ReadError> {
        for passes in 1..=MOST_PASSES {
            let made = work();
            let touched = self.watch.take().map_err(|error| self.failed(&FetchError::cache(self.sparse.path(), &error)))?;
            let was_missing = self.sparse.fill(&touched).map_err(|error| self.failed(&error))?;
            let traffic = Traffic { fetched: self.sparse.fetched, total: self.sparse.total(), requests: self.sparse.requests, passes };
            hear(traffic);
            if !was_missing {
                // The copy's path means nothing to anybody.
                return made.map(|made| (made, traffic)).map_err(|error| ReadError { path: Path::new(&self.shown).to_owned(), ..error });
            }
        }
        let error = FetchError::new(&self.shown, "damaged", "reading it in parts does not come to an end");
        Err(self.failed(&error.hint("fetch it first: tcs-batch datasets fetch")))
    }

    fn failed(&self, error: &FetchError) -> ReadError {
        read_error(&self.shown, error)
    }
}

/// A transfer's error as that of a reader; one that may pass has the kind `io`, so that a unit is tried again.
fn read_error(shown: &str, error: &FetchError) -> ReadError {
    let kind = if matches!(error.kind, "network" | "timeout" | "http" | "truncated") { "io" } else { error.kind };
    ReadError { path: Path::new(shown).to_owned(), place: None, what: error.what.clone(), hint: error.hint.clone(), kind: kind.to_owned() }
}

/// Lists what a remote file of an HDF5 format holds. `hear` is told of the traffic after each pass.
///
/// # Errors
/// As a transfer's, and as the format's own `inspect`.
pub fn inspect(
    fetcher: &mut Fetcher<'_>,
    wanted: &Wanted,
    format: &Format,
    hear: &mut dyn FnMut(Traffic),
) -> Result<(Inspection, Traffic), ReadError> {
    let shown = wanted.address.shown();
    let mut parts = Parts::open(fetcher, wanted, None).map_err(|error| read_error(&shown, &error))?;
    let path = parts.sparse.path().to_owned();
    let (found, traffic) = parts.until_whole(hear, || (format.inspect)(&path))?;
    Ok((Inspection { file: shown, ..found }, traffic))
}

/// Which version of a remote file a run reads: every worker must see the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    version: Version,
    total: u64,
}

impl Edition {
    /// Asks for a file's edition.
    ///
    /// # Errors
    /// As a transfer's; `no-ranges` when it cannot be read in parts: whole files only, or nothing that tells versions apart.
    pub fn of(fetcher: &mut Fetcher<'_>, wanted: &Wanted, folder: &Path) -> Result<Self, FetchError> {
        let sparse = Sparse::open(fetcher, wanted, Some(folder))?;
        if sparse.version().validator().is_none() {
            let error = FetchError::new(wanted.address.shown(), "no-ranges", "the server does not tell versions of the file apart");
            return Err(error.hint("fetch it first: tcs-batch datasets fetch"));
        }
        Ok(Self { version: sparse.version().clone(), total: sparse.total() })
    }
    /// Length of the file, bytes.
    pub fn total(&self) -> u64 {
        self.total
    }
    /// A short name of the edition of this file: what stands for its sum, which only reading all of it would tell.
    pub fn name(&self, wanted: &Wanted) -> String {
        let version = serde_json::to_string(self).unwrap_or_default();
        format!("parts:{}", blake3::hash(format!("{} {version}", wanted.address.key()).as_bytes()).to_hex())
    }
}

static NEVER: AtomicI32 = AtomicI32::new(0);

/// Opens a remote file for reading in parts; its copy is made in `folder`.
///
/// # Errors
/// As a transfer's, `changed` when it is another edition, and as the format's own `open`.
pub fn open(
    wanted: &Wanted,
    format: &'static Format,
    request: &Request,
    edition: &Edition,
    folder: &Path,
) -> Result<Box<dyn Reader>, ReadError> {
    let shown = wanted.address.shown();
    let settings = Settings::from_env();
    let mut parts = Parts::open(&mut Fetcher::new(&settings, &NEVER), wanted, Some(folder)).map_err(|error| read_error(&shown, &error))?;
    if *parts.sparse.version() != edition.version || parts.sparse.total() != edition.total {
        let error = FetchError::new(&shown, "changed", "the file was changed on the server while it was read").hint("run it again");
        return Err(read_error(&shown, &error));
    }
    let request = Request { path: parts.sparse.path().to_owned(), ..request.clone() };
    let (header, _) = parts.until_whole(&mut |_| {}, || Ok((format.open)(&request)?.header().clone()))?;
    Ok(Box::new(RemoteReader { parts: Mutex::new(parts), format, request, header }))
}

/// A file that is opened anew for each window, and of which each window fetches what it lacks.
struct RemoteReader {
    parts: Mutex<Parts<'static>>,
    format: &'static Format,
    request: Request,
    header: Header,
}

impl RemoteReader {
    fn with<T>(&self, mut work: impl FnMut(&mut dyn Reader) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.until_whole(&mut |_| {}, || work((self.format.open)(&self.request)?.as_mut())).map(|(made, _)| made)
    }
}

impl Reader for RemoteReader {
    fn header(&self) -> &Header {
        &self.header
    }
    fn read(&mut self, span: Option<Span>) -> Result<Content, ReadError> {
        self.with(|reader| reader.read(span))
    }
    fn interval_column(&self, table: &str, column: &str) -> Result<Vec<f64>, ReadError> {
        self.with(|reader| reader.interval_column(table, column))
    }
}
