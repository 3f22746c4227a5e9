//! `[[dataset]]`: what to read, how to prepare it, how to cut it.

use super::filters::{Takes, filter};
use super::preparation::preparation;
use super::{Dataset, Origin, WindowRule};
use crate::fetch::Wanted;
use crate::read::simulate::{self, MODELS};
use crate::read::{self, Filter, Format, READERS, Request, SignalKind};
use crate::spec::{Section, number_of, suggest};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All datasets, and the ids that stand for several (a glob's).
#[derive(Default)]
pub struct Datasets {
    /// In the order of the file.
    pub all: Vec<Dataset>,
    /// Ids as typed, and the datasets (indices) that each stands for.
    pub ids: Vec<(String, Vec<usize>)>,
}

impl Datasets {
    /// The datasets that an id stands for; an unknown one is reported at `span`.
    pub fn resolve(&self, section: &Section<'_>, span: Range<usize>, id: &str) -> Vec<usize> {
        if let Some((_, indices)) = self.ids.iter().find(|(known, _)| known == id) {
            return indices.clone();
        }
        if let Some(index) = self.all.iter().position(|dataset| dataset.id == id) {
            return vec![index];
        }
        let known: Vec<&str> = self.ids.iter().map(|(known, _)| known.as_str()).collect();
        section.error(span, format!("there is no dataset `{id}`"), suggest(id, &known));
        Vec::new()
    }
    /// The datasets under `key`, or all of them when it is not given. The flag says whether it was.
    pub fn under(&self, section: &Section<'_>, key: &'static str) -> (Vec<usize>, bool) {
        match section.strings(key) {
            Some(ids) => {
                let mut found: Vec<usize> = ids.iter().flat_map(|id| self.resolve(section, section.span_of(key), id)).collect();
                found.sort_unstable();
                found.dedup();
                (found, true)
            }
            None => ((0..self.all.len()).collect(), false),
        }
    }
}

/// Checks every `[[dataset]]`.
pub fn check(root: &Section<'_>, base: &Path) -> Datasets {
    let mut datasets = Datasets::default();
    for section in root.sections("dataset", false) {
        let Some((id, found)) = dataset(&section, base) else { continue };
        if datasets.ids.iter().any(|(known, _)| *known == id) || datasets.all.iter().any(|known| known.id == id) {
            section.error(section.span_of("id"), format!("there are two datasets `{id}`"), "ids must be unique");
            continue;
        }
        let first = datasets.all.len();
        datasets.all.extend(found);
        datasets.ids.push((id, (first..datasets.all.len()).collect()));
    }
    datasets
}

const SIGNALS: &[&str] = &["spikes", "series", "points", "distances"];
const SIGNALS_LATER: &[&str] = &["graph", "text"];

fn signal_kind(name: &str) -> SignalKind {
    match name {
        "spikes" => SignalKind::Spikes,
        "points" => SignalKind::Points,
        "distances" => SignalKind::Distances,
        _ => SignalKind::Series,
    }
}

fn dataset(section: &Section<'_>, base: &Path) -> Option<(String, Vec<Dataset>)> {
    let id = section.required_string("id");
    if let Some(id) = &id
        && (id.is_empty() || id.contains(['/', '~', '\n']))
    {
        section.error(section.span_of("id"), "an id must not be empty or hold `/` or `~`", "");
    }
    let format = format_name(section);
    let signal = section.choice_or_later("signal", SIGNALS, SIGNALS_LATER).map(signal_kind);
    let before = section.diagnostics().len();
    let found = if format == Some("simulate") { simulated(section) } else { from_files(section, base, format, signal) };
    let signal = found.as_ref().map(|found| found.signal);
    let preparation = preparation(section, signal);
    let window = window(section, signal);
    let keep_invalid = section.choice("invalid_times", &["skip", "keep"]) == Some("keep");
    let sha256 = section.string("sha256");
    if let Some(hash) = &sha256
        && !(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        section.error(section.span_of("sha256"), "`sha256` must be 64 hexadecimal digits", "");
    }
    section.finish();
    let (id, found) = (id?, found?);
    if section.diagnostics().len() > before {
        return Some((id, Vec::new()));
    }
    let sha256 = sha256.map(|hash| hash.to_lowercase());
    if let (Some(job), Some(catalogue)) = (&sha256, &found.sha256)
        && job != catalogue
    {
        section.error(
            section.span_of("sha256"),
            format!("`sha256` is {job}, but the catalogue says {catalogue}"),
            "remove it, or correct one of them",
        );
    }
    let wanted = found.wanted.map(|wanted| match &sha256 {
        Some(sha256) => Wanted { sha256: Some(sha256.clone()), says: "the job".into(), ..wanted },
        None => wanted,
    });
    let make = |id: String, origin: Origin| Dataset {
        id,
        origin,
        signal: found.signal,
        sha256: sha256.clone().or_else(|| found.sha256.clone()),
        wanted: wanted.clone(),
        preparation: preparation.clone(),
        window: window.clone(),
        keep_invalid,
        span: if section.raw("source").is_some() { section.span_of("source") } else { section.span() },
    };
    let all = match found.origins {
        Origins::One(origin) => vec![make(id.clone(), origin)],
        Origins::Glob(files) => files.into_iter().map(|(stem, origin)| make(format!("{id}/{stem}"), origin)).collect(),
    };
    Some((id, all))
}

enum Origins {
    One(Origin),
    Glob(Vec<(String, Origin)>),
}

struct Found {
    signal: SignalKind,
    origins: Origins,
    /// What is to be fetched.
    wanted: Option<Wanted>,
    /// The sum that the catalogue names.
    sha256: Option<String>,
}

/// The format as typed; `Some("auto")` when not given, `None` when it is wrong.
fn format_name(section: &Section<'_>) -> Option<&'static str> {
    let mut names = vec!["auto", "simulate"];
    names.extend(READERS.iter().map(|format| format.name));
    if section.raw("format").is_none() {
        return Some(if section.raw("model").is_some() { "simulate" } else { "auto" });
    }
    section.choice_or_later("format", &names, read::LATER)
}

fn simulated(section: &Section<'_>) -> Option<Found> {
    for key in ["source", "with", "series", "units", "channels", "sampling_rate_hz", "sha256"] {
        if section.raw(key).is_some() {
            section.error(
                section.span_of(key),
                format!("`{key}` does not go with `format = \"simulate\"`"),
                "a simulation has `model` and `params`",
            );
        }
    }
    let kind = section.required_string("model")?;
    let Some(entry) = MODELS.iter().find(|entry| entry.kind == kind) else {
        let names: Vec<&str> = MODELS.iter().map(|entry| entry.kind).collect();
        let later = simulate::LATER.contains(&kind.as_str());
        let message = if later { format!("model \"{kind}\" is not available yet") } else { format!("there is no model \"{kind}\"") };
        section.error(section.span_of("model"), message, suggest(&kind, &names));
        return None;
    };
    let model = match section.section("params") {
        Some(params) => parsed(&params, entry.parse),
        None => parse_empty(section, entry.parse),
    }?;
    let model: Arc<dyn simulate::Model> = model.into();
    Some(Found { signal: model.signal(), origins: Origins::One(Origin::Model { kind: entry.kind, model }), wanted: None, sha256: None })
}

/// Parses the keys of an entry and reports those that it did not ask for.
fn parsed<T: ?Sized>(section: &Section<'_>, parse: fn(&Section<'_>) -> Option<Box<T>>) -> Option<Box<T>> {
    let before = section.diagnostics().len();
    let made = parse(section);
    section.finish();
    made.filter(|_| section.diagnostics().len() == before)
}

fn parse_empty<T: ?Sized>(section: &Section<'_>, parse: fn(&Section<'_>) -> Option<Box<T>>) -> Option<Box<T>> {
    let empty = toml::de::DeTable::new();
    parse(&Section::new("`params`", &empty, section.span(), section.diagnostics()))
}

fn from_files(section: &Section<'_>, base: &Path, format: Option<&'static str>, signal: Option<SignalKind>) -> Option<Found> {
    // Asked for here, so that it is no unknown key where the source is wrong.
    section.raw("with");
    for key in ["model", "params"] {
        if section.raw(key).is_some() {
            section.error(section.span_of(key), format!("`{key}` goes with `format = \"simulate\"` only"), "");
        }
    }
    let series = section.strings("series").unwrap_or_default();
    let units = section.section("units").map(|table| filter(&table, Takes::Quality));
    let channels = section.section("channels").map(|table| filter(&table, Takes::Every));
    let sampling_rate_hz = section.number_where("sampling_rate_hz", "greater than 0", |rate| rate > 0.0 && rate.is_finite());
    let source = section.required_string("source")?;
    let remote = match super::remote::locate(section, base, &source) {
        Some(remote) => Some(remote?),
        None => None,
    };
    let paths = match &remote {
        Some(remote) => vec![(String::new(), remote.path.clone())],
        None => find_files(section, base, "source", &source)?,
    };
    let format = match (format?, remote.as_ref().and_then(|remote| remote.format)) {
        ("auto", Some(known)) => known,
        ("auto", None) => sniff(section, &paths[0].1)?,
        (name, _) => READERS.iter().find(|format| format.name == name)?,
    };
    let signal = signal.unwrap_or_else(|| default_signal(section, format));
    if !format.signals.contains(&signal) {
        section.error(section.span_of("signal"), format!("a {} file does not hold `{}`", format.name, name_of(signal)), "");
        return None;
    }
    if signal != SignalKind::Spikes && units.is_some() {
        section.error(
            section.span_of("units"),
            format!("`units` goes with `signal = \"spikes\"`, not with \"{}\"", name_of(signal)),
            "did you mean `channels`?",
        );
    }
    if signal == SignalKind::Spikes && channels.is_some() {
        section.error(
            section.span_of("channels"),
            "`channels` goes with `signal = \"series\"`, not with \"spikes\"",
            "did you mean `units`?",
        );
    }
    if sampling_rate_hz.is_some() && signal != SignalKind::Series {
        section.error(
            section.span_of("sampling_rate_hz"),
            format!("`sampling_rate_hz` goes with `signal = \"series\"`, not with \"{}\"", name_of(signal)),
            "",
        );
    }
    if signal == SignalKind::Series && sampling_rate_hz.is_none() && matches!(format.name, "npy" | "hdf5") {
        section.error(section.span(), format!("a {} file does not say its sampling rate", format.name), "add `sampling_rate_hz = …`");
    }
    let band = section.raw("bandpass_hz").and_then(|value| number_of(value.get_ref().as_array()?.get(1)?.get_ref()));
    if let (Some(rate), Some(high)) = (sampling_rate_hz, band)
        && high >= rate / 2.0
    {
        let message = format!("`bandpass_hz` reaches {high} Hz, but half the sampling rate is {} Hz", rate / 2.0);
        section.error(section.span_of("bandpass_hz"), message, "");
    }
    let with = further_files(section, base, format)?;
    let request = |path: &Path| Request {
        path: path.to_owned(),
        with: with.clone(),
        signal,
        series: series.clone(),
        units: units.clone().unwrap_or_else(|| Filter { every: 1, ..Filter::default() }),
        channels: channels.clone().unwrap_or_else(|| Filter { every: 1, ..Filter::default() }),
        sampling_rate_hz,
    };
    let is_glob = remote.is_none() && source.contains(['*', '?', '[']);
    let mut all: Vec<(String, Origin)> =
        paths.into_iter().map(|(stem, path)| (stem, Origin::File { format, request: request(&path) })).collect();
    let origins = if is_glob { Origins::Glob(all) } else { Origins::One(all.remove(0).1) };
    let (wanted, sha256) = remote.map_or((None, None), |remote| (remote.wanted, remote.sha256));
    Some(Found { signal, origins, wanted, sha256 })
}

/// Spikes of an NWB file unless a key speaks of a series; the format's own default elsewhere.
fn default_signal(section: &Section<'_>, format: &Format) -> SignalKind {
    let of_series = ["series", "channels", "sampling_rate_hz", "resample_hz", "bandpass_hz", "notch_hz", "rereference", "bad_channels"]
        .iter()
        .any(|&key| section.raw(key).is_some());
    if of_series && format.signals.contains(&SignalKind::Series) { SignalKind::Series } else { format.signals[0] }
}

/// The name of a signal in the job file.
pub fn name_of(signal: SignalKind) -> &'static str {
    match signal {
        SignalKind::Spikes => "spikes",
        SignalKind::Series => "series",
        SignalKind::Points => "points",
        SignalKind::Distances => "distances",
    }
}

fn find_files(section: &Section<'_>, base: &Path, key: &'static str, source: &str) -> Option<Vec<(String, PathBuf)>> {
    let span = section.span_of(key);
    if crate::fetch::is_remote(source) {
        section.error(span, format!("`{key}` takes paths and patterns, not addresses"), "fetch the file first: tcs-batch datasets fetch");
        return None;
    }
    let path = super::check::tidy(&base.join(source));
    if let Some(what) = read::folder(&path) {
        section.error(span, format!("{} {what}", path.display()), "");
        return None;
    }
    if !source.contains(['*', '?', '[']) {
        if !path.exists() {
            section.error(span, format!("there is no file {}", path.display()), "paths are relative to the job file");
            return None;
        }
        return Some(vec![(String::new(), path)]);
    }
    let pattern = path.to_string_lossy().into_owned();
    let mut files: Vec<(String, PathBuf)> = match glob::glob(&pattern) {
        Ok(found) => found.filter_map(Result::ok).filter(|path| path.is_file()).map(|path| (stem_of(&path), path)).collect(),
        Err(error) => {
            section.error(span, format!("bad pattern: {}", error.msg), "");
            return None;
        }
    };
    files.sort();
    if files.is_empty() {
        section.error(span, format!("no file matches {pattern}"), "paths are relative to the job file");
        return None;
    }
    if let Some(twice) = files.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        section.error(
            span,
            format!("two files have the stem `{}`: {} and {}", twice[0].0, twice[0].1.display(), twice[1].1.display()),
            "give them a dataset each",
        );
        return None;
    }
    Some(files)
}

/// `with`: further files of the same session, as paths or patterns.
fn further_files(section: &Section<'_>, base: &Path, format: &Format) -> Option<Vec<PathBuf>> {
    let Some(sources) = section.strings("with") else { return Some(Vec::new()) };
    if format.name != "nwb" {
        section.error(section.span_of("with"), format!("`with` goes with NWB files, not with {}", format.name), "");
        return None;
    }
    let mut all = Vec::new();
    for source in &sources {
        all.extend(find_files(section, base, "with", source)?.into_iter().map(|(_, path)| path));
    }
    Some(all)
}

fn stem_of(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn sniff(section: &Section<'_>, path: &Path) -> Option<&'static Format> {
    let found = read::format_of(path);
    if found.is_none() {
        let names: Vec<&str> = READERS.iter().map(|format| format.name).collect();
        section.error(
            section.span_of("source"),
            format!("cannot tell the format of {}", path.display()),
            format!("set `format`: {}", names.join(", ")),
        );
    }
    found
}

fn window(section: &Section<'_>, signal: Option<SignalKind>) -> Option<WindowRule> {
    let window = section.section("window")?;
    if matches!(signal, Some(SignalKind::Points | SignalKind::Distances)) {
        section.error(window.span(), "points and distances have no windows", "remove `window`");
    }
    let positive = |number: f64| number > 0.0 && number.is_finite();
    let length_s = window.number_where("length_s", "greater than 0", positive);
    let step_s = window.number_where("step_s", "greater than 0", positive);
    let start_s = window.number_where("start_s", "finite", f64::is_finite);
    let stop_s = window.number_where("stop_s", "finite", f64::is_finite);
    let table = window.string("around");
    let column = window.string("column");
    let condition = window.section("where").map(|table| filter(&table, Takes::Columns));
    let from_s = window.number_where("from_s", "finite", f64::is_finite);
    let to_s = window.number_where("to_s", "finite", f64::is_finite);
    window.finish();
    let Some(table) = table else {
        for (key, given) in
            [("column", column.is_some()), ("where", condition.is_some()), ("from_s", from_s.is_some()), ("to_s", to_s.is_some())]
        {
            if given {
                window.error(window.span_of(key), format!("`{key}` goes with `around`"), "");
            }
        }
        if step_s.is_some() && length_s.is_none() {
            window.error(window.span_of("step_s"), "`step_s` goes with `length_s`", "");
        }
        if let (Some(start), Some(stop)) = (start_s, stop_s)
            && start >= stop
        {
            window.error(window.span_of("stop_s"), format!("`stop_s` ({stop}) must be greater than `start_s` ({start})"), "");
        }
        return Some(WindowRule::Clock { length_s, step_s, start_s, stop_s });
    };
    for (key, given) in [("length_s", length_s.is_some()), ("step_s", step_s.is_some())] {
        if given {
            window.error(window.span_of(key), format!("`{key}` does not go with `around`"), "the window is from `from_s` to `to_s`");
        }
    }
    let (Some(from_s), Some(to_s)) = (from_s, to_s) else {
        window.error(window.span(), "`around` needs `from_s` and `to_s`", "");
        return None;
    };
    if from_s >= to_s {
        window.error(window.span_of("to_s"), format!("`to_s` ({to_s}) must be greater than `from_s` ({from_s})"), "");
    }
    Some(WindowRule::Around {
        table,
        column: column.unwrap_or_else(|| "start_time".into()),
        condition: condition.unwrap_or_default(),
        from_s,
        to_s,
    })
}
