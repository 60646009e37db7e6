//! Opens that no rule can match, whoever makes them: asked once, then kept back by the kernel.
//!
//! The kernel is told the call, its flags and the whole path. What was told counts in its
//! generation only, which a change of rules raises.

use std::collections::BTreeMap;
use std::ops::Bound;

use clew_decode::kernel::{components, syscall};
use clew_event::file::FileOperation;
use clew_event::interest::QuietVerdict;
use clew_event::{Event, EventKind, EventType, Text};
use clew_wire::limits::QUIET_UNLESS_CLIMBING;
use clew_wire::record::{QuietKey, QuietMark};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

/// Verdicts remembered, so that a path that rules do ask for is judged once; all are forgotten
/// when there are more.
pub(crate) const VERDICTS_MAX: usize = 16_384;

/// Flags of an open that a verdict may depend on: the access mode and `O_DIRECTORY`.
const FLAGS: u32 = 0o200_003;

/// Bytes of a key.
type Key = [u8; size_of::<QuietKey>()];

/// Opens of one path that the kernel kept back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quieted {
    /// The call.
    pub event_type: EventType,
    /// Access mode and `O_DIRECTORY`.
    pub flags: u32,
    /// The file, as its processes see it.
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

/// A verdict, and how many opens were told to be kept back by it.
#[derive(Clone, Copy, Debug)]
struct Found {
    verdict: QuietVerdict,
    told: u32,
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

    /// Keeps opens like this one back as far as `verdict` finds them quiet; it is asked once a key.
    ///
    /// Whatever the kernel does not take is handed up as before.
    pub(crate) fn learn(&mut self, event: &Event, verdict: impl FnOnce() -> QuietVerdict) {
        if self.generation == 0 {
            return;
        }
        let Some(key) = key(event) else { return };
        if VERDICTS_MAX <= self.verdicts.len() {
            self.verdicts.clear();
        }
        let found = self.verdicts.entry(key);
        let found = found.or_insert_with(|| Found { verdict: verdict(), told: 0 });
        let condition = match found.verdict {
            QuietVerdict::Told => return,
            QuietVerdict::UnlessClimbing => QUIET_UNLESS_CLIMBING,
            QuietVerdict::Always => 0,
        };
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
            quieted.extend((0 < count).then(|| opens(key, count)).flatten());
        }
        self.counted = last;
        quieted
    }
}

/// What the kernel will know opens like this one by; `None` where it cannot.
fn key(event: &Event) -> Option<Key> {
    let EventKind::File(file) = &event.kind else { return None };
    if file.operation != FileOperation::Open || file.result < 0 {
        return None;
    }
    let of_type = |call: &&(u32, _)| call.1 == event.event_type;
    let (number, _) = syscall::REPORTED.iter().find(of_type)?;
    let path = components(&file.path)?;
    let mut key = [0; size_of::<QuietKey>()];
    let (head, room) = key.split_at_mut(size_of::<QuietKey>() - PATH_BYTES);
    let (syscall, flags) = head.split_at_mut(size_of::<u32>());
    syscall.copy_from_slice(&number.to_ne_bytes());
    flags.copy_from_slice(&(file.flags & FLAGS).to_ne_bytes());
    room.get_mut(..path.len()).filter(|_| !path.is_empty())?.copy_from_slice(&path);
    Some(key)
}

fn mark_of(table: &MapHandle, key: &Key) -> Option<QuietMark> {
    clew_wire::read(&table.lookup(key, MapFlags::ANY).ok()??)
}

/// What a key stands for.
fn opens(key: &Key, count: u32) -> Option<Quieted> {
    let QuietKey { syscall, flags, .. } = clew_wire::read(key)?;
    let (_, event_type) = syscall::REPORTED.iter().find(|(number, _)| *number == syscall)?;
    let (_, room) = key.split_at(size_of::<QuietKey>() - PATH_BYTES);
    let mut path = Vec::new();
    let names = room.split(|byte| *byte == 0).next().unwrap_or_default();
    for name in names.rsplit(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    Some(Quieted { event_type: *event_type, flags, path: path.into(), count })
}

/// Bytes of the longest path that a key holds.
const PATH_BYTES: usize = size_of_val(&QuietKey { syscall: 0, flags: 0, path: [0; 15] }.path);

#[cfg(test)]
mod tests {
    use clew_event::file::FileEvent;
    use clew_event::{EventId, EventType, TimestampNs};

    use super::*;

    fn open(event_type: EventType, flags: u32, path: &str) -> Event {
        let operation = FileOperation::Open;
        let file = FileEvent { operation, flags, path: path.into(), ..FileEvent::default() };
        Event {
            id: EventId(1),
            time: TimestampNs::default(),
            arrived: TimestampNs::default(),
            event_type,
            actor: None,
            kind: EventKind::File(file),
        }
    }

    #[test]
    fn all_verdicts_together_take_a_few_mebibytes() {
        const { assert!(VERDICTS_MAX * (size_of::<Key>() + size_of::<Found>()) <= 4 << 20) };
    }

    #[test]
    fn a_key_holds_the_call_the_flags_and_the_whole_path() {
        let bytes = key(&open(EventType::Openat, 0o2_200_101, "/etc/shadow")).expect("a key");
        let key: QuietKey = clew_wire::read(&bytes).expect("as long");
        assert_eq!((key.syscall, key.flags), (257, 0o200_001));
        let path = clew_wire::as_bytes(&key).split_at(8).1;
        assert!(path.starts_with(b"shadow/etc/\0") && path.len() == PATH_BYTES);
        let told = opens(&bytes, 3).expect("its own call");
        assert_eq!((told.event_type, told.flags), (EventType::Openat, 0o200_001));
        assert_eq!((told.path.to_string().as_str(), told.count), ("/etc/shadow", 3));
    }

    #[test]
    fn a_path_that_is_too_long_or_not_whole_has_no_key() {
        let longest = format!("/{}", "x".repeat(PATH_BYTES - 1));
        assert!(key(&open(EventType::Open, 0, &longest)).is_some());
        for path in [&format!("{longest}x"), "/", "", "relative", ".../b"] {
            assert_eq!(key(&open(EventType::Open, 0, path)), None, "{path}");
        }
        let mut failed = open(EventType::Open, 0, "/etc/shadow");
        if let EventKind::File(file) = &mut failed.kind {
            file.result = -2;
        }
        assert_eq!(key(&failed), None);
    }
}
