//! `submit`: what is written for Slurm and Kubernetes, what is handed over, and what is said when it cannot be.
#![cfg(unix)]

use super::cli::{Bench, root, stderr, stdout, tcs};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const JOB: &str = r#"schema_version = 1
[job]
name = "Is a ring a ring?"
[[dataset]]
id = "noise"
format = "simulate"
model = "ar"
params = { coefficients = [0.9], samples = 500, rate_hz = 100.0 }
window = { length_s = 1.0 }
[[metric]]
kind = "lz76"
"#;

/// Engines that write down what they are asked for; `sbatch` refuses from its `refuse`th call on.
struct Fake {
    bench: Bench,
}

impl Fake {
    fn new(refuse: usize, words: &str) -> Self {
        let bench = Bench::new(JOB);
        std::fs::create_dir(bench.path("bin")).unwrap();
        let log = format!("printf '%s\\n' \"${{0##*/}}\" \"$@\" . >>'{}'\n", bench.path("asked").display());
        let count = bench.path("count").display().to_string();
        let fake = Self { bench };
        fake.program(
            "sbatch",
            &format!("{log}echo >>'{count}'; n=$(wc -l <'{count}'); [ $n -lt {refuse} ] || {{ echo 'sbatch: error: {words}' >&2; exit 1; }}; echo \"$((40 + n));here\"\n"),
        );
        fake.program("scontrol", "echo 'MaxArraySize            = 4'\n");
        fake.program("scancel", &log);
        fake.program("kubectl", &format!("{log}cat >'{}'; echo 'job.batch/x created'\n", fake.bench.path("applied").display()));
        fake
    }
    fn program(&self, name: &str, text: &str) {
        let path = self.bench.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    fn path(&self) -> String {
        format!("{}:{}", self.bench.path("bin").display(), std::env::var("PATH").unwrap())
    }
    fn submit(&self, more: &[&str]) -> Output {
        let (job, out) = (self.bench.path("job.toml"), self.bench.out());
        let mut args = vec!["submit", job.to_str().unwrap(), "--out", out.to_str().unwrap()];
        args.extend(more);
        Command::new(env!("CARGO_BIN_EXE_tcs-batch")).args(args).env("PATH", self.path()).env("NO_COLOR", "1").output().unwrap()
    }
    fn asked(&self) -> String {
        let text = std::fs::read_to_string(self.bench.path("asked")).unwrap_or_default();
        text.replace(self.bench.folder.path().to_str().unwrap(), "DIR")
    }
}

/// The same command on a machine without any engine.
fn without_engines(bench: &Bench, more: &[&str]) -> Output {
    let (job, out) = (bench.path("job.toml"), bench.out());
    let mut args = vec!["submit", job.to_str().unwrap(), "--out", out.to_str().unwrap()];
    args.extend(more);
    Command::new(env!("CARGO_BIN_EXE_tcs-batch")).args(args).env("PATH", "/nowhere").output().unwrap()
}

const K8S: &[&str] = &["--engine", "kubernetes", "--image", "lab/tcs:1"];

/// `--engine kubernetes` with a volume that holds the bench.
fn kubernetes(bench: &Bench, more: &[&str]) -> Output {
    let volume = format!("lab={}", bench.folder.path().display());
    without_engines(bench, &[K8S, &["--volume", &volume], more].concat())
}

#[test]
fn slurm_is_asked_for_arrays_and_a_merge_after_them() {
    let fake = Fake::new(99, "");
    let output = fake.submit(&["--engine", "slurm", "--shards", "5", "--parallel", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "shards 1 to 3: job 41\nshards 4 to 5: job 42\nmerge: job 43\n");
    assert!(stderr(&output).contains("squeue -j 41,42,43") && stderr(&output).contains("scancel 41 42 43"), "{}", stderr(&output));
    insta::assert_snapshot!(fake.asked().replace('\n', " ").replace(" . ", "\n").trim_end(), @r"
    sbatch --parsable --array=1-3%2 --output=DIR/out/shards/slurm/%A_%a.log DIR/out/shards/slurm/shards.sh 0
    sbatch --parsable --array=1-2%2 --output=DIR/out/shards/slurm/%A_%a.log DIR/out/shards/slurm/shards.sh 3
    sbatch --parsable --dependency=afterany:41:42 --kill-on-invalid-dep=yes --output=DIR/out/shards/slurm/merge_%j.log DIR/out/shards/slurm/merge.sh
    ");
    let script = std::fs::read_to_string(fake.bench.out().join("shards/slurm/shards.sh")).unwrap();
    for line in
        ["#SBATCH --requeue", "#SBATCH --open-mode=append", "#SBATCH --signal=B:USR1@120", "#SBATCH --job-name=tcs-Is-a-ring-a-ring"]
    {
        assert!(script.lines().any(|found| found == line), "{script}");
    }
}

#[test]
fn the_dry_run_is_a_script_that_does_the_same_and_touches_nothing() {
    let options = ["--engine", "slurm", "--shards", "5", "--set", "job.name=\"it's $HOME `id` \\\" ü\"", "--before", "module load 'x y'"];
    let (real, dry) = (Fake::new(99, ""), Fake::new(99, ""));
    assert_eq!(real.submit(&options).status.code(), Some(0));
    let output = dry.submit(&[&options[..], &["--dry-run"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!dry.bench.out().exists() && dry.asked().is_empty());
    let text = stdout(&output);
    dry.bench.write("dry.sh", &text);
    let done = Command::new("bash").arg(dry.bench.path("dry.sh")).env("PATH", dry.path()).output().unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    assert_eq!(dry.asked(), real.asked());
    let scripts = |fake: &Fake| {
        ["shards.sh", "merge.sh"].map(|name| {
            let text = std::fs::read_to_string(fake.bench.out().join("shards/slurm").join(name)).unwrap();
            text.replace(fake.bench.folder.path().to_str().unwrap(), "DIR")
        })
    };
    assert_eq!(scripts(&dry), scripts(&real));
    assert!(scripts(&dry)[0].contains("\nmodule load 'x y'\n"));
}

#[test]
fn what_slurm_refuses_is_said_and_nothing_is_left_half_submitted() {
    let fake = Fake::new(2, "Batch job submission failed: Job violates accounting/QOS policy (job submit limit)");
    let output = fake.submit(&["--engine", "slurm", "--shards", "5"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for part in ["error: Slurm refused: sbatch: error: Batch job submission failed", "use fewer --shards", "(job 41) is cancelled again"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(fake.asked().ends_with("scancel\n41\n.\n"), "{}", fake.asked());
    let fake = Fake::new(1, "invalid partition specified: gpuu");
    let output = fake.submit(&["--engine", "slurm", "--partition", "gpuu"]);
    assert!(
        stderr(&output).contains("gpuu\nthe command was: sbatch --parsable") && stderr(&output).contains("`sinfo -s` lists"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn without_an_engine_it_says_where_to_go() {
    let bench = Bench::new(JOB);
    let output = without_engines(&bench, &["--engine", "slurm"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), String::new()));
    assert!(stderr(&output).contains("`scontrol` is not on this machine; run `submit` on a login node"), "{}", stderr(&output));
    let output = without_engines(&bench, &["--engine", "slurm", "--max-array-size", "100"]);
    assert!(stderr(&output).contains("`sbatch` is not on this machine"), "{}", stderr(&output));
    let output = without_engines(&bench, &["--engine", "slurm", "--dry-run"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("taking MaxArraySize to be 1001"), "{}", stderr(&output));
    let output = kubernetes(&bench, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("`kubectl` is not on this machine"), "{}", stderr(&output));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let bench = Bench::new(JOB);
    for (more, message) in [
        (vec!["--engine", "slurm", "--shards", "0"], "write a whole number, 1 to 10000"),
        (vec!["--engine", "slurm", "--time", "soon"], "write minutes, H:M:S or D-H:M:S"),
        (vec!["--engine", "slurm", "--partition", "a b"], "a name without spaces and quotes"),
        (vec!["--engine", "slurm", "--directive", "constraint"], "write it as sbatch takes it"),
        (vec!["--engine", "slurm", "--before", "a\nb"], "one line, please"),
        (vec!["--engine", "slurm", "--image", "x"], "options of Kubernetes do not go with --engine slurm"),
        (vec!["--engine", "kubernetes", "--image", "x", "--qos", "x"], "options of Slurm do not go with --engine kubernetes"),
        (vec!["--engine", "kubernetes"], "--image REGISTRY/NAME:TAG"),
        (vec!["--engine", "kubernetes", "--image", "x"], "give --volume CLAIM=/PATH"),
        (vec!["--engine", "kubernetes", "--image", "x", "--volume", "lab=/elsewhere"], "the job file is in "),
        (vec!["--engine", "kubernetes", "--image", "x", "--volume", "Lab=/x"], "is no name for Kubernetes"),
        (vec!["--engine", "kubernetes", "--image", "x", "--volume", "lab=x"], "the path must be absolute"),
        (vec!["--engine", "kubernetes", "--image", "x", "--name", "a_b"], "is no name for Kubernetes"),
        (vec!["--engine", "slurm", "--max-array-size", "1"], "takes no job arrays"),
        (vec!["--engine", "slurm", "--max-array-size", "9", "--device", "gpu"], "--device gpu is not a device"),
        (vec!["--engine", "slurm", "--max-array-size", "9", "--time", "1", "--stop-early", "60"], "leaves nothing of a time limit of 60 s"),
        (vec!["--engine", "nomad"], "invalid value 'nomad'"),
        (vec![], "--engine <ENGINE>"),
        (vec!["--engine", "slurm", "--set", "dataset.0.window.start_s=900"], "there is nothing to compute: the window from 900"),
        (vec!["--engine", "slurm", "--set", "jbo.name=x"], "unknown"),
    ] {
        let output = without_engines(&bench, &more);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(message), "{more:?}: {}", stderr(&output));
        assert!(!bench.out().exists());
    }
}

#[test]
fn what_a_user_should_know_is_noted() {
    let bench = Bench::new(JOB);
    let output = without_engines(&bench, &["--engine", "slurm", "--max-array-size", "99", "--shards", "9", "--memory", "2", "--dry-run"]);
    assert_eq!(output.status.code(), Some(0));
    for note in ["9 shards, but only 5 units", "lets its workers use 16 GiB (run.memory_gib)"] {
        assert!(stderr(&output).contains(note), "{}", stderr(&output));
    }
    let quiet = without_engines(&bench, &["-q", "--engine", "slurm", "--max-array-size", "99", "--shards", "9", "--dry-run"]);
    assert_eq!(stderr(&quiet), "");
    assert!(stdout(&quiet).contains("--array=1-9 ") && stdout(&quiet).contains("#SBATCH --mem=17408M"), "{}", stdout(&quiet));
    assert!(stdout(&without_engines(&bench, &["-q", "--engine", "slurm", "--max-array-size", "99", "--dry-run"])).contains("--array=1-1 "));
}

/// What a YAML parser makes of the manifests; `None`, saying so, where there is no Python with kubernetes-validate.
fn parsed(yaml: &Path) -> Option<Vec<Value>> {
    let python = std::env::var("TCS_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import yaml, kubernetes_validate"]).output().is_ok_and(|output| output.status.success());
    if !has {
        assert!(std::env::var_os("CI").is_none(), "{python} has no kubernetes-validate");
        eprintln!("skipped: {python} has no kubernetes-validate; `make test` installs it");
        return None;
    }
    for version in ["1.33.0", "1.37.0"] {
        let output = Command::new(&python).args(["-m", "kubernetes_validate", "-k", version, "--strict"]).arg(yaml).output().unwrap();
        let said = format!("{}{}", stdout(&output), stderr(&output));
        assert!(output.status.success() && said.matches("passed").count() == 2, "{version}: {said}");
    }
    let script = "import sys, yaml, json; json.dump(list(yaml.safe_load_all(open(sys.argv[1], encoding='utf-8'))), sys.stdout)";
    let output = Command::new(&python).args(["-c", script]).arg(yaml).output().unwrap();
    Some(serde_json::from_str::<Vec<Value>>(&stdout(&output)).unwrap())
}

#[test]
fn the_manifests_pass_the_schemas_and_rules_that_schemas_miss() {
    let bench = Bench::new(JOB);
    for (at, more) in [
        vec!["--shards", "1"],
        vec![
            "--shards",
            "5",
            "--gpus",
            "2",
            "--time",
            "2:00:00",
            "--cache",
            "scratch",
            "--namespace",
            "lab",
            "--user",
            "1000:100",
            "--parallel",
            "3",
        ],
        vec![
            "--shards",
            "5",
            "--parallel",
            "9",
            "--restarts",
            "0",
            "--set",
            "job.name=\"$(TCS_NAME) $$ it's \\n ü: - #\"",
            "--name",
            "tcs-x",
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let output = kubernetes(&bench, &[&more[..], &["--dry-run"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        bench.write(&format!("{at}.yaml"), stdout(&output));
        let Some(jobs) = parsed(&bench.path(&format!("{at}.yaml"))) else { return };
        assert_eq!(jobs.len(), 2);
        jobs.iter().for_each(well_formed);
        assert_eq!(jobs[0]["spec"]["completions"].to_string(), more[1]);
        assert_eq!(jobs[1]["metadata"]["name"], format!("{}-merge", jobs[0]["metadata"]["name"].as_str().unwrap()));
    }
}

/// What the API server checks beyond the schema (pkg/apis/batch/validation of Kubernetes).
fn well_formed(job: &Value) {
    let (spec, pod) = (&job["spec"], &job["spec"]["template"]["spec"]);
    let number = |value: &Value| value.as_u64();
    let one_of = |value: &Value, known: &[&str]| assert!(value.as_str().is_some_and(|value| known.contains(&value)), "{value}");
    assert_eq!((job["apiVersion"].as_str(), job["kind"].as_str()), (Some("batch/v1"), Some("Job")));
    assert!(job["metadata"]["name"].as_str().unwrap().len() <= 57, "pods add six characters");
    // backoffLimitPerIndex and podFailurePolicy need pods that are not restarted in place.
    one_of(&pod["restartPolicy"], &["Never"]);
    one_of(&spec["podReplacementPolicy"], &["Failed"]);
    if spec["completionMode"].is_null() {
        assert!(spec["backoffLimitPerIndex"].is_null() && spec["maxFailedIndexes"].is_null() && spec["completions"].is_null());
    } else {
        one_of(&spec["completionMode"], &["Indexed"]);
        let completions = number(&spec["completions"]).unwrap();
        assert!(number(&spec["parallelism"]).is_some_and(|n| 1 <= n && n <= completions));
        assert!(number(&spec["maxFailedIndexes"]).unwrap() <= completions);
        assert!(number(&spec["backoffLimitPerIndex"]).is_some() && spec["backoffLimit"].is_null());
    }
    let name = pod["containers"][0]["name"].as_str();
    for rule in spec["podFailurePolicy"]["rules"].as_array().unwrap() {
        one_of(&rule["action"], &["FailJob", "FailIndex", "Ignore", "Count"]);
        assert!(rule["action"] != "FailIndex" || !spec["backoffLimitPerIndex"].is_null());
        let (codes, conditions) = (&rule["onExitCodes"], &rule["onPodConditions"]);
        assert!(codes.is_null() != conditions.is_null(), "exactly one of them");
        if !codes.is_null() {
            one_of(&codes["operator"], &["In", "NotIn"]);
            assert_eq!(codes["containerName"].as_str(), name);
            let values: Vec<u64> = codes["values"].as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).collect();
            assert!(
                values.windows(2).all(|pair| pair[0] < pair[1]) && !values.contains(&0) && (1..=255).contains(&values.len()),
                "{values:?}"
            );
        } else {
            assert_eq!((conditions[0]["type"].as_str(), conditions[0]["status"].as_str()), (Some("DisruptionTarget"), Some("True")));
        }
    }
    let names = |of: &Value| of.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let container = &pod["containers"][0];
    assert_eq!(names(&container["volumeMounts"]), names(&pod["volumes"]));
    let paths: Vec<&str> = container["volumeMounts"].as_array().unwrap().iter().map(|one| one["mountPath"].as_str().unwrap()).collect();
    assert!(paths.iter().all(|path| path.starts_with('/') && !path.contains(':')), "{paths:?}");
    assert_eq!(container["resources"]["requests"], container["resources"]["limits"], "GPUs and a guaranteed class of service ask for that");
    one_of(&pod["securityContext"]["seccompProfile"]["type"], &["RuntimeDefault"]);
    for toleration in pod["tolerations"].as_array().unwrap_or(&Vec::new()) {
        one_of(&toleration["operator"], &["Exists"]);
        one_of(&toleration["effect"], &["NoSchedule"]);
    }
    assert_eq!(job["metadata"]["labels"], spec["template"]["metadata"]["labels"]);
}

#[test]
fn kubectl_gets_what_the_dry_run_prints() {
    let fake = Fake::new(99, "");
    let volume = format!("lab={}", fake.bench.folder.path().display());
    let options = [K8S, &["--volume", &volume, "--shards", "2", "--name", "x"]].concat();
    let dry = fake.submit(&[&options[..], &["--dry-run"]].concat());
    let output = fake.submit(&options);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!((stdout(&output).as_str(), fake.asked().as_str()), ("job.batch/x created\n", "kubectl\napply\n-f\n-\n.\n"));
    assert_eq!(std::fs::read_to_string(fake.bench.path("applied")).unwrap(), stdout(&dry));
    fake.program(
        "kubectl",
        "cat >/dev/null; echo 'The connection to the server localhost:8080 was refused: connection refused' >&2; exit 1\n",
    );
    let output = fake.submit(&options);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("kubectl refused: The connection") && stderr(&output).contains("get-contexts"), "{}", stderr(&output));
}

/// Runs a container of a manifest as Kubernetes would: variables of its environment expanded, `$$` made `$`.
fn container(job: &Value, index: Option<usize>, failures: usize) -> Command {
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let mut env: Vec<(String, String)> = Vec::new();
    for entry in container["env"].as_array().unwrap() {
        let value = entry["value"].as_str().map_or_else(|| failures.to_string(), |value| expand(value, &env));
        env.push((entry["name"].as_str().unwrap().to_owned(), value));
    }
    env.extend(index.map(|index| ("JOB_COMPLETION_INDEX".to_owned(), index.to_string())));
    let words = ["command", "args"].iter().flat_map(|part| container[part].as_array().cloned().unwrap_or_default());
    let words: Vec<String> = words.map(|word| expand(word.as_str().unwrap(), &env)).collect();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).envs(env);
    command
}

/// Kubernetes' expansion of `$(NAME)` (third_party/forked/golang/expansion).
fn expand(text: &str, env: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match env.iter().rfind(|(known, _)| known == name) {
                Some((_, value)) => out.push_str(value),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out + rest
}

#[test]
fn the_containers_do_their_work_without_a_cluster() {
    let bench = Bench::new(JOB);
    let job = bench.path("job.toml");
    let set = "job.description=\"$(TCS_NAME) $$ it's\"";
    let single = tcs(&["run", job.to_str().unwrap(), "--out", bench.path("whole").to_str().unwrap(), "--set", set, "-q"]);
    assert_eq!(single.status.code(), Some(0), "{}", stderr(&single));
    let program = env!("CARGO_BIN_EXE_tcs-batch");
    let options = ["--shards", "2", "--name", "tcs-x", "--set", set, "--program", program, "--deadline", "0:01", "--restarts", "1"];
    let output = kubernetes(&bench, &[&options[..], &["--dry-run"]].concat());
    bench.write("jobs.yaml", stdout(&output));
    let Some(jobs) = parsed(&bench.path("jobs.yaml")) else { return };
    let mut merge = container(&jobs[1], None, 0);
    merge.env("TCS_WAIT_S", "0");
    let early = merge.output().unwrap();
    assert_eq!(early.status.code(), Some(1), "there is no folder yet: {}", stderr(&early));
    let first = container(&jobs[0], Some(0), 0).output().unwrap();
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let half = merge.output().unwrap();
    assert_eq!(half.status.code(), Some(2), "{}", stderr(&half));
    assert!(
        stderr(&half).contains("shard 2/2 has not ended") && stderr(&half).contains("2-of-2: there is no shards/plan.bin"),
        "{}",
        stderr(&half)
    );
    let second = container(&jobs[0], Some(1), 0).output().unwrap();
    assert_eq!(second.status.code(), Some(0), "{}", stderr(&second));
    let merged = container(&jobs[1], None, 0).output().unwrap();
    assert_eq!(merged.status.code(), Some(0), "{}", stderr(&merged));
    assert!(super::cli::table_bytes(&bench.out()) == super::cli::table_bytes(&bench.path("whole")));
    ends_for_good_only_when_it_does(&bench, &jobs[0]);
}

/// The merge is told of a shard that ended for good, not of one that will be tried again.
fn ends_for_good_only_when_it_does(bench: &Bench, job: &Value) {
    let mark = bench.out().join("shards/1-of-2/tcs-x.ended");
    let lock = std::fs::File::create(bench.out().join("shards/1-of-2/.lock")).unwrap();
    lock.lock().unwrap();
    for (failures, ended) in [(0, false), (1, true)] {
        let _ = std::fs::remove_file(&mark);
        assert_eq!(container(job, Some(0), failures).output().unwrap().status.code(), Some(5));
        assert_eq!(mark.exists(), ended, "{failures} failures before");
    }
    lock.unlock().unwrap();
    std::fs::remove_file(&mark).unwrap();
    bench.write("job.toml", JOB.replace("ring?", "ring!"));
    let changed = container(job, Some(0), 0).output().unwrap();
    assert_eq!(changed.status.code(), Some(2));
    assert!(stderr(&changed).contains("was changed after it was submitted"), "{}", stderr(&changed));
    assert_eq!(std::fs::read_to_string(mark).unwrap(), "2\n");
}

#[test]
fn a_shard_is_never_taken_from_the_environment() {
    let bench = Bench::new(JOB);
    let (job, out): (PathBuf, PathBuf) = (bench.path("job.toml"), bench.out());
    let output = Command::new(env!("CARGO_BIN_EXE_tcs-batch"))
        .args(["run", job.to_str().unwrap(), "--out", out.to_str().unwrap(), "--progress", "none"])
        .envs([("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "5"), ("JOB_COMPLETION_INDEX", "1")])
        .output()
        .unwrap();
    assert!(stderr(&output).contains("5 of 5 units done"), "{}", stderr(&output));
}

#[test]
fn the_scripts_are_sound_bash() {
    for script in ["tests/slurm/cluster.sh", "src/engine/slurm_shards.sh", "src/engine/slurm_merge.sh"] {
        assert!(Command::new("bash").arg("-n").arg(root().join(script)).status().unwrap().success(), "{script}");
    }
    for script in ["src/engine/kubernetes_shard.sh", "src/engine/kubernetes_merge.sh"] {
        assert!(Command::new("sh").arg("-n").arg(root().join(script)).status().unwrap().success(), "{script}");
        let text = std::fs::read_to_string(root().join(script)).unwrap();
        assert!(!text.contains("$$") && !text.contains("$(TCS_"), "{script}: Kubernetes would replace it");
    }
}
