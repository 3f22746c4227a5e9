//! Nulls made of the same data: each destroys one property and keeps the others.
//!
//! | control | of spikes | of series | keeps | destroys |
//! | --- | --- | --- | --- | --- |
//! | `circular-shift` | each train by its own random time, wrapped | each channel by its own number of samples | all of a train but one seam | timing between channels |
//! | `isi-shuffle` | intervals in random order, first and last spike stay | – | rate, distribution of intervals | order within a train, timing between trains |
//! | `poisson` | Poisson process of the same rate in the span | – | expected rate | everything else |
//! | `jitter` | each spike by up to ±0.5 s, wrapped | – | slow rates | fine timing |
//! | `label-shuffle` | labels of all spikes permuted | – | population rate, spikes a unit | which unit fired when |
//! | `phase` | – | random Fourier phases, each channel its own | power spectrum | phase structure, timing between channels |
//! | `time-reverse` | mirrored in the span | samples backwards | all undirected statistics | the arrow of time |
//!
//! Draws come from ChaCha8 with one stream a channel, so a channel's null does not depend on which others are there
//! (`label-shuffle` mixes channels and has one stream). Phase randomisation: Theiler et al. 1992, doi 10.1016/0167-2789(92)90102-S.

use crate::data::{Content, DataError, Series, Span, SpikeTrain, Spikes};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use realfft::RealFftPlanner;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// How far `jitter` moves a spike at most, seconds.
pub const JITTER_S: f64 = 0.5;

/// A null made of the same data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// Every channel moved by its own random time, wrapping around.
    CircularShift,
    /// Every train's intervals in random order.
    IsiShuffle,
    /// Poisson trains of matched rates.
    Poisson,
    /// Every spike moved by up to [`JITTER_S`] either way.
    Jitter,
    /// Spikes keep their times and swap their units.
    LabelShuffle,
    /// Random Fourier phases.
    Phase,
    /// Backwards.
    TimeReverse,
}

impl Control {
    /// The names in a job file.
    pub const NAMES: &'static [&'static str] =
        &["circular-shift", "isi-shuffle", "poisson", "jitter", "label-shuffle", "phase", "time-reverse"];
    const ALL: [Self; 7] =
        [Self::CircularShift, Self::IsiShuffle, Self::Poisson, Self::Jitter, Self::LabelShuffle, Self::Phase, Self::TimeReverse];

    /// The control of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|control| control.name() == name)
    }
    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
    /// Whether it can be made of spike trains.
    pub fn fits_spikes(self) -> bool {
        self != Self::Phase
    }
    /// Whether it can be made of sampled series.
    pub fn fits_series(self) -> bool {
        matches!(self, Self::CircularShift | Self::Phase | Self::TimeReverse)
    }
}

/// The null of `content`; the same for the same seed.
///
/// # Errors
/// When the control is not defined for this kind of data (those that are get named), a label shuffle has fewer than two units, or a
/// series is too short to be moved.
pub fn apply(content: &Content, control: Control, seed: u64) -> Result<Content, DataError> {
    match content {
        Content::Spikes(spikes) if control.fits_spikes() => of_spikes(spikes, control, seed).map(Content::Spikes),
        Content::Series(series) if control.fits_series() => of_series(series, control, seed).map(Content::Series),
        Content::Spikes(_) => Err(unfit(control, "spike trains", Control::fits_spikes)),
        Content::Series(_) => Err(unfit(control, "sampled series", Control::fits_series)),
        Content::Points(_) | Content::Distances(_) => Err(DataError::new(format!(
            "the control `{}` needs a signal in time, and points or distances have none; remove `control`",
            control.name()
        ))),
    }
}

fn unfit(control: Control, what: &str, fits: fn(Control) -> bool) -> DataError {
    let fitting: Vec<&str> = Control::ALL.into_iter().filter(|&control| fits(control)).map(Control::name).collect();
    DataError::new(format!("the control `{}` cannot be made of {what}; use one of {}", control.name(), fitting.join(", ")))
}

fn stream(seed: u64, channel: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(channel as u64);
    rng
}

fn of_spikes(spikes: &Spikes, control: Control, seed: u64) -> Result<Spikes, DataError> {
    let span = spikes.span();
    let trains = if control == Control::LabelShuffle {
        shuffle_labels(spikes.trains(), &mut stream(seed, 0))?
    } else {
        let null = |(channel, train): (usize, &SpikeTrain)| {
            with_times(train, null_times(&train.times_s, span, control, &mut stream(seed, channel)))
        };
        spikes.trains().iter().enumerate().map(null).collect()
    };
    Spikes::new(trains, span)
}

fn with_times(train: &SpikeTrain, mut times_s: Vec<f64>) -> SpikeTrain {
    times_s.sort_by(f64::total_cmp);
    SpikeTrain { id: train.id.clone(), location: train.location.clone(), times_s }
}

fn null_times(times_s: &[f64], span: Span, control: Control, rng: &mut ChaCha8Rng) -> Vec<f64> {
    match control {
        Control::CircularShift => {
            let shift_s = rng.random::<f64>() * span.length_s();
            times_s.iter().map(|time_s| wrap(time_s + shift_s, span)).collect()
        }
        Control::Jitter => times_s.iter().map(|time_s| wrap(time_s + rng.random_range(-JITTER_S..=JITTER_S), span)).collect(),
        Control::TimeReverse => times_s.iter().map(|time_s| inside(span.start_s + (span.stop_s - time_s), span)).collect(),
        Control::Poisson => poisson(times_s.len() as f64 / span.length_s(), span, rng),
        Control::IsiShuffle => shuffle_intervals(times_s, rng),
        Control::LabelShuffle | Control::Phase => unreachable!("label shuffles mix trains, and phases are for series"),
    }
}

/// The instant of the span that `time_s` falls on when the span is closed to a circle.
fn wrap(time_s: f64, span: Span) -> f64 {
    inside(span.start_s + (time_s - span.start_s).rem_euclid(span.length_s()), span)
}

/// `time_s` itself, or the nearest instant of the half-open span where rounding or a mirrored first instant left it.
fn inside(time_s: f64, span: Span) -> f64 {
    time_s.clamp(span.start_s, span.stop_s.next_down())
}

fn poisson(rate_hz: f64, span: Span, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut times_s = Vec::new();
    if rate_hz <= 0.0 {
        return times_s;
    }
    let mut time_s = span.start_s;
    loop {
        time_s += -(1.0 - rng.random::<f64>()).ln() / rate_hz;
        if time_s >= span.stop_s {
            return times_s;
        }
        times_s.push(time_s);
    }
}

fn shuffle_intervals(times_s: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64> {
    let (Some(&first), Some(&last)) = (times_s.first(), times_s.last()) else { return Vec::new() };
    let mut intervals: Vec<f64> = times_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
    intervals.shuffle(rng);
    let mut elapsed = 0.0;
    let mut shuffled = vec![first];
    // Summing in another order may overshoot the last spike by rounding.
    shuffled.extend(intervals.iter().map(|interval| {
        elapsed += interval;
        (first + elapsed).min(last)
    }));
    shuffled
}

fn shuffle_labels(trains: &[SpikeTrain], rng: &mut ChaCha8Rng) -> Result<Vec<SpikeTrain>, DataError> {
    if trains.len() < 2 {
        return Err(DataError::new(format!("a label shuffle needs two units or more, and there are {}", trains.len())));
    }
    let mut labels: Vec<usize> = trains.iter().enumerate().flat_map(|(unit, train)| vec![unit; train.times_s.len()]).collect();
    labels.shuffle(rng);
    let mut times_s = vec![Vec::new(); trains.len()];
    for (&time_s, &label) in trains.iter().flat_map(|train| &train.times_s).zip(&labels) {
        times_s[label].push(time_s);
    }
    Ok(trains.iter().zip(times_s).map(|(train, times_s)| with_times(train, times_s)).collect())
}

fn of_series(series: &Series, control: Control, seed: u64) -> Result<Series, DataError> {
    if series.n_samples() < 2 {
        return Err(DataError::new(format!("the control `{}` needs two samples or more", control.name())));
    }
    let mut values = series.values().to_vec();
    let mut planner = RealFftPlanner::new();
    for (channel, samples) in values.chunks_exact_mut(series.n_samples()).enumerate() {
        let mut rng = stream(seed, channel);
        match control {
            Control::CircularShift => samples.rotate_right(rng.random_range(1..series.n_samples())),
            Control::TimeReverse => samples.reverse(),
            _ => randomise_phases(samples, &mut planner, &mut rng),
        }
    }
    series.with_values(values)
}

fn randomise_phases(samples: &mut [f64], planner: &mut RealFftPlanner<f64>, rng: &mut ChaCha8Rng) {
    let n = samples.len();
    let (forward, inverse) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
    let mut spectrum = forward.make_output_vec();
    forward.process(samples, &mut spectrum).expect("the buffers have the plan's lengths");
    // The mean and an even length's last frequency are real and keep their phase.
    for value in &mut spectrum[1..=(n - 1) / 2] {
        *value = realfft::num_complex::Complex::from_polar(value.norm(), rng.random::<f64>() * TAU);
    }
    inverse.process(&mut spectrum, samples).expect("the buffers have the plan's lengths and the ends stayed real");
    samples.iter_mut().for_each(|value| *value /= n as f64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Detrend, Welch, Window};

    fn spikes() -> Spikes {
        let span = Span { start_s: 3.0, stop_s: 63.0 };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut train =
            |id: &str, rate: f64| SpikeTrain { id: id.into(), location: Some("A".into()), times_s: poisson(rate, span, &mut rng) };
        let mut trains = vec![train("a", 5.0), train("b", 20.0), train("c", 0.0), train("d", 0.05)];
        trains[0].times_s.insert(0, 3.0);
        Spikes::new(trains, span).unwrap()
    }

    fn series(n: usize) -> Series {
        let values = (0..2 * n).map(|at| ((at * at * 31) % 97) as f64 / 10.0).collect();
        Series::new(vec!["x".into(), "y".into()], values, 100.0, 1.0, "V").unwrap()
    }

    fn times(content: &Content) -> Vec<Vec<f64>> {
        let Content::Spikes(spikes) = content else { panic!("not spikes") };
        spikes.trains().iter().map(|train| train.times_s.clone()).collect()
    }

    fn values(content: &Content) -> &Series {
        let Content::Series(series) = content else { panic!("not a series") };
        series
    }

    #[test]
    fn names_round_trip() {
        for (control, name) in Control::ALL.into_iter().zip(Control::NAMES) {
            assert_eq!((control.name(), Control::parse(name)), (*name, Some(control)));
            assert_eq!(serde_json::to_value(control).unwrap(), *name);
        }
        assert_eq!(Control::parse("none"), None);
    }

    #[test]
    fn every_control_of_spikes_is_a_changed_population_and_repeats_by_seed() {
        let content = Content::Spikes(spikes());
        for control in Control::ALL.into_iter().filter(|control| control.fits_spikes()) {
            let null = apply(&content, control, 5).unwrap();
            assert_eq!(null, apply(&content, control, 5).unwrap(), "{control:?}");
            assert_ne!(null, content, "{control:?}");
            if control != Control::TimeReverse {
                assert_ne!(null, apply(&content, control, 6).unwrap(), "{control:?}");
            }
            let (before, after) = (times(&content), times(&null));
            for (before, after) in before.iter().zip(&after) {
                if control == Control::Poisson {
                    let spread = 5.0 * (before.len() as f64).sqrt();
                    assert!((before.len() as f64 - after.len() as f64).abs() <= spread, "{control:?}");
                } else {
                    assert_eq!(before.len(), after.len(), "{control:?}");
                }
            }
        }
    }

    #[test]
    fn intervals_survive_their_shuffle() {
        let null = apply(&Content::Spikes(spikes()), Control::IsiShuffle, 5).unwrap();
        let sorted = |times: &[f64]| {
            let mut intervals: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            intervals.sort_by(f64::total_cmp);
            intervals
        };
        for (before, after) in spikes().trains().iter().zip(times(&null)) {
            assert_eq!(before.times_s.first(), after.first());
            for (a, b) in sorted(&before.times_s).iter().zip(sorted(&after)) {
                assert!((a - b).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_label_shuffle_keeps_all_times_and_counts() {
        let null = apply(&Content::Spikes(spikes()), Control::LabelShuffle, 5).unwrap();
        let pooled = |trains: Vec<Vec<f64>>| {
            let mut all = trains.concat();
            all.sort_by(f64::total_cmp);
            all
        };
        assert_eq!(pooled(times(&null)), pooled(times(&Content::Spikes(spikes()))));
        let lonely = spikes().trains()[..1].to_vec();
        let lonely = Content::Spikes(Spikes::new(lonely, spikes().span()).unwrap());
        assert!(apply(&lonely, Control::LabelShuffle, 5).unwrap_err().to_string().contains("two units"));
    }

    #[test]
    fn jitter_moves_every_spike_a_little_and_wraps_at_the_ends() {
        let sparse: Vec<f64> = (0..30).map(|at| f64::from(2 * at)).collect();
        let train = SpikeTrain { id: "a".into(), location: None, times_s: sparse.clone() };
        let content = Content::Spikes(Spikes::new(vec![train], Span { start_s: 0.0, stop_s: 60.0 }).unwrap());
        let wrapped = (0..20).filter(|&seed| {
            let jittered = times(&apply(&content, Control::Jitter, seed).unwrap()).concat();
            // The first spike stands on the seam and may be the last one after.
            let wraps = jittered[0] > 1.0;
            let moved: Vec<f64> =
                (0..30).map(|at| (jittered[(at + 30 - usize::from(wraps)) % 30] - sparse[at] + 30.0).rem_euclid(60.0) - 30.0).collect();
            assert!(moved.iter().all(|moved| *moved != 0.0 && moved.abs() <= JITTER_S), "{moved:?}");
            wraps
        });
        assert!((4..17).contains(&wrapped.count()));
    }

    #[test]
    fn reversal_twice_is_identity() {
        let content = Content::Spikes(spikes());
        let twice = apply(&apply(&content, Control::TimeReverse, 0).unwrap(), Control::TimeReverse, 0).unwrap();
        for (a, b) in times(&content).concat().iter().zip(times(&twice).concat()) {
            assert!((a - b).abs() < 1e-12);
        }
    }

    #[test]
    fn random_phases_keep_the_power_spectrum() {
        for n in [200, 201] {
            let before = series(n);
            let null = apply(&Content::Series(before.clone()), Control::Phase, 9).unwrap();
            assert_ne!(values(&null).values(), before.values());
            let welch = Welch { window: Window::Boxcar, detrend: Detrend::None, overlap: 0, ..Welch::new(n) };
            let (a, b) = (welch.spectra(&before).unwrap(), welch.spectra(values(&null)).unwrap());
            for (a, b) in a.iter().zip(&b) {
                let total: f64 = a.power.iter().sum();
                assert!(a.power.iter().zip(&b.power).all(|(a, b)| (a - b).abs() < 1e-12 * total));
            }
        }
    }

    #[test]
    fn series_shift_and_reverse_by_whole_samples() {
        let content = Content::Series(series(50));
        let shifted = apply(&content, Control::CircularShift, 3).unwrap();
        for (before, after) in values(&content).iter().zip(values(&shifted).iter()) {
            let (mut before, mut after) = (before.to_vec(), after.to_vec());
            assert_ne!(before, after);
            before.sort_by(f64::total_cmp);
            after.sort_by(f64::total_cmp);
            assert_eq!(before, after);
        }
        let twice = apply(&apply(&content, Control::TimeReverse, 0).unwrap(), Control::TimeReverse, 0).unwrap();
        assert_eq!(twice, content);
    }

    #[test]
    fn what_does_not_fit_says_what_does() {
        let error = apply(&Content::Spikes(spikes()), Control::Phase, 0).unwrap_err().to_string();
        assert!(error.contains("circular-shift, isi-shuffle"), "{error}");
        let error = apply(&Content::Series(series(9)), Control::Poisson, 0).unwrap_err().to_string();
        assert!(error.ends_with("use one of circular-shift, phase, time-reverse"), "{error}");
        let points = Content::Points(crate::data::Points::new(vec![0.0], 1).unwrap());
        assert!(apply(&points, Control::TimeReverse, 0).is_err());
        assert!(apply(&Content::Series(series(1)), Control::Phase, 0).is_err());
    }
}
