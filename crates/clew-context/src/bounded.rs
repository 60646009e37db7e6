//! A table with a bound, which gives up what is least needed first and counts it.
//!
//! Whoever fills a table (a fork bomb, a container started in a loop) would push out what matters.
//! So every entry has a [`Standing`]; a full table gives up entries that ended before entries that
//! others still need, those before live ones, and within one standing the one that has stood so
//! longest. Insert, find and change cost O(log n) at worst, whatever the content.

use std::collections::BTreeMap;
use std::hash::Hash;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How much an entry is needed; the least needed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// What it stands for is gone; kept for late events.
    Ended,
    /// What it stands for is gone, but a live entry refers to it.
    Needed,
    /// What it stands for exists.
    Live,
}

/// A map of at most `max` entries.
#[derive(Clone, Debug)]
pub(crate) struct Bounded<K, V> {
    entries: FxHashMap<K, Entry<V>>,
    /// Every key once, under the standing and turn that its entry says.
    order: BTreeMap<(Standing, u64), K>,
    next_turn: u64,
    max: usize,
    evicted: u64,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    standing: Standing,
    turn: u64,
    value: V,
}

impl<K: Clone + Eq + Hash, V> Bounded<K, V> {
    /// An empty table of at most `max` entries, and at least one.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            entries: FxHashMap::default(),
            order: BTreeMap::new(),
            next_turn: 0,
            max: max.max(1),
            evicted: 0,
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// All values, in no order that counts.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many entries were given up because the table was full.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Puts `value` under `key`, as the newest of its standing. Gives back what had to go for it.
    pub(crate) fn insert(&mut self, key: K, value: V, standing: Standing) -> Option<(K, V)> {
        let turn = self.take_turn();
        if let Some(entry) = self.entries.get_mut(&key) {
            self.order.remove(&(entry.standing, entry.turn));
            *entry = Entry { standing, turn, value };
            self.order.insert((standing, turn), key);
            return None;
        }
        let given_up = if self.entries.len() < self.max { None } else { self.give_up() };
        self.entries.insert(key.clone(), Entry { standing, turn, value });
        self.order.insert((standing, turn), key);
        debug_assert_eq!(self.entries.len(), self.order.len());
        given_up
    }

    /// The value under `key`; where there is none, a new one, as the newest of the live.
    pub(crate) fn or_default(&mut self, key: &K) -> &mut V
    where
        V: Default,
    {
        let turn = self.take_turn();
        if !self.entries.contains_key(key) {
            if self.max <= self.entries.len() {
                self.give_up();
            }
            self.order.insert((Standing::Live, turn), key.clone());
        }
        let new = || Entry { standing: Standing::Live, turn, value: V::default() };
        &mut self.entries.entry(key.clone()).or_insert_with(new).value
    }

    /// Changes how much an entry is needed; it becomes the newest of its standing.
    pub(crate) fn set_standing(&mut self, key: &K, standing: Standing) {
        let turn = self.take_turn();
        if let Some(entry) = self.entries.get_mut(key)
            && entry.standing != standing
        {
            self.order.remove(&(entry.standing, entry.turn));
            (entry.standing, entry.turn) = (standing, turn);
            self.order.insert((standing, turn), key.clone());
        }
    }

    /// Every key, the least needed first.
    pub(crate) fn keys(&self) -> Vec<K> {
        self.order.values().cloned().collect()
    }

    /// Takes every entry for ended, until it is heard of again.
    pub(crate) fn end_all(&mut self) {
        for key in self.keys() {
            self.set_standing(&key, Standing::Ended);
        }
    }

    /// The entry that ended first, where one did.
    pub(crate) fn first_ended(&self) -> Option<(&K, &V)> {
        let (&(standing, _), key) = self.order.first_key_value()?;
        (standing == Standing::Ended).then_some(())?;
        Some((key, self.get(key)?))
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&(entry.standing, entry.turn));
        Some(entry.value)
    }

    fn give_up(&mut self) -> Option<(K, V)> {
        let (_, key) = self.order.pop_first()?;
        let entry = self.entries.remove(&key)?;
        self.evicted = self.evicted.saturating_add(1);
        Some((key, entry.value))
    }

    fn take_turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn
    }
}

/// What a snapshot keeps: pairs in the order in which they would be given up, so that a restored
/// table gives up the same entries.
#[derive(Serialize, Deserialize)]
struct Stored<K, V> {
    entries: Vec<(K, Standing, V)>,
    max: usize,
    evicted: u64,
}

impl<K: Clone + Eq + Hash + Serialize, V: Serialize> Serialize for Bounded<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self
            .order
            .iter()
            .filter_map(|(&(standing, _), key)| Some((key, standing, self.get(key)?)))
            .collect();
        Stored { entries, max: self.max, evicted: self.evicted }.serialize(serializer)
    }
}

impl<'de, K, V> Deserialize<'de> for Bounded<K, V>
where
    K: Clone + Eq + Hash + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::<K, V>::deserialize(deserializer)?;
        let mut table = Self::new(stored.max);
        for (key, standing, value) in stored.entries {
            table.insert(key, value, standing);
        }
        table.evicted = stored.evicted;
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_gives_up_the_ended_before_the_live_and_counts_it() {
        let mut table = Bounded::new(3);
        table.insert(1, (), Standing::Live);
        table.insert(2, (), Standing::Ended);
        table.insert(3, (), Standing::Needed);
        assert_eq!(table.insert(4, (), Standing::Live), Some((2, ())));
        assert_eq!(table.insert(5, (), Standing::Live), Some((3, ())));
        assert_eq!(table.insert(6, (), Standing::Live), Some((1, ())));
        assert_eq!((table.len(), table.evicted()), (3, 3));
    }

    #[test]
    fn an_entry_that_is_put_again_is_the_newest() {
        let mut table = Bounded::new(2);
        table.insert(1, (), Standing::Live);
        table.insert(2, (), Standing::Live);
        table.insert(1, (), Standing::Live);
        table.insert(3, (), Standing::Live);
        assert_eq!(table.keys(), [1, 3]);
    }

    #[test]
    fn a_restored_table_gives_up_the_same_entries() -> Result<(), serde_json::Error> {
        let mut table = Bounded::new(3);
        for key in [7, 1, 5] {
            table.insert(key, (), Standing::Live);
        }
        table.set_standing(&1, Standing::Ended);
        let mut restored: Bounded<u32, ()> = serde_json::from_str(&serde_json::to_string(&table)?)?;
        for key in [8, 9] {
            assert_eq!(
                restored.insert(key, (), Standing::Live),
                table.insert(key, (), Standing::Live)
            );
        }
        assert_eq!(restored.keys(), table.keys());
        Ok(())
    }
}
