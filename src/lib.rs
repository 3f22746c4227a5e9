//! `tcs-batch`: the same careful topological and information-theoretic analysis over many neural recordings.
//!
//! Rooms from the ground up, each using only rooms before it (`tests/tidy.rs` checks): [`seed`], [`spec`], [`data`], [`read`],
//! [`signal`], [`embed`], [`homology`], [`metrics`], [`fidelity`], [`table`], [`report`], [`job`], [`run`], [`engine`]. ARCHITECTURE.md is the map.
//! Rooms from the ground up, each using only rooms before it (`tests/tidy.rs` checks): [`seed`], [`spec`], [`fetch`], [`data`], [`read`],
//! [`signal`], [`embed`], [`homology`], [`metrics`], [`fidelity`], [`table`], [`report`], [`job`], [`run`]. ARCHITECTURE.md is the map.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod data;
pub mod embed;
pub mod engine;
pub mod fetch;
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
