//! Normal scores, and the two functions of the normal and gamma laws that entropies need.

use crate::data::Series;

/// Each channel's `Φ⁻¹(rank / (n + 1))`, equal values by their mean rank.
pub fn scores(series: &Series) -> Series {
    let values = series.iter().flat_map(|channel| ranks(channel).into_iter().map(move |rank| quantile(rank / (channel.len() + 1) as f64)));
    series.with_values(values.collect()).unwrap_or_else(|_| series.clone())
}

/// Ranks from 1, equal values by their mean.
fn ranks(channel: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..channel.len()).collect();
    order.sort_by(|&a, &b| channel[a].total_cmp(&channel[b]));
    let mut ranks = vec![0.0; channel.len()];
    let mut start = 0;
    while start < order.len() {
        let value = channel[order[start]];
        let stop = start + order[start..].iter().take_while(|&&at| channel[at] == value).count().max(1);
        for &at in &order[start..stop] {
            ranks[at] = 0.5 * (start + 1 + stop) as f64;
        }
        start = stop;
    }
    ranks
}

/// The derivative of the logarithm of the gamma function, for positive arguments (recurrence, then the asymptotic series).
pub fn digamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 10.0 {
        shift -= 1.0 / x;
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y * (1.0 / 12.0 - y * (1.0 / 120.0 - y * (1.0 / 252.0 - y * (1.0 / 240.0 - y * (1.0 / 132.0 - y * 691.0 / 32760.0)))));
    shift + x.ln() - 0.5 / x - series
}

fn ratio(x: f64, above: [f64; 8], below: [f64; 7]) -> f64 {
    let horner = |coefficients: &[f64]| coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient);
    horner(&above) / (1.0 + x * horner(&below))
}

/// The standard normal quantile of `p` in (0, 1): M. Wichura 1988, Appl. Stat. 37, algorithm AS 241 (PPND16), about 1e-16.
#[allow(clippy::excessive_precision)]
pub fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(
            0.180625 - q * q,
            [
                3.3871328727963666080e0,
                1.3314166789178437745e2,
                1.9715909503065514427e3,
                1.3731693765509461125e4,
                4.5921953931549871457e4,
                6.7265770927008700853e4,
                3.3430575583588128105e4,
                2.5090809287301226727e3,
            ],
            [
                4.2313330701600911252e1,
                6.8718700749205790830e2,
                5.3941960214247511077e3,
                2.1213794301586595867e4,
                3.9307895800092710610e4,
                2.8729085735721942674e4,
                5.2264952788528545610e3,
            ],
        );
    }
    let r = (-p.min(1.0 - p).ln()).sqrt();
    let tail = if r <= 5.0 {
        ratio(
            r - 1.6,
            [
                1.42343711074968357734e0,
                4.63033784615654529590e0,
                5.76949722146069140550e0,
                3.64784832476320460504e0,
                1.27045825245236838258e0,
                2.41780725177450611770e-1,
                2.27238449892691845833e-2,
                7.74545014278341407640e-4,
            ],
            [
                2.05319162663775882187e0,
                1.67638483018380384940e0,
                6.89767334985100004550e-1,
                1.48103976427480074590e-1,
                1.51986665636164571966e-2,
                5.47593808499534494600e-4,
                1.05075007164441684324e-9,
            ],
        )
    } else {
        ratio(
            r - 5.0,
            [
                6.65790464350110377720e0,
                5.46378491116411436990e0,
                1.78482653991729133580e0,
                2.96560571828504891230e-1,
                2.65321895265761230930e-2,
                1.24266094738807843860e-3,
                2.71155556874348757815e-5,
                2.01033439929228813265e-7,
            ],
            [
                5.99832206555887937690e-1,
                1.36929880922735805310e-1,
                1.48753612908506148525e-2,
                7.86869131145613259100e-4,
                1.84631831751005468180e-5,
                1.42151175831644588870e-7,
                2.04426310338993978564e-15,
            ],
        )
    };
    tail.copysign(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_scipys() {
        // scipy.special.ndtri and digamma.
        for (p, z) in
            [(0.5, 0.0), (0.975, 1.959963984540054), (1e-3, -3.090232306167813), (1e-12, -7.034483825301132), (0.3, -0.524400512708041)]
        {
            assert!((quantile(p) - z).abs() < 1e-13, "{p}");
        }
        for (x, psi) in [(0.5, -1.9635100260214235), (1.0, -0.5772156649015329), (7.3, 1.9178203356379861), (250.0, 5.519459584531046)] {
            assert!((digamma(x) - psi).abs() < 1e-12, "{x} {}", digamma(x));
        }
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 0.0]), [3.5, 2.0, 3.5, 1.0]);
    }
}
