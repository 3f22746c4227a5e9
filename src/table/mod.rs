//! The tables that a run writes: one Arrow schema a table, whole files only, and their readers.
//!
//! A table's columns are the fields of its row struct in [`record`]; `schema.rs` names the files and the units of measure.
//! The bytes depend on the rows and the [`Provenance`] alone: no clock, no machine, no order of threads.

pub mod atomic;
mod cell;
pub mod record;
mod schema;

pub use record::{
    DiagramRecord, EmbeddingRecord, ExpectationRecord, FidelityRecord, MetricRecord, PreviewRecord, Provenance, UnitRecord, UnitStatus,
};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Version of the tables' layout, and of the job file's.
pub const SCHEMA_VERSION: u32 = 1;

/// Rows of a row group: a reader that wants one dataset skips the others by their statistics, and one group fits any memory.
const ROW_GROUP_ROWS: usize = 65_536;
/// Rows decoded at a time when reading.
pub(crate) const BATCH_ROWS: usize = 8_192;
/// Stands in the file in place of the Parquet library's version, so that updating the library does not change a table's bytes by its name alone.
const CREATED_BY: &str = "tcs-batch";
/// zstd's own default: higher levels cost several times the time for a few per cent.
const ZSTD_LEVEL: i32 = 3;

/// A row struct with its file and columns.
pub trait Table: Sized {
    /// Name of the file in the output folder.
    const FILE: &'static str;
    /// Names of the columns, in order.
    const COLUMNS: &'static [&'static str];
    /// All rows as one batch.
    ///
    /// # Errors
    /// When a value that must be a number is NaN: the column and the row.
    fn to_batch(rows: &[Self]) -> Result<RecordBatch, String>;
    /// The rows of one batch.
    ///
    /// # Errors
    /// When a column is missing, has another type, or holds a null where none may stand.
    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, String>;
}

/// Why a table could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A file could not be written or opened.
    #[error(transparent)]
    Io(#[from] atomic::FileError),
    /// The rows do not make a table.
    #[error("cannot write {path}: {what}")]
    Rows {
        /// The table.
        path: PathBuf,
        /// Column and row.
        what: String,
    },
    /// What is in the file is not this table.
    #[error("{path} is not a `{table}` of this version: {what}; write it again with `tcs-batch run`")]
    Content {
        /// The file.
        path: PathBuf,
        /// The table it should be.
        table: &'static str,
        /// What was found.
        what: String,
    },
}

/// Writes `rows` to `path`: the whole table appears under its name, or nothing does.
///
/// # Errors
/// When a required number is NaN, or the file cannot be written (path, cause and remedy).
pub fn write<T: Table>(path: &Path, rows: &[T], provenance: &Provenance) -> Result<(), TableError> {
    let broken = |what: String| TableError::Rows { path: path.to_owned(), what };
    let batch = T::to_batch(rows).map_err(broken)?;
    let bytes = encode(&batch, provenance).map_err(|error| broken(error.to_string()))?;
    Ok(atomic::write_bytes(path, &bytes)?)
}

/// Reads every row of the table at `path`.
///
/// # Errors
/// When the file cannot be opened or is not this table.
pub fn read<T: Table>(path: &Path) -> Result<Vec<T>, TableError> {
    read_where(path, usize::MAX, |_| true)
}

/// Reads the rows that `keep` accepts, at most `limit` of them, without holding the others in memory.
///
/// # Errors
/// When the file cannot be opened or is not this table.
pub fn read_where<T: Table>(path: &Path, limit: usize, mut keep: impl FnMut(&T) -> bool) -> Result<Vec<T>, TableError> {
    let broken = |what: String| TableError::Content { path: path.to_owned(), table: T::FILE, what };
    let mut rows = Vec::new();
    for batch in open(path, T::FILE)?.with_batch_size(BATCH_ROWS).build().map_err(|error| broken(error.to_string()))? {
        if rows.len() >= limit {
            break;
        }
        let batch = batch.map_err(|error| broken(error.to_string()))?;
        rows.extend(T::from_batch(&batch).map_err(broken)?.into_iter().filter(&mut keep));
    }
    rows.truncate(limit);
    Ok(rows)
}

/// Reads what a table says about its origin.
///
/// # Errors
/// When the file cannot be opened, is not Parquet, or carries no provenance.
pub fn read_provenance(path: &Path) -> Result<Provenance, TableError> {
    let reader = open(path, "table")?;
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let find = |key: &str| {
        let value = pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == key)).and_then(|pair| pair.value.clone());
        value.ok_or_else(|| format!("its metadata lacks `{key}`"))
    };
    let parse = || {
        Ok(Provenance {
            schema_version: find("tcs.schema_version")?.parse().map_err(|_| "`tcs.schema_version` is not a number".to_owned())?,
            tool_version: find("tcs.tool_version")?,
            job_hash: find("tcs.job_hash")?,
            seed: find("tcs.seed")?.parse().map_err(|_| "`tcs.seed` is not a number".to_owned())?,
        })
    };
    parse().map_err(|what: String| TableError::Content { path: path.to_owned(), table: "table", what })
}

/// Reads `embeddings.parquet`, at most `limit` rows of it.
///
/// # Errors
/// As [`read`].
pub fn read_embeddings(path: &Path, limit: usize) -> Result<Vec<EmbeddingRecord>, TableError> {
    read_where(path, limit, |_| true)
}

fn open(path: &Path, table: &'static str) -> Result<ParquetRecordBatchReaderBuilder<File>, TableError> {
    let file = File::open(path).map_err(|source| atomic::FileError::new("read", path, source))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| TableError::Content {
        path: path.to_owned(),
        table,
        what: error.to_string(),
    })
}

fn encode(batch: &RecordBatch, provenance: &Provenance) -> parquet::errors::Result<Vec<u8>> {
    let pairs = [
        ("tcs.schema_version", provenance.schema_version.to_string()),
        ("tcs.tool_version", provenance.tool_version.clone()),
        ("tcs.job_hash", provenance.job_hash.clone()),
        ("tcs.seed", provenance.seed.to_string()),
    ];
    let properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_key_value_metadata(Some(pairs.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect()))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.into_inner()
}

/// Joins columns to a batch; the schema follows from them.
fn batch_of(columns: Vec<cell::Column>, n_rows: usize) -> Result<RecordBatch, String> {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().map(|column| (column.field, column.array)).unzip();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(n_rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
