//! A Gaussian process at two instants, and what partitions of it lose.

use super::Variant;
use crate::data::Series;
use crate::metrics::integration::entropy::{correlation, log_determinant};
use nalgebra::DMatrix;

/// Sweeps after which the fit of a disconnected model is given up.
const MOST_SWEEPS: usize = 20_000;

/// Covariances of past `x` and present `y`, each channel scaled to unit variance in both (no quantity here depends on scales).
pub struct System {
    m: usize,
    /// Of `(x, y)`, `2m × 2m`.
    joint: DMatrix<f64>,
    /// Mutual information of past and present.
    whole: f64,
}

impl System {
    /// Of a series at a lag, less each mean.
    ///
    /// # Errors
    /// When the covariance is singular.
    pub fn of(series: &Series, lag: usize) -> Result<Self, String> {
        let n = series.n_samples() - lag;
        if let Some((name, _)) = series.channels().iter().zip(series.iter()).find(|(_, x)| constant(&x[..n]) || constant(&x[lag..])) {
            return Err(format!("channel `{name}` is constant"));
        }
        let both: Vec<&[f64]> = series.iter().map(|x| &x[..n]).chain(series.iter().map(|x| &x[lag..])).collect();
        Self::new(correlation(&both))
    }

    fn new(joint: DMatrix<f64>) -> Result<Self, String> {
        let m = joint.nrows() / 2;
        let mut system = Self { m, joint, whole: 0.0 };
        let all: Vec<usize> = (0..m).collect();
        system.whole = system.information(&all, &all)?;
        Ok(system)
    }

    /// The covariance of some channels of past (`0..m`) and present (`m..2m`).
    fn block(&self, rows: &[usize], columns: &[usize]) -> DMatrix<f64> {
        DMatrix::from_fn(rows.len(), columns.len(), |i, j| self.joint[(rows[i], columns[j])])
    }

    fn log_det(&self, of: &[usize]) -> Result<f64, String> {
        log_determinant(&self.block(of, of))
            .ok_or_else(|| "the covariance of past and present is singular: some channel is a linear function of the others".to_owned())
    }

    /// `I(past of these; present of those)`.
    fn information(&self, past: &[usize], present: &[usize]) -> Result<f64, String> {
        let present: Vec<usize> = present.iter().map(|at| at + self.m).collect();
        let both = [past, &present].concat();
        Ok(0.5 * (self.log_det(past)? + self.log_det(&present)? - self.log_det(&both)?))
    }

    /// What the partition loses, in nats.
    ///
    /// # Errors
    /// When a covariance is singular, or a fit does not converge.
    pub fn measure(&self, variant: Variant, parts: &[Vec<usize>]) -> Result<f64, String> {
        match variant {
            Variant::WholeMinusSum => self.whole_minus_sum(parts),
            Variant::Corrected => {
                let mut least = f64::INFINITY;
                for one in parts {
                    for other in parts {
                        least = least.min(self.information(one, other)?);
                    }
                }
                Ok(self.whole_minus_sum(parts)? + least)
            }
            Variant::Star => self.star(parts),
            Variant::Geometric => self.geometric(parts),
        }
    }

    fn whole_minus_sum(&self, parts: &[Vec<usize>]) -> Result<f64, String> {
        let mut sum = 0.0;
        for part in parts {
            sum += self.information(part, part)?;
        }
        Ok(self.whole - sum)
    }

    /// Regression of the present on the past within each part: weights and the covariance of what is left, both block by block.
    fn within(&self, parts: &[Vec<usize>]) -> Result<(DMatrix<f64>, DMatrix<f64>), String> {
        let (mut weights, mut rest) = (DMatrix::zeros(self.m, self.m), DMatrix::zeros(self.m, self.m));
        for part in parts {
            let present: Vec<usize> = part.iter().map(|at| at + self.m).collect();
            let past = self.block(part, part).cholesky().ok_or("the covariance of a part is singular")?;
            let cross = self.block(&present, part);
            let a = past.solve(&cross.transpose()).transpose();
            let s = self.block(&present, &present) - &a * cross.transpose();
            for (i, &row) in part.iter().enumerate() {
                for (j, &column) in part.iter().enumerate() {
                    weights[(row, column)] = a[(i, j)];
                    rest[(row, column)] = s[(i, j)];
                }
            }
        }
        Ok((weights, rest))
    }

    /// `I*(β) = ½ ln |C| - ½ ln |S/β| + ½ tr(C⁻¹ Σ_y) - ½ β m` with `C = S/β + W Σ_x Wᵀ`, where the parts' own regressions have weights `W`
    /// and residuals `S`; concave in `β`.
    fn star(&self, parts: &[Vec<usize>]) -> Result<f64, String> {
        let (weights, rest) = self.within(parts)?;
        let (past, present): (Vec<usize>, Vec<usize>) = ((0..self.m).collect(), (self.m..2 * self.m).collect());
        let driven = &weights * self.block(&past, &past) * weights.transpose();
        let sigma = self.block(&present, &present);
        let m = self.m as f64;
        let log_det = |matrix: &DMatrix<f64>| {
            matrix.clone().cholesky().map(|factor| 2.0 * factor.l_dirty().diagonal().iter().map(|x| x.ln()).sum::<f64>())
        };
        let log_rest = log_det(&rest).ok_or("the residuals of a part are singular")?;
        let decoded = |beta: f64| -> Option<f64> {
            let factor = (&rest / beta + &driven).cholesky()?;
            let log_c = 2.0 * factor.l_dirty().diagonal().iter().map(|x| x.ln()).sum::<f64>();
            Some(0.5 * (log_c - log_rest + m * beta.ln() + factor.solve(&sigma).trace() - beta * m))
        };
        // The best β is at most 1 or little above; far out the decoder is useless.
        let (mut low, mut high) = (1e-6_f64.ln(), 1e3_f64.ln());
        let golden = 0.5 * (5f64.sqrt() - 1.0);
        let value = |at: f64| decoded(at.exp()).unwrap_or(f64::NEG_INFINITY);
        let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
        let (mut of_a, mut of_b) = (value(a), value(b));
        while high - low > 1e-9 {
            if of_a >= of_b {
                (high, b, of_b) = (b, a, of_a);
                a = high - golden * (high - low);
                of_a = value(a);
            } else {
                (low, a, of_a) = (a, b, of_b);
                b = low + golden * (high - low);
                of_b = value(b);
            }
        }
        Ok(self.whole - of_a.max(of_b).max(0.0))
    }

    /// Least `½ ln |Σ'| - ½ ln |Σ|` over block-diagonal weights `A'`, `Σ' = Σ + (A - A') Σ_x (A - A')ᵀ`: generalised least squares, part by
    /// part, with `Σ'` made anew after each sweep. Neither step raises the likelihood's negative logarithm.
    fn geometric(&self, parts: &[Vec<usize>]) -> Result<f64, String> {
        let (past, present): (Vec<usize>, Vec<usize>) = ((0..self.m).collect(), (self.m..2 * self.m).collect());
        let sigma_x = self.block(&past, &past);
        let cross = self.block(&present, &past);
        let weights = sigma_x.clone().cholesky().ok_or("the covariance of the past is singular")?.solve(&cross.transpose()).transpose();
        let rest = self.block(&present, &present) - &weights * cross.transpose();
        let log_det = |matrix: &DMatrix<f64>| {
            let factor = matrix.clone().cholesky().ok_or("the residuals are singular")?;
            Ok::<f64, String>(2.0 * factor.l_dirty().diagonal().iter().map(|x| x.ln()).sum::<f64>())
        };
        let base = log_det(&rest)?;
        let (mut own, _) = self.within(parts)?;
        let noise = |own: &DMatrix<f64>| {
            let left = &weights - own;
            &rest + &left * &sigma_x * left.transpose()
        };
        let mut sigma = noise(&own);
        let mut last = log_det(&sigma)?;
        for _ in 0..MOST_SWEEPS {
            let precision = sigma.cholesky().ok_or("the residuals are singular")?.inverse();
            for part in parts {
                self.refit(part, &precision, &weights, &sigma_x, &mut own)?;
            }
            sigma = noise(&own);
            let now = log_det(&sigma)?;
            if last - now <= 1e-13 * now.abs().max(1.0) {
                return Ok(0.5 * (now - base));
            }
            last = now;
        }
        Err("the fit of the disconnected model did not converge".into())
    }

    /// The best weights of one part, the others held: `P_ii (A'_ii - A_ii) Σ_x,ii = Σ over the rest of P (A - A') Σ_x`.
    fn refit(
        &self,
        part: &[usize],
        precision: &DMatrix<f64>,
        weights: &DMatrix<f64>,
        sigma_x: &DMatrix<f64>,
        own: &mut DMatrix<f64>,
    ) -> Result<(), String> {
        for &row in part {
            for &column in part {
                own[(row, column)] = 0.0;
            }
        }
        let pull = precision * (weights - &*own) * sigma_x;
        let pick = |matrix: &DMatrix<f64>| DMatrix::from_fn(part.len(), part.len(), |i, j| matrix[(part[i], part[j])]);
        let left = pick(precision).cholesky().ok_or("the residuals of a part are singular")?.solve(&pick(&pull));
        let best = pick(sigma_x).cholesky().ok_or("the covariance of a part is singular")?.solve(&left.transpose()).transpose();
        for (i, &row) in part.iter().enumerate() {
            for (j, &column) in part.iter().enumerate() {
                own[(row, column)] = best[(i, j)];
            }
        }
        Ok(())
    }
}

fn constant(x: &[f64]) -> bool {
    x.windows(2).all(|two| two[0] == two[1])
}

#[cfg(test)]
mod tests {
    use super::super::partition::{exhaustive, queyranne};
    use super::*;
    use crate::metrics::surrogate::{Purpose, stream};
    use rand::RngExt;

    const ALL: [Variant; 4] = [Variant::Star, Variant::Geometric, Variant::Corrected, Variant::WholeMinusSum];

    /// The stationary covariances of `x(t + 1) = A x(t) + e`, `e` of covariance `noise`.
    fn var(a: &DMatrix<f64>, noise: &DMatrix<f64>) -> System {
        let m = a.nrows();
        let mut sigma = noise.clone();
        for _ in 0..5000 {
            sigma = a * &sigma * a.transpose() + noise;
        }
        let cross = a * &sigma;
        let scale = |at: usize| sigma[(at % m, at % m)].sqrt();
        let joint = DMatrix::from_fn(2 * m, 2 * m, |i, j| {
            let value = match (i < m, j < m) {
                (true, true) => sigma[(i, j)],
                (false, false) => sigma[(i - m, j - m)],
                (false, true) => cross[(i - m, j)],
                (true, false) => cross[(j - m, i)],
            };
            value / scale(i) / scale(j)
        });
        System::new(joint).unwrap()
    }

    fn random(m: usize, seed: u64) -> System {
        let mut rng = stream(seed, Purpose::Normalise, 0, 0);
        let a = DMatrix::from_fn(m, m, |_, _| rng.random_range(-1.0..1.0) * 0.8 / m as f64);
        let b = DMatrix::from_fn(m, m, |i, j| if i == j { 1.0 } else { rng.random_range(-0.2..0.2) });
        var(&a, &(&b * b.transpose()))
    }

    #[test]
    fn closed_forms_of_a_coupled_pair() {
        let system = var(&DMatrix::from_row_slice(2, 2, &[0.2, 0.5, 0.5, 0.2]), &DMatrix::identity(2, 2));
        let parts = [vec![0], vec![1]];
        // Shared reference record phi_gaussian_var2, closed form.
        for (variant, expected) in
            [(Variant::WholeMinusSum, 0.26033100700579315), (Variant::Corrected, 0.32207931168664805), (Variant::Star, 0.2685653880638602)]
        {
            let found = system.measure(variant, &parts).unwrap();
            assert!((found - expected).abs() < 1e-9, "{variant:?} {found}");
        }
        assert!((system.whole - 0.3838276163675034).abs() < 1e-12);
        let geometric = system.measure(Variant::Geometric, &parts).unwrap();
        assert!(geometric > 0.0 && geometric < system.whole);
    }

    #[test]
    fn parts_that_do_not_act_on_each_other_lose_nothing() {
        let a = DMatrix::from_diagonal(&nalgebra::DVector::from_vec(vec![0.5, -0.3, 0.7]));
        let noise = DMatrix::from_row_slice(3, 3, &[1.0, 0.4, 0.2, 0.4, 1.0, 0.1, 0.2, 0.1, 1.0]);
        let apart = var(&a, &DMatrix::identity(3, 3));
        let parts: Vec<Vec<usize>> = (0..3).map(|at| vec![at]).collect();
        for variant in [Variant::Star, Variant::Geometric, Variant::WholeMinusSum] {
            assert!(apart.measure(variant, &parts).unwrap().abs() < 1e-8, "{variant:?}");
        }
        // With common noise only the geometric one still sees no causal influence.
        let common = var(&a, &noise);
        assert!(common.measure(Variant::Geometric, &parts).unwrap().abs() < 1e-8);
        assert!(common.measure(Variant::WholeMinusSum, &parts).unwrap().abs() > 1e-3);
    }

    #[test]
    fn queyrannes_cut_is_mostly_the_best_of_all_cuts() {
        for variant in ALL {
            let mut same = 0;
            for seed in 0..12 {
                let system = random(6, seed);
                let cost = |parts: &[Vec<usize>; 2]| system.measure(variant, parts);
                let (best, found) = (exhaustive(6, cost).unwrap().0, queyranne(6, cost).unwrap().0);
                assert!(found >= best - 1e-12);
                same += usize::from(found <= best + 1e-9);
            }
            assert!(same >= 9, "{variant:?}: {same} of 12");
        }
    }

    #[test]
    fn quantities_lie_in_their_bounds() {
        for seed in 20..40 {
            let system = random(5, seed);
            let parts = [vec![0, 3], vec![1, 2, 4]];
            for variant in [Variant::Star, Variant::Geometric] {
                let value = system.measure(variant, &parts).unwrap();
                assert!((-1e-10..=system.whole + 1e-10).contains(&value), "{variant:?} {value} of {}", system.whole);
            }
            assert!(system.measure(Variant::Corrected, &parts).unwrap() >= system.measure(Variant::WholeMinusSum, &parts).unwrap());
        }
    }
}
