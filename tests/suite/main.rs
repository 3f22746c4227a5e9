//! The integration tests, in one binary: linking HDF5 and polars once is enough.

mod bulk;
mod cli;
mod compare;
mod complexity;
mod datasets;
mod faults;
mod fetch;
mod files;
mod fixture;
mod fuzz;
mod layouts;
mod messages;
mod metrics;
mod nwb;
mod papers;
mod report;
mod server;
mod signals;
mod slurm;
mod submit;
mod tolerances;
mod topology;
mod transfer_entropy;
mod watch;
mod workflows;
