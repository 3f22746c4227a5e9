//! The phrase count of Lempel and Ziv (1976) in linear time.
//!
//! A. Lempel & J. Ziv, "On the complexity of finite sequences", IEEE Trans. Inf. Theory 22, 1976, parsed as F. Kaspar &
//! H. G. Schuster, Phys. Rev. A 36, 1987: from the start `i` of a phrase, go on while `s[i..=j]` occurs starting before `i`
//! (overlap allowed); the first `j` where it does not ends the phrase; an unfinished last phrase counts.
//!
//! `s[i..=j]` occurs starting before `i` exactly when it is a substring of `s[..j]`, so a suffix automaton of `s[..j]` that grows
//! with `j` (A. Blumer et al. 1985) answers each step by one transition: linear, where the scan of 1987 is quadratic.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Number of phrases of `symbols` in the parsing of Lempel and Ziv (1976). 0 for an empty text.
///
/// Any values may be symbols; up to 8 with small values take the fast way. Up to 2³¹ symbols.
///
/// ```
/// // The worked example of both papers: 0·001·10·100·1000·101.
/// let text = [0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1];
/// assert_eq!(tcs_batch::metrics::lempel_ziv::lz76_phrases(&text), 6);
/// ```
pub fn lz76_phrases(symbols: &[u32]) -> usize {
    match symbols.iter().max() {
        None => 0,
        Some(0..2) => parse(symbols, Dense::<2>),
        Some(2..4) => parse(symbols, Dense::<4>),
        Some(4..8) => parse(symbols, Dense::<8>),
        Some(8..) => parse(symbols, Sparse::default()),
    }
}

fn parse<E: Edges>(symbols: &[u32], edges: E) -> usize {
    let mut automaton = Automaton::new(edges, symbols.len());
    let (mut state, mut length, mut phrases) = (ROOT, 0, 0);
    for &symbol in symbols {
        let next = automaton.step(state, symbol);
        automaton.extend(symbol);
        if next == NONE {
            phrases += 1;
            (state, length) = (ROOT, 0);
        } else {
            length += 1;
            state = automaton.state_of(next, length);
        }
    }
    phrases + usize::from(length > 0)
}

/// Number of phrases of a binary matrix, read column by column, as A. Casali et al. 2013 (Sci. Transl. Med. 5:198ra105) count for PCI.
///
/// `column(t)` gives the bits of column `t` (all sources at one time). A phrase is looked for in its own column, starting before it, and
/// in the whole of every column before; it never crosses columns. One that a column's end cuts off does not count, but one more does
/// at the very end. So this is not the count of the columns joined: on the reference recording 264 against 329.
pub fn matrix_phrases<'a>(columns: usize, column: impl Fn(usize) -> &'a [bool]) -> usize {
    if columns == 0 || column(0).is_empty() {
        return 0;
    }
    const BETWEEN: u32 = 2;
    let mut automaton = Automaton::new(Dense::<4>, columns * (column(0).len() + 1));
    let mut phrases = 1;
    for at in 0..columns {
        let (mut state, mut length) = (ROOT, 0);
        for &bit in column(at) {
            let next = automaton.step(state, u32::from(bit));
            automaton.extend(u32::from(bit));
            if next == NONE {
                phrases += 1;
                (state, length) = (ROOT, 0);
            } else {
                length += 1;
                state = automaton.state_of(next, length);
            }
        }
        // No phrase holds this symbol, so what is found lies within one column.
        automaton.extend(BETWEEN);
    }
    phrases
}

const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

/// How the transitions of a state are kept. `Node` is the part that stands in the state itself.
trait Edges {
    type Node: Copy;
    fn empty(&self) -> Self::Node;
    fn get(&self, node: &Self::Node, state: u32, symbol: u32) -> u32;
    fn set(&mut self, node: &mut Self::Node, state: u32, symbol: u32, to: u32);
    fn copied(&mut self, node: &Self::Node, from: u32, to: u32) -> Self::Node;
}

#[derive(Clone, Copy)]
struct State<N> {
    /// Length of the longest text that ends here.
    length: u32,
    /// State of the longest suffix that ends elsewhere.
    link: u32,
    edges: N,
}

struct Automaton<E: Edges> {
    edges: E,
    states: Vec<State<E::Node>>,
    last: u32,
}

impl<E: Edges> Automaton<E> {
    fn new(edges: E, n_symbols: usize) -> Self {
        // Random texts need about 1.5 states a symbol, the worst 2.
        let mut states = Vec::with_capacity(n_symbols + n_symbols / 2 + 2);
        states.push(State { length: 0, link: NONE, edges: edges.empty() });
        Self { edges, states, last: ROOT }
    }

    fn step(&self, state: u32, symbol: u32) -> u32 {
        self.edges.get(&self.states[state as usize].edges, state, symbol)
    }

    fn set(&mut self, state: u32, symbol: u32, to: u32) {
        self.edges.set(&mut self.states[state as usize].edges, state, symbol, to);
    }

    /// The state of a text of `length` that was in `state` before the last extension, which may have split that state.
    fn state_of(&self, state: u32, length: u32) -> u32 {
        let link = self.states[state as usize].link;
        if link != NONE && self.states[link as usize].length >= length { link } else { state }
    }

    fn extend(&mut self, symbol: u32) {
        let new = self.states.len() as u32;
        let length = self.states[self.last as usize].length + 1;
        self.states.push(State { length, link: ROOT, edges: self.edges.empty() });
        let mut state = self.last;
        self.last = new;
        while state != NONE && self.step(state, symbol) == NONE {
            self.set(state, symbol, new);
            state = self.states[state as usize].link;
        }
        if state == NONE {
            return;
        }
        let target = self.step(state, symbol);
        let long = self.states[state as usize].length + 1;
        let link = if self.states[target as usize].length == long { target } else { self.split(state, symbol, target, long) };
        self.states[new as usize].link = link;
    }

    /// Gives the texts of `target` that are no longer than `length` a state of their own.
    fn split(&mut self, mut state: u32, symbol: u32, target: u32, length: u32) -> u32 {
        let clone = self.states.len() as u32;
        let State { link, edges, .. } = self.states[target as usize];
        let edges = self.edges.copied(&edges, target, clone);
        self.states.push(State { length, link, edges });
        while state != NONE && self.step(state, symbol) == target {
            self.set(state, symbol, clone);
            state = self.states[state as usize].link;
        }
        self.states[target as usize].link = clone;
        clone
    }
}

/// A slot for each of `K` symbols.
struct Dense<const K: usize>;

impl<const K: usize> Edges for Dense<K> {
    type Node = [u32; K];
    fn empty(&self) -> [u32; K] {
        [NONE; K]
    }
    fn get(&self, node: &[u32; K], _: u32, symbol: u32) -> u32 {
        node[symbol as usize]
    }
    fn set(&mut self, node: &mut [u32; K], _: u32, symbol: u32, to: u32) {
        node[symbol as usize] = to;
    }
    fn copied(&mut self, node: &[u32; K], _: u32, _: u32) -> [u32; K] {
        *node
    }
}

/// Transitions of all states in one hash map; each state heads a list of its symbols, which only a split reads.
#[derive(Default)]
struct Sparse {
    targets: HashMap<u64, u32, BuildHasherDefault<Multiply>>,
    /// Symbol, and where the list goes on.
    symbols: Vec<(u32, u32)>,
}

impl Sparse {
    fn key(state: u32, symbol: u32) -> u64 {
        u64::from(state) << 32 | u64::from(symbol)
    }
}

impl Edges for Sparse {
    type Node = u32;
    fn empty(&self) -> u32 {
        NONE
    }
    fn get(&self, _: &u32, state: u32, symbol: u32) -> u32 {
        self.targets.get(&Self::key(state, symbol)).copied().unwrap_or(NONE)
    }
    fn set(&mut self, node: &mut u32, state: u32, symbol: u32, to: u32) {
        if self.targets.insert(Self::key(state, symbol), to).is_none() {
            self.symbols.push((symbol, *node));
            *node = (self.symbols.len() - 1) as u32;
        }
    }
    fn copied(&mut self, node: &u32, from: u32, to: u32) -> u32 {
        let (mut at, mut copy) = (*node, NONE);
        while at != NONE {
            let (symbol, next) = self.symbols[at as usize];
            let target = self.get(node, from, symbol);
            self.set(&mut copy, to, symbol, target);
            at = next;
        }
        copy
    }
}

/// Fibonacci hashing of one `u64`: the keys are state and symbol, which no one chooses to collide.
#[derive(Default)]
pub(super) struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(self.0 ^ u64::from(byte)));
    }
    fn write_u64(&mut self, key: u64) {
        let product = u128::from(key) * 0x9e37_79b9_7f4a_7c15_u128;
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// The definition, cubic.
    fn by_definition(symbols: &[u32]) -> usize {
        let (mut start, mut phrases) = (0, 0);
        while start < symbols.len() {
            let n = symbols.len() - start;
            let occurs = |length: usize| (0..start).any(|from| symbols[from..from + length] == symbols[start..start + length]);
            let copied = (1..=n).take_while(|&length| occurs(length)).count();
            start += copied + 1;
            phrases += 1;
        }
        phrases
    }

    #[test]
    fn counts_equal_the_definition_on_random_texts_of_every_alphabet() {
        let mut rng = ChaCha8Rng::seed_from_u64(76);
        for round in 0..4000 {
            let alphabet = [1, 2, 2, 2, 3, 4, 6, 8, 9, 40][round % 10];
            let n = rng.random_range(0..60);
            let sticky = rng.random_range(0.0..1.0);
            let mut last = 0;
            let text: Vec<u32> = (0..n)
                .map(|_| {
                    if rng.random::<f64>() > sticky {
                        last = rng.random_range(0..alphabet);
                    }
                    last
                })
                .collect();
            assert_eq!(lz76_phrases(&text), by_definition(&text), "{text:?}");
            // Names of symbols do not matter, and large ones take another way.
            let renamed: Vec<u32> = text.iter().map(|symbol| 4_000_000_000 - 7 * symbol).collect();
            assert_eq!(lz76_phrases(&renamed), lz76_phrases(&text), "{text:?}");
        }
    }

    #[test]
    fn known_texts() {
        // antropy 0.2.3 (`lziv_complexity`), shared reference table lz76_strings; the first two are by convention.
        for (text, phrases) in [
            ("", 0),
            ("0", 1),
            ("00", 2),
            ("01", 2),
            ("0001", 2),
            ("0001101001000101", 6),
            ("1001111011000010", 6),
            ("1010101010", 3),
            ("01101101101101101101", 4),
            ("1001101110000011", 7),
            ("HELLO WORLD! HELLO W", 11),
        ] {
            let symbols: Vec<u32> = text.bytes().map(u32::from).collect();
            assert_eq!(lz76_phrases(&symbols), phrases, "{text}");
        }
        let distinct: Vec<u32> = (0..26).collect();
        assert_eq!(lz76_phrases(&distinct), 26);
    }

    #[test]
    fn a_million_symbols_are_no_quadratic_matter() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let n = 1_000_000_usize;
        let text: Vec<u32> = (0..n).map(|_| rng.random_range(0..2)).collect();
        // Random bits: c log2(n) / n tends to 1 from above; 1.012 at 10^6 (measured with an independent program).
        let normalised = lz76_phrases(&text) as f64 * (n as f64).log2() / n as f64;
        assert!((normalised - 1.012).abs() < 0.002, "{normalised}");
        let alternating: Vec<u32> = (0..n as u32).map(|t| if t % 2 == 0 { 9 } else { 10 + t }).collect();
        assert_eq!(lz76_phrases(&alternating), n / 2 + 1);
    }
}
