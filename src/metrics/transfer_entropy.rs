//! Transfer entropy: what the source's past says about the target's next state beyond the target's own past.
//!
//! `TE(X→Y) = I(Y_t ; X_{t−u}^{(l)} | Y_{t−1}^{(k)})`, T. Schreiber, "Measuring information transfer", Phys. Rev. Lett. 85, 2000;
//! the source's delay `u` as M. Wibral et al., PLoS ONE 8, 2013. Histories have `k` and `l` members, `target_delay` and
//! `source_delay` samples apart. With `condition`, the last values of these channels join the target's past.
//!
//! | `estimator` | what | unit |
//! | --- | --- | --- |
//! | `discrete` | plug-in over symbols (`discrete.rs`, `bits.rs`, `symbolic.rs`) | bit |
//! | `gaussian` | two linear regressions: half of Granger's causality (`gaussian.rs`) | nat |
//! | `ksg` | nearest neighbours (`ksg.rs`, `neighbours.rs`) | nat |
//! | `spike-continuous` | nearest neighbours of spike histories in continuous time (`spikes.rs`) | nat/s |
//!
//! **Symbols.** A channel whose values are all integers in `0..alphabet` is taken as it is. Any other is cut into `alphabet` bins
//! of equal width between its least and greatest value, channel by channel. With `alphabet = 2`, spike counts up to 1 are
//! therefore spike or no spike, but a channel with a bin of 4 spikes is "fewer than 2" and "2 and more": raise `alphabet` or
//! shorten `bin_s` where that is not meant.
//!
//! **Null.** `surrogates` with `surrogate = "shuffle"` permute the source's histories against the target's observations
//! (J. Lizier, Front. Robot. AI 1, 2014), which keeps the target's own past; `circular-shift`, `block` and `phase` (symbols in the
//! ranks of the phase-randomised channel) act on the source. `effective` is `value` less the mean of the null, `effect_size` the
//! same in standard deviations of the null. Over several pairs, `q_value` is the false discovery rate of each p-value.
//!
//! **Several lags.** `value` is the greatest over the list, all of them on the same observations, and `lag` where it is. The null is
//! the greatest of each surrogate, so that the choice is in the p-value.
//!
//! **Selection.** With `selection = "greedy"` the histories are chosen (`greedy.rs`): a pair has a `value` where past values of the
//! source say something that those of the target and of all other chosen sources do not.
//!
//! **Interval.** The bootstrap resamples blocks of observations, histories and all (H. Künsch's blocks of blocks, 1989), so that no
//! transition is made up. A resample holds fewer distinct cells than the data: the plug-in's bias is in it twice.

mod bits;
mod continuous;
mod discrete;
mod gaussian;
mod greedy;
mod keys;
mod ksg;
mod neighbours;
mod ragwitz;
mod rows;
mod scan;
mod spikes;
mod symbolic;
mod tail;

use super::{Bench, Metric, Output, Resampling};
use crate::data::{MetricRow, Series, Value};
use crate::spec::Entry;
use continuous::{Continuous, Method, Preparation};
use discrete::Histories;
use gaussian::Test;
use greedy::Greedy;
use ksg::Ksg;
use ragwitz::Ragwitz;
use rayon::prelude::*;
use scan::{Draws, Estimator, scan};
use spikes::SpikeTimes;
use symbolic::{Bias, N_SHUFFLES, Symbolic};

pub use keys::ENTRY_KEYS;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "transfer-entropy",
    summary: "information that a source's past adds about a target's next state, for ordered pairs of channels",
    keys: ENTRY_KEYS,
    parse: |section| TransferEntropy::parse(section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};

/// How the information is estimated.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Discrete { alphabet: u32, bias: Bias },
    Gaussian { test: Test },
    Ksg { ksg: Ksg, preparation: Preparation },
    Spikes { k: usize, noise: f64 },
}

impl Kind {
    fn unit_of_measure(&self) -> &'static str {
        match self {
            Self::Discrete { .. } => "bit",
            Self::Gaussian { .. } | Self::Ksg { .. } => "nat",
            Self::Spikes { .. } => "nat/s",
        }
    }
}

/// The metric with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferEntropy {
    kind: Kind,
    histories: Histories,
    /// Samples from the source's newest member to the target's next state; at least one of them.
    lags: Vec<usize>,
    /// `None`: all.
    pairs: Option<Vec<[String; 2]>>,
    condition: Vec<String>,
    /// Histories are chosen from the past of all channels.
    greedy: Option<Greedy>,
    /// The target's history is chosen by how well it predicts.
    ragwitz: Option<Ragwitz>,
}

impl Metric for TransferEntropy {
    fn fits(&self, series: &Series) -> Result<(), String> {
        let names = series.channels();
        let named = self.pairs.iter().flatten().flatten().map(|name| ("pairs", name));
        let named = named.chain(self.condition.iter().map(|name| ("condition", name)));
        if let Some((key, name)) = named.into_iter().find(|(_, name)| !names.contains(name)) {
            return Err(format!("there is no channel `{name}` in `{key}`: the channels are {}", shortened(names)));
        }
        self.too_short(series.n_samples()).map_or(Ok(()), |reason| Err(format!("{reason}; take longer windows or smaller bins")))
    }
    fn statistics(&self) -> &'static [&'static str] {
        &["value", "effective", "null_mean", "null_sd", "effect_size", "q_value", "lag", "omnibus", "observations", "ties", "flag"]
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        self.run(bench, &Resampling::NONE)
    }
    fn evaluate_resampled(&self, bench: &Bench<'_>, resampling: &Resampling) -> Option<Output> {
        Some(self.run(bench, resampling))
    }
    fn params(&self) -> serde_json::Value {
        let Histories { target, target_delay, source, source_delay } = self.histories;
        serde_json::json!({
            "kind": "transfer-entropy", "estimator": format!("{:?}", self.kind),
            "target_history": target, "source_history": source, "target_delay": target_delay, "source_delay": source_delay,
            "lag": self.lags, "pairs": self.pairs, "condition": self.condition, "greedy": format!("{:?}", self.greedy),
            "ragwitz": format!("{:?}", self.ragwitz),
        })
    }
    fn version(&self) -> u32 {
        2
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        let pairs = self.pairs.as_ref().map_or(n_channels * n_channels.saturating_sub(1), Vec::len) as f64;
        let (n, lags) = (n_samples as f64, self.lags.len() as f64);
        let columns = (1 + self.histories.target + self.histories.source + self.condition.len()) as f64;
        let of_pair = match &self.kind {
            Kind::Discrete { alphabet, bias } => {
                let rows = *alphabet == 2 && bits::pays(&self.histories, self.condition.len());
                let shuffles = if *bias == Bias::Shuffle { f64::from(N_SHUFFLES) } else { 0.0 };
                n * (1.0 + shuffles) * if rows { 2e-11 } else { 3e-9 }
            }
            Kind::Gaussian { .. } => n * columns * columns * 5e-10,
            Kind::Ksg { .. } => n * (n + 2.0).log2() * columns * 1e-7,
            // A spike in ten bins, say.
            Kind::Spikes { .. } => n * (n + 2.0).log2() * columns * 4e-8,
        };
        // A test of every candidate a variable that is chosen; a few are.
        let candidates = self.greedy.map_or(1.0, |greedy| 4.0 * greedy.max_lag as f64);
        (pairs * of_pair * candidates + n_channels as f64 * n * 1e-8) * lags
    }
}

/// A pair of the request: where its channels are, or why it cannot be computed.
struct Pair {
    names: Option<[String; 2]>,
    channels: Result<(usize, usize), String>,
}

impl TransferEntropy {
    /// Samples before the first with all histories at every lag.
    fn reach(&self) -> usize {
        if let Some(greedy) = self.greedy {
            return greedy.max_lag;
        }
        let own = self.ragwitz.map_or(1, |ragwitz| ragwitz.reach());
        self.lags.iter().map(|&lag| self.histories.reach(lag)).fold(own, usize::max)
    }

    /// Why a series is too short.
    fn too_short(&self, n_samples: usize) -> Option<String> {
        if matches!(self.kind, Kind::Spikes { .. }) {
            return None;
        }
        let reach = self.reach();
        if n_samples.saturating_sub(reach) < 2 {
            let needed = reach.saturating_add(2);
            return Some(format!("these histories and this lag need {needed} samples or more, but there are {n_samples}"));
        }
        match &self.kind {
            Kind::Ksg { ksg, .. } => ksg.too_few(n_samples - reach),
            Kind::Discrete { .. } | Kind::Gaussian { .. } | Kind::Spikes { .. } => None,
        }
    }

    fn run(&self, bench: &Bench<'_>, resampling: &Resampling) -> Output {
        let series = bench.series;
        let place = |name: &String| series.channels().iter().position(|known| known == name);
        let conditions: Result<Vec<usize>, String> =
            self.condition.iter().map(|name| place(name).ok_or_else(|| unknown("condition", name, series))).collect();
        let without_spikes = (matches!(self.kind, Kind::Spikes { .. }) && bench.spikes.is_none()).then(|| {
            "`estimator = \"spike-continuous\"` needs spike times: a dataset with `signal = \"spikes\"`, and no embedding".to_owned()
        });
        let fault = without_spikes.or_else(|| self.too_short(series.n_samples())).or_else(|| conditions.clone().err());
        let conditions = conditions.unwrap_or_default();
        let mut rows_of_history = Vec::new();
        let estimator = fault.is_none().then(|| self.estimator(bench, conditions.clone(), &mut rows_of_history));
        let constant: Vec<bool> = (0..series.n_channels()).map(|at| estimator.as_ref().is_some_and(|(_, constant)| constant[at])).collect();
        let pairs = self.pairs_of(bench, &conditions, &constant, fault.as_deref());
        let known: Vec<(usize, usize)> = pairs.iter().filter_map(|pair| pair.channels.clone().ok()).collect();
        let draws = Draws::new(bench.seed, resampling);
        if let (Some(greedy), None) = (self.greedy, &fault) {
            let mut rows = self.greedy_rows(greedy, bench, &pairs, &draws);
            rows.extend(self.rows_of_all(series));
            return Output { rows, curves: Vec::new() };
        }
        let mut estimates = estimator.map_or_else(Vec::new, |(estimator, _)| scan(&*estimator, &self.lags, &known, &draws)).into_iter();
        let estimates = pairs.into_iter().map(|pair| {
            let estimate = pair.channels.and_then(|_| estimates.next().unwrap_or_else(|| Err("no estimate was made".to_owned())));
            (pair.names, estimate)
        });
        let mut rows = rows::of_pairs(estimates.collect(), &self.lags, resampling.surrogates, self.kind.unit_of_measure());
        rows.extend(rows_of_history);
        rows.extend(self.rows_of_all(series));
        Output { rows, curves: Vec::new() }
    }

    /// The estimator, and which channels carry no information.
    fn estimator<'a>(
        &self,
        bench: &Bench<'a>,
        conditions: Vec<usize>,
        history: &mut Vec<MetricRow>,
    ) -> (Box<dyn Estimator + 'a>, Vec<bool>) {
        let series = bench.series;
        let (histories, first) = (self.histories, self.reach());
        let constant = |channel: &[f64]| channel.iter().all(|value| *value == channel[0]);
        let mut continuous = |method, channels| {
            let mut estimator = Continuous::new(channels, histories, conditions.clone(), first, method);
            if let Some(ragwitz) = &self.ragwitz {
                estimator = estimator.embedded(ragwitz);
                history.extend(rows::of_histories(estimator.own(), series.channels()));
            }
            (Box::new(estimator) as Box<dyn Estimator + 'a>, series.iter().map(constant).collect())
        };
        match &self.kind {
            Kind::Discrete { alphabet, bias } => {
                let symbolic = Symbolic::new(series, histories, *alphabet, *bias, &conditions, first);
                let constant = (0..series.n_channels()).map(|channel| symbolic.is_constant(channel)).collect();
                (Box::new(symbolic), constant)
            }
            Kind::Gaussian { test } => continuous(Method::Gaussian(*test), series.iter().map(<[f64]>::to_vec).collect()),
            Kind::Ksg { ksg, preparation } => continuous(Method::Ksg(*ksg), preparation.apply(series, bench.seed)),
            Kind::Spikes { k, noise } => {
                let none = vec![false; series.n_channels()];
                match bench.spikes {
                    Some(spikes) => (Box::new(SpikeTimes::new(spikes, histories, conditions, *k, *noise)), none),
                    None => continuous(Method::Gaussian(Test::F), Vec::new()),
                }
            }
        }
    }

    fn greedy_rows(&self, greedy: Greedy, bench: &Bench<'_>, pairs: &[Pair], draws: &Draws) -> Vec<MetricRow> {
        let (method, channels) = match &self.kind {
            Kind::Ksg { ksg, preparation } => (Method::Ksg(*ksg), preparation.apply(bench.series, bench.seed)),
            _ => (Method::Gaussian(Test::F), bench.series.iter().map(<[f64]>::to_vec).collect()),
        };
        let data = Continuous::new(channels, self.histories, Vec::new(), greedy.max_lag, method);
        let mut targets: Vec<(usize, Vec<usize>)> = Vec::new();
        for (source, target) in pairs.iter().filter_map(|pair| pair.channels.clone().ok()) {
            match targets.iter_mut().find(|known| known.0 == target) {
                Some(known) => known.1.push(source),
                None => targets.push((target, vec![source])),
            }
        }
        let found: Vec<_> = targets.par_iter().map(|(target, sources)| (*target, greedy.search(&data, *target, sources, draws))).collect();
        rows::of_choices(pairs.iter().map(|pair| (&pair.names, &pair.channels)), &found, bench.series.channels(), draws.surrogates)
    }

    fn pairs_of(&self, bench: &Bench<'_>, conditions: &[usize], constant: &[bool], fault: Option<&str>) -> Vec<Pair> {
        let (series, names) = (bench.series, bench.series.channels());
        let checked = |source: usize, target: usize| -> Result<(usize, usize), String> {
            if let Some(reason) = fault {
                return Err(reason.to_owned());
            }
            if let Some(&channel) = [source, target].iter().chain(conditions).find(|&&at| constant[at]) {
                return Err(format!("channel `{}` is constant: it carries no information", names[channel]));
            }
            if let Some(&channel) = [source, target].iter().find(|at| conditions.contains(at)) {
                return Err(format!("channel `{}` is also a condition", names[channel]));
            }
            let same = match bench.spikes.filter(|_| matches!(self.kind, Kind::Spikes { .. })) {
                Some(spikes) => spikes.trains()[source].times_s == spikes.trains()[target].times_s,
                None => series.channel(source) == series.channel(target),
            };
            if same {
                return Err(format!(
                    "channels `{}` and `{}` hold the same values: neither can add to the other",
                    names[source], names[target]
                ));
            }
            Ok((source, target))
        };
        let named = |source: &String, target: &String| Some([source.clone(), target.clone()]);
        if let Some(pairs) = &self.pairs {
            let place = |name: &String| names.iter().position(|known| known == name).ok_or_else(|| unknown("pairs", name, series));
            let channels = |[source, target]: &[String; 2]| checked(place(source)?, place(target)?);
            return pairs.iter().map(|pair| Pair { names: named(&pair[0], &pair[1]), channels: channels(pair) }).collect();
        }
        let free: Vec<usize> = (0..names.len()).filter(|at| !conditions.contains(at)).collect();
        if free.len() < 2 {
            let beside = if conditions.is_empty() { "" } else { " beside the conditions" };
            let found = free.first().map_or_else(|| "none".to_owned(), |&at| format!("only `{}`", names[at]));
            let reason = format!("transfer entropy needs two channels or more{beside}, and there is {found}");
            return vec![Pair { names: None, channels: Err(reason) }];
        }
        let all = free.iter().flat_map(|&source| free.iter().map(move |&target| (source, target)));
        all.filter(|(source, target)| source != target)
            .map(|(source, target)| Pair { names: named(&names[source], &names[target]), channels: checked(source, target) })
            .collect()
    }

    /// What is said once: observations of each pair, and ties of each channel where they matter.
    fn rows_of_all(&self, series: &Series) -> Vec<MetricRow> {
        if matches!(self.kind, Kind::Spikes { .. }) {
            return Vec::new();
        }
        let n = series.n_samples().saturating_sub(self.reach());
        let mut rows = vec![MetricRow::new("observations", Value::Known(n as f64), "1")];
        rows.extend(self.shortage(n).map(|reason| MetricRow::new("flag", Value::Undefined(reason), "1")));
        if matches!(self.kind, Kind::Ksg { .. }) {
            let ties = series.iter().zip(series.channels());
            rows.extend(
                ties.map(|(channel, name)| MetricRow::new("ties", Value::Known(continuous::ties(channel) as f64), "1").source(name)),
            );
        }
        rows
    }
}

/// Observations a cell of the table, or a dimension, below which an estimate is mostly bias.
const ENOUGH: f64 = 5.0;

impl TransferEntropy {
    /// What makes estimates from `n` observations doubtful, though they can be computed.
    fn shortage(&self, n: usize) -> Option<String> {
        let members = (1 + self.histories.target + self.histories.source + self.condition.len()) as f64;
        let (cells, what) = match &self.kind {
            Kind::Discrete { alphabet, .. } => (f64::from(*alphabet).powf(members), "cells"),
            Kind::Gaussian { .. } | Kind::Ksg { .. } if self.greedy.is_none() => (4.0 * members, "dimensions"),
            _ => return None,
        };
        let (least, short) = (ENOUGH * cells, n > 1 && (n as f64) < ENOUGH * cells);
        let cells = if what == "cells" { cells } else { members };
        short.then(|| format!("short series: {n} observations for {cells} {what} (take {least} or more)"))
    }
}

fn unknown(key: &str, name: &str, series: &Series) -> String {
    format!("there is no channel `{name}` in `{key}`: the channels are {}", shortened(series.channels()))
}

/// A few names, and how many more there are.
fn shortened(names: &[String]) -> String {
    let shown = names.iter().take(8).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 8 { format!("{shown} and {} more", names.len() - 8) } else { shown }
}

#[cfg(test)]
mod tests;
