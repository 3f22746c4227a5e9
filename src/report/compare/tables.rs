//! Units, diagrams, fidelity scores and expectations of both folders: few rows, joined in plain maps.

use super::{Change, DiagramChange, ExpectationChange, Found, Key, Tolerance, Tolerances, UnitChange};
use crate::data::Pair;
use crate::homology::bottleneck::bottleneck;
use crate::report::{ReportError, facts};
use crate::table::{DiagramRecord, ExpectationRecord, FidelityRecord, Table, UnitRecord, UnitStatus};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

/// Units; one that was done and is not now is worse.
pub(super) fn units(base: &Path, out: &Path) -> Result<Found<UnitChange>, ReportError> {
    let key = |row: &UnitRecord| Key::new("units", [("dataset", row.dataset.as_str().into()), ("unit", row.unit.as_str().into())]);
    join(
        base,
        out,
        |row: &UnitRecord| (row.dataset.clone(), row.unit.clone()),
        key,
        |before, now, found| {
            if before.status != now.status {
                let change = UnitChange { key: key(&before), base: before.status, out: now.status, error: now.error };
                found.changed(change, before.status == UnitStatus::Done);
            }
        },
    )
}

/// Expectations; one that held and does not now is worse.
pub(super) fn expectations(base: &Path, out: &Path) -> Result<Found<ExpectationChange>, ReportError> {
    let key = |row: &ExpectationRecord| {
        let columns = [
            ("metric", row.metric.as_str().into()),
            ("dataset", row.dataset.as_str().into()),
            ("source", row.source.clone().into()),
            ("published", row.published.into()),
        ];
        Key::new("expectations", columns)
    };
    let same = |row: &ExpectationRecord| (row.metric.clone(), row.dataset.clone(), row.source.clone(), row.published.map(f64::to_bits));
    join(base, out, same, key, |before, now, found| {
        if before.held != now.held {
            let change = ExpectationChange { key: key(&before), observed: [before.observed, now.observed], held: now.held };
            found.changed(change, before.held);
        }
    })
}

/// Fidelity scores; one that is lower, or does not exist any more, is worse.
pub(super) fn fidelity(
    base: &Path,
    out: &Path,
    tolerances: &Tolerances,
    names: &mut BTreeSet<String>,
) -> Result<Found<Change>, ReportError> {
    let key = |row: &FidelityRecord| {
        let columns = [
            ("dataset", row.dataset.as_str().into()),
            ("reference", row.reference.as_str().into()),
            ("test", row.test.as_str().into()),
            ("statistic", row.statistic.as_str().into()),
        ];
        Key::new("fidelity", columns)
    };
    for folder in [base, out] {
        for row in facts::rows(folder, |_: &FidelityRecord| true)? {
            names.extend(["fidelity".to_owned(), format!("fidelity.{}", row.test)]);
        }
    }
    let same = |row: &FidelityRecord| [&row.dataset, &row.reference, &row.test, &row.statistic].map(Clone::clone);
    join(base, out, same, key, |before, now, found| {
        if !tolerances.of("fidelity", &before.test).equal_or_absent(before.score, now.score) {
            let regression = before.score.is_some_and(|before| now.score.is_none_or(|now| now < before));
            let change = Change { key: key(&before), column: "score", base: before.score, out: now.score, regression };
            found.changed(change, regression);
        }
    })
}

/// Joins a table of both folders: the n-th row of a key goes with the n-th row of it in the other folder.
fn join<T: Table, K: Ord, C>(
    base: &Path,
    out: &Path,
    same: impl Fn(&T) -> K,
    key: impl Fn(&T) -> Key,
    mut both: impl FnMut(T, T, &mut Found<C>),
) -> Result<Found<C>, ReportError> {
    let mut now: Vec<Option<T>> = facts::rows(out, |_: &T| true)?.into_iter().map(Some).collect();
    let mut places: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
    for (at, row) in now.iter().enumerate() {
        if let Some(row) = row {
            places.entry(same(row)).or_default().push_back(at);
        }
    }
    let mut found = Found::default();
    for before in facts::rows(base, |_: &T| true)? {
        let place = places.get_mut(&same(&before)).and_then(VecDeque::pop_front);
        match place.and_then(|at| now[at].take()) {
            Some(now) => {
                found.count.compared += 1;
                both(before, now, &mut found);
            }
            None => found.missing(|| key(&before)),
        }
    }
    for row in now.iter().flatten() {
        found.new_row(|| key(row));
    }
    Ok(found)
}

/// Diagrams by stage (dataset, unit, persistence), then by dimension.
type Stages = BTreeMap<[String; 3], BTreeMap<i8, Vec<Pair>>>;

/// A diagram of both folders.
struct Both<'a> {
    stage: &'a [String; 3],
    dim: i8,
    base: &'a [Pair],
    out: &'a [Pair],
    tolerance: Tolerance,
}

/// Diagrams by bottleneck distance; any that is further than its tolerance is worse.
///
/// A dimension without pairs has no rows: where the other folder has the stage, it is an empty diagram and not a missing one.
pub(super) fn diagrams(
    base: &Path,
    out: &Path,
    tolerances: &Tolerances,
    names: &mut BTreeSet<String>,
) -> Result<Found<DiagramChange>, ReportError> {
    let (base, out) = (stages(base)?, stages(out)?);
    for [_, _, persistence] in base.keys().chain(out.keys()) {
        names.extend([format!("persistence.{persistence}"), format!("persistence.{persistence}.diagram")]);
    }
    let mut found = Found::default();
    let mut all = Vec::new();
    for (stage, before) in &base {
        let Some(now) = out.get(stage) else {
            before.keys().for_each(|&dim| found.missing(|| diagram_key(stage, dim)));
            continue;
        };
        let tolerance = tolerances.of(&format!("persistence.{}", stage[2]), "diagram");
        let dims: BTreeSet<i8> = before.keys().chain(now.keys()).copied().collect();
        found.count.compared += dims.len();
        all.extend(dims.into_iter().map(|dim| Both {
            stage,
            dim,
            base: before.get(&dim).map_or(&[], Vec::as_slice),
            out: now.get(&dim).map_or(&[], Vec::as_slice),
            tolerance,
        }));
    }
    for (stage, now) in out.iter().filter(|(stage, _)| !base.contains_key(*stage)) {
        now.keys().for_each(|&dim| found.new_row(|| diagram_key(stage, dim)));
    }
    let changes: Vec<Option<DiagramChange>> = all.par_iter().map(further).collect();
    changes.into_iter().flatten().for_each(|change| found.changed(change, true));
    Ok(found)
}

fn diagram_key(stage: &[String; 3], dim: i8) -> Key {
    let [dataset, unit, persistence] = stage.each_ref().map(|text| text.as_str().into());
    Key::new("diagrams", [("dataset", dataset), ("unit", unit), ("persistence", persistence), ("dim", dim.into())])
}

fn stages(out: &Path) -> Result<Stages, ReportError> {
    let mut stages = Stages::new();
    for row in facts::rows(out, |_: &DiagramRecord| true)? {
        let stage = stages.entry([row.dataset, row.unit, row.persistence]).or_default();
        stage.entry(row.dim).or_default().push(Pair { birth: row.birth, death: row.death });
    }
    for pairs in stages.values_mut().flat_map(BTreeMap::values_mut) {
        pairs.sort_unstable_by(|a, b| a.birth.total_cmp(&b.birth).then(a.death.total_cmp(&b.death)));
    }
    Ok(stages)
}

/// The change, where the distance is more than the tolerance. Relative is to the largest finite number of the earlier diagram.
fn further(both: &Both<'_>) -> Option<DiagramChange> {
    let finite = both.base.iter().flat_map(|pair| [pair.birth, pair.death]).filter(|number| number.is_finite());
    let limit = both.tolerance.limit(finite.map(f64::abs).fold(0.0, f64::max));
    // Matching in order is one matching: no distance is larger, and for equal diagrams the search is saved.
    if both.base.len() == both.out.len() && in_order(both.base, both.out) <= limit {
        return None;
    }
    let distance = bottleneck(both.base, both.out);
    (distance > limit).then(|| DiagramChange { key: diagram_key(both.stage, both.dim), pairs: [both.base.len(), both.out.len()], distance })
}

fn in_order(a: &[Pair], b: &[Pair]) -> f64 {
    let apart = |x: f64, y: f64| if x == y { 0.0 } else { (x - y).abs() };
    a.iter().zip(b).map(|(a, b)| apart(a.birth, b.birth).max(apart(a.death, b.death))).fold(0.0, f64::max)
}
