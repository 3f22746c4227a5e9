//! Greedy max-min landmarks (farthest-point sampling) with their covering radius.
//!
//! Gonzalez, *Clustering to minimize the maximum intercluster distance* (Theor. Comput. Sci. 1985). With `r` the largest
//! distance of a point to its nearest landmark, the bottleneck distance between the Rips diagrams of the landmarks and of all
//! points is at most `2 r` in every dimension (sending each point to its nearest landmark gives a `2 r`-interleaving), so a
//! landmark bar longer than `2 r` stands for a bar of the full cloud.

use crate::data::{DistanceMatrix, Points};

/// A subset of points that covers the rest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Landmarks {
    /// Positions of the landmarks, in the order in which they were chosen.
    pub indices: Vec<usize>,
    /// The largest distance of a point to its nearest landmark (0 for no points).
    pub covering_radius: f64,
}

/// Chooses `m` landmarks (all points where there are fewer): the first point, then always the point farthest from those chosen,
/// ties by the lowest index. Takes `m` passes over the points.
pub fn greedy(points: &Points, m: usize) -> Landmarks {
    let n = points.len();
    // Coordinate after coordinate, so that a pass runs in vector registers.
    let columns: Vec<f64> = (0..points.dim()).flat_map(|c| points.values().iter().skip(c).step_by(points.dim()).copied()).collect();
    let mut row = vec![0.0; n];
    let mut landmarks = choose(n, m, |landmark, nearest| {
        row.fill(0.0);
        for (c, &own) in points.point(landmark).iter().enumerate() {
            for (sum, &other) in row.iter_mut().zip(&columns[c * n..]) {
                *sum += (own - other) * (own - other);
            }
        }
        for (near, &squared) in nearest.iter_mut().zip(&row) {
            *near = near.min(squared);
        }
    });
    landmarks.covering_radius = landmarks.covering_radius.sqrt();
    landmarks
}

/// The same for a finite metric space.
pub fn greedy_distances(matrix: &DistanceMatrix, m: usize) -> Landmarks {
    choose(matrix.len(), m, |landmark, nearest| {
        for (point, near) in nearest.iter_mut().enumerate() {
            *near = near.min(matrix.get(landmark, point));
        }
    })
}

/// The distances among the points at `indices`, in that order.
pub fn submatrix(matrix: &DistanceMatrix, indices: &[usize]) -> DistanceMatrix {
    let lower = indices.iter().enumerate().flat_map(|(row, &i)| indices[..row].iter().map(move |&j| matrix.get(i, j))).collect();
    DistanceMatrix::from_lower(indices.len(), lower).expect("entries of a distance matrix are finite and not negative")
}

/// The greedy rule; `lower` lowers each point's (possibly squared) distance to the landmarks by a new one.
fn choose(n: usize, m: usize, mut lower: impl FnMut(usize, &mut [f64])) -> Landmarks {
    let mut indices = Vec::with_capacity(m.min(n));
    let mut nearest = vec![f64::INFINITY; n];
    let mut next = 0;
    let mut covering_radius = if n == 0 { 0.0 } else { f64::INFINITY };
    while indices.len() < m.min(n) {
        indices.push(next);
        lower(next, &mut nearest);
        // A chosen point stays chosen even when duplicates leave nothing but zeros.
        nearest[next] = -1.0;
        (next, covering_radius) = farthest(&nearest);
    }
    Landmarks { indices, covering_radius: covering_radius.max(0.0) }
}

/// The first position of the largest value, and the value.
fn farthest(nearest: &[f64]) -> (usize, f64) {
    let largest = nearest.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (nearest.iter().position(|&value| value == largest).unwrap_or(0), largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_point_comes_next_and_ties_go_to_the_lowest_index() {
        let line = Points::new(vec![0.0, 1.0, 2.0, 3.0, 4.0], 1).unwrap();
        let two = greedy(&line, 2);
        assert_eq!((two.indices, two.covering_radius), (vec![0, 4], 2.0));
        let four = greedy(&line, 4);
        assert_eq!((four.indices, four.covering_radius), (vec![0, 4, 2, 1], 1.0));
    }

    #[test]
    fn points_and_their_distances_give_the_same_landmarks() {
        let values: Vec<f64> = (0..60).map(|at| f64::from(at * 7919 % 101)).collect();
        let points = Points::new(values, 3).unwrap();
        let mut lower = Vec::new();
        for i in 0..points.len() {
            for j in 0..i {
                lower.push(points.point(i).iter().zip(points.point(j)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt());
            }
        }
        let matrix = DistanceMatrix::from_lower(points.len(), lower).unwrap();
        for m in [0, 1, 7, 20, 30] {
            assert_eq!(greedy(&points, m), greedy_distances(&matrix, m));
        }
        let all = greedy(&points, 30);
        let mut sorted = all.indices;
        sorted.sort_unstable();
        assert_eq!((sorted, all.covering_radius), ((0..20).collect(), 0.0));
    }

    #[test]
    fn duplicates_are_chosen_once_each() {
        let same = Points::new(vec![1.0; 4], 1).unwrap();
        let landmarks = greedy(&same, 4);
        assert_eq!((landmarks.indices, landmarks.covering_radius), (vec![0, 1, 2, 3], 0.0));
    }
}
