//! Plans: a job and the headers of its recordings become units of work with stable ids, costs and a shard.

use super::{Dataset, Job, Origin, WindowRule, cost};
use crate::data::Span;
use crate::metrics::Needs;
use crate::read::{Filter, Header, ReadError, Reader, SignalKind, simulate};
use serde::{Deserialize, Serialize};

/// More windows than this from one dataset are taken for a mistake in the job.
const MAX_UNITS: usize = 10_000_000;

/// One unit of work: one dataset × one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Stable id: `DATASET/all`, `DATASET/START-STOP` (seconds, three decimals) or `DATASET/TABLE-ROW`, `DATASET/TABLE-together`.
    pub id: String,
    /// Index of its dataset.
    pub dataset: usize,
    /// Its place among the dataset's units; the first one is drawn in the report.
    pub ordinal: usize,
    /// Its window; `None`: the whole recording, or no clock.
    pub window: Option<Span>,
    /// The windows of all trials of the dataset, for the metrics that take them together; then `window` is `None`.
    pub trials: Vec<Span>,
    /// Estimated CPU seconds.
    pub cost_s: f64,
    /// Estimated peak memory of its worker, bytes.
    pub memory_bytes: u64,
    /// What a user should know of it although it is computed.
    pub note: Option<String>,
    /// Why it cannot be computed, known before anything was read.
    pub problem: Option<Problem>,
}

/// Something that stops a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word.
    pub kind: String,
    /// What, where, what to do.
    pub message: String,
    /// Left out on purpose (a trial beyond the recording) rather than failed.
    pub skipped: bool,
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self { kind: error.kind.clone(), message: error.to_string(), skipped: false }
    }
}

/// All units of a job, in the order of the tables, and what is known of each dataset.
pub struct Plan {
    /// Units: datasets in the job's order, windows in time.
    pub units: Vec<Unit>,
    /// One a dataset: its header, or why it could not be opened.
    pub headers: Vec<Result<Header, ReadError>>,
}

/// Opens a dataset: headers only.
///
/// # Errors
/// As the format's reader.
pub fn open(job: &Job, dataset: &Dataset) -> Result<Box<dyn Reader>, ReadError> {
    match &dataset.origin {
        Origin::File { format, request } => {
            let reader = match (&dataset.wanted, streamed(dataset)) {
                (Some(wanted), Some((edition, folder))) if !request.path.exists() => {
                    crate::read::remote::open(wanted, format, request, &edition, &folder)?
                }
                _ => (format.open)(request)?,
            };
            match dataset.preparation.bad_channels.filter(|_| dataset.signal == SignalKind::Series) {
                Some(what) => crate::read::bad::judge(reader, what).map_err(|error| ReadError { path: request.path.clone(), ..error }),
                None => Ok(reader),
            }
        }
        Origin::Model { model, .. } => Ok(simulate::open(model.clone(), crate::seed::of(job.seed, &[&dataset.id, "simulate"]))),
    }
}

/// Names the folder of a run that reads remote recordings in parts (`run --stream`), for its workers.
pub const STREAM: &str = "TCS_BATCH_STREAM";

/// The file of that folder that says which edition of a recording the run reads.
pub fn edition_file(folder: &std::path::Path, wanted: &crate::fetch::Wanted) -> std::path::PathBuf {
    folder.join(format!("{}.edition", wanted.address.key()))
}

fn streamed(dataset: &Dataset) -> Option<(crate::read::remote::Edition, std::path::PathBuf)> {
    let folder = std::path::PathBuf::from(std::env::var_os(STREAM)?);
    let text = std::fs::read(edition_file(&folder, dataset.wanted.as_ref()?)).ok()?;
    Some((serde_json::from_slice(&text).ok()?, folder))
}

/// Plans the units of one dataset. Nothing bulky is read; a recording that cannot be opened becomes one unit with a problem.
pub fn of_dataset(job: &Job, index: usize) -> (Vec<Unit>, Result<Header, ReadError>) {
    let dataset = &job.datasets[index];
    match open(job, dataset) {
        Ok(reader) => {
            let mut all = Vec::new();
            units(job, index, reader.as_ref(), &mut all);
            (all, Ok(reader.header().clone()))
        }
        Err(error) => (vec![unopened(dataset, index, error.clone().into())], Err(error)),
    }
}

/// The one unit of a dataset that could not be opened.
pub fn unopened(dataset: &Dataset, index: usize, problem: Problem) -> Unit {
    unit(dataset, index, "all".into(), None, Some(problem))
}

fn unit(dataset: &Dataset, index: usize, name: String, window: Option<Span>, problem: Option<Problem>) -> Unit {
    let id = format!("{}/{name}", dataset.id);
    Unit { id, dataset: index, ordinal: 0, window, trials: Vec::new(), cost_s: 0.0, memory_bytes: 0, note: None, problem }
}

fn units(job: &Job, index: usize, reader: &dyn Reader, all: &mut Vec<Unit>) {
    let dataset = &job.datasets[index];
    let header = reader.header();
    let first = all.len();
    match &dataset.window {
        None => all.push(unit(dataset, index, "all".into(), None, None)),
        Some(WindowRule::Clock { length_s, step_s, start_s, stop_s }) => {
            let start = start_s.unwrap_or(header.span.start_s);
            let stop = stop_s.unwrap_or(header.span.stop_s);
            let length = length_s.unwrap_or(stop - start);
            let step = step_s.unwrap_or(length);
            match clock_windows(start, stop, length, step) {
                Ok(windows) => {
                    for window in windows {
                        let name = format!("{:.3}-{:.3}", window.start_s, window.stop_s);
                        all.push(unit(dataset, index, name, Some(window), beyond(header, window)));
                    }
                }
                Err(message) => {
                    all.push(unit(dataset, index, "all".into(), None, Some(Problem { kind: "bad-window".into(), message, skipped: false })))
                }
            }
        }
        Some(WindowRule::Around { table, column, condition, from_s, to_s }) => match instants(reader, table, column, condition) {
            Ok(instants) => {
                let short = table.rsplit('/').next().unwrap_or(table);
                for (row, instant) in &instants {
                    let window = Span { start_s: instant + from_s, stop_s: instant + to_s };
                    let problem = around_problem(header, window, *instant, table, column)
                        .or_else(|| excluded(header, dataset, Some(window)).filter(|_| !dataset.keep_invalid));
                    all.push(unit(dataset, index, format!("{short}-{row}"), instant.is_finite().then_some(window), problem));
                }
                all.extend(together(job, index, &all[first..], short));
                if alone(job, index) {
                    all.drain(first..all.len() - 1);
                }
                if instants.is_empty() {
                    all.truncate(first);
                    let problem = Problem {
                        kind: "no-windows".into(),
                        message: format!("{}: table `{table}` has no rows", dataset.id),
                        skipped: false,
                    };
                    all.push(unit(dataset, index, "all".into(), None, Some(problem)));
                }
            }
            Err(error) => all.push(unit(dataset, index, "all".into(), None, Some(error.into()))),
        },
    }
    for (ordinal, unit) in all[first..].iter_mut().enumerate() {
        unit.ordinal = ordinal;
        if unit.problem.is_none() && unit.trials.is_empty() && !dataset.keep_invalid {
            unit.problem = excluded(header, dataset, unit.window);
        }
        unit.note = unit.window.filter(|_| unit.problem.is_none()).and_then(|window| overhang(header, window));
        if unit.problem.is_none() {
            unit.cost_s = cost::seconds(job, index, header, unit);
            unit.memory_bytes = cost::memory_bytes(job, index, header, unit);
        }
    }
}

/// The rows of a table that a rule takes, and their instants.
fn instants(reader: &dyn Reader, table: &str, column: &str, condition: &Filter) -> Result<Vec<(usize, f64)>, ReadError> {
    let instants = reader.interval_column(table, column)?;
    if condition.conditions.is_empty() {
        return Ok(instants.into_iter().enumerate().collect());
    }
    let rows = reader.interval_rows(table, condition)?;
    Ok(rows.into_iter().filter_map(|row| Some((row, *instants.get(row)?))).collect())
}

/// Why a window may not be used: the file's authors call a part of it invalid. The ends of such a stretch count as invalid; what lies
/// beside it is never joined. Without windows there is nothing to leave out, so that the user must decide.
fn excluded(header: &Header, dataset: &Dataset, window: Option<Span>) -> Option<Problem> {
    let around = matches!(dataset.window, Some(WindowRule::Around { .. }));
    let span = window.unwrap_or(header.span);
    let hit = header.excluded.iter().find(|excluded| {
        (around || !excluded.stimulus_only) && excluded.span.start_s < span.stop_s && excluded.span.stop_s >= span.start_s
    })?;
    let tags = if hit.tags.is_empty() { String::new() } else { format!(" ({})", hit.tags.join(", ")) };
    let what = format!("the file calls {:.3} s to {:.3} s invalid{tags}", hit.span.start_s, hit.span.stop_s);
    let remedy = match window {
        Some(_) => "`invalid_times = \"keep\"` reads it all the same",
        None => "lay windows, which leave such stretches out, or set `invalid_times = \"keep\"`",
    };
    Some(Problem { kind: "invalid-times".into(), message: format!("{what}; {remedy}"), skipped: window.is_some() })
}

/// The metrics of a dataset that take its trials together.
pub(super) fn of_trials(job: &Job, index: usize) -> impl Iterator<Item = &super::MetricStage> {
    let on = move |stage: &&super::MetricStage| stage.inputs.iter().any(|(at, _)| *at == index);
    job.metrics.iter().filter(on).filter(|stage| stage.metric.needs() == Needs::Trials)
}

/// Whether nothing but metrics that take all trials together looks at a dataset.
fn alone(job: &Job, index: usize) -> bool {
    let on = |inputs: &[(usize, super::Input)]| inputs.iter().any(|(at, _)| *at == index);
    of_trials(job, index).next().is_some()
        && job.metrics.iter().all(|stage| !on(&stage.inputs) || stage.metric.needs() == Needs::Trials)
        && job.embeddings.iter().all(|stage| !stage.datasets.contains(&index))
        && job.persistences.iter().all(|stage| !on(&stage.inputs))
        && job.fidelity.as_ref().is_none_or(|stage| !stage.references.contains(&index) && !stage.candidates.contains(&index))
}

/// The unit of all trials together, where a metric asks for it: those that lie within the recording.
fn together(job: &Job, index: usize, trials: &[Unit], table: &str) -> Option<Unit> {
    of_trials(job, index).next()?;
    let within: Vec<Span> = trials.iter().filter(|unit| unit.problem.is_none()).filter_map(|unit| unit.window).collect();
    let problem = within.is_empty().then(|| Problem {
        kind: "no-windows".into(),
        message: format!("none of the {} trials of `{table}` lies within the recording", trials.len()),
        skipped: false,
    });
    Some(Unit { trials: within, ..unit(&job.datasets[index], index, format!("{table}-together"), None, problem) })
}

/// Whole windows from `start`, none beyond `stop`; the first one anyway when not even that fits, so that it is reported.
fn clock_windows(start: f64, stop: f64, length: f64, step: f64) -> Result<Vec<Span>, String> {
    if !(length > 0.0 && step > 0.0) {
        return Err(format!("the window from {start} s to {stop} s is empty; set `start_s` and `stop_s` within the recording"));
    }
    // A millionth of a step of slack: 0.1 + 0.2 must not lose the last window.
    let n = ((stop - start - length) / step + 1e-6).floor();
    if n > MAX_UNITS as f64 {
        return Err(format!(
            "{n} windows of {length} s from {start} s to {stop} s; raise `step_s`, or set `start_s` and `stop_s` (odd timestamps?)"
        ));
    }
    let n = n.max(0.0) as usize + 1;
    Ok((0..n).map(|k| start + k as f64 * step).map(|from| Span { start_s: from, stop_s: from + length }).collect())
}

/// Why a window on the clock lies outside. The end of a population's recording is not known beyond its last spike,
/// so there a window need only begin before it.
fn beyond(header: &Header, window: Span) -> Option<Problem> {
    let span = header.span;
    let slack = header.rate_hz.map_or(0.0, |rate| 0.5 / rate);
    let outside = match header.rate_hz {
        Some(_) => window.start_s < span.start_s - slack || window.stop_s > span.stop_s + slack,
        None => window.start_s >= span.stop_s || window.stop_s <= span.start_s,
    };
    outside.then(|| Problem {
        kind: "outside".into(),
        message: format!(
            "the window from {:.3} s to {:.3} s reaches beyond the recording ({:.3} s to {:.3} s); set `start_s` and `stop_s` of the window within it",
            window.start_s, window.stop_s, span.start_s, span.stop_s
        ),
        skipped: false,
    })
}

/// A spike window that reaches beyond the last spike by more than a tenth of its length: whether the neurons were silent there or
/// the recording had ended, a file of spike times does not say.
fn overhang(header: &Header, window: Span) -> Option<String> {
    let over_s = window.stop_s - header.span.stop_s;
    (header.rate_hz.is_none() && over_s > 0.1 * window.length_s())
        .then(|| format!("the window reaches {over_s:.3} s beyond the last spike of the recording; that stretch is counted as silence"))
}

fn around_problem(header: &Header, window: Span, instant: f64, table: &str, column: &str) -> Option<Problem> {
    if !instant.is_finite() {
        return Some(Problem {
            kind: "no-time".into(),
            message: format!("`{column}` of `{table}` holds no time in this row"),
            skipped: true,
        });
    }
    beyond(header, window).map(|problem| Problem { skipped: true, ..problem })
}

/// Units of shard `shard` of `of` (from 1): the costliest first, each to the shard with the least so far, so that all shards end together.
/// Every unit is in exactly one shard, whatever the machine.
pub fn shard(units: &[Unit], shard: usize, of: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by(|&a, &b| units[b].cost_s.total_cmp(&units[a].cost_s).then(a.cmp(&b)));
    let mut load = vec![(0.0_f64, 0_usize); of];
    let mut mine = vec![false; units.len()];
    for at in order {
        let least = (0..of).min_by(|&a, &b| load[a].0.total_cmp(&load[b].0).then(load[a].1.cmp(&load[b].1)).then(a.cmp(&b))).unwrap_or(0);
        load[least].0 += units[at].cost_s;
        load[least].1 += 1;
        mine[at] = least + 1 == shard;
    }
    mine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_windows_only_and_no_loss_to_rounding() {
        let starts = |start, stop, length, step| clock_windows(start, stop, length, step).map(|all| all.len());
        assert_eq!(starts(0.0, 10.0, 3.0, 3.0), Ok(3));
        assert_eq!(starts(0.0, 0.3, 0.1, 0.1), Ok(3));
        assert_eq!(starts(0.0, 10.0, 4.0, 1.0), Ok(7));
        assert_eq!(starts(0.0, 1.0, 4.0, 1.0), Ok(1));
        assert!(starts(-1.5e9, 1.5e9, 0.001, 0.001).is_err());
        assert!(starts(5.0, 5.0, 0.0, 0.0).is_err());
    }

    #[test]
    fn shards_hold_every_unit_once_and_share_the_cost() {
        let units: Vec<Unit> = (0..100)
            .map(|at| Unit {
                id: at.to_string(),
                dataset: 0,
                ordinal: at as usize,
                window: None,
                trials: Vec::new(),
                cost_s: f64::from(at % 7),
                memory_bytes: 0,
                note: None,
                problem: None,
            })
            .collect();
        let shards: Vec<Vec<bool>> = (1..=3).map(|i| shard(&units, i, 3)).collect();
        for at in 0..units.len() {
            assert_eq!(shards.iter().filter(|mine| mine[at]).count(), 1);
        }
        let load = |mine: &[bool]| units.iter().zip(mine).filter(|(_, mine)| **mine).map(|(unit, _)| unit.cost_s).sum::<f64>();
        let loads: Vec<f64> = shards.iter().map(|mine| load(mine)).collect();
        assert!(loads.iter().all(|load| (load - loads[0]).abs() <= 6.0), "{loads:?}");
    }
}
