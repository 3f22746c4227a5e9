//! What coordinator and worker say to each other: length-prefixed postcard frames over the worker's standard input and output.

use super::part::{Part, Wanted};
use crate::job::plan::{Problem, Unit};
use crate::read::{Header, Inspection, ReadError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Instant;

/// A frame larger than this is taken for a broken stream, not for a message.
const MOST_BYTES: u64 = 1 << 36;

/// What a worker is told first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The job file; the recording for a process that only looks at one.
    pub job: PathBuf,
    /// What is laid over it.
    pub overrides: Vec<String>,
    /// Hash of the job as the coordinator read it; a worker that reads another refuses.
    pub hash: String,
    /// An even share of the memory, bytes: what caches are measured by.
    pub memory_bytes: u64,
}

/// What a worker is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Plan the units of this dataset.
    Plan(usize),
    /// Compute these parts of a unit.
    Compute {
        /// The unit.
        unit: Box<Unit>,
        /// Its parts.
        wanted: Vec<Wanted>,
        /// Memory that it may use, bytes.
        memory_bytes: u64,
    },
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// It has the job and waits.
    Ready,
    /// It cannot work; why.
    Refused(String),
    /// Whether an HDF5 file calls itself NWB.
    IsNwb(bool),
    /// What a file holds (`inspect`).
    Inspected(Box<Result<Inspection, ReadError>>),
    /// The units of a dataset, and what is known of it.
    Planned {
        /// Its units.
        units: Vec<Unit>,
        /// Its header, or why it could not be opened.
        header: Result<Header, ReadError>,
    },
    /// A unit is through.
    Computed(Computed),
}

/// What a worker made of a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Computed {
    /// Label, key, result of each part; or why there are none.
    pub result: Result<Vec<(String, String, Part)>, Problem>,
    /// Wall time, seconds.
    pub seconds: f64,
    /// The same by stage.
    pub stages: Vec<(String, f64)>,
    /// Peak memory of the worker so far, bytes.
    pub peak_memory_bytes: Option<u64>,
}

impl Computed {
    /// Nothing came of it, since `started`.
    pub fn failed(problem: Problem, started: Instant) -> Self {
        Self { result: Err(problem), seconds: started.elapsed().as_secs_f64(), stages: Vec::new(), peak_memory_bytes: None }
    }
}

/// Writes one message.
///
/// # Errors
/// When the other side is gone.
pub fn send<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    let mut frame = postcard::to_extend(message, vec![0; 8]).map_err(io::Error::other)?;
    let length = (frame.len() - 8) as u64;
    frame[..8].copy_from_slice(&length.to_le_bytes());
    to.write_all(&frame)?;
    to.flush()
}

/// Reads one message; `None` at the end of the stream.
///
/// # Errors
/// When the stream breaks off in the middle or holds no message.
pub fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 8];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u64::from_le_bytes(length);
    if length > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a message of a worker"));
    }
    let mut body = Vec::new();
    from.take(length).read_to_end(&mut body)?;
    if body.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    postcard::from_bytes(&body).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_through_and_broken_streams_are_errors() {
        let mut stream = Vec::new();
        send(&mut stream, &Request::Plan(3)).unwrap();
        send(&mut stream, &Answer::Refused("no".into())).unwrap();
        let mut from = stream.as_slice();
        assert_eq!(receive::<Request>(&mut from).unwrap(), Some(Request::Plan(3)));
        assert_eq!(receive::<Answer>(&mut from).unwrap(), Some(Answer::Refused("no".into())));
        assert_eq!(receive::<Answer>(&mut from).unwrap(), None);
        assert!(receive::<Request>(&mut &stream[..9]).is_err());
        assert!(receive::<Request>(&mut [0xff; 16].as_slice()).is_err());
    }
}
