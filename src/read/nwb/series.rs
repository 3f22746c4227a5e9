//! Time series: finding them, and opening one for reading in windows.
//!
//! Volts (or another unit) = `data * conversion * channel_conversion[channel] + offset`, in `f64` throughout (NWB schema, TimeSeries).

use super::clock::Clock;
use super::electrodes::{ELECTRODES, Electrodes, region_rows};
use super::table::Table;
use super::walk::{self, Tree};
use crate::data::{Content, Span};
use crate::read::filter::{self, Column};
use crate::read::hdf5::{Array, Element, File, Kind, Layout, Matrix, absolute, channels, join, samples, series};
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
    /// Path of its data.
    pub fn path(&self) -> &str {
        &self.matrix.data.path
    }
    /// An error about it.
    pub fn error(&self, kind: &str, what: impl Into<String>) -> ReadError {
        self.matrix.data.error(kind, what)
    }
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
    is_numeric(data) && matches!(data.shape.len(), 1 | 2) && !data.is_empty()
}

/// Numbers, or truth values as 0 and 1.
fn is_numeric(data: &Array) -> bool {
    data.element.is_number() || data.element == Element::Bool
}

/// Paths of all series that can be read.
pub fn candidates(file: &File, tree: &Tree) -> Vec<String> {
    tree.nodes.iter().filter(|node| is_candidate(file, node)).map(|node| node.path.clone()).collect()
}

/// Those of some series that say which electrodes they come from. A running wheel beside one of them is not what "the series" means.
pub fn electrical(file: &File, found: &[String]) -> Vec<String> {
    found.iter().filter(|path| file.array(&join(path, "electrodes")).is_some()).cloned().collect()
}

/// The series of one file that a pattern (`*` stands for any characters) or a path means.
///
/// # Errors
/// `no-series` when there is none; what there is instead is listed.
pub fn matching(file: &File, wanted: &str) -> Result<Vec<String>, ReadError> {
    if !wanted.contains('*') {
        return find(file, Some(wanted)).map(|path| vec![path]);
    }
    let found = candidates(file, &walk::walk(file));
    let pattern = absolute(wanted);
    let fits: Vec<String> = found.iter().filter(|path| filter::matches(&pattern, path)).cloned().collect();
    if fits.is_empty() {
        return Err(file.error("no-series", "no time series fits this pattern").at(pattern).hint(listing(&found)));
    }
    Ok(fits)
}

/// Whether `word` says a layout rather than a path.
pub fn is_layout(word: &str) -> bool {
    LAYOUTS.iter().any(|(name, _)| *name == word)
}

/// Finds the series that a request means.
fn find(file: &File, wanted: Option<&str>) -> Result<String, ReadError> {
    if let Some(path) = wanted.map(absolute) {
        let group = path.strip_suffix("/data").unwrap_or(&path);
        if file.array(&join(group, "data")).is_some() {
            return Ok(group.to_owned());
        }
        if file.members(group).iter().any(|member| member.name == "data" && member.kind == Kind::Dangling) {
            let hint = "external files are looked for beside this file: put the missing one there, or choose another series";
            return Err(file.error("no-series", "its data are a link whose target does not exist").at(join(group, "data")).hint(hint));
        }
        let inside: Vec<String> = candidates(file, &walk::walk(file));
        let below: Vec<&String> = inside.iter().filter(|found| found.starts_with(&format!("{path}/"))).collect();
        return match below.as_slice() {
            [only] => Ok((*only).clone()),
            _ => Err(file.error("no-series", "there is no time series here").at(path).hint(listing(&inside))),
        };
    }
    let found = candidates(file, &walk::walk(file));
    if let ([only], 2..) = (electrical(file, &found).as_slice(), found.len()) {
        return Ok(only.clone());
    }
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
    let group = find(&file, request.series.iter().map(String::as_str).find(|word| !is_layout(word)))?;
    let Some(data) = file.array(&join(&group, "data")) else { return Err(file.error("no-series", "there are no data").at(group)) };
    check_data(&file, &group, &data)?;
    let mut notes = Vec::new();
    let electrodes = electrodes(&file, &group)?;
    let stamps = file.array(&join(&group, "timestamps"));
    let layout = layout(&file, request, &data, &told(&file, &group, electrodes.as_ref()), &mut notes)?;
    let (n_samples, n_channels) = (samples(&data.shape, layout), channels(&data.shape, layout));
    let clock = clock(&file, &group, stamps, n_samples, request, &mut notes)?;
    notes.extend(clock.notes()?);
    let all = channel_names(&file, &group, electrodes.as_ref(), n_channels, &mut notes);
    let groups = groups(electrodes.as_ref(), n_channels);
    let kept = select(&file, request, &group, electrodes.as_ref(), &all)?;
    notes.extend(kept.notes);
    let (scale, offset) = scaling(&file, &group, &data, n_channels, &mut notes)?;
    let unit_of_measure = unit(data.text_attribute("unit"));
    let scale = kept.rows.iter().map(|&channel| scale[channel]).collect();
    let groups = kept.rows.iter().filter_map(|&channel| groups.get(channel).cloned()).collect();
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
        groups,
        excluded: Vec::new(),
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
    if !is_numeric(data) {
        return Err(data.error("unsupported", format!("data of type {} are not numbers", data.element.numpy_name())));
    }
    if data.is_empty() {
        return Err(data.error("no-series", "the series is empty"));
    }
    data.check(1)
}

/// The electrodes (or regions of interest) of a series in channel order. `rows` is empty where the region cannot be read (NWB 2.0b
/// region references).
struct Channels {
    electrodes: Option<Electrodes>,
    rows: Vec<usize>,
    count: usize,
}

fn electrodes(file: &File, group: &str) -> Result<Option<Channels>, ReadError> {
    let (path, standard) = match join(group, "electrodes") {
        path if file.array(&path).is_some() => (path, Some(ELECTRODES)),
        _ => (join(group, "rois"), None),
    };
    let Some(array) = file.array(&path) else { return Ok(None) };
    if !array.element.is_number() {
        let count = file.array(ELECTRODES).map(|table| table.len()).or_else(|| Table::open(file, ELECTRODES).map(|table| table.rows));
        return Ok(count.map(|count| Channels { electrodes: None, rows: Vec::new(), count }));
    }
    let values = array.integers()?;
    let Some(electrodes) = Electrodes::of_region(file, &path, standard)? else {
        return Ok(Some(Channels { electrodes: None, rows: Vec::new(), count: values.len() }));
    };
    let rows = region_rows(file, &path, &values, electrodes.table.rows)?;
    Ok(Some(Channels { electrodes: Some(electrodes), count: rows.len(), rows }))
}

/// What a file says of the shape of a series, beside the shape.
#[derive(Debug, Default, Clone, Copy)]
pub struct Told {
    stamps: Option<usize>,
    electrodes: Option<usize>,
    num_samples: Option<usize>,
}

fn told(file: &File, group: &str, electrodes: Option<&Channels>) -> Told {
    let length = |name: &str| file.array(&join(group, name)).map(|array| array.len());
    let num_samples = file.array(&join(group, "num_samples")).and_then(|array| array.numbers().ok()?.first().copied());
    Told {
        stamps: length("timestamps"),
        electrodes: electrodes.map(|channels| channels.count).or_else(|| length("roi_names")),
        num_samples: num_samples.filter(|n| *n >= 1.0).map(|n| n as usize),
    }
}

/// What a file says of the shape of the series at `group`, for `inspect`; an electrodes table that cannot be read says nothing.
pub fn told_of(file: &File, group: &str) -> Told {
    told(file, group, electrodes(file, group).ok().flatten().as_ref())
}

/// Which axis of an array of shape (a, b) is time, as far as a file tells: by the number of time stamps, else of electrodes, else
/// by `num_samples` (NWB 1.x). The answer for (many, few) without a word is the schema's: the first.
pub fn decide(a: usize, b: usize, told: &Told) -> Option<Layout> {
    let by_time =
        |n: Option<usize>| n.and_then(|n| if a == n { Some(Layout::TimeFirst) } else { (b == n).then_some(Layout::ChannelsFirst) });
    let by_channels =
        |n: Option<usize>| n.and_then(|n| if b == n { Some(Layout::TimeFirst) } else { (a == n).then_some(Layout::ChannelsFirst) });
    by_time(told.stamps)
        .or_else(|| by_channels(told.electrodes))
        .or_else(|| by_time(told.num_samples))
        .or_else(|| (a >= b).then_some(Layout::TimeFirst))
}

/// Which axis is time. The schema says the first; MATLAB writers and NWB 1.x put it second. Where nothing tells and there are more
/// columns than rows, nobody can know.
fn layout(file: &File, request: &Request, data: &Array, told: &Told, notes: &mut Vec<String>) -> Result<Layout, ReadError> {
    let &[a, b] = data.shape.as_slice() else { return Ok(Layout::TimeFirst) };
    let mut words = request.series.iter().filter(|word| is_layout(word));
    if let Some((_, layout)) = words.next().and_then(|word| LAYOUTS.iter().find(|(name, _)| name == word)) {
        return Ok(*layout);
    }
    if let Some(word) = request.series.get(1) {
        return Err(file.error("bad-value", format!("`{word}` is no layout")).hint("known: time-first, channels-first"));
    }
    if let Some(n) = told.stamps.filter(|&n| a != n && b != n) {
        return Err(data.error("damaged", format!("data of shape ({a}, {b}) have {n} timestamps")));
    }
    if let Some(n) = told.electrodes.filter(|&n| told.stamps.is_none() && a != n && b != n) {
        notes.push(format!("data of shape ({a}, {b}) name {n} electrodes"));
    }
    let layout = decide(a, b, told).ok_or_else(|| {
        data.error("bad-value", format!("nothing tells which axis of ({a}, {b}) is time"))
            .hint("say so: series = [\"PATH\", \"channels-first\"] or [\"PATH\", \"time-first\"]")
    })?;
    if layout == Layout::ChannelsFirst {
        notes.push("the data are stored as (channel, time) and read the other way round".to_owned());
    }
    Ok(layout)
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
    let said = start.as_ref().and_then(|start| start.number_attribute("rate"));
    let rate = said.filter(|rate| rate.is_finite() && *rate > 0.0);
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
            let what = match said {
                Some(rate) => format!("the series has no timestamps, and says a sampling rate of {rate} Hz"),
                None => "the series has neither timestamps nor a sampling rate".to_owned(),
            };
            return Err(file.error("bad-value", what).at(group).hint("give `sampling_rate_hz`"));
        };
        if t0_s.is_none() {
            notes.push("the file does not say when the series starts: it was taken to start at 0 s".to_owned());
        }
        Clock::Rate { t0_s: t0_s.unwrap_or(0.0), rate_hz }
    };
    if let Some(asked) = request.sampling_rate_hz.filter(|&asked| disagree(asked, clock.rate_hz())) {
        notes.push(format!("the job says {asked} Hz, the file {:.6} Hz: the file holds", clock.rate_hz()));
    }
    Ok(clock)
}

fn channel_names(file: &File, group: &str, electrodes: Option<&Channels>, n: usize, notes: &mut Vec<String>) -> Vec<Channel> {
    // NWB 1.x lists the names of regions of interest beside the data.
    let listed = file.array(&join(group, "roi_names")).filter(|names| names.len() == n).and_then(|names| names.texts().ok());
    let number = |channel: usize| listed.as_ref().map_or_else(|| channel.to_string(), |names| names[channel].clone());
    let by_number = || (0..n).map(|channel| Channel { name: number(channel), location: None }).collect();
    let Some(Channels { electrodes: Some(electrodes), rows, .. }) = electrodes else { return by_number() };
    if rows.len() != n {
        notes.push(format!("{n} channels have {} electrodes: channels are numbered from 0 and have no area", rows.len()));
        return by_number();
    }
    let channel = |&row: &usize| Channel { name: electrodes.ids[row].to_string(), location: electrodes.locations[row].clone() };
    rows.iter().map(channel).collect()
}

/// Probe or electrode group of each channel; empty when unknown.
fn groups(electrodes: Option<&Channels>, n: usize) -> Vec<Option<String>> {
    match electrodes {
        Some(Channels { electrodes: Some(electrodes), rows, .. }) if rows.len() == n && electrodes.groups.iter().any(Option::is_some) => {
            rows.iter().map(|&row| electrodes.groups[row].clone()).collect()
        }
        _ => Vec::new(),
    }
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
        (_, Some((electrodes, rows))) => electrodes.column_at(file, name, &rows.iter().copied().map(Some).collect::<Vec<_>>()),
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
    let said = factor("conversion", data.number_attribute("conversion").unwrap_or(1.0));
    let conversion = if said != 1.0 && is_old_sweep(file, group) { 1.0 } else { said };
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
    if conversion != said {
        notes.push(format!("the conversion factor {said} was not applied: pipelines before 1.1 wrote volts and amperes already"));
    }
    if conversion != 1.0 {
        notes.push(format!("stored {} values were multiplied by {conversion}", data.element.numpy_name()));
    }
    Ok((scale, offset))
}

/// Whether this is a sweep of an Allen Cell Types file from a pipeline before 1.1. Those hold SI units and a factor all the same; the
/// Allen SDK (`NwbDataSet.get_sweep`) leaves it out there, and so do we. The version stands in `/general/generated_by`, keys and
/// values in turn.
fn is_old_sweep(file: &File, group: &str) -> bool {
    let of_sweep = group.rsplit('/').next().is_some_and(|name| name.starts_with("Sweep_"));
    if !of_sweep || !file.is_group("/epochs") || file.text_attribute("/", "nwb_version").is_some() {
        return false;
    }
    let words = file.array("/general/generated_by").and_then(|array| array.texts().ok());
    let Some(words) = words else { return file.is_group("/analysis/aibs_spike_times") };
    let version = words.iter().position(|word| word == "version").and_then(|at| words.get(at + 1)).cloned().unwrap_or_default();
    let mut numbers = version.split('.').map(|part| part.trim().parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (1, 1)
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
