//! Transfer entropy in continuous time between spike trains, from their spike times: no bins.
//!
//! D. Shorten, R. Spinney & J. Lizier, PLoS Comput. Biol. 17, 2021. The rate is
//! `1/T Σ_i ln (λ(t_i | target's and source's past) / λ(t_i | target's past))` over the target's spikes. Each intensity is a ratio
//! of the density of histories at spikes to that at any time, found by nearest neighbours among the histories at the N target
//! spikes and at N times drawn uniformly. For d-dimensional histories, with both radii the greatest distance within the larger of
//! the two k-th neighbours' (so that their biases cancel) and n the number of histories there, the logarithm of the ratio is
//! `ψ(n_spikes) − ψ(n_times) − d ln r_spikes + d ln r_times`; the joint one less that of the target's past is summed (their eq. 9).
//!
//! A history is the time since the last spike and the intervals before it, of the target, of each condition (one), of the source.
//! Histories that overlap in time are no neighbours. The norm is the maximum norm (the authors' code has the sum of distances).
//!
//! **Null**: local permutation (their section IV D, after J. Runge 2018). Every spike's source history is replaced by one of a
//! time at which the target's past was similar: one of the 10 nearest among N fresh times, if possible one not yet used. Shifted
//! trains are no null here: they break the source's dependence on the target's past too.

use super::discrete::Histories;
use super::neighbours::{Nearest, Tree};
use super::scan::{Draws, Estimator, Raw};
use crate::data::Spikes;
use crate::metrics::surrogate::{Purpose, moving_blocks, stream};
use rand::RngExt;
use rand::rand_core::Rng;
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;

/// Candidates for a local permutation.
const K_PERMUTATION: usize = 10;

/// All trains of one unit.
pub struct SpikeTimes<'a> {
    trains: Vec<(&'a str, &'a [f64])>,
    histories: Histories,
    conditions: Vec<usize>,
    k: usize,
    /// Standard deviation of the noise on every interval, in seconds.
    noise: f64,
}

/// Histories at many times, in order of time.
#[derive(Debug, Clone, Default)]
struct Past {
    /// One column a dimension: the target's, the conditions', the source's.
    columns: Vec<Vec<f64>>,
    /// The stretches of time that each was made from: its own, and after a permutation that of its source.
    stretches: Vec<Vec<(f64, f64)>>,
}

impl Past {
    fn len(&self) -> usize {
        self.stretches.len()
    }
    fn views(&self, n_columns: usize) -> Vec<&[f64]> {
        self.columns[..n_columns].iter().map(Vec::as_slice).collect()
    }
    fn point(&self, at: usize, n_columns: usize) -> Vec<f64> {
        self.columns[..n_columns].iter().map(|column| column[at]).collect()
    }
}

fn overlap(a: &[(f64, f64)], b: &[(f64, f64)]) -> bool {
    a.iter().any(|a| b.iter().any(|b| a.0 < b.1 && b.0 < a.1))
}

/// The spikes of a pair and its conditions, and the stretch that is looked at.
struct Bundle<'a> {
    /// Trains with the number of their intervals: the target, conditions, the source.
    trains: Vec<(&'a [f64], usize)>,
    /// Spikes of the target that are looked at.
    spikes: &'a [f64],
    start_s: f64,
    stop_s: f64,
    /// Dimensions without the source.
    own: usize,
}

impl Bundle<'_> {
    /// Histories at `times`, which are sorted and have a spike of every train before them as often as needed.
    fn past(&self, times: &[f64], noise: f64, rng: &mut impl Rng) -> Past {
        let n_columns = self.trains.iter().map(|train| train.1).sum();
        let mut past = Past { columns: vec![Vec::with_capacity(times.len()); n_columns], stretches: Vec::with_capacity(times.len()) };
        let blur = Normal::new(0.0, noise).ok().filter(|_| noise > 0.0);
        for &time in times {
            let (mut column, mut earliest) = (0, time);
            for &(train, members) in &self.trains {
                let mut after = time;
                let last = train.partition_point(|&spike| spike < time);
                for &before in train[last - members..last].iter().rev() {
                    let blurred = blur.map_or(0.0, |blur| blur.sample(rng));
                    past.columns[column].push(after - before + blurred);
                    (after, column) = (before, column + 1);
                }
                earliest = earliest.min(after);
            }
            past.stretches.push(vec![(earliest, time)]);
        }
        past
    }

    /// Histories at as many random times as there are spikes.
    fn past_at_random(&self, noise: f64, rng: &mut impl Rng) -> Past {
        // Above the start, where the first history is complete.
        let length_s = self.stop_s - self.start_s;
        let mut times: Vec<f64> =
            self.spikes.iter().map(|_| (self.stop_s - rng.random::<f64>() * length_s).max(self.start_s.next_up())).collect();
        times.sort_by(f64::total_cmp);
        self.past(&times, noise, rng)
    }
}

impl<'a> SpikeTimes<'a> {
    /// From the trains of a unit; `conditions` are places of trains.
    pub fn new(spikes: &'a Spikes, histories: Histories, conditions: Vec<usize>, k: usize, noise: f64) -> Self {
        let trains = spikes.trains().iter().map(|train| (train.id.as_str(), train.times_s.as_slice())).collect();
        Self { trains, histories, conditions, k, noise }
    }

    fn bundle(&self, source: usize, target: usize) -> Result<Bundle<'_>, String> {
        let members = [(target, self.histories.target)].into_iter().chain(self.conditions.iter().map(|&at| (at, 1)));
        let members: Vec<(usize, usize)> = members.chain([(source, self.histories.source)]).collect();
        let (mut start_s, mut trains) = (f64::NEG_INFINITY, Vec::new());
        for &(at, n) in &members {
            let (name, times) = self.trains[at];
            let Some(&ready) = times.get(n - 1) else {
                return Err(format!("unit `{name}` has {} spikes, and its history takes {n}", times.len()));
            };
            start_s = start_s.max(ready);
            trains.push((times, n));
        }
        let (name, times) = self.trains[target];
        let spikes = &times[times.partition_point(|&spike| spike <= start_s)..];
        let needed = self.k + 2;
        if spikes.len() < needed {
            let found = spikes.len();
            return Err(format!("unit `{name}` has {found} spikes after the first histories, and {} neighbours need {needed}", self.k));
        }
        let own = members.iter().map(|member| member.1).sum::<usize>() - self.histories.source;
        Ok(Bundle { trains, spikes, start_s, stop_s: spikes[spikes.len() - 1], own })
    }

    /// `ln` of the ratio of intensities at each spike, in nats.
    fn contributions(&self, own: usize, spikes: &Past, times: &Past) -> Result<Vec<f64>, String> {
        let all = spikes.columns.len();
        let ratios = |n_columns: usize| -> Result<Vec<f64>, String> {
            let trees = [spikes, times].map(|past| Tree::new(&past.views(n_columns)));
            (0..spikes.len()).into_par_iter().map(|me| self.ratio(me, n_columns, [spikes, times], &trees)).collect()
        };
        let (joint, alone) = rayon::join(|| ratios(all), || ratios(own));
        Ok(joint?.into_iter().zip(alone?).map(|(joint, alone)| joint - alone).collect())
    }

    /// `ln` of the density of histories at spikes over that at any time, at the history of spike `me`, up to a constant.
    fn ratio(&self, me: usize, n_columns: usize, pasts: [&Past; 2], trees: &[Tree; 2]) -> Result<f64, String> {
        let query = pasts[0].point(me, n_columns);
        let mine = &pasts[0].stretches[me];
        let mut radius = 0.0_f64;
        for at in 0..2 {
            let mut nearest = Nearest::new(self.k);
            trees[at].nearest(&query, &mut nearest, |other| (at == 0 && other == me) || overlap(mine, &pasts[at].stretches[other]));
            radius = radius.max(nearest.distance());
        }
        if !radius.is_finite() {
            return Err(format!("a history has fewer than {} neighbours that do not overlap it in time", self.k));
        }
        let mut sum = 0.0;
        for (at, sign) in [(0, 1.0), (1, -1.0)] {
            let (mut n, mut furthest) = (0, 0.0_f64);
            trees[at].within(&query, radius, |other, distance| {
                if !((at == 0 && other == me) || overlap(mine, &pasts[at].stretches[other])) {
                    n += 1;
                    furthest = furthest.max(distance);
                }
            });
            if furthest == 0.0 {
                return Err(format!("more than {} histories are equal: spike times are rounded; blur them with `noise` (seconds)", self.k));
            }
            sum += sign * (digamma(n) - n_columns as f64 * furthest.ln());
        }
        Ok(sum)
    }

    /// The histories at spikes with their sources' part from other times at which the rest was similar.
    fn permuted(&self, bundle: &Bundle<'_>, spikes: &Past, rng: &mut impl Rng) -> Past {
        let fresh = bundle.past_at_random(self.noise, rng);
        let tree = Tree::new(&fresh.views(bundle.own));
        let mut used = vec![false; fresh.len()];
        let mut permuted = spikes.clone();
        let mut order: Vec<usize> = (0..spikes.len()).collect();
        rand::seq::SliceRandom::shuffle(order.as_mut_slice(), rng);
        for at in order {
            let mut nearest = Nearest::new(K_PERMUTATION);
            tree.nearest(&spikes.point(at, bundle.own), &mut nearest, |other| overlap(&spikes.stretches[at], &fresh.stretches[other]));
            let near: Vec<usize> = nearest.places().collect();
            let unused: Vec<usize> = near.iter().copied().filter(|&other| !used[other]).collect();
            let choice = if unused.is_empty() { &near } else { &unused };
            if choice.is_empty() {
                continue;
            }
            let chosen = choice[rng.random_range(0..choice.len())];
            used[chosen] = true;
            for (column, fresh) in permuted.columns.iter_mut().zip(&fresh.columns).skip(bundle.own) {
                column[at] = fresh[chosen];
            }
            permuted.stretches[at].extend(&fresh.stretches[chosen]);
        }
        permuted
    }

    fn of_pair(&self, source: usize, target: usize, draws: &Draws) -> Result<Raw, String> {
        let bundle = self.bundle(source, target)?;
        let place = source * self.trains.len() + target;
        let duration = bundle.stop_s - bundle.start_s;
        let mut rng = stream(draws.seed, Purpose::Normalise, 0, place);
        let spikes = bundle.past(bundle.spikes, self.noise, &mut rng);
        let times = bundle.past_at_random(self.noise, &mut rng);
        let contributions = self.contributions(bundle.own, &spikes, &times)?;
        let rate = |contributions: &[f64]| contributions.iter().sum::<f64>() / duration;
        let null = (0..draws.surrogates).into_par_iter().filter_map(|draw| {
            let permuted = self.permuted(&bundle, &spikes, &mut stream(draws.seed, Purpose::Surrogate, draw, place));
            self.contributions(bundle.own, &permuted, &times).ok().map(|contributions| rate(&contributions))
        });
        let resamples = (0..draws.bootstrap).into_par_iter().map(|draw| {
            let order = moving_blocks(contributions.len(), &mut stream(draws.seed, Purpose::Bootstrap, draw, 0));
            rate(&order.into_iter().map(|at| contributions[at]).collect::<Vec<_>>())
        });
        Ok(Raw { value: rate(&contributions), null: null.collect(), resamples: resamples.collect(), p: None, fault: None })
    }
}

impl Estimator for SpikeTimes<'_> {
    /// The lag has no meaning here and is ignored.
    fn at_lag(&self, _: usize, pairs: &[(usize, usize)], draws: &Draws) -> Vec<Raw> {
        let of_pair = |&(source, target): &(usize, usize)| {
            self.of_pair(source, target, draws).unwrap_or_else(|fault| Raw { fault: Some(fault), ..Raw::default() })
        };
        pairs.par_iter().map(of_pair).collect()
    }
}

/// ψ of a whole number of 1 or more.
fn digamma(n: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    if n < 64 {
        return (1..n).map(|m| 1.0 / m as f64).sum::<f64>() - EULER;
    }
    // The asymptotic series; its next term is below 1e-17 here.
    let x = n as f64;
    let square = x.powi(-2);
    x.ln() - 0.5 / x - square * (1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square / 240.0)))
}
