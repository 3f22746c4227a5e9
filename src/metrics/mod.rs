//! Metrics: one file a kind, one line in [`METRICS`].
//!
//! A metric is a pure function of what a [`Bench`] holds. It knows nothing of files, windows, tables or other units.

pub mod dual_total_correlation;
pub mod integration;
pub mod intrinsic_dimension;
pub mod lempel_ziv;
pub mod lz76;
pub mod lz78;
pub mod lzc;
pub mod neighbours;
pub mod o_information;
pub mod pci;
pub mod pci_st;
pub mod phi;
pub mod power_spectrum;
pub mod reconstruction_error;
pub mod resample;
pub mod s_information;
pub mod surrogate;
pub mod total_correlation;
pub mod transfer_entropy;

pub use resample::Resampling;

use crate::data::{Curve, MetricRow, Series, Spikes};
use crate::spec::{Entry, Section};

/// What a metric may look at: the unit's channels × time matrix (binned counts for spikes, or an embedding's coordinates as channels).
pub struct Bench<'a> {
    /// The matrix.
    pub series: &'a Series,
    /// The spike trains behind it, where there are any and the metric is on the signal.
    pub spikes: Option<&'a Spikes>,
    /// Seed of every random draw of this metric on this unit.
    pub seed: u64,
}

/// What a metric is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The matrix of one unit.
    Matrix,
    /// All trials of a dataset with `window.around` together; the matrix where it has none.
    Trials,
    /// An embedding, and what it was made of.
    Embedding,
}

/// What a metric may look at beside the matrix, where it [`Metric::needs`] it.
#[derive(Default)]
pub struct Beside<'a> {
    /// The trials whose mean the matrix is, on a clock that is 0 at the event. Empty: there are none.
    pub trials: &'a [Series],
    /// What the embedding whose coordinates the matrix holds was made of; its samples begin with the embedding's points.
    pub before: Option<&'a Series>,
}

/// What a metric hands back.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Output {
    /// Rows, the default statistic first.
    pub rows: Vec<MetricRow>,
    /// Curves for the report.
    pub curves: Vec<Curve>,
}

/// A metric with checked parameters.
pub trait Metric: Send + Sync + std::fmt::Debug {
    /// Computes it. An input for which it is not defined gives rows with [`crate::data::Value::Undefined`], never a panic.
    fn evaluate(&self, bench: &Bench<'_>) -> Output;
    /// The same with p-values and intervals, for a metric whose null or bootstrap is not that of [`resample::evaluate`];
    /// `None`: it has none of its own.
    fn evaluate_resampled(&self, _bench: &Bench<'_>, _resampling: &Resampling) -> Option<Output> {
        None
    }
    /// What it is computed from.
    fn needs(&self) -> Needs {
        Needs::Matrix
    }
    /// Whether a point cloud (`signal = "points"`) will do: each point a sample, each coordinate a channel.
    fn takes_points(&self) -> bool {
        false
    }
    /// Computes it with what it [`needs`](Metric::needs) beside the matrix.
    fn evaluate_beside(&self, bench: &Bench<'_>, _beside: &Beside<'_>) -> Output {
        self.evaluate(bench)
    }
    /// Whether the settings fit this matrix at all (its channels' names, length, rate): what no data of this shape could satisfy is
    /// a failed unit, not a table of nulls.
    ///
    /// # Errors
    /// What does not fit, and what to do.
    fn fits(&self, _series: &Series) -> Result<(), String> {
        Ok(())
    }
    /// The statistics that it writes, the default first.
    fn statistics(&self) -> &'static [&'static str];
    /// Every parameter that decides the result, for the content key.
    fn params(&self) -> serde_json::Value;
    /// Raised whenever the same parameters begin to give other numbers.
    fn version(&self) -> u32;
    /// Rough cost in CPU seconds for a matrix of this shape, for planning.
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64;
}

/// All metrics of this version.
pub static METRICS: &[Entry<dyn Metric>] = &[
    lz76::ENTRY,
    lz78::ENTRY,
    lzc::ENTRY,
    pci::ENTRY,
    pci_st::ENTRY,
    transfer_entropy::ENTRY,
    total_correlation::ENTRY,
    dual_total_correlation::ENTRY,
    o_information::ENTRY,
    s_information::ENTRY,
    phi::ENTRY,
    intrinsic_dimension::ENTRY,
    reconstruction_error::ENTRY,
    power_spectrum::ENTRY,
];

/// Kinds that the contract names and this version does not have yet.
pub const LATER: &[&str] = &["avalanches", "small-world", "metastability", "spike-statistics"];

/// Reports `surrogates` and `bootstrap` of a metric that has neither: its null is its own, or there is none.
pub(crate) fn no_resampling(section: &Section<'_>) {
    for key in ["surrogates", "bootstrap"] {
        if section.integer(key, 0).is_some_and(|count| count > 0) {
            section.error(section.span_of(key), format!("`{key}` is not defined for this metric"), "leave it out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;

    #[test]
    fn every_entry_lists_the_keys_that_its_parser_asks_for() {
        for entry in METRICS {
            let (asked, found) = with_section("", |section| {
                (entry.parse)(section);
                Resampling::parse(section);
                section.asked()
            });
            assert!(found.is_empty() || entry.keys.iter().any(|key| key.default.is_empty()), "{}: {found:?}", entry.kind);
            let known = |name: &str| entry.keys.iter().chain(resample::COMMON_KEYS).any(|key| key.name == name);
            assert!(asked.iter().all(|name| known(name)), "{} asks for {asked:?}", entry.kind);
            assert!(entry.keys.iter().all(|key| asked.contains(&key.name)), "{} asks for {asked:?}", entry.kind);
        }
    }
}
