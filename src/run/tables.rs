//! From stored units to rows of the tables, in the order of the plan, whatever the order of completion.

use super::Slot;
use super::part::{Part, Task};
use crate::data::{CurveKind, MetricRow, Value};
use crate::job::Job;
use crate::job::plan::Problem;
use crate::table::{
    self, DiagramRecord, EmbeddingRecord, ExpectationRecord, FidelityRecord, MetricRecord, PreviewRecord, Provenance, Table, TableError,
    UnitRecord, UnitStatus,
};
use std::path::Path;

/// Rows of all tables that come from units.
#[derive(Debug, Default)]
pub struct Tables {
    pub units: Vec<UnitRecord>,
    pub metrics: Vec<MetricRecord>,
    pub diagrams: Vec<DiagramRecord>,
    pub embeddings: Vec<EmbeddingRecord>,
    pub previews: Vec<PreviewRecord>,
}

/// Makes the rows.
pub(crate) fn make(job: &Job, slots: &[Slot]) -> Tables {
    let mut tables = Tables::default();
    for slot in slots {
        tables.units.push(unit(job, slot));
        for wanted in &slot.wanted {
            if let Some(part) = slot.stored.part(&wanted.key) {
                add(job, slot, wanted.task, part, &mut tables);
            }
        }
    }
    tables
}

/// Writes every table of a run.
pub(crate) fn write(
    out: &Path,
    tables: &Tables,
    fidelity: &[FidelityRecord],
    expectations: &[ExpectationRecord],
    provenance: &Provenance,
) -> Result<(), TableError> {
    write_one(out, &tables.units, provenance)?;
    write_one(out, &tables.metrics, provenance)?;
    write_one(out, &tables.diagrams, provenance)?;
    write_one(out, &tables.embeddings, provenance)?;
    write_one(out, fidelity, provenance)?;
    write_one(out, expectations, provenance)?;
    write_one(out, &tables.previews, provenance)
}

fn write_one<T: Table>(out: &Path, rows: &[T], provenance: &Provenance) -> Result<(), TableError> {
    table::write(&out.join(T::FILE), rows, provenance)
}

/// Why a unit counts as failed: it as a whole, or the first of its parts.
pub(crate) fn problem_of(slot: &Slot) -> Option<Problem> {
    let part = || {
        slot.wanted.iter().find_map(|wanted| match slot.stored.part(&wanted.key) {
            Some(Part::Failed(problem)) => Some(problem.clone()),
            _ => None,
        })
    };
    slot.stored.problem.clone().or_else(part)
}

/// Values of a unit that do not exist: one sentence a metric and reason, with the statistics and channels that it is about.
pub(crate) fn undefined_of(slot: &Slot) -> Vec<String> {
    let mut reasons: Vec<Undefined<'_>> = Vec::new();
    for wanted in &slot.wanted {
        let rows: &[MetricRow] = match slot.stored.part(&wanted.key) {
            Some(Part::Metric(output)) => &output.rows,
            Some(Part::Persistence { rows, .. }) => rows,
            Some(Part::Embedding(embedded)) => &embedded.rows,
            _ => &[],
        };
        let name = wanted.label.split_once(':').map_or(wanted.label.as_str(), |(_, name)| name);
        for row in rows {
            if let Value::Undefined(reason) = &row.value {
                let at = reasons.iter().position(|known| known.name == name && known.reason == reason).unwrap_or_else(|| {
                    reasons.push(Undefined { name, reason, statistics: Vec::new(), sources: Vec::new() });
                    reasons.len() - 1
                });
                add_new(&mut reasons[at].statistics, Some(row.statistic.as_str()));
                add_new(&mut reasons[at].sources, row.source.as_deref());
            }
        }
    }
    reasons.iter().map(|found| format!("{} {}{}: {}", found.name, found.statistics.join(", "), of(&found.sources), found.reason)).collect()
}

/// Values of one metric that do not exist for one reason.
struct Undefined<'a> {
    name: &'a str,
    reason: &'a str,
    statistics: Vec<&'a str>,
    sources: Vec<&'a str>,
}

fn add_new<'a>(known: &mut Vec<&'a str>, one: Option<&'a str>) {
    known.extend(one.filter(|one| !known.contains(one)));
}

/// " of `a`, `b`", shortened beyond three.
fn of(sources: &[&str]) -> String {
    match sources {
        [] => String::new(),
        few if few.len() <= 3 => format!(" of {}", few.iter().map(|source| format!("`{source}`")).collect::<Vec<_>>().join(", ")),
        [first, rest @ ..] => format!(" of `{first}` and {} more", rest.len()),
    }
}

/// Reasons that fit into a cell; a recording of a thousand silent units would fill it otherwise.
const MAX_REASONS: usize = 5;

fn unit(job: &Job, slot: &Slot) -> UnitRecord {
    let problem = problem_of(slot);
    let undefined = undefined_of(slot);
    let status = match &problem {
        Some(problem) if problem.skipped => UnitStatus::Skipped,
        Some(_) => UnitStatus::Failed,
        None => UnitStatus::Done,
    };
    let (error_kind, error) = match problem {
        Some(problem) => (Some(problem.kind), Some(problem.message)),
        None if undefined.is_empty() => (slot.unit.note.as_ref().map(|_| "beyond-last-spike".to_owned()), slot.unit.note.clone()),
        None => {
            let more = undefined.len().saturating_sub(MAX_REASONS);
            let mut text = undefined[..undefined.len().min(MAX_REASONS)].join("; ");
            if more > 0 {
                text.push_str(&format!("; and {more} more"));
            }
            if let Some(note) = &slot.unit.note {
                text = format!("{note}; {text}");
            }
            (Some("undefined".to_owned()), Some(text))
        }
    };
    UnitRecord {
        unit: slot.unit.id.clone(),
        dataset: job.datasets[slot.unit.dataset].id.clone(),
        window_start_s: slot.unit.window.map(|window| window.start_s),
        window_stop_s: slot.unit.window.map(|window| window.stop_s),
        status,
        error_kind,
        error,
        attempts: slot.stored.attempts,
        device: "cpu".into(),
        seconds: slot.stored.seconds,
        peak_memory_bytes: slot.stored.peak_memory_bytes,
    }
}

fn add(job: &Job, slot: &Slot, task: Task, part: &Part, tables: &mut Tables) {
    let dataset = &job.datasets[slot.unit.dataset].id;
    let unit = &slot.unit.id;
    match (task, part) {
        (Task::Preview, Part::Preview(curves)) => previews(dataset, unit, curves, tables),
        (Task::Embedding(at), Part::Embedding(embedded)) => {
            let name = &job.embeddings[at].name;
            for (index, point) in embedded.points.iter().enumerate() {
                let vector = point.iter().map(|&value| value as f32).collect();
                tables.embeddings.push(EmbeddingRecord {
                    dataset: dataset.clone(),
                    unit: unit.clone(),
                    embedding: name.clone(),
                    index: index as u32,
                    vector,
                });
            }
            metrics(job, slot, &format!("embedding.{name}"), &embedded.rows, tables);
        }
        (Task::Persistence(at), Part::Persistence { diagrams, rows }) => {
            let name = &job.persistences[at].name;
            for (dim, pairs) in diagrams.by_dim.iter().enumerate() {
                tables.diagrams.extend(pairs.iter().map(|pair| DiagramRecord {
                    dataset: dataset.clone(),
                    unit: unit.clone(),
                    persistence: name.clone(),
                    dim: dim as i8,
                    birth: pair.birth,
                    death: pair.death,
                }));
            }
            metrics(job, slot, &format!("persistence.{name}"), rows, tables);
        }
        (Task::Metric(at), Part::Metric(output)) => {
            metrics(job, slot, &job.metrics[at].name, &output.rows, tables);
            if slot.unit.ordinal == 0 {
                previews(dataset, unit, &output.curves, tables);
            }
        }
        _ => {}
    }
}

fn previews(dataset: &str, unit: &str, curves: &[crate::data::Curve], tables: &mut Tables) {
    for curve in curves {
        // Two metrics may draw the same spectrum; one is enough.
        let known = curve.kind == CurveKind::Spectrum
            && tables.previews.iter().any(|row| row.kind == curve.kind && row.dataset == dataset && row.channel == curve.channel);
        if !known {
            let rows = curve.x.iter().zip(&curve.y).map(|(&x, &y)| PreviewRecord {
                dataset: dataset.to_owned(),
                unit: unit.to_owned(),
                kind: curve.kind,
                channel: curve.channel.clone(),
                x,
                y,
            });
            tables.previews.extend(rows);
        }
    }
}

fn metrics(job: &Job, slot: &Slot, name: &str, rows: &[MetricRow], tables: &mut Tables) {
    tables.metrics.extend(rows.iter().map(|row| MetricRecord {
        job: job.name.clone(),
        dataset: job.datasets[slot.unit.dataset].id.clone(),
        unit: slot.unit.id.clone(),
        window_start_s: slot.unit.window.map(|window| window.start_s),
        window_stop_s: slot.unit.window.map(|window| window.stop_s),
        metric: name.to_owned(),
        statistic: row.statistic.clone(),
        source: row.source.clone(),
        target: row.target.clone(),
        value: row.value.known(),
        unit_of_measure: row.unit_of_measure.clone(),
        ci_low: row.ci_low,
        ci_high: row.ci_high,
        p_value: row.p_value,
        surrogates: row.surrogates,
    }));
}
