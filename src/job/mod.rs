//! Jobs: from text (`file`) through the check (`check`, all errors at once) to what can run, and its units (`plan`).
//!
//! A [`Job`] has no undecided field and can only be made by [`load`]. Nothing here reads bulk data.

pub mod check;
pub mod compare;
mod cost;
mod datasets;
pub mod diagnose;
mod expectations;
mod file;
mod filters;
pub mod plan;
mod preparation;
pub mod remote;
mod stages;

use crate::embed::Embed;
use crate::fidelity::Test;
use crate::homology::Threshold;
use crate::homology::summary::Summary;
use crate::metrics::Metric;
use crate::metrics::resample::Resampling;
use crate::read::bad::BadChannels;
use crate::read::simulate::Model;
use crate::read::{Filter, Format, Request, SignalKind};
use crate::signal::control::Control;
use crate::signal::{Detrend, Reference};
pub use check::{load, load_text};
use diagnose::Source;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Version of the job file's and the tables' layout.
pub use crate::table::SCHEMA_VERSION;

/// A checked job.
pub struct Job {
    /// The text it came from, overrides included.
    pub source: Source,
    /// BLAKE3 of that text.
    pub hash: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Every random draw derives from it.
    pub seed: u64,
    /// How to run it.
    pub run: RunOptions,
    /// Where the results go, and which reports.
    pub output: Output,
    /// One a recording or simulation, in the order of the file (a glob's files by name).
    pub datasets: Vec<Dataset>,
    /// Embedding stages.
    pub embeddings: Vec<EmbeddingStage>,
    /// Persistence stages.
    pub persistences: Vec<PersistenceStage>,
    /// Metric stages.
    pub metrics: Vec<MetricStage>,
    /// The fidelity score, if asked for.
    pub fidelity: Option<FidelityStage>,
    /// What was published.
    pub expectations: Vec<Expectation>,
    /// How far numbers may be from those of an earlier output.
    pub compare: crate::report::compare::Settings,
}

/// `[run]`.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOptions {
    /// Workers; 0: all cores.
    pub workers: usize,
    /// How often a failed unit is tried again.
    pub retries: u32,
    /// Longest a unit may take, seconds.
    pub unit_timeout_s: f64,
    /// Memory for all workers together, GiB.
    pub memory_gib: f64,
}

/// `[output]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Folder of the results.
    pub dir: PathBuf,
    /// Reports beside the tables.
    pub formats: Vec<crate::report::Format>,
}

/// Where a dataset's values come from.
#[derive(Clone)]
pub enum Origin {
    /// A file.
    File {
        /// How it is read.
        format: &'static Format,
        /// What is asked of it.
        request: Request,
    },
    /// A simulation.
    Model {
        /// The model's name.
        kind: &'static str,
        /// The model with its parameters.
        model: Arc<dyn Model>,
    },
}

/// `[[dataset]]`.
#[derive(Clone)]
pub struct Dataset {
    /// Unique id.
    pub id: String,
    /// Where its values come from.
    pub origin: Origin,
    /// What they are.
    pub signal: SignalKind,
    /// What the file's SHA-256 must be.
    pub sha256: Option<String>,
    /// What has to be in the cache before it can be read; `None` for a file of this machine and for a simulation.
    pub wanted: Option<crate::fetch::Wanted>,
    /// What is done after reading.
    pub preparation: Preparation,
    /// How it is cut into units; `None`: the whole recording is one.
    pub window: Option<WindowRule>,
    /// Whether stretches that the file calls invalid are read all the same.
    pub keep_invalid: bool,
    /// Where it stands in the job file (its source, else the section).
    pub span: Range<usize>,
}

/// What is done to a window after reading, in this order: bad channels, reference, notches, band-pass, resampling, cut, control, then
/// bins and smoothing of spikes, or trend and z-score.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Preparation {
    /// What is done with flat, saturated and noisy channels.
    pub bad_channels: Option<BadChannels>,
    /// What is subtracted from all channels.
    pub rereference: Option<Reference>,
    /// Frequencies taken out, Hz.
    pub notch_hz: Vec<f64>,
    /// Trend taken from each channel of a window.
    pub detrend: Option<Detrend>,
    /// Whether each channel of a window becomes its z-score.
    pub zscore: bool,
    /// Standard deviation of the Gaussian that makes rates of counts, seconds.
    pub smooth_s: Option<f64>,
    /// Bin width of spike counts, seconds.
    pub bin_s: f64,
    /// Pass band, Hz.
    pub bandpass_hz: Option<[f64; 2]>,
    /// New sampling rate, Hz.
    pub resample_hz: Option<f64>,
    /// A null made of the same data.
    pub control: Option<Control>,
}

/// How a recording is cut.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub enum WindowRule {
    /// On the clock.
    Clock {
        /// Length of a window, seconds; `None`: one window from start to stop.
        length_s: Option<f64>,
        /// From one start to the next, seconds.
        step_s: Option<f64>,
        /// First start, seconds; `None`: the recording's.
        start_s: Option<f64>,
        /// No window reaches beyond this; `None`: the recording's end.
        stop_s: Option<f64>,
    },
    /// Around the rows of an interval table.
    Around {
        /// The table.
        table: String,
        /// Its column of instants.
        column: String,
        /// Rows to take.
        condition: Filter,
        /// Start relative to the instant, seconds.
        from_s: f64,
        /// Stop relative to the instant, seconds.
        to_s: f64,
    },
}

/// What a stage takes as its input on one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The unit's own content.
    Signal,
    /// The embedding stage of this index.
    Embedding(usize),
}

/// `[embedding]`.
pub struct EmbeddingStage {
    /// Its name.
    pub name: String,
    /// The method's name.
    pub method: &'static str,
    /// The method.
    pub embed: Box<dyn Embed>,
    /// Datasets (indices) that it applies to.
    pub datasets: Vec<usize>,
}

/// Parameters of a persistence stage that decide its result.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PersistenceParams {
    /// `rips`.
    pub complex: &'static str,
    /// Highest homology dimension.
    pub max_dim: usize,
    /// Up to which filtration value.
    pub threshold: Threshold,
    /// Prime field.
    pub modulus: u16,
    /// Landmarks above this.
    pub max_points: usize,
    /// Summaries asked for.
    pub summaries: Vec<Summary>,
}

/// `[persistence]`.
pub struct PersistenceStage {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub params: PersistenceParams,
    /// Datasets (indices) that it applies to, and its input there.
    pub inputs: Vec<(usize, Input)>,
}

/// `[[metric]]`.
pub struct MetricStage {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// The metric.
    pub metric: Box<dyn Metric>,
    /// Surrogates and bootstrap.
    pub resampling: Resampling,
    /// Datasets (indices) that it applies to, and its input there.
    pub inputs: Vec<(usize, Input)>,
}

/// `[fidelity]`.
pub struct FidelityStage {
    /// Tests.
    pub tests: Vec<Box<dyn Test>>,
    /// Datasets (indices) that define "biological".
    pub references: Vec<usize>,
    /// Datasets (indices) that are scored.
    pub candidates: Vec<usize>,
    /// Least overall score; below it the run exits with 4.
    pub accept: Option<f64>,
}

/// What was published.
#[derive(Debug, Clone, PartialEq)]
pub enum Published {
    /// A value with an absolute tolerance.
    Value {
        /// The value.
        value: f64,
        /// The tolerance around it.
        tolerance: f64,
    },
    /// A closed range.
    Range([f64; 2]),
}

/// How many rows become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// Arithmetic mean.
    Mean,
    /// Median.
    Median,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Every row must hold.
    All,
}

/// `[[expect]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// Metric as in the table.
    pub metric: String,
    /// Datasets (ids) that it is about.
    pub datasets: Vec<String>,
    /// Which statistic; `None`: the metric's first.
    pub statistic: Option<String>,
    /// How rows become one number.
    pub aggregate: Aggregate,
    /// What was published.
    pub published: Published,
    /// Who says so.
    pub source: Option<String>,
}

impl Job {
    /// Index of a dataset by its id.
    pub fn dataset(&self, id: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.id == id)
    }
}
