//! Hands the shards of a job to an engine that places, retries and kills them (Slurm, Kubernetes): writes scripts and manifests,
//! submits them, nothing else. What is done is judged by `merge`, from files.

pub mod kubernetes;
pub mod shell;
pub mod slurm;
mod yaml;

use std::path::Path;

/// More shards than this are taken for a mistake; engines slow down, too.
pub const MOST_SHARDS: usize = 10_000;

/// Why nothing was submitted: what, where, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

fn fail<T>(message: impl Into<String>) -> Result<T, EngineError> {
    Err(EngineError(message.into()))
}

/// What is to be run, whatever the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The job's name, as typed.
    pub name: String,
    /// This program, as a node finds it.
    pub program: String,
    /// The job file, absolute.
    pub job: String,
    /// SHA-256 of the job file: a task refuses another one, so that all shards are of one job.
    pub job_sha256: String,
    /// The output folder, absolute.
    pub out: String,
    /// Options of `run` that are passed on (`--set`, `--device`).
    pub options: Vec<String>,
    /// Number of shards.
    pub shards: usize,
    /// At most so many at once.
    pub parallel: Option<usize>,
    /// CPUs of one shard.
    pub cpus: usize,
    /// Workers of one shard; 0: all cores of the node.
    pub workers: usize,
    /// GPUs of one shard.
    pub gpus: usize,
    /// Memory of one shard, MiB.
    pub memory_mib: u64,
    /// Longest that one attempt at a shard may take, seconds.
    pub time_s: Option<u64>,
    /// Further attempts at a shard that does not get on.
    pub restarts: u32,
}

impl Submission {
    /// The command of a shard, without `--shard` and `--out`.
    fn run(&self) -> Vec<String> {
        let mut words = vec!["run".to_owned(), self.job.clone(), "--workers".into(), self.workers.to_string()];
        words.extend(["--progress".to_owned(), "plain".into()]);
        words.extend(self.options.iter().cloned());
        words
    }

    /// The folder of the shards' own outputs: `OUT/shards/I-of-N`.
    fn folder(&self) -> String {
        format!("{}/shards", self.out.trim_end_matches('/'))
    }
}

/// A path as text that scripts can hold: absolute, UTF-8, one line.
///
/// # Errors
/// Says why it cannot be used, and what to do.
pub fn path_text(path: &Path) -> Result<String, EngineError> {
    let absolute = std::path::absolute(path).map_err(|error| EngineError(format!("{}: {error}", path.display())))?;
    match absolute.to_str() {
        None => fail(format!("{}: the path is not UTF-8; rename it", path.display())),
        Some(text) if text.chars().any(|c| c.is_control() || c == '\\') => {
            fail(format!("{text:?}: engines cannot use a path with a backslash or a control character; rename it"))
        }
        Some(text) => Ok(text.to_owned()),
    }
}

/// A job's name as engines take it: ASCII letters, digits and single dashes, at most `longest` bytes; "job" when nothing is left.
fn plain_name(name: &str, longest: usize) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c),
            _ if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    out.truncate(longest);
    let out = out.trim_end_matches('-');
    if out.is_empty() { "job".into() } else { out.to_owned() }
}

/// Seconds of a time as Slurm writes it: `MINUTES`, `M:S`, `H:M:S`, `DAYS-H`, `D-H:M`, `D-H:M:S`.
///
/// # Errors
/// Says how to write it.
pub fn parse_time(text: &str) -> Result<u64, String> {
    let parse = || {
        let (days, rest) = match text.split_once('-') {
            Some((days, rest)) => (Some(days.parse::<u64>().ok()?), rest),
            None => (None, text),
        };
        let parts: Vec<u64> = rest.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let (hours, minutes, seconds) = match (days, parts.as_slice()) {
            (None, [m]) => (0, *m, 0),
            (None, [m, s]) => (0, *m, *s),
            (Some(_), [h]) => (*h, 0, 0),
            (Some(_), [h, m]) => (*h, *m, 0),
            (_, [h, m, s]) => (*h, *m, *s),
            _ => return None,
        };
        let total = [days.unwrap_or(0).checked_mul(86_400)?, hours.checked_mul(3600)?, minutes.checked_mul(60)?, seconds];
        total.iter().try_fold(0_u64, |sum, part| sum.checked_add(*part)).filter(|&total| (1..=31_622_400).contains(&total))
    };
    parse().ok_or_else(|| "write minutes, H:M:S or D-H:M:S, for example 90, 12:00:00 or 2-12:00:00".into())
}

/// What a program of an engine said, once it was found.
struct Said {
    ok: bool,
    out: String,
    err: String,
}

/// Runs a program of an engine, feeding it `input`. `None`: it is not on this machine.
fn ask(words: &[String], input: Option<&str>) -> Result<Option<Said>, EngineError> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let fault = |error: std::io::Error| EngineError(format!("{} cannot be run ({error})", words[0]));
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = match Command::new(&words[0]).args(&words[1..]).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    // A program that stops reading says why on its standard error.
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), input) {
        let _ = pipe.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(fault)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(Some(Said { ok: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_slurm() {
        let cases = [("90", 5400), ("1:30", 90), ("12:00:00", 43_200), ("2-12", 216_000), ("1-0:30", 88_200), ("0-00:00:05", 5)];
        for (text, seconds) in cases {
            assert_eq!(parse_time(text), Ok(seconds), "{text}");
        }
        for text in ["", "0", "-5", "1:2:3:4", "2 h", "1-", "99999999999999999999", "999999999999999-0", "400-0"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_plain() {
        for (name, plain) in [("Is a ring a ring?", "Is-a-ring-a-ring"), ("ünï", "n"), ("日本", "job"), ("--a__b--", "a-b"), ("", "job")]
        {
            assert_eq!(plain_name(name, 40), plain);
        }
        assert_eq!(plain_name("abc def", 4), "abc");
    }

    #[test]
    fn paths_that_scripts_cannot_hold_are_refused() {
        assert_eq!(path_text(Path::new("/a b/ü.toml")).unwrap(), "/a b/ü.toml");
        assert!(path_text(Path::new("x")).unwrap().ends_with("/x"));
        for path in ["/a\nb", "/a\\b"] {
            assert!(path_text(Path::new(path)).unwrap_err().0.contains("rename it"));
        }
    }
}
