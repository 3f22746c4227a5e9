//! The Wasserstein distance between two persistence diagrams, exactly.
//!
//! `W_q(A, B) = (min over matchings of Σ ||a - b||_inf^q)^(1/q)`, where a point may also be matched with the diagonal at half its
//! persistence (Cohen-Steiner, Edelsbrunner, Harer & Mileyko 2010, *Lipschitz functions have Lp-stable persistence*). The matching is an assignment, found by
//! shortest augmenting paths with potentials (H. Kuhn 1955, J. Munkres 1957; R. Jonker & A. Volgenant 1987): cubic.

use crate::data::Pair;

/// The Wasserstein distance of order `q` (1 or more) with the L-infinity ground metric.
///
/// Classes that never die can only be matched with each other: `+inf` where their numbers differ.
pub fn wasserstein(a: &[Pair], b: &[Pair], q: f64) -> f64 {
    let split = |pairs: &[Pair]| -> (Vec<Pair>, Vec<f64>) {
        let (finite, never): (Vec<Pair>, Vec<Pair>) = pairs.iter().partition(|pair| pair.death.is_finite());
        let mut births: Vec<f64> = never.iter().map(|pair| pair.birth).collect();
        births.sort_by(f64::total_cmp);
        (finite, births)
    };
    let ((a, never_a), (b, never_b)) = (split(a), split(b));
    if never_a.len() != never_b.len() {
        return f64::INFINITY;
    }
    // On a line, matching in order is best.
    let essential: f64 = never_a.iter().zip(&never_b).map(|(x, y)| (x - y).abs().powf(q)).sum();
    let alone = |pair: &Pair| (0.5 * (pair.death - pair.birth).abs()).powf(q);
    let apart = |x: &Pair, y: &Pair| (x.birth - y.birth).abs().max((x.death - y.death).abs()).powf(q);
    let (rows, columns) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    // Every column is first matched with the diagonal; a row that takes it saves that.
    let unmatched: f64 = columns.iter().map(alone).sum();
    let cost = |row: usize, column: usize| match columns.get(column) {
        Some(other) => apart(&rows[row], other) - alone(other),
        None => alone(&rows[row]),
    };
    (essential + (unmatched + assignment(rows.len(), columns.len() + rows.len(), cost)).max(0.0)).powf(1.0 / q)
}

/// The least total cost of giving each of `n` rows a column of its own, of `m ≥ n`.
fn assignment(n: usize, m: usize, cost: impl Fn(usize, usize) -> f64) -> f64 {
    const NONE: usize = usize::MAX;
    let (mut of_row, mut of_column) = (vec![0.0; n], vec![0.0; m]);
    let mut taken_by = vec![NONE; m];
    for start in 0..n {
        let (mut least, mut before) = (vec![f64::INFINITY; m], vec![NONE; m]);
        let mut done = vec![false; m];
        let (mut row, mut at) = (start, NONE);
        loop {
            let (mut step, mut next) = (f64::INFINITY, NONE);
            for column in (0..m).filter(|&column| !done[column]) {
                let reduced = cost(row, column) - of_row[row] - of_column[column];
                if reduced < least[column] {
                    (least[column], before[column]) = (reduced, at);
                }
                if least[column] < step {
                    (step, next) = (least[column], column);
                }
            }
            of_row[start] += step;
            for column in 0..m {
                if done[column] {
                    of_row[taken_by[column]] += step;
                    of_column[column] -= step;
                } else {
                    least[column] -= step;
                }
            }
            done[next] = true;
            at = next;
            if taken_by[next] == NONE {
                break;
            }
            row = taken_by[next];
        }
        while before[at] != NONE {
            taken_by[at] = taken_by[before[at]];
            at = before[at];
        }
        taken_by[at] = start;
    }
    (0..m).filter(|&column| taken_by[column] != NONE).map(|column| cost(taken_by[column], column)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(birth: f64, death: f64) -> Pair {
        Pair { birth, death }
    }

    #[test]
    fn small_diagrams_by_hand() {
        let (a, b) = ([pair(0.0, 2.0), pair(1.0, 1.5)], [pair(0.5, 2.0)]);
        // 0.5 for the long ones, 0.25 for the short one alone.
        assert!((wasserstein(&a, &b, 1.0) - 0.75).abs() < 1e-15);
        assert!((wasserstein(&b, &a, 2.0) - (0.25_f64 + 0.0625).sqrt()).abs() < 1e-15);
        assert_eq!(wasserstein(&[], &[], 1.0), 0.0);
        assert_eq!(wasserstein(&a, &[], 1.0), 1.25);
        assert_eq!(wasserstein(&[pair(0.0, f64::INFINITY)], &[], 1.0), f64::INFINITY);
        assert_eq!(wasserstein(&[pair(0.0, f64::INFINITY)], &[pair(0.5, f64::INFINITY)], 1.0), 0.5);
    }

    #[test]
    fn an_assignment_is_the_best_of_all_orders() {
        let mut state = 7_u64;
        let mut dice = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / (1 << 24) as f64 - 0.3
        };
        fn best(cost: &[Vec<f64>], row: usize, used: u32) -> f64 {
            let Some(costs) = cost.get(row) else { return 0.0 };
            let free = (0..costs.len()).filter(|&column| used >> column & 1 == 0);
            free.map(|column| costs[column] + best(cost, row + 1, used | 1 << column)).fold(f64::INFINITY, f64::min)
        }
        for (n, m) in [(1, 1), (2, 5), (4, 4), (5, 7)] {
            for _ in 0..30 {
                let cost: Vec<Vec<f64>> = (0..n).map(|_| (0..m).map(|_| dice()).collect()).collect();
                assert!((assignment(n, m, |i, j| cost[i][j]) - best(&cost, 0, 0)).abs() < 1e-12);
            }
        }
    }
}
