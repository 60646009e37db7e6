//! The bounded way from the watcher into the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_event::{Event, EventId, EventKind, EventType, TimestampNs};

/// Longest that a full stream is waited for.
const FULL_SPAN: Duration = Duration::from_secs(5);
/// How often a full stream is tried again.
const RETRY_SPAN: Duration = Duration::from_millis(5);
/// Ids of events that no kernel gave have this bit, which no kernel event's id has.
const FOREIGN: u128 = 1 << 127;

/// What became of the events of a watcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events put into the stream.
    pub sent: u64,
    /// Events dropped because the stream stayed full or was gone.
    pub dropped: u64,
    /// Users and groups of a container that were too many to tell.
    pub accounts_dropped: u64,
    /// Containers about which their runtime did not answer; told by id and name alone.
    pub not_inspected: u64,
}

/// Sends events and counts them.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    sender: SyncSender<Event>,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    dropped: AtomicU64,
    accounts_dropped: AtomicU64,
    not_inspected: AtomicU64,
}

impl Outbox {
    pub(crate) fn new(sender: SyncSender<Event>) -> Self {
        Self { sender, tally: Arc::default() }
    }

    pub(crate) fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            sent: read(&self.tally.sent),
            dropped: read(&self.tally.dropped),
            accounts_dropped: read(&self.tally.accounts_dropped),
            not_inspected: read(&self.tally.not_inspected),
        }
    }

    pub(crate) fn count_accounts_dropped(&self, count: u64) {
        self.tally.accounts_dropped.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn count_not_inspected(&self) {
        self.tally.not_inspected.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts an observation of `time` into the stream; waits while it is full, at most
    /// [`FULL_SPAN`].
    pub(crate) async fn send(&self, time: TimestampNs, event_type: EventType, kind: EventKind) {
        let sequence = self.tally.sent.load(Ordering::Relaxed);
        let id = id_of(&kind, time, sequence);
        let mut event = Event { id, time, arrived: now(), event_type, actor: None, kind };
        let attempts = FULL_SPAN.as_millis() / RETRY_SPAN.as_millis();
        for _ in 0..attempts {
            match self.sender.try_send(event) {
                Ok(()) => {
                    self.tally.sent.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Err(TrySendError::Full(back)) => event = back,
                Err(TrySendError::Disconnected(_)) => break,
            }
            tokio::time::sleep(RETRY_SPAN).await;
        }
        self.tally.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// The clock of this machine.
pub(crate) fn now() -> TimestampNs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampNs::default().after(since_epoch)
}

/// An id made from what was observed and when; the sequence keeps two equal ones apart.
fn id_of(kind: &EventKind, time: TimestampNs, sequence: u64) -> EventId {
    let mut hasher = blake3::Hasher::new();
    match kind {
        EventKind::Container(container) => {
            hasher.update(container.id.as_ref().map_or("", |id| &id.0).as_bytes());
            hasher.update(format!("{:?}", container.lifecycle).as_bytes());
        }
        EventKind::Account(account) => {
            hasher.update(account.container.as_ref().map_or("", |id| &id.0).as_bytes());
            hasher.update(format!("{} {}", account.is_group, account.id).as_bytes());
        }
        _ => {}
    }
    hasher.update(&time.unix_ns().to_le_bytes());
    hasher.update(&sequence.to_le_bytes());
    let hash = hasher.finalize();
    let first = hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
    EventId(u128::from_le_bytes(first) | FOREIGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> EventKind {
        EventKind::Container(Box::default())
    }

    fn run(future: impl Future) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(future);
    }

    #[test]
    fn an_event_for_which_there_is_no_room_is_dropped_and_counted() {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let outbox = Outbox::new(sender);
        run(async {
            for _ in 0..3 {
                outbox.send(now(), EventType::Container, container()).await;
            }
        });
        assert_eq!((outbox.counts().sent, outbox.counts().dropped), (1, 2));
        drop(receiver);
        run(outbox.send(now(), EventType::Container, container()));
        assert_eq!(outbox.counts().dropped, 3);
    }

    #[test]
    fn an_id_tells_that_no_kernel_gave_it_and_what_it_names() {
        let kind = container();
        let time = TimestampNs::from_unix_ns(5);
        assert_eq!(id_of(&kind, time, 1), id_of(&kind, time, 1));
        assert_ne!(id_of(&kind, time, 1), id_of(&kind, time, 2));
        assert_ne!(id_of(&kind, time, 1).0 & FOREIGN, 0);
    }
}
