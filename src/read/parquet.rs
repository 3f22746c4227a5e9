//! Numeric columns of Apache Parquet files (floats, integers, booleans), one row a sample, point or spike.
//!
//! Opening reads the footer, and the column `time` or `time_s` where there is one; a window decodes only the row groups that it
//! touches. Columns of other types are passed over unless `series` asks for them. Nested and list columns are refused.

use super::csv::{spike_columns, time_column};
use super::memory::{self, Clock, Layout, Source};
use super::{Format, Inspection, ReadError, Reader, Request, SeriesSummary, SignalKind};
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray, cast::AsArray};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The format's entry.
pub static FORMAT: Format = Format {
    name: "parquet",
    summary: "numeric columns of a Parquet table; a column time_s gives the clock",
    extensions: &["parquet", "pq"],
    signals: &[SignalKind::Series, SignalKind::Points, SignalKind::Distances, SignalKind::Spikes],
    open,
    inspect,
};

fn open(request: &Request) -> Result<Box<dyn Reader>, ReadError> {
    let path = &request.path;
    let mut table = Table::open(path)?;
    let names = table.names();
    if request.signal == SignalKind::Spikes {
        let (unit, time) = spike_columns(path, &names, true, &request.series)?;
        table.must_be_numeric(time)?;
        let units = table.texts(unit)?;
        let times = table.rows(&[time], 0, table.n_rows())?;
        if let Some(row) = times.iter().position(|time| !time.is_finite()) {
            return Err(ReadError::new(path, "not-finite", "a spike has no time")
                .at(table.place(time, row))
                .hint("fill it in or remove the row"));
        }
        return memory::spikes_reader(request, "parquet", units.into_iter().zip(times).collect(), Vec::new());
    }
    let time = time_column(&names).filter(|_| request.signal == SignalKind::Series);
    let columns = memory::pick(path, &names, &request.series, |index| Some(index) != time && table.is_numeric(index))?;
    for &(index, _) in &columns {
        table.must_be_numeric(index)?;
    }
    let mut notes = Vec::new();
    let skipped: Vec<_> = (0..names.len())
        .filter(|&index| request.series.is_empty() && !table.is_numeric(index))
        .map(|index| names[index].as_str())
        .collect();
    if !skipped.is_empty() {
        notes.push(format!("columns that hold no numbers are passed over: {}", skipped.join(", ")));
    }
    let clock = match time {
        Some(time) => {
            let (clock, note) = table.clock(time)?;
            notes.extend(note);
            clock
        }
        None => None,
    };
    if columns.is_empty() {
        return Err(ReadError::new(path, "no-series", format!("none of its columns ({}) hold numbers", names.join(", "))));
    }
    let layout = Layout { format: "parquet", columns, n_rows: table.n_rows(), clock, notes };
    memory::open(request, layout, Box::new(table))
}

fn inspect(path: &Path) -> Result<Inspection, ReadError> {
    let table = Table::open(path)?;
    let summary = |index: usize, name: String| SeriesSummary {
        path: name,
        kind: "columns".into(),
        shape: vec![table.n_rows()],
        dtype: numpy_name(table.data_type(index)),
        ..Default::default()
    };
    let series = table.names().into_iter().enumerate().map(|(index, name)| summary(index, name)).collect();
    Ok(Inspection { file: path.display().to_string(), format: "parquet".into(), series, ..Default::default() })
}

/// An open file: its footer, and the file to read row groups from.
struct Table {
    path: PathBuf,
    file: Arc<File>,
    metadata: ArrowReaderMetadata,
}

impl Table {
    fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|error| memory::io_error(path, &error))?;
        let metadata = guarded(path, || ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()))?;
        Ok(Self { path: path.to_owned(), file: Arc::new(file), metadata })
    }

    fn names(&self) -> Vec<String> {
        self.metadata.schema().fields().iter().map(|field| field.name().clone()).collect()
    }
    fn n_rows(&self) -> usize {
        usize::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }
    fn data_type(&self, column: usize) -> &DataType {
        self.metadata.schema().field(column).data_type()
    }
    fn is_numeric(&self, column: usize) -> bool {
        let data_type = self.data_type(column);
        *data_type == DataType::Boolean || (data_type.is_numeric() && !matches!(numpy_name(data_type).as_str(), "object" | "float16"))
    }
    fn must_be_numeric(&self, column: usize) -> Result<(), ReadError> {
        if self.is_numeric(column) {
            return Ok(());
        }
        let name = self.metadata.schema().field(column).name();
        let error = ReadError::new(&self.path, "unsupported", format!("column `{name}` holds {}, not numbers", self.data_type(column)));
        Err(match self.data_type(column) {
            data_type if data_type.is_nested() => error.hint("write one column a channel or coordinate instead of lists"),
            DataType::Timestamp(..) => error.hint("write times as seconds (float64)"),
            _ => error.hint("cast it to float64, or list numeric columns in `series`"),
        })
    }

    /// Hands over the arrays of `columns` for rows `first .. first + count`, part after part: position in `columns`, array.
    fn scan(
        &self,
        columns: &[usize],
        first: usize,
        count: usize,
        mut each: impl FnMut(usize, &dyn Array) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let (mut groups, mut skipped, mut row) = (Vec::new(), 0, 0);
        for (index, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let n = usize::try_from(group.num_rows()).unwrap_or(0);
            if row + n > first && row < first.saturating_add(count) {
                groups.push(index);
            } else if row < first {
                skipped += n;
            }
            row = row.saturating_add(n);
        }
        let file = self.file.try_clone().map_err(|error| memory::io_error(&self.path, &error))?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), columns.iter().copied());
        let mut batches = guarded(&self.path, || {
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_projection(mask)
                .with_row_groups(groups)
                .with_offset(first - skipped)
                .with_limit(count)
                .build()
        })?;
        // The reader gives each column once, in the file's order.
        let mut order: Vec<_> = columns.to_vec();
        order.sort_unstable();
        order.dedup();
        while let Some(batch) = guarded(&self.path, || batches.next().transpose())? {
            for (position, column) in columns.iter().enumerate() {
                let from = order.partition_point(|other| other < column);
                each(position, batch.column(from).as_ref())?;
            }
        }
        Ok(())
    }

    /// A column of ids as text.
    fn texts(&self, column: usize) -> Result<Vec<String>, ReadError> {
        let mut out = Vec::new();
        self.scan(&[column], 0, self.n_rows(), |_, array| {
            let missing = |row: usize| {
                ReadError::new(&self.path, "not-finite", "a spike has no unit")
                    .at(self.place(column, row))
                    .hint("fill it in or remove the row")
            };
            if let Some(row) = (0..array.len()).find(|&row| array.is_null(row)) {
                return Err(missing(out.len() + row));
            }
            match array.data_type() {
                DataType::Utf8 => out.extend(array.as_string::<i32>().iter().flatten().map(str::to_owned)),
                DataType::LargeUtf8 => out.extend(array.as_string::<i64>().iter().flatten().map(str::to_owned)),
                DataType::Utf8View => out.extend(array.as_string_view().iter().flatten().map(str::to_owned)),
                _ => {
                    self.must_be_numeric(column)?;
                    let ids = numbers(array).unwrap_or_default();
                    if let Some(row) = ids.iter().position(|id| !id.is_finite()) {
                        return Err(missing(out.len() + row));
                    }
                    out.extend(ids.iter().map(f64::to_string));
                }
            }
            Ok(())
        })?;
        Ok(out)
    }

    fn clock(&mut self, time: usize) -> Result<(Option<Clock>, Option<String>), ReadError> {
        self.must_be_numeric(time)?;
        let times_s = self.rows(&[time], 0, self.n_rows())?;
        let largest_s = times_s.iter().fold(0.0, |largest: f64, time| largest.max(time.abs()));
        let resolution_s = if *self.data_type(time) == DataType::Float32 { largest_s * f64::from(f32::EPSILON) } else { 0.0 };
        memory::regular_clock(&self.path, &times_s, resolution_s, |row| self.place(time, row))
    }
}

impl Source for Table {
    fn rows(&mut self, columns: &[usize], first: usize, count: usize) -> Result<Vec<f64>, ReadError> {
        let mut out: Vec<Vec<f64>> = vec![Vec::new(); columns.len()];
        self.scan(columns, first, count, |position, array| {
            out[position]
                .extend(numbers(array).ok_or_else(|| ReadError::new(&self.path, "damaged", "a column changed its type on the way"))?);
            Ok(())
        })?;
        if let Some(short) = out.iter().find(|column| column.len() != count) {
            return Err(ReadError::new(&self.path, "truncated", format!("its footer promises {count} rows here, {} came", short.len())));
        }
        Ok(out.concat())
    }
    fn place(&self, column: usize, row: usize) -> String {
        format!("column `{}`, row {row}", self.metadata.schema().field(column).name())
    }
}

/// What the decoder gives, or that the file is damaged. The decoder panics on some flipped bytes, which must cost no more than this file.
fn guarded<T, E: std::fmt::Display>(path: &Path, decode: impl FnOnce() -> Result<T, E>) -> Result<T, ReadError> {
    let damaged = |why: String| {
        ReadError::new(path, "damaged", format!("it cannot be read as Parquet: {why}"))
            .hint("it may be truncated or of another format; copy or write it again")
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode)) {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(error)) => Err(damaged(error.to_string())),
        Err(_) => Err(damaged("its bytes lead the decoder astray".to_owned())),
    }
}

/// An array's values, NaN where they are null; `None` for a type that is not numeric.
fn numbers(array: &dyn Array) -> Option<Vec<f64>> {
    fn of<T: ArrowPrimitiveType>(array: &dyn Array, number: impl Fn(T::Native) -> f64) -> Option<Vec<f64>> {
        let array: &PrimitiveArray<T> = array.as_primitive_opt::<T>()?;
        Some(array.iter().map(|value| value.map_or(f64::NAN, &number)).collect())
    }
    match array.data_type() {
        DataType::Boolean => {
            Some(array.as_boolean().iter().map(|value| value.map_or(f64::NAN, |value| f64::from(u8::from(value)))).collect())
        }
        DataType::Float64 => of::<Float64Type>(array, |value| value),
        DataType::Float32 => of::<Float32Type>(array, f64::from),
        DataType::Int8 => of::<Int8Type>(array, f64::from),
        DataType::Int16 => of::<Int16Type>(array, f64::from),
        DataType::Int32 => of::<Int32Type>(array, f64::from),
        DataType::Int64 => of::<Int64Type>(array, |value| value as f64),
        DataType::UInt8 => of::<UInt8Type>(array, f64::from),
        DataType::UInt16 => of::<UInt16Type>(array, f64::from),
        DataType::UInt32 => of::<UInt32Type>(array, f64::from),
        DataType::UInt64 => of::<UInt64Type>(array, |value| value as f64),
        _ => None,
    }
}

fn numpy_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "bool".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "str".to_owned(),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => data_type.to_string().to_lowercase(),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => data_type.to_string().to_lowercase(),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => data_type.to_string().to_lowercase(),
        _ => "object".to_owned(),
    }
}
