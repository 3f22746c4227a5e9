//! Kuramoto's phase oscillators, all coupled to all: `theta_i' = 2 pi f_i + coupling r sin(psi - theta_i)`,
//! with `r exp(i psi)` the mean of `exp(i theta)`. The channels are `sin(theta_i)`.
//!
//! Frequencies are normal with mean `frequency_hz` and standard deviation `frequency_sd_hz`, or listed in `frequencies_hz`; starting
//! phases are uniform. For many oscillators synchrony sets in at a coupling of `2 / (pi g(mean))`, with `g` the density of the angular
//! frequencies: `2 sqrt(2 / pi) 2 pi frequency_sd_hz`, 10.03 rad/s for 1 Hz. RK4, step at most 1 ms.
//!
//! Kuramoto 1984, Chemical Oscillations, Waves, and Turbulence; Strogatz 2000, Physica D 143:1.

use super::ode::Sampling;
use super::{Model, SignalKind, checked, count, finite, not_negative, numbered, random, series, series_header};
use crate::data::{Content, DataError};
use crate::read::Header;
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::Serialize;
use std::f64::consts::TAU;

/// The model's entry.
pub const ENTRY: Entry<dyn Model> = Entry {
    kind: "kuramoto",
    summary: "Kuramoto's coupled phase oscillators (series of sin(phase))",
    keys: &[
        Key { name: "oscillators", default: "20", help: "how many; the length of `frequencies_hz` where that is given" },
        Key { name: "coupling", default: "15.0", help: "strength of the coupling, radians a second" },
        Key { name: "frequency_hz", default: "10.0", help: "mean of the natural frequencies, hertz" },
        Key { name: "frequency_sd_hz", default: "1.0", help: "their standard deviation, hertz" },
        Key { name: "frequencies_hz", default: "", help: "the natural frequencies themselves, hertz" },
        Key { name: "duration_s", default: "60.0", help: "length, seconds" },
        Key { name: "rate_hz", default: "250.0", help: "samples a second" },
        Key { name: "step_s", default: "0.001", help: "largest step of integration, seconds" },
        Key { name: "transient_s", default: "10.0", help: "left out before the first sample, seconds" },
    ],
    parse,
};

#[derive(Debug, Serialize)]
struct Kuramoto {
    oscillators: usize,
    coupling: f64,
    frequency_hz: f64,
    frequency_sd_hz: f64,
    frequencies_hz: Option<Vec<f64>>,
    sampling: Sampling,
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Model>> {
    let problems = section.diagnostics().len();
    let frequencies_hz = section.numbers("frequencies_hz");
    if let Some(listed) = &frequencies_hz {
        if listed.is_empty() || listed.iter().any(|frequency| !frequency.is_finite()) {
            section.error(section.span_of("frequencies_hz"), "`frequencies_hz` must list at least one finite frequency", "");
        }
        if section.raw("oscillators").is_some() {
            section.error(section.span_of("oscillators"), "`oscillators` and `frequencies_hz` exclude each other", "remove `oscillators`");
        }
    }
    let drawn = count(section, "oscillators", 1, 20);
    let model = Kuramoto {
        oscillators: frequencies_hz.as_ref().map_or(drawn, Vec::len),
        coupling: finite(section, "coupling", 15.0),
        frequency_hz: finite(section, "frequency_hz", 10.0),
        frequency_sd_hz: not_negative(section, "frequency_sd_hz", 1.0),
        frequencies_hz,
        sampling: Sampling::parse(section, Sampling { duration_s: 60.0, rate_hz: 250.0, step_s: 0.001, transient_s: 10.0 }),
    };
    let size = model.sampling.size(model.oscillators);
    checked(section, problems, size, model)
}

impl Kuramoto {
    /// Phases, channel after channel, radians (not wrapped).
    fn phases(&self, seed: u64) -> Vec<f64> {
        let mut random = random(seed, 0);
        let mut state: Vec<f64> = (0..self.oscillators).map(|_| TAU * random.random::<f64>()).collect();
        let drawn =
            || (0..self.oscillators).map(|_| self.frequency_hz + self.frequency_sd_hz * random.sample::<f64, _>(StandardNormal)).collect();
        let frequencies_hz: Vec<f64> = self.frequencies_hz.clone().unwrap_or_else(drawn);
        let n = self.oscillators as f64;
        self.sampling.orbit(&mut state, |phases, slope| {
            let (sin, cos) = phases.iter().fold((0.0, 0.0), |(sin, cos), phase| (sin + phase.sin(), cos + phase.cos()));
            for ((slope, phase), frequency_hz) in slope.iter_mut().zip(phases).zip(&frequencies_hz) {
                let pull = (sin * phase.cos() - cos * phase.sin()) / n;
                *slope = TAU * frequency_hz + self.coupling * pull;
            }
        })
    }
}

impl Model for Kuramoto {
    fn simulate(&self, seed: u64) -> Result<Content, DataError> {
        let values = self.phases(seed).into_iter().map(f64::sin).collect();
        series(numbered(self.oscillators), values, self.sampling.rate_hz)
    }
    fn header(&self) -> Header {
        series_header(numbered(self.oscillators), self.sampling.rate_hz, self.sampling.n_samples())
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
    fn version(&self) -> u32 {
        1
    }
    fn citation(&self) -> &'static str {
        "Kuramoto 1984, Chemical Oscillations, Waves, and Turbulence; Strogatz 2000, Physica D 143:1"
    }
    fn signal(&self) -> SignalKind {
        SignalKind::Series
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::mean;
    use super::*;

    /// Time average of `r` for 400 oscillators.
    fn order(coupling: f64) -> f64 {
        let sampling = Sampling { duration_s: 10.0, rate_hz: 20.0, step_s: 0.005, transient_s: 10.0 };
        let model = Kuramoto { oscillators: 400, coupling, frequency_hz: 5.0, frequency_sd_hz: 1.0, frequencies_hz: None, sampling };
        let phases = model.phases(1);
        let order = |sample: usize| {
            let (sin, cos) =
                phases.iter().skip(sample).step_by(200).fold((0.0, 0.0), |(sin, cos), phase| (sin + phase.sin(), cos + phase.cos()));
            sin.hypot(cos) / 400.0
        };
        mean(&(0..200).map(order).collect::<Vec<_>>())
    }

    /// Above the threshold of 10.03 rad/s, `r` solves `1 = K ∫ cos² g(K r sin) d` over a half turn; for a coupling of twice the
    /// threshold that gives r = 0.937 (scipy's quad and brentq).
    #[test]
    fn synchrony_sets_in_at_the_critical_coupling() {
        assert!(order(2.0) < 0.15, "{}", order(2.0));
        assert!((0.91..0.96).contains(&order(20.06)), "{}", order(20.06));
    }

    /// Two oscillators lock when the difference of their angular frequencies is below the coupling, at an angle of `asin` of the ratio.
    #[test]
    fn two_oscillators_lock_at_the_known_angle() {
        let sampling = Sampling { duration_s: 1.0, rate_hz: 100.0, step_s: 0.001, transient_s: 20.0 };
        let model = Kuramoto {
            oscillators: 2,
            coupling: 10.0,
            frequency_hz: 0.0,
            frequency_sd_hz: 0.0,
            frequencies_hz: Some(vec![10.0, 11.0]),
            sampling,
        };
        let phases = model.phases(3);
        let difference = (phases[199] - phases[99]).sin();
        assert!((difference - TAU / 10.0).abs() < 1e-6, "{difference}");
    }
}
