//! Nearest neighbours and counts within a radius under the maximum norm: a k-d tree for two dimensions and more, a sorted list for one.
//!
//! A tree keeps the bounding box of every node, so that a count takes whole nodes at once; leaves keep their points dimension by
//! dimension, so that distances to all of them are computed side by side.

/// Points of a leaf, at most.
const LEAF: usize = 16;

/// Nodes that wait to be looked at, at most: two a level, and a level halves up to 2³² points.
const STACK: usize = 80;

/// Points, as one slice a dimension.
pub type Columns<'a> = [&'a [f64]];

#[derive(Debug, Clone, Copy)]
struct Node {
    start: u32,
    stop: u32,
    /// The first of two children that follow each other; 0: a leaf.
    children: u32,
}

/// A k-d tree.
#[derive(Debug)]
pub struct Tree {
    dim: usize,
    nodes: Vec<Node>,
    /// Least and greatest coordinate of each dimension, node by node.
    boxes: Vec<(f64, f64)>,
    /// The coordinates of each leaf, dimension by dimension.
    points: Vec<f64>,
    /// The points' places in the columns, leaf by leaf.
    places: Vec<u32>,
}

/// The nearest points found so far, the nearest first.
#[derive(Debug, Default, Clone)]
pub struct Nearest {
    k: usize,
    found: Vec<(f64, u32)>,
}

impl Nearest {
    /// Room for the `k` nearest.
    pub fn new(k: usize) -> Self {
        Self { k, found: Vec::with_capacity(k + 1) }
    }
    /// Distance within which a point would be taken.
    #[inline]
    fn bound(&self) -> f64 {
        if self.found.len() < self.k { f64::INFINITY } else { self.found[self.k - 1].0 }
    }
    fn take(&mut self, distance: f64, place: u32) {
        let at = self.found.partition_point(|other| other.0 <= distance);
        self.found.insert(at, (distance, place));
        self.found.truncate(self.k);
    }
    /// Distance to the `k`th nearest; infinite where there are fewer.
    pub fn distance(&self) -> f64 {
        self.bound()
    }
    /// The places of the nearest.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        self.found.iter().map(|&(_, place)| place as usize)
    }
}

impl Tree {
    /// A tree over `columns`, which are as long as each other and at least one.
    pub fn new(columns: &Columns<'_>) -> Self {
        let n = columns[0].len();
        let mut tree = Self {
            dim: columns.len(),
            nodes: Vec::with_capacity(4 * n / LEAF + 1),
            boxes: Vec::new(),
            points: vec![0.0; n * columns.len()],
            places: (0..n as u32).collect(),
        };
        tree.push(0, n, columns);
        let mut open = 0;
        // Nodes are appended in pairs; each is split when its turn comes.
        while open < tree.nodes.len() {
            let Node { start, stop, .. } = tree.nodes[open];
            let (start, stop) = (start as usize, stop as usize);
            if stop - start > LEAF {
                let sides = &tree.boxes[open * tree.dim..(open + 1) * tree.dim];
                let widest = (0..tree.dim).max_by(|&a, &b| (sides[a].1 - sides[a].0).total_cmp(&(sides[b].1 - sides[b].0))).unwrap_or(0);
                let middle = (stop - start) / 2;
                let key = |place: &u32| columns[widest][*place as usize];
                // The place breaks ties, so that the tree is the same whatever the sort does.
                tree.places[start..stop].select_nth_unstable_by(middle, |a, b| key(a).total_cmp(&key(b)).then(a.cmp(b)));
                tree.nodes[open].children = tree.nodes.len() as u32;
                tree.push(start, start + middle, columns);
                tree.push(start + middle, stop, columns);
            } else {
                tree.places[start..stop].sort_unstable();
                let places = tree.places[start..stop].iter();
                for (at, &place) in places.enumerate() {
                    for (dim, column) in columns.iter().enumerate() {
                        tree.points[start * tree.dim + dim * (stop - start) + at] = column[place as usize];
                    }
                }
            }
            open += 1;
        }
        tree
    }

    fn push(&mut self, start: usize, stop: usize, columns: &Columns<'_>) {
        for column in columns {
            let values = self.places[start..stop].iter().map(|&place| column[place as usize]);
            self.boxes.push(values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value))));
        }
        self.nodes.push(Node { start: start as u32, stop: stop as u32, children: 0 });
    }

    /// The points' places in the columns in an order in which neighbours stand near each other.
    pub fn places(&self) -> &[u32] {
        &self.places
    }

    /// Adds the points nearest to `query` to `nearest`, without those `skip` refuses.
    pub fn nearest(&self, query: &[f64], nearest: &mut Nearest, skip: impl Fn(usize) -> bool) {
        let (mut open, mut depth) = ([(0.0, 0_u32); STACK], 1);
        let mut distances = [0.0_f64; LEAF];
        while depth > 0 {
            depth -= 1;
            let (gap, node) = open[depth];
            if gap >= nearest.bound() {
                continue;
            }
            let Node { start, stop, children } = self.nodes[node as usize];
            if children > 0 {
                let (left, right) = ((self.gap(children, query), children), (self.gap(children + 1, query), children + 1));
                // The nearer is looked at first.
                (open[depth], open[depth + 1]) = if left.0 <= right.0 { (right, left) } else { (left, right) };
                depth += 2;
                continue;
            }
            let distances = self.distances(start as usize, stop as usize, query, &mut distances);
            for (&distance, &place) in distances.iter().zip(&self.places[start as usize..stop as usize]) {
                if distance < nearest.bound() && !skip(place as usize) {
                    nearest.take(distance, place);
                }
            }
        }
    }

    /// How many points lie within `radius` of `query` in every dimension: nearer, or as near too if `CLOSED`.
    pub fn count<const CLOSED: bool>(&self, query: &[f64], radius: &[f64]) -> usize {
        let within = |distance: f64, radius: f64| if CLOSED { distance <= radius } else { distance < radius };
        let (mut open, mut depth) = ([0_u32; STACK], 1);
        let mut total = 0;
        // Slices of a known length, so that no bounds are checked below.
        let dim = self.dim;
        let (query, radius) = (&query[..dim], &radius[..dim]);
        while depth > 0 {
            depth -= 1;
            let node = open[depth] as usize;
            let Node { start, stop, children } = self.nodes[node];
            let (mut apart, mut inside) = (false, true);
            let sides = &self.boxes[node * dim..][..dim];
            for at in 0..dim {
                let (below, above) = (query[at] - sides[at].0, sides[at].1 - query[at]);
                // Distances to the nearest and the farthest side, rounded as those to a point would be.
                apart |= !within((-below).max(-above).max(0.0), radius[at]);
                inside &= within(below.max(above), radius[at]);
            }
            if apart {
                continue;
            }
            if inside {
                total += (stop - start) as usize;
            } else if children > 0 {
                open[depth] = children;
                open[depth + 1] = children + 1;
                depth += 2;
            } else {
                let (start, len) = (start as usize, (stop - start) as usize);
                let mut misses = [false; LEAF];
                let misses = &mut misses[..len];
                for at in 0..dim {
                    let column = &self.points[start * dim + at * len..][..len];
                    for place in 0..len {
                        misses[place] |= !within((column[place] - query[at]).abs(), radius[at]);
                    }
                }
                for &miss in &*misses {
                    total += usize::from(!miss);
                }
            }
        }
        total
    }

    /// Tells `visit` the place and the distance of every point at most `radius` from `query`.
    pub fn within(&self, query: &[f64], radius: f64, mut visit: impl FnMut(usize, f64)) {
        let mut open = vec![0_u32];
        let mut distances = [0.0_f64; LEAF];
        while let Some(node) = open.pop() {
            if self.gap(node, query) > radius {
                continue;
            }
            let Node { start, stop, children } = self.nodes[node as usize];
            if children > 0 {
                open.extend([children + 1, children]);
                continue;
            }
            let distances = self.distances(start as usize, stop as usize, query, &mut distances);
            let near = distances.iter().zip(&self.places[start as usize..stop as usize]).filter(|(distance, _)| **distance <= radius);
            near.for_each(|(&distance, &place)| visit(place as usize, distance));
        }
    }

    #[inline]
    fn gap(&self, node: u32, query: &[f64]) -> f64 {
        let sides = &self.boxes[node as usize * self.dim..][..query.len()];
        let mut gap = 0.0_f64;
        for at in 0..query.len() {
            gap = gap.max(sides[at].0 - query[at]).max(query[at] - sides[at].1);
        }
        gap
    }

    #[inline]
    fn distances<'d>(&self, start: usize, stop: usize, query: &[f64], distances: &'d mut [f64; LEAF]) -> &'d [f64] {
        let len = stop - start;
        let distances = &mut distances[..len];
        distances.fill(0.0);
        for (dim, &centre) in query.iter().enumerate() {
            let column = &self.points[start * self.dim + dim * len..][..len];
            for (distance, value) in distances.iter_mut().zip(column) {
                *distance = distance.max((value - centre).abs());
            }
        }
        distances
    }
}

/// Counts within a radius.
#[derive(Debug)]
pub enum Counter {
    /// Without dimensions every point is within.
    All(usize),
    /// One dimension: the values, sorted.
    Sorted(Vec<f64>),
    /// More.
    Tree(Tree),
}

impl Counter {
    /// Over `columns` of `n` points.
    pub fn new(columns: &Columns<'_>, n: usize) -> Self {
        match columns {
            [] => Self::All(n),
            [column] => {
                let mut sorted = column.to_vec();
                sorted.sort_unstable_by(f64::total_cmp);
                Self::Sorted(sorted)
            }
            columns => Self::Tree(Tree::new(columns)),
        }
    }
    /// As [`Tree::count`].
    pub fn count<const CLOSED: bool>(&self, query: &[f64], radius: &[f64]) -> usize {
        match self {
            Self::All(n) => *n,
            Self::Sorted(values) => {
                let (at, radius) = (query[0], radius[0]);
                let within = |distance: f64| if CLOSED { distance <= radius } else { distance < radius };
                let first = values.partition_point(|value| *value <= at && !within(at - value));
                values.partition_point(|value| *value <= at || within(value - at)) - first
            }
            Self::Tree(tree) => tree.count::<CLOSED>(query, radius),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn neighbours_and_counts_are_those_of_looking_at_every_point() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for round in 0..60 {
            let (dim, n) = (1 + round % 5, rng.random_range(1..300_usize));
            // Every third cloud lies on a coarse grid: ties and duplicates.
            let mut draw = || if round % 3 == 0 { f64::from(rng.random_range(0..6_u8)) } else { rng.random_range(-1.0..1.0) };
            let columns: Vec<Vec<f64>> = (0..dim).map(|_| (0..n).map(|_| draw()).collect()).collect();
            let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
            let (tree, counter) = (Tree::new(&columns), Counter::new(&columns, n));
            for me in 0..n {
                let query: Vec<f64> = columns.iter().map(|column| column[me]).collect();
                let apart = |other: usize| columns.iter().map(|column| (column[other] - column[me]).abs()).collect::<Vec<_>>();
                let furthest = |other: usize| apart(other).into_iter().fold(0.0, f64::max);
                let skip = |other: usize| other.abs_diff(me) <= round % 4;
                let mut all: Vec<f64> = (0..n).filter(|&other| !skip(other)).map(furthest).collect();
                all.sort_by(f64::total_cmp);
                let mut nearest = Nearest::new(3);
                tree.nearest(&query, &mut nearest, skip);
                assert_eq!(nearest.found.iter().map(|found| found.0).collect::<Vec<_>>(), all[..all.len().min(3)]);
                let radius: Vec<f64> = (0..dim).map(|at| [0.0, 1.0, 0.3, 2.0][(me + at) % 4]).collect();
                let close = |other: &usize| apart(*other).iter().zip(&radius).all(|(apart, radius)| apart < radius);
                let near = |other: &usize| apart(*other).iter().zip(&radius).all(|(apart, radius)| apart <= radius);
                assert_eq!(tree.count::<false>(&query, &radius), (0..n).filter(close).count());
                assert_eq!(tree.count::<true>(&query, &radius), (0..n).filter(near).count());
                assert_eq!(counter.count::<false>(&query, &radius), (0..n).filter(close).count());
                assert_eq!(counter.count::<true>(&query, &radius), (0..n).filter(near).count());
            }
        }
    }
}
