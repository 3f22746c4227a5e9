//! The shell lines of docs/workflows/main.nf, taken out of it and run: Nextflow itself is not at hand.

use super::cli::{Bench, stderr, table_bytes, tcs};
use std::path::Path;
use std::process::{Command, Output};

/// What stands between the n-th pair of `"""`.
fn script(n: usize) -> String {
    let text = std::fs::read_to_string(super::cli::root().join("docs/workflows/main.nf")).unwrap();
    let scripts: Vec<&str> = text.split("\"\"\"").skip(1).step_by(2).collect();
    assert_eq!(scripts.len(), 2, "SHARD and MERGE");
    scripts[n].to_owned()
}

/// Runs a script as Nextflow does (`bash -ue`), every `${name}` replaced as the workflow's lines before it say.
fn bash(script: &str, job: &Path, out: &Path, shard: usize, more: &str) -> Output {
    let folders = (1..=2).map(|shard| format!("'{}.shards/{shard}'", out.display())).collect::<Vec<_>>().join(" ");
    let names = [
        ("params.tcs", env!("CARGO_BIN_EXE_tcs-batch").to_owned()),
        ("params.shards", "2".into()),
        ("task.cpus", "1".into()),
        ("shard", shard.to_string()),
        ("job", job.display().to_string()),
        ("out", out.display().to_string()),
        ("folders", folders),
    ];
    let line = names.iter().fold(script.to_owned(), |line, (name, value)| line.replace(&format!("${{{name}}}"), value));
    assert!(!line.contains("${"), "a name that the test does not know: {line}");
    let line = line.replace("\\$", "$").replace("--progress plain", &format!("--progress plain {more}"));
    Command::new("bash").args(["-ue", "-c", &line]).env("NO_COLOR", "1").output().unwrap()
}

const JOB: &str = r#"schema_version = 1
[job]
name = "flow"
[output]
formats = []
[[dataset]]
id = "map"
format = "simulate"
model = "henon"
params = { samples = 1200 }
window = { length_s = 200.0 }
[[dataset]]
id = "gone"
source = "points.npy"
signal = "points"
[[metric]]
kind = "lz76"
datasets = ["map"]
[[expect]]
metric = "lz76"
dataset = "map"
value = 99.0
tolerance = 0.1
"#;

#[test]
fn the_shell_lines_for_nextflow_make_a_plain_run() {
    let bench = Bench::new(JOB);
    // No .npy file: one unit fails, and the expectation does not hold on any shard.
    bench.write("points.npy", "nothing");
    let (job, out, whole) = (bench.path("job.toml"), bench.path("flow"), bench.path("whole"));
    let plain = tcs(&["run", job.to_str().unwrap(), "--out", whole.to_str().unwrap(), "--progress", "none"]);
    assert_eq!(plain.status.code(), Some(3), "{}", stderr(&plain));
    let merge = bash(&script(1), &job, &out, 0, "");
    assert_eq!(merge.status.code(), Some(2), "no shard is there yet: {}", stderr(&merge));
    for shard in [2, 1, 2] {
        let done = bash(&script(0), &job, &out, shard, "");
        assert_eq!(done.status.code(), Some(0), "codes 3 and 4 come with whole tables: {}", stderr(&done));
    }
    let again = bash(&script(0), &job, &out, 1, "");
    assert!(stderr(&again).contains("reused"), "a shard tried again goes on in the same folder: {}", stderr(&again));
    let wrong = bash(&script(0), &job, &out, 1, "--set job.sede=1");
    assert_eq!(wrong.status.code(), Some(2), "any other code stays: {}", stderr(&wrong));
    let merge = bash(&script(1), &job, &out, 0, "");
    assert_eq!(merge.status.code(), Some(3), "the merged verdict is that of a plain run: {}", stderr(&merge));
    assert_eq!(table_bytes(&out), table_bytes(&whole));
}
