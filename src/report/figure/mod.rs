//! The report's pictures: which there are for a dataset, and in which order.

mod embedding;
mod metric;
mod pairs;
mod plot;
mod signal;
mod topology;

use super::facts::Facts;

/// A picture with its words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) title: String,
    /// What to see, and what was left out.
    pub(super) caption: String,
    /// Colour (a CSS variable's name) and meaning.
    pub(super) keys: Vec<(String, String)>,
    pub(super) svg: String,
}

/// Everything that can be drawn of a dataset.
pub(super) fn of_dataset(facts: &Facts, dataset: &str) -> Vec<Figure> {
    let mut figures = signal::figures(facts, dataset);
    figures.extend(embedding::figures(facts, dataset));
    figures.extend(topology::figures(facts, dataset));
    figures.extend(metric::figures(facts, dataset));
    figures.retain(|figure| !figure.svg.is_empty());
    figures
}

/// Fidelity scores of all datasets.
pub(super) fn of_scores(facts: &Facts) -> Option<Figure> {
    metric::scores(facts)
}

/// The colour of the `index`th series: a palette that eight in a hundred men, who confuse red and green, can tell apart.
fn colour(index: usize) -> String {
    format!("c{}", index % 6)
}

/// A long name cut to `letters`.
fn cut(name: &str, letters: usize) -> String {
    if name.chars().count() <= letters {
        return name.to_owned();
    }
    name.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

/// About `most` of the items, evenly spread, the first among them.
fn thinned<T>(items: Vec<T>, most: usize) -> Vec<T> {
    let step = items.len().div_ceil(most.max(1)).max(1);
    items.into_iter().step_by(step).collect()
}
