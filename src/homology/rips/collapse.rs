//! Edge collapse: a smaller filtered graph whose clique complexes have the same persistent homology.
//!
//! Glisse and Pritam, *Swap, Shift and Trim to Edge Collapse a Filtration* (SoCG 2022, LIPIcs 224, 44). Edges are visited from
//! the longest to the shortest. An edge is dominated where some common neighbour of its ends is adjacent to all others; its
//! entry is put off until it is dominated no longer, and it is dropped where that never happens.

use super::filtration::{Edge, Filtration};
use super::graph::ABSENT;

/// Collapses the edges; ranks keep their meaning.
pub(crate) fn collapse(filtration: &Filtration) -> Vec<Edge> {
    let n = filtration.n;
    let mut ranks = vec![ABSENT; n * n];
    for v in 0..n {
        ranks[v * n + v] = -1;
    }
    for edge in &filtration.edges {
        ranks[edge.i as usize * n + edge.j as usize] = edge.rank;
        ranks[edge.j as usize * n + edge.i as usize] = edge.rank;
    }
    let mut collapser = Collapser { n, ranks, now: Vec::new(), later: Vec::new() };
    let mut edges = Vec::new();
    for edge in filtration.edges.iter().rev() {
        let rank = collapser.entry(edge);
        collapser.ranks[edge.i as usize * n + edge.j as usize] = rank;
        collapser.ranks[edge.j as usize * n + edge.i as usize] = rank;
        if rank != ABSENT {
            edges.push(Edge { rank, ..*edge });
        }
    }
    edges.sort_unstable_by_key(|edge| (edge.rank, std::cmp::Reverse((edge.i, edge.j))));
    edges
}

struct Collapser {
    n: usize,
    ranks: Vec<i32>,
    /// Common neighbours at the time looked at.
    now: Vec<u32>,
    /// Common neighbours still to come, with the rank at which they do.
    later: Vec<(i32, u32)>,
}

impl Collapser {
    fn row(&self, v: u32) -> &[i32] {
        &self.ranks[v as usize * self.n..][..self.n]
    }

    /// The rank from which the edge is not dominated, [`ABSENT`] where it always is.
    fn entry(&mut self, edge: &Edge) -> i32 {
        self.gather(edge);
        let mut time = edge.rank;
        let mut next = 0;
        while let Some(dominator) = self.dominator(time) {
            loop {
                if next == self.later.len() {
                    return ABSENT;
                }
                time = self.later[next].0;
                let first = self.now.len();
                while next < self.later.len() && self.later[next].0 == time {
                    self.now.push(self.later[next].1);
                    next += 1;
                }
                let row = self.row(dominator);
                if let Some(at) = self.now[first..].iter().position(|&x| row[x as usize] > time) {
                    // Whoever broke one domination is asked first about the next.
                    self.now.swap(0, first + at);
                    break;
                }
            }
        }
        time
    }

    /// Splits the common neighbours of an edge's ends into those there when it enters and those to come.
    fn gather(&mut self, edge: &Edge) {
        let (mut now, mut later) = (std::mem::take(&mut self.now), std::mem::take(&mut self.later));
        now.clear();
        later.clear();
        for (w, (&a, &b)) in self.row(edge.i).iter().zip(self.row(edge.j)).enumerate() {
            let rank = a.max(b);
            if rank == ABSENT || w == edge.i as usize || w == edge.j as usize {
                continue;
            }
            if rank <= edge.rank {
                now.push(w as u32);
            } else {
                later.push((rank, w as u32));
            }
        }
        later.sort_unstable();
        (self.now, self.later) = (now, later);
    }

    /// A common neighbour adjacent to all others at `time`.
    fn dominator(&self, time: i32) -> Option<u32> {
        // Whoever is not adjacent to one candidate is often not adjacent to the next.
        let mut witness = *self.now.first()?;
        self.now.iter().copied().find(|&candidate| {
            let row = self.row(candidate);
            if row[witness as usize] > time {
                return false;
            }
            match self.now.iter().find(|&&x| row[x as usize] > time) {
                None => true,
                Some(&far) => {
                    witness = far;
                    false
                }
            }
        })
    }
}
