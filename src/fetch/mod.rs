//! Recordings that are somewhere else: addresses, the catalogue of public recordings, transfers, and the cache of what was fetched.
//!
//! Everything is blocking; the one async runtime is inside [`http`]. Nothing here knows what is in a file.

pub mod cache;
pub mod catalogue;
mod dandi;
pub mod download;
mod error;
pub mod http;
pub mod sparse;
pub mod uri;

pub use cache::{Cache, Entry};
use download::{Arrived, Target};
pub use error::{FetchError, readable_bytes};
use http::Web;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant, SystemTime};
pub use uri::{Address, is_remote};

/// Size of the cache unless `TCS_CACHE_GIB` says otherwise, GiB.
const LIMIT_GIB: f64 = 100.0;

/// How to fetch, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The cache's folder.
    pub cache: PathBuf,
    /// How large it may grow, bytes.
    pub limit_bytes: u64,
    /// Ask no server.
    pub offline: bool,
    /// How long a server may be silent.
    pub stall: Duration,
    /// How many tries in a row may bring nothing.
    pub retries: u32,
    /// Wait before the second try; doubles from try to try.
    pub backoff: Duration,
    /// Where the DANDI archive answers.
    pub dandi_api: String,
    /// An S3 server of one's own.
    pub s3_endpoint: Option<String>,
}

impl Settings {
    /// What the environment says: `TCS_CACHE` (else `XDG_CACHE_HOME/tcs-batch`, else `~/.cache/tcs-batch`), `TCS_CACHE_GIB`,
    /// `TCS_OFFLINE`, `TCS_FETCH_STALL_S`, `TCS_FETCH_RETRIES`, `TCS_FETCH_BACKOFF_S`, `TCS_DANDI_API`, `AWS_ENDPOINT_URL_S3` or
    /// `AWS_ENDPOINT_URL`.
    pub fn from_env() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let number = |name: &str, usual: f64, least: f64| match text(name).map(|value| value.trim().parse::<f64>()) {
            Some(Ok(value)) if value.is_finite() && value >= least => value.min(1e9),
            Some(_) => {
                tracing::warn!("{name} is not a number of at least {least}; {usual} is taken");
                usual
            }
            None => usual,
        };
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = folder("TCS_CACHE")
            .or_else(|| folder("XDG_CACHE_HOME").map(|folder| folder.join("tcs-batch")))
            .or_else(|| folder("HOME").map(|folder| folder.join(".cache").join("tcs-batch")))
            .unwrap_or_else(|| std::env::temp_dir().join("tcs-batch-cache"));
        Self {
            cache: std::path::absolute(&cache).unwrap_or(cache),
            limit_bytes: (number("TCS_CACHE_GIB", LIMIT_GIB, 0.0) * f64::from(1 << 30)) as u64,
            offline: text("TCS_OFFLINE").is_some_and(|value| !matches!(value.as_str(), "0" | "false" | "no")),
            stall: Duration::from_secs_f64(number("TCS_FETCH_STALL_S", 60.0, 0.1)),
            retries: number("TCS_FETCH_RETRIES", 5.0, 0.0) as u32,
            backoff: Duration::from_secs_f64(number("TCS_FETCH_BACKOFF_S", 0.5, 0.0)),
            dandi_api: text("TCS_DANDI_API").unwrap_or_else(|| dandi::API.to_owned()),
            s3_endpoint: text("AWS_ENDPOINT_URL_S3").or_else(|| text("AWS_ENDPOINT_URL")),
        }
    }
}

/// A file that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Where it is.
    pub address: Address,
    /// What its SHA-256 must be, where that is known.
    pub sha256: Option<String>,
    /// Who says so: `the job`, `the catalogue`.
    pub says: String,
    /// What its size must be, where that is known.
    pub size: Option<u64>,
}

impl Wanted {
    /// Where the file stands once it is fetched, under `cache`.
    pub fn path(&self, cache: &Cache) -> PathBuf {
        cache.source(&self.address.key(), &self.address.file_name())
    }
}

/// A fetched file. While this lives, the file stays in the cache.
#[derive(Debug)]
pub struct Held {
    /// Where it is, under its own name.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Bytes that were transferred for it just now.
    pub transferred: u64,
    _lock: cache::Lock,
}

/// What is told while a file is fetched.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Another process is fetching the same file.
    Waiting,
    /// So many bytes are there, of so many.
    Bytes(u64, Option<u64>),
}

/// Fetches into the cache.
pub struct Fetcher<'a> {
    settings: Settings,
    cache: Cache,
    web: Option<Arc<Web<'a>>>,
    interrupted: &'a AtomicI32,
}

impl<'a> Fetcher<'a> {
    /// A fetcher; it stops soon after `interrupted` is no longer 0.
    pub fn new(settings: &Settings, interrupted: &'a AtomicI32) -> Self {
        Self { settings: settings.clone(), cache: Cache::at(&settings.cache), web: None, interrupted }
    }

    /// The cache.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// A folder of the cache for copies of files that are read in parts; gone with the value, or with a later clean-up.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch(&self) -> Result<tempfile::TempDir, FetchError> {
        self.cache.create()?;
        let folder = self.cache.partial();
        tempfile::Builder::new().prefix("remote-run-").tempdir_in(&folder).map_err(|error| FetchError::cache(&folder, &error))
    }

    /// The file if it is in the cache already; no server is asked.
    ///
    /// # Errors
    /// When what was fetched from this address has another sum than is wanted.
    pub fn held(&self, wanted: &Wanted) -> Result<Option<Held>, FetchError> {
        let key = wanted.address.key();
        let known = self.cache.entry(&key);
        if let Some(sha256) = &wanted.sha256
            && self.cache.object(sha256).exists()
        {
            let size = std::fs::metadata(self.cache.object(sha256)).map_or(0, |meta| meta.len());
            let entry = known
                .filter(|entry| entry.sha256 == *sha256)
                .unwrap_or_else(|| self.entry(wanted, sha256, size, download::Version::default()));
            return self.take(&key, &entry, 0);
        }
        let Some(entry) = known else { return Ok(None) };
        if let Some(sha256) = &wanted.sha256
            && *sha256 != entry.sha256
            && self.cache.object(&entry.sha256).exists()
        {
            let what = format!("what was fetched on {} has sha256 {}, but {} says {sha256}", entry.fetched, entry.sha256, wanted.says);
            return Err(FetchError::new(wanted.address.shown(), "checksum", what)
                .hint("correct the sum, or fetch again: tcs-batch datasets fetch --update"));
        }
        self.take(&key, &entry, 0)
    }

    fn entry(&self, wanted: &Wanted, sha256: &str, size: u64, version: download::Version) -> Entry {
        let fetched = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Entry { uri: wanted.address.shown(), name: wanted.address.file_name(), sha256: sha256.to_owned(), size, fetched, version }
    }

    fn take(&self, key: &str, entry: &Entry, transferred: u64) -> Result<Option<Held>, FetchError> {
        if !self.cache.object(&entry.sha256).exists() {
            return Ok(None);
        }
        let Some(lock) = self.cache.hold(&entry.sha256) else { return Ok(None) };
        let path = self.cache.remember(key, entry)?;
        Ok(Some(Held { path, sha256: entry.sha256.clone(), size: entry.size, transferred, _lock: lock }))
    }

    /// The file, fetched when need be. Where no sum is known, the one that it had the first time is taken for right; `update` accepts
    /// another.
    ///
    /// # Errors
    /// As [`download::download`]; `offline` when it would have to be fetched; `checksum` when it changed since the first time.
    pub fn get(&mut self, wanted: &Wanted, update: bool, hear: &mut dyn FnMut(News)) -> Result<Held, FetchError> {
        let shown = wanted.address.shown();
        if !update && let Some(held) = self.held(wanted)? {
            return Ok(held);
        }
        if self.settings.offline {
            return Err(http::offline(&shown));
        }
        self.cache.create()?;
        let key = wanted.address.key();
        let mut told = false;
        let interrupted = self.interrupted;
        let _alone = self.cache.alone(&format!("get-{key}"), &mut || {
            if !std::mem::replace(&mut told, true) {
                hear(News::Waiting);
            }
            match interrupted.load(Ordering::Relaxed) {
                0 => Ok(()),
                _ => Err(FetchError::new(&shown, "interrupted", "interrupted while another process fetches it")),
            }
        })?;
        // The other process may have brought it.
        if !update && let Some(held) = self.held(wanted)? {
            return Ok(held);
        }
        let target = self.target(wanted)?;
        if !update && let Some(sha256) = &target.sha256 {
            // DANDI may name a sum that is here under another address.
            let pinned = Wanted { sha256: Some(sha256.clone()), ..wanted.clone() };
            if self.cache.object(sha256).exists()
                && let Some(held) = self.held(&pinned)?
            {
                return Ok(held);
            }
        }
        let arrived = self.transfer(&target, &key, hear)?;
        self.keep(wanted, &target, &key, arrived, update)
    }

    fn transfer(&mut self, target: &Target, key: &str, hear: &mut dyn FnMut(News)) -> Result<Arrived, FetchError> {
        let (cache, limit) = (self.cache.clone(), self.settings.limit_bytes);
        let mut room = None;
        let mut last = Instant::now();
        if let Some(size) = target.size {
            cache.make_room(size, limit, &target.shown)?;
            room = Some(size);
        }
        let web = self.web()?;
        let arrived = download::download(web, target, &cache.partial(), key, &mut |there, total| {
            if let Some(total) = total.filter(|_| room.is_none()) {
                room = Some(total);
                cache.make_room(total, limit, &target.shown)?;
            }
            if last.elapsed() > Duration::from_millis(100) || Some(there) == total {
                hear(News::Bytes(there, total));
                last = Instant::now();
            }
            Ok(())
        })?;
        if room.is_none() {
            cache.make_room(arrived.size, limit, &target.shown)?;
        }
        Ok(arrived)
    }

    fn keep(&mut self, wanted: &Wanted, target: &Target, key: &str, arrived: Arrived, update: bool) -> Result<Held, FetchError> {
        let (part, side) = download::partial(&self.cache.partial(), key);
        let before = self.cache.entry(key).filter(|_| target.sha256.is_none() && !update);
        if let Some(before) = before.filter(|before| before.sha256 != arrived.sha256) {
            let _ = (std::fs::remove_file(&part), std::fs::remove_file(&side));
            let what = format!("sha256 is {}, but it was {} when first fetched on {}", arrived.sha256, before.sha256, before.fetched);
            return Err(FetchError::new(&target.shown, "checksum", what)
                .hint("the file was changed; to take the new one: tcs-batch datasets fetch --update"));
        }
        // The lock comes before the file, so that nobody makes room with it in between.
        let early = self.cache.share(&arrived.sha256);
        self.cache.store(&part, &arrived.sha256)?;
        let _ = std::fs::remove_file(&side);
        let entry = self.entry(wanted, &arrived.sha256, arrived.size, arrived.version);
        let held = self.take(key, &entry, arrived.transferred)?;
        drop(early);
        held.ok_or_else(|| {
            FetchError::new(&target.shown, "cache", "another process removed the file to make room")
                .hint("raise TCS_CACHE_GIB, or run again")
        })
    }

    /// Where a wanted file is to be had.
    fn target(&mut self, wanted: &Wanted) -> Result<Target, FetchError> {
        let shown = wanted.address.shown();
        let endpoint = self.settings.s3_endpoint.clone();
        let plain = |url, s3| Target { shown, url, s3, sha256: wanted.sha256.clone(), says: wanted.says.clone(), size: wanted.size };
        match &wanted.address {
            Address::Http(url) => Ok(plain(url.clone(), None)),
            Address::S3 { bucket, key } => {
                Ok(plain(Address::s3_url(bucket, key, endpoint.as_deref(), None)?, Some((bucket.clone(), key.clone()))))
            }
            Address::Dandi { dandiset, version, path } => {
                let found = dandi::find(self.web()?, dandiset, version.as_deref(), path)?;
                Ok(match &wanted.sha256 {
                    Some(sha256) => Target { sha256: Some(sha256.clone()), says: wanted.says.clone(), ..found },
                    None => found,
                })
            }
        }
    }

    fn web(&mut self) -> Result<&Arc<Web<'a>>, FetchError> {
        if self.web.is_none() {
            self.web = Some(Arc::new(Web::new(&self.settings, self.interrupted)?));
        }
        self.web.as_ref().ok_or_else(|| FetchError::new("https", "network", "no client"))
    }
}
