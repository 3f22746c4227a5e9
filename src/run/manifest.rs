//! `manifest.json`: what was run, on what, with what, when. Timings and machine facts live here and in `units.parquet` alone.

use super::Concluding;
use crate::fetch::uri::redacted;
use crate::job::{Dataset, Job, Origin, SCHEMA_VERSION};
use crate::read::Header;
use crate::table::{
    Provenance, UnitRecord, UnitStatus,
    atomic::{self, FileError},
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

/// What every table says about itself.
pub(crate) fn provenance(job: &Job) -> Provenance {
    Provenance {
        schema_version: SCHEMA_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").into(),
        job_hash: job.hash.clone(),
        seed: job.seed,
    }
}

/// A time as `2026-11-25T01:22:10Z`.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Writes the manifest.
pub(crate) fn write(out: &Path, run: &Concluding<'_>, units: &[UnitRecord]) -> Result<(), FileError> {
    let text = serde_json::to_vec_pretty(&manifest(run, units)).unwrap_or_default();
    atomic::write_bytes(&out.join("manifest.json"), &text)
}

fn manifest(run: &Concluding<'_>, units: &[UnitRecord]) -> Json {
    let job = run.job;
    let count = |status| units.iter().filter(|unit| unit.status == status).count();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    json!({
        "schema_version": SCHEMA_VERSION,
        "tool": { "name": "tcs-batch", "version": env!("CARGO_PKG_VERSION"), "git_commit": option_env!("TCS_GIT_COMMIT") },
        "job": { "name": job.name, "description": job.description, "path": job.source.path(), "text": redacted(&job.source.canonical()), "overrides": job.source.overrides().map(redacted).collect::<Vec<_>>(), "hash": job.hash },
        "seed": job.seed,
        "command": redacted(&run.options.command),
        "started": rfc3339(run.started),
        "finished": rfc3339(SystemTime::now()),
        "seconds": run.clock.elapsed().as_secs_f64(),
        "host": { "os": std::env::consts::OS, "arch": std::env::consts::ARCH, "cpu": cpu_model(), "cores": cores },
        "device": "cpu",
        "workers": if run.options.workers == 0 { cores } else { run.options.workers },
        "shard": run.options.shard.map(|(shard, of)| format!("{shard}/{of}")),
        "versions": { "hdf5": crate::read::hdf5_version() },
        "datasets": job.datasets.iter().enumerate().map(|(at, dataset)| describe(run, units, at, dataset)).collect::<Vec<_>>(),
        "units": {
            "planned": units.len(), "done": count(UnitStatus::Done), "failed": count(UnitStatus::Failed),
            "skipped": count(UnitStatus::Skipped), "reused": run.reused,
        },
        "stages": stages(job),
        "summaries": summaries(job),
        "limits": [
            "units are dealt as their estimates fit into memory_gib; a worker that outgrows what its unit may use is stopped",
            "CPU only in this version",
        ],
    })
}

fn describe(run: &Concluding<'_>, units: &[UnitRecord], at: usize, dataset: &Dataset) -> Json {
    let header = run.plan.headers[at].as_ref();
    let (source, format) = match &dataset.origin {
        Origin::File { format, request } => (request.path.display().to_string(), format.name),
        Origin::Model { kind, model } => (format!("simulated: {kind} {} ({})", model.params(), model.citation()), "simulate"),
    };
    let identity = run.identities[at].as_ref().ok();
    let id = &dataset.id;
    json!({
        "id": id, "source": dataset.wanted.as_ref().map_or_else(|| source.clone(), |wanted| wanted.address.shown()), "file": source, "format": format, "signal": dataset.signal,
        "sha256": identity.map(|identity| &identity.sha256).filter(|hash| hash.len() == 64),
        "edition": identity.map(|identity| &identity.sha256).filter(|name| name.starts_with("parts:")),
        "bytes": identity.map(|identity| identity.bytes),
        "with": with(dataset, identity),
        "channels_total": header.map(|header| header.n_channels_total).ok(),
        "channels": header.map(|header| header.channels.len()).ok(),
        "locations": header.map(locations).ok(),
        "rate_hz": header.ok().and_then(|header| header.rate_hz),
        "start_s": header.map(|header| header.span.start_s).ok(),
        "stop_s": header.map(|header| header.span.stop_s).ok(),
        "unit_of_measure": header.map(|header| header.unit_of_measure.clone()).ok(),
        "notes": header.map_or_else(|error| vec![error.to_string()], |header| header.notes.clone()),
        "preparation": dataset.preparation, "window": dataset.window,
        "filters": filters(dataset), "invalid_times": if dataset.keep_invalid { "keep" } else { "skip" },
        "windows": units.iter().filter(|unit| unit.dataset == *id).count(),
    })
}

/// Further files of the session, with their hashes.
fn with(dataset: &Dataset, identity: Option<&super::inputs::Identity>) -> Vec<Json> {
    let Origin::File { request, .. } = &dataset.origin else { return Vec::new() };
    let hash = |at: usize| identity.and_then(|identity| identity.with.get(at));
    request.with.iter().enumerate().map(|(at, path)| json!({ "source": path, "sha256": hash(at) })).collect()
}

/// What the job asks of the columns of units and channels, written out.
fn filters(dataset: &Dataset) -> Json {
    match &dataset.origin {
        Origin::File { request, .. } => json!({ "units": request.units, "channels": request.channels }),
        Origin::Model { .. } => Json::Null,
    }
}

fn locations(header: &Header) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for location in header.channels.iter().filter_map(|channel| channel.location.as_ref()) {
        *counts.entry(location.clone()).or_insert(0) += 1;
    }
    counts
}

fn stages(job: &Job) -> Json {
    let embeddings: Vec<Json> =
        job.embeddings.iter().map(|stage| json!({ "name": stage.name, "method": stage.method, "params": stage.embed.params() })).collect();
    let persistences: Vec<Json> = job
        .persistences
        .iter()
        .map(|stage| json!({ "name": stage.name, "complex": stage.params.complex, "params": stage.params }))
        .collect();
    let metrics: Vec<Json> = job
        .metrics
        .iter()
        .map(|stage| {
            json!({
                "name": stage.name, "kind": stage.kind, "default_statistic": stage.metric.statistics().first(),
                "params": stage.metric.params(), "resampling": stage.resampling,
            })
        })
        .collect();
    let fidelity = job.fidelity.as_ref().map(|stage| {
        let ids = |indices: &[usize]| indices.iter().map(|&at| job.datasets[at].id.clone()).collect::<Vec<_>>();
        let tests: Vec<Json> = stage.tests.iter().map(|test| json!({ "name": test.name(), "params": test.params() })).collect();
        json!({ "reference": ids(&stage.references), "candidates": ids(&stage.candidates), "accept": stage.accept, "tests": tests })
    });
    json!({ "embeddings": embeddings, "persistences": persistences, "metrics": metrics, "fidelity": fidelity })
}

fn summaries(job: &Job) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for summary in job.persistences.iter().flat_map(|stage| &stage.params.summaries) {
        if !names.contains(&summary.name()) {
            names.push(summary.name());
        }
    }
    names
}

fn cpu_model() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, model)| model.trim().to_owned()))
}
