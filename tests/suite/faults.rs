//! What a night can do to a run: processes killed at any moment, a full disk, a parameter changed. The tables come out the same, or
//! the change is noticed.
#![cfg(unix)]

use super::cli::{Bench, rows, stderr, table_bytes, tcs};
use super::fixture::Dice;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tcs_batch::table::UnitRecord;

const JOB: &str = r#"schema_version = 1
[job]
name = "faults"
seed = 5
[[dataset]]
id = "noise"
format = "simulate"
model = "ar"
params = { coefficients = [0.9], samples = 6000, rate_hz = 100.0 }
window = { length_s = 1.0 }
[[metric]]
kind = "lz76"
surrogates = 300
"#;

fn start(bench: &Bench) -> Child {
    let (job, out) = (bench.path("job.toml"), bench.out());
    let args = ["run", job.to_str().unwrap(), "--out", out.to_str().unwrap(), "--progress", "none", "-q", "--workers", "2"];
    Command::new(env!("CARGO_BIN_EXE_tcs-batch")).args(args).stderr(Stdio::null()).spawn().unwrap()
}

fn kill_9(pid: &str) {
    let _ = Command::new("kill").args(["-9", pid]).stderr(Stdio::null()).status();
}

/// Processes whose parent is `pid`.
fn children(pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // "pid (name) state parent …"; the name may hold spaces.
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)).and_then(|parent| parent.parse::<u32>().ok());
        if parent == Some(pid) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// Waits for a process, at most until `limit`; kills it then.
fn kill_after(child: &mut Child, limit: Duration) {
    std::thread::sleep(limit);
    kill_9(&child.id().to_string());
    child.wait().unwrap();
}

#[test]
fn kill_9_at_any_moment_twice_over_loses_nothing() {
    let whole = Bench::new(JOB);
    let clock = Instant::now();
    assert_eq!(whole.run(&[]).status.code(), Some(0));
    let length = clock.elapsed();
    let expected = table_bytes(&whole.out());
    let mut dice = Dice(11);
    for instant in 0..50 {
        let bench = Bench::new(JOB);
        // The coordinator at a random instant of the run; in the run that resumes the coordinator again, or one of its workers.
        kill_after(&mut start(&bench), length.mul_f64(dice.roll()));
        let mut child = start(&bench);
        let wait = length.mul_f64(dice.roll());
        if instant % 2 == 0 {
            kill_after(&mut child, wait);
            child = start(&bench);
        } else {
            std::thread::sleep(wait);
            if let Some(worker) = children(child.id()).first() {
                kill_9(worker);
            }
        }
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "killed at instant {instant}");
        assert!(table_bytes(&bench.out()) == expected, "killed at instant {instant}");
        assert_eq!(half_written(&bench.out()), Vec::<PathBuf>::new(), "killed at instant {instant}");
    }
}

/// What a killed run may leave behind and the next one removes.
fn half_written(out: &Path) -> Vec<PathBuf> {
    let folders = [out.to_owned(), out.join("shards"), out.join("shards/units")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    entries.map(|entry| entry.path()).filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(".tcs-tmp-")).collect()
}

#[test]
fn a_disk_that_fills_or_a_death_at_any_step_of_any_write_leaves_whole_files() {
    let job = JOB.replace("samples = 6000", "samples = 400").replace("surrogates = 300", "surrogates = 0")
        + "[output]\ndir = \"out\"\nformats = [\"md\"]\n";
    let whole = Bench::new(&job);
    assert_eq!(whole.run(&[]).status.code(), Some(0));
    let expected = table_bytes(&whole.out());
    let faulty = |bench: &Bench, fault: &str| {
        let (job, out) = (bench.path("job.toml"), bench.out());
        Command::new(env!("CARGO_BIN_EXE_tcs-batch"))
            .args(["run", job.to_str().unwrap(), "--out", out.to_str().unwrap(), "--progress", "none", "--workers", "2"])
            .env("TCS_BATCH_WRITE_FAULT", fault)
            .output()
            .unwrap()
    };
    for step in ["create", "write", "sync", "rename", "sync-folder"] {
        for how in ["full", "kill"] {
            let mut nth = 1;
            loop {
                let fault = format!("{step}:{nth}:{how}");
                let bench = Bench::new(&job);
                let output = faulty(&bench, &fault);
                if output.status.success() {
                    break;
                }
                match how {
                    "full" => {
                        assert!(matches!(output.status.code(), Some(1 | 2)), "{fault}: {}", stderr(&output));
                        assert!(stderr(&output).contains("space") && stderr(&output).contains("--out"), "{fault}: {}", stderr(&output));
                    }
                    _ => assert_eq!(output.status.code(), None, "{fault}: {}", stderr(&output)),
                }
                for (name, bytes) in &expected {
                    let there = std::fs::read(bench.out().join(format!("{name}.parquet")));
                    assert!(there.is_err() || there.is_ok_and(|there| there == *bytes), "{fault}: {name} is half written");
                }
                let resumed = bench.run(&[]);
                assert_eq!(resumed.status.code(), Some(0), "{fault}: {}", stderr(&resumed));
                assert!(table_bytes(&bench.out()) == expected, "{fault}");
                assert_eq!(half_written(&bench.out()), Vec::<PathBuf>::new(), "{fault}");
                nth += 1;
            }
            assert!(nth > 10, "{step}: only {nth} writes were seen to fail");
        }
    }
}

#[test]
fn no_worker_outlives_its_coordinator() {
    let bench = Bench::new(&JOB.replace("surrogates = 300", "surrogates = 1000000"));
    let mut child = start(&bench);
    let mut workers = Vec::new();
    for _ in 0..200 {
        workers = children(child.id());
        if workers.len() >= 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(workers.len() >= 2, "{workers:?}");
    kill_9(&child.id().to_string());
    child.wait().unwrap();
    let alive = |pid: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
    };
    for _ in 0..200 {
        if !workers.iter().any(alive) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("workers live on: {workers:?}");
}

/// Runs a command in a mount namespace of its own with 8 MiB of disk at `folder`; `None` where that is not allowed.
fn on_a_small_disk(folder: &Path, script: &str) -> Option<std::process::Output> {
    let mount = format!("mount -t tmpfs -o size=8m none '{}' && {script}", folder.display());
    let probe =
        Command::new("unshare").args(["-Urm", "sh", "-c", &format!("mount -t tmpfs -o size=8m none '{}'", folder.display())]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: no mount namespaces here");
        return None;
    }
    Some(Command::new("unshare").args(["-Urm", "sh", "-c", &mount]).output().unwrap())
}

#[test]
fn a_full_disk_is_said_and_what_was_finished_stays_whole() {
    // 2,000 points of 6 coordinates a window in 160 windows: embeddings of about 15 MB, on a disk of 8 MiB.
    let job = JOB
        .replace("samples = 6000", "samples = 320000")
        .replace("length_s = 1.0", "length_s = 20.0")
        .replace("surrogates = 300", "surrogates = 0")
        + "[embedding]\nmethod = \"takens\"\ndimension = 6\ndelay = 2\n";
    let bench = Bench::new(&job);
    let disk = bench.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let run = |out: &Path| {
        format!(
            "'{}' run '{}' --out '{}' --progress none",
            env!("CARGO_BIN_EXE_tcs-batch"),
            bench.path("job.toml").display(),
            out.display()
        )
    };
    let kept = bench.path("kept");
    let script = format!("{} ; code=$?; cp -r '{}' '{}'; exit $code", run(&disk.join("out")), disk.join("out").display(), kept.display());
    let Some(output) = on_a_small_disk(&disk, &script) else { return };
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("No space left") || said.contains("no space left"), "{said}");
    for name in ["metrics", "units", "embeddings"] {
        assert!(!kept.join(format!("{name}.parquet")).exists(), "{name}.parquet is there although the run did not end");
    }
    assert!(std::fs::read_dir(kept.join("shards/units")).unwrap().count() > 0);
    // With space again the same command goes on from what was kept.
    let resumed = Command::new("sh").args(["-c", &run(&kept)]).output().unwrap();
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    assert!(stderr(&resumed).contains("reused"), "{}", stderr(&resumed));
    assert_eq!(bench.run(&["--fresh"]).status.code(), Some(0));
    assert!(table_bytes(&kept) == table_bytes(&bench.out()));
    assert_eq!(rows::<UnitRecord>(&kept).len(), 160);
}

/// A job that names every parameter that decides a number.
const FULL: &str = r#"schema_version = 1
[job]
name = "full"
seed = 5
[[dataset]]
id = "p"
source = "p.csv"
signal = "spikes"
bin_s = 0.1
control = "jitter"
units = { location = ["A"] }
window = { length_s = 10.0, step_s = 10.0, start_s = 0.0 }
[[dataset]]
id = "s"
source = "s.csv"
series = ["a", "b"]
sampling_rate_hz = 50.0
channels = { every = 1 }
bandpass_hz = [1.0, 10.0]
resample_hz = 25.0
window = { length_s = 10.0 }
[[embedding]]
name = "t"
method = "takens"
dimension = 3
delay = 2
[[embedding]]
name = "c"
method = "pca"
dimension = 1
whiten = false
[persistence]
on = "t"
complex = "rips"
max_dim = 1
threshold = "enclosing"
modulus = 2
max_points = 50
summaries = ["entropy"]
[[metric]]
kind = "lz76"
binarise = "median"
normalise = "n/log-n"
scope = "channel"
surrogates = 3
surrogate = "shuffle"
bootstrap = 2
[[metric]]
kind = "transfer-entropy"
estimator = "discrete"
target_history = 1
source_history = 1
target_delay = 1
source_delay = 1
lag = 1
alphabet = 2
bias = "none"
[[metric]]
kind = "power-spectrum"
segment_s = 2.0
overlap = 0.5
window = "hann"
detrend = "constant"
scaling = "density"
aperiodic = "fixed"
[fidelity]
reference = "s"
candidates = ["p"]
"#;

#[test]
fn every_parameter_that_decides_a_number_changes_the_key() {
    let bench = Bench::new(FULL);
    let spikes: String = (0..300).map(|k| format!("u{},{:.3}\n", k % 2, f64::from(k) * 0.09 + 0.01 * f64::from(k % 7))).collect();
    bench.write("p.csv", format!("unit,time_s\n{spikes}"));
    let series: String = (0..1000).map(|k| format!("{:.5},{:.5}\n", (f64::from(k) * 0.7).sin(), (f64::from(k) * 0.31).cos())).collect();
    bench.write("s.csv", format!("a,b\n{series}"));
    let base = FULL.replace("units = { location = [\"A\"] }\n", "");
    bench.write("job.toml", &base);
    let first = bench.run(&[]);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let changes = [
        "job.seed=6",
        "dataset.0.bin_s=0.2",
        "dataset.0.control=\"poisson\"",
        "dataset.1.series=[\"b\", \"a\"]",
        "dataset.1.series=[\"a\"]",
        "dataset.1.sampling_rate_hz=100.0",
        "dataset.1.channels.every=2",
        "dataset.1.bandpass_hz=[1.0, 9.0]",
        "dataset.1.resample_hz=50.0",
        "embedding.0.dimension=2",
        "embedding.0.delay=3",
        "embedding.1.whiten=true",
        "persistence.max_dim=0",
        "persistence.threshold=1.5",
        "persistence.modulus=3",
        "persistence.max_points=40",
        "persistence.summaries=[\"betti-curve\"]",
        "persistence.on=\"c\"",
        "metric.0.binarise=\"mean\"",
        "metric.0.normalise=\"none\"",
        "metric.0.scope=\"sum\"",
        "metric.0.surrogates=4",
        "metric.0.surrogate=\"circular-shift\"",
        "metric.0.bootstrap=3",
        "metric.0.seed=9",
        "metric.0.on=\"t\"",
        "metric.1.target_history=2",
        "metric.1.source_history=2",
        "metric.1.target_delay=2",
        "metric.1.source_delay=2",
        "metric.1.lag=2",
        "metric.1.alphabet=3",
        "metric.1.bias=\"miller-madow\"",
        "metric.1.pairs=[[\"a\", \"b\"]]",
        "metric.2.segment_s=1.0",
        "metric.2.overlap=0.25",
        "metric.2.window=\"hamming\"",
        "metric.2.detrend=\"linear\"",
        "metric.2.scaling=\"spectrum\"",
        "metric.2.aperiodic=\"knee\"",
        "metric.2.fit_range_hz=[1.0, 9.0]",
    ];
    let (job, out) = (bench.path("job.toml"), bench.out());
    let plan = |change: &str| {
        let output = tcs(&["plan", job.to_str().unwrap(), "--out", out.to_str().unwrap(), "--explain", "--set", change]);
        assert_eq!(output.status.code(), Some(0), "{change}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!plan("job.description=\"another\"").contains("to do"), "a description decides nothing");
    assert!(!plan("run.workers=1").contains("to do"), "the number of workers decides nothing");
    for change in changes {
        assert!(plan(change).contains("to do"), "{change} left the key as it was");
    }
    let more = std::fs::read_to_string(bench.path("s.csv")).unwrap().replacen("0.00000", "0.00001", 1);
    bench.write("s.csv", more);
    assert!(plan("run.workers=1").contains("its file is new or changed"));
}
