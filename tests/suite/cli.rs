//! The binary as a user meets it: the quickstart, what it writes, how it ends, how it resumes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tcs_batch::table::{self, DiagramRecord, ExpectationRecord, FidelityRecord, MetricRecord, Table, UnitRecord, UnitStatus};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn tcs(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tcs-batch")).args(args).env("NO_COLOR", "1").output().expect("the binary runs")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn rows<T: Table>(out: &Path) -> Vec<T> {
    table::read(&out.join(T::FILE)).expect("a table")
}

/// A folder with a job file and its data.
pub struct Bench {
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn new(job: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("job.toml"), job).unwrap();
        Self { folder }
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }
    pub fn run(&self, more: &[&str]) -> Output {
        let (job, out) = (self.path("job.toml"), self.path("out"));
        let mut args = vec!["run", job.to_str().unwrap(), "--out", out.to_str().unwrap(), "--progress", "plain"];
        args.extend(more);
        tcs(&args)
    }
    pub fn out(&self) -> PathBuf {
        self.path("out")
    }
}

/// Every table but the one that holds timings, byte for byte.
pub fn table_bytes(out: &Path) -> Vec<(String, Vec<u8>)> {
    ["metrics", "diagrams", "embeddings", "fidelity", "expectations", "previews"]
        .map(|name| (name.to_owned(), std::fs::read(out.join(format!("{name}.parquet"))).unwrap()))
        .into()
}

fn noisy_csv(n: usize, channels: usize) -> String {
    let mut state = 1_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let names: Vec<String> = (0..channels).map(|c| format!("ch{c}")).collect();
    let mut text = names.join(",") + "\n";
    for t in 0..n {
        let row: Vec<String> = (0..channels).map(|c| format!("{:.6}", (t as f64 * 0.2 + c as f64).sin() + 0.3 * next())).collect();
        text += &(row.join(",") + "\n");
    }
    text
}

const SERIES_JOB: &str = r#"schema_version = 1
[job]
name = "series"
seed = 3
[[dataset]]
id = "noisy"
source = "noisy.csv"
sampling_rate_hz = 100.0
window = { length_s = 2.0 }
[embedding]
method = "takens"
dimension = 3
delay = 4
[persistence]
max_dim = 1
max_points = 80
[[metric]]
kind = "lz76"
surrogates = 20
[[metric]]
kind = "transfer-entropy"
bootstrap = 10
"#;

fn series_bench() -> Bench {
    let bench = Bench::new(SERIES_JOB);
    bench.write("noisy.csv", noisy_csv(1000, 2));
    bench
}

#[test]
fn the_quickstart_holds_what_it_expects_and_foreign_readers_open_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let job = root().join("jobs/quickstart.toml");
    let output = tcs(&["run", job.to_str().unwrap(), "--out", out.to_str().unwrap(), "--progress", "plain"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(rows::<UnitRecord>(&out).iter().all(|unit| unit.status == UnitStatus::Done));
    let expectations = rows::<ExpectationRecord>(&out);
    assert!(expectations.len() >= 4 && expectations.iter().all(|row| row.held), "{expectations:?}");
    let ratio = |dataset: &str| {
        let all = rows::<MetricRecord>(&out);
        all.iter()
            .find(|row| row.dataset == dataset && row.metric == "persistence.rips" && row.statistic == "ratio_h1")
            .unwrap()
            .value
            .unwrap()
    };
    assert!(ratio("ring") > 3.0 && ratio("ring-shifted") < 2.0, "{} {}", ratio("ring"), ratio("ring-shifted"));
    let score =
        |dataset: &str| rows::<FidelityRecord>(&out).iter().find(|row| row.dataset == dataset && row.test == "overall").unwrap().score;
    assert!(score("human-second-half").unwrap() > 0.8);
    for file in ["report.html", "report.md", "junit.xml", "manifest.json"] {
        assert!(out.join(file).metadata().unwrap().len() > 500, "{file}");
    }
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(html.contains("Chaudhuri") && html.contains("<svg"));
    read_back_by_pyarrow(&out);
    let again = tcs(&["report", out.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(std::fs::read_to_string(out.join("report.html")).unwrap(), html);
}

/// The contract's columns as pyarrow sees them; skipped, saying so, where there is no Python with pyarrow (`make test` installs one).
fn read_back_by_pyarrow(out: &Path) {
    let script = r#"
import sys, pyarrow.parquet as pq
want = {
 "units": "unit dataset window_start_s window_stop_s status error_kind error attempts device seconds peak_memory_bytes",
 "metrics": "job dataset unit window_start_s window_stop_s metric statistic source target value unit_of_measure ci_low ci_high p_value surrogates",
 "diagrams": "dataset unit persistence dim birth death",
 "embeddings": "dataset unit embedding index vector",
 "fidelity": "dataset reference test statistic observed reference_value distance ceiling score ci_low ci_high",
 "expectations": "metric dataset source published tolerance observed deviation held",
}
for name, columns in want.items():
    table = pq.read_table(f"{sys.argv[1]}/{name}.parquet")
    assert table.column_names == columns.split(), (name, table.column_names)
    assert table.num_rows > 0, name
    meta = pq.read_metadata(f"{sys.argv[1]}/{name}.parquet").metadata
    assert any(b"job_hash" in key for key in meta), meta.keys()
deaths = pq.read_table(f"{sys.argv[1]}/diagrams.parquet")["death"].to_pylist()
assert float("inf") in deaths and all(death == death for death in deaths)
print("read", len(deaths))
"#;
    let python = std::env::var("TCS_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = |python: &str| Command::new(python).args(["-c", "import pyarrow"]).output().is_ok_and(|output| output.status.success());
    if !has(&python) {
        println!("skipped: {python} has no pyarrow; `make test` installs it");
        return;
    }
    let output = Command::new(python).args(["-c", script, out.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn tables_are_the_same_bytes_for_any_number_of_workers() {
    let bench = series_bench();
    let mut seen = Vec::new();
    for workers in ["1", "2", "8"] {
        let output = bench.run(&["--fresh", "--workers", workers]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        seen.push(table_bytes(&bench.out()));
    }
    assert!(seen[0] == seen[1] && seen[1] == seen[2]);
    assert_eq!(rows::<UnitRecord>(&bench.out()).len(), 5);
    assert!(!rows::<DiagramRecord>(&bench.out()).is_empty());
}

#[test]
fn a_second_run_computes_nothing_and_a_changed_metric_only_that() {
    let bench = series_bench();
    assert_eq!(bench.run(&[]).status.code(), Some(0));
    let before = table_bytes(&bench.out());
    let again = bench.run(&[]);
    assert!(stderr(&again).contains("5 units, 5 of them reused"), "{}", stderr(&again));
    assert!(table_bytes(&bench.out()) == before);
    let job = bench.path("job.toml");
    let plan =
        tcs(&["plan", job.to_str().unwrap(), "--out", bench.out().to_str().unwrap(), "--explain", "--set", "metric.0.binarise=mean"]);
    let text = stdout(&plan);
    assert_eq!(text.matches("metric:lz76 changed").count(), 5, "{text}");
    assert!(!text.contains("persistence"), "{text}");
    let done = stdout(&tcs(&["plan", job.to_str().unwrap(), "--out", bench.out().to_str().unwrap()]));
    assert_eq!(done.lines().filter(|line| line.ends_with("done")).count(), 5, "{done}");
}

#[test]
fn a_damaged_unit_file_is_computed_again() {
    let bench = series_bench();
    assert_eq!(bench.run(&[]).status.code(), Some(0));
    let before = table_bytes(&bench.out());
    for entry in std::fs::read_dir(bench.out().join("shards/units")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    let again = bench.run(&[]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(stderr(&again).contains("is damaged"), "{}", stderr(&again));
    assert!(table_bytes(&bench.out()) == before);
}

#[test]
fn shards_cover_every_unit_once() {
    let bench = series_bench();
    let mut units = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        assert_eq!(bench.run(&["--fresh", "--shard", shard]).status.code(), Some(0));
        units.extend(rows::<UnitRecord>(&bench.out()).into_iter().map(|unit| unit.unit));
    }
    units.sort();
    assert_eq!(units, ["noisy/0.000-2.000", "noisy/2.000-4.000", "noisy/4.000-6.000", "noisy/6.000-8.000", "noisy/8.000-10.000"]);
    assert_eq!(bench.run(&["--limit", "2", "--fresh"]).status.code(), Some(0));
    assert_eq!(rows::<UnitRecord>(&bench.out()).len(), 2);
    assert_eq!(bench.run(&["--shard", "0/3"]).status.code(), Some(2));
}

#[test]
fn merged_shards_are_the_single_run_byte_for_byte() {
    let bench = Bench::new(&format!(
        "{SERIES_JOB}\n[fidelity]\nreference = \"noisy\"\ncandidates = [\"other\"]\n[[dataset]]\nid = \"other\"\nsource = \"other.csv\"\nsampling_rate_hz = 100.0\nwindow = {{ length_s = 2.0, stop_s = 12.0 }}\n"
    ));
    bench.write("noisy.csv", noisy_csv(1000, 2));
    bench.write("other.csv", noisy_csv(1100, 2));
    assert_eq!(bench.run(&[]).status.code(), Some(3), "the last window of `other` lies outside");
    let whole = table_bytes(&bench.out());
    let job = bench.path("job.toml");
    let folders: Vec<String> = (1..=3).map(|at| bench.path(&format!("shard{at}")).to_str().unwrap().to_owned()).collect();
    for (at, folder) in folders.iter().enumerate() {
        tcs(&["run", job.to_str().unwrap(), "--out", folder, "--progress", "none", "--shard", &format!("{}/3", at + 1)]);
    }
    let merged = bench.path("merged");
    let merge = |folders: &[&String]| {
        let mut args = vec!["merge"];
        args.extend(folders.iter().map(|folder| folder.as_str()));
        args.extend(["--out", merged.to_str().unwrap()]);
        tcs(&args)
    };
    let output = merge(&[&folders[2], &folders[0], &folders[1]]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(table_bytes(&merged) == whole);
    assert!(merged.join("report.html").exists());
    for (folders, message) in [
        (vec![&folders[0], &folders[2]], "missing shards: 2/3"),
        (vec![&folders[0], &folders[1], &folders[2], &folders[1]], "shard 2/3 is there twice"),
    ] {
        let output = merge(&folders);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
    }
    let unit = std::fs::read_dir(bench.path("shard1/shards/units")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(unit).unwrap();
    let output = merge(&[&folders[0], &folders[1], &folders[2]]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("missing units: ") && stderr(&output).contains("(shard 1/3"), "{}", stderr(&output));
}

#[test]
fn one_bad_recording_costs_its_own_units_only() {
    let bench = Bench::new(&format!("{SERIES_JOB}\n[[dataset]]\nid = \"broken\"\nsource = \"broken.nwb\"\n"));
    bench.write("noisy.csv", noisy_csv(1000, 2));
    bench.write("broken.nwb", "this is no HDF5 file");
    let output = bench.run(&[]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let units = rows::<UnitRecord>(&bench.out());
    assert_eq!(units.iter().filter(|unit| unit.status == UnitStatus::Done).count(), 5);
    let failed = units.iter().find(|unit| unit.status == UnitStatus::Failed).unwrap();
    assert_eq!((failed.unit.as_str(), failed.error_kind.as_deref()), ("broken/all", Some("not-hdf5")));
    assert!(bench.out().join("report.html").exists());
    let check = tcs(&["check", bench.path("job.toml").to_str().unwrap()]);
    assert_eq!(check.status.code(), Some(2));
    assert!(stderr(&check).contains("job.toml:26:10: "), "{}", stderr(&check));
}

#[test]
fn a_missed_expectation_exits_with_4_and_a_failed_unit_goes_first() {
    let bench = Bench::new(&format!("{SERIES_JOB}\n[[expect]]\nmetric = \"lz76\"\nvalue = 7.0\ntolerance = 0.1\n"));
    bench.write("noisy.csv", noisy_csv(1000, 2));
    assert_eq!(bench.run(&[]).status.code(), Some(4));
    assert!(!rows::<ExpectationRecord>(&bench.out())[0].held);
    assert_eq!(bench.run(&["--set", "dataset.0.window.stop_s=30"]).status.code(), Some(3));
}

#[test]
fn two_runs_in_one_folder_do_not_meet() {
    let bench = series_bench();
    std::fs::create_dir_all(bench.out()).unwrap();
    let lock = std::fs::File::create(bench.out().join(".lock")).unwrap();
    lock.lock().unwrap();
    let output = bench.run(&[]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("another run holds this folder"));
    lock.unlock().unwrap();
    assert_eq!(bench.run(&[]).status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let job = SERIES_JOB.replace("surrogates = 20", "surrogates = 4000").replace("length_s = 2.0", "length_s = 0.5");
    let bench = Bench::new(&job);
    bench.write("noisy.csv", noisy_csv(4000, 6));
    let (path, out) = (bench.path("job.toml"), bench.out());
    let args = ["run", path.to_str().unwrap(), "--out", out.to_str().unwrap(), "--progress", "none", "--workers", "1"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_tcs-batch")).args(args).stderr(std::process::Stdio::null()).spawn().unwrap();
    let begun = || std::fs::read_dir(out.join("shards/units")).map_or(0, Iterator::count);
    while begun() < 2 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let asked = std::time::Instant::now();
    let status = child.wait().unwrap();
    assert!(asked.elapsed().as_secs_f64() < 2.0);
    assert_eq!(status.code(), Some(130));
    let kept = begun();
    assert!((2..80).contains(&kept), "{kept} units were kept");
    let resumed = bench.run(&["--workers", "2"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    assert!(stderr(&resumed).contains("of them reused"), "{}", stderr(&resumed));
    let resumed = table_bytes(&out);
    assert_eq!(bench.run(&["--fresh"]).status.code(), Some(0));
    assert!(table_bytes(&out) == resumed);
}

#[test]
fn json_is_all_that_goes_to_stdout() {
    let sample = root().join("datasets/samples/A8604-211122.nwb");
    let output = tcs(&["inspect", sample.to_str().unwrap(), "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["units"]["count"], 3);
    assert_eq!(found["units"]["spikes_total"], 21354);
    assert_eq!(found["nwb_version"], "2.4.0");
    let bench = series_bench();
    let output = tcs(&["plan", bench.path("job.toml").to_str().unwrap(), "--json"]);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan.as_array().unwrap().len(), 5);
    assert_eq!(plan[1]["window_start_s"], 2.0);
}

#[test]
fn every_verb_is_in_the_help_and_later_ones_say_so() {
    let help = stdout(&tcs(&["--help"]));
    for verb in ["run", "check", "plan", "merge", "report", "compare", "inspect", "datasets", "submit", "devices"] {
        assert!(help.contains(&format!("\n  {verb}")), "{verb}");
        let own = stdout(&tcs(&[verb, "--help"]));
        assert!(own.contains("Example:"), "{verb}");
    }
    for verb in ["datasets", "submit", "devices"] {
        let output = tcs(&[verb, "x"]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stderr(&output).lines().count(), 1);
        assert!(stderr(&output).contains("not available yet"));
    }
}

#[test]
fn every_shipped_job_checks() {
    for entry in std::fs::read_dir(root().join("jobs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let output = tcs(&["check", path.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(0), "{}: {}", path.display(), stderr(&output));
        }
    }
}

/// A run with a fault in its workers: exit code, messages, the failed units.
#[cfg(unix)]
fn with_fault(bench: &Bench, fault: &str, once: bool, more: &[&str]) -> (Option<i32>, String, Vec<UnitRecord>) {
    let (job, out, mark) = (bench.path("job.toml"), bench.out(), bench.path("mark"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcs-batch"));
    command
        .args(["run", job.to_str().unwrap(), "--out", out.to_str().unwrap(), "--progress", "plain", "--fresh", "--workers", "2"])
        .args(more);
    command.env("TCS_BATCH_FAULT", fault);
    if once {
        command.env("TCS_BATCH_FAULT_ONCE", mark);
    }
    let output = command.output().unwrap();
    let failed = rows::<UnitRecord>(&out).into_iter().filter(|unit| unit.status == UnitStatus::Failed).collect();
    (output.status.code(), stderr(&output), failed)
}

#[cfg(unix)]
#[test]
fn a_worker_that_crashes_hangs_or_leaks_costs_one_unit() {
    let bench = series_bench();
    for (fault, kind, words, more) in [
        ("crash:4.000-6.000", "crash", "signal 6 (SIGABRT)", vec![]),
        ("segfault:4.000-6.000", "crash", "signal 11 (SIGSEGV)", vec![]),
        ("hang:4.000-6.000", "timeout", "took longer than 1 s", vec!["--set", "run.unit_timeout_s=1"]),
        ("leak:4.000-6.000", "memory", "more than its share", vec!["--set", "run.memory_gib=0.8"]),
    ] {
        let (code, said, failed) = with_fault(&bench, fault, false, &more);
        assert_eq!(code, Some(3), "{fault}: {said}");
        assert_eq!(failed.len(), 1, "{fault}: {said}");
        assert_eq!(
            (failed[0].unit.as_str(), failed[0].error_kind.as_deref(), failed[0].attempts),
            ("noisy/4.000-6.000", Some(kind), 2),
            "{said}"
        );
        assert!(failed[0].error.as_ref().unwrap().contains(words), "{said}");
        assert!(said.contains("attempt 1 failed"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_worker_that_crashes_once_leaves_no_trace_in_the_tables() {
    let bench = series_bench();
    assert_eq!(bench.run(&[]).status.code(), Some(0));
    let whole = table_bytes(&bench.out());
    let (code, said, failed) = with_fault(&bench, "crash:2.000-4.000", true, &[]);
    assert_eq!((code, failed.len()), (Some(0), 0), "{said}");
    assert!(said.contains("attempt 1 failed"), "{said}");
    assert!(table_bytes(&bench.out()) == whole);
}
