//! A comparison as a page of text and as JSON.

use super::super::number::{self, MISSING, count};
use super::{Change, Comparison, Count, DiagramChange, ExpectationChange, Giver, Key, Tolerance, Tolerances, UnitChange};
use crate::table::UnitStatus;
use serde_json::{Map, Value, json};

/// How many rows of a kind a page names; JSON has them all.
const SHOWN: usize = 5;

/// One JSON object. Numbers that do not exist are null; an infinite one is `"inf"` or `"-inf"`, as JSON has none.
pub fn json(comparison: &Comparison) -> Value {
    let counts: Map<String, Value> = comparison.counts.iter().map(|(table, count)| ((*table).to_owned(), json!(count))).collect();
    let keys = |keys: &[Key]| keys.iter().map(|key| Value::Object(key_json(key))).collect::<Vec<_>>();
    json!({
        "base": comparison.base.display().to_string(),
        "out": comparison.out.display().to_string(),
        "equal": comparison.equal(),
        "regression": comparison.regression(),
        "tolerances": tolerances_json(&comparison.tolerances),
        "notes": comparison.notes,
        "counts": counts,
        "changed_numbers": comparison.metric_changes,
        "largest": comparison.largest.iter().map(change_json).collect::<Vec<_>>(),
        "missing": keys(&comparison.missing),
        "new": keys(&comparison.new),
        "units": comparison.units.iter().map(unit_json).collect::<Vec<_>>(),
        "expectations": comparison.expectations.iter().map(expectation_json).collect::<Vec<_>>(),
        "fidelity": comparison.fidelity.iter().map(change_json).collect::<Vec<_>>(),
        "diagrams": comparison.diagrams.iter().map(diagram_json).collect::<Vec<_>>(),
    })
}

fn tolerances_json(tolerances: &Tolerances) -> Value {
    let named = |(name, (tolerance, by)): (&String, &(Tolerance, Giver))| json!({ "name": name, "absolute": tolerance.absolute, "relative": tolerance.relative, "from": by.name() });
    let [absolute_by, relative_by] = tolerances.general_by.map(Giver::name);
    json!({
        "absolute": tolerances.general.absolute, "absolute_from": absolute_by,
        "relative": tolerances.general.relative, "relative_from": relative_by,
        "named": tolerances.named.iter().map(named).collect::<Vec<_>>(),
    })
}

fn key_json(key: &Key) -> Map<String, Value> {
    let mut all = Map::from_iter([("table".to_owned(), key.table.into())]);
    all.extend(key.columns.clone());
    all
}

fn with<const N: usize>(key: &Key, more: [(&str, Value); N]) -> Value {
    let mut all = key.columns.clone();
    all.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Value::Object(all)
}

fn change_json(change: &Change) -> Value {
    with(
        &change.key,
        [
            ("column", change.column.into()),
            ("base", number_json(change.base)),
            ("out", number_json(change.out)),
            ("absolute", number_json(change.absolute())),
            ("relative", number_json(change.relative())),
            ("regression", change.regression.into()),
        ],
    )
}

fn unit_json(change: &UnitChange) -> Value {
    let regression = change.base == UnitStatus::Done;
    let more =
        [("base", json!(change.base)), ("out", json!(change.out)), ("error", json!(change.error)), ("regression", regression.into())];
    with(&change.key, more)
}

fn expectation_json(change: &ExpectationChange) -> Value {
    let [base, out] = change.observed.map(number_json);
    let more = [
        ("base_held", (!change.held).into()),
        ("out_held", change.held.into()),
        ("base_observed", base),
        ("out_observed", out),
        ("regression", (!change.held).into()),
    ];
    with(&change.key, more)
}

fn diagram_json(change: &DiagramChange) -> Value {
    let [base, out] = change.pairs;
    let more = [
        ("base_pairs", base.into()),
        ("out_pairs", out.into()),
        ("bottleneck", number_json(Some(change.distance))),
        ("regression", true.into()),
    ];
    with(&change.key, more)
}

fn number_json(number: Option<f64>) -> Value {
    match number {
        Some(number) if number.is_infinite() => if number > 0.0 { "inf" } else { "-inf" }.into(),
        number => number.into(),
    }
}

/// A page: counts, the largest changes, and what else is different, the first few of each kind by name.
pub fn text(comparison: &Comparison) -> String {
    let mut page = format!("base  {}\nout   {}\n", comparison.base.display(), comparison.out.display());
    page += &tolerances(&comparison.tolerances);
    for note in &comparison.notes {
        page += &format!("note: {note}\n");
    }
    page += &counts(&comparison.counts);
    page += &largest(comparison);
    page += &list("diagrams changed", comparison.diagrams.len(), comparison.diagrams.iter().map(diagram_line));
    page += &list("fidelity scores changed", comparison.fidelity.len(), comparison.fidelity.iter().map(fidelity_line));
    page += &list("expectations changed", comparison.expectations.len(), comparison.expectations.iter().map(expectation_line));
    page += &list("units changed", comparison.units.len(), comparison.units.iter().map(unit_line));
    let total = |of: fn(&Count) -> usize| comparison.counts.iter().map(|(_, count)| of(count)).sum();
    page += &list("rows missing", total(|count| count.missing), comparison.missing.iter().map(key_line));
    page += &list("rows new", total(|count| count.new), comparison.new.iter().map(key_line));
    page + verdict(comparison)
}

fn tolerances(tolerances: &Tolerances) -> String {
    let shown = |tolerance: Tolerance| [tolerance.absolute, tolerance.relative].map(|number| precise(Some(number)));
    let ([absolute, relative], [absolute_by, relative_by]) = (shown(tolerances.general), tolerances.general_by.map(Giver::name));
    let mut lines = format!("tolerance: absolute {absolute} ({absolute_by}), relative {relative} ({relative_by})\n");
    for (name, (tolerance, by)) in &tolerances.named {
        let [absolute, relative] = shown(*tolerance);
        lines += &format!("tolerance of {name}: absolute {absolute}, relative {relative} ({})\n", by.name());
    }
    lines
}

fn verdict(comparison: &Comparison) -> &'static str {
    if comparison.regression() {
        "\nregression\n"
    } else if comparison.equal() {
        "\nequal within tolerance\n"
    } else {
        "\nno regression\n"
    }
}

fn counts(counts: &[(&'static str, Count)]) -> String {
    let head = ["table", "compared", "changed", "worse", "missing", "new"].map(str::to_owned);
    let rows = counts.iter().map(|(table, count)| {
        let numbers = [count.compared, count.changed, count.worse, count.missing, count.new];
        std::iter::once((*table).to_owned()).chain(numbers.map(|number| number.to_string())).collect()
    });
    format!("\n{}", aligned(&std::iter::once(head.to_vec()).chain(rows).collect::<Vec<_>>(), 1))
}

fn largest(comparison: &Comparison) -> String {
    if comparison.largest.is_empty() {
        return String::new();
    }
    let head = ["unit", "statistic", "channel", "column", "base", "out", "change", "relative"].map(str::to_owned).to_vec();
    let rows = comparison.largest.iter().map(|change| {
        let key = &change.key;
        let ends: Vec<&str> = [key.text("source"), key.text("target")].into_iter().filter(|end| !end.is_empty()).collect();
        vec![
            key.text("unit").to_owned(),
            format!("{}.{}", key.text("metric"), key.text("statistic")),
            ends.join(" > "),
            change.column.to_owned(),
            precise(change.base),
            precise(change.out),
            number::maybe(change.absolute()),
            number::maybe(change.relative()),
        ]
    });
    let (shown, all) = (comparison.largest.len(), comparison.metric_changes);
    format!("\nlargest changes ({shown} of {all})\n{}", aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), 4))
}

fn list(title: &str, all: usize, lines: impl Iterator<Item = String>) -> String {
    if all == 0 {
        return String::new();
    }
    let shown: Vec<String> = lines.take(SHOWN).map(|line| format!("  {line}\n")).collect();
    let more = all - shown.len();
    let more = if more > 0 { format!("  and {more} more\n") } else { String::new() };
    format!("\n{title}: {all}\n{}{more}", shown.concat())
}

fn diagram_line(change: &DiagramChange) -> String {
    let key = &change.key;
    let dim = key.columns.get("dim").map(Value::to_string).unwrap_or_default();
    let [base, out] = change.pairs;
    format!(
        "{}  {} H{dim}: bottleneck distance {}, {} before and {out} now",
        key.text("unit"),
        key.text("persistence"),
        number::number(change.distance),
        count(base, "pair")
    )
}

fn fidelity_line(change: &Change) -> String {
    let key = &change.key;
    let word = if change.regression { "lower" } else { "higher" };
    let [base, out] = [change.base, change.out].map(precise);
    format!("{} against {}, {}: {base} before and {out} now ({word})", key.text("dataset"), key.text("reference"), key.text("test"))
}

fn expectation_line(change: &ExpectationChange) -> String {
    let word = if change.held { "gained" } else { "lost" };
    let source = Some(change.key.text("source")).filter(|source| !source.is_empty()).map_or(String::new(), |source| format!(" ({source})"));
    let [base, out] = change.observed.map(precise);
    format!("{word}: {} of {}{source}, {base} before and {out} now", change.key.text("metric"), change.key.text("dataset"))
}

fn unit_line(change: &UnitChange) -> String {
    let word = |status| match status {
        UnitStatus::Done => "done",
        UnitStatus::Failed => "failed",
        UnitStatus::Skipped => "skipped",
    };
    let why = change.error.as_ref().filter(|_| change.out != UnitStatus::Done).map_or(String::new(), |error| format!(": {error}"));
    format!("{} was {} and is {}{why}", change.key.text("unit"), word(change.base), word(change.out))
}

/// A row by the cells of its key. A unit's id begins with its dataset, which is then not said twice; no unit of measure is "1".
fn key_line(key: &Key) -> String {
    let shown = key.columns.iter().filter_map(|(column, cell)| match (column.as_str(), cell) {
        (_, Value::Null) => None,
        ("dataset", Value::String(dataset)) if key.text("unit").starts_with(dataset) => None,
        ("unit_of_measure", Value::String(measure)) => (measure != "1").then(|| format!("[{measure}]")),
        ("dim", dim) => Some(format!("H{dim}")),
        (_, Value::String(text)) => Some(text.clone()),
        (_, other) => Some(other.to_string()),
    });
    format!("{}: {}", key.table, shown.collect::<Vec<_>>().join("  "))
}

/// Nine significant digits: a change of one part in a million must be seen in the numbers themselves.
fn precise(number: Option<f64>) -> String {
    let Some(number) = number else { return MISSING.to_owned() };
    let rounded: f64 = format!("{number:.8e}").parse().unwrap_or(number);
    let size = rounded.abs();
    if size == 0.0 || (1e-4..1e9).contains(&size) || !size.is_finite() { rounded.to_string() } else { format!("{rounded:e}") }
}

/// Columns of one width each, two spaces apart: the first `left` to the left, the others, numbers, to the right.
fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_digits_are_shown() {
        for (number, text) in [
            (0.0, "0"),
            (1.0 / 3.0, "0.333333333"),
            (1_234_567.891_234, "1234567.89"),
            (-1.5e-7, "-1.5e-7"),
            (2e12, "2e12"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(precise(Some(number)), text);
        }
    }
}
