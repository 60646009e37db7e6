//! What is counted of one item, so that it can be added, merged and taken back.
//!
//! The last eight units are kept by name. As long as an item was in no more than eight, who saw it
//! is known exactly and any of them can be subtracted; beyond that it is a custom that one unit
//! more or less does not change.

use serde::{Deserialize, Serialize};

use crate::unit::{Replica, UnitId};

/// Units of an item that are kept by name.
pub const SIGHTINGS_MAX: usize = 8;
/// So many replicas make an item normal.
const REPLICAS: usize = 2;
/// Or so many lifetimes: lives of replicas, and days of one that lives on.
pub const LIFETIMES: usize = 3;
/// An item that nobody saw for so many slices (30 days) is on probation.
const PROBATION_SLICES: u32 = 30 * 144;

/// How often an item was seen, when and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Units that contain it.
    pub units: u64,
    /// First slice in which it was seen.
    pub first: u32,
    /// Last slice in which it was seen.
    pub last: u32,
    /// The newest units, ascending; at most [`SIGHTINGS_MAX`].
    pub sightings: Vec<UnitId>,
    /// Replicas with the days on which they had it, ascending; the first [`LIFETIMES`], which
    /// are the same in whatever order they are put together.
    pub lifetimes: Vec<(Replica, u32)>,
    /// With how many bits it was told last; 0 where it was not.
    pub told_bits: u8,
    /// The replica from which it was taken back last, where it is telling: that one does not
    /// vouch for it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspect: Option<Replica>,
}

impl Record {
    /// Counts a unit. For requests the same unit counts many times.
    pub fn add(&mut self, unit: UnitId) {
        if self.units == 0 {
            (self.first, self.last) = (unit.slice, unit.slice);
        }
        self.units = self.units.saturating_add(1);
        self.first = self.first.min(unit.slice);
        self.last = self.last.max(unit.slice);
        self.keep(unit);
        self.live(unit.replica, unit.day());
    }

    /// Takes a unit back, where it is one of those kept by name; true where it was.
    pub fn subtract(&mut self, unit: UnitId) -> bool {
        let Ok(place) = self.sightings.binary_search(&unit) else { return false };
        let is_exact = self.units <= self.sightings.len() as u64;
        // Of a custom the last name stays: it is as good as those that are not known any more.
        if is_exact || 1 < self.sightings.len() {
            self.sightings.remove(place);
        }
        self.units = self.units.saturating_sub(1);
        if is_exact {
            self.lifetimes.clear();
            let left = self.sightings.clone();
            left.iter().for_each(|unit| self.live(unit.replica, unit.day()));
        }
        true
    }

    /// Adds what another node counted of the same item, in other units.
    pub fn merge(&mut self, other: &Self) {
        if other.units != 0 {
            let is_first = self.units == 0;
            self.first = if is_first { other.first } else { self.first.min(other.first) };
            self.last = self.last.max(other.last);
        }
        self.units = self.units.saturating_add(other.units);
        other.sightings.iter().for_each(|unit| self.keep(*unit));
        other.lifetimes.iter().for_each(|(replica, day)| self.live(*replica, *day));
        self.told_bits = self.told_bits.max(other.told_bits);
        self.suspect = self.suspect.max(other.suspect);
    }

    /// Adds an item that is now the same as this one; a unit that has both counts once, as far as
    /// it is known by name.
    pub(crate) fn absorb(&mut self, other: &Self) {
        let both = other.sightings.iter().filter(|unit| self.sightings.contains(unit)).count();
        self.merge(other);
        self.units = self.units.saturating_sub(both as u64);
    }

    /// The unit that alone has it.
    #[must_use]
    pub fn only_owner(&self) -> Option<UnitId> {
        if self.units == 1 { self.sightings.first().copied() } else { None }
    }

    /// True where it counts as what the workload does: enough agree, and it was seen lately.
    #[must_use]
    pub fn is_normal(&self, now: u32) -> bool {
        self.is_agreed() && now.saturating_sub(self.last) < PROBATION_SLICES
    }

    /// False for counts that no sequence of sightings gives: a file that was edited by hand.
    pub(crate) fn is_whole(&self) -> bool {
        self.sightings.len() <= SIGHTINGS_MAX
            && self.lifetimes.len() <= LIFETIMES
            && self.sightings.is_sorted()
            && self.lifetimes.is_sorted()
            && self.first <= self.last
            && (self.units == 0) == self.sightings.is_empty()
    }

    fn keep(&mut self, unit: UnitId) {
        let Err(place) = self.sightings.binary_search(&unit) else { return };
        self.sightings.insert(place, unit);
        if SIGHTINGS_MAX < self.sightings.len() {
            self.sightings.remove(0);
        }
    }

    fn live(&mut self, replica: Replica, day: u32) {
        let Err(place) = self.lifetimes.binary_search(&(replica, day)) else { return };
        self.lifetimes.insert(place, (replica, day));
        self.lifetimes.truncate(LIFETIMES);
    }

    /// Where fewer than [`LIFETIMES`] are known, those are all, and so are their replicas.
    fn is_agreed(&self) -> bool {
        LIFETIMES <= self.lifetimes.len() || REPLICAS <= self.replicas()
    }

    /// How many replicas had it, as far as counted: at least one where any did.
    #[must_use]
    pub fn replicas(&self) -> usize {
        self.lifetimes.chunk_by(|a, b| a.0 == b.0).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn unit(slice: u32, replica: u64) -> UnitId {
        UnitId { slice, replica: Replica(replica) }
    }

    fn of(units: &[UnitId]) -> Record {
        let mut record = Record::default();
        units.iter().for_each(|unit| record.add(*unit));
        record
    }

    #[test]
    fn two_replicas_or_three_lifetimes_make_an_item_normal() {
        assert!(!of(&[unit(1, 1), unit(2, 1), unit(3, 1)]).is_normal(3));
        assert!(of(&[unit(1, 1), unit(1, 2)]).is_normal(3));
        assert!(!of(&[unit(1, 1), unit(144, 1)]).is_normal(144));
        assert!(of(&[unit(1, 1), unit(144, 1), unit(288, 1)]).is_normal(288));
    }

    #[test]
    fn what_nobody_saw_for_thirty_days_is_on_probation() {
        let record = of(&[unit(1, 1), unit(1, 2)]);
        assert!(record.is_normal(PROBATION_SLICES));
        assert!(!record.is_normal(PROBATION_SLICES + 1));
    }

    #[test]
    fn a_unit_that_is_taken_back_leaves_nothing() {
        let mut record = of(&[unit(1, 1), unit(1, 2)]);
        assert!(record.subtract(unit(1, 2)));
        assert!(!record.subtract(unit(1, 2)));
        assert!(!record.is_normal(1));
        assert_eq!((record.units, record.only_owner()), (1, Some(unit(1, 1))));
    }

    #[test]
    fn at_most_sightings_max_units_are_kept_by_name_and_counters_stop_at_their_end() {
        let mut record = of(&(0..20).map(|slice| unit(slice, 1)).collect::<Vec<_>>());
        assert_eq!((record.units, record.sightings.len()), (20, SIGHTINGS_MAX));
        record.units = u64::MAX;
        record.add(unit(30, 1));
        assert_eq!(record.units, u64::MAX);
        let other = record.clone();
        record.merge(&other);
        assert_eq!(record.units, u64::MAX);
    }
}
