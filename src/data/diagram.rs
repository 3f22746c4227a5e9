//! Persistence diagrams.

use serde::{Deserialize, Serialize};

/// One class: born at `birth`, dead at `death` (`+inf` where it lives beyond the threshold).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Filtration value at which the class appears.
    pub birth: f64,
    /// Filtration value at which it disappears.
    pub death: f64,
}

impl Pair {
    /// `death - birth`.
    pub fn persistence(&self) -> f64 {
        self.death - self.birth
    }
}

/// The diagrams of one space in dimensions `0..=max_dim`, pairs of zero persistence left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Diagrams {
    /// Pairs by homology dimension, each sorted by birth, then death.
    pub by_dim: Vec<Vec<Pair>>,
    /// The filtration value up to which the complex was built.
    pub threshold: f64,
    /// Number of points that the complex was built on.
    pub n_points: usize,
    /// Where landmarks stood in for the points: the largest distance of a point to its nearest landmark.
    /// The bottleneck distance to the full cloud's diagram is then at most twice this.
    pub covering_radius: Option<f64>,
}
