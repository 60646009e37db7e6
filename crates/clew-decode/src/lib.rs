//! Bytes of every source into events.
#![forbid(unsafe_code)]
