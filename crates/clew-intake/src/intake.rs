//! The engine's side: batches are taken here, and said to be committed.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_decode::api_log::Decoded;
use clew_decode::http;
use clew_event::{Complaint, Event, EventId, TimestampNs};
use rustc_hash::FxHashSet;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::cloudtrail::proof::Prover;
use crate::error::{LedgerError, StartError};
use crate::figures::{Shared, SourceFigures};
use crate::lateness::Timing;
use crate::ledger::{Change, Ledger, SEEN_MAX};
use crate::queue::{Feed, Parcel, Place, QUEUE_BYTES_MAX};
use crate::spec::{Content, Origin, SourceSpec};
use crate::{cloudtrail, eventhub, files, pubsub, receiver};

/// Sources of one run; each has a thread.
pub const SOURCES_MAX: usize = 64;
/// Threads for what waits on sockets, beside one for each source.
const SOCKET_THREADS: usize = 2;
/// How long requests that are under way may take once the intake stops.
const CLOSE_SPAN: Duration = Duration::from_secs(1);

/// A batch of a source: the events that are new, and what could not be read.
#[derive(Debug)]
pub struct Delivered {
    /// Name of the source.
    pub source: Arc<str>,
    /// Events that were never delivered before, with the time of their arrival.
    pub events: Vec<Event>,
    /// What could not be read.
    pub complaints: Vec<Complaint>,
    /// To be handed to [`Committer::commit`] once what came of the events is kept.
    pub ack: Ack,
}

/// Stands for a batch until it is committed. Batches are committed in the order in which they were
/// delivered. One whose `Ack` is dropped is delivered again after a restart, not before.
#[derive(Debug)]
#[must_use = "a batch that is never committed keeps its source waiting"]
pub struct Ack {
    source: Arc<str>,
    shared: Arc<Shared>,
    ids: Vec<EventId>,
    changes: Vec<Change>,
    done: Option<oneshot::Sender<()>>,
    _place: Option<Place>,
}

/// Says that batches are committed; may live on another thread than the intake.
#[derive(Debug)]
pub struct Committer {
    ledger: Ledger,
}

impl Committer {
    /// Keeps, in one transaction, how far the sources of `acks` were read, and then tells them.
    ///
    /// # Errors
    /// Where the file cannot be written; then nothing of it was, and no source moves on.
    pub fn commit(&mut self, acks: Vec<Ack>) -> Result<(), LedgerError> {
        if acks.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = acks.iter().flat_map(|ack| ack.ids.iter().copied()).collect();
        let changes =
            acks.iter().flat_map(|ack| ack.changes.iter().map(|change| (&*ack.source, change)));
        let let_go = self.ledger.write(&ids, changes)?;
        for (index, ack) in acks.into_iter().enumerate() {
            if index == 0 && 0 < let_go {
                ack.shared.change(|figures| figures.ids_let_go += let_go as u64);
            }
            if let Some(done) = ack.done {
                // A source that no longer waits has nothing left to do.
                done.send(()).ok();
            }
        }
        Ok(())
    }

    /// Messages of a source that were put aside, oldest first.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn parked(&self, source: &str) -> Result<Vec<crate::Parked>, LedgerError> {
        self.ledger.parked(source)
    }
}

/// All sources of a run, with their threads; dropping it stops and joins them.
#[derive(Debug)]
pub struct Intake {
    sources: Vec<(Arc<str>, Arc<Shared>)>,
    parcels: Receiver<Parcel>,
    seen: Seen,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl Intake {
    /// Starts a thread for each source; what was read before is kept in the folder `state`.
    ///
    /// # Errors
    /// Where there are more than [`SOURCES_MAX`] sources or two of one name, where what was kept
    /// cannot be read, where an address cannot be listened on, or where a file that an option
    /// names cannot be used.
    pub fn start(specs: Vec<SourceSpec>, state: &Path) -> Result<(Self, Committer), StartError> {
        Self::start_with(specs, state, http::Settings::default())
    }

    /// The same, where requests that logs and spans tell are read as `http` says.
    ///
    /// # Errors
    /// As [`Intake::start`].
    pub fn start_with(
        specs: Vec<SourceSpec>,
        state: &Path,
        http: http::Settings,
    ) -> Result<(Self, Committer), StartError> {
        let http = Arc::new(http);
        if SOURCES_MAX < specs.len() {
            return Err(StartError::TooMany { given: specs.len(), allowed: SOURCES_MAX });
        }
        let ledger = Ledger::open(state)?;
        let thread = |source| StartError::Thread { name: "all".into(), source };
        let runtime = Builder::new_multi_thread()
            .worker_threads(SOCKET_THREADS)
            .thread_name("clew-intake")
            .enable_all()
            .build()
            .map_err(thread)?;
        let (sender, parcels) = channel();
        let (stop, stopped) = watch::channel(false);
        let places = Arc::new(Semaphore::new(QUEUE_BYTES_MAX as usize));
        let mut intake = Self {
            sources: Vec::new(),
            parcels,
            seen: Seen::of(ledger.seen()?, SEEN_MAX),
            stop,
            threads: Vec::new(),
            runtime: None,
        };
        let handle = runtime.handle().clone();
        intake.runtime = Some(runtime);
        for spec in specs {
            if intake.sources.iter().any(|(name, _)| **name == *spec.name) {
                return Err(StartError::SameName { name: spec.name });
            }
            let shared = Arc::new(Shared::new(&spec.name, spec.origin.kind()));
            let prover = match &spec.digests {
                Some(digests) => {
                    let cursors = ledger.cursors(&spec.name)?;
                    Some(Arc::new(Prover::of(&spec.name, digests, &cursors)?))
                }
                None => None,
            };
            let feed = Feed {
                source: intake.sources.len(),
                shared: Arc::clone(&shared),
                places: Arc::clone(&places),
                parcels: sender.clone(),
                stop: stopped.clone(),
                handle: handle.clone(),
                prover,
                content: match spec.origin {
                    Origin::Files(_, content) => content,
                    _ => Content::default(),
                },
                http: Arc::clone(&http),
            };
            intake.sources.push((spec.name.as_str().into(), shared));
            intake.threads.push(start(spec, feed, &ledger)?);
        }
        Ok((intake, Committer { ledger }))
    }

    /// The next batch; waits for one at most `span`.
    pub fn poll(&mut self, span: Duration) -> Option<Delivered> {
        let parcel = match self.parcels.recv_timeout(span) {
            Ok(parcel) => parcel,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(span);
                return None;
            }
        };
        self.take_in(parcel)
    }

    /// Figures of all sources, for other threads.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor { shared: self.sources.iter().map(|(_, shared)| Arc::clone(shared)).collect() }
    }

    fn take_in(&mut self, parcel: Parcel) -> Option<Delivered> {
        let Parcel { source, decoded, changes, place, done } = parcel;
        let (name, shared) = self.sources.get(source)?;
        let Decoded { mut events, mut complaints } = decoded;
        let arrived = now();
        let delivered = events.len();
        events.retain(|event| self.seen.insert(delivery(event)));
        shared.take_in(|figures, lateness| {
            figures.queued = figures.queued.saturating_sub(1);
            figures.batches += 1;
            figures.events += events.len() as u64;
            figures.duplicates += (delivered - events.len()) as u64;
            let (mut ahead, mut behind) = (0_u64, 0_u64);
            for event in &mut events {
                event.arrived = arrived;
                match lateness.observe(event.time, arrived) {
                    Timing::Possible => {}
                    Timing::Behind => behind += 1,
                    Timing::Ahead => {
                        ahead += 1;
                        event.time = arrived;
                    }
                }
            }
            figures.times_off += ahead + behind;
            complaints.extend(times_off(name, ahead, behind));
            figures.complaints += complaints.len() as u64;
        });
        let ids = events.iter().map(delivery).collect();
        let ack = Ack {
            source: Arc::clone(name),
            shared: Arc::clone(shared),
            ids,
            changes,
            done,
            _place: place,
        };
        Some(Delivered { source: Arc::clone(name), events, complaints, ack })
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // One that panicked has told so on standard error.
            thread.join().ok();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(CLOSE_SPAN);
        }
    }
}

/// Figures of all sources of a run, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    shared: Vec<Arc<Shared>>,
}

impl Monitor {
    /// How each source stands, in the order in which they were asked for.
    #[must_use]
    pub fn figures(&self) -> Vec<SourceFigures> {
        self.shared.iter().map(|shared| shared.figures()).collect()
    }
}

/// Ids of the last events, as in the ledger.
#[derive(Debug)]
struct Seen {
    order: VecDeque<EventId>,
    ids: FxHashSet<EventId>,
    bound: usize,
}

impl Seen {
    fn of(ids: Vec<EventId>, bound: usize) -> Self {
        let mut seen = Self { order: VecDeque::new(), ids: FxHashSet::default(), bound };
        ids.into_iter().for_each(|id| {
            seen.insert(id);
        });
        seen
    }

    /// True where it was not there.
    fn insert(&mut self, id: EventId) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.bound < self.order.len() {
            self.order.pop_front().map(|oldest| self.ids.remove(&oldest));
        }
        true
    }
}

fn start(spec: SourceSpec, feed: Feed, ledger: &Ledger) -> Result<JoinHandle<()>, StartError> {
    let SourceSpec { name, origin, digests: _ } = spec;
    let thread = |source| StartError::Thread { name: name.clone(), source };
    let builder = thread::Builder::new().name(format!("intake-{}", origin.kind()));
    match origin {
        Origin::Files(path, _) => {
            let mut watcher = files::Watcher::of(path, ledger.cursors(&name)?);
            builder.spawn(move || watcher.run(&feed)).map_err(thread)
        }
        Origin::Queue(spec) => {
            builder.spawn(move || cloudtrail::queue::run(spec, &feed)).map_err(thread)
        }
        Origin::Bucket(spec) => {
            let cursors = ledger.cursors(&name)?;
            builder.spawn(move || cloudtrail::bucket::run(spec, cursors, &feed)).map_err(thread)
        }
        Origin::PubSub(spec) => {
            let puller = pubsub::Puller::open(&name, &spec)?;
            builder.spawn(move || puller.run(&feed)).map_err(thread)
        }
        Origin::EventHub(spec) => {
            let consumer = eventhub::Consumer::open(&name, &spec, ledger.cursors(&name)?)?;
            builder.spawn(move || consumer.run(&feed)).map_err(thread)
        }
        Origin::Receiver(spec) => {
            let receiver = receiver::Receiver::open(&name, &spec, feed)?;
            builder.spawn(move || receiver.run()).map_err(thread)
        }
    }
}

/// By what a record that is delivered again is known. The stages of one request to an API server
/// share their event's id, and each of them is taken.
fn delivery(event: &Event) -> EventId {
    let stage = event.api_call().map(|call| call.stage).unwrap_or_default();
    EventId(event.id.0.wrapping_add(stage as u128))
}

/// Complaints about events whose time cannot be; the events are judged all the same.
fn times_off(source: &str, ahead: u64, behind: u64) -> impl Iterator<Item = Complaint> {
    let complaint = |count: u64, how: &str| Complaint {
        file: source.to_owned(),
        r#where: "batch".into(),
        code: "event-time-off".into(),
        message: format!("{count} events {how}: look at the clock of whoever wrote them"),
    };
    let ahead = (0 < ahead)
        .then(|| complaint(ahead, "lie in the future; their arrival was taken for their time"));
    let behind = (0 < behind).then(|| complaint(behind, "lie more than a year back"));
    ahead.into_iter().chain(behind)
}

/// The machine's clock.
pub(crate) fn now() -> TimestampNs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampNs::default().after(since_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_more_than_seen_max_ids_is_let_go() {
        let mut seen = Seen::of(vec![EventId(1), EventId(2)], 2);
        assert!(!seen.insert(EventId(1)));
        assert!(seen.insert(EventId(3)));
        assert!(!seen.insert(EventId(2)));
        assert!(seen.insert(EventId(1)));
        assert_eq!(seen.ids.len(), 2);
    }

    #[test]
    fn sources_max_sources_are_started_and_no_two_of_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let spec = |number: usize| format!("files:/nowhere/{number}").parse().unwrap();
        let start = |specs: Vec<SourceSpec>| Intake::start(specs, folder.path()).err();
        assert!(start((0..SOURCES_MAX).map(spec).collect()).is_none());
        assert!(start((0..=SOURCES_MAX).map(spec).collect()).is_some());
        assert!(matches!(start(vec![spec(1), spec(1)]), Some(StartError::SameName { .. })));
    }
}
