//! Rules of the house that a machine can check: heads, sizes, rooms, marks of unfinished work.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground up; a room uses only rooms before it.
const ROOMS: &[&str] = &[
    "seed", "spec", "fetch", "data", "read", "signal", "embed", "homology", "metrics", "fidelity", "table", "report", "job", "run",
    "engine",
];

/// Longest file, lines.
const MOST_LINES: usize = 600;

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

fn room_of(path: &Path) -> Option<&'static str> {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).ok()?;
    let first = below.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs").to_owned();
    ROOMS.iter().copied().find(|room| *room == first)
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")).chain(sources("examples")) {
        assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines; split it (limit {MOST_LINES})", path.display());
    }
}

#[test]
fn rooms_use_only_rooms_below_them() {
    for (path, text) in sources("src") {
        let Some(room) = room_of(&path) else { continue };
        let height = ROOMS.iter().position(|name| *name == room).unwrap();
        // Tests may look anywhere.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for upper in &ROOMS[height + 1..] {
            let uses = code.contains(&format!("crate::{upper}::"))
                || code.contains(&format!("crate::{{{upper}"))
                || code.contains(&format!("crate::{upper};"));
            assert!(!uses, "{}: {room} may not use {upper}, a room above it", path.display());
        }
    }
}

#[test]
fn every_room_stands_in_the_library() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for room in ROOMS {
        assert!(lib.contains(&format!("pub mod {room};")), "{room}");
    }
    assert_eq!(lib.matches("pub mod ").count(), ROOMS.len(), "a room of src/lib.rs is missing from tests/tidy.rs");
}

#[test]
fn nothing_is_left_unfinished() {
    let marks =
        [["to", "do!("].concat(), ["unimple", "mented!("].concat(), ["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["dbg", "!("].concat()];
    for (path, text) in sources("src") {
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{}: {mark}", path.display());
        }
    }
}

#[test]
fn every_metric_file_is_in_the_registry() {
    let registry = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metrics/mod.rs")).unwrap();
    for (path, text) in sources("src/metrics") {
        if text.contains("ENTRY: Entry<dyn Metric>") {
            let module = path.file_stem().unwrap().to_str().unwrap();
            assert!(registry.contains(&format!("{module}::ENTRY")), "{} is not in METRICS", path.display());
        }
    }
}
