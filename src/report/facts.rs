//! Everything that the three formats show, read once from the output folder.

use super::ReportError;
use super::manifest::Part;
use super::summary::{self, PairMean, Summary, WindowMean};
use crate::table::{
    self, DiagramRecord, EmbeddingRecord, ExpectationRecord, FidelityRecord, MetricRecord, PreviewRecord, Table, UnitRecord, UnitStatus,
};
use std::collections::BTreeSet;
use std::path::Path;

/// Datasets that get a section with pictures. A glob may name thousands; a page that long is no longer read.
pub(super) const MAX_DRAWN: usize = 60;

/// What an output folder holds, as far as a report needs it.
#[derive(Debug)]
pub(super) struct Facts {
    manifest: serde_json::Value,
    /// Dataset ids: the manifest's order, then whatever else the tables name.
    pub(super) datasets: Vec<String>,
    pub(super) units: Vec<UnitRecord>,
    pub(super) summaries: Vec<Summary>,
    pub(super) windows: Vec<WindowMean>,
    pub(super) pairs: Vec<PairMean>,
    /// Of the first unit of each dataset that is done.
    pub(super) diagrams: Vec<DiagramRecord>,
    /// Of the same units.
    pub(super) embeddings: Vec<EmbeddingRecord>,
    pub(super) fidelity: Vec<FidelityRecord>,
    pub(super) expectations: Vec<ExpectationRecord>,
    pub(super) previews: Vec<PreviewRecord>,
    /// Names and sizes of the tables that are there.
    pub(super) files: Vec<(&'static str, u64)>,
}

impl Facts {
    pub(super) fn manifest(&self) -> Part<'_> {
        Part::new(&self.manifest)
    }
    /// The manifest's entry of a dataset; empty when it has none.
    pub(super) fn dataset(&self, id: &str) -> Part<'_> {
        self.manifest().at("datasets").list().find(|part| part.at("id").text() == Some(id)).unwrap_or(Part::new(&serde_json::Value::Null))
    }
    pub(super) fn count(&self, status: UnitStatus) -> usize {
        self.units.iter().filter(|unit| unit.status == status).count()
    }
    /// The unit whose pictures stand for the dataset.
    pub(super) fn first_done(&self, dataset: &str) -> Option<&UnitRecord> {
        self.units.iter().find(|unit| unit.dataset == dataset && unit.status == UnitStatus::Done)
    }
    /// The statistic of a metric that pictures show: `value` where there is one, else the one written first.
    pub(super) fn default_statistic(&self, dataset: &str, metric: &str) -> Option<&Summary> {
        let mut all = self.summaries.iter().filter(|row| row.dataset == dataset && row.metric == metric).peekable();
        let first = all.peek().copied();
        all.find(|row| row.statistic == "value").or(first)
    }
    /// Metrics of a dataset in the table's order.
    pub(super) fn metrics(&self, dataset: &str) -> Vec<&str> {
        let mut seen = Vec::new();
        for row in self.summaries.iter().filter(|row| row.dataset == dataset) {
            if !seen.contains(&row.metric.as_str()) {
                seen.push(&row.metric);
            }
        }
        seen
    }
}

/// Reads the folder.
pub(super) fn read(out: &Path) -> Result<Facts, ReportError> {
    let units_path = out.join(UnitRecord::FILE);
    if !units_path.is_file() {
        return Err(ReportError::NotAnOutput { out: out.to_owned() });
    }
    let manifest = read_manifest(&out.join("manifest.json"))?;
    let units: Vec<UnitRecord> = table::read(&units_path)?;
    let metrics = out.join(MetricRecord::FILE);
    let (summaries, windows, pairs) = if metrics.is_file() { summarise(&metrics)? } else { Default::default() };
    let datasets = datasets(Part::new(&manifest), &units, &summaries);
    let drawn: BTreeSet<String> = datasets.iter().take(MAX_DRAWN).cloned().collect();
    let shown = first_units(&units, &drawn);
    Ok(Facts {
        datasets,
        summaries,
        windows,
        pairs,
        diagrams: rows(out, |row: &DiagramRecord| shown.contains(&row.unit))?,
        embeddings: rows(out, |row: &EmbeddingRecord| shown.contains(&row.unit))?,
        fidelity: rows(out, |_: &FidelityRecord| true)?,
        expectations: rows(out, |_: &ExpectationRecord| true)?,
        previews: rows(out, |row: &PreviewRecord| drawn.contains(&row.dataset))?,
        files: files(out),
        manifest,
        units,
    })
}

pub(super) fn read_manifest(path: &Path) -> Result<serde_json::Value, ReportError> {
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map_err(|source| ReportError::Manifest { path: path.to_owned(), source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(serde_json::Value::Null),
        Err(error) => Err(table::TableError::from(table::atomic::FileError::new("read", path, error)).into()),
    }
}

type Summaries = (Vec<Summary>, Vec<WindowMean>, Vec<PairMean>);

fn summarise(path: &Path) -> Result<Summaries, ReportError> {
    let all = || Ok((summary::summaries(path)?, summary::windows(path)?, summary::pairs(path)?));
    all().map_err(|source| ReportError::Summary { path: path.to_owned(), source: Box::new(source) })
}

/// The accepted rows of a table; none where the run wrote no such table.
pub(super) fn rows<T: Table>(out: &Path, keep: impl FnMut(&T) -> bool) -> Result<Vec<T>, ReportError> {
    let path = out.join(T::FILE);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    Ok(table::read_where(&path, usize::MAX, keep)?)
}

fn first_units(units: &[UnitRecord], drawn: &BTreeSet<String>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let done = units.iter().filter(|unit| unit.status == UnitStatus::Done && drawn.contains(&unit.dataset));
    done.filter(|unit| seen.insert(unit.dataset.as_str())).map(|unit| unit.unit.clone()).collect()
}

fn datasets(manifest: Part<'_>, units: &[UnitRecord], summaries: &[Summary]) -> Vec<String> {
    let mut ids: Vec<String> = manifest.at("datasets").list().filter_map(|part| part.at("id").text().map(str::to_owned)).collect();
    let known: BTreeSet<String> = ids.iter().cloned().collect();
    let named = units.iter().map(|unit| unit.dataset.as_str()).chain(summaries.iter().map(|row| row.dataset.as_str()));
    let others: BTreeSet<&str> = named.filter(|id| !known.contains(*id)).collect();
    ids.extend(others.into_iter().map(str::to_owned));
    ids
}

fn files(out: &Path) -> Vec<(&'static str, u64)> {
    let names = [
        UnitRecord::FILE,
        MetricRecord::FILE,
        DiagramRecord::FILE,
        EmbeddingRecord::FILE,
        FidelityRecord::FILE,
        ExpectationRecord::FILE,
        PreviewRecord::FILE,
        "manifest.json",
    ];
    names.into_iter().filter_map(|name| Some((name, std::fs::metadata(out.join(name)).ok()?.len()))).collect()
}
