//! Biological-fidelity tests: one file a test, one line in [`TESTS`]; `score.rs` is the only place that sees many units.
//!
//! A test turns one segment of a recording into a [`Profile`] and says how far two profiles are apart. [`score()`] makes a number
//! between 0 and 1 of the distances, by what real recordings of the reference are apart from each other. It says "as close to the
//! reference as its own held-out recordings", never "biological".

mod bootstrap;
pub mod power_spectrum;
mod score;
mod segment;

pub use score::{Score, score};
pub use segment::{Group, Segment, segments};

use crate::data::{Series, SpikeTrain};
use crate::spec::Entry;
use serde::{Deserialize, Serialize};

/// What one recording segment looks like to a test: a feature vector on a common abscissa.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Abscissa of each feature (a frequency, a quantile), so that profiles of unequal length can be compared where they overlap.
    pub x: Vec<f64>,
    /// The features.
    pub y: Vec<f64>,
    /// The scalar that `observed` and `reference_value` show.
    pub headline: f64,
}

/// A fidelity test with checked parameters.
pub trait Test: Send + Sync + std::fmt::Debug {
    /// Its name in `tests = […]`.
    fn name(&self) -> &'static str;
    /// Tests of one family count once in the total, by the worst of them.
    fn family(&self) -> &'static str {
        self.name()
    }
    /// Name of the statistic in `fidelity.parquet`.
    fn statistic(&self) -> &'static str;
    /// The profile of one segment.
    ///
    /// # Errors
    /// Why this segment cannot be tested (too short, silent).
    fn profile(&self, series: &Series, trains: Option<&[SpikeTrain]>) -> Result<Profile, String>;
    /// Distance between two profiles: 0 for equal ones, the same both ways, finite.
    ///
    /// # Errors
    /// When they have nothing in common.
    fn distance(&self, a: &Profile, b: &Profile) -> Result<f64, String>;
    /// Every parameter that decides the result.
    fn params(&self) -> serde_json::Value;
    /// Raised whenever the same parameters begin to give other numbers.
    fn version(&self) -> u32;
}

/// All tests of this version.
pub static TESTS: &[Entry<dyn Test>] = &[power_spectrum::ENTRY];

/// Tests that the contract names and this version does not have yet.
pub const LATER: &[&str] = &["avalanches", "small-world", "metastability", "spike-statistics"];
