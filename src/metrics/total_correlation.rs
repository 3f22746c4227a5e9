//! `total-correlation`: see [`super::integration`].

use super::Metric;
use super::integration::{Integration, KEYS, Quantity};
use crate::spec::Entry;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "total-correlation",
    summary: "total correlation (Watanabe 1960): what all channels share, copies counted",
    keys: KEYS,
    parse: |section| Integration::parse(Quantity::Total, section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};
