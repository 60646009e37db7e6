//! Builders and runners for tests; never shipped.
//!
//! Reading order: [`scenario`] (events written as text, one a line), [`page`] (the cases of a
//! markdown file), [`rule_suite`] (whether the rules keep what the cases claim).
#![forbid(unsafe_code)]

pub mod page;
pub mod rule_suite;
pub mod scenario;
