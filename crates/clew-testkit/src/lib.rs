//! Builders and runners for tests; never shipped.
//!
//! Reading order: [`scenario`] (events written as text, one a line) and [`rule_suite`] (whether
//! rules keep what the cases of a page claim), both of `clew-suite`, which ships them as
//! `clew rules test`; [`cloudtrail`] (a log of any length), [`ait`] (a public set of labelled alerts).
#![forbid(unsafe_code)]

pub mod ait;
pub mod cloudtrail;
pub mod storybench;

pub use clew_suite::{page, scenario, verdict as rule_suite};
