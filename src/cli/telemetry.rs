//! Prometheus metrics of a run, in the text format 0.0.4: to a file, for node_exporter's textfile collector and for runs that end before
//! anybody scrapes them, or at a port.

use super::progress::Fan;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tcs_batch::run::event::{Event, Listener};
use tcs_batch::table::atomic;

/// How often the file is written while a run goes on.
const EVERY: Duration = Duration::from_secs(5);
/// Longest that somebody who connects may keep the port busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is counted.
#[derive(Debug, Clone, Default)]
struct Counts {
    job: String,
    planned: usize,
    reused: usize,
    running: usize,
    done: usize,
    failed: usize,
    skipped: usize,
    retries: usize,
    unit_seconds: f64,
    stage_seconds: BTreeMap<String, f64>,
    ended: bool,
}

impl Counts {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Begun { units, reused } => (self.planned, self.reused) = (*units, *reused),
            Event::Started { .. } => self.running += 1,
            Event::Finished { seconds, stages, .. } => {
                self.running = self.running.saturating_sub(1);
                self.done += 1;
                self.unit_seconds += seconds;
                for (stage, seconds) in stages {
                    *self.stage_seconds.entry(stage.clone()).or_default() += seconds;
                }
            }
            Event::Failed { seconds, skipped, .. } => {
                self.running = self.running.saturating_sub(usize::from(*seconds > 0.0));
                self.unit_seconds += seconds;
                *if *skipped { &mut self.skipped } else { &mut self.failed } += 1;
            }
            Event::Retried { .. } => self.retries += 1,
            Event::Planned { .. } | Event::Stage { .. } => {}
        }
    }

    /// The exposition.
    fn text(&self) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, f64)]| {
            let _ = writeln!(text, "# HELP tcs_batch_{name} {help}\n# TYPE tcs_batch_{name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "tcs_batch_{name}{labels} {value}");
            }
        };
        let one = |value: f64| [(String::new(), value)];
        let info = format!("{{version=\"{}\",job=\"{}\"}}", env!("CARGO_PKG_VERSION"), label(&self.job));
        family("info", "gauge", "Version of the program and name of the job.", &[(info, 1.0)]);
        family("units_planned", "gauge", "Units of this run.", &one(self.planned as f64));
        family("units_running", "gauge", "Units under way.", &one(self.running as f64));
        let status = [("done", self.done), ("failed", self.failed), ("skipped", self.skipped)];
        let status = status.map(|(status, n)| (format!("{{status=\"{status}\"}}"), n as f64));
        family("units_total", "counter", "Units that are through, by how they ended; those taken over are not among them.", &status);
        family("cache_hits_total", "counter", "Units taken over from an earlier run.", &one(self.reused as f64));
        family("retries_total", "counter", "Attempts that failed and were made again.", &one(self.retries as f64));
        family("unit_seconds_total", "counter", "Wall time of the units that are through.", &one(self.unit_seconds));
        let stages: Vec<_> =
            self.stage_seconds.iter().map(|(stage, seconds)| (format!("{{stage=\"{}\"}}", label(stage)), *seconds)).collect();
        family("stage_seconds_total", "counter", "Wall time of the units that are done, by stage.", &stages);
        family("gpu_memory_bytes", "gauge", "Memory in use by GPU; no sample where no GPU is used.", &[]);
        family("run_ended", "gauge", "1 once the run is over.", &one(f64::from(u8::from(self.ended))));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64().floor());
        family("written_timestamp_seconds", "gauge", "When this was written, Unix time.", &one(now));
        text
    }
}

/// A label's value: backslash, quote and newline are escaped.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Adds what was asked for to the listeners of a run of `job`.
///
/// # Errors
/// When the file cannot be written or the port not be opened: a message with what to do.
pub fn add(fan: &mut Fan, job: &str, file: Option<&Path>, listen: Option<&str>) -> Result<(), String> {
    if file.is_none() && listen.is_none() {
        return Ok(());
    }
    let counts = Arc::new(Mutex::new(Counts { job: job.to_owned(), ..Counts::default() }));
    let mut telemetry = Telemetry { counts: Arc::clone(&counts), writer: None };
    if let Some(path) = file {
        atomic::write_bytes(path, snapshot(&counts).text().as_bytes()).map_err(|error| format!("--metrics-file: {error}"))?;
        telemetry.writer = Some(write_to(path.to_owned(), Arc::clone(&counts)));
    }
    if let Some(address) = listen {
        serve(address, counts)?;
    }
    fan.add(Box::new(telemetry));
    Ok(())
}

fn snapshot(counts: &Mutex<Counts>) -> Counts {
    counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

struct Telemetry {
    counts: Arc<Mutex<Counts>>,
    /// Dropping the sender ends the thread after a last writing.
    writer: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Listener for Telemetry {
    fn hear(&mut self, event: &Event) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).hear(event);
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        if let Some((stop, thread)) = self.writer.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

fn write_to(path: PathBuf, counts: Arc<Mutex<Counts>>) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = channel::<()>();
    let thread = std::thread::spawn(move || {
        loop {
            let over = !matches!(stopped.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout));
            if let Err(error) = atomic::write_bytes(&path, snapshot(&counts).text().as_bytes()) {
                tracing::warn!("metrics: {error}");
            }
            if over {
                return;
            }
        }
    });
    (stop, thread)
}

/// Answers `GET /metrics` until the process ends. `PORT` alone listens on this machine only.
fn serve(address: &str, counts: Arc<Mutex<Counts>>) -> Result<(), String> {
    let address = if address.contains(':') { address.to_owned() } else { format!("127.0.0.1:{address}") };
    let listener = TcpListener::bind(&address)
        .map_err(|error| format!("--metrics-listen {address}: {error}; write PORT or HOST:PORT, and choose a port that is free"))?;
    if let Ok(bound) = listener.local_addr() {
        tracing::info!("metrics at http://{bound}/metrics");
    }
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever goes away early, or says nothing, gets nothing.
            let _ = answer(stream, &counts);
        }
    });
    Ok(())
}

fn answer(mut stream: TcpStream, counts: &Mutex<Counts>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = [0_u8; 2048];
    let mut length = 0;
    while length < request.len() && !request[..length].windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut request[length..])? {
            0 => break,
            n => length += n,
        }
    }
    let line = String::from_utf8_lossy(&request[..length]);
    let mut words = line.split_whitespace();
    let (status, body) = match (words.next(), words.next()) {
        (Some("GET"), Some(path)) if path == "/metrics" || path.starts_with("/metrics?") => ("200 OK", snapshot(counts).text()),
        (Some("GET"), Some(_)) => ("404 Not Found", "see /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "only GET\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}
