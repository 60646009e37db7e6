//! The items of one profile, found by hash, with who alone owns one counted as it changes.
//!
//! Whether a class is learned depends on how many units own an item that no other has
//! (`estimate`). That number is kept with every step, so that asking costs nothing; it is a
//! consequence of the records and is made anew from them where a snapshot is read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::class::Class;
use crate::item::{Item, places};
use crate::record::Record;
use crate::shape::hole;
use crate::tree::Opened;
use crate::unit::UnitId;

/// Most items of one profile, at about 800 bytes each; what comes later is judged and not learned.
pub(crate) const ITEMS_MAX: usize = 131_072;

/// Every item of a profile with its record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Items {
    records: FxHashMap<Arc<str>, Record>,
    /// Every key once, so that all below a place are neighbours.
    order: BTreeSet<Arc<str>>,
    owners: Owners,
}

/// Who alone owns an item, of each class.
#[derive(Clone, Debug, Default)]
struct Owners {
    of_unit: FxHashMap<(Class, UnitId), u32>,
    units: BTreeMap<Class, u64>,
    items: BTreeMap<Class, u64>,
}

impl Items {
    pub(crate) fn get(&self, key: &str) -> Option<&Record> {
        self.records.get(key)
    }

    /// The key as it is held, to be shared.
    pub(crate) fn held(&self, key: &str) -> Option<Arc<str>> {
        self.records.get_key_value(key).map(|(held, _)| Arc::clone(held))
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Every item in the order of keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Record)> {
        self.order.iter().filter_map(|key| Some((key, self.records.get(key)?)))
    }

    /// Units that own an item of the class alone; for requests, items that one request alone had.
    pub(crate) fn owners(&self, class: Class) -> u64 {
        let of = if class.is_of_requests() { &self.owners.items } else { &self.owners.units };
        of.get(&class).copied().unwrap_or_default()
    }

    /// True where the unit owns an item of the class that no other has.
    pub(crate) fn owns(&self, class: Class, unit: UnitId) -> bool {
        self.owners.of_unit.contains_key(&(class, unit))
    }

    /// True where an item begins so, followed by a further part.
    pub(crate) fn has_below(&self, place: &str) -> bool {
        self.below(place).next().is_some()
    }

    fn below(&self, place: &str) -> impl Iterator<Item = &Arc<str>> {
        let from = format!("{place}\t");
        let range = self.order.range::<str, _>((Bound::Included(from.as_str()), Bound::Unbounded));
        range.take_while(move |key| key.starts_with(&from))
    }

    /// Changes the record of an item, which is made where there is none; false where there is no
    /// room for another.
    pub(crate) fn change(
        &mut self,
        class: Class,
        key: &str,
        how: impl FnOnce(&mut Record),
    ) -> bool {
        if !self.records.contains_key(key) {
            if ITEMS_MAX <= self.records.len() {
                return false;
            }
            let held: Arc<str> = key.into();
            self.order.insert(Arc::clone(&held));
            self.records.insert(held, Record::default());
        }
        let Some(record) = self.records.get_mut(key) else { return false };
        let before = record.only_owner();
        how(record);
        let after = record.only_owner();
        if before != after {
            self.owners.change(class, before, false);
            self.owners.change(class, after, true);
        }
        true
    }

    /// Notes something of an item that is no count.
    pub(crate) fn mark(&mut self, key: &str, how: impl FnOnce(&mut Record)) {
        if let Some(record) = self.records.get_mut(key) {
            how(record);
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Record> {
        let record = self.records.remove(key)?;
        self.order.remove(key);
        if let Some(class) = class_of(key) {
            self.owners.change(class, record.only_owner(), false);
        }
        Some(record)
    }

    /// Puts a hole in place of all parts of its shape below an open place; gives the keys that
    /// are no more.
    pub(crate) fn fold(&mut self, opened: &Opened) -> Vec<Arc<str>> {
        let depth = places(&opened.place).len();
        let fits = |key: &&Arc<str>| {
            let part = places(key).get(depth).and_then(|&(begin, end)| key.get(begin..end));
            part.is_some_and(|part| !part.starts_with('{') && hole(part) == opened.hole)
        };
        let gone: Vec<Arc<str>> = self.below(&opened.place).filter(fits).cloned().collect();
        for key in &gone {
            let Some(record) = self.remove(key) else { continue };
            let end = places(key).get(depth).map_or(key.len(), |&(_, end)| end);
            let rest = key.get(end..).unwrap_or_default();
            let folded = format!("{}\t{}{rest}", opened.place, opened.hole);
            if let Some(class) = class_of(key) {
                self.change(class, &folded, |into| into.absorb(&record));
            }
        }
        gone
    }

    /// Adds what another node counted; gives how many items found no room.
    pub(crate) fn merge(&mut self, other: &Self) -> u64 {
        let mut dropped = 0;
        for (key, record) in other.iter() {
            let is_kept = class_of(key)
                .is_some_and(|class| self.change(class, key, |ours| ours.merge(record)));
            dropped += u64::from(!is_kept);
        }
        dropped
    }
}

impl Owners {
    fn change(&mut self, class: Class, owner: Option<UnitId>, is_more: bool) {
        let Some(unit) = owner else { return };
        let step = |count: &mut u64| {
            *count = if is_more { count.saturating_add(1) } else { count.saturating_sub(1) };
        };
        step(self.items.entry(class).or_default());
        let of_unit = self.of_unit.entry((class, unit)).or_default();
        let before = *of_unit;
        *of_unit = if is_more { before.saturating_add(1) } else { before.saturating_sub(1) };
        let after = *of_unit;
        if after == 0 {
            self.of_unit.remove(&(class, unit));
        }
        if (before == 0) != (after == 0) {
            step(self.units.entry(class).or_default());
        }
    }
}

fn class_of(key: &str) -> Option<Class> {
    Class::from_name(key.split('\t').next()?)
}

impl PartialEq for Items {
    fn eq(&self, other: &Self) -> bool {
        self.records == other.records
    }
}

impl Serialize for Items {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let records = BTreeMap::<String, Record>::deserialize(deserializer)?;
        let mut items = Self::default();
        for (key, record) in records {
            let Some(item) = Item::of_key(&key) else {
                return Err(D::Error::custom(format!("`{key}` is no item of a profile")));
            };
            if !record.is_whole() {
                return Err(D::Error::custom(format!(
                    "the counts of `{key}` contradict one another"
                )));
            }
            items.change(item.class, &key, |into| *into = record);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Replica;

    const fn unit(slice: u32) -> UnitId {
        UnitId { slice, replica: Replica(1) }
    }

    fn add(items: &mut Items, key: &str, slice: u32) {
        assert!(items.change(Class::File, key, |record| record.add(unit(slice))));
    }

    #[test]
    fn a_unit_owns_what_no_other_has_until_another_has_it_too() {
        let mut items = Items::default();
        add(&mut items, "file\tp\tread\ta", 1);
        add(&mut items, "file\tp\tread\tb", 1);
        assert_eq!(items.owners(Class::File), 1);
        add(&mut items, "file\tp\tread\tc", 2);
        assert_eq!(items.owners(Class::File), 2);
        add(&mut items, "file\tp\tread\ta", 2);
        add(&mut items, "file\tp\tread\tb", 2);
        assert_eq!(items.owners(Class::File), 1);
        items.change(Class::File, "file\tp\tread\ta", |record| {
            record.subtract(unit(2));
        });
        assert_eq!(items.owners(Class::File), 2);
    }

    #[test]
    fn items_below_an_open_place_become_one_and_others_stay() {
        let mut items = Items::default();
        for (slice, name) in (1..).zip(["a", "b", "c"]) {
            add(&mut items, &format!("file\tp\tread\ttmp\t{name}"), slice);
        }
        add(&mut items, "file\tp\tread\ttmp\ta.sh", 1);
        let place = "file\tp\tread\ttmp".to_owned();
        assert_eq!(items.fold(&Opened { place, hole: "{word}".into() }).len(), 3);
        let keys: Vec<_> = items.iter().map(|(key, record)| (&**key, record.units)).collect();
        assert_eq!(keys, [("file\tp\tread\ttmp\ta.sh", 1), ("file\tp\tread\ttmp\t{word}", 3)]);
        assert_eq!(items.owners(Class::File), 1);
    }

    #[test]
    fn a_file_with_a_key_or_count_that_cannot_be_is_refused() {
        let read = |text: &str| serde_json::from_str::<Items>(text);
        let mut items = Items::default();
        add(&mut items, "file\tp\tread\ta", 1);
        let text = serde_json::to_string(&items).unwrap();
        assert_eq!(read(&text).unwrap(), items);
        assert!(read(&text.replace("file\\t", "spoon\\t")).is_err());
        assert!(read(&text.replace("\"units\":1", "\"units\":0")).is_err());
        assert!(read(text.get(..text.len() / 2).unwrap()).is_err());
    }

    #[test]
    fn at_most_items_max_items_are_learned() {
        let mut items = Items::default();
        for number in 0..ITEMS_MAX {
            items.change(Class::File, &format!("file\tp\tread\t{number}"), |_| {});
        }
        assert!(!items.change(Class::File, "file\tp\tread\tx", |_| {}));
        assert!(items.change(Class::File, "file\tp\tread\t7", |_| {}));
        assert_eq!(items.len(), ITEMS_MAX);
    }
}
