//! The integration tests, in one binary: linking HDF5 and polars once is enough.

mod cli;
mod compare;
mod faults;
mod files;
mod fixture;
mod messages;
mod metrics;
mod nwb;
mod report;
mod signals;
mod topology;
mod transfer_entropy;
