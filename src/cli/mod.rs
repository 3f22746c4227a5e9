//! The command line: one small file a verb. Prints; decides nothing about science.

mod check;
mod compare;
mod datasets;
mod inspect;
mod merge;
mod plan;
mod progress;
mod report;
mod run;
mod step_summary;
mod submit;
mod telemetry;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit codes (contract, section 1).
pub mod exit {
    /// All done and every expectation held.
    pub const OK: u8 = 0;
    /// An internal error.
    pub const INTERNAL: u8 = 1;
    /// The command line or job file is wrong.
    pub const USAGE: u8 = 2;
    /// Some units failed.
    pub const UNITS_FAILED: u8 = 3;
    /// An expectation, a fidelity threshold or a comparison fell short.
    pub const FELL_SHORT: u8 = 4;
    /// Another run holds the output folder.
    pub const HELD: u8 = 5;
}

/// The same careful topological and information-theoretic analysis over many neural recordings, from one job file.
#[derive(Debug, Parser)]
#[command(name = "tcs-batch", version, about, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "Start here:  tcs-batch inspect recording.nwb   then   tcs-batch run jobs/quickstart.toml\n\
Exit codes: 0 all held, 1 internal error, 2 wrong command or job file, 3 units failed, 4 an expectation fell short, \
5 folder in use, 130/143 interrupted")]
pub struct Cli {
    /// Fewer messages (errors only)
    #[arg(short, long, global = true)]
    quiet: bool,
    /// More messages (twice: all)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Plan, compute what is missing, write tables and reports, judge expectations
    #[command(
        after_help = "Example:  tcs-batch run jobs/quickstart.toml --workers 2\n          tcs-batch run job.toml --set run.retries=0 --limit 3 --out /tmp/smoke"
    )]
    Run(Box<run::RunArgs>),
    /// Validate a job and open every dataset's header; compute nothing
    #[command(after_help = "Example:  tcs-batch check job.toml")]
    Check(JobArgs),
    /// List the units of work that `run` would do, one a line
    #[command(after_help = "Example:  tcs-batch plan job.toml --explain\n          tcs-batch plan job.toml --json | jq .[].unit")]
    Plan(plan::PlanArgs),
    /// Write the reports again from the tables alone
    #[command(after_help = "Example:  tcs-batch report reports/quickstart --format html --format junit")]
    Report(report::ReportArgs),
    /// What a recording holds: series, units, areas, trials, sizes, chunking, compression
    #[command(
        after_help = "Example:  tcs-batch inspect datasets/samples/A8604-211122.nwb\n          tcs-batch inspect dandi:000017/sub-Cori/sub-Cori_ses-20161214T120000.nwb"
    )]
    Inspect(inspect::InspectArgs),
    /// Combine the outputs of shards of one job into one folder, with its reports
    #[command(after_help = "Example:  tcs-batch merge out-1 out-2 out-3 --out out")]
    Merge(merge::MergeArgs),
    /// What changed between two outputs; exits with 4 on a regression
    #[command(
        after_help = "Example:  tcs-batch compare reports/last-night reports/tonight\n          tcs-batch compare base out --relative 0.01 --tolerance lz76=0.02 --tolerance persistence.rips.diagram=0.1 --json"
    )]
    Compare(compare::CompareArgs),
    /// The catalogue of public recordings, and the cache of what was fetched
    #[command(
        after_help = "Example:  tcs-batch datasets list\n          tcs-batch datasets fetch steinmetz-2019-cori\n          tcs-batch datasets fetch --job job.toml"
    )]
    Datasets(datasets::DatasetsArgs),
    /// Hand the shards of a job to Slurm or Kubernetes, with a merge after them
    #[command(
        after_help = "Example:  tcs-batch submit job.toml --engine slurm --shards 8 --time 2:00:00 --dry-run\n          tcs-batch submit /lab/job.toml --engine kubernetes --shards 8 --image registry.lab/tcs-batch:0.1.0 --volume lab=/lab"
    )]
    Submit(Box<submit::SubmitArgs>),
    /// Computes units for a run; started by it
    #[command(hide = true)]
    Worker,
    /// Looks at one recording for `inspect`; started by it
    #[command(hide = true)]
    Look,
    /// The CPUs and GPUs that a run would use (not available yet)
    #[command(after_help = "Example:  tcs-batch devices --json")]
    Devices(Later),
}

/// Anything, for a verb that comes later.
#[derive(Debug, Args)]
struct Later {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<String>,
}

/// A job file and what is laid over it.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// The job file
    job: PathBuf,
    /// Replace a value of the job file, as path.to.key=value (lists by number: metric.0.k=3); repeatable
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

/// Runs the command line and returns the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli);
    if !matches!(cli.verb, Verb::Look) {
        tcs_batch::read::set_is_nwb(tcs_batch::run::look::is_nwb);
    }
    let code = match cli.verb {
        Verb::Run(args) => run::run(&args, cli.quiet),
        Verb::Check(args) => check::run(&args),
        Verb::Plan(args) => plan::run(&args),
        Verb::Report(args) => report::run(&args),
        Verb::Inspect(args) => inspect::run(&args, cli.quiet),
        Verb::Merge(args) => merge::run(&args, cli.quiet),
        Verb::Compare(args) => compare::run(&args, cli.quiet),
        Verb::Datasets(args) => datasets::run(&args, cli.quiet),
        Verb::Submit(args) => submit::run(&args, cli.quiet),
        Verb::Devices(_) => later("devices"),
        Verb::Worker => process(tcs_batch::run::worker::main()),
        Verb::Look => process(tcs_batch::run::look::main()),
    };
    ExitCode::from(code)
}

/// The end of a process that another of ours has started.
fn process(ended: std::io::Result<()>) -> u8 {
    match ended {
        Ok(()) => exit::OK,
        Err(error) => {
            eprintln!("error: worker: {error}");
            exit::INTERNAL
        }
    }
}

fn start_log(cli: &Cli) {
    use tracing::level_filters::LevelFilter;
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let ansi = std::env::var_os("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(ansi).with_target(false).without_time().init();
}

fn later(verb: &str) -> u8 {
    eprintln!("error: `tcs-batch {verb}` is not available yet in version {}", env!("CARGO_PKG_VERSION"));
    exit::USAGE
}

/// How to fetch: what the environment says, and `--offline`.
fn fetch_settings(offline: bool) -> tcs_batch::fetch::Settings {
    let settings = tcs_batch::fetch::Settings::from_env();
    tcs_batch::fetch::Settings { offline: offline || settings.offline, ..settings }
}

/// Loads a job; what is wrong with it goes to stderr.
fn load(args: &JobArgs) -> Result<tcs_batch::job::Job, u8> {
    tcs_batch::job::load(&args.job, &args.overrides).map_err(|error| {
        eprintln!("{error}");
        exit::USAGE
    })
}

/// Prints to stdout; a closed pipe (`| head`) ends quietly.
fn print(text: &str) -> u8 {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("error: cannot write to standard output ({error})");
            exit::INTERNAL
        }
        _ => exit::OK,
    }
}
