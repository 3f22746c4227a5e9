//! Trends, z-scores and smoothing.
//!
//! `detrend` follows `scipy.signal.detrend`, `zscore` `scipy.stats.zscore` (ddof 0; a constant channel becomes 0 instead of NaN),
//! `smooth` `scipy.ndimage.gaussian_filter1d` (mode "constant", truncated at 4 sigma).

use super::spectrum::Detrend;
use crate::data::{DataError, Series};
use rayon::prelude::*;

/// Kernels end at this many standard deviations, as in scipy.
const TRUNCATE: f64 = 4.0;

/// Takes the mean or the line of least squares of each channel away.
///
/// # Errors
/// When the result is not finite.
pub fn detrend(series: &Series, trend: Detrend) -> Result<Series, DataError> {
    // One sample has no slope.
    let trend = if series.n_samples() == 1 && trend == Detrend::Linear { Detrend::Constant } else { trend };
    each(series, |samples| trend.apply(samples))
}

/// Each channel minus its mean, over its standard deviation (ddof 0); a constant channel becomes 0.
///
/// # Errors
/// When the result is not finite.
pub fn zscore(series: &Series) -> Result<Series, DataError> {
    let scaled = each(series, |samples| {
        let mean = mean(samples);
        let variance = samples.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / samples.len() as f64;
        let constant = samples.iter().all(|value| *value == samples[0]);
        let scale = if constant { 0.0 } else { 1.0 / variance.sqrt() };
        samples.iter_mut().for_each(|value| *value = (*value - mean) * scale);
    })?;
    Series::new(scaled.channels().to_vec(), scaled.values().to_vec(), scaled.rate_hz(), scaled.t_start_s(), "1")
}

/// Half the width of a kernel of standard deviation `sigma`, in samples.
pub fn radius(sigma: f64) -> usize {
    (TRUNCATE * sigma + 0.5) as usize
}

/// Convolution with a Gaussian of standard deviation `sigma` samples; beyond both ends there is nothing (zeros).
///
/// # Errors
/// When `sigma` is not positive.
pub fn smooth(series: &Series, sigma: f64) -> Result<Series, DataError> {
    if !(sigma.is_finite() && sigma > 0.0) {
        return Err(DataError::new(format!("a kernel must be wider than 0 samples, not {sigma}")));
    }
    let radius = radius(sigma);
    let bell = |at: usize| (-0.5 * ((at as f64 - radius as f64) / sigma).powi(2)).exp();
    let total: f64 = (0..=2 * radius).map(bell).sum();
    let kernel: Vec<f64> = (0..=2 * radius).map(|at| bell(at) / total).collect();
    each(series, |samples| {
        let source = samples.to_vec();
        for (at, value) in samples.iter_mut().enumerate() {
            let first = at.saturating_sub(radius);
            let last = (at + radius + 1).min(source.len());
            let weights = &kernel[first + radius - at..last + radius - at];
            *value = source[first..last].iter().zip(weights).map(|(sample, weight)| sample * weight).sum();
        }
    })
}

fn mean(samples: &[f64]) -> f64 {
    samples.iter().sum::<f64>() / samples.len().max(1) as f64
}

fn each(series: &Series, change: impl Fn(&mut [f64]) + Send + Sync) -> Result<Series, DataError> {
    let mut values = series.values().to_vec();
    if series.n_samples() > 0 {
        values.par_chunks_exact_mut(series.n_samples()).for_each(change);
    }
    series.with_values(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        Series::new(vec!["x".into()], values.to_vec(), 1.0, 0.0, "V").unwrap()
    }

    #[test]
    fn a_line_leaves_nothing_and_a_constant_has_no_score() {
        let line: Vec<f64> = (0..50).map(|at| 3.0 - 0.25 * f64::from(at)).collect();
        assert!(detrend(&series(&line), Detrend::Linear).unwrap().values().iter().all(|value| value.abs() < 1e-12));
        assert_eq!(zscore(&series(&[0.1; 7])).unwrap().values(), [0.0; 7]);
        assert_eq!(detrend(&series(&[2.0]), Detrend::Linear).unwrap().values(), [0.0]);
    }

    #[test]
    fn smoothing_keeps_the_sum_of_a_lone_spike() {
        let mut spike = vec![0.0; 41];
        spike[20] = 2.0;
        let smooth = smooth(&series(&spike), 3.0).unwrap();
        assert!((smooth.values().iter().sum::<f64>() - 2.0).abs() < 1e-12);
        assert_eq!(smooth.values()[8..=32].iter().filter(|value| **value > 0.0).count(), 25);
        assert!(super::smooth(&series(&spike), 0.0).is_err());
    }
}
