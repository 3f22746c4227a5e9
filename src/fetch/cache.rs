//! The folder of fetched files, shared by all processes of a user.
//!
//! ```text
//! objects/ab/abcd…        a whole file under its SHA-256, read-only
//! sources/KEY/NAME        a link to the object that an address led to, under the file's own name
//! sources/KEY/entry.json  the address, the sum that it had when first fetched, the server's version
//! partial/KEY.part, .json what has arrived so far
//! locks/…                 one a source being fetched, one an object in use, one for making room
//! ```
//! A file appears under its sum by one rename. Locks are the kernel's (`flock`), so a killed process holds none. A lock file is never
//! removed: a process may be waiting on it. The lock of an object is shared by all who use it; who makes room takes it alone, or lets the
//! object be. Its modification time is when the object was last used.

use super::FetchError;
use super::download::{Version, hex};
use fs4::FileExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What is kept of a transfer that nobody went on with is removed after this.
const STALE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is remembered of an address, also after its file was removed to make room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The address as it may be shown.
    pub uri: String,
    /// Name of the file.
    pub name: String,
    /// SHA-256 that it had.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// When it was fetched, RFC 3339.
    pub fetched: String,
    /// The server's name of that version.
    pub version: Version,
}

/// An object of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its SHA-256.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// When it was last used.
    pub used: SystemTime,
}

/// A lock; the kernel frees it with the file.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The cache's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache at `root`; nothing is made yet.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// Makes the folders.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn create(&self) -> Result<(), FetchError> {
        for folder in ["objects", "sources", "partial", "locks"] {
            let folder = self.root.join(folder);
            std::fs::create_dir_all(&folder).map_err(|error| FetchError::cache(&folder, &error))?;
        }
        Ok(())
    }
    /// Folder of what is under way.
    pub fn partial(&self) -> PathBuf {
        self.root.join("partial")
    }
    /// Where the object with this sum stands.
    pub fn object(&self, sha256: &str) -> PathBuf {
        self.root.join("objects").join(sha256.get(..2).unwrap_or("xx")).join(sha256)
    }
    /// Where the file of an address stands once it is fetched: the same path for ever.
    pub fn source(&self, key: &str, name: &str) -> PathBuf {
        self.root.join("sources").join(key).join(name)
    }
    /// What is remembered of an address.
    pub fn entry(&self, key: &str) -> Option<Entry> {
        serde_json::from_slice(&std::fs::read(self.root.join("sources").join(key).join("entry.json")).ok()?).ok()
    }
    /// All that is remembered, by key.
    pub fn entries(&self) -> Vec<(String, Entry)> {
        let keys = names(&self.root.join("sources"));
        keys.into_iter().filter_map(|key| Some((key.clone(), self.entry(&key)?))).collect()
    }

    /// Remembers an address and links its name to the object.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn remember(&self, key: &str, entry: &Entry) -> Result<PathBuf, FetchError> {
        let folder = self.root.join("sources").join(key);
        std::fs::create_dir_all(&folder).map_err(|error| FetchError::cache(&folder, &error))?;
        if self.entry(key).as_ref() != Some(entry) {
            write(&folder.join("entry.json"), &serde_json::to_vec_pretty(entry).unwrap_or_default())?;
        }
        let path = folder.join(&entry.name);
        let target = self.object(&entry.sha256);
        if std::fs::canonicalize(&path).ok() != std::fs::canonicalize(&target).ok() || !path.exists() {
            link(&target, &path).map_err(|error| FetchError::cache(&path, &error))?;
        }
        Ok(path)
    }

    /// The lock of an object, shared, if the object is there. While it is held, nobody removes the object. It counts as used now.
    pub fn hold(&self, sha256: &str) -> Option<Lock> {
        let lock = self.share(sha256)?;
        self.object(sha256).exists().then_some(lock)
    }

    /// The same, whether or not the object is there yet.
    pub fn share(&self, sha256: &str) -> Option<Lock> {
        let file = self.lock_file(sha256)?;
        if let Err(error) = FileExt::lock_shared(&file) {
            tracing::warn!("{}: no locks on this file system ({error}); do not make room while a run uses the cache", self.root.display());
        }
        let _ = file.set_modified(SystemTime::now());
        Some(Lock { _file: file })
    }

    fn lock_file(&self, name: &str) -> Option<File> {
        File::options().read(true).write(true).create(true).truncate(false).open(self.root.join("locks").join(name)).ok()
    }

    /// The lock `name`, alone. `waiting` is called while another process holds it; it may give up by an error.
    ///
    /// # Errors
    /// When the lock file cannot be made, and what `waiting` returns.
    pub fn alone(&self, name: &str, waiting: &mut dyn FnMut() -> Result<(), FetchError>) -> Result<Lock, FetchError> {
        let path = self.root.join("locks").join(name);
        let fail = |error: std::io::Error| FetchError::cache(&path, &error);
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        loop {
            match FileExt::try_lock(&file) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(fs4::TryLockError::WouldBlock) => {
                    waiting()?;
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(fs4::TryLockError::Error(error)) => {
                    tracing::warn!("{}: no locks on this file system ({error}); fetch with one process at a time", self.root.display());
                    return Ok(Lock { _file: file });
                }
            }
        }
    }

    /// Moves a whole file under its sum. Another process may have done so already.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn store(&self, part: &Path, sha256: &str) -> Result<(), FetchError> {
        let path = self.object(sha256);
        let folder = path.parent().unwrap_or(&self.root);
        let fail = |error: std::io::Error| FetchError::cache(&path, &error);
        std::fs::create_dir_all(folder).map_err(fail)?;
        let mut rights = std::fs::metadata(part).map_err(fail)?.permissions();
        rights.set_readonly(true);
        std::fs::set_permissions(part, rights).map_err(fail)?;
        std::fs::rename(part, &path).map_err(fail)?;
        // Outlives a power cut on systems where a folder can be synced.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// All objects, the one used longest ago first.
    pub fn objects(&self) -> Vec<Object> {
        let mut all = Vec::new();
        for shelf in names(&self.root.join("objects")) {
            for sha256 in names(&self.root.join("objects").join(&shelf)) {
                let Ok(meta) = std::fs::metadata(self.object(&sha256)) else { continue };
                let lock = std::fs::metadata(self.root.join("locks").join(&sha256)).and_then(|meta| meta.modified());
                all.push(Object { sha256, size: meta.len(), used: lock.or_else(|_| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH) });
            }
        }
        all.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.sha256.cmp(&b.sha256)));
        all
    }

    /// Removes what was used longest ago, and is not in use, until `needed` more bytes fit under `limit`. Returns how many were removed.
    ///
    /// # Errors
    /// When they do not fit, because the file alone is too large or the rest is in use.
    pub fn make_room(&self, needed: u64, limit: u64, shown: &str) -> Result<u64, FetchError> {
        let full =
            |what: String| FetchError::new(shown, "disk-full", what).hint("raise TCS_CACHE_GIB (GiB), or set TCS_CACHE to another folder");
        let gib = super::readable_bytes;
        if needed > limit {
            return Err(full(format!("{} do not fit into the cache's limit of {}", gib(needed), gib(limit))));
        }
        let _lock = self.alone("room", &mut || Ok(()))?;
        self.drop_stale();
        let objects = self.objects();
        let mut held: u64 = objects.iter().map(|object| object.size).sum();
        let mut removed = 0;
        for object in objects {
            if held + needed <= limit {
                break;
            }
            if self.remove(&object.sha256) {
                tracing::info!("removed {} ({}) from the cache to make room", object.sha256, gib(object.size));
                held -= object.size;
                removed += object.size;
            }
        }
        if held + needed > limit {
            return Err(full(format!(
                "{} in the cache are in use, and {} more do not fit into its limit of {}",
                gib(held),
                gib(needed),
                gib(limit)
            )));
        }
        Ok(removed)
    }

    /// Removes an object unless somebody uses it. Whether it is gone.
    pub fn remove(&self, sha256: &str) -> bool {
        let Some(file) = self.lock_file(sha256) else { return false };
        match FileExt::try_lock(&file) {
            Ok(()) => std::fs::remove_file(self.object(sha256)).is_ok(),
            Err(_) => false,
        }
    }

    /// Removes what is left of transfers and remote reads that were killed.
    fn drop_stale(&self) {
        for name in names(&self.partial()) {
            let path = self.partial().join(&name);
            let key = name.split('.').next().unwrap_or_default();
            let old = std::fs::metadata(&path).and_then(|meta| meta.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > STALE));
            if old && name.starts_with("remote-") {
                let _ = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
                continue;
            }
            let free = old && self.lock_file(&format!("get-{key}")).is_some_and(|file| FileExt::try_lock(&file).is_ok());
            if free {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// Reads an object again. A damaged one is removed unless it is in use.
    ///
    /// # Errors
    /// With both sums when it is damaged, or when it cannot be read.
    pub fn verify(&self, sha256: &str) -> Result<u64, FetchError> {
        let path = self.object(sha256);
        let (found, size) = sha256_of(&path).map_err(|error| FetchError::cache(&path, &error))?;
        if found == sha256 {
            return Ok(size);
        }
        let gone = self.remove(sha256);
        let hint = if gone { "it was removed; fetch it again" } else { "a run is using it; stop that run and verify again" };
        Err(FetchError::new(path.display(), "checksum", format!("sha256 is {found}, but it was stored as {sha256}")).hint(hint))
    }
}

/// SHA-256 and size of a file.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of(path: &Path) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((hex(&hash.finalize()), size));
        }
        hash.update(&buffer[..n]);
        size += n as u64;
    }
}

/// Names in a folder, sorted; none when there is no such folder. Temporary names are passed over.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

/// Writes a small file as a whole: aside, then renamed.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), FetchError> {
    let fail = |error: std::io::Error| FetchError::cache(path, &error);
    let aside = aside(path);
    std::fs::write(&aside, bytes).map_err(fail)?;
    std::fs::rename(&aside, path).inspect_err(|_| drop(std::fs::remove_file(&aside))).map_err(fail)
}

fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

#[cfg(unix)]
fn link(target: &Path, path: &Path) -> std::io::Result<()> {
    let aside = aside(path);
    let _ = std::fs::remove_file(&aside);
    let shelf = target.parent().and_then(Path::file_name).unwrap_or_default();
    let relative = Path::new("../../objects").join(shelf).join(target.file_name().unwrap_or_default());
    std::os::unix::fs::symlink(relative, &aside)?;
    std::fs::rename(&aside, path)
}
#[cfg(not(unix))]
fn link(target: &Path, path: &Path) -> std::io::Result<()> {
    let aside = aside(path);
    let _ = std::fs::remove_file(&aside);
    std::fs::hard_link(target, &aside)?;
    std::fs::rename(&aside, path)
}
