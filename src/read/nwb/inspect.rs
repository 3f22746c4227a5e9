//! What an NWB file holds, from headers alone: shapes, attributes, and the first and last elements of clocks.

use super::clock::{CHEAP, describe, gaps, median_step};
use super::electrodes::{ELECTRODES, Electrodes};
use super::table::Table;
use super::units;
use super::walk::{self, Node, Tree};
use crate::read::hdf5::{Array, File, Kind, extremes, join};
use crate::read::{ElectrodesSummary, Inspection, Problem, ReadError, SeriesSummary, Session, TableSummary, UnitsSummary};
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
    let series = tree.nodes.iter().filter_map(|node| series_summary(&file, node, &mut problems)).collect();
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Inspection {
        file: path.display().to_string(),
        format: "nwb".to_owned(),
        nwb_version: walk::version(&file),
        session: Some(session(&file)),
        units,
        series,
        electrodes: electrodes_summary(&file, &mut problems),
        intervals: tree.nodes.iter().filter_map(|node| interval_summary(&file, node)).collect(),
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
    let ends = if units.source.is_small() {
        let all: Vec<usize> = (0..units.source.n_units()).collect();
        units.source.load(&all).map(|trains| extremes(trains.iter().flatten()))
    } else {
        units.source.ends(SPIKE_BUDGET)
    };
    let ends = ends.unwrap_or_else(|error| {
        problem(problems, error.place.as_deref().unwrap_or(&units.table.path), error.what);
        None
    });
    UnitsSummary {
        count: units.ids.len(),
        spikes_total: units.source.total() as u64,
        t_first_s: ends.map(|(first, _)| first),
        t_last_s: ends.map(|(_, last)| last),
        columns: units.table.columns.clone(),
    }
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

fn interval_summary(file: &File, node: &Node) -> Option<TableSummary> {
    // NWB 2.0b kept `trials`, `epochs` and `invalid_times` at the root.
    let is_interval = node.path.starts_with("/intervals/")
        || ["/trials", "/epochs", "/invalid_times"].contains(&node.path.as_str())
        || walk::class(file, &node.path).as_deref() == Some("TimeIntervals");
    let table = is_interval.then(|| Table::open(file, &node.path)).flatten()?;
    Some(TableSummary { path: table.path, rows: table.rows, columns: table.columns })
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

fn clock_summary(file: &File, node: &Node, data: &Array, problems: &mut Vec<Problem>) -> ClockSummary {
    let Some(times) = file.array(&join(&node.path, "timestamps")) else {
        let Some(start) = file.array(&join(&node.path, "starting_time")) else { return ClockSummary::default() };
        let rate_hz = start.number_attribute("rate").filter(|rate| rate.is_finite() && *rate > 0.0);
        let t_start_s = start.numbers().ok().and_then(|values| values.first().copied());
        let steps = data.shape.first().map_or(0, |n| n.saturating_sub(1)) as f64;
        let t_stop_s = t_start_s.zip(rate_hz).map(|(start, rate)| start + steps / rate);
        return ClockSummary { rate_hz, t_start_s, t_stop_s };
    };
    let n = times.len();
    if times.shape.len() != 1 || n == 0 {
        problem(problems, &times.path, format!("timestamps of shape {:?}", times.shape));
        return ClockSummary::default();
    }
    if !data.shape.contains(&n) {
        problem(problems, &times.path, format!("{n} timestamps for data of shape {:?}", data.shape));
    }
    let bytes = n.saturating_mul(times.element_bytes());
    let chunk = times.chunks().map_or(0, |shape| shape.iter().product::<usize>().saturating_mul(times.element_bytes()));
    let ends = if bytes < CHEAP {
        times.numbers().map(|stamps| {
            if let Some(what) = median_step(&stamps).and_then(|usual| describe(&gaps(&stamps, usual, 0))) {
                problem(problems, &times.path, what);
            }
            (stamps.first().copied(), stamps.last().copied())
        })
    } else if chunk <= STAMP_BUDGET {
        times.block(&[0..1]).and_then(|first| Ok((first.first().copied(), times.block(&[n - 1..n])?.first().copied())))
    } else {
        Ok((None, None))
    };
    let (t_start_s, t_stop_s) = ends.unwrap_or_else(|error| {
        problem(problems, &times.path, error.what);
        (None, None)
    });
    ClockSummary { rate_hz: None, t_start_s, t_stop_s }
}
