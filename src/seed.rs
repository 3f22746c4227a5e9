//! Seeds: every random draw derives from the job's seed and the names of what it is for, so that results do not
//! depend on the machine, the number of workers, the shard or the order of completion.

/// A seed for the draw named by `path` (dataset, unit, stage, …): the first 8 bytes of BLAKE3 over the seed and the
/// length-prefixed names.
pub fn of(seed: u64, path: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for name in path {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn names_do_not_run_together() {
        assert_ne!(of(7, &["ab", "c"]), of(7, &["a", "bc"]));
        assert_ne!(of(7, &["a"]), of(8, &["a"]));
        assert_eq!(of(7, &["a"]), of(7, &["a"]));
    }
}
