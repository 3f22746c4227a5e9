//! Bootstrap draws of a reference: groups with replacement, then segments within each; the same for every candidate.
//!
//! A distance to a drawn reference leaves out every copy of what is held out, so that a duplicate never meets itself. With several
//! groups, a draw has two different ones at least: with one, nothing could be held out.

use super::score::median;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Number of draws.
pub(super) const DRAWS: usize = 200;
/// Tries for a draw of two different groups; the chance to miss with two groups is one in 2⁶⁴.
const TRIES: usize = 64;

/// A drawn reference: groups (which one, and places of its drawn members), duplicates included.
pub(super) struct Draw {
    groups: Vec<(usize, Vec<usize>)>,
    several: bool,
}

impl Draw {
    /// The reference as it is.
    pub(super) fn whole(members: &[(usize, usize)]) -> Self {
        let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
        for (at, &(group, _)) in members.iter().enumerate() {
            match groups.last_mut().filter(|(last, _)| *last == group) {
                Some((_, places)) => places.push(at),
                None => groups.push((group, vec![at])),
            }
        }
        Self { several: groups.len() > 1, groups }
    }

    /// Draw `number`; `None` where no draw has two different groups though there are several.
    pub(super) fn random(members: &[(usize, usize)], n_groups: usize, seed: u64, number: usize) -> Option<Self> {
        let whole = Self::whole(members);
        let mut rng = stream(seed, 2 * number as u64);
        for _ in 0..TRIES.max(n_groups) {
            let chosen: Vec<usize> = whole.groups.iter().map(|_| rng.random_range(0..whole.groups.len())).collect();
            if whole.several && chosen.iter().all(|group| *group == chosen[0]) {
                continue;
            }
            let drawn = chosen.iter().map(|&group| {
                let (id, places) = &whole.groups[group];
                (*id, places.iter().map(|_| places[rng.random_range(0..places.len())]).collect())
            });
            return Some(Self { groups: drawn.collect(), several: whole.several });
        }
        None
    }

    /// Every drawn member, group after group.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.groups.iter().flat_map(|(_, places)| places.iter().copied())
    }

    /// The weight of each place: groups weigh the same.
    pub(super) fn weights(&self) -> impl Iterator<Item = f64> + '_ {
        self.groups.iter().flat_map(|(_, places)| places.iter().map(|_| 1.0 / places.len() as f64))
    }

    /// The median over groups of the median distance to their members, without `own_group` where there are several, else without
    /// `own_member`; `row` holds the distance to each member.
    pub(super) fn distance(&self, row: &[Option<f64>], own_group: Option<usize>, own_member: Option<usize>) -> Option<f64> {
        let kept = self.groups.iter().filter(|(group, _)| !(self.several && own_group == Some(*group)));
        let medians = kept.filter_map(|(_, places)| {
            median(places.iter().filter(|&&place| own_member != Some(place)).filter_map(|&place| row[place]).collect())
        });
        median(medians.collect())
    }
}

/// Draw `number` of a candidate's `n` segments.
pub(super) fn segments(n: usize, seed: u64, number: usize) -> Vec<usize> {
    let mut rng = stream(seed, 2 * number as u64 + 1);
    (0..n).map(|_| rng.random_range(0..n)).collect()
}

fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// The middle 95 % of what the draws gave; `None` where fewer than half of all draws gave anything.
pub(super) fn interval(drawn: impl Iterator<Item = Option<f64>>) -> Option<[f64; 2]> {
    let mut values: Vec<f64> = drawn.flatten().collect();
    if values.len() < DRAWS / 2 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    Some([at(0.025), at(0.975)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: [(usize, usize); 5] = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)];

    #[test]
    fn draws_repeat_by_seed_and_have_two_groups() {
        for number in 0..50 {
            let draw = Draw::random(&MEMBERS, 2, 3, number).unwrap();
            assert_eq!(draw.groups, Draw::random(&MEMBERS, 2, 3, number).unwrap().groups);
            assert_ne!(draw.groups[0].0, draw.groups[1].0);
            assert!((draw.weights().sum::<f64>() - 2.0).abs() < 1e-12);
            assert!(draw.groups.iter().all(|(group, places)| places.iter().all(|&place| MEMBERS[place].0 == *group)));
        }
    }

    #[test]
    fn what_is_held_out_is_left_out() {
        let row = [Some(0.0), Some(10.0), Some(1.0), Some(2.0), Some(6.0)];
        let whole = Draw::whole(&MEMBERS);
        assert_eq!(whole.distance(&row, None, None), Some(3.5));
        assert_eq!(whole.distance(&row, Some(0), Some(0)), Some(2.0));
        let alone = Draw::whole(&MEMBERS[..2]);
        assert_eq!(alone.distance(&row[..2], Some(0), Some(0)), Some(10.0));
        assert_eq!(alone.distance(&[None, None], None, None), None);
    }

    #[test]
    fn intervals_need_half_of_the_draws() {
        assert_eq!(interval((0..200).map(|at| Some(f64::from(at)))), Some([5.0, 194.0]));
        assert_eq!(interval((0..200).map(|at| (at % 3 == 0).then_some(1.0))), None);
    }
}
