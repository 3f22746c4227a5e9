//! `metrics.parquet` of both folders, joined on a hash of each row's key.
//!
//! A row is held as the 128-bit hash of its key (BLAKE3), its place and its four numbers: 60 bytes, whatever the names are. Both
//! sides are sorted by hash and place and walked in step, so the n-th row of a key goes with the n-th of it in the other folder.
//! The names of the few rows that are told of are read again at the end.

use super::{Change, Found, Key, LARGEST, MOST_NAMED, Tolerance, Tolerances, tolerance};
use crate::report::ReportError;
use crate::table::{MetricRecord, Table, TableError, atomic::FileError};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;

/// What identifies a row. A value in another unit of measure is another value.
const KEY: [&str; 7] = ["dataset", "unit", "metric", "statistic", "source", "target", "unit_of_measure"];
/// Places of metric and statistic in [`KEY`].
const NAME: [usize; 2] = [2, 3];
/// What is compared of it.
const VALUES: [&str; 4] = ["value", "ci_low", "ci_high", "p_value"];
/// How many changes are held before the small ones are let go.
const MOST_HELD: usize = 10_000;

/// How many numbers changed, and what was found: the largest changes only.
pub(super) fn metrics(
    base: &Path,
    out: &Path,
    tolerances: &Tolerances,
    names: &mut BTreeSet<String>,
) -> Result<(usize, Found<Change>), ReportError> {
    let [base, out] = [base, out].map(|folder| folder.join(MetricRecord::FILE));
    let (before, now) = rayon::join(|| Side::read(&base), || Side::read(&out));
    let (before, now) = (before?, now?);
    for [metric, statistic] in before.names.iter().chain(&now.names) {
        names.extend([metric.clone(), format!("{metric}.{statistic}")]);
    }
    let walked = walk(&before, &now, tolerances);
    let lost = keys(&base, &walked.missing)?;
    let gained = keys(&out, &walked.new)?;
    let changed = keys(&base, &walked.largest.iter().map(|change| change.rows[0]).collect::<Vec<_>>())?;
    let in_order = |rows: &[usize], keys: &BTreeMap<usize, Key>| rows.iter().filter_map(|row| keys.get(row).cloned()).collect();
    let change = |at: &Differing| {
        Some(Change {
            key: changed.get(&at.rows[0])?.clone(),
            column: VALUES[at.column],
            base: before.number(at.rows[0], at.column),
            out: now.number(at.rows[1], at.column),
            // A changed value has no good direction that could be known here.
            regression: true,
        })
    };
    let found = Found {
        count: walked.count,
        changes: walked.largest.iter().filter_map(change).collect(),
        missing: in_order(&walked.missing, &lost),
        new: in_order(&walked.new, &gained),
    };
    Ok((walked.n_changes, found))
}

/// One table.
struct Side {
    /// Hash of the key and place of every row, sorted.
    rows: Vec<([u64; 2], usize)>,
    /// Which of `names`, by place.
    name: Vec<u32>,
    /// NaN where there is none, by place.
    numbers: Vec<[f64; VALUES.len()]>,
    /// Metric and statistic.
    names: Vec<[String; 2]>,
}

impl Side {
    fn read(path: &Path) -> Result<Self, TableError> {
        let columns: Vec<&str> = KEY.iter().chain(&VALUES).copied().collect();
        let (mut rows, mut name, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        let mut names = Names::default();
        let mut bytes = Vec::new();
        for_each_batch(path, &columns, None, |batch| {
            let cells = texts(batch)?;
            let first = numbers.len();
            numbers.resize(first + batch.num_rows(), [f64::NAN; VALUES.len()]);
            for (column, of) in VALUES.iter().enumerate() {
                let place = |row: usize, number: f64| numbers[first + row][column] = number;
                fill(batch.column_by_name(of).ok_or_else(|| format!("column `{of}` is missing"))?.as_ref(), place)
                    .map_err(|what| format!("column `{of}` {what}"))?;
            }
            for row in 0..batch.num_rows() {
                let key = cells.each_ref().map(|cells| cells.at(row));
                rows.push((hash(&key, &mut bytes), first + row));
                name.push(names.number(NAME.map(|at| key[at].unwrap_or_default())));
            }
            Ok(())
        })?;
        rows.sort_unstable();
        Ok(Self { rows, name, numbers, names: names.all })
    }

    fn number(&self, row: usize, column: usize) -> Option<f64> {
        Some(self.numbers[row][column]).filter(|number| !number.is_nan())
    }
}

/// Names that were seen, each with its number.
#[derive(Default)]
struct Names {
    all: Vec<[String; 2]>,
    known: HashMap<String, HashMap<String, u32>>,
}

impl Names {
    fn number(&mut self, [metric, statistic]: [&str; 2]) -> u32 {
        if let Some(&number) = self.known.get(metric).and_then(|known| known.get(statistic)) {
            return number;
        }
        let number = self.all.len() as u32;
        self.all.push([metric.to_owned(), statistic.to_owned()]);
        self.known.entry(metric.to_owned()).or_default().insert(statistic.to_owned(), number);
        number
    }
}

/// The first half of BLAKE3 of the cells, each behind its length; an empty cell is not an empty text.
fn hash(key: &[Option<&str>; KEY.len()], bytes: &mut Vec<u8>) -> [u64; 2] {
    bytes.clear();
    for cell in key {
        bytes.extend(cell.map_or(0, |text| text.len() as u32 + 1).to_le_bytes());
        bytes.extend(cell.unwrap_or_default().as_bytes());
    }
    let hash = blake3::hash(bytes);
    let half = |from: usize| hash.as_bytes()[from..from + 8].iter().rev().fold(0, |all, &byte| (all << 8) | u64::from(byte));
    [half(0), half(8)]
}

/// A number that differs: where, and how much.
struct Differing {
    rows: [usize; 2],
    column: usize,
    absolute: f64,
    relative: f64,
}

impl Differing {
    /// The largest first, then by place.
    fn order(&self, other: &Self) -> Ordering {
        let size = other.relative.total_cmp(&self.relative).then(other.absolute.total_cmp(&self.absolute));
        size.then_with(|| (self.rows, self.column).cmp(&(other.rows, other.column)))
    }
}

/// What a walk over both tables found; rows by place, in order.
#[derive(Default)]
struct Walked {
    count: super::Count,
    n_changes: usize,
    largest: Vec<Differing>,
    missing: Vec<usize>,
    new: Vec<usize>,
}

fn walk(base: &Side, out: &Side, tolerances: &Tolerances) -> Walked {
    let allowed: Vec<Tolerance> = base.names.iter().map(|[metric, statistic]| tolerances.of(metric, statistic)).collect();
    let mut walked = Walked::default();
    let (mut before, mut now) = (base.rows.iter().peekable(), out.rows.iter().peekable());
    loop {
        let order = match (before.peek(), now.peek()) {
            (Some((before, _)), Some((now, _))) => before.cmp(now),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        let lost = if order.is_le() { before.next() } else { None };
        let gained = if order.is_ge() { now.next() } else { None };
        match (lost, gained) {
            (Some(&(_, before)), Some(&(_, now))) => walked.both(base, out, [before, now], allowed[base.name[before] as usize]),
            (Some(&(_, row)), None) => walked.missing.push(row),
            (None, Some(&(_, row))) => walked.new.push(row),
            (None, None) => break,
        }
    }
    walked.count.worse = walked.count.changed;
    walked.count.missing = walked.missing.len();
    walked.count.new = walked.new.len();
    walked.keep(LARGEST);
    for rows in [&mut walked.missing, &mut walked.new] {
        rows.sort_unstable();
        rows.truncate(MOST_NAMED);
    }
    walked
}

impl Walked {
    fn both(&mut self, base: &Side, out: &Side, rows: [usize; 2], tolerance: Tolerance) {
        self.count.compared += 1;
        let before = self.n_changes;
        for column in 0..VALUES.len() {
            let (base, out) = (base.number(rows[0], column), out.number(rows[1], column));
            if tolerance.equal_or_absent(base, out) {
                continue;
            }
            let (absolute, relative) = match base.zip(out) {
                Some((base, out)) => ((out - base).abs(), tolerance::relative(base, out)),
                None => (f64::INFINITY, f64::INFINITY),
            };
            self.n_changes += 1;
            self.largest.push(Differing { rows, column, absolute, relative });
        }
        self.count.changed += usize::from(self.n_changes > before);
        if self.largest.len() >= MOST_HELD {
            self.keep(LARGEST);
        }
    }
    fn keep(&mut self, n: usize) {
        self.largest.sort_unstable_by(Differing::order);
        self.largest.truncate(n);
    }
}

/// The keys of rows.
fn keys(path: &Path, rows: &[usize]) -> Result<BTreeMap<usize, Key>, TableError> {
    let rows: BTreeSet<usize> = rows.iter().copied().collect();
    let mut found = BTreeMap::new();
    if rows.is_empty() {
        return Ok(found);
    }
    let mut places = rows.iter();
    for_each_batch(path, &KEY, Some(&rows), |batch| {
        let cells = texts(batch)?;
        for (row, &place) in (0..batch.num_rows()).zip(places.by_ref()) {
            let column = |at: usize| (KEY[at], cells[at].at(row).into());
            found.insert(place, Key::new("metrics", std::array::from_fn::<_, { KEY.len() }, _>(column)));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Reads columns of a table, a batch at a time; of the given rows only, if any are given.
///
/// The Arrow schema that a writer may have left in the file is not looked at, so text is text whether pandas, polars or DuckDB wrote it.
fn for_each_batch(
    path: &Path,
    columns: &[&str],
    rows: Option<&BTreeSet<usize>>,
    mut each: impl FnMut(&RecordBatch) -> Result<(), String>,
) -> Result<(), TableError> {
    let broken = |what: String| TableError::Content { path: path.to_owned(), table: MetricRecord::FILE, what };
    let file = File::open(path).map_err(|source| FileError::new("read", path, source))?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(|error| broken(error.to_string()))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let n_rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let mut builder = builder.with_projection(mask).with_batch_size(crate::table::BATCH_ROWS);
    if let Some(rows) = rows {
        builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(rows.iter().map(|&row| row..row + 1), n_rows));
    }
    for batch in builder.build().map_err(|error| broken(error.to_string()))? {
        each(&batch.map_err(|error| broken(error.to_string()))?).map_err(broken)?;
    }
    Ok(())
}

/// A column of text; none where it has no cell that is not empty.
struct Texts<'a>(Option<&'a StringArray>);

impl<'a> Texts<'a> {
    fn at(&self, row: usize) -> Option<&'a str> {
        self.0.filter(|array| array.is_valid(row)).map(|array| array.value(row))
    }
}

/// The columns of the key.
fn texts(batch: &RecordBatch) -> Result<[Texts<'_>; KEY.len()], String> {
    let mut columns = KEY.map(|_| Texts(None));
    for (column, name) in columns.iter_mut().zip(KEY) {
        let array = batch.column_by_name(name).ok_or_else(|| format!("column `{name}` is missing"))?;
        column.0 = array.as_string_opt::<i32>();
        if column.0.is_none() && array.logical_null_count() < array.len() {
            return Err(format!("column `{name}` holds {}, not text", array.data_type()));
        }
    }
    Ok(columns)
}

/// Hands over every number of a column with its row.
fn fill(array: &dyn Array, place: impl FnMut(usize, f64)) -> Result<(), String> {
    fn all<T: ArrowPrimitiveType>(array: &dyn Array, number: impl Fn(T::Native) -> f64, mut place: impl FnMut(usize, f64)) {
        let array = array.as_primitive::<T>();
        array.iter().enumerate().filter_map(|(row, cell)| Some((row, cell?))).for_each(|(row, cell)| place(row, number(cell)));
    }
    match array.data_type() {
        DataType::Float64 => all::<Float64Type>(array, |cell| cell, place),
        DataType::Float32 => all::<Float32Type>(array, f64::from, place),
        DataType::Int64 => all::<Int64Type>(array, |cell| cell as f64, place),
        DataType::Int32 => all::<Int32Type>(array, f64::from, place),
        _ if array.logical_null_count() == array.len() => {}
        other => return Err(format!("holds {other}, not numbers")),
    }
    Ok(())
}
