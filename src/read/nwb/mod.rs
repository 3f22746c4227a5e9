//! Neurodata Without Borders, version 2 (and spikes and series of version 1), on HDF5.
//!
//! Files are read by path and members, not by schema: extension types need not be known. What files in the wild get wrong
//! is mended where there is one right answer, with a note in the header, and refused with the place where there is none.

mod clock;
mod electrodes;
mod inspect;
mod intervals;
mod joined;
mod series;
mod session;
mod table;
mod units;
mod walk;

use super::hdf5::{File, Trains};
use super::{Filter, Format, Header, ReadError, Reader, Request, SignalKind};
use crate::data::{Content, Span};
use joined::Joined;
use series::SeriesSource;

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
    Joined(Joined),
}

struct NwbReader {
    header: Header,
    body: Body,
    // Last, so that arrays close before their files. The source of the dataset first.
    files: Vec<File>,
}

fn open(request: &Request) -> Result<Box<dyn Reader>, ReadError> {
    let mut files = vec![File::open(&request.path)?];
    let mut notes = Vec::new();
    files.extend(session::open_with(&files[0], &request.with, &mut notes)?);
    let (body, mut header) = match request.signal {
        SignalKind::Spikes => {
            let (trains, header) = open_spikes(&files, request)?;
            (Body::Spikes(trains), header)
        }
        SignalKind::Series => open_series(&mut files, request)?,
        SignalKind::Points | SignalKind::Distances => {
            let error = files[0].error("unsupported", "an NWB file holds spikes and series, neither points nor distances");
            return Err(error.hint("read a plain matrix of it with format = \"hdf5\""));
        }
    };
    header.notes.extend(notes);
    for file in &files {
        header.excluded.extend(session::excluded(file, &header.groups)?);
    }
    header.excluded.sort_by(|a, b| a.span.start_s.total_cmp(&b.span.start_s));
    if !header.excluded.is_empty() {
        let (n, seconds) = (header.excluded.len(), session::covered_s(&header.excluded));
        header.notes.push(format!("the file calls {n} stretches ({seconds:.1} s) of these channels invalid (intervals/invalid_times)"));
    }
    Ok(Box::new(NwbReader { header, body, files }))
}

/// Spikes of the first file that has units.
fn open_spikes(files: &[File], request: &Request) -> Result<(Trains, Header), ReadError> {
    let wanted = request.series.first().map(String::as_str);
    let has_units = |file: &&File| files.len() > 1 && units::find(file, wanted).is_ok();
    units::open(files.iter().find(has_units).unwrap_or(&files[0]), request)
}

fn open_series(files: &mut Vec<File>, request: &Request) -> Result<(Body, Header), ReadError> {
    let targets = joined::targets(files, request)?;
    let [(at, path)] = targets.as_slice() else {
        let (joined, header) = joined::open(files, &targets, request)?;
        return Ok((Body::Joined(joined), header));
    };
    let layout = request.series.iter().filter(|word| series::is_layout(word)).cloned();
    let one = Request { series: std::iter::once(path.clone()).chain(layout).collect(), ..request.clone() };
    // The series gets the file for itself, so that its chunk cache can be made to fit.
    let file = files.remove(*at);
    let (source, header, file) = series::open(file, &one)?;
    files.insert(*at, file);
    Ok((Body::Series(source), header))
}

impl Reader for NwbReader {
    fn header(&self) -> &Header {
        &self.header
    }

    fn read(&mut self, span: Option<Span>) -> Result<Content, ReadError> {
        match &mut self.body {
            Body::Series(source) => source.read(span, &self.header),
            Body::Joined(joined) => joined.read(span, &self.header),
            Body::Spikes(trains) => {
                self.header.notes.extend(trains.load()?);
                self.header.span = trains.span();
                let file = &self.files[0];
                trains.read(span, |kind, what| file.error(kind, what))
            }
        }
    }

    fn interval_column(&self, table: &str, column: &str) -> Result<Vec<f64>, ReadError> {
        intervals::times(&self.files, table, column)
    }

    fn interval_rows(&self, table: &str, condition: &Filter) -> Result<Vec<usize>, ReadError> {
        intervals::rows(&self.files, table, condition)
    }
}
