//! The sorted edges of the Rips filtration, their ranks, and H0 by Kruskal's algorithm.
//!
//! Dimension 0 needs no matrix: its deaths are the edges of a minimum spanning tree.

use crate::data::{DistanceMatrix, Pair, Points};

/// An edge `i > j` and the rank of its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    /// Position of the length among the distinct lengths, ascending.
    pub(crate) rank: i32,
    /// The larger vertex.
    pub(crate) i: u32,
    /// The smaller vertex.
    pub(crate) j: u32,
}

/// What diagrams are computed from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Input<'a> {
    /// Points with the Euclidean metric.
    Points(&'a Points),
    /// Given distances.
    Distances(&'a DistanceMatrix),
}

/// Edges in filtration order (ascending length, ties by descending `(i, j)`) and the lengths behind the ranks.
pub(crate) struct Filtration {
    /// Number of points.
    pub(crate) n: usize,
    /// All edges within the threshold.
    pub(crate) edges: Vec<Edge>,
    /// The distinct lengths, ascending.
    pub(crate) values: Vec<f64>,
}

/// Row by row, the distances of point `i` to the points before it.
pub(crate) struct Rows<'a> {
    input: Input<'a>,
    /// Coordinate after coordinate, so that a row is computed in vector registers.
    columns: Vec<f64>,
}

impl<'a> Rows<'a> {
    /// Prepares the rows of an input.
    pub(crate) fn new(input: Input<'a>) -> Self {
        let columns = match input {
            Input::Points(points) => {
                (0..points.dim()).flat_map(|c| points.values().iter().skip(c).step_by(points.dim()).copied()).collect()
            }
            Input::Distances(_) => Vec::new(),
        };
        Self { input, columns }
    }

    /// Number of points.
    pub(crate) fn n(&self) -> usize {
        match self.input {
            Input::Points(points) => points.len(),
            Input::Distances(matrix) => matrix.len(),
        }
    }

    /// Writes the distances from point `i` to the points `0..i` into `row`.
    fn fill(&self, i: usize, row: &mut Vec<f64>) {
        row.clear();
        match self.input {
            Input::Distances(matrix) => row.extend_from_slice(&matrix.lower()[i * i.saturating_sub(1) / 2..][..i]),
            Input::Points(points) => {
                let n = points.len();
                row.resize(i, 0.0);
                for (c, &own) in points.point(i).iter().enumerate() {
                    for (sum, &other) in row.iter_mut().zip(&self.columns[c * n..c * n + i]) {
                        *sum += (own - other) * (own - other);
                    }
                }
                row.iter_mut().for_each(|sum| *sum = sum.sqrt());
            }
        }
    }

    /// The least radius around a point that reaches all others: the complex is a cone, so trivial, from there on.
    pub(crate) fn enclosing_radius(&self) -> f64 {
        let mut farthest = vec![0.0_f64; self.n()];
        let mut row = Vec::new();
        for i in 0..self.n() {
            self.fill(i, &mut row);
            let mut own = farthest[i];
            for (far, &length) in farthest.iter_mut().zip(&row) {
                *far = far.max(length);
                own = own.max(length);
            }
            farthest[i] = own;
        }
        farthest.into_iter().reduce(f64::min).unwrap_or(0.0)
    }

    /// How many pairs lie within `threshold`.
    pub(crate) fn count_within(&self, threshold: f64) -> u64 {
        let mut row = Vec::new();
        (0..self.n())
            .map(|i| {
                self.fill(i, &mut row);
                row.iter().filter(|&&length| length <= threshold).count() as u64
            })
            .sum()
    }

    /// The length that about this share of all pairs do not exceed, from a sample of rows.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        /// Rows looked at: the advice in an error message need not be exact.
        const ROWS: usize = 64;
        let mut sample = Vec::new();
        let mut row = Vec::new();
        for i in (1..self.n()).rev().step_by((self.n() / ROWS).max(1)) {
            self.fill(i, &mut row);
            sample.extend_from_slice(&row);
        }
        sample.sort_unstable_by(f64::total_cmp);
        sample.get((sample.len() as f64 * share) as usize).copied()
    }

    /// The sorted edges within `threshold`.
    pub(crate) fn filtration(&self, threshold: f64, capacity: usize) -> Filtration {
        // Bits of non-negative floats sort as the floats do; the complement puts larger vertices first among equals.
        let mut keys: Vec<u128> = Vec::with_capacity(capacity);
        let mut row = Vec::new();
        for i in 0..self.n() {
            self.fill(i, &mut row);
            for (j, &length) in row.iter().enumerate() {
                if length <= threshold {
                    // Adding 0 turns a negative zero into a positive one.
                    keys.push(u128::from((length + 0.0).to_bits()) << 64 | u128::from(!((i as u64) << 32 | j as u64)));
                }
            }
        }
        keys.sort_unstable();
        let mut values: Vec<f64> = Vec::new();
        let mut last = u64::MAX;
        let edges = keys
            .into_iter()
            .map(|key| {
                let bits = (key >> 64) as u64;
                if bits != last {
                    values.push(f64::from_bits(bits));
                    last = bits;
                }
                let pair = !(key as u64);
                Edge { rank: values.len() as i32 - 1, i: (pair >> 32) as u32, j: pair as u32 }
            })
            .collect();
        Filtration { n: self.n(), edges, values }
    }
}

/// H0 and the edges that close cycles, in filtration order.
pub(crate) fn kruskal(filtration: &Filtration) -> (Vec<Pair>, Vec<Edge>) {
    let mut parent: Vec<u32> = (0..filtration.n as u32).collect();
    let mut components = filtration.n;
    let mut pairs = Vec::with_capacity(filtration.n);
    let mut cycles = Vec::with_capacity(filtration.edges.len());
    for &edge in &filtration.edges {
        let (a, b) = (root(&mut parent, edge.i), root(&mut parent, edge.j));
        if a == b {
            cycles.push(edge);
            continue;
        }
        // The root is always the smallest vertex, so the forest does not depend on anything but the edges.
        parent[a.max(b) as usize] = a.min(b);
        components -= 1;
        let death = filtration.values[edge.rank as usize];
        if death > 0.0 {
            pairs.push(Pair { birth: 0.0, death });
        }
    }
    pairs.extend(std::iter::repeat_n(Pair { birth: 0.0, death: f64::INFINITY }, components));
    (pairs, cycles)
}

/// The root of a vertex, halving the path to it.
fn root(parent: &mut [u32], mut vertex: u32) -> u32 {
    while parent[vertex as usize] != vertex {
        let above = parent[parent[vertex as usize] as usize];
        parent[vertex as usize] = above;
        vertex = above;
    }
    vertex
}
