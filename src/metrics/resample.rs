//! What all metrics share: p-values from surrogates, intervals from a bootstrap.
//!
//! **Surrogates.** The metric is computed again on matrices whose channels are replaced by surrogates, each from its own random
//! stream; `p = (1 + #{null ≥ observed}) / (1 + S)` (B. Phipson & G. Smyth 2010). The test is one-sided, upwards: a value *below*
//! its null (a complexity, usually) has p near 1. Metrics that know a better null draw it themselves
//! ([`Metric::evaluate_resampled`]): transfer entropy does.
//!
//! Of the default statistic, `null_mean`, `null_sd` and `effect_size` (value less mean, in deviations) stand beside it.
//!
//! **Bootstrap.** Moving blocks over time, the same for all channels, ⌈n^(1/3)⌉ samples long; the interval runs from the 2.5th to
//! the 97.5th percentile. It speaks of the sampling error of a stationary signal whose memory is shorter than a block. Every joint
//! of two blocks is a transition that the recording does not hold: a Lempel–Ziv count, which reads on over joints, comes out
//! higher than that of a regular signal and the interval may lie above the value; a spectrum loses what is slower than a block.

use super::surrogate::{Purpose, SurrogateKind, moving_blocks, stream};
use super::{Bench, Metric, Output};
use crate::data::{MetricRow, Series, Value};
use crate::spec::{Key, Section};
use rayon::prelude::*;
use serde::Serialize;

/// The keys that every metric takes beside its own and `name`.
pub const COMMON_KEYS: &[Key] = &[
    Key { name: "surrogates", default: "0", help: "surrogates behind a p-value; 0: none" },
    Key { name: "surrogate", default: "\"shuffle\"", help: "how they are made: shuffle, circular-shift, phase, block" },
    Key { name: "bootstrap", default: "0", help: "moving-block resamples behind a 95 % interval; 0: none" },
    Key { name: "seed", default: "", help: "seed of this metric's random draws, instead of the one that derives from the job's" },
];

/// Part of an observed value by which a null may fall short and still count as equal: sums in another order differ by rounding.
const EQUAL: f64 = 1e-12;

/// How often and how a metric is computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resampling {
    /// Number of surrogates.
    pub surrogates: u32,
    /// How they are made.
    pub surrogate: SurrogateKind,
    /// Number of bootstrap resamples.
    pub bootstrap: u32,
    /// A seed in place of the unit's.
    pub seed: Option<u64>,
}

impl Resampling {
    /// No surrogates, no bootstrap, the unit's seed.
    pub const NONE: Self = Self { surrogates: 0, surrogate: SurrogateKind::Shuffle, bootstrap: 0, seed: None };

    /// Pulls [`COMMON_KEYS`]; problems go to the section's diagnostics.
    pub fn parse(section: &Section<'_>) -> Self {
        let count = |key| match section.integer(key, 0).map(u32::try_from) {
            Some(Err(_)) => {
                section.error(section.span_of(key), format!("`{key}` must be {} or less", u32::MAX), "");
                0
            }
            Some(Ok(count)) => count,
            None => 0,
        };
        let surrogates = count("surrogates");
        let surrogate =
            section.choice("surrogate", SurrogateKind::NAMES).and_then(SurrogateKind::from_name).unwrap_or(SurrogateKind::Shuffle);
        let bootstrap = count("bootstrap");
        if bootstrap == 1 {
            section.error(section.span_of("bootstrap"), "`bootstrap = 1` gives no interval", "write 0 for none, or some hundreds");
        }
        Self { surrogates, surrogate, bootstrap, seed: section.integer("seed", 0) }
    }

    /// How often the metric is computed, for cost estimates.
    pub fn evaluations(&self) -> f64 {
        1.0 + f64::from(self.surrogates) + f64::from(self.bootstrap)
    }
}

/// Computes `metric` on `bench`, with the p-values and intervals that were asked for.
pub fn evaluate(metric: &dyn Metric, resampling: &Resampling, bench: &Bench<'_>) -> Output {
    let bench = Bench { series: bench.series, spikes: bench.spikes, seed: resampling.seed.unwrap_or(bench.seed) };
    if let Some(output) = metric.evaluate_resampled(&bench, resampling) {
        return output;
    }
    let mut output = metric.evaluate(&bench);
    if resampling.surrogates > 0 {
        let nulls = again(metric, &bench, resampling.surrogates, |draw| surrogate_series(&bench, resampling.surrogate, draw));
        each_row(&mut output.rows, &nulls, |row, observed, null| {
            row.p_value = Some(p_value(observed, null, EQUAL * observed.abs()));
            row.surrogates = u32::try_from(null.len()).ok();
        });
        let described = null_rows(&mut output.rows, &nulls, metric.statistics().first().copied().unwrap_or_default());
        output.rows.extend(described);
    }
    if resampling.bootstrap > 0 {
        let draws = again(metric, &bench, resampling.bootstrap, |draw| bootstrap_series(&bench, draw));
        each_row(&mut output.rows, &draws, |row, _, draws| {
            let interval = interval(draws);
            row.ci_low = interval.map(|ends| ends.0);
            row.ci_high = interval.map(|ends| ends.1);
        });
    }
    output
}

/// What the null of each row of `statistic` is like: its mean, its standard deviation (n − 1), and the value less that mean in such
/// deviations (the effect size).
fn null_rows(rows: &mut [MetricRow], evaluations: &[Vec<MetricRow>], statistic: &str) -> Vec<MetricRow> {
    let mut made = Vec::new();
    each_row(rows, evaluations, |row, observed, null| {
        if row.statistic != statistic {
            return;
        }
        let n = null.len() as f64;
        let mean = null.iter().sum::<f64>() / n;
        let sd = (null.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let varies = sd > EQUAL * mean.abs();
        let effect = if varies { Value::Known((observed - mean) / sd) } else { Value::Absent("the null does not vary".into()) };
        let numbers = [
            ("null_mean", Value::Known(mean), row.unit_of_measure.as_str()),
            ("null_sd", Value::of(sd, "one surrogate has no standard deviation"), &row.unit_of_measure),
            ("effect_size", effect, "1"),
        ];
        made.extend(numbers.map(|(name, value, unit)| MetricRow {
            source: row.source.clone(),
            target: row.target.clone(),
            ..MetricRow::new(name, value, unit)
        }));
    });
    made
}

/// `(1 + #{null ≥ observed}) / (1 + #null)`, where a null that falls short by `rounding` or less counts as equal.
pub fn p_value(observed: f64, null: &[f64], rounding: f64) -> f64 {
    let as_high = null.iter().filter(|&&value| value >= observed - rounding).count();
    (1 + as_high) as f64 / (1 + null.len()) as f64
}

/// The 2.5th and 97.5th percentiles (linear between order statistics, as NumPy's default); `None` below two draws.
pub fn interval(draws: &[f64]) -> Option<(f64, f64)> {
    if draws.len() < 2 {
        return None;
    }
    let mut sorted = draws.to_vec();
    sorted.sort_by(f64::total_cmp);
    let percentile = |part: f64| {
        let at = part * (sorted.len() - 1) as f64;
        let below = at.floor() as usize;
        let above = (below + 1).min(sorted.len() - 1);
        sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
    };
    Some((percentile(0.025), percentile(0.975)))
}

/// The rows of each of `draws` evaluations on the series that `remake` gives, in the order of the draws.
fn again(metric: &dyn Metric, bench: &Bench<'_>, draws: u32, remake: impl Fn(u32) -> Option<Series> + Sync) -> Vec<Vec<MetricRow>> {
    (0..draws)
        .into_par_iter()
        .map(|draw| match remake(draw) {
            // The spikes behind the original matrix say nothing about the new one.
            Some(series) => metric.evaluate(&Bench { series: &series, spikes: None, seed: bench.seed }).rows,
            None => Vec::new(),
        })
        .collect()
}

/// Hands `fill` every known row with its value and what the same row was in the evaluations where it is known, if any.
fn each_row(rows: &mut [MetricRow], evaluations: &[Vec<MetricRow>], mut fill: impl FnMut(&mut MetricRow, f64, &[f64])) {
    for (index, row) in rows.iter_mut().enumerate() {
        let Some(observed) = row.value.known() else { continue };
        let same = |other: &&MetricRow| other.statistic == row.statistic && other.source == row.source && other.target == row.target;
        let values: Vec<f64> = evaluations
            .iter()
            .filter_map(|rows| rows.get(index).filter(same).or_else(|| rows.iter().find(same)).and_then(|row| row.value.known()))
            .collect();
        if !values.is_empty() {
            fill(row, observed, &values);
        }
    }
}

fn surrogate_series(bench: &Bench<'_>, kind: SurrogateKind, draw: u32) -> Option<Series> {
    let channels = bench.series.iter().enumerate();
    let values = channels.flat_map(|(index, channel)| kind.draw(channel, &mut stream(bench.seed, Purpose::Surrogate, draw, index)));
    bench.series.with_values(values.collect()).ok()
}

fn bootstrap_series(bench: &Bench<'_>, draw: u32) -> Option<Series> {
    let order = moving_blocks(bench.series.n_samples(), &mut stream(bench.seed, Purpose::Bootstrap, draw, 0));
    let values = bench.series.iter().flat_map(|channel| order.iter().map(|&index| channel[index]));
    bench.series.with_values(values.collect()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::with_section;
    use rand::RngExt;

    /// Mean, and lag-1 autocovariance (the mean of a constant first channel is undefined), of the first channel.
    #[derive(Debug)]
    struct Moments;
    impl Metric for Moments {
        fn statistics(&self) -> &'static [&'static str] {
            &["mean"]
        }
        fn evaluate(&self, bench: &Bench<'_>) -> Output {
            let channel = bench.series.channel(0);
            let mean = channel.iter().sum::<f64>() / channel.len() as f64;
            let lagged = channel.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum::<f64>() / channel.len() as f64;
            let constant = Value::Undefined("never".into());
            let rows = [("mean", Value::Known(mean)), ("lagged", Value::Known(lagged)), ("none", constant)];
            Output { rows: rows.map(|(name, value)| MetricRow::new(name, value, "1")).into(), curves: Vec::new() }
        }
        fn params(&self) -> serde_json::Value {
            serde_json::Value::Null
        }
        fn version(&self) -> u32 {
            1
        }
        fn cost_s(&self, _: usize, _: usize) -> f64 {
            0.0
        }
    }

    fn smooth(n: usize) -> Series {
        let mut rng = stream(11, Purpose::Normalise, 0, 0);
        let mut state = 0.0;
        let values = (0..n)
            .map(|_| {
                state = 0.8 * state + rng.random_range(-1.0..1.0);
                state
            })
            .collect();
        Series::new(vec!["a".into()], values, 1.0, 0.0, "").unwrap()
    }
    fn run(series: &Series, resampling: Resampling) -> Output {
        evaluate(&Moments, &resampling, &Bench { series, spikes: None, seed: 4 })
    }

    #[test]
    fn a_shuffle_rejects_memory_and_a_rotation_does_not() {
        let series = smooth(400);
        let p = |surrogate| run(&series, Resampling { surrogates: 99, surrogate, ..Resampling::NONE }).rows[1].p_value.unwrap();
        assert_eq!(p(SurrogateKind::Shuffle), 0.01);
        assert_eq!(p(SurrogateKind::Block), 0.01);
        // Rotation and random phases keep the autocovariance up to one pair of samples.
        assert!(p(SurrogateKind::CircularShift) > 0.02);
        assert!(p(SurrogateKind::Phase) > 0.02);
    }

    #[test]
    fn undefined_rows_stay_bare_and_equal_values_count_as_as_high() {
        let output = run(&smooth(50), Resampling { surrogates: 9, bootstrap: 9, ..Resampling::NONE });
        assert_eq!((output.rows[2].p_value, output.rows[2].surrogates, output.rows[2].ci_low), (None, None, None));
        // A permutation leaves the mean as it is, up to rounding: every surrogate is as high.
        assert_eq!((output.rows[0].p_value, output.rows[0].surrogates), (Some(1.0), Some(9)));
    }

    #[test]
    fn the_bootstrap_interval_of_a_mean_holds_it_and_has_the_right_width() {
        let n = 1000;
        let series = smooth(n);
        let output = run(&series, Resampling { bootstrap: 400, ..Resampling::NONE });
        let (low, high) = (output.rows[0].ci_low.unwrap(), output.rows[0].ci_high.unwrap());
        assert!((low..high).contains(&output.rows[0].value.known().unwrap()));
        // sd of the mean of an AR(1): sigma_e / (1 - phi) / sqrt(n); a block of 10 sees about 70 % of it (memory of 5).
        let expected = 2.0 * 1.96 * (1.0 / 3.0_f64).sqrt() / 0.2 / (n as f64).sqrt();
        assert!((0.5 * expected..1.1 * expected).contains(&(high - low)), "{} against {expected}", high - low);
    }

    #[test]
    fn the_default_statistic_is_set_against_its_null() {
        #[derive(Debug)]
        struct Lagged;
        impl Metric for Lagged {
            fn statistics(&self) -> &'static [&'static str] {
                &["lagged"]
            }
            fn evaluate(&self, bench: &Bench<'_>) -> Output {
                Moments.evaluate(bench)
            }
            fn params(&self) -> serde_json::Value {
                serde_json::Value::Null
            }
            fn version(&self) -> u32 {
                1
            }
            fn cost_s(&self, _: usize, _: usize) -> f64 {
                0.0
            }
        }
        let n = 400;
        let plan = Resampling { surrogates: 200, ..Resampling::NONE };
        let rows = evaluate(&Lagged, &plan, &Bench { series: &smooth(n), spikes: None, seed: 4 }).rows;
        let of = |name: &str| rows.iter().find(|row| row.statistic == name).unwrap().value.known().unwrap();
        // An autocorrelation of 0.8 is 0.8 √n of the deviations 1/√n that white noise has.
        assert!((of("effect_size") - 0.8 * (n as f64).sqrt()).abs() < 3.0, "{rows:?}");
        assert!((of("effect_size") - (of("lagged") - of("null_mean")) / of("null_sd")).abs() < 1e-12);
        assert_eq!(rows.len(), 6);
        // The mean of a permutation is the mean: no null to compare with.
        let rows = run(&smooth(50), plan).rows;
        let effect = &rows.iter().find(|row| row.statistic == "effect_size").unwrap().value;
        assert_eq!(*effect, Value::Absent("the null does not vary".into()));
    }

    #[test]
    fn results_depend_on_the_seed_alone() {
        let series = smooth(200);
        let plan = Resampling { surrogates: 19, bootstrap: 19, ..Resampling::NONE };
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(run(&series, plan), one_thread.install(|| run(&series, plan)));
        let other = run(&series, Resampling { seed: Some(77), ..plan });
        assert_ne!(run(&series, plan).rows[0].ci_low, other.rows[0].ci_low);
    }

    #[test]
    fn a_p_value_does_not_depend_on_the_unit_of_measure() {
        let nulls = [1.0, 2.0, 3.0, 4.0];
        for scale in [1.0, 1e-15, 1e15] {
            let scaled: Vec<f64> = nulls.iter().map(|null| null * scale).collect();
            assert_eq!(p_value(3.0 * scale, &scaled, EQUAL * 3.0 * scale), 0.6);
        }
    }

    #[test]
    fn percentiles_are_numpys() {
        // np.percentile(range(1, 12), [2.5, 97.5]) = [1.25, 10.75]
        let draws: Vec<f64> = (1..=11).rev().map(f64::from).collect();
        assert_eq!(interval(&draws), Some((1.25, 10.75)));
        assert_eq!(interval(&[1.0]), None);
    }

    #[test]
    fn keys_are_checked() {
        let (plan, found) = with_section("surrogates = 200\nsurrogate = \"block\"\nbootstrap = 50\nseed = 3", Resampling::parse);
        assert_eq!(plan, Resampling { surrogates: 200, surrogate: SurrogateKind::Block, bootstrap: 50, seed: Some(3) });
        assert!(found.is_empty());
        let (_, found) = with_section("surrogates = -1\nsurrogate = \"shufle\"\nbootstrap = 1\nseed = \"x\"", Resampling::parse);
        assert_eq!(found.len(), 4);
        let (asked, _) = with_section("", |section| {
            Resampling::parse(section);
            section.asked()
        });
        assert_eq!(asked, COMMON_KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
    }
}
