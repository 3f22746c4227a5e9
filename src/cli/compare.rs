//! `compare`: what changed between two outputs.

use super::{exit, print};
use clap::Args;
use std::path::PathBuf;
use tcs_batch::report::compare::{self, NamedTolerance, Tolerance, Tolerances, amount};

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier output folder
    base: PathBuf,
    /// The later output folder
    out: PathBuf,
    /// Numbers are equal when |out - base| <= ABSOLUTE + RELATIVE * |base|
    #[arg(long, value_name = "ABSOLUTE", value_parser = amount, default_value_t = Tolerance::DEFAULT.absolute, allow_negative_numbers = true)]
    absolute: f64,
    /// See --absolute
    #[arg(long, value_name = "RELATIVE", value_parser = amount, default_value_t = Tolerance::DEFAULT.relative, allow_negative_numbers = true)]
    relative: f64,
    /// Another tolerance for a metric or one of its statistics, as METRIC[.STATISTIC]=X[,relative=Y]; repeatable
    #[arg(long = "tolerance", value_name = "METRIC=X")]
    tolerances: Vec<NamedTolerance>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Compares; a regression exits with 4.
pub fn run(args: &CompareArgs, quiet: bool) -> u8 {
    let general = Tolerance { absolute: args.absolute, relative: args.relative };
    let comparison = match compare::compare(&args.base, &args.out, &Tolerances::new(general, &args.tolerances)) {
        Ok(comparison) => comparison,
        Err(error) => {
            eprintln!("error: {error}");
            return exit::USAGE;
        }
    };
    let text = match (args.json, quiet) {
        (true, _) => format!("{:#}\n", compare::json(&comparison)),
        (false, true) => String::new(),
        (false, false) => compare::text(&comparison),
    };
    match print(&text) {
        exit::OK if comparison.regression() => exit::FELL_SHORT,
        code => code,
    }
}
