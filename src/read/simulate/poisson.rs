//! Independent Poisson spike trains: the null model of a population.
//!
//! Intervals are exponential with mean `1 / rate`; counts in bins of any length have a Fano factor of 1.
//!
//! Cox & Lewis 1966, The Statistical Analysis of Series of Events, chapter 2.

use super::{Model, SignalKind, checked, count, not_negative, positive, random, spikes_header};
use crate::data::{Content, DataError, Span, SpikeTrain, Spikes};
use crate::read::Header;
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use rand_distr::Exp1;
use serde::Serialize;

/// The model's entry.
pub const ENTRY: Entry<dyn Model> = Entry {
    kind: "poisson",
    summary: "independent Poisson spike trains (spikes)",
    keys: &[
        Key { name: "neurons", default: "50", help: "number of trains" },
        Key { name: "rate_hz", default: "5.0", help: "rate of each, hertz" },
        Key { name: "duration_s", default: "100.0", help: "length, seconds" },
    ],
    parse,
};

#[derive(Debug, Serialize)]
struct Poisson {
    neurons: usize,
    rate_hz: f64,
    duration_s: f64,
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Model>> {
    let problems = section.diagnostics().len();
    let model = Poisson {
        neurons: count(section, "neurons", 1, 50),
        rate_hz: not_negative(section, "rate_hz", 5.0),
        duration_s: positive(section, "duration_s", 100.0),
    };
    let n_values = (model.neurons as f64 * model.rate_hz * model.duration_s).max(model.neurons as f64);
    checked(section, problems, n_values, model)
}

impl Model for Poisson {
    fn simulate(&self, seed: u64) -> Result<Content, DataError> {
        let train = |neuron: usize| {
            let mut random = random(seed, neuron as u64);
            let mut times_s = Vec::new();
            let mut time_s = 0.0;
            if self.rate_hz > 0.0 {
                loop {
                    time_s += random.sample::<f64, _>(Exp1) / self.rate_hz;
                    if time_s >= self.duration_s {
                        break;
                    }
                    times_s.push(time_s);
                }
            }
            SpikeTrain { id: neuron.to_string(), location: None, times_s }
        };
        Spikes::new((0..self.neurons).map(train).collect(), Span { start_s: 0.0, stop_s: self.duration_s }).map(Content::Spikes)
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
        "Cox & Lewis 1966, The Statistical Analysis of Series of Events"
    }
    fn signal(&self) -> SignalKind {
        SignalKind::Spikes
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{covariance, mean, spikes_of};

    #[test]
    fn rate_and_fano_factor_are_those_of_poisson() {
        let spikes = spikes_of("poisson", "neurons = 20\nrate_hz = 10.0\nduration_s = 1000.0", 1);
        let total: usize = spikes.trains().iter().map(|train| train.times_s.len()).sum();
        // 2e5 spikes are expected, with a standard deviation of 447; 4 of them are allowed.
        assert!((total as f64 - 2e5).abs() < 4.0 * 447.0, "{total}");
        let fano: Vec<_> = spikes
            .trains()
            .iter()
            .map(|train| {
                let mut counts = vec![0.0; 1000];
                train.times_s.iter().for_each(|time| counts[*time as usize] += 1.0);
                covariance(&counts, &counts) / mean(&counts)
            })
            .collect();
        // The standard error of one Fano factor over 1000 bins is sqrt(2 / 1000) = 0.045, of the mean of 20 it is 0.01.
        assert!((mean(&fano) - 1.0).abs() < 0.04, "{}", mean(&fano));
    }

    #[test]
    fn silent_trains_stay() {
        assert_eq!(spikes_of("poisson", "rate_hz = 0.0\nneurons = 3", 1).trains().len(), 3);
    }
}
