//! Pictures of metrics: over the windows, between pairs of channels, and fidelity scores.

use super::plot::{Axis, Mark, Plot, Tile, draw};
use super::{Figure, colour, cut};
use crate::report::facts::Facts;
use crate::report::number::{maybe, number};
use crate::report::summary::PairMean;
use crate::table::FidelityRecord;

/// Pictures of metrics over time a dataset; the table has all of them.
const MAX_METRICS: usize = 12;
/// Channels on a side of a matrix, and names that fit beside it.
const MAX_SIDE: usize = 40;
const MAX_NAMES: usize = 14;
/// Windows from which on a line without dots reads better.
const MANY_WINDOWS: usize = 60;

pub(super) fn figures(facts: &Facts, dataset: &str) -> Vec<Figure> {
    let metrics = facts.metrics(dataset);
    let over_time = metrics.iter().filter_map(|metric| over_windows(facts, dataset, metric)).take(MAX_METRICS);
    let mut figures: Vec<Figure> = over_time.collect();
    figures.extend(metrics.iter().filter_map(|metric| matrix(facts, dataset, metric)));
    figures
}

fn over_windows(facts: &Facts, dataset: &str, metric: &str) -> Option<Figure> {
    let summary = facts.default_statistic(dataset, metric)?;
    let rows = facts.windows.iter().filter(|row| row.dataset == dataset && row.metric == metric && row.statistic == summary.statistic);
    let points: Vec<(f64, f64)> = rows.map(|row| (row.start_s, row.mean)).filter(|point| point.1.is_finite()).collect();
    if points.len() < 2 {
        return None;
    }
    let measure = if summary.measure == "1" || summary.measure.is_empty() { String::new() } else { format!(" ({})", summary.measure) };
    let name = if summary.statistic == "value" { metric.to_owned() } else { format!("{metric}, {}", summary.statistic) };
    let x = Axis::around("window start (s)", points.iter().map(|point| point.0), 0.02)?;
    let y = Axis::around(format!("{}{measure}", cut(&summary.statistic, 22)), points.iter().map(|point| point.1), 0.1)?;
    let n = points.len();
    let mut marks = vec![Mark::Line { points: points.clone(), colour: "c0".into(), dashed: false }];
    if n <= MANY_WINDOWS {
        marks.push(Mark::Dots { points, colour: "c0".into(), size: 12, square: false });
    }
    Some(Figure {
        title: format!("{name} over time"),
        caption: format!("The mean over channels in each of {n} windows."),
        keys: Vec::new(),
        svg: draw(&Plot { label: format!("{name} of {dataset} over {n} windows"), x, y, marks }),
    })
}

/// A directed or paired metric: sources are rows, targets columns.
fn matrix(facts: &Facts, dataset: &str, metric: &str) -> Option<Figure> {
    let statistic = &facts.default_statistic(dataset, metric)?.statistic;
    let of_metric = |row: &&PairMean| row.dataset == dataset && row.metric == metric && row.statistic == *statistic;
    let rows: Vec<&PairMean> = facts.pairs.iter().filter(of_metric).collect();
    let mut channels: Vec<&str> = Vec::new();
    for name in rows.iter().flat_map(|row| [row.source.as_str(), row.target.as_str()]) {
        if channels.len() < MAX_SIDE && !channels.contains(&name) {
            channels.push(name);
        }
    }
    natural(&mut channels);
    let place = |name: &str| channels.iter().position(|&channel| channel == name).map(|at| at as f64);
    let side = channels.len() as f64;
    // Estimates with their bias taken out may be below zero; they are drawn as none.
    let most = rows.iter().map(|row| row.mean).filter(|mean| mean.is_finite()).fold(0.0, f64::max);
    let tiles: Vec<Tile> = rows
        .iter()
        .filter_map(|row| {
            let (x, y) = (place(&row.target)?, side - 1.0 - place(&row.source)?);
            let strength = if most > 0.0 { row.mean / most } else { 0.0 };
            Some(Tile { low: (x + 0.02, y + 0.02), high: (x + 0.98, y + 0.98), strength, title: title(row) })
        })
        .collect();
    if tiles.is_empty() {
        return None;
    }
    let named = channels.len() <= MAX_NAMES;
    let names = |flip: bool| {
        let place = |at: usize| if flip { side - 0.5 - at as f64 } else { at as f64 + 0.5 };
        named.then(|| channels.iter().enumerate().map(|(at, name)| (place(at), cut(name, 9))).collect()).or_else(|| Some(Vec::new()))
    };
    let measure = rows.first().map(|row| row.measure.as_str()).filter(|&measure| measure != "1").unwrap_or_default();
    let left_out = if channels.len() == MAX_SIDE { format!(" At most {MAX_SIDE} channels are drawn.") } else { String::new() };
    Some(Figure {
        title: format!("{metric} between channels"),
        caption: format!(
            "From the row's channel to the column's, mean over windows; the strongest is {} {measure}. Point at a cell for its value.{left_out}",
            number(most)
        ),
        keys: Vec::new(),
        svg: draw(&Plot {
            label: format!("Matrix of {metric} between {} channels of {dataset}", channels.len()),
            x: Axis {
                label: if named { String::new() } else { "target".into() },
                low: 0.0,
                high: side,
                names: names(false),
                ..Axis::default()
            },
            y: Axis {
                label: if named { String::new() } else { "source".into() },
                low: 0.0,
                high: side,
                names: names(true),
                ..Axis::default()
            },
            marks: vec![Mark::Tiles { tiles, colour: "c0".into() }],
        }),
    })
}

fn title(row: &PairMean) -> String {
    let measure = if row.measure == "1" { "" } else { &row.measure };
    let p = row.p_min.map_or_else(String::new, |p| format!(", least p {}", number(p)));
    format!("{} → {}: {} {measure} (windows: {}{p})", row.source, row.target, number(row.mean), row.windows)
}

/// Channels as people count: `ch2` before `ch10`.
fn natural(channels: &mut [&str]) {
    channels.sort_by_cached_key(|name| {
        let digits: String = name.chars().rev().take_while(char::is_ascii_digit).collect::<Vec<_>>().into_iter().rev().collect();
        let stem = name[..name.len() - digits.len()].to_owned();
        (stem, digits.parse::<u64>().unwrap_or_default(), (*name).to_owned())
    });
}

/// The total score of each dataset and control with its interval.
pub(super) fn scores(facts: &Facts) -> Option<Figure> {
    let rows: Vec<&FidelityRecord> = facts.fidelity.iter().filter(|row| row.test == "overall" && row.score.is_some()).take(16).collect();
    let side = rows.len() as f64;
    let lane = |at: usize| side - 0.5 - at as f64;
    let accept = facts.manifest().at("stages.fidelity.accept").number();
    let mut marks: Vec<Mark> = accept
        .iter()
        .map(|&accept| Mark::Line { points: vec![(accept, 0.0), (accept, side)], colour: "axis".into(), dashed: true })
        .collect();
    for (at, row) in rows.iter().enumerate() {
        let colour = colour(usize::from(row.dataset.contains('~')));
        if let Some((low, high)) = row.ci_low.zip(row.ci_high) {
            marks.push(Mark::Bars { bars: vec![(low, high, lane(at))], colour: colour.clone(), width: 4.0 });
        }
        let points = row.score.iter().map(|&score| (score, lane(at))).collect();
        marks.push(Mark::Dots { points, colour, size: 20, square: row.dataset.contains('~') });
    }
    let names = rows.iter().enumerate().map(|(at, row)| (lane(at), cut(&row.dataset, 18))).collect();
    let reference = &rows.first()?.reference;
    Some(Figure {
        title: "Scores".into(),
        caption: match accept {
            Some(_) => {
                format!("Closeness to {reference} with its 95 % interval; the dashed line is what was asked for ({}).", maybe(accept))
            }
            None => format!("Closeness to {reference} with its 95 % interval."),
        },
        keys: vec![("c0".into(), "dataset".into()), ("c1".into(), "control".into())],
        svg: draw(&Plot {
            label: format!("Fidelity scores of {} datasets and controls against {reference}", rows.len()),
            x: Axis { label: "score".into(), low: 0.0, high: 1.0, ..Axis::default() },
            y: Axis { label: String::new(), low: 0.0, high: side, names: Some(names), ..Axis::default() },
            marks,
        }),
    })
}
