//! Which rules to look at for an event, by the exact value of one field.
//!
//! Most rules for clouds name the call that they are about. Where enough rules for an event type
//! ask that one field equals one of some texts, that field is asked first, and of those rules only
//! the ones that name its value are judged.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::{FieldValue, Scalar};
use rustc_hash::FxHashMap;

use super::any::AnyTest;
use super::graph::{Graph, Node, NodeId};
use super::pattern::with_lower;
use super::predicate::{Check, Extract, Predicate, Slot};

/// Fewest rules that have to name a value before a field is asked first.
const DISPATCHED_MIN: usize = 8;

/// Most texts of one rule and field; a rule that names more is always looked at.
const VALUES_MAX: usize = 256;

/// A rule with its node.
pub(crate) type Root = (u32, u32);

/// Rules by the value of one field.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(super) slot: Slot,
    /// Those that do not name a value, in order.
    always: Vec<Root>,
    /// In lower case; in order.
    by_value: FxHashMap<Box<[u8]>, Vec<Root>>,
}

/// For fields: texts, in lower case, of which one has to be the value.
type Implied = BTreeMap<Slot, BTreeSet<Box<[u8]>>>;

impl Dispatch {
    /// `None` where too few rules name a value of one field.
    pub(super) fn new(
        graph: &Graph,
        predicates: &[Predicate],
        rules: &[(Root, NodeId)],
    ) -> Option<Self> {
        let mut memo = FxHashMap::default();
        let implied: Vec<Implied> =
            rules.iter().map(|(_, node)| implied(graph, predicates, *node, &mut memo)).collect();
        let mut counts: BTreeMap<Slot, usize> = BTreeMap::new();
        for slot in implied.iter().flat_map(BTreeMap::keys) {
            *counts.entry(*slot).or_default() += 1;
        }
        let most =
            counts.into_iter().max_by_key(|(slot, count)| (*count, std::cmp::Reverse(*slot)));
        let (slot, _) = most.filter(|(_, count)| DISPATCHED_MIN <= *count)?;
        let mut new = Self { slot, always: Vec::new(), by_value: FxHashMap::default() };
        for ((root, _), implied) in rules.iter().zip(&implied) {
            match implied.get(&slot) {
                None => new.always.push(*root),
                Some(values) => {
                    for value in values {
                        new.by_value.entry(value.clone()).or_default().push(*root);
                    }
                }
            }
        }
        Some(new)
    }

    /// The rules to look at where the field has that value, in two lists; `None` for all.
    pub(super) fn candidates(&self, value: &FieldValue<'_>) -> Option<(&[Root], &[Root])> {
        let none: &[Root] = &[];
        match value {
            FieldValue::Missing => Some((&self.always, none)),
            FieldValue::One(Scalar::Text(text)) => {
                let find = |lower: &[u8]| self.by_value.get(lower).map(Vec::as_slice);
                Some((&self.always, with_lower(text, find)?.unwrap_or(none)))
            }
            FieldValue::One(_) | FieldValue::Many(_) => None,
        }
    }
}

/// Recursion is bounded by `GRAPH_DEPTH_MAX`.
fn implied(
    graph: &Graph,
    predicates: &[Predicate],
    id: NodeId,
    memo: &mut FxHashMap<NodeId, Implied>,
) -> Implied {
    if let Some(found) = memo.get(&id) {
        return found.clone();
    }
    let found = match graph.node(id) {
        Node::Constant(_) | Node::Not(_) => Implied::new(),
        Node::Predicate(predicate) => {
            predicates.get(predicate.0 as usize).and_then(of_predicate).unwrap_or_default()
        }
        Node::All(parts) => {
            let mut all = Implied::new();
            for part in parts {
                for (slot, values) in implied(graph, predicates, *part, memo) {
                    match all.get(&slot) {
                        Some(fewer) if fewer.len() <= values.len() => {}
                        Some(_) | None => drop(all.insert(slot, values)),
                    }
                }
            }
            all
        }
        Node::Any(parts) => {
            let mut parts = parts.iter().map(|part| implied(graph, predicates, *part, memo));
            let mut any = parts.next().unwrap_or_default();
            for part in parts {
                any.retain(|slot, _| part.contains_key(slot));
                for (slot, values) in part {
                    if let Some(ours) = any.get_mut(&slot) {
                        ours.extend(values);
                    }
                }
            }
            any.retain(|_, values| values.len() <= VALUES_MAX);
            any
        }
    };
    memo.insert(id, found.clone());
    found
}

fn of_predicate(predicate: &Predicate) -> Option<Implied> {
    let (Extract::Field(slot), Check::Any(test)) = (&predicate.left, &predicate.check) else {
        return None;
    };
    let AnyTest::Fits(patterns) = &**test else { return None };
    let whole = patterns.only_whole().filter(|whole| whole.len() <= VALUES_MAX)?;
    Some(Implied::from([(*slot, whole.iter().cloned().collect())]))
}

#[cfg(test)]
mod tests {
    use clew_event::field::Multiplicity;

    use super::*;
    use crate::judge::graph::PredicateId;
    use crate::judge::pattern::{Patterns, Piece};

    fn names(count: usize) -> Predicate {
        let text = |number: usize| vec![Piece::Text(format!("Call{number}").into_bytes())];
        let patterns: Vec<_> = (0..count).map(text).collect();
        Predicate {
            left: Extract::Field(Slot(0)),
            check: Check::Any(Box::new(AnyTest::Fits(Patterns::new(&patterns, false).unwrap()))),
            multiplicity: Multiplicity::One,
            is_inequality: false,
        }
    }

    #[test]
    fn rules_that_name_a_value_are_looked_at_for_it_alone() {
        let mut graph = Graph::default();
        let predicates = [names(1), names(VALUES_MAX), names(VALUES_MAX + 1)];
        let [one, many, too_many] = [0, 1, 2].map(|number| graph.predicate(PredicateId(number)));
        let not = graph.negated(one);
        let mut rules: Vec<(Root, NodeId)> = vec![((0, 0), not), ((1, 1), too_many)];
        rules.extend((2..).take(DISPATCHED_MIN - 1).map(|number| ((number, number), one)));
        assert!(Dispatch::new(&graph, &predicates, &rules).is_none());
        rules.push(((90, 90), many));
        let dispatch = Dispatch::new(&graph, &predicates, &rules).unwrap();
        let count = |text: &'static str| {
            let (always, named) = dispatch.candidates(&FieldValue::from(text)).unwrap();
            (always.len(), named.len())
        };
        assert_eq!(count("CALL0"), (2, DISPATCHED_MIN));
        assert_eq!(count("call7"), (2, 1));
        assert_eq!(count("other"), (2, 0));
        assert!(dispatch.candidates(&FieldValue::Many(Vec::new())).is_none());
    }
}
