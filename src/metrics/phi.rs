//! Integrated information of a Gaussian process: what its whole says of its future that its parts do not.
//!
//! From the covariance of `x(t)` and `x(t + lag)`, in nats, for a partition of the channels into parts `M`:
//!
//! * `wms`: `I(X; Y) - Σ I(M_X; M_Y)`, whole minus sum (A. Barrett & A. Seth 2011, PLoS Comput. Biol. 7). Negative where parts share
//!   what they say.
//! * `r`: that plus the redundancy `min_ij I(Mᵢ_X; Mⱼ_Y)` of two parts, which whole minus sum takes off twice (P. Mediano et al. 2021,
//!   arXiv:2109.13186; minimum mutual information).
//! * `star`: `I - max_β I*(β)`, what is lost when a decoder takes the parts for independent (M. Oizumi et al. 2016, PLoS Comput. Biol. 12;
//!   mismatched decoding, Gaussian form). Between 0 and `I`.
//! * `g`: `½ ln |Σ'| / |Σ|`, the least Kullback-Leibler divergence from the models in which no part acts on another, noise free to
//!   correlate (M. Oizumi, N. Tsuchiya & S. Amari 2016, PNAS 113; geometry: S. Amari, N. Tsuchiya & M. Oizumi 2017, arXiv:1709.02050). Between
//!   0 and `I`.
//!
//! **Partition.** `mip`: the cut into two that makes the quantity least, not normalised, as J. Kitazono, R. Kanai & M. Oizumi 2018 (Entropy
//! 20) search it: all cuts up to 12 channels; above, M. Queyranne's 1998 algorithm, exact for submodular quantities and close for these
//! (the tests compare). `atomic`: every channel a part.

mod gaussian;
mod partition;

use super::integration::normal;
use super::{Bench, Metric, Output};
use crate::data::{MetricRow, Series, Value};
use crate::spec::{Entry, Key, Section};
use gaussian::System;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "phi",
    summary: "integrated information of a Gaussian process across its weakest cut",
    keys: &[
        Key {
            name: "variant",
            default: "\"star\"",
            help: "star: mismatched decoding; g: geometric; r: corrected whole minus sum; wms: whole minus sum",
        },
        Key { name: "lag", default: "1", help: "samples from past to present" },
        Key { name: "partition", default: "\"mip\"", help: "mip: the cut into two that loses least; atomic: every channel a part" },
        Key { name: "estimator", default: "\"gaussian\"", help: "gaussian, or gaussian-copula: of normal scores" },
    ],
    parse: |section| Phi::parse(section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};

/// Up to so many channels every cut is tried.
const EXHAUSTIVE: usize = 12;

/// What is measured across a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Mismatched decoding.
    Star,
    /// Information geometry.
    Geometric,
    /// Whole minus sum, corrected for redundancy.
    Corrected,
    /// Whole minus sum.
    WholeMinusSum,
}

const VARIANTS: &[(&str, Variant)] =
    &[("star", Variant::Star), ("g", Variant::Geometric), ("r", Variant::Corrected), ("wms", Variant::WholeMinusSum)];

/// The metric with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Phi {
    variant: Variant,
    lag: usize,
    atomic: bool,
    copula: bool,
}

impl Phi {
    fn parse(section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        let names: Vec<&str> = VARIANTS.iter().map(|(name, _)| *name).collect();
        let named = section.choice("variant", &names);
        let variant = VARIANTS.iter().find(|(name, _)| Some(*name) == named).map_or(Variant::Star, |(_, variant)| *variant);
        let lag = section.integer("lag", 1).unwrap_or(1) as usize;
        let atomic = section.choice("partition", &["mip", "atomic"]) == Some("atomic");
        let copula = section.choice("estimator", &["gaussian", "gaussian-copula"]) == Some("gaussian-copula");
        (section.diagnostics().len() == before).then_some(Self { variant, lag, atomic, copula })
    }

    /// The value, and the cut that it is of.
    fn value(&self, series: &Series) -> Result<(f64, Option<partition::Cut>), String> {
        let (n, m) = (series.n_samples(), series.n_channels());
        if m < 2 {
            return Err("one channel has no parts: 2 or more are needed".into());
        }
        let pairs = n.saturating_sub(self.lag);
        if pairs <= 2 * m {
            return Err(format!("{n} samples at a lag of {} give {pairs} pairs; {m} channels need more than {}", self.lag, 2 * m));
        }
        let scores = if self.copula { Some(normal::scores(series)) } else { None };
        let system = System::of(scores.as_ref().unwrap_or(series), self.lag)?;
        if self.atomic {
            if self.variant == Variant::Corrected && m > 2 {
                return Err(format!(
                    "the correction of `variant = \"r\"` is defined for two parts, not for {m}; use `partition = \"mip\"`"
                ));
            }
            let parts: Vec<Vec<usize>> = (0..m).map(|at| vec![at]).collect();
            return Ok((system.measure(self.variant, &parts)?, None));
        }
        let cost = |parts: &[Vec<usize>; 2]| system.measure(self.variant, parts);
        let (value, cut) = if m <= EXHAUSTIVE { partition::exhaustive(m, cost) } else { partition::queyranne(m, cost) }?;
        Ok((value, Some(cut)))
    }
}

impl Metric for Phi {
    fn statistics(&self) -> &'static [&'static str] {
        &["value", "mip"]
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        let names = bench.series.channels();
        let part = |part: &Vec<usize>| part.iter().map(|&at| names[at].as_str()).collect::<Vec<_>>().join(",");
        let rows = match self.value(bench.series) {
            Ok((value, cut)) => {
                let mut rows = vec![MetricRow::new("value", Value::Known(value), "nat")];
                rows.extend(cut.map(|[one, other]| {
                    let why = Value::Absent("a partition is no number: it stands under `target`".into());
                    MetricRow::new("mip", why, "1").target(format!("{} | {}", part(&one), part(&other)))
                }));
                rows
            }
            Err(reason) => vec![MetricRow::new("value", Value::Undefined(reason), "nat")],
        };
        Output { rows, curves: Vec::new() }
    }
    fn params(&self) -> serde_json::Value {
        let name = VARIANTS.iter().find(|(_, variant)| *variant == self.variant).map(|(name, _)| *name);
        serde_json::json!({ "variant": name, "lag": self.lag, "atomic": self.atomic, "copula": self.copula })
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        let m = n_channels as f64;
        let cuts = if self.atomic {
            1.0
        } else if n_channels <= EXHAUSTIVE {
            2f64.powf(m - 1.0)
        } else {
            m * m * m / 3.0
        };
        let steps = if matches!(self.variant, Variant::WholeMinusSum | Variant::Corrected) { 4.0 } else { 50.0 };
        4e-9 * m * m * n_samples as f64 + cuts * steps * (1e-9 * m * m * m + 1e-7)
    }
}
