//! Whole files only: a temporary file in the same folder, synced, then renamed over the name, then the folder synced.
//!
//! A reader sees the old file or the new one. After a crash a `.tcs-tmp-…` file may be left over; it is never read.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    replace(folder, path, bytes).map_err(|source| FileError::new("write", path, source))
}

fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".tcs-tmp-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    open_to_readers(file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
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
