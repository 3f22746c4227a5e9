//! What all estimators share: the draws behind nulls and intervals, the scan over lags, and the false discovery rate over pairs.

use crate::metrics::Resampling;
use crate::metrics::resample::{interval, p_value};
use crate::metrics::surrogate::SurrogateKind;
use std::collections::BTreeMap;

/// Estimates that are equal in theory differ by less than this part.
const ROUNDING: f64 = 1e-12;

/// How often and how an estimate is made again.
#[derive(Debug, Clone, Copy)]
pub struct Draws {
    /// Seed of all of them.
    pub seed: u64,
    /// Number of surrogates.
    pub surrogates: u32,
    /// How they are made.
    pub surrogate: SurrogateKind,
    /// Number of resamples.
    pub bootstrap: u32,
}

impl Draws {
    /// Those of a job's keys.
    pub fn new(seed: u64, resampling: &Resampling) -> Self {
        Self { seed, surrogates: resampling.surrogates, surrogate: resampling.surrogate, bootstrap: resampling.bootstrap }
    }
}

/// What is known of one pair at one lag.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Raw {
    /// The estimate.
    pub value: f64,
    /// The same of each surrogate.
    pub null: Vec<f64>,
    /// The same of each resample.
    pub resamples: Vec<f64>,
    /// A p-value from theory, where there is one.
    pub p: Option<f64>,
    /// Why there is no estimate.
    pub fault: Option<String>,
}

/// An estimator over the channels of one unit.
pub trait Estimator: Sync {
    /// Estimates of ordered pairs (source, target) of channels where the source is `lag` samples back, in their order.
    fn at_lag(&self, lag: usize, pairs: &[(usize, usize)], draws: &Draws) -> Vec<Raw>;
}

/// What is known of one pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The estimate; of several lags, the greatest.
    pub value: f64,
    /// Its lag, in samples.
    pub lag: usize,
    /// The estimates of all lags, in their order.
    pub by_lag: Vec<f64>,
    /// The null, of several lags the greatest of each surrogate, so that the choice of a lag is in it.
    pub null: Vec<f64>,
    /// The middle 95 % of the resamples.
    pub interval: Option<(f64, f64)>,
    /// From the surrogates where there are any, else from theory.
    pub p: Option<f64>,
}

/// Estimates at all `lags` and the best of them; `Err` says why there is none.
pub fn scan(estimator: &dyn Estimator, lags: &[usize], pairs: &[(usize, usize)], draws: &Draws) -> Vec<Result<Estimate, String>> {
    let mut best: Vec<Option<Result<Estimate, String>>> = pairs.iter().map(|_| None).collect();
    for &lag in lags {
        for (best, raw) in best.iter_mut().zip(estimator.at_lag(lag, pairs, draws)) {
            *best = Some(joined(best.take(), raw, lag));
        }
    }
    let n_lags = lags.len() as f64;
    let mut all = best.into_iter().map(|estimate| {
        let mut estimate = estimate.unwrap_or_else(|| Err("there is no lag".into()))?;
        if estimate.null.is_empty() {
            // Bonferroni: the best of several tests.
            estimate.p = estimate.p.map(|p| (p * n_lags).min(1.0));
        } else {
            estimate.p = Some(p_value(estimate.value, &estimate.null, ROUNDING * estimate.value.abs().max(1.0)));
        }
        Ok(estimate)
    });
    all.by_ref().collect()
}

fn joined(known: Option<Result<Estimate, String>>, raw: Raw, lag: usize) -> Result<Estimate, String> {
    if let Some(fault) = raw.fault {
        return Err(fault);
    }
    let new = Estimate { value: raw.value, lag, by_lag: vec![raw.value], interval: interval(&raw.resamples), p: raw.p, null: raw.null };
    let Some(known) = known else { return Ok(new) };
    let known = known?;
    let by_lag = [known.by_lag.as_slice(), &[new.value]].concat();
    let null = known.null.iter().zip(&new.null).map(|(a, b)| a.max(*b)).collect();
    let better = if new.value > known.value { new } else { known };
    Ok(Estimate { by_lag, null, ..better })
}

/// Sources that are worked on together, with their pairs.
#[derive(Debug, Default)]
pub struct Tile {
    /// Channels.
    pub sources: Vec<usize>,
    /// Pairs of places in `sources` and targets.
    pub pairs: Vec<(usize, usize)>,
    /// The places of these pairs in the list of all.
    pub indices: Vec<usize>,
}

/// Sources of a tile: few enough that a block of theirs stays in the cache, and that there is work for every core.
const TILE: usize = 16;

/// Cuts pairs into tiles of a few sources.
pub fn tiles(pairs: &[(usize, usize)]) -> Vec<Tile> {
    let mut by_source: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    pairs.iter().enumerate().for_each(|(index, &(source, _))| by_source.entry(source).or_default().push(index));
    let groups: Vec<(usize, Vec<usize>)> = by_source.into_iter().collect();
    let tile = |groups: &[(usize, Vec<usize>)]| {
        let mut tile = Tile::default();
        for (at, (source, indices)) in groups.iter().enumerate() {
            tile.sources.push(*source);
            tile.pairs.extend(indices.iter().map(|&index| (at, pairs[index].1)));
            tile.indices.extend(indices);
        }
        tile
    };
    groups.chunks(TILE).map(tile).collect()
}

/// The false discovery rate at which each of `p` would be found (Y. Benjamini & Y. Hochberg 1995, J. R. Stat. Soc. B 57): the least
/// `m p / rank` of this and all higher p-values.
pub fn false_discovery_rates(p: &[f64]) -> Vec<f64> {
    let m = p.len() as f64;
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut q, mut least) = (vec![1.0; p.len()], 1.0_f64);
    for (rank, &index) in order.iter().enumerate().rev() {
        least = least.min(m * p[index] / (rank + 1) as f64);
        q[index] = least;
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn false_discovery_rates_are_scipys() {
        // scipy.stats.false_discovery_control([0.01, 0.04, 0.03, 0.9, 0.005])
        let q = false_discovery_rates(&[0.01, 0.04, 0.03, 0.9, 0.005]);
        for (ours, expected) in q.iter().zip([0.025, 0.05, 0.05, 0.9, 0.025]) {
            assert!((ours - expected).abs() < 1e-15, "{q:?}");
        }
        assert!(false_discovery_rates(&[]).is_empty());
    }

    struct Steps;
    impl Estimator for Steps {
        fn at_lag(&self, lag: usize, pairs: &[(usize, usize)], _: &Draws) -> Vec<Raw> {
            let value = [0.1, 0.5, 0.2][lag - 1];
            let null = [[0.3, 0.0], [0.0, 0.1], [0.0, 0.7]][lag - 1].to_vec();
            pairs.iter().map(|_| Raw { value, null: null.clone(), ..Raw::default() }).collect()
        }
    }

    #[test]
    fn the_best_lag_meets_the_best_of_each_surrogate() {
        let draws = Draws { seed: 0, surrogates: 2, surrogate: SurrogateKind::Shuffle, bootstrap: 0 };
        let found = scan(&Steps, &[1, 2, 3], &[(0, 1)], &draws).remove(0).unwrap();
        assert_eq!((found.lag, found.value, found.p), (2, 0.5, Some(2.0 / 3.0)));
        assert_eq!((found.null, found.by_lag), (vec![0.3, 0.7], vec![0.1, 0.5, 0.2]));
    }
}
