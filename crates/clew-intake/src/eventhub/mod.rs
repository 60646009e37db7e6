//! Logs of Azure and Entra, read from all partitions of an event hub by AMQP 1.0.
//!
//! A hub keeps its events for days, and whoever reads them keeps how far: the offset of each
//! partition is a cursor here, which moves with the events in one transaction. An event that cannot
//! be read would not come another time, so it is parked at once. The numbers of a partition have no
//! holes, so that events which were gone before we came are told.
//!
//! Reading order: this file (the rounds), `account` (who we are and where the hub lies), `session`
//! (partitions and their messages), `message`, `wire` (the connection), `frame`, `value`. What
//! stands in an event was written by others, so the last four are read without trust; the crate of
//! AMQP that is kept, `fe2o3-amqp` 0.18, overflows the stack on a nested value of 9 KB.

mod account;
mod frame;
mod message;
mod session;
mod value;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use clew_decode::api_log::{self, Decoded};
use clew_event::Complaint;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::error::StartError;
use crate::intake::now;
use crate::ledger::{Change, Parked};
use crate::queue::Feed;
use crate::spec::EventHubSpec;
use account::Account;
use message::Message;
use session::{Delivery, Session};
use wire::Wire;

/// Bytes of events that are read, decoded and committed together; one that is longer goes alone.
const ROUND_BYTES: usize = 8 << 20;
/// How long a round waits for further events behind the first.
const ROUND_SPAN: Duration = Duration::from_millis(20);
/// How long opening a connection may take.
const OPEN_SPAN: Duration = Duration::from_secs(30);
/// After how long a connection is opened anew, so that partitions which were added are met.
const RENEWAL_SPAN: Duration = Duration::from_secs(3600);
/// What is waited after a failure, doubled with each that follows up to the second.
const FAILURE_SPANS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(64));
/// Before the first event of a partition.
const BEGINNING: &str = "-1";

/// Reads one hub.
#[derive(Debug)]
pub(crate) struct Consumer {
    account: Account,
    hub: String,
    group: String,
    cursors: BTreeMap<String, Cursor>,
    failure_span: Duration,
}

/// The last event of a partition that was committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    offset: String,
    sequence: Option<u64>,
}

/// What events were made of.
#[derive(Debug, Default)]
struct Round {
    bytes: usize,
    decoded: Decoded,
    parked: Vec<Change>,
    cursors: BTreeMap<String, Cursor>,
}

impl Consumer {
    /// Reads the connection string; `cursors` say how far was read before.
    pub(crate) fn open(
        name: &str,
        spec: &EventHubSpec,
        cursors: Vec<(String, String)>,
    ) -> Result<Self, StartError> {
        let account = account::read(name, &spec.credentials, &spec.hub)?;
        let cursors = cursors.into_iter();
        let cursors = cursors.filter_map(|(key, it)| Some((key, serde_json::from_str(&it).ok()?)));
        Ok(Self {
            account,
            hub: spec.hub.clone(),
            group: spec.group.clone(),
            cursors: cursors.collect(),
            failure_span: FAILURE_SPANS.0,
        })
    }

    /// Reads until the intake stops.
    pub(crate) fn run(mut self, feed: &Feed) {
        while let Some(outcome) = feed.wait(self.connected(feed)) {
            match outcome {
                Ok(true) => {}
                Ok(false) => return,
                Err(reason) => {
                    let Account { host, port, .. } = &self.account;
                    feed.shared.fail(format!("`{host}:{port}`: {reason}"));
                    if !feed.pause(self.failure_span) {
                        return;
                    }
                    self.failure_span = FAILURE_SPANS.1.min(self.failure_span * 2);
                }
            }
        }
    }

    /// Reads on one connection; false where nobody commits any more.
    async fn connected(&mut self, feed: &Feed) -> Result<bool, String> {
        let opened = tokio::time::timeout(OPEN_SPAN, self.session()).await;
        let (mut session, links) = opened.map_err(|_| "connecting takes too long".to_owned())??;
        let renewal = Instant::now() + RENEWAL_SPAN;
        while let Some(first) = session.delivery(renewal).await? {
            let mut round = Round::default();
            let until = Instant::now() + ROUND_SPAN;
            let mut next = Some(first);
            while let Some(delivery) = next {
                self.take(delivery, &links, &mut round, feed);
                let is_full = ROUND_BYTES <= round.bytes;
                next = if is_full { None } else { session.delivery(until).await? };
            }
            if !self.commit(round, &mut session, feed).await? {
                return Ok(false);
            }
        }
        self.failure_span = FAILURE_SPANS.0;
        session.close().await;
        Ok(true)
    }

    /// A session with a link for each partition, and the partition of each link.
    async fn session(&self) -> Result<(Session, BTreeMap<usize, String>), String> {
        let wire = Wire::open(&self.account, wire::authorities()).await?;
        let mut session = Session::begin(wire).await?;
        let mut links = BTreeMap::new();
        for partition in session.partitions(&self.hub).await? {
            let cursor = self.cursors.get(&self.key(&partition));
            let offset = cursor.map_or(BEGINNING, |cursor| &cursor.offset);
            let (hub, group) = (&self.hub, &self.group);
            let address = format!("{hub}/ConsumerGroups/{group}/Partitions/{partition}");
            links.insert(session.attach(&address, offset).await?, partition);
        }
        Ok((session, links))
    }

    /// Offsets are those of one hub, whatever the source is called.
    fn key(&self, partition: &str) -> String {
        format!("{}/{}/{partition}", self.account.host, self.hub)
    }

    fn take(
        &self,
        delivery: Delivery,
        links: &BTreeMap<usize, String>,
        round: &mut Round,
        feed: &Feed,
    ) {
        let Some(partition) = links.get(&delivery.link) else { return };
        round.bytes += delivery.bytes.len();
        let (message, outcome) = Message::read(&delivery.bytes);
        let (key, sequence) = (self.key(partition), message.sequence);
        let number = sequence.map(|number| number.to_string()).unwrap_or_default();
        let name = format!("event {number} of partition `{partition}`");
        let last = round.cursors.get(&key).or_else(|| self.cursors.get(&key));
        let expected = last.and_then(|last| last.sequence).map(|last| last + 1);
        if let (Some(expected), Some(sequence)) = (expected, sequence)
            && expected < sequence
        {
            let missing = sequence - expected;
            feed.shared.change(|figures| figures.gaps += 1);
            feed.shared.note(format!("{missing} events before {name} were gone before they came"));
        }
        if let Some(offset) = message.offset {
            round.cursors.insert(key, Cursor { offset, sequence });
        }
        let body = message.body.unwrap_or_default();
        let Decoded { events, mut complaints } = api_log::decode(&name, &body);
        if let Err(reason) = outcome {
            complaints.push(unreadable(&name, reason));
        }
        if events.is_empty()
            && let Some(complaint) = complaints.first()
        {
            let reason = complaint.message.clone();
            feed.shared.change(|figures| figures.parked += 1);
            feed.shared.note(format!("parked {name}: {reason}"));
            let body = String::from_utf8_lossy(&body).into_owned();
            let parked = Parked { time: now(), id: format!("{partition}/{number}"), reason, body };
            round.parked.push(Change::Park(parked));
        }
        round.decoded.events.extend(events);
        round.decoded.complaints.extend(complaints);
    }

    /// Hands over a round and waits until it is kept; false where it never will be.
    async fn commit(
        &mut self,
        round: Round,
        session: &mut Session,
        feed: &Feed,
    ) -> Result<bool, String> {
        let Round { mut decoded, parked: mut changes, cursors, .. } = round;
        decoded.events.sort_by_key(|event| event.time);
        for (key, cursor) in &cursors {
            let value = serde_json::to_string(cursor).unwrap_or_default();
            changes.push(Change::Move { key: key.clone(), value });
        }
        let sent = async { feed.send(decoded, changes).await.await };
        if session.wire.while_alive(sent).await?.is_err() {
            return Ok(false);
        }
        self.cursors.extend(cursors);
        self.failure_span = FAILURE_SPANS.0;
        session.settle().await?;
        Ok(true)
    }
}

fn unreadable(name: &str, reason: &str) -> Complaint {
    Complaint {
        file: name.to_owned(),
        r#where: "event".into(),
        code: "eventhub-event".into(),
        message: reason.to_owned(),
    }
}
