//! Whole files only: a temporary file in the same folder, synced, then renamed over the name, then the folder synced.
//!
//! A reader sees the old file or the new one. After a crash a `.tcs-tmp-…` file may be left over; it is never read.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How names of files begin that are not yet whole.
const PREFIX: &str = ".tcs-tmp-";

/// A file that could not be written or read, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}: {source}{}", remedy(.source))]
pub struct FileError {
    /// `write` or `read`.
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FileError {
    /// An error about `path`.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source }
    }
}

/// Writes `bytes` to `path`; the folder must exist.
///
/// # Errors
/// When the folder is missing, full or not writable. Whatever stood under `path` before then still stands there.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace(path, bytes).map_err(|source| FileError::new("write", path, source))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    fault::point("create")?;
    let mut file = builder().tempfile_in(folder)?;
    if let Err(error) = fault::point("write") {
        file.write_all(&bytes[..bytes.len() / 2])?;
        return Err(error);
    }
    file.write_all(bytes)?;
    fault::point("sync")?;
    file.as_file().sync_all()?;
    fault::point("rename")?;
    file.persist(path).map_err(|error| error.error)?;
    fault::point("sync-folder")?;
    sync_folder(folder)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes what killed runs left behind in `folder`. Only for the one process that writes there.
pub fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            // What cannot be removed does no harm: it is never read.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Temporary files are made for their owner alone, but a table is for whoever may read the folder.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o644));
    }
    builder
}

/// Makes the new name outlive a power cut. Only Unix lets a folder be opened as a file.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot sync a folder; the file itself is already safe there.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space or choose another folder with `--out`, then run again"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; check who owns the folder, or choose another with `--out`"
        }
        io::ErrorKind::NotFound => "; check the path",
        _ => "",
    }
}

/// Faults on demand, so that tests can see what a run makes of a disk that fails, or a death, at any step of any write:
/// `TCS_BATCH_WRITE_FAULT=STEP:N:full` (or `kill`) at the n-th time (from 1) that this process comes to the step
/// (`create`, `write`, `sync`, `rename`, `sync-folder`).
mod fault {
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Fault {
        step: String,
        nth: u64,
        kill: bool,
        passed: AtomicU64,
    }

    fn wanted() -> Option<&'static Fault> {
        static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
        let parse = || {
            let text = std::env::var("TCS_BATCH_WRITE_FAULT").ok()?;
            let mut parts = text.split(':');
            let (step, nth, how) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?, parts.next()?);
            Some(Fault { step, nth, kill: how == "kill", passed: AtomicU64::new(0) })
        };
        FAULT.get_or_init(parse).as_ref()
    }

    pub(super) fn point(step: &str) -> io::Result<()> {
        let Some(fault) = wanted().filter(|fault| fault.step == step) else { return Ok(()) };
        match fault.passed.fetch_add(1, Ordering::Relaxed) + 1 {
            passed if passed == fault.nth && fault.kill => std::process::abort(),
            passed if passed >= fault.nth && !fault.kill => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_bytes(&path, b"first").unwrap();
        write_bytes(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        // A folder that holds something cannot be renamed over, whoever runs the test.
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), b"x").unwrap();
        assert!(write_bytes(&path, b"new").unwrap_err().to_string().contains("taken"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_left_half_written_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        write_bytes(&folder.path().join("a"), b"1").unwrap();
        std::fs::write(folder.path().join(".tcs-tmp-left"), b"half").unwrap();
        sweep(folder.path());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_with_the_path_and_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/a.bin");
        let message = write_bytes(&path, b"x").unwrap_err().to_string();
        assert!(message.contains("missing/a.bin") && message.contains("check the path"), "{message}");
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let error = FileError::new("write", Path::new("out/units.parquet"), io::Error::from(io::ErrorKind::StorageFull));
        assert!(error.to_string().contains("free some space"), "{error}");
        let error = FileError::new("write", Path::new("out/units.parquet"), io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(error.to_string().contains("--out"), "{error}");
    }
}
