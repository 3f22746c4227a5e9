//! Symbols of all channels, their estimates, nulls and resamples: the discrete estimator over many pairs.

use super::bits::{self, BitTarget, Rows, Train};
use super::discrete::{self, Histories, Source, Target};
use super::scan::{Draws, Estimator, Raw, tiles};
use crate::data::Series;
use crate::metrics::surrogate::{Purpose, SurrogateKind, moving_blocks, permutation, stream};
use rayon::prelude::*;

/// Permutations behind `bias = "shuffle"`.
pub const N_SHUFFLES: u32 = 50;

/// What is taken off the plug-in estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    /// Nothing.
    None,
    /// (cells − 1) / 2N nats of each entropy.
    MillerMadow,
    /// The mean of [`N_SHUFFLES`] permutations.
    Shuffle,
}

/// All channels as symbols, and as targets.
pub struct Symbolic {
    histories: Histories,
    alphabet: u32,
    bias: Bias,
    /// First sample with all histories.
    first: usize,
    channels: Channels,
}

enum Channels {
    Bits { trains: Vec<Train>, targets: Vec<BitTarget> },
    Codes { symbols: Vec<Vec<u32>>, targets: Vec<Target> },
}

enum Side {
    Bits(Rows),
    Codes(Source),
}

impl Symbolic {
    /// From a series that is long enough; `conditions` are places of channels.
    pub fn new(series: &Series, histories: Histories, alphabet: u32, bias: Bias, conditions: &[usize], first: usize) -> Self {
        let all: Vec<&[f64]> = series.iter().collect();
        let channels = if alphabet == 2 && bits::pays(&histories, conditions.len()) {
            let train = |channel: &&[f64]| {
                if channel.iter().all(|&value| value == 0.0 || value == 1.0) {
                    return Train::new(channel.iter().map(|&value| value == 1.0));
                }
                Train::new(discrete::symbols(channel, 2).into_iter().map(|symbol| symbol == 1))
            };
            let trains: Vec<Train> = all.par_iter().map(train).collect();
            let given: Vec<&Train> = conditions.iter().map(|&at| &trains[at]).collect();
            let target = |train| BitTarget::new(Rows::target(train, &histories, first, &given));
            let targets = trains.par_iter().map(target).collect();
            Channels::Bits { trains, targets }
        } else {
            let symbols: Vec<Vec<u32>> = all.par_iter().map(|channel| discrete::symbols(channel, alphabet)).collect();
            let given: Vec<&[u32]> = conditions.iter().map(|&at| symbols[at].as_slice()).collect();
            let targets = symbols.par_iter().map(|symbols| histories.target_of(symbols, alphabet, first, &given)).collect();
            Channels::Codes { symbols, targets }
        };
        Self { histories, alphabet, bias, first, channels }
    }

    /// Whether a channel has one symbol only.
    pub fn is_constant(&self, channel: usize) -> bool {
        match &self.channels {
            Channels::Bits { trains, .. } => {
                let ones = trains[channel].ones();
                ones == 0 || ones == trains[channel].symbols().len() as u64
            }
            Channels::Codes { symbols, .. } => symbols[channel].iter().all(|symbol| *symbol == symbols[channel][0]),
        }
    }

    fn n_observations(&self) -> usize {
        let n = match &self.channels {
            Channels::Bits { trains, .. } => trains.first().map_or(0, |train| train.symbols().len()),
            Channels::Codes { symbols, .. } => symbols.first().map_or(0, Vec::len),
        };
        n - self.first
    }

    fn source(&self, channel: usize, lag: usize) -> Side {
        match &self.channels {
            Channels::Bits { trains, .. } => Side::Bits(Rows::source(&trains[channel], &self.histories, self.first, lag)),
            Channels::Codes { symbols, .. } => Side::Codes(self.histories.source_of(&symbols[channel], self.alphabet, self.first, lag)),
        }
    }

    /// The source's histories against the target's observations in a random order.
    fn permuted(&self, channel: usize, lag: usize, seed: u64, purpose: Purpose, draw: u32) -> Side {
        let mut rng = stream(seed, purpose, draw, channel);
        match self.source(channel, lag) {
            Side::Bits(rows) if self.histories.source == 1 => {
                Side::Bits(Rows::new(rows.members().map(|train| train.rearranged(&mut rng)).collect()))
            }
            Side::Bits(rows) => Side::Bits(rows.gathered(&permutation(self.n_observations(), &mut rng))),
            Side::Codes(codes) => Side::Codes(codes.gathered(&permutation(self.n_observations(), &mut rng))),
        }
    }

    fn surrogate(&self, channel: usize, lag: usize, draws: &Draws, draw: u32) -> Side {
        if draws.surrogate == SurrogateKind::Shuffle {
            return self.permuted(channel, lag, draws.seed, Purpose::Surrogate, draw);
        }
        let reordered = |symbols: Vec<u32>| -> Vec<u32> {
            let values: Vec<f64> = symbols.iter().map(|&symbol| f64::from(symbol)).collect();
            let order = draws.surrogate.order(&values, &mut stream(draws.seed, Purpose::Surrogate, draw, channel));
            order.into_iter().map(|at| symbols[at]).collect()
        };
        match &self.channels {
            Channels::Bits { trains, .. } => {
                let symbols = reordered(trains[channel].symbols().collect());
                let train = Train::new(symbols.into_iter().map(|symbol| symbol == 1));
                Side::Bits(Rows::source(&train, &self.histories, self.first, lag))
            }
            Channels::Codes { symbols, .. } => {
                Side::Codes(self.histories.source_of(&reordered(symbols[channel].clone()), self.alphabet, self.first, lag))
            }
        }
    }

    fn against(&self, sides: &[Side], pairs: &[(usize, usize)]) -> Vec<f64> {
        let corrected = self.bias == Bias::MillerMadow;
        match &self.channels {
            Channels::Bits { targets, .. } => {
                let rows: Vec<&Rows> =
                    sides.iter().filter_map(|side| if let Side::Bits(rows) = side { Some(rows) } else { None }).collect();
                bits::transfer_entropies(&rows, &targets.iter().collect::<Vec<_>>(), pairs, corrected)
            }
            Channels::Codes { targets, .. } => {
                let codes: Vec<&Source> =
                    sides.iter().filter_map(|side| if let Side::Codes(code) = side { Some(code) } else { None }).collect();
                pairs.iter().map(|&(source, target)| discrete::transfer_entropy(codes[source], &targets[target], corrected)).collect()
            }
        }
    }

    /// Estimates of all pairs on one resample of the observations.
    fn resampled(&self, lag: usize, pairs: &[(usize, usize)], draws: &Draws, draw: u32) -> Vec<f64> {
        let order = moving_blocks(self.n_observations(), &mut stream(draws.seed, Purpose::Bootstrap, draw, 0));
        let corrected = self.bias == Bias::MillerMadow;
        let mut sources: Vec<usize> = pairs.iter().map(|pair| pair.0).collect();
        sources.sort_unstable();
        sources.dedup();
        let local: Vec<(usize, usize)> =
            pairs.iter().map(|&(source, target)| (sources.partition_point(|&at| at < source), target)).collect();
        match &self.channels {
            Channels::Bits { trains, targets } => {
                let rows: Vec<Rows> =
                    sources.iter().map(|&at| Rows::source(&trains[at], &self.histories, self.first, lag).gathered(&order)).collect();
                let targets: Vec<BitTarget> = targets.iter().map(|target| target.gathered(&order)).collect();
                bits::transfer_entropies(&rows.iter().collect::<Vec<_>>(), &targets.iter().collect::<Vec<_>>(), &local, corrected)
            }
            Channels::Codes { symbols, targets } => {
                let source = |&at: &usize| self.histories.source_of(&symbols[at], self.alphabet, self.first, lag).gathered(&order);
                let sources: Vec<Source> = sources.iter().map(source).collect();
                let targets: Vec<Target> = targets.iter().map(|target| target.gathered(&order)).collect();
                local.iter().map(|&(source, target)| discrete::transfer_entropy(&sources[source], &targets[target], corrected)).collect()
            }
        }
    }
}

/// One evaluation of a tile of sources against their targets.
#[derive(Clone, Copy)]
enum Turn {
    Value,
    Bias(u32),
    Null(u32),
}

impl Estimator for Symbolic {
    fn at_lag(&self, lag: usize, pairs: &[(usize, usize)], draws: &Draws) -> Vec<Raw> {
        let tiles = tiles(pairs);
        let shuffles = if self.bias == Bias::Shuffle { N_SHUFFLES } else { 0 };
        let turns: Vec<Turn> =
            [Turn::Value].into_iter().chain((0..shuffles).map(Turn::Bias)).chain((0..draws.surrogates).map(Turn::Null)).collect();
        let tasks: Vec<(usize, Turn)> = turns.iter().flat_map(|&turn| (0..tiles.len()).map(move |tile| (tile, turn))).collect();
        let made: Vec<Vec<f64>> = tasks
            .par_iter()
            .map(|&(tile, turn)| {
                let side = |&channel: &usize| match turn {
                    Turn::Value => self.source(channel, lag),
                    Turn::Bias(draw) => self.permuted(channel, lag, draws.seed, Purpose::Normalise, draw),
                    Turn::Null(draw) => self.surrogate(channel, lag, draws, draw),
                };
                let sides: Vec<Side> = tiles[tile].sources.iter().map(side).collect();
                self.against(&sides, &tiles[tile].pairs)
            })
            .collect();
        let mut raw: Vec<Raw> = pairs.iter().map(|_| Raw::default()).collect();
        let mut bias = vec![0.0; pairs.len()];
        for (&(tile, turn), values) in tasks.iter().zip(made) {
            for (&index, value) in tiles[tile].indices.iter().zip(values) {
                match turn {
                    Turn::Value => raw[index].value = value,
                    Turn::Bias(_) => bias[index] += value / f64::from(N_SHUFFLES),
                    Turn::Null(_) => raw[index].null.push(value),
                }
            }
        }
        let resamples: Vec<Vec<f64>> = (0..draws.bootstrap).into_par_iter().map(|draw| self.resampled(lag, pairs, draws, draw)).collect();
        for (index, raw) in raw.iter_mut().enumerate() {
            // What `bias = "shuffle"` takes off the value is taken off its null and its resamples.
            raw.value -= bias[index];
            raw.null.iter_mut().for_each(|null| *null -= bias[index]);
            raw.resamples = resamples.iter().map(|draw| draw[index] - bias[index]).collect();
        }
        raw
    }
}
