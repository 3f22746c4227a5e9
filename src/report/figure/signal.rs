//! Pictures of the signal itself: spike rasters, traces and spectra, from `previews.parquet`.

use super::plot::{Axis, Mark, Plot, draw};
use super::{Figure, colour, cut, thinned};
use crate::data::CurveKind;
use crate::report::facts::Facts;
use crate::table::PreviewRecord;

/// Spikes in a raster: more of them are a grey wall.
const MAX_SPIKES: usize = 6000;
/// Traces above each other, and spectra in one frame, that an eye can follow.
const MAX_TRACES: usize = 12;
const MAX_SPECTRA: usize = 6;
/// Points of one line: more than the figure has pixels.
const MAX_POINTS: usize = 1200;

pub(super) fn figures(facts: &Facts, dataset: &str) -> Vec<Figure> {
    let of = |kind: CurveKind| -> Vec<&PreviewRecord> {
        let all = facts.previews.iter().filter(|row| row.dataset == dataset && row.kind == kind);
        let first = all.clone().next().map(|row| row.unit.as_str());
        all.filter(|row| Some(row.unit.as_str()) == first).collect()
    };
    let figures =
        [raster(dataset, &of(CurveKind::Raster)), traces(dataset, &of(CurveKind::Trace)), spectra(dataset, &of(CurveKind::Spectrum))];
    figures.into_iter().flatten().collect()
}

fn raster(dataset: &str, rows: &[&PreviewRecord]) -> Option<Figure> {
    let x = Axis::around("time (s)", rows.iter().map(|row| row.x), 0.0)?;
    let top = rows.iter().map(|row| row.y).fold(0.0, f64::max);
    let y = Axis { label: "unit".into(), low: -1.0, high: top + 1.0, ..Axis::default() };
    let points = thinned(rows.iter().map(|row| (row.x, row.y)).collect(), MAX_SPIKES);
    let left_out = if points.len() < rows.len() { format!(", {} of {} spikes", points.len(), rows.len()) } else { String::new() };
    let length = (480.0 / (top + 2.0)).clamp(2.0, 16.0) * 0.8;
    let marks = vec![Mark::Ticks { points, colour: "ink".into(), length }];
    let n_units = (top as usize).saturating_add(1);
    Some(Figure {
        title: "Spikes".into(),
        caption: format!("One row a unit, {n_units} of them; unit of work {}{left_out}.", rows.first()?.unit),
        keys: Vec::new(),
        svg: draw(&Plot { label: format!("Spike raster of {dataset}: {n_units} units over time"), x, y, marks }),
    })
}

/// Channels one above the other, each in a lane of height 1, all on one scale so that sizes compare.
fn traces(dataset: &str, rows: &[&PreviewRecord]) -> Option<Figure> {
    let channels = by_channel(rows);
    let shown = channels.len().min(MAX_TRACES);
    let x = Axis::around("time (s)", rows.iter().map(|row| row.x), 0.0)?;
    let middles: Vec<f64> =
        channels.iter().map(|(_, points)| points.iter().map(|point| point.1).sum::<f64>() / points.len() as f64).collect();
    let spread = channels
        .iter()
        .take(shown)
        .zip(&middles)
        .flat_map(|((_, points), middle)| points.iter().map(move |point| (point.1 - middle).abs()));
    let spread = spread.filter(|value| value.is_finite()).fold(0.0, f64::max);
    let scale = if spread > 0.0 { 0.48 / spread } else { 0.0 };
    let lane = |index: usize| (shown - 1 - index) as f64;
    let names = channels.iter().take(shown).enumerate().map(|(index, (name, _))| (lane(index), cut(name, 11))).collect();
    let y = Axis { label: String::new(), low: -0.6, high: shown as f64 - 0.4, names: Some(names), ..Axis::default() };
    let marks = channels
        .iter()
        .take(shown)
        .enumerate()
        .map(|(index, (_, points))| {
            let lifted = points.iter().map(|&(x, y)| (x, lane(index) + (y - middles[index]) * scale)).collect();
            Mark::Line { points: thinned(lifted, MAX_POINTS), colour: colour(index % 2 * 5), dashed: false }
        })
        .collect();
    let left_out = if shown < channels.len() { format!(" The first {shown} of {} channels.", channels.len()) } else { String::new() };
    Some(Figure {
        title: "Signal".into(),
        caption: format!("All channels on one scale, each around its mean; unit of work {}.{left_out}", rows.first()?.unit),
        keys: Vec::new(),
        svg: draw(&Plot { label: format!("Traces of {shown} channels of {dataset} over time"), x, y, marks }),
    })
}

fn spectra(dataset: &str, rows: &[&PreviewRecord]) -> Option<Figure> {
    let channels = by_channel(rows);
    let shown: Vec<_> = channels.iter().take(MAX_SPECTRA).collect();
    let positive = || shown.iter().flat_map(|(_, points)| points.iter()).filter(|point| point.0 > 0.0 && point.1 > 0.0);
    let x = Axis::log("frequency (Hz)", positive().map(|point| point.0))?;
    let y = Axis::log("power density", positive().map(|point| point.1))?;
    let line = |index: usize, points: &[(f64, f64)]| Mark::Line {
        points: thinned(points.iter().copied().filter(|point| point.0 > 0.0 && point.1 > 0.0).collect(), MAX_POINTS),
        colour: colour(index),
        dashed: false,
    };
    let left_out =
        if shown.len() < channels.len() { format!(" The first {} of {} channels.", shown.len(), channels.len()) } else { String::new() };
    Some(Figure {
        title: "Power spectrum".into(),
        caption: format!("Both axes logarithmic: a straight line is a power law; unit of work {}.{left_out}", rows.first()?.unit),
        keys: shown.iter().enumerate().map(|(index, (name, _))| (colour(index), cut(name, 20))).collect(),
        svg: draw(&Plot {
            label: format!("Power spectra of {} channels of {dataset}", shown.len()),
            x,
            y,
            marks: shown.iter().enumerate().map(|(index, (_, points))| line(index, points)).collect(),
        }),
    })
}

/// Points of each channel, channels in the order in which they first appear.
fn by_channel(rows: &[&PreviewRecord]) -> Vec<(String, Vec<(f64, f64)>)> {
    let mut channels: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for row in rows {
        match channels.iter_mut().find(|(name, _)| *name == row.channel) {
            Some((_, points)) => points.push((row.x, row.y)),
            None => channels.push((row.channel.clone(), vec![(row.x, row.y)])),
        }
    }
    channels
}
