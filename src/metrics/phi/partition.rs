//! The cut into two that costs least.

use rayon::prelude::*;

/// The two parts, each in order.
pub type Cut = [Vec<usize>; 2];

/// Tries every cut of `0..m`; the first of equals.
pub fn exhaustive(m: usize, cost: impl Fn(&Cut) -> Result<f64, String> + Sync) -> Result<(f64, Cut), String> {
    // The last channel stays in the second part, so that no cut comes twice.
    let cuts: Vec<u32> = (1..1_u32 << (m - 1)).collect();
    let costs = cuts.par_iter().map(|&mask| cost(&cut_of(m, |at| mask >> at & 1 == 1))).collect::<Result<Vec<f64>, String>>()?;
    let best = (0..cuts.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b]).then(a.cmp(&b))).unwrap_or(0);
    Ok((costs[best], cut_of(m, |at| cuts[best] >> at & 1 == 1)))
}

/// M. Queyranne 1998, Math. Program. 82: the best cut of a symmetric submodular cost in about `m³ / 3` evaluations.
pub fn queyranne(m: usize, cost: impl Fn(&Cut) -> Result<f64, String> + Sync) -> Result<(f64, Cut), String> {
    let of = |part: &[usize]| cost(&cut_of(m, |at| part.contains(&at)));
    let mut groups: Vec<Vec<usize>> = (0..m).map(|at| vec![at]).collect();
    let mut best: Option<(f64, Vec<usize>)> = None;
    while groups.len() > 1 {
        let alone = groups.par_iter().map(|group| of(group)).collect::<Result<Vec<f64>, String>>()?;
        let mut order = vec![0];
        let mut inside = groups[0].clone();
        while order.len() < groups.len() {
            let rest: Vec<usize> = (0..groups.len()).filter(|at| !order.contains(at)).collect();
            let keys = if rest.len() == 1 {
                vec![0.0]
            } else {
                let key = |&at: &usize| of(&[&inside[..], &groups[at]].concat()).map(|both| both - alone[at]);
                rest.par_iter().map(key).collect::<Result<Vec<f64>, String>>()?
            };
            let next = (0..rest.len()).min_by(|&a, &b| keys[a].total_cmp(&keys[b]).then(a.cmp(&b))).unwrap_or(0);
            order.push(rest[next]);
            inside.extend(&groups[rest[next]]);
        }
        let (last, before) = (order[order.len() - 1], order[order.len() - 2]);
        if best.as_ref().is_none_or(|(least, _)| alone[last] < *least) {
            best = Some((alone[last], groups[last].clone()));
        }
        let merged = [&groups[before][..], &groups[last]].concat();
        groups[before] = merged;
        groups.remove(last);
    }
    let (value, part) = best.ok_or("one channel has no cut")?;
    Ok((value, cut_of(m, |at| part.contains(&at))))
}

/// Both sides in order, the one with channel 0 first.
fn cut_of(m: usize, inside: impl Fn(usize) -> bool) -> Cut {
    let (one, other): (Vec<usize>, Vec<usize>) = (0..m).partition(|&at| inside(at));
    if one.first() == Some(&0) { [one, other] } else { [other, one] }
}
