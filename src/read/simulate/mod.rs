//! Simulated recordings: one file a model, one line in [`MODELS`]. Each has a citation, a seed, and parameters with defaults.
//!
//! A model is a pure function of its parameters and the seed. [`open`] gives it the face of an open file: the header is known
//! at once, the content is made when it is first read.

mod ar;
mod branching;
mod head_direction;
mod henon;
mod kuramoto;
mod lorenz;
mod noise_1f;
mod ode;
mod poisson;
mod roessler;
mod tent_lattice;

use super::{Channel, Header, ReadError, Reader, SignalKind, memory};
use crate::data::{Content, DataError, Series, Span};
use crate::spec::{Entry, Section};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::path::PathBuf;

/// A model with checked parameters.
pub trait Model: Send + Sync + std::fmt::Debug {
    /// Makes the whole recording. The same seed gives the same recording.
    ///
    /// # Errors
    /// When what came out is not finite: the parameters made the model explode.
    fn simulate(&self, seed: u64) -> Result<Content, DataError>;
    /// What the recording will be, before it is made.
    fn header(&self) -> Header;
    /// Every parameter that decides the result, for the content key.
    fn params(&self) -> serde_json::Value;
    /// Raised whenever the same parameters and seed begin to give another recording.
    fn version(&self) -> u32;
    /// Where the model is described.
    fn citation(&self) -> &'static str;
    /// What the recording holds.
    fn signal(&self) -> SignalKind;
}

/// All models of this version. A parser pulls its keys from the job's `params` table; the caller then calls [`Section::finish`].
pub static MODELS: &[Entry<dyn Model>] = &[
    head_direction::ENTRY,
    poisson::ENTRY,
    branching::ENTRY,
    kuramoto::ENTRY,
    lorenz::ENTRY,
    roessler::ENTRY,
    henon::ENTRY,
    tent_lattice::ENTRY,
    ar::ENTRY,
    noise_1f::ENTRY,
];

/// Models that the contract names and this version does not have yet.
pub const LATER: &[&str] = &["hawkes", "brunel", "wilson-cowan"];

/// Opens a model as if it were a file; nothing is simulated before the first read.
pub fn open(model: std::sync::Arc<dyn Model>, seed: u64) -> Box<dyn Reader> {
    Box::new(Simulation { path: PathBuf::from("simulation"), header: model.header(), model, seed, content: None })
}

struct Simulation {
    path: PathBuf,
    header: Header,
    model: std::sync::Arc<dyn Model>,
    seed: u64,
    content: Option<Content>,
}

impl Reader for Simulation {
    fn header(&self) -> &Header {
        &self.header
    }
    fn read(&mut self, span: Option<Span>) -> Result<Content, ReadError> {
        let content = match self.content.take() {
            Some(content) => content,
            None => self.model.simulate(self.seed).map_err(|error| {
                ReadError::new(&self.path, "bad-value", format!("the model gave no usable recording: {error}"))
                    .hint("choose milder `params`")
            })?,
        };
        memory::cut(&self.path, &self.header, self.content.insert(content), span, memory::End::Known)
    }
    fn interval_column(&self, table: &str, _column: &str) -> Result<Vec<f64>, ReadError> {
        Err(memory::no_intervals(&self.path, "simulate", table))
    }
}

/// Most values that a model may make: 8 GB, beyond which a typing error is likelier than a wish.
const MOST_VALUES: f64 = 1e9;

/// The random numbers of part `stream` of a model: adding a neuron leaves those of the others as they were.
fn random(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    random
}

/// A number greater than 0, or its default.
fn positive(section: &Section<'_>, key: &'static str, default: f64) -> f64 {
    section.number_where(key, "a finite number greater than 0", |number| number > 0.0 && number.is_finite()).unwrap_or(default)
}

/// A number that is not negative, or its default.
fn not_negative(section: &Section<'_>, key: &'static str, default: f64) -> f64 {
    section.number_where(key, "a finite number, 0 or more", |number| number >= 0.0 && number.is_finite()).unwrap_or(default)
}

/// Any finite number, or its default.
fn finite(section: &Section<'_>, key: &'static str, default: f64) -> f64 {
    section.number_where(key, "finite", f64::is_finite).unwrap_or(default)
}

/// A whole number that is at least `least`, or its default.
fn count(section: &Section<'_>, key: &'static str, least: u64, default: usize) -> usize {
    section.integer(key, least).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
}

/// The model `made` if its parser reported nothing, and the recording has at least one value and not too many.
fn checked<M: Model + 'static>(section: &Section<'_>, problems_before: usize, n_values: f64, made: M) -> Option<Box<dyn Model>> {
    if section.diagnostics().len() > problems_before {
        return None;
    }
    if !(1.0..=MOST_VALUES).contains(&n_values) {
        let message = format!("these parameters make {n_values:.3e} values; 1 to {MOST_VALUES:.0e} are allowed");
        section.error(section.span(), message, "change the duration, the rate or the number of channels");
        return None;
    }
    Some(Box::new(made))
}

/// The header of a series that starts at 0.
fn series_header(channels: Vec<String>, rate_hz: f64, n_samples: usize) -> Header {
    Header {
        n_channels_total: channels.len(),
        channels: channels.into_iter().map(|name| Channel { name, location: None }).collect(),
        rate_hz: Some(rate_hz),
        n_samples: Some(n_samples),
        span: Span { start_s: 0.0, stop_s: n_samples as f64 / rate_hz },
        unit_of_measure: String::new(),
        notes: Vec::new(),
        groups: Vec::new(),
        excluded: Vec::new(),
    }
}

/// The series that goes with [`series_header`].
fn series(channels: Vec<String>, values: Vec<f64>, rate_hz: f64) -> Result<Content, DataError> {
    Series::new(channels, values, rate_hz, 0.0, "").map(Content::Series)
}

/// The header of spike trains of units `0`, `1`, … from 0 to `duration_s`.
fn spikes_header(n_units: usize, duration_s: f64) -> Header {
    Header {
        n_channels_total: n_units,
        channels: (0..n_units).map(|unit| Channel { name: unit.to_string(), location: None }).collect(),
        rate_hz: None,
        n_samples: None,
        span: Span { start_s: 0.0, stop_s: duration_s },
        unit_of_measure: String::new(),
        notes: Vec::new(),
        groups: Vec::new(),
        excluded: Vec::new(),
    }
}

/// Names `x0`, `x1`, ….
fn numbered(n_channels: usize) -> Vec<String> {
    (0..n_channels).map(|channel| format!("x{channel}")).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::Spikes;
    use crate::spec::{Diagnostic, with_section};

    /// The model of a job file's `params`, with what the check would say.
    pub(in crate::read) fn parse(kind: &str, params: &str) -> (Option<Box<dyn Model>>, Vec<Diagnostic>) {
        let entry = MODELS.iter().find(|entry| entry.kind == kind).expect("a known model");
        with_section(params, |section| {
            let model = (entry.parse)(section);
            section.finish();
            model
        })
    }
    pub(in crate::read) fn model(kind: &str, params: &str) -> Box<dyn Model> {
        let (model, found) = parse(kind, params);
        assert!(found.is_empty(), "{found:?}");
        model.expect("no problem was found")
    }
    pub(in crate::read) fn series_of(kind: &str, params: &str, seed: u64) -> Series {
        match model(kind, params).simulate(seed).unwrap() {
            Content::Series(series) => series,
            other => panic!("{other:?}"),
        }
    }
    pub(in crate::read) fn spikes_of(kind: &str, params: &str, seed: u64) -> Spikes {
        match model(kind, params).simulate(seed).unwrap() {
            Content::Spikes(spikes) => spikes,
            other => panic!("{other:?}"),
        }
    }
    pub(in crate::read) fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }
    pub(in crate::read) fn covariance(a: &[f64], b: &[f64]) -> f64 {
        let (mean_a, mean_b) = (mean(a), mean(b));
        a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>() / a.len() as f64
    }

    /// A short recording of each model.
    const SHORT: &[(&str, &str)] = &[
        ("head-direction", "duration_s = 2.0\nneurons = 5"),
        ("poisson", "duration_s = 5.0"),
        ("branching", "duration_s = 2.0"),
        ("kuramoto", "duration_s = 1.0"),
        ("lorenz", "duration_s = 2.0"),
        ("roessler", "duration_s = 20.0"),
        ("henon", "samples = 50"),
        ("tent-lattice", "samples = 50"),
        ("ar", "samples = 50"),
        ("noise-1f", "duration_s = 1.0"),
    ];

    #[test]
    fn every_model_is_a_function_of_its_seed_and_keeps_its_header() {
        assert_eq!(SHORT.len(), MODELS.len());
        for (kind, params) in SHORT {
            let one = model(kind, params);
            let content = one.simulate(5).unwrap();
            assert_eq!(content, model(kind, params).simulate(5).unwrap(), "{kind}");
            assert_ne!(content, one.simulate(6).unwrap(), "{kind}");
            let header = one.header();
            match (&content, one.signal()) {
                (Content::Spikes(spikes), SignalKind::Spikes) => {
                    assert_eq!(spikes.span(), header.span, "{kind}");
                    let ids: Vec<_> = spikes.trains().iter().map(|train| &train.id).collect();
                    assert_eq!(ids, header.channels.iter().map(|channel| &channel.name).collect::<Vec<_>>(), "{kind}");
                }
                (Content::Series(series), SignalKind::Series) => {
                    assert_eq!(Some(series.n_samples()), header.n_samples, "{kind}");
                    assert_eq!(Some(series.rate_hz()), header.rate_hz, "{kind}");
                    assert_eq!(series.channels(), header.channels.iter().map(|channel| channel.name.clone()).collect::<Vec<_>>(), "{kind}");
                }
                other => panic!("{kind}: {other:?}"),
            }
            assert!(one.params().as_object().is_some_and(|params| !params.is_empty()), "{kind}");
            assert!(one.citation().contains("19") || one.citation().contains("20"), "{kind}");
        }
    }

    #[test]
    fn defaults_in_the_help_are_those_that_are_used() {
        for entry in MODELS {
            let typed: String =
                entry.keys.iter().filter(|key| !key.default.is_empty()).map(|key| format!("{} = {}\n", key.name, key.default)).collect();
            assert_eq!(model(entry.kind, &typed).params(), model(entry.kind, "").params(), "{}", entry.kind);
        }
    }

    #[test]
    fn windows_are_slices_of_the_whole() {
        let mut reader = open(model("ar", "samples = 100\nrate_hz = 10.0").into(), 3);
        let Content::Series(whole) = reader.read(None).unwrap() else { panic!() };
        let Content::Series(part) = reader.read(Some(Span { start_s: 2.04, stop_s: 3.04 })).unwrap() else { panic!() };
        assert_eq!(part.channel(0), &whole.channel(0)[20..30]);
        assert_eq!(part.t_start_s(), 2.0);
        let error = reader.read(Some(Span { start_s: 9.5, stop_s: 10.5 })).unwrap_err();
        assert_eq!(error.kind, "outside");
        let mut reader = open(model("poisson", "duration_s = 10.0").into(), 3);
        let Content::Spikes(part) = reader.read(Some(Span { start_s: 1.0, stop_s: 2.0 })).unwrap() else { panic!() };
        assert!(part.trains().iter().all(|train| train.times_s.iter().all(|&time| (1.0..2.0).contains(&time))));
        assert!(reader.read(Some(Span { start_s: 9.0, stop_s: 10.1 })).is_err());
    }

    #[test]
    fn bad_parameters_are_said() {
        let cases = [
            ("poisson", "rate_hz = -1.0", "`rate_hz` must be a finite number, 0 or more, not -1"),
            ("poisson", "neurons = 0", "`neurons` must be 1 or more, not 0"),
            ("poisson", "rate_hz = 1e9", "these parameters make 5.000e12 values; 1 to 1e9 are allowed"),
            ("head-direction", "kapa = 3.0", "unknown key `kapa` in [[test]]"),
            ("branching", "m = 1.0", "`m` must be 0 or more and below 1, not 1"),
            ("ar", "coefficients = [1.2]", "`coefficients` give no stationary process"),
            ("henon", "a = 3.0", "`a` must be 0 or more and at most 1.42, not 3"),
            ("lorenz", "rate_hz = inf", "`rate_hz` must be a finite number greater than 0, not inf"),
            ("tent-lattice", "coupling = 1.5", "`coupling` must be from 0 to 1, not 1.5"),
            ("noise-1f", "duration_s = 1e-9", "these parameters make 0.000e0 values; 1 to 1e9 are allowed"),
        ];
        for (kind, params, message) in cases {
            let (model, found) = parse(kind, params);
            assert!(found.iter().any(|one| one.message == message), "{kind}: {found:?}");
            assert!(model.is_none() || params.contains("kapa"), "{kind}");
        }
    }
}
