//! The integration tests, in one binary: linking HDF5 and polars once is enough.

mod files;
mod fixture;
mod metrics;
mod nwb;
mod report;
mod signals;
mod topology;
