//! Opens that no rule can match, whoever makes them: asked once, then kept back by the kernel.
//!
//! The kernel is told the call, its flags and the whole path. What was told counts in its
//! generation only, which a change of rules raises.

use std::collections::BTreeMap;

use clew_decode::kernel::{components, syscall};
use clew_event::file::FileOperation;
use clew_event::interest::QuietVerdict;
use clew_event::{Event, EventKind};
use clew_wire::limits::QUIET_UNLESS_CLIMBING;
use clew_wire::record::QuietKey;
use libbpf_rs::{MapCore, MapFlags, MapHandle};

/// Verdicts remembered, so that a path that rules do ask for is judged once; all are forgotten
/// when there are more.
pub(crate) const VERDICTS_MAX: usize = 16_384;

/// Flags of an open that a verdict may depend on: the access mode and `O_DIRECTORY`.
const FLAGS: u32 = 0o200_003;

/// Bytes of a key.
type Key = [u8; size_of::<QuietKey>()];

/// What was found, and the kernel's copy of it.
#[derive(Debug)]
pub(crate) struct Quiet {
    table: MapHandle,
    generation: u32,
    verdicts: BTreeMap<Key, QuietVerdict>,
}

impl Quiet {
    pub(crate) fn new(table: MapHandle) -> Self {
        Self { table, generation: 0, verdicts: BTreeMap::new() }
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
        let condition = match self.verdicts.entry(key).or_insert_with(verdict) {
            QuietVerdict::Told => return,
            QuietVerdict::UnlessClimbing => QUIET_UNLESS_CLIMBING,
            QuietVerdict::Always => 0,
        };
        let mark = (self.generation << 1 | condition).to_ne_bytes();
        self.table.update(&key, &mark, MapFlags::ANY).ok();
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
        const { assert!(VERDICTS_MAX * (size_of::<Key>() + 1) <= 4 << 20) };
    }

    #[test]
    fn a_key_holds_the_call_the_flags_and_the_whole_path() {
        let bytes = key(&open(EventType::Openat, 0o2_200_101, "/etc/shadow")).expect("a key");
        let key: QuietKey = clew_wire::read(&bytes).expect("as long");
        assert_eq!((key.syscall, key.flags), (257, 0o200_001));
        let path = clew_wire::as_bytes(&key).split_at(8).1;
        assert!(path.starts_with(b"shadow/etc/\0") && path.len() == PATH_BYTES);
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
