//! Cases of rules, written in markdown, and whether the rules keep what the cases claim.
//!
//! Reading order: [`page`] (the cases of a markdown file), [`scenario`] (their events, written as
//! text, one a line), [`verdict`] (what the rules find in them, and whether the claims hold).
//!
//! Invariant: pure, as the engine is. Pages are handed in as text and given back as text; who
//! reads and writes the files decides what a broken claim means.
#![forbid(unsafe_code)]

pub mod page;
pub mod scenario;
pub mod verdict;
