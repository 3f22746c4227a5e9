//! Resampling by a ratio of small integers: upsample, low-pass, downsample, in one polyphase pass.
//!
//! As `scipy.signal.resample_poly(x, up, down)` by default: a windowed sinc (Kaiser, beta 5) of `20 max(up, down) + 1` taps at the
//! lower of the two Nyquist frequencies, zeros beyond both ends. Sample 0 keeps its time.

use crate::data::{DataError, Series};
use rayon::prelude::*;
use std::f64::consts::PI;

const LARGEST_TERM: u64 = 10_000;
const RATIO_TOLERANCE: f64 = 1e-6;
const KAISER_BETA: f64 = 5.0;
/// Largest result in values, as for binning.
const MOST_VALUES: f64 = 2_147_483_648.0;

/// The same channels at `rate_hz`; `ceil(n · up / down)` samples of them.
///
/// The result's rate is the one that the ratio gives, which may differ from `rate_hz` by up to 1e-6 of it.
///
/// # Errors
/// When the rate is not positive, the two rates are in no ratio of integers up to 10 000 (within 1e-6), the series is empty, or the
/// result would have more than 2³¹ values.
pub fn resample(series: &Series, rate_hz: f64) -> Result<Series, DataError> {
    if !(rate_hz.is_finite() && rate_hz > 0.0) {
        return Err(DataError::new(format!("a sampling rate must be positive, not {rate_hz} Hz")));
    }
    if series.n_samples() == 0 {
        return Err(DataError::new("there are no samples to resample"));
    }
    let (up, down) = ratio(rate_hz / series.rate_hz()).ok_or_else(|| {
        DataError::new(format!(
            "{rate_hz} Hz and {} Hz are in no ratio of integers up to {LARGEST_TERM}; choose a rate that divides the recording's",
            series.rate_hz()
        ))
    })?;
    if up == down {
        return Ok(series.clone());
    }
    if series.values().len() as f64 * up as f64 / down as f64 > MOST_VALUES {
        return Err(DataError::new(format!("resampling {} values by {up}/{down} makes too many to hold", series.values().len())));
    }
    let phases = phases(up, down);
    let channels: Vec<Vec<f64>> =
        series.iter().collect::<Vec<_>>().into_par_iter().map(|samples| polyphase(samples, up, down, &phases)).collect();
    let exact = series.rate_hz() * up as f64 / down as f64;
    let rate = if (exact - rate_hz).abs() <= 1e-12 * rate_hz { rate_hz } else { exact };
    Series::new(series.channels().to_vec(), channels.concat(), rate, series.t_start_s(), series.unit_of_measure())
}

/// The best continued-fraction convergent of `value` with both terms in `1..=10_000`, if it is within 1e-6 of it.
fn ratio(value: f64) -> Option<(usize, usize)> {
    let (mut before, mut last) = ((0u64, 1u64), (1u64, 0u64));
    let mut best: Option<(u64, u64)> = None;
    let error = |(up, down): (u64, u64)| (up as f64 / down as f64 / value - 1.0).abs();
    let mut rest = value;
    for _ in 0..64 {
        let whole = rest.floor();
        if whole > LARGEST_TERM as f64 {
            break;
        }
        let next = (whole as u64 * last.0 + before.0, whole as u64 * last.1 + before.1);
        if next.0 > LARGEST_TERM || next.1 > LARGEST_TERM {
            break;
        }
        (before, last) = (last, next);
        if next.0 > 0 && best.is_none_or(|best| error(next) < error(best)) {
            best = Some(next);
        }
        if best.is_some_and(|best| error(best) < 1e-13) || rest == whole {
            break;
        }
        rest = 1.0 / (rest - whole);
    }
    best.filter(|&best| error(best) <= RATIO_TOLERANCE).map(|(up, down)| (up as usize, down as usize))
}

/// The low-pass split by phase: `phases[r][t]` is tap `r + t · up`.
fn phases(up: usize, down: usize) -> Vec<Vec<f64>> {
    let widest = up.max(down);
    let half = (10 * widest) as f64;
    let cutoff = 1.0 / widest as f64;
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    let taps: Vec<f64> = (0..20 * widest + 1)
        .map(|at| {
            let from_centre = at as f64 - half;
            let window = bessel_i0(KAISER_BETA * (1.0 - (from_centre / half).powi(2)).max(0.0).sqrt()) / bessel_i0(KAISER_BETA);
            cutoff * sinc(cutoff * from_centre) * window
        })
        .collect();
    let gain = up as f64 / taps.iter().sum::<f64>();
    (0..up).map(|phase| taps.iter().skip(phase).step_by(up).map(|tap| tap * gain).collect()).collect()
}

/// Modified Bessel function of order 0 by its power series, which reaches rounding in 30 terms for arguments up to 5.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..=30 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}

fn polyphase(samples: &[f64], up: usize, down: usize, phases: &[Vec<f64>]) -> Vec<f64> {
    let half = 10 * up.max(down);
    let n_out = (samples.len() * up).div_ceil(down);
    (0..n_out)
        .map(|m| {
            let at = m * down + half;
            let (newest, taps) = (at / up, &phases[at % up]);
            let skipped = (newest + 1).saturating_sub(samples.len());
            let n_taps = taps.len().min(newest + 1);
            let newest_first = samples[newest + 1 - n_taps..newest + 1 - skipped].iter().rev();
            taps[skipped..n_taps].iter().zip(newest_first).map(|(tap, sample)| tap * sample).sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_reduced_and_bounded() {
        assert_eq!(ratio(250.0 / 1000.0), Some((1, 4)));
        assert_eq!(ratio(48_000.0 / 44_100.0), Some((160, 147)));
        assert_eq!(ratio(250.0 / 1_250.000_1), Some((1, 5)));
        assert_eq!(ratio(9999.0 / 10_000.0), Some((9999, 10_000)));
        assert_eq!(ratio(10_000.0), Some((10_000, 1)));
        assert_eq!(ratio(1e-4), Some((1, 10_000)));
        assert_eq!(ratio(1e-5), None);
        assert_eq!(ratio(1e9), None);
        assert_eq!(ratio(1.0), Some((1, 1)));
    }

    #[test]
    fn a_slow_sine_survives_both_directions() {
        let wave = |rate: f64, at: usize| (2.0 * PI * 3.0 * at as f64 / rate).sin();
        let series = Series::new(vec!["x".into()], (0..2000).map(|at| wave(1000.0, at)).collect(), 1000.0, 5.0, "V").unwrap();
        for rate in [250.0, 300.0, 1500.0] {
            let other = resample(&series, rate).unwrap();
            assert_eq!((other.rate_hz(), other.t_start_s()), (rate, 5.0));
            assert_eq!(other.n_samples(), (2000.0 * rate / 1000.0) as usize);
            for at in other.n_samples() / 4..other.n_samples() / 2 {
                assert!((other.values()[at] - wave(rate, at)).abs() < 2e-3, "{rate} {at}");
            }
        }
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let series = Series::new(vec!["x".into()], vec![0.0; 10], 1000.0, 0.0, "V").unwrap();
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9] {
            assert!(resample(&series, rate).is_err());
        }
        let empty = Series::new(vec!["x".into()], vec![], 1000.0, 0.0, "V").unwrap();
        assert!(resample(&empty, 100.0).is_err());
        assert_eq!(resample(&series, 1000.0).unwrap(), series);
    }
}
