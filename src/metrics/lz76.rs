//! `lz76`: see [`super::lempel_ziv`].

use super::Metric;
use super::lempel_ziv::{KEYS, LempelZiv, Variant};
use crate::spec::Entry;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "lz76",
    summary: "Lempel-Ziv complexity (1976 parsing) of each channel or of all",
    keys: KEYS,
    parse: |section| LempelZiv::parse(Variant::Lz76, section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};
