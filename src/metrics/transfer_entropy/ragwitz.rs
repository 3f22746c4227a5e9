//! The target's history by M. Ragwitz & H. Kantz, Phys. Rev. E 65, 2002: the embedding whose nearest neighbours predict best.
//!
//! Of every length up to `max_history` and delay up to `max_delay`, each observation's next value is predicted as the mean of the next
//! values of its nearest histories (maximum norm); the least mean square error wins, of equal ones the shorter and denser. All
//! embeddings are judged on the same observations.

use super::neighbours::{Nearest, Tree};
use rayon::prelude::*;

/// Limits of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ragwitz {
    /// Longest history.
    pub max_history: usize,
    /// Largest delay between its members, in samples.
    pub max_delay: usize,
    /// Nearest histories behind a prediction.
    pub neighbours: usize,
    /// Samples around an observation whose own are no neighbours.
    pub theiler: usize,
}

impl Ragwitz {
    /// Samples before the first observation.
    pub fn reach(&self) -> usize {
        (self.max_history - 1).saturating_mul(self.max_delay).saturating_add(1)
    }

    /// Members and delay of the best history of `channel`, for observations from `first` on.
    pub fn choose(&self, channel: &[f64], first: usize) -> (usize, usize) {
        let delays = |members: usize| if members == 1 { 1..=1 } else { 1..=self.max_delay };
        let all: Vec<(usize, usize)> =
            (1..=self.max_history).flat_map(|members| delays(members).map(move |delay| (members, delay))).collect();
        let errors: Vec<f64> = all.par_iter().map(|&(members, delay)| self.error(channel, first, members, delay)).collect();
        let best = (0..all.len()).reduce(|a, b| if errors[b] < errors[a] { b } else { a });
        best.map_or((1, 1), |best| all[best])
    }

    fn error(&self, channel: &[f64], first: usize, members: usize, delay: usize) -> f64 {
        let delayed = |back: usize| &channel[first - back..channel.len() - back];
        let columns: Vec<&[f64]> = (0..members).map(|member| delayed(1 + member * delay)).collect();
        let (next, tree) = (delayed(0), Tree::new(&columns));
        let of_observation = |me: usize| {
            let query: Vec<f64> = columns.iter().map(|column| column[me]).collect();
            let mut nearest = Nearest::new(self.neighbours);
            tree.nearest(&query, &mut nearest, |other| other.abs_diff(me) <= self.theiler);
            let (sum, n) = nearest.places().fold((0.0, 0_u32), |(sum, n), place| (sum + next[place], n + 1));
            (next[me] - sum / f64::from(n.max(1))).powi(2)
        };
        let errors: Vec<f64> = (0..next.len()).into_par_iter().map(of_observation).collect();
        errors.iter().sum::<f64>() / errors.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_memory_of_a_process_is_found() {
        let mut rng = ChaCha8Rng::seed_from_u64(2002);
        let limits = Ragwitz { max_history: 4, max_delay: 3, neighbours: 4, theiler: 0 };
        // The Henon map is a function of its last two values.
        let mut henon = vec![0.1, 0.1];
        (2..1500).for_each(|t| henon.push(1.0 - 1.4 * f64::powi(henon[t - 1], 2) + 0.3 * henon[t - 2]));
        assert_eq!(limits.choose(&henon, limits.reach()), (2, 1));
        // Members three samples apart.
        let mut noise = || rng.random_range(-1.0..1.0);
        let mut spread: Vec<f64> = (0..4).map(|_| noise()).collect();
        (4..1500).for_each(|t| {
            let next = 0.45 * f64::sin(3.0 * spread[t - 1]) + 0.8 * f64::cos(2.5 * spread[t - 4]) + 0.1 * noise();
            spread.push(next);
        });
        assert_eq!(limits.choose(&spread, limits.reach()), (2, 3));
        // Of a process with one value of memory the search takes no more than it needs to.
        let mut single = vec![0.3];
        (1..1500).for_each(|t| single.push(3.9 * single[t - 1] * (1.0 - single[t - 1])));
        assert_eq!(limits.choose(&single, limits.reach()), (1, 1));
    }
}
