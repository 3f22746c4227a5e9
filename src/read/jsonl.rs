//! JSON Lines: one object a line; its keys are columns. Numbers and truth values are read, texts are listed.
//!
//! As csv otherwise: a column `time` or `time_s` gives the clock of a series, spikes are rows of a unit and a time. The whole file is
//! read when it is opened. Keys that a line lacks, and null, are missing values.

use super::csv::{spike_columns, time_column};
use super::memory::{self, Columns, Layout};
use super::{Format, Inspection, ReadError, Reader, Request, SeriesSummary, SignalKind};
use serde_json::Value;
use std::path::Path;

/// The format's entry.
pub static FORMAT: Format = Format {
    name: "jsonl",
    summary: "one JSON object a line, its keys are columns; a column time_s gives the clock",
    extensions: &["jsonl", "ndjson"],
    signals: &[SignalKind::Series, SignalKind::Points, SignalKind::Distances, SignalKind::Spikes],
    open,
    inspect,
};

/// All cells of a file.
struct Table {
    names: Vec<String>,
    /// NaN where a cell is missing or no number.
    columns: Columns,
    /// What else a column holds: line and text of the first such cell.
    others: Vec<Option<(u32, String)>>,
    /// Every cell of text columns as text, for ids.
    texts: Vec<Vec<String>>,
}

impl Table {
    fn parse(path: &Path) -> Result<Self, ReadError> {
        let bytes = std::fs::read(path).map_err(|error| memory::io_error(path, &error))?;
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes));
        let mut table =
            Self { names: Vec::new(), columns: Columns { values: Vec::new(), lines: Vec::new() }, others: Vec::new(), texts: Vec::new() };
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
            let error = |what: String| ReadError::new(path, "damaged", what).at(format!("line {number}"));
            match serde_json::from_str(line) {
                Ok(Value::Object(cells)) => table.push(number, cells),
                Ok(_) => return Err(error("the line is no JSON object".to_owned()).hint("write one object {\"name\": value, …} a line")),
                Err(broken) => {
                    return Err(error(format!("the line is no JSON ({broken})")).hint("the file may have been cut: write it again"));
                }
            }
        }
        if table.columns.lines.is_empty() {
            return Err(ReadError::new(path, "bad-value", "the file is empty").hint("copy or write it again"));
        }
        Ok(table)
    }

    fn push(&mut self, line: u32, cells: serde_json::Map<String, Value>) {
        let row = self.columns.lines.len();
        for (name, cell) in cells {
            let at = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
                self.names.push(name);
                self.columns.values.push(vec![f64::NAN; row]);
                self.texts.push(vec![String::new(); row]);
                self.others.push(None);
                self.names.len() - 1
            });
            let (value, text) = match cell {
                Value::Number(number) => (number.as_f64(), number.to_string()),
                Value::Bool(flag) => (Some(f64::from(u8::from(flag))), flag.to_string()),
                Value::Null => (Some(f64::NAN), String::new()),
                Value::String(text) => (None, text),
                nested => (None, nested.to_string()),
            };
            if value.is_none() && self.others[at].is_none() {
                self.others[at] = Some((line, text.chars().take(40).collect()));
            }
            // A key that stands twice in a line counts once.
            if self.columns.values[at].len() == row {
                self.columns.values[at].push(value.unwrap_or(f64::NAN));
                self.texts[at].push(text);
            }
        }
        self.columns.lines.push(line);
        for (values, texts) in self.columns.values.iter_mut().zip(&mut self.texts) {
            values.resize(row + 1, f64::NAN);
            texts.resize(row + 1, String::new());
        }
    }

    fn numeric(&self, path: &Path, columns: &[(usize, String)]) -> Result<(), ReadError> {
        for (index, name) in columns {
            if let Some((line, cell)) = &self.others[*index] {
                let error = ReadError::new(path, "bad-value", format!("`{cell}` is not a number")).at(format!("line {line}, key `{name}`"));
                return Err(error.hint("`series` lists the keys to read"));
            }
        }
        Ok(())
    }
}

fn open(request: &Request) -> Result<Box<dyn Reader>, ReadError> {
    let path = &request.path;
    let table = Table::parse(path)?;
    if request.signal == SignalKind::Spikes {
        return open_spikes(request, &table);
    }
    let time = time_column(&table.names).filter(|_| request.signal == SignalKind::Series);
    // Texts beside the numbers are passed over, unless they are asked for.
    let columns = memory::pick(path, &table.names, &request.series, |index| Some(index) != time && table.others[index].is_none())?;
    table.numeric(path, &columns)?;
    let mut notes = Vec::new();
    let passed: Vec<&str> =
        table.names.iter().zip(&table.others).filter(|(_, other)| other.is_some()).map(|(name, _)| name.as_str()).collect();
    if !passed.is_empty() && request.series.is_empty() {
        notes.push(format!("keys that hold no numbers were passed over: {}", passed.join(", ")));
    }
    let mut clock = None;
    if let Some(time) = time {
        table.numeric(path, &[(time, table.names[time].clone())])?;
        let line = |row: usize| format!("line {}", table.columns.lines[row]);
        let (found, note) = memory::regular_clock(path, &table.columns.values[time], 0.0, line)?;
        clock = found;
        notes.extend(note);
    }
    let layout = Layout { format: "jsonl", columns, n_rows: table.columns.lines.len(), clock, notes };
    memory::open(request, layout, Box::new(table.columns))
}

fn open_spikes(request: &Request, table: &Table) -> Result<Box<dyn Reader>, ReadError> {
    let (unit, time) = spike_columns(&request.path, &table.names, true, &request.series)?;
    table.numeric(&request.path, &[(time, table.names[time].clone())])?;
    let mut pairs = Vec::with_capacity(table.columns.lines.len());
    for (row, line) in table.columns.lines.iter().enumerate() {
        let (id, time_s) = (&table.texts[unit][row], table.columns.values[time][row]);
        if id.is_empty() || !time_s.is_finite() {
            let what = if id.is_empty() { "a spike has no unit" } else { "a spike has no time" };
            let error = ReadError::new(&request.path, "not-finite", what).at(format!("line {line}"));
            return Err(error.hint("fill it in or remove the line"));
        }
        pairs.push((id.clone(), time_s));
    }
    memory::spikes_reader(request, "jsonl", pairs, Vec::new())
}

fn inspect(path: &Path) -> Result<Inspection, ReadError> {
    let table = Table::parse(path)?;
    let summary = |(name, other): (&String, &Option<(u32, String)>)| SeriesSummary {
        path: name.clone(),
        kind: "columns".into(),
        shape: vec![table.columns.lines.len()],
        dtype: if other.is_some() { "str".into() } else { "float64".into() },
        ..Default::default()
    };
    let series = table.names.iter().zip(&table.others).map(summary).collect();
    Ok(Inspection { file: path.display().to_string(), format: "jsonl".into(), series, ..Default::default() })
}
