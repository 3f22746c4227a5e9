//! Gaussian noise whose power falls as `1 / f^exponent`, independent in each channel.
//!
//! Fourier coefficients are drawn as `N(0, 1) + i N(0, 1)`, weighted by `f^(-exponent / 2)`, with none at frequency 0, and
//! transformed back. The record made is twice as long as asked for and its first half is kept, so that the end does not join the
//! start. The scale makes the expected variance of the long record `sd^2`; a stretch of it varies less the steeper the spectrum.
//!
//! Timmer & König 1995, Astron. Astrophys. 300:707.

use super::{Model, SignalKind, checked, count, numbered, positive, random, series, series_header};
use crate::data::{Content, DataError};
use crate::read::Header;
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use rand_distr::StandardNormal;
use realfft::RealFftPlanner;
use realfft::num_complex::Complex64;
use serde::Serialize;

/// The model's entry.
pub const ENTRY: Entry<dyn Model> = Entry {
    kind: "noise-1f",
    summary: "Gaussian noise with a 1/f^exponent spectrum (series)",
    keys: &[
        Key { name: "exponent", default: "1.0", help: "how fast the power falls, from -3 to 5 (0: white, 2: like a random walk)" },
        Key { name: "sd", default: "1.0", help: "standard deviation" },
        Key { name: "duration_s", default: "100.0", help: "length, seconds" },
        Key { name: "rate_hz", default: "250.0", help: "samples a second" },
        Key { name: "channels", default: "1", help: "independent copies" },
    ],
    parse,
};

#[derive(Debug, Serialize)]
struct Noise {
    exponent: f64,
    sd: f64,
    duration_s: f64,
    rate_hz: f64,
    channels: usize,
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Model>> {
    let problems = section.diagnostics().len();
    let model = Noise {
        exponent: section.number_where("exponent", "from -3 to 5", |exponent| (-3.0..=5.0).contains(&exponent)).unwrap_or(1.0),
        sd: positive(section, "sd", 1.0),
        duration_s: positive(section, "duration_s", 100.0),
        rate_hz: positive(section, "rate_hz", 250.0),
        channels: count(section, "channels", 1, 1),
    };
    let size = (model.duration_s * model.rate_hz).round() * model.channels as f64;
    checked(section, problems, size, model)
}

impl Noise {
    fn n_samples(&self) -> usize {
        (self.duration_s * self.rate_hz).round() as usize
    }
}

impl Model for Noise {
    fn simulate(&self, seed: u64) -> Result<Content, DataError> {
        let n_samples = self.n_samples();
        let n_long = 2 * n_samples;
        let weight = |bin: usize| (bin as f64).powf(-0.5 * self.exponent);
        // A bin below the middle adds 4 w^2 to the variance (twice for its mirror, N(0, 1) in both parts), the middle one w^2.
        let variance = (1..n_samples).map(|bin| 4.0 * weight(bin).powi(2)).sum::<f64>() + weight(n_samples).powi(2);
        let scale = self.sd / variance.sqrt();
        let inverse = RealFftPlanner::<f64>::new().plan_fft_inverse(n_long);
        let mut values = Vec::with_capacity(self.channels * n_samples);
        for channel in 0..self.channels {
            let mut random = random(seed, channel as u64);
            let mut spectrum = inverse.make_input_vec();
            for (bin, coefficient) in spectrum.iter_mut().enumerate().skip(1) {
                let mut draw = || scale * weight(bin) * random.sample::<f64, _>(StandardNormal);
                *coefficient = if bin == n_samples { Complex64::new(draw(), 0.0) } else { Complex64::new(draw(), draw()) };
            }
            let mut long = inverse.make_output_vec();
            inverse.process(&mut spectrum, &mut long).map_err(|error| DataError::new(error.to_string()))?;
            values.extend_from_slice(&long[..n_samples]);
        }
        series(numbered(self.channels), values, self.rate_hz)
    }
    fn header(&self) -> Header {
        series_header(numbered(self.channels), self.rate_hz, self.n_samples())
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
    fn version(&self) -> u32 {
        1
    }
    fn citation(&self) -> &'static str {
        "Timmer & König 1995, Astron. Astrophys. 300:707"
    }
    fn signal(&self) -> SignalKind {
        SignalKind::Series
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{covariance, mean, series_of};
    use realfft::RealFftPlanner;

    /// Slope of log power on log frequency, of Hann-windowed segments of 1000 samples (the window keeps steep spectra from leaking).
    fn slope(x: &[f64]) -> f64 {
        let forward = RealFftPlanner::<f64>::new().plan_fft_forward(1000);
        let mut power = vec![0.0; 501];
        for segment in x.chunks_exact(1000) {
            let middle = mean(segment);
            let hann = |t: usize| 0.5 - 0.5 * (std::f64::consts::TAU * t as f64 / 1000.0).cos();
            let mut segment: Vec<_> = segment.iter().enumerate().map(|(t, x)| (x - middle) * hann(t)).collect();
            let mut spectrum = forward.make_output_vec();
            forward.process(&mut segment, &mut spectrum).unwrap();
            power.iter_mut().zip(&spectrum).for_each(|(power, bin)| *power += bin.norm_sqr());
        }
        let (log_f, log_p): (Vec<_>, Vec<_>) = (5..300).map(|bin| ((bin as f64).ln(), power[bin].ln())).unzip();
        covariance(&log_f, &log_p) / covariance(&log_f, &log_f)
    }

    #[test]
    fn the_spectrum_falls_with_the_exponent() {
        for exponent in [0.0, 1.0, 1.5, 2.0] {
            let x = series_of("noise-1f", &format!("exponent = {exponent:?}\nduration_s = 800.0"), 1);
            assert!((slope(x.channel(0)) + exponent).abs() < 0.05, "{} against {exponent}", slope(x.channel(0)));
        }
    }

    #[test]
    fn white_noise_has_the_variance_asked_for() {
        let x = series_of("noise-1f", "exponent = 0.0\nsd = 3.0\nduration_s = 400.0", 2);
        assert!((covariance(x.channel(0), x.channel(0)) / 9.0 - 1.0).abs() < 0.02);
    }
}
