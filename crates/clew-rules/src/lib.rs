//! Rules in the languages of Falco and of Sigma: read, checked, compiled and judged.
//!
//! Reading order: [`mod@load`] (files in, a [`RuleSet`] and [`Diagnostic`]s out), [`Rule`] and
//! [`RuleSet`] (which rules an event matches, and what they say of it), [`explain`] (why a rule
//! matches, or does not).
//!
//! Invariant: pure. Text of files is handed in, values are asked of a
//! [`FieldSource`](clew_event::FieldSource), and nothing here knows where either comes from. A
//! mistake in one rule is a diagnostic and costs that rule only.
#![forbid(unsafe_code)]

mod collect;
mod compile;
mod condition;
pub mod correlation;
pub mod diagnostic;
pub mod explain;
pub mod falco_config;
mod fields;
pub mod interest;
mod items;
mod judge;
pub mod load;
mod output;
mod rule;
mod rule_set;
mod sigma;
mod substitute;
#[cfg(test)]
mod tests;
mod traced;
mod yaml;

pub use correlation::{Correlated, Correlations, Matched};
pub use diagnostic::{Code, Diagnostic, Severity, render};
pub use load::{
    AppendOutput, Loaded, Matching, NotRunnable, Options, RuleFacts, Selection, Selector,
    SigmaFacts, SourceFile, Status, load,
};
pub use output::Output;
pub use rule::{Rule, RuleIndex};
pub use rule_set::RuleSet;
