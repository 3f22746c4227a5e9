//! `[compare]` of the job file, and tables that other programs wrote: what `compare` makes of them.

use super::cli::{Bench, stderr, stdout, table_bytes, tcs};
use super::fixture::{metric, put, unit};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, Int64Array, LargeStringArray, NullArray, RecordBatch, StringArray,
};
use arrow_schema::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use tcs_batch::table::MetricRecord;

/// An output with two rows of `lz76`, made by a job of this text.
fn output(out: &Path, values: [f64; 2], job: &str, overrides: &[&str]) {
    std::fs::create_dir_all(out).unwrap();
    let unit = unit("ring", 0);
    let row = |statistic, value| metric(&unit, "lz76", statistic, "1", Some(value));
    put(out, &[row("value", values[0]), row("phrases", values[1])]);
    put(out, &[unit]);
    let job = json!({ "name": "demo", "hash": "aaaa", "text": job, "overrides": overrides });
    std::fs::write(out.join("manifest.json"), json!({ "schema_version": 1, "job": job }).to_string()).unwrap();
}

fn compare(base: &Path, out: &Path, more: &[&str]) -> Output {
    tcs(&[&["compare", base.to_str().unwrap(), out.to_str().unwrap()], more].concat())
}

#[test]
fn the_job_file_gives_tolerances_and_the_command_line_wins() {
    let folder = tempfile::tempdir().unwrap();
    let [base, out] = ["base", "out"].map(|name| folder.path().join(name));
    let entry = "[[compare.tolerance]]\nmetric = \"lz76\"\nstatistic = \"value\"\nabsolute = 0.3\n";
    // Values 1.0 and 10.0 before, 1.25 and 10.5 now.
    for (job, overrides, typed, code) in [
        ("", &[][..], &[][..], 4),
        ("[compare]\nrelative = 0.25", &[], &[], 0),
        ("[compare]\nabsolute = 0.5", &[], &[], 0),
        ("[compare]\nrelative = 0.1", &[], &[], 4),
        ("[compare]\nrelative = 0.1", &["compare.relative=0.3"], &[], 0),
        ("[compare]\nrelative = 0.25", &[], &["--relative", "0"], 4),
        (entry, &[], &[], 4),
        (entry, &[], &["--tolerance", "lz76.phrases=1"], 0),
        (entry, &[], &["--relative", "0.05"], 0),
        (entry, &[], &["--tolerance", "lz76=0.5"], 0),
        (entry, &[], &["--tolerance", "lz76=0.2"], 4),
        ("[[compare.tolerance]]\nmetric = \"not-there\"\nrelative = 1", &[], &["--absolute", "0.5"], 0),
    ] {
        output(&base, [1.0, 10.0], "[compare]\nrelative = 9", &[]);
        output(&out, [1.25, 10.5], job, overrides);
        let found = compare(&base, &out, typed);
        assert_eq!(found.status.code(), Some(code), "{job} {overrides:?} {typed:?}: {}{}", stdout(&found), stderr(&found));
    }
    output(&out, [1.25, 10.5], &format!("[compare]\nrelative = 0.05\n{entry}"), &[]);
    let page = stdout(&compare(&base, &out, &["--absolute", "0"]));
    assert!(page.contains("tolerance: absolute 0 (command line), relative 0.05 (job file)\n"), "{page}");
    assert!(page.contains("tolerance of lz76.value: absolute 0.3, relative 0.05 (job file)\n"), "{page}");
    let found: Value = serde_json::from_slice(&compare(&base, &out, &["--json"]).stdout).unwrap();
    let tolerances = json!({
        "absolute": 1e-9, "absolute_from": "default", "relative": 0.05, "relative_from": "job file",
        "named": [{ "name": "lz76.value", "absolute": 0.3, "relative": 0.05, "from": "job file" }],
    });
    assert_eq!(found["tolerances"], tolerances);
}

#[test]
fn a_manifest_whose_job_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let [base, out] = ["base", "out"].map(|name| folder.path().join(name));
    output(&base, [1.0, 10.0], "", &[]);
    for (job, message) in [
        ("[compare]\nrelativ = 1", "job.text:2:1: unknown key `relativ` in [compare]; did you mean `relative`?"),
        ("[compare", "job.text:1:"),
    ] {
        output(&out, [1.0, 10.0], job, &[]);
        let found = compare(&base, &out, &[]);
        assert_eq!((found.status.code(), stdout(&found)), (Some(2), String::new()));
        assert!(stderr(&found).starts_with("error: ") && stderr(&found).contains(message), "{}", stderr(&found));
    }
    std::fs::write(out.join("manifest.json"), r#"{"schema_version": 0, "job": {}}"#).unwrap();
    let found = compare(&base, &out, &[]);
    assert_eq!(found.status.code(), Some(2));
    assert!(stderr(&found).contains("has schema_version 0, and this version of tcs-batch reads 1"), "{}", stderr(&found));
}

const JOB: &str = r#"schema_version = 1
[job]
name = "henon"
[output]
formats = []
[[dataset]]
id = "map"
format = "simulate"
model = "henon"
params = { samples = 400 }
window = { length_s = 100.0 }
[persistence]
max_points = 40
[[metric]]
kind = "lz76"
"#;

#[test]
fn mistakes_in_compare_are_found_with_their_place() {
    for (text, message) in [
        ("[compare]\nabsolut = 1", ":17:1: unknown key `absolut` in [compare]; did you mean `absolute`?"),
        ("[compare]\nrelative = -1", ":17:12: `relative` must be 0 or more, and finite, not -1"),
        ("[compare]\nrelative = inf", ":17:12: `relative` must be 0 or more, and finite, not inf"),
        ("[compare]\nrelative = \"x\"", ":17:12: `relative` must be a number, not a string"),
        ("[compare]\ntolerance = 3", ":17:13: `tolerance` must be a table, not an integer"),
        ("[[compare]]\nrelative = 1", ": `compare` must be a table, not an array"),
        ("[compare.tolerance]\nmetric = \"lz76\"", "`[compare.tolerance]` must be written as `[[compare.tolerance]]`"),
        ("[[compare.tolerance]]\nmetric = \"lz67\"\nrelative = 1", ":17:10: the job computes no `lz67`; did you mean `lz76`?"),
        ("[[compare.tolerance]]\nrelative = 1", "[[compare.tolerance]] needs `metric`"),
        ("[[compare.tolerance]]\nmetric = \"lz76\"", "[[compare.tolerance]] needs `absolute` or `relative`"),
        (
            "[[compare.tolerance]]\nmetric = \"lz76\"\nstatistic = \"diagram\"\nrelative = 1",
            ":18:13: there is no statistic `diagram` of this metric",
        ),
        (
            "[[compare.tolerance]]\nmetric = \"lz76\"\nrelative = 1\n[[compare.tolerance]]\nmetric = \"lz76\"\nabsolute = 1",
            ":19:1: there are two tolerances of `lz76`; keep one",
        ),
        ("[[compare.tolerance]]\nmetric = \"lz76\"\nvalue = 1\nrelative = 1", ":18:1: unknown key `value` in [[compare.tolerance]]"),
    ] {
        let bench = Bench::new(&format!("{JOB}{text}\n"));
        let found = tcs(&["check", bench.path("job.toml").to_str().unwrap()]);
        assert_eq!(found.status.code(), Some(2), "{text}");
        assert!(stderr(&found).contains(message), "{text}: {}", stderr(&found));
    }
    let fine = "[compare]\n[[compare.tolerance]]\nmetric = \"persistence.rips\"\nstatistic = \"diagram\"\nrelative = 0.1\n";
    let bench = Bench::new(&format!("{JOB}{fine}"));
    let found = tcs(&["check", bench.path("job.toml").to_str().unwrap()]);
    assert_eq!(found.status.code(), Some(0), "{}", stderr(&found));
}

#[test]
fn a_changed_tolerance_recomputes_nothing_and_is_in_force() {
    let bench = Bench::new(JOB);
    assert_eq!(bench.run(&[]).status.code(), Some(0));
    let base = bench.path("base");
    let job = bench.path("job.toml");
    let args = ["run", job.to_str().unwrap(), "--out", base.to_str().unwrap(), "--set", "dataset.0.params.a=1.39"];
    assert_eq!(tcs(&args).status.code(), Some(0));
    assert_eq!(compare(&base, &bench.out(), &[]).status.code(), Some(4));
    let before = table_bytes(&bench.out());
    bench.write("job.toml", format!("{JOB}[compare]\nabsolute = 1e9\n"));
    let plan = tcs(&["plan", job.to_str().unwrap(), "--out", bench.out().to_str().unwrap(), "--explain"]);
    let again = bench.run(&[]);
    assert_eq!(again.status.code(), Some(0));
    let said = stderr(&again);
    assert!(said.contains("4 of 4 units done, 4 reused"), "{said}{}{}", stdout(&plan), stderr(&plan));
    // The tables carry the job's hash, and are equal but for it.
    assert_eq!(
        before.iter().map(|(name, bytes)| (name, bytes.len())).collect::<Vec<_>>(),
        table_bytes(&bench.out()).iter().map(|(name, bytes)| (name, bytes.len())).collect::<Vec<_>>()
    );
    let found = compare(&base, &bench.out(), &["--tolerance", "persistence.rips.diagram=9"]);
    assert_eq!(found.status.code(), Some(0), "{}", stdout(&found));
}

/// Writes `metrics.parquet` of `out` again with every column as `change` says, in the opposite order, as other programs might.
fn rewrite(out: &Path, change: impl Fn(&str, &ArrayRef) -> Option<ArrayRef>) {
    let path = out.join("metrics.parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in batches[0].schema().fields().iter().zip(batches[0].columns()).rev() {
        let Some(column) = change(field.name(), column) else { continue };
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn texts(column: &ArrayRef) -> Vec<Option<&str>> {
    column.as_string_opt::<i32>().map(|texts: &StringArray| texts.iter().collect()).unwrap_or_default()
}

fn numbers(column: &ArrayRef) -> Vec<Option<f64>> {
    column.as_primitive_opt::<Float64Type>().map(|numbers: &Float64Array| numbers.iter().collect()).unwrap_or_default()
}

#[test]
fn tables_of_other_programs_are_compared_by_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let [base, out] = ["base", "out"].map(|name| folder.path().join(name));
    output(&base, [1.5, 10.0], "", &[]);
    type Edit = fn(&str, &ArrayRef) -> Option<ArrayRef>;
    let cases: [(&str, Edit, Option<i32>, &str); 9] = [
        ("the same", |_, column| Some(column.clone()), Some(0), ""),
        (
            "long text",
            |_, column| Some(if texts(column).is_empty() { column.clone() } else { Arc::new(LargeStringArray::from(texts(column))) }),
            Some(0),
            "",
        ),
        (
            "categories",
            |_, column| {
                Some(if texts(column).is_empty() {
                    column.clone()
                } else {
                    Arc::new(texts(column).into_iter().collect::<DictionaryArray<Int32Type>>())
                })
            },
            Some(0),
            "",
        ),
        (
            "single precision and columns of nothing",
            |name, column| {
                Some(match name {
                    "value" => {
                        Arc::new(numbers(column).into_iter().map(|number| number.map(|number| number as f32)).collect::<Float32Array>())
                    }
                    "ci_low" | "source" => Arc::new(NullArray::new(column.len())),
                    _ => column.clone(),
                })
            },
            Some(0),
            "",
        ),
        (
            "NaN for null",
            |name, column| {
                Some(if name == "p_value" { Arc::new(Float64Array::from(vec![f64::NAN; column.len()])) } else { column.clone() })
            },
            Some(0),
            "",
        ),
        (
            "NaN for a value",
            |name, column| Some(if name == "value" { Arc::new(Float64Array::from(vec![f64::NAN; column.len()])) } else { column.clone() }),
            Some(4),
            "2       2      2",
        ),
        (
            "whole numbers",
            |name, column| Some(if name == "value" { Arc::new(Int64Array::from(vec![2, 10])) } else { column.clone() }),
            Some(4),
            "0.5",
        ),
        ("a column is gone", |name, column| (name != "ci_high").then(|| column.clone()), Some(2), "column `ci_high` is missing"),
        (
            "text for numbers",
            |name, column| Some(if name == "value" { Arc::new(StringArray::from(vec!["1.5"; column.len()])) } else { column.clone() }),
            Some(2),
            "column `value` holds Utf8, not numbers",
        ),
    ];
    for (what, edit, code, message) in cases {
        output(&out, [1.5, 10.0], "", &[]);
        rewrite(&out, edit);
        for (base, out) in [(&base, &out), (&out, &base)] {
            let found = compare(base, out, &[]);
            let said = stdout(&found) + &stderr(&found);
            assert_eq!(found.status.code(), code, "{what}: {said}");
            let squeezed = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(squeezed.contains(&message.split_whitespace().collect::<Vec<_>>().join(" ")), "{what}: {said}");
        }
        let itself = compare(&out, &out, &[]);
        assert_eq!(itself.status.code(), Some(if code == Some(2) { 2 } else { 0 }), "{what} with itself: {}", stdout(&itself));
    }
}

#[test]
fn many_equal_keys_and_cut_files_are_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let [base, out] = ["base", "out"].map(|name| folder.path().join(name));
    let rows = |n: usize, shift: f64| {
        let unit = unit("ring", 0);
        (0..n).map(|at| metric(&unit, "lz76", "value", "1", Some(at as f64 + shift))).collect::<Vec<MetricRecord>>()
    };
    output(&base, [1.0, 1.0], "", &[]);
    output(&out, [1.0, 1.0], "", &[]);
    put(&base, &rows(20_000, 0.0));
    put(&out, &rows(19_000, 0.0));
    let found: Value = serde_json::from_slice(&compare(&base, &out, &["--json"]).stdout).unwrap();
    assert_eq!(found["counts"]["metrics"], json!({"compared": 19_000, "changed": 0, "worse": 0, "missing": 1_000, "new": 0}));
    put(&out, &rows(20_000, 1.0));
    let found: Value = serde_json::from_slice(&compare(&base, &out, &["--json"]).stdout).unwrap();
    assert_eq!((&found["changed_numbers"], found["largest"].as_array().map(Vec::len)), (&json!(20_000), Some(10)));
    assert_eq!((&found["largest"][0]["base"], &found["largest"][0]["relative"]), (&json!(0.0), &json!("inf")));
    assert_eq!((&found["largest"][1]["base"], &found["largest"][9]["base"]), (&json!(1.0), &json!(9.0)));
    let whole = std::fs::read(out.join("metrics.parquet")).unwrap();
    for cut in [0, 4, whole.len() / 2, whole.len() - 1] {
        std::fs::write(out.join("metrics.parquet"), &whole[..cut]).unwrap();
        let found = compare(&base, &out, &[]);
        assert_eq!(found.status.code(), Some(2), "{cut}");
        assert_eq!(stderr(&found).lines().count(), 1, "{}", stderr(&found));
    }
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x55;
        std::fs::write(out.join("metrics.parquet"), &flipped).unwrap();
        let found = compare(&base, &out, &[]);
        assert!(matches!(found.status.code(), Some(0 | 2 | 4)), "byte {at}: {:?} {}", found.status, stderr(&found));
        assert!(!stderr(&found).contains("panicked"), "byte {at}: {}", stderr(&found));
    }
}
