//! `s-information`: see [`super::integration`].

use super::Metric;
use super::integration::{Integration, KEYS, Quantity};
use crate::spec::Entry;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "s-information",
    summary: "S-information (Rosas et al. 2019): redundancy and synergy together",
    keys: KEYS,
    parse: |section| Integration::parse(Quantity::S, section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};
