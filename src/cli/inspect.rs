//! `inspect`: what a recording holds.

use super::{exit, print};
use clap::Args;
use std::fmt::Write;
use std::path::PathBuf;
use tcs_batch::read::{self, Inspection, SeriesSummary};

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A recording: nwb, hdf5, npy, csv, parquet, jsonl
    file: PathBuf,
    /// JSON on stdout
    #[arg(long)]
    json: bool,
}

/// Lists what a file holds.
pub fn run(args: &InspectArgs) -> u8 {
    if !args.file.exists() {
        eprintln!("error: {}: there is no such file", args.file.display());
        return exit::USAGE;
    }
    if let Some(what) = read::folder(&args.file) {
        eprintln!("error: {}: {what}", args.file.display());
        return exit::USAGE;
    }
    let Some(format) = read::format_of(&args.file) else {
        let names: Vec<&str> = read::READERS.iter().map(|format| format.name).collect();
        eprintln!("error: {}: not a format that this tool knows ({})", args.file.display(), names.join(", "));
        return exit::USAGE;
    };
    match (format.inspect)(&args.file) {
        Ok(inspection) if args.json => match serde_json::to_string_pretty(&inspection) {
            Ok(text) => print(&(text + "\n")),
            Err(error) => {
                eprintln!("error: {error}");
                exit::INTERNAL
            }
        },
        Ok(inspection) => print(&describe(&inspection)),
        Err(error) => {
            eprintln!("error: {error}");
            exit::USAGE
        }
    }
}

fn describe(found: &Inspection) -> String {
    let mut out = String::new();
    let version = found.nwb_version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let _ = writeln!(out, "{}  ({}{version})", found.file, found.format);
    if let Some(session) = &found.session {
        for (name, value) in [("identifier", &session.identifier), ("start time", &session.start_time), ("species", &session.species)] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                let _ = writeln!(out, "  {name}: {value}");
            }
        }
    }
    if let Some(units) = &found.units {
        let span = match (units.t_first_s, units.t_last_s) {
            (Some(first), Some(last)) => format!(", {first:.3} s to {last:.3} s"),
            _ => String::new(),
        };
        let _ = writeln!(out, "units: {} with {} spikes{span}", units.count, units.spikes_total);
        let _ = writeln!(out, "  columns: {}", units.columns.join(", "));
    }
    if let Some(electrodes) = &found.electrodes {
        let locations: Vec<String> =
            electrodes.locations.iter().map(|(name, n)| format!("{} {n}", if name.is_empty() { "(no label)" } else { name })).collect();
        let _ = writeln!(out, "electrodes: {}  ({})", electrodes.count, locations.join(", "));
    }
    if !found.series.is_empty() {
        let _ = writeln!(out, "series:");
        for series in &found.series {
            let _ = writeln!(out, "  {}", describe_series(series));
        }
    }
    if !found.intervals.is_empty() {
        let _ = writeln!(out, "intervals:");
        for table in &found.intervals {
            let _ = writeln!(out, "  {}  {} rows: {}", table.path, table.rows, table.columns.join(", "));
        }
    }
    for problem in &found.problems {
        let _ = writeln!(out, "problem: {}: {}", problem.path, problem.what);
    }
    out
}

fn describe_series(series: &SeriesSummary) -> String {
    let shape = series.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    let mut out = format!("{}  {} {shape} {}", if series.path.is_empty() { "." } else { &series.path }, series.kind, series.dtype);
    if let Some(rate) = series.rate_hz {
        let _ = write!(out, ", {rate} Hz");
    }
    if let (Some(start), Some(stop)) = (series.t_start_s, series.t_stop_s) {
        let _ = write!(out, ", {start:.3} s to {stop:.3} s");
    }
    if let Some(unit) = &series.unit {
        let _ = write!(out, ", {unit}");
    }
    if let Some(conversion) = series.conversion.filter(|&conversion| conversion != 1.0) {
        let _ = write!(out, " × {conversion:e}");
    }
    if let Some(chunks) = &series.chunks {
        let _ = write!(out, ", chunks {}", chunks.iter().map(usize::to_string).collect::<Vec<_>>().join(" × "));
    }
    if !series.filters.is_empty() {
        let _ = write!(out, ", {}", series.filters.join("+"));
    }
    out
}
