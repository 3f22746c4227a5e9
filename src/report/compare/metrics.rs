//! `metrics.parquet` of both folders, joined by polars.
//!
//! Each table is grouped by its key, so that a key that occurs twice is one group of two rows and the join stays one to one; the
//! n-th row of a group goes with the n-th of the other folder's. Join and groups come in any order: all answers are put in that of the tables.

use super::super::summary::scan;
use super::{Change, CompareError, Found, Key, LARGEST, MOST_NAMED, Tolerance, Tolerances, tolerance};
use crate::table::{MetricRecord, Table};
use polars::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What identifies a row. A value in another unit of measure is another value.
const KEY: [&str; 7] = ["dataset", "unit", "metric", "statistic", "source", "target", "unit_of_measure"];
/// What is compared of it.
const VALUES: [&str; 4] = ["value", "ci_low", "ci_high", "p_value"];

/// How many numbers changed, and what was found: the largest changes only.
pub(super) fn metrics(
    base: &Path,
    out: &Path,
    tolerances: &Tolerances,
    names: &mut BTreeSet<String>,
) -> Result<(usize, Found<Change>), CompareError> {
    let (base, out) = (base.join(MetricRecord::FILE), out.join(MetricRecord::FILE));
    let mut found = || {
        let joined = Joined::new(&base, &out)?;
        let columns = Columns::new(&joined)?;
        Ok(columns.compare(tolerances, names))
    };
    found().map_err(|source| CompareError::Join { base: base.clone(), out: out.clone(), source: Box::new(source) })
}

/// One row a key, and the numbers of both tables.
struct Joined {
    keys: DataFrame,
    base: DataFrame,
    out: DataFrame,
}

impl Joined {
    fn new(base: &Path, out: &Path) -> PolarsResult<Self> {
        let grouped = |path: &Path| Ok::<_, PolarsError>(scan(path)?.group_by(KEY.map(col)).agg([col("row")]));
        let keys = grouped(base)?
            .join_builder()
            .with(grouped(out)?)
            .on(KEY.map(col))
            .how(JoinType::Full)
            .join_nulls(true)
            .coalesce(JoinCoalesce::CoalesceColumns)
            .suffix("_out")
            .finish()
            .collect()?;
        let numbers = |path: &Path| {
            let mut frame = scan(path)?.select(VALUES.map(col)).collect()?;
            frame.rechunk_mut();
            Ok::<_, PolarsError>(frame)
        };
        Ok(Self { keys, base: numbers(base)?, out: numbers(out)? })
    }
}

/// The columns of [`Joined`], with their types.
struct Columns<'a> {
    keys: [&'a StringChunked; KEY.len()],
    rows: [&'a ListChunked; 2],
    base: [&'a Float64Chunked; VALUES.len()],
    out: [&'a Float64Chunked; VALUES.len()],
}

/// A number that differs: where, and how much.
struct Differing {
    group: usize,
    rows: [usize; 2],
    column: usize,
    absolute: f64,
    relative: f64,
}

impl<'a> Columns<'a> {
    fn new(joined: &'a Joined) -> PolarsResult<Self> {
        Ok(Self {
            keys: each(KEY, |name| joined.keys.column(name)?.str())?,
            rows: each(["row", "row_out"], |name| joined.keys.column(name)?.list())?,
            base: each(VALUES, |name| joined.base.column(name)?.f64())?,
            out: each(VALUES, |name| joined.out.column(name)?.f64())?,
        })
    }

    fn compare(&self, tolerances: &Tolerances, names: &mut BTreeSet<String>) -> (usize, Found<Change>) {
        let mut found = Found::default();
        let mut known: BTreeMap<[&str; 2], Tolerance> = BTreeMap::new();
        let mut differing = Vec::new();
        let (mut missing, mut new) = (Vec::new(), Vec::new());
        for group in 0..self.keys[0].len() {
            let name = [2, 3].map(|at| self.keys[at].get(group).unwrap_or_default());
            let tolerance = *known.entry(name).or_insert_with(|| tolerances.of(name[0], name[1]));
            let [base, out] = self.rows.map(|rows| numbers_of_rows(rows, group));
            let both = base.len().min(out.len());
            found.count.compared += both;
            for (&base, &out) in base.iter().zip(&out) {
                let before = differing.len();
                differing.extend(self.differing(group, [base, out], tolerance));
                found.count.changed += usize::from(differing.len() > before);
            }
            missing.extend(base[both..].iter().map(|&row| (row, group)));
            new.extend(out[both..].iter().map(|&row| (row, group)));
        }
        // A changed value has no good direction that could be known here.
        found.count.worse = found.count.changed;
        found.count.missing = missing.len();
        found.count.new = new.len();
        for [metric, statistic] in known.into_keys() {
            names.extend([metric.to_owned(), format!("{metric}.{statistic}")]);
        }
        found.missing = self.named(missing);
        found.new = self.named(new);
        let n_changes = differing.len();
        found.changes = self.largest(differing);
        (n_changes, found)
    }

    fn differing(&self, group: usize, rows: [usize; 2], tolerance: Tolerance) -> impl Iterator<Item = Differing> {
        (0..VALUES.len()).filter_map(move |column| {
            let (base, out) = (self.base[column].get(rows[0]), self.out[column].get(rows[1]));
            if tolerance.equal_or_absent(base, out) {
                return None;
            }
            let (absolute, relative) = match base.zip(out) {
                Some((base, out)) => ((out - base).abs(), tolerance::relative(base, out)),
                None => (f64::INFINITY, f64::INFINITY),
            };
            Some(Differing { group, rows, column, absolute, relative })
        })
    }

    fn largest(&self, mut differing: Vec<Differing>) -> Vec<Change> {
        let size = |a: &Differing, b: &Differing| b.relative.total_cmp(&a.relative).then(b.absolute.total_cmp(&a.absolute));
        differing.sort_unstable_by(|a, b| size(a, b).then_with(|| (a.rows, a.column).cmp(&(b.rows, b.column))));
        differing.truncate(LARGEST);
        let change = |at: Differing| Change {
            key: self.key(at.group),
            column: VALUES[at.column],
            base: self.base[at.column].get(at.rows[0]),
            out: self.out[at.column].get(at.rows[1]),
            regression: true,
        };
        differing.into_iter().map(change).collect()
    }

    /// The first rows by their place in the table.
    fn named(&self, mut rows: Vec<(usize, usize)>) -> Vec<Key> {
        rows.sort_unstable();
        rows.into_iter().take(MOST_NAMED).map(|(_, group)| self.key(group)).collect()
    }

    fn key(&self, group: usize) -> Key {
        let at = |column: usize| (KEY[column], self.keys[column].get(group).into());
        Key::new("metrics", std::array::from_fn::<_, { KEY.len() }, _>(at))
    }
}

/// Looks up every name.
fn each<T, const N: usize>(names: [&str; N], find: impl Fn(&str) -> PolarsResult<T>) -> PolarsResult<[T; N]> {
    let found: Vec<T> = names.into_iter().map(find).collect::<PolarsResult<_>>()?;
    found.try_into().map_err(|_| polars_err!(ComputeError: "a column is missing"))
}

/// The rows of a group in their table, in order; none where the table lacks the group.
fn numbers_of_rows(lists: &ListChunked, group: usize) -> Vec<usize> {
    let Some(list) = lists.get_as_series(group) else { return Vec::new() };
    let mut rows: Vec<usize> = list.idx().map(|rows| rows.iter().flatten().map(|row| row as usize).collect()).unwrap_or_default();
    rows.sort_unstable();
    rows
}
