//! `inspect`: what a recording holds.

use super::run::{INTERRUPTED, watch_signals};
use super::{exit, fetch_settings, print};
use clap::Args;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tcs_batch::fetch::{Fetcher, readable_bytes};
use tcs_batch::job::remote::resolve;
use tcs_batch::read::{self, Inspection, SeriesSummary};
use tcs_batch::run::look;

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A recording: nwb, hdf5, npy, csv, parquet, jsonl; or an address (https://, s3://, dandi:, catalogue:NAME)
    file: PathBuf,
    /// Ask no server: an address must be in the cache
    #[arg(long)]
    offline: bool,
    /// JSON on stdout
    #[arg(long)]
    json: bool,
}

/// Lists what a file holds.
pub fn run(args: &InspectArgs, quiet: bool) -> u8 {
    if let Some(source) = args.file.to_str().filter(|source| tcs_batch::fetch::is_remote(source)) {
        return remote(source, args, quiet);
    }
    local(&args.file, args)
}

/// Reads what it needs of a file that is elsewhere; one that is in the cache is read there.
fn remote(source: &str, args: &InspectArgs, quiet: bool) -> u8 {
    let refuse = |error: &dyn std::fmt::Display| {
        eprintln!("error: {error}");
        exit::USAGE
    };
    let remote = match resolve(source, Path::new(".")) {
        Ok(remote) => remote,
        Err(error) => return refuse(&error),
    };
    let Some(wanted) = remote.wanted else { return local(&remote.path, args) };
    watch_signals();
    let settings = fetch_settings(args.offline);
    let mut fetcher = Fetcher::new(&settings, &INTERRUPTED);
    match fetcher.held(&wanted) {
        Ok(Some(held)) => return local(&held.path, args),
        Ok(None) => {}
        Err(error) => return refuse(&error),
    }
    // An HDF5 ending is enough: what is no NWB inside is listed as such.
    let ending = remote.path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let format = remote.format.or_else(|| read::READERS.iter().copied().find(|format| format.extensions.contains(&ending.as_str())));
    let Some(format) = format.filter(|format| matches!(format.name, "nwb" | "hdf5")) else {
        eprintln!("error: {}: only HDF5 files are read in parts; fetch it first: tcs-batch datasets fetch", wanted.address.shown());
        return exit::USAGE;
    };
    let result = read::remote::inspect(&mut fetcher, &wanted, format, &mut |traffic| {
        tracing::info!("pass {}: {} of {} fetched", traffic.passes, readable_bytes(traffic.fetched), readable_bytes(traffic.total));
    });
    match result {
        Ok((inspection, traffic)) => {
            if !quiet {
                let (fetched, total) = (readable_bytes(traffic.fetched), readable_bytes(traffic.total));
                eprintln!("read {fetched} of {total} in {} requests", traffic.requests);
            }
            shown(&inspection, args)
        }
        Err(error) => {
            let code = refuse(&error);
            match INTERRUPTED.load(std::sync::atomic::Ordering::Relaxed) {
                0 => code,
                signal => std::process::exit(128 + signal),
            }
        }
    }
}

fn local(file: &Path, args: &InspectArgs) -> u8 {
    if !file.exists() {
        eprintln!("error: {}: there is no such file", file.display());
        return exit::USAGE;
    }
    if let Some(what) = read::folder(file) {
        eprintln!("error: {}: {what}", file.display());
        return exit::USAGE;
    }
    match look::inspect(file) {
        Ok(inspection) => shown(&inspection, args),
        Err(error) => {
            eprintln!("error: {error}");
            exit::USAGE
        }
    }
}

fn shown(inspection: &Inspection, args: &InspectArgs) -> u8 {
    if !args.json {
        return print(&describe(inspection));
    }
    match serde_json::to_string_pretty(inspection) {
        Ok(text) => print(&(text + "\n")),
        Err(error) => {
            eprintln!("error: {error}");
            exit::INTERNAL
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
