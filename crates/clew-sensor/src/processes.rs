//! The processes that run when the sensor begins.
//!
//! The kernel's own list (`iter/task`) tells them in the form of an exec; only the arguments are
//! read from `/proc`, because a list cannot read another process's memory. The list is made after
//! the live programs were attached, so nothing between the two is lost; a process that was made,
//! or took a new program, meanwhile is told by its live event, and left out of the list.

use std::collections::BTreeMap;
use std::io::Read;

use clew_decode::kernel::Decoder;
use clew_event::{Event, EventKind, ProcessKey, Text, TimestampNs};
use clew_wire::limits::{ARGV_BYTES_MAX, RECORD_BYTES_MAX};
use clew_wire::record::Header;

/// Decodes the records of the list; one that is broken ends it, because the next cannot be found.
pub(crate) fn decode(list: &[u8], decoder: &Decoder, arrived: TimestampNs) -> Vec<Event> {
    let mut events = Vec::new();
    let mut rest = list;
    while let Some(header) = clew_wire::read::<Header>(rest) {
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        if size < size_of::<Header>() || size > RECORD_BYTES_MAX {
            break;
        }
        let Some((record, behind)) = rest.split_at_checked(size) else {
            break;
        };
        events.extend(decoder.decode(record, arrived));
        rest = behind;
    }
    events
}

/// Leaves out the processes of which a live event tells more.
pub(crate) fn without_seen_live(listed: &mut Vec<Event>, live: &[Event]) {
    let mut seen: BTreeMap<ProcessKey, TimestampNs> = BTreeMap::new();
    for event in live {
        let process = match &event.kind {
            EventKind::Forked(forked) if !forked.is_thread => Some(forked.child),
            EventKind::Executed(_) => event.actor.map(|actor| actor.process),
            _ => None,
        };
        if let Some(process) = process {
            let first = seen.entry(process).or_insert(event.time);
            *first = event.time.min(*first);
        }
    }
    listed.retain(|event| {
        let live = event.actor.and_then(|actor| seen.get(&actor.process));
        live.is_none_or(|live| event.time < *live)
    });
}

/// Reads the arguments from `/proc`; those of threads of the kernel stay empty.
pub(crate) fn add_arguments(event: &mut Event) {
    let Some(pid) = event.actor.map(|actor| actor.process.pid) else {
        return;
    };
    if let EventKind::Running(running) = &mut event.kind {
        running.argv = arguments(pid);
    }
}

fn arguments(pid: u32) -> Text {
    let mut arguments = Vec::new();
    if let Ok(file) = std::fs::File::open(format!("/proc/{pid}/cmdline")) {
        file.take(ARGV_BYTES_MAX.into()).read_to_end(&mut arguments).ok();
    }
    arguments.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_event::process::{Executed, Forked};
    use clew_event::{Actor, BootId, EventId, EventType};
    use clew_wire::limits::{KIND_TASK, WIRE_VERSION};
    use clew_wire::record::Exec;

    fn event(pid: u32, time: u64, kind: EventKind) -> Event {
        let process = ProcessKey { pid, ..ProcessKey::default() };
        Event {
            id: EventId(0),
            time: TimestampNs::from_unix_ns(time),
            arrived: TimestampNs::from_unix_ns(time),
            event_type: EventType::Other,
            actor: Some(Actor { process, ..Actor::default() }),
            kind,
        }
    }

    fn running(pid: u32, time: u64) -> Event {
        event(pid, time, EventKind::Running(Executed::default()))
    }

    #[test]
    fn a_live_exec_goes_before_an_older_listing() {
        let mut listed = vec![running(1, 10), running(2, 10), running(3, 10), running(4, 10)];
        let child = ProcessKey { pid: 3, ..ProcessKey::default() };
        let live = [
            event(2, 9, EventKind::Executed(Executed::default())),
            event(1, 8, EventKind::Forked(Forked { child, ..Forked::default() })),
            event(4, 11, EventKind::Executed(Executed::default())),
        ];
        without_seen_live(&mut listed, &live);
        let pids: Vec<_> =
            listed.iter().filter_map(|event| event.actor).map(|actor| actor.process.pid).collect();
        assert_eq!(pids, [1, 4]);
    }

    #[test]
    fn a_list_that_is_cut_gives_what_is_whole() {
        let size = u32::try_from(size_of::<Exec>()).expect("small");
        let header = Header { kind: KIND_TASK, version: WIRE_VERSION, size, ..Header::default() };
        let record = clew_wire::as_bytes(&Exec { header, ..Exec::default() }).to_vec();
        let list = [record.clone(), record].concat();
        let decoder = Decoder::new(BootId(1), 0);
        let count = |list: &[u8]| decode(list, &decoder, TimestampNs::default()).len();
        assert_eq!(count(&list), 2);
        assert_eq!(count(&list[..list.len() - 1]), 1);
        assert_eq!(count(&[0; 100]), 0);
    }

    #[test]
    fn arguments_end_at_argv_bytes_max() {
        let own = arguments(std::process::id());
        assert!(!own.is_empty() && own.as_bytes().len() <= ARGV_BYTES_MAX as usize);
    }
}
