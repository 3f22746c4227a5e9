//! Spike trains to counts on a regular clock.
//!
//! Bin `k` covers `[start + k·bin, start + (k + 1)·bin)`, every edge being the `f64` that this expression gives, so that a spike on
//! an edge belongs to the bin that it opens, however the division rounds. A span that is a whole number of bins within 1e-6 of a bin
//! gives exactly that many; otherwise the last, partial bin is kept, so that no spike is lost.

use crate::data::{DataError, Series, Spikes};

/// Largest matrix that binning makes, in values (16 GiB): beyond it a stray timestamp or a mistyped bin is likelier than a wish.
const MOST_VALUES: f64 = 2_147_483_648.0;

/// Counts the spikes of every unit in bins of `bin_s` seconds; channels carry the units' ids.
///
/// # Errors
/// When there are no units, `bin_s` is not positive, or the matrix would have more than 2³¹ values.
pub fn bin(spikes: &Spikes, bin_s: f64) -> Result<Series, DataError> {
    if !(bin_s.is_finite() && bin_s > 0.0) {
        return Err(DataError::new(format!("a bin must be longer than 0 s, not {bin_s} s")));
    }
    if spikes.trains().is_empty() {
        return Err(DataError::new("there are no units to bin; loosen the filters on units"));
    }
    let start_s = spikes.span().start_s;
    let n_bins = count_bins(spikes, bin_s)?;
    let mut counts = vec![0.0; n_bins * spikes.trains().len()];
    for (train, row) in spikes.trains().iter().zip(counts.chunks_exact_mut(n_bins)) {
        for &time_s in &train.times_s {
            row[bin_of(time_s, start_s, bin_s).min(n_bins - 1)] += 1.0;
        }
    }
    let ids = spikes.trains().iter().map(|train| train.id.clone()).collect();
    Series::new(ids, counts, 1.0 / bin_s, start_s, "spikes")
}

fn count_bins(spikes: &Spikes, bin_s: f64) -> Result<usize, DataError> {
    let length_s = spikes.span().length_s();
    let exact = length_s / bin_s;
    let n_bins = if (exact - exact.round()).abs() <= 1e-6 { exact.round() } else { exact.ceil() }.max(1.0);
    let n_units = spikes.trains().len();
    if n_bins * n_units as f64 > MOST_VALUES {
        return Err(DataError::new(format!(
            "{length_s} s in bins of {bin_s} s are {n_bins} bins for each of {n_units} units, too many to hold; \
             use a larger bin_s or a window, or look for a stray timestamp that stretches the recording"
        )));
    }
    Ok(n_bins as usize)
}

/// The bin that holds `time_s` (not before `start_s`): the division's guess, moved to where the edges as computed say.
fn bin_of(time_s: f64, start_s: f64, bin_s: f64) -> usize {
    let edge = |k: f64| start_s + k * bin_s;
    let mut k = ((time_s - start_s) / bin_s).floor().max(0.0);
    // The guess is off by one at most where edges are distinct; where `bin_s` is below the clock's resolution they are not, hence no loop.
    if k > 0.0 && edge(k) > time_s {
        k -= 1.0;
    } else if edge(k + 1.0) <= time_s {
        k += 1.0;
    }
    k as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Span, SpikeTrain};

    fn spikes(times_s: Vec<f64>, start_s: f64, stop_s: f64) -> Spikes {
        let train = SpikeTrain { id: "u".into(), location: None, times_s };
        Spikes::new(vec![train], Span { start_s, stop_s }).unwrap()
    }

    #[test]
    fn a_spike_on_an_edge_opens_its_bin_on_awkward_clocks() {
        for (start, width) in [(0.0, 0.1), (0.3, 0.1), (1234.567, 0.01), (-7.7, 0.005), (1e6 + 0.1, 0.001)] {
            let n = 1000;
            let edges: Vec<f64> = (0..n).map(|k| start + k as f64 * width).collect();
            let series = bin(&spikes(edges, start, start + n as f64 * width), width).unwrap();
            assert_eq!(series.n_samples(), n, "start {start}");
            assert!(series.channel(0).iter().all(|&count| count == 1.0), "start {start}, width {width}");
        }
    }

    #[test]
    fn whole_and_partial_lengths() {
        assert_eq!(bin(&spikes(vec![], 0.0, 0.3), 0.1).unwrap().n_samples(), 3);
        let partial = bin(&spikes(vec![0.0, 0.3049], 0.0, 0.305), 0.1).unwrap();
        assert_eq!(partial.channel(0), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(bin(&spikes(vec![0.01], 0.0, 0.02), 0.1).unwrap().channel(0), [1.0]);
        assert_eq!(partial.channels(), ["u"]);
        assert_eq!(partial.rate_hz(), 10.0);
    }

    #[test]
    fn a_spike_just_before_the_end_stays_in_the_last_bin() {
        let stop = 0.3_f64 + 1e-9;
        let series = bin(&spikes(vec![0.3 + 0.5e-9], 0.0, stop), 0.1).unwrap();
        assert_eq!(series.channel(0), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn absurd_requests_are_refused_with_the_remedy() {
        let error = bin(&spikes(vec![], 0.0, 1.7e9), 1e-3).unwrap_err().to_string();
        assert!(error.contains("stray timestamp"), "{error}");
        assert!(bin(&spikes(vec![], 0.0, 1.0), f64::MIN_POSITIVE).is_err());
        assert!(bin(&spikes(vec![], 0.0, 1.0), -1.0).is_err());
        let nobody = Spikes::new(vec![], Span { start_s: 0.0, stop_s: 1.0 }).unwrap();
        assert!(bin(&nobody, 0.1).unwrap_err().to_string().contains("no units"));
    }
}
