//! The worker's side: a process of the same binary that computes units until its standard input ends. It holds the recordings
//! that it has open; libhdf5 crashing, a leak or an endless loop costs this process and one unit, never the run.

use super::part::{Part, Wanted};
use super::protocol::{self, Answer, Computed, Hello, Request};
use super::stages::Stages;
use super::unit;
use crate::job::plan::{self, Problem, Unit};
use crate::job::{self, Job};
use crate::read::Reader;
use std::collections::HashMap;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// Works until standard input ends. Standard output belongs to the protocol: nothing else may print there.
///
/// # Errors
/// When the coordinator is gone.
pub fn main() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let Some(hello) = protocol::receive::<Hello>(&mut input)? else { return Ok(()) };
    drop(input);
    let job = match job::load(&hello.job, &hello.overrides) {
        Ok(job) if job.hash == hello.hash => job,
        Ok(_) => return protocol::send(&mut output, &Answer::Refused("the job file changed while it was run".into())),
        Err(error) => return protocol::send(&mut output, &Answer::Refused(error.to_string())),
    };
    protocol::send(&mut output, &Answer::Ready)?;
    let mut worker = Worker { job, open: HashMap::new() };
    for request in requests() {
        protocol::send(&mut output, &worker.answer(request))?;
    }
    Ok(())
}

/// Requests as they come. When the coordinator dies its end of the pipe closes, and this process ends at once, in the middle of
/// whatever it computes: nobody would take the result.
fn requests() -> Receiver<Request> {
    let (to, from) = channel();
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Ok(Some(request)) = protocol::receive::<Request>(&mut input) {
            if to.send(request).is_err() {
                return;
            }
        }
        std::process::exit(0);
    });
    from
}

/// Label, key, result of each part; or why there are none.
type Parts = Result<Vec<(String, String, Part)>, Problem>;

struct Worker {
    job: Job,
    open: HashMap<usize, Box<dyn Reader>>,
}

impl Worker {
    fn answer(&mut self, request: Request) -> Answer {
        let started = Instant::now();
        match request {
            Request::Plan(dataset) => {
                let (units, header) = plan::of_dataset(&self.job, dataset);
                Answer::Planned { units, header }
            }
            Request::Compute { unit, wanted, memory_bytes } => {
                let stages = Stages::default();
                let result = self.compute(&unit, &wanted, memory_bytes, &stages);
                let seconds = started.elapsed().as_secs_f64();
                Answer::Computed(Computed { result, seconds, stages: stages.seconds(), peak_memory_bytes: peak_memory_bytes() })
            }
        }
    }

    /// Computes a unit. A panic is one failed unit; the worker lives on with its recordings closed.
    fn compute(&mut self, unit: &Unit, wanted: &[Wanted], memory_bytes: u64, stages: &Stages) -> Parts {
        fault_for_tests(&unit.id);
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| self.try_compute(unit, wanted, memory_bytes, stages)));
        if !matches!(caught, Ok(Ok(_))) {
            self.open.remove(&unit.dataset);
        }
        caught.unwrap_or_else(|panic| {
            let what = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let message = format!("internal error: {}; please report it with the job file", what.unwrap_or_else(|| "panic".into()));
            Err(Problem { kind: "panic".into(), message, skipped: false })
        })
    }

    fn try_compute(&mut self, unit: &Unit, wanted: &[Wanted], memory_bytes: u64, stages: &Stages) -> Parts {
        if !self.open.contains_key(&unit.dataset) {
            let opened = stages.time("read", || plan::open(&self.job, &self.job.datasets[unit.dataset]))?;
            self.open.insert(unit.dataset, opened);
        }
        let Some(reader) = self.open.get_mut(&unit.dataset) else { return Ok(Vec::new()) };
        unit::compute(&self.job, unit, reader.as_mut(), wanted, memory_bytes, stages)
    }
}

/// Peak resident memory of this process, bytes, where the system says.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Faults on demand, so that tests can see what the coordinator makes of a worker that crashes, hangs or leaks:
/// `TCS_BATCH_FAULT=crash:PART-OF-UNIT-ID` (or `segfault`, `hang`, `leak`, `panic`). A file named by `TCS_BATCH_FAULT_ONCE` makes it happen
/// only while that file does not exist.
fn fault_for_tests(unit: &str) {
    let Ok(fault) = std::env::var("TCS_BATCH_FAULT") else { return };
    let Some((kind, which)) = fault.split_once(':') else { return };
    if !unit.contains(which) {
        return;
    }
    if let Some(once) = std::env::var_os("TCS_BATCH_FAULT_ONCE")
        && std::fs::File::options().write(true).create_new(true).open(once).is_err()
    {
        return;
    }
    match kind {
        "crash" => std::process::abort(),
        // Sent twice: Rust's own handler lets the first pass when no address was touched.
        "segfault" => {
            for _ in 0..2 {
                let _ = std::process::Command::new("kill").args(["-SEGV", &std::process::id().to_string()]).status();
            }
        }
        "hang" => loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        },
        "leak" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1_u8; 1 << 24]);
                std::hint::black_box(&kept);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        _ => {}
    }
}
