//! Euclidean nearest neighbours of a cloud: a k-d tree, exact.

use rayon::prelude::*;

/// Most points of a leaf.
const LEAF: usize = 12;

/// Points in a tree of halves along the widest coordinate.
pub struct Neighbours<'a> {
    points: &'a [f64],
    dim: usize,
    order: Vec<usize>,
    /// Splits of the halves, in the order of a depth-first walk: coordinate and value.
    splits: Vec<(usize, f64)>,
}

/// A neighbour: squared distance and place.
type Found = (f64, usize);

impl<'a> Neighbours<'a> {
    /// A tree over `points[point * dim + coordinate]`.
    pub fn new(points: &'a [f64], dim: usize) -> Self {
        let mut tree = Self { points, dim, order: (0..points.len() / dim).collect(), splits: Vec::new() };
        let mut order = std::mem::take(&mut tree.order);
        tree.split(&mut order);
        tree.order = order;
        tree
    }

    fn at(&self, point: usize) -> &[f64] {
        &self.points[point * self.dim..(point + 1) * self.dim]
    }

    fn split(&mut self, order: &mut [usize]) {
        if order.len() <= LEAF {
            return;
        }
        let spread = |axis: usize| {
            let ends = order
                .iter()
                .map(|&point| self.at(point)[axis])
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
            ends.1 - ends.0
        };
        let axis = (0..self.dim).max_by(|&a, &b| spread(a).total_cmp(&spread(b))).unwrap_or(0);
        let middle = order.len() / 2;
        let points = self.points;
        let value = |point: usize| points[point * self.dim + axis];
        order.select_nth_unstable_by(middle, |&a, &b| value(a).total_cmp(&value(b)).then(a.cmp(&b)));
        self.splits.push((axis, value(order[middle])));
        let (left, right) = order.split_at_mut(middle);
        self.split(left);
        self.split(right);
    }

    /// How many splits the walk of so many points has.
    fn splits_below(points: usize) -> usize {
        if points <= LEAF { 0 } else { 1 + Self::splits_below(points / 2) + Self::splits_below(points - points / 2) }
    }

    /// The `k` nearest of point `from`, the nearest first (of equals the lower place), without those `theiler` or fewer places away.
    pub fn nearest(&self, from: usize, k: usize, theiler: usize) -> Vec<Found> {
        let mut found = Vec::with_capacity(k + 1);
        self.walk(&self.order, 0, from, k, theiler, &mut found);
        found
    }

    /// [`Self::nearest`] of every point.
    pub fn all(&self, k: usize, theiler: usize) -> Vec<Vec<Found>> {
        (0..self.order.len()).into_par_iter().map(|from| self.nearest(from, k, theiler)).collect()
    }

    fn walk(&self, order: &[usize], split: usize, from: usize, k: usize, theiler: usize, found: &mut Vec<Found>) {
        if order.len() <= LEAF {
            for &other in order.iter().filter(|&&other| other.abs_diff(from) > theiler) {
                let apart = self.at(from).iter().zip(self.at(other)).map(|(a, b)| (a - b) * (a - b)).sum();
                let before = |one: &Found| one.0 < apart || one.0 == apart && one.1 < other;
                if found.len() < k || !before(&found[k - 1]) {
                    let place = found.partition_point(before);
                    found.insert(place, (apart, other));
                    found.truncate(k);
                }
            }
            return;
        }
        let (axis, value) = self.splits[split];
        let (left, right) = order.split_at(order.len() / 2);
        let (left, right) = ((left, split + 1), (right, split + 1 + Self::splits_below(left.len())));
        let ahead = self.at(from)[axis] - value;
        let (near, far) = if ahead < 0.0 { (left, right) } else { (right, left) };
        self.walk(near.0, near.1, from, k, theiler, found);
        if found.len() < k || ahead * ahead <= found[k - 1].0 {
            self.walk(far.0, far.1, from, k, theiler, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::surrogate::{Purpose, stream};
    use rand::RngExt;

    #[test]
    fn the_tree_finds_what_a_look_at_all_points_finds() {
        let mut rng = stream(3, Purpose::Normalise, 0, 0);
        for (n, dim, k, theiler) in [(1, 2, 1, 0), (13, 1, 3, 0), (200, 3, 5, 0), (300, 2, 4, 7), (150, 6, 10, 0)] {
            // A coarse grid, so that there are ties and duplicates.
            let points: Vec<f64> = (0..n * dim).map(|_| f64::from(rng.random_range(0..12))).collect();
            let tree = Neighbours::new(&points, dim);
            for from in 0..n {
                let apart =
                    |other: usize| (0..dim).map(|axis| (points[from * dim + axis] - points[other * dim + axis]).powi(2)).sum::<f64>();
                let mut all: Vec<Found> =
                    (0..n).filter(|other| other.abs_diff(from) > theiler).map(|other| (apart(other), other)).collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                all.truncate(k);
                assert_eq!(tree.nearest(from, k, theiler), all);
            }
        }
    }
}
