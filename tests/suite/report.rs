//! Reports from finished output folders: every fact is there, nothing breaks the page, nothing is fetched.

use crate::fixture::{metric, put, rich, unit};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tcs_batch::data::CurveKind;
use tcs_batch::report::{self, Format};
use tcs_batch::table::{DiagramRecord, EmbeddingRecord, ExpectationRecord, MetricRecord, PreviewRecord, UnitRecord, UnitStatus};

fn written(out: &Path, format: Format) -> String {
    let paths = report::write(out, &[format]).unwrap();
    assert_eq!(paths, [out.join(format.file())]);
    std::fs::read_to_string(&paths[0]).unwrap()
}

/// The rich folder stays under `target/`, to be looked at in a browser.
fn demo() -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-demo");
        std::fs::create_dir_all(&out).unwrap();
        rich(&out);
        out
    };
    MADE.get_or_init(make).clone()
}

#[test]
fn the_page_says_every_fact() {
    let page = written(&demo(), Format::Html).replace("&#x2f;", "/");
    let facts = [
        "<h1>Is a ring a ring?</h1>",
        "19 of 20",
        "1 failed, 4 from an earlier run",
        "1 of 2",
        "2026-11-25 02:01:32 UTC",
        "tcs-batch 0.1.0 (4f2a9c71d3e0)",
        "Kaspar &amp; Schuster 1987, table I",
        "✓ held",
        "✗ missed",
        "−0.1679",
        "ring, control: poisson",
        "96 kept of 384",
        "VISp (80), VISl (16)",
        "resampled from 1250 Hz to 250 Hz",
        "takens` with dimension 3",
        "<code>tcs-batch run jobs/ring.toml</code>",
        "lz76: channel `ch3` is constant",
        "2b5c0f6d1a7e4b9c8d3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d",
        "hdf5 2.2.0",
        "name = &quot;Is a ring a ring?&quot;",
        "<a href=\"metrics.parquet\">metrics.parquet</a>",
        "Two datasets are too few",
    ];
    for fact in facts {
        assert!(page.contains(fact), "the page lacks {fact:?}");
    }
    let pictures = [
        "Spike raster of ring",
        "Traces of 6 channels of mouse-V1",
        "Power spectra of 6",
        "Embedding pca of ring",
        "Persistence diagram of ring",
        "Barcode of ring",
        "Betti curve of ring",
        "Persistence landscape of mouse-V1",
        "Persistence image of ring",
        "lz76 of ring over 11 windows",
        "Matrix of transfer-entropy between 8 channels",
        "Fidelity scores of 2",
    ];
    for picture in pictures {
        assert!(page.contains(&format!("aria-label=\"{picture}")), "the page lacks the picture {picture:?}");
    }
    assert!(page.contains("<title>ch0 → ch1: 0."), "a cell of the matrix says its value on hover");
}

#[test]
fn the_page_is_self_contained_and_in_order() {
    let page = written(&demo(), Format::Html);
    assert!(!page.contains("http"), "nothing may be fetched: {:?}", page.split("http").nth(1).map(|rest| &rest[..40]));
    assert!(!page.contains("NaN") && !page.contains("undefined</td>"));
    assert_eq!(page.matches("<h1>").count(), 1);
    assert!(page.trim_start().starts_with("<!doctype html>\n<html lang=\"en\">"), "{:?}", &page[..60]);
    let mut last = 1;
    for heading in page.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10)) {
        assert!(heading <= last + 1, "a heading of level {heading} follows one of level {last}");
        last = heading;
    }
    assert_eq!(page.matches("<svg").count(), page.matches("role=\"img\" aria-label=").count());
    assert!(page.matches("scope=\"col\"").count() > 20 && page.contains("scope=\"row\""));
    for tag in ["section", "figure", "table", "svg", "div", "td", "tr", "ul", "li", "dl", "dd"] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "every <{tag}> is closed");
    }
}

#[test]
fn hostile_names_stay_text() {
    let out = tempfile::tempdir().unwrap();
    let mut bad = unit("<script>alert(1)</script>", 0);
    put(out.path(), &[metric(&bad, "a|b`c", "value", "1", Some(1.0)), metric(&bad, "persistence.<b>", "value", "1", None)]);
    bad.status = UnitStatus::Failed;
    bad.error = Some("\"quoted\" & <img src=x onerror=alert(1)>\nsecond | line".into());
    put(out.path(), &[bad]);
    let page = written(out.path(), Format::Html);
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>alert") && !page.contains("<img"));
    let text = written(out.path(), Format::Md);
    assert!(text.contains("a\\|b\\`c") && !text.contains("<script>") && text.contains("second \\| line"), "{text}");
    assert!(written(out.path(), Format::Junit).contains("&lt;script&gt;"));
}

#[test]
fn a_thousand_units_stay_under_five_megabytes() {
    let out = tempfile::tempdir().unwrap();
    let units: Vec<UnitRecord> = (0..1000)
        .map(|index| {
            let mut unit = unit(&format!("set{}", index % 400), index);
            unit.status = if index % 3 == 0 { UnitStatus::Failed } else { UnitStatus::Done };
            unit.error = Some("too short".into());
            unit
        })
        .collect();
    let rows: Vec<MetricRecord> = units
        .iter()
        .flat_map(|unit| {
            ["lz76", "phi", "pci"].map(|name| metric(unit, name, "value", "1", unit.window_start_s.map(|start| (start / 99.0).sin())))
        })
        .collect();
    put(out.path(), &units);
    put(out.path(), &rows);
    let page = written(out.path(), Format::Html);
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert!(page.contains("134 more rows are in <a href=\"units.parquet\">"), "334 failures are cut at 200");
    assert!(page.contains("Datasets after the first 60") && page.contains("140 more rows are in"), "400 datasets are not drawn one by one");
}

/// Whatever a diagram, a trace or a cloud holds, the page is made, and soon.
#[test]
fn extreme_data_make_a_page() {
    let out = tempfile::tempdir().unwrap();
    let values = [0.0, 1e-310, 1.0, 1.0 + 1e-15, 1e16, 1e300, f64::MAX, -f64::MAX, f64::INFINITY];
    let (mut units, mut pairs, mut previews, mut points) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, (&a, &b)) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))).take(60).enumerate() {
        let unit = unit(&format!("set{index}"), 0);
        let (dataset, name) = (unit.dataset.clone(), unit.unit.clone());
        for dim in 0..2 {
            pairs.push(DiagramRecord { dataset: dataset.clone(), unit: name.clone(), persistence: "rips".into(), dim, birth: a, death: b });
        }
        for kind in [CurveKind::Raster, CurveKind::Trace, CurveKind::Spectrum] {
            previews.push(PreviewRecord { dataset: dataset.clone(), unit: name.clone(), kind, channel: "a".into(), x: a, y: b });
        }
        points.push(EmbeddingRecord { dataset, unit: name, embedding: "pca".into(), index: 0, vector: vec![a as f32, b as f32] });
        units.push(unit);
    }
    std::fs::write(out.path().join("manifest.json"), r#"{"summaries":["betti-curve","landscape","image"]}"#).unwrap();
    let rows: Vec<MetricRecord> = units.iter().zip(values).map(|(unit, value)| metric(unit, "lz76", "value", "1", Some(value))).collect();
    put(out.path(), &rows);
    put(out.path(), &units);
    put(out.path(), &pairs);
    put(out.path(), &previews);
    put(out.path(), &points);
    let page = written(out.path(), Format::Html);
    assert!(!page.contains("NaN") && page.matches("<svg").count() > 100, "{} pictures", page.matches("<svg").count());
}

#[test]
fn a_summary_is_over_units_and_channels_and_says_what_is_undefined() {
    let out = tempfile::tempdir().unwrap();
    let mut unit = unit("a", 0);
    unit.error_kind = Some("undefined".into());
    unit.error = Some("phi: one channel is too few".into());
    let values = [Some(1.0), Some(2.0), Some(6.0), None];
    let mut rows: Vec<MetricRecord> = values.map(|value| metric(&unit, "lz76", "value", "bit", value)).to_vec();
    rows.push(metric(&unit, "phi", "value", "nat", None));
    put(out.path(), &[unit]);
    put(out.path(), &rows);
    let text = written(out.path(), Format::Md);
    assert!(text.contains("| lz76 | value (bit) | 3 | 2 | 1 | 6 | 3 | 1 |"), "{text}");
    assert!(text.contains("| phi | value (nat) | — (phi: one channel is too few) |"), "{text}");
}

#[test]
fn markdown_of_a_small_run() {
    let out = tempfile::tempdir().unwrap();
    let units = [unit("a", 0), unit("a", 1)];
    let rows: Vec<MetricRecord> = units.iter().map(|unit| metric(unit, "lz76", "value", "1", Some(0.5))).collect();
    put(out.path(), &units);
    put(out.path(), &rows);
    put(out.path(), &[] as &[ExpectationRecord]);
    let manifest =
        r#"{"job":{"name":"small","path":"small.toml","text":"seed = 7"},"seed":7,"datasets":[{"id":"a","source":"a.npy","rate_hz":250}]}"#;
    std::fs::write(out.path().join("manifest.json"), manifest).unwrap();
    let text = written(out.path(), Format::Md);
    // Sizes of the tables may change with the Parquet library; the facts may not.
    let text: Vec<&str> = text
        .lines()
        .map(|line| if line.contains(".parquet)") || line.contains(".json)") { line.split(", ").next().unwrap() } else { line })
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    # small

    - ✓ **Units done**: 2 of 2 (none failed)

    - **Seed**: 7
    - **Job**: small.toml

    ## Dataset a

    - **Source**: a.npy
    - **Rate**: 250 Hz
    - **Units**: 2 of 2 units done

    Over units and channels

    | Metric | Statistic | Mean | Median | Min | Max | n |
    | --- | --- | ---: | ---: | ---: | ---: | ---: |
    | lz76 | value | 0.5 | 0.5 | 0.5 | 0.5 | 2 |

    ## Provenance

    Where the data came from

    | Dataset | Source |
    | --- | --- |
    | a | a.npy |

    - [units.parquet](units.parquet)
    - [metrics.parquet](metrics.parquet)
    - [expectations.parquet](expectations.parquet)
    - [manifest.json](manifest.json)

    The job file:

    ```toml
    seed = 7
    ```
    "#);
}

#[test]
fn junit_counts_failures_and_missed_expectations() {
    let text = written(&demo(), Format::Junit);
    assert!(text.contains("<testsuite name=\"units\" tests=\"20\" skipped=\"0\" errors=\"1\" failures=\"0\""), "{text}");
    assert!(text.contains("<testsuite name=\"expectations\" tests=\"2\" skipped=\"0\" errors=\"0\" failures=\"1\""), "{text}");
    assert!(
        text.contains("type=\"too-short\"") && text.contains("published 1.5 ± 0.05 (Chaudhuri et al. 2019, fig. 2), ours 1.332"),
        "{text}"
    );
}

#[test]
fn the_same_tables_give_the_same_reports() {
    let out = demo();
    for format in Format::ALL {
        assert_eq!(written(&out, format), written(&out, format));
        assert_eq!(Format::named(format.name()), Some(format));
    }
}

#[test]
fn a_folder_that_no_run_wrote_is_said_to_be_one() {
    let out = tempfile::tempdir().unwrap();
    let message = report::write(out.path(), &[Format::Html]).unwrap_err().to_string();
    assert!(message.contains("holds no units.parquet"), "{message}");
    put(out.path(), &[unit("a", 0)]);
    std::fs::write(out.path().join("manifest.json"), "{cut").unwrap();
    let message = report::write(out.path(), &[Format::Md]).unwrap_err().to_string();
    assert!(message.contains("manifest.json"), "{message}");
    assert!(!out.path().join("report.md").exists());
}

/// An outside reader: pyarrow, where a Python that has it is found (`TCS_PYTHON`, else `python3`).
#[test]
fn pyarrow_reads_every_table() {
    let python = std::env::var("TCS_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_pyarrow = Command::new(&python).args(["-c", "import pyarrow.parquet"]).output().is_ok_and(|output| output.status.success());
    if !has_pyarrow {
        println!("skipped: {python} has no pyarrow; set TCS_PYTHON to one that has");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/read_tables.py");
    let output = Command::new(&python).arg(script).arg(demo()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().count(), 7, "{said}");
}
