//! Correlations: rules about what other rules matched, in a span of time.
//!
//! State lies outside the rules, so that it survives when rules are read again, and is bounded:
//! groups a rule, matches a group, events a match; what is dropped is counted. Time is that of
//! events alone. A match that comes late is put where it stands, as long as it is not further back
//! than one span; a group that has matched is silent for one span, or a flood of events would be a
//! flood of findings.
//!
//! Reading order: `state` (what is kept), `judge` (when it matches).

mod judge;
mod state;

use clew_event::{EventId, Field, TimestampNs};

pub use state::{Correlations, EVENTS_MAX, GROUPS_MAX, MATCHES_MAX, RULE_MATCHES_MAX};

use crate::RuleIndex;
use crate::judge::any::{Number, Order};

/// A correlation rule, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Correlation {
    /// Its own number.
    pub rule: RuleIndex,
    pub kind: CorrelationKind,
    pub span_ns: u64,
    /// How many rules it is about.
    pub positions: usize,
    /// By which match of which rule it is fed.
    pub inputs: Vec<Input>,
    /// Names of the fields that groups share, as the rule gives them.
    pub group_names: Vec<String>,
    /// What the measure has to pass, all of it.
    pub bounds: Vec<(Order, Number)>,
}

/// What is measured over the matches of one span.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CorrelationKind {
    EventCount,
    ValueCount,
    Sum,
    Average,
    /// The value below which so many of a hundred lie.
    Percentile(f64),
    /// All rules, in whatever order; else as many as the bounds ask.
    Temporal,
    /// All rules, in their order.
    TemporalOrdered,
    /// A condition over the rules by their position.
    TemporalCondition(Condition),
}

/// A condition over which rules matched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    Matched(usize),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// One way in which a correlation is fed.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// The rule whose match counts; a correlation, perhaps.
    pub rule: RuleIndex,
    /// The rule about single events behind it: it tells what fields are called.
    pub leaf: RuleIndex,
    /// Its position among the rules of the correlation.
    pub position: usize,
    /// For each name of the group, where its value stands; the first one that is there counts.
    pub group: Vec<Vec<Field>>,
    /// Where the measured values stand.
    pub values: Vec<Vec<Field>>,
}

/// What one event matched.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    /// The event.
    pub event: EventId,
    /// When it happened.
    pub time: TimestampNs,
    /// The rules that [`RuleSet::judge`](crate::RuleSet::judge) gave for it.
    pub rules: &'a [RuleIndex],
}

/// A correlation rule that matched.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlated {
    /// The rule.
    pub rule: RuleIndex,
    /// The events that made it match, the deciding one first; at most [`EVENTS_MAX`].
    pub events: Vec<EventId>,
    /// What the events have in common: names and values.
    pub group: Vec<(String, String)>,
    /// What was measured: how many matches, values or rules, or a sum and so on.
    pub measure: f64,
}

impl Correlated {
    /// What the events have in common and what was measured, as it stands behind an output.
    #[must_use]
    pub fn words(&self) -> String {
        let group = self.group.iter().map(|(name, value)| format!(" {name}={value}"));
        group.chain([format!(" measure={}", self.measure)]).collect()
    }
}
