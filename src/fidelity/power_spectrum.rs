//! `power-spectrum`: how alike two segments' spectra are in shape.
//!
//! Profile: Welch's spectrum (periodic Hann, 2 s, half overlapping, without the mean; see [`default_segment`] for short and slow
//! signals) averaged over sixths of an octave, in decibels, above 0 up to 0.9 of half the sampling rate. Of spikes it is the spectrum
//! of the population's summed counts, of series the mean over the channels that vary; z-scored before, so that units of measure do not
//! count. Bands are centred on `2^(k/6)` Hz whatever the rate, so that recordings of different rates share them; averaging makes short
//! segments comparable at all (a single frequency of a few windows errs by several decibels) and weighs frequencies as a log axis does.
//!
//! Distance: the root mean square over the common bands of the difference in decibels, after each spectrum's mean level there is taken
//! off: a log-spectral distance of shapes. Headline: the aperiodic exponent from the second frequency to 100 Hz or the last, whichever
//! is lower (Donoghue et al. 2020, doi 10.1038/s41593-020-00744-x).

use super::{Profile, Test};
use crate::data::{Series, SpikeTrain};
use crate::signal::{AperiodicMode, Welch, default_segment, fit_spectrum};
use crate::spec::{Entry, Section};

/// What the registry holds of it.
pub const ENTRY: Entry<dyn Test> = Entry {
    kind: "power-spectrum",
    summary: "shape of the power spectrum, root-mean-square difference in decibels",
    keys: &[],
    parse: |_: &Section<'_>| Some(Box::new(PowerSpectrum)),
};

/// Above this share of half the sampling rate, anti-alias filters shape a spectrum more than its source does.
const TOP_SHARE: f64 = 0.9;
/// Spectra reach this far below their greatest power; beyond it rounding and exact zeros would decide.
const FLOOR: f64 = 1e-12;
const BANDS_AN_OCTAVE: f64 = 6.0;
/// Fewest frequencies of a spectrum, and fewest bands that two must share.
const FEWEST: usize = 8;

/// The test; it has no parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerSpectrum;

impl Test for PowerSpectrum {
    fn name(&self) -> &'static str {
        "power-spectrum"
    }
    fn family(&self) -> &'static str {
        "spectrum"
    }
    fn statistic(&self) -> &'static str {
        "aperiodic_exponent"
    }
    fn profile(&self, series: &Series, trains: Option<&[SpikeTrain]>) -> Result<Profile, String> {
        let rate_hz = series.rate_hz();
        let channels = if trains.is_some() { vec![summed(series)] } else { series.iter().map(<[f64]>::to_vec).collect() };
        let varying: Vec<Vec<f64>> = channels.iter().filter_map(|samples| z_scored(samples)).collect();
        if varying.is_empty() {
            return Err(if trains.is_some() { "the population's spike count never changes" } else { "every channel is constant" }.into());
        }
        let welch = Welch::new(default_segment(series.n_samples(), rate_hz));
        let mut power = Vec::new();
        let mut frequencies = Vec::new();
        for samples in &varying {
            let spectrum = welch.spectrum(samples, rate_hz).map_err(|error| error.to_string())?;
            power.resize(spectrum.power.len(), 0.0);
            power.iter_mut().zip(&spectrum.power).for_each(|(sum, power)| *sum += power / varying.len() as f64);
            frequencies = spectrum.frequencies_hz;
        }
        profile_of(&frequencies, &power, TOP_SHARE * rate_hz / 2.0)
    }
    fn distance(&self, a: &Profile, b: &Profile) -> Result<f64, String> {
        // Equal bands have equal centres to the bit, as both come of one formula.
        let at = |x: &f64| b.x.binary_search_by(|other| other.total_cmp(x)).ok();
        let differences: Vec<f64> = a.x.iter().zip(&a.y).filter_map(|(x, y)| Some(y - b.y[at(x)?])).collect();
        if differences.len() < FEWEST {
            return Err(format!(
                "the spectra share {} bands, and {FEWEST} are needed; bring the datasets to one sampling rate",
                differences.len()
            ));
        }
        let n = differences.len() as f64;
        let level = differences.iter().sum::<f64>() / n;
        Ok((differences.iter().map(|difference| (difference - level).powi(2)).sum::<f64>() / n).sqrt())
    }
    fn params(&self) -> serde_json::Value {
        serde_json::json!({})
    }
    fn version(&self) -> u32 {
        1
    }
}

fn summed(series: &Series) -> Vec<f64> {
    let mut sums = vec![0.0; series.n_samples()];
    series.iter().for_each(|samples| sums.iter_mut().zip(samples).for_each(|(sum, value)| *sum += value));
    sums
}

/// `None` for a channel that never changes.
fn z_scored(samples: &[f64]) -> Option<Vec<f64>> {
    let first = *samples.first()?;
    if samples.iter().all(|value| *value == first) {
        return None;
    }
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let sd = (samples.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    (sd.is_finite() && sd > 0.0).then(|| samples.iter().map(|value| (value - mean) / sd).collect())
}

fn profile_of(frequencies: &[f64], power: &[f64], top_hz: f64) -> Result<Profile, String> {
    let last = frequencies.partition_point(|frequency| *frequency <= top_hz);
    if last < 1 + FEWEST {
        return Err(format!("the segment is too short: its spectrum has {} frequencies above 0, and {FEWEST} are needed", last.max(1) - 1));
    }
    let (frequencies, power) = (&frequencies[1..last], &power[1..last]);
    let greatest = power.iter().copied().fold(0.0, f64::max);
    if greatest <= 0.0 {
        return Err("the spectrum is zero".into());
    }
    let floored: Vec<f64> = power.iter().map(|power| power.max(FLOOR * greatest)).collect();
    let headline = exponent(frequencies, &floored)?;
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let band = |frequency: &f64| (BANDS_AN_OCTAVE * frequency.log2()).round();
    let mut at = 0;
    for members in frequencies.chunk_by(|a, b| band(a) == band(b)) {
        let mean = floored[at..at + members.len()].iter().sum::<f64>() / members.len() as f64;
        x.push((band(&members[0]) / BANDS_AN_OCTAVE).exp2());
        y.push(10.0 * mean.log10());
        at += members.len();
    }
    Ok(Profile { x, y, headline })
}

/// From the second frequency to 100 Hz, or of all where those are too few.
fn exponent(frequencies: &[f64], power: &[f64]) -> Result<f64, String> {
    let last = frequencies[frequencies.len() - 1];
    let fit = |range| fit_spectrum(frequencies, power, range, AperiodicMode::Fixed, None);
    let model = fit([frequencies[1], last.min(100.0)]).or_else(|_| fit([frequencies[0], last]));
    model.map(|model| model.exponent).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    /// White noise through a leaky sum: the more `memory`, the steeper.
    fn noise(seed: u64, n: usize, rate_hz: f64, memory: f64, gain: f64) -> Series {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut level = 0.0;
        let values = (0..2 * n).map(|_| {
            level = memory * level + rng.random::<f64>() - 0.5;
            gain * level
        });
        Series::new(vec!["x".into(), "y".into()], values.collect(), rate_hz, 0.0, "V").unwrap()
    }

    fn profile(series: &Series) -> Profile {
        PowerSpectrum.profile(series, None).unwrap()
    }

    #[test]
    fn units_of_measure_do_not_count_and_shapes_do() {
        let distance = |a: &Series, b: &Series| PowerSpectrum.distance(&profile(a), &profile(b)).unwrap();
        let steep = noise(1, 4000, 200.0, 0.95, 1.0);
        assert!(distance(&steep, &noise(1, 4000, 200.0, 0.95, 1e6)) < 1e-6);
        let again = distance(&steep, &noise(2, 4000, 200.0, 0.95, 1.0));
        let flat = distance(&steep, &noise(3, 4000, 200.0, 0.0, 1.0));
        assert!(flat > 3.0 * again, "{flat} {again}");
        assert!((flat - distance(&noise(3, 4000, 200.0, 0.0, 1.0), &steep)).abs() < 1e-12);
        assert!(profile(&steep).headline > profile(&noise(3, 4000, 200.0, 0.0, 1.0)).headline + 0.5);
    }

    #[test]
    fn rates_may_differ() {
        let (slow, fast) = (profile(&noise(1, 4000, 200.0, 0.0, 1.0)), profile(&noise(2, 10_000, 500.0, 0.0, 1.0)));
        let across = PowerSpectrum.distance(&slow, &fast).unwrap();
        let within = PowerSpectrum.distance(&slow, &profile(&noise(3, 4000, 200.0, 0.0, 1.0))).unwrap();
        assert!(across < 2.0 * within, "{across} {within}");
        let lost = profile(&noise(1, 400, 0.5, 0.0, 1.0));
        assert!(PowerSpectrum.distance(&slow, &lost).unwrap_err().contains("sampling rate"));
    }

    #[test]
    fn silence_and_shortness_are_said() {
        let silent = Series::new(vec!["u".into()], vec![0.0; 1000], 100.0, 0.0, "spikes").unwrap();
        let train = SpikeTrain { id: "u".into(), location: None, times_s: vec![] };
        assert!(PowerSpectrum.profile(&silent, Some(&[train])).unwrap_err().contains("spike count"));
        assert!(PowerSpectrum.profile(&silent, None).unwrap_err().contains("constant"));
        for n in [1, 2, 3, 10] {
            let short = Series::new(vec!["u".into()], (0..n).map(f64::from).collect(), 100.0, 0.0, "V").unwrap();
            assert!(PowerSpectrum.profile(&short, None).is_err());
        }
        // A clock that ticks once a bin's multiple has exact zeros in its spectrum; it is testable all the same.
        let clock =
            Series::new(vec!["u".into()], (0..4000).map(|at| f64::from(u8::from(at % 10 == 0))).collect(), 100.0, 0.0, "V").unwrap();
        assert!(profile(&clock).y.iter().all(|y| y.is_finite()));
    }
}
