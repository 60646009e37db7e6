//! Findings joined into one explained attack.
//!
//! Reading order: [`Stories`] (what goes in and comes out), `tie` (why two findings belong
//! together), `forest` (findings under their best parents), `line` and `lines` (what one cause
//! did, and how such lines meet), `score` (when it is told), `habit` (what surprises nobody here),
//! `tell`, `cast`, `impact` and `narrative` (how it is told), [`layout`] (how it is drawn),
//! [`export`] (the forms in which it leaves), [`attack`] (names). `key` and `trail` are how findings
//! find one another, `links` what ties them and is no finding; `known` and `blindness` are what plain
//! events teach, `forgotten` what the engine gave up.
//!
//! Invariant: a finding has at most one parent, always an earlier one, so the whole is a forest
//! and shared values cannot chain unrelated findings together. The same findings give the same
//! stories in whatever order they come, within the bounds.
#![forbid(unsafe_code)]

mod alternatives;
#[cfg(test)]
mod bad_input;
mod blindness;
mod cast;
mod clock;
#[cfg(test)]
mod clouds;
pub mod export;
mod first_processes;
mod flood;
mod forest;
mod forgotten;
mod habit;
mod impact;
mod key;
mod known;
#[cfg(test)]
mod laws;
pub mod layout;
mod line;
mod lines;
mod links;
mod narrative;
mod order;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod scenario;
mod score;
mod servers;
mod settings;
mod settle;
mod stories;
mod tell;
mod tie;
mod trail;
mod words;
#[cfg(test)]
mod worked_example;

pub use clew_event::attack;
pub use forgotten::Forgotten;
pub use settings::Settings;
pub use stories::{Counts, Stories};
