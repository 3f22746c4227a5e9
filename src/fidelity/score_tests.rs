//! Tests of the scoring rule.

use super::super::{Segment, power_spectrum::PowerSpectrum, segments};
use super::*;
use crate::data::{Content, Series, Span, SpikeTrain, Spikes};
use crate::signal::{Control, bin, control};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A profile is its headline; the distance is their difference. `family` groups, `name` tells apart.
#[derive(Debug)]
struct Scalar(&'static str, &'static str);

impl Test for Scalar {
    fn name(&self) -> &'static str {
        self.0
    }
    fn family(&self) -> &'static str {
        self.1
    }
    fn statistic(&self) -> &'static str {
        "value"
    }
    fn profile(&self, series: &Series, _: Option<&[SpikeTrain]>) -> Result<Profile, String> {
        Ok(scalar(series.values()[0]))
    }
    fn distance(&self, a: &Profile, b: &Profile) -> Result<f64, String> {
        Ok((a.headline - b.headline).abs())
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!({})
    }
    fn version(&self) -> u32 {
        1
    }
}

fn scalar(headline: f64) -> Profile {
    Profile { x: vec![], y: vec![], headline }
}

fn group(id: &str, values: &[f64]) -> Group {
    Group { id: id.into(), segments: values.iter().map(|value| vec![Ok(scalar(*value))]).collect() }
}

fn one() -> Vec<Box<dyn Test>> {
    vec![Box::new(Scalar("scalar", "scalar"))]
}

#[test]
fn the_rule_by_hand_on_one_group() {
    let reference = [group("real", &[0.0, 1.0, 2.0, 3.0, 10.0])];
    // Held out: medians to the others are 2.5, 1.5, 1.5, 2.5, 8.5; Hazen's quantiles of 1.5 1.5 2.5 2.5 8.5 at .5 and .95.
    let (d50, d95) = (2.5, 8.5);
    let s = |distance: f64| (-LN_2 * (distance - d50).max(0.0) / (d95 - d50)).exp();
    let rows = score(&one(), &reference, &[group("near", &[2.0]), group("far", &[8.0, 6.0, 7.0]), group("off", &[1e9])], 1);
    assert_eq!(rows.len(), 6);
    assert_eq!((rows[0].distance, rows[0].score, rows[0].observed, rows[0].reference_value), (Some(1.0), Some(1.0), Some(2.0), Some(2.0)));
    let ceiling = (4.0 + s(8.5)) / 5.0;
    assert!((rows[0].ceiling.unwrap() - ceiling).abs() < 1e-12);
    assert_eq!((rows[1].test.as_str(), rows[1].score), ("overall", Some(1.0)));
    // Medians of |x - r| for 8, 6, 7: 6, 4, 5; their median 5.
    assert_eq!(rows[2].distance, Some(5.0));
    assert!((rows[2].score.unwrap() - s(5.0)).abs() < 1e-12);
    assert!((rows[3].score.unwrap() - s(5.0) / ceiling).abs() < 1e-12);
    assert_eq!(rows[4].score, Some(0.01));
    assert!(rows.iter().all(|row| row.reason.is_none() && row.ci_low.unwrap() <= row.ci_high.unwrap()));
}

#[test]
fn own_groups_are_left_out_and_weigh_the_same() {
    let reference = [group("a", &[0.0, 0.1]), group("b", &[5.0, 5.2, 5.4, 5.6]), group("c", &[9.0])];
    let rows = score(&one(), &reference, &[group("a", &[0.0])], 1);
    // Medians to b and c alone: 5.3 and 9.0.
    assert!((rows[0].distance.unwrap() - 7.15).abs() < 1e-12);
    assert!((rows[0].reference_value.unwrap() - 5.3).abs() < 1e-12);
    assert_eq!(rows[0].reference, "a+b+c");
}

#[test]
fn medians_of_odd_even_and_nothing() {
    let of = |values: &[f64]| median(values.to_vec());
    assert_eq!(
        [of(&[]), of(&[3.0]), of(&[4.0, 1.0]), of(&[9.0, 1.0, 5.0]), of(&[8.0, 1.0, 2.0, 4.0])],
        [None, Some(3.0), Some(2.5), Some(5.0), Some(3.0)]
    );
}

#[test]
fn weighted_quantiles_follow_hazen() {
    let equal: Vec<(f64, f64)> = (0..10).map(|at| (f64::from(at), 0.1)).collect();
    assert!((quantile(&equal, 0.5) - 4.5).abs() < 1e-12 && (quantile(&equal, 0.95) - 9.0).abs() < 1e-12);
    assert_eq!(quantile(&[(1.0, 1.0), (2.0, 0.001)], 0.4), 1.0);
}

#[test]
fn families_count_once_by_their_worst() {
    let tests: Vec<Box<dyn Test>> = vec![Box::new(Scalar("a", "x")), Box::new(Scalar("b", "x")), Box::new(Scalar("c", "y"))];
    let thrice = |id: &str, rows: &[[f64; 3]]| Group {
        id: id.into(),
        segments: rows.iter().map(|row| row.iter().map(|value| Ok(scalar(*value))).collect()).collect(),
    };
    let reference = [thrice("real", &[0.0, 1.0, 2.0, 3.0, 10.0].map(|value| [value; 3]))];
    let rows = score(&tests, &reference, &[thrice("mixed", &[[2.0, 9.0, 6.0]])], 1);
    let [a, b, c] = [0, 1, 2].map(|at| rows[at].score.unwrap());
    assert!(a == 1.0 && b < c && c < 1.0);
    // The same values in all tests: a held-out segment's families are equal, and the ceiling is one test's.
    assert!((rows[3].score.unwrap() - ((b * c).sqrt() / rows[0].ceiling.unwrap()).min(1.0)).abs() < 1e-12);
}

#[test]
fn what_is_degenerate_has_a_reason_and_no_number() {
    let cases = [
        (vec![], vec![1.0], "0 testable segments"),
        (vec![group("one", &[1.0])], vec![1.0], "1 testable segments"),
        (vec![group("two", &[1.0, 2.0])], vec![1.0], "2 testable segments"),
        (vec![group("same", &[1.0; 5])], vec![1.0], "equally far"),
        (vec![group("real", &[0.0, 1.0, 2.0, 3.0, 10.0])], vec![], "no testable segment"),
        (vec![group("real", &[0.0, 1.0, 2.0, 3.0, 10.0])], vec![f64::INFINITY], "the distance is inf"),
    ];
    for (reference, candidate, reason) in cases {
        let rows = score(&one(), &reference, &[group("x", &candidate)], 1);
        for row in &rows {
            assert!(row.score.is_none() && row.ceiling.is_none() && row.ci_low.is_none(), "{row:?}");
            assert!(row.reason.as_ref().unwrap().contains(reason), "{row:?}");
        }
    }
    let silent = Group { id: "x".into(), segments: vec![vec![Err("silent".into())], vec![Err("silent".into())], vec![Ok(scalar(1.0))]] };
    let rows = score(&one(), &[group("real", &[0.0, 1.0, 2.0, 3.0, 10.0])], &[silent], 1);
    assert_eq!((rows[0].score, rows[0].reason.as_deref()), (None, Some("silent")));
    assert_eq!(rows[1].reason.as_deref(), Some("scalar: silent"));
    assert_eq!(score(&[], &[], &[group("x", &[])], 1)[0].reason.as_deref(), Some("there is no test"));
}

#[test]
fn a_test_that_fails_is_left_out_of_the_total_and_named() {
    let tests: Vec<Box<dyn Test>> = vec![Box::new(Scalar("a", "x")), Box::new(Scalar("b", "y"))];
    let twice = |id: &str, values: &[f64], fails: bool| Group {
        id: id.into(),
        segments: values.iter().map(|value| vec![Ok(scalar(*value)), if fails { Err("no".into()) } else { Ok(scalar(*value)) }]).collect(),
    };
    let rows = score(&tests, &[twice("real", &[0.0, 1.0, 2.0, 3.0, 10.0], false)], &[twice("half", &[2.0], true)], 1);
    assert_eq!((rows[2].score, rows[2].reason.as_deref()), (Some(1.0), Some("without b: no")));
}

#[test]
fn numbers_do_not_depend_on_company_or_threads() {
    let reference = [group("a", &[0.0, 0.4, 1.0]), group("b", &[0.2, 3.0]), group("c", &[1.0, 2.0, 2.5])];
    let near = group("near", &[0.5, 1.5]);
    let alone = score(&one(), &reference, std::slice::from_ref(&near), 9);
    let company = score(&one(), &reference, &[group("other", &[4.0; 7]), near.clone()], 9);
    assert_eq!(alone[..], company[2..]);
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(alone, single.install(|| score(&one(), &reference, std::slice::from_ref(&near), 9)));
    let other = score(&one(), &reference, &[near], 10);
    assert_eq!(alone[0].score, other[0].score);
    assert_ne!((alone[1].ci_low, alone[1].ci_high), (other[1].ci_low, other[1].ci_high));
}

/// Noise with a memory, so that its spectrum falls; the share of white noise in it changes slowly, as recordings do.
fn noise(seed: u64, memory: f64) -> Series {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut level = 0.0;
    let values = (0..40_000).map(|_| {
        level = memory * level + rng.random::<f64>() - 0.5;
        level
    });
    Series::new(vec!["x".into()], values.collect(), 200.0, 0.0, "V").unwrap()
}

fn spectral(id: &str, series: &Series, spikes: Option<&Spikes>) -> Group {
    let cut: Vec<Segment> = segments(series, spikes, 10).unwrap();
    Group::new(id, &spectrum_test(), &cut)
}

fn spectrum_test() -> Vec<Box<dyn Test>> {
    vec![Box::new(PowerSpectrum)]
}

#[test]
fn another_piece_of_the_same_process_scores_high_and_other_spectra_low() {
    let reference = spectral("real", &noise(1, 0.95), None);
    let white = noise(3, 0.0);
    let inverted = noise(4, -0.95);
    let others = (10..19).map(|seed| spectral("same", &noise(seed, 0.95), None));
    let candidates: Vec<Group> =
        [spectral("white", &white, None), spectral("inverted", &inverted, None)].into_iter().chain(others).collect();
    let rows = score(&spectrum_test(), &[reference], &candidates, 7);
    let overall: Vec<f64> = rows.iter().filter(|row| row.test == "overall").map(|row| row.score.unwrap()).collect();
    assert!(overall[0] < 0.05 && overall[1] < 0.05, "{overall:?}");
    // One stationary process: its segments differ by estimation noise alone, so the scale is as fine as it can be, and luck shows.
    assert!(overall[2..].iter().all(|score| *score > 0.4), "{overall:?}");
    assert!(median(overall[2..].to_vec()).unwrap() > 0.75, "{overall:?}");
    assert!(rows.iter().filter(|row| row.dataset == "same").all(|row| row.ci_high.unwrap() > 0.9), "{rows:?}");
    assert_eq!(rows[0].statistic, "aperiodic_exponent");
    assert!(rows[0].reference_value.unwrap() > rows[0].observed.unwrap() + 0.5);
}

/// Spikes of a population whose rate swings with a memory of a tenth of a second.
fn population(seed: u64) -> Spikes {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut trains = vec![Vec::new(); 20];
    let mut drive = 0.0_f64;
    for step in 0..200_000 {
        drive = 0.99 * drive + 0.2 * (rng.random::<f64>() - 0.5);
        let rate = 5.0 * (3.0 * drive).exp().min(20.0);
        for times in &mut trains {
            if rng.random::<f64>() < rate * 1e-3 {
                times.push(f64::from(step) * 1e-3);
            }
        }
    }
    let trains = trains.into_iter().enumerate().map(|(at, times_s)| SpikeTrain { id: at.to_string(), location: None, times_s });
    Spikes::new(trains.collect(), Span { start_s: 0.0, stop_s: 200.0 }).unwrap()
}

#[test]
fn controls_of_spikes_fall_and_the_blind_spots_are_known() {
    let of = |id: &str, spikes: &Spikes| spectral(id, &bin(spikes, 0.01).unwrap(), Some(spikes));
    let real = population(1);
    let null = |control: Control| match control::apply(&Content::Spikes(real.clone()), control, 5).unwrap() {
        Content::Spikes(spikes) => of(control.name(), &spikes),
        _ => unreachable!("a control keeps the kind"),
    };
    let candidates = [of("same", &population(2)), null(Control::Poisson), null(Control::IsiShuffle), null(Control::TimeReverse)];
    let rows = score(&spectrum_test(), &[of("real", &real)], &candidates, 7);
    let overall: Vec<f64> = rows.iter().filter(|row| row.test == "overall").map(|row| row.score.unwrap()).collect();
    assert!(overall[0] > 0.8, "{overall:?}");
    assert!(overall[1] < 0.1 && overall[2] < 0.2, "{overall:?}");
    // The spectrum cannot see the arrow of time.
    assert!(overall[3] > 0.8, "{overall:?}");
}
