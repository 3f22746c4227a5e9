//! `jobs/papers/*.toml`: published results, computed again; every expectation must hold.

use super::cli::{root, rows, stderr, tcs};
use tcs_batch::table::ExpectationRecord;

#[test]
fn published_results_hold() {
    let mut jobs: Vec<_> = std::fs::read_dir(root().join("jobs/papers")).unwrap().map(|entry| entry.unwrap().path()).collect();
    jobs.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    jobs.sort();
    assert!(jobs.len() >= 5, "{jobs:?}");
    for job in jobs {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let output = tcs(&["run", job.to_str().unwrap(), "--out", out.to_str().unwrap(), "--progress", "none"]);
        assert_eq!(output.status.code(), Some(0), "{}: {}", job.display(), stderr(&output));
        let expectations: Vec<ExpectationRecord> = rows(&out);
        assert!(!expectations.is_empty() && expectations.iter().all(|row| row.held && row.source.is_some()), "{expectations:?}");
    }
}

/// Stimuli every two seconds, each followed by a wave of its own in every channel: an index over all trials together.
#[test]
fn trials_of_a_recording_give_one_index() {
    let (python, folder) = (std::env::var("TCS_PYTHON").unwrap_or_else(|_| "python3".into()), tempfile::tempdir().unwrap());
    let script = r#"
import h5py, numpy as np, sys
rng = np.random.default_rng(5)
rate, n_trials, n_channels = 250.0, 30, 6
n = int(rate * (2 * n_trials + 2))
x = rng.normal(size=(n, n_channels))
starts = 2.0 * np.arange(n_trials) + 1.0
t = np.arange(75) / rate
for start in starts:
    for c in range(n_channels):
        x[int(start * rate) + np.arange(75), c] += 6 * np.exp(-t / 0.08) * np.sin(2 * np.pi * (4 + 3 * c) * t + c)
with h5py.File(sys.argv[1], "w") as f:
    f.attrs.update(nwb_version="2.6.0", neurodata_type="NWBFile", namespace="core")
    f["identifier"] = "trials"
    f["session_start_time"] = "2020-01-01T00:00:00+00:00"
    for g in ("acquisition", "processing", "general"):
        f.create_group(g)
    e = f.create_group("acquisition/eeg")
    e.attrs.update(neurodata_type="TimeSeries", namespace="core")
    d = e.create_dataset("data", data=x)
    d.attrs.update(unit="V", conversion=1.0, resolution=-1.0)
    s = e.create_dataset("starting_time", data=0.0)
    s.attrs.update(rate=rate, unit="seconds")
    g = f.create_group("intervals/trials")
    g.attrs["neurodata_type"] = "TimeIntervals"
    g.attrs["colnames"] = np.array(["start_time", "stop_time"], dtype=h5py.string_dtype())
    g["start_time"], g["stop_time"], g["id"] = starts, starts + 1.0, np.arange(n_trials)
"#;
    let file = folder.path().join("trials.nwb");
    let made = std::process::Command::new(python).args(["-c", script, file.to_str().unwrap()]).status().unwrap();
    assert!(made.success(), "Python with h5py is needed (TCS_PYTHON)");
    let job = |more: &str| {
        let text = format!(
            r#"schema_version = 1
[job]
name = "trials"
seed = 3
[[dataset]]
id = "tms"
source = "trials.nwb"
signal = "series"
window = {{ around = "intervals/trials", column = "start_time", from_s = -0.6, to_s = 0.5 }}
[[metric]]
kind = "pci"
baseline_s = [-0.5, -0.05]
response_s = [0.0, 0.3]
[[metric]]
kind = "pci-st"
{more}"#
        );
        std::fs::write(folder.path().join("job.toml"), text).unwrap();
        let out = folder.path().join("out");
        let (file, out_text) = (folder.path().join("job.toml"), out.to_str().unwrap().to_owned());
        let output = tcs(&["run", file.to_str().unwrap(), "--out", &out_text, "--progress", "none"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        rows::<tcs_batch::table::MetricRecord>(&out)
    };
    let found = job("");
    assert!(found.iter().all(|row| row.unit == "tms/trials-together"), "{found:?}");
    let value = |metric: &str| found.iter().find(|row| row.metric == metric && row.statistic == "value").and_then(|row| row.value).unwrap();
    assert!((0.1..1.5).contains(&value("pci")), "{}", value("pci"));
    assert!(value("pci-st") > 1.0);
    // With a metric of single trials beside it, those are units too, and the index stays what it was.
    let both = job("[[metric]]\nkind = \"lz76\"\n");
    let units = |metric: &str| {
        both.iter().filter(|row| row.metric == metric).map(|row| row.unit.as_str()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!((units("lz76").len(), units("pci").len()), (30, 1));
    assert_eq!(both.iter().find(|row| row.metric == "pci").and_then(|row| row.value), Some(value("pci")));
}
