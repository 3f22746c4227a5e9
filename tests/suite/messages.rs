//! What is said about a wrong job file and about bad data: place, cause, remedy; the right exit code; never a panic.

use super::cli::{Bench, root, rows, stderr, tcs};
use tcs_batch::table::{MetricRecord, UnitRecord, UnitStatus};

/// What `check` says about a job, with the folder's name taken out.
fn said(bench: &Bench, more: &[&str]) -> String {
    let job = bench.path("job.toml");
    let mut args = vec!["check", job.to_str().unwrap()];
    args.extend(more);
    let output = tcs(&args);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    stderr(&output).replace(bench.folder.path().to_str().unwrap(), "DIR").trim_end().to_owned()
}

const HEAD: &str = "schema_version = 1\n[job]\nname = \"x\"\n";

#[test]
fn a_job_file_with_many_mistakes_shows_all_of_them() {
    let bench = Bench::new(&format!(
        r#"{HEAD}sede = 3
[[dataset]]
id = "a"
source = "a.csv"
bin_s = 0.1
sampling_rate_hz = "fast"
[[dataset]]
id = "a"
source = "missing.npy"
[[metric]]
kind = "lz67"
[[metric]]
kind = "pci"
[[expect]]
metric = "lz76"
dataset = "b"
value = 1.0
"#
    ));
    bench.write("a.csv", "x,y\n1,2\n");
    insta::assert_snapshot!(said(&bench, &[]), @r#"
    error: DIR/job.toml:4:1: unknown key `sede` in [job]; did you mean `seed`?
      |
    4 | sede = 3
      | ^^^^
    error: DIR/job.toml:8:9: `bin_s` goes with `signal = "spikes"`, not with "series"
      |
    8 | bin_s = 0.1
      |         ^^^
    error: DIR/job.toml:9:20: `sampling_rate_hz` must be a number, not a string
      |
    9 | sampling_rate_hz = "fast"
      |                    ^^^^^^
    error: DIR/job.toml:12:10: there is no file DIR/missing.npy; paths are relative to the job file
       |
    12 | source = "missing.npy"
       |          ^^^^^^^^^^^^^
    error: DIR/job.toml:14:8: `kind` cannot be "lz67"; did you mean `lz76`?
       |
    14 | kind = "lz67"
       |        ^^^^^^
    error: DIR/job.toml:15:1: `pci` needs `baseline_s`; add `baseline_s = [from, to]` in seconds from the event, or `ready = true` for a binary matrix
       |
    15 | [[metric]]
       | ^^^^^^^^^^
    error: DIR/job.toml:15:1: `pci` needs `response_s`; add `response_s = [from, to]` in seconds from the event, or `ready = true` for a binary matrix
       |
    15 | [[metric]]
       | ^^^^^^^^^^
    error: DIR/job.toml:17:1: [[expect]] needs `tolerance` or `relative` beside `value`
       |
    17 | [[expect]]
       | ^^^^^^^^^^
    error: DIR/job.toml:18:10: the job computes no `lz76`
       |
    18 | metric = "lz76"
       |          ^^^^^^
    error: DIR/job.toml:19:11: there is no dataset `b`; did you mean `a`?
       |
    19 | dataset = "b"
       |           ^^^
    "#);
}

#[test]
fn syntax_errors_and_encodings_have_a_place() {
    let bench = Bench::new("schema_version = 1\n[job\nname = 3\n");
    insta::assert_snapshot!(said(&bench, &[]), @r"
    error: DIR/job.toml:2:5: unclosed table, expected `]`
      |
    2 | [job
      |     ^
    ");
    bench.write("job.toml", b"schema_version = 1\n[job]\nname = \"caf\xe9\"\n");
    insta::assert_snapshot!(said(&bench, &[]), @"error: DIR/job.toml:3:12: byte 0xe9 is not UTF-8; save the job file as UTF-8 (it looks like latin-1)");
    bench.write("job.toml", "schema_version = 9\n[job]\nname = \"x\"\n");
    insta::assert_snapshot!(said(&bench, &[]), @r"
    error: DIR/job.toml:1:18: schema_version 9 is not known; this version reads 1
      |
    1 | schema_version = 9
      |                  ^
    ");
}

#[test]
fn impossible_combinations_are_refused() {
    let bench = Bench::new("");
    bench.write("p.npy", npy_of(&[0.0, 0.0, 1.0, 0.0], 2));
    bench.write("s.csv", "x\n1\n2\n3\n");
    let cases = [
        ("id = \"p\"\nsource = \"p.npy\"\nsignal = \"points\"\nwindow = { length_s = 1.0 }", "points and distances have no windows"),
        ("id = \"p\"\nsource = \"p.npy\"\nsignal = \"points\"\nbin_s = 0.1", "`bin_s` goes with `signal = \"spikes\"`"),
        ("id = \"s\"\nsource = \"s.csv\"\nunits = { quality = \"good\" }", "`units` goes with `signal = \"spikes\"`"),
        ("id = \"s\"\nsource = \"s.csv\"\nmodel = \"poisson\"", "`source` does not go with `format = \"simulate\"`"),
        ("id = \"s\"\nformat = \"simulate\"\nmodel = \"poison\"", "did you mean `poisson`?"),
        ("id = \"s\"\nformat = \"simulate\"\nmodel = \"poisson\"\nparams = { neurons = 0 }", "`neurons` must be 1 or more"),
        ("id = \"s\"\nsource = \"https://me:pw@x/y.nwb\"", "user name or password"),
        (
            "id = \"s\"\nsource = \"s.csv\"\nwindow = { length_s = 1.0, around = \"trials\", from_s = 0.0, to_s = 1.0 }",
            "`length_s` does not go with `around`",
        ),
        ("id = \"s\"\nsource = \"s.csv\"\ncontrol = \"isi-shuffle\"", "`control = \"isi-shuffle\"` does not go with"),
        ("id = \"s\"\nsource = \"s.csv\"\nsignal = \"text\"", "not available yet"),
        ("id = \"s\"\nsource = \"none-*.csv\"", "no file matches"),
        ("id = \"p\"\nsource = \"p.npy\"", "does not say its sampling rate"),
        ("id = \"s\"\nsource = \"s.csv\"\nsampling_rate_hz = 100.0\nbandpass_hz = [1.0, 80.0]", "half the sampling rate is 50 Hz"),
        ("id = \"s\"\nsource = \"s.csv\"\n[fidelity]\nreference = \"s\"", "[fidelity] has no candidate"),
        (
            "id = \"s\"\nsource = \"s.csv\"\n[[metric]]\nkind = \"lz76\"\n[[expect]]\nmetric = \"lz76\"\nstatistic = \"phrase\"\nvalue = 1.0\ntolerance = 1.0",
            "did you mean `phrases`?",
        ),
    ];
    for (dataset, message) in cases {
        bench.write("job.toml", format!("{HEAD}[[dataset]]\n{dataset}\n"));
        let found = said(&bench, &[]);
        assert!(found.contains(message), "{dataset}\n{found}");
        assert!(found.starts_with("error: DIR/job.toml:"), "{found}");
    }
}

#[test]
fn two_embeddings_with_nothing_to_choose_by_are_an_error() {
    let bench = Bench::new(&format!(
        "{HEAD}[[dataset]]\nid = \"s\"\nformat = \"simulate\"\nmodel = \"lorenz\"\n[[embedding]]\nmethod = \"pca\"\n[[embedding]]\nmethod = \"takens\"\n[persistence]\nmax_dim = 1\n"
    ));
    insta::assert_snapshot!(said(&bench, &[]), @r#"
    error: DIR/job.toml:12:1: [persistence] could be on `pca` or `takens` of dataset `s`; say which: `on = "NAME"` or `on = "signal"`
       |
    12 | [persistence]
       | ^^^^^^^^^^^^^
    "#);
}

#[test]
fn overrides_are_judged_like_the_file() {
    let bench = Bench::new(&format!("{HEAD}[[dataset]]\nid = \"s\"\nformat = \"simulate\"\nmodel = \"lorenz\"\n"));
    insta::assert_snapshot!(said(&bench, &["--set", "run.workers=many", "--set", "job.naem=\"y\""]), @r#"
    error: --set run.workers=many: `workers` must be a whole number, not a string
    error: --set job.naem="y": unknown key `naem` in [job]; did you mean `name`?
    "#);
    insta::assert_snapshot!(said(&bench, &["--set", "dataset.3.id=\"y\""]), @r#"error: --set dataset.3.id="y": there is no entry 3: the list has 1; write --set path.to.key=value, entries of a list by number from 0: metric.0.k=3"#);
}

/// A float64 .npy of rows of `columns` values.
fn npy_of(values: &[f64], columns: usize) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, {columns}), }}", values.len() / columns);
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Runs one bad dataset beside a good one; the good one must come out whole.
fn beside_a_good_one(dataset: &str, files: &[(&str, Vec<u8>)]) -> (Option<i32>, UnitRecord, String) {
    let job = format!(
        "{HEAD}[[dataset]]\nid = \"good\"\nformat = \"simulate\"\nmodel = \"poisson\"\nparams = {{ neurons = 2, duration_s = 20.0 }}\n\
         [[dataset]]\nid = \"bad\"\n{dataset}\n[[metric]]\nkind = \"lz76\"\n[persistence]\nmax_points = 30\n"
    );
    let bench = Bench::new(&job);
    for (name, bytes) in files {
        bench.write(name, bytes);
    }
    let output = bench.run(&["--set", "run.retries=0"]);
    let units = rows::<UnitRecord>(&bench.out());
    assert_eq!(units[0].status, UnitStatus::Done, "{}", stderr(&output));
    assert!(rows::<MetricRecord>(&bench.out()).iter().any(|row| row.dataset == "good" && row.value.is_some()));
    let error = units[1].error.clone().unwrap_or_default().replace(bench.folder.path().to_str().unwrap(), "DIR");
    (output.status.code(), units[1].clone(), error)
}

#[test]
fn bad_data_are_one_line_with_a_remedy() {
    let sample = std::fs::read(root().join("datasets/samples/A8604-211122.nwb")).unwrap();
    let rate = "sampling_rate_hz = 10.0";
    let csv = |text: &str| vec![("x.csv", text.as_bytes().to_vec())];
    type Files = Vec<(&'static str, Vec<u8>)>;
    let cases: [(&str, &str, Files); 9] = [
        ("source = \"x.nwb\"", "not-hdf5", vec![("x.nwb", b"not an HDF5 file at all".to_vec())]),
        ("source = \"x.nwb\"", "truncated", vec![("x.nwb", sample[..sample.len() / 2].to_vec())]),
        (&format!("source = \"x.csv\"\n{rate}"), "bad-value", csv("a,b\n1,2\n3,four\n")),
        (&format!("source = \"x.csv\"\n{rate}"), "not-finite", csv("a,b\n1,2\n3,nan\n")),
        (&format!("source = \"x.npy\"\n{rate}"), "not-finite", vec![("x.npy", npy_of(&[1.0, f64::NAN], 1))]),
        (&format!("source = \"x.csv\"\n{rate}"), "bad-value", csv("")),
        ("source = \"x.csv\"", "bad-value", csv("a\n1\n2\n")),
        (&format!("source = \"x.csv\"\n{rate}\nwindow = {{ length_s = 1.0, start_s = 50.0 }}"), "outside", csv(&"1\n".repeat(100))),
        ("source = \"x.csv\"\nsignal = \"distances\"", "bad-value", csv("0,1\n2,0\n")),
    ];
    for (dataset, kind, files) in cases {
        let (code, unit, error) = beside_a_good_one(dataset, &files);
        assert_eq!(code, Some(3), "{dataset}: {error}");
        assert_eq!(unit.error_kind.as_deref(), Some(kind), "{dataset}: {error}");
        assert!(!error.is_empty() && error.lines().count() == 1 && error.len() < 400, "{dataset}: {error}");
    }
}

#[test]
fn an_nwb_file_without_units_lists_what_it_holds() {
    let bytes = std::fs::read(root().join("tests/data/nwb/packed_rat_hpc_lfp_hc2.nwb")).unwrap();
    let (code, unit, error) = beside_a_good_one("source = \"x.nwb\"\nsignal = \"spikes\"", &[("x.nwb", bytes)]);
    assert_eq!((code, unit.error_kind.as_deref()), (Some(3), Some("no-units")));
    assert!(error.contains("/processing/ecephys/LFP/LFP"), "{error}");
}

#[test]
fn degenerate_data_give_null_and_the_reason() {
    let (code, unit, error) =
        beside_a_good_one("source = \"x.csv\"\nsampling_rate_hz = 10.0", &[("x.csv", "5\n".repeat(100).into_bytes())]);
    assert_eq!((code, unit.status), (Some(0), UnitStatus::Done), "{error}");
    assert_eq!(unit.error_kind.as_deref(), Some("undefined"));
    assert!(error.contains("lz76 value"), "{error}");
    let (code, unit, error) = beside_a_good_one("source = \"x.npy\"\nsignal = \"points\"", &[("x.npy", npy_of(&[1.0, 2.0], 2))]);
    assert_eq!((code, unit.status), (Some(0), UnitStatus::Done), "{error}");
    assert!(error.contains("ratio_h1"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_says_so() {
    let bench = Bench::new(&format!("{HEAD}[[dataset]]\nid = \"s\"\nformat = \"simulate\"\nmodel = \"poisson\"\n"));
    bench.write("file", "in the way");
    let (job, out) = (bench.path("job.toml"), bench.path("file/out"));
    let output = tcs(&["run", job.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot write the results") && stderr(&output).contains("--out"));
}

#[test]
fn settings_that_no_data_could_satisfy_are_failed_units() {
    let data: String = (0..500).map(|k| format!("{},{}\n", (k * 7919) % 13, (k * 104_729) % 17)).collect();
    for (metric, message) in [
        ("kind = \"transfer-entropy\"\npairs = [[\"zz\", \"a\"]]", "there is no channel `zz` in `pairs`"),
        ("kind = \"transfer-entropy\"\nlag = 5000", "need 5002 samples or more"),
        ("kind = \"power-spectrum\"\nsegment_s = 100.0", "`segment_s` is 100 s, but the window has 5 s"),
        ("kind = \"power-spectrum\"\nfit_range_hz = [10.0, 500.0]", "beyond half the sampling rate"),
    ] {
        let bench = Bench::new(&format!(
            "{HEAD}[[dataset]]\nid = \"s\"\nsource = \"s.csv\"\nsampling_rate_hz = 100.0\n[[metric]]\n{metric}\n[[metric]]\nkind = \"lz76\"\n"
        ));
        bench.write("s.csv", format!("a,b\n{data}"));
        let output = bench.run(&[]);
        assert_eq!(output.status.code(), Some(3), "{metric}: {}", stderr(&output));
        assert!(stderr(&output).contains(message), "{metric}: {}", stderr(&output));
        assert!(rows::<MetricRecord>(&bench.out()).iter().any(|row| row.metric == "lz76" && row.value.is_some()), "the other metric stays");
    }
}
