//! The Sigma front end: rules about single events, filters and pipelines that change them, and
//! correlations of what they match.
//!
//! Reading order: [`document`] (YAML in), [`detection`] and [`condition`] (what a rule looks for,
//! as written), [`modifier`] with [`value`] and [`regex`] (what an item asks of values),
//! [`source`] (which events and fields a log source means), [`node`] (nodes of the graph that
//! Falco's rules share), [`compile`] (rules with their output), [`filter`],
//! [`pipeline`], [`correlation`] (read) and [`correlate`] (compiled), [`explain`]. The language is that of the Sigma specification 2.1.

mod compile;
mod condition;
mod correlate;
mod correlation;
mod detection;
mod document;
mod explain;
mod filter;
mod modifier;
mod node;
mod pipeline;
mod regex;
mod source;
mod value;

pub(crate) use compile::{Shared, compile};
pub(crate) use document::is_sigma;
pub(crate) use explain::take_apart;
