//! Decides by evidence which parts of items are holes.
//!
//! Below a place (a directory, the arguments until here) stand children of several shapes. Where
//! new children keep coming, unit after unit, they are draws from an open set, and one hole stands
//! for all of that shape. Each unit gives at most [`DRAWS_OF_UNIT_MAX`] draws, so a burst is one
//! witness: who opens 500 files in a directory does not open it. What share of draws is new is
//! Good-Turing's question asked of the children.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::item::places;
use crate::shape::hole;
use crate::unit::UnitId;

/// Most places that are watched in one profile.
pub(crate) const PLACES_MAX: usize = 65_536;
/// Draws that one unit adds to the evidence about one place.
pub(crate) const DRAWS_OF_UNIT_MAX: u32 = 8;
/// Units with a new child that are kept by name.
pub(crate) const WITNESSES_MAX: usize = 8;
/// Most shapes that are told apart below one place.
pub(crate) const SHAPES_MAX: usize = 8;
/// Only so many parts at the end of an item can become holes by evidence.
const DEPTH: usize = 3;
/// New children that open a place.
const CHILDREN: u32 = 12;
/// Units with a new child that open it, where they are of several replicas.
const UNITS: usize = 3;
/// Units that open it where all are of one replica.
const UNITS_OF_ONE: usize = 6;
/// Share of draws that must be new, as one in so many.
const DRAWS_PER_CHILD: u32 = 5;

/// The places of a profile below which children were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tree {
    #[serde(serialize_with = "crate::sorted")]
    places: FxHashMap<Box<str>, Vec<Draws>>,
    open: usize,
    /// Places that were not watched for want of room.
    pub(crate) dropped: u64,
}

/// The draws of children of one shape below one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Draws {
    hole: Box<str>,
    draws: u32,
    children: u32,
    /// The newest unit that drew, and how often.
    unit: UnitId,
    of_unit: u32,
    /// Units with a new child, ascending; the last ones.
    witnesses: Vec<UnitId>,
    is_open: bool,
}

/// A place that has just opened: keys that begin so, and have a part of that shape next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) place: String,
    pub(crate) hole: String,
}

impl Tree {
    /// Writes the key with each part from number `fixed` on that stands below an open place as the
    /// hole of its shape; false where it stays as it is.
    pub(crate) fn resolve(&self, key: &str, fixed: usize, resolved: &mut String) -> bool {
        if self.open == 0 {
            return false;
        }
        resolved.clear();
        let (mut copied, mut is_changed) = (0, false);
        for (begin, end) in places(key).into_iter().skip(fixed) {
            let Some(until) = key.get(copied..begin - 1) else { return false };
            resolved.push_str(until);
            copied = begin - 1;
            let Some(part) = key.get(begin..end) else { return false };
            let Some(hole) = self.open_hole(resolved, part) else { continue };
            resolved.push('\t');
            resolved.push_str(hole);
            copied = end;
            is_changed = true;
        }
        resolved.push_str(key.get(copied..).unwrap_or_default());
        is_changed
    }

    fn open_hole(&self, place: &str, part: &str) -> Option<&str> {
        let shapes = self.places.get(place)?;
        if !shapes.iter().any(|draws| draws.is_open) {
            return None;
        }
        let hole = hole(part);
        shapes.iter().find(|draws| draws.is_open && *draws.hole == *hole).map(|it| &*it.hole)
    }

    /// Counts an item of a unit as a draw at its last places; gives those that opened.
    pub(crate) fn draw(
        &mut self,
        key: &str,
        fixed: usize,
        unit: UnitId,
        is_new: bool,
    ) -> Vec<Opened> {
        let parts = places(key);
        let first = fixed.max(parts.len().saturating_sub(DEPTH));
        let mut opened = Vec::new();
        let at_places: Vec<(usize, usize, bool)> = (first..parts.len())
            .filter_map(|at| {
                let (begin, end) = *parts.get(at)?;
                let is_last = at + 1 == parts.len();
                let is_known = key.get(..end).is_some_and(|below| self.places.contains_key(below));
                Some((begin, end, if is_last { is_new } else { !is_known }))
            })
            .collect();
        for (begin, end, is_new) in at_places {
            let (Some(place), Some(part)) = (key.get(..begin - 1), key.get(begin..end)) else {
                continue;
            };
            if !part.starts_with('{') && self.draw_at(place, hole(part), unit, is_new) {
                opened.push(Opened { place: place.to_owned(), hole: hole(part) });
            }
        }
        opened
    }

    /// True where the place opened by this draw.
    fn draw_at(&mut self, place: &str, hole: String, unit: UnitId, is_new: bool) -> bool {
        if !self.places.contains_key(place) {
            if self.places.len() == PLACES_MAX {
                self.dropped += 1;
                return false;
            }
            self.places.insert(place.into(), Vec::new());
        }
        let Some(shapes) = self.places.get_mut(place) else { return false };
        let at = match shapes.iter().position(|draws| *draws.hole == *hole) {
            Some(at) => at,
            None if shapes.len() == SHAPES_MAX => {
                self.dropped += 1;
                return false;
            }
            None => {
                shapes.push(Draws { hole: hole.into(), ..Draws::default() });
                shapes.len() - 1
            }
        };
        let Some(draws) = shapes.get_mut(at) else { return false };
        let has_opened = !draws.is_open && draws.take(unit, is_new);
        draws.is_open |= has_opened;
        self.open += usize::from(has_opened);
        has_opened
    }

    /// Takes back what a unit gave as evidence; a place that it helped to open stays open.
    pub(crate) fn retract(&mut self, unit: UnitId) {
        self.places.values_mut().flatten().for_each(|draws| draws.retract(unit));
    }

    /// Forgets the places below a key that was given up for a hole.
    pub(crate) fn forget_below(&mut self, key: &str, place: &str) {
        for (_, end) in places(key) {
            let Some(below) = key.get(..end).filter(|below| place.len() < below.len()) else {
                continue;
            };
            let gone = self.places.remove(below);
            self.open -= gone.iter().flatten().filter(|draws| draws.is_open).count();
        }
    }

    /// Adds what another node saw; what was drawn there in part counts in whole.
    pub(crate) fn merge(&mut self, other: &Self) {
        let mut theirs: Vec<_> = other.places.iter().collect();
        theirs.sort_unstable_by_key(|(place, _)| *place);
        for (place, shapes) in theirs {
            if self.places.len() == PLACES_MAX && !self.places.contains_key(place) {
                self.dropped += 1;
                continue;
            }
            let ours = self.places.entry(place.clone()).or_default();
            for draws in shapes {
                match ours.iter_mut().find(|known| known.hole == draws.hole) {
                    Some(known) => known.merge(draws),
                    None => ours.push(draws.clone()),
                }
            }
            // The first by name: the same in whatever order nodes are put together.
            ours.sort_by(|a, b| a.hole.cmp(&b.hole));
            ours.truncate(SHAPES_MAX);
        }
        self.open = self.count_open();
        self.dropped = self.dropped.saturating_add(other.dropped);
    }

    fn count_open(&self) -> usize {
        self.places.values().flatten().filter(|draws| draws.is_open).count()
    }

    /// Places that are watched.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}

impl Draws {
    /// Counts one draw; true where that is evidence enough.
    fn take(&mut self, unit: UnitId, is_new: bool) -> bool {
        if self.unit != unit {
            (self.unit, self.of_unit) = (unit, 0);
        }
        if self.of_unit == DRAWS_OF_UNIT_MAX {
            return false;
        }
        self.of_unit += 1;
        self.draws = self.draws.saturating_add(1);
        if is_new {
            self.children = self.children.saturating_add(1);
            self.witness(unit);
        }
        self.is_evidence()
    }

    fn retract(&mut self, unit: UnitId) {
        self.witnesses.retain(|witness| *witness != unit);
        if self.unit == unit {
            self.draws = self.draws.saturating_sub(self.of_unit);
            self.children = self.children.saturating_sub(self.of_unit);
            self.of_unit = 0;
        }
    }

    fn witness(&mut self, unit: UnitId) {
        let Err(place) = self.witnesses.binary_search(&unit) else { return };
        self.witnesses.insert(place, unit);
        if WITNESSES_MAX < self.witnesses.len() {
            self.witnesses.remove(0);
        }
    }

    fn is_evidence(&self) -> bool {
        let units = self.witnesses.len();
        let mut replicas: Vec<_> = self.witnesses.iter().map(|unit| unit.replica).collect();
        replicas.sort_unstable();
        replicas.dedup();
        CHILDREN <= self.children
            && self.draws <= self.children.saturating_mul(DRAWS_PER_CHILD)
            && UNITS <= units
            && (1 < replicas.len() || UNITS_OF_ONE <= units)
    }

    fn merge(&mut self, other: &Self) {
        self.draws = self.draws.saturating_add(other.draws);
        self.children = self.children.saturating_add(other.children);
        other.witnesses.iter().for_each(|unit| self.witness(*unit));
        (self.unit, self.of_unit) = (self.unit, self.of_unit).max((other.unit, other.of_unit));
        self.is_open |= other.is_open;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Replica;

    const fn unit(slice: u32, replica: u64) -> UnitId {
        UnitId { slice, replica: Replica(replica) }
    }

    fn session(number: u32) -> String {
        format!("file\tphp\twrite\ttmp\tsess-{number}x")
    }

    #[test]
    fn a_place_opens_where_new_children_keep_coming_from_replicas() {
        let mut tree = Tree::default();
        let mut opened = Vec::new();
        for number in 0..60 {
            let from = unit(number / 10, u64::from(number / 10 % 2));
            opened.extend(tree.draw(&session(number), 0, from, true));
        }
        let hole = Opened { place: "file\tphp\twrite\ttmp".into(), hole: "{word}".into() };
        assert_eq!(opened, [hole]);
        let mut resolved = String::new();
        assert!(tree.resolve(&session(999), 0, &mut resolved));
        assert_eq!(resolved, "file\tphp\twrite\ttmp\t{word}");
        assert!(!tree.resolve("file\tphp\twrite\ttmp\tx.sh", 0, &mut resolved), "another shape");
        assert!(!tree.resolve(&session(999), 2, &mut resolved), "a fixed part");
    }

    #[test]
    fn five_hundred_files_of_one_unit_open_nothing() {
        let mut tree = Tree::default();
        for number in 0..500 {
            assert_eq!(tree.draw(&session(number), 0, unit(7, 1), true), []);
        }
    }

    #[test]
    fn a_unit_that_is_taken_back_is_no_witness() {
        let (mut taken, mut opened) = (Tree::default(), 0);
        for number in 0..60 {
            let from = unit(number / 10, u64::from(number / 10 % 2));
            opened += taken.draw(&session(number), 0, from, true).len();
            taken.retract(from);
        }
        assert_eq!(opened, 0);
    }

    #[test]
    fn files_that_all_units_use_open_nothing() {
        let mut tree = Tree::default();
        for from in 0..50 {
            for number in 0..40 {
                let is_new = from == 0;
                assert_eq!(tree.draw(&session(number), 0, unit(from, u64::from(from)), is_new), []);
            }
        }
    }

    #[test]
    fn at_most_places_max_places_of_shapes_max_shapes_are_watched() {
        let mut tree = Tree::default();
        for number in 0..PLACES_MAX + 10 {
            tree.draw(&format!("exec\ta\tb\tc{number}\td"), 1, unit(1, 1), true);
        }
        assert_eq!((tree.len(), tree.dropped), (PLACES_MAX, 10));
        for extension in 0..SHAPES_MAX + 3 {
            tree.draw(&format!("exec\ta\tb\tc1\td.x{extension}"), 1, unit(1, 1), true);
        }
        assert_eq!(tree.dropped, 10 + 4);
    }

    #[test]
    fn no_unit_draws_more_than_its_part_and_witnesses_are_bounded() {
        let mut draws = Draws::default();
        for number in 0..1000 {
            draws.take(unit(number / 20, 1), true);
        }
        assert_eq!(draws.draws, 50 * DRAWS_OF_UNIT_MAX);
        assert_eq!(draws.witnesses.len(), WITNESSES_MAX);
    }
}
