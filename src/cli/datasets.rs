//! `datasets`: the catalogue, and the cache of what was fetched.

use super::progress::{Tenths, fetched, fetching, waiting};
use super::run::{INTERRUPTED, watch_signals};
use super::{JobArgs, exit, fetch_settings, load, print};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;
use tcs_batch::fetch::catalogue::{Catalogue, Item, Place};
use tcs_batch::fetch::{Cache, FetchError, Fetcher, News, Settings, cache, readable_bytes};
use tcs_batch::job::remote::{Remote, resolve};

/// Arguments of `datasets`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct DatasetsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Name, size, licence and whereabouts of every recording of the catalogue
    List {
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// All that the catalogue says of a recording
    Show {
        /// A name of the catalogue
        name: String,
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// Fetch recordings into the cache and print where they are
    #[command(
        after_help = "Example:  tcs-batch datasets fetch steinmetz-2019-cori dandi:000004/sub-P11HMH/sub-P11HMH_ses-20061101_ecephys+image.nwb"
    )]
    Fetch {
        /// Names of the catalogue, or addresses (https://, s3://, dandi:)
        names: Vec<String>,
        /// All that this job needs
        #[arg(long, value_name = "JOB.toml")]
        job: Option<PathBuf>,
        /// Fetch again, and take what comes for right where no sum is published
        #[arg(long)]
        update: bool,
        /// Ask no server
        #[arg(long)]
        offline: bool,
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// Read cached and shipped recordings again and compare their sums
    Verify {
        /// Names or addresses; none: all that is there
        names: Vec<String>,
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
}

/// Runs the verb.
pub fn run(args: &DatasetsArgs, quiet: bool) -> u8 {
    let catalogue = Catalogue::near(Path::new("."));
    match &args.what {
        What::List { json } => list(&catalogue, *json),
        What::Show { name, json } => show(&catalogue, name, *json),
        What::Fetch { names, job, update, offline, json } => fetch(names, job.as_deref(), (*update, *offline, *json), quiet),
        What::Verify { names, json } => verify(&catalogue, names, *json),
    }
}

/// Where a recording is: a path and a word.
fn whereabouts(item: &Item, cache: &Cache) -> (Option<PathBuf>, &'static str) {
    match item.place() {
        Ok(Place::Local(path)) if path.is_file() => (Some(path), "here"),
        Ok(Place::Remote(wanted)) => {
            let by_sum = wanted.sha256.as_ref().map(|sha256| cache.object(sha256)).filter(|path| path.exists());
            match Some(wanted.path(cache)).filter(|path| path.exists()).or(by_sum) {
                Some(path) => (Some(path), "cached"),
                None => (None, "-"),
            }
        }
        _ => (None, "absent"),
    }
}

fn size_of(item: &Item) -> String {
    match (item.record.size, item.record.about_gb) {
        (Some(size), _) => readable_bytes(size),
        (None, Some(gb)) => format!("~{gb} GB"),
        (None, None) => "?".into(),
    }
}

/// Whether a recording's sum is known before it is fetched.
fn pinned(item: &Item) -> &'static str {
    if item.record.sha256.is_some() { "pinned" } else { "not pinned" }
}

fn described(item: &Item, cache: &Cache) -> serde_json::Value {
    let (path, _) = whereabouts(item, cache);
    let mut all = serde_json::to_value(&item.record).unwrap_or_default();
    all["pinned"] = json!(item.record.sha256.is_some());
    all["catalogue_file"] = json!(item.from);
    all["path"] = json!(path);
    all
}

fn list(catalogue: &Catalogue, as_json: bool) -> u8 {
    let cache = Cache::at(&Settings::from_env().cache);
    let (items, errors) = catalogue.all();
    for error in &errors {
        eprintln!("warning: {error}");
    }
    if as_json {
        return print_json(&items.iter().map(|item| described(item, &cache)).collect::<Vec<_>>());
    }
    let width = items.iter().map(|item| item.record.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for item in &items {
        let (_, place) = whereabouts(item, &cache);
        let record = &item.record;
        text.push_str(&format!("{:width$}  {:>9}  {:6}  {:10}  {}\n", record.name, size_of(item), place, pinned(item), record.title));
    }
    text.push_str(&format!("cache: {}\n", cache.root().display()));
    print(&text)
}

fn show(catalogue: &Catalogue, name: &str, as_json: bool) -> u8 {
    let name = name.strip_prefix("catalogue:").unwrap_or(name);
    let cache = Cache::at(&Settings::from_env().cache);
    let item = match catalogue.find(name) {
        Ok(Some(item)) => item,
        Ok(None) => return unknown(name, catalogue),
        Err(error) => return refuse(&error),
    };
    if as_json {
        return print_json(&described(&item, &cache));
    }
    let record = &item.record;
    let sum = record
        .sha256
        .clone()
        .unwrap_or_else(|| "not pinned: what is fetched first is remembered, and later transfers must equal it".into());
    let size = record.size.map_or_else(|| size_of(&item), |size| format!("{} ({size} bytes)", size_of(&item)));
    let (path, _) = whereabouts(&item, &cache);
    let lines = [
        ("title", record.title.clone()),
        ("cite", record.citation.clone()),
        ("licence", record.licence.clone()),
        ("uri", record.uri.clone()),
        ("size", size),
        ("sha256", sum),
        ("format", format!("{}, layout {}", record.format, record.layout)),
        ("good for", record.good_for.join("; ")),
        (
            "checked",
            (if record.checked { "yes: sum and size were compared with the file" } else { "no: the maintainers have not downloaded it" })
                .into(),
        ),
        ("known from", record.provenance.clone()),
        ("listed in", item.from.as_ref().map_or_else(|| "this program".into(), |from| from.display().to_string())),
        ("file", path.map_or_else(|| format!("not fetched; tcs-batch datasets fetch {name}"), |path| path.display().to_string())),
        ("in a job", format!("source = \"catalogue:{name}\"")),
    ];
    let mut text = format!("{name}\n");
    for (key, value) in lines {
        text.push_str(&format!("  {key:10}  {value}\n"));
    }
    print(&text)
}

fn unknown(name: &str, catalogue: &Catalogue) -> u8 {
    eprintln!("error: the catalogue has no recording `{name}`; {}", catalogue.suggest(name));
    exit::USAGE
}

fn refuse(error: &FetchError) -> u8 {
    eprintln!("error: {error}");
    exit::USAGE
}

/// A name of the catalogue or an address; a path is left alone.
fn located(name: &str) -> Result<Remote, FetchError> {
    let source = if tcs_batch::fetch::is_remote(name) { name.to_owned() } else { format!("catalogue:{name}") };
    resolve(&source, Path::new("."))
}

fn fetch(names: &[String], job: Option<&Path>, (update, offline, as_json): (bool, bool, bool), quiet: bool) -> u8 {
    let mut all: Vec<(String, Option<tcs_batch::fetch::Wanted>, PathBuf)> = Vec::new();
    for name in names {
        match located(name) {
            Ok(remote) => all.push((name.clone(), remote.wanted, remote.path)),
            Err(error) => return refuse(&error),
        }
    }
    if let Some(job) = job {
        let job = match load(&JobArgs { job: job.to_owned(), overrides: Vec::new() }) {
            Ok(job) => job,
            Err(code) => return code,
        };
        all.extend(job.datasets.iter().filter_map(|dataset| {
            let tcs_batch::job::Origin::File { request, .. } = &dataset.origin else { return None };
            Some((dataset.id.clone(), Some(dataset.wanted.clone()?), request.path.clone()))
        }));
    } else if all.is_empty() {
        eprintln!("error: nothing to fetch; give names of the catalogue (tcs-batch datasets list), addresses, or --job JOB.toml");
        return exit::USAGE;
    }
    watch_signals();
    let settings = fetch_settings(offline);
    let mut fetcher = Fetcher::new(&settings, &INTERRUPTED);
    let (mut failed, mut rows) = (false, Vec::new());
    for (name, wanted, path) in &all {
        let name = tcs_batch::fetch::uri::redacted(name);
        let Some(wanted) = wanted else {
            rows.push(json!({ "name": name, "path": path, "transferred": 0 }));
            continue;
        };
        let started = Instant::now();
        let mut shown = Shown::new(quiet);
        let held = fetcher.get(wanted, update, &mut |news| shown.hear(&name, &news));
        drop(shown);
        match held {
            Ok(held) => {
                if held.transferred > 0 && !quiet {
                    eprintln!("{}", fetched(&name, held.transferred, started.elapsed().as_secs_f64()));
                }
                rows.push(
                    json!({ "name": name, "path": held.path, "sha256": held.sha256, "size": held.size, "transferred": held.transferred }),
                );
            }
            Err(error) => {
                if INTERRUPTED.load(Ordering::Relaxed) != 0 {
                    eprintln!("error: {error}");
                    std::process::exit(128 + INTERRUPTED.load(Ordering::Relaxed));
                }
                let of = if error.uri == name { String::new() } else { format!("{name}: ") };
                eprintln!("error: {of}{error}");
                rows.push(json!({ "name": name, "error": error.to_string(), "error_kind": error.kind }));
                failed = true;
            }
        }
    }
    let code = if as_json {
        print_json(&rows)
    } else {
        print(&rows.iter().filter_map(|row| Some(format!("{}\n", row["path"].as_str()?))).collect::<String>())
    };
    if failed { exit::UNITS_FAILED } else { code }
}

/// What is shown of a transfer: a bar on a terminal, a line each tenth elsewhere.
struct Shown {
    bar: Option<ProgressBar>,
    tenths: Tenths,
    quiet: bool,
}

impl Shown {
    fn new(quiet: bool) -> Self {
        let on_terminal = !quiet && std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        let bar = on_terminal.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { bar, tenths: Tenths::default(), quiet }
    }

    fn hear(&mut self, name: &str, news: &News) {
        match (news, &self.bar) {
            _ if self.quiet => {}
            (News::Bytes(bytes, total), Some(bar)) => {
                if let Some(total) = total {
                    bar.set_length(*total);
                }
                bar.set_position(*bytes);
                bar.set_message(name.to_owned());
            }
            (News::Bytes(bytes, total), None) => {
                if let Some(line) = self.tenths.line(name, *bytes, *total) {
                    eprintln!("{line}");
                }
            }
            (News::Waiting, Some(bar)) => bar.set_message(fetching(name, 0, None) + " (another process is at it)"),
            (News::Waiting, None) => eprintln!("{}", waiting(name)),
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn verify(catalogue: &Catalogue, names: &[String], as_json: bool) -> u8 {
    let store = Cache::at(&Settings::from_env().cache);
    let mut rows = Vec::new();
    let mut add = |name: &str, result: Result<u64, FetchError>| {
        if let Err(error) = &result {
            eprintln!("error: {name}: {error}");
        }
        rows.push(json!({ "name": name, "ok": result.is_ok(), "size": result.as_ref().ok(), "error": result.as_ref().err().map(ToString::to_string) }));
    };
    if names.is_empty() {
        for item in catalogue.all().0 {
            if let (Ok(Place::Local(path)), Some(sha256)) = (item.place(), &item.record.sha256)
                && path.is_file()
            {
                add(&item.record.name, local(&path, sha256));
            }
        }
        let entries = store.entries();
        for object in store.objects() {
            let name = entries.iter().find(|(_, entry)| entry.sha256 == object.sha256).map_or(&object.sha256, |(_, entry)| &entry.uri);
            add(name, store.verify(&object.sha256));
        }
    }
    for name in names {
        let remote = match located(name) {
            Ok(remote) => remote,
            Err(error) => return refuse(&error),
        };
        let shown = tcs_batch::fetch::uri::redacted(name);
        let known = remote.wanted.as_ref().and_then(|wanted| Some(store.entry(&wanted.address.key())?.sha256));
        match (&remote.wanted, remote.sha256.or(known)) {
            (None, Some(sha256)) => add(&shown, local(&remote.path, &sha256)),
            (Some(_), Some(sha256)) if store.object(&sha256).exists() => add(&shown, store.verify(&sha256)),
            _ => add(&shown, Err(FetchError::new(&shown, "not-found", "not in the cache").hint("tcs-batch datasets fetch"))),
        }
    }
    let bad = rows.iter().filter(|row| row["ok"] != true).count();
    let code = if as_json {
        print_json(&rows)
    } else {
        let lines =
            rows.iter().map(|row| format!("{}  {}\n", if row["ok"] == true { "ok " } else { "BAD" }, row["name"].as_str().unwrap_or("")));
        print(&(lines.collect::<String>() + &format!("{} recordings, {bad} bad\n", rows.len())))
    };
    if bad > 0 { exit::FELL_SHORT } else { code }
}

fn local(path: &Path, sha256: &str) -> Result<u64, FetchError> {
    let (found, size) =
        cache::sha256_of(path).map_err(|error| FetchError::new(path.display(), "cache", format!("cannot be read ({error})")))?;
    if found.eq_ignore_ascii_case(sha256) {
        return Ok(size);
    }
    let what = format!("sha256 is {found}, but the catalogue says {sha256}");
    Err(FetchError::new(path.display(), "checksum", what).hint("restore the file from the repository"))
}

fn print_json<T: serde::Serialize>(value: &T) -> u8 {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&(text + "\n")),
        Err(error) => {
            eprintln!("error: {error}");
            exit::INTERNAL
        }
    }
}
