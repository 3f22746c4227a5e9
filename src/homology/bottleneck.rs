//! The bottleneck distance between two persistence diagrams, exactly.
//!
//! `d_B(A, B) = min over matchings of max ||a - b||_inf`, where a point may also be matched with the diagonal at half its
//! persistence (Cohen-Steiner, Edelsbrunner, Harer, *Stability of persistence diagrams*, 2007). Feasible distances form a
//! half-line, so the least one is found by bisection over the floating-point numbers themselves; feasibility is two bipartite
//! matchings (Hopcroft and Karp 1973).

use crate::data::Pair;

/// The bottleneck distance with the L-infinity ground metric.
///
/// Classes that never die can only be matched with each other: `+inf` where their numbers differ.
pub fn bottleneck(a: &[Pair], b: &[Pair]) -> f64 {
    let essential = essential(a, b);
    if essential.is_infinite() {
        return essential;
    }
    // Sorted by death, so that the points within reach are looked for in a narrow range.
    let finite = |pairs: &[Pair]| -> Vec<Pair> {
        let mut finite: Vec<Pair> = pairs.iter().filter(|pair| pair.death.is_finite()).copied().collect();
        finite.sort_unstable_by(|a, b| a.death.total_cmp(&b.death));
        finite
    };
    let (a, b) = (finite(a), finite(b));
    let to_diagonal = a.iter().chain(&b).map(half_life).fold(0.0, f64::max);
    // The bits of non-negative floats are ordered as the floats are.
    let (mut low, mut high) = (essential.to_bits(), to_diagonal.max(essential).to_bits());
    while low < high {
        let middle = low + (high - low) / 2;
        let reach = f64::from_bits(middle);
        if saturates(&a, &b, reach) && saturates(&b, &a, reach) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    f64::from_bits(low)
}

/// The distance between the classes that never die: on a line, matching in order is best.
fn essential(a: &[Pair], b: &[Pair]) -> f64 {
    let births = |pairs: &[Pair]| {
        let mut births: Vec<f64> = pairs.iter().filter(|pair| !pair.death.is_finite()).map(|pair| pair.birth).collect();
        births.sort_unstable_by(f64::total_cmp);
        births
    };
    let (a, b) = (births(a), births(b));
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    a.iter().zip(&b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
}

/// The distance to the diagonal.
fn half_life(pair: &Pair) -> f64 {
    (pair.death - pair.birth).abs() / 2.0
}

/// Whether all points of `from` (both sorted by death) that the diagonal is too far for can be matched with points of `to` within `reach`.
///
/// Where this holds both ways, one matching does both (Mendelsohn and Dulmage 1958).
fn saturates(from: &[Pair], to: &[Pair], reach: f64) -> bool {
    let mut neighbours = Vec::new();
    for x in from.iter().filter(|pair| half_life(pair) > reach) {
        let start = to.partition_point(|y| x.death - y.death > reach);
        let stop = to.partition_point(|y| y.death - x.death <= reach);
        let near: Vec<usize> = (start..stop).filter(|&at| (x.birth - to[at].birth).abs() <= reach).collect();
        if near.is_empty() {
            return false;
        }
        neighbours.push(near);
    }
    Matching::new(&neighbours, to.len()).saturates()
}

const FREE: usize = usize::MAX;

/// Hopcroft-Karp on the graph `left -> right`.
struct Matching<'a> {
    neighbours: &'a [Vec<usize>],
    of_left: Vec<usize>,
    of_right: Vec<usize>,
    layer: Vec<usize>,
    next: Vec<usize>,
}

impl<'a> Matching<'a> {
    fn new(neighbours: &'a [Vec<usize>], n_right: usize) -> Self {
        let n_left = neighbours.len();
        Self { neighbours, of_left: vec![FREE; n_left], of_right: vec![FREE; n_right], layer: vec![FREE; n_left], next: vec![0; n_left] }
    }

    /// Whether a matching covers the left side.
    fn saturates(mut self) -> bool {
        let mut matched = 0;
        while self.layers() {
            self.next.fill(0);
            let before = matched;
            for left in 0..self.of_left.len() {
                if self.of_left[left] == FREE && self.augment(left) {
                    matched += 1;
                }
            }
            if matched == before {
                break;
            }
        }
        matched == self.of_left.len()
    }

    /// Breadth-first layers from the free left points; whether a free right point can be reached.
    fn layers(&mut self) -> bool {
        let mut queue: Vec<usize> = (0..self.of_left.len()).filter(|&left| self.of_left[left] == FREE).collect();
        self.layer.fill(FREE);
        for &left in &queue {
            self.layer[left] = 0;
        }
        let mut reached = false;
        let mut at = 0;
        while at < queue.len() {
            let left = queue[at];
            at += 1;
            for &right in &self.neighbours[left] {
                match self.of_right[right] {
                    FREE => reached = true,
                    other if self.layer[other] == FREE => {
                        self.layer[other] = self.layer[left] + 1;
                        queue.push(other);
                    }
                    _ => {}
                }
            }
        }
        reached
    }

    /// Depth-first along the layers, without recursion: the path may be as long as the diagram.
    fn augment(&mut self, start: usize) -> bool {
        let mut path = vec![start];
        while let Some(&left) = path.last() {
            let Some(&right) = self.neighbours[left].get(self.next[left]) else {
                path.pop();
                continue;
            };
            self.next[left] += 1;
            match self.of_right[right] {
                FREE => {
                    // Each vertex of the path takes the neighbour that it was left by.
                    for &left in &path {
                        let right = self.neighbours[left][self.next[left] - 1];
                        self.of_left[left] = right;
                        self.of_right[right] = left;
                    }
                    return true;
                }
                other if self.layer[other] == self.layer[left] + 1 => path.push(other),
                _ => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(f64, f64)]) -> Vec<Pair> {
        list.iter().map(|&(birth, death)| Pair { birth, death }).collect()
    }

    #[test]
    fn small_cases_in_closed_form() {
        let inf = f64::INFINITY;
        for (a, b, expected) in [
            (vec![], vec![], 0.0),
            (vec![(0.0, 2.0)], vec![], 1.0),
            (vec![(0.0, 2.0)], vec![(0.5, 2.25)], 0.5),
            (vec![(0.0, 1.0)], vec![(10.0, 10.5)], 0.5),
            (vec![(0.0, 10.0), (0.0, 4.0)], vec![(0.0, 9.0)], 2.0),
            (vec![(0.0, inf)], vec![], inf),
            (vec![(0.0, inf), (3.0, inf)], vec![(2.5, inf), (0.25, inf)], 0.5),
            (vec![(1.0, 2.0), (1.0, 2.0)], vec![(1.0, 2.0), (1.0, 2.0)], 0.0),
        ] {
            assert_eq!(bottleneck(&pairs(&a), &pairs(&b)), expected, "{a:?} {b:?}");
            assert_eq!(bottleneck(&pairs(&b), &pairs(&a)), expected, "{b:?} {a:?}");
        }
    }

    #[test]
    fn agrees_with_all_matchings_of_tiny_diagrams() {
        // Every injection of A's points into B's points or the diagonal, by recursion.
        fn best(a: &[Pair], b: &[Pair], used: &mut Vec<bool>) -> f64 {
            let Some((first, rest)) = a.split_first() else {
                return b.iter().zip(used.iter()).filter(|(_, used)| !**used).map(|(pair, _)| half_life(pair)).fold(0.0, f64::max);
            };
            let mut least = half_life(first).max(best(rest, b, used));
            for (at, other) in b.iter().enumerate() {
                if !used[at] {
                    used[at] = true;
                    let cost = (first.birth - other.birth).abs().max((first.death - other.death).abs());
                    least = least.min(cost.max(best(rest, b, used)));
                    used[at] = false;
                }
            }
            least
        }
        let point = |seed: usize| {
            let birth = (seed * 7919 % 97) as f64 / 10.0;
            Pair { birth, death: birth + (seed * 104_729 % 89) as f64 / 20.0 }
        };
        for seed in 0..60 {
            let a: Vec<Pair> = (0..seed % 5).map(|at| point(seed * 11 + at)).collect();
            let b: Vec<Pair> = (0..(seed / 5) % 5).map(|at| point(seed * 13 + at + 500)).collect();
            assert_eq!(bottleneck(&a, &b), best(&a, &b, &mut vec![false; b.len()]), "seed {seed}");
        }
    }
}
