//! Lempel–Ziv complexities: how many phrases a signal's symbols fall into, by three parsings that give three numbers.
//!
//! * `lz76` (A. Lempel & J. Ziv, IEEE Trans. Inf. Theory 22, 1976, counted as F. Kaspar & H. G. Schuster, Phys. Rev. A 36, 1987):
//!   a phrase goes on while it occurs starting earlier; an unfinished last phrase counts.
//! * `lz78` (J. Ziv & A. Lempel, IEEE Trans. Inf. Theory 24, 1978): a phrase is the shortest text that is no phrase yet; an
//!   unfinished last phrase counts.
//! * `lzc`: the size of the dictionary of T. Welch (IEEE Computer 17, 1984), as the code of M. Schartner et al. (PLoS ONE 10, 2015)
//!   counts: as `lz78`, but the next word begins with the symbol that ended the last.
//!
//! Normalised, `c · log_k(n) / n` with `k` the number of distinct symbols, at least 2 (`order`! for `binarise = "ordinal"`); or `c`
//! over the mean count of surrogates: permutations of the symbols, or symbols of the phase-randomised channels. The first tends to
//! 1 for random symbols, but slowly (`lz76`: 1.176 at n = 100, 1.012 at 10⁶): compare equal lengths only.
//!
//! A text of one symbol, or of fewer than two, has no normalised complexity: its `value` is undefined, its `phrases` known.
//! With `scope = "sum"`, `phrases` is the sum over channels and `value` the mean of the channels' normalised values (with
//! `normalise = "none"` the sum of the counts).

mod automaton;
mod binarise;
mod dictionary;

pub use automaton::{lz76_phrases, matrix_phrases};
pub use binarise::Binarise;
pub use dictionary::{lz78_phrases, lzw_words};

use super::surrogate::{Purpose, SurrogateKind, stream};
use super::{Bench, Metric, Output};
use crate::data::{MetricRow, Series, Value};
use crate::spec::{Key, Section};
use rand::seq::SliceRandom;
use rayon::prelude::*;

/// The keys that all three take.
pub const KEYS: &[Key] = &[
    Key {
        name: "binarise",
        default: "\"median\"",
        help: "median, mean: 1 above it; hilbert-mean: 1 where the envelope reaches its mean; ordinal: rank patterns; none: values are symbols",
    },
    Key {
        name: "normalise",
        default: "\"n/log-n\"",
        help: "n/log-n: c log_k(n) / n; shuffle: c over the mean of permutations; phase: over that of phase-randomised channels; none",
    },
    Key { name: "scope", default: "\"channel\"", help: "channel: each; concatenate: all channels of t, then of t+1; sum: over channels" },
    Key { name: "draws", default: "50", help: "surrogates behind normalise = shuffle or phase" },
    Key { name: "order", default: "3", help: "samples of a rank pattern (binarise = ordinal), 2 to 7" },
    Key { name: "delay", default: "1", help: "samples between them" },
];

/// Which parsing counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Of 1976.
    Lz76,
    /// Of 1978.
    Lz78,
    /// Schartner's dictionary.
    Lzc,
}

impl Variant {
    /// Its name in the job file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lz76 => "lz76",
            Self::Lz78 => "lz78",
            Self::Lzc => "lzc",
        }
    }
    /// The count.
    pub fn count(self, symbols: &[u32]) -> usize {
        match self {
            Self::Lz76 => lz76_phrases(symbols),
            Self::Lz78 => lz78_phrases(symbols),
            Self::Lzc => lzw_words(symbols),
        }
    }
}

/// What the count is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalise {
    /// `c · log_k(n) / n`.
    Length,
    /// The mean count of permutations.
    Shuffle,
    /// The mean count of phase-randomised channels.
    Phase,
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
pub struct LempelZiv {
    /// Which parsing.
    pub variant: Variant,
    /// How channels become symbols.
    pub binarise: Binarise,
    /// What the count is divided by.
    pub normalise: Normalise,
    /// What makes a text.
    pub scope: Scope,
    /// Surrogates behind the normalisation.
    pub draws: u32,
}

const NORMALISE: &[(&str, Normalise)] =
    &[("n/log-n", Normalise::Length), ("shuffle", Normalise::Shuffle), ("phase", Normalise::Phase), ("none", Normalise::None)];
const SCOPE: &[(&str, Scope)] = &[("channel", Scope::Channel), ("concatenate", Scope::Concatenate), ("sum", Scope::Sum)];

impl LempelZiv {
    /// Pulls [`KEYS`]; problems go to the section's diagnostics and the answer is `None`.
    pub fn parse(variant: Variant, section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        let binarise = Binarise::parse(section);
        let normalise =
            section.choice("normalise", &NORMALISE.each_name()).and_then(|name| NORMALISE.named(name)).unwrap_or(Normalise::Length);
        let scope = section.choice("scope", &SCOPE.each_name()).and_then(|name| SCOPE.named(name)).unwrap_or(Scope::Channel);
        let draws = section.integer("draws", 2).unwrap_or(50).try_into().unwrap_or(u32::MAX);
        let phase = section.raw("surrogate").and_then(|value| value.get_ref().as_str()) == Some("phase");
        for (key, asked) in [("surrogate", phase), ("normalise", normalise == Normalise::Phase)] {
            if asked && binarise == Binarise::None {
                section.error(
                    section.span_of(key),
                    format!("phase surrogates of symbols are not symbols: `{key} = \"phase\"` does not go with `binarise = \"none\"`"),
                    if key == "surrogate" { "use shuffle, circular-shift or block" } else { "use shuffle" },
                );
            }
        }
        let surrogates = matches!(normalise, Normalise::Shuffle | Normalise::Phase);
        if section.raw("draws").is_some() && !surrogates {
            section.error(section.span_of("draws"), "`draws` goes with `normalise = \"shuffle\"` or `\"phase\"`", "");
        }
        (section.diagnostics().len() == before).then_some(Self { variant, binarise, normalise, scope, draws })
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
        if self.binarise == Binarise::None {
            // One alphabet for all channels.
            let in_time: Vec<f64> = (0..series.n_samples()).flat_map(|sample| series.iter().map(move |channel| channel[sample])).collect();
            return binarise::ranks(&in_time);
        }
        let channels: Vec<Vec<u32>> = series.iter().map(|channel| self.binarise.symbols(channel)).collect();
        let n = channels.first().map_or(0, Vec::len);
        (0..n).flat_map(|sample| channels.iter().map(move |channel| channel[sample])).collect()
    }

    /// The count of a text, and the counts of its surrogates.
    fn counted(&self, series: &Series, text: &Text, seed: u64, index: usize) -> Counted {
        let phrases = self.variant.count(&text.symbols);
        let n = text.symbols.len();
        let bare = |value| Counted { value, phrases, null: None };
        if self.normalise == Normalise::None {
            return bare(Value::Known(phrases as f64));
        }
        if n < 2 {
            return bare(Value::Undefined(format!("{} has {n} symbols: a normalised complexity needs 2 or more", text.name)));
        }
        let alphabet = alphabet(&text.symbols);
        if alphabet < 2 {
            return bare(Value::Undefined(format!("{} is constant: it has no normalised complexity", text.name)));
        }
        let count = phrases as f64;
        let alphabet = self.binarise.alphabet().unwrap_or(alphabet);
        let null: Vec<usize> = match self.normalise {
            Normalise::Shuffle => self.draw(|draw| {
                let mut shuffled = text.symbols.clone();
                shuffled.shuffle(&mut stream(seed, Purpose::Normalise, draw, index));
                shuffled
            }),
            Normalise::Phase => self.draw(|draw| self.phase_randomised(series, seed, draw, index)),
            Normalise::Length | Normalise::None => {
                return bare(Value::Known(count * (n as f64).ln() / (alphabet as f64).ln() / n as f64));
            }
        };
        let null = mean_and_sd(&null);
        Counted { value: Value::Known(count / null.0), phrases, null: Some(null) }
    }

    fn draw(&self, make: impl Fn(u32) -> Vec<u32> + Sync) -> Vec<usize> {
        (0..self.draws).into_par_iter().map(|draw| self.variant.count(&make(draw))).collect()
    }

    /// The text of phase-randomised channels: of channel `index`, or of all.
    fn phase_randomised(&self, series: &Series, seed: u64, draw: u32, index: usize) -> Vec<u32> {
        let of = |at: usize| SurrogateKind::Phase.draw(series.channel(at), &mut stream(seed, Purpose::Normalise, draw, at));
        if self.scope != Scope::Concatenate {
            return self.binarise.symbols(&of(index));
        }
        let all = series.with_values((0..series.n_channels()).flat_map(of).collect());
        all.map(|all| self.concatenated(&all)).unwrap_or_default()
    }
}

struct Text {
    name: String,
    source: Option<String>,
    symbols: Vec<u32>,
}

struct Counted {
    value: Value,
    phrases: usize,
    /// Mean and standard deviation of the surrogates' counts.
    null: Option<(f64, f64)>,
}

impl Metric for LempelZiv {
    fn statistics(&self) -> &'static [&'static str] {
        &["value", "phrases", "null_mean", "null_sd"]
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        let texts = self.texts(bench.series);
        let counted: Vec<Counted> =
            texts.par_iter().enumerate().map(|(index, text)| self.counted(bench.series, text, bench.seed, index)).collect();
        let rows = match self.scope {
            Scope::Sum => {
                let phrases = counted.iter().map(|one| one.phrases).sum();
                rows_of(None, Counted { value: self.total(&counted), phrases, null: None })
            }
            Scope::Channel | Scope::Concatenate => {
                texts.into_iter().zip(counted).flat_map(|(text, one)| rows_of(text.source, one)).collect()
            }
        };
        Output { rows, curves: Vec::new() }
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!({
            "kind": self.variant.name(),
            "binarise": self.binarise.name(),
            "pattern": self.binarise.pattern(),
            "normalise": NORMALISE.name_of(self.normalise),
            "scope": SCOPE.name_of(self.scope),
            "draws": self.draws,
        })
    }
    fn version(&self) -> u32 {
        2
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        // Some 0.15 µs a symbol in the automaton or the dictionary, as often as a text is parsed.
        let surrogates = matches!(self.normalise, Normalise::Shuffle | Normalise::Phase);
        let parsings = if surrogates { 1.0 + f64::from(self.draws) } else { 1.0 };
        1.5e-7 * parsings * n_channels as f64 * n_samples as f64
    }
}

impl LempelZiv {
    /// `value` of `scope = "sum"`: undefined when one channel is, since a mean over the rest would be of other data.
    fn total(&self, counted: &[Counted]) -> Value {
        let mut sum = 0.0;
        for one in counted {
            match &one.value {
                Value::Known(number) => sum += number,
                Value::Undefined(reason) | Value::Absent(reason) => return Value::Undefined(reason.clone()),
            }
        }
        Value::Known(if self.normalise == Normalise::None { sum } else { sum / counted.len() as f64 })
    }
}

fn rows_of(source: Option<String>, counted: Counted) -> Vec<MetricRow> {
    let null = counted.null.into_iter().flat_map(|(mean, sd)| [("null_mean", Value::Known(mean)), ("null_sd", Value::Known(sd))]);
    [("value", counted.value), ("phrases", Value::Known(counted.phrases as f64))]
        .into_iter()
        .chain(null)
        .map(|(statistic, value)| MetricRow { source: source.clone(), ..MetricRow::new(statistic, value, "1") })
        .collect()
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

/// Mean and standard deviation (over n - 1).
fn mean_and_sd(counts: &[usize]) -> (f64, f64) {
    let n = counts.len() as f64;
    let mean = counts.iter().sum::<usize>() as f64 / n;
    let square = counts.iter().map(|&count| (count as f64 - mean).powi(2)).sum::<f64>();
    (mean, (square / (n - 1.0)).sqrt())
}

/// A table of names, so that parser and parameters spell them once.
pub(super) trait Names<T> {
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
        let (metric, found) = with_section(text, |section| LempelZiv::parse(Variant::Lz76, section));
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
        assert_eq!(short[0].value, Value::Undefined("channel `c0` has 1 symbols: a normalised complexity needs 2 or more".into()));
        assert_eq!(run("", &series(&[&[]]))[1].value, Value::Known(0.0));
    }

    #[test]
    fn shuffles_put_random_symbols_near_one_and_depend_on_the_seed_alone() {
        let mut rng = stream(8, Purpose::Surrogate, 0, 0);
        let noise: Vec<f64> = (0..2000).map(|_| rand::RngExt::random(&mut rng)).collect();
        let data = series(&[&noise]);
        let value = |seed| {
            let metric = LempelZiv {
                variant: Variant::Lz76,
                binarise: Binarise::Median,
                normalise: Normalise::Shuffle,
                scope: Scope::Channel,
                draws: 50,
            };
            metric.evaluate(&Bench { series: &data, spikes: None, seed }).rows[0].value.known().unwrap()
        };
        assert!((value(1) - 1.0).abs() < 0.03);
        assert_eq!(value(1), value(1));
        assert!((2..5).any(|seed| value(seed) != value(1)));
    }

    #[test]
    fn symbols_have_no_phase_surrogates() {
        let parse = |text: &str| with_section(text, |section| LempelZiv::parse(Variant::Lz76, section).is_some());
        assert!(!parse("binarise = \"none\"\nsurrogate = \"phase\"").0);
        assert!(parse("binarise = \"mean\"\nsurrogate = \"phase\"").0);
        let (_, found) = parse("binarise = \"none\"\nsurrogate = \"phase\"");
        assert!(found[0].message.contains("not symbols"));
    }
}
