//! `compare`: what changed between two outputs.

use super::{exit, print, step_summary};
use clap::Args;
use std::path::PathBuf;
use tcs_batch::job;
use tcs_batch::report::compare::{self, Comparison, NamedTolerance, Settings, Tolerances, amount};

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier output folder
    base: PathBuf,
    /// The later output folder
    out: PathBuf,
    /// Numbers are equal when |out - base| <= ABSOLUTE + RELATIVE * |base| [default: [compare] of the job, or 1e-9]
    #[arg(long, value_name = "ABSOLUTE", value_parser = amount, allow_negative_numbers = true)]
    absolute: Option<f64>,
    /// See --absolute [default: [compare] of the job, or 1e-6]
    #[arg(long, value_name = "RELATIVE", value_parser = amount, allow_negative_numbers = true)]
    relative: Option<f64>,
    /// Another tolerance for a metric or one of its statistics, as METRIC[.STATISTIC]=X[,relative=Y]; repeatable
    #[arg(long = "tolerance", value_name = "METRIC=X")]
    tolerances: Vec<NamedTolerance>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Compares; a regression exits with 4.
pub fn run(args: &CompareArgs, quiet: bool) -> u8 {
    let comparison = match compared(args) {
        Ok(comparison) => comparison,
        Err(message) => {
            eprintln!("{message}");
            return exit::USAGE;
        }
    };
    let text = match (args.json, quiet) {
        (true, _) => format!("{:#}\n", compare::json(&comparison)),
        (false, true) => String::new(),
        (false, false) => compare::text(&comparison),
    };
    step_summary::append(|| Ok(format!("## Compared with {}\n\n```text\n{}```\n", args.base.display(), compare::text(&comparison))));
    match print(&text) {
        exit::OK if comparison.regression() => exit::FELL_SHORT,
        code => code,
    }
}

/// Compares with the tolerances of the later output's job, the command line's over them.
fn compared(args: &CompareArgs) -> Result<Comparison, String> {
    let error = |error: compare::CompareError| format!("error: {error}");
    let of_job = match compare::job_text(&args.out).map_err(error)? {
        Some(job) => job::compare::settings(&job.manifest, job.text, &job.overrides).map_err(|error| error.to_string())?,
        None => Settings::default(),
    };
    let typed = Settings { absolute: args.absolute, relative: args.relative, named: args.tolerances.clone() };
    compare::compare(&args.base, &args.out, &Tolerances::new(&of_job, &typed)).map_err(error)
}
