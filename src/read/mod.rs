//! Readers: one file a format, one line in [`READERS`]. Every libhdf5 call of the project lives below this folder.
//!
//! Opening reads headers only. Bulk data are read a window at a time, and never more than the window needs.

pub mod bad;
mod csv;
pub mod filter;
pub mod hdf5;
mod jsonl;
mod memory;
mod npy;
pub mod nwb;
mod parquet;
pub mod remote;
pub mod simulate;

use crate::data::{Content, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the values of a dataset are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalKind {
    /// Spike times of units.
    Spikes,
    /// Regularly sampled channels.
    Series,
    /// A point cloud.
    Points,
    /// A distance matrix.
    Distances,
}

/// One condition on a column of a table; a row stays when all hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// The cell is one of these texts (numbers and booleans compare by their value: `"1"` equals `1.0`; `*` stands for any characters).
    OneOf(Vec<String>),
    /// The cell is a number of at least this.
    AtLeast(f64),
    /// The cell is a number of at most this.
    AtMost(f64),
    /// The cell is filled in, and none of these texts.
    NoneOf(Vec<String>),
    /// The cell is filled in.
    Present,
}

/// Which rows of a units or electrodes table to keep.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Filter {
    /// Conditions in the order of the job file: column and condition. `rate_hz` of a unit is its spike count over the recording's
    /// length, `location` of a unit is its own column or, where it has none, that of its electrode.
    pub conditions: Vec<(String, Condition)>,
    /// Keep every n-th of what is left (1: all).
    pub every: usize,
    /// Whether an empty cell (NaN, no text) meets every condition; else it meets none.
    pub keep_missing: bool,
}

/// A stretch of time that a file's authors call invalid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Excluded {
    /// From when to when, both inclusive.
    pub span: Span,
    /// What the file says of it.
    pub tags: Vec<String>,
    /// Whether it is about the stimulus alone: then it concerns windows around interval tables only.
    pub stimulus_only: bool,
}

/// What a dataset of a job asks of a file; every part checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The file.
    pub path: PathBuf,
    /// Further files of the same session.
    pub with: Vec<PathBuf>,
    /// What to read from it.
    pub signal: SignalKind,
    /// Which series, where there are several: an HDF5 path, or columns of a csv or parquet. Empty: the only one.
    pub series: Vec<String>,
    /// Units to keep.
    pub units: Filter,
    /// Channels to keep.
    pub channels: Filter,
    /// The sampling rate, for files that do not say.
    pub sampling_rate_hz: Option<f64>,
}

/// A channel or unit that a reader offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name or id.
    pub name: String,
    /// Brain area, where the file says.
    pub location: Option<String>,
}

/// What is known once a file is open and nothing bulky has been read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Channels or units that the filters keep, in the file's order. For points: coordinates; for distances: points.
    pub channels: Vec<Channel>,
    /// How many there were before the filters.
    pub n_channels_total: usize,
    /// Samples a second; `None` for spikes, points and distances.
    pub rate_hz: Option<f64>,
    /// Samples a channel, or number of points; `None` for spikes.
    pub n_samples: Option<usize>,
    /// The stretch of the clock that the recording covers (0 to 0 for points and distances).
    pub span: Span,
    /// Unit of measure of the values after conversion.
    pub unit_of_measure: String,
    /// What a user should know: units dropped, empty areas, clocks that disagree.
    pub notes: Vec<String>,
    /// The probe or electrode group of each channel, where the file says; else empty.
    pub groups: Vec<Option<String>>,
    /// Stretches that the file's authors call invalid and that concern these channels, in time.
    pub excluded: Vec<Excluded>,
}

/// An open file.
pub trait Reader: Send {
    /// What is in it, after filters.
    fn header(&self) -> &Header;
    /// Reads the whole (`None`) or one window. Spikes: those within; series: the samples from `round((start - t0) rate)`,
    /// `round(length rate)` of them.
    ///
    /// # Errors
    /// When the window lies outside the recording, a value is not finite, or the file is damaged.
    fn read(&mut self, span: Option<Span>) -> Result<Content, ReadError>;
    /// A numeric column of an interval table (`"intervals/trials"`, `"start_time"`), for windows around events.
    ///
    /// # Errors
    /// When there is no such table or column; the tables that exist are listed.
    fn interval_column(&self, table: &str, column: &str) -> Result<Vec<f64>, ReadError>;
    /// The rows of an interval table that meet conditions on its columns; for formats without such tables the error that says so.
    ///
    /// # Errors
    /// As [`Reader::interval_column`]; `no-windows` when no row is left.
    fn interval_rows(&self, table: &str, condition: &Filter) -> Result<Vec<usize>, ReadError> {
        let _ = condition;
        self.interval_column(table, "start_time").map(|column| (0..column.len()).collect())
    }
}

/// One file format.
pub struct Format {
    /// Its name in the job file.
    pub name: &'static str,
    /// One line for `--help`.
    pub summary: &'static str,
    /// File name endings that mean it, without the dot.
    pub extensions: &'static [&'static str],
    /// What its files can hold, the default first.
    pub signals: &'static [SignalKind],
    /// Opens a file.
    pub open: fn(&Request) -> Result<Box<dyn Reader>, ReadError>,
    /// Lists what a file holds, for `inspect`.
    pub inspect: fn(&Path) -> Result<Inspection, ReadError>,
}

/// All formats of this version.
pub static READERS: &[&Format] = &[&nwb::FORMAT, &hdf5::FORMAT, &npy::FORMAT, &csv::FORMAT, &parquet::FORMAT, &jsonl::FORMAT];

/// The format of a file: by its ending, else by its first bytes. A file that calls itself NWB in an HDF5 ending counts as NWB.
pub fn format_of(path: &Path) -> Option<&'static Format> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let by_ending = READERS.iter().copied().find(|format| format.extensions.contains(&ending.as_str()));
    let format = by_ending.or_else(|| by_first_bytes(path));
    match format {
        Some(format) if format.name == hdf5::FORMAT.name && IS_NWB.get().unwrap_or(&(nwb::is_nwb as IsNwb))(path) => Some(&nwb::FORMAT),
        format => format,
    }
}

/// Whether an HDF5 file calls itself NWB.
pub type IsNwb = fn(&Path) -> bool;

static IS_NWB: std::sync::OnceLock<IsNwb> = std::sync::OnceLock::new();

/// Lets `ask` tell which HDF5 files are NWB, instead of opening them here: for a process that a damaged file must not take with it.
pub fn set_is_nwb(ask: IsNwb) {
    let _ = IS_NWB.set(ask);
}

/// What to say of a path that is a folder: no recording is one that this version reads.
pub fn folder(path: &Path) -> Option<&'static str> {
    if !path.is_dir() {
        return None;
    }
    let zarr = [".zgroup", ".zarray", "zarr.json"].iter().any(|name| path.join(name).exists());
    Some(if zarr {
        "is a Zarr folder; NWB Zarr is not read: export it to HDF5 with hdmf-zarr"
    } else {
        "is a folder, not a file; give a file, or a pattern such as folder/*.nwb in a job's `source`"
    })
}

fn by_first_bytes(path: &Path) -> Option<&'static Format> {
    use std::io::Read;
    let mut first = [0; 8];
    std::fs::File::open(path).ok()?.read_exact(&mut first).ok()?;
    match &first {
        [0x89, b'H', b'D', b'F', b'\r', b'\n', 0x1a, b'\n'] => Some(&hdf5::FORMAT),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(&npy::FORMAT),
        [b'P', b'A', b'R', b'1', ..] => Some(&parquet::FORMAT),
        _ => None,
    }
}

/// Version of the HDF5 library that is linked in.
pub fn hdf5_version() -> String {
    let (major, minor, release) = ::hdf5::library_version();
    format!("{major}.{minor}.{release}")
}

/// Formats that the contract names and this version does not have yet.
pub const LATER: &[&str] = &["text"];

/// Why a file could not be read: what happened, where, and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("{}{}: {what}{}", path.display(), place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default(), hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// Where in it: an HDF5 path, a line and column.
    pub place: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
    /// A stable word for `error_kind`: `missing`, `not-hdf5`, `truncated`, `no-units`, `no-series`, `outside`, `not-finite`, `damaged`, `unsupported`, `bad-value`, `gap`, `clocks`, `session`.
    pub kind: String,
}

impl ReadError {
    /// An error of `kind` about `path`.
    pub fn new(path: &Path, kind: &str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), place: None, what: what.into(), hint: None, kind: kind.to_owned() }
    }
    /// The same with the place inside the file.
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }
    /// The same with what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What `inspect` prints (contract, section 1); parts that a file lacks are null or empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Inspection {
    /// The file's path as given.
    pub file: String,
    /// Name of the format.
    pub format: String,
    /// Version of NWB.
    pub nwb_version: Option<String>,
    /// The session.
    pub session: Option<Session>,
    /// The units table.
    pub units: Option<UnitsSummary>,
    /// Time series, arrays and column sets.
    pub series: Vec<SeriesSummary>,
    /// The electrodes table.
    pub electrodes: Option<ElectrodesSummary>,
    /// Interval tables.
    pub intervals: Vec<TableSummary>,
    /// What is wrong with the file, by path.
    pub problems: Vec<Problem>,
}

/// The session of an NWB file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Session {
    /// `/identifier`.
    pub identifier: Option<String>,
    /// `/session_start_time` as written.
    pub start_time: Option<String>,
    /// `/general/subject/species`.
    pub species: Option<String>,
}

/// A units table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct UnitsSummary {
    /// Number of units.
    pub count: usize,
    /// Number of spikes of all units.
    pub spikes_total: u64,
    /// Earliest spike, seconds.
    pub t_first_s: Option<f64>,
    /// Latest spike, seconds.
    pub t_last_s: Option<f64>,
    /// Names of the columns.
    pub columns: Vec<String>,
}

/// One series or array.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SeriesSummary {
    /// Path inside the file; empty for a file that is one array.
    pub path: String,
    /// `ElectricalSeries`, `TimeSeries`, `dataset`, `columns`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// As stored.
    pub shape: Vec<usize>,
    /// As numpy would name it.
    pub dtype: String,
    /// Null where timestamps are given.
    pub rate_hz: Option<f64>,
    /// First sample, seconds.
    pub t_start_s: Option<f64>,
    /// Last sample, seconds.
    pub t_stop_s: Option<f64>,
    /// Unit of measure as written.
    pub unit: Option<String>,
    /// Factor to the unit of measure.
    pub conversion: Option<f64>,
    /// Chunk shape; null when contiguous.
    pub chunks: Option<Vec<usize>>,
    /// Names of the filters in order.
    pub filters: Vec<String>,
}

/// An electrodes table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ElectrodesSummary {
    /// Number of electrodes.
    pub count: usize,
    /// How many there are of each location.
    pub locations: BTreeMap<String, usize>,
}

/// An interval table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TableSummary {
    /// Path inside the file.
    pub path: String,
    /// Number of rows.
    pub rows: usize,
    /// Names of the columns.
    pub columns: Vec<String>,
}

/// Something wrong with a file that does not stop it from being listed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Problem {
    /// Path inside the file.
    pub path: String,
    /// What is wrong.
    pub what: String,
}
