//! Embedded store, and tapes of events.
//!
//! Reading order: [`tape`] (events in one file, to replay).
#![forbid(unsafe_code)]

#[cfg(test)]
mod samples;
pub mod tape;
