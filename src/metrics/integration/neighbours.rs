//! Total correlation from nearest neighbours (Kraskov, Stögbauer & Grassberger 2004, eq. 23).

use super::normal::digamma;
use crate::data::Series;
use rayon::prelude::*;

/// Total and, where wanted, dual total correlation in nats.
///
/// # Errors
/// When there are no more than `k` samples.
pub fn correlations(series: &Series, k: usize, dual: bool) -> Result<(f64, f64), String> {
    let n = series.n_samples();
    if k >= n {
        return Err(format!("the neighbour {k} of {n} samples does not exist: `k` must be below the number of samples"));
    }
    let channels: Vec<Vec<f64>> = series.iter().map(scaled).collect();
    let all: Vec<&[f64]> = channels.iter().map(Vec::as_slice).collect();
    let total = total(&all, k);
    if !dual {
        return Ok((total, 0.0));
    }
    let m = all.len();
    let rest: f64 = (0..m)
        .map(|left_out| {
            let others: Vec<&[f64]> = all.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, channel)| *channel).collect();
            if others.len() < 2 { 0.0 } else { self::total(&others, k) }
        })
        .sum();
    Ok((total, (m as f64 - 1.0) * total - rest))
}

/// To mean 0 and unit variance: the maximum norm would else follow the channel of the largest scale.
fn scaled(channel: &[f64]) -> Vec<f64> {
    let n = channel.len() as f64;
    let mean = channel.iter().sum::<f64>() / n;
    let sd = (channel.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    channel.iter().map(|value| (value - mean) / sd).collect()
}

fn total(channels: &[&[f64]], k: usize) -> f64 {
    let n = channels[0].len();
    let sorted: Vec<Vec<f64>> = channels
        .iter()
        .map(|channel| {
            let mut sorted = channel.to_vec();
            sorted.sort_by(f64::total_cmp);
            sorted
        })
        .collect();
    let terms: Vec<f64> = (0..n)
        .into_par_iter()
        .map(|at| {
            let mut apart: Vec<f64> = (0..n)
                .filter(|&other| other != at)
                .map(|other| channels.iter().map(|channel| (channel[at] - channel[other]).abs()).fold(0.0, f64::max))
                .collect();
            let (_, &mut reach, _) = apart.select_nth_unstable_by(k - 1, f64::total_cmp);
            // Strictly within, the point itself left out.
            let within = |(channel, sorted): (&&[f64], &Vec<f64>)| {
                let value = channel[at];
                let start = sorted.partition_point(|other| value - other >= reach);
                let stop = sorted.partition_point(|other| other - value < reach);
                digamma(stop.saturating_sub(start).max(1) as f64)
            };
            channels.iter().zip(&sorted).map(within).sum::<f64>()
        })
        .collect();
    digamma(k as f64) + (channels.len() as f64 - 1.0) * digamma(n as f64) - terms.iter().sum::<f64>() / n as f64
}
