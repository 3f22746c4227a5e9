//! Signals: binning, filters, resampling, spectra, controls. Pure functions of values; no files, no devices.

pub mod aperiodic;
pub mod bin;
pub mod control;
pub mod filter;
mod least_squares;
pub mod resample;
pub mod spectrum;

pub use aperiodic::{AperiodicMode, SpectralModel, fit_spectrum};
pub use bin::bin;
pub use control::Control;
pub use filter::bandpass;
pub use resample::resample;
pub use spectrum::{Average, Detrend, Scaling, Spectrum, Welch, Window, default_segment};
