//! Pictures of the point clouds: the first two coordinates, coloured by time.

use super::plot::{Axis, Mark, Plot, draw};
use super::{Figure, thinned};
use crate::report::facts::Facts;
use crate::table::EmbeddingRecord;

const MAX_POINTS: usize = 2000;
/// Steps of the colour scale from early to late.
const STEPS: usize = 8;

pub(super) fn figures(facts: &Facts, dataset: &str) -> Vec<Figure> {
    let Some(unit) = facts.first_done(dataset) else { return Vec::new() };
    let rows: Vec<&EmbeddingRecord> = facts.embeddings.iter().filter(|row| row.dataset == dataset && row.unit == unit.unit).collect();
    let mut names: Vec<&str> = Vec::new();
    for row in &rows {
        if !names.contains(&row.embedding.as_str()) {
            names.push(&row.embedding);
        }
    }
    names.into_iter().filter_map(|name| cloud(dataset, name, rows.iter().copied().filter(|row| row.embedding == name).collect())).collect()
}

fn cloud(dataset: &str, name: &str, rows: Vec<&EmbeddingRecord>) -> Option<Figure> {
    let all = rows.len();
    let unit = rows.first()?.unit.clone();
    let points: Vec<(f64, f64)> = thinned(rows, MAX_POINTS)
        .into_iter()
        .filter_map(|row| match row.vector[..] {
            [] => None,
            [only] => Some((f64::from(only), 0.0)),
            [x, y, ..] => Some((f64::from(x), f64::from(y))),
        })
        .collect();
    let mut x = Axis::around("coordinate 1", points.iter().map(|point| point.0), 0.05)?;
    let mut y = Axis::around("coordinate 2", points.iter().map(|point| point.1), 0.05)?;
    Axis::equalise(&mut x, &mut y);
    let chunk = points.len().div_ceil(STEPS).max(1);
    let marks = points
        .chunks(chunk)
        .enumerate()
        .map(|(step, points)| Mark::Dots { points: points.to_vec(), colour: format!("t{step}"), size: 8, square: false })
        .collect();
    let shown = points.len();
    let left_out = if shown < all { format!("{shown} of {all} points") } else { format!("{all} points") };
    Some(Figure {
        title: format!("Point cloud: {name}"),
        caption: format!("The first two coordinates, {left_out} of unit {unit}, from early to late."),
        keys: vec![("t0".into(), "early".into()), ("t3".into(), "middle".into()), ("t7".into(), "late".into())],
        svg: draw(&Plot { label: format!("Embedding {name} of {dataset}, first two coordinates of {shown} points"), x, y, marks }),
    })
}
