//! Bytes of every source into events, one module a source.
//!
//! Invariant: hostile bytes never panic, and memory is bounded by the length of the input. A bad
//! record is an error value that the caller counts; its neighbours are not touched.
#![forbid(unsafe_code)]

pub mod access_log;
pub mod api_log;
pub mod digest;
pub mod http;
pub mod kernel;
pub mod otlp;
pub mod scap;
