//! Signals: binning, filters, resampling, spectra, controls. Pure functions of values; no files, no devices.

pub mod aperiodic;
pub mod bin;
pub mod control;
pub mod filter;
mod least_squares;
pub mod reference;
pub mod resample;
pub mod scale;
pub mod spectrum;

pub use aperiodic::{AperiodicMode, SpectralModel, fit_spectrum};
pub use bin::bin;
pub use control::Control;
pub use filter::{bandpass, notch};
pub use reference::{Reference, rereference};
pub use resample::resample;
pub use scale::{detrend, smooth, zscore};
pub use spectrum::{Average, Detrend, Scaling, Spectrum, Welch, Window, default_segment};
