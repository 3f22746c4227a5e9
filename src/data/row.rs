//! What a method hands back: rows of the long table, and curves to draw.

use serde::{Deserialize, Serialize};

/// A number, or why there is none. Never a bare NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A finite (or honestly infinite) result.
    Known(f64),
    /// The quantity does not exist for this input (a constant channel has no normalised complexity); the reason.
    Undefined(String),
    /// It was looked for and is not there, an ordinary finding (a spectrum without a peak); the reason. Null in the table, no note.
    Absent(String),
}

impl Value {
    /// A value, `Undefined` with `reason` when `number` is NaN.
    pub fn of(number: f64, reason: &str) -> Self {
        if number.is_nan() { Self::Undefined(reason.to_owned()) } else { Self::Known(number) }
    }
    /// The number, if there is one.
    pub fn known(&self) -> Option<f64> {
        match self {
            Self::Known(number) => Some(*number),
            Self::Undefined(_) | Self::Absent(_) => None,
        }
    }
}

/// One row of `metrics.parquet`, without the columns that say where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricRow {
    /// Name of the statistic; the first that a metric writes is its default.
    pub statistic: String,
    /// The channel, unit or source that the row is about.
    pub source: Option<String>,
    /// The other end of a directed or paired quantity.
    pub target: Option<String>,
    /// The value, or why there is none.
    pub value: Value,
    /// Unit of measure (`"bit"`, `"nat"`, `"Hz"`, `"1"` for a pure number).
    pub unit_of_measure: String,
    /// Lower end of the 95 % interval.
    pub ci_low: Option<f64>,
    /// Upper end of the 95 % interval.
    pub ci_high: Option<f64>,
    /// `(1 + #{surrogate >= observed}) / (1 + surrogates)`.
    pub p_value: Option<f64>,
    /// How many surrogates stand behind `p_value`.
    pub surrogates: Option<u32>,
}

impl MetricRow {
    /// A row with a value and nothing else.
    pub fn new(statistic: impl Into<String>, value: Value, unit_of_measure: impl Into<String>) -> Self {
        Self {
            statistic: statistic.into(),
            source: None,
            target: None,
            value,
            unit_of_measure: unit_of_measure.into(),
            ci_low: None,
            ci_high: None,
            p_value: None,
            surrogates: None,
        }
    }
    /// The same row about `source`.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }
    /// The same row towards `target`.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }
}

/// What a curve shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CurveKind {
    /// x: spike times, seconds; y: row of the unit.
    Raster,
    /// x: time, seconds; y: value.
    Trace,
    /// x: frequency, Hz; y: power density.
    Spectrum,
}

/// A few thousand points for the report's pictures; never a result that a number is computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// What is drawn.
    pub kind: CurveKind,
    /// The channel or unit.
    pub channel: String,
    /// Abscissae.
    pub x: Vec<f64>,
    /// Ordinates, as many.
    pub y: Vec<f64>,
}
