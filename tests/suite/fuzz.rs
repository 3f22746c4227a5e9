//! 2,000 mutated recordings: never a panic, and where libhdf5 crashes, runs in circles or takes more than 1 GiB, that costs
//! the process that looked at the file and nothing else: `inspect` still answers in one sentence.
//!
//! Mutant `k` is made from seed `k` alone: bits flipped, bytes cut off, blocks copied, numbers that look like sizes and addresses
//! replaced. A child process (this binary, with one test) makes and reads mutants one after the other and says so; when it dies, the
//! next child goes on behind the one that killed it. `TCS_FUZZ=20000` looks longer, `TCS_FUZZ_FROM=k` begins there,
//! `TCS_FUZZ_KEEP=FOLDER` keeps those that crash.
#![cfg(target_os = "linux")]

use super::cli::tcs;
use rand::{Rng, RngExt};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use tcs_batch::data::Span;
use tcs_batch::read::{self, Filter, Format, Request, SignalKind};

const MUTANTS: usize = 2_000;
const MOST_BYTES: u64 = 1 << 30;
/// Computing time after which a file counts as one on which libhdf5 runs in circles: reading a good one takes milliseconds.
const MOST_TICKS: u64 = 200;
/// Recordings of this size or more are mutated only now and then: writing them costs more than reading them.
const LARGE: usize = 300_000;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The recordings that are mutated: the shipped ones, and small twins where they were made.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = ["datasets/samples", "tests/data/nwb", "target/twins"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(root(folder)).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "nwb" || ending == "h5"))
        .filter(|path| path.metadata().is_ok_and(|about| about.len() < 3_000_000))
        .collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

/// A number as a damaged or hostile file might hold it.
fn odd_number(random: &mut impl Rng, length: usize) -> u64 {
    match random.random_range(0..8) {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << random.random_range(0..64),
        3 => (1 << random.random_range(1..64)) - 1,
        4 => length as u64,
        5 => random.random_range(0..length as u64),
        6 => random.random_range(0..256),
        _ => random.random(),
    }
}

/// A place in the file; half of the time in its first or last pages, where the structure is.
fn place(random: &mut impl Rng, length: usize) -> usize {
    let near = random.random_range(0..length.min(8_192));
    match random.random_range(0..4) {
        0 => near,
        1 => length - 1 - near,
        _ => random.random_range(0..length),
    }
}

fn mutate(random: &mut impl Rng, bytes: &mut Vec<u8>) {
    let length = bytes.len();
    match random.random_range(0..10) {
        0 => bytes.truncate(length * random.random_range(0..16) / 16),
        1 => bytes.truncate(random.random_range(0..length)),
        2 | 3 => {
            for _ in 0..random.random_range(1..17) {
                let at = place(random, length);
                bytes[at] ^= 1 << random.random_range(0..8);
            }
        }
        4 => {
            let n = random.random_range(1..length.min(4_096));
            let (from, to) = (place(random, length - n), place(random, length - n));
            bytes.copy_within(from..from + n, to);
        }
        // Sizes, addresses and counts are little-endian, mostly at even places.
        _ => {
            for _ in 0..random.random_range(1..4) {
                let width = [1, 2, 4, 8][random.random_range(0..4)];
                let at = place(random, length - 8) & !1;
                let number = odd_number(random, length).to_le_bytes();
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
        }
    }
}

fn mutant(corpus: &[(String, Vec<u8>)], number: usize) -> (String, Vec<u8>) {
    let mut random = ChaCha8Rng::seed_from_u64(number as u64);
    loop {
        let (name, bytes) = &corpus[random.random_range(0..corpus.len())];
        if bytes.len() < LARGE || random.random_range(0..10) == 0 {
            let mut bytes = bytes.clone();
            mutate(&mut random, &mut bytes);
            return (name.clone(), bytes);
        }
    }
}

/// Everything that the program does to a file: lists it, opens it as every signal, reads windows.
fn look(path: &Path) {
    let Some(format) = read::format_of(path) else { return };
    let Ok(found) = (format.inspect)(path) else { return };
    read_windows(format, path, SignalKind::Spikes, None);
    for series in found.series.iter().take(6) {
        read_windows(format, path, SignalKind::Series, Some(series.path.clone()));
    }
}

fn read_windows(format: &Format, path: &Path, signal: SignalKind, series: Option<String>) {
    let every = Filter { every: 1, ..Filter::default() };
    let request = Request {
        with: Vec::new(),
        path: path.to_owned(),
        signal,
        series: series.into_iter().collect(),
        units: every.clone(),
        channels: every,
        sampling_rate_hz: Some(100.0),
    };
    let Ok(mut reader) = (format.open)(&request) else { return };
    let whole = reader.header().span;
    let middle = 0.5 * (whole.start_s + whole.stop_s);
    for span in [(whole.start_s, whole.start_s + 1.0), (middle, middle + 1.0), (whole.stop_s - 1.0, whole.stop_s)] {
        let _ = reader.read(Some(Span { start_s: span.0, stop_s: span.1 }));
    }
    let _ = reader.read(None);
    let _ = reader.interval_column("trials", "start_time");
}

/// The child. In an ordinary run of the tests it does nothing.
#[test]
fn child() {
    let Ok(range) = std::env::var("TCS_FUZZ_CHILD") else { return };
    let (from, to) = range.split_once("..").unwrap();
    let corpus = corpus();
    let folder = tempfile::tempdir().unwrap();
    let say = |what: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "fuzz {what}").and_then(|()| out.flush()).unwrap();
    };
    for number in from.parse::<usize>().unwrap()..to.parse().unwrap() {
        let (name, bytes) = mutant(&corpus, number);
        let path = folder.path().join(format!("{number}_{name}"));
        std::fs::write(&path, bytes).unwrap();
        say(format!("begin {number}"));
        if std::panic::catch_unwind(|| look(&path)).is_err() {
            say(format!("panic {number}"));
        }
        std::fs::remove_file(&path).unwrap();
    }
    say("end".into());
}

fn spawn(range: Range<usize>) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fuzz::child", "--nocapture"])
        .env("TCS_FUZZ_CHILD", format!("{}..{}", range.start, range.end))
        .env("RAYON_NUM_THREADS", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn field(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find(|line| line.starts_with(name))?.split_whitespace().nth(1)?.parse().ok()
}

/// Computing time of a process, in ticks of 10 ms.
fn ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<u64> = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap_or(0)).collect();
    Some(fields.iter().sum())
}

#[derive(Debug, Default)]
struct Seen {
    read: usize,
    panics: Vec<usize>,
    crashes: Vec<(usize, String)>,
    hangs: Vec<usize>,
    memory: Vec<usize>,
}

impl Seen {
    /// Follows one child; the answer is where the next must begin.
    fn follow(&mut self, range: Range<usize>) -> usize {
        let mut child = spawn(range.clone());
        let pid = child.id();
        let (to, from) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
        let complaints = child.stderr.take().unwrap();
        let complaints = std::thread::spawn(move || std::io::read_to_string(complaints).unwrap_or_default());
        let (mut at, mut since) = (range.start, 0);
        loop {
            match from.recv_timeout(Duration::from_millis(20)) {
                Ok(line) => match line.trim().rsplit_once("fuzz ").map(|(_, said)| said.split_once(' ').unwrap_or((said, ""))) {
                    Some(("begin", number)) => {
                        (at, since) = (number.parse().unwrap(), ticks(pid).unwrap_or(since));
                        self.read += 1;
                    }
                    Some(("panic", number)) => self.panics.push(number.parse().unwrap()),
                    Some(("end", _)) => {
                        child.wait().unwrap();
                        return range.end;
                    }
                    _ => {}
                },
                Err(RecvTimeoutError::Disconnected) => {
                    let status = child.wait().unwrap();
                    let complaints = complaints.join().unwrap();
                    if complaints.contains("memory allocation of") {
                        self.memory.push(at);
                    } else {
                        self.crashes.push((at, format!("{status}: {}", complaints.lines().last().unwrap_or_default())));
                    }
                    return at + 1;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let grown = field(&format!("/proc/{pid}/status"), "VmHWM:").unwrap_or(0) * 1024 > MOST_BYTES;
            let stuck = ticks(pid).unwrap_or(0).saturating_sub(since) > MOST_TICKS;
            if grown || stuck {
                if grown {
                    self.memory.push(at)
                } else {
                    self.hangs.push(at)
                }
                child.kill().unwrap();
                child.wait().unwrap();
                return at + 1;
            }
        }
    }

    fn all(range: Range<usize>) -> Self {
        let mut seen = Self::default();
        let mut next = range.start;
        while next < range.end {
            next = seen.follow(next..range.end);
        }
        seen
    }
}

fn number_of(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

#[test]
fn mutated_recordings_never_panic_hang_or_take_all_memory() {
    let from = number_of("TCS_FUZZ_FROM", 0);
    let n = number_of("TCS_FUZZ", MUTANTS);
    let half = from + n / 2;
    let halves = [from..half, half..from + n].map(|range| std::thread::spawn(|| Seen::all(range)));
    let [mut seen, more] = halves.map(|half| half.join().unwrap());
    seen.read += more.read;
    seen.panics.extend(more.panics);
    seen.crashes.extend(more.crashes);
    seen.hangs.extend(more.hangs);
    seen.memory.extend(more.memory);
    println!("{seen:?}");
    let corpus = corpus();
    let folder = tempfile::tempdir().unwrap();
    let keep = std::env::var_os("TCS_FUZZ_KEEP").map(PathBuf::from);
    let lost: Vec<usize> = seen.crashes.iter().map(|crash| crash.0).chain(seen.hangs.clone()).chain(seen.memory.clone()).collect();
    let keep = keep.as_deref().unwrap_or(folder.path());
    let path = |number: &usize| {
        let (name, bytes) = mutant(&corpus, *number);
        let path = keep.join(format!("{number}_{name}"));
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let paths: Vec<PathBuf> = lost.iter().map(path).collect();
    // What crashes libhdf5, sends it in circles or makes it take all memory must be one sentence to a user. One of each kind is shown.
    let kinds = [seen.crashes.first().map(|crash| crash.0), seen.hangs.first().copied(), seen.memory.first().copied()];
    for number in kinds.iter().flatten() {
        let path = &paths[lost.iter().position(|lost| lost == number).unwrap()];
        let output = tcs(&["inspect", path.to_str().unwrap()]);
        assert!(matches!(output.status.code(), Some(0 | 2)), "mutant {number}: {output:?}");
    }
    assert_eq!(seen.read, n);
    assert!(seen.panics.is_empty(), "mutants that made it panic: {:?}", seen.panics);
    assert!(lost.len() * 100 <= n, "a process was lost on too many: {seen:?}");
}
