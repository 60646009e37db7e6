//! A table of bounded size in which no origin can push out the others.
//!
//! Where it is full, the origin that holds most gives up what it got longest ago: a container that
//! makes up names fills its own share and leaves the others theirs. Each step costs the logarithm
//! of the number of entries.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bounded::Standing;

/// At most `max` values, each of an origin.
#[derive(Clone, Debug)]
pub(crate) struct Fair<O, K, V> {
    entries: FxHashMap<(O, K), (u64, V)>,
    /// What each origin holds, the oldest first.
    held: FxHashMap<O, BTreeMap<u64, K>>,
    /// Every origin once, who gives up next at the end: who holds most, and of these who has held
    /// longest.
    ranks: BTreeSet<(usize, Reverse<u64>, O)>,
    next_turn: u64,
    max: usize,
    evicted: u64,
}

impl<O: Clone + Eq + Hash + Ord, K: Clone + Eq + Hash, V> Fair<O, K, V> {
    /// An empty table of at most `max` entries, and at least one.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            entries: FxHashMap::default(),
            held: FxHashMap::default(),
            ranks: BTreeSet::new(),
            next_turn: 0,
            max: max.max(1),
            evicted: 0,
        }
    }

    pub(crate) fn get(&self, key: &(O, K)) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many entries were given up because the table was full.
    pub(crate) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Takes the value out.
    pub(crate) fn remove(&mut self, key: &(O, K)) -> Option<V> {
        let (turn, value) = self.entries.remove(key)?;
        self.change(&key.0, |held| held.remove(&turn));
        Some(value)
    }

    /// The value under `key`; where there is none, a new one, as the newest of its origin.
    pub(crate) fn or_default(&mut self, key: &(O, K)) -> Option<&mut V>
    where
        V: Default,
    {
        if !self.entries.contains_key(key) {
            self.insert(key.clone(), V::default());
        }
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// Puts `value` under `key`, as the newest of its origin.
    pub(crate) fn insert(&mut self, key: (O, K), value: V) {
        self.remove(&key);
        self.next_turn += 1;
        let turn = self.next_turn;
        self.change(&key.0, |held| held.insert(turn, key.1.clone()));
        self.entries.insert(key, (turn, value));
        if self.max < self.entries.len() {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        let Some((_, _, origin)) = self.ranks.last().cloned() else { return };
        let Some(oldest) = self.change(&origin, |held| held.pop_first()) else { return };
        self.entries.remove(&(origin, oldest.1));
        self.evicted = self.evicted.saturating_add(1);
    }

    /// Changes what an origin holds, and its rank with it.
    fn change<R>(&mut self, origin: &O, how: impl FnOnce(&mut BTreeMap<u64, K>) -> R) -> R {
        let rank = |held: &BTreeMap<u64, K>| {
            let oldest = *held.first_key_value()?.0;
            Some((held.len(), Reverse(oldest), origin.clone()))
        };
        let held = self.held.entry(origin.clone()).or_default();
        if let Some(before) = rank(held) {
            self.ranks.remove(&before);
        }
        let changed = how(held);
        match rank(held) {
            Some(after) => drop(self.ranks.insert(after)),
            None => drop(self.held.remove(origin)),
        }
        changed
    }
}

/// What a snapshot keeps: entries in the order in which they came, so that a restored table gives
/// up the same ones.
#[derive(Serialize, Deserialize)]
struct Stored<K, V> {
    entries: Vec<(K, Standing, V)>,
    max: usize,
    evicted: u64,
}

impl<O: Serialize, K: Serialize, V: Serialize> Serialize for Fair<O, K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sorted: Vec<_> = self.entries.iter().collect();
        sorted.sort_unstable_by_key(|(_, (turn, _))| *turn);
        let entries = sorted.into_iter().map(|(key, (_, value))| (key, Standing::Live, value));
        Stored { entries: entries.collect(), max: self.max, evicted: self.evicted }
            .serialize(serializer)
    }
}

impl<'de, O, K, V> Deserialize<'de> for Fair<O, K, V>
where
    O: Clone + Eq + Hash + Ord + Deserialize<'de>,
    K: Clone + Eq + Hash + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::<(O, K), V>::deserialize(deserializer)?;
        let mut table = Self::new(stored.max);
        for (key, _, value) in stored.entries {
            table.insert(key, value);
        }
        table.evicted = stored.evicted;
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(table: &Fair<u8, u16, ()>) -> BTreeSet<(u8, u16)> {
        table.entries.keys().copied().collect()
    }

    #[test]
    fn a_flood_of_one_origin_pushes_out_its_own() {
        let mut table = Fair::new(6);
        (0..2).for_each(|key| table.insert((1, key), ()));
        (0..1_000).for_each(|key| table.insert((9, key), ()));
        table.insert((2, 0), ());
        let kept = [(1, 0), (1, 1), (2, 0), (9, 997), (9, 998), (9, 999)];
        assert_eq!(keys(&table), kept.into());
        assert_eq!((table.len(), table.evicted()), (6, 997));
    }

    #[test]
    fn what_is_asked_for_is_made_once_and_pushes_out_of_the_largest_origin() {
        let mut table = Fair::<u8, u16, u16>::new(3);
        for key in [(1, 0), (9, 0), (9, 1), (1, 0), (9, 2)] {
            *table.or_default(&key).unwrap() += 1;
        }
        let found = [(1, 0), (9, 0), (9, 1), (9, 2)].map(|key| table.get(&key).copied());
        assert_eq!(found, [Some(2), None, Some(1), Some(1)]);
    }

    #[test]
    fn of_origins_that_hold_as_much_the_one_that_holds_longest_gives_up() {
        let mut table = Fair::new(2);
        (1..=3).for_each(|origin| table.insert((origin, 0), ()));
        assert_eq!(keys(&table), [(2, 0), (3, 0)].into());
    }

    proptest! {
        #[test]
        fn who_holds_no_more_than_a_fair_share_loses_nothing(
            asked in prop::collection::vec((0..4_u8, 0..40_u16), 0..300),
            max in 8..20_usize,
        ) {
            let mut table = Fair::new(max);
            let mut all: BTreeMap<u8, BTreeSet<u16>> = BTreeMap::new();
            for (origin, key) in asked {
                table.insert((origin, key), ());
                all.entry(origin).or_default().insert(key);
                prop_assert!(table.len() <= max);
            }
            for (origin, keys) in all.iter().filter(|(_, keys)| keys.len() <= max / 4) {
                for key in keys {
                    prop_assert!(table.get(&(*origin, *key)).is_some(), "{origin} lost {key}");
                }
            }
            let json = serde_json::to_string(&table).expect("a table");
            let mut restored: Fair<u8, u16, ()> = serde_json::from_str(&json).expect("a table");
            for key in 100..110 {
                table.insert((0, key), ());
                restored.insert((0, key), ());
            }
            prop_assert_eq!(keys(&restored), keys(&table));
        }
    }
}
