//! The tables: file name, columns in order, unit of measure of each column that has one.
//!
//! A column's type and whether it may be null follow from the field of the row struct; see `cell.rs`.

use super::record::{DiagramRecord, EmbeddingRecord, ExpectationRecord, FidelityRecord, MetricRecord, PreviewRecord, UnitRecord};
use super::{Table, batch_of, cell};
use arrow_array::RecordBatch;

/// Makes a row struct a table: every field with its unit of measure (`""` for none).
macro_rules! table {
    ($record:ident, $file:literal, { $($field:ident: $measure:literal),+ $(,)? }) => {
        impl Table for $record {
            const FILE: &'static str = $file;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),+];

            fn to_batch(rows: &[Self]) -> Result<RecordBatch, String> {
                let columns = vec![$(cell::column(stringify!($field), $measure, rows.iter().map(|row| &row.$field))?),+];
                batch_of(columns, rows.len())
            }

            fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, String> {
                $(let mut $field = cell::values(batch, stringify!($field))?.into_iter();)+
                // Every column of a batch has as many cells as the batch has rows, so none ends early.
                Ok((0..batch.num_rows()).map_while(|_| Some(Self { $($field: $field.next()?),+ })).collect())
            }
        }
    };
}

table!(UnitRecord, "units.parquet", {
    unit: "", dataset: "", window_start_s: "s", window_stop_s: "s", status: "", error_kind: "", error: "",
    attempts: "1", device: "", seconds: "s", peak_memory_bytes: "byte",
});
table!(MetricRecord, "metrics.parquet", {
    job: "", dataset: "", unit: "", window_start_s: "s", window_stop_s: "s", metric: "", statistic: "", source: "", target: "",
    value: "see column unit_of_measure", unit_of_measure: "", ci_low: "see column unit_of_measure",
    ci_high: "see column unit_of_measure", p_value: "1", surrogates: "1",
});
table!(DiagramRecord, "diagrams.parquet", {
    dataset: "", unit: "", persistence: "", dim: "1", birth: "as the coordinates", death: "as the coordinates",
});
table!(EmbeddingRecord, "embeddings.parquet", { dataset: "", unit: "", embedding: "", index: "1", vector: "as the signal" });
table!(FidelityRecord, "fidelity.parquet", {
    dataset: "", reference: "", test: "", statistic: "", observed: "as the statistic", reference_value: "as the statistic",
    distance: "1", ceiling: "1", score: "1", ci_low: "1", ci_high: "1",
});
table!(ExpectationRecord, "expectations.parquet", {
    metric: "", dataset: "", source: "", published: "as the metric", tolerance: "as the metric", observed: "as the metric",
    deviation: "as the metric", held: "",
});
table!(PreviewRecord, "previews.parquet", { dataset: "", unit: "", kind: "", channel: "", x: "as the kind", y: "as the kind" });
