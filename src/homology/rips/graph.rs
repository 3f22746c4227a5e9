//! The neighbourhood graph at the threshold, in three layouts with one question: which vertices are common neighbours?
//!
//! Lengths are ranks (positions in the sorted list of distinct edge lengths), so that ties stay ties and comparisons are integer.

use super::filtration::Edge;

/// The rank of an edge that is not there.
pub(crate) const ABSENT: i32 = i32::MAX;
/// Vertices looked at together in a dense row; rows are padded to a multiple of it.
const LANES: usize = 32;

/// A graph whose edges carry ranks.
pub(crate) trait Graph {
    /// The rank of an edge, [`ABSENT`] where there is none.
    fn rank(&self, u: u32, v: u32) -> i32;

    /// Visits, in descending order, the vertices `w < below` joined to all of `vertices` by edges of rank at most `limit`,
    /// with the highest of those ranks, until `visit` says `false`.
    fn common(&self, vertices: &[u32], below: u32, limit: i32, visit: impl FnMut(u32, i32) -> bool);

    /// The largest vertex joined to all of `vertices` by edges of rank at most `limit`.
    fn top_within(&self, vertices: &[u32], limit: i32) -> Option<u32> {
        let mut top = None;
        self.common(vertices, u32::MAX, limit, |w, _| {
            top = Some(w);
            false
        });
        top
    }
}

/// A full matrix of ranks; the best where most pairs are edges.
pub(crate) struct Dense {
    n: usize,
    stride: usize,
    ranks: Vec<i32>,
}

impl Dense {
    /// Lays the edges out in rows.
    pub(crate) fn new(n: usize, edges: &[Edge]) -> Self {
        let stride = n.next_multiple_of(LANES);
        let mut ranks = vec![ABSENT; n * stride];
        for edge in edges {
            ranks[edge.i as usize * stride + edge.j as usize] = edge.rank;
            ranks[edge.j as usize * stride + edge.i as usize] = edge.rank;
        }
        Self { n, stride, ranks }
    }

    #[inline]
    fn lanes(&self, v: u32, at: usize) -> &[i32; LANES] {
        let start = v as usize * self.stride + at;
        self.ranks[start..start + LANES].first_chunk().expect("the slice has LANES elements")
    }
}

impl Graph for Dense {
    #[inline]
    fn rank(&self, u: u32, v: u32) -> i32 {
        self.ranks[u as usize * self.stride + v as usize]
    }

    #[inline]
    fn common(&self, vertices: &[u32], below: u32, limit: i32, mut visit: impl FnMut(u32, i32) -> bool) {
        let below = self.n.min(below as usize);
        let limit = limit.min(ABSENT - 1);
        let mut at = below.next_multiple_of(LANES);
        while at > 0 {
            at -= LANES;
            let mut highest = *self.lanes(vertices[0], at);
            for &v in &vertices[1..] {
                for (high, &rank) in highest.iter_mut().zip(self.lanes(v, at)) {
                    *high = (*high).max(rank);
                }
            }
            if highest.iter().fold(false, |any, &high| any | (high <= limit)) {
                for lane in (0..LANES.min(below - at)).rev() {
                    if highest[lane] <= limit && !visit((at + lane) as u32, highest[lane]) {
                        return;
                    }
                }
            }
        }
    }
}

/// A matrix of ranks with a bit for each edge; the best where few pairs are edges and the matrix fits.
pub(crate) struct Bits {
    dense: Dense,
    words: usize,
    bits: Vec<u64>,
}

impl Bits {
    /// Lays the edges out in rows of ranks and bits.
    pub(crate) fn new(n: usize, edges: &[Edge]) -> Self {
        let words = n.div_ceil(64);
        let mut bits = vec![0; n * words];
        for edge in edges {
            let (i, j) = (edge.i as usize, edge.j as usize);
            bits[i * words + j / 64] |= 1 << (j % 64);
            bits[j * words + i / 64] |= 1 << (i % 64);
        }
        Self { dense: Dense::new(n, edges), words, bits }
    }
}

impl Graph for Bits {
    #[inline]
    fn rank(&self, u: u32, v: u32) -> i32 {
        self.dense.rank(u, v)
    }

    #[inline]
    fn common(&self, vertices: &[u32], below: u32, limit: i32, mut visit: impl FnMut(u32, i32) -> bool) {
        let below = self.dense.n.min(below as usize);
        let mut keep = if below.is_multiple_of(64) { u64::MAX } else { (1 << (below % 64)) - 1 };
        for word in (0..below.div_ceil(64)).rev() {
            let mut shared = keep;
            keep = u64::MAX;
            for &v in vertices {
                shared &= self.bits[v as usize * self.words + word];
            }
            while shared != 0 {
                let bit = 63 - shared.leading_zeros();
                shared ^= 1 << bit;
                let w = (word * 64) as u32 + bit;
                let mut highest = 0;
                for &v in vertices {
                    highest = highest.max(self.dense.rank(v, w));
                }
                if highest <= limit && !visit(w, highest) {
                    return;
                }
            }
        }
    }
}

/// Sorted neighbour lists; where a matrix would not fit.
pub(crate) struct Sparse {
    offsets: Vec<usize>,
    /// Neighbour in the high half, rank in the low half; descending by neighbour.
    entries: Vec<u64>,
}

impl Sparse {
    /// Lays the edges out in lists.
    pub(crate) fn new(n: usize, edges: &[Edge]) -> Self {
        let mut offsets = vec![0; n + 1];
        for edge in edges {
            offsets[edge.i as usize + 1] += 1;
            offsets[edge.j as usize + 1] += 1;
        }
        for v in 0..n {
            offsets[v + 1] += offsets[v];
        }
        let mut next = offsets.clone();
        let mut entries = vec![0; offsets[n]];
        for edge in edges {
            for (from, to) in [(edge.i, edge.j), (edge.j, edge.i)] {
                entries[next[from as usize]] = u64::from(to) << 32 | edge.rank as u64;
                next[from as usize] += 1;
            }
        }
        for v in 0..n {
            entries[offsets[v]..offsets[v + 1]].sort_unstable_by(|a, b| b.cmp(a));
        }
        Self { offsets, entries }
    }

    #[inline]
    fn neighbours(&self, v: u32) -> &[u64] {
        &self.entries[self.offsets[v as usize]..self.offsets[v as usize + 1]]
    }
}

/// The first position at or after `from` whose neighbour is at most `w` (lists descend), found by doubling steps.
#[inline]
fn seek(list: &[u64], from: usize, w: u32) -> usize {
    let bound = (u64::from(w) + 1) << 32;
    let (mut low, mut step) = (from, 1);
    while low + step <= list.len() && list[low + step - 1] >= bound {
        low += step;
        step *= 2;
    }
    let high = (low + step).min(list.len());
    low + list[low..high].partition_point(|&entry| entry >= bound)
}

impl Graph for Sparse {
    #[inline]
    fn rank(&self, u: u32, v: u32) -> i32 {
        let list = self.neighbours(u);
        match list.get(seek(list, 0, v)) {
            Some(&entry) if (entry >> 32) as u32 == v => entry as u32 as i32,
            _ => ABSENT,
        }
    }

    #[inline]
    fn common(&self, vertices: &[u32], below: u32, limit: i32, mut visit: impl FnMut(u32, i32) -> bool) {
        let mut cursors = [0_usize; super::MAX_DIM + 2];
        let shortest = (0..vertices.len()).min_by_key(|&at| self.neighbours(vertices[at]).len()).unwrap_or(0);
        let lead = self.neighbours(vertices[shortest]);
        let start = if below == u32::MAX || below == 0 { 0 } else { seek(lead, 0, below - 1) };
        if below == 0 {
            return;
        }
        'candidates: for &entry in &lead[start..] {
            let w = (entry >> 32) as u32;
            let mut highest = entry as u32 as i32;
            for (at, &v) in vertices.iter().enumerate() {
                if at == shortest {
                    continue;
                }
                let list = self.neighbours(v);
                cursors[at] = seek(list, cursors[at], w);
                match list.get(cursors[at]) {
                    None => return,
                    Some(&other) if (other >> 32) as u32 == w => highest = highest.max(other as u32 as i32),
                    Some(_) => continue 'candidates,
                }
            }
            if highest <= limit && !visit(w, highest) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(n: u32, keep: impl Fn(u32, u32) -> bool) -> Vec<Edge> {
        let mut edges = Vec::new();
        for i in 1..n {
            for j in (0..i).filter(|&j| keep(i, j)) {
                edges.push(Edge { rank: ((i * 37 + j * 11) % 53) as i32, i, j });
            }
        }
        edges
    }

    #[test]
    fn the_three_layouts_agree() {
        let n = 137;
        let edges = edges(n, |i, j| (i * j + i + j) % 3 != 0);
        let (dense, bits, sparse) = (Dense::new(137, &edges), Bits::new(137, &edges), Sparse::new(137, &edges));
        for (vertices, below, limit) in [
            (vec![5], u32::MAX, ABSENT - 1),
            (vec![100, 7], u32::MAX, 30),
            (vec![136, 64, 3], 64, 45),
            (vec![136, 64, 3], 128, 45),
            (vec![90, 33], 1, 52),
            (vec![90, 33], 0, 52),
            (vec![90, 33, 31, 4], 31, 20),
        ] {
            let mut answers = Vec::new();
            let collect = |list: &mut Vec<(u32, i32)>, w, rank| {
                list.push((w, rank));
                true
            };
            for which in 0..3 {
                let mut list = Vec::new();
                match which {
                    0 => dense.common(&vertices, below, limit, |w, rank| collect(&mut list, w, rank)),
                    1 => bits.common(&vertices, below, limit, |w, rank| collect(&mut list, w, rank)),
                    _ => sparse.common(&vertices, below, limit, |w, rank| collect(&mut list, w, rank)),
                }
                answers.push(list);
            }
            assert_eq!(answers[0], answers[1], "{vertices:?}");
            assert_eq!(answers[0], answers[2], "{vertices:?}");
        }
        for (u, v) in [(5, 4), (4, 5), (136, 0), (7, 7)] {
            assert_eq!((dense.rank(u, v), dense.rank(u, v)), (bits.rank(u, v), sparse.rank(u, v)));
        }
    }
}
