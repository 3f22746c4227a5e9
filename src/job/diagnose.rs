//! Says where a job file is wrong: file, line, column, the offending text with a caret, and what to do.

use crate::fetch::uri::redacted;
use crate::spec::Diagnostic;
use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A job file's text with the overrides of the command line, so that both can be pointed at.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    path: PathBuf,
    text: String,
    overrides: Vec<(Range<usize>, String)>,
}

impl Source {
    /// A source without overrides.
    pub fn new(path: &Path, text: String) -> Self {
        Self { path: path.to_owned(), text, overrides: Vec::new() }
    }
    /// The job file.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// The overrides as typed.
    pub fn overrides(&self) -> impl Iterator<Item = &str> {
        self.overrides.iter().map(|(_, typed)| typed.as_str())
    }
    /// Gives an override (`key=value`) a place behind the text and returns it.
    pub fn add_override(&mut self, typed: &str) -> Range<usize> {
        let start = self.overrides.last().map_or(self.text.len() + 1, |(range, _)| range.end + 1);
        let range = start..start + typed.len();
        self.overrides.push((range.clone(), typed.to_owned()));
        range
    }
    /// Everything that decides what the job is: the text, then the overrides, one a line.
    pub fn canonical(&self) -> String {
        let mut all = self.text.clone();
        for (_, typed) in &self.overrides {
            all.push_str("\n# --set ");
            all.push_str(typed);
        }
        all
    }
    /// Line and column (both from 1, columns in characters) of a byte of the text.
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..floor_char(&self.text, byte)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
    /// One problem as a person reads it; the first line stands alone.
    pub fn render(&self, diagnostic: &Diagnostic) -> String {
        let hint = diagnostic.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        let message = format!("{}{hint}", diagnostic.message);
        if let Some((_, typed)) =
            self.overrides.iter().find(|(range, _)| diagnostic.span.start >= range.start && diagnostic.span.start <= range.end)
        {
            return format!("error: --set {}: {message}", redacted(typed));
        }
        let (line, column) = self.line_column(diagnostic.span.start);
        // A password in an address is not shown; then the caret is where the line allows.
        let shown = redacted(self.text.lines().nth(line - 1).unwrap_or(""));
        let left = column - 1;
        let span_text = &self.text[floor_char(&self.text, diagnostic.span.start)..floor_char(&self.text, diagnostic.span.end)];
        let carets = span_text.lines().next().unwrap_or("").chars().count().clamp(1, shown.chars().count().saturating_sub(left).max(1));
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let mut out = format!("error: {}:{line}:{column}: {message}\n", self.path.display());
        let _ = writeln!(out, "{gutter} |\n{number} | {shown}\n{gutter} | {}{}", " ".repeat(left), "^".repeat(carets));
        out.truncate(out.trim_end().len());
        redacted(&out)
    }
}

fn floor_char(text: &str, byte: usize) -> usize {
    let mut at = byte.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_and_caret() {
        let source = Source::new(Path::new("jobs/a.toml"), "[job]\nnäme = \"x\" # é\n".to_owned());
        let rendered = source.render(&Diagnostic {
            span: 6..11,
            message: "unknown key `näme` in [job]".into(),
            hint: Some("did you mean `name`?".into()),
        });
        assert_eq!(
            rendered,
            "error: jobs/a.toml:2:1: unknown key `näme` in [job]; did you mean `name`?\n  |\n2 | näme = \"x\" # é\n  | ^^^^"
        );
    }

    #[test]
    fn an_override_is_named_as_typed() {
        let mut source = Source::new(Path::new("a.toml"), "[job]\n".to_owned());
        source.add_override("job.name=x");
        let span = source.add_override("job.seed=x");
        let rendered = source.render(&Diagnostic { span, message: "`seed` must be a whole number".into(), hint: None });
        assert_eq!(rendered, "error: --set job.seed=x: `seed` must be a whole number");
    }
}
