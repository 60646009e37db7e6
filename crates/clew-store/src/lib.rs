//! Embedded store, and tapes of events.
//!
//! Reading order: [`tape`] (events in one file, to replay), [`store`] (findings, stories and
//! their evidence, to show). Both are shells: they keep what they are given and decide nothing.
#![forbid(unsafe_code)]

#[cfg(test)]
mod samples;
pub mod store;
pub mod tape;

pub use store::reader::STORIES_MAX;
pub use store::{Batch, Retention, Store, StoreError, StoreReader, StorySummary};
