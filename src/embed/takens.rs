//! Delay embedding: a scalar series becomes a cloud whose shape is that of the system behind it.
//!
//! Point `t` is `[x_0(t), x_0(t+τ), …, x_0(t+(m−1)τ), x_1(t), …]` over all channels, for `t = 0 … n−(m−1)τ−1`
//! (`m`: `dimension`, `τ`: `delay` in samples). F. Takens, "Detecting strange attractors in turbulence", 1981;
//! several channels side by side: Deyle & Sugihara, "Generalized theorems for nonlinear state space reconstruction", 2011.

use super::{Embed, EmbedError, Embedded};
use crate::data::{MetricRow, Points, Series, Value};
use crate::spec::{Entry, Key, Section};
use toml::Spanned;
use toml::de::DeValue;

/// The registry's entry.
pub const ENTRY: Entry<dyn Embed> = Entry {
    kind: "takens",
    summary: "delay embedding of every channel, side by side",
    keys: &[
        Key {
            name: "dimension",
            default: "3",
            help: "delayed copies of each channel, 1 or more; a point has dimension × channels coordinates",
        },
        Key { name: "delay", default: "1", help: "samples between two copies, 1 or more" },
    ],
    parse: |section| Takens::parse(section).map(|takens| Box::new(takens) as Box<dyn Embed>),
};

/// A delay embedding with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Takens {
    dimension: usize,
    delay: usize,
}

impl Takens {
    /// `dimension` copies, `delay` samples apart; both count as 1 when they are 0.
    pub fn new(dimension: usize, delay: usize) -> Self {
        Self { dimension: dimension.max(1), delay: delay.max(1) }
    }

    fn parse(section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        let dimension = number_or_method(section, "dimension", "fnn", 3);
        let delay = number_or_method(section, "delay", "ami", 1);
        (section.diagnostics().len() == before).then(|| Self::new(dimension, delay))
    }
}

impl Embed for Takens {
    fn embed(&self, series: &Series, _seed: u64) -> Result<Embedded, EmbedError> {
        let Self { dimension, delay } = *self;
        let n_samples = series.n_samples();
        let n_points = (dimension - 1).checked_mul(delay).and_then(|reach| n_samples.checked_sub(reach)).filter(|&n| n > 0);
        let Some(n_points) = n_points else {
            let needed = (dimension - 1).saturating_mul(delay).saturating_add(1);
            return Err(EmbedError(format!(
                "a delay embedding with dimension = {dimension} and delay = {delay} needs {needed} samples or more, but there are \
                 {n_samples}: lengthen the window or lower either"
            )));
        };
        let width = dimension * series.n_channels();
        let mut values = vec![0.0; n_points * width];
        for (channel, samples) in series.iter().enumerate() {
            for copy in 0..dimension {
                let delayed = &samples[copy * delay..copy * delay + n_points];
                let column = values[channel * dimension + copy..].iter_mut().step_by(width);
                column.zip(delayed).for_each(|(cell, &sample)| *cell = sample);
            }
        }
        let points = Points::new(values, width).map_err(|error| EmbedError(error.to_string()))?;
        let count = |statistic: &str, number: usize, unit: &str| MetricRow::new(statistic, Value::Known(number as f64), unit);
        let rows = vec![count("delay", delay, "sample"), count("dimension", dimension, "1"), count("points", n_points, "1")];
        Ok(Embedded { points, rows })
    }

    fn params(&self) -> serde_json::Value {
        serde_json::json!({ "method": "takens", "dimension": self.dimension, "delay": self.delay })
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        // About 1 ns a coordinate that is copied.
        1e-9 * (self.dimension * n_channels * n_samples) as f64
    }
}

/// A whole number of at least 1, where the contract also names a `method` that would find it.
fn number_or_method(section: &Section<'_>, key: &'static str, method: &str, default: usize) -> usize {
    if let Some(DeValue::String(text)) = section.raw(key).map(Spanned::get_ref) {
        let (message, hint) = if text.as_ref() == method {
            (format!("`{key} = \"{method}\"` is not available yet"), format!("give a number: `{key} = {default}`"))
        } else {
            (format!("`{key}` must be a whole number, not \"{text}\""), format!("write `{key} = {default}`"))
        };
        section.error(section.span_of(key), message, hint);
        return default;
    }
    section.integer(key, 1).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;

    fn series(channels: &[&[f64]]) -> Series {
        let names = (0..channels.len()).map(|index| format!("c{index}")).collect();
        Series::new(names, channels.concat(), 1.0, 0.0, "").unwrap()
    }

    #[test]
    fn points_hold_the_copies_of_each_channel_in_turn() {
        let two = series(&[&[0.0, 1.0, 2.0, 3.0, 4.0], &[10.0, 11.0, 12.0, 13.0, 14.0]]);
        let out = Takens::new(2, 3).embed(&two, 0).unwrap();
        assert_eq!(out.points.dim(), 4);
        assert_eq!(out.points.values(), [0.0, 3.0, 10.0, 13.0, 1.0, 4.0, 11.0, 14.0]);
        let rows: Vec<_> = out.rows.iter().map(|row| (row.statistic.as_str(), row.value.known().unwrap())).collect();
        assert_eq!(rows, [("delay", 3.0), ("dimension", 2.0), ("points", 2.0)]);
    }

    #[test]
    fn a_sine_a_quarter_period_apart_is_a_circle() {
        let wave: Vec<f64> = (0..400).map(|t| (std::f64::consts::TAU * f64::from(t) / 40.0).sin()).collect();
        let out = Takens::new(2, 10).embed(&series(&[&wave]), 0).unwrap();
        assert!(out.points.iter().all(|point| (point[0].hypot(point[1]) - 1.0).abs() < 1e-12));
    }

    #[test]
    fn a_short_window_says_what_it_needs() {
        let error = Takens::new(3, 10).embed(&series(&[&[0.0; 20]]), 0).unwrap_err().to_string();
        assert!(error.contains("needs 21 samples") && error.contains("there are 20"), "{error}");
        assert_eq!(Takens::new(3, 10).embed(&series(&[&[0.0; 21]]), 0).unwrap().points.len(), 1);
        assert!(Takens::new(usize::MAX, usize::MAX).embed(&series(&[&[0.0; 20]]), 0).is_err());
    }

    #[test]
    fn keys_are_checked() {
        let parse = |text: &str| with_section(text, |section| (ENTRY.parse)(section).map(|embed| embed.params()));
        assert_eq!(parse("").0.unwrap(), serde_json::json!({ "method": "takens", "dimension": 3, "delay": 1 }));
        for (text, message) in [
            ("dimension = \"fnn\"", "`dimension = \"fnn\"` is not available yet"),
            ("delay = \"ami\"", "`delay = \"ami\"` is not available yet"),
            ("delay = \"fnn\"", "`delay` must be a whole number, not \"fnn\""),
            ("dimension = 0", "`dimension` must be 1 or more, not 0"),
            ("delay = 1.5", "`delay` must be a whole number, not a float"),
        ] {
            let (parsed, found) = parse(text);
            assert!(parsed.is_none(), "{text}");
            assert_eq!(found[0].message, message);
        }
    }
}
