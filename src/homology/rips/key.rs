//! Simplices as numbers: the combinatorial number system, packed with the filtration rank into one sortable key.
//!
//! The simplex with vertices `v_d > … > v_0` has the index `Σ C(v_i, i + 1)` (Bauer, *Ripser*, J. Appl. Comput. Topol. 2021,
//! section 4). A key holds the rank of the diameter in its high bits and the complement of the index in its low bits, so that
//! ascending keys are the filtration order: by diameter, ties by descending index.

use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::{Add, AddAssign, BitAnd, BitOr, Shl, Shr, Sub, SubAssign};

/// The unsigned integers that keys are made of.
pub(crate) trait Key:
    Copy
    + Ord
    + Hash
    + Debug
    + Default
    + From<u32>
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + SubAssign
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    /// The low bits.
    fn wrap(value: u128) -> Self;
    /// The low 32 bits.
    fn low(self) -> u32;
    /// The highest bit in which two numbers differ.
    fn highest_difference(self, other: Self) -> Option<u32>;
}

macro_rules! key {
    ($type:ty) => {
        impl Key for $type {
            fn wrap(value: u128) -> Self {
                value as $type
            }
            fn low(self) -> u32 {
                self as u32
            }
            #[inline]
            fn highest_difference(self, other: Self) -> Option<u32> {
                (self ^ other).checked_ilog2()
            }
        }
    };
}
key!(u64);
key!(u128);

/// A table of binomials and the split of a key into rank and index.
pub(crate) struct Numbering<K> {
    stride: usize,
    binomials: Vec<K>,
    index_bits: u32,
    mask: K,
}

/// Bits that number all simplices with at most `vertices` vertices among `n_points` points; `None` beyond 128.
pub(crate) fn index_bits(n_points: usize, vertices: usize) -> Option<u32> {
    let mut largest = 1_u128;
    let mut binomial = 1_u128;
    for k in 1..=vertices.min(n_points) {
        binomial = binomial.checked_mul((n_points - k + 1) as u128)? / k as u128;
        largest = largest.max(binomial);
    }
    Some(u128::BITS - largest.leading_zeros())
}

impl<K: Key> Numbering<K> {
    /// A numbering of the simplices with at most `vertices` vertices; `index_bits` must be what [`index_bits`] says.
    pub(crate) fn new(n_points: usize, vertices: usize, index_bits: u32) -> Self {
        let stride = n_points + 1;
        let mut binomials = vec![K::default(); (vertices + 1) * stride];
        binomials[..stride].fill(K::from(1));
        for k in 1..=vertices {
            for v in 1..stride {
                binomials[k * stride + v] = binomials[k * stride + v - 1] + binomials[(k - 1) * stride + v - 1];
            }
        }
        let mask = K::wrap(u128::MAX >> (u128::BITS - index_bits));
        Self { stride, binomials, index_bits, mask }
    }

    /// `C(v, k)`.
    #[inline]
    pub(crate) fn binomial(&self, v: u32, k: usize) -> K {
        self.binomials[k * self.stride + v as usize]
    }

    /// The key of a simplex with this diameter rank and index.
    #[inline]
    pub(crate) fn key(&self, rank: i32, index: K) -> K {
        (K::from(rank as u32) << self.index_bits) | (self.mask - index)
    }

    /// The diameter rank of a key.
    #[inline]
    pub(crate) fn rank(&self, key: K) -> i32 {
        (key >> self.index_bits).low() as i32
    }

    /// The index of vertices in descending order.
    #[inline]
    pub(crate) fn index(&self, vertices: &[u32]) -> K {
        let d = vertices.len();
        let mut index = K::default();
        for (at, &v) in vertices.iter().enumerate() {
            index += self.binomial(v, d - at);
        }
        index
    }

    /// Writes the vertices of a key's simplex, descending, into `vertices` (whose length says how many there are).
    #[inline]
    pub(crate) fn vertices(&self, key: K, vertices: &mut [u32]) {
        let mut index = self.mask - (key & self.mask);
        let mut top = self.stride - 1;
        let d = vertices.len();
        for (at, slot) in vertices.iter_mut().enumerate() {
            let k = d - at;
            if k == 1 {
                *slot = index.low();
                return;
            }
            let row = &self.binomials[k * self.stride..k * self.stride + top];
            // The largest v with C(v, k) <= index; C(k - 1, k) = 0 is always one.
            let v = row.partition_point(|&binomial| binomial <= index) - 1;
            *slot = v as u32;
            index -= row[v];
            top = v;
        }
    }
}

/// Indices of the cofacets of one simplex, asked for with descending new vertices.
pub(crate) struct CofacetIndices<'a, K> {
    numbering: &'a Numbering<K>,
    vertices: &'a [u32],
    above: K,
    below: K,
    passed: usize,
}

impl<'a, K: Key> CofacetIndices<'a, K> {
    /// Starts above the largest vertex of the simplex (vertices in descending order).
    #[inline]
    pub(crate) fn new(numbering: &'a Numbering<K>, vertices: &'a [u32]) -> Self {
        Self { numbering, vertices, above: K::default(), below: numbering.index(vertices), passed: 0 }
    }

    /// The index of the simplex with `w` added, and whether the number of vertices below `w` is odd.
    #[inline]
    pub(crate) fn with(&mut self, w: u32) -> (K, bool) {
        let d = self.vertices.len();
        while self.passed < d && self.vertices[self.passed] > w {
            let v = self.vertices[self.passed];
            let k = d - self.passed;
            self.above += self.numbering.binomial(v, k + 1);
            self.below -= self.numbering.binomial(v, k);
            self.passed += 1;
        }
        let k = d - self.passed;
        (self.above + self.numbering.binomial(w, k + 1) + self.below, k & 1 == 1)
    }
}

/// A multiplicative hasher for keys, which are well spread already.
#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }
    #[inline]
    fn write_u64(&mut self, value: u64) {
        // The fractional part of the golden ratio, in 64 bits (Knuth's multiplicative hashing); high and low halves are folded.
        let product = u128::from(value ^ self.0) * 0x9e37_79b9_7f4a_7c15_u128;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
    #[inline]
    fn write_u128(&mut self, value: u128) {
        self.write_u64(value as u64);
        self.write_u64((value >> 64) as u64);
    }
}

/// A map from keys, never iterated over.
pub(crate) type KeyMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<KeyHasher>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_decodes_to_its_vertices() {
        let bits = index_bits(9, 5).unwrap();
        let numbering = Numbering::<u64>::new(9, 5, bits);
        let mut seen = 0;
        let mut decoded = [0; 3];
        for a in 2..9_u32 {
            for b in 1..a {
                for c in 0..b {
                    let index = numbering.index(&[a, b, c]);
                    let key = numbering.key(5, index);
                    numbering.vertices(key, &mut decoded);
                    assert_eq!((decoded, numbering.rank(key)), ([a, b, c], 5));
                    seen += 1;
                    let mut cofacets = CofacetIndices::new(&numbering, &decoded);
                    for w in (0..9).rev().filter(|w| !decoded.contains(w)) {
                        let mut all = [a, b, c, w];
                        all.sort_unstable_by(|x, y| y.cmp(x));
                        assert_eq!(cofacets.with(w).0, numbering.index(&all));
                    }
                }
            }
        }
        assert_eq!(seen, 84);
    }

    #[test]
    fn widths_are_those_of_the_largest_binomial() {
        assert_eq!(index_bits(500, 4), Some(32));
        assert_eq!(index_bits(16, 16), Some(14));
        assert_eq!(index_bits(100_000, 40), None);
    }
}
