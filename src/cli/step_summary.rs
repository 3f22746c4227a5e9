//! The summary of a GitHub Actions step: what a run or a comparison says, appended as Markdown to the file that
//! `GITHUB_STEP_SUMMARY` names.

use std::io::Write;

/// GitHub takes 1 MiB a step; what other commands of the step write needs room too.
const MOST_BYTES: usize = 900 << 10;

/// Appends what `markdown` makes where the variable is set. What goes wrong is a warning: the results are not affected.
pub fn append(markdown: impl FnOnce() -> Result<String, String>) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return };
    let write = |text: String| -> Result<(), String> {
        let mut file = std::fs::File::options().append(true).create(true).open(&path).map_err(|error| error.to_string())?;
        file.write_all(text.as_bytes()).map_err(|error| error.to_string())
    };
    if let Err(error) = markdown().and_then(|text| write(shortened(&text) + "\n")) {
        tracing::warn!("the step summary cannot be written ({error})");
    }
}

fn shortened(markdown: &str) -> String {
    if markdown.len() <= MOST_BYTES {
        return markdown.to_owned();
    }
    let mut end = MOST_BYTES;
    while !markdown.is_char_boundary(end) {
        end -= 1;
    }
    let whole_lines = markdown[..end].rfind('\n').unwrap_or(end);
    format!("{}\n\n*(cut: the whole of it is in report.md)*\n", &markdown[..whole_lines])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_summary_is_cut_at_a_line() {
        assert_eq!(shortened("a\nb\n"), "a\nb\n");
        let long = "é line\n".repeat(200_000);
        let cut = shortened(&long);
        assert!(cut.len() <= MOST_BYTES + 64 && cut.contains("cut:") && cut.starts_with("é line\n"));
    }
}
