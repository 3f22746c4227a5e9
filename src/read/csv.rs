//! Text tables: `.csv`, `.tsv` and numeric `.txt`, with a comma, semicolon, tab or white space between the cells.
//!
//! The first line is a header when any of its cells is not a number. Lines that start with `#` and empty lines are passed over.
//! A column named `time` or `time_s` gives the clock of a series. Cells stand on one line; quotes may surround them. The whole
//! file is read when it is opened, since only its end says how many rows it has. Decimal commas are refused, not guessed.

use super::memory::{self, Clock, Columns, Layout};
use super::{Format, Inspection, Problem, ReadError, Reader, Request, SeriesSummary, SignalKind};
use std::borrow::Cow;
use std::path::Path;

/// The format's entry.
pub static FORMAT: Format = Format {
    name: "csv",
    summary: "a text table; for series, rows are time and columns are channels, and a column time_s gives the clock",
    extensions: &["csv", "tsv", "txt"],
    signals: &[SignalKind::Series, SignalKind::Points, SignalKind::Distances, SignalKind::Spikes],
    open,
    inspect,
};

fn open(request: &Request) -> Result<Box<dyn Reader>, ReadError> {
    let path = &request.path;
    let bytes = std::fs::read(path).map_err(|error| memory::io_error(path, &error))?;
    let text = Text::new(path, &bytes)?;
    match request.signal {
        SignalKind::Spikes => open_spikes(request, &text),
        SignalKind::Distances => open_distances(request, &text),
        SignalKind::Series | SignalKind::Points => open_columns(request, &text),
    }
}

fn open_columns(request: &Request, text: &Text<'_>) -> Result<Box<dyn Reader>, ReadError> {
    let path = &request.path;
    let table = Table::parse(text)?;
    let time = time_column(&text.names).filter(|_| request.signal == SignalKind::Series);
    let columns = memory::pick(path, &text.names, &request.series, |index| Some(index) != time)?;
    for &(index, ref name) in &columns {
        if let Some((line, cell)) = &table.texts[index] {
            return Err(text
                .not_a_number(*line, index, cell)
                .hint(format!("`{name}` must hold numbers; `series` can list the columns that do")));
        }
    }
    let (clock, note) = match time {
        Some(time) => table.clock(text, time)?,
        None => (None, None),
    };
    let mut notes: Vec<_> = note.into_iter().collect();
    if let Some(time) =
        time_column(&text.names).filter(|&time| request.signal == SignalKind::Points && columns.iter().any(|&(index, _)| index == time))
    {
        notes.push(format!("`{}` counts as a coordinate; list the coordinates in `series` if it is none", text.names[time]));
    }
    let layout = Layout { format: "csv", columns, n_rows: table.columns.lines.len(), clock, notes };
    memory::open(request, layout, Box::new(table.columns))
}

/// Distances: a rectangle as any other table, or the rows of a triangle, of which row `i` has `i + 1` cells.
fn open_distances(request: &Request, text: &Text<'_>) -> Result<Box<dyn Reader>, ReadError> {
    let is_triangle = text.records().enumerate().all(|(row, record)| record.is_ok_and(|(_, cells)| cells.len() == row + 1));
    if !is_triangle {
        return open_columns(request, text);
    }
    let mut column = Columns { values: vec![Vec::new()], lines: Vec::new() };
    for record in text.records() {
        let (line, cells) = record?;
        for (index, cell) in cells.iter().enumerate() {
            column.values[0].push(number(cell).ok_or_else(|| text.not_a_number(line, index, cell))?);
            column.lines.push(line);
        }
    }
    let layout =
        Layout { format: "csv", columns: vec![(0, "distance".into())], n_rows: column.lines.len(), clock: None, notes: Vec::new() };
    memory::open(request, layout, Box::new(column))
}

fn open_spikes(request: &Request, text: &Text<'_>) -> Result<Box<dyn Reader>, ReadError> {
    let (unit, time) = spike_columns(&request.path, &text.names, text.has_header, &request.series)?;
    let mut pairs = Vec::new();
    for record in text.records() {
        let (line, cells) = text.full(record?)?;
        let time_s = number(&cells[time]).ok_or_else(|| text.not_a_number(line, time, &cells[time]).hint("spike times are seconds"))?;
        let id = cells[unit].trim();
        if !time_s.is_finite() || id.is_empty() {
            let column = if id.is_empty() { unit } else { time };
            return Err(ReadError::new(
                &request.path,
                "not-finite",
                if id.is_empty() { "a spike has no unit" } else { "a spike has no time" },
            )
            .at(format!("line {line}, column {}", column + 1))
            .hint("fill it in or remove the line"));
        }
        pairs.push((id.to_owned(), time_s));
    }
    memory::spikes_reader(request, "csv", pairs, Vec::new())
}

fn inspect(path: &Path) -> Result<Inspection, ReadError> {
    let bytes = std::fs::read(path).map_err(|error| memory::io_error(path, &error))?;
    let text = Text::new(path, &bytes)?;
    let table = Table::parse(&text)?;
    let mut problems = Vec::new();
    let clock = time_column(&text.names).and_then(|time| match table.clock(&text, time) {
        Ok((clock, _)) => clock,
        Err(error) => {
            problems.push(Problem { path: text.names[time].clone(), what: error.to_string() });
            None
        }
    });
    let n_rows = table.columns.lines.len();
    let summary = |(index, name): (usize, &String)| SeriesSummary {
        path: name.clone(),
        kind: "columns".into(),
        shape: vec![n_rows],
        dtype: if table.texts[index].is_some() { "str".into() } else { "float64".into() },
        rate_hz: clock.map(|clock| clock.rate_hz),
        t_start_s: clock.map(|clock| clock.start_s),
        t_stop_s: clock.map(|clock| clock.start_s + (n_rows - 1) as f64 / clock.rate_hz),
        ..Default::default()
    };
    let series = text.names.iter().enumerate().map(|(index, name)| summary((index, name))).collect();
    Ok(Inspection { file: path.display().to_string(), format: "csv".into(), series, problems, ..Default::default() })
}

/// The column that holds the clock.
pub(super) fn time_column(names: &[String]) -> Option<usize> {
    names.iter().position(|name| ["time", "time_s"].contains(&name.trim().to_lowercase().as_str()))
}

/// The columns of unit ids and spike times: those that `series` lists, or those that their names tell.
pub(super) fn spike_columns(path: &Path, names: &[String], has_header: bool, wanted: &[String]) -> Result<(usize, usize), ReadError> {
    if !wanted.is_empty() {
        return match memory::pick(path, names, wanted, |_| true)?[..] {
            [(unit, _), (time, _)] => Ok((unit, time)),
            _ => {
                Err(ReadError::new(path, "bad-value", "for spikes, `series` lists two columns")
                    .hint("write series = [\"unit\", \"time_s\"]"))
            }
        };
    }
    if !has_header && names.len() == 2 {
        return Ok((0, 1));
    }
    let has_word = |name: &str, words: &[&str]| name.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|part| words.contains(&part));
    let unit = ["unit", "neuron", "id"].iter().find_map(|word| names.iter().position(|name| has_word(name, &[word])));
    let time = names.iter().position(|name| has_word(name, &["time", "times"]));
    if let Some(name) = time.map(|time| &names[time]).filter(|name| has_word(name, &["ms", "us", "ns", "samples"])) {
        return Err(
            ReadError::new(path, "bad-value", format!("the column `{name}` is not in seconds")).hint("convert it to a column time_s")
        );
    }
    match (unit, time) {
        (Some(unit), Some(time)) if unit != time => Ok((unit, time)),
        _ => Err(ReadError::new(path, "no-units", format!("none of its columns ({}) are unit ids and spike times", names.join(", ")))
            .hint("name them `unit` and `time_s`, one row a spike, or list the two in `series`")),
    }
}

/// All cells of a file.
struct Table {
    /// NaN where a cell is missing or a text.
    columns: Columns,
    /// The first text of each column: line and cell.
    texts: Vec<Option<(u32, String)>>,
}

impl Table {
    fn parse(text: &Text<'_>) -> Result<Self, ReadError> {
        let n_columns = text.names.len();
        let mut columns = Columns { values: vec![Vec::new(); n_columns], lines: Vec::new() };
        let mut texts = vec![None; n_columns];
        for record in text.records() {
            let (line, cells) = text.full(record?)?;
            for (index, cell) in cells.iter().enumerate() {
                let value = number(cell);
                if value.is_none() && texts[index].is_none() {
                    texts[index] = Some((line, cell.to_string()));
                }
                columns.values[index].push(value.unwrap_or(f64::NAN));
            }
            columns.lines.push(line);
        }
        if columns.lines.is_empty() {
            return Err(ReadError::new(text.path, "bad-value", "the file holds a header and no rows").hint("give it at least one row"));
        }
        Ok(Self { columns, texts })
    }

    fn clock(&self, text: &Text<'_>, time: usize) -> Result<(Option<Clock>, Option<String>), ReadError> {
        if let Some((line, cell)) = &self.texts[time] {
            return Err(text.not_a_number(*line, time, cell).hint("times are seconds"));
        }
        let mut decimals = 0;
        for record in text.records() {
            let (_, cells) = record?;
            let cell = cells.get(time).map_or("", |cell| cell.trim());
            // Exponents are how programs print all digits they have: nothing was rounded.
            let places = if cell.contains(['e', 'E']) { 17 } else { cell.split_once('.').map_or(0, |(_, digits)| digits.len()) };
            decimals = decimals.max(places);
        }
        let resolution_s = 0.1_f64.powi(i32::try_from(decimals).unwrap_or(17));
        let line = |row: usize| format!("line {}, column {}", self.columns.lines[row], time + 1);
        memory::regular_clock(text.path, &self.columns.values[time], resolution_s, line)
    }
}

/// A file's lines, with its delimiter and header found out.
struct Text<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    delimiter: Delimiter,
    has_header: bool,
    /// Names of the columns: the header, or `c0`, `c1`, ….
    names: Vec<String>,
}

/// A line's number and its cells.
type Row<'a> = (u32, Vec<Cow<'a, str>>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Delimiter {
    Byte(char),
    White,
}

impl<'a> Text<'a> {
    fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, ReadError> {
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(ReadError::new(path, "unsupported", "the text is UTF-16").at("line 1").hint("save it as UTF-8"));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut text = Self { path, bytes, delimiter: Delimiter::White, has_header: false, names: Vec::new() };
        let Some(first) = text.lines().next() else {
            return Err(ReadError::new(path, "bad-value", "the file is empty").hint("copy or write it again"));
        };
        let (line, first) = first?;
        // The first row of a triangle holds one cell: what stands between cells shows further down.
        let delimiter =
            text.lines().take(20).filter_map(|line| Some(sniffed(line.ok()?.1))).find(|&delimiter| delimiter != Delimiter::White);
        text.delimiter = delimiter.unwrap_or(Delimiter::White);
        let cells = text.cells(line, first)?;
        text.has_header = cells.iter().any(|cell| number(cell).is_none());
        text.names = if text.has_header {
            cells
                .iter()
                .enumerate()
                .map(|(index, cell)| if cell.trim().is_empty() { format!("c{index}") } else { cell.trim().to_owned() })
                .collect()
        } else {
            (0..cells.len()).map(|index| format!("c{index}")).collect()
        };
        for (index, name) in text.names.iter().enumerate() {
            if text.names[..index].contains(name) {
                return Err(ReadError::new(path, "bad-value", format!("two columns are called `{name}`"))
                    .at(format!("line {line}, column {}", index + 1))
                    .hint("give every column its own name"));
            }
        }
        Ok(text)
    }

    /// Lines that hold cells, with their numbers from 1.
    fn lines(&self) -> impl Iterator<Item = Result<(u32, &'a str), ReadError>> + '_ {
        let numbered = (1..).zip(self.bytes.split(|&byte| byte == b'\n'));
        let used = numbered.filter(|(_, line)| !line.trim_ascii().is_empty() && !line.trim_ascii_start().starts_with(b"#"));
        used.map(|(number, line)| match std::str::from_utf8(line) {
            Ok(line) => Ok((number, line.trim_end_matches('\r'))),
            Err(_) => {
                Err(ReadError::new(self.path, "bad-value", "the text is not UTF-8").at(format!("line {number}")).hint("save it as UTF-8"))
            }
        })
    }

    /// The cells of every row below the header, with the line's number.
    fn records(&self) -> impl Iterator<Item = Result<Row<'a>, ReadError>> + '_ {
        self.lines().skip(usize::from(self.has_header)).map(|line| {
            let (number, line) = line?;
            Ok((number, self.cells(number, line)?))
        })
    }

    /// A row that has as many cells as the first.
    fn full(&self, (line, cells): Row<'a>) -> Result<Row<'a>, ReadError> {
        if cells.len() == self.names.len() {
            return Ok((line, cells));
        }
        Err(ReadError::new(self.path, "bad-value", format!("it has {} cells, the first line has {}", cells.len(), self.names.len()))
            .at(format!("line {line}"))
            .hint("every line needs the same number of cells"))
    }

    fn cells(&self, line: u32, text: &'a str) -> Result<Vec<Cow<'a, str>>, ReadError> {
        match self.delimiter {
            Delimiter::White => Ok(text.split_whitespace().map(|cell| cell.trim_matches('"').into()).collect()),
            Delimiter::Byte(delimiter) => quoted_cells(text, delimiter).ok_or_else(|| {
                ReadError::new(self.path, "bad-value", "a quotation mark is never closed")
                    .at(format!("line {line}"))
                    .hint("cells stand on one line")
            }),
        }
    }

    fn not_a_number(&self, line: u32, column: usize, cell: &str) -> ReadError {
        let short: String = cell.trim().chars().take(40).collect();
        let error = ReadError::new(self.path, "bad-value", format!("\"{}\" is not a number", short.escape_debug()))
            .at(format!("line {line}, column {}", column + 1));
        if number(&cell.replace(',', ".")).is_some() { error.hint("write decimals with a point") } else { error }
    }
}

/// The first of tab, semicolon and comma that stands outside quotes, else white space; one cell on the line counts as white space.
fn sniffed(line: &str) -> Delimiter {
    let mut quoted = false;
    let bare: String = line
        .chars()
        .filter(|&letter| {
            quoted ^= letter == '"';
            !quoted
        })
        .collect();
    ['\t', ';', ','].into_iter().find(|&delimiter| bare.contains(delimiter)).map_or(Delimiter::White, Delimiter::Byte)
}

fn quoted_cells(line: &str, delimiter: char) -> Option<Vec<Cow<'_, str>>> {
    if !line.contains('"') {
        return Some(line.split(delimiter).map(Cow::Borrowed).collect());
    }
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            _ if letter == delimiter && !quoted => cells.push(std::mem::take(&mut cell).into()),
            _ => cell.push(letter),
        }
    }
    cells.push(cell.into());
    (!quoted).then_some(cells)
}

/// A cell as a number; NaN when it is missing, `None` when it is a text.
fn number(cell: &str) -> Option<f64> {
    let cell = cell.trim();
    if ["", "NA", "N/A", "null", "None"].contains(&cell) {
        return Some(f64::NAN);
    }
    cell.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_found_outside_quotes() {
        assert_eq!(sniffed("\"a;b\",c"), Delimiter::Byte(','));
        assert_eq!(sniffed("a\tb,c"), Delimiter::Byte('\t'));
        assert_eq!(sniffed("1.0  2.0"), Delimiter::White);
        assert_eq!(quoted_cells("\"a \"\"b\"\", c\",2", ',').unwrap(), ["a \"b\", c", "2"]);
        assert_eq!(quoted_cells("\"a,2", ','), None);
    }

    #[test]
    fn missing_is_not_text() {
        assert!(number(" NA ").unwrap().is_nan() && number("").unwrap().is_nan() && number("nan").unwrap().is_nan());
        assert_eq!(number(" -1e3 "), Some(-1000.0));
        assert_eq!(number("Na"), None);
    }

    #[test]
    fn spike_columns_are_told_by_their_names() {
        let find = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            spike_columns(Path::new("x.csv"), &names, true, &[]).map_err(|error| error.kind)
        };
        assert_eq!(find(&["time_s", "unit_id"]), Ok((1, 0)));
        assert_eq!(find(&["trial", "neuron", "spike_times"]), Ok((1, 2)));
        assert_eq!(find(&["unit", "time_ms"]), Err("bad-value".into()));
        assert_eq!(find(&["width", "height"]), Err("no-units".into()));
    }
}
