//! Surrogates of one channel, and the random streams they are drawn from.
//!
//! * `shuffle`: a random permutation of the samples: keeps the distribution, nothing in time (Theiler et al. 1992, algorithm 0).
//! * `circular-shift`: rotates by 1 to n − 1 samples: keeps everything within the channel, breaks its timing with others.
//! * `phase`: random Fourier phases: keeps the power spectrum (Theiler et al. 1992, Physica D 58, algorithm 1).
//! * `block`: cuts the rotated channel into blocks of ⌈√n⌉ samples and permutes those: keeps what is shorter than a block.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use realfft::RealFftPlanner;
use serde::{Deserialize, Serialize};

/// How a channel's null is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SurrogateKind {
    /// Permutes the samples.
    Shuffle,
    /// Rotates the channel.
    CircularShift,
    /// Randomises the Fourier phases.
    Phase,
    /// Permutes blocks of ⌈√n⌉ samples.
    Block,
}

impl SurrogateKind {
    /// Names in the job file, the default first.
    pub const NAMES: &'static [&'static str] = &["shuffle", "circular-shift", "phase", "block"];

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Shuffle, Self::CircularShift, Self::Phase, Self::Block]
            .into_iter()
            .zip(Self::NAMES)
            .find(|(_, known)| **known == name)
            .map(|(kind, _)| kind)
    }

    /// A surrogate of `channel`.
    pub fn draw(self, channel: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64> {
        match self {
            Self::Phase => phase_randomised(channel, rng),
            Self::Shuffle | Self::CircularShift | Self::Block => self.order(channel, rng).into_iter().map(|index| channel[index]).collect(),
        }
    }

    /// A surrogate as a reordering of the samples, for symbols, whose values must stay as they are: sample `t` of the surrogate is
    /// sample `order[t]`. For `phase` the samples take the ranks of the phase-randomised channel (amplitude-adjusted).
    pub fn order(self, channel: &[f64], rng: &mut ChaCha8Rng) -> Vec<usize> {
        let n = channel.len();
        match self {
            Self::Shuffle => permutation(n, rng),
            Self::CircularShift => rotation(n, rng).collect(),
            Self::Block => {
                let rotated: Vec<usize> = rotation(n, rng).collect();
                let mut blocks: Vec<&[usize]> = rotated.chunks(n.isqrt().max(1) + usize::from(n.isqrt().pow(2) < n)).collect();
                blocks.shuffle(rng);
                blocks.concat()
            }
            Self::Phase => {
                let wanted = by_rank(&phase_randomised(channel, rng));
                let mut order = vec![0; n];
                wanted.into_iter().zip(by_rank(channel)).for_each(|(place, sample)| order[place] = sample);
                order
            }
        }
    }
}

/// What a random stream is for; streams of different purposes never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Surrogates behind a p-value.
    Surrogate = 0,
    /// Resampled blocks of time.
    Bootstrap = 1,
    /// Shuffles that normalise or correct a value.
    Normalise = 2,
}

/// The random stream of one draw on one channel: results do not depend on who draws first.
pub fn stream(seed: u64, purpose: Purpose, draw: u32, channel: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // 4 bits of purpose, 32 of draw, 28 of channel.
    rng.set_stream((purpose as u64) << 60 | u64::from(draw) << 28 | (channel as u64 & 0x0fff_ffff));
    rng
}

/// A random order of `0..n`.
pub fn permutation(n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(rng);
    order
}

/// Indices for one moving-block bootstrap of `n` samples: blocks of [`block_length`] from anywhere, joined and cut to `n`
/// (H. Künsch 1989, Ann. Stat. 17).
pub fn moving_blocks(n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let length = block_length(n);
    let mut order = Vec::with_capacity(n + length);
    while order.len() < n {
        let start = rng.random_range(0..=n - length);
        order.extend(start..start + length);
    }
    order.truncate(n);
    order
}

/// ⌈n^(1/3)⌉: the order of length that is best for a variance (P. Hall, J. Horowitz & B.-Y. Jing 1995, Biometrika 82).
pub fn block_length(n: usize) -> usize {
    (0..).find(|&length: &usize| length.pow(3) >= n).unwrap_or(n)
}

fn rotation(n: usize, rng: &mut ChaCha8Rng) -> impl Iterator<Item = usize> + use<> {
    let shift = if n < 2 { 0 } else { rng.random_range(1..n) };
    (shift..n).chain(0..shift)
}

/// Indices in the order of the values.
fn by_rank(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    order
}

fn phase_randomised(channel: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64> {
    let n = channel.len();
    if n < 3 {
        return channel.to_vec();
    }
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
    let mut time = channel.to_vec();
    let mut spectrum = forward.make_output_vec();
    forward.process(&mut time, &mut spectrum).expect("both buffers were sized for this plan");
    // The mean, and for even n the highest frequency, are real and stay.
    for bin in &mut spectrum[1..n.div_ceil(2)] {
        let angle = rng.random_range(0.0..std::f64::consts::TAU);
        *bin = realfft::num_complex::Complex::from_polar(bin.norm(), angle);
    }
    inverse.process(&mut spectrum, &mut time).expect("both buffers were sized for this plan, and its ends are real");
    time.iter_mut().for_each(|sample| *sample /= n as f64);
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SurrogateKind; 4] = [SurrogateKind::Shuffle, SurrogateKind::CircularShift, SurrogateKind::Phase, SurrogateKind::Block];

    fn channel(n: usize) -> Vec<f64> {
        let mut rng = stream(5, Purpose::Normalise, 0, 0);
        (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
    }
    fn power(values: &[f64], k: usize) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (t, value) in values.iter().enumerate() {
            let angle = std::f64::consts::TAU * (k * t) as f64 / values.len() as f64;
            re += value * angle.cos();
            im += value * angle.sin();
        }
        re * re + im * im
    }

    #[test]
    fn an_order_is_a_permutation_for_every_kind_and_length() {
        for kind in ALL {
            for n in [0, 1, 2, 3, 4, 5, 16, 17, 100] {
                let mut order = kind.order(&channel(n), &mut stream(1, Purpose::Surrogate, 0, 0));
                assert!(n < 10 || order != (0..n).collect::<Vec<_>>(), "{kind:?} left {n} samples in place");
                order.sort_unstable();
                assert_eq!(order, (0..n).collect::<Vec<_>>(), "{kind:?} {n}");
            }
        }
    }

    #[test]
    fn phases_keep_the_spectrum_and_nothing_else() {
        for n in [64, 65] {
            let original = channel(n);
            let surrogate = SurrogateKind::Phase.draw(&original, &mut stream(1, Purpose::Surrogate, 0, 0));
            for k in 0..n / 2 + 1 {
                assert!((power(&original, k) - power(&surrogate, k)).abs() < 1e-9, "n {n} k {k}");
            }
            assert!(original.iter().zip(&surrogate).any(|(a, b)| (a - b).abs() > 0.1));
        }
    }

    #[test]
    fn blocks_keep_most_neighbours_and_a_shift_all_but_one() {
        let kept = |kind: SurrogateKind| {
            let order = kind.order(&channel(100), &mut stream(2, Purpose::Surrogate, 0, 0));
            order.windows(2).filter(|pair| pair[1] == (pair[0] + 1) % 100).count()
        };
        assert_eq!(kept(SurrogateKind::CircularShift), 99);
        assert!((90..99).contains(&kept(SurrogateKind::Block)));
        assert!(kept(SurrogateKind::Shuffle) < 10);
    }

    #[test]
    fn bootstrap_blocks_run_on_within_and_fill_the_length() {
        assert_eq!([0, 1, 2, 8, 9, 1000, 1001].map(block_length), [0, 1, 2, 2, 3, 10, 11]);
        let order = moving_blocks(1000, &mut stream(3, Purpose::Bootstrap, 0, 0));
        assert_eq!(order.len(), 1000);
        assert!(order.chunks(10).all(|block| block.windows(2).all(|pair| pair[1] == pair[0] + 1)));
        assert!(moving_blocks(0, &mut stream(3, Purpose::Bootstrap, 0, 0)).is_empty());
    }

    #[test]
    fn streams_differ_by_purpose_draw_and_channel() {
        let first = |purpose, draw, channel| stream(9, purpose, draw, channel).random::<u64>();
        let all = [
            first(Purpose::Surrogate, 0, 0),
            first(Purpose::Bootstrap, 0, 0),
            first(Purpose::Surrogate, 1, 0),
            first(Purpose::Surrogate, 0, 1),
        ];
        assert!(all.iter().enumerate().all(|(at, value)| !all[..at].contains(value)));
        assert_eq!(first(Purpose::Surrogate, 3, 4), first(Purpose::Surrogate, 3, 4));
    }
}
