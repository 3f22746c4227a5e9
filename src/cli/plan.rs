//! `plan`: the units that `run` would do.

use super::{JobArgs, exit, load, print};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tcs_batch::run::inputs::Inputs;
use tcs_batch::run::store::Store;

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    job: JobArgs,
    /// A JSON array on stdout, one object a unit
    #[arg(long)]
    json: bool,
    /// Say why each unit would be computed or reused
    #[arg(long)]
    explain: bool,
    /// The output folder to look for earlier results in, instead of the job's
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Lists the units.
pub fn run(args: &PlanArgs) -> u8 {
    let job = match load(&args.job) {
        Ok(job) => job,
        Err(code) => return code,
    };
    let out = args.out.clone().unwrap_or_else(|| job.output.dir.clone());
    let (inputs, store) = (Inputs::of(&out), Store::existing(&out));
    let plan = tcs_batch::run::plan(&job);
    let rows = plan.units.iter().map(|unit| (unit, tcs_batch::run::status(&job, unit, &inputs, &store)));
    if args.json {
        let all: Vec<_> = rows
            .map(|(unit, (done, why))| {
                json!({
                    "unit": unit.id, "dataset": job.datasets[unit.dataset].id,
                    "window_start_s": unit.window.map(|window| window.start_s), "window_stop_s": unit.window.map(|window| window.stop_s),
                    "cost_s": unit.cost_s, "memory_bytes": unit.memory_bytes, "done": done, "reason": why, "problem": unit.problem.as_ref().map(|problem| &problem.kind),
                })
            })
            .collect();
        return match serde_json::to_string_pretty(&all) {
            Ok(text) => print(&(text + "\n")),
            Err(error) => {
                eprintln!("error: {error}");
                exit::INTERNAL
            }
        };
    }
    let mut text = String::new();
    let width = plan.units.iter().map(|unit| unit.id.chars().count()).max().unwrap_or(0);
    for (unit, (done, why)) in rows {
        let state = match (&unit.problem, done) {
            (Some(problem), _) if problem.skipped => "skip",
            (Some(_), _) => "fails",
            (None, true) => "done",
            (None, false) => "to do",
        };
        let why = if args.explain || unit.problem.is_some() { format!("  {why}") } else { String::new() };
        text.push_str(format!("{:width$}  {:>9.3} s  {state}{why}", unit.id, unit.cost_s).trim_end());
        text.push('\n');
    }
    print(&text)
}
