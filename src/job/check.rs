//! From text to a checked [`Job`]: every error is found, none is thrown before the others are known.

use super::datasets::Datasets;
use super::diagnose::Source;
use super::{Job, Output, RunOptions, SCHEMA_VERSION, datasets, expectations, file, stages};
use crate::report::Format;
use crate::spec::{Diagnostic, Diagnostics, Section};
use std::path::{Path, PathBuf};

/// What is wrong with a job file, rendered for a person.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", messages.join("\n"))]
pub struct JobError {
    /// One message a problem, in the order of the file.
    pub messages: Vec<String>,
}

/// Reads, parses and checks a job file. Looks at which files exist, opens none.
///
/// # Errors
/// All problems at once, each with file, line, column, the offending text and what to do.
pub fn load(path: &Path, overrides: &[String]) -> Result<Job, JobError> {
    let source = file::read(path).map_err(|message| JobError { messages: vec![message] })?;
    load_text(source, overrides)
}

/// Checks a job whose text is at hand; paths in it are relative to `source`'s path.
///
/// # Errors
/// As [`load`].
pub fn load_text(mut source: Source, overrides: &[String]) -> Result<Job, JobError> {
    let text = source.text().to_owned();
    let parsed = file::parse(&mut source, &text, overrides);
    let found = match parsed {
        Ok(table) => {
            let diagnostics = Diagnostics::default();
            let root = Section::new(crate::spec::ROOT, table.get_ref(), 0..0, &diagnostics);
            match check(&root, &source) {
                Some(job) if diagnostics.is_empty() => return Ok(job),
                _ => diagnostics.into_sorted(),
            }
        }
        Err(found) => found,
    };
    Err(JobError { messages: found.iter().map(|problem| source.render(problem)).collect() })
}

/// Renders problems that are found later (a dataset's header) like those of the check.
pub fn render(source: &Source, span: std::ops::Range<usize>, message: String) -> String {
    source.render(&Diagnostic { span, message, hint: None })
}

fn check(root: &Section<'_>, source: &Source) -> Option<Job> {
    let base = source.path().parent().unwrap_or(Path::new("")).to_owned();
    match root.integer("schema_version", 1) {
        Some(version) if version != u64::from(SCHEMA_VERSION) => {
            root.error(
                root.span_of("schema_version"),
                format!("schema_version {version} is not known"),
                format!("this version reads {SCHEMA_VERSION}"),
            );
        }
        None if root.raw("schema_version").is_none() => {
            root.error(0..0, "`schema_version` is missing", format!("add `schema_version = {SCHEMA_VERSION}` as the first line"));
        }
        _ => {}
    }
    let head = head(root);
    let run = run_options(root);
    let output = output(root, &base, source.path());
    let datasets = datasets::check(root, &base);
    let embeddings = stages::embeddings(root, &datasets);
    let persistences = stages::persistences(root, &datasets, &embeddings);
    let metrics = stages::metrics(root, &datasets, &embeddings);
    let fidelity = stages::fidelity(root, &datasets);
    let known = expectations::Known::new(&embeddings, &persistences, &metrics, fidelity.as_ref());
    let expectations = expectations::check(root, &datasets, &known);
    let compare = super::compare::check(root, Some(&known));
    root.finish();
    warn_of_nothing_to_do(root, &datasets);
    let hash = blake3::hash(source.canonical().as_bytes()).to_hex().to_string();
    let (name, description, seed) = head?;
    Some(Job {
        source: source.clone(),
        hash,
        name,
        description,
        seed,
        run,
        output,
        datasets: datasets.all,
        embeddings,
        persistences,
        metrics,
        fidelity,
        expectations,
        compare,
    })
}

fn warn_of_nothing_to_do(root: &Section<'_>, datasets: &Datasets) {
    if datasets.all.is_empty() && root.diagnostics().is_empty() {
        root.error(0..0, "the job has no [[dataset]]", "add one: id, source");
    }
}

fn head(root: &Section<'_>) -> Option<(String, String, u64)> {
    let Some(job) = root.section("job") else {
        if root.diagnostics().is_empty() {
            root.error(0..0, "the job file needs a [job] table", "add `[job]` with `name = \"…\"`");
        }
        return None;
    };
    let name = job.required_string("name");
    let description = job.string("description").unwrap_or_default();
    let seed = job.integer("seed", 0).unwrap_or(0);
    job.finish();
    Some((name?, description, seed))
}

fn run_options(root: &Section<'_>) -> RunOptions {
    let mut options = RunOptions { workers: 0, retries: 1, unit_timeout_s: 3600.0, memory_gib: 16.0 };
    let Some(run) = root.section("run") else { return options };
    run.choice_or_later("device", &["auto", "cpu"], &["cuda"]);
    options.workers = run.integer("workers", 0).unwrap_or(0) as usize;
    options.retries = run.integer("retries", 0).map_or(options.retries, |retries| retries.min(100) as u32);
    let positive = |number: f64| number > 0.0;
    options.unit_timeout_s = run.number_where("unit_timeout_s", "greater than 0", positive).unwrap_or(options.unit_timeout_s);
    options.memory_gib = run.number_where("memory_gib", "greater than 0", positive).unwrap_or(options.memory_gib);
    run.finish();
    options
}

/// The same path without `.` and with `..` undone where a plain folder stands before it.
pub(super) fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) && !tidy.is_symlink() => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    if tidy.as_os_str().is_empty() { PathBuf::from(".") } else { tidy }
}

fn output(root: &Section<'_>, base: &Path, path: &Path) -> Output {
    let stem = path.file_stem().map_or_else(|| "job".into(), |stem| stem.to_string_lossy().into_owned());
    let mut output = Output { dir: PathBuf::from("reports").join(stem), formats: vec![Format::Html, Format::Md] };
    let Some(section) = root.section("output") else { return output };
    if let Some(dir) = section.string("dir") {
        output.dir = tidy(&base.join(dir));
    }
    if let Some(names) = section.strings("formats") {
        output.formats = names
            .iter()
            .filter_map(|name| {
                let format = Format::named(name);
                if format.is_none() {
                    section.error(
                        section.span_of("formats"),
                        format!("`formats` cannot hold \"{name}\""),
                        crate::spec::suggest(name, Format::NAMES),
                    );
                }
                format
            })
            .collect();
    }
    section.finish();
    output
}
