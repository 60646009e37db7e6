//! What is left of the conditions for each event type, laid out for judging.
//!
//! For an event of a known type every test of `evt.type` is certain, so each rule is folded for
//! each type: rules that cannot match there disappear from its list, and the others shrink.
//! Predicates on one field that ask for equality with constants are decided by one look-up for
//! all, and those that search for constants by one pass over the text.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use clew_event::field::Multiplicity;
use clew_event::{EventType, Field, FieldValue, Scalar};
use rustc_hash::FxHashMap;

use super::dispatch::{Dispatch, Root};
use super::graph::{Graph, Node, NodeId, PredicateId};
use super::predicate::{Check, Extract, Predicate, Slot};
use super::test::Test;

/// Fewest predicates of a field that search for a text before they share one pass.
const SEARCHES_SHARED_MIN: usize = 4;

/// What it takes to ask an event for a field, in comparisons of short texts.
const LOADING: u32 = 12;

/// Everything that judging reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(super) nodes: Vec<FlatNode>,
    parts: Vec<u32>,
    pub(super) predicates: Vec<(Predicate, Strategy)>,
    pub(super) groups: Vec<Group>,
    pub(super) slots: Vec<Field>,
    /// For each event type, by its number: rules in order, each with its node.
    roots: Vec<Vec<Root>>,
    /// For each event type, by its number: which of its rules to look at.
    dispatches: Vec<Option<Dispatch>>,
}

/// A node whose parts stand in one vector, cheapest first.
#[derive(Clone, Debug)]
pub(super) enum FlatNode {
    Constant(bool),
    Predicate(PredicateId),
    Not(u32),
    All(Range<u32>),
    Any(Range<u32>),
}

/// How a predicate is decided.
#[derive(Clone, Copy, Debug)]
pub(super) enum Strategy {
    Alone,
    InGroup(GroupId),
}

/// Number of a [`Group`].
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupId(pub u32);

/// Predicates on one field that are decided together.
#[derive(Clone, Debug)]
pub(super) enum Group {
    /// Which predicates hold for a value.
    Equality { slot: Slot, holding: FxHashMap<Box<[u8]>, Vec<PredicateId>> },
    /// Which predicates hold where a text is found.
    Search { slot: Slot, automaton: Box<AhoCorasick>, predicates: Vec<PredicateId> },
}

impl Group {
    pub(super) fn slot(&self) -> Slot {
        match self {
            Self::Equality { slot, .. } | Self::Search { slot, .. } => *slot,
        }
    }

    /// Calls `holds` with each predicate that does; the same one perhaps more than once.
    pub(super) fn run(&self, value: &FieldValue<'_>, mut holds: impl FnMut(PredicateId)) {
        let FieldValue::One(Scalar::Text(text)) = value else { return };
        match self {
            Self::Equality { holding, .. } => {
                let found = holding.get(&**text).map(Vec::as_slice).unwrap_or_default();
                found.iter().copied().for_each(holds);
            }
            Self::Search { automaton, predicates, .. } => {
                for found in automaton.find_overlapping_iter(&**text) {
                    if let Some(predicate) = predicates.get(found.pattern().as_usize()) {
                        holds(*predicate);
                    }
                }
            }
        }
    }
}

/// What a program is made of.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub graph: Graph,
    pub predicates: Vec<Predicate>,
    pub slots: Vec<Field>,
    /// For each rule, its number and its condition.
    pub rules: Vec<(u32, NodeId)>,
}

impl Program {
    /// `verdict` tells whether a predicate is certain for events of a type, and how.
    pub(crate) fn new(
        mut parts: Parts,
        verdict: &dyn Fn(&Predicate, EventType) -> Option<bool>,
    ) -> Self {
        let mut program = Self { slots: parts.slots, ..Self::default() };
        let mut layout = Layout::new(&parts.predicates);
        for &event_type in EventType::ALL {
            let predicates = &parts.predicates;
            let known = |id: PredicateId| {
                predicates.get(id.0 as usize).and_then(|predicate| verdict(predicate, event_type))
            };
            let mut memo = FxHashMap::default();
            let mut roots = Vec::new();
            let mut folded_rules = Vec::new();
            for &(rule, condition) in &parts.rules {
                let folded = parts.graph.specialized(condition, &known, &mut memo);
                if *parts.graph.node(folded) != Node::Constant(false) {
                    let root = layout.place(&mut program, &parts.graph, predicates, folded);
                    roots.push((rule, root));
                    folded_rules.push(((rule, root), folded));
                }
            }
            let dispatch = Dispatch::new(&parts.graph, predicates, &folded_rules, event_type);
            program.dispatches.push(dispatch);
            program.roots.push(roots);
        }
        program.predicates =
            parts.predicates.into_iter().map(|predicate| (predicate, Strategy::Alone)).collect();
        program.form_groups();
        program
    }

    /// Rules for events of a type, in order, each with its node.
    pub(crate) fn roots(&self, event_type: EventType) -> &[Root] {
        self.roots.get(event_type as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// Which of them to look at, where the value of a field tells.
    pub(super) fn dispatch(&self, event_type: EventType) -> Option<&Dispatch> {
        self.dispatches.get(event_type as usize)?.as_ref()
    }

    /// The field of a slot.
    pub(crate) fn field(&self, slot: Slot) -> Option<&Field> {
        self.slots.get(slot.0 as usize)
    }

    /// The predicate of that number.
    pub(crate) fn predicate(&self, id: PredicateId) -> Option<&Predicate> {
        self.predicates.get(id.0 as usize).map(|(predicate, _)| predicate)
    }

    pub(super) fn parts(&self, range: &Range<u32>) -> &[u32] {
        self.parts.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    fn form_groups(&mut self) {
        let mut equality: FxHashMap<Slot, Vec<PredicateId>> = FxHashMap::default();
        let mut search: FxHashMap<Slot, Vec<PredicateId>> = FxHashMap::default();
        for (index, (predicate, _)) in (0..).zip(&self.predicates) {
            let Extract::Field(slot) = predicate.left else { continue };
            match &predicate.check {
                _ if predicate.multiplicity != Multiplicity::One => {}
                Check::Value(Test::TextIn(_)) => {
                    equality.entry(slot).or_default().push(PredicateId(index));
                }
                Check::Value(Test::Contains(finder)) if !finder.needle().is_empty() => {
                    search.entry(slot).or_default().push(PredicateId(index));
                }
                _ => {}
            }
        }
        let mut slots: Vec<Slot> = equality.keys().chain(search.keys()).copied().collect();
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            if let Some(ids) = equality.remove(&slot).filter(|ids| 1 < ids.len()) {
                let group = self.equality_group(slot, &ids);
                self.add_group(group, &ids);
            }
            let enough = |ids: &Vec<PredicateId>| SEARCHES_SHARED_MIN <= ids.len();
            if let Some(ids) = search.remove(&slot).filter(enough)
                && let Some(group) = self.search_group(slot, &ids)
            {
                self.add_group(group, &ids);
            }
        }
    }

    fn equality_group(&self, slot: Slot, ids: &[PredicateId]) -> Group {
        let mut holding: FxHashMap<Box<[u8]>, Vec<PredicateId>> = FxHashMap::default();
        for &id in ids {
            if let Some(Test::TextIn(set)) = self.test(id) {
                let mut constants: Vec<_> = set.iter().collect();
                constants.sort_unstable();
                for constant in constants {
                    holding.entry(constant.clone()).or_default().push(id);
                }
            }
        }
        Group::Equality { slot, holding }
    }

    /// `None` where the automaton would be too large; each predicate searches alone then.
    fn search_group(&self, slot: Slot, ids: &[PredicateId]) -> Option<Group> {
        let needles = ids.iter().filter_map(|id| match self.test(*id) {
            Some(Test::Contains(finder)) => Some(finder.needle()),
            _ => None,
        });
        let built =
            AhoCorasickBuilder::new().match_kind(MatchKind::Standard).build(needles).ok()?;
        Some(Group::Search { slot, automaton: Box::new(built), predicates: ids.to_vec() })
    }

    fn test(&self, id: PredicateId) -> Option<&Test> {
        match &self.predicates.get(id.0 as usize)?.0.check {
            Check::Value(test) => Some(test),
            Check::Exists | Check::AllValues(_) | Check::Any(_) | Check::Field { .. } => None,
        }
    }

    fn add_group(&mut self, group: Group, ids: &[PredicateId]) {
        let group_id = GroupId(u32::try_from(self.groups.len()).unwrap_or(u32::MAX));
        self.groups.push(group);
        for id in ids {
            if let Some((_, strategy)) = self.predicates.get_mut(id.0 as usize) {
                *strategy = Strategy::InGroup(group_id);
            }
        }
    }
}

/// Places nodes of the graph in the program, each once, parts before the whole.
struct Layout {
    placed: FxHashMap<NodeId, u32>,
    /// Cost of each placed node.
    costs: Vec<u32>,
    /// How many predicates are about each field.
    uses: FxHashMap<Slot, u32>,
}

impl Layout {
    fn new(predicates: &[Predicate]) -> Self {
        let mut uses = FxHashMap::default();
        for predicate in predicates {
            if let Extract::Field(slot) = predicate.left {
                *uses.entry(slot).or_default() += 1;
            }
        }
        Self { placed: FxHashMap::default(), costs: Vec::new(), uses }
    }

    /// What a predicate costs beside others: a field that many ask for is there already.
    fn cost_of(&self, predicate: &Predicate) -> u32 {
        let loading = match &predicate.left {
            Extract::Field(slot) => LOADING / self.uses.get(slot).copied().unwrap_or(1).max(1),
            Extract::Transformed(_) => LOADING,
        };
        predicate.cost() + loading
    }

    fn place(
        &mut self,
        program: &mut Program,
        graph: &Graph,
        predicates: &[Predicate],
        id: NodeId,
    ) -> u32 {
        if let Some(place) = self.placed.get(&id) {
            return *place;
        }
        let (node, cost) = match graph.node(id) {
            Node::Constant(holds) => (FlatNode::Constant(*holds), 0),
            Node::Predicate(predicate) => {
                let cost = predicates.get(predicate.0 as usize);
                let cost = cost.map_or(1, |predicate| self.cost_of(predicate));
                (FlatNode::Predicate(*predicate), cost)
            }
            Node::Not(inner) => {
                let inner = self.place(program, graph, predicates, *inner);
                (FlatNode::Not(inner), self.cost(inner))
            }
            Node::All(parts) | Node::Any(parts) => {
                let mut places: Vec<u32> = parts
                    .iter()
                    .map(|part| self.place(program, graph, predicates, *part))
                    .collect();
                places.sort_by_key(|place| self.cost(*place));
                let cost = places.iter().fold(1_u32, |sum, p| sum.saturating_add(self.cost(*p)));
                let start = u32::try_from(program.parts.len()).unwrap_or(u32::MAX);
                program.parts.extend(places);
                let end = u32::try_from(program.parts.len()).unwrap_or(u32::MAX);
                let is_all = matches!(graph.node(id), Node::All(_));
                let range = start..end;
                (if is_all { FlatNode::All(range) } else { FlatNode::Any(range) }, cost)
            }
        };
        let place = u32::try_from(program.nodes.len()).unwrap_or(u32::MAX);
        program.nodes.push(node);
        self.costs.push(cost);
        self.placed.insert(id, place);
        place
    }

    fn cost(&self, place: u32) -> u32 {
        self.costs.get(place as usize).copied().unwrap_or_default()
    }
}
