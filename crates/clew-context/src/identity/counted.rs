//! Which records were counted: each counts once, however often it is delivered.

use clew_event::EventId;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::sketch::hash64;

/// How many records of each half of the window are known; a repetition within the last
/// `COUNTED_MAX` to twice as many is noticed.
pub const COUNTED_MAX: usize = 16_384;

/// The newest records, by hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    new: FxHashSet<u64>,
    old: FxHashSet<u64>,
}

impl Counted {
    /// True the first time.
    pub(super) fn is_first(&mut self, event: EventId) -> bool {
        self.insert(hash64(&[&event.0.to_le_bytes()]))
    }

    /// True the first time that one of the copies under this id tells of that subject: accounts
    /// are told of one call in different words.
    pub(super) fn is_first_copy(&mut self, shared: u64, subject: u64) -> bool {
        self.insert(hash64(&[&shared.to_le_bytes(), &subject.to_le_bytes()]))
    }

    fn insert(&mut self, hash: u64) -> bool {
        if self.old.contains(&hash) || !self.new.insert(hash) {
            return false;
        }
        if COUNTED_MAX < self.new.len() {
            self.old = std::mem::take(&mut self.new);
        }
        true
    }
}

/// Both halves, each ascending.
impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sorted = |set: &FxHashSet<u64>| {
            let mut hashes: Vec<u64> = set.iter().copied().collect();
            hashes.sort_unstable();
            hashes
        };
        (sorted(&self.new), sorted(&self.old)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (new, old) = <(Vec<u64>, Vec<u64>)>::deserialize(deserializer)?;
        Ok(Self { new: new.into_iter().collect(), old: old.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_once_within_a_bounded_window() {
        let mut counted = Counted::default();
        assert!(counted.is_first(EventId(0)));
        assert!(!counted.is_first(EventId(0)));
        for id in 1..=(2 * COUNTED_MAX as u128 + 2) {
            counted.is_first(EventId(id));
            assert!(counted.new.len() <= COUNTED_MAX && counted.old.len() <= COUNTED_MAX + 1);
        }
        assert!(counted.is_first(EventId(0)));
    }
}
