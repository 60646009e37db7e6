//! Where findings and stories go: printed, kept in the store, shown on the page, handed to outputs.
//!
//! It runs on a thread of its own, so that a slow disk never delays the sensor's ring. The queue
//! to it is bounded by [`BATCHES_MAX`]; when it is full the engine waits, the ring fills, and the
//! kernel counts what it then drops: nothing is lost unseen.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow};
use clew_engine::Output;
use clew_event::TimestampNs;
use clew_intake::{Ack, Committer};
use clew_notify::Outputs;
use clew_server::{ServerHandle, Status, Update};
use clew_store::{Batch, Retention, Store};

use crate::print::{self, Form};

/// Batches that may wait.
const BATCHES_MAX: usize = 256;

/// One thing to put away.
#[derive(Debug)]
enum Parcel {
    Output(Output),
    Status(Status),
    State { snapshot: Vec<u8>, now: TimestampNs },
    Commit(Vec<Ack>),
}

/// The ways out beside store and page.
#[derive(Debug)]
pub(crate) struct Ways {
    /// How findings are printed; `None` where an output has standard output for itself.
    pub(crate) printed: Option<Form>,
    /// Outputs that were asked for; they never wait.
    pub(crate) outputs: Outputs,
    /// Who tells sources what is kept, where there are any.
    pub(crate) committer: Option<Committer>,
}

/// The thread that prints, keeps and shows; joined by [`Sink::close`].
#[derive(Debug)]
pub(crate) struct Sink {
    sender: SyncSender<Parcel>,
    thread: JoinHandle<Result<()>>,
}

impl Sink {
    /// Starts the thread.
    pub(crate) fn start(store: Store, page: Option<ServerHandle>, ways: Ways) -> Self {
        let (sender, receiver) = sync_channel(BATCHES_MAX);
        let thread = std::thread::spawn(move || put_away(&receiver, store, page, ways));
        Self { sender, thread }
    }

    /// Hands over what the engine gave; waits while the queue is full.
    pub(crate) fn send(&self, output: Output) -> Result<()> {
        self.hand(Parcel::Output(output))
    }

    /// Hands over the figures of this second.
    pub(crate) fn status(&self, status: Status) -> Result<()> {
        self.hand(Parcel::Status(status))
    }

    /// Hands over the engine's state as it is `now`; what is too old by then is let go.
    pub(crate) fn state(&self, snapshot: Vec<u8>, now: TimestampNs) -> Result<()> {
        self.hand(Parcel::State { snapshot, now })
    }

    /// Says that batches are judged: they are committed once everything that was handed over
    /// before is kept.
    pub(crate) fn commit(&self, acks: Vec<Ack>) -> Result<()> {
        if acks.is_empty() { Ok(()) } else { self.hand(Parcel::Commit(acks)) }
    }

    fn hand(&self, parcel: Parcel) -> Result<()> {
        self.sender.send(parcel).map_err(|_| anyhow!("the store's thread ended early"))
    }

    /// Waits until everything is put away.
    pub(crate) fn close(self) -> Result<()> {
        drop(self.sender);
        self.thread.join().map_err(|_| anyhow!("the store's thread panicked"))?
    }
}

fn put_away(
    parcels: &Receiver<Parcel>,
    mut store: Store,
    page: Option<ServerHandle>,
    Ways { printed, outputs, mut committer }: Ways,
) -> Result<()> {
    // Locked for each batch only: an output may write to it too.
    let out = io::stdout();
    for parcel in parcels {
        match parcel {
            Parcel::Output(output) => {
                let Output { findings, stories, links, evidence: events } = &output;
                let batch = Batch { findings, links, stories, events };
                store.put(batch).context("cannot keep findings and stories")?;
                if let Some(form) = printed {
                    show(&mut out.lock(), form, &output)?;
                }
                publish(page.as_ref(), &output);
                notify(&outputs, &output);
            }
            Parcel::Status(status) => {
                if let Some(page) = &page {
                    page.publish(Update::Status(status));
                }
            }
            Parcel::Commit(acks) => {
                if let Some(committer) = &mut committer {
                    committer.commit(acks).context("cannot keep how far sources were read")?;
                }
            }
            Parcel::State { snapshot, now } => {
                store.save_snapshot(&snapshot).context("cannot keep the state")?;
                store.prune(now, &Retention::default()).context("cannot prune the store")?;
            }
        }
    }
    outputs.close();
    page.map_or(Ok(()), |page| page.stop().context("the page ended badly"))
}

fn show(out: &mut impl io::Write, form: Form, output: &Output) -> io::Result<()> {
    print::output(out, form, output)?;
    out.flush()
}

fn publish(page: Option<&ServerHandle>, output: &Output) {
    let Some(page) = page else { return };
    for finding in &output.findings {
        page.publish(Update::of_finding(finding));
    }
    for story in &output.stories {
        page.publish(Update::of_story(story));
    }
}

fn notify(outputs: &Outputs, output: &Output) {
    for finding in &output.findings {
        outputs.send(finding);
    }
    for story in &output.stories {
        outputs.send_story(story);
    }
}

#[cfg(test)]
mod tests {
    use clew_event::{Event, EventId, EventKind, EventType};

    use super::*;

    #[test]
    fn more_batches_than_the_queue_holds_are_all_put_away() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = Outputs::start(Vec::new(), &clew_notify::Settings::default()).unwrap();
        let ways = Ways { printed: Some(Form::Json), outputs, committer: None };
        let sink = Sink::start(Store::open(folder.path()).unwrap(), None, ways);
        for number in 0..=BATCHES_MAX {
            let event = Event {
                id: EventId(number as u128),
                time: TimestampNs::default(),
                arrived: TimestampNs::default(),
                event_type: EventType::Other,
                actor: None,
                kind: EventKind::Lost(clew_event::kernel::Lost::default()),
            };
            sink.send(Output { evidence: vec![event], ..Output::default() }).unwrap();
        }
        sink.state(b"{}".to_vec(), TimestampNs::default()).unwrap();
        sink.close().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for number in 0..=BATCHES_MAX {
            assert!(store.event_json(EventId(number as u128)).unwrap().is_some(), "{number}");
        }
        assert_eq!(store.load_snapshot().unwrap().as_deref(), Some(&b"{}"[..]));
    }
}
