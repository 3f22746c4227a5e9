//! Which rows of a table (units, electrodes, columns) a job keeps: [`Filter`]'s conditions on columns, whatever the format.

use super::{Condition, Filter, ReadError};
use crate::spec::nearest;
use std::collections::BTreeMap;
use std::path::Path;

/// The cells of one column, one a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers; NaN where a cell is empty.
    Number(Vec<f64>),
    /// Texts; `None` where a cell is empty.
    Text(Vec<Option<String>>),
    /// Truth values.
    Bool(Vec<bool>),
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Number(cells) => cells.len(),
            Self::Text(cells) => cells.len(),
            Self::Bool(cells) => cells.len(),
        }
    }
    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// One cell as a person would write it; `None` where it is empty.
    pub fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Number(cells) => cells.get(row).filter(|cell| !cell.is_nan()).map(f64::to_string),
            Self::Text(cells) => cells.get(row).cloned().flatten(),
            Self::Bool(cells) => cells.get(row).map(bool::to_string),
        }
    }
    fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Number(cells) => cells.get(row).copied().filter(|cell| !cell.is_nan()),
            Self::Text(cells) => cells.get(row)?.as_deref()?.trim().parse().ok(),
            Self::Bool(cells) => cells.get(row).map(|&cell| f64::from(u8::from(cell))),
        }
    }
    fn is_missing(&self, row: usize) -> bool {
        self.text(row).as_deref().and_then(label).is_none()
    }
    fn holds(&self, row: usize, condition: &Condition) -> bool {
        match condition {
            Condition::Present => !self.is_missing(row),
            Condition::NoneOf(unwanted) => !self.is_missing(row) && !unwanted.iter().any(|unwanted| self.equals(row, unwanted)),
            Condition::AtLeast(least) => self.number(row).is_some_and(|cell| cell >= *least),
            Condition::AtMost(most) => self.number(row).is_some_and(|cell| cell <= *most),
            Condition::OneOf(wanted) => wanted.iter().any(|wanted| self.equals(row, wanted)),
        }
    }
    fn equals(&self, row: usize, wanted: &str) -> bool {
        match self {
            Self::Bool(cells) => {
                let wanted = wanted.trim().to_lowercase();
                cells
                    .get(row)
                    .is_some_and(|&cell| if cell { wanted == "true" || wanted == "1" } else { wanted == "false" || wanted == "0" })
            }
            Self::Text(cells) if cells.get(row).is_some_and(|cell| cell.as_deref().is_some_and(|cell| matches(wanted, cell))) => true,
            _ => match (self.number(row), wanted.trim().parse::<f64>()) {
                // A fraction that a file stores in 32 bits is not the same double: 0.33 means the nearest of either width.
                (Some(cell), Ok(wanted)) => cell == wanted || (wanted.fract() != 0.0 && cell == f64::from(wanted as f32)),
                _ => false,
            },
        }
    }
}

/// Whether a text is `pattern`, in which `*` stands for any characters.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let (parts, last) = tail.rsplit_once('*').unwrap_or(("", tail));
    for part in parts.split('*') {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A table as a filter sees it.
pub struct Table<'t> {
    /// The file, for errors.
    pub path: &'t Path,
    /// Where the table is in it, for errors.
    pub place: &'t str,
    /// What its rows are called: `"units"`, `"channels"`.
    pub rows_are: &'t str,
    /// Number of rows.
    pub n_rows: usize,
    /// Names of the columns that may be asked for.
    pub names: Vec<String>,
    /// Reads one of them.
    pub column: &'t dyn Fn(&str) -> Result<Column, ReadError>,
}

/// The rows that a filter keeps, in the table's order, and what to tell the user.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Rows, increasing.
    pub rows: Vec<usize>,
    /// One line when something was dropped.
    pub notes: Vec<String>,
}

/// Applies the conditions, then keeps every n-th of what is left.
///
/// An empty cell (NaN, no text) meets no condition, or all of them when the filter keeps what is missing.
///
/// # Errors
/// `bad-value` for a column that the table lacks or that cannot be compared (its columns are listed);
/// `no-units`, `no-channels` or `no-windows` when nothing is left (the values that there are are counted).
pub fn select(filter: &Filter, table: &Table<'_>) -> Result<Kept, ReadError> {
    let mut rows: Vec<usize> = (0..table.n_rows).collect();
    let (mut parts, mut left) = (Vec::new(), Vec::new());
    for (name, condition) in &filter.conditions {
        let column = column(table, name, condition)?;
        let text = format!("{name}{}", condition_text(condition));
        let keeps = |row: &usize| column.holds(*row, condition) || (filter.keep_missing && column.is_missing(*row));
        let kept: Vec<usize> = rows.iter().copied().filter(keeps).collect();
        parts.push(text);
        if kept.is_empty() {
            return Err(nothing_left(table, &parts, name, &column, &rows));
        }
        rows = kept;
        left.push(rows.len().to_string());
    }
    if filter.every > 1 {
        rows = rows.into_iter().step_by(filter.every).collect();
        parts.push(format!("every={}", filter.every));
        left.push(rows.len().to_string());
    }
    let mut notes = Vec::new();
    if !parts.is_empty() {
        notes.push(format!("{} {}, {} kept by {}", table.n_rows, table.rows_are, rows.len(), parts.join(", ")));
        if parts.len() > 2 {
            notes.push(format!("left after each of these conditions: {}", left.join(", ")));
        }
    }
    Ok(Kept { rows, notes })
}

fn error(table: &Table<'_>, kind: &str, what: String) -> ReadError {
    ReadError::new(table.path, kind, what).at(table.place)
}

/// The column that a condition is about, if it can be compared.
fn column(table: &Table<'_>, name: &str, condition: &Condition) -> Result<Column, ReadError> {
    if !table.names.iter().any(|known| known == name) {
        let names: Vec<&str> = table.names.iter().map(String::as_str).collect();
        let columns = if names.is_empty() { "it has no columns".to_owned() } else { format!("its columns: {}", names.join(", ")) };
        let (prefix, key) = match condition {
            Condition::AtLeast(_) => ("min_", "min"),
            Condition::AtMost(_) => ("max_", "max"),
            _ => ("", ""),
        };
        let whole = format!("{prefix}{name}");
        let meant = if !prefix.is_empty() && table.names.contains(&whole) {
            format!("`{whole}` is itself a column: write `{whole} = {{ {key} = … }}`; ")
        } else {
            nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default()
        };
        return Err(
            error(table, "bad-value", format!("no column `{name}` to choose {} by", table.rows_are)).hint(format!("{meant}{columns}"))
        );
    }
    let column = (table.column)(name)?;
    if column.len() != table.n_rows {
        return Err(error(table, "damaged", format!("column `{name}` has {} cells for {} rows", column.len(), table.n_rows)));
    }
    let compares = matches!(condition, Condition::AtLeast(_) | Condition::AtMost(_));
    if compares && table.n_rows > 0 && (0..table.n_rows).all(|row| column.number(row).is_none()) {
        let rows: Vec<usize> = (0..table.n_rows).collect();
        let what = format!("column `{name}` holds no number to compare with ({})", counts(&column, &rows));
        return Err(error(table, "bad-value", what));
    }
    Ok(column)
}

fn nothing_left(table: &Table<'_>, parts: &[String], name: &str, column: &Column, rows: &[usize]) -> ReadError {
    let kind = match table.rows_are {
        "units" => "no-units",
        "channels" => "no-channels",
        _ => "no-windows",
    };
    let what = format!("none of {} {} is left after {}", table.n_rows, table.rows_are, parts.join(", "));
    error(table, kind, what).hint(format!("`{name}` holds {}", counts(column, rows)))
}

/// The text of a label, or nothing where files write that there is none.
pub fn label(text: &str) -> Option<String> {
    let text = text.trim();
    let empty = ["", "none", "nan", "null", "n/a", "na", "unknown", "void"];
    (!empty.contains(&text.to_lowercase().as_str())).then(|| text.to_owned())
}

fn condition_text(condition: &Condition) -> String {
    match condition {
        Condition::OneOf(wanted) => format!("={}", wanted.join("|")),
        Condition::AtLeast(least) => format!(">={least}"),
        Condition::AtMost(most) => format!("<={most}"),
        Condition::NoneOf(unwanted) => format!("!={}", unwanted.join("|")),
        Condition::Present => " is known".to_owned(),
    }
}

/// How often each value stands in the rows, the most frequent first; for many distinct numbers their range.
fn counts(column: &Column, rows: &[usize]) -> String {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for &row in rows {
        *counted.entry(column.text(row).unwrap_or_else(|| "(empty)".to_owned())).or_default() += 1;
    }
    let numbers: Vec<f64> = rows.iter().filter_map(|&row| column.number(row)).collect();
    if counted.len() > 12 && matches!(column, Column::Number(_)) {
        let (low, high) = numbers.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &n| (low.min(n), high.max(n)));
        return format!("{} numbers from {low} to {high}", numbers.len());
    }
    let mut entries: Vec<(String, usize)> = counted.into_iter().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.1));
    let more = entries.len().saturating_sub(12);
    let shown: Vec<String> = entries.into_iter().take(12).map(|(value, n)| format!("{value}: {n}")).collect();
    if more > 0 { format!("{} and {more} more values", shown.join(", ")) } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(conditions: &[(&str, Condition)], every: usize) -> Result<Kept, ReadError> {
        let filter = Filter {
            conditions: conditions.iter().map(|(name, condition)| ((*name).to_owned(), condition.clone())).collect(),
            every,
            keep_missing: false,
        };
        let column = |name: &str| {
            Ok(match name {
                "quality" => Column::Text(vec![Some("good".into()), Some("mua".into()), None, Some("good".into())]),
                "depth" => Column::Number(vec![f64::from(0.33f32), 1.0, f64::NAN, 3.0]),
                _ => Column::Bool(vec![true, false, true, false]),
            })
        };
        let names = ["quality", "depth", "valid"].map(str::to_owned).to_vec();
        select(&filter, &Table { path: Path::new("a.nwb"), place: "/units", rows_are: "units", n_rows: 4, names, column: &column })
    }
    fn one_of(wanted: &[&str]) -> Condition {
        Condition::OneOf(wanted.iter().map(|&text| text.to_owned()).collect())
    }

    #[test]
    fn conditions_compare_by_value_and_empty_cells_meet_none() {
        assert_eq!(run(&[("quality", one_of(&["good"]))], 1).unwrap().rows, [0, 3]);
        assert_eq!(run(&[("depth", one_of(&["1", "0.33"]))], 0).unwrap().rows, [0, 1]);
        assert_eq!(run(&[("depth", Condition::AtLeast(0.5))], 1).unwrap().rows, [1, 3]);
        assert_eq!(run(&[("depth", Condition::AtMost(1.0)), ("valid", one_of(&["TRUE"]))], 1).unwrap().rows, [0]);
        assert_eq!(run(&[("valid", one_of(&["0"]))], 2).unwrap().rows, [1]);
        assert_eq!(run(&[("quality", Condition::NoneOf(vec!["mua".into()]))], 1).unwrap().rows, [0, 3]);
        assert_eq!(run(&[("quality", Condition::Present)], 1).unwrap().rows, [0, 1, 3]);
        assert_eq!(run(&[("quality", one_of(&["g*d"]))], 1).unwrap().rows, [0, 3]);
        assert_eq!(run(&[], 1).unwrap(), Kept { rows: vec![0, 1, 2, 3], notes: vec![] });
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, fits) in [
            ("VISp", "VISp", true),
            ("VISp", "VISp2/3", false),
            ("VISp*", "VISp2/3", true),
            ("VISp*", "VISp", true),
            ("*2/3", "VISp2/3", true),
            ("V*2*3", "VISp2/3", true),
            ("V*4*3", "VISp2/3", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("é*", "éa", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn what_was_dropped_is_said() {
        assert_eq!(run(&[("quality", one_of(&["good"]))], 2).unwrap().notes, ["4 units, 1 kept by quality=good, every=2"]);
    }

    #[test]
    fn errors_list_what_there_is() {
        let unknown = run(&[("qualty", one_of(&["good"]))], 1).unwrap_err();
        assert_eq!(unknown.kind, "bad-value");
        assert!(unknown.to_string().contains("did you mean `quality`? its columns: quality, depth, valid"), "{unknown}");
        let nothing = run(&[("quality", one_of(&["noise"]))], 1).unwrap_err();
        assert_eq!(nothing.kind, "no-units");
        assert!(nothing.to_string().contains("good: 2, (empty): 1, mua: 1"), "{nothing}");
        assert_eq!(run(&[("quality", Condition::AtLeast(1.0))], 1).unwrap_err().kind, "bad-value");
    }
}
