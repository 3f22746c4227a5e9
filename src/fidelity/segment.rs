//! What is compared: datasets as groups of segments, each with a profile a test.

use super::{Profile, Test};
use crate::data::{DataError, Series, Span, Spikes};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// One stretch of a recording: its channels × time matrix (binned counts for spikes) and the trains behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The matrix.
    pub series: Series,
    /// The trains, where the signal is spikes.
    pub spikes: Option<Spikes>,
}

/// One dataset as the tests see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The dataset's id.
    pub id: String,
    /// For every segment one entry a test, in the order of the tests: its profile, or why it has none.
    pub segments: Vec<Vec<Result<Profile, String>>>,
}

impl Group {
    /// Profiles every segment by every test.
    pub fn new(id: impl Into<String>, tests: &[Box<dyn Test>], segments: &[Segment]) -> Self {
        Self { id: id.into(), segments: segments.par_iter().map(|segment| segment.profiles(tests)).collect() }
    }
}

impl Segment {
    /// One profile a test, or why there is none; what a unit of work hands to [`Group::segments`].
    pub fn profiles(&self, tests: &[Box<dyn Test>]) -> Vec<Result<Profile, String>> {
        let trains = self.spikes.as_ref().map(Spikes::trains);
        tests.iter().map(|test| test.profile(&self.series, trains)).collect()
    }
}

/// Cuts a whole recording into `n` equal segments, for datasets without windows (10 is the custom); up to `n - 1` samples that do not
/// fill the last are left out.
///
/// # Errors
/// When a segment would have fewer than two samples.
pub fn segments(series: &Series, spikes: Option<&Spikes>, n: usize) -> Result<Vec<Segment>, DataError> {
    let length = series.n_samples() / n.max(1);
    if length < 2 || n == 0 {
        return Err(DataError::new(format!("{} samples cannot be cut into {n} segments", series.n_samples())));
    }
    (0..n)
        .map(|at| {
            let start_s = series.t_start_s() + (at * length) as f64 / series.rate_hz();
            let stop_s = series.t_start_s() + ((at + 1) * length) as f64 / series.rate_hz();
            let values = series.iter().flat_map(|samples| samples[at * length..(at + 1) * length].iter().copied()).collect();
            let series = Series::new(series.channels().to_vec(), values, series.rate_hz(), start_s, series.unit_of_measure())?;
            let spikes = spikes.map(|spikes| spikes.cut(Span { start_s, stop_s })).transpose()?;
            Ok(Segment { series, spikes })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::SpikeTrain;
    use crate::signal::bin;

    #[test]
    fn segments_cut_counts_and_trains_alike() {
        let times_s: Vec<f64> = (0..100).map(|at| 5.0 + 0.103 * f64::from(at)).collect();
        let train = SpikeTrain { id: "u".into(), location: None, times_s };
        let spikes = Spikes::new(vec![train], Span { start_s: 5.0, stop_s: 15.55 }).unwrap();
        let series = bin(&spikes, 0.1).unwrap();
        let cut = segments(&series, Some(&spikes), 10).unwrap();
        assert_eq!(cut.len(), 10);
        for segment in &cut {
            assert_eq!(segment.series.n_samples(), 10);
            let counted: f64 = segment.series.values().iter().sum();
            assert_eq!(counted as usize, segment.spikes.as_ref().unwrap().trains()[0].times_s.len());
        }
        assert_eq!(cut[3].series.t_start_s(), 8.0);
    }

    #[test]
    fn too_many_segments_are_refused() {
        let series = Series::new(vec!["x".into()], vec![0.0; 15], 1.0, 0.0, "").unwrap();
        assert!(segments(&series, None, 10).is_err() && segments(&series, None, 0).is_err());
        assert_eq!(segments(&series, None, 7).unwrap().len(), 7);
    }
}
