//! Signals: binning, filters, resampling, spectra, controls.
