//! `report.md`: the report's facts as tables, for a pull request or a terminal.

use super::content::{Content, Fact, Tile};
use super::grid::{Grid, Tone, escape};

/// The whole page.
pub(super) fn render(content: &Content) -> String {
    let mut page = format!("# {}\n\n", escape(&content.title));
    if let Some(description) = &content.description {
        page += &format!("{}\n\n", escape(description));
    }
    page += &bullets(content.tiles.iter().map(tile));
    page += &bullets(content.about.iter().map(fact));
    section(&mut page, "Published beside ours", content.expectations.as_ref());
    section(&mut page, "Fidelity", content.fidelity.as_ref());
    for dataset in &content.datasets {
        page += &format!("## Dataset {}\n\n", escape(&dataset.id));
        page += &bullets(dataset.read.iter().map(fact).chain([format!("**Units**: {}", escape(&dataset.units))]));
        page += &bullets(dataset.notes.iter().map(|note| escape(note)));
        if let Some(grid) = &dataset.metrics {
            page += &format!("{}\n", grid.markdown());
        }
    }
    section(&mut page, "Further datasets", content.others.as_ref());
    section(&mut page, "Failures", content.failures.as_ref());
    if content.failures.is_some() {
        page += "Running the job again tries the failed units again, and only those.\n\n";
    }
    section(&mut page, "Undefined values", content.undefined.as_ref());
    if !content.limits.is_empty() {
        page += "## Limits\n\n";
        page += &bullets(content.limits.iter().map(|limit| escape(limit)));
    }
    page += "## Provenance\n\n";
    page += &bullets(content.machine.iter().map(fact));
    for grid in [&content.origins, &content.stages].into_iter().flatten() {
        page += &format!("{}\n", grid.markdown());
    }
    page += &bullets(content.files.iter().map(|file| format!("[{}]({}), {}", file.label, file.label, file.text)));
    if let Some(text) = &content.job_text {
        page += &format!("The job file:\n\n{}\n", fenced(text));
    }
    format!("{}\n", page.trim_end())
}

fn section(page: &mut String, title: &str, grid: Option<&Grid>) {
    if let Some(grid) = grid {
        *page += &format!("## {title}\n\n{}\n", grid.markdown());
    }
}

fn bullets(lines: impl Iterator<Item = String>) -> String {
    let text: String = lines.map(|line| format!("- {line}\n")).collect();
    if text.is_empty() { text } else { text + "\n" }
}

fn fact(fact: &Fact) -> String {
    format!("**{}**: {}", escape(&fact.label), escape(&fact.text))
}

fn tile(tile: &Tile) -> String {
    let mark = match tile.tone {
        Tone::Good => "✓ ",
        Tone::Bad => "✗ ",
        _ => "",
    };
    let note = if tile.note.is_empty() { String::new() } else { format!(" ({})", escape(&tile.note)) };
    format!("{mark}**{}**: {}{note}", tile.label, escape(&tile.value))
}

/// A code block whose fence is longer than any row of backticks inside.
fn fenced(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}toml\n{}\n{fence}\n", text.trim_end())
}
