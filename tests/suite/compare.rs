//! `compare`: what counts as a change, what as a regression, and what is said of it.

use super::cli::{Bench, stderr, stdout, tcs};
use super::fixture::{metric, put, unit};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use tcs_batch::report::compare::{Comparison, Settings, Tolerances, compare, json, text};
use tcs_batch::table::{DiagramRecord, ExpectationRecord, FidelityRecord, MetricRecord, UnitRecord, UnitStatus};

/// An output folder in memory.
#[derive(Clone)]
struct Tables {
    units: Vec<UnitRecord>,
    metrics: Vec<MetricRecord>,
    diagrams: Vec<DiagramRecord>,
    fidelity: Vec<FidelityRecord>,
    expectations: Vec<ExpectationRecord>,
    hash: &'static str,
}

impl Tables {
    /// Two units of one dataset, with something of everything.
    fn new() -> Self {
        let units = vec![unit("ring", 0), unit("ring", 1)];
        let of = |unit: &UnitRecord, statistic: &str, value| MetricRecord {
            source: Some("ch0".into()),
            ci_low: Some(0.5),
            p_value: Some(0.25),
            ..metric(unit, "lz76", statistic, "1", value)
        };
        let metrics = units.iter().flat_map(|unit| [of(unit, "value", Some(2.0)), of(unit, "phrases", Some(40.0))]).collect();
        let pair = |unit: &UnitRecord, dim, birth, death| DiagramRecord {
            dataset: "ring".into(),
            unit: unit.unit.clone(),
            persistence: "rips".into(),
            dim,
            birth,
            death,
        };
        let diagram = |unit: &UnitRecord| [pair(unit, 0, 0.0, 1.0), pair(unit, 0, 0.0, f64::INFINITY), pair(unit, 1, 1.0, 5.0)];
        Self {
            diagrams: units.iter().flat_map(diagram).collect(),
            fidelity: vec![score("overall", Some(0.875)), score("power-spectrum", Some(0.75))],
            expectations: vec![expectation(0.5, true), expectation(1.0, false)],
            hash: "aaaa",
            metrics,
            units,
        }
    }
    fn write(&self, out: &Path) {
        std::fs::create_dir_all(out).unwrap();
        put(out, &self.units);
        put(out, &self.metrics);
        put(out, &self.diagrams);
        put(out, &self.fidelity);
        put(out, &self.expectations);
        let manifest = serde_json::json!({ "job": { "name": "demo", "hash": self.hash }, "tool": { "version": "0.1.0" } });
        std::fs::write(out.join("manifest.json"), manifest.to_string()).unwrap();
    }
}

fn score(test: &str, score: Option<f64>) -> FidelityRecord {
    FidelityRecord {
        dataset: "ring".into(),
        reference: "mouse".into(),
        test: test.into(),
        statistic: "score".into(),
        observed: None,
        reference_value: None,
        distance: None,
        ceiling: None,
        score,
        ci_low: None,
        ci_high: None,
    }
}

fn expectation(published: f64, held: bool) -> ExpectationRecord {
    ExpectationRecord {
        metric: "lz76".into(),
        dataset: "ring".into(),
        source: None,
        published: Some(published),
        tolerance: Some(0.1),
        observed: Some(2.0),
        deviation: None,
        held,
    }
}

/// The tables as they were and as they are after `change`, in two folders.
fn folders(change: impl FnOnce(&mut Tables)) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (base, out) = (folder.path().join("base"), folder.path().join("out"));
    let mut tables = Tables::new();
    tables.write(&base);
    change(&mut tables);
    tables.write(&out);
    (folder, base, out)
}

fn compared(named: &[&str], change: impl FnOnce(&mut Tables)) -> Comparison {
    let (_folder, base, out) = folders(change);
    let named: Vec<_> = named.iter().map(|text| text.parse().unwrap()).collect();
    let comparison = compare(&base, &out, &Tolerances::new(&Settings::default(), &Settings { named, ..Settings::default() })).unwrap();
    // Whatever is found can be shown.
    assert!(text(&comparison).lines().count() > 6);
    assert_eq!(json(&comparison)["regression"], comparison.regression());
    comparison
}

/// Equal or not, regression or not.
fn judged(named: &[&str], change: impl FnOnce(&mut Tables)) -> (bool, bool) {
    let comparison = compared(named, change);
    (comparison.equal(), comparison.regression())
}

const EQUAL: (bool, bool) = (true, false);
const CHANGED: (bool, bool) = (false, false);
const WORSE: (bool, bool) = (false, true);

fn run(base: &Path, out: &Path, more: &[&str]) -> Output {
    let mut args = vec!["compare", base.to_str().unwrap(), out.to_str().unwrap()];
    args.extend(more);
    tcs(&args)
}

#[test]
fn values_are_judged_by_their_tolerance() {
    let set = |value: Option<f64>| move |tables: &mut Tables| tables.metrics[2].value = value;
    assert_eq!(judged(&[], |_| ()), EQUAL);
    assert_eq!(judged(&[], set(Some(2.0 + 1.9e-6))), EQUAL, "relative 1e-6 of 2");
    assert_eq!(judged(&[], set(Some(2.0 + 2.1e-6))), WORSE);
    assert_eq!(judged(&["lz76=0.5"], set(Some(2.5))), EQUAL);
    assert_eq!(judged(&["lz76=0.4"], set(Some(2.5))), WORSE);
    assert_eq!(judged(&["lz76=0,relative=0.3"], set(Some(2.5))), EQUAL);
    assert_eq!(judged(&["lz76.value=0.5"], set(Some(2.5))), EQUAL);
    assert_eq!(judged(&["lz76.phrases=0.5"], set(Some(2.5))), WORSE);
    assert_eq!(judged(&["lz76=9"], set(None)), WORSE, "null is no number, whatever the tolerance");
    assert_eq!(judged(&[], |tables| tables.metrics[0].p_value = Some(0.01)), WORSE);
    assert_eq!(judged(&[], |tables| tables.metrics[0].ci_high = Some(0.01)), WORSE);
    assert_eq!(judged(&[], |tables| tables.units[0].seconds = 99.0), EQUAL, "timings are not compared");
}

#[test]
fn rows_are_joined_on_their_keys_wherever_they_stand() {
    assert_eq!(judged(&[], |tables| tables.metrics.reverse()), EQUAL);
    let gone = compared(&[], |tables| drop(tables.metrics.remove(1)));
    assert!(gone.regression());
    assert_eq!((gone.missing.len(), gone.missing[0].text("statistic"), gone.missing[0].text("unit")), (1, "phrases", "ring/w0000"));
    let new = compared(&[], |tables| {
        let row = MetricRecord { source: None, ..tables.metrics[0].clone() };
        tables.metrics.push(row);
    });
    assert!(!new.equal() && !new.regression());
    assert_eq!((new.new.len(), &new.new[0].columns["source"]), (1, &Value::Null));
    let volt = compared(&[], |tables| tables.metrics[0].unit_of_measure = "V".into());
    assert_eq!((volt.missing.len(), volt.new.len(), volt.regression()), (1, 1, true), "another unit of measure is another row");
}

#[test]
fn a_key_that_occurs_twice_is_compared_in_order() {
    let twice = |second: f64| {
        let folder = tempfile::tempdir().unwrap();
        let mut tables = Tables::new();
        let row = MetricRecord { value: Some(3.0), ..tables.metrics[0].clone() };
        tables.metrics.push(row);
        tables.write(&folder.path().join("base"));
        tables.metrics[4].value = Some(second);
        tables.write(&folder.path().join("out"));
        compare(&folder.path().join("base"), &folder.path().join("out"), &Tolerances::default()).unwrap()
    };
    assert!(twice(3.0).equal());
    let changed = twice(4.0);
    assert_eq!((changed.metric_changes, changed.largest[0].base, changed.largest[0].out), (1, Some(3.0), Some(4.0)));
    let one_left = compared(&[], |tables| {
        let row = tables.metrics[0].clone();
        tables.metrics.push(row);
    });
    assert_eq!((one_left.new.len(), one_left.missing.len()), (1, 0));
}

#[test]
fn the_ten_largest_changes_come_by_relative_size() {
    let comparison = compared(&[], |tables| {
        tables.metrics[0].value = Some(3.0);
        tables.metrics[1].value = Some(41.0);
        tables.metrics[2].value = None;
        for row in &mut tables.metrics {
            row.ci_low = Some(0.5 * 1.125);
            row.p_value = Some(0.25 * 1.25);
        }
    });
    let order: Vec<Option<f64>> = comparison.largest.iter().map(tcs_batch::report::compare::Change::relative).collect();
    let some = |list: &[f64]| list.iter().copied().map(Some).collect::<Vec<_>>();
    assert_eq!(order, [vec![None], some(&[0.5, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.125])].concat());
    assert_eq!(comparison.metric_changes, 11);
    assert_eq!(comparison.counts[1].1.changed, 4, "rows, not numbers");
}

#[test]
fn units_scores_and_expectations_have_a_better_and_a_worse() {
    let status = |status| move |tables: &mut Tables| tables.units[1].status = status;
    assert_eq!(judged(&[], status(UnitStatus::Failed)), WORSE);
    assert_eq!(judged(&[], status(UnitStatus::Skipped)), WORSE);
    assert_eq!(judged(&[], |tables| drop(tables.units.pop())), WORSE);
    assert_eq!(judged(&[], |tables| tables.units.push(unit("ring", 2))), CHANGED);
    let scored = |value| move |tables: &mut Tables| tables.fidelity[0].score = value;
    assert_eq!(judged(&[], scored(Some(0.8))), WORSE);
    assert_eq!(judged(&[], scored(None)), WORSE);
    assert_eq!(judged(&[], scored(Some(0.9))), CHANGED);
    assert_eq!(judged(&["fidelity.overall=0.1"], scored(Some(0.8))), EQUAL);
    assert_eq!(judged(&["fidelity=0.1"], scored(Some(0.8))), EQUAL);
    assert_eq!(judged(&["fidelity.power-spectrum=0.1"], scored(Some(0.8))), WORSE);
    assert_eq!(judged(&[], |tables| tables.expectations[0].held = false), WORSE);
    assert_eq!(judged(&[], |tables| tables.expectations[1].held = true), CHANGED);
    assert_eq!(judged(&[], |tables| drop(tables.expectations.remove(0))), WORSE);
    assert_eq!(judged(&[], |tables| tables.expectations.insert(0, expectation(7.0, false))), CHANGED);
}

#[test]
fn diagrams_are_compared_by_bottleneck_distance() {
    let moved = |death| move |tables: &mut Tables| tables.diagrams[2].death = death;
    let comparison = compared(&[], moved(4.5));
    assert_eq!((comparison.diagrams.len(), comparison.diagrams[0].distance), (1, 0.5));
    assert_eq!(judged(&[], moved(5.0 + 1e-6)), EQUAL);
    assert_eq!(judged(&["persistence.rips.diagram=0.5"], moved(4.5)), EQUAL);
    assert_eq!(judged(&[], |tables| tables.diagrams.reverse()), EQUAL);
    let emptied = compared(&[], |tables| drop(tables.diagrams.remove(2)));
    assert_eq!((emptied.diagrams[0].distance, emptied.diagrams[0].pairs), (2.0, [1, 0]), "to the diagonal");
    assert!(emptied.missing.is_empty());
    let immortal = compared(&["persistence.rips.diagram=99"], moved(f64::INFINITY));
    assert_eq!(immortal.diagrams[0].distance, f64::INFINITY);
    assert_eq!(json(&immortal)["diagrams"][0]["bottleneck"], "inf");
    let gone = compared(&[], |tables| tables.diagrams.retain(|row| row.unit != "ring/w0001"));
    assert_eq!((gone.missing.len(), gone.diagrams.len(), gone.regression()), (2, 0, true));
    let all_gone = compared(&["persistence.rips.diagram=1", "fidelity.overall=1"], |tables| {
        tables.diagrams.clear();
        tables.fidelity.clear();
    });
    assert_eq!((all_gone.counts[2].1.missing, all_gone.counts[3].1.missing), (4, 2), "what has a tolerance may be gone from one folder");
}

#[test]
fn empty_tables_are_equal_and_a_filled_one_is_new() {
    let empty = |tables: &mut Tables| {
        tables.metrics.clear();
        tables.diagrams.clear();
        tables.fidelity.clear();
        tables.expectations.clear();
    };
    let folder = tempfile::tempdir().unwrap();
    let [a, b, full] = ["a", "b", "full"].map(|name| folder.path().join(name));
    let mut tables = Tables::new();
    tables.write(&full);
    empty(&mut tables);
    tables.write(&a);
    tables.write(&b);
    assert!(compare(&a, &b, &Tolerances::default()).unwrap().equal());
    let filled = compare(&a, &full, &Tolerances::default()).unwrap();
    assert!(!filled.regression() && filled.counts[1].1.new == 4 && filled.counts[2].1.new == 4);
    assert!(compare(&full, &a, &Tolerances::default()).unwrap().regression());
}

#[test]
fn a_hundred_thousand_rows_are_compared() {
    let rows = |tables: &mut Tables, shift: f64| {
        let unit = tables.units[0].clone();
        tables.metrics = (0..100_000)
            .map(|at| MetricRecord {
                source: Some(format!("ch{}", at % 1000)),
                target: Some(format!("ch{}", at / 1000)),
                ..metric(&unit, "transfer-entropy", "value", "bit", Some(1.0 + f64::from(at) + if at % 1000 == 7 { shift } else { 0.0 }))
            })
            .collect();
    };
    let folder = tempfile::tempdir().unwrap();
    let [base, out] = ["base", "out"].map(|name| folder.path().join(name));
    let mut tables = Tables::new();
    rows(&mut tables, 0.0);
    tables.write(&base);
    rows(&mut tables, 1.0);
    tables.metrics.reverse();
    tables.write(&out);
    let comparison = compare(&base, &out, &Tolerances::default()).unwrap();
    assert_eq!((comparison.counts[1].1.compared, comparison.metric_changes), (100_000, 100));
    let expected: Vec<f64> = (0..10).map(|at| f64::from(8 + 1000 * at)).collect();
    let found: Vec<f64> = comparison.largest.iter().map(|change| change.base.unwrap()).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_page_says_what_changed() {
    let (_folder, base, out) = folders(|tables| {
        tables.hash = "bbbb";
        tables.metrics[0].value = Some(2.5);
        tables.metrics[3].value = None;
        tables.metrics[3].unit_of_measure = "bit".into();
        tables.units[1].status = UnitStatus::Failed;
        tables.units[1].error = Some("the window is too short".into());
        tables.expectations[0].held = false;
        tables.fidelity[0].score = Some(0.5);
        tables.diagrams[2].death = 4.5;
    });
    let output = run(&base, &out, &[]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let page = stdout(&output).replace(base.parent().unwrap().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(page, @r"
    base  DIR/base
    out   DIR/out
    tolerance: absolute 1e-9 (default), relative 1e-6 (default)
    note: the jobs differ: aaaa and bbbb

    table         compared  changed  worse  missing  new
    units                2        1      1        0    0
    metrics              3        1      1        1    1
    diagrams             4        1      1        0    0
    fidelity             2        1      1        0    0
    expectations         2        1      1        0    0

    largest changes (1 of 1)
    unit        statistic   channel  column  base  out  change  relative
    ring/w0000  lz76.value  ch0      value      2  2.5     0.5      0.25

    diagrams changed: 1
      ring/w0000  rips H1: bottleneck distance 0.5, 1 pair before and 1 now

    fidelity scores changed: 1
      ring against mouse, overall: 0.875 before and 0.5 now (lower)

    expectations changed: 1
      lost: lz76 of ring, 2 before and 2 now

    units changed: 1
      ring/w0001 was done and is failed: the window is too short

    rows missing: 1
      metrics: ring/w0001  lz76  phrases  ch0

    rows new: 1
      metrics: ring/w0001  lz76  phrases  ch0  [bit]

    regression
    ");
}

#[test]
fn exit_codes_and_json() {
    let (_folder, base, out) = folders(|tables| tables.metrics[0].value = Some(2.5));
    assert_eq!(run(&base, &base, &[]).status.code(), Some(0));
    assert_eq!(run(&base, &out, &[]).status.code(), Some(4));
    assert_eq!(run(&base, &out, &["--absolute", "0.5"]).status.code(), Some(0));
    assert_eq!(run(&base, &out, &["--relative", "0.25"]).status.code(), Some(0));
    assert_eq!(run(&base, &out, &["--tolerance", "lz76.value=0.5"]).status.code(), Some(0));
    let quiet = run(&base, &out, &["-q"]);
    assert_eq!((quiet.status.code(), quiet.stdout.len()), (Some(4), 0));
    let output = run(&base, &out, &["--json"]);
    assert_eq!(output.status.code(), Some(4));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["equal"], &found["regression"]), (&Value::Bool(false), &Value::Bool(true)));
    assert_eq!(found["counts"]["metrics"], serde_json::json!({"compared": 4, "changed": 1, "worse": 1, "missing": 0, "new": 0}));
    let change = serde_json::json!({
        "dataset": "ring", "unit": "ring/w0000", "metric": "lz76", "statistic": "value", "source": "ch0", "target": null, "unit_of_measure": "1",
        "column": "value", "base": 2.0, "out": 2.5, "absolute": 0.5, "relative": 0.25, "regression": true,
    });
    assert_eq!(found["largest"], Value::Array(vec![change]));
    for part in ["missing", "new", "units", "expectations", "fidelity", "diagrams", "notes"] {
        assert_eq!(found[part], Value::Array(vec![]), "{part}");
    }
}

#[test]
fn what_cannot_be_compared_is_one_line() {
    let (folder, base, out) = folders(|_| ());
    let [empty, broken] = ["empty", "broken"].map(|name| folder.path().join(name));
    std::fs::create_dir(&empty).unwrap();
    Tables::new().write(&broken);
    std::fs::write(broken.join("metrics.parquet"), "no Parquet").unwrap();
    let without = folder.path().join("without");
    Tables::new().write(&without);
    std::fs::remove_file(without.join("manifest.json")).unwrap();
    let cases: [(&Path, &[&str], &str); 8] = [
        (&empty, &[], "holds no manifest.json"),
        (&without, &[], "holds no manifest.json"),
        (Path::new("/nowhere/at/all"), &[], "holds no manifest.json"),
        (&broken, &[], "is not a `metrics.parquet`"),
        (&out, &["--tolerance", "lz67=0.1"], "did you mean `lz76`?"),
        (&out, &["--tolerance", "lz76"], "write METRIC=X"),
        (&out, &["--absolute", "-1"], "0 or more"),
        (&out, &["--relative", "nan"], "0 or more"),
    ];
    for (out, more, message) in cases {
        let output = run(&base, out, more);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(stderr(&output).contains(message), "{message}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("error: ") && output.stdout.is_empty(), "{}", stderr(&output));
        if more.is_empty() {
            assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        }
    }
}

#[test]
fn two_runs_of_a_job_are_equal_and_another_parameter_is_seen() {
    let bench = Bench::new(
        r#"schema_version = 1
[job]
name = "two"
seed = 3
[[dataset]]
id = "map"
format = "simulate"
model = "henon"
params = { samples = 600 }
[embedding]
method = "takens"
dimension = 2
delay = 1
[persistence]
max_dim = 1
max_points = 60
[[metric]]
kind = "lz76"
"#,
    );
    let job = bench.path("job.toml");
    let folders = ["one", "two", "three"].map(|name| bench.path(name));
    let change = ["--set", "dataset.0.params.a=1.2"];
    for (out, more) in folders.iter().zip([&[][..], &[], &change]) {
        let mut args = vec!["run", job.to_str().unwrap(), "--out", out.to_str().unwrap(), "--progress", "none"];
        args.extend(more);
        let output = tcs(&args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let [one, two, three] = &folders;
    let same = run(one, two, &["--absolute", "0", "--relative", "0"]);
    assert_eq!(same.status.code(), Some(0), "{}", stdout(&same));
    assert!(stdout(&same).ends_with("\nequal within tolerance\n"), "{}", stdout(&same));
    let output = run(one, three, &["--json"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["notes"][0].as_str().unwrap().starts_with("the jobs differ: "), "{found:#}");
    assert!(found["counts"]["metrics"]["changed"].as_u64().unwrap() > 0 && !found["diagrams"].as_array().unwrap().is_empty());
}
