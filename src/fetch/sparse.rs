//! A file that is only partly here: a sparse copy that is filled block by block with range requests.
//!
//! The copy has the length of the whole, and holes where nothing was fetched. Who reads it must ask [`Sparse::fill`] for every byte
//! that it wants before it believes what it reads. The copy is removed with the value, and by the next clean-up after a kill.

use super::download::{Target, Version, content_range};
use super::http::{Failure, Web, status_failure};
use super::{FetchError, Fetcher, Wanted};
use http::header;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// What is fetched at least, bytes.
const BLOCK: u64 = 64 << 10;
/// Two stretches this close are fetched as one, bytes: a request costs more than they do.
const GAP: u64 = 128 << 10;
/// Both ends are fetched first: the superblock is in front, and late metadata often stand at the end. Bytes.
const ENDS: u64 = 256 << 10;

/// A partly fetched file.
pub struct Sparse<'a> {
    web: Arc<Web<'a>>,
    target: Target,
    version: Version,
    copy: tempfile::NamedTempFile,
    total: u64,
    have: Vec<bool>,
    /// Bytes fetched so far.
    pub fetched: u64,
    /// Requests made so far.
    pub requests: u32,
}

impl<'a> Sparse<'a> {
    /// Asks for both ends of the file. The copy is made in `folder`, else in the cache.
    ///
    /// # Errors
    /// As a transfer's; `no-ranges` when the server sends whole files only.
    pub fn open(fetcher: &mut Fetcher<'a>, wanted: &Wanted, folder: Option<&Path>) -> Result<Self, FetchError> {
        if fetcher.settings.offline {
            return Err(super::http::offline(&wanted.address.shown()));
        }
        let target = fetcher.target(wanted)?;
        fetcher.cache.create()?;
        let folder = folder.map_or_else(|| fetcher.cache.partial(), Path::to_owned);
        let ending = format!("-{}", wanted.address.file_name());
        let copy = tempfile::Builder::new().prefix("remote-").suffix(&ending).tempfile_in(&folder);
        let copy = copy.map_err(|error| FetchError::cache(&folder, &error))?;
        let version = Version::default();
        let web = Arc::clone(fetcher.web()?);
        let mut sparse = Self { web, target, version, copy, total: u64::MAX, have: Vec::new(), fetched: 0, requests: 0 };
        sparse.range(0..ENDS)?;
        if sparse.total > ENDS {
            let last = sparse.total.saturating_sub(ENDS).max(ENDS) / BLOCK * BLOCK;
            sparse.fill(&[last..sparse.total])?;
        }
        Ok(sparse)
    }

    /// The copy.
    pub fn path(&self) -> &Path {
        self.copy.path()
    }
    /// The server's name of the version that is read.
    pub fn version(&self) -> &Version {
        &self.version
    }
    /// Length of the whole, bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Fetches what of these stretches is missing, in whole blocks. Whether anything was.
    ///
    /// # Errors
    /// As a transfer's; `changed` when the server has another version by now.
    pub fn fill(&mut self, stretches: &[Range<u64>]) -> Result<bool, FetchError> {
        let mut blocks: Vec<u64> = Vec::new();
        for stretch in stretches.iter().filter(|stretch| stretch.start < stretch.end.min(self.total)) {
            let last = (stretch.end.min(self.total) - 1) / BLOCK;
            blocks.extend((stretch.start / BLOCK..=last).filter(|&block| !self.have.get(block as usize).copied().unwrap_or(true)));
        }
        blocks.sort_unstable();
        blocks.dedup();
        let mut runs: Vec<Range<u64>> = Vec::new();
        for block in blocks {
            let (start, end) = (block * BLOCK, ((block + 1) * BLOCK).min(self.total));
            match runs.last_mut() {
                Some(run) if start <= run.end + GAP => run.end = end,
                _ => runs.push(start..end),
            }
        }
        for run in &runs {
            self.range(run.clone())?;
        }
        Ok(!runs.is_empty())
    }

    /// Fetches one stretch, however often the connection breaks off.
    fn range(&mut self, stretch: Range<u64>) -> Result<(), FetchError> {
        let (web, shown) = (Arc::clone(&self.web), self.target.shown.clone());
        let mut at = stretch.start;
        web.patiently(&shown, |progress| {
            let before = at;
            let result = self.attempt(&web, &stretch, &mut at);
            *progress |= at > before;
            result
        })?;
        for block in stretch.start / BLOCK..stretch.end.min(self.total).div_ceil(BLOCK) {
            if let Some(have) = self.have.get_mut(block as usize) {
                *have = true;
            }
        }
        Ok(())
    }

    fn attempt(&mut self, web: &Web<'_>, stretch: &Range<u64>, at: &mut u64) -> Result<(), Failure> {
        let end = stretch.end.min(self.total);
        if *at >= end {
            return Ok(());
        }
        let mut headers = vec![(header::RANGE, format!("bytes={at}-{}", end - 1))];
        headers.extend(self.version.validator().map(|validator| (header::IF_RANGE, validator.to_owned())));
        self.requests += 1;
        let mut answer = web.get(&self.target.url, &headers)?;
        match answer.status.as_u16() {
            206 => {}
            // The first answer tells whether there are ranges; a later one that is whole is another version.
            200 if self.have.is_empty() => {
                let error = self.error("no-ranges", "the server sends whole files only");
                return Err(Failure::lasting(error.hint("fetch it first: tcs-batch datasets fetch URI")));
            }
            200 => return Err(self.changed()),
            _ => return Err(status_failure(&self.target.shown, &answer)),
        }
        let version = Version::of(&answer);
        let Some((first, last, Some(total))) = content_range(&answer) else {
            return Err(Failure::lasting(self.error("http", "the server does not say which part of the file it sends")));
        };
        if self.have.is_empty() {
            self.begin(total, version)?;
        } else if total != self.total || !self.version.may_be(&version) {
            return Err(self.changed());
        }
        if first != *at || last >= self.total {
            return Err(Failure::passing(self.error("http", "another part of the file came than was asked for")));
        }
        while let Some(piece) = web.piece(&self.target.shown, &mut answer)? {
            if *at + piece.len() as u64 > last + 1 {
                return Err(Failure::lasting(self.error("truncated", "the server sent more than it spoke of")));
            }
            let fail = |error: std::io::Error| Failure::lasting(FetchError::cache(self.copy.path(), &error));
            let mut file: &File = self.copy.as_file();
            file.seek(SeekFrom::Start(*at)).map_err(fail)?;
            file.write_all(&piece).map_err(fail)?;
            *at += piece.len() as u64;
            self.fetched += piece.len() as u64;
        }
        if *at < stretch.end.min(self.total) {
            return Err(Failure::passing(self.error("truncated", "the transfer ended early")));
        }
        Ok(())
    }

    fn begin(&mut self, total: u64, version: Version) -> Result<(), Failure> {
        if self.target.size.is_some_and(|size| size != total) {
            let what = format!("the server offers {total} bytes, but {} says {}", self.target.says, self.target.size.unwrap_or(0));
            return Err(Failure::lasting(self.error("changed", what)));
        }
        self.copy.as_file().set_len(total).map_err(|error| Failure::lasting(FetchError::cache(self.copy.path(), &error)))?;
        (self.total, self.version) = (total, version);
        self.have = vec![false; total.div_ceil(BLOCK) as usize];
        Ok(())
    }

    fn changed(&self) -> Failure {
        Failure::lasting(self.error("changed", "the file was changed on the server while it was read").hint("run it again"))
    }

    fn error(&self, kind: &'static str, what: impl Into<String>) -> FetchError {
        FetchError::new(&self.target.shown, kind, what)
    }
}
