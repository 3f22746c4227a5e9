//! Transfer entropy: what the source's past says about the target's next state beyond the target's own past.
//!
//! `TE(X→Y) = I(Y_t ; X_{t−u}^{(l)} | Y_{t−1}^{(k)})`, T. Schreiber, "Measuring information transfer", Phys. Rev. Lett. 85, 2000;
//! the source's delay `u` as M. Wibral et al., PLoS ONE 8, 2013. Histories have `k` and `l` members, `target_delay` and
//! `source_delay` samples apart. `estimator = "discrete"` is the plug-in estimate in bits over the observations of one window.
//!
//! **Symbols.** A channel whose values are all integers in `0..alphabet` is taken as it is. Any other is cut into `alphabet` bins
//! of equal width between its least and greatest value, channel by channel. With `alphabet = 2`, spike counts up to 1 are
//! therefore spike or no spike, but a channel with a bin of 4 spikes is "fewer than 2" or "2 and more": raise `alphabet` or
//! shorten `bin_s` where that is not meant.
//!
//! **Null.** The plug-in is biased up. `surrogates` with `surrogate = "shuffle"` permute the source's histories against the
//! target's observations (J. Lizier, Front. Robot. AI 1, 2014), which keeps the target's own past; `circular-shift`, `block` and
//! `phase` (symbols in the ranks of the phase-randomised channel) act on the source's symbols. `effective` is `value` less the mean
//! of the null. `bias = "shuffle"` takes the mean of 50 permutations off `value`, and off its null.
//!
//! **Interval.** The bootstrap resamples blocks of observations, histories and all (H. Künsch's blocks of blocks, 1989), so that no
//! transition is made up. A resample holds fewer distinct cells than the data: the plug-in's bias is in it twice.

mod discrete;

use super::resample::{interval, p_value};
use super::surrogate::{Purpose, SurrogateKind, moving_blocks, permutation, stream};
use super::{Bench, Metric, Output, Resampling};
use crate::data::{MetricRow, Series, Value};
use crate::spec::{Entry, Key, Section};
use discrete::{Histories, Source, Target, transfer_entropy};
use rayon::prelude::*;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::DeValue;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "transfer-entropy",
    summary: "information that a source's past adds about a target's next state, for ordered pairs of channels",
    keys: &[
        Key { name: "estimator", default: "\"discrete\"", help: "discrete: plug-in over symbols, in bits" },
        Key { name: "target_history", default: "1", help: "members of the target's history" },
        Key { name: "source_history", default: "1", help: "members of the source's history" },
        Key { name: "target_delay", default: "1", help: "samples between members of the target's history" },
        Key { name: "source_delay", default: "1", help: "samples between members of the source's history" },
        Key { name: "lag", default: "1", help: "samples from the source's newest member to the target's next state" },
        Key { name: "alphabet", default: "2", help: "symbols; equal-width bins of a channel whose values are not integers below it" },
        Key { name: "bias", default: "\"none\"", help: "none; miller-madow; shuffle: less the mean of 50 permutations" },
        Key { name: "pairs", default: "\"all\"", help: "all ordered pairs, or [[\"source\", \"target\"], …] by channel name" },
    ],
    parse: |section| TransferEntropy::parse(section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};

/// Keys that the contract names for estimators that this version does not have.
pub const LATER_KEYS: &[&str] = &["condition", "k", "theiler", "noise", "normalise_input", "algorithm"];

const LATER_ESTIMATORS: &[&str] = &["gaussian", "ksg", "spike-continuous"];
const BIAS: &[&str] = &["none", "miller-madow", "shuffle"];
/// Permutations behind `bias = "shuffle"`.
const N_SHUFFLES: u32 = 50;
/// Sums of `n log n` that are equal in theory differ by less than this, in bits.
const ROUNDING: f64 = 1e-12;
/// More symbols than this are not symbols.
const LARGEST_ALPHABET: u64 = 1 << 16;

/// The metric with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferEntropy {
    histories: Histories,
    alphabet: u32,
    bias: &'static str,
    /// `None`: all.
    pairs: Option<Vec<[String; 2]>>,
}

impl TransferEntropy {
    fn parse(section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        section.choice_or_later("estimator", &["discrete"], LATER_ESTIMATORS);
        let count = |key| section.integer(key, 1).map_or(1, |number| usize::try_from(number).unwrap_or(usize::MAX));
        let histories = Histories {
            target: count("target_history"),
            source: count("source_history"),
            target_delay: count("target_delay"),
            source_delay: count("source_delay"),
            lag: count("lag"),
        };
        let alphabet = section.integer("alphabet", 2).unwrap_or(2);
        if alphabet > LARGEST_ALPHABET {
            section.error(section.span_of("alphabet"), format!("`alphabet` must be {LARGEST_ALPHABET} or less, not {alphabet}"), "");
        }
        let bias = section.choice("bias", BIAS).unwrap_or(BIAS[0]);
        let pairs = pairs(section);
        for key in LATER_KEYS {
            if section.raw(key).is_some() {
                let hint = "it belongs to estimators that this version does not have";
                section.error(section.span_of(key), format!("`{key}` of {} is not available yet", section.name()), hint);
            }
        }
        (section.diagnostics().len() == before).then_some(Self { histories, alphabet: alphabet as u32, bias, pairs })
    }
}

/// `"all"` (and nothing) is `None`.
fn pairs(section: &Section<'_>) -> Option<Vec<[String; 2]>> {
    let value = section.raw("pairs")?;
    if value.get_ref().as_str() == Some("all") {
        return None;
    }
    let wrong = |span, message: &str| section.error(span, message, "write `pairs = \"all\"` or `pairs = [[\"source\", \"target\"]]`");
    let Some(items) = value.get_ref().as_array().filter(|items| !items.is_empty()) else {
        wrong(value.span(), "`pairs` must be \"all\" or a list of pairs of channel names");
        return None;
    };
    let mut pairs = Vec::new();
    for item in items.iter() {
        let names = |pair: &Spanned<DeValue<'_>>| -> Option<Vec<String>> {
            pair.get_ref().as_array()?.iter().map(|name| name.get_ref().as_str().map(str::to_owned)).collect()
        };
        match names(item).and_then(|names| <[String; 2]>::try_from(names).ok()) {
            Some([source, target]) if source == target => wrong(item.span(), "a pair of `pairs` must be two different channels"),
            Some(pair) => pairs.push(pair),
            None => wrong(item.span(), "each of `pairs` must be two channel names, source and target"),
        }
    }
    Some(pairs)
}

impl Metric for TransferEntropy {
    fn fits(&self, series: &Series) -> Result<(), String> {
        let names = series.channels();
        if let Some(name) = self.pairs.iter().flatten().flatten().find(|name| !names.contains(name)) {
            return Err(format!("there is no channel `{name}` in `pairs`: the channels are {}", shortened(names)));
        }
        too_short(&self.histories, series.n_samples())
            .map_or(Ok(()), |reason| Err(format!("{reason}; take longer windows or smaller bins")))
    }
    fn statistics(&self) -> &'static [&'static str] {
        &["value", "effective", "null_mean", "null_sd"]
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        self.run(bench, &Resampling::NONE)
    }
    fn evaluate_resampled(&self, bench: &Bench<'_>, resampling: &Resampling) -> Option<Output> {
        Some(self.run(bench, resampling))
    }
    fn params(&self) -> serde_json::Value {
        let Histories { target, target_delay, source, source_delay, lag } = self.histories;
        serde_json::json!({
            "kind": "transfer-entropy", "estimator": "discrete",
            "target_history": target, "source_history": source, "target_delay": target_delay, "source_delay": source_delay, "lag": lag,
            "alphabet": self.alphabet, "bias": self.bias, "pairs": self.pairs,
        })
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        let pairs = self.pairs.as_ref().map_or(n_channels * n_channels.saturating_sub(1), Vec::len) as f64;
        let bits = self.alphabet == 2 && self.histories.target == 1 && self.histories.source == 1;
        let shuffles = if self.bias == "shuffle" { f64::from(N_SHUFFLES) } else { 0.0 };
        // Per observation: 64 at a time, or one table access; then the making of histories and permutations of each source.
        let counting = pairs * (1.0 + shuffles) * if bits { 5e-11 } else { 3e-9 };
        (counting + n_channels as f64 * (1.0 + shuffles) * 1e-8) * n_samples as f64
    }
}

/// A pair of the request: where its channels are, or why it cannot be computed.
struct Pair {
    names: Option<[String; 2]>,
    channels: Result<(usize, usize), String>,
}

/// What is known of one pair.
struct Estimate {
    value: f64,
    null: Vec<f64>,
    interval: Option<(f64, f64)>,
}

impl TransferEntropy {
    fn run(&self, bench: &Bench<'_>, resampling: &Resampling) -> Output {
        let sides = Sides::of(self, bench.series);
        let pairs = self.pairs_of(bench.series, &sides);
        let known: Vec<(usize, usize)> = pairs.iter().filter_map(|pair| pair.channels.clone().ok()).collect();
        let mut estimates = self.estimates(&sides, &known, bench.seed, resampling).into_iter();
        let mut rows = Vec::new();
        for pair in pairs {
            let estimate = pair.channels.and_then(|_| estimates.next().ok_or_else(|| "no estimate was made".to_owned()));
            rows.extend(rows_of(pair.names, estimate, resampling.surrogates));
        }
        Output { rows, curves: Vec::new() }
    }

    fn pairs_of(&self, series: &Series, sides: &Sides) -> Vec<Pair> {
        let names = series.channels();
        let place = |name: &String| {
            let found = names.iter().position(|known| known == name);
            found.ok_or_else(|| format!("there is no channel `{name}` in `pairs`: the channels are {}", shortened(names)))
        };
        let checked = |source: usize, target: usize| match (&sides.too_short, [source, target].into_iter().find(|&at| sides.constant[at])) {
            (Some(reason), _) => Err(reason.clone()),
            (None, Some(channel)) => Err(format!("channel `{}` is constant: it carries no information", names[channel])),
            (None, None) => Ok((source, target)),
        };
        let named = |source: &String, target: &String| Some([source.clone(), target.clone()]);
        if let Some(pairs) = &self.pairs {
            let channels = |[source, target]: &[String; 2]| checked(place(source)?, place(target)?);
            return pairs.iter().map(|pair| Pair { names: named(&pair[0], &pair[1]), channels: channels(pair) }).collect();
        }
        if names.len() < 2 {
            let reason = format!("transfer entropy needs two channels or more, and there is only `{}`", names[0]);
            return vec![Pair { names: None, channels: Err(reason) }];
        }
        let all = (0..names.len()).flat_map(|source| (0..names.len()).map(move |target| (source, target)));
        all.filter(|(source, target)| source != target)
            .map(|(source, target)| Pair { names: named(&names[source], &names[target]), channels: checked(source, target) })
            .collect()
    }

    /// One estimate a pair, in their order.
    fn estimates(&self, sides: &Sides, pairs: &[(usize, usize)], seed: u64, resampling: &Resampling) -> Vec<Estimate> {
        let mut by_source: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        pairs.iter().enumerate().for_each(|(index, &(source, _))| by_source.entry(source).or_default().push(index));
        let groups: Vec<(usize, Vec<usize>)> = by_source.into_iter().collect();
        let made: Vec<Vec<(usize, Estimate)>> = groups
            .par_iter()
            .map(|(source, indices)| {
                let targets: Vec<&Target> = indices.iter().map(|&index| &sides.channels[pairs[index].1].1).collect();
                let made = self.of_source(sides, *source, &targets, seed, resampling);
                indices.iter().copied().zip(made).collect()
            })
            .collect();
        let mut flat: Vec<(usize, Estimate)> = made.into_iter().flatten().collect();
        flat.sort_by_key(|(index, _)| *index);
        let mut estimates: Vec<Estimate> = flat.into_iter().map(|(_, estimate)| estimate).collect();
        self.add_intervals(&mut estimates, sides, pairs, seed, resampling.bootstrap);
        estimates
    }

    /// Values and nulls of all targets of one source: a permutation is drawn once and meets every target.
    fn of_source(&self, sides: &Sides, source: usize, targets: &[&Target], seed: u64, resampling: &Resampling) -> Vec<Estimate> {
        let corrected = self.bias == "miller-madow";
        let against = |side: &Source| -> Vec<f64> { targets.iter().map(|target| transfer_entropy(side, target, corrected)).collect() };
        let original = &sides.channels[source].0;
        let permuted = |purpose, draw| {
            let mut rng = stream(seed, purpose, draw, source);
            original.gathered(&permutation(sides.n_observations, &mut rng))
        };
        let mut bias = vec![0.0; targets.len()];
        if self.bias == "shuffle" {
            let draws: Vec<Vec<f64>> = (0..N_SHUFFLES).into_par_iter().map(|draw| against(&permuted(Purpose::Normalise, draw))).collect();
            for draw in draws {
                bias.iter_mut().zip(draw).for_each(|(sum, value)| *sum += value / f64::from(N_SHUFFLES));
            }
        }
        let nulls: Vec<Vec<f64>> = (0..resampling.surrogates)
            .into_par_iter()
            .map(|draw| match resampling.surrogate {
                SurrogateKind::Shuffle => against(&permuted(Purpose::Surrogate, draw)),
                kind @ (SurrogateKind::CircularShift | SurrogateKind::Block | SurrogateKind::Phase) => {
                    let symbols = &sides.symbols[source];
                    let values: Vec<f64> = symbols.iter().map(|&symbol| f64::from(symbol)).collect();
                    let order = kind.order(&values, &mut stream(seed, Purpose::Surrogate, draw, source));
                    let reordered: Vec<u32> = order.into_iter().map(|index| symbols[index]).collect();
                    against(&self.histories.source_of(&reordered, self.alphabet))
                }
            })
            .collect();
        let values = against(original).into_iter().zip(bias).enumerate();
        values
            .map(|(index, (value, bias))| Estimate {
                value: value - bias,
                null: nulls.iter().map(|draw| draw[index] - bias).collect(),
                interval: None,
            })
            .collect()
    }

    fn add_intervals(&self, estimates: &mut [Estimate], sides: &Sides, pairs: &[(usize, usize)], seed: u64, bootstrap: u32) {
        if pairs.is_empty() || bootstrap == 0 {
            return;
        }
        let corrected = self.bias == "miller-madow";
        let draws: Vec<Vec<f64>> = (0..bootstrap)
            .into_par_iter()
            .map(|draw| {
                let order = moving_blocks(sides.n_observations, &mut stream(seed, Purpose::Bootstrap, draw, 0));
                let again: Vec<(Source, Target)> =
                    sides.channels.iter().map(|(source, target)| (source.gathered(&order), target.gathered(&order))).collect();
                pairs.iter().map(|&(source, target)| transfer_entropy(&again[source].0, &again[target].1, corrected)).collect()
            })
            .collect();
        // What `bias = "shuffle"` took off the value is taken off its resamples.
        for (index, estimate) in estimates.iter_mut().enumerate() {
            let (source, target) = pairs[index];
            let plain = transfer_entropy(&sides.channels[source].0, &sides.channels[target].1, corrected);
            let taken = plain - estimate.value;
            estimate.interval = interval(&draws.iter().map(|draw| draw[index] - taken).collect::<Vec<_>>());
        }
    }
}

/// Every channel as symbols, as a source and as a target. Channels are empty where the window is too short.
struct Sides {
    symbols: Vec<Vec<u32>>,
    constant: Vec<bool>,
    channels: Vec<(Source, Target)>,
    n_observations: usize,
    too_short: Option<String>,
}

/// Why a series is too short for one pair of observations.
fn too_short(histories: &Histories, n_samples: usize) -> Option<String> {
    let reach = histories.reach();
    (n_samples.saturating_sub(reach) < 2).then(|| {
        let needed = reach.saturating_add(2);
        format!("these histories and this lag need {needed} samples or more, but there are {n_samples}")
    })
}

impl Sides {
    fn of(metric: &TransferEntropy, series: &Series) -> Self {
        let histories = &metric.histories;
        let n_observations = series.n_samples().saturating_sub(histories.reach());
        let too_short = too_short(histories, series.n_samples());
        let symbols: Vec<Vec<u32>> = series.iter().map(|channel| discrete::symbols(channel, metric.alphabet)).collect();
        let constant = symbols.iter().map(|channel| channel.iter().all(|symbol| *symbol == channel[0])).collect();
        let channels = if too_short.is_some() {
            Vec::new()
        } else {
            let both = |channel: &Vec<u32>| (histories.source_of(channel, metric.alphabet), histories.target_of(channel, metric.alphabet));
            symbols.par_iter().map(both).collect()
        };
        Self { symbols, constant, channels, n_observations, too_short }
    }
}

fn rows_of(names: Option<[String; 2]>, estimate: Result<Estimate, String>, surrogates: u32) -> Vec<MetricRow> {
    let [source, target] = names.map_or([None, None], |names| names.map(Some));
    let row = |statistic: &str, value: Value| MetricRow {
        source: source.clone(),
        target: target.clone(),
        ..MetricRow::new(statistic, value, "bit")
    };
    let of_null = ["effective", "null_mean", "null_sd"];
    let mut rows = match estimate {
        Err(reason) => {
            let names = ["value"].into_iter().chain(of_null);
            names.map(|statistic| row(statistic, Value::Undefined(reason.clone()))).collect()
        }
        Ok(Estimate { value, null, interval }) => {
            let mut first = row("value", Value::Known(value));
            first.ci_low = interval.map(|ends| ends.0);
            first.ci_high = interval.map(|ends| ends.1);
            if surrogates > 0 {
                first.p_value = Some(p_value(value, &null, ROUNDING));
                first.surrogates = Some(surrogates);
            }
            let n = null.len() as f64;
            let mean = null.iter().sum::<f64>() / n;
            let sd = (null.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            let sd = Value::of(sd, "one surrogate has no standard deviation");
            let numbers = [Value::Known(value - mean), Value::Known(mean), sd];
            [first].into_iter().chain(of_null.into_iter().zip(numbers).map(|(name, value)| row(name, value))).collect::<Vec<_>>()
        }
    };
    if surrogates == 0 {
        rows.truncate(1);
    }
    rows
}

/// A few names, and how many more there are.
fn shortened(names: &[String]) -> String {
    let shown = names.iter().take(8).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 8 { format!("{shown} and {} more", names.len() - 8) } else { shown }
}

#[cfg(test)]
mod tests;
