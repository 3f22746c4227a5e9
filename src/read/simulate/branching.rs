//! Driven branching process: each active neuron activates `m` others in the next step on average, beside a constant drive `h`.
//!
//! `A(t + 1) ~ Poisson(m A(t) + h)`, so that `<A> = h / (1 - m)` and `<A(t + 1) | A(t)> = m A(t) + h`; the autocorrelation decays
//! as `m^k`. Every event falls to one of `neurons` units at random and is recorded with probability `sampled`; its time is the
//! middle of the step, so two events of one unit in one step share their time. The first 20 autocorrelation times are dropped.
//!
//! Wilting & Priesemann 2018, Nat. Commun. 9:2325; Harris 1963, The Theory of Branching Processes.

use super::{Model, SignalKind, checked, count, not_negative, positive, random, spikes_header};
use crate::data::{Content, DataError, Span, SpikeTrain, Spikes};
use crate::read::Header;
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::Poisson;
use serde::Serialize;

/// The model's entry.
pub const ENTRY: Entry<dyn Model> = Entry {
    kind: "branching",
    summary: "driven branching process (spikes), subcritical, with subsampling",
    keys: &[
        Key { name: "m", default: "0.98", help: "branching parameter: events that one event causes in the next step, below 1" },
        Key { name: "h", default: "0.1", help: "drive: events a step from outside" },
        Key { name: "neurons", default: "100", help: "units among which the events are shared out" },
        Key { name: "sampled", default: "1.0", help: "probability that an event is recorded" },
        Key { name: "step_s", default: "0.004", help: "length of a step, seconds" },
        Key { name: "duration_s", default: "200.0", help: "length, seconds" },
    ],
    parse,
};

#[derive(Debug, Serialize)]
struct Branching {
    m: f64,
    h: f64,
    neurons: usize,
    sampled: f64,
    step_s: f64,
    duration_s: f64,
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Model>> {
    let problems = section.diagnostics().len();
    let model = Branching {
        m: section.number_where("m", "0 or more and below 1", |m| (0.0..1.0).contains(&m)).unwrap_or(0.98),
        h: not_negative(section, "h", 0.1),
        neurons: count(section, "neurons", 1, 100),
        sampled: section.number_where("sampled", "from 0 to 1", |p| (0.0..=1.0).contains(&p)).unwrap_or(1.0),
        step_s: positive(section, "step_s", 0.004),
        duration_s: positive(section, "duration_s", 200.0),
    };
    let n_steps = model.duration_s / model.step_s;
    let n_events = n_steps * model.h / (1.0 - model.m);
    let n_values = n_steps.max(n_events).max(model.transient_steps());
    checked(section, problems, n_values, model)
}

impl Model for Branching {
    fn simulate(&self, seed: u64) -> Result<Content, DataError> {
        let mut random = random(seed, 0);
        let mut active = (self.h / (1.0 - self.m)).round();
        for _ in 0..self.transient_steps() as usize {
            active = self.next(active, &mut random)?;
        }
        let mut times_s = vec![Vec::new(); self.neurons];
        for step in 0..(self.duration_s / self.step_s).ceil() as usize {
            let time_s = (step as f64 + 0.5) * self.step_s;
            if time_s >= self.duration_s {
                break;
            }
            for _ in 0..active as usize {
                let unit = random.random_range(0..self.neurons);
                if random.random::<f64>() < self.sampled {
                    times_s[unit].push(time_s);
                }
            }
            active = self.next(active, &mut random)?;
        }
        let trains = times_s.into_iter().enumerate().map(|(unit, times_s)| SpikeTrain { id: unit.to_string(), location: None, times_s });
        Spikes::new(trains.collect(), Span { start_s: 0.0, stop_s: self.duration_s }).map(Content::Spikes)
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
        "Wilting & Priesemann 2018, Nat. Commun. 9:2325"
    }
    fn signal(&self) -> SignalKind {
        SignalKind::Spikes
    }
}

impl Branching {
    /// Twenty autocorrelation times `-1 / ln m`, in steps.
    fn transient_steps(&self) -> f64 {
        if self.m > 0.0 { (-20.0 / self.m.ln()).ceil().max(1.0) } else { 1.0 }
    }
    fn next(&self, active: f64, random: &mut ChaCha8Rng) -> Result<f64, DataError> {
        let mean = self.m * active + self.h;
        if mean <= 0.0 {
            return Ok(0.0);
        }
        let law = Poisson::new(mean).map_err(|error| DataError::new(format!("an activity of {mean} events a step: {error}")))?;
        Ok(random.sample(law))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{covariance, mean, spikes_of};

    fn activity(params: &str, seed: u64) -> Vec<f64> {
        let mut counts = vec![0.0; 50_000];
        for train in spikes_of("branching", params, seed).trains() {
            train.times_s.iter().for_each(|time| counts[(time / 0.004) as usize] += 1.0);
        }
        counts
    }

    #[test]
    fn the_regression_on_the_step_before_gives_m() {
        for (m, h) in [(0.9, 1.0), (0.98, 0.1)] {
            let counts = activity(&format!("m = {m}\nh = {h}"), 1);
            let (before, after) = (&counts[..counts.len() - 1], &counts[1..]);
            let slope = covariance(before, after) / covariance(before, before);
            // The standard error of the slope is about sqrt((1 - m^2) / n): 0.002 at m = 0.9.
            assert!((slope - m).abs() < 0.008, "{slope} against {m}");
            // The standard error of the mean is its sd times sqrt((1 + m) / (1 - m) / n), with sd^2 = mean / (1 - m^2).
            let expected: f64 = h / (1.0 - m);
            let allowed = 4.0 * (expected / (1.0 - m * m) * (1.0 + m) / (1.0 - m) / 50_000.0).sqrt();
            assert!((mean(&counts) - expected).abs() < allowed, "{} against {expected}", mean(&counts));
        }
    }

    #[test]
    fn subsampling_thins_the_events_and_biases_the_regression() {
        let counts = activity("m = 0.9\nh = 1.0\nsampled = 0.1", 1);
        assert!((mean(&counts) - 1.0).abs() < 0.1, "{}", mean(&counts));
        let slope = covariance(&counts[..49_999], &counts[1..]) / covariance(&counts, &counts);
        assert!(slope < 0.6, "{slope}");
    }
}
