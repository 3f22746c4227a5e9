//! `power-spectrum`: Welch's spectrum of each channel, its aperiodic background, its highest peak, and the power of the usual bands.
//!
//! Statistics, one row a channel (`source`): `aperiodic_exponent` and `aperiodic_offset` of the model
//! `log10 P(f) = offset - log10(knee + f^exponent) + Gaussians`; `peak_hz` and `peak_power` of the Gaussian that stands highest above
//! the background (log10); `band_power`, the integral of the density (trapezoids, band edges interpolated), one row a band (`target`):
//! delta 1 to 4 Hz, theta 4 to 8, alpha 8 to 13, beta 13 to 30, gamma 30 to 100, as far as a band lies below half the sampling rate.
//!
//! Welch 1967, doi 10.1109/TAU.1967.1161901; Donoghue et al. 2020, doi 10.1038/s41593-020-00744-x.

use super::{Bench, Metric, Output};
use crate::data::{Curve, CurveKind, MetricRow, Series, Value};
use crate::signal::{AperiodicMode, Detrend, Scaling, SpectralModel, Spectrum, Welch, Window, default_segment, fit_spectrum};
use crate::spec::{Entry, Key, Section};
use rayon::prelude::*;

/// What the registry holds of it.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "power-spectrum",
    summary: "Welch power spectrum, aperiodic exponent, highest peak and band power of each channel",
    keys: KEYS,
    parse,
};

const KEYS: &[Key] = &[
    Key {
        name: "segment_s",
        default: "",
        help: "length of a segment, seconds; by default 2 s or the whole window if that is shorter, and 64 samples of series so slow that 2 s hold fewer than 16",
    },
    Key { name: "overlap", default: "0.5", help: "share of a segment that the next one repeats, from 0 to below 1" },
    Key { name: "window", default: "\"hann\"", help: "taper: hann, hamming, blackman or boxcar" },
    Key { name: "detrend", default: "\"constant\"", help: "what is taken off each segment: constant, linear or none" },
    Key {
        name: "scaling",
        default: "\"density\"",
        help: "density (power per Hz) or spectrum (power); band_power is always the density's integral",
    },
    Key {
        name: "fit_range_hz",
        default: "",
        help: "[low, high] of the aperiodic fit, Hz; by default from the second frequency above 0 to 100 Hz or 0.9 of half the sampling rate, whichever is lower",
    },
    Key { name: "aperiodic", default: "\"fixed\"", help: "background: fixed (straight in log-log) or knee" },
];

/// The bands, Hz.
const BANDS: [(&str, [f64; 2]); 5] =
    [("delta", [1.0, 4.0]), ("theta", [4.0, 8.0]), ("alpha", [8.0, 13.0]), ("beta", [13.0, 30.0]), ("gamma", [30.0, 100.0])];
const MOST_CURVES: usize = 8;
const MOST_CURVE_POINTS: usize = 512;

/// Checked parameters of `power-spectrum`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PowerSpectrum {
    /// Length of a segment, seconds.
    pub segment_s: Option<f64>,
    /// Share of a segment that the next one repeats.
    pub overlap: f64,
    /// Taper.
    pub window: Window,
    /// What is taken off each segment.
    pub detrend: Detrend,
    /// Density or spectrum.
    pub scaling: Scaling,
    /// Range of the fit, Hz.
    pub fit_range_hz: Option<[f64; 2]>,
    /// Form of the background.
    pub aperiodic: AperiodicMode,
}

impl Default for PowerSpectrum {
    fn default() -> Self {
        Self {
            segment_s: None,
            overlap: 0.5,
            window: Window::Hann,
            detrend: Detrend::Constant,
            scaling: Scaling::Density,
            fit_range_hz: None,
            aperiodic: AperiodicMode::Fixed,
        }
    }
}

fn parse(section: &Section<'_>) -> Option<Box<dyn Metric>> {
    let before = section.diagnostics().len();
    let default = PowerSpectrum::default();
    let metric = PowerSpectrum {
        segment_s: section.number_where("segment_s", "greater than 0", |length| length.is_finite() && length > 0.0),
        overlap: section.number_where("overlap", "at least 0 and below 1", |share| (0.0..1.0).contains(&share)).unwrap_or(default.overlap),
        window: section.choice("window", Window::NAMES).and_then(Window::parse).unwrap_or(default.window),
        detrend: section.choice("detrend", Detrend::NAMES).and_then(Detrend::parse).unwrap_or(default.detrend),
        scaling: section.choice("scaling", Scaling::NAMES).and_then(Scaling::parse).unwrap_or(default.scaling),
        fit_range_hz: section.range("fit_range_hz"),
        aperiodic: match section.choice("aperiodic", AperiodicMode::NAMES) {
            Some("knee") => AperiodicMode::Knee,
            _ => AperiodicMode::Fixed,
        },
    };
    if let Some([low, high]) = metric.fit_range_hz.filter(|range| range[0] < 0.0 || !range[1].is_finite()) {
        section.error(section.span_of("fit_range_hz"), format!("`fit_range_hz` must lie above 0 Hz and end, not [{low}, {high}]"), "");
    }
    (section.diagnostics().len() == before).then(|| Box::new(metric) as Box<dyn Metric>)
}

impl Metric for PowerSpectrum {
    fn fits(&self, series: &Series) -> Result<(), String> {
        let (length_s, nyquist_hz) = (series.n_samples() as f64 / series.rate_hz(), series.rate_hz() / 2.0);
        match (self.segment_s, self.fit_range_hz) {
            (Some(segment_s), _) if segment_s > length_s * (1.0 + 1e-9) => {
                Err(format!("`segment_s` is {segment_s} s, but the window has {length_s} s; take longer windows or shorter segments"))
            }
            (_, Some([_, high])) if high > nyquist_hz * (1.0 + 1e-9) => Err(format!(
                "`fit_range_hz` ends at {high} Hz, beyond half the sampling rate ({nyquist_hz} Hz); lower it, or take smaller bins"
            )),
            _ => Ok(()),
        }
    }
    fn statistics(&self) -> &'static [&'static str] {
        &["aperiodic_exponent", "aperiodic_offset", "peak_hz", "peak_power", "band_power"]
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        let series = bench.series;
        let spectra = match self.spectra(series) {
            Ok(spectra) => spectra,
            Err(reason) => {
                let rows = series.channels().iter().flat_map(|channel| self.rows(channel, series, Err(reason.clone()))).collect();
                return Output { rows, curves: Vec::new() };
            }
        };
        let rows: Vec<Vec<MetricRow>> = (0..series.n_channels())
            .into_par_iter()
            .map(|index| {
                let spectrum = with_power(series.channel(index), &spectra[index]);
                self.rows(&series.channels()[index], series, spectrum)
            })
            .collect();
        let curves = series
            .channels()
            .iter()
            .zip(&spectra)
            .filter(|(_, spectrum)| spectrum.power.iter().all(|power| power.is_finite()))
            .take(MOST_CURVES)
            .map(|(channel, spectrum)| self.curve(channel, spectrum, series.rate_hz()));
        Output { rows: rows.concat(), curves: curves.collect() }
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        n_channels as f64 * (2e-3 + 5e-8 * n_samples as f64)
    }
}

impl PowerSpectrum {
    /// Densities, whatever the scaling, since bands integrate them.
    fn spectra(&self, series: &Series) -> Result<Vec<Spectrum>, String> {
        let segment = self.segment(series);
        let overlap = (segment as f64 * self.overlap).floor() as usize;
        let welch = Welch { overlap, window: self.window, detrend: self.detrend, ..Welch::new(segment) };
        welch.spectra(series).map_err(|error| error.to_string())
    }

    fn segment(&self, series: &Series) -> usize {
        match self.segment_s {
            Some(length_s) => (length_s * series.rate_hz()).round() as usize,
            None => default_segment(series.n_samples(), series.rate_hz()),
        }
    }

    /// What a density is multiplied by to follow the job's scaling: the window's noise bandwidth.
    fn scale(&self, spectrum: &Spectrum, rate_hz: f64) -> f64 {
        if self.scaling == Scaling::Density {
            return 1.0;
        }
        let segment = (rate_hz / spectrum.frequencies_hz[1]).round() as usize;
        let window = self.window.values(segment);
        rate_hz * window.iter().map(|w| w * w).sum::<f64>() / window.iter().sum::<f64>().powi(2)
    }

    fn rows(&self, channel: &str, series: &Series, spectrum: Result<&Spectrum, String>) -> Vec<MetricRow> {
        let unit = series.unit_of_measure();
        let squared = if unit.is_empty() { "1".to_owned() } else { format!("{unit}^2") };
        let power_unit = if self.scaling == Scaling::Density { format!("{squared}/Hz") } else { squared.clone() };
        let model = spectrum.clone().and_then(|spectrum| self.fit(spectrum, series.rate_hz()));
        let of_fit = |read: fn(&SpectralModel) -> f64| match &model {
            Ok(model) => Value::of(read(model), "the fit is not finite"),
            Err(reason) => Value::Undefined(reason.clone()),
        };
        let highest = |read: fn(&crate::signal::aperiodic::Peak) -> f64| match &model {
            Ok(model) => match model.peaks.iter().max_by(|a, b| a.power.total_cmp(&b.power)) {
                Some(peak) => Value::Known(read(peak)),
                None => Value::Absent("no peak above the aperiodic fit".into()),
            },
            Err(reason) => Value::Undefined(reason.clone()),
        };
        let mut rows = vec![
            MetricRow::new("aperiodic_exponent", of_fit(|model| model.exponent), "1"),
            MetricRow::new("aperiodic_offset", of_fit(|model| model.offset), format!("log10({power_unit})")),
            MetricRow::new("peak_hz", highest(|peak| peak.centre_hz), "Hz"),
            MetricRow::new("peak_power", highest(|peak| peak.power), "log10"),
        ];
        for (name, band) in BANDS.into_iter().filter(|(_, band)| band[1] <= series.rate_hz() / 2.0) {
            let value = match &spectrum {
                Ok(spectrum) => band_power(spectrum, band),
                Err(reason) => Value::Undefined(reason.clone()),
            };
            rows.push(MetricRow::new("band_power", value, squared.clone()).target(name));
        }
        rows.into_iter().map(|row| row.source(channel)).collect()
    }

    fn fit(&self, spectrum: &Spectrum, rate_hz: f64) -> Result<SpectralModel, String> {
        let spacing = spectrum.frequencies_hz[1];
        let range = self.fit_range_hz.unwrap_or([2.0 * spacing, (0.45 * rate_hz).min(100.0)]);
        let scale = self.scale(spectrum, rate_hz).log10();
        let model = fit_spectrum(&spectrum.frequencies_hz, &spectrum.power, range, self.aperiodic, None);
        model.map(|model| SpectralModel { offset: model.offset + scale, ..model }).map_err(|error| error.to_string())
    }

    /// The spectrum above 0 Hz, thinned to block means where it has too many points to draw.
    fn curve(&self, channel: &str, spectrum: &Spectrum, rate_hz: f64) -> Curve {
        let block = (spectrum.power.len() - 1).div_ceil(MOST_CURVE_POINTS).max(1);
        let means =
            |values: &[f64]| values[1..].chunks(block).map(|chunk| chunk.iter().sum::<f64>() / chunk.len() as f64).collect::<Vec<f64>>();
        let scale = self.scale(spectrum, rate_hz);
        let y = means(&spectrum.power).iter().map(|power| power * scale).collect();
        Curve { kind: CurveKind::Spectrum, channel: channel.to_owned(), x: means(&spectrum.frequencies_hz), y }
    }
}

/// The spectrum, unless the channel has no power to speak of: it is constant, or a line that detrending took away.
fn with_power<'s>(samples: &[f64], spectrum: &'s Spectrum) -> Result<&'s Spectrum, String> {
    if samples.iter().all(|value| *value == samples[0]) {
        return Err("the channel is constant".into());
    }
    let mean_square = samples.iter().map(|value| value * value).sum::<f64>() / samples.len() as f64;
    let integral = spectrum.power.iter().sum::<f64>() * spectrum.frequencies_hz[1];
    if !integral.is_finite() {
        return Err("the channel's values are too large to be squared; use a larger unit of measure".into());
    }
    // Rounding leaves about 1e-32 of the signal's power.
    if integral <= 1e-26 * mean_square { Err("nothing is left of the channel after detrending".into()) } else { Ok(spectrum) }
}

/// The integral of the density over `band`, by trapezoids, with the ends interpolated between frequencies.
fn band_power(spectrum: &Spectrum, band: [f64; 2]) -> Value {
    let (frequencies, power) = (&spectrum.frequencies_hz, &spectrum.power);
    let spacing = frequencies[1];
    let inside: Vec<usize> = (0..power.len()).filter(|&k| band[0] <= frequencies[k] && frequencies[k] <= band[1]).collect();
    if inside.len() < 2 {
        return Value::Undefined(format!("{} to {} Hz holds fewer than two frequencies; use a longer segment", band[0], band[1]));
    }
    let at = |frequency: f64| {
        let below = ((frequency / spacing).floor() as usize).min(power.len() - 2);
        let share = (frequency / spacing - below as f64).min(1.0);
        power[below] + (power[below + 1] - power[below]) * share
    };
    let mut points = vec![(band[0], at(band[0]))];
    points.extend(inside.iter().map(|&k| (frequencies[k], power[k])));
    points.push((band[1], at(band[1])));
    Value::Known(points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;
    use std::f64::consts::TAU;

    /// Pink-ish deterministic noise plus a 10 Hz rhythm, a constant channel, and a ramp.
    fn series(n: usize, rate_hz: f64) -> Series {
        let mut state = 1u64;
        let mut level = 0.0;
        let mut noisy = Vec::new();
        for at in 0..n {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            level = 0.95 * level + (state >> 33) as f64 / 2f64.powi(31) - 0.5;
            noisy.push(level + (TAU * 10.0 * at as f64 / rate_hz).sin());
        }
        let ramp = (0..n).map(|at| at as f64);
        let values = noisy.iter().copied().chain(vec![4.0; n]).chain(ramp).collect();
        Series::new(vec!["noisy".into(), "still".into(), "ramp".into()], values, rate_hz, 0.0, "V").unwrap()
    }

    fn evaluate(metric: &PowerSpectrum, series: &Series) -> Output {
        metric.evaluate(&Bench { series, spikes: None, seed: 0 })
    }

    fn find<'o>(output: &'o Output, statistic: &str, source: &str, target: Option<&str>) -> &'o Value {
        let matches =
            |row: &&MetricRow| row.statistic == statistic && row.source.as_deref() == Some(source) && row.target.as_deref() == target;
        &output.rows.iter().find(matches).unwrap().value
    }

    #[test]
    fn a_rhythm_is_found_and_a_constant_channel_says_so() {
        let output = evaluate(&PowerSpectrum { detrend: Detrend::Linear, ..Default::default() }, &series(20_000, 250.0));
        assert_eq!(output.rows[0].statistic, "aperiodic_exponent");
        assert!((find(&output, "peak_hz", "noisy", None).known().unwrap() - 10.0).abs() < 0.3);
        assert!(find(&output, "peak_power", "noisy", None).known().unwrap() > 1.0);
        let alpha = find(&output, "band_power", "noisy", Some("alpha")).known().unwrap();
        assert!((alpha - 0.5).abs() < 0.1, "{alpha}");
        assert_eq!(*find(&output, "aperiodic_exponent", "still", None), Value::Undefined("the channel is constant".into()));
        assert!(find(&output, "band_power", "ramp", Some("beta")).known().is_none());
        let row = output.rows.iter().find(|row| row.statistic == "aperiodic_offset").unwrap();
        assert_eq!(row.unit_of_measure, "log10(V^2/Hz)");
    }

    #[test]
    fn bands_beyond_half_the_rate_are_left_out() {
        let output = evaluate(&PowerSpectrum::default(), &series(5000, 100.0));
        let bands: Vec<_> =
            output.rows.iter().filter(|row| row.source.as_deref() == Some("noisy")).filter_map(|row| row.target.as_deref()).collect();
        assert_eq!(bands, ["delta", "theta", "alpha", "beta"]);
    }

    #[test]
    fn short_windows_give_reasons_and_no_panic() {
        for n in [1, 2, 3, 5, 16, 17, 40] {
            let output = evaluate(&PowerSpectrum::default(), &series(n, 250.0));
            assert_eq!(output.rows.len(), 3 * 9, "{n}");
            assert!(output.rows.iter().all(|row| row.value.known().is_none_or(f64::is_finite)));
        }
        let long = PowerSpectrum { segment_s: Some(10.0), ..Default::default() };
        let output = evaluate(&long, &series(500, 250.0));
        let Value::Undefined(reason) = &output.rows[0].value else { panic!("defined") };
        assert!(reason.contains("2500 samples"), "{reason}");
        assert!(evaluate(&PowerSpectrum { segment_s: Some(1e300), ..long.clone() }, &series(500, 250.0)).rows[0].value.known().is_none());
        assert!(evaluate(&PowerSpectrum { segment_s: Some(1e-9), ..long }, &series(500, 250.0)).rows[0].value.known().is_none());
    }

    #[test]
    fn values_whose_squares_overflow_say_so() {
        let huge = series(1000, 250.0);
        let huge = huge.with_values(huge.values().iter().map(|value| value * 1e200).collect()).unwrap();
        let output = evaluate(&PowerSpectrum::default(), &huge);
        assert!(output.rows.iter().all(|row| row.value.known().is_none()));
        assert!(matches!(&output.rows[0].value, Value::Undefined(reason) if reason.contains("too large")));
        assert!(output.curves.iter().all(|curve| curve.y.iter().all(|power| power.is_finite())));
    }

    #[test]
    fn a_spectrum_scaling_shifts_the_offset_and_leaves_the_rest() {
        let density = evaluate(&PowerSpectrum::default(), &series(5000, 250.0));
        let spectrum = evaluate(&PowerSpectrum { scaling: Scaling::Spectrum, ..Default::default() }, &series(5000, 250.0));
        let offset = |output| find(output, "aperiodic_offset", "noisy", None).known().unwrap();
        // A Hann window's noise bandwidth is 1.5 frequency steps of 0.5 Hz.
        assert!((offset(&spectrum) - offset(&density) - 0.75f64.log10()).abs() < 1e-9);
        assert_eq!(density.rows[0], spectrum.rows[0]);
    }

    #[test]
    fn curves_are_few_and_thin() {
        let many = Series::new(
            (0..12).map(|at| at.to_string()).collect(),
            (0..12 * 9000).map(|at| f64::from(at % 977)).collect(),
            4500.0,
            0.0,
            "",
        )
        .unwrap();
        let output = evaluate(&PowerSpectrum { segment_s: Some(1.0), ..Default::default() }, &many);
        assert_eq!(output.curves.len(), 8);
        assert!(output.curves.iter().all(|curve| curve.x.len() <= 512 && curve.x.len() == curve.y.len() && curve.x[0] > 0.0));
    }

    #[test]
    fn keys_are_read_and_checked() {
        let text = "segment_s = 1\noverlap = 0.25\nwindow = \"hamming\"\ndetrend = \"linear\"\nscaling = \"spectrum\"\nfit_range_hz = [2, 40]\naperiodic = \"knee\"";
        let (params, found) = with_section(text, |section| parse(section).map(|metric| metric.params()));
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(
            params.unwrap(),
            serde_json::json!({"segment_s": 1.0, "overlap": 0.25, "window": "hamming", "detrend": "linear", "scaling": "spectrum", "fit_range_hz": [2.0, 40.0], "aperiodic": "knee"})
        );
        for text in
            ["segment_s = 0", "overlap = 1.0", "window = \"han\"", "aperiodic = 3", "fit_range_hz = [-1, 4]", "fit_range_hz = [1, inf]"]
        {
            let (metric, found) = with_section(text, |section| parse(section).is_some());
            assert!(!metric && found.len() == 1, "{text}: {found:?}");
        }
        let (_, found) = with_section(
            KEYS.iter().map(|key| key.name).fold(String::new(), |text, key| format!("{text}{key} = {{}}\n")).as_str(),
            |section| {
                parse(section);
                section.finish();
            },
        );
        assert!(found.iter().all(|diagnostic| !diagnostic.message.contains("unknown")), "every key of the entry is read");
    }
}
