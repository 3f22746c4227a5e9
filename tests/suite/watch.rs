//! What a run tells those who watch it: JSON events, Prometheus metrics, the summary of a CI step.

use super::cli::{Bench, stderr};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const JOB: &str = r#"schema_version = 1
[job]
name = "watched \"by\" many"
seed = 5
[output]
dir = "out"
formats = []
[[dataset]]
id = "noise"
format = "simulate"
model = "ar"
params = { coefficients = [0.9], samples = 1000, rate_hz = 100.0 }
window = { length_s = 2.0, stop_s = 14.0 }
[[embedding]]
method = "takens"
dimension = 2
delay = 1
[[metric]]
kind = "lz76"
"#;

/// Runs the job with events as JSON and with variables set.
fn run(bench: &Bench, more: &[&str], variables: &[(&str, &str)]) -> Output {
    let job = bench.path("job.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcs-batch"));
    command.args(["run", job.to_str().unwrap(), "--progress", "json", "--workers", "2", "-q"]).args(more);
    command.env_remove("GITHUB_STEP_SUMMARY").envs(variables.iter().copied()).output().unwrap()
}

fn events(output: &Output) -> Vec<serde_json::Value> {
    let lines = stderr(output);
    lines.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Samples by name and labels.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap())).unwrap()).collect()
}

#[test]
fn events_name_every_unit_with_its_seconds() {
    let bench = Bench::new(JOB);
    let mark = bench.path("mark");
    let output =
        run(&bench, &["--retries", "1"], &[("TCS_BATCH_FAULT", "crash:2.000-4.000"), ("TCS_BATCH_FAULT_ONCE", mark.to_str().unwrap())]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let all = events(&output);
    let of = |kind: &str| all.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    assert_eq!((all[0]["event"].as_str(), all[0]["units"].as_u64(), all[0]["reused"].as_u64()), (Some("begun"), Some(7), Some(0)));
    // Five windows within 10 s; two beyond the end, which is known from the header.
    for (kind, n) in [("planned", 7), ("started", 5), ("finished", 5), ("failed", 2), ("retried", 1)] {
        assert_eq!(of(kind).len(), n, "{kind}: {}", stderr(&output));
        for event in of(kind) {
            assert!(event["unit"].as_str().unwrap().starts_with("noise/"), "{event}");
            assert!(kind == "started" || event["seconds"].as_f64().unwrap() >= 0.0, "{event}");
        }
    }
    assert_eq!(of("retried")[0]["unit"], "noise/2.000-4.000");
    assert!(of("failed").iter().all(|event| event["kind"] == "outside"));
    let stages = of("finished")[0]["stages"].as_object().unwrap();
    assert!(["read", "embedding", "metrics"].iter().all(|stage| stages[*stage].as_f64().unwrap() >= 0.0), "{stages:?}");
    let again = events(&run(&bench, &[], &[]));
    assert_eq!((again[0]["reused"].as_u64(), again.iter().filter(|event| event["reused"] == true).count()), (Some(5), 5));
}

#[test]
fn metrics_are_kept_in_a_file_and_count_what_happened() {
    let bench = Bench::new(JOB);
    let (file, mark) = (bench.path("metrics.prom"), bench.path("mark"));
    let with_file = ["--metrics-file", file.to_str().unwrap()];
    let faults = [("TCS_BATCH_FAULT", "crash:2.000-4.000"), ("TCS_BATCH_FAULT_ONCE", mark.to_str().unwrap())];
    assert_eq!(run(&bench, &with_file, &faults).status.code(), Some(3));
    let text = std::fs::read_to_string(&file).unwrap();
    let found = samples(&text);
    let value = |name: &str| *found.get(&format!("tcs_batch_{name}")).unwrap_or_else(|| panic!("{name} is not in {text}"));
    assert_eq!(value("units_planned"), 7.0);
    assert_eq!((value("units_total{status=\"done\"}"), value("units_total{status=\"failed\"}")), (5.0, 2.0));
    assert_eq!((value("retries_total"), value("cache_hits_total"), value("units_running"), value("run_ended")), (1.0, 0.0, 0.0, 1.0));
    let stages: f64 = found.iter().filter(|(name, _)| name.starts_with("tcs_batch_stage_seconds_total")).map(|(_, value)| value).sum();
    assert!(stages > 0.0 && stages <= value("unit_seconds_total"), "{text}");
    assert!(text.contains(r#"job="watched \"by\" many""#) && text.contains("# TYPE tcs_batch_gpu_memory_bytes gauge"), "{text}");
    assert_eq!(run(&bench, &with_file, &[]).status.code(), Some(3));
    assert_eq!(samples(&std::fs::read_to_string(&file).unwrap())["tcs_batch_cache_hits_total"], 5.0);
    // A file that cannot be written is said before anything runs.
    let nowhere = run(&bench, &["--metrics-file", "/nowhere/metrics.prom"], &[]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(stderr(&nowhere).contains("/nowhere/metrics.prom"), "{}", stderr(&nowhere));
}

#[test]
fn metrics_are_served_while_a_run_goes_on() {
    let bench = Bench::new(JOB);
    let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = probe.local_addr().unwrap().port().to_string();
    // The port is taken: said, with what to do.
    let taken = run(&bench, &["--metrics-listen", &port], &[]);
    assert_eq!(taken.status.code(), Some(2));
    assert!(stderr(&taken).contains("choose a port that is free"), "{}", stderr(&taken));
    drop(probe);
    let job = bench.path("job.toml");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tcs-batch"))
        .args(["run", job.to_str().unwrap(), "--progress", "none", "-q", "--metrics-listen", &port])
        .env("TCS_BATCH_FAULT", "hang:0.000-2.000")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    };
    // Someone who connects and says nothing does not keep others away for long.
    let mut text = String::new();
    for _ in 0..400 {
        text = get("/metrics").unwrap_or_default();
        if text.contains("units_running 1") {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    let other = get("/").unwrap_or_default();
    let _ = child.kill();
    let _ = child.wait();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("version=0.0.4"), "{text}");
    assert_eq!(samples(text.split_once("\r\n\r\n").unwrap().1)["tcs_batch_units_running"], 1.0);
    assert!(other.starts_with("HTTP/1.1 404"), "{other}");
}

#[test]
fn a_step_summary_is_appended_where_ci_asks_for_one() {
    let bench = Bench::new(JOB);
    bench.write("summary.md", "before\n");
    let summary = bench.path("summary.md");
    assert_eq!(run(&bench, &[], &[("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())]).status.code(), Some(3));
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(text.starts_with("before\n# ") && text.contains("## Failures") && text.contains("lz76"), "{text}");
    assert!(!bench.out().join("report.md").exists(), "the summary asks for no report");
    let out = bench.out();
    let compare = Command::new(env!("CARGO_BIN_EXE_tcs-batch"))
        .args(["compare", out.to_str().unwrap(), out.to_str().unwrap()])
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .unwrap();
    assert_eq!(compare.status.code(), Some(0), "{}", stderr(&compare));
    assert!(std::fs::read_to_string(&summary).unwrap()[text.len()..].starts_with("## Compared with "));
    let unwritable = run(&bench, &[], &[("GITHUB_STEP_SUMMARY", "/nowhere/summary.md")]);
    assert_eq!(unwritable.status.code(), Some(3), "a summary that cannot be written changes nothing: {}", stderr(&unwritable));
}
