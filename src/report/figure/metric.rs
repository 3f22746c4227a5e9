//! Pictures of metrics over the windows, and fidelity scores.

use super::plot::{Axis, Mark, Plot, draw};
use super::{Figure, colour, cut};
use crate::report::facts::Facts;
use crate::report::number::maybe;
use crate::table::FidelityRecord;

/// Pictures of metrics over time a dataset; the table has all of them.
const MAX_METRICS: usize = 12;
/// Windows from which on a line without dots reads better.
const MANY_WINDOWS: usize = 60;

pub(super) fn figures(facts: &Facts, dataset: &str) -> Vec<Figure> {
    let metrics = facts.metrics(dataset);
    let over_time = metrics.iter().filter_map(|metric| over_windows(facts, dataset, metric)).take(MAX_METRICS);
    let mut figures: Vec<Figure> = over_time.collect();
    figures.extend(metrics.iter().flat_map(|metric| super::pairs::figures(facts, dataset, metric)));
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
