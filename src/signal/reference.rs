//! Re-referencing: what all channels share is taken away, sample by sample.
//!
//! The average reference subtracts the mean over channels, the median reference their median, which single noisy channels do not
//! move (Ludwig et al. 2009, doi 10.1152/jn.90989.2008). By group, each probe or electrode group has its own reference.

use crate::data::{DataError, Series};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How to make the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// Mean of all channels.
    Average,
    /// Median of all channels.
    Median,
    /// Mean of the channels of the same group.
    AverageByGroup,
    /// Median of the channels of the same group.
    MedianByGroup,
}

impl Reference {
    /// The names in a job file.
    pub const NAMES: &'static [&'static str] = &["average", "median", "average-by-group", "median-by-group"];

    /// The reference of that name.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Average, Self::Median, Self::AverageByGroup, Self::MedianByGroup];
        all.into_iter().zip(Self::NAMES).find(|(_, known)| **known == name).map(|(reference, _)| reference)
    }
    fn by_group(self) -> bool {
        matches!(self, Self::AverageByGroup | Self::MedianByGroup)
    }
    fn by_median(self) -> bool {
        matches!(self, Self::Median | Self::MedianByGroup)
    }
}

/// The same channels minus their reference. `groups` names the group of each channel; needed by group alone.
///
/// # Errors
/// When a group is unknown or has a single channel (nothing would be left of it), or there is one channel only.
pub fn rereference(series: &Series, reference: Reference, groups: &[Option<String>]) -> Result<Series, DataError> {
    let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for channel in 0..series.n_channels() {
        let group = match (reference.by_group(), groups.get(channel)) {
            (false, _) => "",
            (true, Some(Some(group))) => group,
            (true, _) => {
                let name = &series.channels()[channel];
                return Err(DataError::new(format!(
                    "the file does not say to which group channel `{name}` belongs; use `average` or `median`"
                )));
            }
        };
        members.entry(group).or_default().push(channel);
    }
    let (n, mut values) = (series.n_samples(), series.values().to_vec());
    for (group, channels) in members {
        if channels.len() < 2 {
            let of = if group.is_empty() { String::new() } else { format!(" of group `{group}`") };
            return Err(DataError::new(format!("one channel{of} is no reference: nothing would be left of it; keep more channels")));
        }
        let mut row = vec![0.0; channels.len()];
        for at in 0..n {
            for (cell, &channel) in row.iter_mut().zip(&channels) {
                *cell = series.channel(channel)[at];
            }
            let shared = if reference.by_median() { median(&mut row) } else { row.iter().sum::<f64>() / row.len() as f64 };
            for &channel in &channels {
                values[channel * n + at] -= shared;
            }
        }
    }
    series.with_values(values)
}

/// The median; of an even number the mean of the two in the middle.
fn median(values: &mut [f64]) -> f64 {
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if odd {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lower + upper) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Series {
        let values = vec![1.0, 2.0, 3.0, 5.0, 6.0, 10.0, 20.0, 40.0];
        Series::new(["a", "b", "c", "d"].map(str::to_owned).to_vec(), values, 1.0, 0.0, "V").unwrap()
    }

    #[test]
    fn means_and_medians_by_all_and_by_group() {
        let groups = ["p", "p", "q", "q"].map(|group| Some(group.to_owned()));
        let of = |reference| rereference(&series(), reference, &groups).unwrap().values().to_vec();
        assert_eq!(of(Reference::Average), [-6.5, -12.25, -4.5, -9.25, -1.5, -4.25, 12.5, 25.75]);
        assert_eq!(of(Reference::Median), [-3.5, -5.5, -1.5, -2.5, 1.5, 2.5, 15.5, 32.5]);
        assert_eq!(of(Reference::AverageByGroup), [-1.0, -1.5, 1.0, 1.5, -7.0, -15.0, 7.0, 15.0]);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn what_has_no_reference_is_refused() {
        assert!(rereference(&series(), Reference::MedianByGroup, &[]).unwrap_err().to_string().contains("channel `a`"));
        let alone = ["p", "q", "q", "q"].map(|group| Some(group.to_owned()));
        assert!(rereference(&series(), Reference::AverageByGroup, &alone).unwrap_err().to_string().contains("group `p`"));
    }
}
