//! Edge collapse: a smaller filtered graph whose clique complexes have the same persistent homology.
//!
//! Glisse and Pritam, *Swap, Shift and Trim to Edge Collapse a Filtration* (SoCG 2022, LIPIcs 224, 44). Edges are visited from
//! the longest to the shortest. An edge is dominated where some common neighbour of its ends is adjacent to all others; its
//! entry is put off until it is dominated no longer, and it is dropped where that never happens.

use super::filtration::{Edge, Filtration};
use super::graph::ABSENT;

/// Vertices looked at together; rows are padded to a multiple of it.
const LANES: usize = 32;

/// Collapses the edges; ranks keep their meaning.
pub(crate) fn collapse(filtration: &Filtration) -> Vec<Edge> {
    let mut collapser = Collapser::new(filtration);
    let mut edges = Vec::new();
    for edge in filtration.edges.iter().rev() {
        let rank = collapser.entry(edge);
        collapser.set(edge, rank);
        if rank != ABSENT {
            edges.push(Edge { rank, ..*edge });
        }
    }
    edges.sort_unstable_by_key(|edge| (edge.rank, std::cmp::Reverse((edge.i, edge.j))));
    edges
}

struct Collapser {
    n: usize,
    stride: usize,
    /// Ranks in rows, -1 on the diagonal.
    ranks: Vec<i32>,
    /// For each vertex the rank from which it is a common neighbour of the edge's ends.
    common: Vec<i32>,
}

impl Collapser {
    fn new(filtration: &Filtration) -> Self {
        let n = filtration.n;
        let stride = n.next_multiple_of(LANES);
        let mut collapser = Self { n, stride, ranks: vec![ABSENT; n * stride], common: vec![ABSENT; stride] };
        for v in 0..n {
            collapser.ranks[v * stride + v] = -1;
        }
        for edge in &filtration.edges {
            collapser.set(edge, edge.rank);
        }
        collapser
    }

    fn set(&mut self, edge: &Edge, rank: i32) {
        self.ranks[edge.i as usize * self.stride + edge.j as usize] = rank;
        self.ranks[edge.j as usize * self.stride + edge.i as usize] = rank;
    }

    fn row(&self, v: usize) -> &[i32] {
        &self.ranks[v * self.stride..][..self.stride]
    }

    /// The rank from which the edge is not dominated, [`ABSENT`] where it always is.
    fn entry(&mut self, edge: &Edge) -> i32 {
        let (i, j) = (edge.i as usize, edge.j as usize);
        let mut common = std::mem::take(&mut self.common);
        for ((rank, &a), &b) in common.iter_mut().zip(self.row(i)).zip(self.row(j)) {
            *rank = a.max(b);
        }
        // The ends are no common neighbours.
        common[i] = ABSENT;
        common[j] = ABSENT;
        let mut time = edge.rank;
        while let Some(until) = self.dominated_until(&common, time) {
            time = until;
            if time == ABSENT {
                break;
            }
        }
        self.common = common;
        time
    }

    /// Where some common neighbour dominates the edge at `time`: the rank up to which it keeps doing so.
    fn dominated_until(&self, common: &[i32], time: i32) -> Option<i32> {
        // Whoever is not adjacent to one candidate is often not adjacent to the next.
        let mut witness: Option<usize> = None;
        for candidate in (0..self.n).filter(|&w| common[w] <= time) {
            let row = self.row(candidate);
            if witness.is_some_and(|x| row[x] > time) {
                continue;
            }
            match broken_at(common, row, time) {
                Ok(until) => return Some(until),
                Err(far) => witness = Some(far),
            }
        }
        None
    }
}

/// The rank at which a common neighbour `x` appears that is not adjacent to the dominator whose row this is by then; the vertex
/// itself where one is there at `time` already.
#[inline]
fn broken_at(common: &[i32], row: &[i32], time: i32) -> Result<i32, usize> {
    let mut earliest = [ABSENT; LANES];
    for (chunk, (common, row)) in common.chunks_exact(LANES).zip(row.chunks_exact(LANES)).enumerate() {
        let mut now = false;
        for ((earliest, &common), &rank) in earliest.iter_mut().zip(common).zip(row) {
            let appears = common.max(time);
            let breaks = if rank > appears { appears } else { ABSENT };
            *earliest = (*earliest).min(breaks);
            now |= breaks == time;
        }
        if now {
            let lane = (0..LANES).find(|&lane| common[lane] <= time && row[lane] > time);
            return Err(chunk * LANES + lane.unwrap_or(0));
        }
    }
    Ok(earliest.into_iter().fold(ABSENT, i32::min))
}
