//! Embeddings: one file a method, one line in [`EMBEDDINGS`].

pub mod pca;
pub mod takens;

use crate::data::{MetricRow, Points, Series};
use crate::spec::Entry;

/// An embedded window: one point a row, and what was chosen or found on the way.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Embedded {
    /// The cloud.
    pub points: Points,
    /// Rows of `embedding.<name>` (`explained_variance`, `dimension`, `delay`, …).
    pub rows: Vec<MetricRow>,
}

/// An embedding with checked parameters.
pub trait Embed: Send + Sync + std::fmt::Debug {
    /// Embeds one window.
    ///
    /// # Errors
    /// When the window is too short or has too few channels: what was needed and what there was.
    fn embed(&self, series: &Series, seed: u64) -> Result<Embedded, EmbedError>;
    /// Every parameter that decides the result.
    fn params(&self) -> serde_json::Value;
    /// Raised whenever the same parameters begin to give other numbers.
    fn version(&self) -> u32;
    /// Rough cost in CPU seconds.
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64;
}

/// Why a window could not be embedded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct EmbedError(pub String);

/// All embeddings of this version; `none` is the absence of one and stands in the job's check.
pub static EMBEDDINGS: &[Entry<dyn Embed>] = &[takens::ENTRY, pca::ENTRY];

/// Methods that the contract names and this version does not have yet.
pub const LATER: &[&str] = &["onnx", "qwen"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;

    #[test]
    fn every_entry_lists_the_keys_that_its_parser_asks_for() {
        for entry in EMBEDDINGS {
            let (asked, _) = with_section("", |section| {
                (entry.parse)(section);
                section.asked()
            });
            let listed: Vec<_> = entry.keys.iter().map(|key| key.name).collect();
            assert_eq!(asked, listed, "{}", entry.kind);
        }
    }
}
