//! Judges one event.
//!
//! Verdicts of nodes and predicates and the values of fields are kept for the event, marked with
//! its generation, so that starting the next event costs nothing. The space is reused: where no
//! rule matches, nothing is allocated.

use clew_event::{EventType, Field, FieldSource, FieldValue};

use super::dispatch::{self, Lists, Root};
use super::graph::PredicateId;
use super::predicate::Slot;
use super::program::{FlatNode, GroupId, Program, Strategy};

/// Space that is reused from event to event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    /// Number of the event; what is marked with another is of no account.
    generation: u32,
    nodes: Vec<u32>,
    predicates: Vec<u32>,
    groups: Vec<u32>,
    slots: Vec<Mark>,
    /// Empty between events; kept for its allocation.
    values: Vec<FieldValue<'static>>,
}

/// Where the value of a slot lies, if it is of this generation.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    generation: u32,
    position: u32,
}

impl Scratch {
    pub(crate) fn for_program(program: &Program) -> Self {
        Self {
            generation: 0,
            nodes: vec![0; program.nodes.len()],
            predicates: vec![0; program.predicates.len()],
            groups: vec![0; program.groups.len()],
            slots: vec![Mark::default(); program.slots.len()],
            values: Vec::with_capacity(program.slots.len()),
        }
    }

    /// Where the values of an event are kept, and for how many there is room.
    #[cfg(test)]
    pub(crate) fn room(&self) -> (*const FieldValue<'static>, usize) {
        (self.values.as_ptr(), self.values.capacity())
    }

    /// As if so many events had been judged.
    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, generation: u32) {
        self.generation = generation;
    }

    /// Starts the next event. Marks are `generation << 1 | verdict`, so 31 bits count events; when
    /// they are used up, all marks are wiped.
    fn advance(&mut self) {
        self.generation += 1;
        if self.generation == 1 << 31 {
            self.nodes.fill(0);
            self.predicates.fill(0);
            self.groups.fill(0);
            self.slots.fill(Mark::default());
            self.generation = 1;
        }
    }
}

/// The values of one event's fields, each asked for once.
#[derive(Debug)]
pub(crate) struct Cache<'a, F> {
    fields: &'a F,
    slots: &'a [Field],
    generation: u32,
    marks: Vec<Mark>,
    values: Vec<FieldValue<'a>>,
}

const MISSING: FieldValue<'static> = FieldValue::Missing;

impl<'a, F: FieldSource> Cache<'a, F> {
    /// A cache for one use outside of judging; allocates.
    pub(crate) fn new(program: &'a Program, fields: &'a F) -> Self {
        let slots = program.slots.as_slice();
        let marks = vec![Mark::default(); slots.len()];
        Self { fields, slots, generation: 1, marks, values: Vec::new() }
    }

    /// Asks the event for a field, if that was not done yet.
    pub(crate) fn load(&mut self, slot: Slot) {
        let index = slot.0 as usize;
        let (Some(mark), Some(field)) = (self.marks.get_mut(index), self.slots.get(index)) else {
            return;
        };
        if mark.generation != self.generation {
            mark.generation = self.generation;
            mark.position = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
            self.values.push(self.fields.field(field.id, &field.argument));
        }
    }

    /// The value of a field that was loaded.
    pub(crate) fn value(&self, slot: Slot) -> &FieldValue<'a> {
        let mark = self.marks.get(slot.0 as usize).copied().unwrap_or_default();
        debug_assert_eq!(mark.generation, self.generation, "values are loaded before use");
        self.values.get(mark.position as usize).unwrap_or(&MISSING)
    }
}

/// Calls `matched` with each rule that the event matches, in order, until it returns false.
pub(crate) fn judge<F: FieldSource>(
    program: &Program,
    scratch: &mut Scratch,
    event_type: EventType,
    fields: &F,
    mut matched: impl FnMut(u32) -> bool,
) {
    let roots = program.roots(event_type);
    if roots.is_empty() {
        return;
    }
    scratch.advance();
    let mut cache = Cache {
        fields,
        slots: &program.slots,
        generation: scratch.generation,
        marks: std::mem::take(&mut scratch.slots),
        values: std::mem::take(&mut scratch.values),
    };
    let mut lists = match program.dispatch(event_type) {
        Some(dispatch) => dispatch.candidates(&mut cache),
        None => dispatch::only(roots),
    };
    let mut evaluation = Evaluation { program, scratch, cache };
    while let Some((rule, root)) = earliest(&mut lists) {
        if evaluation.node(root) && !matched(rule) {
            break;
        }
    }
    let Evaluation { scratch, cache, .. } = evaluation;
    scratch.slots = cache.marks;
    scratch.values = emptied(cache.values);
}

/// Takes the rule with the lowest number off the front of its list: rules are told in their order.
fn earliest(lists: &mut Lists<'_>) -> Option<Root> {
    let heads = lists.iter_mut().filter(|list| !list.is_empty());
    let list = heads.min_by_key(|list| list.first().copied())?;
    let (root, rest) = list.split_first()?;
    *list = rest;
    Some(*root)
}

/// The same allocation without the values, which end with their event.
fn emptied(mut values: Vec<FieldValue<'_>>) -> Vec<FieldValue<'static>> {
    values.clear();
    // Collecting a vector into one of equal layout takes its allocation over; a test counts.
    values.into_iter().map(|_| FieldValue::Missing).collect()
}

struct Evaluation<'p, 'a, F> {
    program: &'p Program,
    scratch: &'p mut Scratch,
    cache: Cache<'a, F>,
}

impl<F: FieldSource> Evaluation<'_, '_, F> {
    /// Recursion is bounded by `GRAPH_DEPTH_MAX`.
    fn node(&mut self, id: u32) -> bool {
        let Some(node) = self.program.nodes.get(id as usize) else { return false };
        if let FlatNode::Predicate(predicate) = node {
            return self.predicate(*predicate);
        }
        let generation = self.scratch.generation;
        match self.scratch.nodes.get(id as usize) {
            Some(mark) if mark >> 1 == generation => return mark & 1 == 1,
            _ => {}
        }
        let holds = match node {
            FlatNode::Constant(holds) => *holds,
            FlatNode::Predicate(predicate) => self.predicate(*predicate),
            FlatNode::Not(inner) => !self.node(*inner),
            FlatNode::All(parts) => {
                let program = self.program;
                program.parts(parts).iter().all(|part| self.node(*part))
            }
            FlatNode::Any(parts) => {
                let program = self.program;
                program.parts(parts).iter().any(|part| self.node(*part))
            }
        };
        if let Some(mark) = self.scratch.nodes.get_mut(id as usize) {
            *mark = generation << 1 | u32::from(holds);
        }
        holds
    }

    fn predicate(&mut self, id: PredicateId) -> bool {
        let index = id.0 as usize;
        let generation = self.scratch.generation;
        match self.scratch.predicates.get(index) {
            Some(mark) if mark >> 1 == generation => return mark & 1 == 1,
            _ => {}
        }
        let Some((predicate, strategy)) = self.program.predicates.get(index) else {
            return false;
        };
        match strategy {
            Strategy::Alone => {
                let holds = predicate.holds(&mut self.cache);
                self.mark(id, holds);
                holds
            }
            Strategy::InGroup(group) => {
                self.run_group(*group);
                let mark = self.scratch.predicates.get(index).copied().unwrap_or_default();
                mark == generation << 1 | 1
            }
        }
    }

    /// Decides all predicates of a group at once: those that hold are marked, the rest do not.
    fn run_group(&mut self, id: GroupId) {
        let generation = self.scratch.generation;
        let (Some(group), Some(done)) =
            (self.program.groups.get(id.0 as usize), self.scratch.groups.get_mut(id.0 as usize))
        else {
            return;
        };
        if *done == generation {
            return;
        }
        *done = generation;
        self.cache.load(group.slot());
        let marks = &mut self.scratch.predicates;
        group.run(self.cache.value(group.slot()), |predicate| {
            if let Some(mark) = marks.get_mut(predicate.0 as usize) {
                *mark = generation << 1 | 1;
            }
        });
    }

    fn mark(&mut self, id: PredicateId, holds: bool) {
        if let Some(mark) = self.scratch.predicates.get_mut(id.0 as usize) {
            *mark = self.scratch.generation << 1 | u32::from(holds);
        }
    }
}
