//! The parts of a unit's result: what is computed, stored and reused on its own. A part's key is a hash of everything that
//! decides it, so that changing one metric recomputes that metric and nothing else.

use crate::data::{Curve, Diagrams, MetricRow};
use crate::embed::Embedded;
use crate::fidelity::Profile;
use crate::job::plan::{Problem, Unit};
use crate::job::{Dataset, Input, Job, Origin};
use crate::metrics::{Metric, Needs, Output};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// Raised when reading, windowing or preparing the same bytes begins to give other values.
const READ_VERSION: u32 = 2;
/// Raised when the persistence of the same points begins to give other diagrams or summaries.
const PERSISTENCE_VERSION: u32 = 1;
/// Raised when the pictures' points are chosen otherwise.
const PREVIEW_VERSION: u32 = 1;

/// What to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Curves of what was analysed, for the report.
    Preview,
    /// The embedding stage of this index.
    Embedding(usize),
    /// The persistence stage of this index.
    Persistence(usize),
    /// The metric stage of this index.
    Metric(usize),
    /// The fidelity test of this index.
    Fidelity(usize),
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Part {
    /// Of [`Task::Preview`].
    Preview(Vec<Curve>),
    /// Of [`Task::Embedding`].
    Embedding(Embedded),
    /// Of [`Task::Persistence`].
    Persistence {
        /// The diagrams.
        diagrams: Diagrams,
        /// Their summaries.
        rows: Vec<MetricRow>,
    },
    /// Of [`Task::Metric`].
    Metric(Output),
    /// Of [`Task::Fidelity`]: one profile a segment, or why there is none.
    Fidelity(Vec<Result<Profile, String>>),
    /// It could not be computed.
    Failed(Problem),
}

/// A part to compute: its task, its label within the unit, its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// What to compute.
    pub task: Task,
    /// Unique within the unit (`metric:lz76`).
    pub label: String,
    /// Hash of everything that decides it.
    pub key: String,
}

/// The parts that a unit consists of, in the order of the tables. `identity` is the hash of the dataset's bytes.
pub fn wanted(job: &Job, unit: &Unit, identity: &str) -> Vec<Wanted> {
    let dataset = &job.datasets[unit.dataset];
    let base = base(job, dataset, unit, identity);
    let mut all = Vec::new();
    let mut add = |task: Task, label: String, decides: Json| {
        let key = hash(&json!({ "base": base, "label": label, "part": decides }));
        all.push(Wanted { task, label, key });
    };
    let together = !unit.trials.is_empty();
    let of_trials =
        |metric: &dyn Metric| metric.needs() == Needs::Trials && matches!(dataset.window, Some(crate::job::WindowRule::Around { .. }));
    if unit.ordinal == 0 {
        add(Task::Preview, "preview".into(), json!(PREVIEW_VERSION));
    }
    let input = |input: &Input| match input {
        Input::Signal => json!("signal"),
        Input::Embedding(at) => embedding(job, *at),
    };
    let embeddings = job.embeddings.iter().enumerate().filter(|_| !together);
    for (at, stage) in embeddings.filter(|(_, stage)| stage.datasets.contains(&unit.dataset)) {
        add(Task::Embedding(at), format!("embedding:{}", stage.name), embedding(job, at));
    }
    for (at, stage) in job.persistences.iter().enumerate().filter(|_| !together) {
        for (_, from) in stage.inputs.iter().filter(|(index, _)| *index == unit.dataset) {
            let decides = json!({ "params": stage.params, "on": input(from), "version": PERSISTENCE_VERSION });
            add(Task::Persistence(at), format!("persistence:{}", stage.name), decides);
        }
    }
    for (at, stage) in job.metrics.iter().enumerate().filter(|(_, stage)| of_trials(stage.metric.as_ref()) == together) {
        for (_, from) in stage.inputs.iter().filter(|(index, _)| *index == unit.dataset) {
            let decides = json!({
                "kind": stage.kind, "params": stage.metric.params(), "version": stage.metric.version(),
                "resampling": stage.resampling, "on": input(from),
            });
            add(Task::Metric(at), format!("metric:{}", stage.name), decides);
        }
    }
    if let Some(fidelity) = &job.fidelity
        && !together
        && (fidelity.references.contains(&unit.dataset) || fidelity.candidates.contains(&unit.dataset))
    {
        for (at, test) in fidelity.tests.iter().enumerate() {
            add(Task::Fidelity(at), format!("fidelity:{}", test.name()), json!({ "params": test.params(), "version": test.version() }));
        }
    }
    all
}

fn embedding(job: &Job, at: usize) -> Json {
    let stage = &job.embeddings[at];
    json!({ "method": stage.method, "params": stage.embed.params(), "version": stage.embed.version() })
}

/// What every part of a unit depends on: the bytes, what is read of them, how it is prepared, the window, the seed.
fn base(job: &Job, dataset: &Dataset, unit: &Unit, identity: &str) -> String {
    let origin = match &dataset.origin {
        Origin::File { format, request } => json!({
            "format": format.name, "series": request.series, "units": request.units, "channels": request.channels,
            "sampling_rate_hz": request.sampling_rate_hz,
        }),
        Origin::Model { kind, model } => json!({ "model": kind, "params": model.params(), "version": model.version() }),
    };
    let window = unit.window.map(|span| [span.start_s.to_bits(), span.stop_s.to_bits()]);
    let trials: Vec<[u64; 2]> = unit.trials.iter().map(|span| [span.start_s.to_bits(), span.stop_s.to_bits()]).collect();
    hash(&json!({
        "schema": crate::job::SCHEMA_VERSION, "read": READ_VERSION, "identity": identity, "origin": origin, "signal": dataset.signal,
        "preparation": dataset.preparation, "windowed": dataset.window.is_some(), "window": window, "unit": unit.id, "trials": trials, "seed": job.seed,
    }))
}

fn hash(value: &Json) -> String {
    blake3::hash(value.to_string().as_bytes()).to_hex().to_string()
}
