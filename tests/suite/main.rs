//! The integration tests, in one binary: linking HDF5 and polars once is enough.

mod fixture;
mod report;
mod signals;
mod topology;
