//! Welch's power spectrum: the mean (or median) of windowed periodograms of overlapping segments.
//!
//! `P_k = s · |FFT(w · (x - trend))_k|²`, one-sided, with `s = 1 / (rate Σw²)` for a density and `1 / (Σw)²` for a spectrum; as
//! `scipy.signal.welch`, to rounding. A median is divided by its bias for exponentially distributed values.
//! Welch 1967, doi 10.1109/TAU.1967.1161901; the median's bias: Allen et al. 2012, doi 10.1103/PhysRevD.85.122006, appendix B.

use crate::data::{DataError, Series};
use rayon::prelude::*;
use realfft::{RealFftPlanner, RealToComplex};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::sync::Arc;

/// How a power spectrum is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welch {
    /// Samples a segment, 2 or more.
    pub segment: usize,
    /// Samples that neighbouring segments share, less than `segment`.
    pub overlap: usize,
    /// Taper of each segment.
    pub window: Window,
    /// What is subtracted from each segment.
    pub detrend: Detrend,
    /// Density or spectrum.
    pub scaling: Scaling,
    /// How segments are joined.
    pub average: Average,
}

/// A one-sided power spectrum.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// `k · rate / segment`, from 0 to half the rate, Hz.
    pub frequencies_hz: Vec<f64>,
    /// Power at each, in the signal's unit squared (per Hz for a density).
    pub power: Vec<f64>,
    /// Number of segments behind it.
    pub n_segments: usize,
}

impl Welch {
    /// Periodic Hann windows of `segment` samples, half overlapping, without their mean, as a density, averaged.
    pub fn new(segment: usize) -> Self {
        Self {
            segment,
            overlap: segment / 2,
            window: Window::Hann,
            detrend: Detrend::Constant,
            scaling: Scaling::Density,
            average: Average::Mean,
        }
    }

    /// The spectrum of one channel.
    ///
    /// # Errors
    /// When the channel is shorter than a segment, or segment and overlap do not fit together.
    pub fn spectrum(&self, samples: &[f64], rate_hz: f64) -> Result<Spectrum, DataError> {
        self.check(samples.len())?;
        Ok(Plan::new(*self, rate_hz).run(samples))
    }

    /// The spectrum of every channel, in order.
    ///
    /// # Errors
    /// As [`Welch::spectrum`].
    pub fn spectra(&self, series: &Series) -> Result<Vec<Spectrum>, DataError> {
        self.check(series.n_samples())?;
        let plan = Plan::new(*self, series.rate_hz());
        Ok((0..series.n_channels()).into_par_iter().map(|index| plan.run(series.channel(index))).collect())
    }

    fn check(&self, n_samples: usize) -> Result<(), DataError> {
        if self.segment < 2 || self.overlap >= self.segment {
            return Err(DataError::new(format!("segments of {} samples cannot overlap by {}", self.segment, self.overlap)));
        }
        if n_samples < self.segment {
            return Err(DataError::new(format!("a segment of {} samples is longer than the signal's {n_samples}", self.segment)));
        }
        Ok(())
    }
}

/// Samples of a segment where none is asked for: 2 s, or the whole signal where it is shorter; 64 samples where 2 s hold fewer than 16.
pub fn default_segment(n_samples: usize, rate_hz: f64) -> usize {
    let two_seconds = (2.0 * rate_hz).round();
    let wanted = if two_seconds < 16.0 { 64 } else { two_seconds as usize };
    wanted.min(n_samples)
}

/// What is the same for every channel.
struct Plan {
    welch: Welch,
    window: Vec<f64>,
    scale: f64,
    rate_hz: f64,
    fft: Arc<dyn RealToComplex<f64>>,
}

impl Plan {
    fn new(welch: Welch, rate_hz: f64) -> Self {
        let window = welch.window.values(welch.segment);
        let scale = match welch.scaling {
            Scaling::Density => 1.0 / (rate_hz * window.iter().map(|w| w * w).sum::<f64>()),
            Scaling::Spectrum => 1.0 / window.iter().sum::<f64>().powi(2),
        };
        Self { welch, window, scale, rate_hz, fft: RealFftPlanner::new().plan_fft_forward(welch.segment) }
    }

    fn run(&self, samples: &[f64]) -> Spectrum {
        let Welch { segment, overlap, .. } = self.welch;
        let (mut input, mut output, mut scratch) = (self.fft.make_input_vec(), self.fft.make_output_vec(), self.fft.make_scratch_vec());
        let starts: Vec<usize> = (0..=samples.len() - segment).step_by(segment - overlap).collect();
        let mut rows = Vec::new();
        let mut sums = vec![0.0; output.len()];
        for &start in &starts {
            input.copy_from_slice(&samples[start..start + segment]);
            self.welch.detrend.apply(&mut input);
            input.iter_mut().zip(&self.window).for_each(|(value, w)| *value *= w);
            self.fft.process_with_scratch(&mut input, &mut output, &mut scratch).expect("the buffers were made by this plan");
            match self.welch.average {
                Average::Mean => sums.iter_mut().zip(&output).for_each(|(sum, value)| *sum += value.norm_sqr()),
                Average::Median => rows.push(output.iter().map(|value| value.norm_sqr()).collect::<Vec<f64>>()),
            }
        }
        let mut power = match self.welch.average {
            Average::Mean => sums.iter().map(|sum| sum / starts.len() as f64).collect(),
            Average::Median => medians(&rows),
        };
        // Every frequency but 0 and an even segment's last stands for its mirror too.
        let mirrored = 1..if segment % 2 == 0 { power.len() - 1 } else { power.len() };
        power.iter_mut().for_each(|power| *power *= self.scale);
        power[mirrored].iter_mut().for_each(|power| *power *= 2.0);
        let frequencies_hz = (0..power.len()).map(|k| k as f64 * self.rate_hz / segment as f64).collect();
        Spectrum { frequencies_hz, power, n_segments: starts.len() }
    }
}

/// The median over `rows` of each column, divided by the bias of a median of as many exponential values.
fn medians(rows: &[Vec<f64>]) -> Vec<f64> {
    let bias = 1.0 + (1..=(rows.len() - 1) / 2).map(|i| 1.0 / (2 * i + 1) as f64 - 1.0 / (2 * i) as f64).sum::<f64>();
    let middle = rows.len() / 2;
    (0..rows[0].len())
        .map(|column| {
            let mut values: Vec<f64> = rows.iter().map(|row| row[column]).collect();
            values.sort_by(f64::total_cmp);
            let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
            median / bias
        })
        .collect()
}

/// A taper, periodic as spectra want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// `0.5 - 0.5 cos`.
    Hann,
    /// `0.54 - 0.46 cos`.
    Hamming,
    /// `0.42 - 0.5 cos + 0.08 cos 2`.
    Blackman,
    /// None.
    Boxcar,
}

impl Window {
    /// The names in a job file, the default first.
    pub const NAMES: &'static [&'static str] = &["hann", "hamming", "blackman", "boxcar"];

    /// The window of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Hann, Self::Hamming, Self::Blackman, Self::Boxcar].into_iter().zip(Self::NAMES).find(|(_, n)| **n == name).map(|(w, _)| w)
    }

    /// Its `n` values.
    pub fn values(self, n: usize) -> Vec<f64> {
        let [constant, first, second] = match self {
            Self::Hann => [0.5, 0.5, 0.0],
            Self::Hamming => [0.54, 0.46, 0.0],
            Self::Blackman => [0.42, 0.5, 0.08],
            Self::Boxcar => [1.0, 0.0, 0.0],
        };
        let angle = |at: usize| 2.0 * PI * at as f64 / n as f64;
        (0..n).map(|at| constant - first * angle(at).cos() + second * (2.0 * angle(at)).cos()).collect()
    }
}

/// What is subtracted from a segment before its taper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detrend {
    /// Its mean.
    Constant,
    /// Its least-squares line.
    Linear,
    /// Nothing.
    None,
}

impl Detrend {
    /// The names in a job file, the default first.
    pub const NAMES: &'static [&'static str] = &["constant", "linear", "none"];

    /// The choice of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Constant, Self::Linear, Self::None].into_iter().zip(Self::NAMES).find(|(_, n)| **n == name).map(|(d, _)| d)
    }

    pub(super) fn apply(self, segment: &mut [f64]) {
        let n = segment.len() as f64;
        let mean = segment.iter().sum::<f64>() / n;
        match self {
            Self::None => {}
            Self::Constant => segment.iter_mut().for_each(|value| *value -= mean),
            Self::Linear => {
                let middle = (n - 1.0) / 2.0;
                let moment: f64 = segment.iter().enumerate().map(|(at, value)| (at as f64 - middle) * (value - mean)).sum();
                let slope = moment / (n * (n * n - 1.0) / 12.0);
                segment.iter_mut().enumerate().for_each(|(at, value)| *value -= mean + slope * (at as f64 - middle));
            }
        }
    }
}

/// What the values of a spectrum are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Power per Hz: integrates to the variance.
    Density,
    /// Power: a sine of amplitude A gives A²/2 at its frequency.
    Spectrum,
}

impl Scaling {
    /// The names in a job file, the default first.
    pub const NAMES: &'static [&'static str] = &["density", "spectrum"];

    /// The choice of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Density, Self::Spectrum].into_iter().zip(Self::NAMES).find(|(_, n)| **n == name).map(|(s, _)| s)
    }
}

/// How the segments' periodograms are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Average {
    /// Their mean.
    Mean,
    /// Their median over its bias, which bursts of artefact do not move.
    Median,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_half_its_squared_amplitude() {
        let samples: Vec<f64> = (0..4000).map(|at| 3.0 * (2.0 * PI * 10.0 * at as f64 / 200.0).cos()).collect();
        for window in [Window::Hann, Window::Hamming, Window::Blackman, Window::Boxcar] {
            let welch = Welch { window, scaling: Scaling::Spectrum, ..Welch::new(400) };
            let spectrum = welch.spectrum(&samples, 200.0).unwrap();
            assert_eq!(spectrum.frequencies_hz[20], 10.0);
            assert!((spectrum.power[20] - 4.5).abs() < 1e-12, "{window:?} {}", spectrum.power[20]);
        }
    }

    #[test]
    fn a_boxcar_periodogram_keeps_the_energy() {
        for n in [64, 65, 127] {
            let samples: Vec<f64> = (0..n).map(|at| ((at * at * 7919) % 101) as f64 - 50.0).collect();
            let welch = Welch { window: Window::Boxcar, detrend: Detrend::None, overlap: 0, ..Welch::new(n) };
            let spectrum = welch.spectrum(&samples, 10.0).unwrap();
            let total: f64 = spectrum.power.iter().sum::<f64>() * 10.0 / n as f64;
            let mean_square = samples.iter().map(|x| x * x).sum::<f64>() / n as f64;
            assert!((total / mean_square - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_line_vanishes_under_linear_detrending() {
        let samples: Vec<f64> = (0..300).map(|at| 5.0 - 0.3 * at as f64).collect();
        let welch = Welch { detrend: Detrend::Linear, ..Welch::new(100) };
        assert!(welch.spectrum(&samples, 1.0).unwrap().power.iter().all(|&power| power < 1e-24));
    }

    #[test]
    fn segments_that_do_not_fit_are_refused() {
        assert!(Welch::new(11).spectrum(&[0.0; 10], 1.0).unwrap_err().to_string().contains("11 samples"));
        assert!(Welch { overlap: 10, ..Welch::new(10) }.spectrum(&[0.0; 10], 1.0).is_err());
        assert!(Welch::new(1).spectrum(&[0.0; 10], 1.0).is_err());
        assert_eq!(Welch::new(10).spectrum(&[0.0; 10], 1.0).unwrap().n_segments, 1);
    }

    #[test]
    fn the_default_segment_suits_slow_and_short_signals() {
        assert_eq!(default_segment(100_000, 1000.0), 2000);
        assert_eq!(default_segment(500, 1000.0), 500);
        assert_eq!(default_segment(1000, 0.5), 64);
        assert_eq!(default_segment(20, 0.5), 20);
    }

    #[test]
    fn names_and_choices_go_together() {
        assert_eq!(Window::parse("blackman"), Some(Window::Blackman));
        assert_eq!(Detrend::parse("none"), Some(Detrend::None));
        assert_eq!(Scaling::parse("spectrum"), Some(Scaling::Spectrum));
        assert_eq!(Window::parse("kaiser"), None);
    }
}
