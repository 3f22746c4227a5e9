//! Estimators of real-valued channels (Gaussian and nearest neighbours) over many pairs: observations, nulls and resamples.

use super::discrete::Histories;
use super::gaussian::{self, Test};
use super::ksg::Ksg;
use super::ragwitz::Ragwitz;
use super::scan::{Draws, Estimator, Raw};
use crate::data::Series;
use crate::metrics::surrogate::{Purpose, SurrogateKind, moving_blocks, permutation, stream};
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;

/// The observations of one pair, each a column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observations {
    /// The target's next value.
    pub next: Vec<f64>,
    /// The target's history and the conditions.
    pub past: Vec<Vec<f64>>,
    /// The source's history.
    pub source: Vec<Vec<f64>>,
}

impl Observations {
    fn gathered(&self, order: &[usize]) -> Self {
        let all = |columns: &[Vec<f64>]| columns.iter().map(|column| gathered(column, order)).collect();
        Self { next: gathered(&self.next, order), past: all(&self.past), source: all(&self.source) }
    }
}

fn gathered(column: &[f64], order: &[usize]) -> Vec<f64> {
    order.iter().map(|&at| column[at]).collect()
}

/// How a pair is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Two regressions.
    Gaussian(Test),
    /// Nearest neighbours.
    Ksg(Ksg),
}

impl Method {
    /// The estimate in nats, with a p-value where theory gives one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn estimate(&self, observations: &Observations) -> Result<(f64, Option<f64>), String> {
        match self {
            Self::Gaussian(test) => gaussian::transfer_entropy(observations, *test).map(|(value, p)| (value, Some(p))),
            Self::Ksg(ksg) => ksg.contributions(observations).map(|contributions| (mean(&contributions), None)),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A sum in the order of NumPy's. Of quantised data many distances are equal, and after normalisation their rounding decides which
/// count as nearer; only with the mean and the deviation that others have to the last digit do the estimates agree.
fn pairwise_sum(values: &[f64]) -> f64 {
    if values.len() < 8 {
        return values.iter().fold(-0.0, |sum, value| sum + value);
    }
    if values.len() > 128 {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % 8);
        return pairwise_sum(left) + pairwise_sum(right);
    }
    let mut sums = [0.0; 8];
    sums.copy_from_slice(&values[..8]);
    let chunks = values[8..].chunks_exact(8);
    let rest = chunks.remainder();
    chunks.for_each(|chunk| sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value));
    let whole = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    rest.iter().fold(whole, |sum, value| sum + value)
}

/// All channels, ready for one of the methods.
pub struct Continuous {
    channels: Vec<Vec<f64>>,
    histories: Histories,
    /// Members and delay of each channel's history as a target.
    own: Vec<(usize, usize)>,
    conditions: Vec<usize>,
    first: usize,
    method: Method,
}

/// What is done to every channel first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preparation {
    /// Whether it is brought to mean 0 and standard deviation 1 (with n − 1).
    pub normalise: bool,
    /// Standard deviation of the Gaussian noise that is added.
    pub noise: f64,
}

impl Preparation {
    /// The channels of `series` with it; constant ones stay as they are.
    pub fn apply(&self, series: &Series, seed: u64) -> Vec<Vec<f64>> {
        let prepared = series.iter().enumerate().map(|(at, channel)| {
            let n = channel.len() as f64;
            let centre = pairwise_sum(channel) / n;
            let squares: Vec<f64> = channel.iter().map(|value| (value - centre) * (value - centre)).collect();
            let sd = (pairwise_sum(&squares) / (n - 1.0)).sqrt();
            let mut values = channel.to_vec();
            if self.normalise && sd > 0.0 {
                values.iter_mut().for_each(|value| *value = (*value - centre) / sd);
            }
            if let Some(noise) = Normal::new(0.0, self.noise).ok().filter(|_| self.noise > 0.0) {
                let mut rng = stream(seed, Purpose::Normalise, u32::MAX, at);
                values.iter_mut().for_each(|value| *value += noise.sample(&mut rng));
            }
            values
        });
        prepared.collect()
    }
}

impl Continuous {
    /// From channels that are long enough; `conditions` are places of channels.
    pub fn new(channels: Vec<Vec<f64>>, histories: Histories, conditions: Vec<usize>, first: usize, method: Method) -> Self {
        let own = vec![(histories.target, histories.target_delay); channels.len()];
        Self { channels, histories, own, conditions, first, method }
    }

    /// With the histories that `ragwitz` finds best in place of the same for all.
    pub fn embedded(mut self, ragwitz: &Ragwitz) -> Self {
        self.own = self.channels.iter().map(|channel| ragwitz.choose(channel, self.first)).collect();
        self
    }

    /// Members and delay of each channel's history as a target.
    pub fn own(&self) -> &[(usize, usize)] {
        &self.own
    }

    /// How pairs are estimated.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// A channel's values `back` samples before each observation.
    pub fn delayed_of(&self, channel: usize, back: usize) -> Vec<f64> {
        self.delayed(&self.channels[channel], back)
    }

    fn delayed(&self, channel: &[f64], back: usize) -> Vec<f64> {
        channel[self.first - back..channel.len() - back].to_vec()
    }

    fn source(&self, channel: &[f64], lag: usize) -> Vec<Vec<f64>> {
        (0..self.histories.source).map(|member| self.delayed(channel, lag + member * self.histories.source_delay)).collect()
    }

    fn observations(&self, source: usize, target: usize, lag: usize) -> Observations {
        let ((members, delay), target) = (self.own[target], &self.channels[target]);
        let own = (0..members).map(|member| self.delayed(target, 1 + member * delay));
        let given = self.conditions.iter().map(|&at| self.delayed(&self.channels[at], 1));
        Observations { next: self.delayed(target, 0), past: own.chain(given).collect(), source: self.source(&self.channels[source], lag) }
    }

    fn surrogate(&self, observations: &Observations, source: usize, lag: usize, draws: &Draws, draw: u32) -> Observations {
        let mut rng = stream(draws.seed, Purpose::Surrogate, draw, source);
        let source = match draws.surrogate {
            SurrogateKind::Shuffle => {
                let order = permutation(observations.next.len(), &mut rng);
                observations.source.iter().map(|column| gathered(column, &order)).collect()
            }
            kind => self.source(&kind.draw(&self.channels[source], &mut rng), lag),
        };
        Observations { source, ..observations.clone() }
    }

    /// Estimates on resampled blocks. Nearest neighbours cannot stand the ties that a resample makes, so for them the blocks are of the
    /// observations' contributions: to first order the estimate varies as their mean does.
    fn resamples(&self, observations: &Observations, draws: &Draws) -> Vec<f64> {
        let order = |draw| moving_blocks(observations.next.len(), &mut stream(draws.seed, Purpose::Bootstrap, draw, 0));
        match self.method {
            Method::Gaussian(_) => (0..draws.bootstrap)
                .into_par_iter()
                .filter_map(|draw| self.method.estimate(&observations.gathered(&order(draw))).ok().map(|found| found.0))
                .collect(),
            Method::Ksg(ksg) => {
                let contributions = ksg.contributions(observations).unwrap_or_default();
                (0..draws.bootstrap).into_par_iter().map(|draw| mean(&gathered(&contributions, &order(draw)))).collect()
            }
        }
    }
}

impl Estimator for Continuous {
    fn at_lag(&self, lag: usize, pairs: &[(usize, usize)], draws: &Draws) -> Vec<Raw> {
        let of_pair = |&(source, target): &(usize, usize)| {
            let observations = self.observations(source, target, lag);
            let (value, p) = match self.method.estimate(&observations) {
                Ok(found) => found,
                Err(fault) => return Raw { fault: Some(fault), ..Raw::default() },
            };
            let null = (0..draws.surrogates).into_par_iter().filter_map(|draw| {
                self.method.estimate(&self.surrogate(&observations, source, lag, draws, draw)).ok().map(|found| found.0)
            });
            let resamples = if draws.bootstrap > 0 { self.resamples(&observations, draws) } else { Vec::new() };
            Raw { value, null: null.collect(), resamples, p, fault: None }
        };
        pairs.par_iter().map(of_pair).collect()
    }
}

/// How many samples of a channel have a value that another one has too.
pub fn ties(channel: &[f64]) -> usize {
    let mut sorted = channel.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(<[f64]>::len).filter(|&run| run > 1).sum()
}
