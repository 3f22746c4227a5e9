//! Recordings that are elsewhere come into the cache before anything is planned, and stay there while they are used.

use super::RunError;
use super::event::{Event, Listener};
use super::inputs::{Identity, Inputs};
use crate::fetch::{FetchError, Fetcher, Held, News, Settings, Wanted};
use crate::job::plan::{Problem, edition_file};
use crate::job::{Dataset, Job, Origin};
use crate::read::{self, remote::Edition};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

/// One a dataset: nothing to fetch, what is there, or why there is nothing.
pub struct Sources {
    all: Vec<Option<Result<Source, FetchError>>>,
    /// Where workers make copies of what is read in parts; gone with this.
    folder: Option<tempfile::TempDir>,
}

/// Where a recording is read.
enum Source {
    /// A file that is held in the cache.
    Held(Held),
    /// A server, in parts.
    Parts(Identity),
}

impl Sources {
    /// Why a dataset cannot be opened.
    pub fn problem(&self, index: usize) -> Option<Problem> {
        match self.all.get(index)? {
            Some(Err(error)) => Some(Problem { kind: error.kind.to_owned(), message: error.to_string(), skipped: false }),
            _ => None,
        }
    }

    /// Tells the sums of what is held, so that nothing is read again for them.
    pub fn teach(&self, inputs: &mut Inputs) {
        for source in self.all.iter().flatten().flatten() {
            if let Source::Held(held) = source {
                inputs.learn(&held.path, &held.sha256);
            }
        }
    }

    /// The folder for workers that read in parts.
    pub fn stream(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.path().to_owned())
    }

    /// What stands for the sums of files that are read in parts.
    pub fn name_parts(&self, identities: &mut [Result<Identity, String>]) {
        for (source, identity) in self.all.iter().zip(identities) {
            if let Some(Ok(Source::Parts(name))) = source {
                *identity = Ok(name.clone());
            }
        }
    }
}

/// The edition of a recording that is not in the cache and can be read in parts.
fn in_parts(fetcher: &mut Fetcher<'_>, dataset: &Dataset, wanted: &Wanted, folder: &Path) -> Result<Option<Identity>, FetchError> {
    let Origin::File { format, .. } = &dataset.origin else { return Ok(None) };
    if !read::remote::in_parts(format) || fetcher.held(wanted)?.is_some() {
        return Ok(None);
    }
    let edition = match Edition::of(fetcher, wanted, folder) {
        Err(error) if error.kind == "no-ranges" => {
            tracing::warn!("{error}; it is fetched whole");
            return Ok(None);
        }
        edition => edition?,
    };
    let path = edition_file(folder, wanted);
    let text = serde_json::to_vec(&edition).unwrap_or_default();
    std::fs::write(&path, text).map_err(|error| FetchError::cache(&path, &error))?;
    Ok(Some(Identity { sha256: edition.name(wanted), bytes: edition.total(), with: Vec::new() }))
}

/// Fetches what a job needs; with `stream`, what can be read in parts is left where it is. A recording that cannot be had is the problem of its dataset alone.
///
/// # Errors
/// When a signal came.
pub fn fetch(
    job: &Job,
    settings: &Settings,
    stream: bool,
    listener: &mut dyn Listener,
    interrupted: &AtomicI32,
) -> Result<Sources, RunError> {
    let mut fetcher = Fetcher::new(settings, interrupted);
    let mut all = Vec::new();
    let folder = if stream && job.datasets.iter().any(|dataset| dataset.wanted.is_some()) {
        Some(fetcher.scratch().map_err(|error| RunError::Output { path: settings.cache.clone(), source: std::io::Error::other(error) })?)
    } else {
        None
    };
    for dataset in &job.datasets {
        let Some(wanted) = &dataset.wanted else {
            all.push(None);
            continue;
        };
        let started = Instant::now();
        let name = || dataset.id.clone();
        let parts = match &folder {
            Some(folder) => in_parts(&mut fetcher, dataset, wanted, folder.path()),
            None => Ok(None),
        };
        let source = match parts {
            Err(error) => Err(error),
            Ok(Some(name)) => Ok(Source::Parts(name)),
            Ok(None) => fetcher
                .get(wanted, false, &mut |news| {
                    listener.hear(&match news {
                        News::Waiting => Event::Waiting { dataset: name() },
                        News::Bytes(bytes, total) => Event::Fetching { dataset: name(), bytes, total },
                    });
                })
                .map(Source::Held),
        };
        if let Ok(Source::Held(held)) = &source
            && held.transferred > 0
        {
            listener.hear(&Event::Fetched { dataset: name(), bytes: held.transferred, seconds: started.elapsed().as_secs_f64() });
        }
        match interrupted.load(Ordering::Relaxed) {
            0 => all.push(Some(source)),
            signal => return Err(RunError::Interrupted { signal }),
        }
    }
    Ok(Sources { all, folder })
}

/// Looks what of a job's recordings is in the cache; asks no server.
pub fn look(job: &Job) -> Sources {
    let (settings, never) = (Settings::from_env(), AtomicI32::new(0));
    let fetcher = Fetcher::new(&settings, &never);
    let of = |wanted: &crate::fetch::Wanted| {
        fetcher.held(wanted).and_then(|held| {
            held.map(Source::Held).ok_or_else(|| {
                let size = wanted.size.map(|size| format!(" ({})", crate::fetch::readable_bytes(size))).unwrap_or_default();
                FetchError::new(wanted.address.shown(), "not-fetched", format!("not fetched yet{size}"))
                    .hint("`tcs-batch run` fetches it, or now: tcs-batch datasets fetch")
            })
        })
    };
    Sources { all: job.datasets.iter().map(|dataset| dataset.wanted.as_ref().map(of)).collect(), folder: None }
}
