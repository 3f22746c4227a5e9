//! A four-ary heap of keyed entries: shallower than a binary one, and one step looks at neighbouring memory.
//!
//! Reductions spend most of their time here, and `std`'s heap compares through `Ord` on whole entries.

/// A simplex with its coefficient.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Entry<K, C> {
    /// The simplex.
    pub(crate) key: K,
    /// Its coefficient, never zero.
    pub(crate) coefficient: C,
}

/// Children of a node.
const ARITY: usize = 4;

/// Entries of which the one with the least key can be taken.
pub(crate) struct Heap<K, C>(Vec<Entry<K, C>>);

impl<K: Ord + Copy, C: Copy> Heap<K, C> {
    /// A heap without entries.
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Forgets all entries, keeping their memory.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// How many entries fit the memory held.
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// An entry with the least key.
    #[inline]
    pub(crate) fn peek(&self) -> Option<Entry<K, C>> {
        self.0.first().copied()
    }

    /// Adds an entry.
    #[inline]
    pub(crate) fn push(&mut self, entry: Entry<K, C>) {
        let mut at = self.0.len();
        self.0.push(entry);
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if self.0[parent].key <= entry.key {
                break;
            }
            self.0[at] = self.0[parent];
            at = parent;
        }
        self.0[at] = entry;
    }

    /// Takes an entry with the least key.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Entry<K, C>> {
        let last = self.0.pop()?;
        let Some(&least) = self.0.first() else { return Some(last) };
        let heap = &mut self.0[..];
        let mut at = 0;
        loop {
            let first = at * ARITY + 1;
            let child = match heap.get(first..first + ARITY) {
                Some(children) => {
                    let left = usize::from(children[1].key < children[0].key);
                    let right = 2 + usize::from(children[3].key < children[2].key);
                    first + if children[right].key < children[left].key { right } else { left }
                }
                None => match (first..heap.len()).min_by_key(|&child| heap[child].key) {
                    Some(child) => child,
                    None => break,
                },
            };
            if heap[child].key >= last.key {
                break;
            }
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = last;
        Some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_leave_in_order() {
        let mut heap = Heap::new();
        assert!(heap.pop().is_none());
        let mut keys: Vec<u64> = (0..500_u64).map(|at| at * 7919 % 263).collect();
        for &key in &keys {
            heap.push(Entry { key, coefficient: () });
        }
        keys.sort_unstable();
        for key in keys {
            assert_eq!(heap.peek().map(|entry| entry.key), Some(key));
            assert_eq!(heap.pop().map(|entry| entry.key), Some(key));
        }
        assert!(heap.pop().is_none());
    }
}
