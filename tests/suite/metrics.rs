//! Metrics and embeddings against numbers from independent programs.
//!
//! `tests/data/{metrics,embed}/README.md` says where the numbers come from. Recordings that may not be copied here are read from
//! `../shared` where it exists.

use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use tcs_batch::data::{MetricRow, Series};
use tcs_batch::embed::{EMBEDDINGS, Embed};
use tcs_batch::metrics::{Bench, METRICS, Resampling, resample};
use tcs_batch::spec::{Diagnostics, Entry, Section};
use toml::de::DeTable;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn json(path: &Path) -> Json {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn cases(path: &str) -> Vec<Json> {
    let cases = json(&root().join("tests/data").join(path))["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

pub fn numbers(value: &Json) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

pub fn series(channels: &[Vec<f64>]) -> Series {
    let names = (0..channels.len()).map(|channel| channel.to_string()).collect();
    Series::new(names, channels.concat(), 1.0, 0.0, "").unwrap()
}

fn parsed<T: ?Sized>(registry: &[Entry<T>], kind: &str, keys: &str) -> (Box<T>, Resampling) {
    let entry = registry.iter().find(|entry| entry.kind == kind).unwrap();
    let table = DeTable::parse(keys).unwrap();
    let diagnostics = Diagnostics::default();
    let section = Section::new("[[metric]]", table.get_ref(), table.span(), &diagnostics);
    let made = ((entry.parse)(&section), Resampling::parse(&section));
    section.finish();
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    (made.0.unwrap(), made.1)
}

pub fn metric(kind: &str, keys: &str, series: &Series) -> Vec<MetricRow> {
    let (metric, resampling) = parsed(METRICS, kind, keys);
    resample::evaluate(&*metric, &resampling, &Bench { series, spikes: None, seed: 1 }).rows
}

fn embedding(kind: &str, keys: &str) -> Box<dyn Embed> {
    parsed(EMBEDDINGS, kind, keys).0
}

pub fn of(rows: &[MetricRow], statistic: &str, source: &str) -> f64 {
    let same = |row: &&MetricRow| row.statistic == statistic && row.source.as_deref() == Some(source);
    rows.iter().find(same).and_then(|row| row.value.known()).unwrap_or_else(|| panic!("no {statistic} of {source} in {rows:?}"))
}

pub fn close(ours: f64, theirs: &Json, tolerance: f64) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= tolerance, "{ours} against {theirs}");
}

/// A file of `../shared`, which a published checkout does not have.
pub fn shared(path: &str) -> Option<PathBuf> {
    Some(root().join("../shared").join(path)).filter(|path| path.exists())
}

pub fn columns(path: &Path) -> Series {
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<f64>> = text.lines().map(|line| line.split(',').map(|cell| cell.trim().parse().unwrap()).collect()).collect();
    let channels: Vec<Vec<f64>> = (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column]).collect()).collect();
    series(&channels)
}

#[test]
fn lz76_of_texts_is_antropys() {
    for case in cases("metrics/lz76_texts.json") {
        let rows = metric("lz76", "binarise = \"none\"", &series(&[numbers(&case["symbols"])]));
        close(of(&rows, "phrases", "0"), &case["phrases"], 0.0);
        close(of(&rows, "value", "0"), &case["normalised"], 1e-12);
    }
}

#[test]
fn lz76_of_signals_is_antropys_after_each_binarisation() {
    for case in cases("metrics/lz76_signals.json") {
        for rule in ["median", "mean", "hilbert-mean"] {
            let rows = metric("lz76", &format!("binarise = \"{rule}\""), &series(&[numbers(&case["values"])]));
            close(of(&rows, "phrases", "0"), &case["expected"][rule]["phrases"], 0.0);
            close(of(&rows, "value", "0"), &case["expected"][rule]["normalised"], 1e-12);
        }
    }
}

#[test]
fn lz76_of_a_real_evoked_potential_is_antropys_and_neurokits() {
    let (Some(data), Some(golden)) = (shared("data/metrics/tms_ch10.csv"), shared("golden/metrics/lz76_eeg_channel.json")) else { return };
    let (series, expected) = (columns(&data), &json(&golden)["expected"]);
    for rule in ["mean", "median"] {
        let rows = metric("lz76", &format!("binarise = \"{rule}\""), &series);
        close(of(&rows, "phrases", "0"), &expected[rule]["c"], 0.0);
        close(of(&rows, "value", "0"), &expected[rule]["c_norm_n_log2n"], 1e-12);
    }
}

#[test]
fn transfer_entropy_is_pyinforms() {
    for case in cases("metrics/transfer_entropy.json") {
        let data = series(&[numbers(&case["source"]), numbers(&case["target"])]);
        let rows =
            metric("transfer-entropy", &format!("alphabet = {}\ntarget_history = {}", case["alphabet"], case["target_history"]), &data);
        close(of(&rows, "value", "0"), &case["bits"]["0->1"], 1e-12);
        close(of(&rows, "value", "1"), &case["bits"]["1->0"], 1e-12);
    }
}

#[test]
fn transfer_entropy_is_jidts_on_its_own_examples() {
    let Some(parity) = shared("data/metrics/binary_parity_k2.csv") else { return };
    let golden = |name: &str| json(&shared(&format!("golden/metrics/{name}.json")).unwrap());
    let (data, expected) = (columns(&parity), &golden("te_discrete_parity")["expected"]);
    for (history, source, key) in [(1, "0", "0->1 k=1"), (2, "0", "0->1 k=2"), (3, "0", "0->1 k=3"), (1, "1", "1->0 k=1")] {
        let rows = metric("transfer-entropy", &format!("target_history = {history}"), &data);
        close(of(&rows, "value", source), &expected[key]["bits"], 1e-12);
    }
    let (data, expected) = (columns(&shared("data/metrics/discrete4.csv").unwrap()), &golden("te_discrete_4symbols")["expected"]);
    let rows = metric("transfer-entropy", "alphabet = 4\nsurrogates = 500", &data);
    for (source, key) in [("0", "0->1"), ("1", "1->0")] {
        close(of(&rows, "value", source), &expected[key]["bits"], 1e-12);
        // The mean of the null is the analytic bias; its standard error here is about 2 %.
        let bias = expected["chi2_bias_bits_full_alphabet"].as_f64().unwrap();
        assert!((of(&rows, "null_mean", source) / bias - 1.0).abs() < 0.1);
    }
    // 2 N TE in nats is chi-squared with 36 degrees of freedom: p = 0.327. (JIDT's own 0.0158 is what TE in bits would give.)
    let p = rows.iter().find(|row| row.statistic == "value" && row.source.as_deref() == Some("1")).and_then(|row| row.p_value);
    assert!((0.26..0.4).contains(&p.unwrap()), "{p:?}");
}

#[test]
fn pca_is_numpys_svd() {
    for case in cases("embed/pca.json") {
        let samples: Vec<Vec<f64>> = case["values"].as_array().unwrap().iter().map(numbers).collect();
        let channels: Vec<Vec<f64>> = (0..samples[0].len()).map(|channel| samples.iter().map(|sample| sample[channel]).collect()).collect();
        for (whiten, key) in [(false, "scores"), (true, "whitened")] {
            let out =
                embedding("pca", &format!("dimension = {}\nwhiten = {whiten}", case["dimension"])).embed(&series(&channels), 0).unwrap();
            assert_eq!(out.points.len(), samples.len());
            for (point, expected) in out.points.iter().zip(case[key].as_array().unwrap()) {
                point.iter().zip(expected.as_array().unwrap()).for_each(|(&ours, theirs)| close(ours, theirs, 1e-10));
            }
            for (index, ratio) in case["ratio"].as_array().unwrap().iter().enumerate() {
                close(of(&out.rows, "explained_variance_ratio", &format!("pc{}", index + 1)), ratio, 1e-12);
            }
            assert_eq!(out.rows[0].statistic, "explained_variance");
        }
    }
}

#[test]
fn a_delay_embedding_keeps_its_points_in_time() {
    let wave: Vec<f64> = (0..60).map(|t| (f64::from(t) * 0.3).sin()).collect();
    let out = embedding("takens", "dimension = 3\ndelay = 5").embed(&series(std::slice::from_ref(&wave)), 0).unwrap();
    assert_eq!((out.points.len(), out.points.dim()), (50, 3));
    assert!(out.points.iter().enumerate().all(|(t, point)| point == [wave[t], wave[t + 5], wave[t + 10]]));
}
