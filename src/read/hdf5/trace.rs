//! Which bytes of a file libhdf5 reads: for files that are only partly here (`read::remote`).
//!
//! A watched file is opened with HDF5's logging driver, which is the plain one and writes each read into a log. Who reads such a file
//! past libhdf5 must call [`note`] for it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct Watched {
    /// Where its logs go, and how many there are.
    logs: PathBuf,
    opened: usize,
    noted: Vec<Range<u64>>,
}

static WATCHED: Mutex<BTreeMap<PathBuf, Watched>> = Mutex::new(BTreeMap::new());

fn watched() -> MutexGuard<'static, BTreeMap<PathBuf, Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches the reads of one file while it lives.
pub struct Watch {
    path: PathBuf,
    logs: tempfile::TempDir,
}

impl Watch {
    /// Watches `path`; its logs go into a folder inside `beside`.
    ///
    /// # Errors
    /// When that folder cannot be made.
    pub fn new(path: &Path, beside: &Path) -> std::io::Result<Self> {
        let logs = tempfile::Builder::new().prefix("remote-log-").tempdir_in(beside)?;
        watched().insert(path.to_owned(), Watched { logs: logs.path().to_owned(), ..Watched::default() });
        Ok(Self { path: path.to_owned(), logs })
    }

    /// What was read since the last call. The file must be closed, or its log may not be written out.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn take(&self) -> std::io::Result<Vec<Range<u64>>> {
        let mut found = watched().get_mut(&self.path).map(|watched| std::mem::take(&mut watched.noted)).unwrap_or_default();
        for entry in std::fs::read_dir(self.logs.path())? {
            let log = entry?.path();
            found.extend(String::from_utf8_lossy(&std::fs::read(&log)?).lines().filter_map(parse));
            std::fs::remove_file(log)?;
        }
        Ok(found)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        watched().remove(&self.path);
    }
}

/// Where the next opening of `path` is to log its reads; `None` when nobody watches it.
pub(super) fn log_of(path: &Path) -> Option<PathBuf> {
    let mut all = watched();
    let watched = all.get_mut(path)?;
    watched.opened += 1;
    Some(watched.logs.join(format!("{}.log", watched.opened)))
}

/// Tells of a read past libhdf5.
pub fn note(path: &Path, stretch: Range<u64>) {
    if let Some(watched) = watched().get_mut(path) {
        watched.noted.push(stretch);
    }
}

/// `       512-      1023 (       512 bytes) (H5FD_MEM_OHDR) Read`, also of a read that failed.
fn parse(line: &str) -> Option<Range<u64>> {
    let line = line.trim_start().trim_start_matches("Error! Reading:").trim_start();
    let (first, rest) = line.split_once('-')?;
    let last = rest.trim_start().split(' ').next()?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.parse().ok()?);
    (first <= last && rest.contains("bytes)")).then(|| first..last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_log() {
        assert_eq!(parse("         0-         7 (         8 bytes) (H5FD_MEM_SUPER) Read"), Some(0..8));
        assert_eq!(parse("Error! Reading:       2048-      4095 (      2048 bytes)"), Some(2048..4096));
        assert_eq!(parse("Seek: From          0 To          8"), None);
    }
}
