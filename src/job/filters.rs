//! `units = {…}`, `channels = {…}` and `where = {…}`: conditions on the columns of a table.

use crate::read::{Condition, Filter};
use crate::spec::{Section, number_of};
use std::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

/// What a filter may hold beside conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Columns,
    /// `every = n`.
    Every,
    /// `quality = "allen-default"`.
    Quality,
}

/// The units that the Allen SDK shows by default (`EcephysProjectCache.get_units`, `EcephysSession`).
const ALLEN_DEFAULT: &str = "allen-default";

fn allen_default() -> Vec<(String, Condition)> {
    let named = |name: &str, condition| (name.to_owned(), condition);
    vec![
        named("quality", Condition::OneOf(vec!["good".to_owned()])),
        named("amplitude_cutoff", Condition::AtMost(0.1)),
        named("presence_ratio", Condition::AtLeast(0.95)),
        named("isi_violations", Condition::AtMost(0.5)),
        // In the brain: the electrode has an area.
        named("location", Condition::Present),
    ]
}

/// Checks a filter: `column = value` or a list of values, `{ min = …, max = … }`; `min_COLUMN`, `max_COLUMN`, `not_COLUMN`; `missing`.
pub fn filter(section: &Section<'_>, takes: Takes) -> Filter {
    let mut filter = Filter { conditions: Vec::new(), every: 1, keep_missing: false };
    if takes == Takes::Every {
        filter.every = section.integer("every", 1).unwrap_or(1) as usize;
    }
    // A table may have a column of this name, which then takes a list: missing = ["yes"].
    if section.raw("missing").is_some_and(|value| value.get_ref().is_str()) {
        filter.keep_missing = section.choice("missing", &["drop", "keep"]) == Some("keep");
    }
    for (key, _, value) in section.entries() {
        match (key, value.get_ref()) {
            ("every", _) if takes == Takes::Every => {}
            ("missing", DeValue::String(_)) => {}
            ("quality", DeValue::String(text)) if takes == Takes::Quality && text == ALLEN_DEFAULT => {
                filter.conditions.extend(allen_default());
            }
            (_, DeValue::Table(_)) => filter.conditions.extend(bounds(section, key, value)),
            _ => filter.conditions.extend(condition(section, key, value)),
        }
    }
    filter
}

fn bad(section: &Section<'_>, span: Range<usize>, key: &str, wanted: &str) {
    section.error(span, format!("`{key}` must be {wanted}"), "");
}

/// `column = { min = …, max = … }`.
fn bounds(section: &Section<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> Vec<(String, Condition)> {
    let DeValue::Table(table) = value.get_ref() else { return Vec::new() };
    let inner = Section::new(format!("`{key}` of {}", section.name()), table, value.span(), section.diagnostics());
    let (min, max) = (inner.number("min"), inner.number("max"));
    inner.finish();
    if min.is_none() && max.is_none() && table.is_empty() {
        bad(section, value.span(), key, "a value, a list of values, or { min = …, max = … }");
    }
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        section.error(value.span(), format!("`{key}`: min ({min}) is greater than max ({max})"), "");
    }
    let least = min.map(|min| (key.to_owned(), Condition::AtLeast(min)));
    least.into_iter().chain(max.map(|max| (key.to_owned(), Condition::AtMost(max)))).collect()
}

fn condition(section: &Section<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> Option<(String, Condition)> {
    for (prefix, make) in [("min_", Condition::AtLeast as fn(f64) -> Condition), ("max_", Condition::AtMost)] {
        if let Some(column) = key.strip_prefix(prefix) {
            let bound = number_of(value.get_ref());
            if bound.is_none() {
                bad(section, value.span(), key, "a number");
            }
            return bound.map(|bound| (column.to_owned(), make(bound)));
        }
    }
    let values: Option<Vec<String>> = match value.get_ref() {
        DeValue::Array(items) => items.iter().map(|item| cell_text(item.get_ref())).collect(),
        single => cell_text(single).map(|text| vec![text]),
    };
    let Some(values) = values.filter(|values| !values.is_empty()) else {
        bad(section, value.span(), key, "a value or a list of values (texts, numbers, true, false)");
        return None;
    };
    Some(match key.strip_prefix("not_") {
        Some(column) => (column.to_owned(), Condition::NoneOf(values)),
        None => (key.to_owned(), Condition::OneOf(values)),
    })
}

fn cell_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        other => number_of(other).map(|number| number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;

    #[test]
    fn every_way_to_say_a_condition() {
        let text = "area = ['VISp*', 'CA1']\nsnr = { min = 2, max = 9.5 }\nmin_rate_hz = 0.1\nnot_label = 'mua'\nmissing = 'keep'";
        let (filter, found) = with_section(text, |section| filter(section, Takes::Quality));
        assert!(found.is_empty(), "{found:?}");
        let named = |name: &str, condition| (name.to_owned(), condition);
        assert!(filter.keep_missing);
        for wanted in [
            named("area", Condition::OneOf(vec!["VISp*".into(), "CA1".into()])),
            named("snr", Condition::AtLeast(2.0)),
            named("snr", Condition::AtMost(9.5)),
            named("rate_hz", Condition::AtLeast(0.1)),
            named("label", Condition::NoneOf(vec!["mua".into()])),
        ] {
            assert!(filter.conditions.contains(&wanted), "{wanted:?}");
        }
        let (quality, _) = with_section("quality = 'allen-default'", |section| super::filter(section, Takes::Quality));
        assert_eq!(quality.conditions.len(), 5);
    }

    #[test]
    fn what_is_no_condition_is_said() {
        let text = "a = []\nmin_b = 'x'\nc = { min = 3, max = 2 }\nd = { low = 1 }\ne = {}\nmissing = 'maybe'";
        let (_, found) = with_section(text, |section| filter(section, Takes::Columns));
        let messages: Vec<&str> = found.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        for part in
            ["`a` must be a value", "`min_b` must be a number", "`c`: min (3) is greater", "unknown key `low`", "`e` must be", "\"maybe\""]
        {
            assert!(messages.iter().any(|message| message.contains(part)), "{part}: {messages:?}");
        }
    }
}
