//! Neurodata Without Borders, version 2 (and spikes and series of version 1), on HDF5.
//!
//! Files are read by path and members, not by schema: extension types need not be known. What files in the wild get wrong
//! is mended where there is one right answer, with a note in the header, and refused with the place where there is none.

mod clock;
mod electrodes;
mod inspect;
mod series;
mod table;
mod units;
mod walk;

use super::filter::Column;
use super::hdf5::{File, Trains, absolute};
use super::{Format, Header, ReadError, Reader, Request, SignalKind};
use crate::data::{Content, Span};
use crate::spec::nearest;
use series::SeriesSource;
use table::Table;

/// The format.
pub static FORMAT: Format = Format {
    name: "nwb",
    summary: "Neurodata Without Borders 2.x (HDF5): units tables and time series",
    extensions: &["nwb"],
    signals: &[SignalKind::Spikes, SignalKind::Series],
    open,
    inspect: inspect::inspect,
};

/// Whether an HDF5 file calls itself NWB: by its root attribute (2.x) or its `/nwb_version` dataset (1.x).
pub fn is_nwb(path: &std::path::Path) -> bool {
    File::open(path).is_ok_and(|file| file.has_attribute("/", "nwb_version") || file.array("/nwb_version").is_some())
}

enum Body {
    Spikes(Trains),
    Series(SeriesSource),
}

struct NwbReader {
    header: Header,
    body: Body,
    // Last, so that arrays close before their file.
    file: File,
}

fn open(request: &Request) -> Result<Box<dyn Reader>, ReadError> {
    let file = File::open(&request.path)?;
    let (body, mut header, file) = match request.signal {
        SignalKind::Spikes => {
            let (trains, header) = units::open(&file, request)?;
            (Body::Spikes(trains), header, file)
        }
        SignalKind::Series => {
            let (source, header, file) = series::open(file, request)?;
            (Body::Series(source), header, file)
        }
        SignalKind::Points | SignalKind::Distances => {
            let error = file.error("unsupported", "an NWB file holds spikes and series, neither points nor distances");
            return Err(error.hint("read a plain matrix of it with format = \"hdf5\""));
        }
    };
    header.notes.extend(invalid_times(&file));
    Ok(Box::new(NwbReader { header, body, file }))
}

/// Stretches that the file's authors call invalid are not masked here; a user should know of them.
fn invalid_times(file: &File) -> Option<String> {
    let table = Table::open(file, "/intervals/invalid_times").filter(|table| table.rows > 0)?;
    let (Ok(Column::Number(start)), Ok(Column::Number(stop))) = (table.column(file, "start_time"), table.column(file, "stop_time")) else {
        return None;
    };
    let seconds: f64 = start.iter().zip(&stop).map(|(start, stop)| stop - start).filter(|length| *length > 0.0).sum();
    Some(format!("the file marks {} stretches ({seconds:.1} s) as invalid in intervals/invalid_times; they are not masked", table.rows))
}

impl Reader for NwbReader {
    fn header(&self) -> &Header {
        &self.header
    }

    fn read(&mut self, span: Option<Span>) -> Result<Content, ReadError> {
        match &mut self.body {
            Body::Series(source) => source.read(span, &self.header),
            Body::Spikes(trains) => {
                self.header.notes.extend(trains.load()?);
                self.header.span = trains.span();
                let file = &self.file;
                trains.read(span, |kind, what| file.error(kind, what))
            }
        }
    }

    fn interval_column(&self, table: &str, column: &str) -> Result<Vec<f64>, ReadError> {
        interval_column(&self.file, table, column)
    }
}

/// A column of an interval table, called by its path or its name under `/intervals`.
fn interval_column(file: &File, wanted: &str, column: &str) -> Result<Vec<f64>, ReadError> {
    let path = absolute(wanted);
    let found = Table::open(file, &path).or_else(|| Table::open(file, &format!("/intervals{path}")));
    let Some(table) = found else {
        let names: Vec<String> = file.members("/intervals").into_iter().map(|member| member.name).collect();
        let tables: Vec<Table> = names.iter().filter_map(|name| Table::open(file, &format!("/intervals/{name}"))).collect();
        let listed: Vec<String> =
            tables.iter().map(|table| format!("{} ({} rows)", table.path.trim_start_matches('/'), table.rows)).collect();
        let hint =
            if listed.is_empty() { "the file has no interval tables".to_owned() } else { format!("there are: {}", listed.join(", ")) };
        return Err(file.error("bad-value", format!("there is no interval table `{wanted}`")).hint(hint));
    };
    if !table.has(column) && column != "id" {
        let meant =
            nearest(column, table.columns.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let hint = format!("{meant}columns of its {} rows: {}", table.rows, table.columns.join(", "));
        return Err(file.error("bad-value", format!("the table has no column `{column}`")).at(&table.path).hint(hint));
    }
    match table.column(file, column)? {
        Column::Number(cells) => Ok(cells),
        Column::Bool(cells) => Ok(cells.into_iter().map(|cell| f64::from(u8::from(cell))).collect()),
        Column::Text(_) => Err(file.error("bad-value", format!("column `{column}` holds text, not times")).at(&table.path)),
    }
}
