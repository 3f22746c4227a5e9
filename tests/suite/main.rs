//! The integration tests, in one binary: linking HDF5 and polars once is enough.

mod cli;
mod compare;
mod faults;
mod files;
mod fixture;
mod layouts;
mod messages;
mod metrics;
mod nwb;
mod report;
mod signals;
mod tolerances;
mod topology;
mod watch;
mod workflows;
