//! A table of at most `MAX` entries, which gives up what is not confirmed first and counts it.
//!
//! Whoever asks for a hundred thousand paths would push out what matters. So a new entry is on
//! probation; a full table gives up the oldest on probation, and a confirmed one only where no
//! other is left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Set in the turn of a confirmed entry, so that it stands behind all others.
const CONFIRMED: u64 = 1 << 63;

/// A map from hashes, in the order of the hashes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bounded<V, const MAX: usize> {
    entries: BTreeMap<u64, (u64, V)>,
    /// Every key once, under the turn that its entry says.
    order: BTreeMap<u64, u64>,
    next_turn: u64,
    evicted: u64,
}

impl<V, const MAX: usize> Default for Bounded<V, MAX> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), order: BTreeMap::new(), next_turn: 0, evicted: 0 }
    }
}

impl<V, const MAX: usize> Bounded<V, MAX> {
    pub(super) fn get(&self, key: u64) -> Option<&V> {
        self.entries.get(&key).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        self.entries.get_mut(&key).map(|(_, value)| value)
    }

    /// A value by the upper half of its key.
    pub(super) fn get_by_upper(&self, upper: u32) -> Option<&V> {
        let first = u64::from(upper) << 32;
        let (_, (_, value)) = self.entries.range(first..=first | u64::from(u32::MAX)).next()?;
        Some(value)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|(_, value)| value)
    }

    #[cfg(test)]
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut().map(|(_, value)| value)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many entries were given up because the table was full.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The value under `key`; where there is none, `new()` on probation.
    pub(super) fn or_insert_with(&mut self, key: u64, new: impl FnOnce() -> V) -> &mut V {
        if !self.entries.contains_key(&key) {
            if MAX <= self.entries.len()
                && let Some((_, oldest)) = self.order.pop_first()
            {
                self.entries.remove(&oldest);
                self.evicted = self.evicted.saturating_add(1);
            }
            self.next_turn += 1;
            self.order.insert(self.next_turn, key);
        }
        let turn = self.next_turn;
        &mut self.entries.entry(key).or_insert_with(|| (turn, new())).1
    }

    /// Keeps an entry before those that nobody confirmed.
    pub(super) fn confirm(&mut self, key: u64) {
        if let Some((turn, _)) = self.entries.get_mut(&key)
            && *turn & CONFIRMED == 0
        {
            self.order.remove(turn);
            *turn |= CONFIRMED;
            self.order.insert(*turn, key);
        }
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<V> {
        let (turn, value) = self.entries.remove(&key)?;
        self.order.remove(&turn);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_gives_up_the_oldest_that_is_not_confirmed_and_counts_it() {
        let mut table = Bounded::<u64, 3>::default();
        for key in [1, 2, 3] {
            table.or_insert_with(key, || key);
        }
        table.confirm(1);
        table.or_insert_with(4, || 4);
        assert_eq!(table.values().copied().collect::<Vec<_>>(), [1, 3, 4]);
        table.remove(3);
        table.or_insert_with(5, || 5);
        table.or_insert_with(6, || 6);
        assert_eq!(table.values().copied().collect::<Vec<_>>(), [1, 5, 6]);
        assert_eq!((table.len(), table.evicted()), (3, 2));
    }
}
