//! What npy, csv and parquet share: a table of numbers (rows × columns) becomes a series, points or distances.
//!
//! The formats say how rows are fetched ([`Source`]); filters, the clock, windows and the search for values that are not finite
//! stand here once. Spike trains that are in memory stand in [`spikes_reader`].

use super::{Channel, Condition, Filter, Header, ReadError, Reader, Request, SignalKind};
use crate::data::{Content, DistanceMatrix, Points, Series, Span, SpikeTrain, Spikes};
use crate::spec::suggest;
use std::path::{Path, PathBuf};

/// Fetches rows of an open file.
pub(super) trait Source: Send {
    /// Rows `first .. first + count` of `columns` (indices into the file's columns), column after column. Values that are
    /// missing come as NaN.
    fn rows(&mut self, columns: &[usize], first: usize, count: usize) -> Result<Vec<f64>, ReadError>;
    /// Where a value stands, for messages (`"line 7, column 2"`).
    fn place(&self, column: usize, row: usize) -> String;
}

/// The clock of a table's rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Clock {
    /// Time of the first row, seconds.
    pub start_s: f64,
    /// Rows a second.
    pub rate_hz: f64,
}

/// What is known of a table before its values are read.
pub(super) struct Layout {
    /// Name of the format, for messages.
    pub format: &'static str,
    /// Columns to use: index in the file and name.
    pub columns: Vec<(usize, String)>,
    /// Number of rows.
    pub n_rows: usize,
    /// The clock that the file gives.
    pub clock: Option<Clock>,
    /// What a user should know.
    pub notes: Vec<String>,
}

/// Opens a table as what `request` asks for.
///
/// # Errors
/// When a filter names a column that there is not or leaves nothing, a series has no rate, or the shape is not a distance matrix.
pub(super) fn open(request: &Request, layout: Layout, source: Box<dyn Source>) -> Result<Box<dyn Reader>, ReadError> {
    let Layout { format, columns, n_rows, clock, mut notes } = layout;
    let path = &request.path;
    if n_rows == 0 || columns.is_empty() {
        return Err(ReadError::new(path, "bad-value", "the file holds no numbers").hint("give it at least one row and one column"));
    }
    let n_channels_total = columns.len();
    let columns = keep_columns(request, format, columns)?;
    let mut channels: Vec<_> = columns.iter().map(|(_, name)| Channel { name: name.clone(), location: None }).collect();
    let (mut rate_hz, mut span, mut n_samples) = (None, Span { start_s: 0.0, stop_s: 0.0 }, n_rows);
    match request.signal {
        SignalKind::Series => {
            let clock = clock_of(request, clock, &mut notes)?;
            rate_hz = Some(clock.rate_hz);
            span = Span { start_s: clock.start_s, stop_s: clock.start_s + n_rows as f64 / clock.rate_hz };
            if n_rows < n_channels_total {
                notes.push(format!(
                    "{n_rows} samples of {n_channels_total} channels: rows are time; transpose the table if its rows are channels"
                ));
            }
        }
        SignalKind::Points => {}
        SignalKind::Distances => {
            n_samples = n_points(path, n_rows, columns.len())?;
            channels = (0..n_samples).map(|point| Channel { name: format!("p{point}"), location: None }).collect();
        }
        SignalKind::Spikes => return Err(unsupported_signal(path, format, "spikes")),
    }
    let n_channels_total = if request.signal == SignalKind::Distances { n_samples } else { n_channels_total };
    let header = Header {
        channels,
        n_channels_total,
        rate_hz,
        n_samples: Some(n_samples),
        span,
        unit_of_measure: String::new(),
        notes,
        groups: Vec::new(),
        excluded: Vec::new(),
    };
    Ok(Box::new(TableReader { path: path.clone(), format, signal: request.signal, columns, n_rows, header, source }))
}

struct TableReader {
    path: PathBuf,
    format: &'static str,
    signal: SignalKind,
    columns: Vec<(usize, String)>,
    n_rows: usize,
    header: Header,
    source: Box<dyn Source>,
}

impl Reader for TableReader {
    fn header(&self) -> &Header {
        &self.header
    }

    fn read(&mut self, span: Option<Span>) -> Result<Content, ReadError> {
        let path = self.path.clone();
        let broken = |error: crate::data::DataError| ReadError::new(&path, "bad-value", error.to_string());
        match (self.signal, self.header.rate_hz) {
            (SignalKind::Series, Some(rate_hz)) => {
                let (first, count) = match span {
                    Some(span) => sample_range(&self.path, &self.header, rate_hz, span)?,
                    None => (0, self.n_rows),
                };
                let values = self.finite_rows(first, count)?;
                let names = self.columns.iter().map(|(_, name)| name.clone()).collect();
                let start_s = self.header.span.start_s + first as f64 / rate_hz;
                Series::new(names, values, rate_hz, start_s, "").map(Content::Series).map_err(broken)
            }
            (SignalKind::Points, _) => {
                no_window(&self.path, "points", span)?;
                let values = transposed(&self.finite_rows(0, self.n_rows)?, self.n_rows);
                Points::new(values, self.columns.len()).map(Content::Points).map_err(broken)
            }
            _ => {
                no_window(&self.path, "distances", span)?;
                let values = transposed(&self.finite_rows(0, self.n_rows)?, self.n_rows);
                let n = self.header.channels.len();
                let square = self.n_rows == self.columns.len() && self.n_rows > 1;
                let matrix = if square { DistanceMatrix::from_square(n, &values) } else { DistanceMatrix::from_lower(n, values) };
                matrix.map(Content::Distances).map_err(broken)
            }
        }
    }

    fn interval_column(&self, table: &str, _column: &str) -> Result<Vec<f64>, ReadError> {
        Err(no_intervals(&self.path, self.format, table))
    }
}

impl TableReader {
    /// The rows, column after column, or where the first value stands that is not finite.
    fn finite_rows(&mut self, first: usize, count: usize) -> Result<Vec<f64>, ReadError> {
        let indices: Vec<_> = self.columns.iter().map(|&(index, _)| index).collect();
        let values = self.source.rows(&indices, first, count)?;
        let Some(at) = values.iter().position(|value| !value.is_finite()) else { return Ok(values) };
        let (column, row) = (at / count, first + at % count);
        let name = &self.columns[column].1;
        let what = match self.header.rate_hz {
            Some(rate_hz) => {
                let time_s = self.header.span.start_s + row as f64 / rate_hz;
                format!("channel `{name}` holds {} in row {row} ({time_s:.6} s)", values[at])
            }
            None => format!("column `{name}` holds {} in row {row}", values[at]),
        };
        Err(ReadError::new(&self.path, "not-finite", what)
            .at(self.source.place(indices[column], row))
            .hint("fill in or cut out what is missing, or choose a window without it"))
    }
}

/// Values that are in memory, column after column, with the line of every row where the format has lines.
pub(super) struct Columns {
    /// One vector a column of the file.
    pub values: Vec<Vec<f64>>,
    /// Line of each row, from 1.
    pub lines: Vec<u32>,
}

impl Source for Columns {
    fn rows(&mut self, columns: &[usize], first: usize, count: usize) -> Result<Vec<f64>, ReadError> {
        Ok(columns.iter().flat_map(|&column| self.values[column][first..first + count].iter().copied()).collect())
    }
    fn place(&self, column: usize, row: usize) -> String {
        format!("line {}, column {}", self.lines[row], column + 1)
    }
}

/// The columns that `request.series` lists (all when it lists none) and the channel filter keeps.
fn keep_columns(request: &Request, format: &str, columns: Vec<(usize, String)>) -> Result<Vec<(usize, String)>, ReadError> {
    let path = &request.path;
    let Filter { conditions, every, .. } = &request.channels;
    if request.signal == SignalKind::Distances && (!conditions.is_empty() || *every > 1) {
        return Err(ReadError::new(path, "unsupported", "a distance matrix has no channels to filter").hint("remove `channels`"));
    }
    for (column, _) in conditions {
        if column != "name" && column != "location" {
            return Err(ReadError::new(
                path,
                "bad-value",
                format!("`channels` filters on `{column}`, but a {format} file has no such column"),
            )
            .hint("its channels have a `name` only; use `every` to thin them out"));
        }
    }
    let total = columns.len();
    let keeps = |name: &str| conditions.iter().all(|(column, condition)| column == "name" && holds(condition, name));
    let kept: Vec<_> = columns.into_iter().filter(|(_, name)| keeps(name)).step_by((*every).max(1)).collect();
    if kept.is_empty() {
        let why = if conditions.iter().any(|(column, _)| column == "location") {
            format!("a {format} file does not say where its channels lie; remove `location`")
        } else {
            "loosen the filter".to_owned()
        };
        return Err(ReadError::new(path, "no-series", format!("`channels` keeps none of the {total} channels")).hint(why));
    }
    Ok(kept)
}

/// Picks `wanted` from `names` in the order asked for; all of `names` that `usable` allows when nothing is asked for.
pub(super) fn pick(
    path: &Path,
    names: &[String],
    wanted: &[String],
    usable: impl Fn(usize) -> bool,
) -> Result<Vec<(usize, String)>, ReadError> {
    if wanted.is_empty() {
        return Ok(names.iter().cloned().enumerate().filter(|&(index, _)| usable(index)).collect());
    }
    let find = |name: &String| {
        let index = names.iter().position(|known| known == name).ok_or_else(|| {
            let known: Vec<_> = names.iter().map(String::as_str).collect();
            ReadError::new(path, "no-series", format!("there is no column `{name}`")).hint(suggest(name, &known))
        })?;
        Ok((index, name.clone()))
    };
    wanted.iter().map(find).collect()
}

/// Whether a cell fulfils a condition; numbers compare by value.
pub(super) fn holds(condition: &Condition, cell: &str) -> bool {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    match condition {
        Condition::OneOf(texts) => {
            texts.iter().any(|text| super::filter::matches(text, cell) || number(text).is_some_and(|wanted| number(cell) == Some(wanted)))
        }
        Condition::AtLeast(least) => number(cell).is_some_and(|value| value >= *least),
        Condition::AtMost(most) => number(cell).is_some_and(|value| value <= *most),
        Condition::NoneOf(texts) => !holds(&Condition::OneOf(texts.clone()), cell),
        Condition::Present => !cell.trim().is_empty(),
    }
}

fn clock_of(request: &Request, clock: Option<Clock>, notes: &mut Vec<String>) -> Result<Clock, ReadError> {
    match (clock, request.sampling_rate_hz) {
        (Some(clock), asked) => {
            if let Some(asked) = asked.filter(|asked| (asked / clock.rate_hz - 1.0).abs() > 0.01) {
                notes.push(format!("the time column gives {} Hz, sampling_rate_hz says {asked}; the time column is used", clock.rate_hz));
            }
            Ok(clock)
        }
        (None, Some(rate_hz)) if rate_hz.is_finite() && rate_hz > 0.0 => Ok(Clock { start_s: 0.0, rate_hz }),
        (None, Some(rate_hz)) => {
            Err(ReadError::new(&request.path, "bad-value", format!("sampling_rate_hz must be greater than 0, not {rate_hz}")))
        }
        (None, None) => Err(ReadError::new(&request.path, "bad-value", "the file does not say its sampling rate")
            .hint("set sampling_rate_hz in the dataset")),
    }
}

/// The clock that a column of times gives.
///
/// `resolution_s` is the step to which the times were rounded when they were written (0: not at all). Steps may differ by 1e-6 of
/// the median step, or else by that rounding if it is below a tenth of the step, which is noted.
///
/// # Errors
/// The first row that does not follow at the median step.
pub(super) fn regular_clock(
    path: &Path,
    times_s: &[f64],
    resolution_s: f64,
    place: impl Fn(usize) -> String,
) -> Result<(Option<Clock>, Option<String>), ReadError> {
    if let Some(row) = times_s.iter().position(|time| !time.is_finite()) {
        return Err(ReadError::new(path, "not-finite", format!("the time of row {row} is {}", times_s[row])).at(place(row)));
    }
    let (Some(&start_s), Some(&last_s)) = (times_s.first(), times_s.last()) else { return Ok((None, None)) };
    if times_s.len() < 2 {
        return Ok((None, None));
    }
    let mut steps: Vec<_> = times_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let middle = steps.len() / 2;
    let step_s = *steps.select_nth_unstable_by(middle, f64::total_cmp).1;
    // Far from 0 a double itself rounds times: both ends of a step, and its expected end.
    let rounding_s = 4.0 * f64::EPSILON * start_s.abs().max(last_s.abs());
    let strict_s = 1e-6 * step_s.abs() + rounding_s;
    let breaks =
        |tolerance_s: f64| times_s.windows(2).position(|pair| !(pair[1] > pair[0] && (pair[1] - pair[0] - step_s).abs() <= tolerance_s));
    let (tolerance_s, note) = match breaks(strict_s) {
        None => (strict_s, None),
        Some(row) => {
            let loose_s = strict_s + 1.001 * resolution_s;
            if resolution_s > 0.1 * step_s || breaks(loose_s).is_some() {
                let row = if resolution_s > 0.1 * step_s { row } else { breaks(loose_s).unwrap_or(row) };
                let what = format!(
                    "the clock is not regular: after {} s comes {} s, where the step is {step_s:.9} s",
                    times_s[row],
                    times_s[row + 1]
                );
                return Err(ReadError::new(path, "bad-value", what)
                    .at(place(row + 1))
                    .hint("gaps are never joined: split the recording there or resample it"));
            }
            (loose_s, Some(format!("its times are rounded to {resolution_s} s; the rate is that of the whole recording")))
        }
    };
    let length_s = last_s - start_s;
    let rate_hz = snapped((times_s.len() - 1) as f64 / length_s, 2.0 * tolerance_s / length_s);
    Ok((Some(Clock { start_s, rate_hz }), note))
}

/// The roundest rate within `relative` of `rate_hz`: times written in decimals rarely give 250 Hz exactly.
fn snapped(rate_hz: f64, relative: f64) -> f64 {
    let near = |candidate: f64| candidate > 0.0 && (candidate / rate_hz - 1.0).abs() <= relative;
    [1.0, 10.0, 100.0, 1000.0].iter().map(|scale| (rate_hz * scale).round() / scale).find(|&candidate| near(candidate)).unwrap_or(rate_hz)
}

/// First sample and number of samples of a window: `round((start - t0) rate)` and `round(length rate)`.
///
/// # Errors
/// When it reaches outside the recording or holds no sample.
pub(super) fn sample_range(path: &Path, header: &Header, rate_hz: f64, span: Span) -> Result<(usize, usize), ReadError> {
    let first = ((span.start_s - header.span.start_s) * rate_hz).round();
    let count = (span.length_s() * rate_hz).round();
    let n_samples = header.n_samples.unwrap_or(0);
    if !(first >= 0.0 && count >= 1.0 && first + count <= n_samples as f64) {
        return Err(outside(path, header.span, span));
    }
    Ok((first as usize, count as usize))
}

/// The error about a window that a recording does not hold.
pub(super) fn outside(path: &Path, recording: Span, window: Span) -> ReadError {
    let what = format!(
        "the window from {} s to {} s is not inside the recording, which runs from {} s to {} s",
        window.start_s, window.stop_s, recording.start_s, recording.stop_s
    );
    ReadError::new(path, "outside", what).hint("set start_s and stop_s of `window` within the recording")
}

/// Refuses a window where there is no clock.
pub(super) fn no_window(path: &Path, signal: &str, span: Option<Span>) -> Result<(), ReadError> {
    match span {
        None => Ok(()),
        Some(_) => Err(ReadError::new(path, "outside", format!("{signal} have no clock to cut a window from")).hint("remove `window`")),
    }
}

/// The error about an interval table where the format has none.
pub(super) fn no_intervals(path: &Path, format: &str, table: &str) -> ReadError {
    ReadError::new(path, "no-series", format!("there is no table `{table}`: a {format} dataset has no interval tables"))
        .hint("give `window` with length_s and step_s instead of `around`")
}

/// The error about a signal that a format cannot hold.
pub(super) fn unsupported_signal(path: &Path, format: &str, signal: &str) -> ReadError {
    ReadError::new(path, "unsupported", format!("a {format} file cannot be read as {signal}")).hint("change `signal` or convert the file")
}

/// Opens a file that cannot be found or read with the fitting kind.
pub(super) fn io_error(path: &Path, error: &std::io::Error) -> ReadError {
    match error.kind() {
        std::io::ErrorKind::NotFound => ReadError::new(path, "missing", "there is no such file").hint("paths are relative to the job file"),
        std::io::ErrorKind::UnexpectedEof => ReadError::new(path, "truncated", "the file ends too early").hint("copy or write it again"),
        _ => ReadError::new(path, "damaged", format!("it cannot be read: {error}")),
    }
}

/// Number of points of a distance matrix of this shape: square, or one row or column that is a lower triangle.
fn n_points(path: &Path, n_rows: usize, n_columns: usize) -> Result<usize, ReadError> {
    if n_rows == n_columns && n_rows > 1 {
        return Ok(n_rows);
    }
    let length = n_rows * n_columns;
    if n_rows == 1 || n_columns == 1 {
        let n = ((1.0 + (1.0 + 8.0 * length as f64).sqrt()) / 2.0).round() as usize;
        if n * (n - 1) / 2 == length {
            return Ok(n);
        }
        return Err(ReadError::new(
            path,
            "bad-value",
            format!("{length} values are not a lower triangle: no n gives n (n - 1) / 2 of them"),
        )
        .hint("write the triangle without the diagonal, row by row, or the square matrix"));
    }
    Err(ReadError::new(path, "bad-value", format!("{n_rows} rows × {n_columns} columns are neither a square matrix nor a triangle"))
        .hint("write the square matrix, or its lower triangle without the diagonal as one row or column"))
}

fn transposed(values: &[f64], n_rows: usize) -> Vec<f64> {
    (0..n_rows).flat_map(|row| values.iter().skip(row).step_by(n_rows).copied()).collect()
}

/// Makes a reader of spikes given as (unit, time) pairs in any order; units are sorted by number, then by name.
///
/// The recording is taken to run from 0 (or the first spike, if that is earlier) to just after the last spike.
///
/// # Errors
/// When there is no spike, or the unit filter names an unknown column or keeps nothing.
pub(super) fn spikes_reader(
    request: &Request,
    format: &'static str,
    pairs: Vec<(String, f64)>,
    mut notes: Vec<String>,
) -> Result<Box<dyn Reader>, ReadError> {
    let path = &request.path;
    let mut by_unit = std::collections::BTreeMap::<UnitKey, Vec<f64>>::new();
    for (unit, time_s) in pairs {
        by_unit.entry(UnitKey::new(unit)).or_default().push(time_s);
    }
    let (mut first, mut last) = (0.0_f64, f64::NEG_INFINITY);
    for times_s in by_unit.values_mut() {
        times_s.sort_by(f64::total_cmp);
        first = first.min(times_s[0]);
        last = last.max(times_s[times_s.len() - 1]);
    }
    if by_unit.is_empty() {
        return Err(ReadError::new(path, "no-units", "the file holds no spikes"));
    }
    let span = Span { start_s: first, stop_s: last.next_up() };
    notes.push("the file does not say how long the recording is: it is taken to end with its last spike".to_owned());
    let total = by_unit.len();
    let trains = keep_units(request, format, by_unit, span)?;
    let channels = trains.iter().map(|train| Channel { name: train.id.clone(), location: None }).collect();
    let spikes = Spikes::new(trains, span).map_err(|error| ReadError::new(path, "bad-value", error.to_string()))?;
    let header = Header {
        channels,
        n_channels_total: total,
        rate_hz: None,
        n_samples: None,
        span,
        unit_of_measure: String::new(),
        notes,
        groups: Vec::new(),
        excluded: Vec::new(),
    };
    Ok(Box::new(ContentReader { path: path.clone(), format, header, content: Content::Spikes(spikes) }))
}

fn keep_units(
    request: &Request,
    format: &str,
    by_unit: std::collections::BTreeMap<UnitKey, Vec<f64>>,
    span: Span,
) -> Result<Vec<SpikeTrain>, ReadError> {
    let Filter { conditions, every, .. } = &request.units;
    for (column, _) in conditions {
        if !["id", "name", "unit", "rate_hz"].contains(&column.as_str()) {
            return Err(ReadError::new(
                &request.path,
                "bad-value",
                format!("`units` filters on `{column}`, but a {format} file has no such column"),
            )
            .hint("its units have `id` and `rate_hz`"));
        }
    }
    let total = by_unit.len();
    let keeps = |id: &str, count: usize| {
        conditions.iter().all(|(column, condition)| match column.as_str() {
            "rate_hz" => holds(condition, &(count as f64 / span.length_s()).to_string()),
            _ => holds(condition, id),
        })
    };
    let trains: Vec<_> = by_unit
        .into_iter()
        .filter(|(key, times_s)| keeps(&key.name, times_s.len()))
        .step_by((*every).max(1))
        .map(|(key, times_s)| SpikeTrain { id: key.name, location: None, times_s })
        .collect();
    if trains.is_empty() {
        return Err(ReadError::new(&request.path, "no-units", format!("`units` keeps none of the {total} units")).hint("loosen the filter"));
    }
    Ok(trains)
}

/// Orders unit ids as people do: 2 before 10, numbers before names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnitKey {
    number: (bool, i64),
    name: String,
}

impl UnitKey {
    fn new(name: String) -> Self {
        // `3.0` is how a table of floats writes unit 3.
        let number = name.parse::<f64>().ok().filter(|number| number.fract() == 0.0 && number.abs() < 9e15).map(|number| number as i64);
        match number {
            Some(number) => Self { number: (false, number), name: number.to_string() },
            None => Self { number: (true, 0), name },
        }
    }
}

/// A reader of what is already in memory.
pub(super) struct ContentReader {
    /// The file, or the model's name.
    pub path: PathBuf,
    /// Name of the format, for messages.
    pub format: &'static str,
    /// Its header.
    pub header: Header,
    /// All of it.
    pub content: Content,
}

impl Reader for ContentReader {
    fn header(&self) -> &Header {
        &self.header
    }
    fn read(&mut self, span: Option<Span>) -> Result<Content, ReadError> {
        cut(&self.path, &self.header, &self.content, span, End::LastSpike)
    }
    fn interval_column(&self, table: &str, _column: &str) -> Result<Vec<f64>, ReadError> {
        Err(no_intervals(&self.path, self.format, table))
    }
}

/// Whether a recording of spikes says how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It does (a simulation).
    Known,
    /// All that is known is its last spike.
    LastSpike,
}

/// One window of a content (all of it for `None`).
pub(super) fn cut(path: &Path, header: &Header, content: &Content, span: Option<Span>, end: End) -> Result<Content, ReadError> {
    let broken = |error: crate::data::DataError| ReadError::new(path, "bad-value", error.to_string());
    let Some(span) = span else { return Ok(content.clone()) };
    match content {
        Content::Spikes(spikes) => {
            // Spike times do not say how long was recorded: a window need only meet the recording, as with NWB.
            let meets = span.start_s < header.span.stop_s && span.stop_s > header.span.start_s && span.length_s() > 0.0;
            // Windows are counted up from a start in floating point: their ends may miss a known end by rounding.
            let slack_s = 1e-9 * header.span.length_s();
            let within = span.start_s >= header.span.start_s - slack_s && span.stop_s <= header.span.stop_s + slack_s;
            if !meets || (end == End::Known && !within) {
                return Err(outside(path, header.span, span));
            }
            spikes.cut(span).map(Content::Spikes).map_err(broken)
        }
        Content::Series(series) => {
            let (first, count) = sample_range(path, header, series.rate_hz(), span)?;
            let values = series.iter().flat_map(|channel| channel[first..first + count].iter().copied()).collect();
            let start_s = series.t_start_s() + first as f64 / series.rate_hz();
            Series::new(series.channels().to_vec(), values, series.rate_hz(), start_s, series.unit_of_measure())
                .map(Content::Series)
                .map_err(broken)
        }
        Content::Points(_) => no_window(path, "points", Some(span)).map(|()| content.clone()),
        Content::Distances(_) => no_window(path, "distances", Some(span)).map(|()| content.clone()),
    }
}
