//! What changed between two output folders, from their tables alone; no number of science is computed anew.
//!
//! Rows are joined on keys that stay the same from run to run. Two numbers are equal as in `numpy.isclose`:
//! `|base - out| <= absolute + relative * |base|`. Not compared: timings, previews, and embeddings, whose axes are free.

mod metrics;
mod show;
mod tables;
mod tolerance;

pub use show::{json, text};
pub use tolerance::{Giver, NamedTolerance, Settings, Tolerance, Tolerances, amount};

use super::ReportError;
use super::facts;
use super::manifest::Part;
use crate::spec::suggest;
use crate::table::{MetricRecord, SCHEMA_VERSION, Table, UnitRecord, UnitStatus};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How many changed numbers of `metrics.parquet` are named.
const LARGEST: usize = 10;
/// How many missing and how many new rows of a table are named; counts are of all. A lost dataset may mean millions.
const MOST_NAMED: usize = 1_000;

/// What identifies a row: the columns of its key, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The table, without `.parquet`.
    pub table: &'static str,
    /// Column and content; null where the cell is empty.
    pub columns: Map<String, Value>,
}

impl Key {
    fn new<const N: usize>(table: &'static str, columns: [(&str, Value); N]) -> Self {
        Self { table, columns: columns.into_iter().map(|(column, value)| (column.to_owned(), value)).collect() }
    }
    /// The text in a column; empty where there is none.
    pub fn text(&self, column: &str) -> &str {
        self.columns.get(column).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A number that differs by more than its tolerance.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its row.
    pub key: Key,
    /// Its column.
    pub column: &'static str,
    /// Before; `None` where it did not exist.
    pub base: Option<f64>,
    /// After.
    pub out: Option<f64>,
    /// Whether it is for the worse.
    pub regression: bool,
}

impl Change {
    /// `|out - base|`; `None` where one of them does not exist.
    pub fn absolute(&self) -> Option<f64> {
        Some((self.out? - self.base?).abs())
    }
    /// `|out - base| / |base|`, the least relative tolerance that would accept it; `+inf` where `base` is 0.
    pub fn relative(&self) -> Option<f64> {
        Some(tolerance::relative(self.base?, self.out?))
    }
}

/// A diagram further from the earlier one than its tolerance.
#[derive(Debug, Clone, PartialEq)]
pub struct DiagramChange {
    /// Dataset, unit, persistence stage and dimension.
    pub key: Key,
    /// Numbers of pairs, before and after.
    pub pairs: [usize; 2],
    /// Bottleneck distance; `+inf` where the numbers of classes that never die differ.
    pub distance: f64,
}

/// A unit that ended in another way.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitChange {
    /// Dataset and unit.
    pub key: Key,
    /// Before.
    pub base: UnitStatus,
    /// After.
    pub out: UnitStatus,
    /// Why it is not done now.
    pub error: Option<String>,
}

/// An expectation that holds in one folder only.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectationChange {
    /// Metric, dataset, source and published value.
    pub key: Key,
    /// Observed values, before and after.
    pub observed: [Option<f64>; 2],
    /// Whether it holds now; before, it was the other way.
    pub held: bool,
}

/// How many rows of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// Are in both folders.
    pub compared: usize,
    /// Of these, differ.
    pub changed: usize,
    /// Of these, for the worse.
    pub worse: usize,
    /// Are in the first folder only.
    pub missing: usize,
    /// Are in the second folder only.
    pub new: usize,
}

/// What was found of one table.
#[derive(Debug, Clone)]
struct Found<C> {
    count: Count,
    changes: Vec<C>,
    missing: Vec<Key>,
    new: Vec<Key>,
}

impl<C> Default for Found<C> {
    fn default() -> Self {
        Self { count: Count::default(), changes: Vec::new(), missing: Vec::new(), new: Vec::new() }
    }
}

impl<C> Found<C> {
    fn missing(&mut self, key: impl FnOnce() -> Key) {
        self.count.missing += 1;
        if self.missing.len() < MOST_NAMED {
            self.missing.push(key());
        }
    }
    fn new_row(&mut self, key: impl FnOnce() -> Key) {
        self.count.new += 1;
        if self.new.len() < MOST_NAMED {
            self.new.push(key());
        }
    }
    fn changed(&mut self, change: C, worse: bool) {
        self.count.changed += 1;
        self.count.worse += usize::from(worse);
        self.changes.push(change);
    }
}

/// All that differs between two outputs.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The earlier output.
    pub base: PathBuf,
    /// The later one.
    pub out: PathBuf,
    /// How far numbers may be from the earlier ones.
    pub tolerances: Tolerances,
    /// What else is different about the two runs (job, version), one sentence each.
    pub notes: Vec<String>,
    /// Rows by table: units, metrics, diagrams, fidelity, expectations.
    pub counts: Vec<(&'static str, Count)>,
    /// How many numbers of `metrics.parquet` changed.
    pub metric_changes: usize,
    /// The ten largest of them by relative size; numbers that appeared or disappeared come first.
    pub largest: Vec<Change>,
    /// Rows that are gone, at most 1,000 a table.
    pub missing: Vec<Key>,
    /// Rows that are new, at most 1,000 a table.
    pub new: Vec<Key>,
    /// Units that ended in another way.
    pub units: Vec<UnitChange>,
    /// Expectations that were lost or gained.
    pub expectations: Vec<ExpectationChange>,
    /// Fidelity scores that changed.
    pub fidelity: Vec<Change>,
    /// Diagrams that changed.
    pub diagrams: Vec<DiagramChange>,
}

impl Comparison {
    /// Nothing changed, is missing or is new.
    pub fn equal(&self) -> bool {
        self.counts.iter().all(|(_, count)| count.changed + count.missing + count.new == 0)
    }
    /// Something is worse than before or gone.
    pub fn regression(&self) -> bool {
        self.counts.iter().any(|(_, count)| count.worse + count.missing > 0)
    }
}

/// Why two folders could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A folder is not what a run writes.
    #[error("{out} holds no {file}, so it is not the output of a finished run; give two folders that `tcs-batch run` wrote")]
    NotAnOutput {
        /// The folder.
        out: PathBuf,
        /// The file that it lacks.
        file: &'static str,
    },
    /// A folder was written by a version with other tables.
    #[error("{out} has schema_version {found}, and this version of tcs-batch reads {known}; write it again with `tcs-batch run`")]
    Schema {
        /// The folder.
        out: PathBuf,
        /// What its manifest says.
        found: String,
        /// What can be compared.
        known: u32,
    },
    /// A table or manifest is broken.
    #[error(transparent)]
    Read(#[from] ReportError),
    /// A tolerance is for nothing that is there.
    #[error("there is nothing called `{name}` to have a tolerance in {base} or {out}{hint}")]
    Tolerance {
        /// As it was typed.
        name: String,
        /// The earlier output.
        base: PathBuf,
        /// The later one.
        out: PathBuf,
        /// The nearest name, or all.
        hint: String,
    },
}

/// Compares the output folder `out` with an earlier one, `base`.
///
/// # Errors
/// When a folder is not the output of a run, a table is broken, or a tolerance names nothing that is there.
pub fn compare(base: &Path, out: &Path, tolerances: &Tolerances) -> Result<Comparison, CompareError> {
    for folder in [base, out] {
        for file in ["manifest.json", UnitRecord::FILE, MetricRecord::FILE] {
            if !folder.join(file).is_file() {
                return Err(CompareError::NotAnOutput { out: folder.to_owned(), file });
            }
        }
    }
    let manifests = [read_manifest(base)?, read_manifest(out)?];
    let notes = notes(&manifests[0], &manifests[1]);
    let mut names = BTreeSet::new();
    let units = tables::units(base, out)?;
    let (metric_changes, metrics) = metrics::metrics(base, out, tolerances, &mut names)?;
    let diagrams = tables::diagrams(base, out, tolerances, &mut names)?;
    let fidelity = tables::fidelity(base, out, tolerances, &mut names)?;
    let expectations = tables::expectations(base, out)?;
    if let Some(name) = tolerances.typed().find(|name| !names.contains(*name)) {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = if known.is_empty() { String::new() } else { format!("; {}", suggest(name, &known)) };
        return Err(CompareError::Tolerance { name: name.to_owned(), base: base.to_owned(), out: out.to_owned(), hint });
    }
    let counts = vec![
        ("units", units.count),
        ("metrics", metrics.count),
        ("diagrams", diagrams.count),
        ("fidelity", fidelity.count),
        ("expectations", expectations.count),
    ];
    Ok(Comparison {
        base: base.to_owned(),
        out: out.to_owned(),
        tolerances: tolerances.clone(),
        notes,
        counts,
        metric_changes,
        largest: metrics.changes,
        missing: [units.missing, metrics.missing, diagrams.missing, fidelity.missing, expectations.missing].concat(),
        new: [units.new, metrics.new, diagrams.new, fidelity.new, expectations.new].concat(),
        units: units.changes,
        expectations: expectations.changes,
        fidelity: fidelity.changes,
        diagrams: diagrams.changes,
    })
}

/// The text of the job that wrote an output, with the overrides of its command line.
#[derive(Debug, Clone, PartialEq)]
pub struct JobText {
    /// The manifest that it stands in.
    pub manifest: PathBuf,
    /// The job file.
    pub text: String,
    /// `--set` of its command line.
    pub overrides: Vec<String>,
}

/// The job that wrote `out`, as its manifest has it; `None` where it says nothing of it.
///
/// # Errors
/// When the manifest cannot be read.
pub fn job_text(out: &Path) -> Result<Option<JobText>, CompareError> {
    let path = out.join("manifest.json");
    let manifest = facts::read_manifest(&path)?;
    let job = Part::new(&manifest).at("job");
    let overrides = job.at("overrides").list().filter_map(|typed| typed.text().map(str::to_owned)).collect();
    Ok(job.at("text").text().map(|text| JobText { manifest: path, text: text.to_owned(), overrides }))
}

/// The manifest of tables that can be compared.
fn read_manifest(out: &Path) -> Result<Value, CompareError> {
    let manifest = facts::read_manifest(&out.join("manifest.json"))?;
    match Part::new(&manifest).at("schema_version").plain() {
        Some(found) if found != SCHEMA_VERSION.to_string() => {
            Err(CompareError::Schema { out: out.to_owned(), found, known: SCHEMA_VERSION })
        }
        _ => Ok(manifest),
    }
}

/// What the manifests say differently. Paths, times and machines are expected to differ.
fn notes(base: &Value, out: &Value) -> Vec<String> {
    let said = |manifest, path| Part::new(manifest).at(path).plain();
    let short = |text: Option<String>| text.map_or_else(|| "none".to_owned(), |text| text.chars().take(40).collect());
    let parts = [
        ("job.name", "the names of the jobs"),
        ("job.hash", "the jobs"),
        ("seed", "the seeds"),
        ("shard", "the shards"),
        ("tool.version", "the versions of tcs-batch"),
    ];
    let differing = parts.into_iter().filter_map(|(path, what)| {
        let (base, out) = (said(base, path), said(out, path));
        (base != out).then(|| format!("{what} differ: {} and {}", short(base), short(out)))
    });
    differing.collect()
}
