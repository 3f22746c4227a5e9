//! The perturbational complexity index of evoked activity: how much of it a compression leaves.
//!
//! `PCI = c · log₂ L / (L · H(p₁))`: `c` the phrases of the binary matrix of significant activity, `L` its cells, `H` the entropy of its
//! share of ones `p₁` in bits (A. Casali et al. 2013, Sci. Transl. Med. 5:198ra105). The phrases are those of
//! [`super::lempel_ziv::matrix_phrases`]: columns (times) are read one after the other and a phrase does not cross them.
//!
//! **Significance**, as there: the trials' mean, less its baseline mean over its baseline standard deviation, is significant where it
//! exceeds a threshold for the largest absolute value over all sources. That is the `1 - alpha` quantile over bootstraps, each the mean
//! of as many samples as there are trials, drawn at random from the trials' baselines (the same trials and instants for all sources).
//! Rows are sorted by their number of significant samples, the least first, since the order of rows decides the count.
//!
//! The trials are those of a dataset with `window.around`, all together, and times are relative to the event. Without it, each unit
//! is taken for an evoked response on its own clock; or, with `ready = true`, for a binary matrix in the order it has.

use super::lempel_ziv::matrix_phrases;
use super::surrogate::{Purpose, stream};
use super::{Bench, Beside, Metric, Needs, Output, no_resampling};
use crate::data::{MetricRow, Series, Value};
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use rayon::prelude::*;
use std::ops::Range;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "pci",
    summary: "perturbational complexity index of evoked responses (Casali et al. 2013)",
    keys: &[
        Key { name: "baseline_s", default: "", help: "[from, to] of the baseline, seconds from the event; needed unless ready" },
        Key { name: "response_s", default: "", help: "[from, to] of the response, seconds from the event; needed unless ready" },
        Key { name: "bootstraps", default: "500", help: "bootstraps of the baseline" },
        Key { name: "alpha", default: "0.01", help: "chance that some source of a baseline sample counts as significant" },
        Key { name: "ready", default: "false", help: "the data are a binary matrix already: rows sources, columns time" },
    ],
    parse: |section| Pci::parse(section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};

/// The metric with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Pci {
    /// Baseline and response, seconds; `None`: the matrix is ready.
    windows: Option<[[f64; 2]; 2]>,
    bootstraps: u32,
    alpha: f64,
}

impl Pci {
    fn parse(section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        no_resampling(section);
        let ready = section.boolean("ready").unwrap_or(false);
        let range = |key: &'static str| {
            let given = section.raw(key).is_some();
            if given && ready {
                section.error(section.span_of(key), format!("`{key}` does not go with `ready = true`"), "a ready matrix is taken whole");
            } else if !given && !ready {
                section.error(
                    section.span(),
                    format!("`pci` needs `{key}`"),
                    format!("add `{key} = [from, to]` in seconds from the event, or `ready = true` for a binary matrix"),
                );
            }
            section.range(key).unwrap_or([0.0, 1.0])
        };
        let windows = [range("baseline_s"), range("response_s")];
        let bootstraps = section.integer("bootstraps", 1).unwrap_or(500).try_into().unwrap_or(u32::MAX);
        let alpha = section.number_where("alpha", "between 0 and 1", |alpha| alpha > 0.0 && alpha < 1.0).unwrap_or(0.01);
        if f64::from(bootstraps) * alpha < 1.0 {
            section.error(
                section.span_of(if section.raw("bootstraps").is_some() { "bootstraps" } else { "alpha" }),
                format!("{bootstraps} bootstraps cannot tell a chance of {alpha}"),
                format!("{} or more can", (1.0 / alpha).ceil()),
            );
        }
        (section.diagnostics().len() == before).then_some(Self { windows: (!ready).then_some(windows), bootstraps, alpha })
    }

    /// The significance matrix, column by column: which sources are significant at each sample of the response.
    fn significant(&self, trials: &[&Series], [baseline, response]: [[f64; 2]; 2], seed: u64) -> Result<Vec<Vec<bool>>, String> {
        let (base, answer) = (samples(trials[0], baseline), samples(trials[0], response));
        let n_sources = trials[0].n_channels();
        if base.len() < 2 {
            return Err(format!("the baseline holds {} samples; it needs 2 or more", base.len()));
        }
        let evoked = mean(trials);
        let scales: Vec<(f64, f64)> = evoked.iter().map(|source| mean_and_sd(&source[base.clone()])).collect();
        if let Some(at) = scales.iter().position(|(mean, sd)| *sd <= 1e-12 * mean.abs()) {
            let name = &trials[0].channels()[at];
            return Err(format!(
                "source `{name}` is constant in the baseline: nothing can be significant there; leave it out with `channels`"
            ));
        }
        let score = |at: usize, value: f64| ((value - scales[at].0) / scales[at].1).abs();
        let mut largest: Vec<f64> = (0..self.bootstraps)
            .into_par_iter()
            .map(|draw| {
                let mut rng = stream(seed, Purpose::Bootstrap, draw, 0);
                let drawn: Vec<(usize, usize)> =
                    trials.iter().map(|_| (rng.random_range(0..trials.len()), rng.random_range(base.clone()))).collect();
                let of =
                    |at: usize| drawn.iter().map(|&(trial, sample)| trials[trial].channel(at)[sample]).sum::<f64>() / drawn.len() as f64;
                (0..n_sources).map(|at| score(at, of(at))).fold(0.0, f64::max)
            })
            .collect();
        largest.sort_by(f64::total_cmp);
        let place = ((1.0 - self.alpha) * largest.len() as f64 - 1e-9).ceil() as usize;
        let threshold = largest[place.clamp(1, largest.len()) - 1];
        let mut rows: Vec<Vec<bool>> = evoked
            .iter()
            .enumerate()
            .map(|(at, source)| source[answer.clone()].iter().map(|&value| score(at, value) > threshold).collect())
            .collect();
        rows.sort_by_key(|row: &Vec<bool>| row.iter().filter(|&&bit| bit).count());
        Ok((0..answer.len()).map(|t| rows.iter().map(|row| row[t]).collect()).collect())
    }
}

impl Metric for Pci {
    fn needs(&self) -> Needs {
        if self.windows.is_some() { Needs::Trials } else { Needs::Matrix }
    }
    fn statistics(&self) -> &'static [&'static str] {
        &["value", "phrases", "source_entropy"]
    }
    fn fits(&self, series: &Series) -> Result<(), String> {
        match self.windows {
            Some(windows) => windows.iter().try_for_each(|window| covered(series, *window)),
            None => series.channels().iter().zip(series.iter()).try_for_each(|(name, source)| {
                match source.iter().position(|&value| value != 0.0 && value != 1.0) {
                    Some(at) => Err(format!("`{name}` holds {} at sample {at}; `ready = true` takes a matrix of 0 and 1", source[at])),
                    None => Ok(()),
                }
            }),
        }
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        self.evaluate_beside(bench, &Beside::default())
    }
    fn evaluate_beside(&self, bench: &Bench<'_>, beside: &Beside<'_>) -> Output {
        let series = bench.series;
        let none = |reason: String| Output {
            rows: rows(Value::Undefined(reason.clone()), Value::Undefined(reason.clone()), Value::Undefined(reason)),
            curves: Vec::new(),
        };
        if series.n_channels() < 2 {
            return none("one source has no spatial pattern: PCI needs 2 or more".into());
        }
        let trials: Vec<&Series> = if beside.trials.is_empty() { vec![series] } else { beside.trials.iter().collect() };
        let matrix = match self.windows {
            Some(windows) => self.significant(&trials, windows, bench.seed),
            None => Ok((0..series.n_samples()).map(|t| series.iter().map(|source| source[t] == 1.0).collect()).collect()),
        };
        match matrix {
            Ok(matrix) => {
                let (value, phrases, entropy) = pci(&matrix);
                Output { rows: rows(value, Value::Known(phrases as f64), Value::Known(entropy)), curves: Vec::new() }
            }
            Err(reason) => none(reason),
        }
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!({ "windows_s": self.windows, "bootstraps": self.bootstraps, "alpha": self.alpha })
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        // The automaton, and for each bootstrap a look at every source.
        1.5e-7 * (n_channels * n_samples) as f64 + 1e-8 * f64::from(self.bootstraps) * n_channels as f64
    }
}

fn rows(value: Value, phrases: Value, entropy: Value) -> Vec<MetricRow> {
    [("value", value, "1"), ("phrases", phrases, "1"), ("source_entropy", entropy, "bit")]
        .into_iter()
        .map(|(statistic, value, unit)| MetricRow::new(statistic, value, unit))
        .collect()
}

/// PCI, phrases and source entropy of a binary matrix, given as its columns.
pub fn pci(columns: &[Vec<bool>]) -> (Value, usize, f64) {
    let phrases = matrix_phrases(columns.len(), |at| &columns[at]);
    let cells: usize = columns.iter().map(Vec::len).sum();
    let ones = columns.iter().flatten().filter(|&&bit| bit).count();
    if ones == 0 || ones == cells {
        let what = if ones == 0 { "nothing is significant" } else { "everything is significant" };
        return (Value::Undefined(format!("{what}: the source entropy is 0, and PCI is not defined")), phrases, 0.0);
    }
    let cells = cells as f64;
    let p = ones as f64 / cells;
    let entropy = -p * p.log2() - (1.0 - p) * (1.0 - p).log2();
    (Value::Known(phrases as f64 * cells.log2() / (cells * entropy)), phrases, entropy)
}

/// The samples with `from ≤ t < to`, a millionth of a step's slack.
pub(super) fn samples(series: &Series, [from, to]: [f64; 2]) -> Range<usize> {
    let at = |t: f64| ((t - series.t_start_s()) * series.rate_hz() - 1e-6).ceil().clamp(0.0, series.n_samples() as f64) as usize;
    at(from)..at(to).max(at(from))
}

/// Whether a series holds the whole of a window.
pub(super) fn covered(series: &Series, [from, to]: [f64; 2]) -> Result<(), String> {
    let (start, step) = (series.t_start_s(), 1.0 / series.rate_hz());
    let stop = start + series.n_samples() as f64 * step;
    if from < start - step || to > stop + step {
        return Err(format!(
            "the stretch from {from} s to {to} s reaches beyond the data, which run from {start} s to {stop} s on that clock; times are relative to the event with `window.around`, else to the recording's zero"
        ));
    }
    Ok(())
}

/// The mean over trials, source by source.
fn mean(trials: &[&Series]) -> Vec<Vec<f64>> {
    let n = trials.len() as f64;
    let of = |at: usize| {
        let sum = |t: usize| trials.iter().map(|trial| trial.channel(at)[t]).sum::<f64>() / n;
        (0..trials[0].n_samples()).map(sum).collect()
    };
    (0..trials[0].n_channels()).into_par_iter().map(of).collect()
}

fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;

    const WINDOWS: [[f64; 2]; 2] = [[-1.0, 0.0], [0.0, 1.0]];

    /// Trials of noise with, from 0 s on, `wave(source, t)` added.
    fn trials(n: usize, n_sources: usize, seed: u64, wave: impl Fn(usize, f64) -> f64) -> Vec<Series> {
        let names: Vec<String> = (0..n_sources).map(|at| format!("s{at}")).collect();
        let one = |trial: usize| {
            let mut rng = stream(seed, Purpose::Normalise, trial as u32, 0);
            let mut value = |at: usize, t: f64| rng.sample::<f64, _>(rand_distr::StandardNormal) + if t >= 0.0 { wave(at, t) } else { 0.0 };
            let values = (0..n_sources).flat_map(|at| (0..400).map(move |step| (at, f64::from(step) / 200.0 - 1.0)));
            let values = values.map(|(at, t)| value(at, t)).collect();
            Series::new(names.clone(), values, 200.0, -1.0, "").unwrap()
        };
        (0..n).map(one).collect()
    }
    fn columns(trials: &[Series], alpha: f64) -> Vec<Vec<bool>> {
        let metric = Pci { windows: Some(WINDOWS), bootstraps: 1000, alpha };
        metric.significant(&trials.iter().collect::<Vec<_>>(), WINDOWS, 1).unwrap()
    }

    #[test]
    fn of_noise_alone_some_source_is_significant_about_as_often_as_alpha_says() {
        let hits: usize =
            (0..10).flat_map(|seed| columns(&trials(20, 8, seed, |_, _| 0.0), 0.05)).filter(|column| column.contains(&true)).count();
        // 2000 instants; the baseline's own mean and sd, of 200 samples, add a few per cent of their variance.
        let share = hits as f64 / 2000.0;
        assert!((0.03..0.08).contains(&share), "{share}");
    }

    #[test]
    fn a_wave_is_found_where_it_is_and_rows_are_sorted_by_activity() {
        let found = columns(&trials(40, 4, 3, |at, t| if at % 2 == 1 && t < 0.1 * at as f64 { 3.0 } else { 0.0 }), 0.01);
        let ones: Vec<usize> = (0..4).map(|row| found.iter().filter(|column| column[row]).count()).collect();
        assert!(ones[0] <= ones[1] && ones[1] < 5, "{ones:?}");
        assert!((20..25).contains(&ones[2]) && (60..65).contains(&ones[3]), "{ones:?}");
        assert!(found[..20].iter().all(|column| column[2] && column[3]));
    }

    #[test]
    fn what_cannot_be_said_is_said_so() {
        let metric = |keys: &str| with_section(keys, Pci::parse);
        let ready = metric("ready = true").0.unwrap();
        let series = |channels: &[&[f64]]| {
            Series::new((0..channels.len()).map(|at| format!("c{at}")).collect(), channels.concat(), 1.0, 0.0, "").unwrap()
        };
        let reason = |metric: &Pci, series: &Series| match metric.evaluate(&Bench { series, spikes: None, seed: 1 }).rows.remove(0).value {
            Value::Undefined(reason) => reason,
            other => panic!("{other:?}"),
        };
        assert!(reason(&ready, &series(&[&[0.0, 1.0]])).contains("one source"));
        assert!(reason(&ready, &series(&[&[0.0; 3], &[0.0; 3]])).contains("nothing is significant"));
        assert!(reason(&ready, &series(&[&[1.0; 3], &[1.0; 3]])).contains("everything"));
        assert!(ready.fits(&series(&[&[0.0, 0.5]])).unwrap_err().contains("0.5 at sample 1"));
        let evoked = metric("baseline_s = [0.0, 3.0]\nresponse_s = [3.0, 6.0]").0.unwrap();
        assert!(reason(&evoked, &series(&[&[1., 2., 1., 2., 3., 4.], &[7., 7., 7., 1., 2., 3.]])).contains("`c1` is constant"));
        assert!(evoked.fits(&series(&[&[0.0; 3]])).unwrap_err().contains("reaches beyond the data"));
        let found = |keys: &str| metric(keys).1.len();
        assert_eq!((found(""), found("ready = true\nbaseline_s = [0.0, 1.0]")), (2, 1));
        assert_eq!(found("ready = true\nbootstraps = 50"), 1);
    }
}
