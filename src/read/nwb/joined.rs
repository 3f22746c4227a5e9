//! Several series as the channels of one: LFP of each probe, one series a neuron. Each keeps its own clock; a window takes from each
//! the samples nearest to it, and clocks that drift apart by half a sample within a window are refused.

use super::series::{self, SeriesSource, is_layout};
use crate::data::{Content, Series, Span};
use crate::read::hdf5::File;
use crate::read::{Header, ReadError, Request};
use std::collections::BTreeSet;

/// Rates that differ by more than this share are those of different signals, not of two clocks for one.
const SAME_RATE: f64 = 1e-3;

/// One of the joined series.
struct Part {
    source: SeriesSource,
    header: Header,
    // Last, so that arrays close before their file.
    _file: File,
}

/// Series that are read together.
pub struct Joined {
    parts: Vec<Part>,
}

/// A series: the index of its file and its path there.
type Target = (usize, String);

/// The series that a request means, in all its files. One is read as it is, several are joined.
///
/// # Errors
/// `no-series` when there are none or one cannot choose; the candidates are listed.
pub fn targets(files: &[File], request: &Request) -> Result<Vec<Target>, ReadError> {
    let words: Vec<&String> = request.series.iter().filter(|word| !is_layout(word)).collect();
    if words.is_empty() {
        return unnamed(files);
    }
    let mut found: Vec<Target> = Vec::new();
    for word in words {
        let mut refused = None;
        let before = found.len();
        for (at, file) in files.iter().enumerate() {
            match series::matching(file, word) {
                Ok(paths) => found.extend(paths.into_iter().map(|path| (at, path))),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if let (Some(error), true) = (refused, found.len() == before) {
            return Err(error);
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|target| seen.insert(target.clone()));
    Ok(found)
}

/// Without a name: the one series that there is; of several the one with electrodes; of several files the one of each.
fn unnamed(files: &[File]) -> Result<Vec<Target>, ReadError> {
    let tree = |file: &File| series::candidates(file, &super::walk::walk(file));
    let all: Vec<Vec<String>> = files.iter().map(tree).collect();
    let electrical: Vec<Vec<String>> = files.iter().zip(&all).map(|(file, found)| series::electrical(file, found)).collect();
    let some = if electrical.iter().any(|found| !found.is_empty()) { &electrical } else { &all };
    if some.iter().all(|found| found.len() <= 1) && some.iter().any(|found| !found.is_empty()) {
        return Ok(some.iter().enumerate().filter_map(|(at, found)| Some((at, found.first()?.clone()))).collect());
    }
    let listed: Vec<&str> = all.iter().flatten().map(String::as_str).collect();
    if listed.is_empty() {
        let hint = "`inspect` lists what it has; spike times are read with signal = \"spikes\"";
        return Err(files[0].error("no-series", "the file has no numeric time series").hint(hint));
    }
    let hint = format!("choose one with `series` (or several of one clock, to be joined as channels): {}", listed.join(", "));
    Err(files[0].error("no-series", format!("there are {} time series", listed.len())).hint(hint))
}

/// Opens several series as one.
///
/// # Errors
/// `clocks` when their rates differ or they share no time; `no-channels` when the filters leave none of any; as [`series::open`].
pub fn open(files: &[File], targets: &[Target], request: &Request) -> Result<(Joined, Header), ReadError> {
    let layout = request.series.iter().filter(|word| is_layout(word));
    let (mut parts, mut total, mut refused) = (Vec::new(), 0, None);
    for (at, path) in targets {
        let series = std::iter::once(path.clone()).chain(layout.clone().cloned()).collect();
        let one = Request { path: files[*at].path().to_owned(), series, ..request.clone() };
        match series::open(File::open(&one.path)?, &one) {
            Ok((source, mut header, file)) => {
                total += header.n_channels_total;
                rename_lone(&mut header, path);
                let name = format!("{}{path}", if files.len() > 1 { format!("{} ", one.path.display()) } else { String::new() });
                header.notes = header.notes.into_iter().map(|note| format!("{name}: {note}")).collect();
                parts.push(Part { source, header, _file: file });
            }
            Err(error) if error.kind == "no-channels" => refused = refused.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    let (Some(first), None) = (parts.first(), refused.as_ref().filter(|_| parts.is_empty())) else {
        return Err(refused.unwrap_or_else(|| files[0].error("no-series", "there is no series to join")));
    };
    let header = together(files, &parts, first, total)?;
    Ok((Joined { parts }, header))
}

/// A series of one channel without electrodes is called by its own name, not `0`.
fn rename_lone(header: &mut Header, path: &str) {
    if let ([channel], 1) = (header.channels.as_mut_slice(), header.n_channels_total)
        && channel.name == "0"
        && let Some(name) = path.rsplit('/').next()
    {
        channel.name = name.to_owned();
    }
}

fn together(files: &[File], parts: &[Part], first: &Part, total: usize) -> Result<Header, ReadError> {
    let rate = |part: &Part| part.header.rate_hz.unwrap_or(f64::NAN);
    let place = |part: &Part| part.source.path().to_owned();
    for part in &parts[1..] {
        if (rate(part) / rate(first) - 1.0).abs() > SAME_RATE {
            let what = format!("{} has {:.6} Hz, {} has {:.6} Hz", place(first), rate(first), place(part), rate(part));
            return Err(files[0].error("clocks", what).hint("join series of one rate only, or give each a dataset of its own"));
        }
    }
    let start_s = parts.iter().map(|part| part.header.span.start_s).fold(f64::NEG_INFINITY, f64::max);
    let stop_s = parts.iter().map(|part| part.header.span.stop_s).fold(f64::INFINITY, f64::min);
    if start_s >= stop_s {
        return Err(files[0].error("clocks", "the series to be joined share no time").hint("give each a dataset of its own"));
    }
    let mut channels: Vec<_> = parts.iter().flat_map(|part| part.header.channels.iter().cloned()).collect();
    let distinct: BTreeSet<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
    if distinct.len() < channels.len() {
        let prefixes = parts.iter().flat_map(|part| std::iter::repeat_n(place(part), part.header.channels.len()));
        for (channel, prefix) in channels.iter_mut().zip(prefixes) {
            let series = prefix.trim_end_matches("/data").rsplit('/').next().unwrap_or_default().to_owned();
            channel.name = format!("{series}/{}", channel.name);
        }
    }
    let mut notes: Vec<String> = parts.iter().flat_map(|part| part.header.notes.iter().cloned()).collect();
    notes.push(format!("{} series were joined as channels of one", parts.len()));
    let units: BTreeSet<&str> = parts.iter().map(|part| part.header.unit_of_measure.as_str()).collect();
    if units.len() > 1 {
        notes.push(format!("they have different units of measure: {}", units.into_iter().collect::<Vec<_>>().join(", ")));
    }
    let known = parts.iter().any(|part| !part.header.groups.is_empty());
    let groups = parts.iter().flat_map(|part| {
        let own = part.header.groups.iter().cloned();
        own.chain(std::iter::repeat_n(None, part.header.channels.len() - part.header.groups.len()))
    });
    let groups = if known { groups.collect() } else { Vec::new() };
    let n_samples = parts.iter().filter_map(|part| part.header.n_samples).min();
    let rate_hz = Some(rate(first));
    let unit_of_measure = first.header.unit_of_measure.clone();
    let span = Span { start_s, stop_s };
    Ok(Header { channels, n_channels_total: total, rate_hz, n_samples, span, unit_of_measure, notes, groups, excluded: Vec::new() })
}

impl Joined {
    /// Reads a window of all.
    ///
    /// # Errors
    /// `clocks` when they drift apart by half a sample or more within the window; as [`SeriesSource::read`].
    pub fn read(&self, span: Option<Span>, header: &Header) -> Result<Content, ReadError> {
        let same = self.parts.iter().all(|part| part.header.span == header.span);
        let span = if same { span } else { Some(span.unwrap_or(header.span)) };
        let mut read: Vec<Series> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part.source.read(span, &part.header)? {
                Content::Series(series) => read.push(series),
                _ => return Err(part.source.error("damaged", "no series came out")),
            }
        }
        let n = read.iter().map(Series::n_samples).min().unwrap_or(0);
        let (rate_hz, t_start_s) = (read[0].rate_hz(), read[0].t_start_s());
        let mut values = Vec::with_capacity(n * header.channels.len());
        for (series, part) in read.iter().zip(&self.parts) {
            let drift = (series.rate_hz() / rate_hz - 1.0).abs() * n as f64;
            let late = (series.t_start_s() - t_start_s).abs() * rate_hz;
            if drift > 0.5 || late > 1.0 + 1e-6 || series.n_samples() - n > 1 {
                let what = format!(
                    "its clock is {late:.2} samples off {} at the start and drifts by {drift:.2} more",
                    self.parts[0].source.path()
                );
                return Err(part.source.error("clocks", what).hint("use shorter windows, or give each series a dataset of its own"));
            }
            values.extend(series.iter().flat_map(|channel| channel[..n].iter().copied()));
        }
        let names = header.channels.iter().map(|channel| channel.name.clone()).collect();
        let joined = Series::new(names, values, rate_hz, t_start_s, header.unit_of_measure.clone());
        joined.map(Content::Series).map_err(|error| self.parts[0].source.error("not-finite", error.to_string()))
    }
}
