//! Recordings that are elsewhere come into the cache before anything is planned, and stay there while they are used.

use super::RunError;
use super::event::{Event, Listener};
use super::inputs::Inputs;
use crate::fetch::{FetchError, Fetcher, Held, News, Settings};
use crate::job::Job;
use crate::job::plan::Problem;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

/// One a dataset: nothing to fetch, a file that is held in the cache, or why there is none.
pub struct Sources {
    all: Vec<Option<Result<Held, FetchError>>>,
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
        for held in self.all.iter().flatten().flatten() {
            inputs.learn(&held.path, &held.sha256);
        }
    }
}

/// Fetches what a job needs. A recording that cannot be had is the problem of its dataset alone.
///
/// # Errors
/// When a signal came.
pub fn fetch(job: &Job, settings: &Settings, listener: &mut dyn Listener, interrupted: &AtomicI32) -> Result<Sources, RunError> {
    let mut fetcher = Fetcher::new(settings, interrupted);
    let mut all = Vec::new();
    for dataset in &job.datasets {
        let Some(wanted) = &dataset.wanted else {
            all.push(None);
            continue;
        };
        let started = Instant::now();
        let name = || dataset.id.clone();
        let held = fetcher.get(wanted, false, &mut |news| {
            listener.hear(&match news {
                News::Waiting => Event::Waiting { dataset: name() },
                News::Bytes(bytes, total) => Event::Fetching { dataset: name(), bytes, total },
            });
        });
        if let Ok(held) = &held
            && held.transferred > 0
        {
            listener.hear(&Event::Fetched { dataset: name(), bytes: held.transferred, seconds: started.elapsed().as_secs_f64() });
        }
        match interrupted.load(Ordering::Relaxed) {
            0 => all.push(Some(held)),
            signal => return Err(RunError::Interrupted { signal }),
        }
    }
    Ok(Sources { all })
}

/// Looks what of a job's recordings is in the cache; asks no server.
pub fn look(job: &Job) -> Sources {
    let (settings, never) = (Settings::from_env(), AtomicI32::new(0));
    let fetcher = Fetcher::new(&settings, &never);
    let of = |wanted: &crate::fetch::Wanted| {
        fetcher.held(wanted).and_then(|held| {
            held.ok_or_else(|| {
                let size = wanted.size.map(|size| format!(" ({})", crate::fetch::readable_bytes(size))).unwrap_or_default();
                FetchError::new(wanted.address.shown(), "not-fetched", format!("not fetched yet{size}"))
                    .hint("`tcs-batch run` fetches it, or now: tcs-batch datasets fetch")
            })
        })
    };
    Sources { all: job.datasets.iter().map(|dataset| dataset.wanted.as_ref().map(of)).collect() }
}
