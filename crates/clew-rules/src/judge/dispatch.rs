//! Which rules to look at for an event, by the exact values of a few fields.
//!
//! Most rules for clouds name the call that they are about. Where enough rules for an event type
//! ask that one field equals one of some texts, that field is asked first, and of those rules only
//! the ones that name its value are judged. Both languages name a call by a field of their own, so
//! several fields are asked, and each rule waits for one of them: that whose value is the rarest
//! among rules, the call rather than its service.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::field::Multiplicity;
use clew_event::{EventType, FieldSource, FieldValue, Scalar};
use rustc_hash::FxHashMap;

use super::any::AnyTest;
use super::evaluate::Cache;
use super::graph::{Graph, Node, NodeId};
use super::pattern::with_lower;
use super::predicate::{Check, Extract, Predicate, Slot};
use super::test::Test;

/// Fewest rules that have to name a value before a field is asked first.
const DISPATCHED_MIN: usize = 4;

/// Most texts of one rule and field; a rule that names more is always looked at.
const VALUES_MAX: usize = 256;

/// Most fields that are asked first.
const FIELDS_MAX: usize = 4;

/// A rule with its node.
pub(crate) type Root = (u32, u32);

/// Rules to look at, each list in order.
pub(super) type Lists<'d> = [&'d [Root]; FIELDS_MAX + 1];

/// One list alone.
pub(super) fn only(roots: &[Root]) -> Lists<'_> {
    let mut lists = Lists::default();
    let [first, ..] = &mut lists;
    *first = roots;
    lists
}

/// Rules by the values of fields.
#[derive(Clone, Debug)]
pub(crate) struct Dispatch {
    /// Those that name no value, in order.
    always: Vec<Root>,
    by_field: Vec<ByField>,
}

/// Rules that wait for a value of one field.
#[derive(Clone, Debug)]
struct ByField {
    slot: Slot,
    /// In order.
    all: Vec<Root>,
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
        event_type: EventType,
    ) -> Option<Self> {
        let is_record = event_type == EventType::PluginEvent;
        let mut search = Search { graph, predicates, is_record, memo: FxHashMap::default() };
        let (mut always, mut waiting) = (Vec::new(), Vec::new());
        for (root, node) in rules {
            waiting.push((*root, search.implied(*node)));
        }
        let slots = most_named(&waiting);
        let counts = counted(&waiting);
        let mut by_field: Vec<ByField> = slots.iter().map(|slot| ByField::new(*slot)).collect();
        for (root, implied) in &waiting {
            // Of several fields that tell it, the one whose values fewest others wait for.
            let most = |slot: &Slot| {
                let counts = implied.get(slot)?.iter().map(|value| counts.get(&(*slot, &**value)));
                Some((counts.flatten().copied().max()?, *slot))
            };
            let slot = slots.iter().filter_map(most).min().map(|(_, slot)| slot);
            let field = by_field.iter_mut().find(|field| Some(field.slot) == slot);
            match field.zip(slot.and_then(|slot| implied.get(&slot))) {
                Some((field, values)) => field.add(*root, values),
                None => always.push(*root),
            }
        }
        by_field.retain(|field| !field.all.is_empty());
        (!by_field.is_empty()).then_some(Self { always, by_field })
    }

    /// The rules to look at for an event.
    pub(super) fn candidates<F: FieldSource>(&self, cache: &mut Cache<'_, F>) -> Lists<'_> {
        let mut lists = Lists::default();
        let [always, others @ ..] = &mut lists;
        *always = &self.always;
        for (list, field) in others.iter_mut().zip(&self.by_field) {
            cache.load(field.slot);
            *list = field.candidates(cache.value(field.slot));
        }
        lists
    }
}

/// The fields of which most rules name a value, where they are enough.
fn most_named(rules: &[(Root, Implied)]) -> Vec<Slot> {
    let mut counts: BTreeMap<Slot, usize> = BTreeMap::new();
    for slot in rules.iter().flat_map(|(_, implied)| implied.keys()) {
        *counts.entry(*slot).or_default() += 1;
    }
    let mut slots: Vec<_> =
        counts.into_iter().filter(|(_, count)| DISPATCHED_MIN <= *count).collect();
    slots.sort_by_key(|(slot, count)| (std::cmp::Reverse(*count), *slot));
    slots.into_iter().take(FIELDS_MAX).map(|(slot, _)| slot).collect()
}

/// How many rules name each value of a field.
fn counted(rules: &[(Root, Implied)]) -> FxHashMap<(Slot, &[u8]), usize> {
    let mut counts = FxHashMap::default();
    let all = rules.iter().flat_map(|(_, implied)| implied);
    for (slot, value) in all.flat_map(|(slot, values)| values.iter().map(|it| (*slot, &**it))) {
        *counts.entry((slot, value)).or_default() += 1;
    }
    counts
}

impl ByField {
    fn new(slot: Slot) -> Self {
        Self { slot, all: Vec::new(), by_value: FxHashMap::default() }
    }

    fn add(&mut self, root: Root, values: &BTreeSet<Box<[u8]>>) {
        self.all.push(root);
        for value in values {
            self.by_value.entry(value.clone()).or_default().push(root);
        }
    }

    /// What is no single text may pass a test for a text all the same: a number, one of a list.
    fn candidates(&self, value: &FieldValue<'_>) -> &[Root] {
        match value {
            FieldValue::Missing => &[],
            FieldValue::One(Scalar::Text(text)) => {
                let find = |lower: &[u8]| self.by_value.get(lower).map(Vec::as_slice);
                with_lower(text, find).map_or(self.all.as_slice(), Option::unwrap_or_default)
            }
            FieldValue::One(_) | FieldValue::Many(_) => &self.all,
        }
    }
}

/// Finds what the conditions of rules imply.
struct Search<'g> {
    graph: &'g Graph,
    predicates: &'g [Predicate],
    /// Events are records of a log, whose fields cost little; those of the kernel are asked for
    /// as late as can be.
    is_record: bool,
    memo: FxHashMap<NodeId, Implied>,
}

impl Search<'_> {
    /// Recursion is bounded by `GRAPH_DEPTH_MAX`.
    fn implied(&mut self, id: NodeId) -> Implied {
        if let Some(found) = self.memo.get(&id) {
            return found.clone();
        }
        let graph = self.graph;
        let found = match graph.node(id) {
            Node::Constant(_) | Node::Not(_) => Implied::new(),
            Node::Predicate(predicate) => {
                let predicate = self.predicates.get(predicate.0 as usize);
                predicate.and_then(|it| self.of_predicate(it)).unwrap_or_default()
            }
            Node::All(parts) => self.of_all(parts),
            Node::Any(parts) => self.of_any(parts),
        };
        self.memo.insert(id, found.clone());
        found
    }

    fn of_all(&mut self, parts: &[NodeId]) -> Implied {
        let mut all = Implied::new();
        for part in parts {
            for (slot, values) in self.implied(*part) {
                match all.get(&slot) {
                    Some(fewer) if fewer.len() <= values.len() => {}
                    Some(_) | None => drop(all.insert(slot, values)),
                }
            }
        }
        all
    }

    fn of_any(&mut self, parts: &[NodeId]) -> Implied {
        let mut parts = parts.iter().map(|part| self.implied(*part));
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

    fn of_predicate(&self, predicate: &Predicate) -> Option<Implied> {
        let Extract::Field(slot) = &predicate.left else { return None };
        let texts = match &predicate.check {
            Check::Any(test) => match &**test {
                AnyTest::Fits(patterns) => patterns.only_whole()?,
                _ => return None,
            },
            Check::Value(Test::TextIn(texts)) if self.is_record => {
                let is_one = predicate.multiplicity == Multiplicity::One;
                Some(texts).filter(|_| is_one && !predicate.is_inequality)?
            }
            _ => return None,
        };
        let lower = texts.iter().map(|text| text.to_ascii_lowercase().into_boxed_slice());
        let lower: BTreeSet<_> = lower.collect();
        (lower.len() <= VALUES_MAX).then(|| Implied::from([(*slot, lower)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::graph::PredicateId;
    use crate::judge::pattern::{Patterns, Piece};

    fn of_slot(slot: u32, check: Check) -> Predicate {
        let (left, multiplicity) = (Extract::Field(Slot(slot)), Multiplicity::One);
        Predicate { left, check, multiplicity, is_inequality: false }
    }

    fn names(count: usize) -> Predicate {
        let text = |number: usize| vec![Piece::Text(format!("Call{number}").into_bytes())];
        let patterns: Vec<_> = (0..count).map(text).collect();
        let patterns = Patterns::new(&patterns, false).unwrap();
        of_slot(0, Check::Any(Box::new(AnyTest::Fits(patterns))))
    }

    #[test]
    fn rules_that_name_a_value_are_looked_at_for_it_alone() {
        let mut graph = Graph::default();
        let predicates = [names(1), names(VALUES_MAX), names(VALUES_MAX + 1)];
        let [one, many, too_many] = [0, 1, 2].map(|number| graph.predicate(PredicateId(number)));
        let not = graph.negated(one);
        let mut rules: Vec<(Root, NodeId)> = vec![((0, 0), not), ((1, 1), too_many)];
        rules.extend((2..).take(DISPATCHED_MIN - 1).map(|number| ((number, number), one)));
        let dispatch = |rules: &[_]| Dispatch::new(&graph, &predicates, rules, EventType::Open);
        assert!(dispatch(&rules).is_none());
        rules.push(((90, 90), many));
        let dispatch = dispatch(&rules).unwrap();
        assert_eq!((dispatch.always.len(), dispatch.by_field.len()), (2, 1));
        let count = |value: FieldValue<'_>| dispatch.by_field[0].candidates(&value).len();
        assert_eq!(count("CALL0".into()), DISPATCHED_MIN);
        assert_eq!(count("call7".into()), 1);
        assert_eq!(count("other".into()), 0);
        assert_eq!(count(FieldValue::Missing), 0);
        assert_eq!(count(FieldValue::Many(Vec::new())), DISPATCHED_MIN);
        assert_eq!(count(FieldValue::One(Scalar::Unsigned(1))), DISPATCHED_MIN);
    }

    #[test]
    fn each_rule_waits_for_one_of_a_bounded_number_of_fields() {
        let mut graph = Graph::default();
        let text = |slot| {
            of_slot(slot, Check::Value(Test::TextIn(std::iter::once(Box::from(*b"A")).collect())))
        };
        let predicates: Vec<_> = (0..).take(FIELDS_MAX + 1).map(text).collect();
        let nodes: Vec<_> =
            (0..).take(FIELDS_MAX + 1).map(|number| graph.predicate(PredicateId(number))).collect();
        let rules: Vec<(Root, NodeId)> = (0..)
            .zip(nodes.iter().flat_map(|node| [*node; DISPATCHED_MIN]))
            .map(|(number, node)| ((number, number), node))
            .collect();
        let of_type = |event_type| Dispatch::new(&graph, &predicates, &rules, event_type);
        let dispatch = of_type(EventType::PluginEvent).unwrap();
        let sizes: Vec<_> = dispatch.by_field.iter().map(|field| field.all.len()).collect();
        let expected = (vec![DISPATCHED_MIN; FIELDS_MAX], DISPATCHED_MIN);
        assert_eq!((sizes, dispatch.always.len()), expected);
        assert_eq!(dispatch.by_field[0].candidates(&"a".into()).len(), DISPATCHED_MIN);
        assert!(of_type(EventType::Openat).is_none(), "the kernel's fields are asked for late");
    }

    #[test]
    fn a_rule_waits_for_the_value_that_fewest_name() {
        let mut graph = Graph::default();
        let text = |slot, text: &str| {
            let texts = std::iter::once(Box::from(text.as_bytes())).collect();
            of_slot(slot, Check::Value(Test::TextIn(texts)))
        };
        let count = u32::try_from(DISPATCHED_MIN).unwrap();
        let mut predicates = vec![text(0, "service")];
        predicates.extend((0..count).map(|call| text(1, &format!("call{call}"))));
        let service = graph.predicate(PredicateId(0));
        let mut rules: Vec<(Root, NodeId)> = vec![((0, 0), service)];
        for call in 1..=count {
            let call_node = graph.predicate(PredicateId(call));
            rules.push(((call, call), graph.all(vec![service, call_node])));
        }
        let dispatch = Dispatch::new(&graph, &predicates, &rules, EventType::PluginEvent).unwrap();
        let sizes = dispatch.by_field.iter().map(|field| (field.slot, field.all.len()));
        let expected = [(Slot(0), 1), (Slot(1), DISPATCHED_MIN)];
        assert_eq!(sizes.collect::<Vec<_>>(), expected);
    }
}
