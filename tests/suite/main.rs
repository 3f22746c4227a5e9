//! The integration tests, in one binary: linking HDF5 and polars once is enough.

mod bulk;
mod cli;
mod compare;
mod faults;
mod files;
mod fixture;
mod fuzz;
mod messages;
mod metrics;
mod nwb;
mod report;
mod signals;
mod topology;
