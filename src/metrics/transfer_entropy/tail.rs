//! Upper tails of the chi-squared and F distributions.
//!
//! Series and continued fractions of the incomplete gamma and beta functions (W. Press et al., Numerical Recipes, 3rd ed. 2007, sections 6.2 and 6.4).

const EPSILON: f64 = 1e-16;
const TINY: f64 = 1e-300;

/// `ln Γ(x)` for positive `x` (C. Lanczos 1964, with the nine coefficients of P. Godfrey).
fn ln_gamma(x: f64) -> f64 {
    const G: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = G.iter().enumerate().skip(1).fold(G[0], |sum, (at, g)| sum + g / (x + at as f64));
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// Probability that a chi-squared variable with `dof` degrees of freedom is `x` or more.
pub fn chi_squared(x: f64, dof: f64) -> f64 {
    let (a, x) = (0.5 * dof, 0.5 * x);
    if x <= 0.0 {
        return 1.0;
    }
    let factor = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * EPSILON {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return (1.0 - sum * factor).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / b);
    let mut h = d;
    for i in 1..10_000 {
        let an = -f64::from(i) * (f64::from(i) - a);
        b += 2.0;
        d = 1.0 / away(an * d + b);
        c = away(b + an / c);
        h *= d * c;
        if (d * c - 1.0).abs() < EPSILON {
            break;
        }
    }
    (factor * h).clamp(0.0, 1.0)
}

/// Probability that an F variable with `top` and `bottom` degrees of freedom is `x` or more.
pub fn f(x: f64, top: f64, bottom: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    incomplete_beta(bottom / (bottom + top * x), 0.5 * bottom, 0.5 * top)
}

fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let factor = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) { factor * fraction(x, a, b) / a } else { 1.0 - factor * fraction(1.0 - x, b, a) / b }
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut h = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut last = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            last = d * c;
            h *= last;
        }
        if (last - 1.0).abs() < EPSILON {
            break;
        }
    }
    h
}

/// Keeps a divisor away from zero.
fn away(x: f64) -> f64 {
    if x.abs() < TINY { TINY } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_scipys() {
        // scipy.stats.chi2.sf(x, dof)
        for (x, dof, expected) in [
            (0.0, 1.0, 1.0),
            (1.684_578_3, 1.0, 0.194_317_213_240_728_5),
            (40.0, 36.0, 0.297_028_397_924_674_06),
            (3.0, 10.0, 0.981_424_063_777_859_3),
            (100.0, 2.0, 1.928_749_847_963_918_3e-22),
            (1000.0, 900.0, 0.010_994_608_942_135_844),
        ] {
            assert!((chi_squared(x, dof) / expected - 1.0).abs() < 1e-11, "{x} {dof}: {}", chi_squared(x, dof));
        }
        // scipy.stats.f.sf(x, top, bottom)
        for (x, top, bottom, expected) in [
            (4.0, 1.0, 96.0, 0.048_325_691_696_186_07),
            (0.5, 3.0, 20.0, 0.686_518_612_836_403),
            (25.0, 2.0, 1000.0, 2.543_024_035_986_363_2e-11),
            (1.0, 5.0, 5.0, 0.5),
        ] {
            assert!((f(x, top, bottom) / expected - 1.0).abs() < 1e-11, "{x} {top} {bottom}: {}", f(x, top, bottom));
        }
    }
}
