//! Slots and predicates of a rule set, each kept once.

use clew_event::Field;
use rustc_hash::FxHashMap;

use crate::condition::{Modifier, Operator};
use crate::judge::graph::{Graph, NodeId, PredicateId};
use crate::judge::predicate::{Extract, Predicate, Slot};

/// What all conditions share while they are compiled.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub graph: Graph,
    pub predicates: Vec<Predicate>,
    pub slots: Vec<Field>,
    slot_ids: FxHashMap<Field, Slot>,
    predicate_ids: FxHashMap<Key, PredicateId>,
    /// Of Sigma's tests, by how they are written out.
    any_ids: FxHashMap<(Slot, String), PredicateId>,
}

/// What makes two comparisons the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub left: Extract,
    /// `None` for `exists`.
    pub operator: Option<Operator>,
    pub modifier: Option<Modifier>,
    pub right: RightKey,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum RightKey {
    Nothing,
    Values(Vec<Box<[u8]>>),
    Extract(Extract),
}

impl Pool {
    pub(super) fn slot(&mut self, field: Field) -> Slot {
        if let Some(slot) = self.slot_ids.get(&field) {
            return *slot;
        }
        let slot = Slot(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        self.slots.push(field.clone());
        self.slot_ids.insert(field, slot);
        slot
    }

    /// The node of a comparison; `make` is called where it is a new one.
    pub(super) fn predicate<E>(
        &mut self,
        key: Key,
        make: impl FnOnce() -> Result<Predicate, E>,
    ) -> Result<NodeId, E> {
        let id = match self.predicate_ids.get(&key) {
            Some(id) => *id,
            None => {
                let id = PredicateId(u32::try_from(self.predicates.len()).unwrap_or(u32::MAX));
                self.predicates.push(make()?);
                self.predicate_ids.insert(key, id);
                id
            }
        };
        Ok(self.graph.predicate(id))
    }

    /// The slot of a field.
    pub(crate) fn field_slot(&mut self, field: Field) -> Slot {
        self.slot(field)
    }

    /// The node of a test of Sigma's; `make` is called where it is a new one.
    pub(crate) fn any_predicate(
        &mut self,
        slot: Slot,
        key: String,
        make: impl FnOnce() -> Predicate,
    ) -> NodeId {
        let new = PredicateId(u32::try_from(self.predicates.len()).unwrap_or(u32::MAX));
        let id = *self.any_ids.entry((slot, key)).or_insert(new);
        if id == new {
            self.predicates.push(make());
        }
        self.graph.predicate(id)
    }
}
