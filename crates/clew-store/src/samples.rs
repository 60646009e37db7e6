//! Events for the tests of this crate.

use clew_event::file::FileEvent;
use clew_event::{Actor, Event, EventId, EventKind, EventType, TimestampNs};

/// The `number`-th event: an open of `path` at `time_ns`.
pub(crate) fn file_event(number: usize, time_ns: u64, path: &str) -> Event {
    Event {
        id: EventId(u128::try_from(number).unwrap_or(0)),
        time: TimestampNs::from_unix_ns(time_ns),
        arrived: TimestampNs::from_unix_ns(time_ns),
        event_type: EventType::Openat,
        actor: Some(Actor::default()),
        kind: EventKind::File(FileEvent { path: path.into(), ..FileEvent::default() }),
    }
}
