//! From a signal to the symbols that a complexity counts.

use crate::spec::Section;
use realfft::RealFftPlanner;

/// How a channel becomes symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binarise {
    /// 1 where the value is above the channel's median.
    Median,
    /// 1 where the value is above the channel's mean.
    Mean,
    /// 1 where the amplitude envelope of the detrended channel is at or above its mean (M. Schartner et al. 2015, PLoS ONE 10).
    HilbertMean,
    /// The order of `order` samples, `delay` apart, among themselves; equal samples in the order of time (C. Bandt & B. Pompe 2002,
    /// Phys. Rev. Lett. 88; as a Lempel-Ziv alphabet: Y. Bai, Z. Liang & X. Li 2015, Biomed. Signal Process. Control 15).
    Ordinal {
        /// Samples of a pattern.
        order: usize,
        /// Samples from one to the next.
        delay: usize,
    },
    /// The values are symbols already.
    None,
}

impl Binarise {
    /// Names in the job file, the default first.
    pub const NAMES: &'static [&'static str] = &["median", "mean", "hilbert-mean", "ordinal", "none"];

    /// Pulls `binarise`, `order` and `delay`.
    pub fn parse(section: &Section<'_>) -> Self {
        let name = section.choice("binarise", Self::NAMES).unwrap_or("median");
        let order = section.integer("order", 2).unwrap_or(3) as usize;
        let delay = section.integer("delay", 1).unwrap_or(1) as usize;
        if order > 7 {
            section.error(section.span_of("order"), format!("`order` must be 7 or less, not {order}"), "");
        }
        for key in ["order", "delay"] {
            if name != "ordinal" && section.raw(key).is_some() {
                section.error(section.span_of(key), format!("`{key}` goes with `binarise = \"ordinal\"`"), "");
            }
        }
        match name {
            "mean" => Self::Mean,
            "hilbert-mean" => Self::HilbertMean,
            "ordinal" => Self::Ordinal { order, delay },
            "none" => Self::None,
            _ => Self::Median,
        }
    }

    /// The name of this rule.
    pub fn name(self) -> &'static str {
        match self {
            Self::Median => "median",
            Self::Mean => "mean",
            Self::HilbertMean => "hilbert-mean",
            Self::Ordinal { .. } => "ordinal",
            Self::None => "none",
        }
    }

    /// Order and delay of a rank pattern.
    pub fn pattern(self) -> Option<[usize; 2]> {
        if let Self::Ordinal { order, delay } = self { Some([order, delay]) } else { None }
    }

    /// The number of possible symbols, where the rule and not the data decides it.
    pub fn alphabet(self) -> Option<usize> {
        self.pattern().map(|[order, _]| (1..=order).product())
    }

    /// The symbols of one channel. Values that are all equal give equal symbols.
    pub fn symbols(self, channel: &[f64]) -> Vec<u32> {
        let above = |threshold: f64| channel.iter().map(|&value| u32::from(value > threshold)).collect();
        match self {
            Self::Median => above(median(channel)),
            Self::Mean => above(channel.iter().sum::<f64>() / channel.len() as f64),
            Self::HilbertMean => {
                let amplitude = envelope(&detrended(channel));
                let mean = amplitude.iter().sum::<f64>() / amplitude.len() as f64;
                amplitude.iter().map(|&value| u32::from(value >= mean)).collect()
            }
            Self::Ordinal { order, delay } => patterns(channel, order, delay),
            Self::None => ranks(channel),
        }
    }
}

/// Each value's place among the distinct values: symbols `0..k` whose order is that of the values.
pub fn ranks(values: &[f64]) -> Vec<u32> {
    // Adding 0 makes -0 and 0 the same symbol.
    let mut distinct: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    values.iter().map(|value| distinct.partition_point(|other| other < value) as u32).collect()
}

/// The Lehmer code of the order of each `order` samples, `delay` apart: `n - (order - 1) delay` symbols.
fn patterns(channel: &[f64], order: usize, delay: usize) -> Vec<u32> {
    let n = channel.len().saturating_sub((order - 1) * delay);
    let code = |start: usize| {
        let sample = |at: usize| channel[start + at * delay];
        (0..order).fold(0, |code, at| {
            let smaller = (at + 1..order).filter(|&later| sample(later) < sample(at)).count();
            code * (order - at) as u32 + smaller as u32
        })
    };
    (0..n).map(code).collect()
}

/// Half way between the two middle values where their number is even, as NumPy has it.
fn median(values: &[f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return 0.0;
    }
    let mut work = values.to_vec();
    let (below, &mut upper, _) = work.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * (lower + upper)
}

/// The channel less its least-squares line; exactly 0 where what is left is no more than the rounding of the values.
fn detrended(channel: &[f64]) -> Vec<f64> {
    let n = channel.len() as f64;
    let mean = channel.iter().sum::<f64>() / n;
    let middle = 0.5 * (n - 1.0);
    let (mut cross, mut square, mut largest) = (0.0, 0.0, 0.0_f64);
    for (t, value) in channel.iter().enumerate() {
        let time = t as f64 - middle;
        cross += time * (value - mean);
        square += time * time;
        largest = largest.max(value.abs());
    }
    let slope = if square > 0.0 { cross / square } else { 0.0 };
    let rest: Vec<f64> = channel.iter().enumerate().map(|(t, value)| value - mean - slope * (t as f64 - middle)).collect();
    let rounding = 64.0 * f64::EPSILON * largest;
    if rest.iter().all(|value| value.abs() <= rounding) { vec![0.0; channel.len()] } else { rest }
}

/// `|x + i H(x)|`, the analytic signal's amplitude, by the Fourier transform of any length (as `scipy.signal.hilbert`).
fn envelope(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    if n < 3 {
        return values.iter().map(|value| value.abs()).collect();
    }
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
    let mut time = values.to_vec();
    let mut spectrum = forward.make_output_vec();
    forward.process(&mut time, &mut spectrum).expect("both buffers were sized for this plan");
    // The Hilbert transform turns every frequency by -90 degrees; the mean and the highest frequency of an even length have none.
    let turned = n.div_ceil(2);
    for (k, bin) in spectrum.iter_mut().enumerate() {
        let (re, im) = if (1..turned).contains(&k) { (bin.im, -bin.re) } else { (0.0, 0.0) };
        (bin.re, bin.im) = (re, im);
    }
    inverse.process(&mut spectrum, &mut time).expect("both buffers were sized for this plan, and its ends are real");
    values.iter().zip(&time).map(|(value, turned)| value.hypot(turned / n as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_strict_and_the_median_is_numpys() {
        assert_eq!(Binarise::Median.symbols(&[3.0, 1.0, 2.0]), [1, 0, 0]);
        assert_eq!(Binarise::Median.symbols(&[4.0, 1.0, 2.0, 3.0]), [1, 0, 0, 1]);
        assert_eq!(Binarise::Mean.symbols(&[0.0, 0.0, 3.0, 1.0]), [0, 0, 1, 0]);
        assert_eq!(Binarise::None.symbols(&[5.0, -1.0, 5.0, 0.0, -0.0]), [2, 0, 2, 1, 1]);
        for rule in [Binarise::Median, Binarise::Mean, Binarise::HilbertMean, Binarise::None] {
            assert!(rule.symbols(&[]).is_empty());
            assert!(rule.symbols(&[0.1; 7]).windows(2).all(|pair| pair[0] == pair[1]), "{rule:?}");
            assert!(Binarise::NAMES.contains(&rule.name()));
        }
    }

    #[test]
    fn rank_patterns_number_the_orders() {
        // Orders of three: 012, 021, 102, 120 (middle, largest, smallest), 201, 210.
        let rule = Binarise::Ordinal { order: 3, delay: 1 };
        let all: Vec<u32> = [[1., 2., 3.], [1., 3., 2.], [2., 1., 3.], [2., 3., 1.], [3., 1., 2.], [3., 2., 1.]]
            .iter()
            .flat_map(|three| rule.symbols(three))
            .collect();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        assert_eq!(rule.symbols(&[5.0; 4]), [0, 0]);
        assert!(rule.symbols(&[1.0, 2.0]).is_empty());
        assert_eq!(Binarise::Ordinal { order: 2, delay: 2 }.symbols(&[1.0, 9.0, 2.0, 3.0]), [0, 1]);
        assert_eq!(rule.alphabet(), Some(6));
    }

    #[test]
    fn the_envelope_of_a_modulated_carrier_is_its_modulation() {
        for n in [400, 401] {
            let tau = std::f64::consts::TAU;
            let slow = |t: usize| 1.0 + 0.5 * (tau * 3.0 * t as f64 / n as f64).cos();
            let wave: Vec<f64> = (0..n).map(|t| slow(t) * (tau * 50.0 * t as f64 / n as f64).sin()).collect();
            assert!(envelope(&wave).iter().enumerate().all(|(t, amplitude)| (amplitude - slow(t)).abs() < 1e-12), "{n}");
        }
    }

    #[test]
    fn a_straight_line_has_no_envelope() {
        let line: Vec<f64> = (0..1000).map(|t| 1e3 - 0.3 * f64::from(t)).collect();
        assert!(detrended(&line).iter().all(|&value| value == 0.0));
        let bent: Vec<f64> = line.iter().enumerate().map(|(t, value)| value + 1e-6 * (t as f64 * 0.3).sin()).collect();
        assert!(detrended(&bent).iter().any(|&value| value.abs() > 1e-7));
    }
}
