//! The Lorenz system: `x' = sigma (y - x)`, `y' = x (rho - z) - y`, `z' = x y - beta z`.
//!
//! Integrated by RK4 (step at most 0.005), from a random point near (1, 1, 20); the first 50 time units are dropped.
//! With the classical parameters the orbit stays within |x| < 21, |y| < 29, 0 < z < 51 and the mean of z is 23.55.
//!
//! Lorenz 1963, J. Atmos. Sci. 20:130; mean of z: Eyink, Haine & Lea 2004, Nonlinearity 17:1867.

use super::ode::Sampling;
use super::{Model, SignalKind, checked, finite, positive, random, series, series_header};
use crate::data::{Content, DataError};
use crate::read::Header;
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use serde::Serialize;

/// The model's entry.
pub const ENTRY: Entry<dyn Model> = Entry {
    kind: "lorenz",
    summary: "the Lorenz system (series x, y, z)",
    keys: &[
        Key { name: "sigma", default: "10.0", help: "Prandtl number" },
        Key { name: "rho", default: "28.0", help: "Rayleigh number, relative" },
        Key { name: "beta", default: "2.6666666666666665", help: "shape of the rolls; 8/3" },
        Key { name: "duration_s", default: "100.0", help: "length, time units" },
        Key { name: "rate_hz", default: "100.0", help: "samples a time unit" },
        Key { name: "step_s", default: "0.005", help: "largest step of integration, time units" },
        Key { name: "transient_s", default: "50.0", help: "left out before the first sample, time units" },
    ],
    parse,
};

#[derive(Debug, Serialize)]
struct Lorenz {
    sigma: f64,
    rho: f64,
    beta: f64,
    sampling: Sampling,
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Model>> {
    let problems = section.diagnostics().len();
    let model = Lorenz {
        sigma: positive(section, "sigma", 10.0),
        rho: finite(section, "rho", 28.0),
        beta: positive(section, "beta", 8.0 / 3.0),
        sampling: Sampling::parse(section, Sampling { duration_s: 100.0, rate_hz: 100.0, step_s: 0.005, transient_s: 50.0 }),
    };
    let size = model.sampling.size(3);
    checked(section, problems, size, model)
}

fn channels() -> Vec<String> {
    ["x", "y", "z"].map(str::to_owned).to_vec()
}

impl Model for Lorenz {
    fn simulate(&self, seed: u64) -> Result<Content, DataError> {
        let mut random = random(seed, 0);
        let mut state = [1.0, 1.0, 20.0].map(|centre| centre + random.random::<f64>());
        let values = self.sampling.orbit(&mut state, |at, slope| {
            slope[0] = self.sigma * (at[1] - at[0]);
            slope[1] = at[0] * (self.rho - at[2]) - at[1];
            slope[2] = at[0] * at[1] - self.beta * at[2];
        });
        series(channels(), values, self.sampling.rate_hz)
    }
    fn header(&self) -> Header {
        series_header(channels(), self.sampling.rate_hz, self.sampling.n_samples())
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
    fn version(&self) -> u32 {
        1
    }
    fn citation(&self) -> &'static str {
        "Lorenz 1963, J. Atmos. Sci. 20:130"
    }
    fn signal(&self) -> SignalKind {
        SignalKind::Series
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{mean, series_of};

    #[test]
    fn the_orbit_is_bounded_and_its_means_are_known() {
        let orbit = series_of("lorenz", "duration_s = 2000.0", 1);
        let within = |channel: usize, low: f64, high: f64| orbit.channel(channel).iter().all(|value| (low..high).contains(value));
        assert!(within(0, -21.0, 21.0) && within(1, -29.0, 29.0) && within(2, 0.0, 51.0));
        assert!((mean(orbit.channel(2)) - 23.55).abs() < 0.15, "{}", mean(orbit.channel(2)));
        // From z' = xy - beta z: over a long orbit <xy> = beta <z>.
        let xy: Vec<_> = orbit.channel(0).iter().zip(orbit.channel(1)).map(|(x, y)| x * y).collect();
        assert!((mean(&xy) / mean(orbit.channel(2)) - 8.0 / 3.0).abs() < 0.01);
    }

    #[test]
    fn below_the_first_instability_the_origin_attracts() {
        let orbit = series_of("lorenz", "rho = 0.5\nduration_s = 1.0\ntransient_s = 200.0", 1);
        assert!(orbit.values().iter().all(|value| value.abs() < 1e-9));
    }
}
