//! A few thousand points of what was analysed, for the report's raster or trace.

use crate::data::{Content, Curve, CurveKind, Series, Spikes};

/// Trains drawn at most.
const MAX_TRAINS: usize = 60;
/// Spikes drawn at most, all trains together.
const MAX_SPIKES: usize = 4000;
/// Seconds drawn at most.
const MAX_RASTER_S: f64 = 30.0;
/// Channels drawn at most.
const MAX_CHANNELS: usize = 8;
/// Samples drawn at most a channel.
const MAX_SAMPLES: usize = 1000;
/// Seconds of a trace drawn at most, unless that is less than the samples allowed.
const MAX_TRACE_S: f64 = 10.0;

/// The curves of one window: the first seconds, evenly chosen channels; nothing for points and distances.
pub fn curves(content: &Content) -> Vec<Curve> {
    match content {
        Content::Spikes(spikes) => raster(spikes),
        Content::Series(series) => traces(series),
        Content::Points(_) | Content::Distances(_) => Vec::new(),
    }
}

fn raster(spikes: &Spikes) -> Vec<Curve> {
    let stride = spikes.trains().len().div_ceil(MAX_TRAINS).max(1);
    let chosen: Vec<_> = spikes.trains().iter().step_by(stride).collect();
    let start = spikes.span().start_s;
    let count = |length: f64| chosen.iter().map(|train| train.times_s.partition_point(|&t| t < start + length)).sum::<usize>();
    let mut length = spikes.span().length_s().min(MAX_RASTER_S);
    while count(length) > MAX_SPIKES {
        length /= 2.0;
    }
    chosen
        .iter()
        .enumerate()
        .map(|(row, train)| {
            let n = train.times_s.partition_point(|&t| t < start + length);
            Curve { kind: CurveKind::Raster, channel: train.id.clone(), x: train.times_s[..n].to_vec(), y: vec![row as f64; n] }
        })
        .collect()
}

fn traces(series: &Series) -> Vec<Curve> {
    let stride = series.n_channels().div_ceil(MAX_CHANNELS).max(1);
    let shown = series.n_samples().min(((series.rate_hz() * MAX_TRACE_S) as usize).max(MAX_SAMPLES));
    let every = shown.div_ceil(MAX_SAMPLES).max(1);
    (0..series.n_channels())
        .step_by(stride)
        .map(|channel| {
            let at: Vec<usize> = (0..shown).step_by(every).collect();
            Curve {
                kind: CurveKind::Trace,
                channel: series.channels()[channel].clone(),
                x: at.iter().map(|&k| series.t_start_s() + k as f64 / series.rate_hz()).collect(),
                y: at.iter().map(|&k| series.channel(channel)[k]).collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Span, SpikeTrain};

    #[test]
    fn previews_stay_small() {
        let times: Vec<f64> = (0..100_000).map(|k| f64::from(k) * 1e-3).collect();
        let train = |id: usize| SpikeTrain { id: id.to_string(), location: None, times_s: times.clone() };
        let spikes = Spikes::new((0..200).map(train).collect(), Span { start_s: 0.0, stop_s: 100.0 }).unwrap();
        let curves = curves(&Content::Spikes(spikes));
        assert!(curves.len() <= MAX_TRAINS && curves.iter().map(|curve| curve.x.len()).sum::<usize>() <= MAX_SPIKES);
        let names = (0..20).map(|k| k.to_string()).collect();
        let series = Series::new(names, vec![0.0; 20 * 50_000], 1000.0, 0.0, "V").unwrap();
        let curves = super::curves(&Content::Series(series));
        assert!(curves.len() <= MAX_CHANNELS && curves.iter().all(|curve| curve.x.len() <= MAX_SAMPLES));
        assert!((curves[0].x.last().unwrap() - 9.99).abs() < 1e-9);
    }
}
