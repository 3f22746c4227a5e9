//! Time series: finding them, and opening one for reading in windows.
//!
//! Volts (or another unit) = `data * conversion * channel_conversion[channel] + offset`, in `f64` throughout (NWB schema, TimeSeries).

use super::clock::Clock;
use super::electrodes::{ELECTRODES, Electrodes, region_rows};
use super::table::Table;
use super::walk::{self, Tree};
use crate::data::{Content, Span};
use crate::read::filter::{self, Column};
use crate::read::hdf5::{Array, File, Layout, Matrix, absolute, channels, join, samples, series};
use crate::read::{Channel, Header, ReadError, Request};

/// What a user may write as a second `series` entry where the shape does not tell which axis is time.
const LAYOUTS: [(&str, Layout); 2] = [("time-first", Layout::TimeFirst), ("channels-first", Layout::ChannelsFirst)];

/// An open series.
#[derive(Debug)]
pub struct SeriesSource {
    matrix: Matrix,
    clock: Clock,
}

impl SeriesSource {
    /// Reads a window.
    ///
    /// # Errors
    /// `outside`, `gap`, `not-finite`; as [`Array::block`].
    pub fn read(&self, span: Option<Span>, header: &Header) -> Result<Content, ReadError> {
        let (rows, t_start_s) = self.clock.window(span, self.matrix.n_samples(), &self.matrix.data)?;
        let names = header.channels.iter().map(|channel| channel.name.clone()).collect();
        series(&self.matrix, rows, names, (t_start_s, self.clock.rate_hz()), &header.unit_of_measure)
    }
}

/// Whether a group is a time series with numbers in one or two dimensions and a clock.
fn is_candidate(file: &File, node: &walk::Node) -> bool {
    let timed = node.has_array("timestamps") || node.has_array("starting_time");
    timed
        && node.has_array("data")
        && !node.has_array("external_file")
        && file.array(&join(&node.path, "data")).is_some_and(|data| is_series(&data))
}

fn is_series(data: &Array) -> bool {
    data.element.is_number() && matches!(data.shape.len(), 1 | 2) && !data.is_empty()
}

/// Paths of all series that can be read.
pub fn candidates(file: &File, tree: &Tree) -> Vec<String> {
    tree.nodes.iter().filter(|node| is_candidate(file, node)).map(|node| node.path.clone()).collect()
}

/// Finds the series that a request means.
fn find(file: &File, wanted: Option<&str>) -> Result<String, ReadError> {
    if let Some(path) = wanted.map(absolute) {
        let group = path.strip_suffix("/data").unwrap_or(&path);
        if file.array(&join(group, "data")).is_some() {
            return Ok(group.to_owned());
        }
        let inside: Vec<String> = candidates(file, &walk::walk(file));
        let below: Vec<&String> = inside.iter().filter(|found| found.starts_with(&format!("{path}/"))).collect();
        return match below.as_slice() {
            [only] => Ok((*only).clone()),
            _ => Err(file.error("no-series", "there is no time series here").at(path).hint(listing(&inside))),
        };
    }
    let found = candidates(file, &walk::walk(file));
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(file
            .error("no-series", "the file has no numeric time series")
            .hint("`inspect` lists what it has; spike times are read with signal = \"spikes\"")),
        _ => Err(file
            .error("no-series", format!("there are {} time series", found.len()))
            .hint(format!("choose one with `series`: {}", found.join(", ")))),
    }
}

fn listing(found: &[String]) -> String {
    if found.is_empty() { "the file has none".to_owned() } else { format!("there are: {}", found.join(", ")) }
}

/// Opens a series: its clock, channels, filters and header. The file comes back with a chunk cache that fits it.
///
/// # Errors
/// `no-series`, `unsupported` (three dimensions, a filter), `bad-value`, `damaged`; as [`filter::select`].
pub fn open(file: File, request: &Request) -> Result<(SeriesSource, Header, File), ReadError> {
    let group = find(&file, request.series.first().map(String::as_str))?;
    let Some(data) = file.array(&join(&group, "data")) else { return Err(file.error("no-series", "there are no data").at(group)) };
    check_data(&file, &group, &data)?;
    let mut notes = Vec::new();
    let electrodes = electrodes(&file, &group)?;
    let stamps = file.array(&join(&group, "timestamps"));
    let layout = layout(&file, request, &data, stamps.as_ref().map(Array::len), electrodes.as_ref(), &mut notes)?;
    let (n_samples, n_channels) = (samples(&data.shape, layout), channels(&data.shape, layout));
    let clock = clock(&file, &group, stamps, n_samples, request, &mut notes)?;
    notes.extend(clock.notes()?);
    let all = channel_names(electrodes.as_ref(), n_channels, &mut notes);
    let kept = select(&file, request, &group, electrodes.as_ref(), &all)?;
    notes.extend(kept.notes);
    let (scale, offset) = scaling(&file, &group, &data, n_channels, &mut notes)?;
    let unit_of_measure = unit(data.text_attribute("unit"));
    let scale = kept.rows.iter().map(|&channel| scale[channel]).collect();
    let channels = kept.rows.iter().map(|&channel| all[channel].clone()).collect();
    let matrix = Matrix { data, layout, columns: kept.rows, scale, offset };
    let span = clock.span(n_samples);
    let header = Header {
        channels,
        n_channels_total: n_channels,
        rate_hz: Some(clock.rate_hz()),
        n_samples: Some(n_samples),
        span,
        unit_of_measure,
        notes,
    };
    let (matrix, clock, file) = reopen(matrix, clock, file)?;
    Ok((SeriesSource { matrix, clock }, header, file))
}

/// Gives the file its larger cache. The stamps' handle keeps the file open too, so it has to let go meanwhile.
fn reopen(matrix: Matrix, clock: Clock, file: File) -> Result<(Matrix, Clock, File), ReadError> {
    let (path, rest) = match clock {
        Clock::Rate { t0_s, rate_hz } => (None, (t0_s, 0.0, rate_hz)),
        Clock::Stamps { times, t0_s, last_s, rate_hz } => (Some(times.path), (t0_s, last_s, rate_hz)),
    };
    let (matrix, file) = matrix.with_cache(file)?;
    let (t0_s, last_s, rate_hz) = rest;
    let clock = match path {
        None => Clock::Rate { t0_s, rate_hz },
        Some(path) => {
            let times = file.array(&path).ok_or_else(|| file.error("damaged", "the timestamps are gone").at(&path))?;
            Clock::Stamps { times, t0_s, last_s, rate_hz }
        }
    };
    Ok((matrix, clock, file))
}

fn check_data(file: &File, group: &str, data: &Array) -> Result<(), ReadError> {
    if file.array(&join(group, "external_file")).is_some() {
        return Err(data.error("unsupported", "the data are a placeholder: the frames are in external files"));
    }
    if data.shape.len() > 2 {
        let what = format!("data of shape {:?} have {} dimensions", data.shape, data.shape.len());
        return Err(data
            .error("unsupported", what)
            .hint("a series has time, or time and channels; images and decompositions are not read"));
    }
    if !data.element.is_number() {
        return Err(data.error("unsupported", format!("data of type {} are not numbers", data.element.numpy_name())));
    }
    if data.is_empty() {
        return Err(data.error("no-series", "the series is empty"));
    }
    data.check(1)
}

/// The electrodes of a series in channel order. `rows` is empty where the region cannot be read (NWB 2.0b region references).
struct Channels {
    electrodes: Option<Electrodes>,
    rows: Vec<usize>,
    count: usize,
}

fn electrodes(file: &File, group: &str) -> Result<Option<Channels>, ReadError> {
    let path = join(group, "electrodes");
    let Some(array) = file.array(&path) else { return Ok(None) };
    if !array.element.is_number() {
        let count = file.array(ELECTRODES).map(|table| table.len()).or_else(|| Table::open(file, ELECTRODES).map(|table| table.rows));
        return Ok(count.map(|count| Channels { electrodes: None, rows: Vec::new(), count }));
    }
    let values = array.integers()?;
    let Some(electrodes) = Electrodes::of_region(file, &path)? else {
        return Ok(Some(Channels { electrodes: None, rows: Vec::new(), count: values.len() }));
    };
    let rows = region_rows(file, &path, &values, electrodes.table.rows)?;
    Ok(Some(Channels { electrodes: Some(electrodes), count: rows.len(), rows }))
}

/// Which axis is time. The schema says the first; MATLAB writers and NWB 1.x put it second. The number of time stamps decides, else
/// the number of electrodes; where neither fits and there are more columns than rows, nobody can tell.
fn layout(
    file: &File,
    request: &Request,
    data: &Array,
    stamps: Option<usize>,
    electrodes: Option<&Channels>,
    notes: &mut Vec<String>,
) -> Result<Layout, ReadError> {
    let &[a, b] = data.shape.as_slice() else { return Ok(Layout::TimeFirst) };
    if let Some(said) = request.series.get(1) {
        let known = LAYOUTS.iter().find(|(name, _)| name == said).map(|(_, layout)| *layout);
        return known.ok_or_else(|| file.error("bad-value", format!("`{said}` is no layout")).hint("known: time-first, channels-first"));
    }
    let swapped = "the data are stored as (channel, time) and read the other way round";
    if let Some(n) = stamps {
        if a == n {
            return Ok(Layout::TimeFirst);
        }
        if b == n {
            notes.push(swapped.to_owned());
            return Ok(Layout::ChannelsFirst);
        }
        return Err(data.error("damaged", format!("data of shape ({a}, {b}) have {n} timestamps")));
    }
    if let Some(n) = electrodes.map(|channels| channels.count) {
        if b == n {
            return Ok(Layout::TimeFirst);
        }
        if a == n {
            notes.push(swapped.to_owned());
            return Ok(Layout::ChannelsFirst);
        }
        notes.push(format!("data of shape ({a}, {b}) name {n} electrodes"));
    }
    if a < b && electrodes.is_some() {
        return Err(data
            .error("bad-value", format!("nothing tells which axis of ({a}, {b}) is time"))
            .hint("say so: series = [\"PATH\", \"channels-first\"] or [\"PATH\", \"time-first\"]"));
    }
    Ok(Layout::TimeFirst)
}

fn clock(
    file: &File,
    group: &str,
    stamps: Option<Array>,
    n_samples: usize,
    request: &Request,
    notes: &mut Vec<String>,
) -> Result<Clock, ReadError> {
    let start = file.array(&join(group, "starting_time"));
    let rate = start.as_ref().and_then(|start| start.number_attribute("rate")).filter(|rate| rate.is_finite() && *rate > 0.0);
    let disagree = |a: f64, b: f64| (a - b).abs() > 0.01 * b.abs();
    let clock = if let Some(times) = stamps {
        if times.len() != n_samples {
            return Err(times
                .error("damaged", format!("{} timestamps for {n_samples} samples", times.len()))
                .hint("the file was cut: fetch it again"));
        }
        let clock = Clock::from_stamps(times)?;
        if let Some(rate) = rate.filter(|&rate| disagree(rate, clock.rate_hz())) {
            notes.push(format!("the file says {rate} Hz, its timestamps say {:.6} Hz: the timestamps hold", clock.rate_hz()));
        }
        clock
    } else {
        let t0_s = start.and_then(|start| start.numbers().ok()).and_then(|values| values.first().copied()).filter(|t0| t0.is_finite());
        let Some(rate_hz) = rate.or(request.sampling_rate_hz) else {
            let error = file.error("bad-value", "the series has neither timestamps nor a sampling rate").at(group);
            return Err(error.hint("give `sampling_rate_hz`"));
        };
        Clock::Rate { t0_s: t0_s.unwrap_or(0.0), rate_hz }
    };
    if let Some(asked) = request.sampling_rate_hz.filter(|&asked| disagree(asked, clock.rate_hz())) {
        notes.push(format!("the job says {asked} Hz, the file {:.6} Hz: the file holds", clock.rate_hz()));
    }
    Ok(clock)
}

fn channel_names(electrodes: Option<&Channels>, n: usize, notes: &mut Vec<String>) -> Vec<Channel> {
    let by_number = || (0..n).map(|channel| Channel { name: channel.to_string(), location: None }).collect();
    let Some(Channels { electrodes: Some(electrodes), rows, .. }) = electrodes else { return by_number() };
    if rows.len() != n {
        notes.push(format!("{n} channels have {} electrodes: channels are numbered from 0 and have no area", rows.len()));
        return by_number();
    }
    let channel = |&row: &usize| Channel { name: electrodes.ids[row].to_string(), location: electrodes.locations[row].clone() };
    rows.iter().map(channel).collect()
}

fn select(file: &File, request: &Request, group: &str, electrodes: Option<&Channels>, all: &[Channel]) -> Result<filter::Kept, ReadError> {
    let mapped = electrodes.filter(|channels| channels.rows.len() == all.len());
    let own = mapped.and_then(|channels| Some((channels.electrodes.as_ref()?, &channels.rows)));
    let mut names: Vec<String> = own.map(|(electrodes, _)| electrodes.table.plain.clone()).unwrap_or_default();
    names.push("id".to_owned());
    if own.is_some() && !names.iter().any(|name| name == "location") {
        names.push("location".to_owned());
    }
    let column = |name: &str| match (name, own) {
        ("id", _) => Ok(Column::Text(all.iter().map(|channel| Some(channel.name.clone())).collect())),
        ("location", _) => Ok(Column::Text(all.iter().map(|channel| channel.location.clone()).collect())),
        (_, Some((electrodes, rows))) => Ok(match electrodes.table.column(file, name)? {
            Column::Number(cells) => Column::Number(rows.iter().map(|&row| cells[row]).collect()),
            Column::Text(cells) => Column::Text(rows.iter().map(|&row| cells[row].clone()).collect()),
            Column::Bool(cells) => Column::Bool(rows.iter().map(|&row| cells[row]).collect()),
        }),
        (_, None) => Err(file.error("bad-value", "the series has no electrodes").at(group)),
    };
    let view = filter::Table { path: file.path(), place: group, rows_are: "channels", n_rows: all.len(), names, column: &column };
    filter::select(&request.channels, &view)
}

/// Factor of each channel and what is added after it.
fn scaling(file: &File, group: &str, data: &Array, n: usize, notes: &mut Vec<String>) -> Result<(Vec<f64>, f64), ReadError> {
    let mut factor = |what: &str, value: f64| {
        if value.is_finite() {
            return value;
        }
        notes.push(format!("{what} is {value} and was taken as 1"));
        1.0
    };
    let conversion = factor("conversion", data.number_attribute("conversion").unwrap_or(1.0));
    let mut scale = vec![conversion; n];
    if let Some(array) = file.array(&join(group, "channel_conversion")) {
        let own = array.numbers()?;
        if own.len() != n {
            return Err(array.error("damaged", format!("{} factors for {n} channels", own.len())));
        }
        for (channel, (scale, own)) in scale.iter_mut().zip(own).enumerate() {
            *scale *= factor(&format!("channel_conversion[{channel}]"), own);
        }
    }
    let offset = data.number_attribute("offset").filter(|offset| offset.is_finite()).unwrap_or(0.0);
    if conversion != 1.0 {
        notes.push(format!("stored {} values were multiplied by {conversion}", data.element.numpy_name()));
    }
    Ok((scale, offset))
}

/// The usual sign of the unit that a file spells out.
fn unit(said: Option<String>) -> String {
    match said.as_deref().map(str::trim) {
        Some("volts" | "volt" | "Volts" | "Volt") => "V".to_owned(),
        Some("amperes" | "ampere" | "Amperes" | "amps") => "A".to_owned(),
        Some(other) if filter::label(other).is_some() => other.to_owned(),
        _ => String::new(),
    }
}
