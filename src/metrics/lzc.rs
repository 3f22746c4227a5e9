//! `lzc`: see [`super::lempel_ziv`].

use super::Metric;
use super::lempel_ziv::{KEYS, LempelZiv, Variant};
use crate::spec::Entry;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "lzc",
    summary: "size of the LZW-like dictionary that Schartner et al. count as LZc, of each channel or of all",
    keys: KEYS,
    parse: |section| LempelZiv::parse(Variant::Lzc, section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};
