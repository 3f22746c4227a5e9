//! Transfer entropy against JIDT, closed forms and published values.
//!
//! `tests/data/metrics/README.md` says where the numbers come from. Recordings that may not be copied here are read from
//! `../shared` where it exists.

use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use tcs_batch::data::{MetricRow, Series, Span, SpikeTrain, Spikes};
use tcs_batch::metrics::{Bench, METRICS, Resampling, resample};
use tcs_batch::spec::{Diagnostics, Section};
use toml::de::DeTable;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn json(path: &Path) -> Json {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A file of `../shared`, which a published checkout does not have.
fn shared(path: &str) -> Option<PathBuf> {
    Some(root().join("../shared").join(path)).filter(|path| path.exists())
}

fn series(channels: &[Vec<f64>]) -> Series {
    let names = (0..channels.len()).map(|channel| channel.to_string()).collect();
    Series::new(names, channels.concat(), 1.0, 0.0, "").unwrap()
}

fn columns(path: &Path) -> Series {
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<f64>> = text.lines().map(|line| line.split(',').map(|cell| cell.trim().parse().unwrap()).collect()).collect();
    let channels: Vec<Vec<f64>> = (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column]).collect()).collect();
    series(&channels)
}

fn run(keys: &str, series: &Series, spikes: Option<&Spikes>) -> Vec<MetricRow> {
    let entry = METRICS.iter().find(|entry| entry.kind == "transfer-entropy").unwrap();
    let table = DeTable::parse(keys).unwrap();
    let diagnostics = Diagnostics::default();
    let section = Section::new("[[metric]]", table.get_ref(), table.span(), &diagnostics);
    let (metric, resampling) = ((entry.parse)(&section), Resampling::parse(&section));
    section.finish();
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    resample::evaluate(&*metric.unwrap(), &resampling, &Bench { series, spikes, seed: 1 }).rows
}

fn row<'r>(rows: &'r [MetricRow], statistic: &str, pair: &str) -> &'r MetricRow {
    let (source, target) = pair.split_once("->").unwrap();
    let same =
        |row: &&MetricRow| row.statistic == statistic && row.source.as_deref() == Some(source) && row.target.as_deref() == Some(target);
    rows.iter().find(same).unwrap_or_else(|| panic!("no {statistic} of {pair} in {rows:?}"))
}

fn value(rows: &[MetricRow], pair: &str) -> f64 {
    row(rows, "value", pair).value.known().unwrap()
}

fn close(ours: f64, theirs: &Json, tolerance: f64) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= tolerance, "{ours} against {theirs}");
}

/// `key=1` of a golden's label, or 0.
fn number(label: &str, key: &str) -> usize {
    label.split_whitespace().find_map(|word| word.strip_prefix(key)?.parse().ok()).unwrap_or(0)
}

#[test]
fn real_valued_estimates_are_jidts() {
    let cases = json(&root().join("tests/data/metrics/transfer_entropy_continuous.json"));
    for case in cases["cases"].as_array().unwrap() {
        let channels = case["channels"].as_array().unwrap().iter();
        let channels: Vec<Vec<f64>> =
            channels.map(|channel| channel.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()).collect();
        let rows = run(case["keys"].as_str().unwrap(), &series(&channels), None);
        close(value(&rows, "0->1"), &case["nats"], 1e-12);
        if !case["p"].is_null() {
            close(row(&rows, "value", "0->1").p_value.unwrap(), &case["p"], 1e-9);
        }
    }
}

#[test]
fn nearest_neighbours_give_trentools_published_values() {
    let Some(data) = shared("data/metrics/coupled100.csv") else { return };
    let expected = &json(&shared("golden/metrics/te_ksg_trentool.json").unwrap())["expected"];
    let data = columns(&data);
    for (pair, labels) in expected.as_object().unwrap() {
        for (label, nats) in labels.as_object().unwrap() {
            let (k, theiler) = (number(label, "K="), number(label, "theiler="));
            let algorithm = if label.starts_with("alg2") { 2 } else { 1 };
            let rows = run(&format!("estimator = \"ksg\"\nk = {k}\ntheiler = {theiler}\nalgorithm = {algorithm}"), &data, None);
            close(value(&rows, pair), nats, 1e-9);
        }
    }
}

#[test]
fn nearest_neighbours_of_quantised_heart_and_breath_are_jidts_and_their_ties_are_counted() {
    let Some(data) = shared("data/metrics/heart_breath_1201.csv") else { return };
    let expected = &json(&shared("golden/metrics/te_ksg_heart_breath.json").unwrap())["expected"];
    let all = columns(&data);
    let data = series(&[all.channel(0).to_vec(), all.channel(1).to_vec()]);
    for (label, pairs) in expected.as_object().unwrap() {
        let (target, source, k) = (number(label, "k="), number(label, "l="), number(label, "K="));
        let rows = run(&format!("estimator = \"ksg\"\nk = {k}\ntarget_history = {target}\nsource_history = {source}"), &data, None);
        close(value(&rows, "0->1"), &pairs["h->b"], 1e-9);
        close(value(&rows, "1->0"), &pairs["b->h"], 1e-9);
        let ties = rows.iter().find(|row| row.statistic == "ties").unwrap().value.known().unwrap();
        assert!(ties > 500.0, "the heart rate is quantised: {ties}");
    }
    // Noise is seeded, and moves quantised data in the second decimal: 0.0646 ± 0.0003 in ten runs of JIDT, against 0.0721 or 0.0741.
    let noisy = |seed: u8| value(&run(&format!("estimator = \"ksg\"\nnoise = 1e-8\nseed = {seed}"), &data, None), "1->0");
    assert_eq!(noisy(1), noisy(1));
    assert!(noisy(1) != noisy(2) && (noisy(1) - 0.0646).abs() < 0.0012, "{}", noisy(1));
}

#[test]
fn conditional_estimates_are_jidts() {
    let Some(data) = shared("data/metrics/four_cols.csv") else { return };
    let expected = &json(&shared("golden/metrics/cte_four_cols.json").unwrap())["expected"];
    let data = columns(&data);
    let of = |keys: &str, pair: &str| value(&run(keys, &data, None), pair);
    close(of("estimator = \"ksg\"\ncondition = [\"1\"]", "0->2"), &expected["ksg 0->2 | 1 (k=l=c=1,K=4)"], 1e-9);
    close(of("estimator = \"ksg\"\ncondition = [\"3\"]", "0->2"), &expected["ksg 0->2 | 3"], 1e-9);
    close(of("estimator = \"ksg\"", "0->2"), &expected["ksg 0->2 uncond"], 1e-9);
    let two = "estimator = \"ksg\"\ntarget_history = 2\nsource_history = 2";
    close(of(two, "0->2"), &expected["ksg 0->2 k=l=2"], 1e-9);
    close(of(two, "2->0"), &expected["ksg 2->0 k=l=2"], 1e-9);
    close(of("estimator = \"gaussian\"\ncondition = [\"1\"]", "0->2"), &expected["gauss 0->2 | 1"][0], 1e-9);
    close(of("estimator = \"gaussian\"\ncondition = [\"3\"]", "0->2"), &expected["gauss 0->2 | 3"][0], 1e-9);
}

#[test]
fn gaussian_estimates_are_jidts_and_half_of_the_published_causality() {
    let Some(data) = shared("data/metrics/coupled100.csv") else { return };
    let expected = &json(&shared("golden/metrics/te_gaussian_granger.json").unwrap())["expected"];
    let data = columns(&data);
    for (label, numbers) in expected.as_object().unwrap() {
        let (pair, n) = (label.split(' ').next().unwrap(), number(label, "k=l="));
        let keys = format!("estimator = \"gaussian\"\ntarget_history = {n}\nsource_history = {n}\ntest = \"chi-squared\"");
        let rows = run(&keys, &data, None);
        close(value(&rows, pair), &numbers["nats"], 1e-9);
        close(row(&rows, "value", pair).p_value.unwrap(), &numbers["p_chi2"], 1e-6);
    }
    // ChaLearn's computeGranger, k = l = 1, 2, 3.
    for (n, causality) in [(1, 0.71693), (2, 0.77806), (3, 0.79468)] {
        let rows = run(&format!("estimator = \"gaussian\"\ntarget_history = {n}\nsource_history = {n}"), &data, None);
        assert!((2.0 * value(&rows, "0->1") - causality).abs() < 1e-4);
    }
}

/// Numbers that look random: a multiplicative generator with Box and Muller's transform.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// x_t = A x_{t−1} + N(0, I), A = [[0.5, 0.4], [0, 0.7]].
fn autoregression(n: usize, seed: u64) -> Series {
    let mut draws = Draws(seed);
    let (mut x, mut y, mut channels) = (0.0, 0.0, [Vec::new(), Vec::new()]);
    for t in 0..n + 500 {
        (x, y) = (0.5 * x + 0.4 * y + draws.normal(), 0.7 * y + draws.normal());
        if t >= 500 {
            channels[0].push(x);
            channels[1].push(y);
        }
    }
    series(&channels)
}

#[test]
fn coupled_gaussian_channels_have_the_transfer_entropy_of_the_closed_form_at_three_lengths() {
    // From the stationary covariances (golden te_gaussian_var_closed_form): y → x with k = l = 1; and none back.
    let closed = 0.116_305_183_028_348_84_f64;
    for (n, seed) in [(500_usize, 1), (2000, 2), (8000, 3)] {
        let data = autoregression(n, seed);
        let error = 4.0 * (2.0 * closed / n as f64).sqrt() + 2.0 / n as f64;
        let gaussian = run("estimator = \"gaussian\"", &data, None);
        assert!((value(&gaussian, "1->0") - closed).abs() < error, "{n}: {}", value(&gaussian, "1->0"));
        assert!(value(&gaussian, "0->1") < 8.0 / n as f64);
        assert!(row(&gaussian, "value", "1->0").p_value.unwrap() < 1e-6 && row(&gaussian, "value", "0->1").p_value.unwrap() > 0.001);
        let neighbours = run("estimator = \"ksg\"", &data, None);
        // Nearest neighbours scatter more: about twice as much.
        assert!((value(&neighbours, "1->0") - closed).abs() < 2.0 * error, "{n}: {}", value(&neighbours, "1->0"));
        assert!(value(&neighbours, "0->1").abs() < 1.5 * error, "{n}: {}", value(&neighbours, "0->1"));
    }
}

/// How far the sorted p-values are from a uniform distribution, as a p-value (Kolmogorov and Smirnov, asymptotic).
fn uniformity(mut p: Vec<f64>) -> f64 {
    p.sort_by(f64::total_cmp);
    let n = p.len() as f64;
    let apart = p.iter().enumerate().map(|(at, p)| (p - at as f64 / n).abs().max(((at + 1) as f64 / n - p).abs())).fold(0.0, f64::max);
    let x = (n.sqrt() + 0.12 + 0.11 / n.sqrt()) * apart;
    (1..100).map(|j| 2.0 * f64::from(j % 2 * 2 - 1) * (-2.0 * (f64::from(j) * x).powi(2)).exp()).sum::<f64>().clamp(0.0, 1.0)
}

#[test]
fn p_values_of_four_hundred_independent_pairs_are_uniform() {
    // 400 pairs of channels that know nothing of each other, each channel in one pair, with memory of their own.
    let pairs = |bits: bool, n: usize, seed: u64| -> (Series, String) {
        let mut draws = Draws(seed);
        let channels: Vec<Vec<f64>> = (0..800)
            .map(|_| {
                let mut x = 0.0;
                let mut next = || {
                    x = 0.5 * x + draws.normal();
                    if bits { f64::from(x > 0.0) } else { x }
                };
                (0..n).map(|_| next()).collect()
            })
            .collect();
        let names: Vec<String> = (0..400).map(|at| format!("[\"{}\", \"{}\"]", 2 * at, 2 * at + 1)).collect();
        (series(&channels), format!("pairs = [{}]\n", names.join(", ")))
    };
    let p_values = |keys: &str, data: &Series| -> Vec<f64> {
        let rows = run(keys, data, None);
        rows.iter().filter(|row| row.statistic == "value").map(|row| row.p_value.unwrap()).collect()
    };
    for (keys, bits, n) in [
        ("surrogates = 199", true, 400),
        ("estimator = \"gaussian\"", false, 100),
        ("estimator = \"gaussian\"\nsurrogates = 199", false, 100),
        ("estimator = \"ksg\"\nsurrogates = 99", false, 60),
    ] {
        let (data, pairs) = pairs(bits, n, 77);
        let mut p = p_values(&format!("{pairs}{keys}"), &data);
        if keys.contains("surrogates") {
            // Ranks take steps of 1 / (1 + S): spread each over its step.
            let step = if keys.contains("199") { 1.0 / 200.0 } else { 1.0 / 100.0 };
            let mut draws = Draws(5);
            p.iter_mut().for_each(|p| *p -= step * draws.uniform());
        }
        assert_eq!(p.len(), 400);
        let chance = uniformity(p);
        assert!(chance > 0.01, "{keys}: {chance}");
    }
}

fn trains(times: [Vec<f64>; 2], stop_s: f64) -> (Series, Spikes) {
    let made = times.into_iter().enumerate().map(|(at, times_s)| SpikeTrain { id: at.to_string(), location: None, times_s });
    (series(&[vec![0.0; 2], vec![0.0; 2]]), Spikes::new(made.collect(), Span { start_s: 0.0, stop_s }).unwrap())
}

fn poisson(rate_hz: f64, stop_s: f64, draws: &mut Draws) -> Vec<f64> {
    let (mut times, mut now) = (Vec::new(), 0.0);
    loop {
        now -= draws.uniform().ln() / rate_hz;
        if now >= stop_s {
            return times;
        }
        times.push(now);
    }
}

#[test]
fn spikes_in_continuous_time_have_the_rate_of_the_published_example_and_none_where_there_is_none() {
    let mut draws = Draws(9);
    let stop_s = 3000.0;
    let (source, other) = (poisson(1.0, stop_s, &mut draws), poisson(1.0, stop_s, &mut draws));
    // Spinney, Prokopenko & Lizier 2017, example B: the target's rate follows the time since the source's last spike; 0.5076 nats/s.
    let mut target = poisson(10.0, stop_s, &mut draws);
    target.retain(|&time| {
        let last = source.partition_point(|&spike| spike < time);
        let Some(&last) = last.checked_sub(1).and_then(|at| source.get(at)) else { return false };
        let rate = 0.5 + 5.0 * (-50.0 * (time - last - 0.5_f64).powi(2)).exp() - 5.0 * (-50.0 * 0.25_f64).exp();
        draws.uniform() < rate / 10.0
    });
    let keys = "estimator = \"spike-continuous\"\nsurrogates = 19\nbootstrap = 50\npairs = [[\"0\", \"1\"]]";
    let (matrix, spikes) = trains([source.clone(), target], stop_s);
    let rows = run(keys, &matrix, Some(&spikes));
    assert!((value(&rows, "0->1") - 0.5076).abs() < 0.08, "{rows:?}");
    assert_eq!((rows[0].p_value, rows[0].unit_of_measure.as_str()), (Some(0.05), "nat/s"));
    assert!(rows[0].ci_low.unwrap() < value(&rows, "0->1") && value(&rows, "0->1") < rows[0].ci_high.unwrap());
    let (matrix, spikes) = trains([source, other], stop_s);
    let rows = run(keys, &matrix, Some(&spikes));
    assert!(value(&rows, "0->1").abs() < 0.08 && rows[0].p_value.unwrap() > 0.05, "{rows:?}");
}

#[test]
fn spikes_that_are_rounded_too_few_or_absent_are_said_so() {
    let mut draws = Draws(10);
    let reason = |times: [Vec<f64>; 2], keys: &str| {
        let (matrix, spikes) = trains(times, 1000.0);
        let rows = run(&format!("estimator = \"spike-continuous\"\n{keys}"), &matrix, Some(&spikes));
        format!("{:?}", rows[0].value)
    };
    let rounded = |times: Vec<f64>| -> Vec<f64> { times.into_iter().map(|time| (time * 10.0).floor() / 10.0).collect() };
    let (a, b) = (poisson(2.0, 1000.0, &mut draws), poisson(2.0, 1000.0, &mut draws));
    let found = reason([rounded(a.clone()), rounded(b.clone())], "source_history = 1");
    assert!(found.contains("Known") || found.contains("blur them with `noise`"), "{found}");
    assert!(reason([rounded(a.clone()), rounded(b.clone())], "noise = 0.01").contains("Known"));
    assert!(reason([a.clone(), vec![]], "").contains("unit `1` has 0 spikes, and its history takes 1"));
    assert!(reason([a.clone(), b[..4].to_vec()], "").contains("neighbours need 6"));
    assert!(reason([a.clone(), a.clone()], "").contains("hold the same values"));
    let rows = run("estimator = \"spike-continuous\"", &series(&[vec![1.0, 0.0], vec![0.0, 1.0]]), None);
    assert!(format!("{:?}", rows[0].value).contains("needs spike times"));
}

/// Five channels: 0 drives 1 at lag 2 and 2 at lag 1, 1 drives 3 at lag 1; 4 is alone. Pairwise, 0 → 3 and 1 → 2 are seen too.
fn network(n: usize) -> Series {
    let mut draws = Draws(31);
    let mut x = vec![[0.0; 5]; n];
    for t in 2..n {
        let mut noise = || draws.normal();
        x[t] = [
            0.4 * x[t - 1][0] + noise(),
            0.4 * x[t - 1][1] + 0.6 * x[t - 2][0] + noise(),
            0.4 * x[t - 1][2] + 0.6 * x[t - 1][0] + noise(),
            0.4 * x[t - 1][3] + 0.6 * x[t - 1][1] + noise(),
            0.4 * x[t - 1][4] + noise(),
        ];
    }
    let channels: Vec<Vec<f64>> = (0..5).map(|channel| x.iter().map(|row| row[channel]).collect()).collect();
    series(&channels)
}

#[test]
fn a_greedy_search_finds_the_links_of_a_network_at_their_lags_and_no_indirect_ones() {
    let data = network(1500);
    let keys = "estimator = \"gaussian\"\nselection = \"greedy\"\nmax_lag = 4\nalpha = 0.01\nsurrogates = 199";
    let rows = run(keys, &data, None);
    let links: Vec<(String, String)> = rows
        .iter()
        .filter(|row| row.statistic == "value" && row.value.known().is_some())
        .map(|row| (row.source.clone().unwrap(), row.target.clone().unwrap()))
        .collect();
    let expected = [("0", "1"), ("0", "2"), ("1", "3")].map(|(source, target)| (source.to_owned(), target.to_owned()));
    assert_eq!(links, expected);
    for (pair, lag) in [("0->1", 2.0), ("0->2", 1.0), ("1->3", 1.0)] {
        assert_eq!(row(&rows, "lag", pair).value.known(), Some(lag));
        // ½ ln(1 + 0.36 var(source)): 0.178 for a source of variance 1.19, about 0.26 for channel 1 (1.9); the sampling error is 0.02.
        assert!((0.12..0.32).contains(&value(&rows, pair)), "{}", value(&rows, pair));
        assert_eq!(row(&rows, "value", pair).p_value, Some(0.005));
    }
    let omnibus: Vec<&MetricRow> = rows.iter().filter(|row| row.statistic == "omnibus").collect();
    assert_eq!(omnibus.iter().filter(|row| row.value.known().is_some()).count(), 3);
    assert!(rows.iter().any(|row| row.statistic == "own_lag_1" && row.target.as_deref() == Some("4")));
    // Pairs by pairs, the common driver and the chain show.
    let pairwise = run("estimator = \"gaussian\"\nlag = [1, 2, 3, 4]", &data, None);
    for pair in ["0->3", "2->1"] {
        assert!(row(&pairwise, "q_value", pair).value.known().unwrap() < 0.01, "{pair}");
    }
    assert_eq!(row(&pairwise, "lag", "0->1").value.known(), Some(2.0));
}

#[test]
fn a_greedy_search_by_nearest_neighbours_finds_a_link_that_is_not_linear() {
    let mut draws = Draws(8);
    let x: Vec<f64> = (0..400).map(|_| draws.normal()).collect();
    let y: Vec<f64> = (0..400).map(|t| if t < 2 { 0.0 } else { x[t - 2] * x[t - 2] + 0.3 * draws.normal() }).collect();
    let keys = "selection = \"greedy\"\nmax_lag = 3\nsurrogates = 39\n";
    let found = run(&format!("estimator = \"ksg\"\n{keys}"), &series(&[x.clone(), y.clone()]), None);
    assert_eq!(row(&found, "lag", "0->1").value.known(), Some(2.0));
    assert!(value(&found, "0->1") > 0.3 && row(&found, "value", "1->0").value.known().is_none());
}

#[test]
fn short_series_are_flagged_and_not_silently_scored() {
    let flag = |n: usize, keys: &str| {
        let rows = run(keys, &autoregression(n, 4), None);
        assert!(rows[0].value.known().is_some());
        rows.iter().find(|row| row.statistic == "flag").map(|row| format!("{:?}", row.value))
    };
    assert_eq!(flag(50, ""), None);
    assert!(flag(50, "alphabet = 4").unwrap().contains("short series: 49 observations for 64 cells (take 320 or more)"));
    assert!(flag(50, "estimator = \"ksg\"").unwrap().contains("49 observations for 3 dimensions (take 60 or more)"));
    assert_eq!(flag(100, "estimator = \"gaussian\""), None);
}

#[test]
fn a_lattice_of_tent_maps_has_schreibers_transfer_entropy_at_three_lengths() {
    // Schreiber 2000, figure 1: 0.77² ε² / ln 2 bits along the ring for small ε, none against it. Noise of 1e-9 keeps doubles alive.
    let (sites, longest) = (40_usize, 20_000_usize);
    for coupling in [0.03, 0.05] {
        let mut draws = Draws(12);
        let mut now: Vec<f64> = (0..sites).map(|_| draws.uniform()).collect();
        let mut channels = vec![Vec::with_capacity(longest); sites];
        for t in 0..longest + 2000 {
            let mixed = |at: usize| coupling * now[(at + sites - 1) % sites] + (1.0 - coupling) * now[at];
            let mut next: Vec<f64> = (0..sites).map(mixed).map(|x| if x < 0.5 { 2.0 * x } else { 2.0 - 2.0 * x }).collect();
            next.iter_mut().for_each(|x| *x = (*x + 2e-9 * (draws.uniform() - 0.5)).abs().min(1.0));
            now = next;
            if t >= 2000 {
                channels.iter_mut().zip(&now).for_each(|(channel, x)| channel.push(f64::from(*x >= 0.5)));
            }
        }
        let published = 0.77_f64.powi(2) * coupling * coupling / std::f64::consts::LN_2;
        for n in [5000, 10_000, longest] {
            let cut: Vec<Vec<f64>> = channels.iter().map(|channel| channel[..n].to_vec()).collect();
            let along =
                |step: usize| (0..sites).map(|at| format!("[\"{at}\", \"{}\"]", (at + step) % sites)).collect::<Vec<_>>().join(", ");
            let mean = |step: usize| {
                let rows = run(&format!("bias = \"miller-madow\"\npairs = [{}]", along(step)), &series(&cut), None);
                let values: Vec<f64> = rows.iter().filter(|row| row.statistic == "value").filter_map(|row| row.value.known()).collect();
                values.iter().sum::<f64>() / values.len() as f64
            };
            // The sampling error of a mean of 40 estimates, each of about √(2 TE / N) bits, and what small ε leaves out.
            let error = 4.0 * (2.0 * published / (n * sites) as f64).sqrt() + 0.12 * published;
            assert!((mean(1) - published).abs() < error, "{coupling} {n}: {} against {published}", mean(1));
            assert!(mean(sites - 1).abs() < 0.1 * published + 2e-5, "{coupling} {n}: {} back", mean(sites - 1));
        }
    }
}
