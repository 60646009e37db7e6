//! When a correlation matches.

use std::collections::BTreeSet;

use clew_event::{EventId, Field, FieldSource, FieldValue, Scalar};

use super::state::{Group, Match, VALUE_BYTES_MAX};
use super::{
    Condition, Correlated, Correlation, CorrelationKind, Correlations, EVENTS_MAX, Input, Matched,
};
use crate::judge::any::{Number, Order, with_text};
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

    /// True where a correlation is about what the rule matches.
    #[must_use]
    pub fn is_correlated(&self, index: RuleIndex) -> bool {
        let mut inputs = self.correlations.iter().flat_map(|it| it.inputs.iter());
        inputs.any(|input| input.rule == index)
    }

    /// Feeds what one event matched to the correlation rules, and appends those that match now.
    ///
    /// The same events in the same order give the same; nothing but `state` is kept.
    pub fn correlate<F: FieldSource>(
        &self,
        state: &mut Correlations,
        matched: Matched<'_>,
        fields: &F,
        found: &mut Vec<Correlated>,
    ) {
        if self.correlations.is_empty() || matched.rules.is_empty() {
            return;
        }
        let mut fed: Vec<Fed> = matched
            .rules
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
                let Some(new) = input.new_match(matched, behind, fields) else { continue };
                let correlated = correlation.feed(state, name, new);
                if first.is_none() {
                    first = correlated.map(|correlated| (correlated, input.leaf));
                }
            }
            if let Some((correlated, leaf)) = first {
                let behind = correlated.events.iter().skip(1).copied().collect();
                fed.push(Fed { rule: correlation.rule, leaf, behind });
                found.push(correlated);
            }
        }
        found.retain(|correlated| !self.is_silent(correlated.rule));
    }
}

impl Input {
    /// The values of the group and the match; `None` for what has no value for a name of the
    /// group, and so belongs to none.
    fn new_match<F: FieldSource>(
        &self,
        matched: Matched<'_>,
        behind: Vec<EventId>,
        fields: &F,
    ) -> Option<(Vec<String>, Match)> {
        let texts = |several: &[Vec<Field>]| -> Option<Vec<String>> {
            several.iter().map(|sources| text_of(sources, fields)).collect()
        };
        let (group, values) = (texts(&self.group)?, texts(&self.values)?);
        let new = Match {
            time_ns: matched.time.unix_ns(),
            event: matched.event,
            position: u32::try_from(self.position).unwrap_or(u32::MAX),
            value: (!values.is_empty()).then(|| joined(&values)),
            behind,
        };
        Some((group, new))
    }
}

impl Correlation {
    fn feed(
        &self,
        state: &mut Correlations,
        name: &str,
        (group, new): (Vec<String>, Match),
    ) -> Option<Correlated> {
        let event = new.event;
        let (kept, at) = state.add(name, &joined(&group), self.span_ns, new)?;
        let (measure, events) = self.decide(kept, at)?;
        let group = self.group_names.iter().cloned().zip(group).collect();
        Some(Correlated { rule: self.rule, events: deciding_first(event, events), group, measure })
    }

    /// No span passes that has fewer different values or rules. It spares looking at each match of
    /// a group to which somebody adds the same again and again.
    fn kinds_min(&self) -> f64 {
        match &self.kind {
            CorrelationKind::ValueCount => {
                let least = self.bounds.iter().map(|(order, bound)| match order {
                    Order::Equal | Order::Greater | Order::GreaterOrEqual => bound.as_f64(),
                    Order::Less | Order::LessOrEqual | Order::Differs => 0.0,
                });
                least.fold(0.0, f64::max)
            }
            CorrelationKind::Temporal if self.bounds.is_empty() => count(self.positions),
            CorrelationKind::TemporalOrdered => count(self.positions),
            CorrelationKind::EventCount
            | CorrelationKind::Sum
            | CorrelationKind::Average
            | CorrelationKind::Percentile(_)
            | CorrelationKind::Temporal
            | CorrelationKind::TemporalCondition(_) => 0.0,
        }
    }

    /// Whether a span that the match at `at` lies in passes, with its measure and its events.
    ///
    /// Spans end at a match: at this one, or, where this one came late, at one behind it.
    fn decide(&self, group: &mut Group, at: usize) -> Option<(f64, Vec<EventId>)> {
        if count(group.kind_count()) < self.kinds_min() {
            return None;
        }
        let own_ns = group.matches.get(at)?.time_ns;
        let is_silent = |it: &Match| it.time_ns < group.silent_until_ns;
        let first = at.max(group.matches.partition_point(is_silent));
        for end in first..group.matches.len() {
            let end_ns = group.matches.get(end)?.time_ns;
            if own_ns.saturating_add(self.span_ns) < end_ns {
                break;
            }
            let from_ns = end_ns.saturating_sub(self.span_ns);
            let start = group.matches.partition_point(|it| it.time_ns < from_ns);
            let span = group.matches.get(start..=end)?;
            if let Some(measure) = self.passes(span) {
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
        let passes =
            |(order, bound): &(Order, Number)| order.holds(Number::Fraction(measure), *bound);
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

#[cfg(test)]
mod tests {
    use clew_event::{FieldArgument, FieldId};

    use super::*;

    #[test]
    fn a_match_names_a_bounded_number_of_events_the_deciding_one_first() {
        let others: Vec<EventId> = (0..500).map(EventId).collect();
        let told = deciding_first(EventId(499), others);
        assert_eq!((told.len(), told[0], told[1]), (EVENTS_MAX, EventId(499), EventId(400)));
    }

    #[test]
    fn values_of_groups_are_cut() {
        struct Long;
        impl FieldSource for Long {
            fn field(&self, _: FieldId, _: &FieldArgument) -> FieldValue<'_> {
                FieldValue::One(Scalar::Text(vec![b'x'; VALUE_BYTES_MAX + 9].into()))
            }
        }
        let field = Field { id: FieldId::JsonWords, argument: FieldArgument::None };
        assert_eq!(text_of(&[field], &Long).unwrap().len(), VALUE_BYTES_MAX);
    }

    #[test]
    fn lists_of_texts_are_not_mixed_up() {
        let text =
            |parts: &[&str]| joined(&parts.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_ne!(text(&["a", "b1:c"]), text(&["a1:b", "c"]));
    }
}
