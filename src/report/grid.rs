//! A table of ready-made texts, and its Markdown form; the HTML template prints the same struct.

use serde::Serialize;

/// Rows that a report shows of one table; the Parquet file has all of them.
pub(super) const MAX_ROWS: usize = 200;

/// A table with everything already formatted.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Grid {
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// Rows that are only in the file.
    pub(super) left_out: usize,
    /// Where all rows are.
    pub(super) file: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) numeric: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// How a cell or a tile is meant; always said in words as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
    Quiet,
    Code,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text, Tone::Plain)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text, Tone::Plain)
    }
}

impl Grid {
    /// An empty table; a column whose name begins with `#` holds numbers.
    pub(super) fn new(caption: impl Into<String>, file: &'static str, columns: &[&'static str]) -> Self {
        let columns = columns
            .iter()
            .map(|name| match name.strip_prefix('#') {
                Some(name) => Column { name, numeric: true },
                None => Column { name, numeric: false },
            })
            .collect();
        Self { caption: caption.into(), columns, rows: Vec::new(), left_out: 0, file }
    }

    /// Adds a row, or counts it when there are enough.
    pub(super) fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a row of `{}` has as many cells as there are columns", self.caption);
        if self.rows.len() < MAX_ROWS { self.rows.push(row) } else { self.left_out += 1 }
    }

    /// The table, unless it is empty.
    pub(super) fn filled(self) -> Option<Self> {
        (!self.rows.is_empty()).then_some(self)
    }

    /// Leaves out columns in which every cell is a dash or empty.
    pub(super) fn without_empty_columns(mut self) -> Self {
        let empty = |cell: &Cell| cell.text.is_empty() || cell.text == super::number::MISSING;
        let keep: Vec<bool> = (0..self.columns.len()).map(|at| !self.rows.iter().all(|row| empty(&row[at]))).collect();
        let mut at = keep.iter();
        self.columns.retain(|_| at.next().copied().unwrap_or(true));
        for row in &mut self.rows {
            let mut at = keep.iter();
            row.retain(|_| at.next().copied().unwrap_or(true));
        }
        self
    }

    /// As a Markdown table with its caption above.
    pub(super) fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = if self.caption.is_empty() { String::new() } else { format!("{}\n\n", escape(&self.caption)) };
        text += &line(self.columns.iter().map(|column| escape(column.name)).collect());
        text += &line(self.columns.iter().map(|column| if column.numeric { "---:" } else { "---" }.to_owned()).collect());
        for row in &self.rows {
            text += &line(row.iter().map(|cell| if cell.tone == Tone::Code { code(&cell.text) } else { escape(&cell.text) }).collect());
        }
        if self.left_out > 0 {
            text += &format!("\n{} more rows are in [{}]({}).\n", self.left_out, self.file, self.file);
        }
        text
    }
}

/// A text that Markdown shows as it is, on one line.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' => {
                out.push('\\');
                out.push(letter);
            }
            _ => out.push(letter),
        }
    }
    out
}

/// A text as code in a table's cell: a bar would end the cell, and a backtick the code.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|").replace(['\n', '\r'], " ");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_cells_cannot_break_the_table() {
        let mut grid = Grid::new("", "units.parquet", &["name", "#value"]);
        grid.push(vec!["a|b\n<script>".into(), "1".into()]);
        assert_eq!(grid.markdown(), "| name | value |\n| --- | ---: |\n| a\\|b &lt;script&gt; | 1 |\n");
    }

    #[test]
    fn rows_above_the_limit_are_counted_and_empty_columns_go() {
        let mut grid = Grid::new("", "units.parquet", &["name", "gone"]);
        (0..MAX_ROWS + 3).for_each(|row| grid.push(vec![row.to_string().into(), "—".into()]));
        assert_eq!((grid.rows.len(), grid.left_out), (MAX_ROWS, 3));
        let grid = grid.without_empty_columns();
        assert_eq!((grid.columns.len(), grid.rows[0].len()), (1, 1));
        assert!(grid.markdown().ends_with("3 more rows are in [units.parquet](units.parquet).\n"));
    }
}
