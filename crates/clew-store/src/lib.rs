//! Embedded store, and tapes of events.
#![forbid(unsafe_code)]
