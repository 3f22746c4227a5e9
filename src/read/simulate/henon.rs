//! The Hénon map: `x(t + 1) = 1 - a x(t)^2 + y(t)`, `y(t + 1) = b x(t)`.
//!
//! It starts at a random point close to the origin, inside the basin of the classical attractor; the first 1000 steps are dropped.
//! With a = 1.4, b = 0.3 the attractor lies within |x| < 1.29, |y| < 0.39.
//!
//! Hénon 1976, Commun. Math. Phys. 50:69.

use super::{Model, SignalKind, checked, count, positive, random, series, series_header};
use crate::data::{Content, DataError};
use crate::read::Header;
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use serde::Serialize;

/// The model's entry.
pub const ENTRY: Entry<dyn Model> = Entry {
    kind: "henon",
    summary: "the Hénon map (series x, y)",
    keys: &[
        Key { name: "a", default: "1.4", help: "strength of the fold, at most 1.42 (beyond, orbits escape)" },
        Key { name: "b", default: "0.3", help: "contraction, from 0 to 0.3" },
        Key { name: "samples", default: "10000", help: "number of steps" },
        Key { name: "rate_hz", default: "1.0", help: "steps that count as a second" },
    ],
    parse,
};

const TRANSIENT: usize = 1000;

#[derive(Debug, Serialize)]
struct Henon {
    a: f64,
    b: f64,
    samples: usize,
    rate_hz: f64,
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Model>> {
    let problems = section.diagnostics().len();
    let model = Henon {
        a: section.number_where("a", "0 or more and at most 1.42", |a| (0.0..=1.42).contains(&a)).unwrap_or(1.4),
        b: section.number_where("b", "from 0 to 0.3", |b| (0.0..=0.3).contains(&b)).unwrap_or(0.3),
        samples: count(section, "samples", 1, 10_000),
        rate_hz: positive(section, "rate_hz", 1.0),
    };
    let size = 2.0 * model.samples as f64;
    checked(section, problems, size, model)
}

fn channels() -> Vec<String> {
    ["x", "y"].map(str::to_owned).to_vec()
}

impl Model for Henon {
    fn simulate(&self, seed: u64) -> Result<Content, DataError> {
        let mut random = random(seed, 0);
        let [mut x, mut y] = [0.0; 2].map(|centre| centre + 0.2 * (random.random::<f64>() - 0.5));
        let mut values = vec![0.0; 2 * self.samples];
        for step in 0..TRANSIENT + self.samples {
            (x, y) = (1.0 - self.a * x * x + y, self.b * x);
            if let Some(sample) = step.checked_sub(TRANSIENT) {
                values[sample] = x;
                values[self.samples + sample] = y;
            }
        }
        series(channels(), values, self.rate_hz)
    }
    fn header(&self) -> Header {
        series_header(channels(), self.rate_hz, self.samples)
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
    fn version(&self) -> u32 {
        1
    }
    fn citation(&self) -> &'static str {
        "Hénon 1976, Commun. Math. Phys. 50:69"
    }
    fn signal(&self) -> SignalKind {
        SignalKind::Series
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::series_of;

    #[test]
    fn the_attractor_fills_its_box_and_obeys_the_map() {
        for seed in 0..20 {
            let orbit = series_of("henon", "", seed);
            let (x, y) = (orbit.channel(0), orbit.channel(1));
            let extremes = x.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
            assert!((-1.29..-1.27).contains(&extremes.0) && (1.26..1.28).contains(&extremes.1), "{extremes:?}");
            assert!((1..x.len()).all(|t| y[t] == 0.3 * x[t - 1] && (x[t] - (1.0 - 1.4 * x[t - 1] * x[t - 1] + y[t - 1])).abs() < 1e-12));
        }
    }
}
