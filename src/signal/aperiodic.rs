//! A power spectrum as an aperiodic background plus peaks.
//!
//! `log10 P(f) = offset - log10(knee + f^exponent) + Σ h exp(-(f - c)² / 2σ²)`, without a knee in fixed mode. The algorithm is that of
//! fooof 1.1 / specparam: a background fitted to the points that lie lowest above a first fit; Gaussians taken off the rest one by one
//! while they are high enough; all of them fitted together; the background fitted again with the peaks removed.
//! Donoghue et al. 2020, doi 10.1038/s41593-020-00744-x.
//!
//! Defaults that differ from fooof's: peak widths of 1 to 12 Hz, six peaks, and a least height of 0.25, because 0.1 finds peaks in plain
//! 1/f noise. A knee is often not identifiable (its value runs away on a short or straight spectrum): compare like modes only.

use super::least_squares::minimise;
use crate::data::DataError;
use serde::{Deserialize, Serialize};
use std::f64::consts::{LN_2, LN_10};

/// Fewest frequencies that a fit accepts.
const FEWEST_FREQUENCIES: usize = 8;
/// Points at or below this percentile of the flattened spectrum make the robust fit (fooof).
const ROBUST_PERCENTILE: f64 = 0.025;
/// Standard deviations that a peak must keep from the range's ends (fooof).
const EDGE_SDS: f64 = 1.0;
/// Standard deviations around a peak in which a lower neighbour is dropped (fooof).
const OVERLAP_SDS: f64 = 0.75;
/// Standard deviations, times two, that a fitted centre may move (fooof).
const CENTRE_SDS: f64 = 1.5;

/// The form of the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AperiodicMode {
    /// A straight line in log-log.
    Fixed,
    /// Flat below a knee.
    Knee,
}

impl AperiodicMode {
    /// The names in a job file, the default first.
    pub const NAMES: &'static [&'static str] = &["fixed", "knee"];
}

/// What bounds the peaks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PeakLimits {
    /// Least and greatest two-sided width (2σ), Hz.
    pub width_hz: [f64; 2],
    /// Most peaks.
    pub max_peaks: usize,
    /// Least height above the background, log10.
    pub min_height: f64,
    /// Least height in standard deviations of the flattened spectrum.
    pub threshold_sds: f64,
}

impl PeakLimits {
    /// Widths of 1 to 12 Hz, kept to what the frequencies can show: at least twice their spacing, and on a narrow range (slow signals)
    /// from a thirtieth to half of it.
    pub fn for_range(range_hz: [f64; 2], spacing_hz: f64) -> Self {
        let breadth = range_hz[1] - range_hz[0];
        let least = (breadth / 30.0).min(1.0).max(2.0 * spacing_hz);
        let most = (breadth / 2.0).min(12.0).max(2.0 * least);
        Self { width_hz: [least, most], max_peaks: 6, min_height: 0.25, threshold_sds: 2.0 }
    }
}

/// One peak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Its centre, Hz.
    pub centre_hz: f64,
    /// Height of all peaks together above the background at the frequency nearest to the centre, log10.
    pub power: f64,
    /// Two-sided width (2σ), Hz.
    pub width_hz: f64,
}

/// A fitted spectrum.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectralModel {
    /// log10 of the power at 1 Hz (of the numerator, with a knee).
    pub offset: f64,
    /// The knee, in knee mode.
    pub knee: Option<f64>,
    /// Slope of the background; 1 for pink noise.
    pub exponent: f64,
    /// Peaks by frequency.
    pub peaks: Vec<Peak>,
    /// Squared correlation of the log spectrum with the model.
    pub r_squared: f64,
    /// Mean absolute difference, log10.
    pub mean_absolute_error: f64,
}

/// Fits the frequencies within `range_hz` (both ends included, 0 left out), which must be evenly spaced; peaks within `limits`, or
/// within [`PeakLimits::for_range`] of what is fitted.
///
/// # Errors
/// When the range holds fewer than 8 frequencies, a power there is not positive and finite, or the background has no fit.
pub fn fit_spectrum(
    frequencies_hz: &[f64],
    power: &[f64],
    range_hz: [f64; 2],
    mode: AperiodicMode,
    limits: Option<PeakLimits>,
) -> Result<SpectralModel, DataError> {
    let kept = |frequency: f64| frequency > 0.0 && range_hz[0] <= frequency && frequency <= range_hz[1];
    let (frequencies, power): (Vec<f64>, Vec<f64>) = frequencies_hz.iter().zip(power).filter(|(frequency, _)| kept(**frequency)).unzip();
    if frequencies.len() < FEWEST_FREQUENCIES {
        return Err(DataError::new(format!(
            "{} to {} Hz holds {} frequencies of the spectrum, and a fit needs {FEWEST_FREQUENCIES}; use a longer segment or a wider range",
            range_hz[0],
            range_hz[1],
            frequencies.len()
        )));
    }
    if let Some(at) = power.iter().position(|&power| !(power.is_finite() && power > 0.0)) {
        return Err(DataError::new(format!("the power at {} Hz is {}, which has no logarithm", frequencies[at], power[at])));
    }
    let log_power: Vec<f64> = power.iter().map(|power| power.log10()).collect();
    let range = [frequencies[0], frequencies[frequencies.len() - 1]];
    let limits = limits.unwrap_or_else(|| PeakLimits::for_range(range, frequencies[1] - frequencies[0]));
    Problem { frequencies, log_power, range, mode, limits }.solve()
}

struct Problem {
    frequencies: Vec<f64>,
    log_power: Vec<f64>,
    range: [f64; 2],
    mode: AperiodicMode,
    limits: PeakLimits,
}

#[derive(Debug, Clone, Copy)]
struct Background {
    offset: f64,
    knee: f64,
    exponent: f64,
}

impl Background {
    fn at(self, frequency: f64) -> f64 {
        // Without a knee the logarithm of the power must not be taken of it, lest steep exponents overflow.
        if self.knee == 0.0 {
            self.offset - self.exponent * frequency.log10()
        } else {
            self.offset - (self.knee + frequency.powf(self.exponent)).log10()
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Gaussian {
    centre: f64,
    height: f64,
    sd: f64,
}

impl Gaussian {
    fn at(self, frequency: f64) -> f64 {
        self.height * (-(frequency - self.centre).powi(2) / (2.0 * self.sd * self.sd)).exp()
    }
}

impl Problem {
    fn solve(&self) -> Result<SpectralModel, DataError> {
        let first = self.robust_background()?;
        let flat = self.minus(&self.log_power, |frequency| first.at(frequency));
        let gaussians = self.fit_together(&flat, self.find_peaks(flat.clone()));
        let height = |frequency: f64| gaussians.iter().map(|gaussian| gaussian.at(frequency)).sum::<f64>();
        let background = self.background(&self.frequencies, &self.minus(&self.log_power, height), None)?;
        let model: Vec<f64> = self.frequencies.iter().map(|&frequency| background.at(frequency) + height(frequency)).collect();
        let peaks = gaussians.iter().map(|gaussian| Peak {
            centre_hz: gaussian.centre,
            power: height(self.nearest(gaussian.centre)),
            width_hz: 2.0 * gaussian.sd,
        });
        let errors = self.log_power.iter().zip(&model).map(|(data, model)| (data - model).abs());
        Ok(SpectralModel {
            offset: background.offset,
            knee: (self.mode == AperiodicMode::Knee).then_some(background.knee),
            exponent: background.exponent,
            peaks: peaks.collect(),
            r_squared: squared_correlation(&self.log_power, &model),
            mean_absolute_error: errors.sum::<f64>() / model.len() as f64,
        })
    }

    fn minus(&self, values: &[f64], model: impl Fn(f64) -> f64) -> Vec<f64> {
        values.iter().zip(&self.frequencies).map(|(value, &frequency)| value - model(frequency)).collect()
    }

    fn nearest(&self, frequency: f64) -> f64 {
        let distance = |other: f64| (other - frequency).abs();
        self.frequencies.iter().copied().min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap_or(frequency)
    }

    /// A background fitted again to the points that lie lowest above a first fit, where peaks are not.
    fn robust_background(&self) -> Result<Background, DataError> {
        let first = self.background(&self.frequencies, &self.log_power, None)?;
        let above: Vec<f64> = self.minus(&self.log_power, |frequency| first.at(frequency)).iter().map(|value| value.max(0.0)).collect();
        let threshold = percentile(&above, ROBUST_PERCENTILE);
        let low = above.iter().zip(self.frequencies.iter().zip(&self.log_power)).filter(|(above, _)| **above <= threshold);
        let (frequencies, log_power): (Vec<f64>, Vec<f64>) = low.map(|(_, (frequency, power))| (*frequency, *power)).unzip();
        self.background(&frequencies, &log_power, Some(first))
    }

    fn background(&self, frequencies: &[f64], log_power: &[f64], guess: Option<Background>) -> Result<Background, DataError> {
        let n_parameters = if self.mode == AperiodicMode::Knee { 3 } else { 2 };
        let fitted = match self.mode {
            _ if frequencies.len() < n_parameters => None,
            AperiodicMode::Fixed => Some(straight_line(frequencies, log_power)),
            AperiodicMode::Knee => Some(self.bent_line(frequencies, log_power, guess)),
        };
        fitted
            .filter(|fit| fit.offset.is_finite() && fit.knee.is_finite() && fit.exponent.is_finite())
            .ok_or_else(|| DataError::new("the aperiodic background has no fit: too few frequencies lie on it; use a wider range"))
    }

    fn bent_line(&self, frequencies: &[f64], log_power: &[f64], guess: Option<Background>) -> Background {
        let last = self.log_power.len() - 1;
        let slope = (self.log_power[last] - self.log_power[0]) / (self.range[1].log10() - self.range[0].log10());
        let start = guess.unwrap_or(Background { offset: log_power[0], knee: 0.0, exponent: slope.abs() });
        let free = (&[f64::NEG_INFINITY; 3][..], &[f64::INFINITY; 3][..]);
        let found = minimise(log_power, &[start.offset, start.knee, start.exponent], free, |p, values, jacobian| {
            for ((&frequency, value), row) in frequencies.iter().zip(values).zip(jacobian.chunks_exact_mut(3)) {
                let raised = frequency.powf(p[2]);
                let sum = p[1] + raised;
                *value = p[0] - sum.log10();
                row.copy_from_slice(&[1.0, -1.0 / (LN_10 * sum), -raised * frequency.ln() / (LN_10 * sum)]);
            }
        });
        Background { offset: found[0], knee: found[1], exponent: found[2] }
    }

    /// Guesses of peaks: the highest point, a Gaussian as wide as its nearer half-height, taken off; until what is left is low.
    fn find_peaks(&self, mut flat: Vec<f64>) -> Vec<Gaussian> {
        let spacing = self.frequencies[1] - self.frequencies[0];
        let [least_sd, most_sd] = self.limits.width_hz.map(|width| width / 2.0);
        let mut guesses = Vec::new();
        while guesses.len() < self.limits.max_peaks {
            let at = first_maximum(&flat);
            let height = flat[at];
            if height <= self.limits.threshold_sds * standard_deviation(&flat) || height <= self.limits.min_height {
                break;
            }
            let below = |index: &usize| flat[*index] <= 0.5 * height;
            let left = (1..at).rev().find(below).map(|index| at - index);
            let right = (at + 1..flat.len()).find(below).map(|index| index - at);
            let nearer = [left, right].into_iter().flatten().min();
            let sd = match nearer {
                Some(side) => 2.0 * side as f64 * spacing / (2.0 * (2.0 * LN_2).sqrt()),
                None => (self.limits.width_hz[0] + self.limits.width_hz[1]) / 2.0,
            };
            let guess = Gaussian { centre: self.frequencies[at], height, sd: sd.clamp(least_sd, most_sd) };
            flat = self.minus(&flat, |frequency| guess.at(frequency));
            guesses.push(guess);
        }
        self.drop_unfit(guesses)
    }

    fn drop_unfit(&self, mut guesses: Vec<Gaussian>) -> Vec<Gaussian> {
        guesses.retain(|guess| self.range.iter().all(|end| (guess.centre - end).abs() > EDGE_SDS * guess.sd));
        guesses.sort_by(|a, b| a.centre.total_cmp(&b.centre));
        let overlaps = |a: &Gaussian, b: &Gaussian| a.centre + OVERLAP_SDS * a.sd > b.centre - OVERLAP_SDS * b.sd;
        let dropped: Vec<usize> = (1..guesses.len())
            .filter(|&at| overlaps(&guesses[at - 1], &guesses[at]))
            .map(|at| if guesses[at - 1].height <= guesses[at].height { at - 1 } else { at })
            .collect();
        let kept = guesses.into_iter().enumerate().filter(|(at, _)| !dropped.contains(at));
        kept.map(|(_, guess)| guess).collect()
    }

    fn fit_together(&self, flat: &[f64], guesses: Vec<Gaussian>) -> Vec<Gaussian> {
        if guesses.is_empty() {
            return guesses;
        }
        let reach = |guess: &Gaussian| 2.0 * CENTRE_SDS * guess.sd;
        let [least_sd, most_sd] = self.limits.width_hz.map(|width| width / 2.0);
        let lower: Vec<f64> = guesses.iter().flat_map(|g| [(g.centre - reach(g)).max(self.range[0]), 0.0, least_sd]).collect();
        let upper: Vec<f64> = guesses.iter().flat_map(|g| [(g.centre + reach(g)).min(self.range[1]), f64::INFINITY, most_sd]).collect();
        let start: Vec<f64> = guesses.iter().flat_map(|g| [g.centre, g.height, g.sd]).collect();
        let found = minimise(flat, &start, (&lower, &upper), |p, values, jacobian| {
            for ((&frequency, value), row) in self.frequencies.iter().zip(values).zip(jacobian.chunks_exact_mut(p.len())) {
                *value = 0.0;
                for (gaussian, row) in p.chunks_exact(3).zip(row.chunks_exact_mut(3)) {
                    let &[centre, height, sd] = gaussian else { continue };
                    let from = (frequency - centre) / sd;
                    let shape = (-from * from / 2.0).exp();
                    *value += height * shape;
                    row.copy_from_slice(&[height * shape * from / sd, shape, height * shape * from * from / sd]);
                }
            }
        });
        let mut gaussians: Vec<_> = found.chunks_exact(3).map(|p| Gaussian { centre: p[0], height: p[1], sd: p[2] }).collect();
        gaussians.sort_by(|a, b| a.centre.total_cmp(&b.centre));
        gaussians
    }
}

/// The least-squares line of the log power on the log frequency.
fn straight_line(frequencies: &[f64], log_power: &[f64]) -> Background {
    let n = frequencies.len() as f64;
    let x: Vec<f64> = frequencies.iter().map(|frequency| frequency.log10()).collect();
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, log_power.iter().sum::<f64>() / n);
    let covariance: f64 = x.iter().zip(log_power).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let slope = covariance / x.iter().map(|x| (x - mean_x).powi(2)).sum::<f64>();
    Background { offset: mean_y - slope * mean_x, knee: 0.0, exponent: -slope }
}

/// Percentile with linear interpolation between order statistics, as numpy.
fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = percent / 100.0 * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

fn first_maximum(values: &[f64]) -> usize {
    values.iter().enumerate().fold(0, |best, (at, value)| if *value > values[best] { at } else { best })
}

fn standard_deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// 1 where the data are constant and met exactly, so that it is never undefined.
fn squared_correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let covariance: f64 = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum();
    let scale = (standard_deviation(a) * standard_deviation(b) * n).powi(2);
    if scale == 0.0 { if a == b { 1.0 } else { 0.0 } } else { covariance * covariance / scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(spacing: f64, last: f64) -> Vec<f64> {
        (0..=(last / spacing) as usize).map(|at| at as f64 * spacing).collect()
    }

    #[test]
    fn a_bare_background_is_found_exactly_and_has_no_peak() {
        let frequencies = grid(0.5, 50.0);
        let power: Vec<f64> = frequencies.iter().map(|f| 10f64.powf(1.5) / f.powf(1.3)).collect();
        let model = fit_spectrum(&frequencies, &power, [0.0, 50.0], AperiodicMode::Fixed, None).unwrap();
        assert!((model.offset - 1.5).abs() < 1e-10 && (model.exponent - 1.3).abs() < 1e-10);
        assert!(model.peaks.is_empty() && model.r_squared > 0.999_999 && model.knee.is_none());
    }

    #[test]
    fn a_knee_and_a_peak_are_found() {
        let frequencies = grid(0.5, 100.0);
        let clean = |f: f64| 4.0 - (200.0 + f.powf(2.2)).log10() + Gaussian { centre: 25.0, height: 0.8, sd: 1.5 }.at(f);
        let power: Vec<f64> = frequencies.iter().map(|&f| 10f64.powf(clean(f))).collect();
        let model = fit_spectrum(&frequencies, &power, [1.0, 100.0], AperiodicMode::Knee, None).unwrap();
        assert!((model.exponent - 2.2).abs() < 0.02 && (model.knee.unwrap() - 200.0).abs() < 20.0, "{model:?}");
        assert_eq!(model.peaks.len(), 1);
        assert!((model.peaks[0].centre_hz - 25.0).abs() < 0.1 && (model.peaks[0].power - 0.8).abs() < 0.05);
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        let frequencies = grid(1.0, 20.0);
        let mut power = vec![1.0; 21];
        let fit = |power: &[f64], range| fit_spectrum(&frequencies, power, range, AperiodicMode::Fixed, None);
        let flat = fit(&power, [0.0, 20.0]).unwrap();
        assert!(flat.exponent.abs() < 1e-12 && flat.peaks.is_empty());
        assert!(fit(&power, [1.0, 5.0]).unwrap_err().to_string().contains("5 frequencies"));
        power[7] = 0.0;
        assert!(fit(&power, [1.0, 20.0]).unwrap_err().to_string().contains("7 Hz"));
    }

    #[test]
    fn slow_signals_get_narrow_peaks() {
        assert_eq!(PeakLimits::for_range([2.0, 80.0], 0.5).width_hz, [1.0, 12.0]);
        let slow = PeakLimits::for_range([0.01, 0.31], 0.002);
        assert!((slow.width_hz[0] - 0.01).abs() < 1e-12 && (slow.width_hz[1] - 0.15).abs() < 1e-12);
    }
}
