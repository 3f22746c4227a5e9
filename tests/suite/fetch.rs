//! Transfers against a server that drops, truncates, lies, stalls and changes its mind; the cache that several processes share.

use super::server::{Answer, Request, Server, file};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::AtomicI32;
use std::time::Duration;
use tcs_batch::fetch::{Address, FetchError, Fetcher, Held, Settings, Wanted};

static GO: AtomicI32 = AtomicI32::new(0);

/// Bytes that repeat nowhere near a piece's length.
pub fn noise(n: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..n).map(|_| next()).collect()
}

pub fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn settings(folder: &Path) -> Settings {
    Settings {
        cache: folder.join("cache"),
        limit_bytes: 1 << 30,
        offline: false,
        stall: Duration::from_millis(700),
        retries: 3,
        backoff: Duration::from_millis(2),
        dandi_api: "http://127.0.0.1:9/api".into(),
        s3_endpoint: None,
    }
}

fn wanted(uri: &str) -> Wanted {
    Wanted { address: Address::parse(uri).unwrap(), sha256: None, says: "the job".into(), size: None }
}

fn get(settings: &Settings, wanted: &Wanted) -> Result<Held, FetchError> {
    Fetcher::new(settings, &GO).get(wanted, false, &mut |_| {})
}

fn leftovers(settings: &Settings) -> usize {
    std::fs::read_dir(settings.cache.join("partial")).map_or(0, |entries| entries.count())
}

fn ranges(server: &Server) -> Vec<Option<usize>> {
    server.log().iter().map(|request| request.range().map(|(first, _)| first)).collect()
}

#[test]
fn a_dropped_transfer_goes_on_where_it_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let body = noise(300_000, 1);
    let server = Server::new({
        let body = body.clone();
        move |request| file(request, &body, "\"v1\"").cut(80_000)
    });
    // More drops than tries that may be in vain: each brought something.
    let held = get(&settings, &wanted(&server.at("/a.nwb"))).unwrap();
    assert_eq!(std::fs::read(&held.path).unwrap(), body);
    assert_eq!((held.sha256.as_str(), held.size, held.transferred), (sum(&body).as_str(), 300_000, 300_000));
    assert_eq!(ranges(&server), [None, Some(80_000), Some(160_000), Some(240_000)]);
    assert!(server.log()[1..].iter().all(|request| request.headers["if-range"] == "\"v1\""));
    assert_eq!(leftovers(&settings), 0);
    // A second time nothing is asked.
    assert_eq!(get(&settings, &wanted(&server.at("/a.nwb"))).unwrap().transferred, 0);
    assert_eq!(server.log().len(), 4);
}

#[test]
fn what_arrived_before_a_failure_is_gone_on_with_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let body = noise(200_000, 2);
    let server = Server::new({
        let body = body.clone();
        move |request| if (1..5).contains(&request.earlier) { Answer::new(500, "") } else { file(request, &body, "\"v1\"").cut(150_000) }
    });
    let error = get(&settings, &wanted(&server.at("/a.nwb"))).unwrap_err();
    assert!(error.kind == "http" && error.to_string().contains("500") && error.to_string().contains("is kept"), "{error}");
    assert_eq!(leftovers(&settings), 2);
    let held = get(&settings, &wanted(&server.at("/a.nwb"))).unwrap();
    assert_eq!((std::fs::read(&held.path).unwrap(), held.transferred), (body, 50_000));
    assert_eq!(*ranges(&server).last().unwrap(), Some(150_000));
}

#[test]
fn a_length_that_is_a_lie_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let body = noise(50_000, 3);
    // It says more than it ever sends.
    let server = Server::new({
        let body = body.clone();
        move |request| match request.range() {
            Some((first, _)) => Answer::new(206, &body[first.min(body.len())..])
                .with("Content-Range", format!("bytes {first}-59999/60000"))
                .with("Content-Length", 60_000 - first)
                .with("ETag", "\"v\""),
            None => Answer::new(200, body.clone()).with("Content-Length", 60_000).with("ETag", "\"v\""),
        }
    });
    let error = get(&settings, &wanted(&server.at("/a.nwb"))).unwrap_err();
    assert!(matches!(error.kind, "network" | "truncated") && error.to_string().contains("(4 tries)"), "{error}");
    // It says less than there is: the sum tells.
    let server = Server::new({
        let body = body.clone();
        move |_| Answer::new(200, body.clone()).with("Content-Length", 40_000)
    });
    let pinned = Wanted { sha256: Some(sum(&body)), ..wanted(&server.at("/b.nwb")) };
    let error = get(&settings, &pinned).unwrap_err();
    assert!(error.kind == "checksum" && error.what.contains(&sum(&body)) && error.what.contains(&sum(&body[..40_000])), "{error}");
    // The size that somebody published tells before a byte is taken.
    let sized = Wanted { size: Some(50_000), says: "the catalogue".into(), ..wanted(&server.at("/c.nwb")) };
    let error = get(&settings, &sized).unwrap_err();
    assert!(error.kind == "changed" && error.what.contains("40000") && error.what.contains("50000"), "{error}");
}

#[test]
fn a_server_without_ranges_sends_it_all_again_but_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let body = noise(90_000, 4);
    let server = Server::new({
        let body = body.clone();
        move |request| {
            let answer = Answer::new(200, body.clone()).with("ETag", "\"v\"");
            if request.path == "/never.nwb" || request.earlier == 0 { answer.cut(60_000) } else { answer }
        }
    });
    let held = get(&settings, &wanted(&server.at("/a.nwb"))).unwrap();
    assert_eq!(std::fs::read(&held.path).unwrap(), body);
    let before = server.log().len();
    let error = get(&settings, &wanted(&server.at("/never.nwb"))).unwrap_err();
    assert_eq!(error.kind, "network", "{error}");
    assert_eq!(server.log().len() - before, 4, "one try with progress, three in vain");
}

#[test]
fn no_file_is_made_of_two_versions() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (old, new) = (noise(100_000, 5), noise(100_000, 6));
    // `/good` heeds If-Range; `/bad` sends the range of the new version all the same, under its new tag.
    let server = Server::new({
        let (old, new) = (old.clone(), new.clone());
        let seen = std::sync::Mutex::new(std::collections::HashSet::new());
        move |request| {
            if seen.lock().unwrap().insert(request.path.clone()) {
                return file(request, &old, "\"old\"").cut(30_000);
            }
            let mut request = request.clone();
            if request.path == "/bad.nwb" {
                request.headers.remove("if-range");
            }
            file(&request, &new, "\"new\"")
        }
    });
    for path in ["/good.nwb", "/bad.nwb"] {
        let held = get(&settings, &wanted(&server.at(path))).unwrap();
        assert_eq!(held.sha256, sum(&new), "{path}");
    }
    // Without any name of a version a part is no use, unless the sum is known.
    let server = Server::new({
        let old = old.clone();
        move |request| {
            let mut answer = file(request, &old, "\"x\"");
            answer.headers.retain(|(name, _)| name != "ETag");
            if request.earlier % 2 == 0 { answer.cut(30_000) } else { answer }
        }
    });
    let held = get(&settings, &wanted(&server.at("/untagged.nwb"))).unwrap();
    assert_eq!((held.sha256, ranges(&server)), (sum(&old), vec![None, None]));
}

#[test]
fn refusals_are_told_apart_and_passing_ones_are_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let server = Server::new(|request| match request.path.as_str() {
        "/404.nwb" => Answer::new(404, "gone"),
        "/403.nwb" => Answer::new(403, ""),
        "/500.nwb" => Answer::new(500, ""),
        "/loop.nwb" => Answer::new(302, "").with("Location", "/loop.nwb"),
        "/moved.nwb" => Answer::new(302, "").with("Location", "/there.nwb"),
        "/busy.nwb" if request.earlier == 0 => Answer::new(503, "").with("Retry-After", 1),
        _ => file(request, b"hello", "\"v\""),
    });
    let started = std::time::Instant::now();
    assert_eq!(std::fs::read(get(&settings, &wanted(&server.at("/busy.nwb"))).unwrap().path).unwrap(), b"hello");
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After was not heeded");
    for (path, kind, requests) in
        [("/404.nwb", "not-found", 1), ("/403.nwb", "forbidden", 1), ("/500.nwb", "http", 4), ("/loop.nwb", "network", 11)]
    {
        let before = server.log().len();
        let error = get(&settings, &wanted(&server.at(path))).unwrap_err();
        assert_eq!((error.kind, server.log().len() - before), (kind, requests), "{path}: {error}");
        assert!(error.hint.is_some() && error.uri.ends_with(path), "{error}");
    }
    let held = get(&settings, &wanted(&server.at("/moved.nwb"))).unwrap();
    assert!(held.path.ends_with("moved.nwb") && held.size == 5);
    let error = get(&settings, &wanted("http://127.0.0.1:9/x.nwb")).unwrap_err();
    assert!(error.kind == "network" && error.what.contains("no connection"), "{error}");
}

#[test]
fn a_wrong_sum_is_an_error_with_both_sums_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let body = noise(10_000, 7);
    let server = Server::new({
        let body = body.clone();
        move |request| file(request, &body, "\"v\"")
    });
    let pinned = Wanted { sha256: Some("0".repeat(64)), ..wanted(&server.at("/a.nwb")) };
    let error = get(&settings, &pinned).unwrap_err();
    assert!(error.kind == "checksum" && error.what.contains(&sum(&body)) && error.what.contains(&"0".repeat(64)), "{error}");
    assert!(leftovers(&settings) == 0 && Fetcher::new(&settings, &GO).cache().objects().is_empty());
}

#[test]
fn a_silent_server_is_left_and_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let body = noise(60_000, 8);
    let server = Server::new({
        let body = body.clone();
        move |request| {
            let mut answer = file(request, &body, "\"v\"");
            if request.earlier == 0 {
                answer.stall = Some(20_000);
            }
            answer
        }
    });
    assert_eq!(get(&settings, &wanted(&server.at("/a.nwb"))).unwrap().sha256, sum(&body));
    assert_eq!(ranges(&server), [None, Some(20_000)]);
}

#[test]
fn s3_objects_come_from_an_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|request| file(request, b"an object", "\"v\""));
    let settings = Settings { s3_endpoint: Some(server.at("")), ..settings(folder.path()) };
    let held = get(&settings, &wanted("s3://my-bucket/a folder/x.nwb")).unwrap();
    assert_eq!((held.size, server.log()[0].path.as_str()), (9, "/my-bucket/a%20folder/x.nwb"));
}

fn dandi(request: &Request, body: &[u8], sha256: &str) -> Answer {
    let json = |text: String| Answer::new(200, text).with("Content-Type", "application/json");
    let path = request.path.split('?').next().unwrap();
    match path {
        "/api/dandisets/000017/" => {
            json(r#"{"most_recent_published_version": {"version": "0.1.2"}, "draft_version": {"version": "draft"}}"#.into())
        }
        "/api/dandisets/000018/" => json(r#"{"most_recent_published_version": null}"#.into()),
        "/api/dandisets/000017/versions/0.1.2/assets/" | "/api/dandisets/000018/versions/draft/assets/" => {
            let listed = if request.path.contains("sub-z") {
                String::new()
            } else {
                format!(
                    r#"{{"asset_id": "other", "path": "sub-a/x.nwb.bak", "size": 1}}, {{"asset_id": "abc", "path": "sub-a/x.nwb", "size": {}}}"#,
                    body.len()
                )
            };
            json(format!(r#"{{"count": 2, "results": [{listed}]}}"#))
        }
        "/api/dandisets/000017/versions/0.1.2/assets/abc/" => {
            json(format!(r#"{{"digest": {{"dandi:dandi-etag": "e-1", "dandi:sha2-256": "{sha256}"}}}}"#))
        }
        "/api/dandisets/000018/versions/draft/assets/abc/" => json(r#"{"digest": {"dandi:dandi-etag": "e-1"}}"#.into()),
        "/api/assets/abc/download/" => Answer::new(302, "").with("Location", "/blobs/abc?sig=secret"),
        "/blobs/abc" => file(request, body, "\"v\""),
        _ => Answer::new(404, "{}"),
    }
}

#[test]
fn dandi_assets_are_found_by_path_and_checked_by_the_archives_sum() {
    let folder = tempfile::tempdir().unwrap();
    let body = noise(5_000, 9);
    let (sha256, wrong) = (sum(&body), "1".repeat(64));
    let good = Server::new({
        let body = body.clone();
        move |request| dandi(request, &body, &sha256)
    });
    let settings = Settings { dandi_api: good.at("/api"), ..settings(folder.path()) };
    let held = get(&settings, &wanted("dandi:000017/sub-a/x.nwb")).unwrap();
    assert!(held.path.ends_with("x.nwb") && std::fs::read(&held.path).unwrap() == body);
    assert_eq!(get(&settings, &wanted("dandi:000018/sub-a/x.nwb")).unwrap().size, 5_000);
    let error = get(&settings, &wanted("dandi:000017/sub-a/y.nwb")).unwrap_err();
    assert!(error.kind == "not-found" && error.to_string().contains("sub-a/x.nwb"), "{error}");
    for (uri, what) in [
        ("dandi:000017/sub-z/y.nwb", "no asset"),
        ("dandi:000099/a/y.nwb", "no such dandiset"),
        ("dandi:000017@0.9/a/y.nwb", "no such dandiset or version"),
    ] {
        let error = get(&settings, &wanted(uri)).unwrap_err();
        assert!(error.kind == "not-found" && error.what.contains(what) && error.uri == uri, "{error}");
    }
    let bad = Server::new({
        let (body, wrong) = (body.clone(), wrong.clone());
        move |request| dandi(request, &body, &wrong)
    });
    let other = tempfile::tempdir().unwrap();
    let settings = Settings { dandi_api: bad.at("/api"), cache: other.path().into(), ..settings };
    let error = get(&settings, &wanted("dandi:000017/sub-a/x.nwb")).unwrap_err();
    assert!(error.kind == "checksum" && error.what.contains("DANDI 000017 0.1.2") && !error.to_string().contains("secret"), "{error}");
}

#[test]
fn offline_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let online = settings(folder.path());
    let server = Server::new(|request| file(request, b"hello", "\"v\""));
    let offline = Settings { offline: true, ..online.clone() };
    let error = get(&offline, &wanted(&server.at("/a.nwb"))).unwrap_err();
    assert!(error.kind == "offline" && error.to_string().contains("datasets fetch"), "{error}");
    assert!(server.log().is_empty() && !offline.cache.exists());
    get(&online, &wanted(&server.at("/a.nwb"))).unwrap();
    assert_eq!(get(&offline, &wanted(&server.at("/a.nwb"))).unwrap().size, 5);
    // The same bytes under a sum need no address at all.
    let pinned = Wanted { sha256: Some(sum(b"hello")), ..wanted(&server.at("/elsewhere.nwb")) };
    assert!(get(&offline, &pinned).unwrap().path.ends_with("elsewhere.nwb"));
    assert_eq!(server.log().len(), 1);
}

#[test]
fn the_first_sum_is_remembered_even_when_the_file_had_to_go() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let server = Server::new(|request| if request.earlier == 0 { file(request, b"one", "\"1\"") } else { file(request, b"two", "\"2\"") });
    let want = wanted(&server.at("/a.nwb"));
    let cache = Fetcher::new(&settings, &GO).cache().clone();
    drop(get(&settings, &want).unwrap());
    assert!(cache.remove(&sum(b"one")));
    let error = get(&settings, &want).unwrap_err();
    assert!(error.kind == "checksum" && error.what.contains(&sum(b"one")) && error.what.contains(&sum(b"two")), "{error}");
    assert_eq!(leftovers(&settings), 0);
    let held = Fetcher::new(&settings, &GO).get(&want, true, &mut |_| {}).unwrap();
    assert_eq!((held.sha256.clone(), std::fs::read(&held.path).unwrap()), (sum(b"two"), b"two".to_vec()));
    // A sum in the job that what is here does not have is told without a transfer.
    let before = server.log().len();
    let error = get(&settings, &Wanted { sha256: Some(sum(b"three")), ..want }).unwrap_err();
    assert!(error.kind == "checksum" && error.to_string().contains("--update"), "{error}");
    assert_eq!(server.log().len(), before);
}

#[test]
fn the_cache_makes_room_by_last_use_and_never_with_what_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { limit_bytes: 250_000, ..settings(folder.path()) };
    let server = Server::new(|request| {
        let seed = request.path.as_bytes()[1];
        file(request, &noise(if seed == b'z' { 300_000 } else { 100_000 }, seed.into()), "\"v\"")
    });
    let at = |name: &str| wanted(&server.at(&format!("/{name}.nwb")));
    let cache = Fetcher::new(&settings, &GO).cache().clone();
    let names = || {
        let there = cache.objects();
        ["a", "b", "c", "d"]
            .into_iter()
            .filter(|name| there.iter().any(|object| object.sha256 == sum(&noise(100_000, name.as_bytes()[0].into()))))
            .collect::<String>()
    };
    drop(get(&settings, &at("a")).unwrap());
    std::thread::sleep(Duration::from_millis(20));
    drop(get(&settings, &at("b")).unwrap());
    std::thread::sleep(Duration::from_millis(20));
    let a = get(&settings, &at("a")).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    // b was used longest ago.
    let c = get(&settings, &at("c")).unwrap();
    assert_eq!(names(), "ac");
    // a and c are held: nothing may go.
    let error = get(&settings, &at("d")).unwrap_err();
    assert!(error.kind == "disk-full" && error.to_string().contains("TCS_CACHE_GIB"), "{error}");
    assert_eq!((names().as_str(), leftovers(&settings)), ("ac", 0));
    drop(a);
    let d = get(&settings, &at("d")).unwrap();
    assert_eq!(names(), "cd");
    let error = get(&settings, &at("z")).unwrap_err();
    assert_eq!((error.kind, names().as_str()), ("disk-full", "cd"));
    drop((c, d));
}

#[test]
fn a_damaged_object_is_found_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let server = Server::new(|request| file(request, b"hello", "\"v\""));
    let held = get(&settings, &wanted(&server.at("/a.nwb"))).unwrap();
    let cache = Fetcher::new(&settings, &GO).cache().clone();
    assert_eq!(cache.verify(&held.sha256).unwrap(), 5);
    let path = std::fs::canonicalize(&held.path).unwrap();
    let mut rights = std::fs::metadata(&path).unwrap().permissions();
    assert!(rights.readonly());
    #[expect(clippy::permissions_set_readonly_false)]
    rights.set_readonly(false);
    std::fs::set_permissions(&path, rights).unwrap();
    std::fs::write(&path, b"hellO").unwrap();
    let sha256 = held.sha256.clone();
    assert!(cache.verify(&sha256).unwrap_err().to_string().contains("stop that run"));
    drop(held);
    assert!(cache.verify(&sha256).unwrap_err().to_string().contains("was removed"));
    assert_eq!(get(&settings, &wanted(&server.at("/a.nwb"))).unwrap().transferred, 5);
}
