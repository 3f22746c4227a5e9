//! Binary channels, 64 samples a word: the counts of all pairs by popcounts of words.
//!
//! A side (source or target) is a set of *rows*: the conjunctions (AND) of every non-empty subset of its members, one bit an
//! observation. The overlap of a source's row with a target's row counts the observations where all members of both are 1; the
//! counts of every cell of the table follow by inclusion and exclusion. So the counts, and the sums over them in the same order,
//! are those of `discrete.rs` to the last bit.
//!
//! Overlaps are a matrix product over bits, by blocks of words that stay in the cache.

use super::discrete::{Histories, Tally};
use rand::RngExt;
use rand::rand_core::Rng;

/// Words of a block: with the rows of a tile of sources it stays in the second-level cache.
const BLOCK: usize = 512;
/// Members of a side beyond which tables are cheaper than popcounts of all subsets.
const MOST_TARGET: usize = 4;
const MOST_SOURCE: usize = 2;

/// Whether rows are cheaper than tables for these histories, of binary channels, with `n_conditions` further members.
pub fn pays(histories: &Histories, n_conditions: usize) -> bool {
    1 + histories.target + n_conditions <= MOST_TARGET && histories.source <= MOST_SOURCE
}

/// One bit a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Train {
    words: Vec<u64>,
    n: usize,
}

impl Train {
    /// Packs symbols that are 0 or 1.
    pub fn new(mut bits: impl ExactSizeIterator<Item = bool>) -> Self {
        let n = bits.len();
        let word = |_| bits.by_ref().take(64).enumerate().fold(0, |word, (at, bit)| word | u64::from(bit) << at);
        Self { words: (0..n.div_ceil(64)).map(word).collect(), n }
    }
    /// One sample.
    pub fn bit(&self, at: usize) -> bool {
        self.words[at / 64] >> (at % 64) & 1 == 1
    }
    /// All samples, as symbols.
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = u32> {
        (0..self.n).map(|at| u32::from(self.bit(at)))
    }
    /// Number of ones.
    pub fn ones(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }
    /// `n` samples from `first` on.
    pub fn cut(&self, first: usize, n: usize) -> Self {
        let (skip, shift) = (first / 64, first % 64);
        let mut words = vec![0; n.div_ceil(64)];
        let at = |index: usize| self.words.get(index).copied().unwrap_or_default();
        for (index, word) in words.iter_mut().enumerate() {
            let low = at(skip + index);
            *word = if shift == 0 { low } else { low >> shift | at(skip + index + 1) << (64 - shift) };
        }
        if !n.is_multiple_of(64) {
            words[n / 64] &= (1 << (n % 64)) - 1;
        }
        Self { words, n }
    }
    /// The samples in another order (indices may repeat).
    pub fn gathered(&self, order: &[usize]) -> Self {
        Self::new(order.iter().map(|&at| self.bit(at)))
    }
    /// A train with as many ones, every arrangement equally likely: what a random permutation of the samples gives, without moving
    /// each of them. Words of independent bits of nearly the wanted rate, then single bits, drawn at random, until the number is met.
    pub fn rearranged(&self, rng: &mut impl Rng) -> Self {
        let (n, wanted) = (self.n, self.ones());
        let mut words = vec![0_u64; self.words.len()];
        let sixty_fourths = if n == 0 { 0 } else { (wanted as f64 / n as f64 * 64.0).round() as u32 };
        if sixty_fourths == 64 {
            words.fill(u64::MAX);
        } else if sixty_fourths > 0 {
            // Each binary digit of the rate, the lowest first: a 1 keeps what is set or a fair coin sets, a 0 keeps what both do.
            let digits: Vec<bool> = (sixty_fourths.trailing_zeros()..6).map(|digit| sixty_fourths >> digit & 1 == 1).collect();
            for word in &mut words {
                *word = digits.iter().fold(0, |word, &digit| if digit { word | rng.next_u64() } else { word & rng.next_u64() });
            }
        }
        if !n.is_multiple_of(64) {
            words[n / 64] &= (1 << (n % 64)) - 1;
        }
        let mut train = Self { words, n };
        let mut ones = train.ones();
        while ones != wanted {
            let at = rng.random_range(0..n);
            if train.bit(at) == (ones > wanted) {
                train.words[at / 64] ^= 1 << (at % 64);
                ones = if ones > wanted { ones - 1 } else { ones + 1 };
            }
        }
        train
    }
}

/// A source or a target: rows of all non-empty subsets of its members; row `s` is of the subset with the bits of `s + 1`.
#[derive(Debug, Clone)]
pub struct Rows {
    rows: Vec<Train>,
    members: usize,
}

impl Rows {
    /// From the members, the least significant of a cell's index first.
    pub fn new(members: Vec<Train>) -> Self {
        let n_members = members.len();
        let mut rows: Vec<Train> = Vec::with_capacity((1 << n_members) - 1);
        for (index, member) in members.into_iter().enumerate() {
            let below = (1 << index) - 1;
            rows.push(member);
            for subset in 0..below {
                let words = rows[subset].words.iter().zip(&rows[below].words).map(|(a, b)| a & b).collect();
                rows.push(Train { words, n: rows[below].n });
            }
        }
        Self { rows, members: n_members }
    }
    /// The source's side of the observations: the oldest member is the least significant.
    pub fn source(channel: &Train, of: &Histories, first: usize, lag: usize) -> Self {
        let n = channel.n - first;
        let member = |member: usize| channel.cut(first - lag - member * of.source_delay, n);
        Self::new((0..of.source).rev().map(member).collect())
    }
    /// The target's side: the next symbol, the conditions, then the history from the oldest member on.
    pub fn target(channel: &Train, of: &Histories, first: usize, conditions: &[&Train]) -> Self {
        let n = channel.n - first;
        let past = (0..of.target).rev().map(|member| channel.cut(first - 1 - member * of.target_delay, n));
        let conditions = conditions.iter().rev().map(|condition| condition.cut(first - 1, n));
        Self::new([channel.cut(first, n)].into_iter().chain(conditions).chain(past).collect())
    }
    /// The single members, in the order given to [`Self::new`].
    pub fn members(&self) -> impl Iterator<Item = &Train> {
        (0..self.members).map(|member| &self.rows[(1 << member) - 1])
    }
    /// The same observations in another order, or resampled.
    pub fn gathered(&self, order: &[usize]) -> Self {
        Self::new(self.members().map(|member| member.gathered(order)).collect())
    }
    /// Number of observations.
    pub fn n(&self) -> usize {
        self.rows[0].n
    }
    /// Observations of every subset, the empty one first.
    fn counts(&self) -> Vec<u64> {
        [self.n() as u64].into_iter().chain(self.rows.iter().map(Train::ones)).collect()
    }
}

/// A target with the part of the estimate that no source changes.
#[derive(Debug, Clone)]
pub struct BitTarget {
    rows: Rows,
    counts: Vec<u64>,
    alone: Tally,
}

impl BitTarget {
    /// From its rows.
    pub fn new(rows: Rows) -> Self {
        let counts = rows.counts();
        let alone = tally(counts.clone());
        Self { rows, counts, alone }
    }
    /// The same observations in another order, or resampled.
    pub fn gathered(&self, order: &[usize]) -> Self {
        Self::new(self.rows.gathered(order))
    }
}

/// From the counts of "all of these are 1", by subset, to the tally of cells, whose index has the next symbol as its lowest bit.
fn tally(mut counts: Vec<u64>) -> Tally {
    let n = counts.len();
    let mut bit = 1;
    while bit < n {
        for index in (0..n).filter(|index| index & bit == 0) {
            counts[index] -= counts[index | bit];
        }
        bit <<= 1;
    }
    let mut tally = Tally::default();
    counts.chunks_exact(2).for_each(|cell| tally.cell(cell.iter().copied()));
    tally
}

/// Transfer entropy of each of `pairs` (places in `sources` and `targets`), in bits.
pub fn transfer_entropies(sources: &[&Rows], targets: &[&BitTarget], pairs: &[(usize, usize)], corrected: bool) -> Vec<f64> {
    let overlaps = overlaps(sources, targets, pairs);
    let own: Vec<Vec<u64>> = sources.iter().map(|source| source.counts()).collect();
    let made = pairs.iter().zip(overlaps).map(|(&(source, target), overlaps)| {
        let (own, target) = (&own[source], targets[target]);
        let width = target.counts.len();
        let mut counts = target.counts.clone();
        for (at, &alone) in own.iter().enumerate().skip(1) {
            counts.push(alone);
            counts.extend_from_slice(&overlaps[(at - 1) * (width - 1)..at * (width - 1)]);
        }
        tally(counts).transfer_entropy(&target.alone, target.rows.n() as f64, corrected)
    });
    made.collect()
}

/// For each pair, the overlaps of every row of the source with every row of the target, source by source.
fn overlaps(sources: &[&Rows], targets: &[&BitTarget], pairs: &[(usize, usize)]) -> Vec<Vec<u64>> {
    let mut counts: Vec<Vec<u64>> =
        pairs.iter().map(|&(source, target)| vec![0; sources[source].rows.len() * targets[target].rows.rows.len()]).collect();
    let mut by_target: Vec<usize> = (0..pairs.len()).collect();
    by_target.sort_by_key(|&pair| pairs[pair].1);
    let words = sources.first().map_or(0, |source| source.rows[0].words.len());
    for from in (0..words).step_by(BLOCK) {
        let block = from..words.min(from + BLOCK);
        for &pair in &by_target {
            let (source, target) = (&sources[pairs[pair].0].rows, &targets[pairs[pair].1].rows.rows);
            let mut counts = counts[pair].iter_mut();
            for source in source {
                let source = &source.words[block.clone()];
                for (target, count) in target.iter().zip(&mut counts) {
                    *count += tcs_popcount::overlap(source, &target.words[block.clone()]);
                }
            }
        }
    }
    counts
}
