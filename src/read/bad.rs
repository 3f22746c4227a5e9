//! Bad channels: flat, saturated or noisy ones, found from a few stretches of a recording and reported, or left out when asked.
//!
//! | flag | a channel has it when |
//! | --- | --- |
//! | flat | all sampled values are equal |
//! | saturated | at least 1 % of them stand at its largest or smallest value, in runs of three or more |
//! | noisy | its spread (1.4826 x median absolute deviation) is more than 5 times the median spread of the channels that are not flat |
//!
//! The noisy rule is that of SpikeInterface's `detect_bad_channels(method="mad")` with its default threshold.

use super::{Header, ReadError, Reader};
use crate::data::{Content, Series, Span};
use serde::{Deserialize, Serialize};

/// What to do with bad channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadChannels {
    /// Name them in a note.
    Report,
    /// Name them and leave them out.
    Exclude,
}

/// Longest of the three stretches that are looked at, seconds.
const STRETCH_S: f64 = 2.0;
/// Most values of one stretch.
const MOST_VALUES: f64 = 4e6;
/// Share of samples at an extreme that makes a channel saturated.
const AT_EXTREME: f64 = 0.01;
/// Times the median spread that makes a channel noisy.
const NOISY: f64 = 5.0;

/// A flagged channel: its index and why.
pub type Flag = (usize, &'static str);

/// Flags of the channels of some stretches (of the same channels).
pub fn flags(stretches: &[Series]) -> Vec<Flag> {
    let Some(first) = stretches.first() else { return Vec::new() };
    let samples = |channel: usize| stretches.iter().flat_map(|series| series.channel(channel).iter().copied()).collect::<Vec<f64>>();
    let channels: Vec<Vec<f64>> = (0..first.n_channels()).map(samples).collect();
    let flat: Vec<bool> = channels.iter().map(|samples| samples.iter().all(|value| *value == samples[0])).collect();
    let spreads: Vec<f64> = channels.iter().map(|samples| spread(samples)).collect();
    let mut alive: Vec<f64> = spreads.iter().zip(&flat).filter(|(_, flat)| !**flat).map(|(spread, _)| *spread).collect();
    let usual = if alive.is_empty() { 0.0 } else { median(&mut alive) };
    let flag = |channel: usize| {
        if flat[channel] {
            Some("flat")
        } else if is_saturated(&channels[channel]) {
            Some("saturated")
        } else {
            (usual > 0.0 && spreads[channel] > NOISY * usual).then_some("noisy")
        }
    };
    (0..channels.len()).filter_map(|channel| Some((channel, flag(channel)?))).collect()
}

fn spread(samples: &[f64]) -> f64 {
    let middle = median(&mut samples.to_vec());
    1.4826 * median(&mut samples.iter().map(|value| (value - middle).abs()).collect::<Vec<_>>())
}

fn median(values: &mut [f64]) -> f64 {
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if odd { upper } else { (below.iter().copied().fold(f64::NEG_INFINITY, f64::max) + upper) / 2.0 }
}

fn is_saturated(samples: &[f64]) -> bool {
    let (low, high) = samples.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    // Two-valued signals (triggers, truth values) rest at their extremes by nature.
    if samples.iter().all(|&value| value == low || value == high) {
        return false;
    }
    [low, high].into_iter().any(|extreme| {
        let runs = samples.chunk_by(|a, b| (*a == extreme) == (*b == extreme));
        let held: usize = runs.filter(|run| run[0] == extreme && run.len() >= 3).map(<[f64]>::len).sum();
        held as f64 >= AT_EXTREME * samples.len() as f64
    })
}

/// Reads up to three stretches (start, middle, end) of a series; those that cannot be read are left out.
pub fn stretches(reader: &mut dyn Reader) -> Vec<Series> {
    let header = reader.header();
    let (span, n) = (header.span, header.channels.len().max(1));
    let Some(rate_hz) = header.rate_hz else { return Vec::new() };
    let length_s = STRETCH_S.min(span.length_s() / 3.0).min(MOST_VALUES / n as f64 / rate_hz).max(4.0 / rate_hz);
    let starts = [span.start_s, span.start_s + (span.length_s() - length_s) / 2.0, span.stop_s - length_s];
    let read = |start_s: f64| match reader.read(Some(Span { start_s, stop_s: start_s + length_s })) {
        Ok(Content::Series(series)) => Some(series),
        _ => None,
    };
    starts.into_iter().filter_map(read).collect()
}

/// One line about some flags: how many of each kind and the first names.
pub fn describe(flags: &[Flag], names: &[String]) -> Option<String> {
    if flags.is_empty() {
        return None;
    }
    let shown: Vec<String> = flags.iter().take(12).map(|(channel, why)| format!("{} {why}", names[*channel])).collect();
    let more = if flags.len() > 12 { format!(", and {} more", flags.len() - 12) } else { String::new() };
    Some(format!("{} of {} channels look bad: {}{more}", flags.len(), names.len(), shown.join(", ")))
}

/// A reader whose bad channels are named, and left out when asked.
struct Judged {
    inner: Box<dyn Reader>,
    header: Header,
    kept: Vec<usize>,
}

/// Looks at the channels of a series and wraps its reader.
///
/// # Errors
/// `no-channels` when none would be left.
pub fn judge(mut inner: Box<dyn Reader>, what: BadChannels) -> Result<Box<dyn Reader>, ReadError> {
    let seen = stretches(inner.as_mut());
    let mut header = inner.header().clone();
    let names: Vec<String> = header.channels.iter().map(|channel| channel.name.clone()).collect();
    let mut kept: Vec<usize> = (0..names.len()).collect();
    if seen.is_empty() {
        header.notes.push("channels were not looked at for bad ones: no stretch of the recording could be read".to_owned());
    }
    let flags = flags(&seen);
    if let Some(note) = describe(&flags, &names) {
        let done = if what == BadChannels::Exclude { "; they were left out" } else { "" };
        header.notes.push(format!("{note}{done}"));
    }
    if what == BadChannels::Exclude {
        kept.retain(|channel| !flags.iter().any(|(flagged, _)| flagged == channel));
        if kept.is_empty() {
            let error = ReadError::new(std::path::Path::new(""), "no-channels", "every channel looks bad (flat, saturated or noisy)");
            return Err(error.hint("use `bad_channels = \"report\"` to see which and keep them"));
        }
        header.groups = kept.iter().filter_map(|&channel| header.groups.get(channel).cloned()).collect();
        header.channels = kept.iter().map(|&channel| header.channels[channel].clone()).collect();
    }
    Ok(Box::new(Judged { inner, header, kept }))
}

impl Reader for Judged {
    fn header(&self) -> &Header {
        &self.header
    }
    fn read(&mut self, span: Option<Span>) -> Result<Content, ReadError> {
        let Content::Series(all) = self.inner.read(span)? else { return self.inner.read(span) };
        if self.kept.len() == all.n_channels() {
            return Ok(Content::Series(all));
        }
        let names = self.kept.iter().map(|&channel| all.channels()[channel].clone()).collect();
        let values = self.kept.iter().flat_map(|&channel| all.channel(channel).iter().copied()).collect();
        let some = Series::new(names, values, all.rate_hz(), all.t_start_s(), all.unit_of_measure());
        some.map(Content::Series).map_err(|error| ReadError::new(std::path::Path::new(""), "not-finite", error.to_string()))
    }
    fn interval_column(&self, table: &str, column: &str) -> Result<Vec<f64>, ReadError> {
        self.inner.interval_column(table, column)
    }
    fn interval_rows(&self, table: &str, condition: &super::Filter) -> Result<Vec<usize>, ReadError> {
        self.inner.interval_rows(table, condition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_has_its_channel() {
        let wave = |at: usize, channel: usize| ((at * (channel + 3)) as f64 * 0.37).sin() + 0.1 * ((at * at % 17) as f64);
        let mut values: Vec<f64> = (0..6).flat_map(|channel| (0..1000).map(move |at| wave(at, channel))).collect();
        values[1000..2000].fill(0.25);
        values[2000..3000].iter_mut().for_each(|value| *value = value.clamp(-0.3, 0.3));
        values[3000..4000].iter_mut().for_each(|value| *value *= 40.0);
        values[4000..5000].iter_mut().for_each(|value| *value = f64::from(u8::from(*value > 0.0)));
        let names = (0..6).map(|channel| channel.to_string()).collect();
        let series = Series::new(names, values, 100.0, 0.0, "V").unwrap();
        assert_eq!(flags(&[series]), [(1, "flat"), (2, "saturated"), (3, "noisy")]);
        assert!(flags(&[]).is_empty());
    }
}
