//! `o-information`: see [`super::integration`].

use super::Metric;
use super::integration::{Integration, KEYS, Quantity};
use crate::spec::Entry;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "o-information",
    summary: "O-information (Rosas et al. 2019): redundancy less synergy",
    keys: KEYS,
    parse: |section| Integration::parse(Quantity::O, section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};
