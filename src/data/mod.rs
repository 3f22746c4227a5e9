//! Plain values that check their invariants when they are made. No I/O, no device, no parameters of a method.

mod diagram;
mod points;
mod row;
mod series;
mod spikes;

pub use diagram::{Diagrams, Pair};
pub use points::{DistanceMatrix, Points};
pub use row::{Curve, CurveKind, MetricRow, Value};
pub use series::Series;
pub use spikes::{SpikeTrain, Spikes};

use serde::{Deserialize, Serialize};

/// A value that broke an invariant of the type it was meant for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct DataError(pub String);

impl DataError {
    /// An error from anything that prints.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// What one unit of work is about: one dataset, one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// Spike trains of a population on one clock.
    Spikes(Spikes),
    /// Regularly sampled channels.
    Series(Series),
    /// A point cloud.
    Points(Points),
    /// A finite metric space, given by its distances.
    Distances(DistanceMatrix),
}

/// A half-open stretch of a recording's clock, `[start_s, stop_s)`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// First instant, seconds.
    pub start_s: f64,
    /// First instant after the stretch, seconds.
    pub stop_s: f64,
}

impl Span {
    /// Length in seconds.
    pub fn length_s(&self) -> f64 {
        self.stop_s - self.start_s
    }
}
