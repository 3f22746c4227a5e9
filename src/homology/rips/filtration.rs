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

/// Row by row, the distances of a point to the points before it.
///
/// Points are put in the order of their widest coordinate, so that within a small reach most of them need no look.
pub(crate) struct Rows<'a> {
    input: Input<'a>,
    /// The point at each position.
    order: Vec<u32>,
    /// Coordinate after coordinate in that order, the widest first, so that a row is computed in vector registers.
    columns: Vec<Vec<f64>>,
}

impl<'a> Rows<'a> {
    /// Prepares the rows of an input.
    pub(crate) fn new(input: Input<'a>) -> Self {
        let Input::Points(points) = input else { return Self { input, order: Vec::new(), columns: Vec::new() } };
        let column = |c: usize| points.values().iter().skip(c).step_by(points.dim()).copied();
        let extent = |c: usize| column(c).fold(f64::NEG_INFINITY, f64::max) - column(c).fold(f64::INFINITY, f64::min);
        let widest = (0..points.dim()).max_by(|&a, &b| extent(a).total_cmp(&extent(b)).then(b.cmp(&a))).unwrap_or(0);
        let key: Vec<f64> = column(widest).collect();
        let mut order: Vec<u32> = (0..points.len() as u32).collect();
        order.sort_by(|&a, &b| key[a as usize].total_cmp(&key[b as usize]));
        // The sum of squares keeps the order of the coordinates: a result must not depend on which is the widest.
        let columns = (0..points.dim()).map(|c| order.iter().map(|&at| points.point(at as usize)[c]).collect());
        let columns = std::iter::once(order.iter().map(|&at| key[at as usize]).collect()).chain(columns).collect();
        Self { input, order, columns }
    }

    /// Half the widest extent: no enclosing radius is smaller.
    pub(crate) fn least_enclosing_radius(&self) -> f64 {
        match self.columns.first().map(Vec::as_slice) {
            Some([first, .., last]) => (last - first) / 2.0,
            _ => 0.0,
        }
    }

    /// Number of points.
    pub(crate) fn n(&self) -> usize {
        match self.input {
            Input::Points(points) => points.len(),
            Input::Distances(matrix) => matrix.len(),
        }
    }

    /// Writes distances from the point at position `at` to the points before it, those within `reach` at least; the answer is
    /// the position of the first.
    fn fill(&self, at: usize, reach: f64, row: &mut Vec<f64>) -> usize {
        row.clear();
        match self.input {
            Input::Distances(matrix) => {
                row.extend_from_slice(&matrix.lower()[at * at.saturating_sub(1) / 2..][..at]);
                0
            }
            Input::Points(_) => {
                let (widest, columns) = self.columns.split_first().expect("points have a coordinate, and it stands first");
                let start = widest[..at].partition_point(|&other| widest[at] - other > reach);
                row.resize(at - start, 0.0);
                for column in columns {
                    let own = column[at];
                    for (sum, &other) in row.iter_mut().zip(&column[start..at]) {
                        *sum += (own - other) * (own - other);
                    }
                }
                row.iter_mut().for_each(|sum| *sum = sum.sqrt());
                start
            }
        }
    }

    /// The vertices of the edge between two positions, the larger first.
    #[inline]
    fn edge(&self, at: usize, other: usize) -> (u32, u32) {
        match self.input {
            Input::Distances(_) => (at as u32, other as u32),
            Input::Points(_) => {
                let (a, b) = (self.order[at], self.order[other]);
                (a.max(b), a.min(b))
            }
        }
    }

    /// The least radius around a point that reaches all others: the complex is a cone, so trivial, from there on.
    pub(crate) fn enclosing_radius(&self) -> f64 {
        let mut farthest = vec![0.0_f64; self.n()];
        let mut row = Vec::new();
        for i in 0..self.n() {
            self.fill(i, f64::INFINITY, &mut row);
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
                self.fill(i, threshold, &mut row);
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
            self.fill(i, f64::INFINITY, &mut row);
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
            let start = self.fill(i, threshold, &mut row);
            for (other, &length) in row.iter().enumerate() {
                if length <= threshold {
                    let (i, j) = self.edge(i, start + other);
                    // Adding 0 turns a negative zero into a positive one.
                    keys.push(u128::from((length + 0.0).to_bits()) << 64 | u128::from(!(u64::from(i) << 32 | u64::from(j))));
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
