//! `run`: plan, compute, write, judge.

use super::{JobArgs, exit, load, progress, step_summary, telemetry};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use tcs_batch::job::Job;
use tcs_batch::run::{self, Options, Outcome, RunError};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    job: JobArgs,
    /// Write here instead of the job's output.dir
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where to compute: auto or cpu (GPUs are not available yet)
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Workers; 0: one a core
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Only this shard, as I/N, from 1/N to N/N
    #[arg(long, value_name = "I/N", value_parser = parse_shard)]
    shard: Option<(usize, usize)>,
    /// Only the first N units: a smoke run
    #[arg(long, value_name = "N", value_parser = parse_limit)]
    limit: Option<usize>,
    /// Ignore earlier results
    #[arg(long)]
    fresh: bool,
    /// Try a failed unit again, up to N times
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// Begin no more units after the first failure
    #[arg(long)]
    fail_fast: bool,
    /// How progress is shown, on stderr
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    progress: Progress,
    /// Keep Prometheus metrics of the run in this file
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
    /// Serve Prometheus metrics of the run at /metrics; a port alone listens on this machine only
    #[arg(long, value_name = "[HOST:]PORT")]
    metrics_listen: Option<String>,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, plain lines elsewhere
    Auto,
    /// A bar
    Bar,
    /// One line a unit
    Plain,
    /// One JSON event a line
    Json,
    /// Nothing
    None,
}

fn parse_shard(text: &str) -> Result<(usize, usize), String> {
    let parsed = text.split_once('/').and_then(|(shard, of)| Some((shard.parse::<usize>().ok()?, of.parse::<usize>().ok()?)));
    match parsed {
        Some((shard, of)) if 1 <= shard && shard <= of => Ok((shard, of)),
        _ => Err("write I/N with I from 1 to N, for example 2/8".into()),
    }
}

fn parse_limit(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&limit| limit > 0).ok_or_else(|| "write a whole number, 1 or more".into())
}

/// The number of a signal, once one came.
static INTERRUPTED: AtomicI32 = AtomicI32::new(0);

/// Runs a job and returns the exit code.
pub fn run(args: &RunArgs, quiet: bool) -> u8 {
    let job = match load(&args.job) {
        Ok(job) => job,
        Err(code) => return code,
    };
    if let Some(device) = &args.device
        && !matches!(device.as_str(), "auto" | "cpu")
    {
        let known = device.as_str() == "cuda" || device.starts_with("cuda:");
        eprintln!("error: --device {device} is {}; available: auto, cpu", if known { "not available yet" } else { "not a device" });
        return exit::USAGE;
    }
    let options = Options {
        out: args.out.clone().unwrap_or_else(|| job.output.dir.clone()),
        workers: args.workers.unwrap_or(job.run.workers),
        shard: args.shard,
        limit: args.limit,
        fresh: args.fresh,
        retries: args.retries.unwrap_or(job.run.retries),
        fail_fast: args.fail_fast,
        command: command_line(),
    };
    watch_signals();
    let job = Arc::new(job);
    let mut listener = progress::fan(args.progress, quiet);
    if let Err(message) = telemetry::add(&mut listener, &job.name, args.metrics_file.as_deref(), args.metrics_listen.as_deref()) {
        eprintln!("error: {message}");
        return exit::USAGE;
    }
    let result = run::run(&job, &options, &mut listener, &INTERRUPTED);
    drop(listener);
    match result {
        Ok(outcome) => {
            if args.progress == Progress::None {
                list_failures(&outcome);
            }
            conclude(&job, &options, &outcome, quiet)
        }
        Err(error) => fail(&error),
    }
}

/// Names the units that failed, for those who have not seen them go by.
pub fn list_failures(outcome: &Outcome) {
    for failure in &outcome.failures {
        eprintln!("failed: {failure}");
    }
}

/// SIGINT, SIGTERM and SIGUSR1 ask the run to stop; a second one ends it at once.
fn watch_signals() {
    use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
    match signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGUSR1]) {
        Ok(mut signals) => {
            std::thread::spawn(move || {
                for signal in signals.forever() {
                    // A batch system that warns before its time limit (Slurm's `--signal`) asks as TERM does.
                    let signal = if signal == SIGINT { SIGINT } else { SIGTERM };
                    if INTERRUPTED.swap(signal, Ordering::Relaxed) != 0 {
                        std::process::exit(128 + signal);
                    }
                }
            });
        }
        Err(error) => tracing::warn!("signals are not watched ({error}); an interrupted run still resumes"),
    }
}

/// The command as it was typed, for the manifest.
pub fn command_line() -> String {
    std::env::args().map(|arg| if arg.contains(' ') { format!("'{arg}'") } else { arg }).collect::<Vec<_>>().join(" ")
}

/// Says why a run ended without tables, and returns its exit code.
pub fn fail(error: &RunError) -> u8 {
    eprintln!("error: {error}");
    match error {
        // The units under way are lost on purpose: they are not stored, and the next run computes them.
        RunError::Interrupted { signal } => std::process::exit(128 + signal),
        RunError::Held { .. } => exit::HELD,
        RunError::Output { .. } => exit::USAGE,
        RunError::Table(_) | RunError::File(_) | RunError::Report(_) => exit::INTERNAL,
    }
}

/// Says how a run ended, and returns its exit code.
pub fn conclude(job: &Job, options: &Options, outcome: &Outcome, quiet: bool) -> u8 {
    let done = outcome.units - outcome.failed - outcome.skipped;
    let (expected, missed) = outcome.expectations;
    if !quiet {
        let mut parts = vec![format!("{done} of {} units done", outcome.units)];
        for (n, what) in [(outcome.reused, "reused"), (outcome.failed, "failed"), (outcome.skipped, "skipped")] {
            if n > 0 {
                parts.push(format!("{n} {what}"));
            }
        }
        if expected > 0 {
            parts.push(format!("{} of {expected} expectations held", expected - missed));
        }
        eprintln!("{}: {}", job.name, parts.join(", "));
        for below in &outcome.below_accept {
            eprintln!("fidelity below accept: {below}");
        }
        eprintln!("tables in {}", options.out.display());
        for path in &outcome.reports {
            eprintln!("report: {}", path.display());
        }
    }
    step_summary::append(|| tcs_batch::report::markdown(&options.out).map_err(|error| error.to_string()));
    if outcome.failed > 0 {
        exit::UNITS_FAILED
    } else if missed > 0 || !outcome.below_accept.is_empty() {
        exit::FELL_SHORT
    } else {
        exit::OK
    }
}
