//! `tcs-batch`: the same careful topological and information-theoretic analysis over many neural recordings.
//!
//! The modules stand in the order in which they may use each other: a room uses only rooms above it (`tests/tidy.rs` checks).
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod data;
pub mod embed;
pub mod fidelity;
pub mod homology;
pub mod job;
pub mod metrics;
pub mod read;
pub mod report;
pub mod run;
pub mod seed;
pub mod signal;
pub mod spec;
pub mod table;
