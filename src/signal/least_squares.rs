//! Nonlinear least squares with bounds: Levenberg-Marquardt on the free parameters, steps clipped to the box.
//!
//! Small on purpose: a handful of parameters, an analytic Jacobian, deterministic. Marquardt 1963, doi 10.1137/0111030.

use nalgebra::{DMatrix, DVector};

const MOST_STEPS: usize = 1000;

/// Parameters that minimise `Σ (data - model)²` within `lower ≤ p ≤ upper`, from `start` (clipped to the bounds).
///
/// `model(p, values, jacobian)` fills the model's values and `jacobian[point * parameters + parameter]`. The cost never rises, so the
/// answer is at least as good as the start; a model that is not finite somewhere is not entered.
pub(super) fn minimise(data: &[f64], start: &[f64], bounds: (&[f64], &[f64]), model: impl Fn(&[f64], &mut [f64], &mut [f64])) -> Vec<f64> {
    let n = start.len();
    let clip = |at: usize, value: f64| value.max(bounds.0[at]).min(bounds.1[at]);
    let mut state = Normal::at(data, start.iter().enumerate().map(|(at, &value)| clip(at, value)).collect(), &model);
    let mut damping = 0.1;
    let mut small_steps = 0;
    for _ in 0..MOST_STEPS {
        let held = |at: usize| {
            let (value, slope) = (state.parameters[at], state.gradient[at]);
            (value <= bounds.0[at] && slope > 0.0) || (value >= bounds.1[at] && slope < 0.0)
        };
        let free: Vec<usize> = (0..n).filter(|&at| !held(at)).collect();
        let Some(step) = state.step(&free, damping) else {
            damping *= 10.0;
            if damping > 1e15 { break } else { continue }
        };
        let mut parameters = state.parameters.clone();
        free.iter().zip(&step).for_each(|(&at, step)| parameters[at] = clip(at, parameters[at] + step));
        let moved = free.iter().any(|&at| (parameters[at] - state.parameters[at]).abs() > 1e-11 * (1e-8 + parameters[at].abs()));
        if !moved {
            break;
        }
        let next = Normal::at(data, parameters, &model);
        if next.cost < state.cost {
            small_steps = if state.cost - next.cost < 1e-14 * state.cost { small_steps + 1 } else { 0 };
            state = next;
            damping = (damping / 5.0).max(1e-12);
            if small_steps > 3 {
                break;
            }
        } else {
            damping *= 4.0;
            if damping > 1e15 {
                break;
            }
        }
    }
    state.parameters
}

/// Cost, gradient and Gauss-Newton matrix at one place.
struct Normal {
    parameters: Vec<f64>,
    cost: f64,
    gradient: Vec<f64>,
    matrix: DMatrix<f64>,
}

impl Normal {
    fn at(data: &[f64], parameters: Vec<f64>, model: &impl Fn(&[f64], &mut [f64], &mut [f64])) -> Self {
        let n = parameters.len();
        let (mut values, mut jacobian) = (vec![0.0; data.len()], vec![0.0; data.len() * n]);
        model(&parameters, &mut values, &mut jacobian);
        let (mut cost, mut gradient, mut matrix) = (0.0, vec![0.0; n], DMatrix::zeros(n, n));
        for ((value, target), row) in values.iter().zip(data).zip(jacobian.chunks_exact(n)) {
            let residual = value - target;
            cost += residual * residual;
            for (i, (slope, total)) in row.iter().zip(&mut gradient).enumerate() {
                *total += slope * residual;
                for (j, other) in row[..=i].iter().enumerate() {
                    matrix[(i, j)] += slope * other;
                }
            }
        }
        matrix.fill_upper_triangle_with_lower_triangle();
        let finite = cost.is_finite() && matrix.iter().chain(&gradient).all(|value| value.is_finite());
        Self { parameters, cost: if finite { cost } else { f64::INFINITY }, gradient, matrix }
    }

    /// The damped Gauss-Newton step of the free parameters; `None` where the matrix cannot be factored.
    fn step(&self, free: &[usize], damping: f64) -> Option<Vec<f64>> {
        let damped = DMatrix::from_fn(free.len(), free.len(), |i, j| {
            let value = self.matrix[(free[i], free[j])];
            if i == j { value + damping * value.max(1e-12) } else { value }
        });
        let downhill = DVector::from_iterator(free.len(), free.iter().map(|&at| -self.gradient[at]));
        let step = damped.cholesky()?.solve(&downhill);
        step.iter().all(|value| value.is_finite()).then(|| step.iter().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a exp(-b x)` with its derivatives.
    fn decay(x: &[f64]) -> impl Fn(&[f64], &mut [f64], &mut [f64]) + '_ {
        move |p, values, jacobian| {
            for (at, x) in x.iter().enumerate() {
                let e = (-p[1] * x).exp();
                values[at] = p[0] * e;
                jacobian[2 * at] = e;
                jacobian[2 * at + 1] = -p[0] * x * e;
            }
        }
    }

    #[test]
    fn an_exact_model_is_found_and_bounds_hold() {
        let x: Vec<f64> = (0..20).map(|at| f64::from(at) / 4.0).collect();
        let data: Vec<f64> = x.iter().map(|x| 3.0 * (-0.7 * x).exp()).collect();
        let free = (&[f64::NEG_INFINITY; 2][..], &[f64::INFINITY; 2][..]);
        let found = minimise(&data, &[1.0, 0.1], free, decay(&x));
        assert!((found[0] - 3.0).abs() < 1e-9 && (found[1] - 0.7).abs() < 1e-9, "{found:?}");
        let boxed = minimise(&data, &[1.0, 0.1], (&[0.0, 0.0], &[10.0, 0.5]), decay(&x));
        assert_eq!(boxed[1], 0.5);
        // With the rate held the amplitude is a linear least-squares problem.
        let e: Vec<f64> = x.iter().map(|x| (-0.5 * x).exp()).collect();
        let amplitude = e.iter().zip(&data).map(|(e, d)| e * d).sum::<f64>() / e.iter().map(|e| e * e).sum::<f64>();
        assert!((boxed[0] - amplitude).abs() < 1e-9);
    }

    #[test]
    fn a_start_that_is_not_finite_ends() {
        let start = [f64::NAN, 1.0];
        let found = minimise(&[1.0, 2.0], &start, (&[0.0, 0.0], &[1.0, 1.0]), decay(&[0.0, 1.0]));
        assert_eq!(found.len(), 2);
    }
}
