//! Prime fields: Z/2 without stored coefficients, Z/p with them.

/// Arithmetic of the coefficients that a column stores; zero is never stored.
pub(crate) trait Field: Copy {
    /// A non-zero coefficient.
    type Coefficient: Copy + Default + std::fmt::Debug;
    /// 1, or -1 where `odd`.
    fn sign(self, odd: bool) -> Self::Coefficient;
    /// The sum, `None` where it vanishes.
    fn add(self, a: Self::Coefficient, b: Self::Coefficient) -> Option<Self::Coefficient>;
    /// The product.
    fn mul(self, a: Self::Coefficient, b: Self::Coefficient) -> Self::Coefficient;
    /// The factor `c` with `a + c b = 0`.
    fn cancel(self, a: Self::Coefficient, b: Self::Coefficient) -> Self::Coefficient;
}

/// The field with two elements: every stored coefficient is 1.
#[derive(Clone, Copy)]
pub(crate) struct Two;

impl Field for Two {
    type Coefficient = ();
    fn sign(self, _odd: bool) {}
    fn add(self, (): (), (): ()) -> Option<()> {
        None
    }
    fn mul(self, (): (), (): ()) {}
    fn cancel(self, (): (), (): ()) {}
}

/// The field with `p` elements.
#[derive(Clone, Copy)]
pub(crate) struct Prime(pub(crate) u16);

impl Prime {
    fn reduce(self, value: u32) -> u16 {
        (value % u32::from(self.0)) as u16
    }
    /// Fermat: `a^(p - 2)`.
    fn inverse(self, a: u16) -> u16 {
        let (mut power, mut exponent, mut result) = (a, u32::from(self.0) - 2, 1);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, power);
            }
            power = self.mul(power, power);
            exponent >>= 1;
        }
        result
    }
}

impl Field for Prime {
    type Coefficient = u16;
    fn sign(self, odd: bool) -> u16 {
        if odd { self.0 - 1 } else { 1 }
    }
    fn add(self, a: u16, b: u16) -> Option<u16> {
        Some(self.reduce(u32::from(a) + u32::from(b))).filter(|&sum| sum != 0)
    }
    fn mul(self, a: u16, b: u16) -> u16 {
        self.reduce(u32::from(a) * u32::from(b))
    }
    fn cancel(self, a: u16, b: u16) -> u16 {
        self.mul(self.0 - a, self.inverse(b))
    }
}

/// Whether `modulus` is prime.
pub(crate) fn is_prime(modulus: u16) -> bool {
    let modulus = u32::from(modulus);
    modulus >= 2 && (2..).take_while(|d| d * d <= modulus).all(|d| !modulus.is_multiple_of(d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancelling_factors_cancel() {
        for p in [3, 11, 65521] {
            let field = Prime(p);
            for (a, b) in [(1, 1), (2, 1), (1, 2), (p - 1, 2), (p / 2, p - 1)] {
                assert_eq!(field.add(a, field.mul(field.cancel(a, b), b)), None);
            }
        }
    }

    #[test]
    fn primes_are_told_from_the_rest() {
        let primes: Vec<u16> = (0..30).filter(|&m| is_prime(m)).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
        assert!(is_prime(65521) && !is_prime(65535));
    }
}
