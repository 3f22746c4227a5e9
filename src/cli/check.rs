//! `check`: the job file, and every dataset's header.

use super::{JobArgs, exit, load, print};
use tcs_batch::job::check;

/// Kind of the problem of a recording that `run` will fetch.
const NOT_FETCHED: &str = "not-fetched";

/// Validates a job; all problems go to stderr.
pub fn run(args: &JobArgs) -> u8 {
    let job = match load(args) {
        Ok(job) => job,
        Err(code) => return code,
    };
    let plan = tcs_batch::run::plan(&job);
    let mut problems: Vec<String> = Vec::new();
    for unit in &plan.units {
        if let Some(problem) = &unit.problem
            && !problem.skipped
            && problem.kind != NOT_FETCHED
        {
            let span = job.datasets[unit.dataset].span.clone();
            problems.push(check::render(&job.source, span, format!("unit {}: {}", unit.id, problem.message)));
        }
    }
    if !problems.is_empty() {
        for problem in problems.iter().take(20) {
            eprintln!("{problem}");
        }
        if problems.len() > 20 {
            eprintln!("error: and {} more units", problems.len() - 20);
        }
        return exit::USAGE;
    }
    let mut text = String::new();
    let mut absent = 0;
    for (dataset, header) in job.datasets.iter().zip(&plan.headers) {
        let header = match header {
            Ok(header) => header,
            Err(error) => {
                text.push_str(&format!("{}: {}\n", dataset.id, error.what));
                absent += usize::from(error.kind == NOT_FETCHED);
                continue;
            }
        };
        let kept = format!("{} of {}", header.channels.len(), header.n_channels_total);
        let rate = header.rate_hz.map(|rate| format!(" at {rate} Hz")).unwrap_or_default();
        text.push_str(&format!("{}: {kept} channels{rate}, {:.3} s to {:.3} s\n", dataset.id, header.span.start_s, header.span.stop_s));
        for note in &header.notes {
            text.push_str(&format!("  note: {note}\n"));
        }
    }
    let cost: f64 = plan.units.iter().map(|unit| unit.cost_s).sum();
    let unseen = if absent > 0 { format!(" ({absent} not fetched, their headers unseen)") } else { String::new() };
    let units = plan.units.len() - absent;
    text.push_str(&format!("ok: {} datasets{unseen}, {units} units, about {cost:.1} CPU seconds\n", job.datasets.len()));
    print(&text)
}
