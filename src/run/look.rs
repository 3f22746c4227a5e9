//! `inspect` in a process of its own: libhdf5 may crash on a damaged file, run in circles or take all memory, and then that process
//! is gone and the caller can say so. So is the question whether a file is NWB, which a job file with `format = "auto"` asks.

use super::pool::{self, Limits, Process};
use super::protocol::{self, Answer, Hello};
use crate::read::{self, Inspection, READERS, ReadError};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Computing time that listing a file may take. Waiting for a slow disk or network does not count.
const CPU: Duration = Duration::from_secs(10);
/// Wall time, for one that waits forever.
const WALL: Duration = Duration::from_secs(600);
/// Memory, bytes.
const MEMORY: u64 = 1 << 30;

/// The verb of the process that looks.
pub const VERB: &str = "look";

/// What a file holds, found out by another process of this program.
///
/// # Errors
/// As the format's `inspect`; `crash`, `timeout` or `memory` when the process was lost.
pub fn inspect(path: &Path) -> Result<Inspection, ReadError> {
    let limits = limits(path, "");
    let answer = Process::spawn(VERB, &limits).and_then(|mut process| process.wait(&limits, MEMORY));
    match answer {
        Ok(Answer::Inspected(found)) => *found,
        Ok(_) => Err(ReadError::new(path, "crash", "the process that looked at it gave another answer than was asked for")),
        Err(problem) => {
            let what = match problem.kind.as_str() {
                "timeout" => format!("looking at it took longer than {} s of computing", CPU.as_secs()),
                "memory" => "looking at it took more than 1 GiB of memory".to_owned(),
                _ => problem.message,
            };
            Err(ReadError::new(path, &problem.kind, what)
                .hint("the file is probably damaged: compare its checksum with the source and fetch it again"))
        }
    }
}

/// What `hash` says to a process that is asked about formats.
const FORMATS: &str = "formats";

fn limits(path: &Path, what: &str) -> Limits {
    let hello = Hello { job: path.to_owned(), overrides: Vec::new(), hash: what.to_owned(), memory_bytes: MEMORY };
    Limits { hello, timeout: WALL, cpu: Some(CPU), retries: 0, memory_bytes: MEMORY, threads: pool::cores(), stream: None }
}

/// Whether an HDF5 file calls itself NWB, found out by another process, which is kept for the next question. A file that it does not
/// survive is not NWB as far as anybody can tell.
pub fn is_nwb(path: &Path) -> bool {
    static KEPT: Mutex<Option<Process>> = Mutex::new(None);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let limits = limits(path, FORMATS);
    let process = match kept.take() {
        Some(mut process) => {
            process.tell(&limits.hello);
            Ok(process)
        }
        None => Process::spawn(VERB, &limits),
    };
    let Ok(mut process) = process else { return false };
    match process.wait(&limits, MEMORY) {
        Ok(Answer::IsNwb(is_nwb)) => {
            *kept = Some(process);
            is_nwb
        }
        _ => false,
    }
}

/// The other process: is told a file, answers; until the input ends.
///
/// # Errors
/// When nobody listens.
pub fn main() -> io::Result<()> {
    let (to, questions) = std::sync::mpsc::channel();
    // Whoever asked is gone when the input ends: nobody would hear the answer.
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Ok(Some(question)) = protocol::receive::<Hello>(&mut input) {
            if to.send(question).is_err() {
                return;
            }
        }
        std::process::exit(0);
    });
    for question in questions {
        let answer = match question.hash.as_str() {
            FORMATS => Answer::IsNwb(read::nwb::is_nwb(&question.job)),
            _ => Answer::Inspected(Box::new(look(&question.job))),
        };
        protocol::send(&mut io::stdout().lock(), &answer)?;
    }
    Ok(())
}

fn look(path: &Path) -> Result<Inspection, ReadError> {
    let Some(format) = read::format_of(path) else {
        let names: Vec<&str> = READERS.iter().map(|format| format.name).collect();
        return Err(ReadError::new(path, "unsupported", format!("not a format that this tool knows ({})", names.join(", "))));
    };
    (format.inspect)(path)
}
