//! Output folders as a run would write them, for the report's tests: made-up numbers, no science.

use std::f64::consts::TAU;
use std::path::Path;
use tcs_batch::data::CurveKind;
use tcs_batch::table::{
    self, DiagramRecord, EmbeddingRecord, ExpectationRecord, FidelityRecord, MetricRecord, PreviewRecord, Provenance, Table, UnitRecord,
    UnitStatus,
};

/// Writes a table under its name.
pub fn put<T: Table>(out: &Path, rows: &[T]) {
    let provenance = Provenance { schema_version: 1, tool_version: "0.1.0".into(), job_hash: "ab".into(), seed: 7 };
    table::write(&out.join(T::FILE), rows, &provenance).unwrap();
}

/// A unit of `dataset` that is done.
pub fn unit(dataset: &str, index: usize) -> UnitRecord {
    UnitRecord {
        unit: format!("{dataset}/w{index:04}"),
        dataset: dataset.into(),
        window_start_s: Some(10.0 * index as f64),
        window_stop_s: Some(10.0 * (index + 1) as f64),
        status: UnitStatus::Done,
        error_kind: None,
        error: None,
        attempts: 1,
        device: "cpu".into(),
        seconds: 0.5,
        peak_memory_bytes: Some(50_000_000),
    }
}

/// A row of `unit`.
pub fn metric(unit: &UnitRecord, name: &str, statistic: &str, measure: &str, value: Option<f64>) -> MetricRecord {
    MetricRecord {
        job: "demo".into(),
        dataset: unit.dataset.clone(),
        unit: unit.unit.clone(),
        window_start_s: unit.window_start_s,
        window_stop_s: unit.window_stop_s,
        metric: name.into(),
        statistic: statistic.into(),
        source: None,
        target: None,
        value,
        unit_of_measure: measure.into(),
        ci_low: None,
        ci_high: None,
        p_value: None,
        surrogates: None,
    }
}

/// Numbers between 0 and 1 that are the same everywhere.
pub struct Dice(pub u64);
impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }
    fn bell(&mut self) -> f64 {
        (0..6).map(|_| self.roll()).sum::<f64>() - 3.0
    }
}

/// A folder with everything that a report can show: two datasets, a failure, undefined values, a missed expectation, controls.
pub fn rich(out: &Path) {
    let mut dice = Dice(7);
    let mut units: Vec<UnitRecord> = (0..12).map(|index| unit("ring", index)).collect();
    units.extend((0..8).map(|index| unit("mouse-V1", index)));
    units[5].status = UnitStatus::Failed;
    units[5].error_kind = Some("too-short".into());
    units[5].error = Some(
        "the window from 50 s to 60 s holds 3 samples, but `takens` with dimension 3 and delay 10 needs 21; take a longer window".into(),
    );
    units[5].attempts = 2;
    units[14].error_kind = Some("undefined".into());
    units[14].error = Some("lz76: channel `ch3` is constant, so its complexity cannot be normalised".into());
    put(out, &metrics(&units, &mut dice));
    put(out, &units);
    let clouds: Vec<EmbeddingRecord> = ["ring", "mouse-V1"].iter().flat_map(|dataset| cloud(dataset, &mut dice)).collect();
    put(out, &clouds);
    let diagrams: Vec<DiagramRecord> = ["ring", "mouse-V1"].iter().flat_map(|dataset| diagram(dataset, &mut dice)).collect();
    put(out, &diagrams);
    put(out, &previews(&mut dice));
    put(out, &fidelity());
    put(out, &expectations());
    std::fs::write(out.join("manifest.json"), MANIFEST).unwrap();
}

fn metrics(units: &[UnitRecord], dice: &mut Dice) -> Vec<MetricRecord> {
    let mut rows = Vec::new();
    for (index, unit) in units.iter().enumerate().filter(|(_, unit)| unit.status == UnitStatus::Done) {
        let t = unit.window_start_s.unwrap();
        for channel in 0..4 {
            let value = 0.8 + 0.1 * (t / 30.0).sin() + 0.03 * dice.bell();
            let value = (index != 14 || channel != 3).then_some(value);
            rows.push(MetricRecord { source: Some(format!("ch{channel}")), ..metric(unit, "lz76", "value", "1", value) });
            rows.push(MetricRecord {
                source: Some(format!("ch{channel}")),
                ..metric(unit, "lz76", "phrases", "1", value.map(|value| (value * 200.0).round()))
            });
        }
        for source in 0..8usize {
            for target in (0..8usize).filter(|&target| target != source) {
                let strong = if target == source + 1 { 0.12 } else { 0.012 };
                let value = strong * (0.6 + 0.8 * dice.roll());
                rows.push(MetricRecord {
                    source: Some(format!("ch{source}")),
                    target: Some(format!("ch{target}")),
                    p_value: Some(if target == source + 1 { 1.0 / 201.0 } else { 0.1 + 0.8 * dice.roll() }),
                    surrogates: Some(200),
                    ..metric(unit, "transfer-entropy", "value", "bit", Some(value))
                });
            }
        }
        rows.push(MetricRecord {
            ci_low: Some(1.1),
            ci_high: Some(1.5),
            ..metric(unit, "power-spectrum", "aperiodic_exponent", "1", Some(1.3 + 0.2 * dice.bell()))
        });
        rows.push(metric(unit, "power-spectrum", "peak_hz", "Hz", Some(9.0 + dice.bell())));
        rows.push(metric(unit, "persistence.rips", "longest_h1", "1", Some(1.4 + 0.1 * dice.bell())));
        rows.push(metric(unit, "persistence.rips", "entropy_h1", "bit", Some(3.1 + 0.2 * dice.bell())));
        rows.push(metric(unit, "embedding.pca", "explained_variance", "1", Some(0.72)));
    }
    rows
}

fn cloud(dataset: &str, dice: &mut Dice) -> Vec<EmbeddingRecord> {
    let mut angle = 0.0;
    let rows = (0..2400).map(|index| {
        angle += 0.12 * dice.bell() + if dataset == "ring" { 0.002 } else { 0.02 };
        let radius = if dataset == "ring" { 1.0 + 0.06 * dice.bell() } else { 0.6 * dice.bell() };
        let vector = vec![(radius * f64::cos(angle)) as f32, (radius * f64::sin(angle)) as f32, (0.1 * dice.bell()) as f32];
        EmbeddingRecord { dataset: dataset.into(), unit: format!("{dataset}/w0000"), embedding: "pca".into(), index, vector }
    });
    rows.collect()
}

fn diagram(dataset: &str, dice: &mut Dice) -> Vec<DiagramRecord> {
    let pair = |dim: i8, birth: f64, death: f64| DiagramRecord {
        dataset: dataset.into(),
        unit: format!("{dataset}/w0000"),
        persistence: "rips".into(),
        dim,
        birth,
        death,
    };
    let mut rows: Vec<DiagramRecord> = (0..220).map(|_| pair(0, 0.0, 0.03 + 0.25 * dice.roll() * dice.roll())).collect();
    rows.push(pair(0, 0.0, f64::INFINITY));
    rows.extend((0..70).map(|_| {
        let birth = 0.12 + 0.35 * dice.roll();
        pair(1, birth, birth + 0.12 * dice.roll() * dice.roll())
    }));
    if dataset == "ring" {
        rows.push(pair(1, 0.29, 1.62));
    }
    rows
}

fn previews(dice: &mut Dice) -> Vec<PreviewRecord> {
    let row = |dataset: &str, kind, channel: String, x, y| PreviewRecord {
        dataset: dataset.into(),
        unit: format!("{dataset}/w0000"),
        kind,
        channel,
        x,
        y,
    };
    let mut rows = Vec::new();
    for neuron in 0..40 {
        let mut t: f64 = 0.0;
        while t < 10.0 {
            t += 0.01;
            let heading = TAU * (t / 6.0 + 0.15 * (t * 1.3).sin());
            let tuning = (4.0 * ((heading - TAU * f64::from(neuron) / 40.0).cos() - 1.0)).exp();
            if dice.roll() < 0.25 * tuning {
                rows.push(row("ring", CurveKind::Raster, format!("u{neuron}"), t, f64::from(neuron)));
            }
        }
    }
    for channel in 0..6 {
        let mut drift = 0.0;
        for sample in 0..800 {
            let t = f64::from(sample) / 80.0;
            drift = 0.95 * drift + 0.3 * dice.bell();
            let y = 1e-4 * (drift + 0.8 * (TAU * 1.1 * t + f64::from(channel)).sin());
            rows.push(row("mouse-V1", CurveKind::Trace, format!("VISp {channel}"), t, y));
        }
        for bin in 0..120 {
            let f = 0.5 * f64::from(bin);
            let peak = 2.0 * (-(f - 9.0).powi(2) / 4.0).exp() + 1.0;
            let y = 1e-9 / (1.0 + f.powf(1.4)) * peak * (0.3 * dice.bell()).exp();
            rows.push(row("mouse-V1", CurveKind::Spectrum, format!("VISp {channel}"), f, y));
        }
    }
    rows
}

fn fidelity() -> Vec<FidelityRecord> {
    let row = |dataset: &str, test: &str, statistic: &str, observed: Option<f64>, score: f64| FidelityRecord {
        dataset: dataset.into(),
        reference: "mouse-V1".into(),
        test: test.into(),
        statistic: statistic.into(),
        observed,
        reference_value: observed.map(|value| value * 0.95),
        distance: observed.map(|_| 1.0 - score),
        ceiling: Some(0.93),
        score: Some(score),
        ci_low: Some(score - 0.06),
        ci_high: Some((score + 0.05).min(1.0)),
    };
    vec![
        row("ring", "power-spectrum", "aperiodic_exponent", Some(1.31), 0.83),
        row("ring", "overall", "score", None, 0.84),
        row("ring~poisson", "power-spectrum", "aperiodic_exponent", Some(0.02), 0.11),
        row("ring~poisson", "overall", "score", None, 0.12),
    ]
}

fn expectations() -> Vec<ExpectationRecord> {
    let row = |metric: &str, source: &str, published: f64, observed: Option<f64>, held: bool| ExpectationRecord {
        metric: metric.into(),
        dataset: "ring".into(),
        source: Some(source.into()),
        published: Some(published),
        tolerance: Some(0.05),
        observed,
        deviation: observed.map(|observed| observed - published),
        held,
    };
    vec![
        row("lz76", "Kaspar & Schuster 1987, table I", 0.82, Some(0.8134), true),
        row("persistence.rips", "Chaudhuri et al. 2019, fig. 2", 1.5, Some(1.3321), false),
    ]
}

const MANIFEST: &str = r#"{"schema_version":1,"tool":{"name":"tcs-batch","version":"0.1.0","git_commit":"4f2a9c71d3e0b1"},
"job":{"name":"Is a ring a ring?","description":"The head-direction model against a recording of mouse V1: the same questions to both.","path":"jobs/ring.toml","text":"schema_version = 1\n\n[job]\nname = \"Is a ring a ring?\"\nseed = 7\n","hash":"9c1e55aa"},
"seed":7,"command":"tcs-batch run jobs/ring.toml --workers 2","started":"2026-11-25T02:00:00Z","finished":"2026-11-25T02:01:32Z","seconds":92.4,
"host":{"os":"Debian 12","cpu":"Some CPU 3 GHz","cores":2},"device":"cpu","workers":2,"versions":{"hdf5":"2.2.0"},
"datasets":[{"id":"ring","format":"simulate","signal":"spikes","source":"simulate:head-direction","channels_total":60,"channels":60,"start_s":0.0,"stop_s":120.0,"windows":12},
{"id":"mouse-V1","source":"../datasets/mouse.nwb","format":"nwb","signal":"series","sha256":"2b5c0f6d1a7e4b9c8d3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d","bytes":48234496,"channels_total":384,"channels":96,"locations":{"VISp":80,"VISl":16},"rate_hz":250.0,"start_s":0.0,"stop_s":80.0,"unit_of_measure":"V","notes":["resampled from 1250 Hz to 250 Hz"],"windows":8}],
"units":{"planned":20,"done":19,"failed":1,"skipped":0,"reused":4},
"stages":{"embeddings":[{"name":"pca","method":"pca","params":{"dimension":3,"whiten":false}}],"persistences":[{"name":"rips","complex":"rips","params":{"max_dim":1,"threshold":"enclosing"}}],
"metrics":[{"name":"lz76","kind":"lz76","params":{"binarise":"median"}},{"name":"transfer-entropy","kind":"transfer-entropy","params":{"estimator":"discrete","surrogates":200}}],"fidelity":{"accept":0.8,"tests":["power-spectrum"]}},
"summaries":["entropy","betti-curve","landscape","image"],
"limits":["Two datasets are too few to say anything about brains."]}"#;
