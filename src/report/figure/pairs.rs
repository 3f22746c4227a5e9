//! Pictures of metrics between pairs of channels: a matrix, and the strongest links as a directed graph.

use super::plot::{Axis, Mark, Plot, Tile, draw};
use super::{Figure, cut};
use crate::report::facts::Facts;
use crate::report::number::number;
use crate::report::summary::PairMean;
use std::collections::BTreeMap;

/// Cells on a side of a matrix; more channels share cells, so that a picture of hundreds stays small.
const MAX_SIDE: usize = 40;
/// Names that fit beside it.
const MAX_NAMES: usize = 14;
/// Links of a graph, and channels that are named in it.
const MAX_LINKS: usize = 60;
const MAX_NODES: usize = 24;
/// Links with a greater false discovery rate (or p-value, of a single pair) are not drawn.
const SIGNIFICANT: f64 = 0.05;

/// Source and target.
type Ends<'a> = (&'a str, &'a str);

pub(super) fn figures(facts: &Facts, dataset: &str, metric: &str) -> Vec<Figure> {
    let Some(statistic) = facts.default_statistic(dataset, metric).map(|summary| &summary.statistic) else { return Vec::new() };
    let of_metric = |row: &&PairMean| row.dataset == dataset && row.metric == metric && row.statistic == *statistic;
    let rows: Vec<&PairMean> = facts.pairs.iter().filter(of_metric).collect();
    let mut channels: Vec<&str> = rows.iter().flat_map(|row| [row.source.as_str(), row.target.as_str()]).collect();
    channels.sort_unstable();
    channels.dedup();
    natural(&mut channels);
    let of_rate = |row: &&PairMean| row.dataset == dataset && row.metric == metric && row.statistic == "q_value";
    let rates = facts.pairs.iter().filter(of_rate).map(|row| ((row.source.as_str(), row.target.as_str()), row.mean)).collect();
    [matrix(&rows, &channels, dataset, metric), graph(&rows, &rates, &channels, dataset, metric)].into_iter().flatten().collect()
}

/// A directed or paired metric: sources are rows, targets columns.
fn matrix(rows: &[&PairMean], channels: &[&str], dataset: &str, metric: &str) -> Option<Figure> {
    let place: BTreeMap<&str, usize> = channels.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let shared = channels.len().div_ceil(MAX_SIDE).max(1);
    let side = channels.len().div_ceil(shared) as f64;
    // Of channels that share a cell the strongest link is drawn.
    let mut cells: BTreeMap<(usize, usize), &PairMean> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.mean.is_finite()) {
        let (Some(from), Some(to)) = (place.get(row.source.as_str()), place.get(row.target.as_str())) else { continue };
        let cell = cells.entry((from / shared, to / shared)).or_insert(row);
        if row.mean > cell.mean {
            *cell = row;
        }
    }
    if cells.is_empty() {
        return None;
    }
    // Estimates with their bias taken out may be below zero; they are drawn as none.
    let most = cells.values().map(|row| row.mean).fold(0.0, f64::max);
    let tile = |(&(from, to), row): (&(usize, usize), &&PairMean)| {
        let (x, y) = (to as f64, side - 1.0 - from as f64);
        let strength = if most > 0.0 { row.mean / most } else { 0.0 };
        Tile { low: (x + 0.02, y + 0.02), high: (x + 0.98, y + 0.98), strength, title: title(row) }
    };
    let tiles: Vec<Tile> = cells.iter().map(tile).collect();
    let named = channels.len() <= MAX_NAMES;
    let names = |flip: bool| {
        let place = |at: usize| if flip { side - 0.5 - at as f64 } else { at as f64 + 0.5 };
        named.then(|| channels.iter().enumerate().map(|(at, name)| (place(at), cut(name, 9))).collect()).or_else(|| Some(Vec::new()))
    };
    let axis = |label: &str, flip| Axis {
        label: if named { String::new() } else { label.into() },
        low: 0.0,
        high: side,
        names: names(flip),
        ..Axis::default()
    };
    let measure = rows.first().map(|row| row.measure.as_str()).filter(|&measure| measure != "1").unwrap_or_default();
    let sharing = if shared > 1 {
        format!(" Each cell is the strongest link of {shared} by {shared} of {} channels.", channels.len())
    } else {
        String::new()
    };
    Some(Figure {
        title: format!("{metric} between channels"),
        caption: format!(
            "From the row's channel to the column's, mean over windows; the strongest is {} {measure}. Point at a cell for its value.{sharing}",
            number(most)
        ),
        keys: Vec::new(),
        svg: draw(&Plot {
            label: format!("Matrix of {metric} between {} channels of {dataset}", channels.len()),
            x: axis("target", false),
            y: axis("source", true),
            marks: vec![Mark::Tiles { tiles, colour: "c0".into() }],
        }),
    })
}

/// The strongest links as arrows between channels on a circle; where they were tested, the significant ones.
fn graph(rows: &[&PairMean], rates: &BTreeMap<Ends<'_>, f64>, channels: &[&str], dataset: &str, metric: &str) -> Option<Figure> {
    let means: BTreeMap<Ends<'_>, f64> = rows.iter().map(|row| (ends(row), row.mean)).collect();
    let directed = means.iter().any(|(&(from, to), mean)| means.get(&(to, from)).is_none_or(|back| back != mean));
    let significant = |row: &PairMean| match rates.get(&ends(row)) {
        Some(&rate) => rate <= SIGNIFICANT,
        None => row.p_min.is_none_or(|p| p <= SIGNIFICANT),
    };
    let mut links: Vec<&&PairMean> = rows.iter().filter(|row| row.mean > 0.0 && significant(row)).collect();
    let (found, tested) = (links.len(), rows.iter().any(|row| row.p_min.is_some()));
    links.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    links.truncate(MAX_LINKS);
    if channels.len() < 3 || links.is_empty() || !directed {
        return None;
    }
    let place = |name: &str| -> Option<(f64, f64)> {
        let at = channels.iter().position(|channel| *channel == name)?;
        let angle = std::f64::consts::TAU * (0.25 - at as f64 / channels.len() as f64);
        Some((angle.cos(), angle.sin()))
    };
    let arrows: Vec<Mark> = links
        .iter()
        .filter_map(|link| {
            Some(Mark::Line { points: arrow(place(&link.source)?, place(&link.target)?), colour: "c0".into(), dashed: false })
        })
        .collect();
    let nodes = channels.iter().filter_map(|channel| place(channel)).collect();
    let dots = Mark::Dots { points: nodes, colour: "c1".into(), size: if channels.len() <= MAX_NODES { 16 } else { 6 }, square: false };
    let (mut x, mut y) = (Axis { low: -1.15, high: 1.15, names: Some(Vec::new()), ..Axis::default() }, Axis::default());
    y.clone_from(&x);
    Axis::equalise(&mut x, &mut y);
    let which = match (rates.is_empty(), tested) {
        (false, _) => format!("Links at a false discovery rate of {SIGNIFICANT} or less"),
        (true, true) => format!("Links with p of {SIGNIFICANT} or less in a window"),
        (true, false) => "The strongest links".to_owned(),
    };
    let first = channels.first().copied().unwrap_or_default();
    Some(Figure {
        title: format!("{metric} as a graph"),
        caption: format!(
            "{which}: {} of {found} drawn. An arrow points at its target. Channels run clockwise from {first} at the top, in the order of the matrix.",
            links.len()
        ),
        keys: vec![("c0".into(), "link".into()), ("c1".into(), "channel".into())],
        svg: draw(&Plot {
            label: format!("Graph of {metric} between {} channels of {dataset}, {} links", channels.len(), links.len()),
            x,
            y,
            marks: arrows.into_iter().chain([dots]).collect(),
        }),
    })
}

fn ends(row: &PairMean) -> Ends<'_> {
    (&row.source, &row.target)
}

/// A line that ends shortly before its target in an open head.
fn arrow(from: (f64, f64), to: (f64, f64)) -> Vec<(f64, f64)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(1e-9);
    let (ux, uy) = (dx / length, dy / length);
    // There and back are drawn side by side.
    let aside = |along: f64, across: f64| (from.0 + ux * along - uy * across, from.1 + uy * along + ux * across);
    let tip = aside(length - 0.04, 0.012);
    vec![aside(0.04, 0.012), tip, aside(length - 0.09, 0.035), tip, aside(length - 0.09, -0.011)]
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
