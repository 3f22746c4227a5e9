//! Regularly sampled channels: the channels × time matrix that most metrics read.

use super::DataError;
use serde::{Deserialize, Serialize};

/// `n_channels` × `n_samples` values at a fixed rate, channel after channel.
///
/// Every value is finite: readers say where a NaN stands, methods need not look again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    channels: Vec<String>,
    n_samples: usize,
    values: Vec<f64>,
    rate_hz: f64,
    t_start_s: f64,
    unit_of_measure: String,
}

impl Series {
    /// Makes a series from values laid out channel after channel (`values[channel * n_samples + sample]`).
    ///
    /// # Errors
    /// When the lengths do not fit, the rate is not positive, or a value is not finite (the channel and the sample are named).
    pub fn new(
        channels: Vec<String>,
        values: Vec<f64>,
        rate_hz: f64,
        t_start_s: f64,
        unit_of_measure: impl Into<String>,
    ) -> Result<Self, DataError> {
        if channels.is_empty() {
            return Err(DataError::new("a series needs at least one channel"));
        }
        let n_samples = values.len() / channels.len();
        if n_samples * channels.len() != values.len() {
            return Err(DataError::new(format!("{} values do not fill {} channels evenly", values.len(), channels.len())));
        }
        if !(rate_hz.is_finite() && rate_hz > 0.0) {
            return Err(DataError::new(format!("a sampling rate must be positive, not {rate_hz}")));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (channel, sample) = (at / n_samples, at % n_samples);
            return Err(DataError::new(format!(
                "channel `{}` holds {} at sample {sample} ({:.6} s)",
                channels[channel],
                values[at],
                t_start_s + sample as f64 / rate_hz
            )));
        }
        Ok(Self { channels, n_samples, values, rate_hz, t_start_s, unit_of_measure: unit_of_measure.into() })
    }

    /// Names of the channels, in order.
    pub fn channels(&self) -> &[String] {
        &self.channels
    }
    /// Number of channels.
    pub fn n_channels(&self) -> usize {
        self.channels.len()
    }
    /// Samples a channel.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }
    /// Samples a second.
    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }
    /// Time of the first sample on the recording's clock, seconds.
    pub fn t_start_s(&self) -> f64 {
        self.t_start_s
    }
    /// What the values are measured in (`"V"`, `"spikes"`, …; empty when unknown).
    pub fn unit_of_measure(&self) -> &str {
        &self.unit_of_measure
    }
    /// One channel's samples.
    pub fn channel(&self, index: usize) -> &[f64] {
        &self.values[index * self.n_samples..(index + 1) * self.n_samples]
    }
    /// All channels in order, each as a slice of samples.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        (0..self.n_channels()).map(|index| self.channel(index))
    }
    /// All values, channel after channel.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
    /// The same channels and clock with other values (as many), for filters and surrogates.
    ///
    /// # Errors
    /// As [`Series::new`].
    pub fn with_values(&self, values: Vec<f64>) -> Result<Self, DataError> {
        Self::new(self.channels.clone(), values, self.rate_hz, self.t_start_s, self.unit_of_measure.clone())
    }

    /// The samples of a window on the same clock: from `round((start - t_start) rate)`, `round(length rate)` of them.
    ///
    /// # Errors
    /// When the window reaches beyond the series.
    pub fn cut(&self, window: super::Span) -> Result<Self, DataError> {
        let first = ((window.start_s - self.t_start_s) * self.rate_hz).round();
        let n = (window.length_s() * self.rate_hz).round();
        // Rounding may push a window that fits by a sample beyond either end; more than that is outside.
        let last = self.n_samples as f64 - n;
        let first = if (-1.0..=last + 1.0).contains(&first) { first.min(last).max(0.0) } else { first };
        if n < 1.0 || first < 0.0 || first > last {
            let stop_s = self.t_start_s + self.n_samples as f64 / self.rate_hz;
            return Err(DataError::new(format!(
                "the window from {} s to {} s reaches beyond the series ({} s to {stop_s} s)",
                window.start_s, window.stop_s, self.t_start_s
            )));
        }
        let (first, n) = (first as usize, n as usize);
        let values = self.iter().flat_map(|channel| channel[first..first + n].iter().copied()).collect();
        Self::new(self.channels.clone(), values, self.rate_hz, self.t_start_s + first as f64 / self.rate_hz, self.unit_of_measure.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_is_named_with_its_place() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let error = Series::new(names, vec![0.0, 1.0, 2.0, f64::NAN], 2.0, 10.0, "V").unwrap_err();
        assert_eq!(error.to_string(), "channel `b` holds NaN at sample 1 (10.500000 s)");
    }

    #[test]
    fn a_cut_keeps_the_clock_and_refuses_what_lies_outside() {
        let series = Series::new(vec!["a".into(), "b".into()], (0..20).map(f64::from).collect(), 2.0, 10.0, "V").unwrap();
        let cut = series.cut(crate::data::Span { start_s: 11.0, stop_s: 12.5 }).unwrap();
        assert_eq!(cut.channel(1), [12.0, 13.0, 14.0]);
        assert_eq!(cut.t_start_s(), 11.0);
        for (start_s, stop_s) in [(8.0, 10.0), (14.0, 17.0), (11.0, 11.0), (0.0, 100.0)] {
            assert!(series.cut(crate::data::Span { start_s, stop_s }).is_err(), "{start_s} to {stop_s}");
        }
    }

    #[test]
    fn ragged_values_are_refused() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        assert!(Series::new(names, vec![0.0; 3], 1.0, 0.0, "").is_err());
    }
}
