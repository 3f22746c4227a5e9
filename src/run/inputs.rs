//! Identities of inputs: the SHA-256 of a dataset's file, remembered by path, size and modification time so that a second run
//! need not read the bytes again.

use crate::job::{Dataset, Job, Origin};
use crate::table::atomic;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What is known of a dataset's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// SHA-256 of the file in hexadecimal; empty for a simulation.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the further files of its session.
    #[serde(default)]
    pub with: Vec<String>,
}

impl Identity {
    /// What tells these bytes from any others: one hash, or those of all files.
    pub fn key(&self) -> String {
        std::iter::once(&self.sha256).chain(&self.with).map(String::as_str).collect::<Vec<_>>().join("+")
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Remembered {
    files: BTreeMap<String, (u64, u128, String)>,
}

/// Hashes that an output folder remembers.
pub struct Inputs {
    path: PathBuf,
    remembered: Remembered,
}

impl Inputs {
    /// What `out` remembers; nothing when the file is missing or damaged.
    pub fn of(out: &Path) -> Self {
        let path = out.join("shards").join("inputs.json");
        let remembered = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path, remembered }
    }

    /// The identity of a dataset if it is known without reading it.
    pub fn known(&self, dataset: &Dataset) -> Option<Identity> {
        let Origin::File { request, .. } = &dataset.origin else {
            return Some(Identity { sha256: String::new(), bytes: 0, with: Vec::new() });
        };
        let (sha256, bytes) = self.known_file(&request.path)?;
        let with = request.with.iter().map(|path| self.known_file(path).map(|known| known.0)).collect::<Option<_>>()?;
        Some(Identity { sha256, bytes, with })
    }

    fn known_file(&self, path: &Path) -> Option<(String, u64)> {
        let (name, bytes, modified) = stamp(path).ok()?;
        let (known_bytes, known_modified, sha256) = self.remembered.files.get(&name)?;
        (*known_bytes == bytes && *known_modified == modified).then(|| (sha256.clone(), bytes))
    }

    /// Remembers a sum that was taken while the file was fetched.
    pub fn learn(&mut self, path: &Path, sha256: &str) {
        if let Ok((name, bytes, modified)) = stamp(path) {
            self.remembered.files.insert(name, (bytes, modified, sha256.to_owned()));
        }
    }

    /// The identity of a dataset, reading the file when need be.
    ///
    /// # Errors
    /// When the file cannot be read, or is not the one that the job's `sha256` names.
    pub fn identify(&mut self, dataset: &Dataset) -> Result<Identity, String> {
        let identity = match self.known(dataset) {
            Some(identity) => identity,
            None => self.hash(dataset)?,
        };
        match &dataset.sha256 {
            Some(wanted) if *wanted != identity.sha256 && !identity.sha256.is_empty() => Err(format!(
                "the file's sha256 is {}, but the job says {wanted}; fetch it again or correct `sha256` of dataset `{}`",
                identity.sha256, dataset.id
            )),
            _ => Ok(identity),
        }
    }

    fn hash(&mut self, dataset: &Dataset) -> Result<Identity, String> {
        let Origin::File { request, .. } = &dataset.origin else {
            return Ok(Identity { sha256: String::new(), bytes: 0, with: Vec::new() });
        };
        let (sha256, bytes) = self.hash_file(&request.path)?;
        let with = request.with.iter().map(|path| self.hash_file(path).map(|hashed| hashed.0)).collect::<Result<_, _>>()?;
        Ok(Identity { sha256, bytes, with })
    }

    fn hash_file(&mut self, path: &Path) -> Result<(String, u64), String> {
        if let Some(known) = self.known_file(path) {
            return Ok(known);
        }
        let fail = |error: std::io::Error| format!("{}: cannot be read ({error})", path.display());
        let (name, bytes, modified) = stamp(path).map_err(fail)?;
        let sha256 = sha256_of(path).map_err(fail)?;
        self.remembered.files.insert(name, (bytes, modified, sha256.clone()));
        Ok((sha256, bytes))
    }

    /// Writes what is remembered.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self) -> Result<(), crate::table::atomic::FileError> {
        atomic::write_bytes(&self.path, &serde_json::to_vec_pretty(&self.remembered).unwrap_or_default())
    }
}

fn stamp(path: &Path) -> std::io::Result<(String, u64, u128)> {
    let meta = std::fs::metadata(path)?;
    let modified = meta.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let name = std::fs::canonicalize(path)?.to_string_lossy().into_owned();
    Ok((name, meta.len(), modified))
}

/// SHA-256 of a file in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Identities of all datasets of a job; a problem instead where one cannot be told.
pub fn identify_all(job: &Job, inputs: &mut Inputs) -> Vec<Result<Identity, String>> {
    job.datasets.iter().map(|dataset| inputs.identify(dataset)).collect()
}
