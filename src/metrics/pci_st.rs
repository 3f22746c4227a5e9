//! The perturbational complexity index by state transitions: how many more transitions the components of a response make than
//! those of the baseline.
//!
//! R. Comolatti et al. 2019, Brain Stimul. 12:1280, as the authors' code computes it (github.com/renzocom/PCIst). Singular vectors of the
//! response (samples × channels, its mean left in) give components, of which as many are kept as hold `max_variance` per cent of the
//! squared singular values, and of those the ones whose root mean square in the response exceeds `min_snr` times that in the
//! baseline. For each, with distances `d(i, j)` between instants, `n_steps` thresholds from the median distance of the baseline to the
//! largest of the response: `NST` is the number of `j` at which `d(i, j) ≤ threshold` changes, over the squared number of samples,
//! and `ΔNST = n · max (NST_response - k NST_baseline)`, at least 0. `value` is the sum over components.
//!
//! Trials as in [`super::pci`]; the response is that of their mean.

use super::pci::{covered, samples};
use super::{Bench, Beside, Metric, Needs, Output, no_resampling};
use crate::data::{MetricRow, Series, Value};
use crate::spec::{Entry, Key, Section};
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rayon::prelude::*;
use std::ops::Range;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "pci-st",
    summary: "perturbational complexity by state transitions of evoked responses (Comolatti et al. 2019)",
    keys: &[
        Key { name: "baseline_s", default: "[-0.4, -0.05]", help: "[from, to] of the baseline, seconds from the event" },
        Key { name: "response_s", default: "[0.0, 0.3]", help: "[from, to] of the response, seconds from the event" },
        Key { name: "max_variance", default: "99.0", help: "per cent of the response's squared singular values that the components hold" },
        Key { name: "min_snr", default: "1.1", help: "least ratio of a component's root mean square in the response to the baseline" },
        Key { name: "k", default: "1.2", help: "weight of the baseline's transitions" },
        Key { name: "n_steps", default: "100", help: "thresholds" },
        Key { name: "embed", default: "false", help: "distances between delay vectors of each component" },
        Key { name: "dimension", default: "", help: "with embed: coordinates of a delay vector" },
        Key { name: "delay", default: "", help: "with embed: samples between them" },
    ],
    parse: |section| PciSt::parse(section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};

/// The metric with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct PciSt {
    baseline_s: [f64; 2],
    response_s: [f64; 2],
    max_variance: f64,
    min_snr: f64,
    k: f64,
    n_steps: usize,
    /// Dimension and delay of delay vectors.
    embed: Option<[usize; 2]>,
}

impl PciSt {
    fn parse(section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        no_resampling(section);
        let baseline_s = section.range("baseline_s").unwrap_or([-0.4, -0.05]);
        let response_s = section.range("response_s").unwrap_or([0.0, 0.3]);
        if section.diagnostics().len() == before && baseline_s[1] > response_s[1] {
            section.error(section.span_of("baseline_s"), "the baseline must end before the response", "");
        }
        let max_variance =
            section.number_where("max_variance", "above 0 and up to 100", |part| part > 0.0 && part <= 100.0).unwrap_or(99.0);
        let min_snr = section.number_where("min_snr", "0 or more", |ratio| ratio >= 0.0).unwrap_or(1.1);
        let k = section.number_where("k", "0 or more", |k| k >= 0.0).unwrap_or(1.2);
        let n_steps = section.integer("n_steps", 2).unwrap_or(100) as usize;
        let embed = section.boolean("embed").unwrap_or(false);
        let vector = [section.integer("dimension", 2), section.integer("delay", 1)];
        let embed = match (embed, vector) {
            (true, [Some(dimension), Some(delay)]) => Some([dimension as usize, delay as usize]),
            (true, _) => {
                section.error(section.span_of("embed"), "`embed = true` needs `dimension` and `delay`", "in samples");
                None
            }
            (false, [None, None]) => None,
            (false, _) => {
                let key = if vector[0].is_some() { "dimension" } else { "delay" };
                section.error(section.span_of(key), format!("`{key}` goes with `embed = true`"), "");
                None
            }
        };
        (section.diagnostics().len() == before).then_some(Self { baseline_s, response_s, max_variance, min_snr, k, n_steps, embed })
    }

    /// `ΔNST` of each component that is kept.
    fn transitions(&self, series: &Series) -> Result<Vec<f64>, String> {
        let (base, answer) = (samples(series, self.baseline_s), samples(series, self.response_s));
        if base.len() < 2 || answer.len() < 2 {
            return Err(format!("{} samples of baseline and {} of response; each needs 2 or more", base.len(), answer.len()));
        }
        let span = base.start.min(answer.start)..answer.end;
        let mut components = Vec::new();
        for component in self.components(series, &answer)? {
            let power = |part: &Range<usize>| component[part.clone()].iter().map(|value| value * value).sum::<f64>() / part.len() as f64;
            if (power(&answer) / power(&base)).sqrt() > self.min_snr {
                components.push(component);
            }
        }
        Ok(components
            .par_iter()
            .map(|component| self.of_component(&component[span.clone()], shifted(&base, span.start), shifted(&answer, span.start)))
            .collect())
    }

    /// The whole series projected on the singular vectors of the response that hold `max_variance` of it.
    fn components(&self, series: &Series, answer: &Range<usize>) -> Result<Vec<Vec<f64>>, String> {
        let response = DMatrix::from_fn(answer.len(), series.n_channels(), |t, channel| series.channel(channel)[answer.start + t]);
        let (values, vectors) = singular(&response);
        let total: f64 = values.iter().map(|value| value * value).sum();
        if total == 0.0 {
            return Err("the response is 0 throughout".into());
        }
        let mut cumulative = 0.0;
        let reached = values.iter().filter(|value| {
            cumulative += 100.0 * *value * *value / total;
            cumulative >= self.max_variance
        });
        let kept = if self.max_variance == 100.0 { values.len() } else { (values.len() + 1 - reached.count()).min(values.len()) };
        let project = |row: usize| {
            let mut out = vec![0.0; series.n_samples()];
            for (channel, values) in series.iter().enumerate() {
                let weight = vectors[(channel, row)];
                out.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
            }
            out
        };
        Ok((0..kept).map(project).collect())
    }

    fn of_component(&self, component: &[f64], base: Range<usize>, answer: Range<usize>) -> f64 {
        // A delay vector stands at its latest sample.
        let [dimension, delay] = self.embed.unwrap_or([1, 1]);
        let first = (dimension - 1) * delay;
        let vectors = |part: Range<usize>| -> Vec<Vec<f64>> {
            (part.start.max(first)..part.end).map(|t| (0..dimension).map(|at| component[t - at * delay]).collect()).collect()
        };
        let (base, answer) = (distances(&vectors(base)), distances(&vectors(answer)));
        let n_base = base.len().isqrt();
        let n_answer = answer.len().isqrt();
        let (low, high) = (median(&base), answer.iter().copied().fold(0.0, f64::max));
        let step = (high - low) / (self.n_steps - 1) as f64;
        let mut thresholds: Vec<f64> =
            (0..self.n_steps).map(|at| if at + 1 == self.n_steps { high } else { at as f64 * step + low }).collect();
        thresholds.sort_by(f64::total_cmp);
        let (of_base, of_answer) = (changes(&base, n_base, &thresholds), changes(&answer, n_answer, &thresholds));
        let difference =
            |at: usize| of_answer[at] as f64 / (n_answer * n_answer) as f64 - self.k * (of_base[at] as f64 / (n_base * n_base) as f64);
        let largest = (0..self.n_steps).map(difference).fold(f64::NEG_INFINITY, f64::max);
        (largest * n_answer as f64).max(0.0)
    }
}

impl Metric for PciSt {
    fn needs(&self) -> Needs {
        Needs::Trials
    }
    fn statistics(&self) -> &'static [&'static str] {
        &["value", "components", "dnst"]
    }
    fn fits(&self, series: &Series) -> Result<(), String> {
        [self.baseline_s, self.response_s].iter().try_for_each(|window| covered(series, *window))
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        self.evaluate_beside(bench, &Beside::default())
    }
    /// The trials' mean is the matrix already.
    fn evaluate_beside(&self, bench: &Bench<'_>, _: &Beside<'_>) -> Output {
        let found = self.transitions(bench.series);
        let (value, components) = match &found {
            // An empty sum is -0.0.
            Ok(each) => (Value::Known(each.iter().sum::<f64>() + 0.0), Value::Known(each.len() as f64)),
            Err(reason) => (Value::Undefined(reason.clone()), Value::Undefined(reason.clone())),
        };
        let mut rows = vec![MetricRow::new("value", value, "1"), MetricRow::new("components", components, "1")];
        rows.extend(
            found
                .unwrap_or_default()
                .into_iter()
                .enumerate()
                .map(|(at, one)| MetricRow::new("dnst", Value::Known(one), "1").source(format!("pc{}", at + 1))),
        );
        Output { rows, curves: Vec::new() }
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!({
            "baseline_s": self.baseline_s, "response_s": self.response_s, "max_variance": self.max_variance, "min_snr": self.min_snr,
            "k": self.k, "n_steps": self.n_steps, "embed": self.embed,
        })
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        let (c, n) = (n_channels as f64, n_samples as f64);
        1e-9 * c.min(n) * c * n + 1e-7 * n * n
    }
}

/// Singular values, the largest first, and right singular vectors as columns: the eigenvectors of the smaller product of the matrix with
/// itself. (nalgebra's own decomposition mixes vectors whose values lie within a few per cent.)
fn singular(matrix: &DMatrix<f64>) -> (Vec<f64>, DMatrix<f64>) {
    let wide = matrix.nrows() < matrix.ncols();
    let eigen = SymmetricEigen::new(if wide { matrix * matrix.transpose() } else { matrix.tr_mul(matrix) });
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]).then(a.cmp(&b)));
    let values = order.iter().map(|&at| eigen.eigenvalues[at].max(0.0).sqrt()).collect();
    let columns: Vec<_> = order
        .iter()
        .map(|&at| {
            let vector = eigen.eigenvectors.column(at).into_owned();
            if wide { matrix.tr_mul(&vector).try_normalize(0.0).unwrap_or_else(|| DVector::zeros(matrix.ncols())) } else { vector }
        })
        .collect();
    (values, DMatrix::from_columns(&columns))
}

fn shifted(part: &Range<usize>, by: usize) -> Range<usize> {
    part.start - by..part.end - by
}

/// All distances, row by row.
fn distances(vectors: &[Vec<f64>]) -> Vec<f64> {
    let apart = |a: &[f64], b: &[f64]| match (a, b) {
        ([a], [b]) => (a - b).abs(),
        _ => a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt(),
    };
    vectors.iter().flat_map(|a| vectors.iter().map(move |b| apart(a, b))).collect()
}

/// Half way between the two middle values where their number is even; 0 for none.
fn median(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let mut work = values.to_vec();
    let n = work.len();
    let (below, &mut upper, _) = work.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 { upper } else { 0.5 * (upper + below.iter().copied().fold(f64::NEG_INFINITY, f64::max)) }
}

/// For each threshold (ascending), how often `distance ≤ threshold` changes from one column to the next: neighbours `a`, `b` differ
/// exactly where `min ≤ threshold < max`.
fn changes(distances: &[f64], n: usize, thresholds: &[f64]) -> Vec<i64> {
    let mut steps = vec![0_i64; thresholds.len() + 1];
    for row in distances.chunks_exact(n.max(1)) {
        for pair in row.windows(2) {
            steps[thresholds.partition_point(|&threshold| threshold < pair[0].min(pair[1]))] += 1;
            steps[thresholds.partition_point(|&threshold| threshold < pair[0].max(pair[1]))] -= 1;
        }
    }
    let mut sum = 0;
    steps[..thresholds.len()]
        .iter()
        .map(|step| {
            sum += step;
            sum
        })
        .collect()
}
