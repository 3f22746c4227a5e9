//! The NWB and plain HDF5 readers against h5py's numbers: real recordings in `datasets/samples/`, small files of other
//! projects in `tests/data/nwb/`, and twins of real layouts that `dev/make_twins.py` writes to `target/twins/`.

use serde_json::Value;
use std::path::{Path, PathBuf};
use tcs_batch::data::{Content, Series, Span, Spikes};
use tcs_batch::read::filter::label;
use tcs_batch::read::{Condition, Filter, Format, Inspection, ReadError, Reader, Request, SignalKind, hdf5, nwb};

fn request(path: impl Into<PathBuf>, signal: SignalKind) -> Request {
    let (units, channels) = (Filter { every: 1, ..Filter::default() }, Filter { every: 1, ..Filter::default() });
    Request { path: path.into(), with: vec![], signal, series: vec![], units, channels, sampling_rate_hz: None }
}
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
/// A twin, or nothing with a line that says so.
fn twin(name: &str) -> Option<PathBuf> {
    let path = root("target/twins").join(name);
    if !path.exists() {
        println!("skipped: {} is missing (python dev/make_twins.py target/twins)", path.display());
        return None;
    }
    Some(path)
}
fn facts() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root("target/twins/facts.json")).unwrap()).unwrap()
}
fn open(format: &Format, request: &Request) -> Result<Box<dyn Reader>, ReadError> {
    (format.open)(request)
}
fn spikes(path: &Path) -> (Box<dyn Reader>, Spikes) {
    let mut reader = open(&nwb::FORMAT, &request(path, SignalKind::Spikes)).unwrap();
    match reader.read(None).unwrap() {
        Content::Spikes(spikes) => (reader, spikes),
        other => panic!("not spikes: {other:?}"),
    }
}
fn series(path: &Path, which: &str) -> Result<Box<dyn Reader>, ReadError> {
    open(&nwb::FORMAT, &Request { series: vec![which.into()], ..request(path, SignalKind::Series) })
}
fn as_series(content: Content) -> Series {
    match content {
        Content::Series(series) => series,
        other => panic!("not a series: {other:?}"),
    }
}
fn span(start_s: f64, stop_s: f64) -> Option<Span> {
    Some(Span { start_s, stop_s })
}
fn one_of(column: &str, wanted: &[&str]) -> Filter {
    Filter {
        conditions: vec![(column.into(), Condition::OneOf(wanted.iter().map(|&text| text.into()).collect()))],
        every: 1,
        keep_missing: false,
    }
}
#[track_caller]
fn fails(result: Result<Box<dyn Reader>, ReadError>, kind: &str, says: &[&str]) {
    let Err(error) = result else { panic!("should have failed as {kind}") };
    expect_error(&error, kind, says);
}
#[track_caller]
fn expect_error(error: &ReadError, kind: &str, says: &[&str]) {
    assert_eq!(error.kind, kind, "{error}");
    for part in says {
        assert!(error.to_string().contains(part), "`{part}` is missing in: {error}");
    }
}

/// Equal but for the last bit, which serde_json's parser may lose.
#[track_caller]
fn close(found: Option<f64>, golden: &Value) {
    match (found, golden.as_f64()) {
        (Some(found), Some(golden)) => assert!((found - golden).abs() <= 4.0 * f64::EPSILON * golden.abs(), "{found}, h5py {golden}"),
        (found, golden) => assert_eq!(found, golden),
    }
}

/// What h5py says of a file against what `inspect` and the readers say.
fn agrees_with_golden(path: &Path, golden: &Value) -> Inspection {
    let seen = (nwb::FORMAT.inspect)(path).unwrap();
    let text = |value: &Value| value.as_str().or_else(|| value.get(0)?.as_str()).map(str::to_owned);
    assert_eq!(seen.nwb_version, text(&golden["nwb_version"]), "{}", path.display());
    assert_eq!(seen.session.as_ref().unwrap().identifier, text(&golden["identifier"]));
    if let Some(units) = golden["units"]["units"].as_array() {
        let summary = seen.units.as_ref().unwrap();
        assert_eq!((summary.count, summary.spikes_total), (units.len(), golden["units"]["total_spikes"].as_u64().unwrap()));
        close(summary.t_first_s, &golden["units"]["min_time"]);
        close(summary.t_last_s, &golden["units"]["max_time"]);
        let (_, spikes) = spikes(path);
        for (train, unit) in spikes.trains().iter().zip(units) {
            assert_eq!(train.id, unit["id"].to_string());
            assert_eq!(train.times_s.len() as u64, unit["n"].as_u64().unwrap());
            close(train.times_s.first().copied(), &unit["first"]);
            close(train.times_s.last().copied(), &unit["last"]);
        }
    }
    for golden in golden["time_series"].as_array().unwrap().iter().filter(|golden| golden.get("shape").is_some()) {
        series_agrees(path, &seen, golden);
    }
    for golden in golden["tables"].as_array().unwrap() {
        let rows = golden["n_rows"].as_u64().unwrap() as usize;
        if let Some(table) = seen.intervals.iter().find(|table| table.path == golden["path"]) {
            assert_eq!(table.rows, rows);
            let column = open_any(path).map(|reader| reader.interval_column(&table.path, "start_time").unwrap());
            assert!(column.is_none_or(|column| column.len() == rows));
        }
        if golden["path"] == "/general/extracellular_ephys/electrodes" {
            let electrodes = seen.electrodes.as_ref().unwrap();
            assert_eq!(electrodes.count, rows);
            for (name, n) in golden["locations"].as_object().into_iter().flatten().filter(|(name, _)| label(name).is_some()) {
                assert_eq!(electrodes.locations.get(name).copied(), n.as_u64().map(|n| n as usize), "{name}");
            }
        }
    }
    seen
}

fn open_any(path: &Path) -> Option<Box<dyn Reader>> {
    open(&nwb::FORMAT, &request(path, SignalKind::Spikes)).or_else(|_| open(&nwb::FORMAT, &request(path, SignalKind::Series))).ok()
}

fn series_agrees(path: &Path, seen: &Inspection, golden: &Value) {
    let at = golden["path"].as_str().unwrap();
    let Some(summary) = seen.series.iter().find(|series| series.path == at) else { panic!("{at} is missing") };
    assert_eq!(serde_json::json!(summary.shape), golden["shape"], "{at}");
    assert_eq!((summary.dtype.as_str(), summary.kind.as_str()), (golden["dtype"].as_str().unwrap(), golden["type"].as_str().unwrap()));
    close(summary.conversion, &golden["conversion"]);
    if let Some(stamps) = golden.get("timestamps") {
        assert_eq!(summary.rate_hz, None);
        close(summary.t_start_s, &stamps["first"]);
        close(summary.t_stop_s, &stamps["last"]);
    } else {
        close(summary.rate_hz, &golden["rate"]);
        close(summary.t_start_s, &golden["starting_time"]);
    }
    let Some(means) = golden.get("in_units_mean_per_channel").and_then(Value::as_array).filter(|_| summary.shape.len() < 3) else { return };
    // Clocks that do not move forward or have gaps are refused; that has its own tests.
    let Ok(mut reader) = series(path, at) else { return };
    let Ok(content) = reader.read(None) else { return };
    let read = as_series(content);
    for (channel, mean) in read.iter().zip(means) {
        let (found, mean) = (channel.iter().sum::<f64>() / channel.len() as f64, mean.as_f64().unwrap());
        assert!((found - mean).abs() <= 1e-9 * mean.abs().max(1e-30), "{at}: mean {found}, h5py {mean}");
    }
}

#[test]
fn small_files_agree_with_h5py() {
    let mut n = 0;
    for entry in std::fs::read_dir(root("tests/data/nwb/golden")).unwrap() {
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        let name = golden["file"].as_str().unwrap();
        let name = name.rsplit('/').next().unwrap();
        let path = ["tests/data/nwb", "datasets/samples"].map(|folder| root(folder).join(name)).into_iter().find(|path| path.exists());
        agrees_with_golden(&path.unwrap_or_else(|| panic!("{name} is missing")), &golden);
        n += 1;
    }
    assert_eq!(n, 15);
}

#[test]
fn human_units_have_areas_by_electrode_row() {
    let path = root("datasets/samples/sub-4_ses-4_ecephys+image.nwb");
    let (reader, spikes) = spikes(&path);
    let areas: Vec<_> = spikes.trains().iter().filter_map(|train| train.location.as_deref()).collect();
    assert_eq!(areas.len(), 35);
    assert!(areas.iter().all(|area| ["hippocampus_right", "amygdala_right"].contains(area)), "{areas:?}");
    assert_eq!((reader.header().span.start_s, reader.header().span.stop_s), (0.0, 2821.0717622499997f64.next_up()));
    let mut some = request(&path, SignalKind::Spikes);
    some.units = one_of("location", &["amygdala_right"]);
    some.units.conditions.push(("rate_hz".into(), Condition::AtLeast(0.5)));
    let header = open(&nwb::FORMAT, &some).unwrap().header().clone();
    let wanted =
        spikes.trains().iter().filter(|t| t.location.as_deref() == Some("amygdala_right") && t.times_s.len() as f64 / 2821.07 >= 0.5);
    assert_eq!(header.channels.iter().map(|c| &c.name).collect::<Vec<_>>(), wanted.map(|t| &t.id).collect::<Vec<_>>());
    assert!(header.notes.iter().any(|note| note.ends_with("kept by location=amygdala_right, rate_hz>=0.5")), "{:?}", header.notes);
}

#[test]
fn events_with_a_broken_clock_are_listed_and_refused() {
    let path = root("datasets/samples/sub-4_ses-4_ecephys+image.nwb");
    let seen = (nwb::FORMAT.inspect)(&path).unwrap();
    let problem = |at: &str| seen.problems.iter().find(|problem| problem.path == at).map(|problem| problem.what.clone());
    assert!(problem("/acquisition/events/timestamps").unwrap().contains("gaps"));
    assert!(problem("/stimulus/presentation/StimulusPresentation_encoding/data").unwrap().contains("external files"));
    let mut events = series(&path, "acquisition/events/data").unwrap();
    expect_error(&events.read(None).unwrap_err(), "gap", &["/acquisition/events/timestamps", "-1542900540.735703 s"]);
    fails(series(&path, "/stimulus/presentation/StimulusPresentation_encoding"), "unsupported", &["placeholder"]);
    let tables: Vec<_> = seen.intervals.iter().map(|table| table.rows).collect();
    assert_eq!(tables, [90, 180, 180]);
}

#[test]
fn intervals_are_called_by_name_or_path() {
    let path = root("datasets/samples/A8604-211122.nwb");
    let (reader, _) = spikes(&path);
    for name in ["epochs", "intervals/epochs", "/intervals/epochs"] {
        assert_eq!(reader.interval_column(name, "stop_time").unwrap(), [1087.5289]);
    }
    expect_error(&reader.interval_column("trials", "start_time").unwrap_err(), "bad-value", &["`trials`", "intervals/epochs (1 rows)"]);
    expect_error(&reader.interval_column("epochs", "strat_time").unwrap_err(), "bad-value", &["did you mean `start_time`?"]);
    expect_error(&reader.interval_column("epochs", "tags").unwrap_err(), "bad-value", &["tags"]);
}

#[test]
fn filters_say_what_there_is() {
    let path = root("datasets/samples/A8604-211122.nwb");
    let with = |units: Filter| open(&nwb::FORMAT, &Request { units, ..request(&path, SignalKind::Spikes) });
    fails(with(one_of("quality", &["good"])), "bad-value", &["no column `quality`", "location, group", "rate_hz"]);
    fails(with(one_of("location", &["VISp"])), "no-units", &["none of 3 units", "(empty): 3"]);
    let reader = with(one_of("id", &["191", "6"])).unwrap();
    assert_eq!(reader.header().channels.iter().map(|channel| channel.name.as_str()).collect::<Vec<_>>(), ["6", "191"]);
    assert_eq!(reader.header().n_channels_total, 3);
}

#[test]
fn a_window_of_an_lfp_is_the_same_as_the_whole_cut() {
    let path = root("tests/data/nwb/packed_rat_hpc_lfp_hc2.nwb");
    let mut reader = open(&nwb::FORMAT, &request(&path, SignalKind::Series)).unwrap();
    let header = reader.header().clone();
    assert_eq!((header.rate_hz, header.n_samples, header.unit_of_measure.as_str()), (Some(1000.0), Some(150_000), "V"));
    assert_eq!((header.channels[0].name.as_str(), header.channels[0].location.as_deref()), ("17", Some("hippocampus")));
    let whole = as_series(reader.read(None).unwrap());
    let cut = as_series(reader.read(span(12.3456, 13.0)).unwrap());
    assert_eq!((cut.n_samples(), cut.t_start_s()), (654, 12.346));
    assert_eq!(cut.channel(0), &whole.channel(0)[12_346..13_000]);
    expect_error(&reader.read(span(149.0, 151.0)).unwrap_err(), "outside", &["it covers 0 s to 150 s"]);
    expect_error(&reader.read(span(-1.0, 1.0)).unwrap_err(), "outside", &[]);
    expect_error(&reader.read(span(1.0, 1.0001)).unwrap_err(), "bad-value", &["shorter than a sample"]);
    expect_error(&reader.read(span(f64::NAN, 1.0)).unwrap_err(), "bad-value", &[]);
}

#[test]
fn old_and_odd_writers_are_understood() {
    let matlab = root("tests/data/nwb/matnwb_ecephys_tutorial.nwb");
    for which in ["/acquisition/ECoG", "/acquisition/ECoG2"] {
        let reader = series(&matlab, which).unwrap();
        assert_eq!((reader.header().channels.len(), reader.header().n_samples), (10, Some(1000)), "{which}");
        assert!(reader.header().notes.iter().any(|note| note.contains("(channel, time)")));
    }
    fails(open(&nwb::FORMAT, &request(&matlab, SignalKind::Series)), "no-series", &["/acquisition/ECoG, /acquisition/ECoG2"]);
    let turned = (nwb::FORMAT.inspect)(&matlab).unwrap();
    assert!(turned.problems.iter().all(|problem| problem.what.contains("against the schema")), "{:?}", turned.problems);
    let linked = (nwb::FORMAT.inspect)(&root("tests/data/nwb/matnwb_link_test.nwb")).unwrap();
    assert_eq!(linked.problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), ["/general/subject"]);
    let cube = root("tests/data/nwb/nwbtestdata_v2.0.1_test_DecompositionSeries.nwb");
    fails(series(&cube, "processing/test_mod/LFPSpectralAnalysis"), "unsupported", &["3 dimensions"]);
    let stamps = root("tests/data/nwb/nwbtestdata_v2.0.1_test_timestamps_linking.nwb");
    assert_eq!(series(&stamps, "acquisition/b").unwrap().header().rate_hz, Some(1.0));
    let empty = root("tests/data/nwb/pynwb_1.5.1_timeseries_no_data.nwb");
    fails(open(&nwb::FORMAT, &request(&empty, SignalKind::Series)), "no-series", &[]);
}

#[test]
fn files_that_may_not_be_published_agree_too() {
    let shared = root("../shared");
    if !shared.join("data/nwb").exists() {
        println!("skipped: ../shared is missing");
        return;
    }
    let golden = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(shared.join(format!("golden/nwb/{name}.json"))).unwrap()).unwrap()
    };
    let file = |name: &str| shared.join("data/nwb").join(name);
    let lantyer = "LantyerEtAl2018_171220_NC_156_ST100_C.nwb";
    assert_eq!(agrees_with_golden(&file(lantyer), &golden(lantyer)).series.len(), 4);
    let cut = "aibs_session_760693773_truncated.nwb";
    fails(open(&nwb::FORMAT, &request(file(cut), SignalKind::Spikes)), "damaged", &["/units/spike_times_index", "32415", "10 values"]);
    let seen = (nwb::FORMAT.inspect)(&file(cut)).unwrap();
    assert!(seen.problems.iter().any(|problem| problem.path == "/units/spike_times_index"));
    assert_eq!(seen.units.unwrap().columns.len(), 29);
    let retina = file("20080606_R1.nwb");
    let golden = golden("20080606_R1.nwb");
    let (_, spikes) = spikes(&retina);
    for (train, unit) in spikes.trains().iter().zip(golden["nwb1_units"].as_array().unwrap()) {
        assert_eq!(train.times_s.len() as u64, unit["n"].as_u64().unwrap());
        close(train.times_s.first().copied(), &unit["first"]);
        close(train.times_s.last().copied(), &unit["last"]);
    }
    let seen = (nwb::FORMAT.inspect)(&retina).unwrap();
    assert_eq!((seen.nwb_version.as_deref(), seen.units.unwrap().spikes_total), (Some("1.0.6"), 40657));
    assert_eq!(seen.problems.iter().filter(|problem| problem.what.contains("target does not exist")).count(), 3);
    let skeleton = (nwb::FORMAT.inspect)(&file("496908818s.nwb")).unwrap();
    assert!(skeleton.problems.iter().any(|problem| problem.what.contains("conversion is NaN")), "{:?}", skeleton.problems);
    assert_eq!(skeleton.nwb_version.as_deref(), Some("NWB-1.0.5"));
}

#[test]
fn allen_sessions_find_areas_by_electrode_id() {
    let (Some(path), Some(cut)) = (twin("allen_session.nwb"), twin("cut_session.nwb")) else { return };
    let facts = &facts()["allen_session.nwb"];
    let (reader, spikes) = spikes(&path);
    let counts: Vec<usize> = spikes.trains().iter().map(|train| train.times_s.len()).collect();
    assert_eq!(serde_json::json!(counts), facts["counts"]);
    let areas: Vec<_> = spikes.trains().iter().map(|train| train.location.clone()).collect();
    assert_eq!(serde_json::json!(areas), facts["locations"]);
    assert!(reader.header().notes.iter().any(|note| note == "1 units have no spikes"));
    assert_eq!(reader.interval_column("drifting_gratings_presentations", "orientation").unwrap()[5], 225.0);
    let good = Request { units: one_of("quality", &["good"]), ..request(&path, SignalKind::Spikes) };
    assert!(open(&nwb::FORMAT, &good).unwrap().header().notes.contains(&"4 units, 3 kept by quality=good".to_owned()));
    let snr = Filter { conditions: vec![("snr".into(), Condition::AtLeast(2.0))], every: 1, keep_missing: false };
    let mut snr = open(&nwb::FORMAT, &Request { units: snr, ..request(&path, SignalKind::Spikes) }).unwrap();
    let Content::Spikes(window) = snr.read(span(50.0, 60.0)).unwrap() else { panic!() };
    let all = spikes.cut(Span { start_s: 50.0, stop_s: 60.0 }).unwrap();
    assert_eq!(window.trains(), [all.trains()[0].clone(), all.trains()[3].clone()]);
    expect_error(&snr.read(span(200.0, 210.0)).unwrap_err(), "outside", &[]);
    fails(
        open(&nwb::FORMAT, &request(cut, SignalKind::Spikes)),
        "damaged",
        &["row 0 ends at 40, but there are only 10 values", "/units/spike_times"],
    );
}

#[test]
fn ragged_electrodes_and_odd_spikes() {
    let (Some(path), Some(odd), Some(elsewhere)) = (twin("ibl.nwb"), twin("odd_spikes.nwb"), twin("elsewhere.nwb")) else { return };
    let areas: Vec<_> = spikes(&path).1.trains().iter().map(|train| train.location.clone()).collect();
    assert_eq!(serde_json::json!(areas), facts()["ibl.nwb"]["locations"]);
    if let Some(groups) = twin("groups.nwb") {
        let (reader, spikes) = spikes(&groups);
        assert_eq!(spikes.trains().iter().map(|train| train.location.as_deref()).collect::<Vec<_>>(), [None, Some("CA1"), Some("CA1")]);
        assert!(reader.header().notes.iter().any(|note| note.contains("2 stretches (1.5 s)")), "{:?}", reader.header().notes);
    }
    let (reader, odd) = spikes(&odd);
    assert_eq!(odd.trains()[0].times_s, [1.0, 3.0, 5.0]);
    assert_eq!(odd.trains()[1].times_s, [0.0; 0]);
    assert_eq!(odd.trains()[2].times_s, [-2.0, 4.0, 9.0]);
    assert_eq!((odd.trains()[1].location.as_deref(), odd.trains()[2].location.as_deref()), (None, Some("VISp")));
    assert_eq!(odd.span().start_s, -2.0);
    let notes = reader.header().notes.join("; ");
    for said in ["1 spike times that are not finite", "1 units had unsorted", "1 spikes come before time 0"] {
        assert!(notes.contains(said), "{notes}");
    }
    assert_eq!(spikes(&elsewhere).1.trains().len(), 2);
}

#[test]
fn tall_chunks_and_scaled_clocks() {
    let Some(path) = twin("allen_lfp.nwb") else { return };
    let seen = (nwb::FORMAT.inspect)(&path).unwrap();
    assert_eq!(seen.series.len(), 1, "a soft link is no second series");
    assert_eq!(seen.series[0].filters, ["shuffle", "gzip"]);
    assert_eq!(seen.problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), ["/acquisition/nowhere"]);
    let mut reader = open(&nwb::FORMAT, &request(&path, SignalKind::Series)).unwrap();
    let step = 0.00080000080;
    assert!((reader.header().rate_hz.unwrap() * step - 1.0).abs() < 1e-9);
    assert_eq!(reader.header().channels.iter().map(|channel| channel.name.as_str()).collect::<Vec<_>>(), ["7", "11", "15", "19", "23"]);
    let cut = as_series(reader.read(span(3.7 + 5000.0 * step, 3.7 + 9000.0 * step)).unwrap());
    let sums: Vec<f64> = cut.iter().map(|channel| channel.iter().sum()).collect();
    for (sum, golden) in sums.iter().zip(facts()["allen_lfp.nwb"]["sums"].as_array().unwrap()) {
        assert!((sum - golden.as_f64().unwrap()).abs() < 1e-12);
    }
    let some = Request { channels: Filter { every: 2, ..one_of("valid_data", &["true"]) }, ..request(&path, SignalKind::Series) };
    let mut some = open(&nwb::FORMAT, &some).unwrap();
    assert_eq!(some.header().channels.iter().map(|channel| channel.name.as_str()).collect::<Vec<_>>(), ["7", "23"]);
    let two = as_series(some.read(span(3.7 + 5000.0 * step, 3.7 + 9000.0 * step)).unwrap());
    assert_eq!((two.channel(0), two.channel(1)), (cut.channel(0), cut.channel(4)));
}

#[test]
fn physical_units_follow_the_schema() {
    let Some(path) = twin("scaled.nwb") else { return };
    let facts = &facts()["scaled.nwb"];
    let mut reader = series(&path, "acquisition/ES").unwrap();
    assert_eq!((reader.header().rate_hz, reader.header().span.start_s), (Some(500.0), 10.0));
    let whole = as_series(reader.read(None).unwrap());
    for (channel, golden) in whole.iter().zip(facts["row_1234"].as_array().unwrap()) {
        assert!((channel[1234] - golden.as_f64().unwrap()).abs() < 1e-15);
    }
    assert!((whole.values().iter().sum::<f64>() - facts["sum"].as_f64().unwrap()).abs() < 1e-7);
    let swapped = as_series(series(&path, "acquisition/transposed").unwrap().read(None).unwrap());
    assert_eq!((swapped.n_channels(), swapped.n_samples()), (3, 5000));
    assert!((swapped.channel(1)[77] * f64::from(1e-6f32) * 2.0 + 0.5 - whole.channel(1)[77]).abs() < 1e-15);
    let nan = series(&path, "acquisition/nan_conversion").unwrap();
    assert!(nan.header().notes.contains(&"conversion is NaN and was taken as 1".to_owned()));
}

#[test]
fn clocks_with_gaps_are_never_joined() {
    let Some(path) = twin("clocks.nwb") else { return };
    let mut gap = series(&path, "acquisition/gap").unwrap();
    assert!(
        gap.header().notes.iter().any(|note| note.contains("a step of 11.17 s after sample 2499 (at 24.99 s)")),
        "{:?}",
        gap.header().notes
    );
    let after = as_series(gap.read(span(37.16, 39.16)).unwrap());
    assert_eq!((after.n_samples(), after.channel(0)[0]), (200, 2600.0));
    assert_eq!(as_series(gap.read(span(20.0, 25.0)).unwrap()).n_samples(), 500);
    expect_error(&gap.read(span(20.0, 26.0)).unwrap_err(), "gap", &["after sample 2499"]);
    expect_error(&gap.read(span(30.0, 31.0)).unwrap_err(), "gap", &["nothing was recorded"]);
    expect_error(&gap.read(None).unwrap_err(), "gap", &[]);
    let mut nan = series(&path, "acquisition/nan").unwrap();
    expect_error(
        &nan.read(span(3.0, 4.0)).unwrap_err(),
        "not-finite",
        &["channel `0` holds NaN at sample 21 (3.210000 s)", "/acquisition/nan/data"],
    );
    assert!(nan.read(span(4.0, 5.0)).is_ok());
    let stale = series(&path, "acquisition/stale_rate").unwrap();
    assert!((stale.header().rate_hz.unwrap() - 1250.0).abs() < 1e-6);
    assert!(stale.header().notes.iter().any(|note| note.contains("625 Hz")));
    fails(series(&path, "acquisition/short_stamps"), "damaged", &["900 timestamps for 1000 samples"]);
    fails(series(&path, "acquisition/unclear"), "bad-value", &["which axis of (3, 40) is time", "channels-first"]);
    let said = Request { series: vec!["acquisition/unclear".into(), "channels-first".into()], ..request(&path, SignalKind::Series) };
    assert_eq!(open(&nwb::FORMAT, &said).unwrap().header().n_samples, Some(40));
    fails(series(&path, "acquisition/nothing"), "no-series", &["/acquisition/gap", "/acquisition/nan"]);
}

#[test]
fn broken_files_fail_with_what_to_do() {
    let missing = root("tests/data/nwb/nowhere.nwb");
    fails(open(&nwb::FORMAT, &request(missing, SignalKind::Spikes)), "missing", &["check the path"]);
    fails(open(&nwb::FORMAT, &request(root("tests"), SignalKind::Spikes)), "not-hdf5", &["folder"]);
    fails(open(&nwb::FORMAT, &request(root("Cargo.toml"), SignalKind::Spikes)), "not-hdf5", &["bytes"]);
    let (Some(half), Some(none), Some(giant), Some(filter)) =
        (twin("half.nwb"), twin("no_units.nwb"), twin("giant.nwb"), twin("unknown_filter.nwb"))
    else {
        return;
    };
    let size = std::fs::metadata(&half).unwrap().len().to_string();
    fails(open(&nwb::FORMAT, &request(&half, SignalKind::Spikes)), "truncated", &["bytes expected", &size]);
    fails(open(&nwb::FORMAT, &request(&none, SignalKind::Spikes)), "no-units", &["/acquisition/wheel"]);
    let mut units = open(&nwb::FORMAT, &request(&giant, SignalKind::Spikes)).unwrap();
    expect_error(&units.read(None).unwrap_err(), "damaged", &["1099511627776 values", "bytes are stored"]);
    let mut all = open(&nwb::FORMAT, &request(&giant, SignalKind::Series)).unwrap();
    expect_error(&all.read(None).unwrap_err(), "damaged", &["bytes are stored"]);
    assert_eq!(as_series(all.read(span(5.0, 6.0)).unwrap()).n_samples(), 1000);
    fails(open(&nwb::FORMAT, &request(&filter, SignalKind::Series)), "unsupported", &["zstd (id 32015)", "HDF5_PLUGIN_PATH"]);
    assert!((nwb::FORMAT.inspect)(&filter).unwrap().problems[0].what.contains("zstd"));
}

#[test]
fn a_file_cut_anywhere_fails_or_reads_but_never_panics() {
    let whole = std::fs::read(root("tests/data/nwb/nwbtestdata_v2.0.1_test_LFP.nwb")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for part in 0..40 {
        let path = folder.path().join(format!("{part}.nwb"));
        std::fs::write(&path, &whole[..whole.len() * part / 40]).unwrap();
        fails(open(&nwb::FORMAT, &request(&path, SignalKind::Spikes)), if part == 0 { "not-hdf5" } else { "truncated" }, &[]);
    }
}

#[test]
fn a_file_with_wrong_bytes_never_panics() {
    use rand::RngExt;
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let folder = tempfile::tempdir().unwrap();
    let (mut read, mut refused) = (0, 0);
    // TCS_FUZZ=1000 looks longer.
    let parts: u32 = std::env::var("TCS_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(30);
    for name in ["nwbtestdata_v2.0.1_test_LFP.nwb", "nwbtestdata_v2.0.1_test_Units.nwb", "packed_rat_hpc_lfp_hc2.nwb"] {
        let whole = std::fs::read(root("tests/data/nwb").join(name)).unwrap();
        for part in 0..parts {
            let mut bytes = whole.clone();
            // Most of a file is data; its structure stands in the first and last pages.
            for _ in 0..8 {
                let page = random.random_range(0..40_000.min(bytes.len()));
                let at = if random.random_range(0..2) == 0 { page } else { bytes.len() - 1 - page };
                bytes[at] = random.random_range(0..=255u8);
            }
            let path = folder.path().join(format!("{part}_{name}"));
            std::fs::write(&path, bytes).unwrap();
            let _ = (nwb::FORMAT.inspect)(&path);
            let signal = if name.contains("Units") { SignalKind::Spikes } else { SignalKind::Series };
            match open(&nwb::FORMAT, &request(&path, signal)).and_then(|mut reader| reader.read(None)) {
                Ok(_) => read += 1,
                Err(error) => {
                    assert!(!error.kind.is_empty() && error.path == path, "{error}");
                    refused += 1;
                }
            }
            std::fs::remove_file(&path).unwrap();
        }
    }
    assert!(read > 10 && refused > 10, "{read} read, {refused} refused");
}

#[test]
fn plain_matrices_points_distances_and_groups_of_spikes() {
    let (Some(path), Some(single)) = (twin("plain.h5"), twin("single.h5")) else { return };
    let facts = &facts()["plain.h5"];
    let with = |signal, which: &str| Request { series: vec![which.into()], sampling_rate_hz: Some(100.0), ..request(&path, signal) };
    let mut one = open(&hdf5::FORMAT, &with(SignalKind::Series, "one")).unwrap();
    let cut = as_series(one.read(span(1.0, 2.0)).unwrap());
    assert!((cut.values().iter().sum::<f64>() - facts["one_sum"].as_f64().unwrap()).abs() < 1e-9);
    fails(open(&hdf5::FORMAT, &request(&single, SignalKind::Series)), "bad-value", &["sampling_rate_hz"]);
    fails(open(&hdf5::FORMAT, &request(&path, SignalKind::Points)), "no-series", &["/deep/points [20, 3]"]);
    for which in ["square", "/lower"] {
        let Content::Distances(distances) = open(&hdf5::FORMAT, &with(SignalKind::Distances, which)).unwrap().read(None).unwrap() else {
            panic!()
        };
        assert_eq!((distances.len(), distances.get(3, 1)), (6, facts["d_3_1"].as_f64().unwrap()));
    }
    let Content::Points(points) = open(&hdf5::FORMAT, &with(SignalKind::Points, "deep/points")).unwrap().read(None).unwrap() else {
        panic!()
    };
    assert_eq!((points.len(), points.dim()), (20, 3));
    let Content::Spikes(spikes) = open(&hdf5::FORMAT, &with(SignalKind::Spikes, "spikes")).unwrap().read(None).unwrap() else { panic!() };
    let units: Vec<_> = spikes.trains().iter().map(|train| (train.id.as_str(), train.times_s.len())).collect();
    assert_eq!(units, [("cell_2", 6), ("cell_10", 30)]);
    assert_eq!((hdf5::FORMAT.inspect)(&path).unwrap().series.len(), 6);
}

#[test]
fn random_windows_agree_with_h5py_exactly() {
    let Some(path) = twin("random.h5") else { return };
    for case in facts()["random.h5"].as_array().unwrap() {
        let number = |key: &str| case[key].as_u64().unwrap() as usize;
        let mut asked = request(&path, SignalKind::Series);
        asked.series = vec![case["path"].as_str().unwrap().into()];
        asked.sampling_rate_hz = Some(1.0);
        asked.channels.every = number("every");
        let (first, rows) = (number("first"), number("rows"));
        let read = as_series(open(&hdf5::FORMAT, &asked).unwrap().read(span(first as f64, (first + rows) as f64)).unwrap());
        let check: f64 = read.values().iter().enumerate().map(|(at, value)| value * ((at + 1) % 97) as f64).sum();
        assert_eq!(Some(check), case["check"].as_f64(), "{case}");
    }
}

#[test]
fn readers_move_between_threads() {
    let path = root("datasets/samples/A8604-211122.nwb");
    let counts: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| spikes(&path).1.trains()[0].times_s.len())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(counts, [11020; 4]);
}

/// `python dev/make_twins.py target/twins --big` first: 0.7 GB of spikes, the same compressed, and 1 GB of LFP in tall chunks.
#[test]
#[ignore = "needs gigabytes of twins"]
fn headers_of_big_files_open_at_once() {
    for name in ["big_spikes.nwb", "big_spikes_gzip.nwb", "big_lfp.nwb"] {
        let Some(path) = twin(name) else { continue };
        let mut start = std::time::Instant::now();
        (nwb::FORMAT.inspect)(&path).unwrap();
        let inspected = start.elapsed();
        let mut lap = || std::mem::replace(&mut start, std::time::Instant::now()).elapsed();
        lap();
        let signal = if name.contains("lfp") { SignalKind::Series } else { SignalKind::Spikes };
        let mut reader = open(&nwb::FORMAT, &request(&path, signal)).unwrap();
        let opened = lap();
        let t0 = reader.header().span.start_s;
        let mut window = |at: u32| reader.read(span(t0 + 20.0 * f64::from(at), t0 + 20.0 * f64::from(at + 1))).unwrap();
        window(0);
        let first = lap();
        (1..10).for_each(|at| drop(window(at)));
        println!("{name}: inspect {inspected:?}, open {opened:?}, a window of 20 s {first:?}, nine more {:?}", lap());
        assert!(inspected.as_secs_f64() < 0.5, "{name}: {inspected:?}");
    }
}
