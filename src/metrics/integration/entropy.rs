//! Entropies of all channels, of each, and of all but each.

use super::normal::digamma;
use crate::data::Series;
use nalgebra::DMatrix;
use std::collections::BTreeMap;

/// Entropies in nats, up to a constant a channel that correlations do not see.
pub struct Entropies {
    all: f64,
    each: Vec<f64>,
    all_but: Vec<f64>,
}

impl Entropies {
    /// Total and dual total correlation.
    pub fn correlations(&self) -> (f64, f64) {
        let total = self.each.iter().sum::<f64>() - self.all;
        // H(X) - Σ [H(X) - H(X without j)]
        let dual = self.all_but.iter().map(|rest| rest - self.all).sum::<f64>() + self.all;
        (total, dual)
    }

    /// Of a Gaussian with the channels' covariance.
    ///
    /// # Errors
    /// When the covariance is singular.
    pub fn gaussian(series: &Series, corrected: bool) -> Result<Self, String> {
        let (n, m) = (series.n_samples(), series.n_channels());
        let correlation = correlation(&series.iter().collect::<Vec<_>>());
        let log_det = log_determinant(&correlation).ok_or_else(|| singular(n, m))?;
        let inverse = correlation.cholesky().ok_or_else(|| singular(n, m))?.inverse();
        // What the log-determinant of a sample covariance of d channels exceeds that of the truth by, halved.
        let bias = |d: usize| {
            let terms = (1..=d).map(|at| 0.5 * digamma(0.5 * (n - at) as f64)).sum::<f64>();
            if corrected { 0.5 * d as f64 * (std::f64::consts::LN_2 - (n as f64 - 1.0).ln()) + terms } else { 0.0 }
        };
        Ok(Self {
            all: 0.5 * log_det - bias(m),
            each: vec![-bias(1); m],
            all_but: (0..m).map(|at| 0.5 * (log_det + inverse[(at, at)].ln()) - bias(m - 1)).collect(),
        })
    }

    /// Of the channels' symbols: their values, or `bins` of equal width.
    ///
    /// # Errors
    /// When a channel has as many symbols as samples.
    pub fn discrete(series: &Series, bins: Option<u32>, corrected: bool) -> Result<Self, String> {
        let channels: Vec<Vec<u32>> = series.iter().map(|channel| symbols(channel, bins)).collect();
        let n = series.n_samples();
        for (name, channel) in series.channels().iter().zip(&channels) {
            let distinct = channel.iter().collect::<std::collections::BTreeSet<_>>().len();
            if distinct >= n {
                return Err(format!("channel `{name}` has as many symbols as samples ({n}): nothing can be said of their frequencies"));
            }
        }
        let of = |kept: &dyn Fn(usize) -> bool| {
            let mut cells: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
            for t in 0..n {
                let state = channels.iter().enumerate().filter(|(at, _)| kept(*at)).map(|(_, channel)| channel[t]).collect();
                *cells.entry(state).or_default() += 1;
            }
            let plug_in: f64 = cells.values().map(|&count| -(count as f64 / n as f64) * (count as f64 / n as f64).ln()).sum();
            plug_in + if corrected { (cells.len() as f64 - 1.0) / (2.0 * n as f64) } else { 0.0 }
        };
        let m = channels.len();
        Ok(Self {
            all: of(&|_| true),
            each: (0..m).map(|one| of(&|at| at == one)).collect(),
            all_but: (0..m).map(|one| of(&|at| at != one)).collect(),
        })
    }
}

fn singular(n: usize, m: usize) -> String {
    if n <= m {
        format!("{n} samples of {m} channels: the covariance is singular; more samples than channels are needed")
    } else {
        "the covariance is singular: some channel is a linear function of the others".into()
    }
}

/// The correlation matrix of samples (channel by channel). Channels must not be constant.
pub fn correlation(channels: &[&[f64]]) -> DMatrix<f64> {
    let scaled: Vec<Vec<f64>> = channels
        .iter()
        .map(|channel| {
            let mean = channel.iter().sum::<f64>() / channel.len() as f64;
            let centred: Vec<f64> = channel.iter().map(|value| value - mean).collect();
            let norm = centred.iter().map(|value| value * value).sum::<f64>().sqrt();
            centred.iter().map(|value| value / norm).collect()
        })
        .collect();
    let mut matrix = DMatrix::identity(channels.len(), channels.len());
    for i in 0..scaled.len() {
        for j in 0..i {
            let product = scaled[i].iter().zip(&scaled[j]).map(|(a, b)| a * b).sum();
            (matrix[(i, j)], matrix[(j, i)]) = (product, product);
        }
    }
    matrix
}

/// The log-determinant of a correlation matrix; `None` where it is singular to within rounding.
pub fn log_determinant(matrix: &DMatrix<f64>) -> Option<f64> {
    let factor = matrix.clone().cholesky()?;
    let pivots = factor.l_dirty().diagonal();
    // A squared pivot is the part of a channel's variance that the ones before it do not explain.
    (pivots.iter().all(|pivot| pivot * pivot > 1e-13)).then(|| 2.0 * pivots.iter().map(|pivot| pivot.ln()).sum::<f64>())
}

/// A channel's values as symbols, or cut into bins of equal width between its least and greatest.
fn symbols(channel: &[f64], bins: Option<u32>) -> Vec<u32> {
    let Some(bins) = bins else { return super::super::lempel_ziv::Binarise::None.symbols(channel) };
    let (low, high) = channel.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    channel.iter().map(|value| (((value - low) / (high - low) * f64::from(bins)) as u32).min(bins - 1)).collect()
}
