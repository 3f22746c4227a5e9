//! Lempel–Ziv complexity of 1976: how many phrases a signal's symbols fall into.
//!
//! `c` is the number of phrases of the parsing of A. Lempel & J. Ziv (IEEE Trans. Inf. Theory 22, 1976) as F. Kaspar &
//! H. G. Schuster count them (Phys. Rev. A 36, 1987). It is not the count of 1978, nor the LZW-like one of Schartner's code: the
//! three differ on most texts. Normalised, `c · log_k(n) / n` with `k` the number of distinct symbols, at least 2; or `c` over the
//! mean count of 50 random permutations of the same symbols. The first tends to 1 for random symbols, but slowly (1.176 at n = 100,
//! 1.012 at 10⁶): compare equal lengths only.
//!
//! A text of one symbol, or of fewer than two samples, has no normalised complexity: its `value` is undefined, its `phrases` known.
//! With `scope = "sum"`, `phrases` is the sum over channels and `value` the mean of the channels' normalised values (with
//! `normalise = "none"` the sum of the counts).

mod automaton;
mod binarise;

pub use automaton::lz76_phrases;
pub use binarise::Binarise;

use super::surrogate::{Purpose, stream};
use super::{Bench, Metric, Output};
use crate::data::{MetricRow, Series, Value};
use crate::spec::{Entry, Key, Section};
use rand::seq::SliceRandom;
use rayon::prelude::*;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "lz76",
    summary: "Lempel-Ziv complexity (1976 parsing) of each channel or of all",
    keys: &[
        Key {
            name: "binarise",
            default: "\"median\"",
            help: "median, mean: 1 above it; hilbert-mean: 1 where the envelope reaches its mean; none: values are symbols",
        },
        Key {
            name: "normalise",
            default: "\"n/log-n\"",
            help: "n/log-n: c log_k(n) / n; shuffle: c over the mean of 50 permutations; none",
        },
        Key {
            name: "scope",
            default: "\"channel\"",
            help: "channel: each; concatenate: all channels of t, then of t+1; sum: over channels",
        },
    ],
    parse: |section| Lz76::parse(section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};

/// Permutations behind `normalise = "shuffle"`: their mean is then known to well below 1 % for 100 samples and more.
const N_SHUFFLES: u32 = 50;

/// What the count is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalise {
    /// `c · log_k(n) / n`.
    Length,
    /// The mean count of permutations.
    Shuffle,
    /// Nothing.
    None,
}

/// What makes a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each channel is a text.
    Channel,
    /// All channels of a sample, then of the next, are one text.
    Concatenate,
    /// Each channel is a text; their counts are added.
    Sum,
}

/// The metric with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Lz76 {
    /// How channels become symbols.
    pub binarise: Binarise,
    /// What the count is divided by.
    pub normalise: Normalise,
    /// What makes a text.
    pub scope: Scope,
}

const NORMALISE: &[(&str, Normalise)] = &[("n/log-n", Normalise::Length), ("shuffle", Normalise::Shuffle), ("none", Normalise::None)];
const SCOPE: &[(&str, Scope)] = &[("channel", Scope::Channel), ("concatenate", Scope::Concatenate), ("sum", Scope::Sum)];

impl Lz76 {
    fn parse(section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        let binarise = section.choice("binarise", Binarise::NAMES).and_then(Binarise::from_name).unwrap_or(Binarise::Median);
        let normalise =
            section.choice("normalise", &NORMALISE.each_name()).and_then(|name| NORMALISE.named(name)).unwrap_or(Normalise::Length);
        let scope = section.choice("scope", &SCOPE.each_name()).and_then(|name| SCOPE.named(name)).unwrap_or(Scope::Channel);
        let phase = section.raw("surrogate").and_then(|value| value.get_ref().as_str()) == Some("phase");
        if phase && binarise == Binarise::None {
            section.error(
                section.span_of("surrogate"),
                "phase surrogates of symbols are not symbols: `surrogate = \"phase\"` does not go with `binarise = \"none\"`",
                "use shuffle, circular-shift or block",
            );
        }
        (section.diagnostics().len() == before).then_some(Self { binarise, normalise, scope })
    }

    /// The texts to parse, each with what it is called in reasons and the channel its row is about.
    fn texts(&self, series: &Series) -> Vec<Text> {
        if self.scope == Scope::Concatenate {
            return vec![Text { name: "the text of all channels".into(), source: None, symbols: self.concatenated(series) }];
        }
        let named = series.channels().iter().zip(series.iter());
        named
            .map(|(name, channel)| Text {
                name: format!("channel `{name}`"),
                source: Some(name.clone()),
                symbols: self.binarise.symbols(channel),
            })
            .collect()
    }

    fn concatenated(&self, series: &Series) -> Vec<u32> {
        let in_time = |channels: &[Vec<f64>]| -> Vec<f64> {
            (0..series.n_samples()).flat_map(|sample| channels.iter().map(move |channel| channel[sample])).collect()
        };
        if self.binarise == Binarise::None {
            // One alphabet for all channels.
            let channels: Vec<Vec<f64>> = series.iter().map(<[f64]>::to_vec).collect();
            return binarise::ranks(&in_time(&channels));
        }
        let channels: Vec<Vec<u32>> = series.iter().map(|channel| self.binarise.symbols(channel)).collect();
        (0..series.n_samples()).flat_map(|sample| channels.iter().map(move |channel| channel[sample])).collect()
    }

    fn normalised(&self, text: &Text, phrases: usize, seed: u64, index: usize) -> Value {
        let n = text.symbols.len();
        if self.normalise == Normalise::None {
            return Value::Known(phrases as f64);
        }
        if n < 2 {
            return Value::Undefined(format!("{} has {n} samples: a normalised complexity needs 2 or more", text.name));
        }
        let alphabet = alphabet(&text.symbols);
        if alphabet < 2 {
            return Value::Undefined(format!("{} is constant: it has no normalised complexity", text.name));
        }
        let count = phrases as f64;
        match self.normalise {
            Normalise::Length => Value::Known(count * (n as f64).ln() / (alphabet as f64).ln() / n as f64),
            Normalise::Shuffle => Value::Known(count / mean_of_shuffles(&text.symbols, seed, index)),
            Normalise::None => Value::Known(count),
        }
    }
}

struct Text {
    name: String,
    source: Option<String>,
    symbols: Vec<u32>,
}

impl Metric for Lz76 {
    fn statistics(&self) -> &'static [&'static str] {
        &["value", "phrases"]
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        let texts = self.texts(bench.series);
        let counted: Vec<(Value, usize)> = texts
            .par_iter()
            .enumerate()
            .map(|(index, text)| {
                let phrases = lz76_phrases(&text.symbols);
                (self.normalised(text, phrases, bench.seed, index), phrases)
            })
            .collect();
        let rows = match self.scope {
            Scope::Sum => rows_of(None, self.total(&counted), counted.iter().map(|(_, phrases)| phrases).sum()).into(),
            Scope::Channel | Scope::Concatenate => {
                texts.into_iter().zip(counted).flat_map(|(text, (value, phrases))| rows_of(text.source, value, phrases)).collect()
            }
        };
        Output { rows, curves: Vec::new() }
    }

    fn params(&self) -> serde_json::Value {
        serde_json::json!({
            "kind": "lz76",
            "binarise": self.binarise.name(),
            "normalise": NORMALISE.name_of(self.normalise),
            "scope": SCOPE.name_of(self.scope),
        })
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        // Some 0.15 µs a symbol in the automaton, as often as a text is parsed.
        let parsings = if self.normalise == Normalise::Shuffle { 1.0 + f64::from(N_SHUFFLES) } else { 1.0 };
        1.5e-7 * parsings * n_channels as f64 * n_samples as f64
    }
}

impl Lz76 {
    /// `value` of `scope = "sum"`: undefined when one channel is, since a mean over the rest would be of other data.
    fn total(&self, counted: &[(Value, usize)]) -> Value {
        let mut sum = 0.0;
        for (value, _) in counted {
            match value {
                Value::Known(number) => sum += number,
                Value::Undefined(reason) | Value::Absent(reason) => return Value::Undefined(reason.clone()),
            }
        }
        Value::Known(if self.normalise == Normalise::None { sum } else { sum / counted.len() as f64 })
    }
}

fn rows_of(source: Option<String>, value: Value, phrases: usize) -> [MetricRow; 2] {
    [("value", value), ("phrases", Value::Known(phrases as f64))]
        .map(|(statistic, value)| MetricRow { source: source.clone(), ..MetricRow::new(statistic, value, "1") })
}

fn alphabet(symbols: &[u32]) -> usize {
    if symbols.iter().all(|&symbol| symbol < 2) {
        return usize::from(symbols.contains(&0)) + usize::from(symbols.contains(&1));
    }
    let mut distinct = symbols.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len()
}

fn mean_of_shuffles(symbols: &[u32], seed: u64, index: usize) -> f64 {
    let counts: Vec<usize> = (0..N_SHUFFLES)
        .into_par_iter()
        .map(|draw| {
            let mut shuffled = symbols.to_vec();
            shuffled.shuffle(&mut stream(seed, Purpose::Normalise, draw, index));
            lz76_phrases(&shuffled)
        })
        .collect();
    counts.iter().sum::<usize>() as f64 / f64::from(N_SHUFFLES)
}

/// A table of names, so that parser and parameters spell them once.
trait Names<T> {
    fn each_name(&self) -> Vec<&'static str>;
    fn named(&self, name: &str) -> Option<T>;
    fn name_of(&self, value: T) -> &'static str;
}

impl<T: Copy + PartialEq> Names<T> for [(&'static str, T)] {
    fn each_name(&self) -> Vec<&'static str> {
        self.iter().map(|(name, _)| *name).collect()
    }
    fn named(&self, name: &str) -> Option<T> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
    fn name_of(&self, value: T) -> &'static str {
        self.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;

    fn series(channels: &[&[f64]]) -> Series {
        Series::new((0..channels.len()).map(|index| format!("c{index}")).collect(), channels.concat(), 1.0, 0.0, "").unwrap()
    }
    fn run(text: &str, series: &Series) -> Vec<MetricRow> {
        let (metric, found) = with_section(text, |section| (ENTRY.parse)(section));
        assert!(found.is_empty(), "{found:?}");
        metric.unwrap().evaluate(&Bench { series, spikes: None, seed: 1 }).rows
    }
    fn values(rows: &[MetricRow]) -> Vec<Option<f64>> {
        rows.iter().map(|row| row.value.known()).collect()
    }

    const A: &[f64] = &[0., 0., 0., 1., 1., 0., 1., 0., 0., 1., 0., 0., 0., 1., 0., 1.];
    const B: &[f64] = &[1., 0., 1., 0., 1., 0., 1., 0., 1., 0., 1., 0., 1., 0., 1., 0.];

    #[test]
    fn scopes_count_each_channel_all_in_time_order_or_their_sum() {
        let both = series(&[A, B]);
        // 6 log2(16) / 16 = 1.5 and 3 · 4 / 16 = 0.75.
        assert_eq!(values(&run("binarise = \"none\"", &both)), [Some(1.5), Some(6.0), Some(0.75), Some(3.0)]);
        assert_eq!(values(&run("binarise = \"mean\"\nscope = \"sum\"", &both)), [Some(1.125), Some(9.0)]);
        assert_eq!(values(&run("binarise = \"mean\"\nscope = \"sum\"\nnormalise = \"none\"", &both)), [Some(9.0), Some(9.0)]);
        let in_time: Vec<f64> = A.iter().zip(B).flat_map(|(&a, &b)| [a, b]).collect();
        let one = run("binarise = \"none\"", &series(&[&in_time]));
        let concatenated = run("binarise = \"none\"\nscope = \"concatenate\"", &both);
        assert_eq!(values(&concatenated), values(&one));
        assert_eq!((concatenated[0].source.as_deref(), one[0].source.as_deref()), (None, Some("c0")));
    }

    #[test]
    fn larger_alphabets_take_their_own_logarithm() {
        let text: Vec<f64> = [3., 7., 7., 9., 3., 9., 9., 7., 3.].into();
        let rows = run("binarise = \"none\"", &series(&[&text]));
        let phrases = rows[1].value.known().unwrap();
        // 3·7·79·39·97·3: log_3(9) = 2.
        assert_eq!(phrases, 6.0);
        assert!((rows[0].value.known().unwrap() - 6.0 * 2.0 / 9.0).abs() < 1e-15);
    }

    #[test]
    fn what_has_no_complexity_says_why_and_keeps_its_count() {
        let rows = run("", &series(&[A, &[0.1; 16]]));
        assert_eq!(rows[2].value, Value::Undefined("channel `c1` is constant: it has no normalised complexity".into()));
        assert_eq!(rows[3].value, Value::Known(2.0));
        assert!(matches!(run("scope = \"sum\"", &series(&[A, &[0.1; 16]]))[0].value, Value::Undefined(_)));
        let short = run("normalise = \"shuffle\"", &series(&[&[4.0]]));
        assert_eq!(short[0].value, Value::Undefined("channel `c0` has 1 samples: a normalised complexity needs 2 or more".into()));
        assert_eq!(run("", &series(&[&[]]))[1].value, Value::Known(0.0));
    }

    #[test]
    fn shuffles_put_random_symbols_near_one_and_depend_on_the_seed_alone() {
        let mut rng = stream(8, Purpose::Surrogate, 0, 0);
        let noise: Vec<f64> = (0..2000).map(|_| rand::RngExt::random(&mut rng)).collect();
        let data = series(&[&noise]);
        let value = |seed| {
            let metric = Lz76 { binarise: Binarise::Median, normalise: Normalise::Shuffle, scope: Scope::Channel };
            metric.evaluate(&Bench { series: &data, spikes: None, seed }).rows[0].value.known().unwrap()
        };
        assert!((value(1) - 1.0).abs() < 0.03);
        assert_eq!(value(1), value(1));
        assert!((2..5).any(|seed| value(seed) != value(1)));
    }

    #[test]
    fn symbols_have_no_phase_surrogates() {
        let parse = |text: &str| with_section(text, |section| (ENTRY.parse)(section).is_some());
        assert!(!parse("binarise = \"none\"\nsurrogate = \"phase\"").0);
        assert!(parse("binarise = \"mean\"\nsurrogate = \"phase\"").0);
        let (_, found) = parse("binarise = \"none\"\nsurrogate = \"phase\"");
        assert!(found[0].message.contains("not symbols"));
    }
}
