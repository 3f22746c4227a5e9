//! `report`: the reports again, from the tables alone.

use super::{exit, print};
use clap::Args;
use std::path::PathBuf;
use tcs_batch::report::{self, Format};

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// An output folder of `run`
    out: PathBuf,
    /// What to write (default: html and md); repeatable
    #[arg(long = "format", value_name = "FORMAT", value_parser = parse_format)]
    formats: Vec<Format>,
}

fn parse_format(name: &str) -> Result<Format, String> {
    Format::named(name).ok_or_else(|| format!("known: {}", Format::NAMES.join(", ")))
}

/// Writes the reports.
pub fn run(args: &ReportArgs) -> u8 {
    let formats = if args.formats.is_empty() { vec![Format::Html, Format::Md] } else { args.formats.clone() };
    if !args.out.join("manifest.json").is_file() {
        eprintln!("error: {}: there is no manifest.json; give the output folder of a finished run", args.out.display());
        return exit::USAGE;
    }
    match report::write(&args.out, &formats) {
        Ok(paths) => print(&paths.iter().map(|path| format!("{}\n", path.display())).collect::<String>()),
        Err(error) => {
            eprintln!("error: {error}");
            exit::INTERNAL
        }
    }
}
