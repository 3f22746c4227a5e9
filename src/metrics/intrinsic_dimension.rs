//! How many coordinates a cloud needs: each sample is a point, each channel a coordinate.
//!
//! * `twonn` (E. Facco, M. d'Errico, A. Rodriguez & A. Laio 2017, Sci. Rep. 7): the slope through 0 of `-ln(1 - F)` on `ln(r₂/r₁)`, with `F`
//!   the share of points up to that ratio, without the largest `discard_fraction` of the ratios.
//! * `mle` (E. Levina & P. Bickel 2004, NIPS 17): `[1/(k-1) Σ ln(T_k/T_j)]⁻¹` at every point, averaged over points as its inverse (D. MacKay &
//!   Z. Ghahramani 2005) or, with `average = "mean"`, as it is.
//! * `correlation` (P. Grassberger & I. Procaccia 1983, Physica D 9): the slope of `ln C(r)` on `ln r`, `C` the share of pairs closer than
//!   `r`. Between the median distances to the `k`th and the `2k`th neighbour; or the least-squares slope over 20 radii
//!   between `radii`. The two ends are written out: a slope is a dimension only where it does not depend on them.
//! * `participation-ratio`: `(Σ λ)² / Σ λ²` of the covariance's eigenvalues: a linear dimension.
//!
//! Points that have a twin at distance 0 have no ratio and are left out of the first two; `points` says how many were used.

use super::neighbours::Neighbours;
use super::{Bench, Metric, Output};
use crate::data::{MetricRow, Series, Value};
use crate::spec::{Entry, Key, Section};
use rayon::prelude::*;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "intrinsic-dimension",
    summary: "how many coordinates a cloud needs",
    keys: &[
        Key {
            name: "method",
            default: "\"twonn\"",
            help: "twonn, mle (Levina-Bickel), correlation (Grassberger-Procaccia), participation-ratio",
        },
        Key { name: "k", default: "10", help: "neighbours (mle; correlation: from the k-th to the 2k-th)" },
        Key { name: "discard_fraction", default: "0.1", help: "part of the largest ratios that twonn leaves out" },
        Key { name: "average", default: "\"inverse\"", help: "mle: mean over points of the inverse, or \"mean\" as Levina and Bickel" },
        Key { name: "radii", default: "", help: "correlation: [from, to] of the scaling region, in the data's unit" },
        Key { name: "theiler", default: "0", help: "samples on either side of a point that are no neighbours of it" },
    ],
    parse: |section| Dimension::parse(section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};

/// Radii of the least-squares slope.
const N_RADII: usize = 20;

/// Which estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    TwoNn { discard: f64 },
    Mle { k: usize, mean: bool },
    Correlation { k: usize, radii: Option<[f64; 2]> },
    Participation,
}

/// The metric with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    method: Method,
    theiler: usize,
}

impl Dimension {
    fn parse(section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        let name = section.choice("method", &["twonn", "mle", "correlation", "participation-ratio"]).unwrap_or("twonn");
        let k = section.integer("k", 1).unwrap_or(10) as usize;
        let discard = section.number_where("discard_fraction", "from 0 to below 1", |part| (0.0..1.0).contains(&part)).unwrap_or(0.1);
        let mean = section.choice("average", &["inverse", "mean"]) == Some("mean");
        let radii = section.range("radii");
        let theiler = section.integer("theiler", 0).unwrap_or(0) as usize;
        for (key, goes) in [
            ("k", &["mle", "correlation"][..]),
            ("discard_fraction", &["twonn"]),
            ("average", &["mle"]),
            ("radii", &["correlation"]),
            ("theiler", &["twonn", "mle", "correlation"]),
        ] {
            if section.raw(key).is_some() && !goes.contains(&name) {
                section.error(section.span_of(key), format!("`{key}` goes with `method = \"{}\"`", goes.join("\" or \"")), "");
            }
        }
        if name == "mle" && k < 2 {
            section.error(section.span_of("k"), "`k` must be 2 or more for `method = \"mle\"`", "");
        }
        if radii.is_some_and(|[low, _]| low <= 0.0) {
            section.error(section.span_of("radii"), "`radii` must be greater than 0", "");
        }
        let method = match name {
            "mle" => Method::Mle { k, mean },
            "correlation" => Method::Correlation { k, radii },
            "participation-ratio" => Method::Participation,
            _ => Method::TwoNn { discard },
        };
        (section.diagnostics().len() == before).then_some(Self { method, theiler })
    }

    /// Value, further rows.
    fn value(&self, series: &Series) -> Result<(f64, Vec<MetricRow>), String> {
        let (n, m) = (series.n_samples(), series.n_channels());
        if series.iter().all(|channel| channel.windows(2).all(|two| two[0] == two[1])) {
            return Err("all points are the same".into());
        }
        if self.method == Method::Participation {
            return Ok((participation(series), Vec::new()));
        }
        let needed = match self.method {
            Method::Mle { k, .. } => k,
            Method::Correlation { k, radii: None } => 2 * k,
            _ => 2,
        } + 2 * self.theiler;
        if n <= needed {
            return Err(format!("{n} points; the neighbours asked for need more than {needed}"));
        }
        let points: Vec<f64> = (0..n).flat_map(|t| series.iter().map(move |channel| channel[t])).collect();
        match self.method {
            Method::Mle { k, mean } => self.mle(&points, m, k, mean),
            Method::Correlation { k, radii } => self.correlation(&points, m, k, radii),
            Method::TwoNn { discard } => self.two_nn(&points, m, discard),
            Method::Participation => Ok((participation(series), Vec::new())),
        }
    }

    fn two_nn(&self, points: &[f64], dim: usize, discard: f64) -> Result<(f64, Vec<MetricRow>), String> {
        let near = Neighbours::new(points, dim).all(2, self.theiler);
        let mut ratios: Vec<f64> = near.iter().filter(|pair| pair[0].0 > 0.0).map(|pair| 0.5 * (pair[1].0 / pair[0].0).ln()).collect();
        ratios.sort_by(f64::total_cmp);
        let n = ratios.len();
        let kept = (n as f64 * (1.0 - discard)) as usize;
        if kept < 2 {
            return Err(format!("{n} points have a neighbour at a distance above 0; 2 or more must be left after discarding"));
        }
        // The largest of all has F = 1 and no logarithm.
        let (mut cross, mut square) = (0.0, 0.0);
        for (at, log_ratio) in ratios[..kept.min(n - 1)].iter().enumerate() {
            let share = (at + 1) as f64 / n as f64;
            cross -= log_ratio * (1.0 - share).ln();
            square += log_ratio * log_ratio;
        }
        if square == 0.0 {
            return Err("all neighbours are equally far: the points lie on a grid".into());
        }
        Ok((cross / square, vec![counted(n)]))
    }

    fn mle(&self, points: &[f64], dim: usize, k: usize, mean: bool) -> Result<(f64, Vec<MetricRow>), String> {
        let near = Neighbours::new(points, dim).all(k, self.theiler);
        let inverse =
            |found: &Vec<(f64, usize)>| found.iter().map(|one| 0.5 * (found[k - 1].0 / one.0).ln()).sum::<f64>() / (k as f64 - 1.0);
        let each: Vec<f64> = near.iter().filter(|found| found[0].0 > 0.0).map(inverse).filter(|&one| !mean || one > 0.0).collect();
        let n = each.len() as f64;
        let value = if mean { each.iter().map(|one| 1.0 / one).sum::<f64>() / n } else { n / each.iter().sum::<f64>() };
        if !value.is_finite() {
            return Err("no point has neighbours at different distances above 0".into());
        }
        Ok((value, vec![counted(each.len())]))
    }

    fn correlation(&self, points: &[f64], dim: usize, k: usize, radii: Option<[f64; 2]>) -> Result<(f64, Vec<MetricRow>), String> {
        let [low, high] = match radii {
            Some(radii) => radii,
            None => {
                let near = Neighbours::new(points, dim).all(2 * k, self.theiler);
                let median = |at: usize| {
                    let mut all: Vec<f64> = near.iter().map(|found| found[at - 1].0.sqrt()).collect();
                    all.sort_by(f64::total_cmp);
                    0.5 * (all[(all.len() - 1) / 2] + all[all.len() / 2])
                };
                [median(k), median(2 * k)]
            }
        };
        if low <= 0.0 || low >= high {
            return Err(format!("the neighbours {k} and {} are equally far ({low}): there is no scaling region; give `radii`", 2 * k));
        }
        let n_radii = if radii.is_some() { N_RADII } else { 2 };
        let at = |step: usize| if step + 1 == n_radii { high } else { low * (high / low).powf(step as f64 / (n_radii - 1) as f64) };
        let radii: Vec<f64> = (0..n_radii).map(at).collect();
        let counts = self.pairs_within(points, dim, &radii);
        if counts[0] == 0 {
            return Err(format!("no pair of points is closer than {low}; raise the lower of `radii`"));
        }
        let (x, y): (Vec<f64>, Vec<f64>) = radii.iter().zip(&counts).map(|(radius, &count)| (radius.ln(), (count as f64).ln())).unzip();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (mean_x, mean_y) = (mean(&x), mean(&y));
        let cross: f64 = x.iter().zip(&y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let square: f64 = x.iter().map(|x| (x - mean_x) * (x - mean_x)).sum();
        let rows = [("scale_low", low), ("scale_high", high)].map(|(name, value)| MetricRow::new(name, Value::Known(value), ""));
        Ok((cross / square, rows.into()))
    }

    /// How many pairs are closer than each radius (ascending).
    fn pairs_within(&self, points: &[f64], dim: usize, radii: &[f64]) -> Vec<u64> {
        let n = points.len() / dim;
        let largest = radii[radii.len() - 1];
        let of = |from: usize| {
            let mut counts = vec![0_u64; radii.len()];
            let one = &points[from * dim..(from + 1) * dim];
            for other in points[((from + self.theiler + 1) * dim).min(points.len())..].chunks_exact(dim) {
                // A radius may be a distance of the data, so squares, which round otherwise, would not do.
                let apart = one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
                if apart < largest {
                    counts[radii.partition_point(|&radius| radius <= apart)] += 1;
                }
            }
            counts
        };
        let add = |mut sum: Vec<u64>, counts: Vec<u64>| {
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            sum
        };
        let mut counts = (0..n).into_par_iter().map(of).reduce(|| vec![0; radii.len()], add);
        for at in 1..counts.len() {
            counts[at] += counts[at - 1];
        }
        counts
    }
}

fn counted(n: usize) -> MetricRow {
    MetricRow::new("points", Value::Known(n as f64), "1")
}

/// `(tr C)² / tr C²`: no eigenvalue is needed.
fn participation(series: &Series) -> f64 {
    let centred: Vec<Vec<f64>> = series
        .iter()
        .map(|channel| {
            let mean = channel.iter().sum::<f64>() / channel.len() as f64;
            channel.iter().map(|value| value - mean).collect()
        })
        .collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let trace: f64 = centred.iter().map(|a| product(a, a)).sum();
    let square: f64 =
        centred.par_iter().map(|a| centred.iter().map(|b| product(a, b).powi(2)).sum::<f64>()).collect::<Vec<f64>>().iter().sum();
    trace * trace / square
}

impl Metric for Dimension {
    fn takes_points(&self) -> bool {
        true
    }
    fn statistics(&self) -> &'static [&'static str] {
        &["value", "points", "scale_low", "scale_high"]
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        let row = |value| MetricRow::new("value", value, "1");
        let rows = match self.value(bench.series) {
            Ok((value, more)) => {
                let measure = bench.series.unit_of_measure();
                let named = more.into_iter().map(|more| {
                    if more.unit_of_measure.is_empty() { MetricRow { unit_of_measure: measure.to_owned(), ..more } } else { more }
                });
                [row(Value::Known(value))].into_iter().chain(named).collect()
            }
            Err(reason) => vec![row(Value::Undefined(reason))],
        };
        Output { rows, curves: Vec::new() }
    }
    fn params(&self) -> serde_json::Value {
        let method = match self.method {
            Method::TwoNn { discard } => serde_json::json!({ "twonn": discard }),
            Method::Mle { k, mean } => serde_json::json!({ "mle": k, "mean": mean }),
            Method::Correlation { k, radii } => serde_json::json!({ "correlation": k, "radii": radii }),
            Method::Participation => serde_json::json!("participation-ratio"),
        };
        serde_json::json!({ "method": method, "theiler": self.theiler })
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        let (m, n) = (n_channels as f64, n_samples as f64);
        match self.method {
            Method::Participation => 1e-9 * m * m * n,
            Method::Correlation { .. } => 5e-10 * m * n * n,
            Method::TwoNn { .. } | Method::Mle { .. } => 1e-7 * m * n * n.max(2.0).ln(),
        }
    }
}
