//! The plug-in estimate: symbols, histories as codes, and the counting of them.
//!
//! With `N` observations and counts `n`, `TE = 1/N · [Σ n(y′,y,x) log₂ n(y′,y,x) − Σ n(y,x) log₂ n(y,x) + Σ n(y) log₂ n(y)
//! − Σ n(y′,y) log₂ n(y′,y)]`, where `y′` is the target's next symbol, `y` its history and `x` the source's.
//! Tables are counted by index, or by sorting where they would be mostly empty; short histories of two symbols in `bits.rs`.

/// Lengths and steps of the histories, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histories {
    /// Members of the target's history (k).
    pub target: usize,
    /// Samples between two members of it.
    pub target_delay: usize,
    /// Members of the source's history (l).
    pub source: usize,
    /// Samples between two members of it.
    pub source_delay: usize,
}

impl Histories {
    /// Samples before the first that has both histories, when the source is `lag` samples back.
    pub fn reach(&self, lag: usize) -> usize {
        let target = (self.target - 1).saturating_mul(self.target_delay).saturating_add(1);
        let source = (self.source - 1).saturating_mul(self.source_delay).saturating_add(lag);
        target.max(source)
    }

    /// The target's side of the observations, one for each sample from `first` on, given the last symbols of `conditions` too.
    pub fn target_of(&self, symbols: &[u32], alphabet: u32, first: usize, conditions: &[&[u32]]) -> Target {
        let own = (0..self.target).map(|member| (symbols, 1 + member * self.target_delay));
        let history = history(own.chain(conditions.iter().map(|&condition| (condition, 1))), first, alphabet);
        let next = &symbols[first..];
        let codes = history.codes.iter().zip(next).map(|(&past, &next)| u64::from(past) * u64::from(alphabet) + u64::from(next)).collect();
        Target::new(codes, history.size, alphabet)
    }

    /// The source's side of the observations from `first` on.
    pub fn source_of(&self, symbols: &[u32], alphabet: u32, first: usize, lag: usize) -> Source {
        Source(history((0..self.source).map(|member| (symbols, lag + member * self.source_delay)), first, alphabet))
    }
}

/// A channel's symbols `0..alphabet`: its values where all are such integers, else equal-width bins between its least and greatest.
pub fn symbols(channel: &[f64], alphabet: u32) -> Vec<u32> {
    let levels = f64::from(alphabet);
    // The cast saturates, so that only a whole number from 0 to the largest `u32` comes back as it was.
    if channel.iter().all(|&value| f64::from(value as u32) == value && value < levels) {
        return channel.iter().map(|&value| value as u32).collect();
    }
    let least = channel.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = channel.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Halves keep the range of extreme values finite.
    let width = 0.5 * greatest - 0.5 * least;
    let level = |value: f64| if width > 0.0 { ((0.5 * value - 0.5 * least) / width * levels) as u32 } else { 0 };
    channel.iter().map(|&value| level(value).min(alphabet - 1)).collect()
}

/// One code an observation, each below `size`.
#[derive(Debug, Clone, PartialEq)]
pub struct Codes {
    codes: Vec<u32>,
    size: u32,
}

impl Codes {
    fn gathered(&self, order: &[usize]) -> Self {
        Self { codes: order.iter().map(|&index| self.codes[index]).collect(), size: self.size }
    }
}

/// Codes above this are renamed to `0..distinct` when there are fewer observations.
const SMALL: u64 = 256;

/// Codes of several members, each a channel and how many samples back; the first is the most significant.
fn history<'a>(members: impl Iterator<Item = (&'a [u32], usize)>, first: usize, alphabet: u32) -> Codes {
    let (mut codes, mut size) = (Vec::new(), 1);
    for (index, (symbols, back)) in members.enumerate() {
        let n = symbols.len() - first;
        let delayed = &symbols[first - back..symbols.len() - back];
        if index == 0 {
            (codes, size) = (delayed.to_vec(), alphabet);
            continue;
        }
        if u64::from(size) * u64::from(alphabet) > SMALL.max(n as u64) {
            size = renamed(&mut codes);
        }
        let joined = codes.iter().zip(delayed).map(|(&code, &symbol)| u64::from(code) * u64::from(alphabet) + u64::from(symbol));
        let cells = u64::from(size) * u64::from(alphabet);
        (codes, size) = match u32::try_from(cells) {
            Ok(cells) => (joined.map(|code| code as u32).collect(), cells),
            Err(_) => {
                let mut wide: Vec<u64> = joined.collect();
                let distinct = renamed(&mut wide);
                (wide.into_iter().map(|code| code as u32).collect(), distinct)
            }
        };
    }
    if u64::from(size) > SMALL.max(codes.len() as u64) {
        size = renamed(&mut codes);
    }
    Codes { codes, size }
}

/// Replaces each code by its place among the distinct ones; their number.
fn renamed<T: Copy + Ord + TryFrom<usize> + Default>(codes: &mut [T]) -> u32 {
    let mut distinct = codes.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    codes.iter_mut().for_each(|code| *code = T::try_from(distinct.partition_point(|other| other < code)).unwrap_or_default());
    distinct.len() as u32
}

/// A channel as a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Source(Codes);

impl Source {
    /// The same observations in another order: for permutations and resampled blocks.
    pub fn gathered(&self, order: &[usize]) -> Self {
        Self(self.0.gathered(order))
    }
}

/// A channel as a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// History times alphabet plus next symbol, one an observation.
    codes: Vec<u64>,
    /// Number of history codes.
    size: u32,
    alphabet: u32,
    /// The table without a source: (history, next), and history.
    alone: Tally,
}

impl Target {
    fn new(codes: Vec<u64>, size: u32, alphabet: u32) -> Self {
        let alone = count(codes.iter().copied(), u64::from(size) * u64::from(alphabet), alphabet);
        Self { codes, size, alphabet, alone }
    }
    /// The same observations in another order, or resampled.
    pub fn gathered(&self, order: &[usize]) -> Self {
        Self::new(order.iter().map(|&index| self.codes[index]).collect(), self.size, self.alphabet)
    }
    /// Number of observations.
    pub fn n_observations(&self) -> usize {
        self.codes.len()
    }
}

/// Transfer entropy in bits: the plug-in estimate, less the Miller–Madow bias of its four entropies if `corrected`.
pub fn transfer_entropy(source: &Source, target: &Target, corrected: bool) -> f64 {
    count_by_code(&source.0, target).transfer_entropy(&target.alone, target.n_observations() as f64, corrected)
}

/// `Σ n log₂ n` over the table of (next, history, source) and over that of (history, source), and how many of their cells are held.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Tally {
    joint: f64,
    given: f64,
    cells_joint: usize,
    cells_given: usize,
}

impl Tally {
    fn add(sum: &mut f64, cells: &mut usize, count: u64) {
        if count > 0 {
            *sum += count as f64 * (count as f64).log2();
            *cells += 1;
        }
    }
    /// One cell of (history, source): its counts by next symbol.
    pub fn cell(&mut self, by_next: impl Iterator<Item = u64>) {
        let mut given = 0;
        for count in by_next {
            Self::add(&mut self.joint, &mut self.cells_joint, count);
            given += count;
        }
        Self::add(&mut self.given, &mut self.cells_given, given);
    }
    /// Transfer entropy in bits of `n` observations, where `alone` is the table without the source.
    pub fn transfer_entropy(&self, alone: &Self, n: f64, corrected: bool) -> f64 {
        let own = alone.given - alone.joint;
        // An information is not negative; rounding is.
        let plug_in = ((self.joint - self.given + own) / n).max(0.0);
        if !corrected {
            return plug_in;
        }
        // Each entropy gains (cells − 1) / 2N nats (G. Miller 1955).
        let gained = (alone.cells_joint + self.cells_given) as f64 - (alone.cells_given + self.cells_joint) as f64;
        plug_in + gained / (2.0 * n * std::f64::consts::LN_2)
    }
}

/// Tables larger than this are counted by sorting.
const LARGEST_TABLE: u64 = 1 << 24;

/// Cells are (source, history), so that a run of `alphabet` entries of the table is the next symbols of one.
fn count_by_code(source: &Codes, target: &Target) -> Tally {
    let width = u64::from(target.size) * u64::from(target.alphabet);
    let codes = source.codes.iter().zip(&target.codes).map(|(&from, code)| u64::from(from) * width + code);
    count(codes, width.saturating_mul(u64::from(source.size)), target.alphabet)
}

fn count(codes: impl ExactSizeIterator<Item = u64>, size: u64, alphabet: u32) -> Tally {
    let mut tally = Tally::default();
    // A table of many more cells than observations costs more to clear than the observations to sort.
    if size <= LARGEST_TABLE.min(4096.max(8 * codes.len() as u64)) {
        let mut table = vec![0_u32; size as usize];
        codes.for_each(|code| table[code as usize] += 1);
        table.chunks_exact(alphabet as usize).for_each(|cell| tally.cell(cell.iter().map(|&count| u64::from(count))));
    } else {
        let radix = u64::from(alphabet);
        let mut sorted: Vec<u64> = codes.collect();
        sorted.sort_unstable();
        sorted
            .chunk_by(|a, b| a / radix == b / radix)
            .for_each(|cell| tally.cell(cell.chunk_by(|a, b| a == b).map(|run| run.len() as u64)));
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::super::bits::{self, BitTarget, Rows, Train};
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::BTreeMap;

    const ONE: Histories = Histories { target: 1, target_delay: 1, source: 1, source_delay: 1 };

    /// Conditional mutual information from probabilities, straight from the definition.
    fn by_definition(source: &[u32], target: &[u32], of: Histories, lag: usize) -> f64 {
        let reach = of.reach(lag);
        let observations: Vec<_> = (reach..target.len())
            .map(|t| {
                let past: Vec<u32> = (0..of.target).map(|member| target[t - 1 - member * of.target_delay]).collect();
                let from: Vec<u32> = (0..of.source).map(|member| source[t - lag - member * of.source_delay]).collect();
                (target[t], past, from)
            })
            .collect();
        type Observation = (u32, Vec<u32>, Vec<u32>);
        let share = |same: &dyn Fn(&Observation) -> bool| {
            observations.iter().filter(|other| same(other)).count() as f64 / observations.len() as f64
        };
        let mut cells = BTreeMap::new();
        observations.iter().for_each(|observation| *cells.entry(observation.clone()).or_insert(0) += 1);
        cells
            .iter()
            .map(|((next, past, from), &count)| {
                let joint = f64::from(count) / observations.len() as f64;
                let given = share(&|other| other.1 == *past);
                let (with_next, with_from) = (share(&|o| o.1 == *past && o.0 == *next), share(&|o| o.1 == *past && o.2 == *from));
                joint * (joint * given / (with_next * with_from)).log2()
            })
            .sum()
    }

    fn estimate(source: &[u32], target: &[u32], alphabet: u32, of: Histories, lag: usize, corrected: bool) -> f64 {
        let first = of.reach(lag);
        transfer_entropy(&of.source_of(source, alphabet, first, lag), &of.target_of(target, alphabet, first, &[]), corrected)
    }

    fn random(n: usize, alphabet: u32, rng: &mut ChaCha8Rng) -> Vec<u32> {
        (0..n).map(|_| rng.random_range(0..alphabet)).collect()
    }

    #[test]
    fn every_way_of_counting_gives_the_definition() {
        let mut rng = ChaCha8Rng::seed_from_u64(2000);
        for round in 0..300 {
            let (alphabet, n) = ([2, 2, 3, 5, 30][round % 5], rng.random_range(30..150));
            let mut length = || rng.random_range(1..4_usize);
            let of = Histories { target: length(), target_delay: length(), source: length(), source_delay: length() };
            let (of, lag) = if round % 3 == 0 { (ONE, 1) } else { (of, length()) };
            let (source, target) = (random(n, alphabet, &mut rng), random(n, alphabet, &mut rng));
            let ours = estimate(&source, &target, alphabet, of, lag, false);
            let expected = by_definition(&source, &target, of, lag);
            assert!((ours - expected).abs() < 1e-12, "{ours} {expected} {of:?} alphabet {alphabet}");
        }
    }

    #[test]
    fn bits_and_codes_agree_to_the_last_digit() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for round in 0..200 {
            let n = [12, 64, 65, 66, 4096, 4097, 40_000][round % 7];
            let mut length = || rng.random_range(1..4_usize);
            let of = Histories { target: length(), target_delay: length(), source: 1 + length() / 3, source_delay: length() };
            let lag = length();
            let (source, target, other) = (random(n, 2, &mut rng), random(n, 2, &mut rng), random(n, 2, &mut rng));
            let conditions: Vec<&[u32]> = if round % 2 == 0 && of.target < 3 { vec![&other] } else { vec![] };
            assert!(bits::pays(&of, conditions.len()));
            let first = of.reach(lag);
            let train = |symbols: &[u32]| Train::new(symbols.iter().map(|&symbol| symbol == 1));
            let trains: Vec<Train> = conditions.iter().map(|condition| train(condition)).collect();
            let rows = Rows::source(&train(&source), &of, first, lag);
            let against = BitTarget::new(Rows::target(&train(&target), &of, first, &trains.iter().collect::<Vec<_>>()));
            for corrected in [false, true] {
                let by_code =
                    transfer_entropy(&of.source_of(&source, 2, first, lag), &of.target_of(&target, 2, first, &conditions), corrected);
                assert_eq!(bits::transfer_entropies(&[&rows], &[&against], &[(0, 0)], corrected), [by_code], "{n} {of:?} {lag}");
            }
        }
    }

    #[test]
    fn a_rearranged_train_has_its_ones_anywhere() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        for (n, ones) in [(0, 0), (1, 1), (70, 0), (70, 70), (100, 3), (100, 50), (1000, 985)] {
            let train = Train::new((0..n).map(|at| at < ones));
            let mut places = vec![0; n];
            for _ in 0..2000 {
                let other = train.rearranged(&mut rng);
                assert_eq!(other.ones(), ones as u64);
                other.symbols().zip(&mut places).for_each(|(symbol, place)| *place += symbol);
            }
            // Binomial counts of every place: five standard deviations.
            let rate = ones as f64 / n.max(1) as f64;
            let most = 5.0 * (2000.0 * rate * (1.0 - rate)).sqrt();
            assert!(places.iter().all(|&place| (f64::from(place) - 2000.0 * rate).abs() <= most), "{n} {ones} {places:?}");
        }
    }

    #[test]
    fn miller_madow_takes_the_bias_of_independent_symbols_away() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        // Long enough for the terms of higher order in 1/N, which the correction leaves, to be small.
        let (n, rounds, alphabet) = (4000, 100, 4);
        let (mut plain, mut corrected) = (0.0, 0.0);
        for _ in 0..rounds {
            let (source, target) = (random(n, alphabet, &mut rng), random(n, alphabet, &mut rng));
            plain += estimate(&source, &target, alphabet, ONE, 1, false) / f64::from(rounds);
            corrected += estimate(&source, &target, alphabet, ONE, 1, true) / f64::from(rounds);
        }
        // (b − 1)(b − 1) b / (2 N ln 2) bits.
        let bias = 36.0 / (2.0 * n as f64 * std::f64::consts::LN_2);
        assert!((plain - bias).abs() < 0.05 * bias, "{plain} {bias}");
        assert!(corrected.abs() < 0.1 * bias, "{corrected} {bias}");
    }

    #[test]
    fn integers_below_the_alphabet_are_symbols_and_all_else_is_binned() {
        assert_eq!(symbols(&[0.0, 2.0, 1.0, 2.0], 3), [0, 2, 1, 2]);
        assert_eq!(symbols(&[1.0, 1.0], 3), [1, 1]);
        // Counts up to 4 in two bins: 2 is the first of the upper half.
        assert_eq!(symbols(&[0.0, 1.0, 2.0, 4.0], 2), [0, 0, 1, 1]);
        assert_eq!(symbols(&[-1.0, 0.0, 1.0], 4), [0, 2, 3]);
        assert_eq!(symbols(&[0.5, 0.5], 4), [0, 0]);
        assert_eq!(symbols(&[f64::MIN, 0.0, f64::MAX], 3), [0, 1, 2]);
    }

    #[test]
    fn long_histories_do_not_overflow() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let of = Histories { target: 200, source: 100, ..ONE };
        let (source, target) = (random(400, 50, &mut rng), random(400, 50, &mut rng));
        // Every history is unique: nothing is left to explain.
        assert_eq!(estimate(&source, &target, 50, of, 1, false), 0.0);
        let endless = Histories { target: usize::MAX, target_delay: usize::MAX, ..ONE };
        assert_eq!(endless.reach(1), usize::MAX);
    }
}
