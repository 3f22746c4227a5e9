//! How much the channels share, beyond pairs: total correlation and its relatives.
//!
//! With `H` the entropies of all channels at one instant: total correlation `TC = Σ H(Xⱼ) - H(X)` (S. Watanabe 1960), dual total
//! correlation `DTC = H(X) - Σ H(Xⱼ | X₋ⱼ)` (T. Han 1978), `O = TC - DTC` and `S = TC + DTC` (F. Rosas, P. Mediano, M. Gastpar &
//! H. Jensen 2019, Phys. Rev. E 100). `O > 0`: redundancy prevails; `O < 0`: synergy. In nats.
//!
//! * `gaussian`: log-determinants of the sample covariance (over n - 1).
//! * `gaussian-copula`: the same of `Φ⁻¹(rank / (n + 1))` of each channel, equal values by their mean rank (R. Ince et al. 2017, Hum.
//!   Brain Mapp. 38): a lower bound that ignores how single channels are distributed.
//! * `discrete`: plug-in entropies of symbols.
//! * `ksg`: nearest neighbours under the maximum norm, first algorithm of A. Kraskov, H. Stögbauer & P. Grassberger 2004, Phys. Rev.
//!   E 69, eq. 23, of channels scaled to unit variance; `DTC = (m - 1) TC(X) - Σ TC(X₋ⱼ)`.
//!
//! **Small samples.** `bias = "small-sample"` takes the bias off each entropy: of Gaussian ones exactly (N. Misra, H. Singh & E. Demchuk
//! 2005, J. Multivar. Anal. 92: digamma terms), of discrete ones by (cells - 1) / 2n (G. Miller 1955).

pub(super) mod entropy;
mod neighbours;
pub(super) mod normal;

use super::{Bench, Metric, Output};
use crate::data::{MetricRow, Series, Value};
use crate::spec::{Key, Section};
use entropy::Entropies;

/// The keys that all four take.
pub const KEYS: &[Key] = &[
    Key { name: "estimator", default: "\"gaussian\"", help: "gaussian, gaussian-copula, discrete (values are symbols), ksg" },
    Key {
        name: "bias",
        default: "by estimator",
        help: "none, or small-sample: take the bias off each entropy; the default for gaussian-copula and discrete, none for gaussian",
    },
    Key { name: "alphabet", default: "", help: "discrete: bins of equal width that each channel is cut into; else its values are symbols" },
    Key { name: "k", default: "4", help: "ksg: which neighbour" },
];

/// Which of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Total correlation.
    Total,
    /// Dual total correlation.
    Dual,
    /// Their difference.
    O,
    /// Their sum.
    S,
}

/// How entropies are estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimator {
    /// Of the covariance.
    Gaussian,
    /// Of the covariance of normal scores.
    Copula,
    /// Of symbols; cut into so many bins.
    Discrete(Option<u32>),
    /// Of the distance to this neighbour.
    Ksg(usize),
}

/// The metric with checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Integration {
    /// What is computed.
    pub quantity: Quantity,
    /// How.
    pub estimator: Estimator,
    /// Whether the bias of small samples is taken off.
    pub corrected: bool,
}

impl Integration {
    /// Pulls [`KEYS`]; problems go to the section's diagnostics and the answer is `None`.
    pub fn parse(quantity: Quantity, section: &Section<'_>) -> Option<Self> {
        let before = section.diagnostics().len();
        let name = section.choice("estimator", &["gaussian", "gaussian-copula", "discrete", "ksg"]).unwrap_or("gaussian");
        let bias = section.choice("bias", &["none", "small-sample"]);
        let alphabet = section.integer("alphabet", 2).map(|bins| u32::try_from(bins).unwrap_or(u32::MAX));
        let k = section.integer("k", 1);
        for (key, given, goes) in [("alphabet", alphabet.is_some(), "discrete"), ("k", k.is_some(), "ksg")] {
            if given && name != goes {
                section.error(section.span_of(key), format!("`{key}` goes with `estimator = \"{goes}\"`"), "");
            }
        }
        if name == "ksg" && bias == Some("small-sample") {
            section.error(section.span_of("bias"), "the ksg estimator has no such correction", "leave it out");
        }
        let estimator = match name {
            "gaussian-copula" => Estimator::Copula,
            "discrete" => Estimator::Discrete(alphabet),
            "ksg" => Estimator::Ksg(k.unwrap_or(4) as usize),
            _ => Estimator::Gaussian,
        };
        let corrected = bias.map_or(matches!(name, "gaussian-copula" | "discrete"), |bias| bias == "small-sample");
        (section.diagnostics().len() == before).then_some(Self { quantity, estimator, corrected })
    }

    fn value(&self, series: &Series) -> Result<f64, String> {
        if series.n_channels() < 2 {
            return Err("one channel shares nothing: 2 or more are needed".into());
        }
        if let Some((name, _)) =
            series.channels().iter().zip(series.iter()).find(|(_, channel)| channel.windows(2).all(|two| two[0] == two[1]))
        {
            return Err(format!("channel `{name}` is constant"));
        }
        let (total, dual) = match self.estimator {
            Estimator::Gaussian => Entropies::gaussian(series, self.corrected)?.correlations(),
            Estimator::Copula => Entropies::gaussian(&normal::scores(series), self.corrected)?.correlations(),
            Estimator::Discrete(bins) => Entropies::discrete(series, bins, self.corrected)?.correlations(),
            Estimator::Ksg(k) => neighbours::correlations(series, k, self.quantity != Quantity::Total)?,
        };
        Ok(match self.quantity {
            Quantity::Total => total,
            Quantity::Dual => dual,
            Quantity::O => total - dual,
            Quantity::S => total + dual,
        })
    }
}

impl Metric for Integration {
    fn statistics(&self) -> &'static [&'static str] {
        &["value"]
    }
    fn fits(&self, series: &Series) -> Result<(), String> {
        if self.estimator != Estimator::Discrete(None) {
            return Ok(());
        }
        series.channels().iter().zip(series.iter()).try_for_each(|(name, channel)| {
            match channel.iter().find(|value| value.fract() != 0.0) {
                Some(value) => {
                    Err(format!("channel `{name}` holds {value}, which is no symbol; cut channels into bins with `alphabet = …`"))
                }
                None => Ok(()),
            }
        })
    }
    fn evaluate(&self, bench: &Bench<'_>) -> Output {
        let value = self.value(bench.series).map_or_else(Value::Undefined, Value::Known);
        Output { rows: vec![MetricRow::new("value", value, "nat")], curves: Vec::new() }
    }
    fn params(&self) -> serde_json::Value {
        let (name, number) = match self.estimator {
            Estimator::Gaussian => ("gaussian", None),
            Estimator::Copula => ("gaussian-copula", None),
            Estimator::Discrete(bins) => ("discrete", bins.map(|bins| bins as usize)),
            Estimator::Ksg(k) => ("ksg", Some(k)),
        };
        serde_json::json!({ "estimator": name, "alphabet_or_k": number, "small_sample": self.corrected })
    }
    fn version(&self) -> u32 {
        1
    }
    fn cost_s(&self, n_channels: usize, n_samples: usize) -> f64 {
        let (m, n) = (n_channels as f64, n_samples as f64);
        match self.estimator {
            Estimator::Gaussian | Estimator::Copula => 1e-9 * m * m * n,
            Estimator::Discrete(_) => 1e-7 * m * m * n,
            Estimator::Ksg(_) => 1e-9 * n * n * m * if self.quantity == Quantity::Total { 1.0 } else { m },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;

    fn series(channels: &[Vec<f64>]) -> Series {
        Series::new((0..channels.len()).map(|at| format!("c{at}")).collect(), channels.concat(), 1.0, 0.0, "").unwrap()
    }
    fn run(quantity: Quantity, keys: &str, channels: &[Vec<f64>]) -> Value {
        let (metric, found) = with_section(keys, |section| Integration::parse(quantity, section));
        assert!(found.is_empty(), "{found:?}");
        metric.unwrap().evaluate(&Bench { series: &series(channels), spikes: None, seed: 1 }).rows.remove(0).value
    }
    fn known(quantity: Quantity, keys: &str, channels: &[Vec<f64>]) -> f64 {
        run(quantity, keys, channels).known().unwrap()
    }

    #[test]
    fn copies_are_redundant_and_parity_is_synergistic() {
        let plain = "estimator = \"discrete\"\nbias = \"none\"";
        let bit = vec![0.0, 1.0, 0.0, 1.0];
        let copies = vec![bit.clone(), bit.clone(), bit];
        let parity = vec![vec![0., 0., 1., 1.], vec![0., 1., 0., 1.], vec![0., 1., 1., 0.]];
        // Rosas et al. 2019: one bit in three copies has O = 1 bit, the parity of two O = -1 bit.
        let bits = |quantity, channels: &[Vec<f64>]| known(quantity, plain, channels) / std::f64::consts::LN_2;
        for (quantity, copy, xor) in [(Quantity::Total, 2., 1.), (Quantity::Dual, 1., 2.), (Quantity::O, 1., -1.), (Quantity::S, 3., 3.)] {
            assert!((bits(quantity, &copies) - copy).abs() < 1e-12, "{quantity:?}");
            assert!((bits(quantity, &parity) - xor).abs() < 1e-12, "{quantity:?}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_said_so() {
        let noise = |seed: u64| -> Vec<f64> {
            let mut rng = super::super::surrogate::stream(seed, super::super::surrogate::Purpose::Normalise, 0, 0);
            (0..30).map(|_| rand::RngExt::random::<f64>(&mut rng)).collect()
        };
        let undefined = |keys: &str, channels: &[Vec<f64>]| match run(Quantity::O, keys, channels) {
            Value::Undefined(reason) => reason,
            other => panic!("{other:?}"),
        };
        assert!(undefined("", &[noise(1)]).contains("one channel"));
        assert!(undefined("", &[noise(1), vec![3.0; 30]]).contains("`c1` is constant"));
        assert!(undefined("", &[noise(1), noise(1)]).contains("linear"));
        assert!(undefined("", &(0..40).map(noise).collect::<Vec<_>>()).contains("30 samples"));
        assert!(undefined("estimator = \"ksg\"\nk = 30", &[noise(1), noise(2)]).contains("30 samples"));
        let symbols: Vec<f64> = (0..30).map(f64::from).collect();
        assert!(undefined("estimator = \"discrete\"", &[symbols.clone(), symbols]).contains("as many symbols"));
        let (_, found) = with_section("k = 3\nalphabet = 4", |section| Integration::parse(Quantity::O, section));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn estimates_of_a_gaussian_pair_tend_to_the_closed_form_at_three_lengths() {
        // TC = -1/2 ln(1 - rho²); the sampling sd of that of n pairs is about rho / sqrt(n).
        let rho = 0.6_f64;
        let truth = -0.5 * (1.0 - rho * rho).ln();
        for n in [300, 1000, 3000] {
            let mut rng = super::super::surrogate::stream(n as u64, super::super::surrogate::Purpose::Normalise, 0, 0);
            let mut draw = || -> f64 { rand::RngExt::sample(&mut rng, rand_distr::StandardNormal) };
            let (x, e): (Vec<f64>, Vec<f64>) = (0..n).map(|_| (draw(), draw())).unzip();
            let y = x.iter().zip(&e).map(|(x, e)| rho * x + (1.0 - rho * rho).sqrt() * e).collect();
            let pair = [x, y];
            let allowed = 4.0 * rho / (n as f64).sqrt();
            for keys in ["", "bias = \"small-sample\"", "estimator = \"gaussian-copula\"", "estimator = \"ksg\""] {
                let found = known(Quantity::Total, keys, &pair);
                assert!((found - truth).abs() < allowed, "{keys} {n}: {found} against {truth}");
                assert!((found - known(Quantity::Dual, keys, &pair)).abs() < 1e-9, "TC and DTC of a pair are equal");
            }
        }
    }
}
