//! The tables that a run writes: one Arrow schema a table, whole files only, and their readers.

pub mod record;

pub use record::{
    DiagramRecord, EmbeddingRecord, ExpectationRecord, FidelityRecord, MetricRecord, PreviewRecord, Provenance, UnitRecord, UnitStatus,
};
