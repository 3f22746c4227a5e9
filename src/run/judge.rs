//! What is said of a whole run: fidelity scores and expectations.

use super::Slot;
use super::part::{Part, Task};
use crate::fidelity::{self, Group, Profile};
use crate::job::{Aggregate, Expectation, Job, Published};
use crate::seed;
use crate::table::{ExpectationRecord, FidelityRecord, MetricRecord};

/// Scores every candidate against the references.
pub(crate) fn fidelity(job: &Job, slots: &[Slot]) -> Vec<FidelityRecord> {
    let Some(stage) = &job.fidelity else { return Vec::new() };
    let group = |&index: &usize| group(job, slots, index);
    let references: Vec<Group> = stage.references.iter().map(group).collect();
    let candidates: Vec<Group> = stage.candidates.iter().map(group).collect();
    fidelity::score(&stage.tests, &references, &candidates, seed::of(job.seed, &["fidelity"]))
        .into_iter()
        .inspect(|score| {
            if let Some(reason) = &score.reason {
                tracing::warn!("fidelity of {} by {}: {reason}", score.dataset, score.test);
            }
        })
        .map(|score| FidelityRecord {
            dataset: score.dataset,
            reference: score.reference,
            test: score.test,
            statistic: score.statistic,
            observed: score.observed,
            reference_value: score.reference_value,
            distance: score.distance,
            ceiling: score.ceiling,
            score: score.score,
            ci_low: score.ci_low,
            ci_high: score.ci_high,
        })
        .collect()
}

/// The profiles of a dataset's segments, by test.
fn group(job: &Job, slots: &[Slot], dataset: usize) -> Group {
    let n_tests = job.fidelity.as_ref().map_or(0, |stage| stage.tests.len());
    let mut segments = Vec::new();
    for slot in slots.iter().filter(|slot| slot.unit.dataset == dataset) {
        let mut by_test: Vec<&[Result<Profile, String>]> = vec![&[]; n_tests];
        for wanted in &slot.wanted {
            if let (Task::Fidelity(at), Some(Part::Fidelity(found))) = (wanted.task, slot.stored.part(&wanted.key)) {
                by_test[at] = found;
            }
        }
        let n_segments = by_test.iter().map(|found| found.len()).max().unwrap_or(0);
        let missing = || Err("this segment could not be read".to_owned());
        segments.extend((0..n_segments).map(|at| by_test.iter().map(|found| found.get(at).cloned().unwrap_or_else(missing)).collect()));
    }
    Group { id: job.datasets[dataset].id.clone(), segments }
}

/// Candidates whose overall score is below `accept`, or that could not be scored.
pub(crate) fn below_accept(job: &Job, fidelity: &[FidelityRecord]) -> Vec<String> {
    let Some(accept) = job.fidelity.as_ref().and_then(|stage| stage.accept) else { return Vec::new() };
    let low = fidelity.iter().filter(|row| row.test == "overall" && row.score.is_none_or(|score| score < accept));
    low.map(|row| format!("{} ({} < {accept})", row.dataset, row.score.map_or("not testable".into(), |score| format!("{score:.3}"))))
        .collect()
}

/// Sets what was published beside what was found.
pub(crate) fn expectations(job: &Job, metrics: &[MetricRecord], fidelity: &[FidelityRecord]) -> Vec<ExpectationRecord> {
    let each = |expectation: &Expectation| {
        expectation.datasets.iter().map(|dataset| judge(expectation, dataset, metrics, fidelity)).collect::<Vec<_>>()
    };
    job.expectations.iter().flat_map(each).collect()
}

fn judge(expectation: &Expectation, dataset: &str, metrics: &[MetricRecord], fidelity: &[FidelityRecord]) -> ExpectationRecord {
    let values =
        if expectation.metric == "fidelity" { scores(expectation, dataset, fidelity) } else { observed(expectation, dataset, metrics) };
    let observed = aggregate(expectation, &values);
    let deviation = observed.map(|observed| deviation(&expectation.published, observed));
    let (published, tolerance) = match expectation.published {
        Published::Value { value, tolerance } => (Some(value), Some(tolerance)),
        Published::Range([low, high]) if low.is_finite() && high.is_finite() => (Some((low + high) / 2.0), Some((high - low) / 2.0)),
        Published::Range([low, high]) => ([low, high].into_iter().find(|end| end.is_finite()), None),
    };
    let held = observed.is_some_and(|observed| holds(&expectation.published, observed));
    ExpectationRecord {
        metric: expectation.metric.clone(),
        dataset: dataset.to_owned(),
        source: expectation.source.clone(),
        published,
        tolerance,
        observed,
        deviation,
        held,
    }
}

fn holds(published: &Published, observed: f64) -> bool {
    match *published {
        // A hair of slack: |0.95 - 0.93| must count as 0.02.
        Published::Value { value, tolerance } => (observed - value).abs() <= tolerance + 1e-12 * value.abs().max(1.0),
        Published::Range([low, high]) => low <= observed && observed <= high,
    }
}

/// From the published value; of a range, how far outside (0 within).
fn deviation(published: &Published, observed: f64) -> f64 {
    match *published {
        Published::Value { value, .. } => observed - value,
        Published::Range([low, high]) => (observed - high).max(0.0) + (observed - low).min(0.0),
    }
}

/// The values of an expectation's rows; empty when there is none, or when any of them does not exist.
fn observed(expectation: &Expectation, dataset: &str, metrics: &[MetricRecord]) -> Vec<f64> {
    let rows = || metrics.iter().filter(|row| row.metric == expectation.metric && row.dataset == dataset);
    let Some(statistic) = expectation.statistic.clone().or_else(|| rows().next().map(|row| row.statistic.clone())) else {
        return Vec::new();
    };
    rows().filter(|row| row.statistic == statistic).filter_map(|row| row.value).collect()
}

fn scores(expectation: &Expectation, dataset: &str, fidelity: &[FidelityRecord]) -> Vec<f64> {
    let test = expectation.statistic.as_deref().unwrap_or("overall");
    fidelity.iter().filter(|row| row.dataset == dataset && row.test == test).filter_map(|row| row.score).collect()
}

/// One number of all rows; for `all` the one that deviates most, so that it holds when every row does.
fn aggregate(expectation: &Expectation, values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let worst = |a: &f64, b: &f64| {
        let off = |value: f64| (!holds(&expectation.published, value), deviation(&expectation.published, value).abs());
        off(*a).partial_cmp(&off(*b)).unwrap_or(std::cmp::Ordering::Equal)
    };
    match expectation.aggregate {
        Aggregate::Mean => Some(values.iter().sum::<f64>() / values.len() as f64),
        Aggregate::Median => {
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            let mid = sorted.len() / 2;
            Some(if sorted.len() % 2 == 1 { sorted[mid] } else { (sorted[mid - 1] + sorted[mid]) / 2.0 })
        }
        Aggregate::Min => values.iter().copied().min_by(f64::total_cmp),
        Aggregate::Max => values.iter().copied().max_by(f64::total_cmp),
        Aggregate::All => values.iter().copied().max_by(worst),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation(published: Published, aggregate: Aggregate) -> Expectation {
        Expectation { metric: "lz76".into(), datasets: vec!["a".into()], statistic: None, aggregate, published, source: None }
    }

    #[test]
    fn tolerance_and_range_are_closed() {
        let value = Published::Value { value: 0.95, tolerance: 0.02 };
        assert!(holds(&value, 0.93) && holds(&value, 0.97) && !holds(&value, 0.9299));
        let range = Published::Range([3.0, f64::INFINITY]);
        assert!(holds(&range, 3.0) && !holds(&range, 2.999));
        assert!((deviation(&range, 2.5) + 0.5).abs() < 1e-15 && deviation(&range, 9.0) == 0.0);
    }

    #[test]
    fn all_looks_at_the_worst_row() {
        let each = expectation(Published::Value { value: 1.0, tolerance: 0.1 }, Aggregate::All);
        assert_eq!(aggregate(&each, &[1.0, 1.05, 0.5]), Some(0.5));
        assert_eq!(aggregate(&each, &[]), None);
        let middle = expectation(Published::Value { value: 1.0, tolerance: 0.1 }, Aggregate::Median);
        assert_eq!(aggregate(&middle, &[3.0, 1.0, 2.0, 10.0]), Some(2.5));
    }
}
