//! The report's text: what both HTML and Markdown say, section by section, already formatted. No picture, no markup.

use super::facts::{Facts, MAX_DRAWN};
use super::grid::{Cell, Grid, Tone};
use super::manifest::Part;
use super::number::{MISSING, bytes, count, duration, maybe, number};
use super::section;
use crate::table::{FidelityRecord, UnitStatus};
use serde::Serialize;

/// The whole report.
#[derive(Debug, Serialize)]
pub(super) struct Content {
    pub(super) title: String,
    pub(super) description: Option<String>,
    pub(super) tiles: Vec<Tile>,
    pub(super) about: Vec<Fact>,
    pub(super) expectations: Option<Grid>,
    pub(super) fidelity: Option<Grid>,
    pub(super) datasets: Vec<Dataset>,
    /// Datasets beyond those with a section.
    pub(super) others: Option<Grid>,
    pub(super) failures: Option<Grid>,
    /// How to run what failed again.
    pub(super) again: String,
    pub(super) undefined: Option<Grid>,
    pub(super) limits: Vec<String>,
    pub(super) stages: Option<Grid>,
    pub(super) origins: Option<Grid>,
    pub(super) machine: Vec<Fact>,
    pub(super) job_text: Option<String>,
    pub(super) files: Vec<Fact>,
}

/// One figure of the verdict.
#[derive(Debug, Serialize)]
pub(super) struct Tile {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) note: String,
    pub(super) tone: Tone,
}

/// A label and what it says.
#[derive(Debug, Serialize)]
pub(super) struct Fact {
    pub(super) label: String,
    pub(super) text: String,
}

/// The section of a dataset.
#[derive(Debug, Serialize)]
pub(super) struct Dataset {
    pub(super) id: String,
    pub(super) read: Vec<Fact>,
    pub(super) notes: Vec<String>,
    pub(super) units: String,
    pub(super) metrics: Option<Grid>,
}

/// Says everything that the facts hold.
pub(super) fn content(facts: &Facts) -> Content {
    let manifest = facts.manifest();
    let job_path = manifest.at("job.path").text().unwrap_or("JOB.toml");
    let again = format!("tcs-batch run {job_path}");
    Content {
        title: manifest.at("job.name").text().unwrap_or("A run without a manifest").to_owned(),
        description: manifest.at("job.description").text().map(str::to_owned),
        tiles: tiles(facts),
        about: about(manifest),
        expectations: section::expectations(facts),
        fidelity: section::fidelity(facts),
        datasets: facts.datasets.iter().take(MAX_DRAWN).map(|id| dataset(facts, id)).collect(),
        others: section::others(facts),
        failures: section::failures(facts, &again),
        again,
        undefined: section::undefined(facts),
        limits: manifest.at("limits").list().filter_map(|limit| limit.text().map(str::to_owned)).collect(),
        stages: section::stages(manifest),
        origins: section::origins(manifest),
        machine: machine(manifest),
        job_text: manifest.at("job.text").text().map(str::to_owned),
        files: facts.files.iter().map(|(name, size)| fact(*name, bytes(*size as f64))).collect(),
    }
}

fn fact(label: impl Into<String>, text: impl Into<String>) -> Fact {
    Fact { label: label.into(), text: text.into() }
}

/// Adds a fact where there is something to say.
fn say(facts: &mut Vec<Fact>, label: &str, text: Option<impl Into<String>>) {
    facts.extend(text.map(|text| fact(label, text)));
}

fn tiles(facts: &Facts) -> Vec<Tile> {
    let mut tiles = vec![units_tile(facts)];
    if !facts.expectations.is_empty() {
        let held = facts.expectations.iter().filter(|row| row.held).count();
        let all = facts.expectations.len();
        let missed = if held == all { "all of them".to_owned() } else { format!("{} missed", all - held) };
        let tone = if held == all { Tone::Good } else { Tone::Bad };
        tiles.push(Tile { label: "Expectations held", value: format!("{held} of {all}"), note: missed, tone });
    }
    tiles.extend(fidelity_tile(facts));
    if let Some(seconds) = facts.manifest().at("seconds").number() {
        let workers = facts.manifest().at("workers").number().map(|n| count(n as usize, "worker"));
        let device = facts.manifest().at("device").text().map(|device| format!("on {device}"));
        let note: Vec<String> = workers.into_iter().chain(device).collect();
        tiles.push(Tile { label: "Took", value: duration(seconds), note: note.join(" "), tone: Tone::Plain });
    }
    tiles
}

fn units_tile(facts: &Facts) -> Tile {
    let [done, failed, skipped] = [UnitStatus::Done, UnitStatus::Failed, UnitStatus::Skipped].map(|status| facts.count(status));
    let listed = facts.units.len();
    let planned = facts.manifest().at("units.planned").number().map_or(listed, |planned| (planned as usize).max(listed));
    let reused = facts.manifest().at("units.reused").number().unwrap_or_default() as usize;
    let parts = [(failed, "failed"), (skipped, "skipped"), (planned - listed, "not run"), (reused, "from an earlier run")];
    let notes: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let note = if failed == 0 && done == planned && notes.is_empty() { "none failed".to_owned() } else { notes.join(", ") };
    let tone = if failed > 0 || planned > listed { Tone::Bad } else { Tone::Good };
    Tile { label: "Units done", value: format!("{done} of {planned}"), note, tone }
}

/// The scores of the candidates; controls are in the table.
fn fidelity_tile(facts: &Facts) -> Option<Tile> {
    let candidates: Vec<&FidelityRecord> =
        facts.fidelity.iter().filter(|row| row.test == "overall" && !row.dataset.contains('~')).collect();
    let first = candidates.first()?;
    let accept = facts.manifest().at("stages.fidelity.accept").number();
    let reached = accept.map(|accept| candidates.iter().filter(|row| row.score.is_some_and(|score| score >= accept)).count());
    let tone = match reached {
        Some(n) if n == candidates.len() => Tone::Good,
        Some(_) => Tone::Bad,
        None => Tone::Plain,
    };
    let wanted = accept.map_or_else(String::new, |accept| format!("{} asked for", number(accept)));
    let (value, note) = match (&candidates[..], reached) {
        ([only], _) => (maybe(only.score), [only.dataset.clone(), wanted].join(", ")),
        (_, Some(n)) => (format!("{n} of {}", candidates.len()), format!("reach {}", maybe(accept))),
        (_, None) => (maybe(first.score), format!("{} and {} more", first.dataset, candidates.len() - 1)),
    };
    Some(Tile { label: "Fidelity", value, note: note.trim_end_matches(", ").to_owned(), tone })
}

fn about(manifest: Part<'_>) -> Vec<Fact> {
    let mut about = Vec::new();
    say(&mut about, "Finished", manifest.at("finished").text().map(moment));
    say(
        &mut about,
        "Tool",
        manifest.at("tool.version").text().map(|version| {
            let name = manifest.at("tool.name").text().unwrap_or("tcs-batch");
            let commit = manifest.at("tool.git_commit").text().map_or_else(String::new, |commit| format!(" ({})", short(commit)));
            format!("{name} {version}{commit}")
        }),
    );
    say(&mut about, "Seed", manifest.at("seed").plain());
    say(&mut about, "Job", manifest.at("job.path").text());
    about
}

/// `2026-11-25T02:10:00Z` without its `T`.
fn moment(rfc3339: &str) -> String {
    let text = rfc3339.replacen('T', " ", 1);
    match text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")) {
        Some(utc) => format!("{} UTC", utc.split('.').next().unwrap_or(utc)),
        None => text,
    }
}

/// The first letters of a hash, which are enough to tell two apart.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

fn dataset(facts: &Facts, id: &str) -> Dataset {
    let part = facts.dataset(id);
    let (mut done, mut failed, mut all) = (0, 0, 0);
    for unit in facts.units.iter().filter(|unit| unit.dataset == id) {
        all += 1;
        done += usize::from(unit.status == UnitStatus::Done);
        failed += usize::from(unit.status == UnitStatus::Failed);
    }
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    Dataset {
        id: id.to_owned(),
        read: what_was_read(part),
        notes: part.at("notes").list().filter_map(|note| note.text().map(str::to_owned)).collect(),
        units: format!("{done} of {} done{failed}", count(all, "unit")),
        metrics: section::metrics(facts, id),
    }
}

fn what_was_read(part: Part<'_>) -> Vec<Fact> {
    let mut read = Vec::new();
    say(&mut read, "Source", part.at("source").text());
    let format = part.at("format").text().unwrap_or_default();
    let signal = part.at("signal").text().unwrap_or_default();
    let kind = [format, signal].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
    say(&mut read, "Kind", (!kind.is_empty()).then_some(kind));
    say(
        &mut read,
        "Channels",
        part.at("channels").number().map(|kept| match part.at("channels_total").number() {
            Some(total) if total != kept => format!("{kept} kept of {total}"),
            _ => kept.to_string(),
        }),
    );
    let areas: Vec<String> =
        part.at("locations").entries().map(|(area, n)| format!("{area} ({})", n.plain().unwrap_or_else(|| MISSING.into()))).collect();
    say(&mut read, "Areas", (!areas.is_empty()).then(|| areas.join(", ")));
    let span = part.at("start_s").number().zip(part.at("stop_s").number());
    say(&mut read, "Span", span.map(|(start, stop)| format!("{} s to {} s ({})", number(start), number(stop), duration(stop - start))));
    say(&mut read, "Rate", part.at("rate_hz").number().map(|rate| format!("{} Hz", number(rate))));
    say(&mut read, "Unit of measure", part.at("unit_of_measure").text());
    say(&mut read, "Windows", part.at("windows").number().map(number));
    read
}

fn machine(manifest: Part<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    say(&mut facts, "Command", manifest.at("command").text());
    say(&mut facts, "Started", manifest.at("started").text().map(moment));
    say(&mut facts, "Finished", manifest.at("finished").text().map(moment));
    let host: Vec<String> = ["os", "cpu"].iter().filter_map(|key| manifest.at("host").at(key).plain()).collect();
    let cores = manifest.at("host.cores").number().map(|n| count(n as usize, "core"));
    let host: Vec<String> = host.into_iter().chain(cores).collect();
    say(&mut facts, "Machine", (!host.is_empty()).then(|| host.join(", ")));
    say(&mut facts, "Device", manifest.at("device").plain());
    let versions: Vec<String> =
        manifest.at("versions").entries().filter_map(|(name, version)| Some(format!("{name} {}", version.plain()?))).collect();
    say(&mut facts, "Libraries", (!versions.is_empty()).then(|| versions.join(", ")));
    say(&mut facts, "Job hash", manifest.at("job.hash").text());
    say(&mut facts, "Layout", manifest.at("schema_version").plain().map(|version| format!("version {version}")));
    facts
}

impl From<&Fact> for Vec<Cell> {
    fn from(fact: &Fact) -> Self {
        vec![fact.label.as_str().into(), fact.text.as_str().into()]
    }
}
