//! The phrase count of Ziv and Lempel (1978), and the dictionary of Welch (1984) as Schartner's code counts it: tries of words.

use super::automaton::Multiply;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// Words by their longest proper prefix (0: the empty word) and last symbol.
#[derive(Default)]
struct Trie(HashMap<u64, u32, BuildHasherDefault<Multiply>>);

impl Trie {
    fn key(word: u32, symbol: u32) -> u64 {
        u64::from(word) << 32 | u64::from(symbol)
    }
    fn get(&self, word: u32, symbol: u32) -> Option<u32> {
        self.0.get(&Self::key(word, symbol)).copied()
    }
    fn add(&mut self, word: u32, symbol: u32) -> u32 {
        let new = self.0.len() as u32 + 1;
        self.0.insert(Self::key(word, symbol), new);
        new
    }
}

const EMPTY: u32 = 0;

/// Number of phrases of `symbols` in the parsing of Ziv and Lempel (IEEE Trans. Inf. Theory 24, 1978): each is the shortest text that is
/// no phrase yet; an unfinished last one counts.
///
/// ```
/// // 1·0·01·11·10·110·00·(10)
/// let text = [1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0];
/// assert_eq!(tcs_batch::metrics::lempel_ziv::lz78_phrases(&text), 8);
/// ```
pub fn lz78_phrases(symbols: &[u32]) -> usize {
    let (mut trie, mut word) = (Trie::default(), EMPTY);
    for &symbol in symbols {
        word = match trie.get(word, symbol) {
            Some(longer) => longer,
            None => {
                trie.add(word, symbol);
                EMPTY
            }
        };
    }
    trie.0.len() + usize::from(word != EMPTY)
}

/// Size of the dictionary that the code of M. Schartner et al. (PLoS ONE 10, 2015) builds: a word grows by a symbol while it is in the
/// dictionary; else it is added, and the next word begins with its last symbol.
pub fn lzw_words(symbols: &[u32]) -> usize {
    let [first, rest @ ..] = symbols else { return 0 };
    // Single symbols stand in the trie so that words may begin with them, but only the first is in the dictionary.
    let (mut trie, mut singles) = (Trie::default(), 1);
    let mut word = trie.add(EMPTY, *first);
    for &symbol in rest {
        word = match trie.get(word, symbol) {
            Some(longer) => longer,
            None => {
                trie.add(word, symbol);
                trie.get(EMPTY, symbol).unwrap_or_else(|| {
                    singles += 1;
                    trie.add(EMPTY, symbol)
                })
            }
        };
    }
    trie.0.len() - singles + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts() {
        // Shared reference table lz76_strings: (LZ78, LZW-like), by the written definitions.
        for (text, lz78, lzw) in [
            ("", 0, 0),
            ("0", 1, 1),
            ("00", 2, 2),
            ("01", 2, 2),
            ("0001", 3, 3),
            ("0001101001000101", 7, 10),
            ("1001111011000010", 8, 10),
            ("1010101010", 6, 6),
            ("0000000000", 4, 4),
            ("1001101110000011", 8, 10),
        ] {
            let symbols: Vec<u32> = text.bytes().map(u32::from).collect();
            assert_eq!((lz78_phrases(&symbols), lzw_words(&symbols)), (lz78, lzw), "{text}");
        }
    }
}
