//! What a `[[dataset]]` says of the preparation of its windows: filters, references, bins, controls.

use super::Preparation;
use super::datasets::name_of;
use crate::read::SignalKind;
use crate::read::bad::BadChannels;
use crate::signal::control::Control;
use crate::signal::{Detrend, Reference};
use crate::spec::Section;

/// Keys that need channels in time.
const OF_SERIES: &[&str] = &["bandpass_hz", "notch_hz", "rereference", "resample_hz", "bad_channels"];
/// Keys that need spikes.
const OF_SPIKES: &[&str] = &["bin_s", "smooth_s"];
/// Keys that need either.
const OF_EITHER: &[&str] = &["detrend", "zscore", "control"];

/// Checks the keys of the preparation.
pub(super) fn preparation(section: &Section<'_>, signal: Option<SignalKind>) -> Preparation {
    let positive = |number: f64| number > 0.0 && number.is_finite();
    let bandpass_hz = section.range("bandpass_hz");
    if bandpass_hz.is_some_and(|[low, _]| low <= 0.0) {
        section.error(section.span_of("bandpass_hz"), "`bandpass_hz` must lie above 0 Hz", "");
    }
    let control = section.choice("control", Control::NAMES).and_then(Control::parse);
    let made = Preparation {
        bad_channels: section.choice("bad_channels", &["report", "exclude"]).map(|what| match what {
            "exclude" => BadChannels::Exclude,
            _ => BadChannels::Report,
        }),
        rereference: section.choice("rereference", Reference::NAMES).and_then(Reference::parse),
        notch_hz: notches(section),
        bandpass_hz,
        resample_hz: section.number_where("resample_hz", "greater than 0", positive),
        bin_s: section.number_where("bin_s", "greater than 0", positive).unwrap_or(0.01),
        smooth_s: section.number_where("smooth_s", "greater than 0", positive),
        detrend: section.choice("detrend", Detrend::NAMES).and_then(Detrend::parse).filter(|trend| *trend != Detrend::None),
        zscore: section.boolean("zscore").unwrap_or(false),
        control,
    };
    fits(section, signal, control);
    made
}

/// One frequency or several.
fn notches(section: &Section<'_>) -> Vec<f64> {
    let single = section.raw("notch_hz").and_then(|value| crate::spec::number_of(value.get_ref()));
    let all = single.map(|hz| vec![hz]).or_else(|| section.numbers("notch_hz")).unwrap_or_default();
    if all.iter().any(|hz| !(*hz > 0.0 && hz.is_finite())) {
        section.error(section.span_of("notch_hz"), "`notch_hz` must lie above 0 Hz", "");
    }
    all
}

/// Reports keys that do not go with the signal.
fn fits(section: &Section<'_>, signal: Option<SignalKind>, control: Option<Control>) {
    let Some(signal) = signal else { return };
    let wrong = |keys: &'static [&'static str], wanted: &str| {
        for &key in keys.iter().filter(|&&key| section.raw(key).is_some()) {
            let message = format!("`{key}` goes with `signal = \"{wanted}\"`, not with \"{}\"", name_of(signal));
            section.error(section.span_of(key), message, "");
        }
    };
    if signal != SignalKind::Series {
        wrong(OF_SERIES, "series");
    }
    if signal != SignalKind::Spikes {
        wrong(OF_SPIKES, "spikes");
    }
    if !matches!(signal, SignalKind::Series | SignalKind::Spikes) {
        wrong(OF_EITHER, "series");
    }
    let fits = match signal {
        SignalKind::Spikes => control.is_none_or(Control::fits_spikes),
        SignalKind::Series => control.is_none_or(Control::fits_series),
        _ => true,
    };
    if let (Some(control), false) = (control, fits) {
        let message = format!("`control = \"{}\"` does not go with `signal = \"{}\"`", control.name(), name_of(signal));
        section.error(section.span_of("control"), message, "");
    }
}
