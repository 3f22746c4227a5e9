//! Whole files only: a temporary file in the same folder, synced, then renamed over the name, then the folder synced.
//!
//! A reader sees the old file or the new one. After a crash a `.tcs-tmp-…` file may be left over; it is never read.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

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
    write_group(&[(path.to_owned(), bytes)]).pop().unwrap_or(Ok(()))
}

/// Writes several files, each as [`write_bytes`] does, and waits for the disk about once for all of them: a journalling file system
/// puts what is pending on disk together, so the first sync pays and the others find their work done. One result a file, in order.
pub fn write_group<B: AsRef<[u8]>>(files: &[(PathBuf, B)]) -> Vec<Result<(), FileError>> {
    let mut aside: Vec<io::Result<NamedTempFile>> = files.iter().map(|(path, bytes)| put_aside(path, bytes.as_ref())).collect();
    for file in &mut aside {
        if let Ok(written) = file
            && let Err(error) = fault::point("sync").and_then(|()| written.as_file().sync_all())
        {
            *file = Err(error);
        }
    }
    let renamed: Vec<io::Result<()>> = aside.into_iter().zip(files).map(|(file, (path, _))| rename(file?, path)).collect();
    let mut folders: Vec<(&Path, io::Result<()>)> = Vec::new();
    for (path, _) in files {
        let folder = folder_of(path);
        if folders.iter().all(|(known, _)| *known != folder) {
            folders.push((folder, fault::point("sync-folder").and_then(|()| sync_folder(folder))));
        }
    }
    let synced = |path: &Path| match folders.iter().find(|(known, _)| *known == folder_of(path)) {
        Some((_, Err(error))) => Err(again(error)),
        _ => Ok(()),
    };
    let whole = renamed
        .into_iter()
        .zip(files)
        .map(|(renamed, (path, _))| renamed.and_then(|()| synced(path)).map_err(|source| FileError::new("write", path, source)));
    whole.collect()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The same error once more: the system's are not to be copied.
fn again(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

fn put_aside(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    fault::point("create")?;
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder_of(path))?;
    if let Err(error) = fault::point("write") {
        file.write_all(&bytes[..bytes.len() / 2])?;
        return Err(error);
    }
    file.write_all(bytes)?;
    open_to_readers(file.as_file())?;
    Ok(file)
}

fn rename(file: NamedTempFile, path: &Path) -> io::Result<()> {
    fault::point("rename")?;
    file.persist(path).map(drop).map_err(|error| error.error)
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
#[cfg(unix)]
fn open_to_readers(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
#[cfg(not(unix))]
fn open_to_readers(_: &File) -> io::Result<()> {
    Ok(())
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
    fn a_group_has_one_result_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        std::fs::write(taken.join("inside"), b"x").unwrap();
        let files = [(folder.path().join("a"), b"1"), (taken, b"2"), (folder.path().join("no/b"), b"3"), (folder.path().join("c"), b"4")];
        let results: Vec<bool> = write_group(&files).iter().map(Result::is_ok).collect();
        assert_eq!(results, [true, false, false, true]);
        assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"1");
        assert_eq!(std::fs::read(folder.path().join("c")).unwrap(), b"4");
        std::fs::write(folder.path().join(".tcs-tmp-left"), b"half").unwrap();
        sweep(folder.path());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
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
