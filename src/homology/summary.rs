//! Numbers and curves from persistence diagrams.
//!
//! With `l_i = d_i - b_i` over the bars of one dimension and `L = sum l_i`:
//! persistent entropy `-sum (l_i / L) ln(l_i / L)` (Rucco et al., *Characterisation of the idiotypic immune network through
//! persistent entropy*, 2016), total persistence `sum l_i^p`, the longest bar and its ratio to the second longest, Betti curves
//! `beta(t) = #{b_i <= t < d_i}`, landscapes `lambda_k(t) = k-th largest of max(0, min(t - b_i, d_i - t))` (Bubenik, JMLR 2015),
//! silhouettes (Chazal et al., SoCG 2014) and persistence images (Adams et al., JMLR 2017).
//!
//! **Classes that never die.** [`bars`] leaves out the one component of dimension 0 that always remains and takes every other
//! class alive at the threshold as dying there: such a bar is censored, so its length is a lower bound. Betti curves alone use
//! the diagrams as they are. Functions on `&[Pair]` expect finite bars and skip the others.

use crate::data::{Diagrams, MetricRow, Pair, Value};
use serde::{Deserialize, Serialize};

/// What is made of the diagrams beside the longest bars and counts, which always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Summary {
    /// Persistent entropy, nats.
    Entropy,
    /// Betti curves and their maxima.
    BettiCurve,
    /// Landscapes and their norm.
    Landscape,
    /// Persistence images (no number of their own).
    Image,
}

/// The statistics that [`rows`] writes for each dimension, without their `_hK`.
pub const STATISTICS: &[&str] = &["entropy", "longest", "ratio", "count", "betti_max", "landscape_norm"];

impl Summary {
    /// The names in a job file.
    pub const NAMES: &'static [&'static str] = &["entropy", "betti-curve", "landscape", "image"];
    const ALL: [Self; 4] = [Self::Entropy, Self::BettiCurve, Self::Landscape, Self::Image];

    /// The summary of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|summary| summary.name() == name)
    }
    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// The numbers of all dimensions as rows: `longest_hK`, `ratio_hK`, `count_hK`, with [`Summary::Entropy`] `entropy_hK`, with
/// [`Summary::BettiCurve`] `betti_max_hK`, with [`Summary::Landscape`] `landscape_norm_hK`; then `points`, `threshold` and
/// `covering_radius` (0 where no landmarks were taken).
///
/// All but `betti_max_hK` are about [`bars`]. Lengths are in the unit of the cloud's distances.
pub fn rows(diagrams: &Diagrams, summaries: &[Summary]) -> Vec<MetricRow> {
    let mut rows = Vec::new();
    for (dim, pairs) in diagrams.by_dim.iter().enumerate() {
        let bars = bars(diagrams, dim);
        let mut row = |name: &str, value, unit: &str| rows.push(MetricRow::new(format!("{name}_h{dim}"), value, unit));
        let none = || format!("dimension {dim} has no bar");
        if summaries.contains(&Summary::Entropy) {
            row("entropy", known_or(entropy(&bars), none), "nat");
        }
        row("longest", known_or(longest(&bars), none), "distance");
        row("ratio", known_or(ratio(&bars), || format!("dimension {dim} has fewer than two bars")), "1");
        row("count", Value::Known(bars.len() as f64), "1");
        if summaries.contains(&Summary::BettiCurve) {
            row("betti_max", Value::Known(max_betti(pairs) as f64), "1");
        }
        if summaries.contains(&Summary::Landscape) {
            row("landscape_norm", Value::Known(landscape_norm(&bars)), "distance^2");
        }
    }
    rows.push(MetricRow::new("points", Value::Known(diagrams.n_points as f64), "1"));
    rows.push(MetricRow::new("threshold", Value::Known(diagrams.threshold), "distance"));
    rows.push(MetricRow::new("covering_radius", Value::Known(diagrams.covering_radius.unwrap_or(0.0)), "distance"));
    rows
}

fn known_or(value: Option<f64>, reason: impl FnOnce() -> String) -> Value {
    value.map_or_else(|| Value::Undefined(reason()), Value::Known)
}

/// The finite bars of a dimension, each of positive length.
///
/// A class alive at the threshold is taken to die there, but for the one component that always remains, which is left out.
pub fn bars(diagrams: &Diagrams, dim: usize) -> Vec<Pair> {
    let Some(pairs) = diagrams.by_dim.get(dim) else { return Vec::new() };
    let mut essential = usize::from(dim == 0);
    pairs
        .iter()
        .filter_map(|&pair| {
            if pair.death.is_finite() {
                return Some(pair);
            }
            if essential > 0 {
                essential -= 1;
                return None;
            }
            Some(Pair { death: diagrams.threshold, ..pair })
        })
        .filter(|pair| pair.death.is_finite() && pair.persistence() > 0.0)
        .collect()
}

fn lengths(bars: &[Pair]) -> impl Iterator<Item = f64> {
    bars.iter().map(Pair::persistence).filter(|length| length.is_finite() && *length > 0.0)
}

/// Persistent entropy in nats: 0 for one bar, `ln n` for `n` bars of one length; none without bars.
pub fn entropy(bars: &[Pair]) -> Option<f64> {
    let total: f64 = lengths(bars).sum();
    (total > 0.0).then(|| {
        let sum: f64 = lengths(bars).map(|length| length / total * (length / total).ln()).sum();
        // -0 is no entropy.
        0.0 - sum
    })
}

/// `sum l_i^power`.
pub fn total_persistence(bars: &[Pair], power: f64) -> f64 {
    lengths(bars).map(|length| length.powf(power)).sum()
}

/// The length of the longest bar.
pub fn longest(bars: &[Pair]) -> Option<f64> {
    lengths(bars).reduce(f64::max)
}

/// The longest bar over the second longest; none with fewer than two bars.
pub fn ratio(bars: &[Pair]) -> Option<f64> {
    let (first, second) = lengths(bars).fold(
        (0.0, 0.0),
        |(first, second), length| {
            if length > first { (length, first) } else { (first, f64::max(second, length)) }
        },
    );
    (second > 0.0).then(|| first / second)
}

/// `#{b <= t < d}` at each `t` of the grid; classes that never die count from their birth on.
pub fn betti_curve(pairs: &[Pair], grid: &[f64]) -> Vec<usize> {
    let sorted = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let births = sorted(pairs.iter().map(|pair| pair.birth).collect());
    let deaths = sorted(pairs.iter().map(|pair| pair.death).collect());
    grid.iter().map(|&t| births.partition_point(|&b| b <= t) - deaths.partition_point(|&d| d <= t)).collect()
}

/// The largest Betti number over all scales; classes that never die count.
pub fn max_betti(pairs: &[Pair]) -> usize {
    let births: Vec<f64> = pairs.iter().map(|pair| pair.birth).collect();
    // The curve only rises at a birth.
    betti_curve(pairs, &births).into_iter().max().unwrap_or(0)
}

/// The height at `t` of a bar's tent, `max(0, min(t - b, d - t))`.
fn tent(bar: &Pair, t: f64) -> f64 {
    (t - bar.birth).min(bar.death - t).max(0.0)
}

fn finite(bars: &[Pair]) -> impl Iterator<Item = &Pair> {
    bars.iter().filter(|bar| bar.persistence().is_finite())
}

/// `lambda_1 ..= lambda_count` at each point of the grid: `[k - 1][grid point]`.
pub fn landscapes(bars: &[Pair], count: usize, grid: &[f64]) -> Vec<Vec<f64>> {
    let mut layers = vec![vec![0.0; grid.len()]; count];
    let mut heights = Vec::new();
    for (at, &t) in grid.iter().enumerate() {
        heights.clear();
        heights.extend(finite(bars).map(|bar| tent(bar, t)).filter(|&height| height > 0.0));
        heights.sort_unstable_by(|a, b| b.total_cmp(a));
        for (layer, &height) in layers.iter_mut().zip(&heights) {
            layer[at] = height;
        }
    }
    layers
}

/// The L1 norm of all landscapes together: the area under the tents, `sum l_i^2 / 4`.
pub fn landscape_norm(bars: &[Pair]) -> f64 {
    lengths(bars).map(|length| length * length / 4.0).sum()
}

/// The mean of the tents weighted with `l_i^power`, at each point of the grid (0 without bars).
pub fn silhouette(bars: &[Pair], power: f64, grid: &[f64]) -> Vec<f64> {
    let total = total_persistence(bars, power);
    let weighted = |t| finite(bars).map(|bar| bar.persistence().powf(power) * tent(bar, t)).sum::<f64>();
    grid.iter().map(|&t| if total > 0.0 { weighted(t) / total } else { 0.0 }).collect()
}

/// The square of the birth-persistence plane that a persistence image shows, and how.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ImageGrid {
    /// Pixels along each side.
    pub pixels: usize,
    /// Range of births.
    pub birth: (f64, f64),
    /// Range of persistences.
    pub persistence: (f64, f64),
    /// Standard deviation of the Gaussian around each bar.
    pub sigma: f64,
}

/// The persistence image: the sum over bars of `l_i` times an isotropic Gaussian at `(b_i, l_i)`, at the pixels' centres, row
/// after row with rows along persistence.
pub fn image(bars: &[Pair], grid: &ImageGrid) -> Vec<f64> {
    let centres = |(low, high): (f64, f64)| -> Vec<f64> {
        (0..grid.pixels).map(|at| low + (high - low) * (at as f64 + 0.5) / grid.pixels as f64).collect()
    };
    let bell = |centres: &[f64], mean: f64| -> Vec<f64> {
        let scale = 1.0 / (grid.sigma * (2.0 * std::f64::consts::PI).sqrt());
        centres.iter().map(|x| scale * (-0.5 * ((x - mean) / grid.sigma).powi(2)).exp()).collect()
    };
    let (columns, rows) = (centres(grid.birth), centres(grid.persistence));
    let mut image = vec![0.0; grid.pixels * grid.pixels];
    for bar in finite(bars) {
        let (across, up) = (bell(&columns, bar.birth), bell(&rows, bar.persistence()));
        for (line, y) in image.chunks_exact_mut(grid.pixels.max(1)).zip(&up) {
            for (pixel, x) in line.iter_mut().zip(&across) {
                *pixel += bar.persistence() * x * y;
            }
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagrams(by_dim: &[&[(f64, f64)]], threshold: f64) -> Diagrams {
        let pairs = |list: &&[(f64, f64)]| list.iter().map(|&(birth, death)| Pair { birth, death }).collect();
        Diagrams { by_dim: by_dim.iter().map(pairs).collect(), threshold, n_points: 4, covering_radius: None }
    }

    #[test]
    fn one_component_is_left_out_and_other_survivors_die_at_the_threshold() {
        let inf = f64::INFINITY;
        let all = diagrams(&[&[(0.0, 1.0), (0.0, inf), (0.0, inf)], &[(1.0, inf), (5.0, inf)]], 5.0);
        assert_eq!(bars(&all, 0), [Pair { birth: 0.0, death: 1.0 }, Pair { birth: 0.0, death: 5.0 }]);
        assert_eq!(bars(&all, 1), [Pair { birth: 1.0, death: 5.0 }]);
        assert_eq!(bars(&all, 2), []);
        assert_eq!(max_betti(&all.by_dim[0]), 3);
        assert_eq!(max_betti(&all.by_dim[1]), 2);
    }

    #[test]
    fn closed_forms() {
        let equal = diagrams(&[&[(0.0, 2.0), (1.0, 3.0), (5.0, 7.0)]], 9.0).by_dim.remove(0);
        assert!((entropy(&equal).unwrap() - 3.0_f64.ln()).abs() < 1e-15);
        assert_eq!((ratio(&equal), longest(&equal), landscape_norm(&equal)), (Some(1.0), Some(2.0), 3.0));
        assert_eq!(max_betti(&equal), 2);
        assert_eq!(landscapes(&equal, 2, &[1.0, 1.5, 6.0]), [vec![1.0, 0.5, 1.0], vec![0.0, 0.5, 0.0]]);
        assert_eq!((entropy(&equal[..1]), ratio(&equal[..1])), (Some(0.0), None));
        assert_eq!((entropy(&[]), ratio(&[]), longest(&[])), (None, None, None));
    }

    #[test]
    fn what_is_undefined_says_why() {
        let rows = rows(&diagrams(&[&[(0.0, f64::INFINITY)], &[(1.0, 3.0)]], 4.0), &[Summary::Entropy, Summary::Landscape]);
        let value = |name: &str| rows.iter().find(|row| row.statistic == name).map(|row| row.value.clone());
        assert_eq!(value("entropy_h0"), Some(Value::Undefined("dimension 0 has no bar".into())));
        assert_eq!(value("ratio_h1"), Some(Value::Undefined("dimension 1 has fewer than two bars".into())));
        assert_eq!(value("longest_h1"), Some(Value::Known(2.0)));
        assert_eq!(value("landscape_norm_h1"), Some(Value::Known(1.0)));
        assert_eq!(value("betti_max_h1"), None);
        assert_eq!(value("covering_radius"), Some(Value::Known(0.0)));
    }
}
