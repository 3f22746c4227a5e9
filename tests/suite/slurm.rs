//! A real Slurm on loopback: shards that are killed, stopped, requeued; the merged tables are those of a single run.
//!
//! `tests/slurm/cluster.sh` runs the daemons and stops them when its standard input ends: when this process does, however it does.
#![cfg(unix)]

use super::cli::{root, rows, stderr, stdout, table_bytes};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tcs_batch::table::{UnitRecord, UnitStatus};

const JOB: &str = r#"schema_version = 1
[job]
name = "a round trip"
seed = 5
[run]
memory_gib = 0.5
[[dataset]]
id = "noise"
format = "simulate"
model = "ar"
params = { coefficients = [0.9], samples = 6000, rate_hz = 100.0 }
window = { length_s = 1.0 }
[[metric]]
kind = "lz76"
surrogates = 30000
"#;

/// Why there is no Slurm to test with, unless CI has to have one.
fn missing() -> Option<String> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let there = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let absent: Vec<&str> = ["slurmctld", "slurmd", "munged", "sbatch", "scontrol", "squeue", "scancel"]
        .into_iter()
        .filter(|program| !there(program))
        .collect();
    if absent.is_empty() {
        return None;
    }
    let what = format!("{} not installed; dev/setup.sh test installs Slurm as root", absent.join(", "));
    let must = std::env::var_os("CI").is_some() && there("apt-get");
    assert!(!must, "{what}");
    Some(what)
}

struct Cluster {
    guard: Child,
    folder: tempfile::TempDir,
}

impl Cluster {
    fn start() -> Self {
        // Not below TMPDIR: the name of a socket must be short. The odd characters are for what is submitted.
        let folder = tempfile::Builder::new().prefix("tcs").tempdir_in("/tmp").unwrap();
        let mut guard = Command::new(root().join("tests/slurm/cluster.sh"))
            .arg(folder.path().join("slurm"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let cluster = Self { guard, folder };
        assert_eq!(line, "up\n", "tests/slurm/cluster.sh says why");
        cluster
    }
    fn conf(&self) -> PathBuf {
        self.folder.path().join("slurm/slurm.conf")
    }
    fn ask(&self, program: &str, args: &[&str]) -> Output {
        Command::new(program).args(args).env("SLURM_CONF", self.conf()).env("NO_COLOR", "1").output().unwrap()
    }
    /// Submits; the answer is the job ids, the merge's last.
    fn submit(&self, job: &Path, out: &Path, more: &[&str]) -> Vec<String> {
        let mut args = vec!["submit", job.to_str().unwrap(), "--engine", "slurm", "--out", out.to_str().unwrap()];
        args.extend(["--memory", "0.5"]);
        args.extend(more);
        let output = self.ask(env!("CARGO_BIN_EXE_tcs-batch"), &args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output).lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
    }
    /// A field of `scontrol show job`.
    fn field(&self, job: &str, name: &str) -> String {
        let text = stdout(&self.ask("scontrol", &["-o", "show", "job", job]));
        let field = text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        field.unwrap_or_default().to_owned()
    }
    /// Waits for the merge, and returns its exit code.
    fn merged(&self, ids: &[String], out: &Path) -> i32 {
        let merge = ids.last().unwrap();
        until(
            "the merge ends",
            || {
                let state = self.field(merge, "JobState");
                (!["PENDING", "RUNNING", "COMPLETING", "CONFIGURING", ""].contains(&state.as_str())).then_some(())
            },
            || format!("{}\n{}", stdout(&self.ask("scontrol", &["show", "job"])), logs(out)),
        );
        let code = self.field(merge, "ExitCode");
        code.split(':').next().unwrap().parse().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Waits, five minutes at most (a loaded machine), for something to be there.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>, explain: impl Fn() -> String) -> T {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(300) {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("waited in vain: {what}\n{}", explain());
}

/// Every log of a submission.
fn logs(out: &Path) -> String {
    let folder = out.join("shards/slurm");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "log"));
    files.sort();
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The process whose command line holds these words in a row, and the one that started it.
fn process(words: &[&str]) -> Option<(String, String)> {
    let wanted = words.join("\0");
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        if !String::from_utf8_lossy(&command).contains(&wanted) {
            return None;
        }
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.to_owned();
        Some((entry.file_name().to_string_lossy().into_owned(), parent))
    })
}

/// Waits until a shard has finished a unit and is at the next ones.
fn at_work(out: &Path, shard: usize, of: usize) -> (String, String) {
    let folder = out.join(format!("shards/{shard}-of-{of}"));
    until(
        "a shard is at work",
        || {
            std::fs::read_dir(folder.join("shards/units")).ok()?.next()?.ok()?;
            process(&["--shard", &format!("{shard}/{of}"), "--out", folder.to_str().unwrap()])
        },
        || logs(out),
    )
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success(), "{pid} had ended");
}

/// A folder with a job file, its name hostile to shells and to Slurm's patterns.
fn bench(cluster: &Cluster, name: &str, job: &str) -> (PathBuf, PathBuf) {
    let folder = cluster.folder.path().join(format!("{name} 50%A it's ü"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("job.toml"), job).unwrap();
    (folder.join("job.toml"), folder.join("out"))
}

/// The tables of one plain run.
fn whole(cluster: &Cluster, job: &Path, code: i32) -> Vec<(String, Vec<u8>)> {
    let out = job.with_file_name("whole");
    let args = ["run", job.to_str().unwrap(), "--out", out.to_str().unwrap(), "--progress", "none", "-q"];
    let output = cluster.ask(env!("CARGO_BIN_EXE_tcs-batch"), &args);
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    table_bytes(&out)
}

#[test]
fn a_round_trip_through_slurm_gives_the_tables_of_a_single_run() {
    if let Some(why) = missing() {
        // Past the capture of the test's output: whoever runs the tests should know.
        let _ = writeln!(std::io::stderr(), "\nSKIPPED: no round trip through Slurm: {why}\n");
        return;
    }
    let cluster = Cluster::start();
    let (job, out) = bench(&cluster, "a", JOB);
    let expected = whole(&cluster, &job, 0);
    killed_stopped_and_requeued(&cluster, &job, &out);
    assert!(table_bytes(&out) == expected, "{}", logs(&out));
    shards_that_slurm_gives_up_are_named_and_resumed(&cluster, &job, &job.with_file_name("out2"));
    assert!(table_bytes(&job.with_file_name("out2")) == expected);
    failed_units_are_merged_and_a_changed_job_is_not(&cluster);
}

/// Five shards in arrays of at most three. One is killed, one told that its time is nearly over, one requeued from outside.
fn killed_stopped_and_requeued(cluster: &Cluster, job: &Path, out: &Path) {
    let ids = cluster.submit(job, out, &["--shards", "5", "--gpus", "1"]);
    let [first, second, merge] = ids.as_slice() else { panic!("MaxArraySize=4 makes two arrays: {ids:?}") };
    assert_eq!(cluster.field(merge, "JobState"), "PENDING");
    assert!(cluster.field(&format!("{first}_1"), "TresPerNode").contains("gpu:1"));
    signal("-KILL", &at_work(out, 2, 5).0);
    let _ = at_work(out, 3, 5);
    assert!(cluster.ask("scancel", &["--signal=USR1", "--batch", &format!("{first}_3")]).status.success());
    let _ = at_work(out, 4, 5);
    assert!(cluster.ask("scontrol", &["requeue", &format!("{second}_1")]).status.success());
    assert_eq!(cluster.merged(&ids, out), 0, "{}", logs(out));
    let said = logs(out);
    for line in ["shard 2/5: killed by signal 9; requeued", "shard 3/5: stopped before the time limit; requeued"] {
        assert!(said.contains(line), "{said}");
    }
    for (task, restarts) in [((first, 1), "0"), ((first, 2), "1"), ((first, 3), "1"), ((second, 1), "1"), ((second, 2), "0")] {
        let task = format!("{}_{}", task.0, task.1);
        assert_eq!(cluster.field(&task, "Restarts"), restarts, "{task}\n{said}");
        assert_eq!(cluster.field(&task, "JobState"), "COMPLETED", "{task}\n{said}");
    }
    for shard in 2..=4 {
        assert!(said.contains(&format!("shard {shard}/5: attempt 2 on")), "{said}");
    }
    assert!(said.contains("60 of 60 units done"), "{said}");
}

/// Slurm does not try a task again whose script is killed. The merge says which shard lacks; submitting again does what is missing.
fn shards_that_slurm_gives_up_are_named_and_resumed(cluster: &Cluster, job: &Path, out: &Path) {
    let ids = cluster.submit(job, out, &["--shards", "2"]);
    let (program, script) = at_work(out, 1, 2);
    signal("-KILL", &script);
    signal("-KILL", &program);
    assert_eq!(cluster.merged(&ids, out), 2, "{}", logs(out));
    let said = logs(out);
    assert!(said.contains("error: missing units: ") && said.contains("(shard 1/2, 1-of-2)"), "{said}");
    assert!(said.contains("submit the job again: only what is missing is computed"), "{said}");
    assert!(!out.join("metrics.parquet").exists());
    let ids = cluster.submit(job, out, &["--shards", "2"]);
    assert_eq!(cluster.merged(&ids, out), 0, "{}", logs(out));
    let said = logs(out);
    assert!(said.contains("30 units, 30 of them reused"), "shard 2 computes nothing again: {said}");
}

/// A failed unit is a result, with exit code 3; a job file that changes on the way is none, and is not tried again.
fn failed_units_are_merged_and_a_changed_job_is_not(cluster: &Cluster) {
    let broken = JOB.replace("surrogates = 30000", "surrogates = 20").replace("length_s = 1.0", "length_s = 10.0, stop_s = 70.0");
    let (job, out) = bench(cluster, "b", &broken);
    let expected = whole(cluster, &job, 3);
    let ids = cluster.submit(&job, &out, &["--shards", "4"]);
    let (changed_job, changed_out) = bench(cluster, "c", &broken);
    let held = cluster.submit(&changed_job, &changed_out, &["--shards", "2", "--directive=--hold"]);
    std::fs::write(&changed_job, broken.replace("seed = 5", "seed = 6")).unwrap();
    assert!(cluster.ask("scontrol", &["release", &held[0]]).status.success());
    assert_eq!(cluster.merged(&ids, &out), 3, "{}", logs(&out));
    assert!(table_bytes(&out) == expected);
    assert_eq!(rows::<UnitRecord>(&out).iter().filter(|unit| unit.status == UnitStatus::Failed).count(), 1);
    assert_eq!(cluster.merged(&held, &changed_out), 2, "{}", logs(&changed_out));
    let said = logs(&changed_out);
    assert!(said.contains("was changed after it was submitted; submit it again"), "{said}");
    assert!(said.contains("1-of-2: there is no shards/plan.bin") && said.contains("2-of-2: there is no shards/plan.bin"), "{said}");
    for task in 1..=2 {
        let task = format!("{}_{task}", held[0]);
        assert_eq!((cluster.field(&task, "Restarts").as_str(), cluster.field(&task, "ExitCode").as_str()), ("0", "2:0"), "{said}");
    }
}

#[test]
fn no_daemon_is_left_behind_by_a_test_that_panics() {
    if missing().is_some() {
        return;
    }
    let cluster = Cluster::start();
    let conf = cluster.conf();
    let job = bench(&cluster, "p", &JOB.replace("surrogates = 30000", "surrogates = 100000000"));
    cluster.submit(&job.0, &job.1, &["--shards", "1"]);
    until("the shard runs", || process(&["--shard", "1/1", "--out", job.1.join("shards/1-of-1").to_str().unwrap()]), || logs(&job.1));
    let marks = [conf.parent().unwrap().to_str().unwrap().to_owned(), job.1.to_str().unwrap().to_owned()];
    let ours = || {
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let command = std::fs::read(entry.path().join("cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).into_owned();
            marks.iter().any(|mark| command.contains(mark)).then_some(command)
        })
    };
    assert!(ours().count() >= 4, "slurmctld, slurmd, munged and the shard");
    let thrown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _cluster = cluster;
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(thrown.is_err());
    let left: Vec<String> = ours().collect();
    assert!(left.is_empty(), "{left:?}");
}
