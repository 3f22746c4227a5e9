//! Summaries of `metrics.parquet`, by polars: a statistic over a dataset's units and channels, over time, and over pairs.
//!
//! Group-by gives groups in any order, so every answer is sorted by where its group first stands in the table.

use polars::prelude::*;
use std::path::Path;

/// A statistic over all units and channels of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary {
    pub(super) dataset: String,
    pub(super) metric: String,
    pub(super) statistic: String,
    pub(super) measure: String,
    /// Rows with a value, and rows without.
    pub(super) n: u64,
    pub(super) undefined: u64,
    pub(super) mean: Option<f64>,
    pub(super) median: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    /// Mean ends of the 95 % interval.
    pub(super) ci: Option<(f64, f64)>,
    /// Rows with a p-value, and how many of them are at 0.05 or below.
    pub(super) tested: u64,
    pub(super) significant: u64,
    pub(super) p_min: Option<f64>,
}

/// The mean over channels of a statistic in one unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WindowMean {
    pub(super) dataset: String,
    pub(super) metric: String,
    pub(super) statistic: String,
    pub(super) start_s: f64,
    pub(super) mean: f64,
}

/// The mean over windows of a directed or paired statistic.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PairMean {
    pub(super) dataset: String,
    pub(super) metric: String,
    pub(super) statistic: String,
    pub(super) measure: String,
    pub(super) source: String,
    pub(super) target: String,
    pub(super) mean: f64,
    pub(super) windows: u64,
    pub(super) p_min: Option<f64>,
}

const GROUP: [&str; 3] = ["dataset", "metric", "statistic"];

/// All summaries of the table at `path`.
pub(super) fn summaries(path: &Path) -> PolarsResult<Vec<Summary>> {
    let frame = scan(path)?
        .group_by(GROUP.map(col))
        .agg([
            col("row").min(),
            col("unit_of_measure").first().alias("measure"),
            col("value").count().cast(DataType::Float64).alias("n"),
            col("value").null_count().cast(DataType::Float64).alias("undefined"),
            col("value").mean().alias("mean"),
            col("value").median().alias("median"),
            col("value").min().alias("min"),
            col("value").max().alias("max"),
            col("ci_low").mean().alias("low"),
            col("ci_high").mean().alias("high"),
            col("p_value").count().cast(DataType::Float64).alias("tested"),
            col("p_value").lt_eq(lit(0.05)).sum().cast(DataType::Float64).alias("significant"),
            col("p_value").min().alias("p_min"),
        ])
        .sort(["row"], SortMultipleOptions::default())
        .collect()?;
    let rows = Rows(&frame);
    rows.map(|row| {
        Ok(Summary {
            dataset: rows.text("dataset", row)?,
            metric: rows.text("metric", row)?,
            statistic: rows.text("statistic", row)?,
            measure: rows.text("measure", row)?,
            n: rows.count("n", row)?,
            undefined: rows.count("undefined", row)?,
            mean: rows.number("mean", row)?,
            median: rows.number("median", row)?,
            min: rows.number("min", row)?,
            max: rows.number("max", row)?,
            ci: rows.number("low", row)?.zip(rows.number("high", row)?),
            tested: rows.count("tested", row)?,
            significant: rows.count("significant", row)?,
            p_min: rows.number("p_min", row)?,
        })
    })
}

/// Every statistic over time, for units that are windows.
pub(super) fn windows(path: &Path) -> PolarsResult<Vec<WindowMean>> {
    let frame = scan(path)?
        .filter(col("window_start_s").is_not_null().and(col("value").is_not_null()))
        .group_by([col("dataset"), col("metric"), col("statistic"), col("unit")])
        .agg([col("row").min(), col("window_start_s").first().alias("start"), col("value").mean().alias("mean")])
        .sort(["start", "row"], SortMultipleOptions::default())
        .collect()?;
    let rows = Rows(&frame);
    rows.map(|row| {
        Ok(WindowMean {
            dataset: rows.text("dataset", row)?,
            metric: rows.text("metric", row)?,
            statistic: rows.text("statistic", row)?,
            start_s: rows.number("start", row)?.unwrap_or_default(),
            mean: rows.number("mean", row)?.unwrap_or(f64::NAN),
        })
    })
}

/// Every statistic that has a source and a target.
pub(super) fn pairs(path: &Path) -> PolarsResult<Vec<PairMean>> {
    let frame = scan(path)?
        .filter(col("source").is_not_null().and(col("target").is_not_null()).and(col("value").is_not_null()))
        .group_by([col("dataset"), col("metric"), col("statistic"), col("source"), col("target")])
        .agg([
            col("row").min(),
            col("unit_of_measure").first().alias("measure"),
            col("value").mean().alias("mean"),
            col("value").count().cast(DataType::Float64).alias("n"),
            col("p_value").min().alias("p_min"),
        ])
        .sort(["row"], SortMultipleOptions::default())
        .collect()?;
    let rows = Rows(&frame);
    rows.map(|row| {
        Ok(PairMean {
            dataset: rows.text("dataset", row)?,
            metric: rows.text("metric", row)?,
            statistic: rows.text("statistic", row)?,
            measure: rows.text("measure", row)?,
            source: rows.text("source", row)?,
            target: rows.text("target", row)?,
            mean: rows.number("mean", row)?.unwrap_or(f64::NAN),
            windows: rows.count("n", row)?,
            p_min: rows.number("p_min", row)?,
        })
    })
}

/// The table with the number of each row. Globbing is off: a folder may be called `[a]*`.
pub(super) fn scan(path: &Path) -> PolarsResult<LazyFrame> {
    let name = path.to_str().ok_or_else(|| polars_err!(ComputeError: "the path {} is not UTF-8", path.display()))?;
    let args = ScanArgsParquet { glob: false, ..Default::default() };
    Ok(LazyFrame::scan_parquet(PlRefPath::new(name), args)?.with_row_index("row", None))
}

/// Cells of a collected frame.
#[derive(Clone, Copy)]
struct Rows<'a>(&'a DataFrame);

impl Rows<'_> {
    fn map<T>(self, read: impl Fn(usize) -> PolarsResult<T>) -> PolarsResult<Vec<T>> {
        (0..self.0.height()).map(read).collect()
    }
    fn text(self, column: &str, row: usize) -> PolarsResult<String> {
        Ok(self.0.column(column)?.str()?.get(row).unwrap_or_default().to_owned())
    }
    fn number(self, column: &str, row: usize) -> PolarsResult<Option<f64>> {
        Ok(self.0.column(column)?.f64()?.get(row).filter(|number| !number.is_nan()))
    }
    fn count(self, column: &str, row: usize) -> PolarsResult<u64> {
        Ok(self.number(column, row)?.unwrap_or_default() as u64)
    }
}
