//! The layouts of the large data sets, as `dev/make_layouts.py` writes twins of them to `target/twins/`, and the ways in which real
//! files mislead a reader. Numbers to expect are h5py's (`layouts.json`).

use serde_json::Value;
use std::path::{Path, PathBuf};
use tcs_batch::data::{Content, Series, Span};
use tcs_batch::read::{Condition, Filter, Inspection, ReadError, Reader, Request, SignalKind, hdf5, nwb};

fn twin(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/twins").join(name);
    if !path.exists() {
        println!("skipped: {} is missing (python dev/make_twins.py target/twins)", path.display());
        return None;
    }
    Some(path)
}
fn facts() -> Value {
    serde_json::from_str(&std::fs::read_to_string(twin("layouts.json").unwrap()).unwrap()).unwrap()
}
fn every() -> Filter {
    Filter { every: 1, ..Filter::default() }
}
fn request(path: &Path, signal: SignalKind) -> Request {
    Request { path: path.into(), with: vec![], signal, series: vec![], units: every(), channels: every(), sampling_rate_hz: None }
}
fn spikes(path: &Path, conditions: &[(&str, Condition)]) -> Result<Box<dyn Reader>, ReadError> {
    let conditions = conditions.iter().map(|(name, condition)| ((*name).to_owned(), condition.clone())).collect();
    (nwb::FORMAT.open)(&Request { units: Filter { conditions, ..every() }, ..request(path, SignalKind::Spikes) })
}
fn series(path: &Path, which: &[&str]) -> Result<Box<dyn Reader>, ReadError> {
    (nwb::FORMAT.open)(&Request { series: which.iter().map(|&word| word.into()).collect(), ..request(path, SignalKind::Series) })
}
fn read(reader: &mut dyn Reader, span: Option<Span>) -> Series {
    match reader.read(span).unwrap() {
        Content::Series(series) => series,
        other => panic!("not a series: {other:?}"),
    }
}
fn sums(series: &Series) -> Vec<f64> {
    series.iter().map(|channel| channel.iter().sum()).collect()
}
#[track_caller]
fn near(found: &[f64], golden: &Value) {
    let golden: Vec<f64> = golden.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert_eq!(found.len(), golden.len());
    for (found, golden) in found.iter().zip(&golden) {
        assert!((found - golden).abs() <= 1e-9 * golden.abs().max(1e-9), "{found}, h5py {golden}");
    }
}
fn names(reader: &dyn Reader) -> Vec<String> {
    reader.header().channels.iter().map(|channel| channel.name.clone()).collect()
}
fn areas(reader: &dyn Reader) -> Value {
    serde_json::json!(reader.header().channels.iter().map(|channel| channel.location.clone()).collect::<Vec<_>>())
}
fn counts(reader: &mut dyn Reader) -> Value {
    match reader.read(None).unwrap() {
        Content::Spikes(spikes) => serde_json::json!(spikes.trains().iter().map(|train| train.times_s.len()).collect::<Vec<_>>()),
        other => panic!("not spikes: {other:?}"),
    }
}
fn inspect(path: &Path) -> Inspection {
    (nwb::FORMAT.inspect)(path).unwrap()
}
fn one_of(wanted: &[&str]) -> Condition {
    Condition::OneOf(wanted.iter().map(|&text| text.into()).collect())
}
#[track_caller]
fn fails(result: Result<Box<dyn Reader>, ReadError>, kind: &str, says: &[&str]) {
    let Err(error) = result else { panic!("should have failed as {kind}") };
    assert_eq!(error.kind, kind, "{error}");
    for part in says {
        assert!(error.to_string().contains(part), "`{part}` is missing in: {error}");
    }
}
#[track_caller]
fn noted(reader: &dyn Reader, part: &str) {
    assert!(reader.header().notes.iter().any(|note| note.contains(part)), "`{part}` is missing in {:?}", reader.header().notes);
}
#[track_caller]
fn problem(seen: &Inspection, path: &str, part: &str) {
    let found: Vec<&str> = seen.problems.iter().filter(|problem| problem.path == path).map(|problem| problem.what.as_str()).collect();
    assert!(found.iter().any(|what| what.contains(part)), "`{part}` is missing at {path} in {found:?}");
}

#[test]
fn visual_coding_sessions() {
    let Some(path) = twin("vcn_session.nwb") else { return };
    let facts = &facts()["vcn"];
    let mut all = spikes(&path, &[]).unwrap();
    assert_eq!((counts(all.as_mut()), areas(all.as_ref())), (facts["counts"].clone(), facts["areas"].clone()));
    assert_eq!(names(all.as_ref())[7], "951791925");
    let seen = inspect(&path);
    assert_eq!(seen.units.as_ref().unwrap().spikes_total, facts["total"].as_u64().unwrap());
    assert!(seen.intervals.iter().any(|table| table.path == "/processing/optotagging/optogenetic_stimulation"));
    assert_eq!(seen.series.iter().filter(|series| series.path.contains("running_wheel")).count(), 3);
    // Ids are not rows, a star stands for the rest of a label, an electrode's columns are the unit's too.
    let some = spikes(&path, &[("location", one_of(&["VISp*"])), ("group_name", one_of(&["probeB"]))]).unwrap();
    assert_eq!(names(some.as_ref()), ["951791921", "951791922"]);
    let valid = spikes(&path, &[("valid_data", one_of(&["true"])), ("snr", Condition::AtMost(1.0))]).unwrap();
    assert_eq!(names(valid.as_ref()), ["951791918"]);
    let rows = |table: &str, column: &str, condition| {
        all.interval_rows(table, &Filter { conditions: vec![(column.into(), condition)], ..every() }).unwrap()
    };
    assert_eq!(rows("flashes_presentations", "color", one_of(&["1"])), [1, 3]);
    // A column that holds text here and numbers in other files.
    assert_eq!(rows("drifting_gratings", "spatial_frequency", one_of(&["[0.0, 0.0]"])).len(), 6);
    // A group that is called `timestamps` makes no series of the group around it.
    assert!(seen.series.iter().any(|series| series.path == "/processing/stimulus/timestamps"));
    assert!(seen.series.iter().all(|series| series.path != "/processing/stimulus"));
    assert_eq!(rows("drifting_gratings", "orientation", Condition::AtLeast(45.0)), [1, 2, 4]);
    assert_eq!(rows("intervals/drifting_gratings_presentations", "stimulus_name", one_of(&["drifting_gratings"])).len(), 6);
    let nothing = Filter { conditions: vec![("color".into(), one_of(&["7"]))], ..every() };
    assert_eq!(all.interval_rows("flashes_presentations", &nothing).unwrap_err().kind, "no-windows");
}

#[test]
fn invalid_times_concern_the_probes_they_name() {
    let Some(path) = twin("vcn_session.nwb") else { return };
    let excluded = |group: &str| {
        let reader = spikes(&path, &[("group_name", one_of(&[group]))]).unwrap();
        reader.header().excluded.iter().map(|excluded| (excluded.span.start_s, excluded.stimulus_only)).collect::<Vec<_>>()
    };
    assert_eq!(excluded("probeA"), [(14.1, false), (46.0, false), (60.0, true)]);
    assert_eq!(excluded("probeB"), [(46.0, false), (60.0, true)]);
    noted(spikes(&path, &[]).unwrap().as_ref(), "3 stretches (1.7 s)");
}

#[test]
fn a_session_and_its_probes_are_one_dataset() {
    let (Some(session), Some(a), Some(b), Some(other)) = (
        twin("vcn_session.nwb"),
        twin("vcn_probe_810755797_lfp.nwb"),
        twin("vcn_probe_810755798_lfp.nwb"),
        twin("vcn_other_session_lfp.nwb"),
    ) else {
        return;
    };
    let joined =
        |with: Vec<PathBuf>, channels: Filter| (nwb::FORMAT.open)(&Request { with, channels, ..request(&session, SignalKind::Series) });
    let mut both = joined(vec![a.clone(), b.clone()], every()).unwrap();
    let facts = &facts()["vcn_lfp"];
    assert_eq!(serde_json::json!(names(both.as_ref())), facts["names"]);
    assert_eq!(both.header().groups[5].as_deref(), Some("probeB"));
    let window = read(both.as_mut(), Some(Span { start_s: 20.0, stop_s: 21.0 }));
    assert_eq!(window.n_samples(), 1250);
    near(&sums(&window), &facts["sums_20_to_21"]);
    assert_eq!(both.interval_column("flashes_presentations", "start_time").unwrap().len(), 5);
    let some = Filter { conditions: vec![("location".into(), one_of(&["VISp"])), ("group_name".into(), one_of(&["probeA"]))], ..every() };
    assert_eq!(names(joined(vec![a.clone(), b], some).unwrap().as_ref()), ["850090592"]);
    fails(joined(vec![other], every()), "session", &["its session is 1", "715093703"]);
    // A probe's file alone: the LFP, not the current source density beside it.
    assert_eq!(series(&a, &[]).unwrap().header().channels.len(), 3);
    assert!((series(&a, &[]).unwrap().header().rate_hz.unwrap() - 1249.99875).abs() < 1e-3, "not the group's 625 Hz");
}

#[test]
fn visual_behavior_sessions() {
    let (Some(path), Some(behavior)) = (twin("vbn_session.nwb"), twin("vbn_behavior.nwb")) else { return };
    let reader = spikes(&path, &[]).unwrap();
    let rows = |table: &str, column: &str, wanted: &str| {
        reader.interval_rows(table, &Filter { conditions: vec![(column.into(), one_of(&[wanted]))], ..every() }).unwrap()
    };
    assert_eq!(rows("trials", "hit", "true"), [0, 2, 4]);
    assert_eq!(rows("Natural_Images_Lum_Matched_set_ophys_G_2019_presentations", "active", "false"), [3]);
    assert_eq!(rows("Natural_Images_Lum_Matched_set_ophys_G_2019", "image_name", "omitted"), [1]);
    fails(spikes(&behavior, &[]), "no-units", &["/processing/running/speed", "signal = \"series\""]);
    assert!(inspect(&behavior).units.is_none());
    assert_eq!(series(&behavior, &["processing/running/speed"]).unwrap().header().n_samples, Some(300));
}

#[test]
fn two_photon_sessions_of_both_versions() {
    let (Some(two), Some(one), Some(converted)) = (twin("ophys_v2.nwb"), twin("ophys_v1.nwb"), twin("ophys_000039.nwb")) else { return };
    let facts = facts();
    let mut dff = series(&two, &["/processing/ophys/dff"]).unwrap();
    assert_eq!(names(dff.as_ref()), ["10", "11", "12", "13"]);
    let mean = |series: &Series| series.iter().map(|channel| channel.iter().sum::<f64>() / channel.len() as f64).collect::<Vec<_>>();
    near(&mean(&read(dff.as_mut(), None)), &facts["ophys_v2"]["mean"]);
    let valid = Filter { conditions: vec![("valid_roi".into(), one_of(&["true"]))], ..every() };
    let path = "/processing/ophys/dff/traces".to_owned();
    let some = (nwb::FORMAT.open)(&Request { series: vec![path], channels: valid, ..request(&two, SignalKind::Series) }).unwrap();
    assert_eq!(names(some.as_ref()), ["10", "11", "13"]);
    let mut old = series(&one, &["/processing/brain_observatory_pipeline/DfOverF"]).unwrap();
    assert_eq!((names(old.as_ref())[3].as_str(), old.header().n_samples), ("roi_0003", Some(900)));
    near(&mean(&read(old.as_mut(), None)), &facts["ophys_v1"]["mean"]);
    noted(old.as_ref(), "conversion is NaN");
    let stimulus = "stimulus/presentation/static_gratings_stimulus";
    near(&old.interval_column(stimulus, "start_time").unwrap(), &facts["ophys_v1"]["starts"]);
    near(&old.interval_column("static_gratings", "stop_time").unwrap(), &facts["ophys_v1"]["stops"]);
    assert_eq!(old.interval_column(stimulus, "orientation").unwrap(), [0.0, 30.0, 60.0]);
    fails(spikes(&converted, &[]), "no-units", &["4 rows and no spike_times", "cell_id"]);
    assert_eq!(series(&converted, &[]).unwrap().header().channels.len(), 4);
}

#[test]
fn sweeps_of_patch_clamp_recordings() {
    let (Some(old), Some(new), Some(mies)) = (twin("cell_types_old.nwb"), twin("cell_types_new.nwb"), twin("mies.nwb")) else { return };
    let peak = |path: &Path| {
        let mut reader = series(path, &["acquisition/timeseries/Sweep_4"]).unwrap();
        (read(reader.as_mut(), None).channel(0)[99], reader.header().notes.join("; "))
    };
    let stored = 29.0 * f64::from(1e-3_f32);
    let ((before, said), (after, _)) = (peak(&old), peak(&new));
    assert!((before / stored - 1.0).abs() < 1e-6 && said.contains("was not applied"), "{before} {said}");
    assert!((after / (stored * f64::from(1e-3_f32)) - 1.0).abs() < 1e-6, "{after}");
    for path in [&old, &new] {
        let mut reader = spikes(path, &[]).unwrap();
        assert_eq!(
            (names(reader.as_ref()), counts(reader.as_mut())),
            (vec!["Sweep_4".into(), "Sweep_5".into()], serde_json::json!([2, 3]))
        );
        noted(reader.as_ref(), "from the start of each sweep");
        assert_eq!(reader.interval_column("epochs", "start_time").unwrap(), [40.0, 50.0]);
        assert_eq!(inspect(path).intervals[0].columns, ["name", "start_time", "stop_time"]);
    }
    let mut current = series(&mies, &["/acquisition/timeseries/data_00000_AD1"]).unwrap();
    assert_eq!((current.header().unit_of_measure.as_str(), current.header().span.start_s), ("A", 12.5));
    assert!((read(current.as_mut(), None).channel(0)[999] - 999e-12).abs() < 1e-22);
}

#[test]
fn brain_wide_map_files() {
    let (Some(raw), Some(processed)) = (twin("sub-x_ses-y_desc-raw_ecephys.nwb"), twin("sub-x_ses-y_desc-processed_behavior+ecephys.nwb"))
    else {
        return;
    };
    let facts = facts();
    let mut all = spikes(&processed, &[]).unwrap();
    assert_eq!((counts(all.as_mut()), areas(all.as_ref())), (facts["ibl"]["counts"].clone(), facts["ibl"]["max_areas"].clone()));
    assert_eq!(names(spikes(&processed, &[("beryl_location", one_of(&["VISp"]))]).unwrap().as_ref()), ["1", "3"]);
    let single = f64::from(0.67_f32).to_string();
    assert_eq!(names(spikes(&processed, &[("ibl_quality_score", one_of(&["0.67", "1"]))]).unwrap().as_ref()), ["0", "1"], "{single}");
    let missing = |keep_missing| {
        let conditions = vec![("presence_ratio".to_owned(), Condition::AtLeast(0.5))];
        let units = Filter { conditions, keep_missing, ..every() };
        names((nwb::FORMAT.open)(&Request { units, ..request(&processed, SignalKind::Spikes) }).unwrap().as_ref())
    };
    assert_eq!((missing(false), missing(true)), (vec!["0".into(), "3".into()], vec!["0".into(), "1".into(), "3".into()]));
    let asked = Request { with: vec![raw.clone()], series: vec!["/acquisition/*LF".into()], ..request(&processed, SignalKind::Series) };
    let mut field = (nwb::FORMAT.open)(&asked).unwrap();
    assert_eq!(field.header().channels.len(), 8);
    let both = sums(&read(field.as_mut(), None));
    near(&both[..4], &facts["ibl_Probe00LF"]);
    near(&both[4..], &facts["ibl_Probe01LF"]);
    assert_eq!(field.interval_column("trials", "choice").unwrap(), [-1.0, 1.0, 0.0, 1.0]);
    fails(series(&raw, &[]), "no-series", &["there are 4 time series", "ElectricalSeriesProbe01AP"]);
    fails(series(&raw, &["/acquisition/*Probe00*"]), "clocks", &["2500", "1250"]);
    fails(series(&raw, &["/acquisition/VideoLeftCamera"]), "unsupported", &["external files"]);
}

#[test]
fn steinmetz_matlab_and_spikeinterface_files() {
    let (Some(steinmetz), Some(matlab), Some(si)) = (twin("steinmetz.nwb"), twin("matnwb.nwb"), twin("spikeinterface.nwb")) else { return };
    let facts = facts();
    let mut all = spikes(&steinmetz, &[]).unwrap();
    assert_eq!((counts(all.as_mut()), areas(all.as_ref())), (facts["steinmetz"]["counts"].clone(), facts["steinmetz"]["areas"].clone()));
    assert_eq!(names(spikes(&steinmetz, &[("phy_annotations", Condition::AtLeast(2.0))]).unwrap().as_ref()), ["0", "1"]);
    assert_eq!(all.interval_column("spontaneous", "stop_time").unwrap(), [25.0, 40.0]);
    let mut turned = spikes(&matlab, &[]).unwrap();
    assert_eq!(
        (counts(turned.as_mut()), areas(turned.as_ref())),
        (serde_json::json!([10, 0, 20]), serde_json::json!(["CA3", "CA1", "CA3"]))
    );
    for (which, shape) in [("ElectricalSeries", (3, 500)), ("plain", (3, 500)), ("told", (4, 500))] {
        let mut reader = series(&matlab, &[&format!("/acquisition/{which}")]).unwrap();
        let read = read(reader.as_mut(), None);
        assert_eq!((read.n_channels(), read.n_samples()), shape, "{which}");
    }
    fails(series(&matlab, &["/acquisition/nothing_tells"]), "bad-value", &["which axis of (4, 500) is time", "channels-first"]);
    assert_eq!(series(&matlab, &["/acquisition/nothing_tells", "time-first"]).unwrap().header().n_samples, Some(4));
    problem(&inspect(&matlab), "/acquisition/nothing_tells/data", "which axis");
    let seen = inspect(&matlab);
    assert_eq!(
        seen.series.iter().find(|series| series.path == "/acquisition/ElectricalSeries").unwrap().t_stop_s,
        Some(2.0 + 499.0 / 250.0)
    );
    let mut raw = series(&si, &[]).unwrap();
    near(&sums(&read(raw.as_mut(), None)), &facts["spikeinterface"]);
    assert_eq!(areas(spikes(&si, &[]).unwrap().as_ref()), serde_json::json!(["CA3", "DG", "CA1"]));
    assert_eq!(series(&si, &["/acquisition/segment 0 + sig.0"]).unwrap().header().n_samples, Some(50));
}

#[test]
fn rare_types_and_links() {
    let (Some(types), Some(neurons)) = (twin("types.nwb"), twin("one_a_neuron.nwb")) else { return };
    for which in ["f2le", "f4be", "i2be", "i1le", "i8le", "f8be", "linked"] {
        let mut reader = series(&types, &[&format!("acquisition/{which}")]).unwrap();
        near(&sums(&read(reader.as_mut(), None)), &facts()["types"]);
    }
    let flags = read(series(&types, &["acquisition/flags"]).unwrap().as_mut(), None);
    assert!(flags.values().iter().all(|value| *value == 0.0 || *value == 1.0) && sums(&flags)[0] > 0.0);
    fails(series(&types, &["acquisition/gone"]), "no-series", &["link whose target does not exist", "beside this file"]);
    let seen = inspect(&types);
    problem(&seen, "/acquisition/gone/data", "does not exist");
    problem(&seen, "/acquisition/cycle", "does not exist");
    assert_eq!(seen.series.iter().filter(|series| series.path.ends_with("f2le")).count(), 1, "a cycle is walked once");
    let mut joined = series(&neurons, &["/acquisition/calcium/*"]).unwrap();
    assert_eq!(names(joined.as_ref()), ["AVAL", "AVAR", "RMEV"]);
    assert_eq!(read(joined.as_mut(), Some(Span { start_s: 1.0, stop_s: 2.0 })).channel(2)[0], 2030.0);
    fails(series(&neurons, &["/acquisition/calcium/AVAL", "/acquisition/other_clock"]), "clocks", &["30.0", "7.0"]);
    fails(series(&neurons, &["/acquisition/nobody/*"]), "no-series", &["/acquisition/calcium/AVAL"]);
}

#[test]
fn clocks_and_tables_that_lie_are_reported() {
    let (Some(path), Some(decreasing)) = (twin("liars.nwb"), twin("decreasing.nwb")) else { return };
    let seen = inspect(&path);
    problem(&seen, "/acquisition/rate_zero/starting_time", "a sampling rate of 0 Hz");
    problem(&seen, "/acquisition/rate_negative/starting_time", "-5 Hz");
    problem(&seen, "/acquisition/stale/timestamps", "the file says 625 Hz");
    problem(&seen, "/acquisition/backwards/timestamps", "-2.99 s");
    problem(&seen, "/acquisition/gap/timestamps", "20.01 s");
    problem(&seen, "/acquisition/nan_start/starting_time", "no starting time");
    for part in
        ["1 of 5 rows have no start_time", "1 of 5 rows have no stop_time", "1 of 5 rows stop before", "1 of 5 rows start before time 0"]
    {
        problem(&seen, "/intervals/trials", part);
    }
    for part in ["1 spike times are not finite", "1 spikes come before time 0", "1 units have unsorted"] {
        problem(&seen, "/units/spike_times", part);
    }
    assert!(seen.series.iter().all(|series| series.t_start_s.is_none_or(f64::is_finite)));
    fails(series(&path, &["acquisition/rate_zero"]), "bad-value", &["0 Hz", "sampling_rate_hz"]);
    let given =
        Request { series: vec!["acquisition/rate_zero".into()], sampling_rate_hz: Some(50.0), ..request(&path, SignalKind::Series) };
    assert_eq!((nwb::FORMAT.open)(&given).unwrap().header().rate_hz, Some(50.0));
    let mut back = series(&path, &["acquisition/backwards"]).unwrap();
    assert_eq!(back.read(Some(Span { start_s: 3.0, stop_s: 5.0 })).unwrap_err().kind, "gap");
    let mut unix = series(&path, &["acquisition/unix_time"]).unwrap();
    assert_eq!(read(unix.as_mut(), Some(Span { start_s: 1.6e9 + 5.0, stop_s: 1.6e9 + 6.0 })).channel(0)[0], 500.0);
    if let Some(milliseconds) = twin("milliseconds.nwb") {
        problem(&inspect(&milliseconds), "/units", "milliseconds or samples");
    }
    assert_eq!(series(&path, &["acquisition/samples_said"]).unwrap().header().n_samples, Some(1000));
    fails(spikes(&decreasing, &[]), "damaged", &["row 1 ends at 1, before the row above it ends (3)"]);
}

#[test]
fn plain_hdf5_may_be_turned_and_filtered() {
    let Some(path) = twin("plain.h5") else { return };
    let with = |series: &[&str], units: Filter, signal| {
        let series = series.iter().map(|&word| word.into()).collect();
        (hdf5::FORMAT.open)(&Request { series, units, sampling_rate_hz: Some(10.0), ..request(&path, signal) })
    };
    let mut straight = with(&["one"], every(), SignalKind::Series).unwrap();
    let mut turned = with(&["one", "channels-first"], every(), SignalKind::Series).unwrap();
    let (straight, turned) = (read(straight.as_mut(), None), read(turned.as_mut(), None));
    assert_eq!((turned.n_channels(), turned.n_samples()), (300, 4));
    assert_eq!((turned.channel(7)[2], straight.channel(2)[7]), (straight.channel(2)[7], turned.channel(7)[2]));
    fails(with(&["one", "sideways"], every(), SignalKind::Series), "bad-value", &["sideways", "channels-first"]);
    let fast = Filter { conditions: vec![("rate_hz".into(), Condition::AtLeast(1.0))], ..every() };
    assert_eq!(names(with(&["spikes"], fast, SignalKind::Spikes).unwrap().as_ref()), ["cell_10"]);
}

#[test]
fn a_file_of_eight_bytes_is_a_cut_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nwb");
    std::fs::write(&path, b"\x89HDF\r\n\x1a\n").unwrap();
    fails(spikes(&path, &[]), "truncated", &["only 8 bytes", "fetch the file again"]);
}
