//! Autoregressive process: `x(t) = sum_i a_i x(t - i) + sd N(0, 1)`, independent in each channel.
//!
//! It starts in its stationary law: the step-down recursion gives the predictors of every lower order, by which the first samples
//! are drawn, so nothing has to be dropped. A reflection coefficient of 1 or more in absolute value means that it is not stationary.
//!
//! Box, Jenkins & Reinsel 2008, Time Series Analysis, chapter 3; recursion: Durbin 1960, Rev. Inst. Int. Stat. 28:233.

use super::{Model, SignalKind, checked, count, numbered, positive, random, series, series_header};
use crate::data::{Content, DataError};
use crate::read::Header;
use crate::spec::{Entry, Key, Section};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::Serialize;

/// The model's entry.
pub const ENTRY: Entry<dyn Model> = Entry {
    kind: "ar",
    summary: "Gaussian autoregressive process (series)",
    keys: &[
        Key { name: "coefficients", default: "[0.9]", help: "weights of the last samples, latest first; must be stationary" },
        Key { name: "sd", default: "1.0", help: "standard deviation of the innovations" },
        Key { name: "samples", default: "10000", help: "samples a channel" },
        Key { name: "rate_hz", default: "100.0", help: "samples a second" },
        Key { name: "channels", default: "1", help: "independent copies" },
    ],
    parse,
};

#[derive(Debug, Serialize)]
struct Ar {
    coefficients: Vec<f64>,
    sd: f64,
    samples: usize,
    rate_hz: f64,
    channels: usize,
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Model>> {
    let problems = section.diagnostics().len();
    let model = Ar {
        coefficients: section.numbers("coefficients").unwrap_or_else(|| vec![0.9]),
        sd: positive(section, "sd", 1.0),
        samples: count(section, "samples", 1, 10_000),
        rate_hz: positive(section, "rate_hz", 100.0),
        channels: count(section, "channels", 1, 1),
    };
    if predictors(&model.coefficients, 1.0).is_none() {
        section.error(
            section.span_of("coefficients"),
            "`coefficients` give no stationary process",
            "make them smaller: all roots must lie outside the unit circle",
        );
    }
    let size = model.samples as f64 * model.channels as f64;
    checked(section, problems, size, model)
}

/// The best linear predictor of each order up to the process's own, and its error's standard deviation; `None` when not stationary.
fn predictors(coefficients: &[f64], sd: f64) -> Option<Vec<(Vec<f64>, f64)>> {
    let mut all = vec![(coefficients.to_vec(), sd)];
    let (mut current, mut variance) = (coefficients.to_vec(), sd * sd);
    while let Some(reflection) = current.pop() {
        let left = 1.0 - reflection * reflection;
        if left.is_nan() || left <= 0.0 {
            return None;
        }
        current = (0..current.len()).map(|i| (current[i] + reflection * current[current.len() - 1 - i]) / left).collect();
        variance /= left;
        all.push((current.clone(), variance.sqrt()));
    }
    all.reverse();
    Some(all)
}

impl Model for Ar {
    fn simulate(&self, seed: u64) -> Result<Content, DataError> {
        let predictors = predictors(&self.coefficients, self.sd).ok_or_else(|| DataError::new("the process is not stationary"))?;
        let mut values = Vec::with_capacity(self.channels * self.samples);
        for channel in 0..self.channels {
            let mut random = random(seed, channel as u64);
            let start = values.len();
            for t in 0..self.samples {
                let (weights, sd) = &predictors[t.min(self.coefficients.len())];
                let past: f64 = weights.iter().zip(values[start..].iter().rev()).map(|(weight, value)| weight * value).sum();
                values.push(past + sd * random.sample::<f64, _>(StandardNormal));
            }
        }
        series(numbered(self.channels), values, self.rate_hz)
    }
    fn header(&self) -> Header {
        series_header(numbered(self.channels), self.rate_hz, self.samples)
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
    fn version(&self) -> u32 {
        1
    }
    fn citation(&self) -> &'static str {
        "Box, Jenkins & Reinsel 2008, Time Series Analysis, chapter 3"
    }
    fn signal(&self) -> SignalKind {
        SignalKind::Series
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{covariance, parse, series_of};
    use super::*;

    /// AR(2): variance `(1 - a2) sd^2 / ((1 + a2) ((1 - a2)^2 - a1^2))`, first correlation `a1 / (1 - a2)`.
    #[test]
    fn the_autocovariance_of_order_two_is_the_closed_form() {
        let (a1, a2, sd) = (0.5, -0.3, 2.0);
        let variance = (1.0 - a2) * sd * sd / ((1.0 + a2) * ((1.0_f64 - a2).powi(2) - a1 * a1));
        let x = series_of("ar", "coefficients = [0.5, -0.3]\nsd = 2.0\nsamples = 200000", 1);
        let x = x.channel(0);
        assert!((covariance(x, x) / variance - 1.0).abs() < 0.015, "{} against {variance}", covariance(x, x));
        let first = covariance(&x[1..], &x[..x.len() - 1]) / covariance(x, x);
        assert!((first - a1 / (1.0 - a2)).abs() < 0.01, "{first}");
    }

    #[test]
    fn the_start_has_the_stationary_variance() {
        let all = predictors(&[0.9], 1.0).unwrap();
        assert!((all[0].1.powi(2) - 1.0 / (1.0 - 0.81)).abs() < 1e-12);
        let first: Vec<_> = series_of("ar", "samples = 1\nchannels = 20000", 1).iter().map(|channel| channel[0]).collect();
        assert!((covariance(&first, &first) * (1.0 - 0.81) - 1.0).abs() < 0.04);
    }

    #[test]
    fn stationarity_is_checked() {
        for (coefficients, allowed) in [
            ("[]", true),
            ("[1.0]", false),
            ("[0.5, 0.49]", true),
            ("[0.5, 0.51]", false),
            ("[1.8, -0.9]", true),
            ("[0.0, 0.0, 1.01]", false),
        ] {
            assert_eq!(parse("ar", &format!("coefficients = {coefficients}")).0.is_some(), allowed, "{coefficients}");
        }
    }
}
