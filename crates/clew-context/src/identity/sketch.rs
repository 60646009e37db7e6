//! Which of many things were seen, in little room.
//!
//! The smallest hashes are kept (a bottom-k sketch): exact up to its bound, an estimate beyond, and
//! the same whatever the order. Beyond its bound it cannot say that a thing is new, so it says that
//! none is: whoever uses so many of a kind is not told apart by one more.

use std::hash::Hasher as _;

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

/// The smallest hashes of what was seen, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sketch {
    hashes: Vec<u32>,
    is_over: bool,
}

impl Sketch {
    /// Adds one; keeps at most `max`.
    pub(super) fn add(&mut self, hash: u32, max: usize) {
        let Err(place) = self.hashes.binary_search(&hash) else { return };
        if max <= self.hashes.len() {
            self.is_over = true;
            if place == self.hashes.len() {
                return;
            }
            self.hashes.pop();
        }
        self.hashes.insert(place, hash);
    }

    /// Adds all of another.
    pub(super) fn merge(&mut self, other: &Self, max: usize) {
        self.hashes.extend_from_slice(&other.hashes);
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.is_over |= other.is_over || max < self.hashes.len();
        self.hashes.truncate(max);
    }

    /// False where it was seen, and where too many were seen to know.
    pub(super) fn is_new(&self, hash: u32) -> bool {
        !self.is_over && self.hashes.binary_search(&hash).is_err()
    }

    /// How many different ones were seen; beyond the bound an estimate.
    pub(super) fn distinct(&self) -> u64 {
        let kept = self.hashes.len() as u64;
        match self.hashes.last() {
            Some(&largest) if self.is_over => {
                ((kept.saturating_sub(1)) << 32) / u64::from(largest).max(1)
            }
            Some(_) | None => kept,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// How many hashes are kept, for figures of memory.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.hashes.len()
    }
}

/// A hash whose bits are all as good as any other.
pub(super) fn hash64(parts: &[&[u8]]) -> u64 {
    let mut hasher = FxHasher::default();
    for part in parts {
        hasher.write(part);
        hasher.write_usize(part.len());
    }
    // The last steps of splitmix64: FxHash alone leaves patterns.
    let mut hash = hasher.finish();
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The upper half of [`hash64`].
pub(super) fn hash32(parts: &[&[u8]]) -> u32 {
    u32::try_from(hash64(parts) >> 32).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u32, max: usize) -> Sketch {
        let mut sketch = Sketch::default();
        for number in 0..count {
            sketch.add(hash32(&[&number.to_le_bytes()]), max);
        }
        sketch
    }

    #[test]
    fn a_sketch_is_exact_up_to_its_bound_and_near_beyond() {
        assert_eq!(of(20, 32).distinct(), 20);
        assert_eq!(of(32, 32).distinct(), 32);
        let many = of(10_000, 32).distinct();
        assert!((5_000..20_000).contains(&many), "{many}");
        assert_eq!(of(10_000, 32).kept(), 32);
    }

    #[test]
    fn nothing_is_new_to_a_sketch_that_is_over() {
        let other = hash32(&[b"other"]);
        assert!(of(32, 32).is_new(other));
        assert!(!of(33, 32).is_new(other));
    }

    #[test]
    fn order_does_not_matter() {
        let mut backward = Sketch::default();
        for number in (0..100_u32).rev() {
            backward.add(hash32(&[&number.to_le_bytes()]), 32);
        }
        assert_eq!(backward, of(100, 32));
    }
}
