//! Multivariate transfer entropy: which past values of which channels together say most about a target, chosen one by one.
//!
//! J. Lizier & M. Rubinov 2012 (MPI preprint 25); L. Faes, G. Nollo & A. Porta, Phys. Rev. E 83, 2011; the tests as IDTxl does them
//! (L. Novelli et al., Netw. Neurosci. 3, 2019). For each target, with S permutations of a candidate's values a test:
//!
//! 1. Of the target's past values, the one that says most about the next given those chosen is taken, while its information beats
//!    the maximum over all candidates' permutations (maximum statistic). If none does, the last value is taken.
//! 2. The same with the past values of all sources.
//! 3. The weakest of the chosen source values, given all others, goes, until it beats the minimum over their permutations.
//! 4. Omnibus: all chosen source values together, permuted together.
//! 5. The chosen, in the order of their information, against the maxima of the same rank (sequential maximum statistic).

use super::continuous::{Continuous, Observations};
use super::scan::Draws;
use crate::metrics::resample::p_value;
use crate::metrics::surrogate::{Purpose, permutation, stream};
use rayon::prelude::*;

/// A past value: its channel, and how many samples back it is.
pub type Variable = (usize, usize);

/// Limits of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Greedy {
    /// Samples that the search goes back.
    pub max_lag: usize,
    /// Greatest p-value of a variable that is taken.
    pub alpha: f64,
}

/// What was chosen for one target.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chosen {
    /// Past values of the target.
    pub own: Vec<Variable>,
    /// Past values of sources, with their information given all others (nats) and p-value.
    pub sources: Vec<(Variable, f64, f64)>,
    /// Transfer entropy of each source with chosen values, given all other chosen ones.
    pub links: Vec<(usize, f64)>,
    /// All sources together and the p-value.
    pub omnibus: Option<(f64, f64)>,
}

struct Search<'a> {
    data: &'a Continuous,
    target: usize,
    draws: &'a Draws,
    limits: Greedy,
    /// Tests made so far: each has its own permutations.
    tests: u32,
}

impl Greedy {
    /// The search for one target among `sources`.
    ///
    /// # Errors
    /// When the estimator fails on the chosen variables.
    pub fn search(self, data: &Continuous, target: usize, sources: &[usize], draws: &Draws) -> Result<Chosen, String> {
        let mut search = Search { data, target, draws, limits: self, tests: 0 };
        let lags = 1..=self.max_lag;
        let mut own = search.include(lags.clone().map(|lag| (target, lag)).collect(), Vec::new())?;
        if own.is_empty() {
            own.push((target, 1));
        }
        let candidates = sources.iter().flat_map(|&source| lags.clone().map(move |lag| (source, lag))).collect();
        let all = search.include(candidates, own.clone())?;
        let kept = search.prune(&own, all[own.len()..].to_vec())?;
        let mut chosen = Chosen { own: own.clone(), ..Chosen::default() };
        if kept.is_empty() {
            return Ok(chosen);
        }
        let omnibus = search.omnibus(&own, &kept)?;
        chosen.omnibus = Some(omnibus);
        if omnibus.1 > self.alpha {
            return Ok(chosen);
        }
        chosen.sources = search.ranked(&own, &kept)?;
        let mut linked: Vec<usize> = chosen.sources.iter().map(|(variable, _, _)| variable.0).collect();
        linked.sort_unstable();
        linked.dedup();
        for source in linked {
            let (of_source, others): (Vec<Variable>, Vec<Variable>) =
                chosen.sources.iter().map(|(variable, _, _)| *variable).partition(|variable| variable.0 == source);
            chosen.links.push((source, search.information(&of_source, &[own.as_slice(), &others].concat())?));
        }
        Ok(chosen)
    }
}

impl Search<'_> {
    fn observations(&self, of: &[Variable], given: &[Variable]) -> Observations {
        let columns = |variables: &[Variable]| variables.iter().map(|&(channel, lag)| self.data.delayed_of(channel, lag)).collect();
        Observations { next: self.data.delayed_of(self.target, 0), past: columns(given), source: columns(of) }
    }

    /// Information of some variables together about the next value, given others.
    fn information(&self, of: &[Variable], given: &[Variable]) -> Result<f64, String> {
        self.data.method().estimate(&self.observations(of, given)).map(|found| found.0)
    }

    /// The same with the variables' values permuted together.
    fn permuted(&self, of: &[Variable], given: &[Variable], test: u32, draw: u32, place: usize) -> Option<f64> {
        let observations = self.observations(of, given);
        let place = (self.target << 14) + place % (1 << 14);
        let mut rng = stream(self.draws.seed ^ u64::from(test).wrapping_mul(0x9E37_79B9_7F4A_7C15), Purpose::Surrogate, draw, place);
        let order = permutation(observations.next.len(), &mut rng);
        let source = observations.source.iter().map(|column| order.iter().map(|&at| column[at]).collect()).collect();
        self.data.method().estimate(&Observations { source, ..observations }).ok().map(|found| found.0)
    }

    /// For every permutation, the information of each of `cases` (a variable and what is given).
    fn nulls(&mut self, cases: &[(Variable, Vec<Variable>)]) -> Vec<Vec<f64>> {
        self.tests += 1;
        let (search, test) = (&*self, self.tests);
        let of_draw = |draw| {
            let of_case =
                |(at, (variable, given)): (usize, &(Variable, Vec<Variable>))| search.permuted(&[*variable], given, test, draw, at);
            cases.par_iter().enumerate().filter_map(of_case).collect()
        };
        (0..self.draws.surrogates).into_par_iter().map(of_draw).collect()
    }

    /// Adds the best candidate while it is significant; the whole list, `chosen` first.
    fn include(&mut self, mut candidates: Vec<Variable>, mut chosen: Vec<Variable>) -> Result<Vec<Variable>, String> {
        while !candidates.is_empty() {
            // A candidate that the chosen ones determine adds nothing.
            let found: Vec<f64> =
                candidates.par_iter().map(|&candidate| self.information(&[candidate], &chosen).unwrap_or(f64::NEG_INFINITY)).collect();
            let Some(best) = (0..found.len()).reduce(|a, b| if found[b] > found[a] { b } else { a }) else { break };
            let cases: Vec<(Variable, Vec<Variable>)> = candidates.iter().map(|&candidate| (candidate, chosen.clone())).collect();
            let most: Vec<f64> = self.nulls(&cases).into_iter().map(|draw| draw.into_iter().fold(f64::NEG_INFINITY, f64::max)).collect();
            if !found[best].is_finite() || p_value(found[best], &most, 0.0) > self.limits.alpha {
                break;
            }
            chosen.push(candidates.remove(best));
        }
        Ok(chosen)
    }

    /// Each of `kept`, and what is given when it is looked at: the target's own and the others.
    fn cases(own: &[Variable], kept: &[Variable]) -> Vec<(Variable, Vec<Variable>)> {
        let others = |variable: Variable| kept.iter().copied().filter(move |other| *other != variable);
        kept.iter().map(|&variable| (variable, own.iter().copied().chain(others(variable)).collect())).collect()
    }

    fn prune(&mut self, own: &[Variable], mut kept: Vec<Variable>) -> Result<Vec<Variable>, String> {
        while kept.len() > 1 {
            let cases = Self::cases(own, &kept);
            let found = self.informations(&cases)?;
            let Some(weakest) = (0..found.len()).reduce(|a, b| if found[b] < found[a] { b } else { a }) else { break };
            let least: Vec<f64> = self.nulls(&cases).into_iter().map(|draw| draw.into_iter().fold(f64::INFINITY, f64::min)).collect();
            if p_value(found[weakest], &least, 0.0) <= self.limits.alpha {
                break;
            }
            kept.remove(weakest);
        }
        Ok(kept)
    }

    fn informations(&self, cases: &[(Variable, Vec<Variable>)]) -> Result<Vec<f64>, String> {
        cases.par_iter().map(|(variable, given)| self.information(&[*variable], given)).collect()
    }

    fn omnibus(&mut self, own: &[Variable], kept: &[Variable]) -> Result<(f64, f64), String> {
        self.tests += 1;
        let value = self.information(kept, own)?;
        let null: Vec<f64> =
            (0..self.draws.surrogates).into_par_iter().filter_map(|draw| self.permuted(kept, own, self.tests, draw, 0)).collect();
        Ok((value, p_value(value, &null, 0.0)))
    }

    /// The variables that beat the null of their rank, up to the first that does not.
    fn ranked(&mut self, own: &[Variable], kept: &[Variable]) -> Result<Vec<(Variable, f64, f64)>, String> {
        let cases = Self::cases(own, kept);
        let found = self.informations(&cases)?;
        let mut nulls = self.nulls(&cases);
        nulls.iter_mut().for_each(|draw| draw.sort_by(|a, b| b.total_cmp(a)));
        let mut order: Vec<usize> = (0..kept.len()).collect();
        order.sort_by(|&a, &b| found[b].total_cmp(&found[a]));
        let ranked = order.iter().enumerate().map(|(rank, &at)| {
            let null: Vec<f64> = nulls.iter().filter_map(|draw| draw.get(rank).copied()).collect();
            (kept[at], found[at], p_value(found[at], &null, 0.0))
        });
        Ok(ranked.take_while(|(_, _, p)| *p <= self.limits.alpha).collect())
    }
}
