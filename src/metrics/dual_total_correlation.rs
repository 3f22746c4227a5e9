//! `dual-total-correlation`: see [`super::integration`].

use super::Metric;
use super::integration::{Integration, KEYS, Quantity};
use crate::spec::Entry;

/// The registry's entry.
pub const ENTRY: Entry<dyn Metric> = Entry {
    kind: "dual-total-correlation",
    summary: "dual total correlation (Han 1978): what is in more than one channel",
    keys: KEYS,
    parse: |section| Integration::parse(Quantity::Dual, section).map(|metric| Box::new(metric) as Box<dyn Metric>),
};
