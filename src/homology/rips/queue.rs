//! A radix heap: the priority queue of a column under reduction.
//!
//! Ahuja, Mehlhorn, Orlin, Tarjan, *Faster algorithms for the shortest path problem* (J. ACM 1990). A column's pivots only
//! ascend, so entries need not be kept in order: they lie in buckets by the highest bit in which they differ from the last
//! pivot, and a bucket is split when its turn comes. Most entries of a column are never looked at again.

use super::key::Key;

/// A simplex with its coefficient.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Entry<K, C> {
    /// The simplex.
    pub(crate) key: K,
    /// Its coefficient, never zero.
    pub(crate) coefficient: C,
}

/// Entries that are taken in ascending order; nothing below what was last taken may be added.
pub(crate) struct Queue<K, C> {
    /// Entries that differ from `last` in bit `b` and in none above it are in bucket `b`.
    buckets: Vec<Vec<Entry<K, C>>>,
    /// Entries equal to `last`.
    equal: Vec<Entry<K, C>>,
    /// A bit for each bucket that holds anything.
    filled: u128,
    last: K,
    split: Vec<Entry<K, C>>,
}

impl<K: Key, C: Copy> Queue<K, C> {
    /// A queue without entries.
    pub(crate) fn new() -> Self {
        let buckets = (0..128).map(|_| Vec::new()).collect();
        Self { buckets, equal: Vec::new(), filled: 0, last: K::default(), split: Vec::new() }
    }

    /// Forgets all entries, keeping their memory.
    pub(crate) fn clear(&mut self) {
        while self.filled != 0 {
            self.buckets[self.filled.trailing_zeros() as usize].clear();
            self.filled &= self.filled - 1;
        }
        self.equal.clear();
        self.last = K::default();
    }

    /// How many entries fit the memory held.
    pub(crate) fn capacity(&self) -> usize {
        self.buckets.iter().map(Vec::capacity).sum::<usize>() + self.equal.capacity() + self.split.capacity()
    }

    /// Adds an entry.
    #[inline]
    pub(crate) fn push(&mut self, entry: Entry<K, C>) {
        match entry.key.highest_difference(self.last) {
            Some(bit) => {
                self.buckets[bit as usize].push(entry);
                self.filled |= 1 << bit;
            }
            None => self.equal.push(entry),
        }
    }

    /// Takes the entries with the least key, summed up by `add`; those whose sum vanishes are passed over.
    #[inline]
    pub(crate) fn pop(&mut self, add: impl Fn(C, C) -> Option<C>) -> Option<Entry<K, C>> {
        loop {
            if self.equal.is_empty() && !self.advance() {
                return None;
            }
            let mut sum = None;
            for entry in self.equal.drain(..) {
                sum = match sum {
                    None => Some(entry.coefficient),
                    Some(sum) => add(sum, entry.coefficient),
                };
            }
            if let Some(coefficient) = sum {
                return Some(Entry { key: self.last, coefficient });
            }
        }
    }

    /// Moves on to the next key that is there and splits its bucket; `false` where nothing is left.
    fn advance(&mut self) -> bool {
        if self.filled == 0 {
            return false;
        }
        let bucket = self.filled.trailing_zeros() as usize;
        self.filled &= self.filled - 1;
        std::mem::swap(&mut self.split, &mut self.buckets[bucket]);
        if let Some(least) = self.split.iter().map(|entry| entry.key).min() {
            self.last = least;
        }
        let mut split = std::mem::take(&mut self.split);
        for entry in split.drain(..) {
            self.push(entry);
        }
        // The bucket gets its memory back.
        std::mem::swap(&mut split, &mut self.buckets[bucket]);
        self.split = split;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_leave_in_order_and_pairs_vanish() {
        let mut queue = Queue::<u64, ()>::new();
        let add = |(): (), (): ()| None;
        for round in 1..4_u64 {
            queue.clear();
            assert!(queue.pop(add).is_none());
            // Each key below 263 but the multiples of 5 once; those twice.
            for at in 0..263 {
                let key = at * 7919 % 263;
                queue.push(Entry { key: key * round, coefficient: () });
                if key % 5 == 0 {
                    queue.push(Entry { key: key * round, coefficient: () });
                }
            }
            for key in (0..263).filter(|key| key % 5 != 0) {
                assert_eq!(queue.pop(add).map(|entry| entry.key), Some(key * round));
                // What is added on the way takes its place.
                queue.push(Entry { key: 1000 * round + 263 - key, coefficient: () });
            }
            assert_eq!(queue.pop(add).map(|entry| entry.key), Some(1000 * round + 1));
        }
    }

    #[test]
    fn coefficients_are_summed() {
        let mut queue = Queue::<u128, u16>::new();
        for (key, coefficient) in [(1_u128 << 100, 1), (7, 2), (1 << 100, 1), (7, 1), (9, 2)] {
            queue.push(Entry { key, coefficient });
        }
        let add = |a, b| Some((a + b) % 3).filter(|&sum| sum != 0);
        let taken: Vec<(u128, u16)> = std::iter::from_fn(|| queue.pop(add)).map(|entry| (entry.key, entry.coefficient)).collect();
        assert_eq!(taken, [(9, 2), (1 << 100, 2)]);
    }
}
