//! Plain HDF5: a matrix as series, points or distances, or a group of arrays as spike trains.

mod bulk;
mod failure;
mod marks;
mod matrix;
mod shim;
pub mod trace;
mod trains;

pub use bulk::cache::set_memory_share;
pub use matrix::{Layout, Matrix, channels, samples, series};
pub use shim::{Array, Element, File, FilterStep, Kind, Member, absolute, join};
pub use trains::{Source, Trains, extremes, ranges, span_of};

use super::{Channel, Format, Header, Inspection, Problem, ReadError, Reader, Request, SeriesSummary, SignalKind};
use super::{
    Filter,
    filter::{self, Column, Kept},
};
use crate::data::{Content, DistanceMatrix, Points, Span};
use std::collections::BTreeSet;
use std::path::Path;

/// The format.
pub static FORMAT: Format = Format {
    name: "hdf5",
    summary: "plain HDF5: a matrix (rows are time or points), or a group with one array of spike times a unit",
    extensions: &["h5", "hdf5", "hdf", "he5"],
    signals: &[SignalKind::Series, SignalKind::Spikes, SignalKind::Points, SignalKind::Distances],
    open,
    inspect,
};

enum Body {
    Spikes(Trains),
    Series(Matrix),
    Points(Matrix),
    Distances(Array),
}

struct HdfReader {
    header: Header,
    body: Body,
    // Last, so that arrays close before their file.
    file: File,
}

fn open(request: &Request) -> Result<Box<dyn Reader>, ReadError> {
    let file = File::open(&request.path)?;
    if request.signal == SignalKind::Spikes {
        let (trains, header) = open_spikes(&file, request)?;
        return Ok(Box::new(HdfReader { header, body: Body::Spikes(trains), file }));
    }
    let data = find_matrix(&file, request)?;
    data.check(1)?;
    match request.signal {
        SignalKind::Distances => {
            let header = plain_header(points_of(&data)?);
            Ok(Box::new(HdfReader { header, body: Body::Distances(data), file }))
        }
        SignalKind::Series => {
            let Some(rate_hz) = request.sampling_rate_hz else {
                return Err(data.error("bad-value", "a plain HDF5 file does not say its sampling rate").hint("give `sampling_rate_hz`"));
            };
            let (matrix, mut header, file) = open_matrix(file, data, request)?;
            let n = matrix.n_samples();
            header.span = Span { start_s: 0.0, stop_s: n as f64 / rate_hz };
            header.rate_hz = Some(rate_hz);
            header.n_samples = Some(n);
            Ok(Box::new(HdfReader { header, body: Body::Series(matrix), file }))
        }
        _ => {
            let (matrix, mut header, file) = open_matrix(file, data, request)?;
            header.n_samples = Some(matrix.n_samples());
            Ok(Box::new(HdfReader { header, body: Body::Points(matrix), file }))
        }
    }
}

fn plain_header(n: usize) -> Header {
    let channels: Vec<Channel> = (0..n).map(|at| Channel { name: at.to_string(), location: None }).collect();
    Header {
        n_channels_total: n,
        channels,
        rate_hz: None,
        n_samples: None,
        span: Span { start_s: 0.0, stop_s: 0.0 },
        unit_of_measure: String::new(),
        notes: Vec::new(),
        groups: Vec::new(),
        excluded: Vec::new(),
    }
}

fn open_matrix(file: File, data: Array, request: &Request) -> Result<(Matrix, Header, File), ReadError> {
    let layout = match request.series.get(1).map(String::as_str) {
        None | Some("time-first") => Layout::TimeFirst,
        Some("channels-first") => Layout::ChannelsFirst,
        Some(other) => return Err(file.error("bad-value", format!("`{other}` is no layout")).hint("known: time-first, channels-first")),
    };
    let mut matrix = Matrix::new(data, layout);
    let mut header = plain_header(matrix.columns.len());
    let kept = select(&file, &matrix.data.path, &request.channels, "channels", &header.channels, &[])?;
    header.unit_of_measure = matrix.data.text_attribute("unit").unwrap_or_default();
    header.channels = kept.rows.iter().map(|&column| header.channels[column].clone()).collect();
    header.notes.extend(kept.notes);
    if request.series.len() < 2 && matrix.data.shape.len() == 2 && matrix.data.shape[0] < matrix.data.shape[1] {
        header.notes.push(format!(
            "{} rows by {} columns: rows are taken as {}; if they are not, say so: series = [\"PATH\", \"channels-first\"]",
            matrix.data.shape[0],
            matrix.data.shape[1],
            match request.signal {
                SignalKind::Series => "time",
                _ => "points",
            }
        ));
    }
    matrix.scale.truncate(kept.rows.len());
    matrix.columns = kept.rows;
    let (matrix, file) = matrix.with_cache(file)?;
    Ok((matrix, header, file))
}

/// Chooses channels or units by `id` and further columns.
fn select(
    file: &File,
    place: &str,
    wanted: &Filter,
    rows_are: &str,
    all: &[Channel],
    more: &[(String, Column)],
) -> Result<Kept, ReadError> {
    let ids = || all.iter().map(|channel| Some(channel.name.clone())).collect();
    let column =
        |name: &str| Ok(more.iter().find(|(known, _)| known == name).map_or_else(|| Column::Text(ids()), |(_, cells)| cells.clone()));
    let names = std::iter::once("id".to_owned()).chain(more.iter().map(|(name, _)| name.clone())).collect();
    let view = filter::Table { path: file.path(), place, rows_are, n_rows: all.len(), names, column: &column };
    filter::select(wanted, &view)
}

/// What arrays of spike times say of their units: their rates over `length_s`, and their attributes.
fn unit_columns(arrays: &[Array], length_s: f64) -> Vec<(String, Column)> {
    let rates = arrays.iter().map(|array| if length_s > 0.0 { array.len() as f64 / length_s } else { 0.0 }).collect();
    let mut columns = vec![("rate_hz".to_owned(), Column::Number(rates))];
    let names: BTreeSet<String> = arrays.iter().flat_map(Array::attribute_names).collect();
    for name in names.into_iter().filter(|name| name != "id" && name != "rate_hz") {
        let numbers: Vec<Option<f64>> = arrays.iter().map(|array| array.number_attribute(&name)).collect();
        let texts: Vec<Option<String>> = arrays.iter().map(|array| array.text_attribute(&name)).collect();
        let column = if texts.iter().any(Option::is_some) {
            Column::Text(
                texts.into_iter().zip(numbers).map(|(text, number)| text.or_else(|| number.map(|number| number.to_string()))).collect(),
            )
        } else {
            Column::Number(numbers.into_iter().map(|number| number.unwrap_or(f64::NAN)).collect())
        };
        columns.push((name, column));
    }
    columns
}

/// Number of points of a distance matrix, from its shape.
fn points_of(data: &Array) -> Result<usize, ReadError> {
    match data.shape.as_slice() {
        [n, m] if n == m => Ok(*n),
        [length] => {
            // n (n - 1) / 2 = length
            let n = ((1.0 + (1.0 + 8.0 * *length as f64).sqrt()) / 2.0).round() as usize;
            let fits = n.saturating_mul(n.saturating_sub(1)) / 2 == *length;
            fits.then_some(n).ok_or_else(|| {
                data.error("bad-value", format!("{length} distances are no lower triangle")).hint("n points have n (n - 1) / 2")
            })
        }
        shape => Err(data.error("bad-value", format!("distances must be square or a lower triangle, not {shape:?}"))),
    }
}

impl Reader for HdfReader {
    fn header(&self) -> &Header {
        &self.header
    }

    fn read(&mut self, span: Option<Span>) -> Result<Content, ReadError> {
        match &mut self.body {
            Body::Spikes(trains) => {
                self.header.notes.extend(trains.load()?);
                self.header.span = trains.span();
                let file = &self.file;
                trains.read(span, |kind, what| file.error(kind, what))
            }
            Body::Series(matrix) => read_series(matrix, &self.header, span),
            Body::Points(matrix) => {
                let (n, dim) = (matrix.n_samples(), matrix.columns.len());
                let by_column = matrix.read(0..n)?;
                let values = (0..n * dim).map(|at| by_column[(at % dim) * n + at / dim]).collect();
                Points::new(values, dim).map(Content::Points).map_err(|error| matrix.data.error("not-finite", error.to_string()))
            }
            Body::Distances(data) => {
                let values = data.numbers()?;
                let n = points_of(data)?;
                let made =
                    if data.shape.len() == 2 { DistanceMatrix::from_square(n, &values) } else { DistanceMatrix::from_lower(n, values) };
                made.map(Content::Distances).map_err(|error| data.error("bad-value", error.to_string()))
            }
        }
    }

    fn interval_column(&self, _: &str, _: &str) -> Result<Vec<f64>, ReadError> {
        Err(self
            .file
            .error("unsupported", "plain HDF5 files have no interval tables")
            .hint("cut windows with `length_s`, or use an NWB file"))
    }
}

fn read_series(matrix: &Matrix, header: &Header, span: Option<Span>) -> Result<Content, ReadError> {
    let rate_hz = header.rate_hz.unwrap_or(f64::NAN);
    let n = matrix.n_samples();
    let rows = match span {
        None => 0..n,
        Some(span) => {
            let (first, wanted) = ((span.start_s * rate_hz).round(), (span.length_s() * rate_hz).round());
            if !(wanted >= 1.0 && first >= 0.0 && first + wanted <= n as f64) {
                let what = format!("the window from {} s to {} s is not inside the series", span.start_s, span.stop_s);
                return Err(matrix.data.error("outside", what).hint(format!("it covers 0 s to {} s", header.span.stop_s)));
            }
            first as usize..(first + wanted) as usize
        }
    };
    let names = header.channels.iter().map(|channel| channel.name.clone()).collect();
    let t_start_s = rows.start as f64 / rate_hz;
    series(matrix, rows, names, (t_start_s, rate_hz), &header.unit_of_measure)
}

fn is_matrix(array: &Array) -> bool {
    array.element.is_number() && matches!(array.shape.len(), 1 | 2) && !array.is_empty()
}

/// The array that `series` names, or the only one.
fn find_matrix(file: &File, request: &Request) -> Result<Array, ReadError> {
    if let Some(array) = request.series.first().and_then(|path| file.array(path)) {
        if is_matrix(&array) {
            return Ok(array);
        }
        let what = format!("an array of shape {:?} and type {} is no matrix of numbers", array.shape, array.element.numpy_name());
        return Err(array.error("no-series", what));
    }
    let mut found: Vec<Array> = arrays(file).0.into_iter().filter(is_matrix).collect();
    let listed: Vec<String> = found.iter().map(|array| format!("{} {:?}", array.path, array.shape)).collect();
    let hint = if listed.is_empty() {
        "the file has no numeric array of one or two dimensions".to_owned()
    } else {
        format!("there are: {}", listed.join(", "))
    };
    if let Some(path) = request.series.first() {
        return Err(file.error("no-series", "there is no array here").at(path).hint(hint));
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(file.error("no-series", "there is nothing to read").hint(hint)),
        (Some(_), false) => Err(file.error("no-series", "there are several arrays; choose one with `series`").hint(hint)),
    }
}

fn open_spikes(file: &File, request: &Request) -> Result<(Trains, Header), ReadError> {
    let group = absolute(request.series.first().map_or("/", String::as_str));
    let members = file.members(&group).into_iter().filter(|member| member.kind == Kind::Dataset);
    let mut units: Vec<(String, Array)> = members
        .filter_map(|member| Some((member.name.clone(), file.array(&join(&group, &member.name))?)))
        .filter(|(_, array)| array.element.is_number() && array.shape.len() == 1)
        .collect();
    // Numbers in names count as numbers: unit 10 after unit 2.
    units.sort_by_key(|(name, _)| {
        (name.chars().filter(char::is_ascii_digit).collect::<String>().parse::<u64>().unwrap_or(u64::MAX), name.clone())
    });
    if units.is_empty() {
        let hint = "spikes are a group with one 1-D array of times (seconds) a unit: name it with `series`";
        return Err(file.error("no-units", "there are no arrays of spike times here").at(group).hint(hint));
    }
    let (names, arrays): (Vec<String>, Vec<Array>) = units.into_iter().unzip();
    let all: Vec<Channel> = names.into_iter().map(|name| Channel { name, location: None }).collect();
    let source = Source::Separate(arrays);
    let span = span_of(source.ends(usize::MAX)?);
    let columns = match &source {
        Source::Separate(arrays) if !request.units.conditions.is_empty() => unit_columns(arrays, span.length_s()),
        _ => Vec::new(),
    };
    let kept = select(file, &group, &request.units, "units", &all, &columns)?;
    let mut header = plain_header(0);
    header.n_channels_total = all.len();
    header.channels = kept.rows.iter().map(|&row| all[row].clone()).collect();
    header.unit_of_measure = "s".to_owned();
    header.notes = kept.notes;
    let small = source.is_small();
    let mut trains = Trains::new(source, kept.rows, header.channels.clone(), span);
    if small {
        header.notes.extend(trains.load()?);
    }
    header.span = trains.span();
    Ok((trains, header))
}

/// Objects after which a walk ends.
pub const MOST_OBJECTS: usize = 50_000;

/// All arrays of a file, each once, and links that lead nowhere.
fn arrays(file: &File) -> (Vec<Array>, Vec<Problem>) {
    let (mut found, mut problems, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut waiting = vec!["/".to_owned()];
    while let Some(group) = waiting.pop() {
        if seen.len() > MOST_OBJECTS {
            problems.push(Problem { path: group, what: format!("more than {MOST_OBJECTS} objects: the rest is not listed") });
            break;
        }
        for member in file.members(&group) {
            let path = join(&group, &member.name);
            match member.kind {
                Kind::Dangling => problems.push(Problem { path, what: "a link whose target does not exist".to_owned() }),
                Kind::Group if seen.insert(member.address.clone()) => waiting.push(path),
                Kind::Dataset if seen.insert(member.address.clone()) => found.extend(file.array(&path)),
                _ => {}
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    (found, problems)
}

fn inspect(path: &Path) -> Result<Inspection, ReadError> {
    let file = File::open(path)?;
    let (found, mut problems) = arrays(&file);
    let summary = |array: Array| {
        let filters = array.filters();
        let missing = filters.iter().filter(|step| !step.available);
        problems.extend(missing.map(|step| Problem {
            path: array.path.clone(),
            what: format!("filter {} (id {}) is not available here", step.name, step.id),
        }));
        SeriesSummary {
            kind: "dataset".to_owned(),
            dtype: array.element.numpy_name(),
            unit: array.text_attribute("unit"),
            chunks: array.chunks(),
            filters: filters.into_iter().map(|step| step.name).collect(),
            path: array.path,
            shape: array.shape,
            ..SeriesSummary::default()
        }
    };
    let series = found.into_iter().map(summary).collect();
    Ok(Inspection { file: path.display().to_string(), format: "hdf5".to_owned(), series, problems, ..Inspection::default() })
}
