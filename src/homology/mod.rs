//! Persistent homology. Knows nothing of recordings.
//!
//! [`Rips`] computes Vietoris-Rips diagrams of a point cloud or a distance matrix; [`landmarks`] thins a cloud with a stated
//! error bound; [`summary`] turns diagrams into numbers and curves; [`bottleneck`] and
//! [`wasserstein`] compare two diagrams.

pub mod bottleneck;
pub mod landmarks;
mod rips;
pub mod summary;
pub mod wasserstein;

pub use landmarks::Landmarks;
pub use rips::{Collapse, Layout, MAX_DIM, Rips, Threshold};
pub use summary::Summary;

/// Why diagrams could not be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HomologyError {
    /// Homology is taken over a field with a prime number of elements.
    #[error("homology needs a prime modulus, not {0}: try 2 (the default), 3 or 11")]
    Modulus(u16),
    /// The threshold is not a length.
    #[error("the threshold must be 0 or more, not {0}")]
    Threshold(f64),
    /// A homology dimension beyond [`MAX_DIM`].
    #[error("homology is computed up to dimension {MAX_DIM}, not {0}")]
    Dimension(usize),
    /// Simplices of this many points cannot be numbered in 128 bits.
    #[error(
        "the simplices of {n_points} points up to dimension {} need {bits} bits, and there are 128: lower max_dim, or take at most {max_points} points",
        max_dim + 1
    )]
    TooLarge {
        /// Points asked for.
        n_points: usize,
        /// Highest homology dimension asked for.
        max_dim: usize,
        /// Bits that a simplex with its filtration value would take.
        bits: u32,
        /// The most points that could be numbered at this dimension.
        max_points: usize,
    },
    /// The memory limit would be passed.
    #[error(
        "{what} needs about {} MiB, above the limit of {} MiB: raise the limit, lower the threshold{}, or take at most {landmarks} landmarks",
        needed_bytes.div_ceil(1 << 20), limit_bytes >> 20,
        threshold.map_or(String::new(), |value| format!(" to {value:.6} or less"))
    )]
    Memory {
        /// The step that asks for the memory.
        what: String,
        /// What it needs, bytes (an estimate from below).
        needed_bytes: u64,
        /// What the caller allowed, bytes.
        limit_bytes: u64,
        /// A number of points that should fit.
        landmarks: usize,
        /// A threshold that should fit, where one can be told.
        threshold: Option<f64>,
    },
}
