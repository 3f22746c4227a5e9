//! One unit of work: read the window, prepare it, embed, take persistence, compute metrics. The program of a worker.

use super::part::{Part, Task, Wanted};
use super::stages::Stages;
use crate::data::{Content, Points, Series, Span, Spikes};
use crate::embed::Embedded;
use crate::homology::{Rips, landmarks, summary};
use crate::job::plan::{Problem, Unit};
use crate::job::{Dataset, Input, Job, PersistenceStage, Preparation, WindowRule};
use crate::metrics::{self, Bench, Beside, Needs};
use crate::read::Reader;
use crate::{fidelity, run::preview, seed, signal};
use std::cell::OnceCell;

/// Segments that a recording without windows is cut into for fidelity.
const FIDELITY_SEGMENTS: usize = 10;

/// Computes the wanted parts of a unit.
///
/// # Errors
/// When the window cannot be read or prepared; then there are no parts at all. A stage that fails on good data is a
/// [`Part::Failed`] beside the others.
pub fn compute(
    job: &Job,
    unit: &Unit,
    reader: &mut dyn Reader,
    wanted: &[Wanted],
    memory_bytes: u64,
    stages: &Stages,
) -> Result<Vec<(String, String, Part)>, Problem> {
    let dataset = &job.datasets[unit.dataset];
    let everything = || -> Result<(Content, Option<Series>, Vec<Series>), Problem> {
        let trials = trials(job, dataset, unit, reader)?;
        match trials.first() {
            Some(_) => Ok((Content::Series(mean(&trials)?), None, trials)),
            None => load(job, dataset, unit, reader).map(|(content, rates)| (content, rates, trials)),
        }
    };
    let (content, rates, trials) = stages.time("read", everything)?;
    // Trials are prepared one by one, so their mean is ready.
    let series = match &content {
        Content::Series(mean) if !trials.is_empty() => OnceCell::from(Ok(mean.clone())),
        _ => OnceCell::new(),
    };
    let window = Window {
        job,
        dataset,
        unit,
        content: &content,
        rates,
        trials: &trials,
        memory_bytes,
        stages,
        series,
        embedded: job.embeddings.iter().map(|_| OnceCell::new()).collect(),
    };
    Ok(wanted.iter().map(|part| (part.label.clone(), part.key.clone(), window.part(part).unwrap_or_else(Part::Failed))).collect())
}

/// A window over a gap in the clock is left out, not failed: what was not recorded cannot be computed. Without windows the user must
/// decide where to cut.
fn left_out(dataset: &Dataset, problem: Problem) -> Problem {
    let skipped = problem.skipped || (problem.kind == "gap" && dataset.window.is_some());
    Problem { skipped, ..problem }
}

fn problem(kind: &str, message: impl std::fmt::Display) -> Problem {
    Problem { kind: kind.to_owned(), message: message.to_string(), skipped: false }
}

/// The trials of a unit of all of them, each prepared like a unit of its own, on a clock that is 0 at the event.
fn trials(job: &Job, dataset: &Dataset, unit: &Unit, reader: &mut dyn Reader) -> Result<Vec<Series>, Problem> {
    let Some(WindowRule::Around { from_s, .. }) = dataset.window else { return Ok(Vec::new()) };
    let each = unit.trials.iter().enumerate().map(|(at, &window)| {
        let trial = Unit { id: format!("{}:{at}", unit.id), window: Some(window), trials: Vec::new(), ..unit.clone() };
        let (content, rates) = load(job, dataset, &trial, reader)?;
        let series = prepared(dataset, &content, rates.as_ref())?;
        let (names, rate, measure) = (series.channels().to_vec(), series.rate_hz(), series.unit_of_measure());
        Series::new(names, series.values().to_vec(), rate, from_s, measure).map_err(|error| problem("bad-value", error))
    });
    let all = each.collect::<Result<Vec<Series>, Problem>>()?;
    match all.iter().find(|trial| trial.n_samples() != all[0].n_samples()) {
        Some(other) => Err(problem("bad-value", format!("trials of {} and {} samples", all[0].n_samples(), other.n_samples()))),
        None => Ok(all),
    }
}

/// The mean of trials, sample by sample.
fn mean(trials: &[Series]) -> Result<Series, Problem> {
    let mut sum = vec![0.0; trials[0].values().len()];
    for trial in trials {
        sum.iter_mut().zip(trial.values()).for_each(|(sum, value)| *sum += value);
    }
    sum.iter_mut().for_each(|sum| *sum /= trials.len() as f64);
    trials[0].with_values(sum).map_err(|error| problem("bad-value", error))
}

/// Reads a window, and what is made of it before anything else.
fn load(job: &Job, dataset: &Dataset, unit: &Unit, reader: &mut dyn Reader) -> Result<(Content, Option<Series>), Problem> {
    let content = read(dataset, unit, reader)
        .map_err(|problem| left_out(dataset, problem))
        .and_then(|content| control(job, dataset, unit, content))?;
    let rates = rates(dataset, unit, reader, &content)?;
    Ok((content, rates))
}

/// The channels × time matrix of a unit, ready for the stages.
fn prepared(dataset: &Dataset, content: &Content, rates: Option<&Series>) -> Result<Series, Problem> {
    let series = rates.map_or_else(|| series_of(dataset, content), |rates| Ok(rates.clone()))?;
    finish(&dataset.preparation, series)
}

/// The channels × time matrix of a unit's content; of points, one sample each and a channel for every coordinate.
fn series_of(dataset: &Dataset, content: &Content) -> Result<Series, Problem> {
    match content {
        Content::Spikes(spikes) => signal::bin::bin(spikes, dataset.preparation.bin_s).map_err(|error| problem("bin", error)),
        Content::Series(series) => Ok(series.clone()),
        Content::Points(points) => {
            let channels = (0..points.dim()).map(|at| format!("x{at}")).collect();
            let values = (0..points.dim()).flat_map(|at| points.iter().map(move |point| point[at])).collect();
            Series::new(channels, values, 1.0, 0.0, "").map_err(|error| problem("bad-value", error))
        }
        Content::Distances(_) => Err(problem("bad-value", "distances have no channels")),
    }
}

/// Reads the window and, for series, filters and resamples it. The filter sees a margin on both sides where the recording has one,
/// so that the window's edges are those of the recording filtered whole, to within the filter's memory.
fn read(dataset: &Dataset, unit: &Unit, reader: &mut dyn Reader) -> Result<Content, Problem> {
    let preparation = &dataset.preparation;
    let filtered = preparation.bandpass_hz.is_some() || preparation.resample_hz.is_some() || !preparation.notch_hz.is_empty();
    if !filtered && preparation.rereference.is_none() {
        return reader.read(unit.window).map_err(Problem::from);
    }
    let groups = reader.header().groups.clone();
    let Content::Series(mut series) = read_wide(preparation, unit, reader)? else {
        return Err(problem("bad-value", "filters go with series only"));
    };
    if let Some(reference) = preparation.rereference {
        series = signal::rereference(&series, reference, &groups).map_err(|error| problem("rereference", error))?;
    }
    for &hz in &preparation.notch_hz {
        series = signal::notch(&series, hz, NOTCH_Q).map_err(|error| problem("filter", error))?;
    }
    if let Some(band) = preparation.bandpass_hz {
        series = signal::filter::bandpass(&series, band).map_err(|error| problem("filter", error))?;
    }
    if let Some(rate) = preparation.resample_hz {
        series = signal::resample::resample(&series, rate).map_err(|error| problem("resample", error))?;
    }
    match unit.window {
        Some(window) => series.cut(window).map(Content::Series).map_err(|error| problem("outside", error)),
        None => Ok(Content::Series(series)),
    }
}

/// Quality of a notch: 30, as in scipy's examples and MNE's IIR notches.
const NOTCH_Q: f64 = 30.0;

/// The window with the margin that filters need. Where the margin reaches over a gap it is given up on that side: the window itself
/// may be whole.
fn read_wide(preparation: &Preparation, unit: &Unit, reader: &mut dyn Reader) -> Result<Content, Problem> {
    let Some(window) = unit.window else { return reader.read(None).map_err(Problem::from) };
    let whole = reader.header().span;
    let lowest = preparation.bandpass_hz.map(|[low, _]| 3.0 / low);
    let notch = preparation.notch_hz.iter().map(|hz| NOTCH_Q / hz).fold(0.0, f64::max);
    // Whole seconds keep the resampled grid of neighbouring windows on one clock.
    let margin_s = (lowest.unwrap_or(0.0) + notch + preparation.resample_hz.map_or(0.0, |rate| 20.0 / rate)).ceil();
    let before = (window.start_s - margin_s).max(whole.start_s);
    let after = (window.stop_s + margin_s).min(whole.stop_s);
    let mut refused = None;
    for (start_s, stop_s) in [(before, after), (window.start_s, after), (before, window.stop_s), (window.start_s, window.stop_s)] {
        match reader.read(Some(Span { start_s, stop_s })) {
            Err(error) if error.kind == "gap" && margin_s > 0.0 => refused = Some(error),
            other => return other.map_err(Problem::from),
        }
    }
    Err(refused.map_or_else(|| problem("gap", "the window lies over a gap"), Problem::from))
}

/// Rates of a window's spikes, smoothed with what comes before and after it: as those of the recording smoothed whole.
fn rates(dataset: &Dataset, unit: &Unit, reader: &mut dyn Reader, content: &Content) -> Result<Option<Series>, Problem> {
    let (Some(smooth_s), Content::Spikes(spikes)) = (dataset.preparation.smooth_s, content) else { return Ok(None) };
    let (bin_s, window) = (dataset.preparation.bin_s, spikes.span());
    let sigma = smooth_s / bin_s;
    let whole = reader.header().span;
    let bins = |room_s: f64| ((room_s / bin_s).floor().max(0.0) as usize).min(signal::scale::radius(sigma));
    // A null has no before and after.
    let wide = unit.window.filter(|_| dataset.preparation.control.is_none()).map(|_| {
        let (before, after) = (bins(window.start_s - whole.start_s), bins(whole.stop_s - window.stop_s));
        (before, Span { start_s: window.start_s - before as f64 * bin_s, stop_s: window.stop_s + after as f64 * bin_s })
    });
    let fail = |error| problem("bin", error);
    let n = signal::bin::bin(spikes, bin_s).map_err(fail)?.n_samples();
    let (first, counts) = match wide {
        Some((before, span)) => match reader.read(Some(span)).map_err(Problem::from)? {
            Content::Spikes(more) => (before, signal::bin::bin(&more, bin_s).map_err(fail)?),
            _ => return Ok(None),
        },
        None => (0, signal::bin::bin(spikes, bin_s).map_err(fail)?),
    };
    let smooth = signal::smooth(&counts, sigma).map_err(fail)?;
    let values =
        smooth.iter().flat_map(|channel| channel[first..(first + n).min(channel.len())].iter().map(|count| count / bin_s)).collect();
    Series::new(smooth.channels().to_vec(), values, smooth.rate_hz(), window.start_s, "Hz").map(Some).map_err(fail)
}

/// Trend and z-score of a window's channels.
fn finish(preparation: &Preparation, mut series: Series) -> Result<Series, Problem> {
    if let Some(trend) = preparation.detrend {
        series = signal::detrend(&series, trend).map_err(|error| problem("detrend", error))?;
    }
    if preparation.zscore {
        series = signal::zscore(&series).map_err(|error| problem("zscore", error))?;
    }
    Ok(series)
}

fn control(job: &Job, dataset: &Dataset, unit: &Unit, content: Content) -> Result<Content, Problem> {
    match dataset.preparation.control {
        None => Ok(content),
        Some(control) => {
            let seed = seed::of(job.seed, &[&unit.id, "control"]);
            signal::control::apply(&content, control, seed).map_err(|error| problem("control", error))
        }
    }
}

/// A window and what has been made of it so far, each thing once.
struct Window<'a> {
    job: &'a Job,
    dataset: &'a Dataset,
    unit: &'a Unit,
    content: &'a Content,
    rates: Option<Series>,
    /// The trials whose mean the content is.
    trials: &'a [Series],
    memory_bytes: u64,
    stages: &'a Stages,
    series: OnceCell<Result<Series, Problem>>,
    embedded: Vec<OnceCell<Result<Embedded, Problem>>>,
}

impl Window<'_> {
    fn part(&self, wanted: &Wanted) -> Result<Part, Problem> {
        match wanted.task {
            Task::Preview => self.stages.time("preview", || Ok(Part::Preview(preview::curves(self.content)))),
            Task::Embedding(at) => self.embedded(at).cloned().map(Part::Embedding),
            Task::Persistence(at) => self.stages.time("persistence", || self.persistence(&self.job.persistences[at])),
            Task::Metric(at) => self.stages.time("metrics", || self.metric(at)),
            Task::Fidelity(at) => self.stages.time("fidelity", || self.fidelity(at)),
        }
    }

    fn spikes(&self) -> Option<&Spikes> {
        match self.content {
            Content::Spikes(spikes) => Some(spikes),
            _ => None,
        }
    }

    /// The channels × time matrix.
    fn series(&self) -> Result<&Series, Problem> {
        let make = || prepared(self.dataset, self.content, self.rates.as_ref());
        self.series.get_or_init(|| self.stages.time("read", make)).as_ref().map_err(Problem::clone)
    }

    fn embedded(&self, at: usize) -> Result<&Embedded, Problem> {
        let stage = &self.job.embeddings[at];
        let make = || {
            let seed = self.seed(&format!("embedding:{}", stage.name));
            stage.embed.embed(self.series()?, seed).map_err(|error| problem("embedding", format!("embedding `{}`: {error}", stage.name)))
        };
        self.embedded[at].get_or_init(|| self.stages.time("embedding", make)).as_ref().map_err(Problem::clone)
    }

    fn seed(&self, stage: &str) -> u64 {
        seed::of(self.job.seed, &[&self.unit.id, stage])
    }

    fn persistence(&self, stage: &PersistenceStage) -> Result<Part, Problem> {
        let fail = |error: &dyn std::fmt::Display| problem("persistence", format!("persistence `{}`: {error}", stage.name));
        let params = &stage.params;
        let setup = |rips: Rips<'_>| {
            rips.max_dim(params.max_dim).threshold(params.threshold).modulus(params.modulus).memory_limit_bytes(self.memory_bytes).compute()
        };
        let diagrams = match (self.input_of(&stage.inputs), self.content) {
            (Input::Signal, Content::Distances(matrix)) if matrix.len() <= params.max_points => setup(Rips::distances(matrix)),
            (Input::Signal, Content::Distances(matrix)) => {
                let marks = landmarks::greedy_distances(matrix, params.max_points);
                let few = landmarks::submatrix(matrix, &marks.indices);
                setup(Rips::distances(&few)).map(|found| crate::data::Diagrams { covering_radius: Some(marks.covering_radius), ..found })
            }
            (input, _) => {
                let points = self.points(&input)?;
                if points.len() <= params.max_points {
                    setup(Rips::points(&points))
                } else {
                    let marks = landmarks::greedy(&points, params.max_points);
                    let few = points.select(&marks.indices);
                    setup(Rips::points(&few)).map(|found| crate::data::Diagrams { covering_radius: Some(marks.covering_radius), ..found })
                }
            }
        }
        .map_err(|error| fail(&error))?;
        let rows = summary::rows(&diagrams, &params.summaries);
        Ok(Part::Persistence { diagrams, rows })
    }

    fn input_of(&self, inputs: &[(usize, Input)]) -> Input {
        inputs.iter().find(|(index, _)| *index == self.unit.dataset).map_or(Input::Signal, |(_, input)| input.clone())
    }

    /// The cloud: an embedding's points, the unit's own, or the matrix with one point a sample.
    fn points(&self, input: &Input) -> Result<std::borrow::Cow<'_, Points>, Problem> {
        use std::borrow::Cow;
        match (input, self.content) {
            (Input::Embedding(at), _) => Ok(Cow::Borrowed(&self.embedded(*at)?.points)),
            (Input::Signal, Content::Points(points)) => Ok(Cow::Borrowed(points)),
            (Input::Signal, _) => {
                let series = self.series()?;
                let values = (0..series.n_samples()).flat_map(|t| (0..series.n_channels()).map(move |c| series.channel(c)[t])).collect();
                Points::new(values, series.n_channels()).map(Cow::Owned).map_err(|error| problem("bad-value", error))
            }
        }
    }

    fn metric(&self, at: usize) -> Result<Part, Problem> {
        let stage = &self.job.metrics[at];
        let seed = self.seed(&format!("metric:{}", stage.name));
        let evaluate = |bench: &Bench<'_>, before: Option<&Series>| {
            stage.metric.fits(bench.series).map_err(|reason| problem("metric", format!("metric `{}`: {reason}", stage.name)))?;
            if stage.metric.needs() == Needs::Matrix {
                return Ok(metrics::resample::evaluate(stage.metric.as_ref(), &stage.resampling, bench));
            }
            let bench = Bench { seed: stage.resampling.seed.unwrap_or(bench.seed), ..*bench };
            Ok(stage.metric.evaluate_beside(&bench, &Beside { trials: self.trials, before }))
        };
        match self.input_of(&stage.inputs) {
            Input::Signal => evaluate(&Bench { series: self.series()?, spikes: self.spikes(), seed }, None),
            Input::Embedding(at) => {
                let coordinates = coordinates(&self.embedded(at)?.points, self.series()?).map_err(|error| problem("bad-value", error))?;
                evaluate(&Bench { series: &coordinates, spikes: None, seed }, Some(self.series()?))
            }
        }
        .map(Part::Metric)
    }

    fn fidelity(&self, at: usize) -> Result<Part, Problem> {
        let Some(stage) = &self.job.fidelity else { return Ok(Part::Fidelity(Vec::new())) };
        let test = &stage.tests[at];
        let series = self.series()?;
        if self.dataset.window.is_some() {
            return Ok(Part::Fidelity(vec![test.profile(series, self.spikes().map(Spikes::trains))]));
        }
        let segments = fidelity::segments(series, self.spikes(), FIDELITY_SEGMENTS).map_err(|error| problem("fidelity", error))?;
        let profile = |segment: &fidelity::Segment| test.profile(&segment.series, segment.spikes.as_ref().map(Spikes::trains));
        Ok(Part::Fidelity(segments.iter().map(profile).collect()))
    }
}

/// An embedding's coordinates as channels on the signal's clock.
fn coordinates(points: &Points, series: &Series) -> Result<Series, crate::data::DataError> {
    let channels = (0..points.dim()).map(|at| format!("x{at}")).collect();
    let values = (0..points.dim()).flat_map(|at| points.iter().map(move |point| point[at])).collect();
    Series::new(channels, values, series.rate_hz(), series.t_start_s(), series.unit_of_measure())
}
