//! The integration tests, in one binary: linking HDF5 and polars once is enough.

mod cli;
mod compare;
mod complexity;
mod faults;
mod files;
mod fixture;
mod messages;
mod metrics;
mod nwb;
mod papers;
mod report;
mod signals;
mod topology;
