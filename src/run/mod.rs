//! Runs: units are planned, what is missing is computed by workers and stored, tables are made of what is stored, reports of the
//! tables. Owns no science.

mod budget;
pub mod event;
pub mod fetching;
pub mod inputs;
mod judge;
mod keep;
pub mod look;
mod manifest;
pub mod merge;
pub mod part;
mod pool;
mod preview;
mod protocol;
mod stages;
pub mod store;
mod tables;
mod unit;
pub mod worker;

use crate::job::Job;
use crate::job::plan::{self, Plan, Problem, Unit};
use crate::table::{FidelityRecord, TableError, atomic};
use budget::Budget;
use event::{Event, Listener};
use fs4::FileExt;
use inputs::{Identity, Inputs};
use keep::Keeper;
use part::Wanted;
use pool::{Done, Errand, Limits, Message, Tended};
use protocol::{Answer, Request};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};
use store::{Store, Stored};

/// Computing time that opening one dataset may take.
const PLAN_CPU: Duration = Duration::from_secs(120);

/// What the command line decides.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to write.
    pub out: PathBuf,
    /// Workers; 0: all cores.
    pub workers: usize,
    /// Shard and number of shards, the shard from 1.
    pub shard: Option<(usize, usize)>,
    /// Only the first n units.
    pub limit: Option<usize>,
    /// Forget what was computed before.
    pub fresh: bool,
    /// Attempts beyond the first.
    pub retries: u32,
    /// Hand out no more units after the first failure.
    pub fail_fast: bool,
    /// The command, for the manifest.
    pub command: String,
    /// How recordings that are elsewhere are fetched.
    pub fetch: crate::fetch::Settings,
    /// Read windows of remote recordings in parts, where server and format allow.
    pub stream: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Units of this run.
    pub units: usize,
    /// Of these, failed for good.
    pub failed: usize,
    /// Left out on purpose, or not begun after a failure (`fail_fast`).
    pub skipped: usize,
    /// The first ten that failed, and why.
    pub failures: Vec<String>,
    /// Taken over from an earlier run.
    pub reused: usize,
    /// Expectations, and how many did not hold.
    pub expectations: (usize, usize),
    /// Candidates whose fidelity fell short of `accept`.
    pub below_accept: Vec<String>,
    /// Reports written.
    pub reports: Vec<PathBuf>,
}

/// Why a run did not end with tables.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The output folder cannot be made or written to.
    #[error("{}: cannot write the results ({source}); choose another folder with --out", path.display())]
    Output {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another run holds the folder.
    #[error("{}: another run holds this folder{holder}; wait for it, or choose another with --out", path.display())]
    Held {
        /// The folder.
        path: PathBuf,
        /// Who, as far as known.
        holder: String,
    },
    /// A signal.
    #[error("interrupted: what was done is kept; the same command goes on from here")]
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
    /// A table could not be written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A stored unit or the manifest could not be written.
    #[error(transparent)]
    File(#[from] atomic::FileError),
    /// A report could not be written.
    #[error(transparent)]
    Report(#[from] crate::report::ReportError),
}

/// The lock of an output folder; the kernel frees it when the process ends, however it ends.
struct Lock {
    _file: File,
    /// Whether the file system has locks at all.
    is_sure: bool,
}

fn lock(out: &Path) -> Result<Lock, RunError> {
    let output = |source| RunError::Output { path: out.to_owned(), source };
    std::fs::create_dir_all(out).map_err(output)?;
    let path = out.join(".lock");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(output)?;
    let is_sure = match FileExt::try_lock(&file) {
        Ok(()) => {
            let holder = format!("pid {} since {}", std::process::id(), manifest::rfc3339(SystemTime::now()));
            // The text is for people only; the lock is the kernel's.
            let _ = std::fs::write(&path, holder);
            true
        }
        Err(fs4::TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&path).map(|holder| format!(" ({})", holder.trim())).unwrap_or_default();
            return Err(RunError::Held { path: out.to_owned(), holder });
        }
        Err(fs4::TryLockError::Error(error)) => {
            tracing::warn!("{}: no lock on this file system ({error}); do not start two runs into it", out.display());
            false
        }
    };
    Ok(Lock { _file: file, is_sure })
}

/// Runs a job. `interrupted` holds the number of a signal once one came.
///
/// # Errors
/// When the folder cannot be used or written, or a signal came. Failing units are no error: they are in the tables.
pub fn run(job: &Arc<Job>, options: &Options, listener: &mut dyn Listener, interrupted: &AtomicI32) -> Result<Outcome, RunError> {
    let (clock, started) = (Instant::now(), SystemTime::now());
    let lock = lock(&options.out)?;
    if options.fresh {
        let shards = options.out.join("shards");
        if shards.exists() {
            std::fs::remove_dir_all(&shards).map_err(|source| RunError::Output { path: shards, source })?;
        }
    }
    let mut store = Store::open(&options.out).map_err(|source| RunError::Output { path: options.out.clone(), source })?;
    if lock.is_sure {
        store = store.tidy(&options.out)?;
        [options.out.clone(), options.out.join("shards")].iter().for_each(|folder| atomic::sweep(folder));
    }
    // What is fetched stays in the cache while these are held.
    let sources = fetching::fetch(job, &options.fetch, options.stream, listener, interrupted)?;
    let plan = plan_of(job, &sources);
    let mut inputs = Inputs::of(&options.out);
    sources.teach(&mut inputs);
    let mut identities = inputs::identify_all(job, &mut inputs);
    sources.name_parts(&mut identities);
    inputs.save()?;
    let units = chosen(&plan, options);
    let mut slots: Vec<Slot> = units.iter().map(|unit| slot(job, unit, &identities[unit.dataset], &store)).collect();
    let reused = slots.iter().filter(|slot| slot.errand.is_none() && slot.stored.problem.is_none()).count();
    announce(&slots, reused, listener);
    merge::remember(job, options, &plan, &identities)?;
    compute(job, options, sources.stream(), &store, &mut slots, listener, interrupted)?;
    conclude(&Concluding { job, options, plan: &plan, identities: &identities, slots: &slots, reused, clock, started }, listener)
}

/// Says what is planned, what of it is there already, and what cannot be done.
fn announce(slots: &[Slot], reused: usize, listener: &mut dyn Listener) {
    listener.hear(&Event::Begun { units: slots.len(), reused });
    for Slot { unit, stored, errand, .. } in slots {
        let reused = errand.is_none() && stored.problem.is_none();
        listener.hear(&Event::Planned { unit: unit.id.clone(), seconds: unit.cost_s, reused });
        if let (None, Some(problem)) = (errand, &stored.problem) {
            listener.hear(&failed(problem, &unit.id, 0.0));
        }
    }
}

/// All units are through: what is left is to write.
pub(crate) struct Concluding<'a> {
    pub job: &'a Job,
    pub options: &'a Options,
    pub plan: &'a Plan,
    pub identities: &'a [Result<Identity, String>],
    pub slots: &'a [Slot],
    pub reused: usize,
    pub clock: Instant,
    pub started: SystemTime,
}

/// Tables of what is stored, then what is said of the whole, then the manifest, then reports of the tables.
fn conclude(run: &Concluding<'_>, listener: &mut dyn Listener) -> Result<Outcome, RunError> {
    let Concluding { job, options, .. } = run;
    listener.hear(&Event::Stage { name: "tables" });
    let tables = tables::make(job, run.slots);
    listener.hear(&Event::Stage { name: "fidelity" });
    let fidelity = judge::fidelity(job, run.slots);
    let expectations = judge::expectations(job, &tables.metrics, &fidelity);
    tables::write(&options.out, &tables, &fidelity, &expectations, &manifest::provenance(job))?;
    manifest::write(&options.out, run, &tables.units)?;
    listener.hear(&Event::Stage { name: "reports" });
    let reports = crate::report::write(&options.out, &job.output.formats)?;
    Ok(outcome(job, &tables, &expectations, &fidelity, run.reused, reports))
}

fn outcome(
    job: &Job,
    tables: &tables::Tables,
    expectations: &[crate::table::ExpectationRecord],
    fidelity: &[FidelityRecord],
    reused: usize,
    reports: Vec<PathBuf>,
) -> Outcome {
    use crate::table::UnitStatus;
    let count = |status| tables.units.iter().filter(|unit| unit.status == status).count();
    Outcome {
        units: tables.units.len(),
        failed: count(UnitStatus::Failed),
        failures: tables
            .units
            .iter()
            .filter(|unit| unit.status == UnitStatus::Failed)
            .map(|unit| format!("{}: {}", unit.unit, unit.error.as_deref().unwrap_or("")))
            .take(10)
            .collect(),
        skipped: count(UnitStatus::Skipped),
        reused,
        expectations: (expectations.len(), expectations.iter().filter(|row| !row.held).count()),
        below_accept: judge::below_accept(job, fidelity),
        reports,
    }
}

/// A unit of this run: what is stored of it, and what is still to be computed.
pub(crate) struct Slot {
    pub unit: Unit,
    pub wanted: Vec<Wanted>,
    pub stored: Stored,
    pub errand: Option<Vec<Wanted>>,
}

/// Plans every unit of a job. A worker process opens the recordings: a file that crashes or hangs its library is one unit with a
/// problem here too.
///
/// What is not in the cache is not fetched: such a dataset has one unit with a problem of kind `not-fetched`.
pub fn plan(job: &Job) -> Plan {
    plan_of(job, &fetching::look(job))
}

fn plan_of(job: &Job, sources: &fetching::Sources) -> Plan {
    // Opening reads headers; a file on which the library runs in circles must not use up the time of a unit.
    let mut worker = Tended::new(Limits { cpu: Some(PLAN_CPU), stream: sources.stream(), ..Limits::of(job, 1, job.run.retries) });
    let mut plan = Plan { units: Vec::new(), headers: Vec::new() };
    for (index, dataset) in job.datasets.iter().enumerate() {
        if let Some(problem) = sources.problem(index) {
            plan.headers.push(Err(crate::read::ReadError::new(&path_of(dataset), &problem.kind, problem.message.clone())));
            plan.units.push(plan::unopened(dataset, index, problem));
            continue;
        }
        match worker.ask_again(&Request::Plan(index)) {
            Ok(Answer::Planned { units, header }) => {
                plan.units.extend(units);
                plan.headers.push(header);
            }
            other => {
                let problem = other.err().unwrap_or_else(|| Problem {
                    kind: "crash".into(),
                    message: "the worker gave no plan".into(),
                    skipped: false,
                });
                plan.headers.push(Err(crate::read::ReadError::new(&path_of(dataset), &problem.kind, problem.message.clone())));
                plan.units.push(plan::unopened(dataset, index, problem));
            }
        }
    }
    plan
}

fn path_of(dataset: &crate::job::Dataset) -> PathBuf {
    match &dataset.origin {
        crate::job::Origin::File { request, .. } => request.path.clone(),
        crate::job::Origin::Model { .. } => PathBuf::from("simulation"),
    }
}

fn chosen(plan: &Plan, options: &Options) -> Vec<Unit> {
    let mine = options.shard.map(|(shard, of)| plan::shard(&plan.units, shard, of));
    let units = plan.units.iter().enumerate().filter(|(at, _)| mine.as_ref().is_none_or(|mine| mine[*at])).map(|(_, unit)| unit.clone());
    units.take(options.limit.unwrap_or(usize::MAX)).collect()
}

fn slot(job: &Job, unit: &Unit, identity: &Result<Identity, String>, store: &Store) -> Slot {
    let stop = |problem: Problem| Slot { unit: unit.clone(), wanted: Vec::new(), stored: blank(unit, Some(problem)), errand: None };
    if let Some(problem) = &unit.problem {
        return stop(problem.clone());
    }
    let identity = match identity {
        Ok(identity) => identity,
        Err(message) => return stop(Problem { kind: "checksum".into(), message: message.clone(), skipped: false }),
    };
    let wanted = part::wanted(job, unit, &identity.key());
    let old = store.load(&unit.id);
    let (stored, missing) = reuse(&wanted, old, blank(unit, None));
    let errand = (!missing.is_empty()).then_some(missing);
    Slot { unit: unit.clone(), wanted, stored, errand }
}

/// Nothing yet, or why there will be nothing.
fn blank(unit: &Unit, problem: Option<Problem>) -> Stored {
    Stored { unit: unit.id.clone(), parts: Vec::new(), problem, attempts: 0, seconds: 0.0, peak_memory_bytes: None }
}

/// What of an earlier result still stands: parts whose key is wanted and that did not fail.
fn reuse(wanted: &[Wanted], old: Option<Stored>, blank: Stored) -> (Stored, Vec<Wanted>) {
    let Some(mut old) = old else { return (blank, wanted.to_vec()) };
    old.parts.retain(|(_, key, part)| !matches!(part, part::Part::Failed(_)) && wanted.iter().any(|wanted| wanted.key == *key));
    old.problem = None;
    let missing = wanted.iter().filter(|wanted| old.part(&wanted.key).is_none()).cloned().collect();
    (old, missing)
}

/// How `plan` describes a unit: done, or what is to be computed and why.
pub fn status(job: &Job, unit: &Unit, inputs: &Inputs, store: &Store) -> (bool, String) {
    if let Some(problem) = &unit.problem {
        return (false, problem.message.clone());
    }
    let Some(old) = store.load(&unit.id) else { return (false, "nothing is stored of it".into()) };
    let Some(identity) = inputs.known(&job.datasets[unit.dataset]) else { return (false, "its file is new or changed".into()) };
    let wanted = part::wanted(job, unit, &identity.key());
    let n = wanted.len();
    let labels: Vec<String> = old.parts.iter().map(|(label, _, _)| label.clone()).collect();
    let (_, missing) = reuse(&wanted, Some(old.clone()), old);
    if missing.is_empty() {
        return (true, format!("all {n} parts are stored"));
    }
    let name = |wanted: &Wanted| {
        if labels.contains(&wanted.label) { format!("{} changed", wanted.label) } else { format!("{} is new", wanted.label) }
    };
    (false, missing.iter().map(name).collect::<Vec<_>>().join(", "))
}

fn failed(problem: &Problem, unit: &str, seconds: f64) -> Event {
    let (kind, error) = (problem.kind.clone(), problem.message.clone());
    Event::Failed { unit: unit.to_owned(), seconds, kind, error, skipped: problem.skipped }
}

fn compute(
    job: &Arc<Job>,
    options: &Options,
    stream: Option<PathBuf>,
    store: &Store,
    slots: &mut [Slot],
    listener: &mut dyn Listener,
    interrupted: &AtomicI32,
) -> Result<(), RunError> {
    let mut errands: Vec<Errand> = slots.iter_mut().enumerate().filter_map(|(at, slot)| errand(at, slot)).collect();
    if errands.is_empty() {
        return Ok(());
    }
    // The costliest first, so that no worker is left with a long one at the end.
    errands.sort_by(|a, b| b.unit.cost_s.total_cmp(&a.unit.cost_s).then(a.at.cmp(&b.at)));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let n = if options.workers == 0 { cores } else { options.workers }.min(errands.len());
    let mut open = errands.len();
    let budget = Arc::new(Budget::new(errands.into(), pool::memory_bytes(job), n));
    let (to, from) = std::sync::mpsc::channel();
    let keeper = Keeper::start(store.clone(), to.clone());
    let pending = keeper.pending();
    pool::start(&Limits { stream, ..Limits::of(job, n, options.retries) }, n, &budget, &to, &keeper);
    drop((to, keeper));
    while open > 0 {
        match next(&from, interrupted) {
            Some(Next::Message(message)) => {
                open -= usize::from(matches!(message, Message::Kept(_)));
                if heard(message, slots, listener)? && options.fail_fast {
                    open -= skip_the_rest(&budget, slots);
                }
            }
            Some(Next::Signal(signal)) => {
                budget.drain();
                settle(&from, &pending, slots, listener)?;
                return Err(RunError::Interrupted { signal });
            }
            None => break,
        }
    }
    Ok(())
}

/// What is to be computed of a unit. What stands of it already goes with it, and comes back in [`Done`].
fn errand(at: usize, slot: &mut Slot) -> Option<Errand> {
    let wanted = slot.errand.clone()?;
    Some(Errand { at, unit: slot.unit.clone(), wanted, kept: slot.stored.clone() })
}

enum Next {
    Message(Message),
    Signal(i32),
}

/// The next thing that happens; `None` when all workers are gone.
fn next(from: &Receiver<Message>, interrupted: &AtomicI32) -> Option<Next> {
    loop {
        match interrupted.load(Ordering::Relaxed) {
            0 => {}
            signal => return Some(Next::Signal(signal)),
        }
        match from.recv_timeout(Duration::from_millis(100)) {
            Ok(message) => return Some(Next::Message(message)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// After a signal: what is computed is still put on disk, within a second.
fn settle(from: &Receiver<Message>, pending: &AtomicUsize, slots: &mut [Slot], listener: &mut dyn Listener) -> Result<(), RunError> {
    let until = Instant::now() + Duration::from_secs(1);
    while pending.load(Ordering::SeqCst) > 0 && Instant::now() < until {
        if let Ok(message) = from.recv_timeout(Duration::from_millis(10)) {
            heard(message, slots, listener)?;
        }
    }
    Ok(())
}

/// Takes in what a worker says; the answer is whether a unit failed.
fn heard(message: Message, slots: &mut [Slot], listener: &mut dyn Listener) -> Result<bool, RunError> {
    match message {
        Message::Started(at) => listener.hear(&Event::Started { unit: slots[at].unit.id.clone() }),
        Message::Retrying { at, attempt, seconds, problem } => {
            listener.hear(&Event::Retried { unit: slots[at].unit.id.clone(), seconds, attempt, error: problem.message });
        }
        Message::Lost(error) => return Err(error.into()),
        Message::Kept(done) => {
            let Done { at, stored, stages } = *done;
            let slot = &mut slots[at];
            (slot.stored, slot.errand) = (stored, None);
            let (unit, seconds) = (slot.unit.id.clone(), slot.stored.seconds);
            let problem = tables::problem_of(slot);
            listener.hear(&match &problem {
                Some(problem) => failed(problem, &unit, seconds),
                None => Event::Finished { unit, seconds, stages, undefined: tables::undefined_of(slot).join("; ") },
            });
            return Ok(problem.is_some_and(|problem| !problem.skipped));
        }
    }
    Ok(false)
}

/// Empties the queue; its units are skipped. The answer is how many there were.
fn skip_the_rest(budget: &Budget, slots: &mut [Slot]) -> usize {
    let left = budget.drain();
    for errand in &left {
        let problem =
            Problem { kind: "fail-fast".into(), message: "not begun: an earlier unit failed (--fail-fast)".into(), skipped: true };
        slots[errand.at].stored.problem = Some(problem);
    }
    left.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An errand of no consequence that asks for `memory_bytes`.
    pub(super) fn errand(at: usize, memory_bytes: u64) -> Errand {
        let unit = Unit {
            id: at.to_string(),
            dataset: 0,
            ordinal: at,
            window: None,
            trials: Vec::new(),
            cost_s: 0.0,
            memory_bytes,
            note: None,
            problem: None,
        };
        Errand { at, kept: blank(&unit, None), unit, wanted: Vec::new() }
    }
}
