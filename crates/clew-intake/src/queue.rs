//! The one queue from all sources to the engine's loop, bounded by the bytes that are on their way.
//!
//! A place is taken before records are read and given back when they are committed, so that what
//! waits, what is judged and what is being kept count against one bound of [`QUEUE_BYTES_MAX`].
//! A full queue makes files and clouds wait, and a receiver answer 429: nothing is dropped.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use clew_decode::api_log::Decoded;
use clew_decode::http;
use clew_event::{Complaint, Event, EventKind};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::cloudtrail::proof::Prover;
use crate::figures::Shared;
use crate::ledger::Change;
use crate::spec::Content;

/// Bytes of records that may be on their way from all sources together. A single parcel that is
/// larger goes alone.
pub const QUEUE_BYTES_MAX: u32 = 64 << 20;

/// Events of one parcel: so many are judged and committed at once.
const EVENTS_AT_ONCE: usize = 4096;
/// Bytes of one parcel of a log that is read in parts.
const BYTES_AT_ONCE: usize = 8 << 20;

/// Room in the queue, given back when it is dropped.
pub(crate) type Place = OwnedSemaphorePermit;

/// What a source hands over at once.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    pub(crate) source: usize,
    pub(crate) decoded: Decoded,
    pub(crate) changes: Vec<Change>,
    pub(crate) place: Option<Place>,
    pub(crate) done: Option<oneshot::Sender<()>>,
}

/// Told once what was handed over is committed; an error says that it never will be.
pub(crate) type Receipt = oneshot::Receiver<()>;

/// A source's end of the queue.
#[derive(Clone)]
pub(crate) struct Feed {
    pub(crate) source: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) parcels: Sender<Parcel>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) handle: Handle,
    /// Checks CloudTrail's digests, where that was asked for.
    pub(crate) prover: Option<Arc<Prover>>,
    /// What files hold.
    pub(crate) content: Content,
    /// How requests are read that logs and spans tell.
    pub(crate) http: Arc<http::Settings>,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Feed {
    /// Ends once the intake stops.
    pub(crate) async fn stopped(&self) {
        // An error says that the intake is gone, which is the same.
        self.stop.clone().wait_for(|is_stopped| *is_stopped).await.ok();
    }

    /// Waits on a thread for `future`; `None` when the intake stops before.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.handle.block_on(async {
            tokio::select! {
                biased;
                () = self.stopped() => None,
                value = future => Some(value),
            }
        })
    }

    /// Sleeps on a thread; false when the intake stops.
    pub(crate) fn pause(&self, span: Duration) -> bool {
        self.wait(async { tokio::time::sleep(span).await }).is_some()
    }

    /// Waits for room for so many bytes.
    pub(crate) async fn place(&self, bytes: usize) -> Option<Place> {
        Arc::clone(&self.places).acquire_many_owned(weight(bytes)).await.ok()
    }

    /// Room for so many bytes, if there is any now.
    pub(crate) fn try_place(&self, bytes: usize) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_many_owned(weight(bytes)).ok()
    }

    /// Hands over records that fit one parcel or not; `changes` are carried out when the last of
    /// them is committed.
    pub(crate) async fn send(&self, decoded: Decoded, changes: Vec<Change>) -> Receipt {
        let Decoded { events, mut complaints } = decoded;
        let mut events = events.into_iter();
        while EVENTS_AT_ONCE < events.len() {
            let part = events.by_ref().take(EVENTS_AT_ONCE).collect();
            let complaints = std::mem::take(&mut complaints);
            self.send_part(Decoded { events: part, complaints }, Vec::new()).await;
        }
        self.send_part(Decoded { events: events.collect(), complaints }, changes).await
    }

    async fn send_part(&self, decoded: Decoded, changes: Vec<Change>) -> Receipt {
        let bytes = decoded.events.iter().map(bytes_of).sum();
        let place = self.place(bytes).await;
        self.hand(decoded, changes, place)
    }

    /// Hands over a log as it is read, on a thread that may wait, so that no more than a part of it
    /// is held however long it is. The last part is given back, to be sent with what it changes;
    /// `None` when the intake stops. Where nothing of the log can be read, it is an error.
    pub(crate) fn stream(
        &self,
        records: impl Iterator<Item = Result<Event, Complaint>>,
    ) -> Option<Result<Decoded, Decoded>> {
        let (mut part, mut bytes, mut is_first) = (Decoded::default(), 0, true);
        for record in records {
            match record {
                Ok(event) => {
                    bytes += bytes_of(&event);
                    part.events.push(event);
                }
                Err(complaint) => part.complaints.push(complaint),
            }
            if EVENTS_AT_ONCE <= part.events.len() || BYTES_AT_ONCE <= bytes {
                let part = std::mem::take(&mut part);
                self.wait(self.send_part(part, Vec::new()))?;
                (bytes, is_first) = (0, false);
            }
        }
        let is_unreadable = is_first && part.events.is_empty() && !part.complaints.is_empty();
        Some(if is_unreadable { Err(part) } else { Ok(part) })
    }

    /// Hands over records for which there is a place.
    pub(crate) fn hand(
        &self,
        decoded: Decoded,
        changes: Vec<Change>,
        place: Option<Place>,
    ) -> Receipt {
        let (done, receipt) = oneshot::channel();
        let parcel = Parcel { source: self.source, decoded, changes, place, done: Some(done) };
        self.shared.change(|figures| figures.queued += 1);
        // Where nobody takes it any more, the receipt says so.
        self.parcels.send(parcel).ok();
        receipt
    }
}

fn bytes_of(event: &Event) -> usize {
    let texts = match &event.kind {
        EventKind::Http(http) => http.bytes(),
        _ => event.api_call().map_or(0, |call| call.record.as_bytes().len()),
    };
    size_of::<Event>() + texts
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, QUEUE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_larger_than_queue_bytes_max_takes_the_whole_queue_and_no_more() {
        assert_eq!(weight(0), 1);
        assert_eq!(weight(QUEUE_BYTES_MAX as usize + 1), QUEUE_BYTES_MAX);
        assert_eq!(weight(usize::MAX), QUEUE_BYTES_MAX);
    }
}
