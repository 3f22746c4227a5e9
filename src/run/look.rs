//! `inspect` in a process of its own: libhdf5 may crash on a damaged file, run in circles or take all memory, and then that process
//! is gone and the caller can say so.

use super::pool::{self, Limits, Process};
use super::protocol::{self, Answer, Hello};
use crate::read::{self, Inspection, READERS, ReadError};
use std::io;
use std::path::Path;
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
    let hello = Hello { job: path.to_owned(), overrides: Vec::new(), hash: String::new(), memory_bytes: MEMORY };
    let limits = Limits { hello, timeout: WALL, cpu: Some(CPU), retries: 0, memory_bytes: MEMORY, threads: pool::cores(), stream: None };
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

/// The other process: is told the file, answers once.
///
/// # Errors
/// When nobody listens.
pub fn main() -> io::Result<()> {
    let Some(hello) = protocol::receive::<Hello>(&mut io::stdin().lock())? else { return Ok(()) };
    // Whoever asked is gone when the input ends: nobody would hear the answer.
    std::thread::spawn(|| {
        while let Ok(Some(_)) = protocol::receive::<Hello>(&mut io::stdin().lock()) {}
        std::process::exit(0);
    });
    let found = look(&hello.job);
    protocol::send(&mut io::stdout().lock(), &Answer::Inspected(Box::new(found)))
}

fn look(path: &Path) -> Result<Inspection, ReadError> {
    let Some(format) = read::format_of(path) else {
        let names: Vec<&str> = READERS.iter().map(|format| format.name).collect();
        return Err(ReadError::new(path, "unsupported", format!("not a format that this tool knows ({})", names.join(", "))));
    };
    (format.inspect)(path)
}
