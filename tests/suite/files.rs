//! The readers of npy, csv and parquet, on files that numpy and pyarrow wrote and on broken ones.

use std::path::{Path, PathBuf};
use tcs_batch::data::{Content, Points, Series, Span, Spikes};
use tcs_batch::read::{Condition, Filter, Format, Inspection, READERS, ReadError, Reader, Request, SignalKind};

fn format(name: &str) -> &'static Format {
    READERS.iter().find(|format| format.name == name).unwrap()
}
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/files").join(name)
}
fn request(path: &Path, signal: SignalKind) -> Request {
    let all = Filter { conditions: Vec::new(), every: 1, keep_missing: false };
    Request {
        path: path.to_owned(),
        with: Vec::new(),
        signal,
        series: Vec::new(),
        units: all.clone(),
        channels: all,
        sampling_rate_hz: Some(100.0),
    }
}
fn open(request: &Request) -> Result<Box<dyn Reader>, ReadError> {
    let ending = request.path.extension().unwrap().to_str().unwrap();
    let format = READERS.iter().find(|format| format.extensions.contains(&ending)).unwrap();
    (format.open)(request)
}
fn read(request: &Request) -> Result<Content, ReadError> {
    open(request)?.read(None)
}
fn series(request: &Request, span: Option<Span>) -> Series {
    match open(request).unwrap().read(span).unwrap() {
        Content::Series(series) => series,
        other => panic!("{other:?}"),
    }
}
fn points(request: &Request) -> Points {
    match read(request).unwrap() {
        Content::Points(points) => points,
        other => panic!("{other:?}"),
    }
}
fn spikes(request: &Request) -> Spikes {
    match read(request).unwrap() {
        Content::Spikes(spikes) => spikes,
        other => panic!("{other:?}"),
    }
}
fn span(start_s: f64, stop_s: f64) -> Option<Span> {
    Some(Span { start_s, stop_s })
}
fn inspect(path: &Path, name: &str) -> Inspection {
    (format(name).inspect)(path).unwrap()
}
/// A request about a file with this text.
fn text(folder: &tempfile::TempDir, text: impl AsRef<[u8]>, signal: SignalKind) -> Request {
    let path = folder.path().join("table.csv");
    std::fs::write(&path, text).unwrap();
    request(&path, signal)
}

#[test]
fn every_dtype_order_and_layout_of_npy_reads_alike() {
    let mut seen = 0;
    for entry in std::fs::read_dir(file("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with("_c") && !name.ends_with("_f") {
            continue;
        }
        seen += 1;
        let value = |row: usize, column: usize| if name.starts_with("b1") { (10 * row + column) % 2 } else { 10 * row + column } as f64;
        let whole = series(&request(&path, SignalKind::Series), None);
        assert_eq!((whole.n_channels(), whole.n_samples(), whole.rate_hz()), (3, 6, 100.0), "{name}");
        let part = series(&request(&path, SignalKind::Series), span(0.02, 0.05));
        assert_eq!((part.n_samples(), part.t_start_s()), (3, 0.02), "{name}");
        let cloud = points(&request(&path, SignalKind::Points));
        for column in 0..3 {
            (0..6).for_each(|row| assert_eq!(whole.channel(column)[row], value(row, column), "{name}"));
            (0..3).for_each(|row| assert_eq!(part.channel(column)[row], value(row + 2, column), "{name}"));
            (0..6).for_each(|row| assert_eq!(cloud.point(row)[column], value(row, column), "{name}"));
        }
    }
    assert_eq!(seen, 38);
}

#[test]
fn the_window_of_a_huge_npy_reads_only_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.npy");
    let (rows, columns) = (20_000_000_u64, 64_u64);
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    header.push_str(&" ".repeat(117 - header.len()));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    let sparse = std::fs::File::create(&path).unwrap();
    use std::os::unix::fs::FileExt;
    sparse.write_all_at(&bytes, 0).unwrap();
    // Row 10 000 000 holds 7 everywhere; the 10 GB around it are a hole.
    let seven: Vec<u8> = (0..columns).flat_map(|_| 7.0_f64.to_le_bytes()).collect();
    sparse.write_all_at(&seven, bytes.len() as u64 + 10_000_000 * columns * 8).unwrap();
    sparse.set_len(bytes.len() as u64 + rows * columns * 8).unwrap();
    let clock = std::time::Instant::now();
    let part = series(&request(&path, SignalKind::Series), span(100_000.0, 100_000.02));
    assert!(part.iter().all(|channel| channel == [7.0, 0.0]));
    // Reading all of it would take seconds even from memory.
    assert!(clock.elapsed().as_secs_f64() < 1.0);
}

#[test]
fn channels_are_thinned_and_chosen_by_name() {
    let mut request = request(&file("f8_le_c.npy"), SignalKind::Series);
    request.channels.every = 2;
    assert_eq!(series(&request, None).channels(), ["c0", "c2"]);
    request.channels = Filter { conditions: vec![("name".into(), Condition::OneOf(vec!["c1".into()]))], every: 1, keep_missing: false };
    assert_eq!(series(&request, None).channel(0), [1.0, 11.0, 21.0, 31.0, 41.0, 51.0]);
    assert_eq!(open(&request).unwrap().header().n_channels_total, 3);
}

#[test]
fn csv_with_header_time_and_comments() {
    let folder = tempfile::tempdir().unwrap();
    let mut request =
        text(&folder, "# made by hand\r\n\"time_s\",\"a, left\",b\r\n1.00,1,2\r\n\r\n1.01,3,4\r\n1.02,5,6\r\n", SignalKind::Series);
    request.sampling_rate_hz = Some(50.0);
    let reader = open(&request).unwrap();
    let header = reader.header();
    assert_eq!((header.rate_hz, header.n_samples, header.span.start_s), (Some(100.0), Some(3), 1.0));
    assert!(header.notes[0].contains("gives 100 Hz, sampling_rate_hz says 50"), "{:?}", header.notes);
    let whole = series(&request, None);
    assert_eq!(whole.channels(), ["a, left", "b"]);
    assert_eq!(whole.values(), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    assert_eq!(series(&request, span(1.01, 1.03)).channel(1), [4.0, 6.0]);
    request.series = vec!["b".into()];
    assert_eq!(series(&request, None).values(), [2.0, 4.0, 6.0]);
}

#[test]
fn csv_delimiters_and_headerless_files() {
    let folder = tempfile::tempdir().unwrap();
    for content in ["1,2\n3,4\n", "1;2\n3;4", "1\t2\n3\t4\n", "  1   2\n 3 4 \n", "\u{feff}1,2\n3,4\n"] {
        let whole = series(&text(&folder, content, SignalKind::Series), None);
        assert_eq!(whole.channels(), ["c0", "c1"], "{content}");
        assert_eq!(whole.values(), [1.0, 3.0, 2.0, 4.0], "{content}");
    }
    let cloud = points(&text(&folder, "x,y\n1,2\n3,4\n5,6\n", SignalKind::Points));
    assert_eq!((cloud.len(), cloud.dim(), cloud.point(2)), (3, 2, &[5.0, 6.0][..]));
}

#[test]
fn times_rounded_to_their_decimals_are_a_regular_clock() {
    let folder = tempfile::tempdir().unwrap();
    let rounded: String = (0..5121).map(|row| format!("{:.4},{row}\n", f64::from(row) / 512.0)).collect();
    let request = text(&folder, format!("time,x\n{rounded}"), SignalKind::Series);
    let reader = open(&request).unwrap();
    assert_eq!(reader.header().rate_hz, Some(512.0));
    assert!(reader.header().notes[0].contains("rounded to 0.0001"), "{:?}", reader.header().notes);
}

#[test]
fn distances_are_square_or_a_triangle() {
    let folder = tempfile::tempdir().unwrap();
    for content in ["0,1,2\n1,0,3\n2,3,0\n", "1\n2,3\n", "1,2,3\n", "1\n2\n3\n", "d01,d02,d12\n1,2,3\n"] {
        let request = text(&folder, content, SignalKind::Distances);
        let Content::Distances(matrix) = read(&request).unwrap() else { panic!("{content}") };
        assert_eq!((matrix.len(), matrix.lower()), (3, &[1.0, 2.0, 3.0][..]), "{content}");
        assert_eq!(open(&request).unwrap().header().channels.len(), 3, "{content}");
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/topology/random16.lower.npy");
    if shared.exists() {
        let Content::Distances(matrix) = read(&request(&shared, SignalKind::Distances)).unwrap() else { panic!() };
        assert_eq!(matrix.len(), 16);
    }
}

#[test]
fn spikes_come_from_two_columns() {
    let folder = tempfile::tempdir().unwrap();
    let csv = text(&folder, "trial,time_s,unit_id\n1,0.5,2\n1,0.25,1\n2,1.0,10\n2,0.125,2\n", SignalKind::Spikes);
    for mut request in [csv, request(&file("spikes.parquet"), SignalKind::Spikes)] {
        let all = spikes(&request);
        let ids: Vec<_> = all.trains().iter().map(|train| train.id.as_str()).collect();
        assert_eq!(ids, ["1", "2", "10"]);
        assert_eq!(all.trains()[1].times_s, [0.125, 0.5]);
        assert_eq!((all.span().start_s, all.span().stop_s), (0.0, 1.0_f64.next_up()));
        let Content::Spikes(part) = open(&request).unwrap().read(span(0.2, 0.5)).unwrap() else { panic!() };
        assert_eq!(part.trains().iter().map(|train| train.times_s.len()).collect::<Vec<_>>(), [1, 0, 0]);
        request.units = Filter { conditions: vec![("rate_hz".into(), Condition::AtLeast(1.5))], every: 1, keep_missing: false };
        assert_eq!(spikes(&request).trains().len(), 1);
    }
    let named = spikes(&request(&file("named_spikes.parquet"), SignalKind::Spikes));
    assert_eq!(named.trains()[0].id, "a");
    assert_eq!(spikes(&text(&folder, "3 0.5\n3 0.75\n", SignalKind::Spikes)).trains()[0].times_s, [0.5, 0.75]);
}

#[test]
fn parquet_windows_cross_row_groups() {
    let path = file("series.parquet");
    let mut request = request(&path, SignalKind::Series);
    let reader = open(&request).unwrap();
    let header = reader.header();
    assert_eq!((header.rate_hz, header.n_samples, header.span.start_s, header.span.stop_s), (Some(250.0), Some(1000), 2.0, 6.0));
    assert_eq!(header.channels.iter().map(|channel| channel.name.as_str()).collect::<Vec<_>>(), ["a", "b", "flag"]);
    assert!(header.notes[0].contains("label"), "{:?}", header.notes);
    for (first, count) in [(0, 1000), (120, 20), (128, 128), (511, 2), (999, 1)] {
        let start_s = 2.0 + first as f64 / 250.0;
        let part = series(&request, span(start_s, start_s + count as f64 / 250.0));
        let rows = || (first..first + count).map(|row| row as f64);
        assert!(part.channel(0).iter().copied().eq(rows()), "{first}");
        assert!(part.channel(1).iter().copied().eq(rows().map(|row| 2.0 * row)), "{first}");
        assert!(part.channel(2).iter().copied().eq(rows().map(|row| 1.0 - row % 2.0)), "{first}");
    }
    request.series = vec!["b".into(), "a".into()];
    let part = series(&request, span(2.0, 2.04));
    assert_eq!(part.channels(), ["b", "a"]);
    assert_eq!((part.channel(0)[9], part.channel(1)[9]), (18.0, 9.0));
}

#[test]
fn inspect_lists_shapes_and_types() {
    let array = inspect(&file("i2_be_f.npy"), "npy");
    assert_eq!(
        (array.series[0].shape.clone(), array.series[0].dtype.as_str(), array.series[0].kind.as_str()),
        (vec![6, 3], "int16", "array")
    );
    let table = inspect(&file("series.parquet"), "parquet");
    let listed: Vec<_> = table.series.iter().map(|one| (one.path.as_str(), one.dtype.as_str(), one.shape[0])).collect();
    assert_eq!(
        listed,
        [("time_s", "float64", 1000), ("a", "float32", 1000), ("b", "int16", 1000), ("flag", "bool", 1000), ("label", "str", 1000)]
    );
    let folder = tempfile::tempdir().unwrap();
    let csv = text(&folder, "time_s,x,name\n0,1,u\n0.5,2,v\n1.0,3,w\n1.9,4,x\n", SignalKind::Series);
    let found = inspect(&csv.path, "csv");
    assert_eq!((found.series[2].dtype.as_str(), found.series[1].shape[0], found.series[1].rate_hz), ("str", 4, None));
    assert!(found.problems[0].what.contains("line 5"), "{:?}", found.problems);
}

/// Asserts the kind of an error and that its message holds every part.
fn fails(what: &str, result: Result<Content, ReadError>, kind: &str, parts: &[&str]) {
    let error = result.map(|_| ()).expect_err(what);
    let message = error.to_string();
    assert_eq!(error.kind, kind, "{what}: {message}");
    parts.iter().for_each(|part| assert!(message.contains(part), "{what}: `{part}` is not in: {message}"));
}

#[test]
fn bad_csv_is_said_with_its_place() {
    use SignalKind::{Distances, Points, Series, Spikes};
    let folder = tempfile::tempdir().unwrap();
    type Case<'a> = (&'a str, &'a [u8], SignalKind, &'a str, &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        ("empty", b"", Series, "bad-value", &["the file is empty"]),
        ("comments only", b"# a\n\n", Series, "bad-value", &["the file is empty"]),
        ("header only", b"a,b\n", Series, "bad-value", &["a header and no rows"]),
        ("text cell", b"a,b\n1,2\n3,x1\n", Series, "bad-value", &["(line 3, column 2)", "\"x1\" is not a number", "`b` must hold numbers"]),
        ("decimal comma", b"a;b\n1,5;2\n", Points, "bad-value", &["line 2, column 1", "\"1,5\" is not a number"]),
        ("ragged", b"1,2\n3,4\n5\n", Series, "bad-value", &["line 3", "it has 1 cells, the first line has 2"]),
        ("missing", b"a,b\n1,2\n3,NA\n", Series, "not-finite", &["line 3, column 2", "channel `b` holds NaN in row 1 (0.010000 s)"]),
        ("empty cell", b"# c\na,b\n1,2\n,4\n", Points, "not-finite", &["line 4, column 1", "column `a`"]),
        ("infinite", b"1,2\ninf,4\n", Points, "not-finite", &["line 2, column 1", "holds inf"]),
        ("latin-1", b"a,b\n1,\xb52\n", Series, "bad-value", &["line 2", "not UTF-8"]),
        ("utf-16", b"\xff\xfe1\x00,\x002\x00", Series, "unsupported", &["UTF-16", "save it as UTF-8"]),
        ("gap", b"time,x\n0,1\n0.1,1\n0.2,1\n0.4,1\n0.5,1\n", Series, "bad-value", &["line 5", "after 0.2 s comes 0.4 s", "never joined"]),
        ("backwards", b"time,x\n0,1\n1,1\n2,1\n1.5,1\n", Series, "bad-value", &["line 5", "after 2 s comes 1.5 s"]),
        ("time with text", b"time,x\n0,1\nten,1\n", Series, "bad-value", &["line 3, column 1", "\"ten\""]),
        ("twice the same name", b"a,a\n1,2\n", Series, "bad-value", &["two columns are called `a`"]),
        ("open quote", b"a,b\n\"1,2\n", Series, "bad-value", &["line 2", "never closed"]),
        ("no triangle", b"1\n2\n3\n4\n", Distances, "bad-value", &["4 values are not a lower triangle"]),
        ("not square", b"1,2,3\n4,5,6\n", Distances, "bad-value", &["2 rows × 3 columns"]),
        ("not symmetric", b"0,1\n2,0\n", Distances, "bad-value", &["not symmetric: row 1, column 0 holds 2, its mirror 1"]),
        ("negative distance", b"1\n-2,3\n", Distances, "bad-value", &["row 2, column 0 is -2"]),
        ("no unit column", b"a,b\n1,2\n", Spikes, "no-units", &["(a, b)", "name them `unit` and `time_s`"]),
        ("spike without time", b"unit,time_s\n1,\n", Spikes, "not-finite", &["line 2, column 2", "a spike has no time"]),
        ("spike time text", b"unit,time_s\n1,soon\n", Spikes, "bad-value", &["line 2, column 2", "\"soon\""]),
    ];
    for &(what, content, signal, kind, parts) in cases {
        fails(what, read(&text(&folder, content, signal)), kind, parts);
    }
}

#[test]
fn bad_requests_are_said_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let mut asked = text(&folder, "alpha,beta\n1,2\n3,4\n", SignalKind::Series);
    asked.series = vec!["betta".into()];
    fails("unknown column", read(&asked), "no-series", &["no column `betta`", "did you mean `beta`?"]);
    asked.series = Vec::new();
    asked.sampling_rate_hz = None;
    fails("no rate", read(&asked), "bad-value", &["does not say its sampling rate", "set sampling_rate_hz in the dataset"]);
    asked.sampling_rate_hz = Some(100.0);
    for (start_s, stop_s) in [(0.0, 0.03), (-0.02, 0.01), (5.0, 6.0), (0.0, 0.0), (f64::NAN, 1.0)] {
        let result = open(&asked).unwrap().read(span(start_s, stop_s));
        fails("outside", result, "outside", &["which runs from 0 s to 0.02 s", "set start_s and stop_s"]);
    }
    asked.channels.conditions = vec![("impedance".into(), Condition::AtMost(1.0))];
    fails("unknown filter", read(&asked), "bad-value", &["`channels` filters on `impedance`, but a csv file has no such column"]);
    asked.channels.conditions = vec![("location".into(), Condition::OneOf(vec!["CA1".into()]))];
    fails("no location", read(&asked), "no-series", &["keeps none of the 2 channels", "remove `location`"]);
    let table = open(&request(&asked.path, SignalKind::Series)).unwrap();
    assert!(table.interval_column("intervals/trials", "start_time").unwrap_err().to_string().contains("no interval tables"));
    fails(
        "window of points",
        open(&request(&asked.path, SignalKind::Points)).unwrap().read(span(0.0, 1.0)),
        "outside",
        &["remove `window`"],
    );
    fails("missing", read(&request(&folder.path().join("none.csv"), SignalKind::Series)), "missing", &["none.csv: there is no such file"]);
}

#[test]
fn bad_npy_is_said() {
    let series = |name: &str| read(&request(&file(name), SignalKind::Series));
    fails("scalar", series("scalar.npy"), "unsupported", &["shape () has 0 dimensions"]);
    fails("3-D", series("three_d.npy"), "unsupported", &["shape (2, 2, 2) has 3 dimensions", "save one or two dimensions"]);
    fails("complex", series("complex.npy"), "unsupported", &["`<c16`"]);
    fails("object", series("object.npy"), "unsupported", &["`|O`", "numpy.save"]);
    fails("structured", series("structured.npy"), "unsupported", &["('a', '<i4')"]);
    fails("npz", series("archive.npz"), "unsupported", &["npz archive", "numpy.save"]);
    fails("nan", series("nan.npy"), "not-finite", &["([4, 1])", "channel `c1` holds NaN in row 4 (0.040000 s)"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.npy");
    let bytes = std::fs::read(file("f8_le_c.npy")).unwrap();
    let header = String::from_utf8_lossy(&bytes[10..128]).replace("(6, 3), }        ", "(0, 9000000000), }");
    std::fs::write(&path, [&bytes[..10], &header.as_bytes()[..118]].concat()).unwrap();
    fails("no rows", read(&request(&path, SignalKind::Series)), "bad-value", &["shape (0, 9000000000) holds no numbers"]);
    fails("missing", series("none.npy"), "missing", &["no such file"]);
    fails("spikes", read(&request(&file("one_d.npy"), SignalKind::Spikes)), "unsupported", &["cannot be read as spikes"]);
    fails("triangle", read(&request(&file("f8_le_c.npy"), SignalKind::Distances)), "bad-value", &["6 rows × 3 columns"]);
    let part = open(&request(&file("nan.npy"), SignalKind::Series)).unwrap().read(span(0.0, 0.04));
    assert!(part.is_ok(), "a window without the NaN is fine");
}

#[test]
fn damaged_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["f8_le_c.npy", "series.parquet"] {
        let whole = std::fs::read(file(name)).unwrap();
        let path = folder.path().join(name);
        for length in (0..whole.len()).step_by(1 + whole.len() / 150) {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = read(&request(&path, SignalKind::Series)).expect_err("cut short");
            assert!(["truncated", "damaged"].contains(&error.kind.as_str()), "{length}: {error}");
        }
        for at in (0..whole.len()).step_by(1 + whole.len() / 400) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            std::fs::write(&path, &bytes).unwrap();
            // Flipped values may still be numbers: only that it comes back is asked for.
            let _ = read(&request(&path, SignalKind::Series));
        }
    }
    let path = folder.path().join("f8_le_c.npy");
    std::fs::write(&path, &std::fs::read(file("f8_le_c.npy")).unwrap()[..128 + 100]).unwrap();
    fails("truncated", read(&request(&path, SignalKind::Series)), "truncated", &["promises 144 bytes of values, the file holds 100"]);
}

#[test]
fn bad_parquet_is_said() {
    let mut asked = request(&file("nulls.parquet"), SignalKind::Series);
    fails("null", read(&asked), "not-finite", &["(column `a`, row 1)", "holds NaN"]);
    asked.series = vec!["b".into()];
    assert_eq!(series(&asked, None).values(), [1.0, 2.0, 3.0]);
    let mut lists = request(&file("lists.parquet"), SignalKind::Points);
    assert_eq!(points(&lists).values(), [1.0, 2.0]);
    lists.series = vec!["vector".into()];
    fails("list", read(&lists), "unsupported", &["column `vector` holds List", "one column a channel"]);
    let mut texts = request(&file("series.parquet"), SignalKind::Series);
    texts.series = vec!["label".into()];
    fails("text", read(&texts), "unsupported", &["column `label` holds Utf8", "cast it to float64"]);
    fails(
        "gap",
        read(&request(&file("gap.parquet"), SignalKind::Series)),
        "bad-value",
        &["column `time`, row 5", "after 0.04 s comes 0.07 s"],
    );
    fails("spikes", read(&request(&file("nulls.parquet"), SignalKind::Spikes)), "no-units", &["(a, b)"]);
}

#[test]
fn json_lines_are_tables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let lines: String =
        (0..5).map(|at| format!("{{\"time_s\": {}, \"a\": {at}, \"b\": {}, \"label\": \"x\"}}\n", f64::from(at) * 0.5, at > 2)).collect();
    std::fs::write(&path, lines).unwrap();
    let mut asked = request(&path, SignalKind::Series);
    asked.sampling_rate_hz = None;
    let read_all = series(&asked, None);
    assert_eq!((read_all.channels().to_vec(), read_all.rate_hz()), (vec!["a".to_owned(), "b".to_owned()], 2.0));
    assert_eq!(read_all.channel(1), [0.0, 0.0, 0.0, 1.0, 1.0]);
    asked.series = vec!["label".into()];
    fails("text", read(&asked), "bad-value", &["line 1, key `label`", "`x` is not a number"]);
    std::fs::write(&path, "{\"unit\": \"u1\", \"time\": 0.5}\n{\"unit\": 2, \"time\": 0.25}\n\n{\"unit\": \"u1\", \"time\": 1}\n").unwrap();
    let units =
        open(&request(&path, SignalKind::Spikes)).unwrap().header().channels.iter().map(|unit| unit.name.clone()).collect::<Vec<_>>();
    assert_eq!(units, ["2", "u1"]);
    std::fs::write(&path, "{\"a\": 1}\n{\"a\": \n").unwrap();
    fails("cut", read(&request(&path, SignalKind::Points)), "damaged", &["line 2", "no JSON"]);
    std::fs::write(&path, "{\"a\": 1}\n{\"c\": 1}\n").unwrap();
    fails("missing", read(&request(&path, SignalKind::Points)), "not-finite", &["line 2"]);
}
