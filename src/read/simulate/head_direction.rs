//! Head-direction cells: a ring of neurons, each tuned to one heading, while the heading wanders.
//!
//! Heading: Brownian motion on the circle, `theta(t + dt) = theta(t) + heading_sd sqrt(dt) N(0, 1)`, from a uniform start.
//! Rate of neuron `i`: `base + (peak - base) exp(kappa (cos(theta - mu_i) - 1))`, a von Mises curve around the preferred
//! heading `mu_i = 2 pi i / n`. Spikes: an inhomogeneous Poisson process whose rate is constant within a step of `dt = 2 ms`.
//! The population's states form a circle, which shows as one long bar in H1.
//!
//! Taube, Muller & Ranck 1990, J. Neurosci. 10:420 (the cells); Zhang 1996, J. Neurosci. 16:2112 (von Mises tuning);
//! Chaudhuri et al. 2019, Nat. Neurosci. 22:1512 (the ring found by persistent homology).

use super::{Model, SignalKind, checked, count, not_negative, positive, random, spikes_header};
use crate::data::{Content, DataError, Span, SpikeTrain, Spikes};
use crate::read::Header;
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use rand_distr::{Exp1, StandardNormal};
use serde::Serialize;

/// The model's entry.
pub const ENTRY: Entry<dyn Model> = Entry {
    kind: "head-direction",
    summary: "head-direction cells (spikes): von Mises tuning around a ring, the heading wanders",
    keys: &[
        Key { name: "neurons", default: "60", help: "number of cells, preferred headings equally spaced" },
        Key { name: "duration_s", default: "300.0", help: "length, seconds" },
        Key { name: "peak_rate_hz", default: "30.0", help: "rate at the preferred heading, hertz" },
        Key { name: "base_rate_hz", default: "0.5", help: "rate far from it, hertz" },
        Key { name: "kappa", default: "4.0", help: "concentration of the tuning: larger is narrower" },
        Key { name: "heading_sd", default: "1.0", help: "how far the heading wanders, radians per square root of a second" },
    ],
    parse,
};

/// Within 2 ms the heading moves by 0.04 rad at the default, a tenth of a tuning curve's width.
const STEP_S: f64 = 0.002;

#[derive(Debug, Serialize)]
struct HeadDirection {
    neurons: usize,
    duration_s: f64,
    peak_rate_hz: f64,
    base_rate_hz: f64,
    kappa: f64,
    heading_sd: f64,
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Model>> {
    let problems = section.diagnostics().len();
    let model = HeadDirection {
        neurons: count(section, "neurons", 1, 60),
        duration_s: positive(section, "duration_s", 300.0),
        peak_rate_hz: positive(section, "peak_rate_hz", 30.0),
        base_rate_hz: not_negative(section, "base_rate_hz", 0.5),
        kappa: positive(section, "kappa", 4.0),
        heading_sd: positive(section, "heading_sd", 1.0),
    };
    if model.base_rate_hz > model.peak_rate_hz {
        section.error(section.span_of("base_rate_hz"), "`base_rate_hz` must not be above `peak_rate_hz`", "");
    }
    let n_steps = model.duration_s / STEP_S;
    let n_values = n_steps.max(model.neurons as f64 * model.duration_s * model.peak_rate_hz);
    checked(section, problems, n_values, model)
}

impl Model for HeadDirection {
    fn simulate(&self, seed: u64) -> Result<Content, DataError> {
        let headings = self.headings(seed);
        let trains = (0..self.neurons).map(|neuron| self.train(neuron, &headings, seed)).collect();
        Spikes::new(trains, Span { start_s: 0.0, stop_s: self.duration_s }).map(Content::Spikes)
    }
    fn header(&self) -> Header {
        spikes_header(self.neurons, self.duration_s)
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
    fn version(&self) -> u32 {
        1
    }
    fn citation(&self) -> &'static str {
        "Taube, Muller & Ranck 1990, J. Neurosci. 10:420; Zhang 1996, J. Neurosci. 16:2112; Chaudhuri et al. 2019, Nat. Neurosci. 22:1512"
    }
    fn signal(&self) -> SignalKind {
        SignalKind::Spikes
    }
}

impl HeadDirection {
    /// The heading in each step, radians.
    fn headings(&self, seed: u64) -> Vec<f64> {
        let mut random = random(seed, 0);
        let n_steps = (self.duration_s / STEP_S).ceil() as usize;
        let mut heading = random.random::<f64>() * std::f64::consts::TAU;
        let step_sd = self.heading_sd * STEP_S.sqrt();
        let mut headings = Vec::with_capacity(n_steps);
        for _ in 0..n_steps {
            headings.push(heading);
            heading += step_sd * random.sample::<f64, _>(StandardNormal);
        }
        headings
    }

    /// Spikes of one cell: unit-rate exponential waits, stretched by the rate (time rescaling).
    fn train(&self, neuron: usize, headings: &[f64], seed: u64) -> SpikeTrain {
        let mut random = random(seed, neuron as u64 + 1);
        let preferred = std::f64::consts::TAU * neuron as f64 / self.neurons as f64;
        let mut times_s = Vec::new();
        let mut wait = random.sample::<f64, _>(Exp1);
        for (step, heading) in headings.iter().enumerate() {
            let rate_hz =
                self.base_rate_hz + (self.peak_rate_hz - self.base_rate_hz) * (self.kappa * ((heading - preferred).cos() - 1.0)).exp();
            let expected = rate_hz * STEP_S;
            let mut within = wait;
            while within < expected {
                let time_s = (step as f64 + within / expected) * STEP_S;
                if time_s < self.duration_s {
                    times_s.push(time_s);
                }
                within += random.sample::<f64, _>(Exp1);
            }
            wait = within - expected;
        }
        SpikeTrain { id: neuron.to_string(), location: None, times_s }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{mean, spikes_of};

    /// Mean of the von Mises curve over the circle: `exp(-kappa) I0(kappa)`, with I0(4) = 11.301921952 (Abramowitz & Stegun, table 9.8).
    #[test]
    fn the_mean_rate_is_the_integral_of_the_tuning() {
        let spikes = spikes_of("head-direction", "", 1);
        let rates: Vec<_> = spikes.trains().iter().map(|train| train.times_s.len() as f64 / 300.0).collect();
        let expected = 0.5 + 29.5 * (-4.0_f64).exp() * 11.301_921_952;
        // The mean over a full ring of cells does not depend on the path: only the Poisson noise of 1.2e5 spikes is left.
        assert!((mean(&rates) / expected - 1.0).abs() < 0.02, "{} against {expected}", mean(&rates));
        // Every cell sees its heading: the wandering covers the ring.
        assert!(rates.iter().all(|&rate| rate > 0.3 * expected && rate < 3.0 * expected), "{rates:?}");
    }

    #[test]
    fn neighbours_on_the_ring_fire_together() {
        let spikes = spikes_of("head-direction", "duration_s = 100.0", 2);
        let counts = |unit: usize| {
            let mut counts = vec![0.0; 400];
            spikes.trains()[unit].times_s.iter().for_each(|time| counts[(time / 0.25) as usize] += 1.0);
            counts
        };
        let correlation = |a: usize, b: usize| {
            let (a, b) = (counts(a), counts(b));
            let covariance = super::super::tests::covariance;
            covariance(&a, &b) / (covariance(&a, &a) * covariance(&b, &b)).sqrt()
        };
        assert!(correlation(10, 11) > 0.6, "{}", correlation(10, 11));
        assert!(correlation(10, 40) < 0.0, "{}", correlation(10, 40));
    }
}
