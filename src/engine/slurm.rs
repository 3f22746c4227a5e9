//! Slurm: one task of an array is one shard, and a merge that runs after them all.
//!
//! A task that is killed, or stops before its time limit, requeues itself and resumes; Slurm alone requeues only after the loss of a
//! node. The merge depends on the arrays by `afterany`: a failed unit is a result, and whether all shards are there is for `merge` to
//! judge, from files.

use super::{EngineError, Submission, ask, fail, plain_name, shell};
use crate::table::atomic;
use std::fmt::Write;
use std::path::Path;

/// Slurm's own default of `MaxArraySize`.
pub const DEFAULT_MAX_ARRAY_SIZE: usize = 1001;

const SHARDS: &str = include_str!("slurm_shards.sh");
const MERGE: &str = include_str!("slurm_merge.sh");

/// What only Slurm is told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// `--partition`.
    pub partition: Option<String>,
    /// `--partition` of the merge, where it differs.
    pub merge_partition: Option<String>,
    /// `--account`.
    pub account: Option<String>,
    /// `--qos`.
    pub qos: Option<String>,
    /// Further options of sbatch, one `#SBATCH` line each.
    pub directives: Vec<String>,
    /// Shell lines that stand before the work (`module load …`).
    pub before: Vec<String>,
    /// The cluster's `MaxArraySize`: the largest index of a task, plus 1.
    pub max_array_size: usize,
    /// How long before the time limit a task stops, seconds.
    pub stop_early_s: Option<u64>,
}

/// Scripts and command lines, ready to be submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    folder: String,
    shards_script: (String, String),
    merge_script: (String, String),
    /// One `sbatch` an array, with its first and last shard.
    arrays: Vec<(Vec<String>, usize, usize)>,
    /// The `sbatch` of the merge: words before and after its dependency.
    merge: (Vec<String>, Vec<String>),
}

/// What Slurm took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// One an array: its job id, its first and last shard.
    pub arrays: Vec<(String, usize, usize)>,
    /// The job id of the merge.
    pub merge: String,
    /// Where the logs are.
    pub logs: String,
}

/// Writes everything down; touches nothing.
///
/// # Errors
/// When the numbers do not go together.
pub fn plan(submission: &Submission, options: &Options) -> Result<Plan, EngineError> {
    let stop_early_s = stop_early_s(submission, options)?;
    if options.max_array_size < 2 {
        return fail(format!(
            "this cluster takes no job arrays (MaxArraySize is {}); run the shards as single jobs: sbatch --wrap 'tcs-batch run … --shard I/N'",
            options.max_array_size
        ));
    }
    let folder = format!("{}/slurm", submission.folder());
    let (shards, merge) = (format!("{folder}/shards.sh"), format!("{folder}/merge.sh"));
    // Slurm replaces %-patterns in the name of a log.
    let logs = folder.replace('%', "%%");
    let longest = options.max_array_size - 1;
    let arrays = (0..submission.shards).step_by(longest).map(|before| {
        let length = longest.min(submission.shards - before);
        let at_once = submission.parallel.map(|n| format!("%{n}")).unwrap_or_default();
        let words = [
            "sbatch".to_owned(),
            "--parsable".into(),
            format!("--array=1-{length}{at_once}"),
            format!("--output={logs}/%A_%a.log"),
            shards.clone(),
            before.to_string(),
        ];
        (words.to_vec(), before + 1, before + length)
    });
    Ok(Plan {
        arrays: arrays.collect(),
        merge: (
            vec!["sbatch".into(), "--parsable".into()],
            vec!["--kill-on-invalid-dep=yes".into(), format!("--output={logs}/merge_%j.log"), merge.clone()],
        ),
        shards_script: (shards, shards_script(submission, options, stop_early_s)),
        merge_script: (merge, merge_script(submission, options)),
        folder,
    })
}

/// Two minutes, or a quarter of a short time limit.
fn stop_early_s(submission: &Submission, options: &Options) -> Result<u64, EngineError> {
    match (options.stop_early_s, submission.time_s) {
        (Some(early), Some(time)) if early >= time => {
            fail(format!("--stop-early {early} leaves nothing of a time limit of {time} s; give more --time"))
        }
        (Some(early), _) => Ok(early),
        (None, Some(time)) => Ok((time / 4).clamp(1, 120)),
        (None, None) => Ok(120),
    }
}

/// The head that both scripts share.
fn head(submission: &Submission, options: &Options, name: &str, partition: Option<&String>) -> String {
    let mut out = format!("#!/bin/bash\n#SBATCH --job-name={name}\n#SBATCH --nodes=1\n#SBATCH --ntasks=1\n");
    let _ = writeln!(out, "#SBATCH --mem={}M", submission.memory_mib);
    if let Some(time_s) = submission.time_s {
        // Slurm counts whole minutes.
        let minutes = time_s.div_ceil(60);
        let _ = writeln!(out, "#SBATCH --time={}-{:02}:{:02}:00", minutes / 1440, minutes / 60 % 24, minutes % 60);
    }
    for (option, value) in [("partition", partition), ("account", options.account.as_ref()), ("qos", options.qos.as_ref())] {
        if let Some(value) = value {
            let _ = writeln!(out, "#SBATCH --{option}={value}");
        }
    }
    // After a requeue the log goes on.
    out += "#SBATCH --requeue\n#SBATCH --open-mode=append\n";
    out
}

fn settings(submission: &Submission) -> String {
    let mut out = format!("# Written by tcs-batch {} submit.\n", env!("CARGO_PKG_VERSION"));
    let _ =
        writeln!(out, "program={}\nout={}\nshards={}", shell::quote(&submission.program), shell::quote(&submission.out), submission.shards);
    out
}

fn shards_script(submission: &Submission, options: &Options, stop_early_s: u64) -> String {
    let name = format!("tcs-{}", plain_name(&submission.name, 60));
    let mut out = head(submission, options, &name, options.partition.as_ref());
    let _ = writeln!(out, "#SBATCH --cpus-per-task={}\n#SBATCH --signal=B:USR1@{stop_early_s}", submission.cpus);
    if submission.gpus > 0 {
        let _ = writeln!(out, "#SBATCH --gres=gpu:{}", submission.gpus);
    }
    for directive in &options.directives {
        let _ = writeln!(out, "#SBATCH {directive}");
    }
    out += &settings(submission);
    let _ = writeln!(out, "job={}\nsha256={}", shell::quote(&submission.job), submission.job_sha256);
    let _ = writeln!(out, "restarts={}\nrun=({})", submission.restarts, shell::command(&submission.run()));
    for line in &options.before {
        let _ = writeln!(out, "{line}");
    }
    out + SHARDS
}

fn merge_script(submission: &Submission, options: &Options) -> String {
    let name = format!("tcs-{}-merge", plain_name(&submission.name, 60));
    let partition = options.merge_partition.as_ref().or(options.partition.as_ref());
    let mut out = head(submission, options, &name, partition) + "#SBATCH --cpus-per-task=1\n" + &settings(submission);
    for line in &options.before {
        let _ = writeln!(out, "{line}");
    }
    out + MERGE
}

impl Plan {
    /// The same as [`Plan::submit`], as a shell script.
    pub fn shell(&self) -> String {
        let mut out = String::from("#!/bin/bash\n# What `tcs-batch submit` does; `| bash` would do it.\nset -euo pipefail\n");
        let _ = writeln!(out, "mkdir -p {}", shell::quote(&self.folder));
        for (path, text) in [&self.shards_script, &self.merge_script] {
            let mut end = "END_OF_SCRIPT".to_owned();
            while text.lines().any(|line| line == end) {
                end.push('_');
            }
            let _ = writeln!(out, "cat >{} <<'{end}'\n{text}{end}", shell::quote(path));
        }
        let mut after = String::from("--dependency=afterany");
        for (at, (words, ..)) in self.arrays.iter().enumerate() {
            let _ = writeln!(out, "array{}=$({})", at + 1, shell::command(words));
            let _ = write!(after, ":${{array{}%%;*}}", at + 1);
        }
        let _ = writeln!(out, "{} \"{after}\" {}", shell::command(&self.merge.0), shell::command(&self.merge.1));
        out
    }

    /// Writes the scripts and submits them: all arrays and the merge, or nothing.
    ///
    /// # Errors
    /// When a script cannot be written, or Slurm refuses; what was submitted before that is cancelled again.
    pub fn submit(&self) -> Result<Submitted, EngineError> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|error| EngineError(format!("{}: cannot be made ({error}); choose another folder with --out", self.folder)))?;
        for (path, text) in [&self.shards_script, &self.merge_script] {
            atomic::write_bytes(Path::new(path), text.as_bytes()).map_err(|error| EngineError(error.to_string()))?;
        }
        let mut arrays: Vec<(String, usize, usize)> = Vec::new();
        for (words, first, last) in &self.arrays {
            match sbatch(words) {
                Ok(id) => arrays.push((id, *first, *last)),
                Err(error) => return Err(undone(&arrays, error)),
            }
        }
        let ids: Vec<&str> = arrays.iter().map(|(id, ..)| id.as_str()).collect();
        let after = [format!("--dependency=afterany:{}", ids.join(":"))];
        let words = [self.merge.0.as_slice(), &after, &self.merge.1].concat();
        match sbatch(&words) {
            Ok(merge) => Ok(Submitted { arrays, merge, logs: self.folder.clone() }),
            Err(error) => Err(undone(&arrays, error)),
        }
    }
}

/// Cancels what was submitted of a whole that cannot be.
fn undone(arrays: &[(String, usize, usize)], EngineError(message): EngineError) -> EngineError {
    if arrays.is_empty() {
        return EngineError(message);
    }
    let ids: Vec<String> = arrays.iter().map(|(id, ..)| id.clone()).collect();
    let words = [vec!["scancel".to_owned()], ids.clone()].concat();
    let left = match ask(&words, None) {
        Ok(Some(said)) if said.ok => "cancelled again".to_owned(),
        _ => format!("could not be cancelled: scancel {}", ids.join(" ")),
    };
    EngineError(format!("{message}\nwhat was submitted before that (job {}) is {left}", ids.join(", ")))
}

const NOT_HERE: &str = "is not on this machine; run `submit` on a login node of the cluster, or see what it would submit with --dry-run";

/// Submits, and returns the job's id.
fn sbatch(words: &[String]) -> Result<String, EngineError> {
    let Some(said) = ask(words, None)? else { return fail(format!("`sbatch` {NOT_HERE}")) };
    // --parsable: ID or ID;CLUSTER
    let id = said.out.lines().last().and_then(|line| line.split(';').next()).unwrap_or("").trim();
    if said.ok && !id.is_empty() && id.chars().all(|c| c.is_ascii_digit()) {
        return Ok(id.to_owned());
    }
    let hint = HINTS.iter().find(|(symptom, _)| said.err.contains(symptom)).map(|(_, hint)| format!("\n{hint}")).unwrap_or_default();
    fail(format!(
        "Slurm refused: {}\nthe command was: {}{hint}",
        if said.err.is_empty() { &said.out } else { &said.err },
        shell::command(words)
    ))
}

/// What to do about what sbatch says.
const HINTS: &[(&str, &str)] = &[
    ("nvalid job array specification", "give the cluster's limit with --max-array-size (scontrol show config | grep MaxArraySize)"),
    ("nvalid partition", "`sinfo -s` lists the partitions; choose one with --partition"),
    ("nvalid account", "`sacctmgr show associations user=$USER` lists your accounts; choose one with --account"),
    ("nvalid qos", "`sacctmgr show qos` lists them; choose one with --qos"),
    ("emory specification", "ask for less with --memory (GiB a shard), or choose a partition with larger nodes"),
    ("odes required for job are", "no node has that much; ask for less with --cpus, --gpus or --memory"),
    ("ode configuration is not available", "no node has that much; ask for less with --cpus, --gpus or --memory"),
    (
        "ime limit",
        "ask for less with --time, or choose a partition that allows more; shards stop before the limit and resume by themselves",
    ),
    ("ubmit", "the cluster limits how many jobs you may have; use fewer --shards"),
    ("nable to contact slurm controller", "the controller does not answer; try again later"),
];

/// The cluster's `MaxArraySize`.
///
/// # Errors
/// When Slurm is not here or does not say.
pub fn max_array_size() -> Result<usize, EngineError> {
    let words = ["scontrol", "show", "config"].map(str::to_owned);
    let Some(said) = ask(&words, None)? else { return fail(format!("`scontrol` {NOT_HERE}")) };
    if !said.ok {
        return fail(format!("`scontrol show config` failed: {}; is the cluster up? --max-array-size N goes on without it", said.err));
    }
    let line = said.out.lines().find_map(|line| line.trim().strip_prefix("MaxArraySize")?.split('=').nth(1)?.trim().parse().ok());
    line.map_or_else(|| fail("`scontrol show config` names no MaxArraySize; give it with --max-array-size"), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission() -> Submission {
        Submission {
            name: "Is a ring a ring?".into(),
            program: "/opt/tcs batch/tcs-batch".into(),
            job: "/lab/it's/jöb.toml".into(),
            job_sha256: "ab".repeat(32),
            out: "/lab/100%/out".into(),
            options: vec!["--set".into(), "job.name=\"a $b\"".into(), "--device".into(), "cpu".into()],
            shards: 8,
            parallel: None,
            cpus: 4,
            workers: 4,
            gpus: 0,
            memory_mib: 2048,
            time_s: Some(5400),
            restarts: 3,
        }
    }

    fn options() -> Options {
        Options { max_array_size: DEFAULT_MAX_ARRAY_SIZE, ..Options::default() }
    }

    #[test]
    fn arrays_hold_every_shard_once_and_no_index_beyond_the_limit() {
        for shards in 1..30 {
            for max_array_size in 2..12 {
                let plan = plan(&Submission { shards, ..submission() }, &Options { max_array_size, ..options() }).unwrap();
                let mut seen = Vec::new();
                for (words, first, last) in &plan.arrays {
                    let length: usize = words[2].strip_prefix("--array=1-").unwrap().parse().unwrap();
                    assert!((1..max_array_size).contains(&length), "{words:?}");
                    let before: usize = words.last().unwrap().parse().unwrap();
                    assert_eq!((before + 1, before + length), (*first, *last));
                    seen.extend(*first..=*last);
                }
                assert_eq!(seen, (1..=shards).collect::<Vec<_>>());
            }
        }
        assert!(plan(&submission(), &Options { max_array_size: 1, ..options() }).unwrap_err().0.contains("no job arrays"));
    }

    #[test]
    fn a_time_limit_leaves_time_to_stop() {
        let signal = |time_s, stop_early_s| {
            let plan = plan(&Submission { time_s, ..submission() }, &Options { stop_early_s, ..options() })?;
            let line = plan.shards_script.1.lines().find_map(|line| line.strip_prefix("#SBATCH --signal=")).unwrap().to_owned();
            Ok::<_, EngineError>(line)
        };
        assert_eq!(signal(None, None).unwrap(), "B:USR1@120");
        assert_eq!(signal(Some(60), None).unwrap(), "B:USR1@15");
        assert_eq!(signal(Some(60), Some(50)).unwrap(), "B:USR1@50");
        assert!(signal(Some(60), Some(60)).unwrap_err().0.contains("--stop-early 60"));
    }

    #[test]
    fn what_is_asked_for_stands_in_the_directives() {
        let options = Options {
            partition: Some("gpu".into()),
            merge_partition: Some("short".into()),
            account: Some("lab".into()),
            qos: Some("long".into()),
            directives: vec!["--constraint=avx2".into()],
            before: vec!["module load cuda".into()],
            ..options()
        };
        let plan = plan(&Submission { gpus: 2, parallel: Some(3), ..submission() }, &options).unwrap();
        let directives = |text: &str| text.lines().filter_map(|line| line.strip_prefix("#SBATCH ")).map(str::to_owned).collect::<Vec<_>>();
        insta::assert_snapshot!(directives(&plan.shards_script.1).join(" "), @"--job-name=tcs-Is-a-ring-a-ring --nodes=1 --ntasks=1 --mem=2048M --time=0-01:30:00 --partition=gpu --account=lab --qos=long --requeue --open-mode=append --cpus-per-task=4 --signal=B:USR1@120 --gres=gpu:2 --constraint=avx2");
        insta::assert_snapshot!(directives(&plan.merge_script.1).join(" "), @"--job-name=tcs-Is-a-ring-a-ring-merge --nodes=1 --ntasks=1 --mem=2048M --time=0-01:30:00 --partition=short --account=lab --qos=long --requeue --open-mode=append --cpus-per-task=1");
        insta::assert_snapshot!(shell::command(&plan.arrays[0].0), @"sbatch --parsable --array=1-8%3 --output=/lab/100%%/out/shards/slurm/%A_%a.log /lab/100%/out/shards/slurm/shards.sh 0");
        assert!(plan.shards_script.1.contains("\nmodule load cuda\n") && plan.merge_script.1.contains("\nmodule load cuda\n"));
    }

    #[test]
    fn a_heredoc_ends_where_it_should() {
        let plan = plan(&submission(), &Options { before: vec!["END_OF_SCRIPT".into()], ..options() }).unwrap();
        assert!(plan.shell().contains("<<'END_OF_SCRIPT_'") && plan.shell().contains("\nEND_OF_SCRIPT_\n"));
    }
}
