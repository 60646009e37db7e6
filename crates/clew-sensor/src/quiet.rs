//! Opens and connects that no rule can match, whoever makes them: asked once, then kept back by the
//! kernel.
//!
//! The kernel is told a key, which holds everything that the verdict depends on. What was told
//! counts in its generation only, which a change of rules raises.

mod key;

use std::collections::BTreeMap;
use std::ops::Bound;

use clew_event::interest::QuietVerdict;
use clew_event::{Event, EventType, Text, TimestampNs};
use clew_wire::limits::QUIET_UNLESS_CLIMBING;
use clew_wire::record::QuietMark;
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use self::key::Key;

/// Verdicts remembered, so that a path that rules do ask for is judged once; all are forgotten
/// when there are more.
pub(crate) const VERDICTS_MAX: usize = 16_384;

/// How often it is looked whether a mark had to make room for others: each look is a system call.
const LOOK_SPAN_NS: u64 = 100_000_000;

/// Calls of one key that the kernel kept back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quieted {
    /// The call.
    pub event_type: EventType,
    /// Of an open its access mode and `O_DIRECTORY`, else 0.
    pub flags: u32,
    /// What every one of them returned; 0 for an open, whose descriptor is not kept.
    pub result: i32,
    /// The opened file as its processes see it, or the path, or address and port, that was
    /// connected to; empty where an internet connection failed.
    pub path: Text,
    /// How many since it was last told.
    pub count: u32,
}

/// What was found, and the kernel's copy of it.
#[derive(Debug)]
pub(crate) struct Quiet {
    table: MapHandle,
    generation: u32,
    verdicts: BTreeMap<Key, Found>,
    /// The mark that was looked at last.
    counted: Option<Key>,
}

/// A verdict, and how many calls were told to be kept back by it.
#[derive(Clone, Copy, Debug)]
struct Found {
    verdict: QuietVerdict,
    told: u32,
    /// When its mark was looked for last.
    looked: TimestampNs,
}

impl Quiet {
    pub(crate) fn new(table: MapHandle) -> Self {
        Self { table, generation: 0, verdicts: BTreeMap::new(), counted: None }
    }

    /// Forgets everything; the number that the kernel has to compare with from now on, never 0.
    pub(crate) fn next_generation(&mut self) -> u32 {
        self.verdicts.clear();
        self.generation = (self.generation.wrapping_add(1) & (u32::MAX >> 1)).max(1);
        self.generation
    }

    /// Keeps calls like this one back as far as `verdict` finds them quiet; it is asked once a key.
    ///
    /// Whatever the kernel does not take is handed up as before.
    pub(crate) fn learn(&mut self, event: &Event, verdict: impl FnOnce() -> QuietVerdict) {
        if self.generation == 0 {
            return;
        }
        let Some(key) = key::of(event) else { return };
        if VERDICTS_MAX <= self.verdicts.len() {
            self.verdicts.clear();
        }
        let found = self.verdicts.entry(key);
        let found = found.or_insert_with(|| Found {
            verdict: verdict(),
            told: 0,
            looked: TimestampNs::default(),
        });
        let condition = match found.verdict {
            QuietVerdict::Told => return,
            QuietVerdict::UnlessClimbing => QUIET_UNLESS_CLIMBING,
            QuietVerdict::Always => 0,
        };
        // What a process does while it answers requests is told in spite of a mark, over and over.
        if event.time.unix_ns().saturating_sub(found.looked.unix_ns()) < LOOK_SPAN_NS {
            return;
        }
        found.looked = event.time;
        let mark = QuietMark { generation: self.generation << 1 | condition, count: 0 };
        // One who climbed is told in spite of a mark, whose count stays.
        if mark_of(&self.table, &key).is_none_or(|held| held.generation != mark.generation) {
            found.told = 0;
            self.table.update(&key, clew_wire::as_bytes(&mark), MapFlags::ANY).ok();
        }
    }

    /// What was kept back since it was last told, of at most `marks_max` marks; the next call goes
    /// on behind them. What went with a mark that had to make room is told in the totals only.
    pub(crate) fn take_counts(&mut self, marks_max: usize) -> Vec<Quieted> {
        let begin = self.counted.map_or(Bound::Unbounded, Bound::Excluded);
        let mut quieted = Vec::new();
        let mut last = None;
        let held = self.verdicts.range_mut((begin, Bound::Unbounded)).take(marks_max);
        for (key, found) in held {
            last = Some(*key);
            if found.verdict == QuietVerdict::Told {
                continue;
            }
            let Some(mark) = mark_of(&self.table, key) else { continue };
            let count = mark.count.wrapping_sub(found.told);
            found.told = mark.count;
            quieted.extend((0 < count).then(|| key::told(key, count)).flatten());
        }
        self.counted = last;
        quieted
    }
}

fn mark_of(table: &MapHandle, key: &Key) -> Option<QuietMark> {
    clew_wire::read(&table.lookup(key, MapFlags::ANY).ok()??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_verdicts_together_take_a_few_mebibytes() {
        const { assert!(VERDICTS_MAX * (size_of::<Key>() + size_of::<Found>()) <= 4 << 20) };
    }
}
