//! Schreiber's lattice of tent maps, each driven by its left neighbour: the test bed of transfer entropy.
//!
//! `x_m(t + 1) = f(eps x_{m-1}(t) + (1 - eps) x_m(t))`, `f(x) = 2x` below 1/2 and `2 - 2x` above, on a ring of `sites`. With the
//! partition at 1/2, the transfer entropy of one step along the ring is near `0.77^2 eps^2 / ln 2` bits for small `eps`, and 0 against it.
//!
//! Doubling shifts one bit of a double away in every step, so that an orbit of the bare map ends at 0 after some fifty steps. A
//! uniform noise of ±`noise` (default 1e-9, far below the partition's resolution), reflected into [0, 1], supplies new bits.
//! The first 10 000 steps are dropped.
//!
//! Schreiber 2000, Phys. Rev. Lett. 85:461.

use super::{Model, SignalKind, checked, count, numbered, positive, random, series, series_header};
use crate::data::{Content, DataError};
use crate::read::Header;
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use serde::Serialize;

/// The model's entry.
pub const ENTRY: Entry<dyn Model> = Entry {
    kind: "tent-lattice",
    summary: "a ring of tent maps, each driven by its left neighbour (series)",
    keys: &[
        Key { name: "coupling", default: "0.05", help: "weight of the left neighbour, from 0 to 1" },
        Key { name: "sites", default: "100", help: "number of maps" },
        Key { name: "samples", default: "10000", help: "number of steps" },
        Key { name: "noise", default: "1e-9", help: "half width of the uniform noise, above 0 and below 0.5" },
        Key { name: "rate_hz", default: "1.0", help: "steps that count as a second" },
    ],
    parse,
};

const TRANSIENT: usize = 10_000;

#[derive(Debug, Serialize)]
struct TentLattice {
    coupling: f64,
    sites: usize,
    samples: usize,
    noise: f64,
    rate_hz: f64,
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Model>> {
    let problems = section.diagnostics().len();
    let model = TentLattice {
        coupling: section.number_where("coupling", "from 0 to 1", |eps| (0.0..=1.0).contains(&eps)).unwrap_or(0.05),
        sites: count(section, "sites", 2, 100),
        samples: count(section, "samples", 1, 10_000),
        noise: section.number_where("noise", "at least 1e-12 and below 0.5", |noise| (1e-12..0.5).contains(&noise)).unwrap_or(1e-9),
        rate_hz: positive(section, "rate_hz", 1.0),
    };
    let size = model.sites as f64 * (model.samples + TRANSIENT) as f64;
    checked(section, problems, size, model)
}

impl Model for TentLattice {
    fn simulate(&self, seed: u64) -> Result<Content, DataError> {
        let mut random = random(seed, 0);
        let mut now: Vec<f64> = (0..self.sites).map(|_| random.random()).collect();
        let mut next = now.clone();
        let mut values = vec![0.0; self.sites * self.samples];
        for step in 0..TRANSIENT + self.samples {
            for (site, to) in next.iter_mut().enumerate() {
                let left = now[(site + self.sites - 1) % self.sites];
                let mixed = self.coupling * left + (1.0 - self.coupling) * now[site];
                let image = if mixed < 0.5 { 2.0 * mixed } else { 2.0 - 2.0 * mixed };
                let noisy = (image + self.noise * (2.0 * random.random::<f64>() - 1.0)).abs();
                *to = if noisy > 1.0 { 2.0 - noisy } else { noisy };
            }
            std::mem::swap(&mut now, &mut next);
            if let Some(sample) = step.checked_sub(TRANSIENT) {
                now.iter().enumerate().for_each(|(site, value)| values[site * self.samples + sample] = *value);
            }
        }
        series(numbered(self.sites), values, self.rate_hz)
    }
    fn header(&self) -> Header {
        series_header(numbered(self.sites), self.rate_hz, self.samples)
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
    fn version(&self) -> u32 {
        1
    }
    fn citation(&self) -> &'static str {
        "Schreiber 2000, Phys. Rev. Lett. 85:461"
    }
    fn signal(&self) -> SignalKind {
        SignalKind::Series
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{covariance, mean, series_of};

    /// The density of the uncoupled map is uniform: mean 1/2, variance 1/12, correlation 0 after one step.
    #[test]
    fn uncoupled_maps_are_uniform_and_do_not_collapse() {
        let lattice = series_of("tent-lattice", "coupling = 0.0\nsites = 10\nsamples = 20000", 1);
        for site in lattice.iter() {
            assert!((mean(site) - 0.5).abs() < 0.015, "{}", mean(site));
            assert!((covariance(site, site) - 1.0 / 12.0).abs() < 0.004, "{}", covariance(site, site));
            assert!(covariance(&site[1..], &site[..19_999]).abs() < 0.004);
        }
    }

    /// Plug-in transfer entropy of binary symbols with one step of history, bits, from one site to the next.
    fn transfer_entropy(source: &[f64], target: &[f64], counts: &mut [f64; 8]) {
        for t in 1..target.len() {
            let bit = |value: f64| usize::from(value > 0.5);
            counts[4 * bit(target[t]) + 2 * bit(target[t - 1]) + bit(source[t - 1])] += 1.0;
        }
    }
    fn bits(counts: &[f64; 8]) -> f64 {
        let total: f64 = counts.iter().sum();
        let sum = |fits: &dyn Fn(usize) -> bool| (0..8).filter(|&cell| fits(cell)).map(|cell| counts[cell]).sum::<f64>();
        (0..8)
            .filter(|&cell| counts[cell] > 0.0)
            .map(|cell| {
                let joint = counts[cell] / sum(&|other| other & 3 == cell & 3);
                let alone = sum(&|other| other & 6 == cell & 6) / sum(&|other| other & 2 == cell & 2);
                counts[cell] / total * (joint / alone).log2()
            })
            .sum()
    }

    #[test]
    fn information_flows_one_way_as_schreiber_found() {
        let lattice = series_of("tent-lattice", "coupling = 0.05\nsamples = 20000", 1);
        let (mut along, mut against) = ([0.0; 8], [0.0; 8]);
        for site in 0..100 {
            transfer_entropy(lattice.channel(site), lattice.channel((site + 1) % 100), &mut along);
            transfer_entropy(lattice.channel((site + 1) % 100), lattice.channel(site), &mut against);
        }
        let expected = 0.77_f64.powi(2) * 0.05_f64.powi(2) / std::f64::consts::LN_2;
        // The formula is the leading term; JIDT's lattice of the same size lies within 9 % of it.
        assert!((bits(&along) / expected - 1.0).abs() < 0.15, "{} against {expected}", bits(&along));
        assert!(bits(&against) < 0.05 * expected, "{}", bits(&against));
    }
}
