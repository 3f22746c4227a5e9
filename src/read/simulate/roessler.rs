//! The Rössler system: `x' = -y - z`, `y' = x + a y`, `z' = b + z (x - c)`.
//!
//! Integrated by RK4 (step at most 0.01), from a random point near (1, 1, 0); the first 200 time units are dropped.
//!
//! Rössler 1976, Phys. Lett. A 57:397.

use super::ode::Sampling;
use super::{Model, SignalKind, checked, finite, random, series, series_header};
use crate::data::{Content, DataError};
use crate::read::Header;
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use serde::Serialize;

/// The model's entry.
pub const ENTRY: Entry<dyn Model> = Entry {
    kind: "roessler",
    summary: "the Rössler system (series x, y, z)",
    keys: &[
        Key { name: "a", default: "0.2", help: "growth of the spiral" },
        Key { name: "b", default: "0.2", help: "drive of z" },
        Key { name: "c", default: "5.7", help: "where the orbit folds back" },
        Key { name: "duration_s", default: "1000.0", help: "length, time units" },
        Key { name: "rate_hz", default: "10.0", help: "samples a time unit" },
        Key { name: "step_s", default: "0.01", help: "largest step of integration, time units" },
        Key { name: "transient_s", default: "200.0", help: "left out before the first sample, time units" },
    ],
    parse,
};

#[derive(Debug, Serialize)]
struct Roessler {
    a: f64,
    b: f64,
    c: f64,
    sampling: Sampling,
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Model>> {
    let problems = section.diagnostics().len();
    let model = Roessler {
        a: finite(section, "a", 0.2),
        b: finite(section, "b", 0.2),
        c: finite(section, "c", 5.7),
        sampling: Sampling::parse(section, Sampling { duration_s: 1000.0, rate_hz: 10.0, step_s: 0.01, transient_s: 200.0 }),
    };
    let size = model.sampling.size(3);
    checked(section, problems, size, model)
}

fn channels() -> Vec<String> {
    ["x", "y", "z"].map(str::to_owned).to_vec()
}

impl Model for Roessler {
    fn simulate(&self, seed: u64) -> Result<Content, DataError> {
        let mut random = random(seed, 0);
        let mut state = [1.0, 1.0, 0.0].map(|centre| centre + random.random::<f64>());
        let values = self.sampling.orbit(&mut state, |at, slope| {
            slope[0] = -at[1] - at[2];
            slope[1] = at[0] + self.a * at[1];
            slope[2] = self.b + at[2] * (at[0] - self.c);
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
        "Rössler 1976, Phys. Lett. A 57:397"
    }
    fn signal(&self) -> SignalKind {
        SignalKind::Series
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{mean, series_of};

    #[test]
    fn the_orbit_is_bounded_and_obeys_its_averages() {
        let orbit = series_of("roessler", "duration_s = 3000.0", 1);
        assert!(orbit.channel(0).iter().all(|x| (-10.0..12.5).contains(x)));
        assert!(orbit.channel(2).iter().all(|z| (0.0..24.0).contains(z)));
        // From x' and y': over a long orbit <z> = -<y> and <x> = -a <y>.
        let [x, y, z] = [0, 1, 2].map(|channel| mean(orbit.channel(channel)));
        assert!((z + y).abs() < 0.03 && (x + 0.2 * y).abs() < 0.03, "{x} {y} {z}");
    }

    #[test]
    fn it_turns_about_once_in_six_time_units() {
        let orbit = series_of("roessler", "duration_s = 1000.0", 2);
        let turns = orbit.channel(0).windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        // Mean return time 5.88 (Rosenblum, Pikovsky & Kurths 1996 give a mean frequency near 1.07 rad).
        assert!((165..176).contains(&turns), "{turns}");
    }
}
