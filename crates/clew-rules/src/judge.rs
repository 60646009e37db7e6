//! What runs for every event: predicates, the graph they form, and their evaluation.
//!
//! Reading order: [`test`] (does one value pass?), [`glob`] and [`paths`] (its two matchers of our
//! own), [`any`] and [`pattern`] (the tests of Sigma), [`transform`] (values made of values),
//! [`predicate`] (a field and a test), [`graph`]
//! (conditions as shared nodes), [`program`] (what is left of them for each event type),
//! [`dispatch`] (rules by the value of a field),
//! [`evaluate`] (one event), and [`possible`] (any event of which a little is known).

pub(crate) mod any;
pub(crate) mod dispatch;
pub(crate) mod evaluate;
pub(crate) mod glob;
pub(crate) mod graph;
pub(crate) mod paths;
pub(crate) mod pattern;
pub(crate) mod possible;
pub(crate) mod predicate;
pub(crate) mod program;
pub(crate) mod test;
pub(crate) mod transform;
