//! What a unit will ask for, from headers alone: time, so that shards and queues are balanced, and memory, so that what runs together
//! fits.

use super::plan::{Unit, of_trials};
use super::{Dataset, Job, MetricStage};
use crate::data::Span;
use crate::read::{Header, SignalKind};

/// What a worker holds before it reads anything, bytes.
const IDLE_BYTES: u64 = 32 << 20;

/// The window, or one trial of several.
fn span(header: &Header, unit: &Unit) -> Span {
    unit.window.or(unit.trials.first().copied()).unwrap_or(header.span)
}

/// Channels and samples of a unit's matrix; of one trial where it has several.
fn shape(dataset: &Dataset, header: &Header, unit: &Unit) -> (usize, usize) {
    let length_s = span(header, unit).length_s();
    let rate = match dataset.signal {
        SignalKind::Spikes => 1.0 / dataset.preparation.bin_s,
        _ => dataset.preparation.resample_hz.or(header.rate_hz).unwrap_or(0.0),
    };
    let n_samples = match dataset.signal {
        SignalKind::Points | SignalKind::Distances => header.n_samples.unwrap_or(0),
        _ => (length_s * rate).max(0.0) as usize,
    };
    (header.channels.len(), n_samples)
}

/// Estimated CPU seconds: the sum over the stages that apply.
pub fn seconds(job: &Job, index: usize, header: &Header, unit: &Unit) -> f64 {
    let (n_channels, n_samples) = shape(&job.datasets[index], header, unit);
    let trials = unit.trials.len();
    let mut total = 1e-3 + 1e-8 * (n_channels * n_samples * trials.max(1)) as f64;
    let metric = |stage: &MetricStage| {
        stage.metric.cost_s(n_channels, n_samples) * f64::from(1 + stage.resampling.surrogates + stage.resampling.bootstrap)
    };
    if trials > 0 {
        return total + of_trials(job, index).map(metric).sum::<f64>() * trials as f64;
    }
    for stage in job.embeddings.iter().filter(|stage| stage.datasets.contains(&index)) {
        total += stage.embed.cost_s(n_channels, n_samples);
    }
    for stage in job.persistences.iter().filter(|stage| stage.inputs.iter().any(|(at, _)| *at == index)) {
        // Fitted to 7-D delay clouds at the enclosing radius: about 20 ms at 300 points in H1, 20 times that a further dimension.
        let n = n_samples.min(stage.params.max_points) as f64;
        total += 2e-2 * (n / 300.0).powi(3) * 20f64.powi(stage.params.max_dim as i32 - 1) + 1e-8 * n * n_samples as f64;
    }
    for stage in job.metrics.iter().filter(|stage| stage.inputs.iter().any(|(at, _)| *at == index)) {
        total += metric(stage);
    }
    total
}

/// Estimated peak memory of the worker, bytes: the window's matrix as read, as prepared and as a copy that a stage works on, and the
/// largest complex.
pub fn memory_bytes(job: &Job, index: usize, header: &Header, unit: &Unit) -> u64 {
    let dataset = &job.datasets[index];
    let (n_channels, n_samples) = shape(dataset, header, unit);
    // The matrix as it is stored, where it is resampled afterwards.
    let as_read = match (dataset.signal, header.rate_hz) {
        (SignalKind::Series, Some(rate)) => (span(header, unit).length_s() * rate).max(0.0) as usize,
        _ => n_samples,
    };
    let matrix = 8 * n_channels as u64;
    if !unit.trials.is_empty() {
        return IDLE_BYTES
            .saturating_add(matrix.saturating_mul(n_samples as u64).saturating_mul(unit.trials.len() as u64).saturating_mul(3));
    }
    let values = matrix.saturating_mul(as_read as u64).saturating_add(matrix.saturating_mul(n_samples as u64).saturating_mul(3));
    let complexes = job.persistences.iter().filter(|stage| stage.inputs.iter().any(|(at, _)| *at == index)).map(|stage| {
        let n = n_samples.min(stage.params.max_points) as f64;
        rips_bytes(n, stage.params.max_dim)
    });
    IDLE_BYTES.saturating_add(values).saturating_add(complexes.max().unwrap_or(0))
}

/// Peak memory of a Rips complex of `n` points at its enclosing radius. Measured on 7-D delay clouds, which are the dear ones: 0.03,
/// 0.2, 1.4 and 7 to 10 GB at 300, 1,000, 2,000 and 4,000 points in H1; in higher dimensions edges are collapsed first (0.07 and
/// 0.26 GB at 2,000 and 4,000).
fn rips_bytes(n: f64, max_dim: usize) -> u64 {
    let squares = 64.0 * n * n;
    (if max_dim == 1 { squares / 2.0 + 0.15 * n * n * n } else { squares }) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_near_what_was_measured() {
        for (n, measured) in [(1000.0, 2e8), (2000.0, 1.4e9), (4000.0, 8.5e9)] {
            let ratio = rips_bytes(n, 1) as f64 / measured;
            assert!((0.5..2.0).contains(&ratio), "{n}: {ratio}");
        }
        assert!(rips_bytes(4000.0, 2) > 260_000_000);
    }
}
