//! Round trips, byte identity, and what an outside reader sees.

use super::*;
use crate::data::CurveKind;
use std::fmt::Debug;

fn provenance() -> Provenance {
    Provenance { schema_version: 1, tool_version: "0.1.0".into(), job_hash: "ab12".into(), seed: u64::MAX }
}

fn unit(unit: &str, status: UnitStatus) -> UnitRecord {
    UnitRecord {
        unit: unit.into(),
        dataset: "mouse".into(),
        window_start_s: Some(0.0),
        window_stop_s: None,
        status,
        error_kind: None,
        error: Some("too short: 3 samples, 9 needed".into()),
        attempts: 2,
        device: "cpu".into(),
        seconds: 0.25,
        peak_memory_bytes: Some(1 << 40),
    }
}

fn metric(value: Option<f64>) -> MetricRecord {
    MetricRecord {
        job: "quickstart".into(),
        dataset: "mouse".into(),
        unit: "mouse/0".into(),
        window_start_s: Some(0.0),
        window_stop_s: Some(10.0),
        metric: "lz76".into(),
        statistic: "value".into(),
        source: Some("ch/0 ü".into()),
        target: None,
        value,
        unit_of_measure: "1".into(),
        ci_low: None,
        ci_high: Some(f64::NAN),
        p_value: Some(0.005),
        surrogates: Some(200),
    }
}

fn point(vector: &[f32]) -> EmbeddingRecord {
    EmbeddingRecord { dataset: "a".into(), unit: "a/0".into(), embedding: "pca".into(), index: 7, vector: vector.to_vec() }
}

fn pair(birth: f64, death: f64) -> DiagramRecord {
    DiagramRecord { dataset: "a".into(), unit: "a/0".into(), persistence: "rips".into(), dim: 1, birth, death }
}

/// Writes and reads `rows`, also none of them, and returns what came back.
fn round_trip<T: Table + Clone + PartialEq + Debug>(rows: &[T]) -> Vec<T> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(T::FILE);
    write::<T>(&path, &[], &provenance()).unwrap();
    assert_eq!(read::<T>(&path).unwrap(), [], "an empty {} reads as empty", T::FILE);
    write(&path, rows, &provenance()).unwrap();
    assert_eq!(read_provenance(&path).unwrap(), provenance());
    read(&path).unwrap()
}

#[test]
fn every_table_comes_back_as_it_was_written() {
    let units = [unit("a", UnitStatus::Done), unit("b", UnitStatus::Failed), unit("c", UnitStatus::Skipped)];
    assert_eq!(round_trip(&units), units);
    let pairs = [pair(0.0, 1.5), pair(-0.0, f64::INFINITY)];
    assert_eq!(round_trip(&pairs), pairs);
    let points = [point(&[1.0, 2.0, 3.0]), point(&[4.0]), point(&[])];
    assert_eq!(round_trip(&points), points);
    let fidelity = [FidelityRecord {
        dataset: "mouse~poisson".into(),
        reference: "a+b".into(),
        test: "overall".into(),
        statistic: "score".into(),
        observed: None,
        reference_value: Some(1.0),
        distance: Some(0.5),
        ceiling: None,
        score: Some(0.75),
        ci_low: Some(0.7),
        ci_high: Some(0.8),
    }];
    assert_eq!(round_trip(&fidelity), fidelity);
    let expectations = [ExpectationRecord {
        metric: "lz76".into(),
        dataset: "mouse".into(),
        source: None,
        published: Some(0.95),
        tolerance: Some(0.02),
        observed: None,
        deviation: None,
        held: false,
    }];
    assert_eq!(round_trip(&expectations), expectations);
    let previews = [CurveKind::Raster, CurveKind::Trace, CurveKind::Spectrum].map(|kind| PreviewRecord {
        dataset: "a".into(),
        unit: "a/0".into(),
        kind,
        channel: "3".into(),
        x: 1.0,
        y: -2.0,
    });
    assert_eq!(round_trip(&previews), previews);
}

#[test]
fn nan_becomes_null_where_a_value_may_be_missing_and_an_error_where_it_may_not() {
    let back = round_trip(&[metric(Some(f64::NAN)), metric(Some(f64::INFINITY)), metric(None)]);
    assert_eq!(back.iter().map(|row| row.value).collect::<Vec<_>>(), [None, Some(f64::INFINITY), None]);
    assert_eq!(back[0].ci_high, None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("diagrams.parquet");
    let message = write(&path, &[pair(0.0, 1.0), pair(f64::NAN, 1.0)], &provenance()).unwrap_err().to_string();
    assert!(message.contains("column `birth`, row 1: NaN"), "{message}");
    assert!(write(&path, &[point(&[f32::NAN])], &provenance()).is_err());
    assert!(!path.exists(), "a refused table must leave nothing behind");
}

#[test]
fn the_same_rows_give_the_same_bytes_and_another_seed_other_ones() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<_> = (0..ROW_GROUP_ROWS + 10).map(|index| metric(Some(index as f64))).collect();
    let bytes = |name: &str, provenance: &Provenance| {
        let path = folder.path().join(name);
        write(&path, &rows, provenance).unwrap();
        std::fs::read(path).unwrap()
    };
    let first = bytes("a", &provenance());
    assert_eq!(first, bytes("b", &provenance()));
    assert_ne!(first, bytes("c", &Provenance { seed: 1, ..provenance() }));
    let groups = open(&folder.path().join("a"), "metrics").unwrap().metadata().num_row_groups();
    assert_eq!(groups, 2, "row groups are cut at a fixed number of rows");
    let found = read_where(&folder.path().join("a"), 3, |row: &MetricRecord| row.value.is_some_and(|value| value > 70.0)).unwrap();
    assert_eq!(found.iter().map(|row| row.value).collect::<Vec<_>>(), [Some(71.0), Some(72.0), Some(73.0)]);
}

#[test]
fn another_table_or_a_broken_file_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("units.parquet");
    let missing = read::<UnitRecord>(&path).unwrap_err().to_string();
    assert!(missing.contains("units.parquet") && missing.contains("check the path"), "{missing}");
    write(&path, &[pair(0.0, 1.0)], &provenance()).unwrap();
    let wrong = read::<UnitRecord>(&path).unwrap_err().to_string();
    assert!(wrong.contains("column `window_start_s` is missing"), "{wrong}");
    std::fs::write(&path, b"PAR1 cut short").unwrap();
    assert!(read::<UnitRecord>(&path).unwrap_err().to_string().contains("units.parquet"));
}

#[test]
fn the_contracts_columns_stand_in_the_contracts_order() {
    let contract = "job, dataset, unit, window_start_s, window_stop_s, metric, statistic, source, target, value, unit_of_measure, ci_low, ci_high, p_value, surrogates";
    assert_eq!(MetricRecord::COLUMNS.join(", "), contract);
    let contract = "unit, dataset, window_start_s, window_stop_s, status, error_kind, error, attempts, device, seconds, peak_memory_bytes";
    assert_eq!(UnitRecord::COLUMNS.join(", "), contract);
    let contract = "dataset, reference, test, statistic, observed, reference_value, distance, ceiling, score, ci_low, ci_high";
    assert_eq!(FidelityRecord::COLUMNS.join(", "), contract);
    assert_eq!(DiagramRecord::COLUMNS.join(", "), "dataset, unit, persistence, dim, birth, death");
    assert_eq!(EmbeddingRecord::COLUMNS.join(", "), "dataset, unit, embedding, index, vector");
    assert_eq!(ExpectationRecord::COLUMNS.join(", "), "metric, dataset, source, published, tolerance, observed, deviation, held");
}

#[test]
fn fields_carry_their_unit_and_nullability() {
    let batch = MetricRecord::to_batch(&[metric(None)]).unwrap();
    let schema = batch.schema();
    assert_eq!(schema.field_with_name("window_start_s").unwrap().metadata()["unit"], "s");
    assert!(schema.field_with_name("value").unwrap().is_nullable());
    assert!(!schema.field_with_name("dataset").unwrap().is_nullable());
    let empty = EmbeddingRecord::to_batch(&[]).unwrap();
    let vector = empty.schema().field_with_name("vector").unwrap().data_type().to_string();
    assert!(vector.starts_with("FixedSizeList(1 x "), "{vector}");
}
