//! Decoded chunks that are likely to be wanted again, least recently used out first. One cache a process, bounded in bytes: a
//! chunk of 47,320 samples (Allen LFP) outlasts several windows, and each of its channels has its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Where nobody says how much memory there is.
const DEFAULT_BYTES: usize = 256 << 20;

/// An array's number and the chunk's number in it.
type Key = (u64, u64);

struct Entry {
    bytes: Arc<Vec<u8>>,
    used: u64,
}

struct Lru {
    limit: usize,
    held: usize,
    clock: u64,
    entries: HashMap<Key, Entry>,
    /// By time of last use.
    order: BTreeMap<u64, Key>,
}

static CACHE: LazyLock<Mutex<Lru>> = LazyLock::new(|| Mutex::new(Lru::new(DEFAULT_BYTES)));

impl Lru {
    fn new(limit: usize) -> Self {
        Self { limit, held: 0, clock: 0, entries: HashMap::new(), order: BTreeMap::new() }
    }

    fn get(&mut self, key: Key) -> Option<Arc<Vec<u8>>> {
        let entry = self.entries.get_mut(&key)?;
        self.order.remove(&entry.used);
        self.clock += 1;
        entry.used = self.clock;
        self.order.insert(self.clock, key);
        Some(Arc::clone(&entry.bytes))
    }

    fn put(&mut self, key: Key, bytes: &Arc<Vec<u8>>) {
        if bytes.len() > self.limit {
            return;
        }
        self.drop_entry(key);
        self.clock += 1;
        self.held += bytes.len();
        self.order.insert(self.clock, key);
        self.entries.insert(key, Entry { bytes: Arc::clone(bytes), used: self.clock });
        self.shrink();
    }

    fn drop_entry(&mut self, key: Key) {
        if let Some(old) = self.entries.remove(&key) {
            self.held -= old.bytes.len();
            self.order.remove(&old.used);
        }
    }

    fn shrink(&mut self) {
        while self.held > self.limit
            && let Some((_, oldest)) = self.order.pop_first()
            && let Some(old) = self.entries.remove(&oldest)
        {
            self.held -= old.bytes.len();
        }
    }
}

fn with<T>(act: impl FnOnce(&mut Lru) -> T) -> T {
    act(&mut CACHE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Says how much memory this process may use, bytes: the cache takes an eighth of it, 32 MiB to 1 GiB.
pub fn set_memory_share(bytes: u64) {
    with(|cache| {
        cache.limit = usize::try_from(bytes / 8).unwrap_or(usize::MAX).clamp(32 << 20, 1 << 30);
        cache.shrink();
    });
}

/// The bound.
pub fn limit() -> usize {
    with(|cache| cache.limit)
}

/// A chunk, if it is held.
pub fn get(key: Key) -> Option<Arc<Vec<u8>>> {
    with(|cache| cache.get(key))
}

/// Keeps a chunk.
pub fn put(key: Key, bytes: &Arc<Vec<u8>>) {
    with(|cache| cache.put(key, bytes));
}

/// Forgets an array.
pub fn forget(array: u64) {
    with(|cache| {
        let gone: Vec<Key> = cache.entries.keys().filter(|key| key.0 == array).copied().collect();
        gone.into_iter().for_each(|key| cache.drop_entry(key));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_go_first_and_the_bound_holds() {
        let mut cache = Lru::new(30);
        let chunk = Arc::new(vec![0; 10]);
        for at in 0..3 {
            cache.put((1, at), &chunk);
        }
        assert!(cache.get((1, 0)).is_some());
        cache.put((1, 3), &chunk);
        assert!(cache.get((1, 1)).is_none(), "the oldest is gone");
        assert!(cache.get((1, 0)).is_some(), "what was asked for stays");
        cache.put((2, 0), &Arc::new(vec![0; 31]));
        assert!(cache.get((2, 0)).is_none(), "larger than the whole");
        cache.put((1, 3), &chunk);
        assert_eq!((cache.held, cache.entries.len(), cache.order.len()), (30, 3, 3));
        cache.limit = 9;
        cache.shrink();
        assert_eq!((cache.held, cache.entries.len(), cache.order.len()), (0, 0, 0));
    }
}
