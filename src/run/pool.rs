//! The coordinator's side: one thread tends one worker process, hands it units from the queue, and replaces it when it dies, hangs
//! or outgrows its memory. The coordinator itself opens no recording and computes nothing.

use super::budget::{Budget, Dealt};
use super::keep::Keeper;
use super::part::Wanted;
use super::protocol::{self, Answer, Computed, Hello, Request};
use super::store::Stored;
use crate::job::Job;
use crate::job::plan::{Problem, Unit};
use crate::table::atomic::FileError;
use std::io;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How often a worker's memory is looked at, and an end asked for is noticed.
const TICK: Duration = Duration::from_millis(50);

/// One unit to compute, and which parts of it.
#[derive(Debug, Clone)]
pub struct Errand {
    /// Index of the unit in the run.
    pub at: usize,
    /// The unit.
    pub unit: Unit,
    /// Its parts that are missing or changed.
    pub wanted: Vec<Wanted>,
    /// What stands of it already.
    pub kept: Stored,
}

impl Errand {
    fn request(&self, memory_bytes: u64) -> Request {
        Request::Compute { unit: Box::new(self.unit.clone()), wanted: self.wanted.clone(), memory_bytes }
    }

    /// What is to be kept, now that it is through.
    fn done(self, computed: Computed, attempts: u32) -> Done {
        let mut stored = self.kept;
        (stored.attempts, stored.seconds, stored.peak_memory_bytes) = (attempts, computed.seconds, computed.peak_memory_bytes);
        match computed.result {
            Ok(parts) => stored.parts.extend(parts),
            Err(problem) => stored.problem = Some(problem),
        }
        Done { at: self.at, stored, stages: computed.stages }
    }
}

/// What the tender of a worker tells the coordinator.
pub enum Message {
    /// A worker took a unit.
    Started(usize),
    /// It failed at one and tries again.
    Retrying {
        /// The unit.
        at: usize,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// How long that took, seconds.
        seconds: f64,
        /// Why.
        problem: Problem,
    },
    /// A unit is through, and on disk.
    Kept(Box<Done>),
    /// A unit is through and could not be put on disk.
    Lost(FileError),
}

/// A unit that is through: computed, or failed for good.
pub struct Done {
    /// Index of the unit in the run.
    pub at: usize,
    /// What is to be kept of it.
    pub stored: Stored,
    /// Seconds spent on it by stage: `read`, `embedding`, `persistence`, `metrics`, `fidelity`.
    pub stages: Vec<(String, f64)>,
}

/// How workers are started and bounded.
#[derive(Debug, Clone)]
pub struct Limits {
    /// What a worker is told.
    pub hello: Hello,
    /// Longest a request may take.
    pub timeout: Duration,
    /// Computing time that a request may take, where that is bounded too (Linux).
    pub cpu: Option<Duration>,
    /// Attempts beyond the first.
    pub retries: u32,
    /// Memory of all workers together, bytes.
    pub memory_bytes: u64,
    /// Threads that a worker may use.
    pub threads: usize,
    /// Folder of a run that reads remote recordings in parts.
    pub stream: Option<std::path::PathBuf>,
}

/// What `run.memory_gib` allows, bytes.
pub fn memory_bytes(job: &Job) -> u64 {
    (job.run.memory_gib * (1_u64 << 30) as f64) as u64
}

impl Limits {
    /// The limits of a job run by `n` workers: each gets its share of the cores.
    pub fn of(job: &Job, n: usize, retries: u32) -> Self {
        let hello = Hello {
            job: job.source.path().to_owned(),
            overrides: job.source.overrides().map(str::to_owned).collect(),
            hash: job.hash.clone(),
            memory_bytes: memory_bytes(job) / n.max(1) as u64,
        };
        // A timeout beyond what a Duration holds is no timeout.
        let timeout = Duration::try_from_secs_f64(job.run.unit_timeout_s).unwrap_or(Duration::MAX);
        let threads = (cores() / n.max(1)).max(1);
        Self { hello, timeout, cpu: None, retries, memory_bytes: memory_bytes(job), threads, stream: None }
    }
}

/// Cores of this machine.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Starts `n` workers over `budget`; each ends when no unit is left or nobody listens.
pub fn start(limits: &Limits, n: usize, budget: &Arc<Budget>, to: &Sender<Message>, keeper: &Keeper) {
    for _ in 0..n {
        let (limits, budget, to, keeper) = (limits.clone(), Arc::clone(budget), to.clone(), keeper.clone());
        std::thread::spawn(move || {
            let mut worker = Tended::new(limits);
            // A worker that waits for memory gives up its own.
            while let Some(Dealt { errands, memory_bytes }) = budget.take(|| worker.process = None) {
                let mut held = memory_bytes;
                worker.ask_ahead(&errands, memory_bytes);
                for errand in errands {
                    if to.send(Message::Started(errand.at)).is_err() {
                        return;
                    }
                    let done = worker.compute(errand, &mut held, &budget, &to);
                    if !keeper.hand_in(done) {
                        return;
                    }
                }
                budget.release(held);
            }
        });
    }
}

/// Whether trying again may help: a crash, a file system that did not answer, a file that is still being copied. Bad data stay bad.
fn is_transient(problem: &Problem) -> bool {
    matches!(problem.kind.as_str(), "panic" | "unreadable" | "truncated" | "damaged" | "crash" | "timeout" | "memory")
}

/// A worker process that is started when it is needed and replaced when it is lost.
pub struct Tended {
    limits: Limits,
    process: Option<Process>,
}

/// A process of this program that answers in frames.
pub struct Process {
    child: Child,
    input: ChildStdin,
    answers: Receiver<io::Result<Option<Answer>>>,
    /// Requests sent whose answers nobody has waited for yet.
    ahead: usize,
}

impl Tended {
    /// A worker that is not yet started.
    pub fn new(limits: Limits) -> Self {
        Self { limits, process: None }
    }

    /// Asks for several units, which are answered in order, so that the worker need not wait for each next one.
    fn ask_ahead(&mut self, errands: &[Errand], memory_bytes: u64) {
        if errands.len() < 2 {
            return;
        }
        // A worker that cannot be started, or is gone, shows when an answer is waited for.
        let Ok(mut process) = self.running() else { return };
        process.ahead = errands.len();
        for errand in errands {
            let _ = protocol::send(&mut process.input, &errand.request(memory_bytes));
        }
        self.process = Some(process);
    }

    /// Computes an errand, again up to `retries` times where that may help: after too little memory, with all of it. `held` is the
    /// memory that is reserved.
    fn compute(&mut self, errand: Errand, held: &mut u64, budget: &Budget, to: &Sender<Message>) -> Done {
        let mut attempts = 1;
        loop {
            let started = Instant::now();
            let is_asked = self.process.as_ref().is_some_and(|process| process.ahead > 0);
            let request = (!is_asked).then(|| errand.request(*held));
            let computed = match self.ask_within(request.as_ref(), *held) {
                Ok(Answer::Computed(computed)) => computed,
                Ok(_) => Computed::failed(self.broken("it gave another answer than was asked for"), started),
                Err(problem) => Computed::failed(problem, started),
            };
            match &computed.result {
                Err(problem) if attempts <= self.limits.retries && is_transient(problem) => {
                    // What a worker was asked for ahead cannot be taken back: it is asked for again, of another one.
                    self.process = self.process.take().filter(|process| process.ahead == 0);
                    if problem.kind == "memory" {
                        self.process = None;
                        *held = budget.reserve_all(*held);
                    }
                    let (seconds, problem) = (computed.seconds, problem.clone());
                    let _ = to.send(Message::Retrying { at: errand.at, attempt: attempts, seconds, problem });
                    attempts += 1;
                }
                _ => return errand.done(computed, attempts),
            }
        }
    }

    fn broken(&mut self, what: &str) -> Problem {
        self.process = None;
        Problem { kind: "crash".into(), message: format!("the worker process failed: {what}"), skipped: false }
    }

    /// Asks one thing of the worker.
    ///
    /// # Errors
    /// When it died (`crash`, with the signal), took too long (`timeout`) or too much (`memory`); it is then gone, and the next
    /// request starts another.
    pub fn ask(&mut self, request: &Request) -> Result<Answer, Problem> {
        self.ask_within(Some(request), self.limits.memory_bytes)
    }

    /// Asks, again up to `retries` times where that may help.
    ///
    /// # Errors
    /// As [`Self::ask`], the last time.
    pub fn ask_again(&mut self, request: &Request) -> Result<Answer, Problem> {
        let mut attempt = 0;
        loop {
            match self.ask(request) {
                Err(problem) if attempt < self.limits.retries && is_transient(&problem) => attempt += 1,
                other => return other,
            }
        }
    }

    /// The worker, started if there is none.
    fn running(&mut self) -> Result<Process, Problem> {
        self.process.take().map_or_else(|| Process::start(&self.limits), Ok)
    }

    /// Asks, or, without a request, waits for the answer to the next one that was asked ahead.
    fn ask_within(&mut self, request: Option<&Request>, memory_bytes: u64) -> Result<Answer, Problem> {
        let mut process = self.running()?;
        match request {
            // A worker that is gone shows when its answer is waited for.
            Some(request) => drop(protocol::send(&mut process.input, request)),
            None => process.ahead = process.ahead.saturating_sub(1),
        }
        let answer = process.wait(&self.limits, memory_bytes)?;
        self.process = Some(process);
        Ok(answer)
    }
}

fn problem(kind: &str, message: String) -> Problem {
    Problem { kind: kind.into(), message, skipped: false }
}

impl Process {
    fn start(limits: &Limits) -> Result<Self, Problem> {
        let mut process = Self::spawn("worker", limits)?;
        match process.wait(limits, limits.memory_bytes)? {
            Answer::Ready => Ok(process),
            Answer::Refused(why) => Err(problem("worker", format!("the worker refused the job: {why}"))),
            _ => Err(problem("crash", "the worker process did not say that it is ready".into())),
        }
    }

    /// Starts this program with a hidden verb and tells it the `hello` of the limits.
    ///
    /// # Errors
    /// `crash` when it cannot be started.
    pub fn spawn(verb: &str, limits: &Limits) -> Result<Self, Problem> {
        let failed = |error: io::Error| problem("crash", format!("a worker process cannot be started ({error})"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        // Ctrl-C in a terminal goes to a whole process group: the coordinator alone shall hear it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        if let Some(folder) = &limits.stream {
            command.env(crate::job::plan::STREAM, folder);
        }
        let mut child = command
            .arg(verb)
            .env("RAYON_NUM_THREADS", limits.threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let _ = protocol::send(&mut input, &limits.hello);
        let (to, answers) = channel();
        std::thread::spawn(move || {
            let mut output = io::BufReader::new(output);
            loop {
                let answer = protocol::receive::<Answer>(&mut output);
                let is_last = !matches!(answer, Ok(Some(_)));
                if to.send(answer).is_err() || is_last {
                    return;
                }
            }
        });
        Ok(Self { child, input, answers, ahead: 0 })
    }

    /// Tells it something. Whether it is gone shows when its answer is waited for.
    pub fn tell(&mut self, message: &impl serde::Serialize) {
        let _ = protocol::send(&mut self.input, message);
    }

    /// The next answer, within the time and memory allowed.
    ///
    /// # Errors
    /// `crash`, `timeout` or `memory`.
    pub fn wait(&mut self, limits: &Limits, memory_bytes: u64) -> Result<Answer, Problem> {
        let started = Instant::now();
        let before = limits.cpu.and_then(|_| cpu_time(self.child.id())).unwrap_or_default();
        loop {
            match self.answers.recv_timeout(TICK) {
                Ok(Ok(Some(answer))) => return Ok(answer),
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return Err(self.post_mortem()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if started.elapsed() > limits.timeout {
                let message =
                    format!("took longer than {} s; raise `run.unit_timeout_s`, or cut smaller windows", limits.timeout.as_secs_f64());
                return Err(problem("timeout", message));
            }
            if limits.cpu.is_some_and(|most| cpu_time(self.child.id()).unwrap_or_default().saturating_sub(before) > most) {
                let message = "took too long to open: the recording may be damaged so that its library runs in circles".into();
                return Err(problem("timeout", message));
            }
            let used = resident_bytes(self.child.id()).unwrap_or(0);
            if used > memory_bytes {
                let gib = |bytes: u64| bytes as f64 / (1_u64 << 30) as f64;
                let message = format!(
                    "the worker used {:.2} GiB, more than its share of {:.2} GiB; raise `run.memory_gib`, use fewer workers, or cut smaller windows",
                    gib(used),
                    gib(memory_bytes)
                );
                return Err(problem("memory", message));
            }
        }
    }

    /// Why a worker that closed its output is gone.
    fn post_mortem(&mut self) -> Problem {
        let how = match self.child.wait() {
            Ok(status) => describe(status),
            Err(error) => format!("it cannot be waited for ({error})"),
        };
        problem("crash", format!("the worker process died: {how}; the recording may be damaged in a way that its library does not survive"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => " (SIGILL)",
            6 => " (SIGABRT)",
            7 => " (SIGBUS)",
            8 => " (SIGFPE)",
            9 => " (SIGKILL: the system may be out of memory)",
            11 => " (SIGSEGV)",
            15 => " (SIGTERM)",
            _ => "",
        };
        return format!("signal {signal}{name}");
    }
    status.code().map_or_else(|| "no exit code".into(), |code| format!("exit code {code}"))
}

/// Resident memory of a process, bytes, where the system says (pages of 4 KiB, as on every Linux that this runs on by default).
fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Time that a process has computed, all threads together (in ticks of 10 ms, as on every Linux).
fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; user and system time are fields 14 and 15, the 12th and 13th after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks()? + ticks()?)))
}
