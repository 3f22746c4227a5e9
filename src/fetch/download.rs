//! One file from a server to a disk, through drops, stalls, restarts and servers that say one thing and send another.
//!
//! What has arrived stands in `KEY.part`; `KEY.json` beside it remembers which version of the file it belongs to (ETag, else
//! Last-Modified, and the length) and how much of it is safely on the disk. A resumed transfer asks with `Range` and `If-Range`, so a
//! server that has another version by now sends all of it, and then all of it is taken.

use super::http::{Answer, Failure, Web, status_failure};
use super::{FetchError, error::readable_bytes};
use http::header;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use url::Url;

/// After this many bytes what has arrived is forced to the disk, and its length written down.
const SYNC_EVERY: u64 = 32 << 20;

/// What is to be fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// As it may be shown.
    pub shown: String,
    /// Where it is.
    pub url: Url,
    /// Bucket and key of an S3 object, which may live in another region than its first address says.
    pub s3: Option<(String, String)>,
    /// What its SHA-256 must be.
    pub sha256: Option<String>,
    /// Who says so.
    pub says: String,
    /// What its size must be.
    pub size: Option<u64>,
}

/// What has arrived, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrived {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// The server's name of this version.
    pub version: Version,
    /// How many bytes were transferred for it, this time.
    pub transferred: u64,
}

/// How a server names one version of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Version {
    /// Its entity tag.
    pub etag: Option<String>,
    /// When it was changed.
    pub last_modified: Option<String>,
}

impl Version {
    /// As the headers of an answer say.
    pub fn of(answer: &Answer) -> Self {
        let text = |name| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
    }
    /// What `If-Range` may be given: a strong tag, or a date. A weak tag does not tell bytes apart (RFC 9110, 13.1.5).
    pub fn validator(&self) -> Option<&str> {
        match &self.etag {
            Some(tag) if !tag.starts_with("W/") => Some(tag),
            _ => self.last_modified.as_deref(),
        }
    }
    /// Whether an answer may be of the same version: where both name one, the names agree.
    pub fn may_be(&self, other: &Self) -> bool {
        let agree = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        if self.etag.is_some() && other.etag.is_some() { self.etag == other.etag } else { agree(&self.last_modified, &other.last_modified) }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Side {
    shown: String,
    total: Option<u64>,
    version: Version,
    durable: u64,
}

/// Is told how many bytes are there, of how many; may refuse the file.
pub type Hear<'a> = dyn FnMut(u64, Option<u64>) -> Result<(), FetchError> + 'a;

/// A transfer under way.
struct Transfer<'a> {
    target: &'a Target,
    part: PathBuf,
    side_path: PathBuf,
    side: Side,
    file: File,
    hash: Sha256,
    offset: u64,
    best: u64,
    transferred: u64,
    resumed: bool,
}

/// Paths of the partial file and of what is known of it.
pub fn partial(folder: &Path, key: &str) -> (PathBuf, PathBuf) {
    (folder.join(format!("{key}.part")), folder.join(format!("{key}.json")))
}

/// Fetches `target` into the partial file of `key`, and checks it. `hear` is told how many bytes there are, of how many.
///
/// # Errors
/// When the server does not have the file, or does not send it within the retries; when size or sum are not what they must be (then the
/// partial file is removed); when the disk is full (then it is kept).
pub fn download(web: &Web<'_>, target: &Target, folder: &Path, key: &str, hear: &mut Hear<'_>) -> Result<Arrived, FetchError> {
    let mut transfer = Transfer::open(target, folder, key)?;
    let mut target_url = target.url.clone();
    loop {
        let result = web.patiently(&target.shown, |progress| transfer.attempt(web, &mut target_url, progress, hear));
        if let Err(error) = result {
            transfer.settle().ok();
            return Err(error);
        }
        transfer.file.sync_all().map_err(|error| FetchError::cache(&transfer.part, &error))?;
        let sha256 = hex(&transfer.hash.finalize_reset());
        match &target.sha256 {
            Some(wanted) if *wanted != sha256 => {
                let resumed = transfer.resumed;
                transfer.begin_again()?;
                if resumed {
                    // The old part may be what is wrong: once more, from nothing.
                    tracing::warn!("{}: the resumed file has the wrong sum; fetching it again from the start", target.shown);
                    continue;
                }
                transfer.remove();
                return Err(FetchError::new(&target.shown, "checksum", format!("sha256 is {sha256}, but {} says {wanted}", target.says))
                    .hint("the file was changed or damaged; correct the sum, or ask who publishes it. Nothing was kept"));
            }
            _ => {}
        }
        let Transfer { side, offset, transferred, .. } = transfer;
        return Ok(Arrived { sha256, size: offset, version: side.version, transferred });
    }
}

impl<'a> Transfer<'a> {
    fn open(target: &'a Target, folder: &Path, key: &str) -> Result<Self, FetchError> {
        let (part, side_path) = partial(folder, key);
        let fail = |error: std::io::Error| FetchError::cache(&part, &error);
        let side: Option<Side> = std::fs::read(&side_path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&part).map_err(fail)?;
        let held = file.metadata().map_err(fail)?.len();
        // Without a validator or a sum nothing would tell a mixture of two versions.
        let side = side.filter(|side| side.version.validator().is_some() || target.sha256.is_some()).unwrap_or_default();
        let offset = side.durable.min(held);
        file.set_len(offset).map_err(fail)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let n = file.read(&mut buffer).map_err(fail)?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
        }
        if offset > 0 {
            tracing::info!("{}: going on after {}", target.shown, readable_bytes(offset));
        }
        let side = if offset > 0 { side } else { Side::default() };
        Ok(Self { target, part, side_path, side, file, hash, offset, best: offset, transferred: 0, resumed: offset > 0 })
    }

    fn attempt(&mut self, web: &Web<'_>, url: &mut Url, progress: &mut bool, hear: &mut Hear<'_>) -> Result<(), Failure> {
        if self.side.total == Some(self.offset) && self.offset > 0 {
            return Ok(());
        }
        if self.offset > 0 && self.side.version.validator().is_none() && self.target.sha256.is_none() {
            self.begin_again().map_err(Failure::lasting)?;
        }
        let mut headers = Vec::new();
        if self.offset > 0 {
            headers.push((header::RANGE, format!("bytes={}-", self.offset)));
            headers.extend(self.side.version.validator().map(|validator| (header::IF_RANGE, validator.to_owned())));
        }
        let mut answer = web.get(url, &headers)?;
        self.begin(web, url, &answer)?;
        self.check_room().map_err(Failure::lasting)?;
        hear(self.offset, self.side.total).map_err(|error| self.refused(error))?;
        let mut unsynced = 0;
        while let Some(piece) = web.piece(&self.target.shown, &mut answer)? {
            self.take(&piece)?;
            *progress |= self.offset > self.best;
            self.best = self.best.max(self.offset);
            unsynced += piece.len() as u64;
            if unsynced >= SYNC_EVERY {
                self.settle().map_err(Failure::lasting)?;
                unsynced = 0;
            }
            hear(self.offset, self.side.total).map_err(|error| self.refused(error))?;
        }
        match self.side.total {
            Some(total) if self.offset < total => {
                let what = format!("the transfer ended after {} of {total} bytes", self.offset);
                Err(Failure::passing(self.error("truncated", what).hint("try again later; what has arrived is kept")))
            }
            _ => Ok(()),
        }
    }

    /// Makes of the head of an answer where its body belongs.
    fn begin(&mut self, web: &Web<'_>, url: &mut Url, answer: &Answer) -> Result<(), Failure> {
        let restart = |transfer: &mut Self, what: &str| {
            let error = transfer.error("changed", what.to_owned()).hint("try again; the file is being changed on the server");
            transfer.begin_again().map_err(Failure::lasting)?;
            Err(Failure::passing(error))
        };
        match answer.status.as_u16() {
            200 => {
                if self.offset > 0 {
                    tracing::info!("{}: the server sends the whole file again", self.target.shown);
                }
                self.begin_again().map_err(Failure::lasting)?;
                self.side.version = Version::of(answer);
                self.side.total = number(answer, header::CONTENT_LENGTH);
            }
            206 => {
                let Some((first, _, total)) = content_range(answer) else {
                    return restart(self, "part of the file came, without saying which");
                };
                if first != self.offset {
                    return restart(self, "another part of the file came than was asked for");
                }
                let known = self.side.total;
                if !self.side.version.may_be(&Version::of(answer)) || known.is_some_and(|known| total.is_some_and(|total| total != known)) {
                    return restart(self, "the file was changed on the server while it was fetched");
                }
                self.side.total = known.or(total);
            }
            416 => return restart(self, "the file on the server is shorter than what had arrived of it"),
            412 => return restart(self, "the file was changed on the server while it was fetched"),
            301 | 307 | 400 if self.to_region(web, url, answer) => {
                return Err(Failure {
                    after: Some(std::time::Duration::ZERO),
                    ..Failure::passing(self.error("http", "the bucket is in another region".into()))
                });
            }
            _ => return Err(status_failure(&self.target.shown, answer)),
        }
        match (self.target.size, self.side.total) {
            (Some(wanted), Some(total)) if wanted != total => {
                let error = self.error("changed", format!("the server offers {total} bytes, but {} says {wanted}", self.target.says));
                self.remove();
                Err(Failure::lasting(error.hint("the file was changed; correct the size and the sum, or ask who publishes it")))
            }
            _ => Ok(()),
        }
    }

    /// Turns to the region that S3 names. Whether there is one, and another one than before.
    fn to_region(&self, web: &Web<'_>, url: &mut Url, answer: &Answer) -> bool {
        let Some((bucket, key)) = &self.target.s3 else { return false };
        let Some(region) = answer.headers.get("x-amz-bucket-region").and_then(|value| value.to_str().ok()) else { return false };
        if web.settings.s3_endpoint.is_some() || !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return false;
        }
        match super::Address::s3_url(bucket, key, None, Some(region)) {
            Ok(there) if there != *url => {
                *url = there;
                true
            }
            _ => false,
        }
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), Failure> {
        if self.side.total.is_some_and(|total| self.offset + piece.len() as u64 > total) {
            let error =
                self.error("truncated", format!("the server sent more than the {} bytes it spoke of", self.side.total.unwrap_or(0)));
            return Err(Failure::lasting(error.hint("the server is at fault; nothing was kept"))).inspect_err(|_| self.remove());
        }
        self.file.write_all(piece).map_err(|error| Failure::lasting(FetchError::cache(&self.part, &error)))?;
        self.hash.update(piece);
        self.offset += piece.len() as u64;
        self.transferred += piece.len() as u64;
        Ok(())
    }

    fn check_room(&self) -> Result<(), FetchError> {
        let Some(missing) = self.side.total.map(|total| total - self.offset.min(total)) else { return Ok(()) };
        match fs4::available_space(self.part.parent().unwrap_or(Path::new("."))) {
            Ok(free) if free < missing => Err(FetchError::new(
                self.part.display(),
                "disk-full",
                format!(
                    "{} needs {} more, but the disk of the cache has {} left",
                    self.target.shown,
                    readable_bytes(missing),
                    readable_bytes(free)
                ),
            )
            .hint("free some space, or set TCS_CACHE to a folder on another disk")),
            // An unknown amount is found out by writing.
            _ => Ok(()),
        }
    }

    fn begin_again(&mut self) -> Result<(), FetchError> {
        let fail = |error: std::io::Error| FetchError::cache(&self.part, &error);
        self.file.set_len(0).map_err(fail)?;
        self.file.seek(SeekFrom::Start(0)).map_err(fail)?;
        self.hash = Sha256::new();
        (self.offset, self.resumed) = (0, false);
        self.side = Side::default();
        let _ = std::fs::remove_file(&self.side_path);
        Ok(())
    }

    /// Forces what has arrived to the disk and writes down how much that is.
    fn settle(&mut self) -> Result<(), FetchError> {
        let fail = |error: std::io::Error| FetchError::cache(&self.part, &error);
        if self.offset == 0 {
            self.remove();
            return Ok(());
        }
        if !self.part.exists() {
            return Ok(());
        }
        self.file.sync_data().map_err(fail)?;
        self.side.durable = self.offset;
        self.side.shown.clone_from(&self.target.shown);
        super::cache::write(&self.side_path, &serde_json::to_vec(&self.side).unwrap_or_default())
    }

    fn refused(&self, error: FetchError) -> Failure {
        self.remove();
        Failure::lasting(error)
    }

    fn remove(&self) {
        let _ = std::fs::remove_file(&self.part);
        let _ = std::fs::remove_file(&self.side_path);
    }

    fn error(&self, kind: &'static str, what: String) -> FetchError {
        FetchError::new(&self.target.shown, kind, what)
    }
}

fn number(answer: &Answer, name: header::HeaderName) -> Option<u64> {
    answer.headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// First and last byte and the whole length of `Content-Range: bytes 0-99/200`; no length where it is `*`.
pub fn content_range(answer: &Answer) -> Option<(u64, u64, Option<u64>)> {
    let text = answer.headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last, total.trim().parse().ok()))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
