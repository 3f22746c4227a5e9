//! Pictures of persistence: diagram, barcode, Betti curve, landscape and image, drawn from `diagrams.parquet`.
//!
//! The curves are drawings of the diagram, as fine as the picture is wide; numbers come from the metrics alone.
//! Landscape: Bubenik 2015, JMLR 16. Image: Adams et al. 2017, JMLR 18.

use super::plot::{Axis, Mark, Plot, Tile, apart, draw};
use super::{Figure, colour};
use crate::report::facts::Facts;
use crate::table::DiagramRecord;
use std::collections::BTreeMap;

/// Pairs drawn a dimension, the longest first: those left out lie on the diagonal.
const MAX_PAIRS: usize = 1500;
const MAX_BARS: usize = 60;
const CURVE_STEPS: usize = 240;
const LANDSCAPES: usize = 3;
const IMAGE_SIDE: usize = 20;

/// The pairs of one persistence stage of one unit, by dimension, the longest first.
struct Diagram<'a> {
    dataset: &'a str,
    unit: &'a str,
    name: &'a str,
    by_dim: BTreeMap<i8, Vec<(f64, f64)>>,
    /// Least birth and greatest finite value.
    low: f64,
    high: f64,
}

pub(super) fn figures(facts: &Facts, dataset: &str) -> Vec<Figure> {
    let listed: Vec<&str> = facts.manifest().at("summaries").list().filter_map(|name| name.text()).collect();
    let mut figures = Vec::new();
    for diagram in diagrams(facts, dataset) {
        figures.push(scatter(&diagram));
        figures.push(barcode(&diagram));
        if listed.contains(&"betti-curve") {
            figures.push(betti(&diagram));
        }
        if listed.contains(&"landscape") {
            figures.extend(landscape(&diagram));
        }
        if listed.contains(&"image") {
            figures.extend(image(&diagram));
        }
    }
    figures
}

fn diagrams<'a>(facts: &'a Facts, dataset: &'a str) -> Vec<Diagram<'a>> {
    let Some(unit) = facts.first_done(dataset) else { return Vec::new() };
    let mut by_name: BTreeMap<&str, Vec<&DiagramRecord>> = BTreeMap::new();
    for row in facts.diagrams.iter().filter(|row| row.dataset == dataset && row.unit == unit.unit) {
        by_name.entry(&row.persistence).or_default().push(row);
    }
    by_name.into_iter().filter_map(|(name, rows)| diagram(dataset, &unit.unit, name, &rows)).collect()
}

fn diagram<'a>(dataset: &'a str, unit: &'a str, name: &'a str, rows: &[&DiagramRecord]) -> Option<Diagram<'a>> {
    let finite = || rows.iter().flat_map(|row| [row.birth, row.death]).filter(|value| value.is_finite());
    let (low, high) = (finite().reduce(f64::min)?, finite().reduce(f64::max)?);
    let high = if apart(low, high) { high } else { low + low.abs().max(1.0) };
    if !(high - low).is_finite() {
        return None;
    }
    let mut by_dim: BTreeMap<i8, Vec<(f64, f64)>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.birth.is_finite()) {
        by_dim.entry(row.dim).or_default().push((row.birth, row.death));
    }
    for pairs in by_dim.values_mut() {
        pairs.sort_by(|a, b| (b.1 - b.0).total_cmp(&(a.1 - a.0)).then(a.0.total_cmp(&b.0)));
    }
    Some(Diagram { dataset, unit, name, by_dim, low, high })
}

impl Diagram<'_> {
    fn keys(&self) -> Vec<(String, String)> {
        let said = |dim: i8| match dim {
            0 => "H0: pieces".to_owned(),
            1 => "H1: loops".to_owned(),
            2 => "H2: voids".to_owned(),
            _ => format!("H{dim}"),
        };
        self.by_dim.keys().map(|&dim| (self.colour(dim), said(dim))).collect()
    }
    fn colour(&self, dim: i8) -> String {
        colour(usize::try_from(dim).unwrap_or_default())
    }
    /// The highest dimension above 0 with a finite pair: what landscape and image show.
    fn highest(&self) -> Option<(i8, Vec<(f64, f64)>)> {
        let finite = |pairs: &[(f64, f64)]| -> Vec<(f64, f64)> { pairs.iter().copied().filter(|pair| pair.1.is_finite()).collect() };
        self.by_dim.iter().rev().filter(|(dim, _)| **dim > 0).map(|(&dim, pairs)| (dim, finite(pairs))).find(|(_, pairs)| !pairs.is_empty())
    }
    fn label(&self, what: &str) -> String {
        format!("{what} of {}, {}", self.dataset, self.name)
    }
    fn span(&self) -> f64 {
        self.high - self.low
    }
}

fn scatter(diagram: &Diagram<'_>) -> Figure {
    let (low, high) = (diagram.low - 0.03 * diagram.span(), diagram.high + 0.16 * diagram.span());
    let right = diagram.high + 0.03 * diagram.span();
    let never = diagram.high + 0.09 * diagram.span();
    let any_infinite = diagram.by_dim.values().flatten().any(|pair| pair.1 == f64::INFINITY);
    let mut marks = vec![Mark::Line { points: vec![(low, low), (diagram.high, diagram.high)], colour: "axis".into(), dashed: false }];
    if any_infinite {
        marks.push(Mark::Line { points: vec![(low, never), (right, never)], colour: "axis".into(), dashed: true });
        marks.push(Mark::Note { at: (diagram.low + 0.72 * diagram.span(), never + 0.015 * diagram.span()), text: "never dies".into() });
    }
    let mut left_out = 0;
    for (&dim, pairs) in &diagram.by_dim {
        left_out += pairs.len().saturating_sub(MAX_PAIRS);
        let points = pairs.iter().take(MAX_PAIRS).map(|&(birth, death)| (birth, if death.is_finite() { death } else { never })).collect();
        marks.push(Mark::Dots { points, colour: diagram.colour(dim), size: if dim == 0 { 9 } else { 12 }, square: dim % 2 == 1 });
    }
    let left_out = if left_out > 0 { format!(" The {left_out} shortest pairs are not drawn.") } else { String::new() };
    Figure {
        title: format!("Persistence diagram: {}", diagram.name),
        caption: format!("The farther from the diagonal, the longer a class lives; unit {}.{left_out}", diagram.unit),
        keys: diagram.keys(),
        svg: draw(&Plot {
            label: diagram.label("Persistence diagram"),
            x: Axis { label: "birth".into(), low, high: right, ..Axis::default() },
            y: Axis { label: "death".into(), low, high, ..Axis::default() },
            marks,
        }),
    }
}

fn barcode(diagram: &Diagram<'_>) -> Figure {
    let high = diagram.high + 0.05 * diagram.span();
    let bars_of = |pairs: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let mut bars = pairs[..pairs.len().min(MAX_BARS)].to_vec();
        bars.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        bars
    };
    let shown: Vec<(i8, Vec<(f64, f64)>)> = diagram.by_dim.iter().map(|(&dim, pairs)| (dim, bars_of(pairs))).collect();
    let rows = shown.iter().map(|(_, bars)| bars.len() + 2).sum::<usize>() as f64;
    let width = (480.0 / rows * 0.7).clamp(1.5, 10.0);
    let (mut marks, mut names, mut row) = (Vec::new(), Vec::new(), 1.0);
    for (dim, bars) in shown {
        names.push((row + bars.len() as f64 / 2.0, format!("H{dim}")));
        let placed = bars.iter().enumerate().map(|(at, &(birth, death))| (birth, death.min(high), row + at as f64)).collect();
        marks.push(Mark::Bars { bars: placed, colour: diagram.colour(dim), width });
        row += bars.len() as f64 + 2.0;
    }
    let left_out = diagram.by_dim.values().any(|pairs| pairs.len() > MAX_BARS);
    let left_out = if left_out { format!(" The longest {MAX_BARS} a dimension.") } else { String::new() };
    Figure {
        title: format!("Barcode: {}", diagram.name),
        caption: format!("One bar a class, from birth to death; a bar that reaches the right edge never dies.{left_out}"),
        keys: diagram.keys(),
        svg: draw(&Plot {
            label: diagram.label("Barcode"),
            x: Axis { label: "filtration value".into(), low: diagram.low, high, ..Axis::default() },
            y: Axis { label: String::new(), low: 0.0, high: rows.max(1.0), names: Some(names), ..Axis::default() },
            marks,
        }),
    }
}

fn steps(diagram: &Diagram<'_>) -> impl Iterator<Item = f64> + Clone {
    let (low, span) = (diagram.low, diagram.span());
    (0..=CURVE_STEPS).map(move |step| low + span * step as f64 / CURVE_STEPS as f64)
}

/// Classes alive at each filtration value. Dimensions differ by orders of magnitude and a logarithmic axis would hide zero,
/// so each is drawn as a share of its maximum.
fn betti(diagram: &Diagram<'_>) -> Figure {
    let (mut marks, mut keys) = (Vec::new(), Vec::new());
    for (&dim, pairs) in &diagram.by_dim {
        let alive = |at: f64| pairs.iter().filter(|pair| pair.0 <= at && at < pair.1).count();
        let counts: Vec<(f64, usize)> = steps(diagram).map(|at| (at, alive(at))).collect();
        let most = counts.iter().map(|count| count.1).max().unwrap_or(0).max(1);
        let points = counts.into_iter().map(|(at, n)| (at, n as f64 / most as f64)).collect();
        marks.push(Mark::Line { points, colour: diagram.colour(dim), dashed: dim % 2 == 1 });
        keys.push((diagram.colour(dim), format!("H{dim}, at most {most}")));
    }
    Figure {
        title: format!("Betti curve: {}", diagram.name),
        caption: "How many classes are alive, as a share of each dimension's most.".into(),
        keys,
        svg: draw(&Plot {
            label: diagram.label("Betti curve"),
            x: Axis { label: "filtration value".into(), low: diagram.low, high: diagram.high, ..Axis::default() },
            y: Axis { label: "share of the most".into(), low: 0.0, high: 1.05, ..Axis::default() },
            marks,
        }),
    }
}

fn landscape(diagram: &Diagram<'_>) -> Option<Figure> {
    let (dim, pairs) = diagram.highest()?;
    let tents = |at: f64| {
        let mut heights: Vec<f64> = pairs.iter().map(|pair| (at - pair.0).min(pair.1 - at).max(0.0)).collect();
        heights.sort_by(|a, b| b.total_cmp(a));
        heights.resize(LANDSCAPES.max(heights.len()), 0.0);
        heights
    };
    let heights: Vec<(f64, Vec<f64>)> = steps(diagram).map(|at| (at, tents(at))).collect();
    let level = |level: usize| heights.iter().map(|(at, heights)| (*at, heights[level])).collect::<Vec<_>>();
    let top = heights.iter().map(|(_, heights)| heights[0]).fold(0.0, f64::max);
    let marks = (0..LANDSCAPES).map(|k| Mark::Line { points: level(k), colour: colour(k), dashed: k % 2 == 1 }).collect();
    Some(Figure {
        title: format!("Landscape of H{dim}: {}", diagram.name),
        caption: "Each level is the next highest tent over a pair: one high first level is one clear feature.".into(),
        keys: (0..LANDSCAPES).map(|k| (colour(k), format!("level {}", k + 1))).collect(),
        svg: draw(&Plot {
            label: diagram.label("Persistence landscape"),
            x: Axis { label: "filtration value".into(), low: diagram.low, high: diagram.high, ..Axis::default() },
            y: Axis { label: "height".into(), low: 0.0, high: if apart(0.0, top) { top * 1.08 } else { 1.0 }, ..Axis::default() },
            marks,
        }),
    })
}

/// Gaussians of one cell's width on (birth, persistence), weighted by persistence.
fn image(diagram: &Diagram<'_>) -> Option<Figure> {
    let (dim, pairs) = diagram.highest()?;
    let births = Axis::around("birth", pairs.iter().map(|pair| pair.0), 0.1)?;
    let lives = Axis {
        label: "persistence".into(),
        low: 0.0,
        high: pairs.iter().map(|pair| pair.1 - pair.0).fold(0.0, f64::max) * 1.1,
        ..Axis::default()
    };
    let (wide, tall) = ((births.high - births.low) / IMAGE_SIDE as f64, lives.high / IMAGE_SIDE as f64);
    if !apart(0.0, lives.high) {
        return None;
    }
    let cell = |index: usize| (births.low + wide * (index % IMAGE_SIDE) as f64, tall * (index / IMAGE_SIDE) as f64);
    let weight = |(x, y): (f64, f64)| -> f64 {
        let bump = |&(birth, death): &(f64, f64)| {
            let (dx, dy) = ((x + wide / 2.0 - birth) / wide, (y + tall / 2.0 - (death - birth)) / tall);
            (death - birth) * (-(dx * dx + dy * dy) / 2.0).exp()
        };
        pairs.iter().take(MAX_PAIRS).map(bump).sum()
    };
    let weights: Vec<f64> = (0..IMAGE_SIDE * IMAGE_SIDE).map(|index| weight(cell(index))).collect();
    let most = weights.iter().copied().fold(0.0, f64::max);
    let visible = weights.iter().enumerate().filter(|(_, weight)| **weight > 0.005 * most);
    let tiles = visible.map(|(index, weight)| {
        let (x, y) = cell(index);
        Tile { low: (x, y), high: (x + wide, y + tall), strength: weight / most, title: String::new() }
    });
    Some(Figure {
        title: format!("Persistence image of H{dim}: {}", diagram.name),
        caption: "Where pairs lie, weighted by how long they live; darker (brighter on a dark page) is more.".into(),
        keys: Vec::new(),
        svg: draw(&Plot {
            label: diagram.label("Persistence image"),
            marks: vec![Mark::Tiles { tiles: tiles.collect(), colour: "c0".into() }],
            x: births,
            y: lives,
        }),
    })
}
