//! When a correlation matches.

use std::collections::BTreeSet;

use clew_event::{EventId, Field, FieldSource, FieldValue, Scalar, TimestampNs};

use super::state::{Group, Match, VALUE_BYTES_MAX};
use super::{Condition, Correlated, Correlation, CorrelationKind, Correlations, EVENTS_MAX, Input};
use crate::judge::any::{Number, with_text};
use crate::{RuleIndex, RuleSet};

/// A match that correlations may be about: of a rule, by a rule about single events, and the
/// events behind it beside the one that is judged.
struct Fed {
    rule: RuleIndex,
    leaf: RuleIndex,
    behind: Vec<EventId>,
}

impl RuleSet {
    /// True where the matches of a rule are told by correlations alone.
    #[must_use]
    pub fn is_silent(&self, index: RuleIndex) -> bool {
        self.silent.contains(&index.0)
    }

    /// Feeds what one event matched to the correlation rules, and appends those that match now.
    ///
    /// `matches` are those that [`Self::judge`] gave for the event. The same events in the same
    /// order give the same; nothing but `state` is kept.
    pub fn correlate<F: FieldSource>(
        &self,
        state: &mut Correlations,
        event: (EventId, TimestampNs),
        fields: &F,
        matches: &[RuleIndex],
        found: &mut Vec<Correlated>,
    ) {
        if self.correlations.is_empty() || matches.is_empty() {
            return;
        }
        let mut fed: Vec<Fed> = matches
            .iter()
            .map(|rule| Fed { rule: *rule, leaf: *rule, behind: Vec::new() })
            .collect();
        // In an order in which a correlation stands behind those that it is about.
        for correlation in &self.correlations {
            let name = self.rule(correlation.rule).map_or("", |rule| rule.name.as_str());
            let mut first: Option<(Correlated, RuleIndex)> = None;
            for input in &correlation.inputs {
                let of_input = |fed: &&Fed| fed.rule == input.rule && fed.leaf == input.leaf;
                let Some(behind) = fed.iter().find(of_input).map(|fed| fed.behind.clone()) else {
                    continue;
                };
                let matched = correlation.feed(state, name, input, event, behind, fields);
                if first.is_none() {
                    first = matched.map(|matched| (matched, input.leaf));
                }
            }
            if let Some((matched, leaf)) = first {
                let behind = matched.events.iter().skip(1).copied().collect();
                fed.push(Fed { rule: correlation.rule, leaf, behind });
                found.push(matched);
            }
        }
        found.retain(|correlated| !self.is_silent(correlated.rule));
    }
}

impl Correlation {
    fn feed<F: FieldSource>(
        &self,
        state: &mut Correlations,
        name: &str,
        input: &Input,
        (event, time): (EventId, TimestampNs),
        behind: Vec<EventId>,
        fields: &F,
    ) -> Option<Correlated> {
        // What has no value for a name of the group belongs to no group.
        let group: Option<Vec<String>> =
            input.group.iter().map(|sources| text_of(sources, fields)).collect();
        let group = group?;
        let values: Option<Vec<String>> =
            input.values.iter().map(|sources| text_of(sources, fields)).collect();
        let value = joined(&values?);
        let new = Match {
            time_ns: time.unix_ns(),
            event,
            position: u32::try_from(input.position).unwrap_or(u32::MAX),
            value: (!input.values.is_empty()).then_some(value),
            behind,
        };
        let key = joined(&group);
        let (kept, at) = state.add(name, &key, self.span_ns, new)?;
        let (measure, events) = self.decide(kept, at)?;
        let group = self.group_names.iter().cloned().zip(group).collect();
        Some(Correlated { rule: self.rule, events: deciding_first(event, events), group, measure })
    }

    /// Whether a span that the match at `at` lies in passes, with its measure and its events.
    ///
    /// Spans end at a match: at this one, or, where this one came late, at one behind it.
    fn decide(&self, group: &mut Group, at: usize) -> Option<(f64, Vec<EventId>)> {
        let own_ns = group.matches.get(at)?.time_ns;
        let mut start = 0;
        for end in at..group.matches.len() {
            let end_ns = group.matches.get(end)?.time_ns;
            if own_ns.saturating_add(self.span_ns) < end_ns {
                break;
            }
            let from_ns = end_ns.saturating_sub(self.span_ns);
            let before = |it: &Match| it.time_ns < from_ns;
            start += group.matches.get(start..)?.iter().take_while(|it| before(it)).count();
            let span = group.matches.get(start..=end)?;
            let is_silent = end_ns < group.silent_until_ns;
            if !is_silent && let Some(measure) = self.passes(span) {
                let events = events(span);
                group.silent_until_ns = end_ns.saturating_add(self.span_ns);
                return Some((measure, events));
            }
        }
        None
    }

    /// The measure of the matches of one span, where it passes.
    fn passes(&self, span: &[Match]) -> Option<f64> {
        let measure = match &self.kind {
            CorrelationKind::EventCount => count(span.len()),
            CorrelationKind::ValueCount => {
                let values: BTreeSet<_> =
                    span.iter().filter_map(|it| it.value.as_deref()).collect();
                count(values.len())
            }
            CorrelationKind::Sum => numbers(span).iter().sum(),
            CorrelationKind::Average => {
                let numbers = numbers(span);
                let sum: f64 = numbers.iter().sum();
                (!numbers.is_empty()).then(|| sum / count(numbers.len()))?
            }
            CorrelationKind::Percentile(percent) => percentile(numbers(span), *percent)?,
            CorrelationKind::Temporal => {
                let seen = positions(span);
                let passes = !self.bounds.is_empty() || seen.len() == self.positions;
                passes.then(|| count(seen.len()))?
            }
            CorrelationKind::TemporalOrdered => {
                let mut wanted = 0;
                for it in span {
                    wanted += usize::from(it.position as usize == wanted);
                }
                (wanted == self.positions).then(|| count(wanted))?
            }
            CorrelationKind::TemporalCondition(condition) => {
                let seen = positions(span);
                condition.holds(&seen).then(|| count(seen.len()))?
            }
        };
        let passes = |(order, bound): &(_, Number)| {
            let order: &crate::judge::any::Order = order;
            order.holds(Number::Fraction(measure), *bound)
        };
        self.bounds.iter().all(passes).then_some(measure)
    }
}

impl Condition {
    /// Recursion is bounded by `CONDITION_DEPTH_MAX`.
    fn holds(&self, seen: &BTreeSet<usize>) -> bool {
        match self {
            Self::Matched(position) => seen.contains(position),
            Self::Not(inner) => !inner.holds(seen),
            Self::All(parts) => parts.iter().all(|part| part.holds(seen)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(seen)),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are bounded by MATCHES_MAX")]
fn count(number: usize) -> f64 {
    number as f64
}

fn positions(span: &[Match]) -> BTreeSet<usize> {
    span.iter().map(|it| it.position as usize).collect()
}

fn numbers(span: &[Match]) -> Vec<f64> {
    let values = span.iter().filter_map(|it| Number::read(it.value.as_deref()?.as_bytes()));
    values.map(Number::as_f64).collect()
}

/// The smallest value that at least so many of a hundred do not exceed (nearest rank).
fn percentile(mut numbers: Vec<f64>, percent: f64) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    let rank = (count(numbers.len()) * percent / 100.0).ceil().max(1.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank lies between 1 and the number of values"
    )]
    numbers.get(rank as usize - 1).copied()
}

fn events(span: &[Match]) -> Vec<EventId> {
    let each = |it: &Match| it.behind.iter().copied().chain([it.event]).collect::<Vec<_>>();
    span.iter().flat_map(each).collect()
}

/// The deciding event, then the latest of the others in their order.
fn deciding_first(deciding: EventId, mut others: Vec<EventId>) -> Vec<EventId> {
    let mut seen = BTreeSet::from([deciding]);
    others.retain(|event| seen.insert(*event));
    let surplus = (others.len() + 1).saturating_sub(EVENTS_MAX);
    others.drain(..surplus);
    others.insert(0, deciding);
    others
}

/// The first value that one of the fields has.
fn text_of<F: FieldSource>(sources: &[Field], fields: &F) -> Option<String> {
    let text = |value: &Scalar<'_>| {
        with_text(value, |text| {
            let text = text.get(..VALUE_BYTES_MAX).unwrap_or(text);
            String::from_utf8_lossy(text).into_owned()
        })
    };
    sources.iter().find_map(|field| match fields.field(field.id, &field.argument) {
        FieldValue::Missing => None,
        FieldValue::One(value) => Some(text(&value)),
        FieldValue::Many(values) => values.first().map(text),
    })
}

/// Texts as one, each with its length, so that no two lists give the same.
fn joined(texts: &[String]) -> String {
    match texts {
        [only] => only.clone(),
        _ => texts.iter().map(|text| format!("{}:{text}", text.len())).collect(),
    }
}
