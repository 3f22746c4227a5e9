//! Recordings that are elsewhere, as a user meets them: jobs by address and by catalogue, the verb `datasets`, remote `inspect`.

use super::cli::{root, rows, stderr, stdout};
use super::fetch::{noise, sum};
use super::server::{Answer, Server, file};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;
use tcs_batch::fetch::{Address, Fetcher, Settings, Wanted};
use tcs_batch::read::{self, READERS};
use tcs_batch::table::{MetricRecord, UnitRecord, UnitStatus};

const SAMPLE: &str = "datasets/samples/A8604-211122.nwb";

/// The binary with a cache of its own.
fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcs-batch"));
    command.args(args).current_dir(folder).env("NO_COLOR", "1").env("TCS_CACHE", folder.join("cache"));
    command.env("TCS_FETCH_BACKOFF_S", "0.01").env("TCS_FETCH_RETRIES", "2").env_remove("TCS_DATASETS");
    // A proxy of the environment is not for this machine.
    command.env("HTTP_PROXY", "http://127.0.0.1:1").env("http_proxy", "http://127.0.0.1:1").env("NO_PROXY", "").env("no_proxy", "");
    command
}

fn tcs(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

fn job(datasets: &str) -> String {
    let head = "schema_version = 1\n[job]\nname = \"far\"\nseed = 5\n[output]\ndir = \"out\"\nformats = []\n";
    format!("{head}{datasets}[[metric]]\nkind = \"lz76\"\n")
}

fn dataset(id: &str, source: &str, more: &str) -> String {
    format!("[[dataset]]\nid = \"{id}\"\nsource = \"{source}\"\nbin_s = 0.1\nwindow = {{ length_s = 100.0, stop_s = 300.0 }}\n{more}\n")
}

fn sample_server() -> Server {
    let body = std::fs::read(root().join(SAMPLE)).unwrap();
    Server::new(move |request| file(request, &body, "\"sample\""))
}

#[test]
fn a_job_by_address_is_the_job_by_path() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = sample_server();
    let far = server.at("/A8604.nwb?X-Amz-Signature=SECRET");
    std::fs::write(at.join("far.toml"), job(&dataset("mine", &far, ""))).unwrap();
    std::fs::write(at.join("near.toml"), job(&dataset("mine", root().join(SAMPLE).to_str().unwrap(), ""))).unwrap();
    let check = tcs(at, &["check", "far.toml"]);
    assert!(check.status.success() && stdout(&check).contains("not fetched yet"), "{}{}", stdout(&check), stderr(&check));
    let offline = tcs(at, &["run", "far.toml", "--offline"]);
    assert_eq!(offline.status.code(), Some(3), "{}", stderr(&offline));
    assert!(server.log().is_empty(), "check and --offline ask no server");
    assert_eq!(rows::<UnitRecord>(&at.join("out"))[0].error_kind.as_deref(), Some("offline"));
    let far_run = tcs(at, &["run", "far.toml", "--progress", "plain"]);
    assert!(far_run.status.success() && stderr(&far_run).contains("fetched mine: 442.3 kB"), "{}", stderr(&far_run));
    assert!(tcs(at, &["run", "near.toml", "--out", "near"]).status.success());
    let values =
        |out: &str| rows::<MetricRecord>(&at.join(out)).into_iter().map(|row| (row.unit, row.source, row.value)).collect::<Vec<_>>();
    assert!(!values("out").is_empty());
    assert_eq!(values("out"), values("near"));
    let again = tcs(at, &["run", "far.toml", "--offline"]);
    assert!(again.status.success() && stderr(&again).contains("3 reused"), "{}", stderr(&again));
    assert_eq!(server.log().len(), 1);
    let manifest = std::fs::read_to_string(at.join("out/manifest.json")).unwrap();
    let source = "/A8604.nwb?…";
    assert!(manifest.contains(source) && manifest.contains("6c9913f1a36c43dc") && !manifest.contains("SECRET"), "{manifest}");
    for output in [check, offline, far_run, again] {
        assert!(!(stderr(&output) + &stdout(&output)).contains("SECRET"));
    }
    assert!(stdout(&tcs(at, &["check", "far.toml"])).contains("mine: 3 of 3 channels"));
}

#[test]
fn one_recording_that_cannot_be_had_is_its_own_failure() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = sample_server();
    let wrong = format!("sha256 = \"{}\"", "ab".repeat(32));
    let gone = Server::new(|_| Answer::new(404, ""));
    let datasets = dataset("good", &server.at("/a.nwb"), "")
        + &dataset("wrong", &server.at("/b.nwb"), &wrong)
        + &dataset("gone", &gone.at("/c.nwb"), "");
    std::fs::write(at.join("job.toml"), job(&datasets)).unwrap();
    let run = tcs(at, &["run", "job.toml"]);
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
    let units = rows::<UnitRecord>(&at.join("out"));
    let of = |id: &str| units.iter().filter(|unit| unit.dataset == id).collect::<Vec<_>>();
    assert_eq!(of("good").iter().filter(|unit| unit.status == UnitStatus::Done).count(), 3);
    let error = of("wrong")[0].error.clone().unwrap();
    assert!(
        error.contains(&"ab".repeat(32)) && error.contains("6c9913f1a36c43dc627a541f4e521eb17e305879eb4d9bce949f77970994ac22"),
        "{error}"
    );
    assert_eq!((of("wrong")[0].error_kind.as_deref(), of("gone")[0].error_kind.as_deref()), (Some("checksum"), Some("not-found")));
}

#[test]
fn bad_addresses_are_told_with_their_place_and_without_their_password() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (source, says) in [
        ("https://me:hunter2@example.org/x.nwb", "user name or password"),
        ("https://example.org/x.h5", "before it is fetched"),
        ("dandi:17/x.nwb", "six digits"),
        ("s3://b", "s3://BUCKET/KEY"),
        ("catalogue:steinmets-2019-cori", "did you mean `steinmetz-2019-cori`"),
        ("catalogue:steinmetz", "steinmetz-2019-cori"),
    ] {
        std::fs::write(at.join("job.toml"), job(&dataset("mine", source, ""))).unwrap();
        let check = tcs(at, &["check", "job.toml"]);
        let said = stderr(&check);
        assert!(check.status.code() == Some(2) && said.contains(says) && said.contains("job.toml:10:10"), "{source}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
        let inspect = tcs(at, &["inspect", source]);
        assert!(!(stderr(&inspect) + &stdout(&inspect)).contains("hunter2"));
    }
}

#[test]
fn a_catalogue_of_ones_own_stands_beside_the_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = sample_server();
    std::fs::create_dir_all(at.join("datasets")).unwrap();
    std::fs::create_dir_all(at.join("jobs")).unwrap();
    let entry = format!(
        "name = \"mine\"\ntitle = \"My own\"\ncitation = \"none\"\nlicence = \"CC0-1.0\"\nuri = \"{}\"\nsize = 442304\n\
         sha256 = \"6c9913f1a36c43dc627a541f4e521eb17e305879eb4d9bce949f77970994ac22\"\nformat = \"nwb\"\nlayout = \"any\"\n\
         good_for = []\nchecked = true\nprovenance = \"here\"\n",
        server.at("/a.nwb")
    );
    std::fs::write(at.join("datasets/mine.toml"), entry).unwrap();
    std::fs::write(at.join("jobs/job.toml"), job(&dataset("m", "catalogue:mine", ""))).unwrap();
    let listed = |what: &str| -> serde_json::Value {
        let list: Vec<serde_json::Value> = serde_json::from_slice(&tcs(at, &["datasets", "list", "--json"]).stdout).unwrap();
        assert!(list.len() >= 13);
        list.into_iter().find(|item| item["name"] == "mine").unwrap()[what].clone()
    };
    assert_eq!((listed("pinned"), listed("path")), (true.into(), serde_json::Value::Null));
    assert!(stdout(&tcs(at, &["datasets", "show", "mine"])).contains("CC0-1.0"));
    let run = tcs(at, &["run", "jobs/job.toml"]);
    assert!(run.status.success(), "{}", stderr(&run));
    let path = PathBuf::from(listed("path").as_str().unwrap());
    assert_eq!(stdout(&tcs(at, &["datasets", "fetch", "mine", "--offline"])).trim(), path.to_str().unwrap());
    let verify = tcs(at, &["datasets", "verify"]);
    assert!(verify.status.success() && stdout(&verify).contains("1 recordings, 0 bad"), "{}", stdout(&verify));
    let object = std::fs::canonicalize(&path).unwrap();
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, "damaged").unwrap();
    let verify = tcs(at, &["datasets", "verify", "mine", "--json"]);
    assert!(verify.status.code() == Some(4) && stderr(&verify).contains("6c9913f1a36c43dc"), "{}", stderr(&verify));
    assert_eq!(tcs(at, &["datasets", "show", "mina"]).status.code(), Some(2));
}

#[test]
fn several_processes_share_one_transfer() {
    let folder = tempfile::tempdir().unwrap();
    let body = noise(400_000, 3);
    let server = Server::new({
        let body = body.clone();
        move |request| Answer { slow: Duration::from_millis(10), ..file(request, &body, "\"v\"") }
    });
    let uri = server.at("/a.nwb");
    let start = || command(folder.path(), &["datasets", "fetch", &uri]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let all: Vec<Output> = [start(), start(), start()].into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    for output in &all {
        assert!(output.status.success(), "{}", stderr(output));
        assert_eq!(sum(&std::fs::read(stdout(output).trim()).unwrap()), sum(&body));
    }
    assert_eq!(server.log().len(), 1, "one fetched, the others waited");
}

#[cfg(unix)]
#[test]
fn an_interrupted_transfer_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let body = noise(1_000_000, 4);
    let server = Server::new({
        let body = body.clone();
        move |request| Answer { slow: Duration::from_millis(if request.earlier == 0 { 50 } else { 0 }), ..file(request, &body, "\"v\"") }
    });
    let uri = server.at("/a.nwb");
    let mut child = command(folder.path(), &["datasets", "fetch", &uri]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let part = || {
        std::fs::read_dir(folder.path().join("cache/partial"))
            .into_iter()
            .flatten()
            .flatten()
            .find(|entry| entry.path().extension().is_some_and(|ending| ending == "part"))
    };
    while part().and_then(|entry| entry.metadata().ok()).is_none_or(|meta| meta.len() < 32_768) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", stderr(&output));
    let again = tcs(folder.path(), &["datasets", "fetch", &uri, "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(told[0]["sha256"], sum(&body).as_str());
    assert!(told[0]["transferred"].as_u64().unwrap() < 1_000_000, "{told}");
    assert!(server.log()[1].range().unwrap().0 >= 32_768);
}

static GO: AtomicI32 = AtomicI32::new(0);

fn settings(folder: &Path) -> Settings {
    Settings {
        cache: folder.join("cache"),
        retries: 2,
        backoff: Duration::from_millis(2),
        s3_endpoint: None,
        offline: false,
        ..Settings::from_env()
    }
}

fn wanted(uri: &str) -> Wanted {
    Wanted { address: Address::parse(uri).unwrap(), sha256: None, says: "the job".into(), size: None }
}

#[test]
fn a_remote_file_is_listed_as_if_it_were_here() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut files: Vec<PathBuf> = ["datasets/samples", "tests/data/nwb", "target/twins"]
        .iter()
        .flat_map(|place| std::fs::read_dir(root().join(place)).into_iter().flatten().flatten().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "nwb"))
        // This one links to a file beside it, which is not there at the other end.
        .filter(|path| !path.ends_with("types.nwb"))
        .collect();
    files.sort();
    assert!(files.len() >= 3);
    for path in files {
        let body = std::fs::read(&path).unwrap();
        // Every third answer breaks off.
        let server = Server::new(move |request| {
            let answer = file(request, &body, "\"v\"");
            if request.earlier % 3 == 1 { answer.cut(10_000) } else { answer }
        });
        let format = READERS.iter().find(|format| format.name == "nwb").unwrap();
        let here = (format.inspect)(&path);
        let there = read::remote::inspect(&mut Fetcher::new(&settings, &GO), &wanted(&server.at("/x.nwb")), format, &mut |_| {});
        match (here, there) {
            (Ok(here), Ok((mut there, _))) => {
                there.file.clone_from(&here.file);
                assert_eq!(here, there, "{}", path.display());
            }
            (Err(_), Err(_)) => {}
            (here, there) => panic!("{}: {here:?} {there:?}", path.display()),
        }
    }
    assert_eq!(std::fs::read_dir(settings.cache.join("partial")).unwrap().count(), 0, "nothing is left behind");
}

/// A file of `n` samples of 8 bytes, contiguous, with a few series and their clocks behind the data.
fn large_nwb(path: &Path, n: usize) {
    let file = hdf5::File::create(path).unwrap();
    let text = |at: &hdf5::Location, name: &str, value: &str| {
        let value: hdf5::types::VarLenUnicode = value.parse().unwrap();
        at.new_attr::<hdf5::types::VarLenUnicode>().create(name).unwrap().write_scalar(&value).unwrap();
    };
    text(&file, "nwb_version", "2.7.0");
    for name in ["a", "b"] {
        let group = file.create_group(&format!("acquisition/{name}")).unwrap();
        text(&group, "neurodata_type", "TimeSeries");
        let values: Vec<f64> = (0..n / 2).map(|k| k as f64).collect();
        let data = group.new_dataset_builder().with_data(&values).create("data").unwrap();
        text(&data, "unit", "volts");
        let start = group.new_dataset::<f64>().create("starting_time").unwrap();
        start.write_scalar(&2.5).unwrap();
        start.new_attr::<f64>().create("rate").unwrap().write_scalar(&1000.0).unwrap();
    }
}

#[test]
fn a_large_remote_file_is_listed_from_a_small_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let path = folder.path().join("large.nwb");
    large_nwb(&path, 2_000_000);
    let body = std::fs::read(&path).unwrap();
    let format = READERS.iter().find(|format| format.name == "nwb").unwrap();
    let here = (format.inspect)(&path).unwrap();
    assert_eq!(here.series.len(), 2);
    let server = Server::new({
        let body = body.clone();
        move |request| file(request, &body, "\"v\"")
    });
    let want = wanted(&server.at("/large.nwb"));
    let (there, traffic) = read::remote::inspect(&mut Fetcher::new(&settings, &GO), &want, format, &mut |_| {}).unwrap();
    assert_eq!((there.series, there.problems), (here.series, here.problems));
    assert!(traffic.total == body.len() as u64 && traffic.fetched < traffic.total / 8, "{traffic:?}");
    // The bytes that were sent are the bytes that were counted.
    let asked: u64 = server.log().iter().map(|request| request.range().map_or(0, |(first, last)| (last.unwrap() - first + 1) as u64)).sum();
    assert_eq!(asked, traffic.fetched);
    // The binary says the same, and says what it took.
    let listed = tcs(folder.path(), &["inspect", &server.at("/large.nwb"), "--json"]);
    assert!(listed.status.success() && stderr(&listed).contains("MB in"), "{}", stderr(&listed));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&listed.stdout).unwrap()["series"][0]["rate_hz"], 1000.0);
    // Whole files only: said so. Another version in the middle: said so, never mixed.
    let whole = Server::new({
        let body = body.clone();
        move |_| Answer::new(200, body.clone())
    });
    let error = read::remote::inspect(&mut Fetcher::new(&settings, &GO), &wanted(&whole.at("/x.nwb")), format, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("whole files only") && error.to_string().contains("datasets fetch"), "{error}");
    let asked = AtomicUsize::new(0);
    let changing = Server::new(move |request| {
        let tag = if asked.fetch_add(1, Ordering::Relaxed) < 1 { "\"old\"" } else { "\"new\"" };
        file(request, &body, tag)
    });
    let error = read::remote::inspect(&mut Fetcher::new(&settings, &GO), &wanted(&changing.at("/x.nwb")), format, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("was changed"), "{error}");
    assert_eq!(std::fs::read_dir(settings.cache.join("partial")).unwrap().count(), 0);
}

#[test]
fn windows_read_in_parts_are_those_of_the_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    large_nwb(&at.join("large.nwb"), 2_000_000);
    let (large, sample) = (
        std::fs::read(at.join("large.nwb")).unwrap(),
        std::fs::read(root().join("datasets/samples/sub-4_ses-4_ecephys+image.nwb")).unwrap(),
    );
    std::fs::write(at.join("human.nwb"), &sample).unwrap();
    let total = large.len() as u64;
    let server = Server::new(move |request| match request.path.as_str() {
        "/large.nwb" => file(request, &large, "\"large\""),
        _ => file(request, &sample, "\"human\""),
    });
    let datasets = |base: &str| {
        format!(
            "[[dataset]]\nid = \"ramp\"\nsource = \"{base}large.nwb\"\nsignal = \"series\"\nseries = \"/acquisition/a\"\nwindow = {{ length_s = 2.0, start_s = 100.0, stop_s = 110.0 }}\n"
        ) + &format!(
            "[[dataset]]\nid = \"human\"\nsource = \"{base}human.nwb\"\nbin_s = 0.1\nwindow = {{ around = \"encoding_table\", from_s = -0.5, to_s = 2.0 }}\n"
        )
    };
    std::fs::write(at.join("far.toml"), job(&datasets(&server.at("/")))).unwrap();
    std::fs::write(at.join("near.toml"), job(&datasets(""))).unwrap();
    assert!(tcs(at, &["run", "near.toml", "--out", "near"]).status.success());
    let far = tcs(at, &["run", "far.toml", "--stream"]);
    assert!(far.status.success(), "{}", stderr(&far));
    let values =
        |out: &str| rows::<MetricRecord>(&at.join(out)).into_iter().map(|row| (row.unit, row.source, row.value)).collect::<Vec<_>>();
    assert!(values("near").len() > 90);
    assert_eq!(values("out"), values("near"));
    let sent: u64 = server
        .log()
        .iter()
        .filter(|request| request.path == "/large.nwb")
        .filter_map(|request| request.range())
        .map(|(first, last)| (last.unwrap() - first + 1) as u64)
        .sum();
    assert!(sent < total / 2, "{sent} of {total}");
    assert!(server.log().iter().all(|request| request.range().is_some()));
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(at.join("out/manifest.json")).unwrap()).unwrap();
    assert!(manifest["datasets"][0]["sha256"].is_null() && manifest["datasets"][0]["edition"].as_str().unwrap().starts_with("parts:"));
    assert_eq!(std::fs::read_dir(at.join("cache/partial")).unwrap().count(), 0, "nothing is left behind");
    assert!(tcs_batch::fetch::Cache::at(&at.join("cache")).objects().is_empty(), "no whole file was fetched");
    let again = tcs(at, &["run", "far.toml", "--stream"]);
    assert!(again.status.success() && stderr(&again).contains("reused"), "{}", stderr(&again));
}

#[test]
fn a_file_that_changes_while_it_is_read_in_parts_is_told_and_whole_files_are_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    large_nwb(&at.join("large.nwb"), 400_000);
    let body = std::fs::read(at.join("large.nwb")).unwrap();
    let server = Server::new(move |request| match request.path.as_str() {
        "/changing.nwb" => file(request, &body, if request.earlier < 2 { "\"old\"" } else { "\"new\"" }),
        _ => Answer::new(200, body.clone()),
    });
    let dataset = |name: &str| {
        let window = "window = { length_s = 2.0, start_s = 20.0, stop_s = 30.0 }";
        format!(
            "[[dataset]]\nid = \"{name}\"\nsource = \"{}\"\nsignal = \"series\"\nseries = \"/acquisition/a\"\n{window}\n",
            server.at(&format!("/{name}.nwb"))
        )
    };
    std::fs::write(at.join("job.toml"), job(&(dataset("changing") + &dataset("whole")))).unwrap();
    let run = tcs(at, &["run", "job.toml", "--stream"]);
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
    let units = rows::<UnitRecord>(&at.join("out"));
    let changing: Vec<_> = units.iter().filter(|unit| unit.dataset == "changing").collect();
    assert!(changing.iter().all(|unit| unit.error_kind.as_deref() == Some("changed")), "{changing:?}");
    assert_eq!(units.iter().filter(|unit| unit.dataset == "whole" && unit.status == UnitStatus::Done).count(), 5);
    assert!(stderr(&run).contains("it is fetched whole"), "{}", stderr(&run));
}
