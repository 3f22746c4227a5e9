//! Shards: what each run remembers of its plan, and how the outputs of all shards of a job become one.

use super::inputs::Identity;
use super::store::{Store, Stored};
use super::{Concluding, Options, Outcome, RunError, Slot, conclude, event::Listener, lock, part};
use crate::job::diagnose::Source;
use crate::job::plan::{self, Plan, Unit};
use crate::job::{self, Job};
use crate::read::{Header, ReadError};
use crate::table::atomic::{self, FileError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// What a run remembers of its plan, in `shards/plan.bin`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Remembered {
    tool_version: String,
    job: PathBuf,
    text: String,
    overrides: Vec<String>,
    hash: String,
    shard: Option<(usize, usize)>,
    units: Vec<Unit>,
    headers: Vec<Result<Header, ReadError>>,
    identities: Vec<Result<Identity, String>>,
}

/// Writes down the plan of a run.
pub(crate) fn remember(job: &Job, options: &Options, plan: &Plan, identities: &[Result<Identity, String>]) -> Result<(), FileError> {
    let path = job.source.path();
    let remembered = Remembered {
        tool_version: env!("CARGO_PKG_VERSION").into(),
        job: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        text: job.source.text().to_owned(),
        overrides: job.source.overrides().map(str::to_owned).collect(),
        hash: job.hash.clone(),
        shard: options.shard,
        units: plan.units.clone(),
        headers: plan.headers.clone(),
        identities: identities.to_vec(),
    };
    let body = postcard::to_stdvec(&remembered).unwrap_or_default();
    let mut bytes = blake3::hash(&body).as_bytes().to_vec();
    bytes.extend(body);
    atomic::write_bytes(&options.out.join("shards").join("plan.bin"), &bytes)
}

fn recall(out: &Path) -> Result<Remembered, String> {
    let missing = || format!("{}: there is no shards/plan.bin; give the output folder of `run --shard I/N`", out.display());
    let bytes = std::fs::read(out.join("shards").join("plan.bin")).map_err(|_| missing())?;
    let damaged = || format!("{}: shards/plan.bin is damaged; run this shard again", out.display());
    let (checksum, body) = bytes.split_at_checked(32).ok_or_else(damaged)?;
    if blake3::hash(body).as_bytes() != checksum {
        return Err(damaged());
    }
    postcard::from_bytes(body).map_err(|_| damaged())
}

/// Why outputs could not be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// They are not all shards of one job: which, and what to do.
    #[error("{0}")]
    Shards(String),
    /// The result could not be written.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Units that are kept in one file.
const UNITS_A_FILE: usize = 256;

/// One shard's output.
struct Shard {
    out: PathBuf,
    plan: Remembered,
}

/// Combines the outputs of all shards of one job into `options.out`, with its reports; the tables are those of a single run.
///
/// # Errors
/// When the outputs belong to different jobs or versions, read different bytes, or a shard or unit is missing or doubled.
pub fn merge(outs: &[PathBuf], options: &Options, listener: &mut dyn Listener) -> Result<(Job, Outcome), MergeError> {
    let (clock, started) = (Instant::now(), SystemTime::now());
    let shards = in_order(outs)?;
    let first = &shards[0].plan;
    let source = Source::new(&first.job, first.text.clone());
    let job = job::load_text(source, &first.overrides).map_err(|error| MergeError::Shards(error.to_string()))?;
    let stores: Vec<Store> = shards.iter().map(|shard| Store::existing(&shard.out)).collect();
    let owners: Vec<Vec<bool>> = (1..=shards.len()).map(|shard| plan::shard(&first.units, shard, shards.len())).collect();
    let _lock = lock(&options.out)?;
    let store = Store::open(&options.out).map_err(|source| RunError::Output { path: options.out.clone(), source })?;
    let mut slots = Vec::with_capacity(first.units.len());
    let mut missing = Vec::new();
    for (at, unit) in first.units.iter().enumerate() {
        let owner = owners.iter().position(|mine| mine[at]).unwrap_or(0);
        match slot(&job, unit, &first.identities[unit.dataset], &stores[owner]) {
            Some(slot) => {
                slots.push(slot);
            }
            None => missing.push(format!("{} (shard {}/{}, {})", unit.id, owner + 1, shards.len(), shards[owner].out.display())),
        }
    }
    if !missing.is_empty() {
        let more = missing.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return Err(MergeError::Shards(format!(
            "missing units: {}{more}; run these shards again",
            missing[..missing.len().min(5)].join(", ")
        )));
    }
    let keep: Vec<&Stored> = slots.iter().filter(|slot| !slot.wanted.is_empty()).map(|slot| &slot.stored).collect();
    for together in keep.chunks(UNITS_A_FILE) {
        store.save(together.iter().copied()).map_err(RunError::from)?;
    }
    let plan = Plan { units: first.units.clone(), headers: first.headers.clone() };
    remember(&job, options, &plan, &first.identities).map_err(RunError::from)?;
    let run =
        Concluding { job: &job, options, plan: &plan, identities: &first.identities, slots: &slots, reused: slots.len(), clock, started };
    let outcome = conclude(&run, listener)?;
    Ok((job, outcome))
}

/// The shards in their order, each there once, all of one job.
fn in_order(outs: &[PathBuf]) -> Result<Vec<Shard>, MergeError> {
    let (mut shards, mut unread) = (Vec::new(), Vec::new());
    for out in outs {
        match recall(out) {
            Ok(plan) => shards.push(Shard { out: out.clone(), plan }),
            Err(message) => unread.push(message),
        }
    }
    if !unread.is_empty() {
        let more = unread.len().saturating_sub(5);
        unread.truncate(5);
        let more = if more > 0 { format!("\nand {more} more without results") } else { String::new() };
        return Err(MergeError::Shards(unread.join("\n") + &more));
    }
    let Some(first) = shards.first() else { return Err(MergeError::Shards("give the output folders of the shards".into())) };
    let of = first.plan.shard.map_or(1, |(_, of)| of);
    for shard in &shards {
        let differ = |what: &str| MergeError::Shards(format!("{} and {} {what}", first.out.display(), shard.out.display()));
        if shard.plan.hash != first.plan.hash {
            return Err(differ("come from different jobs"));
        }
        if shard.plan.tool_version != first.plan.tool_version {
            return Err(differ("were made by different versions of this tool"));
        }
        if shard.plan.shard.map_or(1, |(_, of)| of) != of {
            return Err(differ("are shards of different splits"));
        }
        if shard.plan.identities != first.plan.identities || shard.plan.units != first.plan.units {
            return Err(differ("read different recordings (a file changed between them)"));
        }
    }
    let number = |shard: &Shard| shard.plan.shard.map_or(1, |(number, _)| number);
    let absent: Vec<String> =
        (1..=of).filter(|at| !shards.iter().any(|shard| number(shard) == *at)).map(|at| format!("{at}/{of}")).collect();
    if !absent.is_empty() {
        return Err(MergeError::Shards(format!("missing shards: {}", absent.join(", "))));
    }
    shards.sort_by_key(number);
    if let Some(twice) = shards.windows(2).find(|pair| number(&pair[0]) == number(&pair[1])) {
        let (a, b) = (twice[0].out.display(), twice[1].out.display());
        return Err(MergeError::Shards(format!("shard {}/{of} is there twice: {a} and {b}", number(&twice[0]))));
    }
    Ok(shards)
}

/// A unit as its shard left it; `None` when it is not finished there.
fn slot(job: &Job, unit: &Unit, identity: &Result<Identity, String>, store: &Store) -> Option<Slot> {
    let known = super::slot(job, unit, identity, store);
    if known.stored.problem.is_some() || known.wanted.is_empty() {
        return Some(known);
    }
    let stored: Stored = store.load(&unit.id)?;
    let wanted = part::wanted(job, unit, &identity.as_ref().ok()?.key());
    let complete = stored.problem.is_some() || wanted.iter().all(|wanted| stored.part(&wanted.key).is_some());
    complete.then(|| Slot { unit: unit.clone(), wanted, stored, errand: None })
}
