//! The clock of a time series: a start and a rate, or a time stamp a sample.
//!
//! Time stamps win over a rate where both are given (the attribute is often stale), and the metadata of electrode groups are
//! never asked. Real clocks have gaps (dropped packets, pauses): a window over a gap is refused, never joined.

use crate::data::Span;
use crate::read::ReadError;
use crate::read::hdf5::Array;
use std::ops::Range;

/// Stamps that the rate is estimated from.
pub const FIRST: usize = 10_000;
/// A step longer than this many usual steps is a gap.
const GAP: f64 = 1.5;
/// Stamps of at most this many bytes are looked through when the file is opened.
pub const CHEAP: usize = 8 << 20;
/// Stamps read at a time.
const STRETCH: usize = 1 << 20;

/// When the samples of a series were taken.
#[derive(Debug)]
pub enum Clock {
    /// Sample `i` at `t0_s + i / rate_hz`.
    Rate {
        /// First sample, seconds.
        t0_s: f64,
        /// Samples a second.
        rate_hz: f64,
    },
    /// A stamp a sample.
    Stamps {
        /// The stamps, seconds.
        times: Array,
        /// The first.
        t0_s: f64,
        /// The last.
        last_s: f64,
        /// One over the median step of the first stamps.
        rate_hz: f64,
    },
}

/// A place where stamps do not go on by the usual step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// The sample before it.
    pub sample: usize,
    /// Its time, seconds.
    pub time_s: f64,
    /// The step to the next, seconds; not positive where the clock goes back.
    pub step_s: f64,
}

impl Clock {
    /// A clock from stamps.
    ///
    /// # Errors
    /// `bad-value` when there are fewer than two, or they do not move forward.
    pub fn from_stamps(times: Array) -> Result<Self, ReadError> {
        let n = times.len();
        if !times.is_vector() || n < 2 {
            return Err(times.error("bad-value", format!("timestamps of shape {:?} give no sampling rate", times.shape)));
        }
        let first = times.stretch(0..n.min(FIRST))?;
        let last_s = times.stretch(n - 1..n)?[0];
        match median_step(&first) {
            Some(step_s) if step_s > 0.0 && first[0].is_finite() && last_s.is_finite() => {
                Ok(Self::Stamps { times, t0_s: first[0], last_s, rate_hz: 1.0 / step_s })
            }
            _ => Err(times
                .error("bad-value", "the timestamps do not move forward")
                .hint("events and other irregular data are no regular series")),
        }
    }

    /// Time of the first sample, seconds.
    pub fn t0_s(&self) -> f64 {
        match self {
            Self::Rate { t0_s, .. } | Self::Stamps { t0_s, .. } => *t0_s,
        }
    }
    /// Samples a second.
    pub fn rate_hz(&self) -> f64 {
        match self {
            Self::Rate { rate_hz, .. } | Self::Stamps { rate_hz, .. } => *rate_hz,
        }
    }
    /// The stretch that `n` samples cover.
    pub fn span(&self, n: usize) -> Span {
        match self {
            Self::Rate { t0_s, rate_hz } => Span { start_s: *t0_s, stop_s: t0_s + n as f64 / rate_hz },
            Self::Stamps { t0_s, last_s, rate_hz, .. } => Span { start_s: *t0_s, stop_s: last_s.max(*t0_s) + 1.0 / rate_hz },
        }
    }

    /// What is odd about it, for the header; stamps are looked through when they are few.
    ///
    /// # Errors
    /// As [`Array::block`].
    pub fn notes(&self) -> Result<Vec<String>, ReadError> {
        let Self::Stamps { times, t0_s, last_s, rate_hz } = self else { return Ok(Vec::new()) };
        if times.len() * 8 <= CHEAP {
            let found = gaps(&times.numbers()?, 1.0 / rate_hz, 0);
            return Ok(describe(&found).into_iter().collect());
        }
        let steps = (last_s - t0_s) * rate_hz;
        let off = steps - (times.len() - 1) as f64;
        Ok(if off.abs() > GAP {
            vec![format!("the timestamps span {off:+.1} samples more than the rate says (gaps or drift); each window is checked")]
        } else {
            Vec::new()
        })
    }

    /// The samples of a window, and the time of the first: from `round((start - t0) rate)`, `round(length rate)` of them. With
    /// stamps the first is the one whose stamp is nearest the start, which is the same sample unless the clock drifts.
    ///
    /// # Errors
    /// `outside` the recording; `gap` inside the window; `bad-value` for a window shorter than a sample.
    pub fn window(&self, span: Option<Span>, n_samples: usize, data: &Array) -> Result<(Range<usize>, f64), ReadError> {
        let Some(span) = span else {
            self.check_steps(0..n_samples)?;
            return Ok((0..n_samples, self.t0_s()));
        };
        let wanted = (span.length_s() * self.rate_hz()).round();
        if wanted.is_nan() || wanted < 1.0 {
            return Err(
                data.error("bad-value", format!("the window from {} s to {} s is shorter than a sample", span.start_s, span.stop_s))
            );
        }
        let whole = self.span(n_samples);
        let outside = || {
            data.error("outside", format!("the window from {} s to {} s is not inside the series", span.start_s, span.stop_s))
                .hint(format!("it covers {} s to {} s", whole.start_s, whole.stop_s))
        };
        let guess = ((span.start_s - self.t0_s()) * self.rate_hz()).round();
        let first = match self {
            Self::Rate { .. } => guess,
            Self::Stamps { times, .. } => self.nearest(times, span.start_s, guess, n_samples)? as f64,
        };
        if first < 0.0 || guess < 0.0 || first + wanted > n_samples as f64 {
            return Err(outside());
        }
        let rows = first as usize..(first + wanted) as usize;
        let t_start_s = match self {
            Self::Rate { t0_s, rate_hz } => t0_s + first / rate_hz,
            Self::Stamps { times, .. } => {
                let stamp = times.stretch(rows.start..rows.start + 1)?[0];
                if (stamp - span.start_s).abs() > GAP / self.rate_hz() {
                    let what =
                        format!("the window starts at {} s, where nothing was recorded: the next sample is at {stamp} s", span.start_s);
                    return Err(times.error("gap", what));
                }
                stamp
            }
        };
        self.check_steps(rows.clone())?;
        Ok((rows, t_start_s))
    }

    /// The first sample whose stamp is no more than half a step before `start_s`.
    fn nearest(&self, times: &Array, start_s: f64, guess: f64, n: usize) -> Result<usize, ReadError> {
        let border = start_s - 0.5 / self.rate_hz();
        let stamp = |at: usize| times.stretch(at..at + 1).map(|values| values[0]);
        if guess >= 0.0 && guess < n as f64 {
            let at = guess as usize;
            if stamp(at)? >= border && (at == 0 || stamp(at - 1)? < border) {
                return Ok(at);
            }
        }
        let (mut low, mut high) = (0, n);
        while low < high {
            let middle = low + (high - low) / 2;
            if stamp(middle)? < border {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn check_steps(&self, rows: Range<usize>) -> Result<(), ReadError> {
        let Self::Stamps { times, rate_hz, .. } = self else { return Ok(()) };
        let mut start = rows.start;
        while start + 1 < rows.end {
            // Stretches share one stamp, so that no step is missed.
            let end = (start + STRETCH).min(rows.end);
            let found = gaps(&times.stretch(start..end)?, 1.0 / rate_hz, start);
            if let Some(what) = describe(&found) {
                return Err(times.error("gap", what).hint("use windows that avoid it; samples across a gap are never joined"));
            }
            start = end - 1;
            if end == rows.end {
                break;
            }
        }
        Ok(())
    }
}

/// The median step between consecutive stamps.
pub fn median_step(stamps: &[f64]) -> Option<f64> {
    let mut steps: Vec<f64> = stamps.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| step.is_finite()).collect();
    if steps.is_empty() {
        return None;
    }
    steps.sort_by(f64::total_cmp);
    let middle = steps.len() / 2;
    Some(if steps.len() % 2 == 1 { steps[middle] } else { (steps[middle - 1] + steps[middle]) / 2.0 })
}

/// Steps that are longer than 1.5 usual ones, or do not go forward.
pub fn gaps(stamps: &[f64], usual_s: f64, first_sample: usize) -> Vec<Gap> {
    let steps = stamps.windows(2).enumerate();
    let odd = steps.filter(|(_, pair)| {
        let step = pair[1] - pair[0];
        !(step > 0.0 && step <= GAP * usual_s)
    });
    odd.map(|(at, pair)| Gap { sample: first_sample + at, time_s: pair[0], step_s: pair[1] - pair[0] }).collect()
}

/// One line about some gaps, the first three by place.
pub fn describe(gaps: &[Gap]) -> Option<String> {
    if gaps.is_empty() {
        return None;
    }
    let shown: Vec<String> = gaps
        .iter()
        .take(3)
        .map(|gap| format!("a step of {} s after sample {} (at {} s)", rounded(gap.step_s), gap.sample, rounded(gap.time_s)))
        .collect();
    let more = if gaps.len() > 3 { format!(", and {} more", gaps.len() - 3) } else { String::new() };
    Some(format!("the timestamps have {} gap{}: {}{more}", gaps.len(), if gaps.len() == 1 { "" } else { "s" }, shown.join(", ")))
}

/// Microseconds are enough for people.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_step_ignores_a_gap() {
        assert_eq!(median_step(&[0.0, 1.0, 2.0, 13.0, 14.0]), Some(1.0));
        assert_eq!(median_step(&[0.0, 1.0, 3.0]), Some(1.5));
        assert_eq!(median_step(&[0.0, 1.0, 3.0, 6.0]), Some(2.0));
        assert_eq!(median_step(&[1.0]), None);
    }

    #[test]
    fn gaps_and_steps_back_are_found_with_their_place() {
        let found = gaps(&[0.0, 1.0, 3.0, 2.5, 3.5, f64::NAN], 1.0, 10);
        assert_eq!(found.iter().map(|gap| gap.sample).collect::<Vec<_>>(), [11, 12, 14]);
        assert_eq!(describe(&found[..1]).unwrap(), "the timestamps have 1 gap: a step of 2 s after sample 11 (at 1 s)");
        assert_eq!(describe(&gaps(&[0.0, 1.0, 2.0], 1.0, 0)), None);
    }
}
