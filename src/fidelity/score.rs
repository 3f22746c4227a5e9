//! From distances to a score between 0 and 1, with its ceiling and interval.
//!
//! For test t and segment x, with the reference's groups g (datasets) of segments r: `D_t(x) = median_g median_r d_t(x, r)`. A
//! candidate's `D` is the median over its segments. `d50` and `d95` are quantiles of the same `D` of the reference's own segments, each
//! with its own group left out (its own segment alone, where there is one group only), every group weighing the same. Then
//! `s = exp(-ln 2 · max(0, D - d50) / (d95 - d50))`, within 0.01 and 1: 1 is no further off than the median real segment, 0.5 is where
//! the outermost 5 % of them begin. A family of tests counts by its worst; the raw total is the families' geometric mean; the ceiling
//! is what the reference's own held-out segments reach; the total is `min(1, raw / ceiling)`. A test's row shows `s` itself, beside the
//! mean `s` of held-out segments. The interval holds the middle 95 % of 200 bootstrap draws (`bootstrap.rs`).
//!
//! The score compares with held-out recordings and is no probability; with few independent groups its interval is wide. It cannot see
//! what its tests do not measure: the spectrum is blind to time reversal, for one. What is degenerate gives a reason, never a number.

use super::bootstrap::{Draw, interval};
use super::{Group, Profile, Test};
use rayon::prelude::*;
use std::f64::consts::LN_2;

/// Segments of the reference, and of a candidate, that are looked at; more are thinned evenly.
const MOST_SEGMENTS: usize = 512;
/// Fewest testable segments of a reference: of two, both lie equally far, and nothing is learnt of their spread.
const FEWEST_SEGMENTS: usize = 3;
const LEAST_SCORE: f64 = 0.01;

/// One row of `fidelity.parquet`, and why it is empty where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The candidate.
    pub dataset: String,
    /// The reference's ids, joined by `+`.
    pub reference: String,
    /// The test, or `overall`.
    pub test: String,
    /// What `observed` is.
    pub statistic: String,
    /// Median over the candidate's segments.
    pub observed: Option<f64>,
    /// Median over groups of the medians over their segments.
    pub reference_value: Option<f64>,
    /// The candidate's `D`.
    pub distance: Option<f64>,
    /// Mean score of held-out reference segments.
    pub ceiling: Option<f64>,
    /// The score.
    pub score: Option<f64>,
    /// Lower end of its 95 % interval.
    pub ci_low: Option<f64>,
    /// Upper end.
    pub ci_high: Option<f64>,
    /// Why there is no score, or what it leaves out.
    pub reason: Option<String>,
}

/// Scores every candidate by every test and overall: rows in the order of the candidates, tests in their order, then `overall`.
///
/// A candidate with the id of a reference group is compared with the other groups. The numbers of one candidate do not depend on
/// which others there are, nor on the number of threads.
pub fn score(tests: &[Box<dyn Test>], reference: &[Group], candidates: &[Group], seed: u64) -> Vec<Score> {
    let population = Population::new(tests, reference);
    let draws: Vec<Option<Draw>> =
        (0..super::bootstrap::DRAWS).map(|number| Draw::random(&population.members, reference.len(), seed, number)).collect();
    let calibrations: Vec<Vec<Calibration>> =
        draws.par_iter().map(|draw| draw.as_ref().map(|draw| population.calibrate(draw)).unwrap_or_default()).collect();
    let whole = Draw::whole(&population.members);
    let calibration = population.calibrate(&whole);
    candidates
        .iter()
        .flat_map(|candidate| {
            let measured = Measured::new(&population, reference, candidate);
            let answer = population.assess(&whole, &calibration, &measured, &measured.all_segments());
            let drawn: Vec<Assessment> = (0..draws.len())
                .into_par_iter()
                .filter_map(|at| {
                    let segments = measured.draw_segments(seed, at);
                    draws[at].as_ref().map(|draw| population.assess(draw, &calibrations[at], &measured, &segments))
                })
                .collect();
            population.rows(reference, candidate, &calibration, &measured, &answer, &drawn)
        })
        .collect()
}

/// The reference's segments and how far they are from each other.
struct Population<'a> {
    tests: &'a [Box<dyn Test>],
    /// Group and segment of each.
    members: Vec<(usize, usize)>,
    /// By test, then `from * members + to`; `None` where either has no profile or they share nothing.
    distances: Vec<Vec<Option<f64>>>,
    profiles: Vec<Vec<Option<&'a Profile>>>,
}

/// What a test's score is measured by: from a draw of the reference.
struct Calibration {
    /// `D` of each of the draw's places, held out.
    held_out: Vec<Option<f64>>,
    /// `d50` and `d95`, or why they are no scale.
    scale: Result<[f64; 2], String>,
}

/// A candidate's segments and how far each is from each reference segment.
struct Measured {
    /// The reference group that it is itself, if any.
    own_group: Option<usize>,
    n_segments: usize,
    /// By test, then segment, then reference member.
    distances: Vec<Vec<Vec<Option<f64>>>>,
    /// By test: the first reason for which a segment has no profile or no distance.
    reasons: Vec<Option<String>>,
    headlines: Vec<Option<f64>>,
}

/// Scores of one candidate by one draw.
struct Assessment {
    /// By test: distance, score and ceiling.
    tests: Vec<Option<[f64; 3]>>,
    /// Score and ceiling.
    overall: Option<[f64; 2]>,
}

impl<'a> Population<'a> {
    fn new(tests: &'a [Box<dyn Test>], reference: &'a [Group]) -> Self {
        let most = (MOST_SEGMENTS / reference.len().max(1)).max(4);
        let members: Vec<(usize, usize)> = reference
            .iter()
            .enumerate()
            .flat_map(|(group, of)| thinned(of.segments.len(), most).into_iter().map(move |segment| (group, segment)))
            .collect();
        let profile = |test: usize, (group, segment): (usize, usize)| reference[group].segments[segment].get(test)?.as_ref().ok();
        let profiles: Vec<Vec<Option<&Profile>>> =
            (0..tests.len()).map(|test| members.iter().map(|&member| profile(test, member)).collect()).collect();
        let distances = tests.iter().zip(&profiles).map(|(test, profiles)| pairwise(test.as_ref(), profiles)).collect();
        Self { tests, members, distances, profiles }
    }

    fn calibrate(&self, draw: &Draw) -> Vec<Calibration> {
        let n = self.members.len();
        let of_test = |distances: &Vec<Option<f64>>| {
            let held_out: Vec<Option<f64>> = draw
                .places()
                .map(|member| draw.distance(&distances[member * n..(member + 1) * n], Some(self.members[member].0), Some(member)))
                .collect();
            let weighted: Vec<(f64, f64)> =
                held_out.iter().zip(draw.weights()).filter_map(|(distance, weight)| distance.map(|distance| (distance, weight))).collect();
            let n_testable = draw.places().filter(|member| distances[member * n + member].is_some()).count();
            Calibration { scale: scale(&weighted, n_testable), held_out }
        };
        self.distances.iter().map(of_test).collect()
    }

    fn assess(&self, draw: &Draw, calibrations: &[Calibration], measured: &Measured, segments: &[usize]) -> Assessment {
        let weights: Vec<f64> = draw.weights().collect();
        let of_test = |test: usize| {
            let Calibration { held_out, scale } = calibrations.get(test)?;
            let scale = scale.as_ref().ok()?;
            let all: Vec<f64> = segments
                .iter()
                .filter_map(|&segment| draw.distance(&measured.distances[test][segment], measured.own_group, None))
                .collect();
            // A candidate of which most cannot be tested has no score by the rest.
            let distance = median(all.clone()).filter(|_| 2 * all.len() >= segments.len())?;
            let ceiling =
                weighted_mean(held_out.iter().map(|distance| distance.map(|distance| closeness(distance, *scale))).zip(&weights))?;
            Some([distance, closeness(distance, *scale), ceiling])
        };
        let tests: Vec<Option<[f64; 3]>> = (0..self.tests.len()).map(of_test).collect();
        let used: Vec<usize> = (0..tests.len()).filter(|&test| tests[test].is_some()).collect();
        let raw = self.join(&used, |test| tests[test].map(|[_, score, _]| score));
        let held_out = (0..weights.len()).map(|place| {
            self.join(&used, |test| {
                let Calibration { held_out, scale } = &calibrations[test];
                Some(closeness(held_out[place]?, *scale.as_ref().ok()?))
            })
        });
        let ceiling = if used.is_empty() { None } else { weighted_mean(held_out.zip(&weights)) };
        let overall = raw.zip(ceiling).map(|(raw, ceiling)| [(raw / ceiling).min(1.0), ceiling]);
        Assessment { tests, overall }
    }

    /// The geometric mean over families of the worst of their tests.
    fn join(&self, used: &[usize], score: impl Fn(usize) -> Option<f64>) -> Option<f64> {
        let mut families: Vec<(&str, f64)> = Vec::new();
        for &test in used {
            let (name, score) = (self.tests[test].family(), score(test)?);
            match families.iter_mut().find(|(family, _)| *family == name) {
                Some((_, worst)) => *worst = worst.min(score),
                None => families.push((name, score)),
            }
        }
        (!families.is_empty()).then(|| (families.iter().map(|(_, score)| score.ln()).sum::<f64>() / families.len() as f64).exp())
    }

    fn rows(
        &self,
        reference: &[Group],
        candidate: &Group,
        calibrations: &[Calibration],
        measured: &Measured,
        answer: &Assessment,
        drawn: &[Assessment],
    ) -> Vec<Score> {
        let ids: Vec<&str> = reference.iter().map(|group| group.id.as_str()).collect();
        let row = |test: &str, statistic: &str| Score {
            dataset: candidate.id.clone(),
            reference: ids.join("+"),
            test: test.to_owned(),
            statistic: statistic.to_owned(),
            observed: None,
            reference_value: None,
            distance: None,
            ceiling: None,
            score: None,
            ci_low: None,
            ci_high: None,
            reason: None,
        };
        let mut rows = Vec::new();
        for (at, test) in self.tests.iter().enumerate() {
            let found = answer.tests[at];
            let [ci_low, ci_high] = ends(found.and_then(|_| interval(drawn.iter().map(|draw| draw.tests[at].map(|[_, score, _]| score)))));
            rows.push(Score {
                observed: measured.headlines[at],
                reference_value: self.headline(at, reference.len()),
                distance: found.map(|[distance, ..]| distance),
                ceiling: found.map(|[.., ceiling]| ceiling),
                score: found.map(|[_, score, _]| score),
                ci_low,
                ci_high,
                reason: found.is_none().then(|| why(&calibrations[at], measured.reasons[at].as_deref())),
                ..row(test.name(), test.statistic())
            });
        }
        let left_out: Vec<String> = rows.iter().filter_map(|row| Some(format!("{}: {}", row.test, row.reason.as_ref()?))).collect();
        let [ci_low, ci_high] = ends(answer.overall.and_then(|_| interval(drawn.iter().map(|draw| draw.overall.map(|[score, _]| score)))));
        rows.push(Score {
            score: answer.overall.map(|[score, _]| score),
            ceiling: answer.overall.map(|[_, ceiling]| ceiling),
            ci_low,
            ci_high,
            reason: match (&left_out[..], answer.overall) {
                ([], Some(_)) => None,
                ([], None) if self.tests.is_empty() => Some("there is no test".into()),
                ([], None) => Some("no reference segment is testable by all tests".into()),
                (left_out, Some(_)) => Some(format!("without {}", left_out.join("; "))),
                (left_out, None) => Some(left_out.join("; ")),
            },
            ..row("overall", "score")
        });
        rows
    }

    fn headline(&self, test: usize, n_groups: usize) -> Option<f64> {
        let of_group = |group: usize| {
            let own = self.members.iter().zip(&self.profiles[test]).filter(|((of, _), _)| *of == group);
            median(own.filter_map(|(_, profile)| profile.map(|profile| profile.headline)).collect())
        };
        median((0..n_groups).filter_map(of_group).collect())
    }
}

impl Measured {
    fn new(population: &Population<'_>, reference: &[Group], candidate: &Group) -> Self {
        let kept = thinned(candidate.segments.len(), MOST_SEGMENTS);
        let own_group = reference.iter().position(|group| group.id == candidate.id && reference.len() > 1);
        let (mut distances, mut reasons, mut headlines) = (Vec::new(), Vec::new(), Vec::new());
        for (at, test) in population.tests.iter().enumerate() {
            let profiles: Vec<Result<&Profile, String>> = kept
                .iter()
                .map(|&segment| match candidate.segments[segment].get(at) {
                    Some(profile) => profile.as_ref().map_err(Clone::clone),
                    None => Err("the test was not run".into()),
                })
                .collect();
            let from = |profile: &Result<&Profile, String>| -> Vec<Result<f64, String>> {
                let to = |other: &Option<&Profile>| match (profile, other) {
                    (Ok(profile), Some(other)) => finite(test.distance(profile, other)),
                    (Err(reason), _) => Err(reason.clone()),
                    (_, None) => Err(String::new()),
                };
                population.profiles[at].iter().map(to).collect()
            };
            let all: Vec<Vec<Result<f64, String>>> = profiles.par_iter().map(from).collect();
            let said = |result: &Result<f64, String>| result.as_ref().err().filter(|reason| !reason.is_empty()).cloned();
            reasons
                .push(profiles.iter().find_map(|profile| profile.as_ref().err().cloned()).or_else(|| all.iter().flatten().find_map(said)));
            headlines.push(median(profiles.iter().filter_map(|profile| profile.as_ref().ok().map(|profile| profile.headline)).collect()));
            distances.push(all.into_iter().map(|row| row.into_iter().map(Result::ok).collect()).collect());
        }
        Self { own_group, n_segments: kept.len(), distances, reasons, headlines }
    }

    fn all_segments(&self) -> Vec<usize> {
        (0..self.n_segments).collect()
    }
    fn draw_segments(&self, seed: u64, number: usize) -> Vec<usize> {
        super::bootstrap::segments(self.n_segments, seed, number)
    }
}

/// `s` of a distance, with `scale` = `[d50, d95]`.
fn closeness(distance: f64, [d50, d95]: [f64; 2]) -> f64 {
    (-LN_2 * (distance - d50).max(0.0) / (d95 - d50)).exp().clamp(LEAST_SCORE, 1.0)
}

fn scale(weighted: &[(f64, f64)], n_testable: usize) -> Result<[f64; 2], String> {
    if n_testable < FEWEST_SEGMENTS {
        return Err(format!(
            "the reference has {n_testable} testable segments, and {FEWEST_SEGMENTS} are needed to know its spread; \
             give it windows or more recordings"
        ));
    }
    if weighted.len() < FEWEST_SEGMENTS {
        return Err("the reference's recordings cannot be compared with each other; bring them to one sampling rate".into());
    }
    let mut sorted = weighted.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let [d50, d95] = [0.5, 0.95].map(|share| quantile(&sorted, share));
    if d95 - d50 <= 1e-12 * d50.abs().max(f64::MIN_POSITIVE) {
        return Err("the reference's segments all lie equally far from each other, which gives no scale; add recordings".into());
    }
    Ok([d50, d95])
}

/// A quantile of sorted, weighted values: each stands at the middle of its weight, lines between (Hazen's rule for equal weights).
fn quantile(sorted: &[(f64, f64)], share: f64) -> f64 {
    let total: f64 = sorted.iter().map(|(_, weight)| weight).sum();
    let mut before = 0.0;
    let mut last: Option<(f64, f64)> = None;
    for &(value, weight) in sorted {
        let place = (before + weight / 2.0) / total;
        if place >= share {
            return last.map_or(value, |(other, at)| other + (value - other) * (share - at) / (place - at));
        }
        (before, last) = (before + weight, Some((value, place)));
    }
    last.map_or(f64::NAN, |(value, _)| value)
}

/// The median, of two middle values their mean; `None` of nothing.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    let (n, middle) = (values.len(), values.len() / 2);
    if n == 0 {
        return None;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| n % 2 == 0);
    Some(lower.map_or(upper, |lower| (lower + upper) / 2.0))
}

fn weighted_mean<'w>(values: impl Iterator<Item = (Option<f64>, &'w f64)>) -> Option<f64> {
    let (sum, total) = values.fold((0.0, 0.0), |(sum, total), (value, weight)| match value {
        Some(value) => (sum + value * weight, total + weight),
        None => (sum, total),
    });
    (total > 0.0).then(|| sum / total)
}

/// Distances between all pairs; every pair is measured once.
fn pairwise(test: &dyn Test, profiles: &[Option<&Profile>]) -> Vec<Option<f64>> {
    let n = profiles.len();
    let lower: Vec<Vec<Option<f64>>> = (0..n)
        .into_par_iter()
        .map(|from| (0..from).map(|to| finite(test.distance(profiles[from]?, profiles[to]?)).ok()).collect())
        .collect();
    let at = |from: usize, to: usize| if from > to { lower[from][to] } else { lower[to][from] };
    (0..n * n).map(|cell| if cell / n == cell % n { profiles[cell / n].map(|_| 0.0) } else { at(cell / n, cell % n) }).collect()
}

fn finite(distance: Result<f64, String>) -> Result<f64, String> {
    distance.and_then(|distance| if distance.is_finite() { Ok(distance) } else { Err(format!("the distance is {distance}")) })
}

fn why(calibration: &Calibration, measured: Option<&str>) -> String {
    match (&calibration.scale, measured) {
        (Err(reason), _) => reason.clone(),
        (Ok(_), Some(reason)) => reason.to_owned(),
        (Ok(_), None) => "the candidate has no testable segment".into(),
    }
}

fn ends(interval: Option<[f64; 2]>) -> [Option<f64>; 2] {
    [interval.map(|ends| ends[0]), interval.map(|ends| ends[1])]
}

/// At most `most` of `0..n`, evenly spread.
fn thinned(n: usize, most: usize) -> Vec<usize> {
    if n <= most { (0..n).collect() } else { (0..most).map(|at| at * n / most).collect() }
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
