//! Zero-phase band-pass: a Butterworth filter of order 4 (8 poles) as second-order sections, run forwards and backwards.
//!
//! Design and application follow `scipy.signal.butter(4, band, "bandpass", fs=…, output="sos")` and `sosfiltfilt` (odd padding of 27
//! samples, sections ordered and started as there), to rounding. The passage both ways squares the gain: -6 dB at the band's edges.
//! The notch follows `scipy.signal.iirnotch` and `filtfilt` (odd padding of 9 samples).
//! Butterworth 1930, "On the theory of filter amplifiers"; Gustafsson 1996, doi 10.1109/78.492552, for filtering both ways.

use crate::data::{DataError, Series};
use nalgebra::Complex;
use rayon::prelude::*;
use std::f64::consts::PI;

const ORDER: usize = 4;
/// Three times the taps of the cascade, as scipy pads.
const PAD: usize = 3 * (2 * ORDER + 1);

/// One section: numerator `b`, denominator `1, a[0], a[1]`.
#[derive(Debug, Clone, Copy)]
struct Section {
    b: [f64; 3],
    a: [f64; 2],
}

/// Keeps what lies between `band_hz[0]` and `band_hz[1]`, without moving it in time.
///
/// # Errors
/// When the band is not `0 < low < high < rate / 2`, the series has 27 samples or fewer, or the filter overflows.
pub fn bandpass(series: &Series, band_hz: [f64; 2]) -> Result<Series, DataError> {
    let [low, high] = band_hz;
    let nyquist = series.rate_hz() / 2.0;
    if !(0.0 < low && low < high && high < nyquist) {
        return Err(DataError::new(format!(
            "a band must satisfy 0 < low < high < {nyquist} Hz (half the sampling rate), not {low} to {high} Hz"
        )));
    }
    if series.n_samples() <= PAD {
        return Err(DataError::new(format!("a band-pass needs more than {PAD} samples, and there are {}", series.n_samples())));
    }
    let sections = design(band_hz, series.rate_hz());
    let channels: Vec<Vec<f64>> =
        (0..series.n_channels()).into_par_iter().map(|index| both_ways(&sections, series.channel(index), PAD)).collect();
    series.with_values(channels.concat()).map_err(|error| {
        DataError::new(format!("the band {low} to {high} Hz is too narrow for the sampling rate: {error}; resample to a lower rate first"))
    })
}

/// Samples beyond which a notch needs a series to reach.
const NOTCH_PAD: usize = 9;

/// Takes out one frequency, such as that of the mains, without moving the rest in time: a second-order notch of quality `q`
/// (`hz` over the width between its -3 dB points), run both ways.
///
/// # Errors
/// When `hz` is not between 0 and half the sampling rate, `q` is not positive, or the series has 9 samples or fewer.
pub fn notch(series: &Series, hz: f64, q: f64) -> Result<Series, DataError> {
    let nyquist = series.rate_hz() / 2.0;
    if !(0.0 < hz && hz < nyquist && q > 0.0 && q.is_finite()) {
        return Err(DataError::new(format!("a notch must lie between 0 and {nyquist} Hz (half the sampling rate), not at {hz} Hz")));
    }
    if series.n_samples() <= NOTCH_PAD {
        return Err(DataError::new(format!("a notch needs more than {NOTCH_PAD} samples, and there are {}", series.n_samples())));
    }
    let angle = PI * hz / nyquist;
    let gain = 1.0 / (1.0 + (angle / q / 2.0).tan());
    let section = [Section { b: [gain, -2.0 * gain * angle.cos(), gain], a: [-2.0 * gain * angle.cos(), 2.0 * gain - 1.0] }];
    let channels: Vec<Vec<f64>> =
        (0..series.n_channels()).into_par_iter().map(|index| both_ways(&section, series.channel(index), NOTCH_PAD)).collect();
    series.with_values(channels.concat())
}

fn design(band_hz: [f64; 2], rate_hz: f64) -> [Section; ORDER] {
    // scipy designs at a rate of 2, where the bilinear transform's factor is 4.
    const FACTOR: f64 = 4.0;
    let [low, high] = band_hz.map(|edge| FACTOR * (PI * (2.0 * edge / rate_hz) / 2.0).tan());
    let (width, centre) = (high - low, (low * high).sqrt());
    let mut poles = Vec::with_capacity(2 * ORDER);
    for sign in [1.0, -1.0] {
        for m in [-3.0, -1.0, 1.0, 3.0] {
            let prototype = -Complex::new(0.0, PI * m / (2 * ORDER) as f64).exp() * (width / 2.0);
            poles.push(prototype + (prototype * prototype - centre * centre).sqrt() * sign);
        }
    }
    // Four zeros stand at 0 (they go to +1), four at infinity (they go to -1).
    let numerator = FACTOR.powi(ORDER as i32);
    let denominator: Complex<f64> = poles.iter().map(|pole| Complex::from(FACTOR) - pole).product();
    let gain = width.powi(ORDER as i32) * (Complex::from(numerator) / denominator).re;
    let digital: Vec<_> = poles.iter().map(|pole| (Complex::from(FACTOR) + pole) / (Complex::from(FACTOR) - pole)).collect();
    pair(digital, gain)
}

/// Pairs poles with their nearest zeros, the pole nearest to the unit circle going to the last section; the gain to the first.
fn pair(poles: Vec<Complex<f64>>, gain: f64) -> [Section; ORDER] {
    let mut upper: Vec<_> = poles.into_iter().filter(|pole| pole.im > 0.0).collect();
    upper.sort_by(|a, b| a.re.total_cmp(&b.re).then(a.im.total_cmp(&b.im)));
    let mut zeros = vec![-1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0];
    let mut sections = [Section { b: [0.0; 3], a: [0.0; 2] }; ORDER];
    for section in sections.iter_mut().rev() {
        let pole = upper.remove(index_of_least(upper.iter().map(|pole| (1.0 - pole.norm()).abs())));
        let mut take = || zeros.remove(index_of_least(zeros.iter().map(|zero| (pole - zero).norm())));
        let (first, second) = (take(), take());
        *section = Section { b: [1.0, -(first + second), first * second], a: [-2.0 * pole.re, pole.norm_sqr()] };
    }
    sections[0].b = sections[0].b.map(|b| b * gain);
    sections
}

/// Index of the first least value; 0 for none.
fn index_of_least(values: impl Iterator<Item = f64>) -> usize {
    values.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(index, _)| index)
}

fn both_ways<const N: usize>(sections: &[Section; N], samples: &[f64], pad: usize) -> Vec<f64> {
    let n = samples.len();
    let (first, last) = (samples[0], samples[n - 1]);
    let mut padded = Vec::with_capacity(n + 2 * pad);
    padded.extend((1..=pad).rev().map(|at| 2.0 * first - samples[at]));
    padded.extend_from_slice(samples);
    padded.extend((1..=pad).map(|back| 2.0 * last - samples[n - 1 - back]));
    for _ in 0..2 {
        run(sections, &mut padded);
        padded.reverse();
    }
    padded[pad..pad + n].to_vec()
}

/// One passage in direct form II transposed, started in the steady state of the first sample.
fn run<const N: usize>(sections: &[Section; N], samples: &mut [f64]) {
    let mut level = samples[0];
    let mut states = [[0.0; 2]; N];
    for (Section { b, a }, state) in sections.iter().zip(&mut states) {
        let sum_a = 1.0 + a[0] + a[1];
        let z0 = ((b[1] - a[0] * b[0]) + (b[2] - a[1] * b[0])) / sum_a;
        let z1 = (1.0 + a[0]) * z0 - (b[1] - a[0] * b[0]);
        *state = [z0 * level, z1 * level];
        level *= (b[0] + b[1] + b[2]) / sum_a;
    }
    // All sections of a sample before the next sample: the sections of neighbouring samples overlap in the processor.
    for sample in samples.iter_mut() {
        let mut value = *sample;
        for (Section { b, a }, state) in sections.iter().zip(&mut states) {
            let output = b[0] * value + state[0];
            *state = [b[1] * value - a[0] * output + state[1], b[2] * value - a[1] * output];
            value = output;
        }
        *sample = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, rate: f64, n: usize) -> Series {
        let values = (0..n).map(|at| (2.0 * PI * hz * at as f64 / rate).sin()).collect();
        Series::new(vec!["x".into()], values, rate, 0.0, "V").unwrap()
    }

    #[test]
    fn passes_the_band_in_phase_and_stops_the_rest() {
        let inside = sine(10.0, 250.0, 2500);
        let passed = bandpass(&inside, [1.0, 50.0]).unwrap();
        for at in 1000..1500 {
            assert!((passed.values()[at] - inside.values()[at]).abs() < 1e-3);
        }
        let stopped = bandpass(&sine(110.0, 250.0, 2500), [1.0, 50.0]).unwrap();
        assert!(stopped.values()[1000..1500].iter().all(|value| value.abs() < 1e-4));
    }

    #[test]
    fn halves_the_amplitude_at_an_edge() {
        let passed = bandpass(&sine(20.0, 250.0, 5000), [5.0, 20.0]).unwrap();
        let peak = passed.values()[2000..3000].iter().fold(0.0_f64, |peak, value| peak.max(value.abs()));
        assert!((peak - 0.5).abs() < 2e-3, "{peak}");
    }

    #[test]
    fn impossible_bands_and_short_series_are_refused() {
        let series = sine(1.0, 100.0, 100);
        for band in [[0.0, 10.0], [10.0, 5.0], [10.0, 50.0], [10.0, 60.0]] {
            assert!(bandpass(&series, band).unwrap_err().to_string().contains("50 Hz"));
        }
        assert!(bandpass(&sine(1.0, 100.0, 27), [1.0, 10.0]).unwrap_err().to_string().contains("27"));
        assert!(bandpass(&sine(1.0, 100.0, 28), [1.0, 10.0]).is_ok());
    }
}
