//! The job file as typed: text to a spanned TOML table, overrides of the command line laid over it. No look at any other file.

use super::diagnose::Source;
use crate::spec::Diagnostic;
use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Reads a job file's text.
///
/// # Errors
/// One line: it is missing, not readable, or not UTF-8 (with line and column of the first bad byte).
pub fn read(path: &Path) -> Result<Source, String> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("error: {}: no such job file", path.display()),
        _ => format!("error: {}: cannot be read ({error})", path.display()),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        let line_start = bytes[..valid].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line = bytes[..valid].iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&bytes[line_start..valid]).chars().count() + 1;
        format!(
            "error: {}:{line}:{column}: byte 0x{:02x} is not UTF-8; save the job file as UTF-8 (it looks like latin-1)",
            path.display(),
            bytes[valid]
        )
    })?;
    Ok(Source::new(path, text))
}

/// Parses the text of `source` and lays `overrides` (`path.to.key=value`) over it; they get their place in `source`.
///
/// # Errors
/// Every problem of syntax, and every override that names no place.
pub fn parse<'t>(source: &mut Source, text: &'t str, overrides: &'t [String]) -> Result<Spanned<DeTable<'t>>, Vec<Diagnostic>> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors
            .into_iter()
            .map(|error| Diagnostic { span: error.span().unwrap_or(0..0), message: error.message().replace('\n', " "), hint: None })
            .collect());
    }
    let mut problems = Vec::new();
    for typed in overrides {
        let span = source.add_override(typed);
        if let Err(message) = lay_over(table.get_mut(), typed, &span) {
            problems.push(Diagnostic {
                span,
                message,
                hint: Some("write --set path.to.key=value, entries of a list by number from 0: metric.0.k=3".into()),
            });
        }
    }
    if problems.is_empty() { Ok(table) } else { Err(problems) }
}

fn lay_over<'t>(table: &mut DeTable<'t>, typed: &'t str, span: &Range<usize>) -> Result<(), String> {
    let (path, value) = typed.split_once('=').ok_or("there is no `=`")?;
    let value = match DeValue::parse(value.trim()) {
        Ok(parsed) => respan(parsed.into_inner(), span),
        Err(_) => Spanned::new(span.clone(), DeValue::String(Cow::Borrowed(value.trim()))),
    };
    let steps: Vec<&str> = path.trim().split('.').collect();
    if steps.iter().any(|step| step.is_empty()) {
        return Err("the path has an empty step".into());
    }
    set(table, &steps, value, span)
}

fn set<'t>(table: &mut DeTable<'t>, steps: &[&'t str], value: Spanned<DeValue<'t>>, span: &Range<usize>) -> Result<(), String> {
    let key = Spanned::new(span.clone(), Cow::Borrowed(steps[0]));
    if steps.len() == 1 {
        table.remove(steps[0]);
        table.insert(key, value);
        return Ok(());
    }
    if table.get(steps[0]).is_none() {
        table.insert(key, Spanned::new(span.clone(), DeValue::Table(DeTable::new())));
    }
    let below = table.get_mut(steps[0]).ok_or("no such table")?;
    match below.get_mut() {
        DeValue::Table(table) => set(table, &steps[1..], value, span),
        DeValue::Array(items) => set_in_array(items, &steps[1..], value, span),
        _ => Err(format!("`{}` is neither a table nor a list", steps[0])),
    }
}

fn set_in_array<'t>(items: &mut DeArray<'t>, steps: &[&'t str], value: Spanned<DeValue<'t>>, span: &Range<usize>) -> Result<(), String> {
    let n = items.len();
    let index: usize =
        steps[0].parse().map_err(|_| format!("`{}` must be the number of an entry, 0 to {}", steps[0], n.saturating_sub(1)))?;
    let item = items.get_mut(index).ok_or_else(|| format!("there is no entry {index}: the list has {n}"))?;
    if steps.len() == 1 {
        *item = value;
        return Ok(());
    }
    match item.get_mut() {
        DeValue::Table(table) => set(table, &steps[1..], value, span),
        _ => Err(format!("entry {index} is not a table")),
    }
}

/// Points every part of an override's value at the override.
fn respan<'t>(value: DeValue<'t>, span: &Range<usize>) -> Spanned<DeValue<'t>> {
    let value = match value {
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(|item| respan(item.into_inner(), span)).collect()),
        DeValue::Table(table) => DeValue::Table(
            table.into_iter().map(|(key, item)| (Spanned::new(span.clone(), key.into_inner()), respan(item.into_inner(), span))).collect(),
        ),
        scalar => scalar,
    };
    Spanned::new(span.clone(), value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Diagnostics, Section};

    fn seed_of(overrides: &[&str]) -> Result<Option<u64>, Vec<Diagnostic>> {
        let text = "[job]\nseed = 1\n[[metric]]\nk = 2\n";
        let mut source = Source::new(Path::new("a.toml"), text.to_owned());
        let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        let table = parse(&mut source, text, &overrides)?;
        let diagnostics = Diagnostics::default();
        let root = Section::new("the job file", table.get_ref(), 0..0, &diagnostics);
        Ok(root.section("job").and_then(|job| job.integer("seed", 0)))
    }

    #[test]
    fn an_override_replaces_a_value() {
        assert_eq!(seed_of(&["job.seed=9"]), Ok(Some(9)));
        assert_eq!(seed_of(&["metric.0.k=9", "run.workers=2"]), Ok(Some(1)));
    }

    #[test]
    fn an_override_without_a_place_is_an_error() {
        for bad in ["seed", "metric.7.k=1", "job..seed=1", "metric.x.k=1"] {
            assert!(seed_of(&[bad]).is_err(), "{bad}");
        }
    }
}
