//! The keys of transfer entropy, pulled from a job file.

use super::continuous::Preparation;
use super::discrete::Histories;
use super::gaussian::Test;
use super::greedy::Greedy;
use super::ksg::Ksg;
use super::ragwitz::Ragwitz;
use super::symbolic::Bias;
use super::{Kind, TransferEntropy};
use crate::spec::{Key, Section, integer_of};
use toml::Spanned;
use toml::de::DeValue;

/// For `--help` and the docs.
pub const ENTRY_KEYS: &[Key] = &[
    Key {
        name: "estimator",
        default: "\"discrete\"",
        help: "discrete: plug-in over symbols, in bits; gaussian: half of Granger's causality; ksg: nearest neighbours; both in nats; spike-continuous: spike times, nats a second",
    },
    Key {
        name: "target_history",
        default: "1",
        help: "members of the target's history; \"ragwitz\" (gaussian, ksg): chosen, with its delay, by how well it predicts",
    },
    Key { name: "source_history", default: "1", help: "members of the source's history" },
    Key { name: "target_delay", default: "1", help: "samples between members of the target's history" },
    Key { name: "source_delay", default: "1", help: "samples between members of the source's history" },
    Key {
        name: "lag",
        default: "1",
        help: "samples from the source's newest member to the target's next state, or a list of which the best is taken",
    },
    Key { name: "pairs", default: "\"all\"", help: "all ordered pairs, or [[\"source\", \"target\"], …] by channel name" },
    Key { name: "condition", default: "[]", help: "channels whose last value joins the target's past" },
    Key { name: "max_history", default: "5", help: "ragwitz: longest history" },
    Key { name: "max_delay", default: "5", help: "ragwitz: largest delay between its members" },
    Key { name: "selection", default: "\"none\"", help: "gaussian, ksg: none; greedy: histories chosen from the past of all channels" },
    Key { name: "max_lag", default: "5", help: "greedy: samples that the choice goes back" },
    Key { name: "alpha", default: "0.05", help: "greedy: greatest p-value of what is chosen" },
    Key { name: "alphabet", default: "2", help: "discrete: symbols; equal-width bins of a channel whose values are not integers below it" },
    Key { name: "bias", default: "\"none\"", help: "discrete: none; miller-madow; shuffle: less the mean of 50 permutations" },
    Key { name: "test", default: "\"f\"", help: "gaussian: the p-value without surrogates: f, chi-squared" },
    Key { name: "k", default: "4", help: "ksg, spike-continuous: neighbours" },
    Key { name: "theiler", default: "0", help: "ksg: samples around an observation whose own are no neighbours" },
    Key { name: "algorithm", default: "1", help: "ksg: 1 or 2 of Kraskov et al." },
    Key { name: "normalise_input", default: "true", help: "ksg: brings each channel to mean 0 and standard deviation 1" },
    Key {
        name: "noise",
        default: "0.0",
        help: "ksg: standard deviation of the noise that is added; spike-continuous: the same of every interval, in seconds",
    },
];

const ESTIMATORS: &[&str] = &["discrete", "gaussian", "ksg", "spike-continuous"];
const BIAS: &[&str] = &["none", "miller-madow", "shuffle"];
const TESTS: &[&str] = &["f", "chi-squared"];
/// More symbols than this are not symbols.
const LARGEST_ALPHABET: u64 = 1 << 16;
/// Keys of some estimators only.
const OWN: &[(&str, &[&str])] = &[
    ("alphabet", &["discrete"]),
    ("selection", &["gaussian", "ksg"]),
    ("bias", &["discrete"]),
    ("test", &["gaussian"]),
    ("k", &["ksg", "spike-continuous"]),
    ("noise", &["ksg", "spike-continuous"]),
    ("theiler", &["ksg"]),
    ("algorithm", &["ksg"]),
    ("normalise_input", &["ksg"]),
    ("lag", &["discrete", "gaussian", "ksg"]),
    ("target_delay", &["discrete", "gaussian", "ksg"]),
    ("source_delay", &["discrete", "gaussian", "ksg"]),
];

impl TransferEntropy {
    pub(super) fn parse(section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        let estimator = section.choice("estimator", ESTIMATORS).unwrap_or(ESTIMATORS[0]);
        let count = |key, default| section.integer(key, 1).map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX));
        let ragwitz = ragwitz(section, estimator);
        let histories = Histories {
            target: if ragwitz.is_some() { 1 } else { count("target_history", 1) },
            source: count("source_history", 1),
            target_delay: count("target_delay", 1),
            source_delay: count("source_delay", 1),
        };
        let lags = lags(section);
        let pairs = pairs(section);
        let condition = section.strings("condition").unwrap_or_default();
        if let Some((_, name)) = condition.iter().enumerate().find(|(at, name)| condition[..*at].contains(name)) {
            section.error(section.span_of("condition"), format!("`condition` names `{name}` twice"), "");
        }
        let discrete = Kind::Discrete { alphabet: alphabet(section), bias: bias(section) };
        let test = if section.choice("test", TESTS) == Some("chi-squared") { Test::ChiSquared } else { Test::F };
        let ksg = ksg(section, count("k", 4));
        let kind = match estimator {
            "gaussian" => Kind::Gaussian { test },
            "ksg" => ksg,
            "spike-continuous" => spikes(section, &ksg),
            _ => discrete,
        };
        let greedy = greedy(section);
        for &(key, owners) in OWN.iter().filter(|(key, owners)| !owners.contains(&estimator) && section.raw(key).is_some()) {
            let owners = owners.iter().map(|owner| format!("\"{owner}\"")).collect::<Vec<_>>().join(" or ");
            let hint = format!("leave it out, or write `estimator = {owners}`");
            section.error(section.span_of(key), format!("`{key}` belongs to `estimator = {owners}`, not \"{estimator}\""), hint);
        }
        (section.diagnostics().len() == before).then_some(Self { kind, histories, lags, pairs, condition, greedy, ragwitz })
    }
}

fn alphabet(section: &Section<'_>) -> u32 {
    let alphabet = section.integer("alphabet", 2).unwrap_or(2);
    if alphabet > LARGEST_ALPHABET {
        section.error(section.span_of("alphabet"), format!("`alphabet` must be {LARGEST_ALPHABET} or less, not {alphabet}"), "");
    }
    alphabet as u32
}

fn bias(section: &Section<'_>) -> Bias {
    match section.choice("bias", BIAS) {
        Some("miller-madow") => Bias::MillerMadow,
        Some("shuffle") => Bias::Shuffle,
        _ => Bias::None,
    }
}

fn ksg(section: &Section<'_>, k: usize) -> Kind {
    let theiler = section.integer("theiler", 0).map_or(0, |number| usize::try_from(number).unwrap_or(usize::MAX));
    let algorithm = section.integer("algorithm", 1).unwrap_or(1);
    if algorithm > 2 {
        section.error(section.span_of("algorithm"), format!("`algorithm` must be 1 or 2, not {algorithm}"), "");
    }
    let normalise = section.boolean("normalise_input").unwrap_or(true);
    let noise = section.number_where("noise", "a finite number of 0 or more", |noise| noise.is_finite() && noise >= 0.0).unwrap_or(0.0);
    Kind::Ksg { ksg: Ksg { k, theiler, algorithm: if algorithm == 2 { 2 } else { 1 } }, preparation: Preparation { normalise, noise } }
}

fn ragwitz(section: &Section<'_>, estimator: &str) -> Option<Ragwitz> {
    let asked = section.raw("target_history").is_some_and(|value| value.get_ref().as_str() == Some("ragwitz"));
    let count = |key, default| section.integer(key, 1).map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX));
    let (max_history, max_delay) = (count("max_history", 5), count("max_delay", 5));
    if asked && !["gaussian", "ksg"].contains(&estimator) {
        let message = format!("`target_history = \"ragwitz\"` is for `estimator = \"gaussian\"` or \"ksg\", not \"{estimator}\"");
        section.error(section.span_of("target_history"), message, "write a number");
    }
    let refused: &[&str] = if asked { &["target_delay"] } else { &["max_history", "max_delay"] };
    for key in refused.iter().filter(|key| section.raw(key).is_some()) {
        let (message, hint) = if asked {
            (format!("`{key}` has no meaning with `target_history = \"ragwitz\"`"), "leave it out: it is chosen too")
        } else {
            (format!("`{key}` belongs to `target_history = \"ragwitz\"`"), "leave it out, or write `target_history = \"ragwitz\"`")
        };
        section.error(section.span_of(key), message, hint);
    }
    let theiler = section.raw("theiler").and_then(|value| integer_of(value.get_ref())).and_then(|window| usize::try_from(window).ok());
    asked.then(|| Ragwitz { max_history, max_delay, neighbours: 4, theiler: theiler.unwrap_or(0) })
}

/// Keys that say what a greedy selection finds out.
const CHOSEN: &[&str] = &["target_history", "source_history", "target_delay", "source_delay", "lag", "condition", "test", "bootstrap"];

fn greedy(section: &Section<'_>) -> Option<Greedy> {
    let greedy = section.choice("selection", &["none", "greedy"]) == Some("greedy");
    let max_lag = section.integer("max_lag", 1).map_or(5, |lag| usize::try_from(lag).unwrap_or(usize::MAX));
    let alpha = section.number_where("alpha", "above 0 and below 1", |alpha| alpha > 0.0 && alpha < 1.0).unwrap_or(0.05);
    let refused: &[&str] = if greedy { CHOSEN } else { &["max_lag", "alpha"] };
    for key in refused.iter().filter(|key| section.raw(key).is_some()) {
        let (message, hint) = if greedy {
            (
                format!("`{key}` has no meaning with `selection = \"greedy\"`"),
                "leave it out: lags up to `max_lag` of all channels are looked at",
            )
        } else {
            (format!("`{key}` belongs to `selection = \"greedy\"`"), "leave it out, or write `selection = \"greedy\"`")
        };
        section.error(section.span_of(key), message, hint);
    }
    if !greedy {
        return None;
    }
    let surrogates = section.raw("surrogates").and_then(|value| integer_of(value.get_ref())).unwrap_or(0);
    let needed = (1.0 / alpha).ceil() as i64 - 1;
    if surrogates < needed {
        let message = format!("`selection = \"greedy\"` tests every choice: `surrogates` must be {needed} or more for `alpha = {alpha}`");
        section.error(section.span_of("surrogates"), message, "write `surrogates = 200`");
    }
    Some(Greedy { max_lag, alpha })
}

/// Spikes have a null of their own.
fn spikes(section: &Section<'_>, ksg: &Kind) -> Kind {
    let null = section.raw("surrogate").and_then(|value| value.get_ref().as_str());
    if let Some(null) = null.filter(|null| *null != "shuffle") {
        let hint = "leave `surrogate` out: source histories are exchanged between times of similar target histories";
        section.error(
            section.span_of("surrogate"),
            format!("`surrogate = \"{null}\"` is no null of `estimator = \"spike-continuous\"`"),
            hint,
        );
    }
    match ksg {
        Kind::Ksg { ksg, preparation } => Kind::Spikes { k: ksg.k, noise: preparation.noise },
        other => other.clone(),
    }
}

/// One lag, or a list of them.
fn lags(section: &Section<'_>) -> Vec<usize> {
    let Some(value) = section.raw("lag") else { return vec![1] };
    let Some(items) = value.get_ref().as_array() else {
        return vec![section.integer("lag", 1).map_or(1, |lag| usize::try_from(lag).unwrap_or(usize::MAX))];
    };
    let mut lags = Vec::new();
    for item in items.iter() {
        match integer_of(item.get_ref()).and_then(|lag| usize::try_from(lag).ok()).filter(|&lag| lag > 0) {
            Some(lag) if lags.contains(&lag) => section.error(item.span(), format!("`lag` names {lag} twice"), ""),
            Some(lag) => lags.push(lag),
            None => section.error(item.span(), "each `lag` must be a whole number of 1 or more", ""),
        }
    }
    if lags.is_empty() {
        section.error(value.span(), "`lag` must be a whole number or a list of them", "write `lag = 1` or `lag = [1, 2, 3]`");
        lags.push(1);
    }
    lags
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
