//! Workers: who computes a unit. The seam between the coordinator, which hands out [`Errand`]s and stores what comes back, and
//! whoever does the work: today threads of a rayon pool, each with its own open recordings.

use super::part::{Part, Wanted};
use super::unit;
use crate::job::Job;
use crate::job::plan::{self, Problem, Unit};
use crate::read::Reader;
use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// One unit to compute, and which parts of it.
#[derive(Debug, Clone)]
pub struct Errand {
    /// Index of the unit in the plan.
    pub at: usize,
    /// The unit.
    pub unit: Unit,
    /// Its parts that are missing or changed.
    pub wanted: Vec<Wanted>,
}

/// What a worker says.
pub enum Message {
    /// It took a unit.
    Started(usize),
    /// It failed at one and tries again.
    Retrying {
        /// The unit.
        at: usize,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// Why.
        problem: Problem,
    },
    /// It is through with one.
    Done(Box<Done>),
}

/// The result of an errand.
pub struct Done {
    /// The errand.
    pub errand: Errand,
    /// How often it was tried.
    pub attempts: u32,
    /// Its parts, or why there are none.
    pub result: Result<Vec<(String, String, Part)>, Problem>,
    /// Wall time, seconds.
    pub seconds: f64,
    /// Peak memory of the process so far, bytes.
    pub peak_memory_bytes: Option<u64>,
}

/// Errands that nobody has taken yet.
pub type Queue = Arc<Mutex<VecDeque<Errand>>>;

/// Takes from a queue, whoever holds it.
pub fn take(queue: &Queue) -> Option<Errand> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Whether trying again may help: a crash, a read that failed on the way. Bad data stay bad.
fn is_transient(problem: &Problem) -> bool {
    matches!(problem.kind.as_str(), "panic" | "io" | "damaged")
}

/// A worker: the recordings that it has open.
pub struct Worker {
    job: Arc<Job>,
    memory_bytes: u64,
    open: HashMap<usize, Box<dyn Reader>>,
}

impl Worker {
    /// A worker that may use `memory_bytes`.
    pub fn new(job: Arc<Job>, memory_bytes: u64) -> Self {
        Self { job, memory_bytes, open: HashMap::new() }
    }

    /// Computes one errand, again up to `retries` times where that may help.
    pub fn execute(&mut self, errand: Errand, retries: u32, tell: &dyn Fn(Message)) -> Done {
        let started = Instant::now();
        let mut attempts = 1;
        let result = loop {
            match self.attempt(&errand) {
                Err(problem) if attempts <= retries && is_transient(&problem) => {
                    self.open.remove(&errand.unit.dataset);
                    tell(Message::Retrying { at: errand.at, attempt: attempts, problem });
                    attempts += 1;
                }
                result => break result,
            }
        };
        Done { errand, attempts, result, seconds: started.elapsed().as_secs_f64(), peak_memory_bytes: peak_memory_bytes() }
    }

    /// One attempt. A panic is one failed unit, and the worker lives on with its recordings closed.
    fn attempt(&mut self, errand: &Errand) -> Result<Vec<(String, String, Part)>, Problem> {
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| self.compute(errand)));
        caught.unwrap_or_else(|panic| {
            self.open.clear();
            let what = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let message = format!("internal error: {}; please report it with the job file", what.unwrap_or_else(|| "panic".into()));
            Err(Problem { kind: "panic".into(), message, skipped: false })
        })
    }

    fn compute(&mut self, errand: &Errand) -> Result<Vec<(String, String, Part)>, Problem> {
        let job = Arc::clone(&self.job);
        let at = errand.unit.dataset;
        if !self.open.contains_key(&at) {
            self.open.insert(at, plan::open(&job, &job.datasets[at])?);
        }
        let Some(reader) = self.open.get_mut(&at) else { return Ok(Vec::new()) };
        unit::compute(&job, &errand.unit, reader.as_mut(), &errand.wanted, self.memory_bytes)
    }
}

/// Starts `n` workers over `queue` on a pool of their own; they stop when it is empty or nobody listens.
///
/// # Errors
/// When the threads cannot be started.
pub fn start(
    job: &Arc<Job>,
    n: usize,
    retries: u32,
    queue: &Queue,
    to: &Sender<Message>,
) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    let memory_bytes = (job.run.memory_gib * (1u64 << 30) as f64) as u64 / n.max(1) as u64;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n).thread_name(|at| format!("worker-{at}")).build()?;
    for _ in 0..n {
        let (job, queue, to) = (Arc::clone(job), Arc::clone(queue), to.clone());
        pool.spawn(move || {
            let mut worker = Worker::new(job, memory_bytes);
            let tell = |message| _ = to.send(message);
            while let Some(errand) = take(&queue) {
                if to.send(Message::Started(errand.at)).is_err() {
                    return;
                }
                let done = worker.execute(errand, retries, &tell);
                tell(Message::Done(Box::new(done)));
            }
        });
    }
    Ok(pool)
}

/// Peak resident memory of this process, bytes, where the system says.
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
