//! Transfer entropy of Gaussian variables: half of Granger's causality, from two linear regressions.
//!
//! `TE = ½ ln(var(y′ | past) / var(y′ | past, source))` nats (L. Barnett, A. Barrett & A. Seth, Phys. Rev. Lett. 103, 2009), with
//! residual variances of least squares with an intercept. With N observations and l members of the source's history, `2 N TE` is
//! asymptotically chi-squared with l degrees of freedom; `F = (e^{2 TE} − 1) (N − p − l − 1) / l` is exactly F for Gaussian noise
//! and fixed regressors, p being the number of regressors of the past.

use super::continuous::Observations;
use super::tail;

/// What a regressor may keep of its variance beside those before it and still count as one of its own.
const SINGULAR: f64 = 1e-11;

/// Which p-value theory gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// F, for small samples.
    F,
    /// Chi-squared, as JIDT.
    ChiSquared,
}

/// The estimate in nats and its p-value.
///
/// # Errors
/// Too few observations, or regressors that are linear combinations of each other.
pub fn transfer_entropy(observations: &Observations, test: Test) -> Result<(f64, f64), String> {
    let n = observations.next.len();
    let (p, l) = (observations.past.len(), observations.source.len());
    if n < p + l + 3 {
        return Err(format!("{n} observations are too few for {} regressors", p + l));
    }
    let columns = observations.past.iter().chain(&observations.source).chain([&observations.next]);
    let columns: Vec<Vec<f64>> = columns.map(|column| standardised(column)).collect::<Option<_>>().ok_or("a history is constant")?;
    // Cholesky, a row at a time; only the last row, that of the next value, is of interest.
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        let mut row: Vec<f64> = Vec::with_capacity(at + 1);
        for (other, above) in rows.iter().enumerate() {
            let product: f64 = dot(column, &columns[other]);
            let known: f64 = row.iter().zip(above).map(|(a, b)| a * b).sum();
            row.push((product - known) / above[other]);
        }
        let left = 1.0 - row.iter().map(|entry| entry * entry).sum::<f64>();
        if left < SINGULAR {
            return Err(match at {
                at if at < p => "the target's history (or a condition) is a linear combination of its other members".into(),
                at if at < p + l => "the source's history is a linear combination of the target's past and its other members".into(),
                _ => "the target's next value is a linear combination of the histories: the transfer entropy is not finite".into(),
            });
        }
        row.push(left.sqrt());
        rows.push(row);
    }
    let last = &rows[p + l];
    let own = 1.0 - last[..p].iter().map(|entry| entry * entry).sum::<f64>();
    let explained = last[p..p + l].iter().map(|entry| entry * entry).sum::<f64>() / own;
    let value = -0.5 * (-explained).ln_1p();
    let dof = (n - p - l - 1) as f64;
    let chance = match test {
        Test::ChiSquared => tail::chi_squared(2.0 * n as f64 * value, l as f64),
        Test::F => tail::f(explained / (1.0 - explained) * dof / l as f64, l as f64, dof),
    };
    Ok((value, chance))
}

/// With mean 0 and a sum of squares of 1; `None` when constant.
fn standardised(column: &[f64]) -> Option<Vec<f64>> {
    let mean = column.iter().sum::<f64>() / column.len() as f64;
    let centred: Vec<f64> = column.iter().map(|value| value - mean).collect();
    let size = dot(&centred, &centred).sqrt();
    let rounding = 1e-14 * mean.abs() * (column.len() as f64).sqrt();
    (size > rounding && size.is_finite()).then(|| centred.iter().map(|value| value / size).collect())
}

/// Eight sums side by side, in a fixed order.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (first, second) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = first.remainder().iter().zip(second.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in first.zip(second) {
        for at in 0..8 {
            sums[at] += a[at] * b[at];
        }
    }
    sums.iter().sum::<f64>() + rest
}
