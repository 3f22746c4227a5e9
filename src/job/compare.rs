//! `[compare]`: how far numbers may be from those of an earlier output. Decides no result, so it is in no key.

use super::check::JobError;
use super::diagnose::Source;
use super::expectations::Known;
use super::file;
use crate::report::compare::{NamedTolerance, Settings};
use crate::spec::{Diagnostics, ROOT, Section};
use std::path::Path;

/// Checks `[compare]`; without `known`, its names are taken as they are.
pub(super) fn check(root: &Section<'_>, known: Option<&Known>) -> Settings {
    let Some(section) = root.section("compare") else { return Settings::default() };
    let mut settings = Settings { absolute: amount(&section, "absolute"), relative: amount(&section, "relative"), named: Vec::new() };
    for entry in section.sections("tolerance", false) {
        if let Some(named) = tolerance(&entry, known) {
            if settings.named.iter().any(|other| other.name == named.name) {
                entry.error(entry.span(), format!("there are two tolerances of `{}`", named.name), "keep one");
            }
            settings.named.push(named);
        }
    }
    section.finish();
    settings
}

fn amount(section: &Section<'_>, key: &'static str) -> Option<f64> {
    section.number_where(key, "0 or more, and finite", |number| number >= 0.0 && number.is_finite())
}

fn tolerance(section: &Section<'_>, known: Option<&Known>) -> Option<NamedTolerance> {
    let (metric, statistic) = match known {
        Some(known) => known.named(section, &["diagram"]),
        None => (section.required_string("metric"), section.string("statistic")),
    };
    let (absolute, relative) = (amount(section, "absolute"), amount(section, "relative"));
    if section.raw("absolute").is_none() && section.raw("relative").is_none() {
        section.error(section.span(), format!("{} needs `absolute` or `relative`", section.name()), "relative = 0.01, for example");
    }
    section.finish();
    let metric = metric?;
    let name = statistic.map_or_else(|| metric.clone(), |statistic| format!("{metric}.{statistic}"));
    Some(NamedTolerance { name, absolute, relative })
}

/// `[compare]` of a job as a manifest keeps it; nothing else of it is looked at, so its recordings need not be here.
///
/// # Errors
/// When the text is no job file or its `[compare]` is wrong: where, and what to do.
pub fn settings(manifest: &Path, text: String, overrides: &[String]) -> Result<Settings, JobError> {
    let mut source = Source::new(&manifest.join("job.text"), text.clone());
    let found = match file::parse(&mut source, &text, overrides) {
        Ok(table) => {
            let diagnostics = Diagnostics::default();
            let settings = check(&Section::new(ROOT, table.get_ref(), 0..0, &diagnostics), None);
            if diagnostics.is_empty() {
                return Ok(settings);
            }
            diagnostics.into_sorted()
        }
        Err(found) => found,
    };
    Err(JobError { messages: found.iter().map(|problem| source.render(problem)).collect() })
}
