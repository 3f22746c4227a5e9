//! The plug-in estimate: symbols, histories as codes, and the counting of them.
//!
//! With `N` observations and counts `n`, `TE = 1/N · [Σ n(y′,y,x) log₂ n(y′,y,x) − Σ n(y,x) log₂ n(y,x) + Σ n(y) log₂ n(y)
//! − Σ n(y′,y) log₂ n(y′,y)]`, where `y′` is the target's next symbol, `y` its history and `x` the source's.
//! One bit a symbol and histories of one are counted 64 observations at a time; other tables by index, or by sorting where they
//! would be mostly empty.

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
    /// From the newest member of the source's history to the target's next symbol.
    pub lag: usize,
}

impl Histories {
    /// Samples before the first that has both histories.
    pub fn reach(&self) -> usize {
        let target = (self.target - 1).saturating_mul(self.target_delay).saturating_add(1);
        let source = (self.source - 1).saturating_mul(self.source_delay).saturating_add(self.lag);
        target.max(source)
    }

    /// The target's side of the observations, one for each sample from [`Self::reach`] on.
    pub fn target_of(&self, symbols: &[u32], alphabet: u32) -> Target {
        let history = history(symbols, self.reach(), 1, self.target_delay, self.target, alphabet);
        let next = &symbols[self.reach()..];
        let codes = history.codes.iter().zip(next).map(|(&past, &next)| u64::from(past) * u64::from(alphabet) + u64::from(next)).collect();
        Target::new(codes, history.size, alphabet)
    }

    /// The source's side of the observations.
    pub fn source_of(&self, symbols: &[u32], alphabet: u32) -> Source {
        Source::new(history(symbols, self.reach(), self.lag, self.source_delay, self.source, alphabet))
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

fn history(symbols: &[u32], first: usize, newest: usize, delay: usize, members: usize, alphabet: u32) -> Codes {
    let n = symbols.len() - first;
    let mut codes = symbols[first - newest..symbols.len() - newest].to_vec();
    let mut size = alphabet;
    for member in 1..members {
        let back = newest + member * delay;
        let delayed = &symbols[first - back..symbols.len() - back];
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
    if u64::from(size) > SMALL.max(n as u64) {
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
pub struct Source {
    history: Codes,
    /// The history as bits and how many are set, where it is one bit.
    bits: Option<(Vec<u64>, u64)>,
}

impl Source {
    fn new(history: Codes) -> Self {
        let bits = (history.size == 2).then(|| packed(history.codes.iter().map(|&code| u64::from(code))));
        Self { history, bits }
    }
    /// The same observations in another order: for permutations and resampled blocks.
    pub fn gathered(&self, order: &[usize]) -> Self {
        Self::new(self.history.gathered(order))
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
    /// `Σ n(y) log₂ n(y) − Σ n(y′,y) log₂ n(y′,y)`.
    own: f64,
    /// Cells of the two that hold anything.
    cells_history: usize,
    cells_next: usize,
    bits: Option<TargetBits>,
}

#[derive(Debug, Clone, PartialEq)]
struct TargetBits {
    next: Vec<u64>,
    history: Vec<u64>,
    n_next: u64,
    n_history: u64,
    n_both: u64,
}

impl Target {
    fn new(codes: Vec<u64>, size: u32, alphabet: u32) -> Self {
        let bits = (alphabet == 2 && size == 2).then(|| TargetBits::of(&codes));
        let alone = match &bits {
            Some(bits) => bits.tally(codes.len() as u64),
            None => count_alone(&codes, size, alphabet),
        };
        let (cells_history, cells_next) = (alone.cells_given, alone.cells_joint);
        Self { codes, size, alphabet, own: alone.given - alone.joint, cells_history, cells_next, bits }
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

impl TargetBits {
    fn of(codes: &[u64]) -> Self {
        let (next, n_next) = packed(codes.iter().map(|code| code & 1));
        let (history, n_history) = packed(codes.iter().map(|code| code >> 1));
        let n_both = next.iter().zip(&history).map(|(a, b)| u64::from((a & b).count_ones())).sum();
        Self { next, history, n_next, n_history, n_both }
    }
    /// The table without a source.
    fn tally(&self, n: u64) -> Tally {
        let mut tally = Tally::default();
        let next_alone = self.n_next - self.n_both;
        tally.cell([n - self.n_history - next_alone, next_alone].into_iter());
        tally.cell([self.n_history - self.n_both, self.n_both].into_iter());
        tally
    }
}

/// Transfer entropy in bits: the plug-in estimate, less the Miller–Madow bias of its four entropies if `corrected`.
pub fn transfer_entropy(source: &Source, target: &Target, corrected: bool) -> f64 {
    let n = target.n_observations() as f64;
    let tally = match (&source.bits, &target.bits) {
        (Some(source), Some(target)) => count_by_bits(source, target, n as u64),
        _ => count_by_code(&source.history, target),
    };
    // An information is not negative; rounding is.
    let plug_in = ((tally.joint - tally.given + target.own) / n).max(0.0);
    if !corrected {
        return plug_in;
    }
    // Each entropy gains (cells − 1) / 2N nats (G. Miller 1955).
    let gained = (target.cells_next + tally.cells_given) as f64 - (target.cells_history + tally.cells_joint) as f64;
    plug_in + gained / (2.0 * n * std::f64::consts::LN_2)
}

/// `Σ n log₂ n` over the table of (next, history, source) and over that of (history, source), and how many of their cells are held.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Tally {
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
    fn cell(&mut self, by_next: impl Iterator<Item = u64>) {
        let mut given = 0;
        for count in by_next {
            Self::add(&mut self.joint, &mut self.cells_joint, count);
            given += count;
        }
        Self::add(&mut self.given, &mut self.cells_given, given);
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

fn count_alone(codes: &[u64], size: u32, alphabet: u32) -> Tally {
    count(codes.iter().copied(), u64::from(size) * u64::from(alphabet), alphabet)
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

fn count_by_bits((source, n_source): &(Vec<u64>, u64), target: &TargetBits, n: u64) -> Tally {
    // Counts of observations where the source is 1 and: the history too, the next too, both too.
    let (mut past, mut next, mut both) = (0, 0, 0);
    // Zipping slices of one length lets the compiler drop bounds checks and use vectors.
    for ((x, y), z) in source.iter().zip(&target.history).zip(&target.next) {
        let from = x & y;
        past += u64::from(from.count_ones());
        next += u64::from((x & z).count_ones());
        both += u64::from((from & z).count_ones());
    }
    let (n_past, n_next, n_both) = (target.n_history, target.n_next, target.n_both);
    let mut tally = Tally::default();
    // History and source: 00, 01, 10, 11; the next symbol 0, then 1.
    let one = |given: u64, with_next: u64| [given - with_next, with_next].into_iter();
    tally.cell(one(n + past - n_past - n_source, n_next + both - n_both - next));
    tally.cell(one(n_source - past, next - both));
    tally.cell(one(n_past - past, n_both - both));
    tally.cell(one(past, both));
    tally
}

fn packed(bits: impl ExactSizeIterator<Item = u64>) -> (Vec<u64>, u64) {
    let mut words = vec![0; bits.len().div_ceil(64)];
    bits.enumerate().for_each(|(at, bit)| words[at / 64] |= bit << (at % 64));
    let set = words.iter().map(|word| u64::from(word.count_ones())).sum();
    (words, set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::BTreeMap;

    const ONE: Histories = Histories { target: 1, target_delay: 1, source: 1, source_delay: 1, lag: 1 };

    /// Conditional mutual information from probabilities, straight from the definition.
    fn by_definition(source: &[u32], target: &[u32], of: Histories) -> f64 {
        let reach = of.reach();
        let observations: Vec<_> = (reach..target.len())
            .map(|t| {
                let past: Vec<u32> = (0..of.target).map(|member| target[t - 1 - member * of.target_delay]).collect();
                let from: Vec<u32> = (0..of.source).map(|member| source[t - of.lag - member * of.source_delay]).collect();
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

    fn random(n: usize, alphabet: u32, rng: &mut ChaCha8Rng) -> Vec<u32> {
        (0..n).map(|_| rng.random_range(0..alphabet)).collect()
    }

    #[test]
    fn every_way_of_counting_gives_the_definition() {
        let mut rng = ChaCha8Rng::seed_from_u64(2000);
        for round in 0..300 {
            let (alphabet, n) = ([2, 2, 3, 5, 30][round % 5], rng.random_range(30..150));
            let mut length = || rng.random_range(1..4_usize);
            let of = Histories { target: length(), target_delay: length(), source: length(), source_delay: length(), lag: length() };
            let of = if round % 3 == 0 { ONE } else { of };
            let (source, target) = (random(n, alphabet, &mut rng), random(n, alphabet, &mut rng));
            let ours = transfer_entropy(&of.source_of(&source, alphabet), &of.target_of(&target, alphabet), false);
            let expected = by_definition(&source, &target, of);
            assert!((ours - expected).abs() < 1e-12, "{ours} {expected} {of:?} alphabet {alphabet}");
        }
    }

    #[test]
    fn bits_and_codes_agree_past_a_word() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for n in [2, 64, 65, 66, 1000] {
            let (source, target) = (ONE.source_of(&random(n, 2, &mut rng), 2), ONE.target_of(&random(n, 2, &mut rng), 2));
            let alone = count_alone(&target.codes, 2, 2);
            assert_eq!(
                (target.own, target.cells_history, target.cells_next),
                (alone.given - alone.joint, alone.cells_given, alone.cells_joint)
            );
            let by_code = count_by_code(&source.history, &target);
            let by_bits = count_by_bits(source.bits.as_ref().unwrap(), target.bits.as_ref().unwrap(), n as u64 - 1);
            assert_eq!((by_bits.cells_joint, by_bits.cells_given), (by_code.cells_joint, by_code.cells_given));
            assert!((by_bits.joint - by_code.joint).abs() < 1e-9 && (by_bits.given - by_code.given).abs() < 1e-9);
        }
    }

    #[test]
    fn miller_madow_takes_the_bias_of_independent_symbols_away() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        // Long enough for the terms of higher order in 1/N, which the correction leaves, to be small.
        let (n, rounds, alphabet) = (4000, 100, 4);
        let (mut plain, mut corrected) = (0.0, 0.0);
        for _ in 0..rounds {
            let source = ONE.source_of(&random(n, alphabet, &mut rng), alphabet);
            let target = ONE.target_of(&random(n, alphabet, &mut rng), alphabet);
            plain += transfer_entropy(&source, &target, false) / f64::from(rounds);
            corrected += transfer_entropy(&source, &target, true) / f64::from(rounds);
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
        assert_eq!(transfer_entropy(&of.source_of(&source, 50), &of.target_of(&target, 50), false), 0.0);
        let endless = Histories { target: usize::MAX, target_delay: usize::MAX, ..ONE };
        assert_eq!(endless.reach(), usize::MAX);
    }
}
