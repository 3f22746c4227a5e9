//! The classical Runge-Kutta method of fourth order with a fixed step, shared by the models that are differential equations.
//!
//! `y += h / 6 (k1 + 2 k2 + 2 k3 + k4)`; Hairer, Nørsett & Wanner 1993, Solving Ordinary Differential Equations I, section II.1.
//! A chaotic orbit's later course depends on the step: the attractor and its statistics do not.

use super::{Section, positive};
use serde::Serialize;

/// When an orbit is looked at. Times are the model's own, read as seconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Sampling {
    /// Length, seconds.
    pub duration_s: f64,
    /// Samples a second.
    pub rate_hz: f64,
    /// Largest step of integration, seconds; a whole number of equal steps fills the time between two samples.
    pub step_s: f64,
    /// What is left out before the first sample, seconds.
    pub transient_s: f64,
}

impl Sampling {
    /// Pulls `duration_s`, `rate_hz`, `step_s` and `transient_s`, with these defaults.
    pub(super) fn parse(section: &Section<'_>, default: Self) -> Self {
        Self {
            duration_s: positive(section, "duration_s", default.duration_s),
            rate_hz: positive(section, "rate_hz", default.rate_hz),
            step_s: positive(section, "step_s", default.step_s),
            transient_s: super::not_negative(section, "transient_s", default.transient_s),
        }
    }
    /// Number of samples.
    pub(super) fn n_samples(&self) -> usize {
        (self.duration_s * self.rate_hz).round() as usize
    }
    /// The larger of the number of values of `n_channels` and the number of steps, for the check of the size.
    pub(super) fn size(&self, n_channels: usize) -> f64 {
        let samples = (self.duration_s * self.rate_hz).round();
        let steps = (self.duration_s + self.transient_s) * (1.0 / self.step_s).max(self.rate_hz);
        if samples < 1.0 { 0.0 } else { (samples * n_channels as f64).max(steps) }
    }

    /// Integrates from `state` and calls `see` at every sample.
    pub(super) fn integrate(&self, state: &mut [f64], slope: impl Fn(&[f64], &mut [f64]), mut see: impl FnMut(usize, &[f64])) {
        let n_steps = (1.0 / (self.rate_hz * self.step_s) - 1e-9).ceil().max(1.0);
        let step_s = 1.0 / (self.rate_hz * n_steps);
        let mut rooms = Rooms::new(state.len());
        for _ in 0..(self.transient_s / step_s).ceil() as usize {
            rooms.step(state, step_s, &slope);
        }
        for sample in 0..self.n_samples() {
            see(sample, state);
            for _ in 0..n_steps as usize {
                rooms.step(state, step_s, &slope);
            }
        }
    }

    /// The orbit as values channel after channel.
    pub(super) fn orbit(&self, state: &mut [f64], slope: impl Fn(&[f64], &mut [f64])) -> Vec<f64> {
        let n_samples = self.n_samples();
        let mut values = vec![0.0; n_samples * state.len()];
        self.integrate(state, slope, |sample, state| {
            state.iter().enumerate().for_each(|(channel, value)| values[channel * n_samples + sample] = *value);
        });
        values
    }
}

/// What a step needs: slopes and a trial state.
struct Rooms {
    slopes: [Vec<f64>; 4],
    trial: Vec<f64>,
}

impl Rooms {
    fn new(n: usize) -> Self {
        Self { slopes: std::array::from_fn(|_| vec![0.0; n]), trial: vec![0.0; n] }
    }
    fn step(&mut self, state: &mut [f64], step_s: f64, slope: &impl Fn(&[f64], &mut [f64])) {
        slope(state, &mut self.slopes[0]);
        for (stage, part) in [(1, 0.5), (2, 0.5), (3, 1.0)] {
            for (index, trial) in self.trial.iter_mut().enumerate() {
                *trial = state[index] + part * step_s * self.slopes[stage - 1][index];
            }
            slope(&self.trial, &mut self.slopes[stage]);
        }
        let [k1, k2, k3, k4] = &self.slopes;
        for (index, value) in state.iter_mut().enumerate() {
            *value += step_s / 6.0 * (k1[index] + 2.0 * k2[index] + 2.0 * k3[index] + k4[index]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(step_s: f64) -> f64 {
        let sampling = Sampling { duration_s: 10.0, rate_hz: 1.0, step_s, transient_s: 0.0 };
        let values = sampling.orbit(&mut [1.0, 0.0], |y, slope| (slope[0], slope[1]) = (y[1], -y[0]));
        (values[9] - 9.0_f64.cos()).abs()
    }

    #[test]
    fn the_error_falls_with_the_fourth_power_of_the_step() {
        let ratio = error_of(0.1) / error_of(0.05);
        assert!((12.0..20.0).contains(&ratio), "{ratio}");
        assert!(error_of(0.01) < 1e-8);
    }
}
