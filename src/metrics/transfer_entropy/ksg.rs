//! Transfer entropy by nearest neighbours: A. Kraskov, H. Stögbauer & P. Grassberger, Phys. Rev. E 69, 2004, for conditional mutual
//! information (S. Frenzel & B. Pompe, Phys. Rev. Lett. 99, 2007; G. Gómez-Herrero et al., Entropy 17, 2015).
//!
//! Of each observation i, ε is the maximum-norm distance to its k-th neighbour among (y′, past, source). With the counts of other
//! observations nearer than ε in the past (z), past and source (xz), and past and next (yz):
//! algorithm 1: `TE = ψ(k) + ⟨ψ(n_z + 1) − ψ(n_xz + 1) − ψ(n_yz + 1)⟩`, nearer meaning *less* than ε;
//! algorithm 2: `TE = ψ(k) − 2/k + ⟨ψ(n_z) − ψ(n_xz) + 1/n_xz − ψ(n_yz) + 1/n_yz⟩`, with an ε of its own for next, source and past,
//! the greatest among the k neighbours, and *at most* ε. (The formula of JIDT.) Neighbours in time, `|Δt| ≤ theiler`, do not count.

use super::continuous::Observations;
use super::neighbours::{Columns, Counter, Nearest, Tree};
use rayon::prelude::*;

/// Parameters of the estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ksg {
    /// Neighbours.
    pub k: usize,
    /// Samples before and after an observation whose own are no neighbours.
    pub theiler: usize,
    /// 1 or 2.
    pub algorithm: u8,
}

/// Observations that one task works on.
const CHUNK: usize = 256;

impl Ksg {
    /// Why there are too few observations, if there are.
    pub fn too_few(&self, n: usize) -> Option<String> {
        let needed = self.k.saturating_add(self.theiler.saturating_mul(2)).saturating_add(1);
        (n < needed).then(|| match self.theiler {
            0 => format!("{} neighbours need {needed} observations or more, but there are {n}", self.k),
            window => {
                format!("{} neighbours outside a Theiler window of {window} need {needed} observations or more, but there are {n}", self.k)
            }
        })
    }

    /// The contribution of each observation, in nats; their mean is the estimate.
    ///
    /// # Errors
    /// Too few observations.
    pub fn contributions(&self, observations: &Observations) -> Result<Vec<f64>, String> {
        let n = observations.next.len();
        if let Some(fault) = self.too_few(n) {
            return Err(fault);
        }
        let space = Space::new(observations);
        let psi = digammas(n);
        let order: Vec<u32> = space.joint.places().to_vec();
        let made: Vec<Vec<f64>> = order
            .par_chunks(CHUNK)
            .map(|places| {
                let mut scratch = Scratch::default();
                places.iter().map(|&place| self.contribution(&space, place as usize, &psi, &mut scratch)).collect()
            })
            .collect();
        let mut contributions = vec![0.0; n];
        order.iter().zip(made.into_iter().flatten()).for_each(|(&place, value)| contributions[place as usize] = value);
        Ok(contributions)
    }

    fn contribution(&self, space: &Space<'_>, me: usize, psi: &[f64], scratch: &mut Scratch) -> f64 {
        let mut nearest = Nearest::new(self.k);
        scratch.query.clear();
        scratch.query.extend(space.columns.iter().map(|column| column[me]));
        let query = &scratch.query;
        space.joint.nearest(query, &mut nearest, |other| other.abs_diff(me) <= self.theiler);
        let radius = &mut scratch.radius;
        radius.clear();
        if self.algorithm == 1 {
            radius.resize(query.len(), nearest.distance());
            let n = |of: &Part| self.counted::<false>(space, of, me, query, radius);
            let (z, xz, yz) = (n(&space.z), n(&space.xz), n(&space.yz));
            return psi[self.k] + psi[z + 1] - psi[xz + 1] - psi[yz + 1];
        }
        // A radius each for the next value, the past and the source.
        radius.resize(query.len(), 0.0);
        for range in [0..1, 1..space.past_stop, space.past_stop..query.len()] {
            let widest = nearest.places().flat_map(|other| range.clone().map(move |at| (other, at)));
            let widest = widest.fold(0.0_f64, |widest, (other, at)| widest.max((space.columns[at][other] - query[at]).abs()));
            radius[range].fill(widest);
        }
        let n = |of: &Part| self.counted::<true>(space, of, me, query, radius);
        let (z, xz, yz) = (n(&space.z), n(&space.xz), n(&space.yz));
        let k = self.k as f64;
        psi[self.k] - 2.0 / k + psi[z] - psi[xz] + 1.0 / xz as f64 - psi[yz] + 1.0 / yz as f64
    }

    /// Other observations within the radius, without those near in time.
    fn counted<const CLOSED: bool>(&self, space: &Space<'_>, of: &Part, me: usize, query: &[f64], radius: &[f64]) -> usize {
        let total = of.counter.count::<CLOSED>(&query[of.start..of.stop], &radius[of.start..of.stop]);
        let n = space.columns[0].len();
        let within = |other: &usize| {
            (of.start..of.stop).all(|at| {
                let apart = (space.columns[at][*other] - query[at]).abs();
                if CLOSED { apart <= radius[at] } else { apart < radius[at] }
            })
        };
        let near = (me.saturating_sub(self.theiler)..n.min(me.saturating_add(self.theiler).saturating_add(1))).filter(within).count();
        total - near
    }
}

#[derive(Default)]
struct Scratch {
    query: Vec<f64>,
    radius: Vec<f64>,
}

/// Some of the columns, which stand beside each other.
struct Part {
    start: usize,
    stop: usize,
    counter: Counter,
}

/// Columns in the order next, past, source, so that every part is a range.
struct Space<'a> {
    columns: Vec<&'a [f64]>,
    past_stop: usize,
    joint: Tree,
    z: Part,
    xz: Part,
    yz: Part,
}

impl<'a> Space<'a> {
    fn new(observations: &'a Observations) -> Self {
        let columns: Vec<&[f64]> =
            [&observations.next].into_iter().chain(&observations.past).chain(&observations.source).map(Vec::as_slice).collect();
        let (past_stop, all) = (1 + observations.past.len(), columns.len());
        let n = observations.next.len();
        let part = |columns: &Columns<'_>, start, stop| Part { start, stop, counter: Counter::new(&columns[start..stop], n) };
        let ((joint, z), (xz, yz)) =
            rayon::join(|| (Tree::new(&columns), part(&columns, 1, past_stop)), || (part(&columns, 1, all), part(&columns, 0, past_stop)));
        Self { past_stop, joint, z, xz, yz, columns }
    }
}

/// ψ(m) of the whole numbers up to `n + 1`; the first is not defined and never asked for.
fn digammas(n: usize) -> Vec<f64> {
    const EULER: f64 = 0.577_215_664_901_532_9;
    let mut psi = vec![f64::NAN, -EULER];
    (1..=n).for_each(|m| psi.push(psi[m] + 1.0 / m as f64));
    psi
}
