//! Counts the bits that are set in both of two lists of words, with the widest instructions of the machine at hand.
//!
//! A crate of its own because calling a function that was compiled for more than the baseline x86-64 takes `unsafe`, which
//! `tcs-batch` does without. The loop is plain; the compiler makes vectors of it.
#![warn(missing_docs)]

/// Bits that are set in both; the longer list is cut to the length of the shorter.
pub fn overlap(a: &[u64], b: &[u64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512vpopcntdq") {
            // SAFETY: the machine has what the function was compiled for.
            return unsafe { with_avx512(a, b) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
            // SAFETY: as above.
            return unsafe { with_avx2(a, b) };
        }
    }
    plain(a, b)
}

#[inline(always)]
fn plain(a: &[u64], b: &[u64]) -> u64 {
    let mut shared = 0;
    for (a, b) in a.iter().zip(b) {
        shared += u64::from((a & b).count_ones());
    }
    shared
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512vpopcntdq,popcnt")]
fn with_avx512(a: &[u64], b: &[u64]) -> u64 {
    plain(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn with_avx2(a: &[u64], b: &[u64]) -> u64 {
    plain(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_counts_the_same() {
        let word = |at: u64| at.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ at << 7;
        for n in [0, 1, 3, 4, 7, 8, 63, 64, 1000] {
            let (a, b): (Vec<u64>, Vec<u64>) = (0..n).map(|at| (word(at), word(at + 5000))).unzip();
            let expected = a.iter().zip(&b).map(|(a, b)| (0..64).filter(|bit| a >> bit & b >> bit & 1 == 1).count() as u64).sum::<u64>();
            assert_eq!((overlap(&a, &b), plain(&a, &b)), (expected, expected));
        }
    }
}
