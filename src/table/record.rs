//! Rows of the tables, as plain structs. Field order is column order (contract, section 3).

use crate::data::CurveKind;
use serde::{Deserialize, Serialize};

/// What every table says about itself in its Parquet metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the layout.
    pub schema_version: u32,
    /// Version of this tool.
    pub tool_version: String,
    /// BLAKE3 of the job as typed, overrides included.
    pub job_hash: String,
    /// The job's seed.
    pub seed: u64,
}

/// How a unit of work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitStatus {
    /// Its rows are in the tables.
    Done,
    /// `error` says why.
    Failed,
    /// Left out on purpose; `error` says why.
    Skipped,
}

/// `units.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitRecord {
    /// Stable id of the unit.
    pub unit: String,
    /// Its dataset.
    pub dataset: String,
    /// First instant, seconds; null for points and distances.
    pub window_start_s: Option<f64>,
    /// First instant after it, seconds.
    pub window_stop_s: Option<f64>,
    /// How it ended.
    pub status: UnitStatus,
    /// A stable word for what went wrong; `undefined` for a unit that is done but has values that do not exist.
    pub error_kind: Option<String>,
    /// The message.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Wall time, seconds.
    pub seconds: f64,
    /// Peak memory of the process that computed it, bytes.
    pub peak_memory_bytes: Option<u64>,
}

/// `metrics.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricRecord {
    /// Name of the job.
    pub job: String,
    /// Dataset id.
    pub dataset: String,
    /// Unit id.
    pub unit: String,
    /// First instant, seconds.
    pub window_start_s: Option<f64>,
    /// First instant after it, seconds.
    pub window_stop_s: Option<f64>,
    /// The metric's name, or `persistence.NAME`, `embedding.NAME`.
    pub metric: String,
    /// Which of its statistics.
    pub statistic: String,
    /// Channel, unit or source.
    pub source: Option<String>,
    /// Target of a directed quantity.
    pub target: Option<String>,
    /// Null where it does not exist (the unit's `error` says why).
    pub value: Option<f64>,
    /// Unit of measure.
    pub unit_of_measure: String,
    /// Lower end of the 95 % interval.
    pub ci_low: Option<f64>,
    /// Upper end of the 95 % interval.
    pub ci_high: Option<f64>,
    /// From surrogates.
    pub p_value: Option<f64>,
    /// How many.
    pub surrogates: Option<u32>,
}

/// `diagrams.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiagramRecord {
    /// Dataset id.
    pub dataset: String,
    /// Unit id.
    pub unit: String,
    /// Name of the persistence stage.
    pub persistence: String,
    /// Homology dimension.
    pub dim: i8,
    /// Filtration value at birth.
    pub birth: f64,
    /// Filtration value at death, `+inf` where it never dies.
    pub death: f64,
}

/// `embeddings.parquet`. The list has one size a table: shorter vectors end in nulls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingRecord {
    /// Dataset id.
    pub dataset: String,
    /// Unit id.
    pub unit: String,
    /// Name of the embedding.
    pub embedding: String,
    /// Row of the cloud.
    pub index: u32,
    /// Coordinates.
    pub vector: Vec<f32>,
}

/// `fidelity.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FidelityRecord {
    /// Candidate: a dataset id, or `<dataset>~<control>`.
    pub dataset: String,
    /// Reference dataset id(s), joined by `+`.
    pub reference: String,
    /// Test, or `overall`.
    pub test: String,
    /// What `observed` is.
    pub statistic: String,
    /// The candidate's value.
    pub observed: Option<f64>,
    /// The reference's value.
    pub reference_value: Option<f64>,
    /// Distance to the reference.
    pub distance: Option<f64>,
    /// Mean score of held-out reference segments.
    pub ceiling: Option<f64>,
    /// Score, 0 to 1.
    pub score: Option<f64>,
    /// Lower end of the 95 % interval of the score.
    pub ci_low: Option<f64>,
    /// Upper end.
    pub ci_high: Option<f64>,
}

/// `expectations.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectationRecord {
    /// The metric's name, or `persistence.NAME`, `embedding.NAME`, `fidelity`.
    pub metric: String,
    /// Dataset id.
    pub dataset: String,
    /// Who published the value.
    pub source: Option<String>,
    /// The published value; the middle of a range, or the finite end of a one-sided one.
    pub published: Option<f64>,
    /// Absolute tolerance around it (a relative one is multiplied out); null for a one-sided range.
    pub tolerance: Option<f64>,
    /// Our value.
    pub observed: Option<f64>,
    /// `observed - published`, or how far outside the range.
    pub deviation: Option<f64>,
    /// Whether it held.
    pub held: bool,
}

/// `previews.parquet`: a few thousand points a dataset for the report's pictures. No number is computed from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreviewRecord {
    /// Dataset id.
    pub dataset: String,
    /// Unit id.
    pub unit: String,
    /// What is drawn.
    pub kind: CurveKind,
    /// Channel or unit.
    pub channel: String,
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
}
