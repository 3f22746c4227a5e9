//! What an NWB file holds, from headers alone: shapes, attributes, and the first and last elements of clocks.

use super::clock::{CHEAP, FIRST, describe, gaps, median_step};
use super::electrodes::{ELECTRODES, Electrodes};
use super::intervals::{self, Intervals};
use super::series::{self, decide, told_of};
use super::table::Table;
use super::units;
use super::walk::{self, Node, Tree};
use crate::read::filter::Column;
use crate::read::hdf5::{Array, File, Kind, Layout, extremes, join, samples};
use crate::read::{ElectrodesSummary, Inspection, Problem, ReadError, SeriesSummary, Session, TableSummary, UnitsSummary};
use crate::read::{Filter, Request, SignalKind, bad};
use std::path::Path;

/// Looking for the first and last spike may decompress this much, bytes; beyond it they are left out.
const SPIKE_BUDGET: usize = 128 << 20;
/// The first and last time stamp may decompress this much, bytes.
const STAMP_BUDGET: usize = 32 << 20;

/// Lists what the file holds.
///
/// # Errors
/// When it cannot be opened; everything else that is wrong goes to `problems`.
pub fn inspect(path: &Path) -> Result<Inspection, ReadError> {
    let file = File::open(path)?;
    let tree = walk::walk(&file);
    let mut problems = tree.dangling.clone();
    let units = units_summary(&file, &tree, &mut problems);
    let series: Vec<SeriesSummary> = tree.nodes.iter().filter_map(|node| series_summary(&file, node, &mut problems)).collect();
    problems.extend(units.as_ref().and_then(|units| not_seconds(units, &series)));
    bad_channels(&file, &tree, &mut problems);
    let tables = intervals::all(&file, &tree);
    for table in &tables {
        interval_problems(&file, table, &mut problems);
    }
    let intervals = tables.into_iter().map(|table| TableSummary { path: table.path, rows: table.rows, columns: table.columns }).collect();
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Inspection {
        file: path.display().to_string(),
        format: "nwb".to_owned(),
        nwb_version: walk::version(&file),
        session: Some(session(&file)),
        units,
        series,
        electrodes: electrodes_summary(&file, &mut problems),
        intervals,
        problems,
    })
}

fn session(file: &File) -> Session {
    let text = |path: &str| file.text(path).filter(|text| !text.is_empty());
    Session { identifier: text("/identifier"), start_time: text("/session_start_time"), species: text("/general/subject/species") }
}

fn problem(problems: &mut Vec<Problem>, path: &str, what: impl Into<String>) {
    problems.push(Problem { path: path.to_owned(), what: what.into() });
}

fn units_summary(file: &File, tree: &Tree, problems: &mut Vec<Problem>) -> Option<UnitsSummary> {
    let found = units::candidates(tree);
    let preferred = found.iter().find(|path| path.as_str() == "/units").or(found.first());
    for other in found.iter().filter(|&path| Some(path) != preferred) {
        problem(problems, other, "another units table; choose one with `series`");
    }
    let Some(path) = preferred else {
        if let Some(units) = units::legacy(file, tree) {
            return Some(summary_of(&units, problems));
        }
        let table = Table::open(file, "/units")?;
        return Some(UnitsSummary { count: table.rows, columns: table.columns, ..UnitsSummary::default() });
    };
    match units::open_table(file, path) {
        Ok(units) => {
            for column in &units.table.missing {
                problem(problems, &join(path, column), "listed in colnames, but absent");
            }
            Some(summary_of(&units, problems))
        }
        Err(error) => {
            problem(problems, error.place.as_deref().unwrap_or(path), error.what);
            let table = Table::open(file, path)?;
            let spikes_total = file.array(&join(path, "spike_times")).map_or(0, |times| times.len() as u64);
            Some(UnitsSummary { count: table.rows, spikes_total, columns: table.columns, t_first_s: None, t_last_s: None })
        }
    }
}

fn summary_of(units: &units::Units, problems: &mut Vec<Problem>) -> UnitsSummary {
    let at = units.source.path().unwrap_or(&units.table.path).to_owned();
    let ends = if units.source.is_small() {
        let all: Vec<usize> = (0..units.source.n_units()).collect();
        units.source.load(&all).map(|trains| {
            for what in spike_problems(&trains) {
                problem(problems, &at, what);
            }
            extremes(trains.iter().flatten())
        })
    } else {
        units.source.ends(SPIKE_BUDGET)
    };
    let ends = ends.unwrap_or_else(|error| {
        problem(problems, error.place.as_deref().unwrap_or(&units.table.path), error.what);
        None
    });
    if let Some((_, last)) = ends.filter(|(_, last)| *last > units::LONGEST_S) {
        problem(problems, &at, format!("spike times reach {last:.0} s: they may be in milliseconds or samples, not seconds"));
    }
    UnitsSummary {
        count: units.ids.len(),
        spikes_total: units.source.total() as u64,
        t_first_s: ends.map(|(first, _)| first),
        t_last_s: ends.map(|(_, last)| last),
        columns: units.table.columns.clone(),
    }
}

/// Spikes that go on this many times longer than anything else in the file are hardly seconds.
const TOO_LONG: f64 = 50.0;

/// Spike times against the longest series.
fn not_seconds(units: &UnitsSummary, series: &[SeriesSummary]) -> Option<Problem> {
    let longest_s = series.iter().filter_map(|series| series.t_stop_s).fold(0.0, f64::max);
    let last_s = units.t_last_s.filter(|&last| longest_s > 0.0 && last > TOO_LONG * longest_s && last <= units::LONGEST_S)?;
    let what = format!("spike times reach {last_s:.0} s, the series end at {longest_s:.0} s: they may be in milliseconds or samples");
    Some(Problem { path: "/units".to_owned(), what })
}

/// What is wrong with spike times.
fn spike_problems(trains: &[Vec<f64>]) -> Vec<String> {
    let spikes = |odd: fn(&f64) -> bool| trains.iter().flatten().filter(|time| odd(time)).count();
    let said = [
        (spikes(|time| !time.is_finite()), "spike times are not finite (dropped when read)"),
        (spikes(|time| *time < 0.0), "spikes come before time 0 (kept)"),
        (trains.iter().filter(|times| !times.is_sorted()).count(), "units have unsorted spike times (sorted when read)"),
    ];
    said.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}

fn electrodes_summary(file: &File, problems: &mut Vec<Problem>) -> Option<ElectrodesSummary> {
    match Electrodes::open(file, ELECTRODES) {
        Ok(Some(electrodes)) => {
            let mut summary = ElectrodesSummary { count: electrodes.table.rows, ..ElectrodesSummary::default() };
            for location in electrodes.locations.into_iter().flatten() {
                *summary.locations.entry(location).or_default() += 1;
            }
            Some(summary)
        }
        // NWB 2.0b kept them in one compound array.
        Ok(None) => file.array(ELECTRODES).map(|table| ElectrodesSummary { count: table.len(), ..ElectrodesSummary::default() }),
        Err(error) => {
            problem(problems, ELECTRODES, error.what);
            None
        }
    }
}

/// Electrical series whose channels are looked at.
const MOST_JUDGED: usize = 8;
/// Looking at three stretches of one may decompress this much each, bytes.
const JUDGE_BUDGET: usize = 32 << 20;

/// Names flat, saturated and noisy channels of electrical series whose chunks are small enough for a look.
fn bad_channels(file: &File, tree: &Tree, problems: &mut Vec<Problem>) {
    for path in series::electrical(file, &series::candidates(file, tree)).into_iter().take(MOST_JUDGED) {
        let Some(data) = file.array(&join(&path, "data")) else { continue };
        let wide = data.shape.get(1).copied().unwrap_or(1);
        let rows = data.chunks().map_or(1, |chunk| chunk.first().copied().unwrap_or(1));
        if rows.saturating_mul(wide).saturating_mul(data.element_bytes()) > JUDGE_BUDGET
            || data.filters().iter().any(|step| !step.available)
        {
            continue;
        }
        let filter = || Filter { every: 1, ..Filter::default() };
        let request = Request {
            path: file.path().to_owned(),
            with: Vec::new(),
            signal: SignalKind::Series,
            series: vec![path],
            units: filter(),
            channels: filter(),
            sampling_rate_hz: None,
        };
        let Ok(mut reader) = super::open(&request) else { continue };
        let names: Vec<String> = reader.header().channels.iter().map(|channel| channel.name.clone()).collect();
        let flags = bad::flags(&bad::stretches(reader.as_mut()));
        if let Some(what) = bad::describe(&flags, &names) {
            problem(problems, &data.path, what);
        }
    }
}

/// Longest table whose times are looked through.
const LONGEST_TABLE: usize = 1 << 20;

/// Rows whose times cannot be those of an interval.
fn interval_problems(file: &File, table: &Intervals, problems: &mut Vec<Problem>) {
    if table.rows > LONGEST_TABLE || !table.columns.iter().any(|name| name == "start_time") {
        return;
    }
    let times = |name: &str| match table.column(file, name) {
        Ok(Column::Number(cells)) => Ok(cells),
        Ok(_) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let (start, stop) = match (times("start_time"), times("stop_time")) {
        (Ok(start), stop) => (start, stop.unwrap_or_default()),
        (Err(error), _) => return problem(problems, error.place.as_deref().unwrap_or(&table.path), error.what),
    };
    let said = [
        (start.iter().filter(|time| !time.is_finite()).count(), "rows have no start_time"),
        (stop.iter().filter(|time| !time.is_finite()).count(), "rows have no stop_time"),
        (start.iter().zip(&stop).filter(|(start, stop)| stop < start).count(), "rows stop before they start"),
        (start.iter().filter(|time| **time < 0.0).count(), "rows start before time 0"),
    ];
    for (count, what) in said.into_iter().filter(|(count, _)| *count > 0) {
        problem(problems, &table.path, format!("{count} of {} {what}", table.rows));
    }
}

/// A time series has data, and a clock or a class that ends in `Series`.
fn series_summary(file: &File, node: &Node, problems: &mut Vec<Problem>) -> Option<SeriesSummary> {
    let class = walk::class(file, &node.path);
    let timed = node.has_array("timestamps") || node.has_array("starting_time");
    let named = class.as_deref().is_some_and(|class| class.ends_with("Series"));
    if !node.has_array("data") {
        let dangling = node.members.iter().any(|member| member.name == "data" && member.kind == Kind::Dangling);
        if !(timed && named) {
            return None;
        }
        if !dangling {
            problem(problems, &node.path, "a time series without data");
        }
        let kind = class.unwrap_or_default();
        return Some(SeriesSummary { path: node.path.clone(), kind, ..SeriesSummary::default() });
    }
    if !(timed || named) {
        return None;
    }
    let data = file.array(&join(&node.path, "data"))?;
    if node.has_array("external_file") {
        problem(problems, &data.path, "a placeholder: the frames are in external files");
    }
    let filters = data.filters();
    for step in filters.iter().filter(|step| !step.available) {
        problem(problems, &data.path, format!("compressed with filter {} (id {}), which is not available here", step.name, step.id));
    }
    let conversion = data.number_attribute("conversion");
    if conversion.is_some_and(f64::is_nan) {
        problem(problems, &data.path, "conversion is NaN; read as 1");
    }
    let clock = clock_summary(file, node, &data, problems);
    Some(SeriesSummary {
        path: node.path.clone(),
        kind: class.unwrap_or_else(|| "TimeSeries".to_owned()),
        dtype: data.element.numpy_name(),
        rate_hz: clock.rate_hz,
        t_start_s: clock.t_start_s,
        t_stop_s: clock.t_stop_s,
        unit: data.text_attribute("unit"),
        conversion: conversion.filter(|conversion| !conversion.is_nan()),
        chunks: data.chunks(),
        filters: filters.into_iter().map(|step| step.name).collect(),
        shape: data.shape,
    })
}

#[derive(Default)]
struct ClockSummary {
    rate_hz: Option<f64>,
    t_start_s: Option<f64>,
    t_stop_s: Option<f64>,
}

/// Samples of a series, as far as its shape and what stands beside it tell.
fn samples_of(file: &File, node: &Node, data: &Array, problems: &mut Vec<Problem>) -> usize {
    let &[a, b] = data.shape.as_slice() else { return data.shape.first().copied().unwrap_or(0) };
    let layout = decide(a, b, &told_of(file, &node.path));
    if layout.is_none() {
        problem(problems, &data.path, format!("nothing tells which axis of ({a}, {b}) is time; say so with `series`"));
    }
    if layout == Some(Layout::ChannelsFirst) {
        problem(problems, &data.path, "stored as (channel, time), against the schema; read the other way round");
    }
    samples(&data.shape, layout.unwrap_or(Layout::TimeFirst))
}

fn clock_summary(file: &File, node: &Node, data: &Array, problems: &mut Vec<Problem>) -> ClockSummary {
    let start = file.array(&join(&node.path, "starting_time"));
    let said = start.as_ref().and_then(|start| start.number_attribute("rate"));
    let n_samples = samples_of(file, node, data, problems);
    let Some(times) = file.array(&join(&node.path, "timestamps")) else {
        let Some(start) = start else { return ClockSummary::default() };
        let rate_hz = said.filter(|rate| rate.is_finite() && *rate > 0.0);
        if rate_hz.is_none() {
            let what = said.map_or_else(|| "no sampling rate".to_owned(), |rate| format!("a sampling rate of {rate} Hz"));
            problem(problems, &start.path, format!("{what}, and no timestamps: give `sampling_rate_hz`"));
        }
        let t_start_s = start.numbers().ok().and_then(|values| values.first().copied()).filter(|time| time.is_finite());
        if t_start_s.is_none() {
            problem(problems, &start.path, "no starting time; read as 0 s");
        }
        let steps = n_samples.saturating_sub(1) as f64;
        let t_stop_s = t_start_s.zip(rate_hz).map(|(start, rate)| start + steps / rate);
        return ClockSummary { rate_hz, t_start_s, t_stop_s };
    };
    let n = times.len();
    if !times.is_vector() || n == 0 {
        problem(problems, &times.path, format!("timestamps of shape {:?}", times.shape));
        return ClockSummary::default();
    }
    if !data.shape.contains(&n) && !node.has_array("external_file") {
        problem(problems, &times.path, format!("{n} timestamps for data of shape {:?}", data.shape));
    }
    let bytes = n.saturating_mul(times.element_bytes());
    let chunk = times.chunks().map_or(0, |shape| shape.iter().product::<usize>().saturating_mul(times.element_bytes()));
    let seen = if bytes < CHEAP {
        times.numbers().map(|stamps| whole_clock(&stamps))
    } else if chunk <= STAMP_BUDGET {
        ends_of_clock(&times, n)
    } else {
        Ok(SeenClock::default())
    };
    let seen = seen.unwrap_or_else(|error| {
        problem(problems, &times.path, error.what);
        SeenClock::default()
    });
    for what in seen.odd {
        problem(problems, &times.path, what);
    }
    if let (Some(said), Some(step)) = (said, seen.step_s)
        && (!said.is_finite() || (said * step - 1.0).abs() > 0.01)
    {
        problem(problems, &times.path, format!("the file says {said} Hz, its timestamps say {:.6} Hz: the timestamps hold", 1.0 / step));
    }
    ClockSummary { rate_hz: None, t_start_s: seen.ends.map(|ends| ends.0), t_stop_s: seen.ends.map(|ends| ends.1) }
}

/// What some time stamps tell.
#[derive(Default)]
struct SeenClock {
    ends: Option<(f64, f64)>,
    step_s: Option<f64>,
    odd: Vec<String>,
}

fn whole_clock(stamps: &[f64]) -> SeenClock {
    let step_s = median_step(stamps);
    let odd = step_s.and_then(|usual| describe(&gaps(stamps, usual, 0))).into_iter().collect();
    let ends = stamps.first().copied().zip(stamps.last().copied()).filter(|(first, last)| first.is_finite() && last.is_finite());
    SeenClock { ends, step_s: step_s.filter(|step| *step > 0.0), odd }
}

/// The step of the first stamps, and whether it leads to the last.
fn ends_of_clock(times: &Array, n: usize) -> Result<SeenClock, ReadError> {
    let first = times.stretch(0..n.min(FIRST))?;
    let last = times.stretch(n - 1..n)?[0];
    let mut seen = whole_clock(&first);
    seen.ends = seen.ends.map(|(first, _)| (first, last));
    if let (Some((first, last)), Some(step)) = (seen.ends, seen.step_s) {
        let off = (last - first) / step - (n - 1) as f64;
        // A median of rounded stamps is off by a little at every step.
        if off.abs() > (1e-6 * n as f64).max(1.5) {
            seen.odd.push(format!("the timestamps span {off:+.1} samples more than their usual step says: gaps or drift"));
        }
    }
    Ok(seen)
}
