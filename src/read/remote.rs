//! Files that are not here: read with range requests, without fetching all of them.
//!
//! libhdf5 reads a sparse copy with holes (`fetch::sparse`). Whatever it touched that was a hole is fetched, and the same is done again
//! from a fresh opening, until a pass touched no hole. That pass read true bytes alone, so its result is that of the whole file; what
//! the passes before it made of zeros is thrown away. The number of passes is the depth of the pointers in the file, not their number.

use super::hdf5::trace::Watch;
use super::{Format, Inspection, ReadError};
use crate::fetch::sparse::Sparse;
use crate::fetch::{FetchError, Fetcher, Wanted};
use std::path::Path;

/// A file whose pointers are deeper than this is read as a whole, or is damaged.
const MOST_PASSES: usize = 1_000;

/// Why a remote file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Its bytes could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// They are not what they should be.
    #[error(transparent)]
    Read(#[from] ReadError),
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

/// Lists what a remote file of an HDF5 format holds. `hear` is told of the traffic after each pass.
///
/// # Errors
/// As a transfer's, and as the format's own `inspect`.
pub fn inspect(
    fetcher: &mut Fetcher<'_>,
    wanted: &Wanted,
    format: &Format,
    hear: &mut dyn FnMut(Traffic),
) -> Result<(Inspection, Traffic), RemoteError> {
    let shown = wanted.address.shown();
    let mut sparse = Sparse::open(fetcher, wanted)?;
    let path = sparse.path().to_owned();
    let (found, traffic) = until_whole(&mut sparse, &path, &shown, hear, || (format.inspect)(&path))?;
    let found = found.map_err(|error| ReadError { path: Path::new(&shown).to_owned(), ..error })?;
    Ok((Inspection { file: shown, ..found }, traffic))
}

/// Does `work` again and again until it touched true bytes alone.
fn until_whole<T>(
    sparse: &mut Sparse<'_, '_>,
    path: &Path,
    shown: &str,
    hear: &mut dyn FnMut(Traffic),
    mut work: impl FnMut() -> T,
) -> Result<(T, Traffic), RemoteError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let fail = |error: std::io::Error| FetchError::cache(folder, &error);
    let watch = Watch::new(path, folder).map_err(fail)?;
    for passes in 1..=MOST_PASSES {
        let made = work();
        let touched = watch.take().map_err(fail)?;
        let was_missing = sparse.fill(&touched)?;
        let traffic = Traffic { fetched: sparse.fetched, total: sparse.total(), requests: sparse.requests, passes };
        hear(traffic);
        if !was_missing {
            return Ok((made, traffic));
        }
    }
    let error = FetchError::new(shown, "damaged", "reading it in parts does not come to an end");
    Err(error.hint("fetch it first: tcs-batch datasets fetch URI").into())
}
