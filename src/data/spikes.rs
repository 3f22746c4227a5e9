//! Spike trains of a population on one clock.

use super::{DataError, Span};
use serde::{Deserialize, Serialize};

/// The spike times of one unit (neuron).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpikeTrain {
    /// The unit's id as its file gives it.
    pub id: String,
    /// Brain area, where the file says.
    pub location: Option<String>,
    /// Sorted spike times on the recording's clock, seconds; all finite.
    pub times_s: Vec<f64>,
}

/// Spike trains over a common span of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spikes {
    trains: Vec<SpikeTrain>,
    span: Span,
}

impl Spikes {
    /// Trains whose spikes all lie within `span`.
    ///
    /// # Errors
    /// When the span is empty or a train is unsorted, not finite, or outside the span; the unit is named.
    pub fn new(trains: Vec<SpikeTrain>, span: Span) -> Result<Self, DataError> {
        if !(span.start_s.is_finite() && span.stop_s.is_finite() && span.start_s < span.stop_s) {
            return Err(DataError::new(format!("the span from {} s to {} s is empty", span.start_s, span.stop_s)));
        }
        for train in &trains {
            let sorted = train.times_s.is_sorted();
            let inside = train.times_s.first().is_none_or(|&t| t >= span.start_s) && train.times_s.last().is_none_or(|&t| t < span.stop_s);
            if !sorted || !inside || train.times_s.iter().any(|t| !t.is_finite()) {
                return Err(DataError::new(format!(
                    "unit `{}`: spike times must be finite, sorted and within {} s to {} s",
                    train.id, span.start_s, span.stop_s
                )));
            }
        }
        Ok(Self { trains, span })
    }

    /// One train a unit, in the file's order.
    pub fn trains(&self) -> &[SpikeTrain] {
        &self.trains
    }
    /// The stretch of the clock that was looked at (spikes or not).
    pub fn span(&self) -> Span {
        self.span
    }
    /// The spikes of every train within `span` (half-open), on the same clock; trains without spikes stay.
    ///
    /// # Errors
    /// When the span is empty.
    pub fn cut(&self, span: Span) -> Result<Self, DataError> {
        let trains = self
            .trains
            .iter()
            .map(|train| {
                let first = train.times_s.partition_point(|&t| t < span.start_s);
                let last = train.times_s.partition_point(|&t| t < span.stop_s);
                SpikeTrain {
                    id: train.id.clone(),
                    location: train.location.clone(),
                    times_s: train.times_s[first..last.max(first)].to_vec(),
                }
            })
            .collect();
        Self::new(trains, span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(times_s: &[f64]) -> SpikeTrain {
        SpikeTrain { id: "7".into(), location: None, times_s: times_s.to_vec() }
    }

    #[test]
    fn a_cut_is_half_open_and_keeps_silent_units() {
        let all = Spikes::new(vec![train(&[0.0, 1.0, 2.0]), train(&[])], Span { start_s: 0.0, stop_s: 3.0 }).unwrap();
        let cut = all.cut(Span { start_s: 1.0, stop_s: 2.0 }).unwrap();
        assert_eq!(cut.trains()[0].times_s, [1.0]);
        assert_eq!(cut.trains().len(), 2);
    }

    #[test]
    fn unsorted_times_are_refused_with_the_unit() {
        let error = Spikes::new(vec![train(&[2.0, 1.0])], Span { start_s: 0.0, stop_s: 3.0 }).unwrap_err();
        assert!(error.to_string().contains("unit `7`"), "{error}");
    }
}
