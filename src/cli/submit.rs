//! `submit`: the shards of a job, handed to Slurm or Kubernetes, with a merge after them.

use super::{JobArgs, exit, load, print, run};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use tcs_batch::engine::{self, EngineError, MOST_SHARDS, Submission, kubernetes, slurm};
use tcs_batch::job::plan::Plan;
use tcs_batch::job::{Job, Origin};

/// Arguments of `submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    #[command(flatten)]
    job: JobArgs,
    /// Who runs the shards
    #[arg(long, value_enum)]
    engine: Engine,
    /// Number of shards; by default about half an hour of estimated work each
    #[arg(long, value_name = "N", value_parser = count)]
    shards: Option<usize>,
    /// Print what would be submitted; touch nothing
    #[arg(long)]
    dry_run: bool,
    /// Write here instead of the job's output.dir; every node must see it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// At most N shards at once
    #[arg(long, value_name = "N", value_parser = count)]
    parallel: Option<usize>,
    /// Passed on to `run`
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Workers of a shard (default: its CPUs)
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// CPUs of a shard (default: the job's run.workers, else 1)
    #[arg(long, value_name = "N", value_parser = count)]
    cpus: Option<usize>,
    /// GPUs of a shard
    #[arg(long, value_name = "N", default_value_t = 0)]
    gpus: usize,
    /// Memory of a shard (default: the job's run.memory_gib, and 1)
    #[arg(long, value_name = "GIB", value_parser = gib)]
    memory: Option<f64>,
    /// Time limit of one attempt at a shard: minutes, H:M:S or D-H:M:S; what is not done then is resumed by the next
    #[arg(long, value_name = "TIME", value_parser = engine::parse_time)]
    time: Option<u64>,
    /// Further attempts at a shard that is killed without getting on
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=1000))]
    restarts: u32,
    /// This program as the nodes find it (Slurm: this file; Kubernetes: tcs-batch)
    #[arg(long, value_name = "PATH")]
    program: Option<String>,
    #[command(flatten)]
    slurm: SlurmArgs,
    #[command(flatten)]
    kubernetes: KubernetesArgs,
}

/// The engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Job arrays
    Slurm,
    /// An Indexed Job
    Kubernetes,
}

/// Options of Slurm alone.
#[derive(Debug, Args, PartialEq, Default)]
#[command(next_help_heading = "Slurm")]
struct SlurmArgs {
    /// As for sbatch
    #[arg(long, value_name = "NAME", value_parser = word)]
    partition: Option<String>,
    /// The merge's, where it differs (no GPUs)
    #[arg(long, value_name = "NAME", value_parser = word)]
    merge_partition: Option<String>,
    /// As for sbatch
    #[arg(long, value_name = "NAME", value_parser = word)]
    account: Option<String>,
    /// As for sbatch
    #[arg(long, value_name = "NAME", value_parser = word)]
    qos: Option<String>,
    /// A further option of sbatch, as --directive=--constraint=avx2; repeatable
    #[arg(long = "directive", value_name = "OPTION", value_parser = directive, allow_hyphen_values = true)]
    directives: Vec<String>,
    /// A shell line before the work, as --before 'module load cuda'; repeatable
    #[arg(long = "before", value_name = "LINE", value_parser = line)]
    before: Vec<String>,
    /// Stop so long before the time limit (default: 120, or a quarter of a short limit)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=65_535))]
    stop_early: Option<u64>,
    /// The cluster's MaxArraySize (default: what `scontrol show config` says)
    #[arg(long, value_name = "N")]
    max_array_size: Option<usize>,
}

/// Options of Kubernetes alone.
#[derive(Debug, Args, PartialEq, Default)]
#[command(next_help_heading = "Kubernetes")]
struct KubernetesArgs {
    /// The image that holds tcs-batch and /bin/sh
    #[arg(long, value_name = "IMAGE", value_parser = word)]
    image: Option<String>,
    /// A ReadWriteMany claim and its path, the same here and in the pods; repeatable
    #[arg(long = "volume", value_name = "CLAIM=/PATH")]
    volumes: Vec<kubernetes::Volume>,
    /// A ReadWriteMany claim for what pods may share (XDG_CACHE_HOME)
    #[arg(long, value_name = "CLAIM", value_parser = claim)]
    cache: Option<String>,
    /// Where the Jobs are made
    #[arg(long, value_name = "NAME", value_parser = label)]
    namespace: Option<String>,
    /// Name of the Job (default: the job's name and the time)
    #[arg(long, value_name = "NAME", value_parser = job_name)]
    name: Option<String>,
    /// User and group of the processes: whose files are they?
    #[arg(long, value_name = "UID:GID", value_parser = user)]
    user: Option<(u32, u32)>,
    /// Longest that all shards together may take (default: 7-0)
    #[arg(long, value_name = "TIME", value_parser = engine::parse_time)]
    deadline: Option<u64>,
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (1..=MOST_SHARDS).contains(n)).ok_or_else(|| format!("write a whole number, 1 to {MOST_SHARDS}"))
}

fn gib(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|gib| (0.1..=65_536.0).contains(gib)).ok_or_else(|| "write GiB, for example 8".into())
}

fn line(text: &str) -> Result<String, String> {
    if text.contains(['\n', '\r']) { Err("one line, please; the option may be repeated".into()) } else { Ok(text.to_owned()) }
}

fn word(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.,:/@+=".contains(c);
    let good = !text.is_empty() && text.chars().all(allowed);
    good.then(|| text.to_owned()).ok_or_else(|| "a name without spaces and quotes, please".into())
}

fn directive(text: &str) -> Result<String, String> {
    let text = line(text)?;
    if text.starts_with('-') { Ok(text) } else { Err("write it as sbatch takes it, for example --directive=--constraint=avx2".into()) }
}

fn claim(text: &str) -> Result<String, String> {
    kubernetes::check_name(text, 253).map(|()| text.to_owned())
}

fn label(text: &str) -> Result<String, String> {
    kubernetes::check_name(text, 63).map(|()| text.to_owned())
}

fn job_name(text: &str) -> Result<String, String> {
    kubernetes::check_name(text, kubernetes::LONGEST_NAME).map(|()| text.to_owned())
}

fn user(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once(':').and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
    parsed.ok_or_else(|| "write UID:GID, for example 1000:1000 (`id -u`:`id -g`)".into())
}

/// Submits a job and returns the exit code.
pub fn run(args: &SubmitArgs, quiet: bool) -> u8 {
    let job = match load(&args.job) {
        Ok(job) => job,
        Err(code) => return code,
    };
    if let Some(problem) = args.device.as_deref().and_then(run::unavailable) {
        eprintln!("error: {problem}");
        return exit::USAGE;
    }
    match submission(args, &job, quiet).and_then(|submission| match args.engine {
        Engine::Slurm => to_slurm(args, &submission, quiet),
        Engine::Kubernetes => to_kubernetes(args, &job, &submission, quiet),
    }) {
        Ok(text) => print(&text),
        Err(error) => {
            eprintln!("error: {error}");
            exit::USAGE
        }
    }
}

/// What is to be run; what a user should know of it goes to stderr.
fn submission(args: &SubmitArgs, job: &Job, quiet: bool) -> Result<Submission, EngineError> {
    let note = |text: String| {
        if !quiet {
            eprintln!("note: {text}");
        }
    };
    match args.engine {
        Engine::Slurm if args.kubernetes != KubernetesArgs::default() => {
            return Err(EngineError("options of Kubernetes do not go with --engine slurm (see --help)".into()));
        }
        Engine::Kubernetes if args.slurm != SlurmArgs::default() => {
            return Err(EngineError("options of Slurm do not go with --engine kubernetes (see --help)".into()));
        }
        _ => {}
    }
    let cpus = args.cpus.unwrap_or(job.run.workers.max(1));
    let plan = tcs_batch::run::plan(job);
    let units = plan.units.iter().filter(|unit| unit.problem.is_none()).count();
    let shards = args.shards.unwrap_or_else(|| by_cost(&plan, cpus));
    if units == 0 {
        let why =
            plan.units.iter().find_map(|unit| unit.problem.as_ref()).map(|problem| format!(": {}", problem.message)).unwrap_or_default();
        return Err(EngineError(format!("there is nothing to compute{why} (`tcs-batch check` says more)")));
    }
    if shards > units {
        note(format!("{shards} shards, but only {units} units: some shards will be empty"));
    }
    if args.gpus > 0
        && let Some(problem) = run::unavailable("cuda")
    {
        note(format!("--gpus {}: {problem}; the GPUs will idle", args.gpus));
    }
    if args.memory.is_some_and(|gib| gib < job.run.memory_gib) {
        note(format!(
            "the job lets its workers use {} GiB (run.memory_gib); a shard that does so with --memory {} is killed by the engine",
            job.run.memory_gib,
            args.memory.unwrap_or_default()
        ));
    }
    let mut options: Vec<String> = job.source.overrides().flat_map(|typed| ["--set".to_owned(), typed.to_owned()]).collect();
    if let Some(device) = &args.device {
        options.extend(["--device".to_owned(), device.clone()]);
    }
    let this_program = || {
        let path =
            std::env::current_exe().map_err(|error| EngineError(format!("cannot tell where this program is ({error}); give --program")))?;
        engine::path_text(&path)
    };
    Ok(Submission {
        name: job.name.clone(),
        program: match (&args.program, args.engine) {
            (Some(program), _) => program.clone(),
            (None, Engine::Slurm) => this_program()?,
            (None, Engine::Kubernetes) => "tcs-batch".into(),
        },
        job: engine::path_text(job.source.path())?,
        job_sha256: tcs_batch::run::inputs::sha256_of(job.source.path()).map_err(|error| EngineError(error.to_string()))?,
        out: engine::path_text(args.out.as_deref().unwrap_or(&job.output.dir))?,
        options,
        shards,
        parallel: args.parallel,
        cpus,
        workers: args.workers.unwrap_or(cpus),
        gpus: args.gpus,
        memory_mib: (args.memory.unwrap_or(job.run.memory_gib + 1.0) * 1024.0).ceil() as u64,
        time_s: args.time,
        restarts: args.restarts,
    })
}

/// Half an hour of estimated work a shard.
fn by_cost(plan: &Plan, cpus: usize) -> usize {
    let cost: f64 = plan.units.iter().map(|unit| unit.cost_s).sum();
    ((cost / (1800.0 * cpus as f64)).ceil() as usize).clamp(1, plan.units.len().clamp(1, 1000))
}

fn to_slurm(args: &SubmitArgs, submission: &Submission, quiet: bool) -> Result<String, EngineError> {
    let max_array_size = match args.slurm.max_array_size {
        Some(given) => given,
        None => slurm_limit(args.dry_run)?,
    };
    let options = slurm::Options {
        partition: args.slurm.partition.clone(),
        merge_partition: args.slurm.merge_partition.clone(),
        account: args.slurm.account.clone(),
        qos: args.slurm.qos.clone(),
        directives: args.slurm.directives.clone(),
        before: args.slurm.before.clone(),
        max_array_size,
        stop_early_s: args.slurm.stop_early,
    };
    let plan = slurm::plan(submission, &options)?;
    if args.dry_run {
        return Ok(plan.shell());
    }
    let done = plan.submit()?;
    let mut ids: Vec<&str> = done.arrays.iter().map(|(id, ..)| id.as_str()).collect();
    let mut out = String::new();
    for (id, first, last) in &done.arrays {
        out += &format!("shards {first} to {last}: job {id}\n");
    }
    out += &format!("merge: job {}\n", done.merge);
    if !quiet {
        ids.push(&done.merge);
        eprintln!("see how they get on: squeue -j {}\nstop them: scancel {}", ids.join(","), ids.join(" "));
        eprintln!("logs in {}\ntables in {} when the merge has ended", done.logs, submission.out);
    }
    Ok(out)
}

/// What the cluster says; for a dry run away from one, what Slurm says by default.
fn slurm_limit(dry_run: bool) -> Result<usize, EngineError> {
    match slurm::max_array_size() {
        Err(error) if dry_run => {
            eprintln!("note: {error}; taking MaxArraySize to be {}", slurm::DEFAULT_MAX_ARRAY_SIZE);
            Ok(slurm::DEFAULT_MAX_ARRAY_SIZE)
        }
        other => other,
    }
}

fn to_kubernetes(args: &SubmitArgs, job: &Job, submission: &Submission, quiet: bool) -> Result<String, EngineError> {
    let options = &args.kubernetes;
    let Some(image) = options.image.clone() else {
        return Err(EngineError(
            "give the image that holds tcs-batch: --image REGISTRY/NAME:TAG (docs/cluster.md shows how to make one)".into(),
        ));
    };
    let options = kubernetes::Options {
        image,
        volumes: options.volumes.clone(),
        cache: options.cache.clone(),
        namespace: options.namespace.clone(),
        name: options.name.clone().unwrap_or_else(|| kubernetes::name_of(&job.name)),
        user: options.user,
        deadline_s: options.deadline.unwrap_or(7 * 86_400),
    };
    let mut needs =
        vec![("the job file".to_owned(), PathBuf::from(&submission.job)), ("the output folder".into(), PathBuf::from(&submission.out))];
    for dataset in &job.datasets {
        if let Origin::File { request, .. } = &dataset.origin {
            needs.push((format!("dataset `{}`", dataset.id), engine::path_text(&request.path)?.into()));
        }
    }
    let needs: Vec<(String, &Path)> = needs.iter().map(|(what, path)| (what.clone(), path.as_path())).collect();
    let manifests = kubernetes::manifests(submission, &options, &needs)?;
    if args.dry_run {
        return Ok(kubernetes::text(&manifests));
    }
    let said = kubernetes::submit(&manifests)?;
    if !quiet {
        let selector = format!("-l app.kubernetes.io/instance={}", options.name);
        let space = options.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
        eprintln!("see how they get on: kubectl{space} get jobs,pods {selector}\nstop them: kubectl{space} delete jobs {selector}");
        eprintln!("tables in {} when {}-merge has ended", submission.out, options.name);
    }
    Ok(said + "\n")
}
