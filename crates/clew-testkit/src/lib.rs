//! Builders and runners for tests.
#![forbid(unsafe_code)]
