//! Bytes by position: a local file today, anything with a length and ranges behind the same two calls.

use crate::read::hdf5::trace;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Something that is read by position, from several threads at once.
pub trait ReadAt: Send + Sync + std::fmt::Debug {
    /// Its length, bytes.
    fn len(&self) -> u64;
    /// Fills `into` from `offset` on.
    ///
    /// # Errors
    /// When the bytes cannot be had; `UnexpectedEof` when there are too few.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;
}

/// A file of this machine.
#[derive(Debug)]
pub struct LocalFile {
    file: File,
    path: PathBuf,
    len: u64,
}

impl LocalFile {
    /// Opens a file.
    ///
    /// # Errors
    /// When the system does not let it be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { file, path: path.to_owned(), len })
    }
}

impl ReadAt for LocalFile {
    fn len(&self) -> u64 {
        self.len
    }

    #[cfg(unix)]
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        trace::note(&self.path, offset..offset + into.len() as u64);
        std::os::unix::fs::FileExt::read_exact_at(&self.file, into, offset)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !into.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.file, into, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => {
                    into = &mut into[n..];
                    offset += n as u64;
                }
            }
        }
        Ok(())
    }
}
