//! Which things were seen, and how numbers spread, in little room.
//!
//! Both sketches give the same whatever the order, and say how much they do not know: a [`Seen`]
//! beyond its bound calls nothing new, and a [`Spread`] rounds to a quarter of an octave.

use std::hash::Hasher as _;

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

/// A hash whose bits are all as good as any other.
pub(super) fn hash64(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    hasher.write_usize(bytes.len());
    mix(hasher.finish(), 0)
}

/// The upper half of [`hash64`].
pub(super) fn hash32(bytes: &[u8]) -> u32 {
    fold(hash64(bytes))
}

/// The upper half of a hash.
pub(super) fn fold(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(u32::MAX)
}

/// Two hashes as one; their order counts. The last steps of splitmix64.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut hash = a.rotate_left(23) ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The smallest `MAX` hashes of what was seen, ascending (a bottom-k sketch).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen<const MAX: usize> {
    hashes: Vec<u32>,
    is_over: bool,
}

impl<const MAX: usize> Seen<MAX> {
    /// Adds one; true where it was certainly new.
    pub(super) fn add(&mut self, hash: u32) -> bool {
        let Err(place) = self.hashes.binary_search(&hash) else { return false };
        let is_new = !self.is_over;
        if MAX <= self.hashes.len() {
            self.is_over = true;
            if place == self.hashes.len() {
                return is_new;
            }
            self.hashes.pop();
        }
        self.hashes.insert(place, hash);
        is_new
    }

    /// False only where it was certainly never seen.
    pub(super) fn may_have(&self, hash: u32) -> bool {
        self.is_over || self.hashes.binary_search(&hash).is_ok()
    }

    /// How many different ones were seen; beyond the bound an estimate.
    pub(super) fn distinct(&self) -> u64 {
        let kept = self.hashes.len() as u64;
        match self.hashes.last() {
            Some(&largest) if self.is_over => {
                (kept.saturating_sub(1) << 32) / u64::from(largest).max(1)
            }
            Some(_) | None => kept,
        }
    }

    /// The hashes that are kept.
    pub(super) fn kept(&self) -> &[u32] {
        &self.hashes
    }

    /// How many hundredths of what either has seen both have seen (Jaccard), estimated from the
    /// smallest hashes of the two together.
    pub(super) fn likeness_percent<const OTHER: usize>(&self, other: &Seen<OTHER>) -> usize {
        let (mut own, mut others) = (self.hashes.as_slice(), other.hashes.as_slice());
        let (mut both, mut shared) = (0, 0);
        while both < MAX.min(OTHER) {
            let (first, second) = (own.first(), others.first());
            let Some(least) = first.into_iter().chain(second).min() else { break };
            let (is_own, is_others) = (first == Some(least), second == Some(least));
            shared += usize::from(is_own && is_others);
            both += 1;
            own = own.get(usize::from(is_own)..).unwrap_or_default();
            others = others.get(usize::from(is_others)..).unwrap_or_default();
        }
        (shared * 100).checked_div(both).unwrap_or(0)
    }
}

/// How numbers spread: a count for each quarter of an octave, so at most 256.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spread {
    /// Quarter and count, ascending.
    counts: Vec<(u8, u32)>,
    total: u32,
}

/// `4 * log2`, and the two bits below the highest.
fn quarter(value: u64) -> u8 {
    let Some(octave) = value.checked_ilog2() else { return 0 };
    let below = if octave < 2 { value << (2 - octave) } else { value >> (octave - 2) } & 3;
    u8::try_from(u64::from(octave) * 4 + below).unwrap_or(u8::MAX)
}

impl Spread {
    pub(super) fn add(&mut self, value: u64) {
        let quarter = quarter(value);
        self.total = self.total.saturating_add(1);
        match self.counts.binary_search_by_key(&quarter, |&(known, _)| known) {
            Ok(place) => {
                if let Some((_, count)) = self.counts.get_mut(place) {
                    *count = count.saturating_add(1);
                }
            }
            Err(place) => self.counts.insert(place, (quarter, 1)),
        }
    }

    pub(super) const fn total(&self) -> u32 {
        self.total
    }

    /// How many were `value` or more, as far as quarters tell.
    pub(super) fn at_least(&self, value: u64) -> u32 {
        let least = quarter(value);
        self.counts.iter().filter(|(known, _)| least <= *known).map(|(_, count)| count).sum()
    }

    /// How many were `value` or less, as far as quarters tell.
    pub(super) fn at_most(&self, value: u64) -> u32 {
        let most = quarter(value);
        self.counts.iter().filter(|(known, _)| *known <= most).map(|(_, count)| count).sum()
    }

    /// Lower bounds of the lowest and the highest quarter that was seen.
    pub(super) fn range(&self) -> Option<(u64, u64)> {
        let bound = |&(quarter, _): &(u8, u32)| {
            let (octave, below) = (u32::from(quarter / 4), u64::from(quarter % 4));
            if octave < 2 { (4 + below) >> (2 - octave) } else { (4 + below) << (octave - 2) }
        };
        Some((self.counts.first().map(bound)?, self.counts.last().map(bound)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(numbers: std::ops::Range<u32>) -> Seen<64> {
        let mut seen = Seen::default();
        for number in numbers {
            seen.add(hash32(&number.to_le_bytes()));
        }
        seen
    }

    #[test]
    fn counts_exactly_within_its_bound_and_nearly_beyond() {
        assert_eq!(seen(0..64).distinct(), 64);
        let many = seen(0..10_000).distinct();
        assert!((6_000..16_000).contains(&many), "{many}");
        assert_eq!(seen(0..10_000).kept().len(), 64);
        assert!(seen(0..10_000).may_have(1) && !seen(0..10).may_have(1));
    }

    #[test]
    fn likeness_is_what_both_have_of_what_either_has() {
        assert_eq!(seen(0..20).likeness_percent(&seen(0..20)), 100);
        assert_eq!(seen(0..20).likeness_percent(&seen(10..20)), 50);
        assert_eq!(seen(0..20).likeness_percent(&seen(20..40)), 0);
        let far = seen(0..10_000).likeness_percent(&seen(5_000..15_000));
        assert!((15..55).contains(&far), "{far}");
    }

    #[test]
    fn a_spread_tells_its_tails_by_quarters_of_an_octave() {
        let mut spread = Spread::default();
        for value in 0..1000 {
            spread.add(value);
        }
        assert_eq!((spread.total(), spread.at_least(1024), spread.at_most(0)), (1000, 0, 2));
        assert!((230..260).contains(&spread.at_least(768)), "{}", spread.at_least(768));
        assert_eq!(spread.range(), Some((1, 896)));
        spread.add(u64::MAX);
        assert_eq!(spread.at_least(u64::MAX), 1);
    }
}
