//! `[embedding]`, `[persistence]`, `[[metric]]`, `[fidelity]`: which method, with what, on which datasets.

use super::datasets::{Datasets, name_of};
use super::{EmbeddingStage, FidelityStage, Input, MetricStage, PersistenceParams, PersistenceStage};
use crate::embed::{self, EMBEDDINGS};
use crate::fidelity::{self, TESTS};
use crate::homology::Threshold;
use crate::homology::summary::Summary;
use crate::metrics::resample::Resampling;
use crate::metrics::{self, METRICS, Needs};
use crate::read::SignalKind;
use crate::spec::{Entry, Section, suggest};
use toml::de::DeValue;

/// A dataset that holds a channels × time matrix.
fn has_matrix(datasets: &Datasets, index: usize) -> bool {
    matches!(datasets.all[index].signal, SignalKind::Spikes | SignalKind::Series)
}

/// The member of a registry that `key` names; unknown and later ones are reported.
fn look_up<T: ?Sized>(section: &Section<'_>, key: &'static str, entries: &'static [Entry<T>], later: &[&str]) -> Option<&'static Entry<T>> {
    let kind = section.required_string(key)?;
    let found = entries.iter().find(|entry| entry.kind == kind);
    if found.is_none() {
        let names: Vec<&str> = entries.iter().map(|entry| entry.kind).collect();
        if later.contains(&kind.as_str()) {
            section.error(
                section.span_of(key),
                format!("`{key} = \"{kind}\"` is not available yet"),
                format!("available: {}", names.join(", ")),
            );
        } else {
            let all: Vec<&str> = names.iter().chain(later).copied().collect();
            section.error(section.span_of(key), format!("`{key}` cannot be \"{kind}\""), suggest(&kind, &all));
        }
    }
    found
}

/// Datasets that a stage applies to: those under `datasets` that fit, all that fit when it is not given.
fn applies_to(section: &Section<'_>, datasets: &Datasets, what: &str, fits: impl Fn(usize) -> bool) -> Vec<usize> {
    let (wanted, explicit) = datasets.under(section, "datasets");
    let (fit, not): (Vec<usize>, Vec<usize>) = wanted.into_iter().partition(|&index| fits(index));
    if explicit && let Some(&index) = not.first() {
        let dataset = &datasets.all[index];
        section.error(
            section.span_of("datasets"),
            format!("{what} does not fit dataset `{}` (signal = \"{}\")", dataset.id, name_of(dataset.signal)),
            "",
        );
    }
    fit
}

/// Reports a name that an earlier stage of the same kind has.
fn unique_name<'n>(section: &Section<'_>, name: &str, known: impl IntoIterator<Item = &'n str>) {
    if known.into_iter().any(|known| known == name) {
        let place = if section.raw("name").is_some() { section.span_of("name") } else { section.span() };
        section.error(place, format!("there are two of the name `{name}` under {}", section.name()), "give each its own `name`");
    }
}

/// Checks `[embedding]` or `[[embedding]]`.
pub fn embeddings(root: &Section<'_>, datasets: &Datasets) -> Vec<EmbeddingStage> {
    let mut stages: Vec<EmbeddingStage> = Vec::new();
    for section in root.sections("embedding", true) {
        if let Some(DeValue::String(method)) = section.raw("method").map(|value| value.get_ref())
            && method == "none"
        {
            section.strings("datasets");
            section.string("name");
            section.finish();
            continue;
        }
        let Some(entry) = look_up(&section, "method", EMBEDDINGS, embed::LATER) else { continue };
        let name = section.string("name").unwrap_or_else(|| entry.kind.to_owned());
        unique_name(&section, &name, stages.iter().map(|stage| stage.name.as_str()));
        let datasets = applies_to(&section, datasets, &format!("`{}`", entry.kind), |index| has_matrix(datasets, index));
        let embed = (entry.parse)(&section);
        section.finish();
        if let Some(embed) = embed {
            stages.push(EmbeddingStage { name, method: entry.kind, embed, datasets });
        }
    }
    stages
}

/// What `on` means: not given, the signal, or one embedding.
enum On {
    Default,
    Signal,
    Embedding(usize),
}

fn on(section: &Section<'_>, embeddings: &[EmbeddingStage]) -> Option<On> {
    let Some(name) = section.string("on") else { return section.raw("on").is_none().then_some(On::Default) };
    if name == "signal" {
        return Some(On::Signal);
    }
    let found = embeddings.iter().position(|stage| stage.name == name);
    if found.is_none() {
        let names: Vec<&str> = embeddings.iter().map(|stage| stage.name.as_str()).chain(["signal"]).collect();
        section.error(section.span_of("on"), format!("there is no embedding `{name}`"), suggest(&name, &names));
    }
    found.map(On::Embedding)
}

/// The input of a persistence stage on each dataset: what `on` says, else the one embedding that applies, else the signal.
fn persistence_inputs(section: &Section<'_>, datasets: &Datasets, embeddings: &[EmbeddingStage]) -> Vec<(usize, Input)> {
    let Some(on) = on(section, embeddings) else { return Vec::new() };
    if let On::Embedding(at) = on {
        let fits = |index: usize| embeddings[at].datasets.contains(&index);
        return applies_to(section, datasets, &format!("embedding `{}`", embeddings[at].name), fits)
            .into_iter()
            .map(|index| (index, Input::Embedding(at)))
            .collect();
    }
    let mut inputs = Vec::new();
    for index in applies_to(section, datasets, "persistence", |_| true) {
        let applying: Vec<usize> = (0..embeddings.len()).filter(|&at| embeddings[at].datasets.contains(&index)).collect();
        match (&on, &applying[..]) {
            (On::Signal, _) | (_, []) => inputs.push((index, Input::Signal)),
            (_, [only]) => inputs.push((index, Input::Embedding(*only))),
            (_, several) => {
                let names: Vec<String> = several.iter().map(|&at| format!("`{}`", embeddings[at].name)).collect();
                section.error(
                    section.span(),
                    format!("{} could be on {} of dataset `{}`", section.name(), names.join(" or "), datasets.all[index].id),
                    "say which: `on = \"NAME\"` or `on = \"signal\"`",
                );
                return inputs;
            }
        }
    }
    inputs
}

/// Checks `[persistence]` or `[[persistence]]`.
pub fn persistences(root: &Section<'_>, datasets: &Datasets, embeddings: &[EmbeddingStage]) -> Vec<PersistenceStage> {
    let mut stages: Vec<PersistenceStage> = Vec::new();
    for section in root.sections("persistence", true) {
        let complex = section.choice_or_later("complex", &["rips"], &["alpha", "sparse-rips", "cubical"]).unwrap_or("rips");
        let name = section.string("name").unwrap_or_else(|| complex.to_owned());
        unique_name(&section, &name, stages.iter().map(|stage| stage.name.as_str()));
        let inputs = persistence_inputs(&section, datasets, embeddings);
        let params = persistence_params(&section, complex);
        section.finish();
        stages.push(PersistenceStage { name, params, inputs });
    }
    stages
}

fn persistence_params(section: &Section<'_>, complex: &'static str) -> PersistenceParams {
    let max_dim = section.integer("max_dim", 0).unwrap_or(1) as usize;
    if max_dim > 7 {
        section.error(section.span_of("max_dim"), format!("`max_dim` must be 7 or less, not {max_dim}"), "");
    }
    let threshold = match section.raw("threshold").map(|value| value.get_ref()) {
        None => Threshold::Enclosing,
        Some(DeValue::String(text)) if text == "enclosing" => Threshold::Enclosing,
        Some(DeValue::String(text)) if text == "inf" => Threshold::Infinite,
        Some(DeValue::String(text)) => {
            section.error(
                section.span_of("threshold"),
                format!("`threshold` cannot be \"{text}\""),
                "write a number, \"enclosing\" or inf",
            );
            Threshold::Enclosing
        }
        Some(_) => match section.number_where("threshold", "0 or more", |number| number >= 0.0) {
            Some(number) if number.is_finite() => Threshold::At(number),
            Some(_) => Threshold::Infinite,
            None => Threshold::Enclosing,
        },
    };
    let modulus = section.integer("modulus", 2).unwrap_or(2);
    let is_prime =
        |number: u64| number >= 2 && (2..).take_while(|factor| factor * factor <= number).all(|factor| !number.is_multiple_of(factor));
    if modulus > 251 || !is_prime(modulus) {
        section.error(section.span_of("modulus"), format!("`modulus` must be a prime up to 251, not {modulus}"), "homology needs a field");
    }
    let max_points = section.integer("max_points", 1).unwrap_or(2000) as usize;
    let summaries = section.strings("summaries").map_or_else(
        || vec![Summary::Entropy, Summary::BettiCurve],
        |names| {
            let parse = |name: &String| {
                let found = Summary::parse(name);
                if found.is_none() {
                    section.error(
                        section.span_of("summaries"),
                        format!("`summaries` cannot hold \"{name}\""),
                        suggest(name, Summary::NAMES),
                    );
                }
                found
            };
            names.iter().filter_map(parse).collect()
        },
    );
    PersistenceParams { complex, max_dim, threshold, modulus: modulus.min(251) as u16, max_points, summaries }
}

/// Checks every `[[metric]]`.
pub fn metrics(root: &Section<'_>, datasets: &Datasets, embeddings: &[EmbeddingStage]) -> Vec<MetricStage> {
    let mut stages: Vec<MetricStage> = Vec::new();
    for section in root.sections("metric", false) {
        let Some(entry) = look_up(&section, "kind", METRICS, metrics::LATER) else { continue };
        let name = section.string("name").unwrap_or_else(|| entry.kind.to_owned());
        unique_name(&section, &name, stages.iter().map(|stage| stage.name.as_str()));
        let resampling = Resampling::parse(&section);
        let metric = (entry.parse)(&section);
        let inputs = match on(&section, embeddings) {
            Some(On::Default | On::Signal) if metric.as_ref().is_some_and(|metric| metric.needs() == Needs::Embedding) => {
                section.error(
                    section.span(),
                    format!("`{}` compares an embedding with what it was made of", entry.kind),
                    "add `on = \"NAME of an embedding\"`",
                );
                Vec::new()
            }
            Some(On::Embedding(_)) if metric.as_ref().is_some_and(|metric| metric.needs() == Needs::Trials) => {
                section.error(
                    section.span_of("on"),
                    format!("`{}` is of the signal's trials, not of an embedding", entry.kind),
                    "leave out `on`",
                );
                Vec::new()
            }
            Some(On::Embedding(at)) => {
                let fits = |index: usize| embeddings[at].datasets.contains(&index);
                let what = format!("embedding `{}`", embeddings[at].name);
                applies_to(&section, datasets, &what, fits).into_iter().map(|index| (index, Input::Embedding(at))).collect()
            }
            Some(_) => {
                let what = format!("metric `{}`", entry.kind);
                let points = metric.as_ref().is_some_and(|metric| metric.takes_points());
                let fits = |index: usize| has_matrix(datasets, index) || points && datasets.all[index].signal == SignalKind::Points;
                applies_to(&section, datasets, &what, fits).into_iter().map(|index| (index, Input::Signal)).collect()
            }
            None => Vec::new(),
        };
        section.finish();
        if let Some(metric) = metric {
            stages.push(MetricStage { name, kind: entry.kind, metric, resampling, inputs });
        }
    }
    stages
}

/// Checks `[fidelity]`.
pub fn fidelity(root: &Section<'_>, datasets: &Datasets) -> Option<FidelityStage> {
    let section = root.section("fidelity")?;
    let resolve = |key: &'static str, ids: Vec<String>| -> Vec<usize> {
        let mut found: Vec<usize> = ids.iter().flat_map(|id| datasets.resolve(&section, section.span_of(key), id)).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    if section.raw("reference").is_none() {
        section.error(section.span(), "[fidelity] needs `reference`", "name the dataset that defines \"biological\"");
    }
    let references = resolve("reference", section.strings("reference").unwrap_or_default());
    let candidates = match section.strings("candidates") {
        Some(ids) => resolve("candidates", ids),
        None => (0..datasets.all.len()).filter(|&index| !references.contains(&index) && has_matrix(datasets, index)).collect(),
    };
    for (key, indices) in [("reference", &references), ("candidates", &candidates)] {
        if let Some(&index) = indices.iter().find(|&&index| !has_matrix(datasets, index)) {
            let dataset = &datasets.all[index];
            section.error(
                section.span_of(key),
                format!("fidelity does not fit dataset `{}` (signal = \"{}\")", dataset.id, name_of(dataset.signal)),
                "",
            );
        }
    }
    if let Some(&index) = candidates.iter().find(|index| references.contains(index)) {
        section.error(section.span_of("candidates"), format!("dataset `{}` is both reference and candidate", datasets.all[index].id), "");
    }
    if candidates.is_empty() && section.raw("reference").is_some() {
        section.error(
            section.span(),
            "[fidelity] has no candidate: every dataset is a reference",
            "add a dataset to score, or cut one recording in two",
        );
    }
    let accept = section.number_where("accept", "between 0 and 1", |accept| (0.0..=1.0).contains(&accept));
    let names = section.strings("tests").unwrap_or_else(|| TESTS.iter().map(|entry| entry.kind.to_owned()).collect());
    let tests = tests(&section, &names);
    section.finish();
    Some(FidelityStage { tests, references, candidates, accept })
}

fn tests(section: &Section<'_>, names: &[String]) -> Vec<Box<dyn fidelity::Test>> {
    let mut tests = Vec::new();
    for name in names {
        let Some(entry) = TESTS.iter().find(|entry| entry.kind == name) else {
            let known: Vec<&str> = TESTS.iter().map(|entry| entry.kind).collect();
            let later = fidelity::LATER.contains(&name.as_str());
            let message = if later { format!("test \"{name}\" is not available yet") } else { format!("there is no test \"{name}\"") };
            section.error(section.span_of("tests"), message, format!("available: {}", known.join(", ")));
            continue;
        };
        let empty = toml::de::DeTable::new();
        if let Some(test) = (entry.parse)(&Section::new("[fidelity]", &empty, section.span(), section.diagnostics())) {
            tests.push(test);
        }
    }
    tests
}
