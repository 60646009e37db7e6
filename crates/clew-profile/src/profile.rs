//! What one image of one workload was seen to do: items, units, and how far each class is learned.
//!
//! Everything is counted by unit. A unit whose workload a rule or story holds under suspicion is
//! taken back and not learned; what one unit may teach at most is bounded, so a flood of novelty
//! is a finding and no knowledge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clew_event::TimestampNs;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::estimate::Sample;
use crate::item::Item;
use crate::items::Items;
use crate::learning::{Kept, Kind, Learning};
use crate::phases::Phases;
use crate::prior;
use crate::record::Record;
use crate::tree::Tree;
use crate::unit::{Replica, UnitId};

/// Most new items that one unit teaches.
pub const NOVELTY_OF_UNIT_MAX: u32 = 2_048;
/// Most replicas whose unit goes on; the one that is longest silent ends first.
pub const OPEN_UNITS_MAX: usize = 1_024;
/// What only units under suspicion showed, and is as telling as this anywhere, is not learned from
/// their replica again: who was attacked does not vouch for what he did then, but another replica
/// or the next life may.
const SUSPECT_BITS: f64 = 3.0;
/// Most units under suspicion that are remembered after they ended.
pub const QUARANTINED_MAX: usize = 256;

/// A profile: one workload with one image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    pub(crate) items: Items,
    pub(crate) tree: Tree,
    pub(crate) classes: BTreeMap<Class, Learning>,
    pub(crate) open: BTreeMap<Replica, OpenUnit>,
    /// Units, those that go on too.
    pub(crate) units: u64,
    /// Units that were taken back, the newest last.
    quarantined: BTreeSet<UnitId>,
    /// What of the clock and of a life was seen.
    pub phases: Phases,
    /// What was not learned for want of room, or beyond what a unit may teach.
    pub dropped: u64,
}

/// A unit that goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenUnit {
    pub(crate) id: UnitId,
    #[serde(serialize_with = "crate::sorted_set")]
    seen: FxHashSet<Arc<str>>,
    novelties: u32,
    /// Greatest surprise of each class, in whole bits.
    scores: BTreeMap<Class, u8>,
    /// Classes of which it showed something that no unit had before.
    #[serde(default)]
    fresh: BTreeSet<Class>,
    pub(crate) is_quarantined: bool,
    /// How much was told of it.
    pub(crate) told: u32,
    phases: Phases,
    /// When it was last heard of.
    last: TimestampNs,
}

/// Where in the life of what an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The replica that acts.
    pub replica: Replica,
    /// When.
    pub time: TimestampNs,
    /// True in the first minute of the replica.
    pub is_start: bool,
}

/// How a profile knows an item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Known {
    /// It was met in this unit before.
    Met,
    /// It is normal.
    Normal,
    /// It is new or not agreed on yet; under this key.
    New { key: String, kind: Kind },
}

impl Profile {
    /// Begins the unit of that moment, where it has not begun; true where another ended with it.
    pub(crate) fn enter(&mut self, moment: Moment) -> bool {
        let id = UnitId::at(moment.replica, moment.time);
        let open = self.open.get_mut(&moment.replica).map(|open| {
            open.phases.see(moment.time, moment.is_start);
            open.last = open.last.max(moment.time);
            open.id
        });
        // A late event belongs to the unit that goes on.
        if open.is_some_and(|open| id.slice <= open.slice) {
            return false;
        }
        let has_ended = open.is_some();
        self.leave(moment.replica);
        if self.open.len() == OPEN_UNITS_MAX {
            let silent = self.open.values().min_by_key(|open| (open.last, open.id));
            let silent = silent.map(|open| open.id.replica);
            silent.into_iter().for_each(|replica| self.leave(replica));
        }
        self.units = self.units.saturating_add(1);
        let mut unit = OpenUnit { id, last: moment.time, ..OpenUnit::default() };
        unit.phases.see(moment.time, moment.is_start);
        self.open.insert(moment.replica, unit);
        has_ended
    }

    /// Ends the unit of a replica, where one goes on.
    pub(crate) fn leave(&mut self, replica: Replica) {
        let past = Class::ALL.map(|class| (class, self.past(class, replica)));
        let Some(open) = self.open.remove(&replica) else { return };
        if open.is_quarantined {
            return;
        }
        for (class, past) in past.into_iter().filter(|(class, _)| !class.is_of_requests()) {
            if let Some(learning) = self.classes.get_mut(&class) {
                learning.compare(past, open.fresh.contains(&class));
            }
        }
        self.phases.merge(open.phases);
        for class in Class::ALL {
            let sample = self.sample(class);
            if let Some(learning) = self.classes.get_mut(&class) {
                learning.close(sample, open.scores.get(&class).copied().unwrap_or_default());
            }
        }
    }

    /// The replica stopped.
    pub(crate) fn stop(&mut self, replica: Replica) {
        self.phases.has_stopped |= self.open.contains_key(&replica);
        self.leave(replica);
    }

    /// How the profile knows an item, by its key as it came.
    pub(crate) fn known(&self, class: Class, raw: (&str, usize), moment: Moment) -> Known {
        let open = self.open.get(&moment.replica).filter(|_| !class.is_of_requests());
        let is_met = |key: &str| open.is_some_and(|open| open.seen.contains(key));
        // Most events repeat what their unit did before, and cost one look-up in what that unit
        // did, however much the profile holds.
        if is_met(raw.0) {
            return Known::Met;
        }
        let mut resolved = String::new();
        let key = self.resolve(raw, &mut resolved);
        if is_met(key) {
            return Known::Met;
        }
        let now = UnitId::at(moment.replica, moment.time).slice;
        if self.items.get(key).is_some_and(|record| record.is_normal(now)) {
            return Known::Normal;
        }
        Known::New { key: key.to_owned(), kind: self.kind(class, key) }
    }

    fn resolve<'a>(&self, raw: (&'a str, usize), resolved: &'a mut String) -> &'a str {
        let is_as_it_came =
            self.items.get(raw.0).is_some() || !self.tree.resolve(raw.0, raw.1, resolved);
        if is_as_it_came { raw.0 } else { resolved }
    }

    fn kind(&self, class: Class, key: &str) -> Kind {
        let place = key.rsplit_once('\t').map_or(key, |(place, _)| place);
        let who = Item::of_key(key).map_or("", |item| item.who);
        if self.items.has_below(place) {
            Kind::Near
        } else if self.items.has_below(&format!("{}\t{who}", class.name())) {
            Kind::Far
        } else {
            Kind::Stranger
        }
    }

    /// Counts an item in the unit that goes on, where that may teach; true where it is learned
    /// now, and was not in this unit before.
    pub(crate) fn learn(&mut self, class: Class, raw: (&str, usize), moment: Moment) -> bool {
        let mut resolved = String::new();
        let key = self.resolve(raw, &mut resolved).to_owned();
        let is_request = class.is_of_requests();
        let learning = self.classes.entry(class).or_default();
        if is_request {
            learning.requests = learning.requests.saturating_add(1);
        }
        let Some(open) = self.open.get_mut(&moment.replica) else { return false };
        let is_met = open.seen.contains(key.as_str());
        if open.is_quarantined || is_met && !is_request {
            return false;
        }
        let record = self.items.get(&key);
        if record.is_some_and(|record| record.suspect == Some(moment.replica)) {
            return false;
        }
        let is_new = record.is_none_or(|record| record.units == 0);
        if is_new && NOVELTY_OF_UNIT_MAX <= open.novelties {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        }
        let unit = open.id;
        let kind = is_new.then(|| self.kind(class, &key));
        if !self.items.change(class, &key, |record| record.add(unit)) {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        }
        if let (Some(kind), Some(learning)) = (kind, self.classes.get_mut(&class)) {
            learning.count_kind(kind);
        }
        if let (Some(held), Some(open)) =
            (self.items.held(&key), self.open.get_mut(&moment.replica))
        {
            open.seen.insert(held);
            open.novelties = open.novelties.saturating_add(u32::from(is_new));
            if is_new {
                open.fresh.insert(class);
            }
        }
        if !is_met {
            self.generalize((&key, raw.1), unit, is_new);
        }
        true
    }

    fn generalize(&mut self, (key, fixed): (&str, usize), unit: UnitId, is_new: bool) {
        for opened in self.tree.draw(key, fixed, unit, is_new) {
            for gone in self.items.fold(&opened) {
                self.tree.forget_below(&gone, &opened.place);
            }
        }
    }

    /// Notes how surprising an item of the unit that goes on was, for calibration.
    pub(crate) fn note(&mut self, class: Class, replica: Replica, bits: u8) {
        if let Some(open) = self.open.get_mut(&replica) {
            let score = open.scores.entry(class).or_default();
            *score = (*score).max(bits.max(1));
        }
    }

    /// Remembers that an item was told, and when, so that it is not told again until it is worth
    /// more, and is learned from later units only.
    pub(crate) fn mark_told(&mut self, class: Class, key: &str, bits: u8, slice: u32) {
        self.items.change(class, key, |record| {
            record.told_bits = record.told_bits.max(bits);
            record.last = record.last.max(slice);
        });
    }

    /// Takes back what the unit of a replica taught that goes on, and learns no more from it.
    pub(crate) fn quarantine(&mut self, replica: Replica) -> bool {
        let Some(open) = self.open.get_mut(&replica) else { return false };
        if open.is_quarantined {
            return false;
        }
        open.is_quarantined = true;
        let (unit, seen) = (open.id, std::mem::take(&mut open.seen));
        // In any order: each is taken back by itself.
        seen.iter().for_each(|key| self.subtract(key, unit));
        self.set_aside(unit);
        true
    }

    /// Takes back what a unit of the past taught, as far as it is known by name; true where
    /// anything was.
    pub fn retract(&mut self, unit: UnitId) -> bool {
        if self.open.get(&unit.replica).is_some_and(|open| open.id == unit) {
            return self.quarantine(unit.replica);
        }
        if self.quarantined.contains(&unit) {
            return false;
        }
        let owns = |record: &Record| record.sightings.contains(&unit);
        let keys = self.items.iter().filter(|(_, record)| owns(record));
        let keys: Vec<Arc<str>> = keys.map(|(key, _)| Arc::clone(key)).collect();
        keys.iter().for_each(|key| self.subtract(key, unit));
        if !keys.is_empty() {
            self.set_aside(unit);
        }
        !keys.is_empty()
    }

    fn subtract(&mut self, key: &str, unit: UnitId) {
        if let Some(class) = Item::of_key(key).map(|item| item.class) {
            self.items.change(class, key, |record| {
                record.subtract(unit);
            });
        }
        let Some(record) = self.items.get(key).filter(|record| record.units == 0) else { return };
        let is_told = record.told_bits != 0;
        if !self.suspect(key, unit.replica) && !is_told {
            // What nobody did and nobody was told of is not known.
            self.items.remove(key);
        }
    }

    /// Where the item is telling, the replica is not heard about it any more; false where not.
    fn suspect(&mut self, key: &str, replica: Replica) -> bool {
        let is_telling = Item::of_key(key).is_some_and(|it| SUSPECT_BITS <= prior::bits(&it));
        if is_telling {
            self.items.mark(key, |record| record.suspect = Some(replica));
        }
        is_telling
    }

    fn set_aside(&mut self, unit: UnitId) {
        // What was told of it and therefore not learned yet.
        let told = self.items.iter().filter(|(_, record)| {
            record.units == 0 && record.told_bits != 0 && record.last == unit.slice
        });
        let told: Vec<Arc<str>> = told.map(|(key, _)| Arc::clone(key)).collect();
        for key in told {
            self.suspect(&key, unit.replica);
        }
        self.tree.retract(unit);
        self.units = self.units.saturating_sub(1);
        self.quarantined.insert(unit);
        if QUARANTINED_MAX < self.quarantined.len() {
            self.quarantined.pop_first();
        }
    }

    /// What is known of how complete a class is.
    #[must_use]
    pub fn sample(&self, class: Class) -> Sample {
        let requests = || self.classes.get(&class).map_or(0, |learning| learning.requests);
        let units = if class.is_of_requests() { requests() } else { self.units };
        Sample { units, owners: self.items.owners(class) }
    }

    /// The same without the unit of a replica that goes on: what it is compared with.
    pub(crate) fn past(&self, class: Class, replica: Replica) -> Sample {
        let sample = self.sample(class);
        let Some(open) = self.open.get(&replica).filter(|open| !open.is_quarantined) else {
            return sample;
        };
        let own = u64::from(self.items.owns(class, open.id));
        let owners = sample.owners.saturating_sub(own);
        Sample { units: sample.units.saturating_sub(1), owners }
    }

    /// True where the promise holds: at most [`crate::estimate::UNSEEN_MAX`] of units show
    /// something new, and nothing says that the ground moves.
    #[must_use]
    pub fn is_ready(&self, class: Class) -> bool {
        let sample = self.sample(class);
        self.classes.get(&class).is_some_and(|learning| learning.is_ready(sample))
    }

    /// True while new behavior of the class comes faster than expected.
    #[must_use]
    pub fn is_drifting(&self, class: Class) -> bool {
        let sample = self.sample(class);
        self.classes.get(&class).is_some_and(|learning| learning.is_drifting(sample))
    }

    /// What was promised of the class until now, unit by unit, and what came; nothing for requests.
    #[must_use]
    pub fn kept(&self, class: Class) -> Kept {
        self.classes.get(&class).map_or_else(Kept::default, Learning::kept)
    }

    /// Every item with its record, in the order of keys.
    pub fn items(&self) -> impl Iterator<Item = (Item<'_>, &Record)> {
        self.items.iter().filter_map(|(key, record)| Some((Item::of_key(key)?, record)))
    }

    /// Units, replicas whose unit goes on, items and places below which holes may open.
    #[must_use]
    pub fn sizes(&self) -> [usize; 4] {
        let units = usize::try_from(self.units).unwrap_or(usize::MAX);
        [units, self.open.len(), self.items.len(), self.tree.len()]
    }

    /// Units that were taken back, as far as they are remembered.
    #[must_use]
    pub fn quarantined(&self) -> usize {
        self.quarantined.len()
    }

    /// Adds what another node learned of the same workload and image, from other units.
    pub fn merge(&mut self, other: &Self) {
        self.units = self.units.saturating_add(other.units);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.dropped = self.dropped.saturating_add(self.items.merge(&other.items));
        self.tree.merge(&other.tree);
        self.phases.merge(other.phases);
        for (class, learning) in &other.classes {
            self.classes.entry(*class).or_default().merge(learning);
        }
        // A replica lives on one node; where both have one, the newer unit goes on.
        for (replica, open) in &other.open {
            match self.open.get(replica) {
                Some(ours) if open.id <= ours.id => {}
                _ if self.open.len() < OPEN_UNITS_MAX => {
                    self.open.insert(*replica, open.clone());
                }
                _ => {}
            }
        }
        self.quarantined.extend(&other.quarantined);
        while QUARANTINED_MAX < self.quarantined.len() {
            self.quarantined.pop_first();
        }
        for class in Class::ALL {
            let sample = self.sample(class);
            if let Some(learning) = self.classes.get_mut(&class) {
                learning.look(sample);
            }
        }
    }

    /// False for what no learning gives: a file that was edited by hand.
    pub(crate) fn is_whole(&self) -> bool {
        self.classes.values().all(Learning::is_whole) && self.open.len() <= OPEN_UNITS_MAX
    }
}
