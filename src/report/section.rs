//! The report's tables, one function each.

use super::facts::{Facts, MAX_DRAWN};
use super::grid::{Cell, Grid, Tone};
use super::manifest::Part;
use super::number::{MISSING, bytes, maybe, number};
use super::summary::Summary;
use crate::table::{ExpectationRecord, FidelityRecord, MetricRecord, Table, UnitRecord, UnitStatus};
use std::collections::BTreeMap;

/// "Published beside ours".
pub(super) fn expectations(facts: &Facts) -> Option<Grid> {
    let columns = ["Metric", "Dataset", "#Published", "#Tolerance", "#Ours", "#Deviation", "Held", "Source"];
    let mut grid = Grid::new("Held: ours lies within the tolerance around the published value", ExpectationRecord::FILE, &columns);
    for row in &facts.expectations {
        let ours = row.observed.map_or_else(|| Cell::new(format!("{MISSING} (no value)"), Tone::Quiet), |value| number(value).into());
        grid.push(vec![
            row.metric.as_str().into(),
            row.dataset.as_str().into(),
            maybe(row.published).into(),
            row.tolerance.map_or_else(|| MISSING.to_owned(), |tolerance| format!("± {}", number(tolerance))).into(),
            ours,
            row.deviation.map_or_else(|| MISSING.to_owned(), signed).into(),
            if row.held { Cell::new("✓ held", Tone::Good) } else { Cell::new("✗ missed", Tone::Bad) },
            row.source.as_deref().unwrap_or(MISSING).into(),
        ]);
    }
    grid.filled()
}

fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", number(value)) } else { number(value) }
}

/// Scores: the total of a dataset first, then its tests, in the table's order.
pub(super) fn fidelity(facts: &Facts) -> Option<Grid> {
    let reference = facts.fidelity.first().map(|row| row.reference.clone()).unwrap_or_default();
    let columns = ["Dataset", "Test", "#Score", "95 % interval", "#Ours", "#Reference", "Statistic", "#Distance", "#Ceiling"];
    let caption = format!("Scores from 0 to 1 against {reference}; the ceiling is what held-out stretches of the reference itself reach");
    let mut grid = Grid::new(caption, FidelityRecord::FILE, &columns);
    let mut order: Vec<&FidelityRecord> = facts.fidelity.iter().collect();
    let first_of = |dataset: &str| facts.fidelity.iter().position(|row| row.dataset == dataset);
    order.sort_by_key(|row| (first_of(&row.dataset), row.test != "overall"));
    for row in order {
        let name = match row.dataset.split_once('~') {
            Some((dataset, control)) => format!("{dataset}, control: {control}"),
            None => row.dataset.clone(),
        };
        let interval = row.ci_low.zip(row.ci_high).map_or_else(|| MISSING.to_owned(), |(low, high)| interval(low, high));
        grid.push(vec![
            name.into(),
            if row.test == "overall" { "all together".into() } else { row.test.as_str().into() },
            maybe(row.score).into(),
            interval.into(),
            maybe(row.observed).into(),
            maybe(row.reference_value).into(),
            row.statistic.as_str().into(),
            maybe(row.distance).into(),
            maybe(row.ceiling).into(),
        ]);
    }
    grid.filled().map(Grid::without_empty_columns)
}

fn interval(low: f64, high: f64) -> String {
    format!("{} to {}", number(low), number(high))
}

/// Every statistic of a dataset over its units and channels.
pub(super) fn metrics(facts: &Facts, dataset: &str) -> Option<Grid> {
    let columns = ["Metric", "Statistic", "#Mean", "95 % interval", "#Median", "#Min", "#Max", "#n", "#Undefined", "p ≤ 0.05"];
    let mut grid = Grid::new("Over units and channels", MetricRecord::FILE, &columns);
    for row in facts.summaries.iter().filter(|row| row.dataset == dataset) {
        let interval = row.ci.map_or_else(|| MISSING.to_owned(), |(low, high)| interval(low, high));
        let undefined = if row.undefined == 0 { MISSING.to_owned() } else { row.undefined.to_string() };
        grid.push(vec![
            row.metric.as_str().into(),
            if row.measure == "1" { row.statistic.as_str().into() } else { format!("{} ({})", row.statistic, row.measure).into() },
            mean(facts, row),
            interval.into(),
            maybe(row.median).into(),
            maybe(row.min).into(),
            maybe(row.max).into(),
            row.n.to_string().into(),
            undefined.into(),
            tested(row).into(),
        ]);
    }
    grid.filled().map(Grid::without_empty_columns)
}

/// The mean, or why there is none.
fn mean(facts: &Facts, row: &Summary) -> Cell {
    if let Some(mean) = row.mean {
        return number(mean).into();
    }
    let reasons = facts.units.iter().filter(|unit| unit.dataset == row.dataset && unit.error_kind.as_deref() == Some("undefined"));
    let reason = reasons.filter_map(|unit| unit.error.as_deref()).find(|reason| reason.contains(&row.metric)).unwrap_or("undefined");
    Cell::new(format!("{MISSING} ({reason})"), Tone::Quiet)
}

fn tested(row: &Summary) -> String {
    match row.p_min {
        None => MISSING.to_owned(),
        Some(p) if row.tested == 1 => {
            if p < 0.001 {
                "p < 0.001".to_owned()
            } else {
                format!("p = {}", number(p))
            }
        }
        Some(p) => format!("{} of {} (least {})", row.significant, row.tested, number(p)),
    }
}

/// Datasets that have no section of their own.
pub(super) fn others(facts: &Facts) -> Option<Grid> {
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for unit in &facts.units {
        let [done, all] = counts.entry(&unit.dataset).or_default();
        *done += usize::from(unit.status == UnitStatus::Done);
        *all += 1;
    }
    let caption = format!("Datasets after the first {MAX_DRAWN}; their values are in the tables");
    let mut grid = Grid::new(caption, UnitRecord::FILE, &["Dataset", "#Units done", "#Units"]);
    for id in facts.datasets.iter().skip(MAX_DRAWN) {
        let [done, all] = counts.get(id.as_str()).copied().unwrap_or_default();
        grid.push(vec![id.as_str().into(), done.to_string().into(), all.to_string().into()]);
    }
    grid.filled()
}

/// Units that failed, and how to run them again.
pub(super) fn failures(facts: &Facts, again: &str) -> Option<Grid> {
    let mut grid = Grid::new("Units that failed", UnitRecord::FILE, &["Unit", "Kind", "What happened", "#Attempts", "Run it again"]);
    for unit in facts.units.iter().filter(|unit| unit.status == UnitStatus::Failed) {
        grid.push(vec![
            unit.unit.as_str().into(),
            unit.error_kind.as_deref().unwrap_or(MISSING).into(),
            unit.error.as_deref().unwrap_or(MISSING).into(),
            unit.attempts.to_string().into(),
            Cell::new(again, Tone::Code),
        ]);
    }
    grid.filled()
}

/// Units that are done but hold values that do not exist, and units left out on purpose.
pub(super) fn undefined(facts: &Facts) -> Option<Grid> {
    let mut grid = Grid::new("Values that do not exist for their input, and units left out", UnitRecord::FILE, &["Unit", "What", "Why"]);
    for unit in &facts.units {
        let what = match unit.status {
            UnitStatus::Skipped => "left out",
            UnitStatus::Done if unit.error_kind.as_deref() == Some("undefined") => "undefined values",
            _ => continue,
        };
        grid.push(vec![unit.unit.as_str().into(), what.into(), unit.error.as_deref().unwrap_or(MISSING).into()]);
    }
    grid.filled()
}

/// What was computed, with every parameter that decides a number.
pub(super) fn stages(manifest: Part<'_>) -> Option<Grid> {
    let mut grid = Grid::new("What was computed", "manifest.json", &["Stage", "Name", "Method", "Parameters"]);
    for (stage, list, method) in
        [("embedding", "embeddings", "method"), ("persistence", "persistences", "complex"), ("metric", "metrics", "kind")]
    {
        for part in manifest.at("stages").at(list).list() {
            grid.push(vec![
                stage.into(),
                part.at("name").text().unwrap_or(MISSING).into(),
                part.at(method).text().unwrap_or(MISSING).into(),
                part.at("params").json().map_or_else(|| MISSING.into(), |params| Cell::new(params, Tone::Code)),
            ]);
        }
    }
    if let Some(params) = manifest.at("stages.fidelity").json() {
        grid.push(vec!["fidelity".into(), "fidelity".into(), MISSING.into(), Cell::new(params, Tone::Code)]);
    }
    grid.filled()
}

/// Where the data came from.
pub(super) fn origins(manifest: Part<'_>) -> Option<Grid> {
    let mut grid = Grid::new("Where the data came from", "manifest.json", &["Dataset", "Source", "Format", "#Size", "SHA-256"]);
    for part in manifest.at("datasets").list() {
        grid.push(vec![
            part.at("id").text().unwrap_or(MISSING).into(),
            part.at("source").text().unwrap_or(MISSING).into(),
            part.at("format").text().unwrap_or(MISSING).into(),
            part.at("bytes").number().map_or_else(|| MISSING.to_owned(), bytes).into(),
            part.at("sha256").text().map_or_else(|| MISSING.into(), |hash| Cell::new(hash, Tone::Code)),
        ]);
    }
    grid.filled().map(Grid::without_empty_columns)
}
