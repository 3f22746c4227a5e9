//! Rows of the table, from estimates.

use super::greedy::Chosen;
use super::scan::{Estimate, false_discovery_rates};
use crate::data::{MetricRow, Value};

/// A null that varies less than this beside its own size, or the value's, varies by rounding alone.
const RANDOM: f64 = 1e-9;
/// Statistics that only surrogates give.
const OF_NULL: [&str; 4] = ["effective", "null_mean", "null_sd", "effect_size"];

type OfPair = (Option<[String; 2]>, Result<Estimate, String>);

/// The rows of all pairs, in their order.
pub fn of_pairs(estimates: Vec<OfPair>, lags: &[usize], surrogates: u32, unit_of_measure: &str) -> Vec<MetricRow> {
    let p: Vec<f64> = estimates.iter().filter_map(|(_, estimate)| estimate.as_ref().ok()?.p).collect();
    let mut q = if p.len() > 1 { false_discovery_rates(&p).into_iter() } else { Vec::new().into_iter() };
    let mut rows = Vec::new();
    for (names, estimate) in estimates {
        let q = estimate.as_ref().ok().and_then(|estimate| estimate.p).and_then(|_| q.next());
        rows.extend(of_pair(names, estimate, q, lags, surrogates, unit_of_measure));
    }
    rows
}

fn of_pair(
    names: Option<[String; 2]>,
    estimate: Result<Estimate, String>,
    q: Option<f64>,
    lags: &[usize],
    surrogates: u32,
    unit_of_measure: &str,
) -> Vec<MetricRow> {
    let [source, target] = names.map_or([None, None], |names| names.map(Some));
    let row = |statistic: &str, value: Value, unit: &str| MetricRow {
        source: source.clone(),
        target: target.clone(),
        ..MetricRow::new(statistic, value, unit)
    };
    let estimate = match estimate {
        Ok(estimate) => estimate,
        Err(reason) => {
            let names = ["value"].into_iter().chain(OF_NULL.into_iter().filter(|_| surrogates > 0));
            return names.map(|statistic| row(statistic, Value::Undefined(reason.clone()), unit_of_measure)).collect();
        }
    };
    let mut first = row("value", Value::Known(estimate.value), unit_of_measure);
    first.ci_low = estimate.interval.map(|ends| ends.0);
    first.ci_high = estimate.interval.map(|ends| ends.1);
    first.p_value = estimate.p;
    first.surrogates = u32::try_from(estimate.null.len()).ok().filter(|&n| n > 0);
    let mut rows = vec![first];
    if surrogates > 0 {
        let n = estimate.null.len() as f64;
        let mean = estimate.null.iter().sum::<f64>() / n;
        let sd = (estimate.null.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let effective = estimate.value - mean;
        let numbers = [
            Value::of(effective, "no surrogate has an estimate"),
            Value::of(mean, "no surrogate has an estimate"),
            Value::of(sd, "one surrogate has no standard deviation"),
            if sd > RANDOM * estimate.value.abs().max(mean.abs()) {
                Value::Known(effective / sd)
            } else {
                Value::Absent("the null does not vary".into())
            },
        ];
        let units = [unit_of_measure, unit_of_measure, unit_of_measure, "1"];
        rows.extend(OF_NULL.into_iter().zip(numbers).zip(units).map(|((name, value), unit)| row(name, value, unit)));
    }
    rows.extend(q.map(|q| row("q_value", Value::Known(q), "1")));
    if lags.len() > 1 {
        rows.push(row("lag", Value::Known(estimate.lag as f64), "sample"));
        let by_lag = lags.iter().zip(&estimate.by_lag);
        rows.extend(by_lag.map(|(lag, &value)| row(&format!("value_lag_{lag}"), Value::Known(value), unit_of_measure)));
    }
    rows
}

/// Members and delay of the history that was chosen for each channel as a target.
pub fn of_histories(own: &[(usize, usize)], channels: &[String]) -> Vec<MetricRow> {
    let row =
        |name: &str, number: usize, unit: &str, channel: &String| MetricRow::new(name, Value::Known(number as f64), unit).target(channel);
    let of_channel = |(&(members, delay), channel): (&(usize, usize), &String)| {
        [row("target_history", members, "1", channel), row("target_delay", delay, "sample", channel)]
    };
    own.iter().zip(channels).flat_map(of_channel).collect()
}

type Asked<'a> = (&'a Option<[String; 2]>, &'a Result<(usize, usize), String>);

/// The rows of pairs whose histories were chosen, then those of the targets: all sources together, and the target's own past.
pub fn of_choices<'a>(
    pairs: impl Iterator<Item = Asked<'a>>,
    found: &[(usize, Result<Chosen, String>)],
    channels: &[String],
    surrogates: u32,
) -> Vec<MetricRow> {
    let mut rows = Vec::new();
    for (names, place) in pairs {
        let [source, target] = names.clone().map_or([None, None], |names| names.map(Some));
        let row = |statistic: &str, value: Value, unit: &str| MetricRow {
            source: source.clone(),
            target: target.clone(),
            ..MetricRow::new(statistic, value, unit)
        };
        let (from, to) = match place {
            Ok(place) => *place,
            Err(reason) => {
                rows.push(row("value", Value::Undefined(reason.clone()), "nat"));
                continue;
            }
        };
        let chosen = match found.iter().find(|(target, _)| *target == to).map(|(_, chosen)| chosen) {
            Some(Ok(chosen)) => chosen,
            Some(Err(reason)) => {
                rows.push(row("value", Value::Undefined(reason.clone()), "nat"));
                continue;
            }
            None => continue,
        };
        let Some((_, value)) = chosen.links.iter().find(|(source, _)| *source == from) else {
            rows.push(row("value", Value::Absent("no past value of the source was chosen".into()), "nat"));
            continue;
        };
        // The strongest comes first.
        let of_source: Vec<_> = chosen.sources.iter().filter(|(variable, _, _)| variable.0 == from).collect();
        let mut first = row("value", Value::Known(*value), "nat");
        first.p_value = of_source.first().map(|(_, _, p)| *p);
        first.surrogates = Some(surrogates);
        rows.push(first);
        rows.extend(of_source.first().map(|(variable, _, _)| row("lag", Value::Known(variable.1 as f64), "sample")));
        rows.extend(of_source.iter().map(|((_, lag), value, _)| row(&format!("value_lag_{lag}"), Value::Known(*value), "nat")));
    }
    let tested: Vec<f64> = found.iter().filter_map(|(_, chosen)| chosen.as_ref().ok()?.omnibus.map(|omnibus| omnibus.1)).collect();
    let mut q = false_discovery_rates(&tested).into_iter();
    for (target, chosen) in found.iter().filter_map(|(target, chosen)| Some((target, chosen.as_ref().ok()?))) {
        let row = |statistic: &str, value: Value, unit: &str| MetricRow::new(statistic, value, unit).target(&channels[*target]);
        match chosen.omnibus {
            Some((value, p)) => {
                let mut omnibus = row("omnibus", Value::Known(value), "nat");
                (omnibus.p_value, omnibus.surrogates) = (Some(p), Some(surrogates));
                rows.push(omnibus);
                rows.extend(q.next().map(|q| row("q_value", Value::Known(q), "1")));
            }
            None => rows.push(row("omnibus", Value::Absent("no past value of any source was chosen".into()), "nat")),
        }
        rows.extend(chosen.own.iter().map(|(_, lag)| row(&format!("own_lag_{lag}"), Value::Known(1.0), "1")));
    }
    rows
}
