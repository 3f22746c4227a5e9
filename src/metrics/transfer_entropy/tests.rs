//! Properties of the metric as a whole; the estimate itself is tested beside `discrete.rs`.

use super::*;
use crate::metrics::resample;
use crate::metrics::surrogate::{Purpose, SurrogateKind, stream};
use crate::spec::with_section;
use rand::RngExt;

fn series(channels: &[Vec<f64>]) -> Series {
    let names = ["a", "b", "c", "d"].into_iter().take(channels.len()).map(str::to_owned).collect();
    Series::new(names, channels.concat(), 1.0, 0.0, "").unwrap()
}

fn run(text: &str, series: &Series) -> Vec<MetricRow> {
    let (parsed, found) = with_section(text, |section| ((ENTRY.parse)(section), Resampling::parse(section)));
    assert!(found.is_empty(), "{found:?}");
    resample::evaluate(&*parsed.0.unwrap(), &parsed.1, &Bench { series, spikes: None, seed: 1 }).rows
}

fn number(rows: &[MetricRow], statistic: &str, source: &str) -> f64 {
    let same = |row: &&MetricRow| row.statistic == statistic && row.source.as_deref() == Some(source);
    rows.iter().find(same).unwrap().value.known().unwrap()
}

/// `a` is random, `b` is `a` three samples later.
fn copied(n: usize, alphabet: u32) -> Series {
    let mut rng = stream(21, Purpose::Normalise, 0, 0);
    let a: Vec<f64> = (0..n).map(|_| f64::from(rng.random_range(0..alphabet))).collect();
    let b = (0..n).map(|t| if t < 3 { 0.0 } else { a[t - 3] }).collect();
    series(&[a, b])
}

#[test]
fn a_copied_stream_carries_its_entropy_at_its_lag_and_none_back() {
    let rows = run("lag = 3", &copied(20_000, 2));
    assert!((number(&rows, "value", "a") - 1.0).abs() < 1e-3);
    assert!(number(&rows, "value", "b") < 1e-3);
    assert!(number(&run("lag = 2", &copied(20_000, 2)), "value", "a") < 1e-3);
    // A history of two that reaches back to the third sample finds it as well.
    let rows = run("lag = 2\nsource_history = 2", &copied(20_000, 2));
    assert!((number(&rows, "value", "a") - 1.0).abs() < 1e-3);
    let rows = run("lag = 1\nsource_history = 2\nsource_delay = 2\nalphabet = 4", &copied(50_000, 4));
    assert!((number(&rows, "value", "a") - 2.0).abs() < 1e-2);
    assert_eq!(rows[0].unit_of_measure, "bit");
}

#[test]
fn names_of_symbols_do_not_matter() {
    let mut rng = stream(22, Purpose::Normalise, 0, 0);
    let mut draw = || -> Vec<f64> { (0..500).map(|_| f64::from(rng.random_range(0..4_u8))).collect() };
    let (a, b) = (draw(), draw());
    let rename = |values: &[f64]| values.iter().map(|&value| [2.0, 0.0, 3.0, 1.0][value as usize]).collect::<Vec<f64>>();
    let one = run("alphabet = 4\ntarget_history = 2", &series(&[a.clone(), b.clone()]));
    let other = run("alphabet = 4\ntarget_history = 2", &series(&[rename(&a), rename(&b)]));
    for source in ["a", "b"] {
        assert!((number(&one, "value", source) - number(&other, "value", source)).abs() < 1e-12);
    }
}

#[test]
fn surrogates_tell_coupled_from_independent_for_every_kind() {
    for kind in SurrogateKind::NAMES {
        let rows = run(&format!("lag = 3\nsurrogates = 99\nsurrogate = \"{kind}\""), &copied(2000, 2));
        assert_eq!(
            rows.iter().map(|row| row.statistic.as_str()).collect::<Vec<_>>()[..6],
            ["value", "effective", "null_mean", "null_sd", "effect_size", "q_value"]
        );
        assert_eq!((rows[0].p_value, rows[0].surrogates), (Some(0.01), Some(99)), "{kind}");
        let (value, effective, mean) = (number(&rows, "value", "a"), number(&rows, "effective", "a"), number(&rows, "null_mean", "a"));
        assert!((value - mean - effective).abs() < 1e-15);
        // The plug-in's bias (b−1)(b−1)b / (2 N ln 2) is the null's mean.
        assert!((mean / (2.0 / (2.0 * 1997.0 * std::f64::consts::LN_2)) - 1.0).abs() < 0.5, "{kind} {mean}");
        assert!(number(&rows, "null_sd", "a") > 0.0);
    }
}

#[test]
fn p_values_of_independent_streams_are_uniform_for_every_kind() {
    for kind in SurrogateKind::NAMES {
        let (rounds, mut sum, mut low) = (150, 0.0, 0);
        for round in 0..rounds {
            let mut rng = stream(round, Purpose::Normalise, 0, 0);
            let mut draw = || -> Vec<f64> { (0..300).map(|_| f64::from(rng.random_range(0..2_u8))).collect() };
            let data = series(&[draw(), draw()]);
            let rows = run(&format!("surrogates = 39\nsurrogate = \"{kind}\"\nseed = {round}\npairs = [[\"a\", \"b\"]]"), &data);
            let p = rows[0].p_value.unwrap();
            sum += p;
            low += u32::from(p <= 0.1);
        }
        // Mean 0.5125 with a standard error of 0.024; 15 of 150 at or below 0.1, give or take 3.7.
        let mean = sum / rounds as f64;
        assert!((mean - 0.5125).abs() < 0.08 && (4..27).contains(&low), "{kind}: {mean}, {low} low");
    }
}

#[test]
fn corrections_take_the_bias_off_value_and_null_alike() {
    let data = copied(300, 4);
    let plain = run("alphabet = 4\nsurrogates = 200", &data);
    let shuffled = run("alphabet = 4\nsurrogates = 200\nbias = \"shuffle\"", &data);
    let corrected = run("alphabet = 4\nsurrogates = 200\nbias = \"miller-madow\"", &data);
    assert!((number(&plain, "effective", "a") - number(&shuffled, "effective", "a")).abs() < 1e-12);
    assert_eq!(plain[0].p_value, shuffled[0].p_value);
    for rows in [&shuffled, &corrected] {
        assert!(number(rows, "null_mean", "a").abs() < 0.15 * number(&plain, "null_mean", "a"));
    }
}

#[test]
fn the_bootstrap_interval_of_a_strong_coupling_is_narrow_and_near() {
    let mut rng = stream(23, Purpose::Normalise, 0, 0);
    let a: Vec<f64> = (0..4000).map(|_| f64::from(rng.random_range(0..2_u8))).collect();
    // b repeats a's last symbol in 9 of 10 samples: 1 − h(0.1) = 0.531 bits.
    let b = (0..4000).map(|t| if t > 0 && rng.random::<f64>() < 0.9 { a[t - 1] } else { 1.0 - a[t.max(1) - 1] }).collect();
    let rows = run("bootstrap = 200", &series(&[a, b]));
    let (low, high) = (rows[0].ci_low.unwrap(), rows[0].ci_high.unwrap());
    assert!(low < 0.531 && 0.531 < high && high - low < 0.08, "{low} {high}");
    assert_eq!(rows.len(), 3);
}

#[test]
fn what_cannot_be_computed_says_why() {
    let reason = |text: &str, data: &Series| match run(text, data)[0].value.clone() {
        Value::Undefined(reason) => reason,
        other => panic!("{other:?} has a value or is absent"),
    };
    let two = copied(50, 2);
    assert!(reason("target_history = 49", &two).contains("need 51 samples or more, but there are 50"));
    assert!(reason("target_history = 9223372036854775807\ntarget_delay = 9223372036854775807", &two).contains("there are 50"));
    assert!(reason("pairs = [[\"a\", \"x\"]]", &two).contains("no channel `x` in `pairs`: the channels are `a`, `b`"));
    assert!(reason("", &series(&[vec![0.0, 1.0, 0.0]])).contains("two channels"));
    let silent = series(&[vec![0.0; 50], two.channel(0).to_vec()]);
    assert_eq!(reason("surrogates = 5", &silent), "channel `a` is constant: it carries no information");
    assert_eq!(run("surrogates = 5\nbootstrap = 5", &silent).len(), 11);
    assert!(reason("", &series(&[vec![], vec![]])).contains("there are 0"));
    let twice = series(&[two.channel(0).to_vec(), two.channel(0).to_vec(), two.channel(1).to_vec()]);
    for estimator in ["discrete", "gaussian", "ksg"] {
        let text = |more: &str| format!("estimator = \"{estimator}\"\n{more}");
        assert_eq!(reason(&text(""), &twice), "channels `a` and `b` hold the same values: neither can add to the other");
        assert!(reason(&text("condition = [\"x\"]"), &two).contains("no channel `x` in `condition`"));
        assert!(reason(&text("pairs = [[\"a\", \"b\"]]\ncondition = [\"b\"]"), &two).contains("`b` is also a condition"));
        assert!(reason(&text("condition = [\"b\"]"), &two).contains("beside the conditions, and there is only `a`"));
        assert!(reason(&text(""), &silent).contains("`a` is constant"));
    }
    assert!(reason("estimator = \"ksg\"\nk = 49", &two).contains("49 neighbours need 50 observations or more, but there are 49"));
    assert!(reason("estimator = \"ksg\"\ntheiler = 30", &two).contains("window of 30"));
    let short = series(&[vec![1.0, 2.0, 0.5, 0.7], vec![0.3, 0.1, 0.2, 0.9]]);
    assert!(reason("estimator = \"gaussian\"", &short).contains("3 observations are too few for 2 regressors"));
    // A ramp is its own past and a constant.
    let ramp = series(&[two.channel(0).to_vec(), (0..50).map(f64::from).collect()]);
    let rows = run("estimator = \"gaussian\"\npairs = [[\"a\", \"b\"]]", &ramp);
    assert!(matches!(&rows[0].value, Value::Undefined(reason) if reason.contains("not finite")), "{rows:?}");
}

#[test]
fn chosen_pairs_come_in_their_order_with_the_values_of_all() {
    let mut rng = stream(24, Purpose::Normalise, 0, 0);
    let data = series(&[0; 3].map(|_| (0..200).map(|_| f64::from(rng.random_range(0..2_u8))).collect()));
    let all = run("surrogates = 20", &data);
    let some = run("surrogates = 20\npairs = [[\"c\", \"a\"], [\"a\", \"b\"]]", &data);
    let ends = |row: &MetricRow| (row.source.clone(), row.target.clone());
    assert_eq!(ends(&some[0]), (Some("c".into()), Some("a".into())));
    assert_eq!(ends(&some[6]), (Some("a".into()), Some("b".into())));
    // The false discovery rate is over the pairs asked for.
    assert!(some.iter().filter(|row| row.statistic != "q_value").all(|row| all.contains(row)));
    assert_eq!(all.len(), 6 * 6 + 1);
}

#[test]
fn keys_are_checked() {
    for (text, message) in [
        ("estimator = \"ksg\"\nalphabet = 3", "`alphabet` belongs to `estimator = \"discrete\"`, not \"ksg\""),
        ("k = 3", "`k` belongs to `estimator = \"ksg\" or \"spike-continuous\"`, not \"discrete\""),
        ("estimator = \"kraskov\"", "`estimator` cannot be \"kraskov\""),
        ("condition = [\"c\", \"c\"]", "`condition` names `c` twice"),
        ("estimator = \"ksg\"\nalgorithm = 3", "`algorithm` must be 1 or 2, not 3"),
        ("estimator = \"ksg\"\nnoise = -1", "`noise` must be a finite number of 0 or more, not -1"),
        ("estimator = \"gaussian\"\nmax_lag = 3", "`max_lag` belongs to `selection = \"greedy\"`"),
        (
            "estimator = \"gaussian\"\nselection = \"greedy\"\nsurrogates = 200\nlag = 2",
            "`lag` has no meaning with `selection = \"greedy\"`",
        ),
        (
            "estimator = \"ksg\"\nselection = \"greedy\"",
            "`selection = \"greedy\"` tests every choice: `surrogates` must be 19 or more for `alpha = 0.05`",
        ),
        ("selection = \"greedy\"\nsurrogates = 20", "`selection` belongs to `estimator = \"gaussian\" or \"ksg\"`, not \"discrete\""),
        (
            "estimator = \"spike-continuous\"\nlag = 2",
            "`lag` belongs to `estimator = \"discrete\" or \"gaussian\" or \"ksg\"`, not \"spike-continuous\"",
        ),
        (
            "estimator = \"spike-continuous\"\nsurrogate = \"block\"",
            "`surrogate = \"block\"` is no null of `estimator = \"spike-continuous\"`",
        ),
        ("target_history = \"ragwitz\"", "`target_history = \"ragwitz\"` is for `estimator = \"gaussian\"` or \"ksg\", not \"discrete\""),
        ("estimator = \"ksg\"\nmax_delay = 2", "`max_delay` belongs to `target_history = \"ragwitz\"`"),
        ("estimator = \"ksg\"\ntarget_history = \"ragwits\"", "`target_history` must be a whole number, not a string"),
        ("lag = [1, 0]", "each `lag` must be a whole number of 1 or more"),
        ("lag = [2, 2]", "`lag` names 2 twice"),
        ("lag = []", "`lag` must be a whole number or a list of them"),
        ("alphabet = 1", "`alphabet` must be 2 or more, not 1"),
        ("alphabet = 100000", "`alphabet` must be 65536 or less, not 100000"),
        ("lag = 0", "`lag` must be 1 or more, not 0"),
        ("bias = \"miller\"", "`bias` cannot be \"miller\""),
        ("pairs = \"some\"", "`pairs` must be \"all\" or a list of pairs of channel names"),
        ("pairs = [[\"a\"]]", "each of `pairs` must be two channel names, source and target"),
        ("pairs = [[\"a\", \"a\"]]", "a pair of `pairs` must be two different channels"),
    ] {
        let (parsed, found) = with_section(text, |section| (ENTRY.parse)(section).is_some());
        assert!(!parsed, "{text}");
        assert_eq!(found[0].message, message);
    }
}

#[test]
fn a_history_by_ragwitz_is_that_which_was_asked_for_by_hand() {
    let mut henon = vec![0.1, 0.1];
    (2..600).for_each(|t| henon.push(1.0 - 1.4 * f64::powi(henon[t - 1], 2) + 0.3 * henon[t - 2]));
    let mut rng = stream(25, Purpose::Normalise, 0, 0);
    let noise: Vec<f64> = (0..600).map(|_| rng.random_range(-1.0..1.0)).collect();
    let data = series(&[noise, henon]);
    let rows = run("estimator = \"ksg\"\ntarget_history = \"ragwitz\"\nmax_history = 3\nmax_delay = 2\npairs = [[\"a\", \"b\"]]", &data);
    let chosen = |statistic: &str| {
        let same = |row: &&MetricRow| row.statistic == statistic && row.target.as_deref() == Some("b") && row.source.is_none();
        rows.iter().find(same).unwrap().value.known()
    };
    assert_eq!((chosen("target_history"), chosen("target_delay")), (Some(2.0), Some(1.0)));
    // By hand, on the same observations: those that a history of (3 − 1) · 2 + 1 samples leaves.
    let cut = |channel: &[f64]| channel[3..].to_vec();
    let short = series(&[cut(data.channel(0)), cut(data.channel(1))]);
    let by_hand = run("estimator = \"ksg\"\ntarget_history = 2\nnormalise_input = false\npairs = [[\"a\", \"b\"]]", &short);
    let same = run(
        "estimator = \"ksg\"\ntarget_history = \"ragwitz\"\nmax_history = 3\nmax_delay = 2\nnormalise_input = false\npairs = [[\"a\", \"b\"]]",
        &data,
    );
    assert_eq!(by_hand[0].value, same[0].value);
}
