//! Why a file cannot be opened, and the names of filters: HDF5's error stacks turned into one sentence and a remedy.

use crate::read::ReadError;
use std::path::Path;

/// The name that h5py and the registry use for a filter.
pub fn filter_name(id: i32) -> String {
    let known = [
        (1, "gzip"),
        (2, "shuffle"),
        (3, "fletcher32"),
        (4, "szip"),
        (5, "nbit"),
        (6, "scaleoffset"),
        (307, "bzip2"),
        (32000, "lzf"),
        (32001, "blosc"),
        (32004, "lz4"),
        (32008, "bitshuffle"),
        (32013, "zfp"),
        (32015, "zstd"),
        (32026, "blosc2"),
    ];
    known.iter().find(|entry| entry.0 == id).map_or_else(|| format!("filter-{id}"), |entry| entry.1.to_owned())
}

/// The size of a file that exists, is a file, and may be read.
///
/// # Errors
/// `missing`, `not-hdf5` for a folder, `unreadable`.
pub fn readable_size(path: &Path) -> Result<u64, ReadError> {
    let about = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            ReadError::new(path, "missing", "there is no such file").hint("check the path; relative paths start at the job file")
        }
        _ => ReadError::new(path, "unreadable", error.to_string()),
    })?;
    if about.is_dir() {
        return Err(ReadError::new(path, "not-hdf5", "is a folder, not a file").hint("give a file, or a glob such as `folder/*.nwb`"));
    }
    std::fs::File::open(path)
        .map_err(|error| ReadError::new(path, "unreadable", error.to_string()).hint("check the file's permissions"))?;
    Ok(about.len())
}

/// Why HDF5 could not open a file of `size` bytes, in words that say what to do.
pub fn open_error(path: &Path, size: u64, error: &::hdf5::Error) -> ReadError {
    let frames = error.stack();
    let truncated = frames.as_ref().and_then(|stack| stack.iter().find(|frame| frame.desc().contains("truncated file")));
    if let Some(frame) = truncated {
        let expected =
            frame.desc().split("stored_eof = ").nth(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        let expected = expected.filter(|digits| !digits.is_empty()).unwrap_or_else(|| "more".to_owned());
        return ReadError::new(path, "truncated", format!("the file ends early: {expected} bytes expected, {size} there"))
            .hint("the download or copy was interrupted: fetch the file again");
    }
    let mut first = [0_u8; 8];
    let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut first));
    if read.is_ok() && first == *b"\x89HDF\r\n\x1a\n" && size < 96 {
        return ReadError::new(path, "truncated", format!("the file ends early: it begins like HDF5, but is only {size} bytes long"))
            .hint("the download or copy was interrupted: fetch the file again");
    }
    if error.contains_minor(::hdf5::MinorErrorCode::NotHdf5) {
        return ReadError::new(path, "not-hdf5", format!("not an HDF5 file ({size} bytes)"))
            .hint("an .nwb file that is a folder is NWB Zarr, which is not read; an empty or text file is often a failed download or a Git LFS pointer");
    }
    ReadError::new(path, "damaged", format!("HDF5 cannot open the file: {error}"))
        .hint("compare its checksum with the source and download it again")
}
