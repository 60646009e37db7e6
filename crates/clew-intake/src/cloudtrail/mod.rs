//! CloudTrail's files in S3: told of by a queue, or found by walking through the bucket.
//!
//! Reading order: `client` (how AWS is reached, reading one object), `notification` (what a message
//! of the queue says), [`queue`], `cursor` and [`bucket`], [`proof`] (whether files are as they were
//! written).

pub(crate) mod bucket;
mod client;
mod cursor;
mod notification;
pub(crate) mod proof;
pub(crate) mod queue;

pub use client::OBJECT_BYTES_MAX;
