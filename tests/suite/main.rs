//! The integration tests, in one binary: linking HDF5 and polars once is enough.
mod nwb;
