//! GCP's audit log, pulled from a subscription of Pub/Sub by its REST interface.
//!
//! Messages are acknowledged once every event of theirs is committed. One that cannot be read is
//! left unacknowledged, so that Pub/Sub gives it again; after so many times it is parked: kept in
//! the ledger, shown, and acknowledged. What Pub/Sub gives twice is known by its `insertId`.
//!
//! Reading order: this file (the rounds), `token` (who we are).

mod token;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use clew_decode::api_log::{self, Decoded};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use ureq::Agent;

use crate::error::StartError;
use crate::intake::now;
use crate::ledger::{Change, Parked};
use crate::queue::Feed;
use crate::spec::PubSubSpec;
use crate::web;
use token::Tokens;

/// Messages that are asked for at once; Pub/Sub gives 1000 at most.
const MESSAGES_AT_ONCE: u32 = 1000;
/// Longest answer that is read: Pub/Sub gives 10 MB at most, here in Base64.
const ANSWER_BYTES_MAX: u64 = 32 << 20;
/// How long a question may take; one without messages is answered late.
const SPAN: Duration = Duration::from_secs(90);
/// What is waited after a failure.
const FAILURE_SPAN: Duration = Duration::from_secs(5);
/// Messages that could not be read and may come again; of more, the oldest begins anew.
pub(crate) const UNREAD_MAX: usize = 1000;

/// Pulls one subscription.
#[derive(Debug)]
pub(crate) struct Puller {
    agent: Agent,
    address: String,
    receives: u32,
    tokens: Tokens,
    unread: Unread,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    received_messages: Vec<Received>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    ack_id: String,
    message: Message,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default)]
    data: String,
    #[serde(default)]
    message_id: String,
}

/// What messages were made of.
#[derive(Debug, Default)]
struct Taken {
    decoded: Decoded,
    changes: Vec<Change>,
    acks: Vec<String>,
}

impl Puller {
    /// Reads the credentials.
    pub(crate) fn open(name: &str, spec: &PubSubSpec) -> Result<Self, StartError> {
        let agent = web::agent(SPAN);
        let tokens = Tokens::of(name, spec, agent.clone())?;
        let address = format!("{}/v1/{}", spec.endpoint, spec.subscription);
        let unread = Unread::default();
        Ok(Self { agent, address, receives: spec.receives, tokens, unread })
    }

    /// Pulls until the intake stops.
    pub(crate) fn run(mut self, feed: &Feed) {
        loop {
            // A question under way is not waited for when the intake stops.
            let pull = move || {
                let answer = self.pull();
                (self, answer)
            };
            let answered = feed.wait(feed.handle.spawn_blocking(pull));
            let Some(Ok((puller, answer))) = answered else { return };
            self = puller;
            let outcome = match answer {
                Ok(answer) => self.take(answer, feed),
                Err(reason) => Some(Err(reason)),
            };
            match outcome {
                None => return,
                Some(Ok(())) => {}
                Some(Err(reason)) => {
                    feed.shared.fail(reason);
                    if !feed.pause(FAILURE_SPAN) {
                        return;
                    }
                }
            }
        }
    }

    fn pull(&mut self) -> Result<Answer, String> {
        self.ask("pull", json!({"maxMessages": MESSAGES_AT_ONCE}))
    }

    /// Hands over messages, and acknowledges them once they are committed; `None` when the intake
    /// stops.
    fn take(&mut self, answer: Answer, feed: &Feed) -> Option<Result<(), String>> {
        if answer.received_messages.is_empty() {
            return Some(Ok(()));
        }
        let mut taken = Taken::default();
        for received in answer.received_messages {
            self.read(received, feed, &mut taken);
        }
        taken.decoded.events.sort_by_key(|event| event.time);
        let receipt = feed.wait(feed.send(taken.decoded, taken.changes))?;
        feed.wait(receipt)?.ok()?;
        if taken.acks.is_empty() {
            // Whatever cannot be read comes again, but not at once for ever.
            return feed.pause(Duration::from_secs(1)).then_some(Ok(()));
        }
        let answer = self.ask("acknowledge", json!({"ackIds": taken.acks}));
        Some(answer.map(|_: serde_json::Value| ()))
    }

    fn read(&mut self, received: Received, feed: &Feed, taken: &mut Taken) {
        let Received { ack_id, message } = received;
        let name = format!("message `{}`", message.message_id);
        // Wrapped as a text, as Pub/Sub pushes it: the decoder unpacks what it holds.
        let text = json!({"message": {"data": message.data}}).to_string();
        let Decoded { events, complaints } = api_log::decode(&name, text.as_bytes());
        let is_unreadable = events.is_empty() && !complaints.is_empty();
        if is_unreadable {
            let reason = complaints.first().map_or("", |it| &it.message).to_owned();
            if self.unread.count(&message.message_id) < self.receives {
                return feed.shared.fail(format!("{name}: {reason}"));
            }
            feed.shared.change(|figures| figures.parked += 1);
            feed.shared.note(format!("parked {name}: {reason}"));
            let (id, body) = (message.message_id, message.data);
            taken.changes.push(Change::Park(Parked { time: now(), id, reason, body }));
        }
        taken.decoded.events.extend(events);
        taken.decoded.complaints.extend(complaints);
        taken.acks.push(ack_id);
    }

    fn ask<T: DeserializeOwned>(
        &mut self,
        verb: &str,
        body: serde_json::Value,
    ) -> Result<T, String> {
        let address = format!("{}:{verb}", self.address);
        let at = |reason: String| format!("`{address}`: {reason}");
        let mut ask = self.agent.post(&address).header("content-type", "application/json");
        if let Some(token) = self.tokens.get(now())? {
            ask = ask.header("authorization", format!("Bearer {token}"));
        }
        let answer = ask.send(body.to_string());
        let mut answer = answer.map_err(|error| at(error.to_string()))?;
        if answer.status() == 401 {
            self.tokens.forget();
        }
        if !answer.status().is_success() {
            return Err(at(format!("it was answered {}", answer.status())));
        }
        let bytes = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let bytes = bytes.map_err(|error| at(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| at(error.to_string()))
    }
}

/// How often messages came that cannot be read.
#[derive(Debug, Default)]
struct Unread {
    order: VecDeque<String>,
    counts: BTreeMap<String, u32>,
}

impl Unread {
    /// How often that message came, with this time.
    fn count(&mut self, id: &str) -> u32 {
        if !self.counts.contains_key(id) {
            self.order.push_back(id.to_owned());
            if UNREAD_MAX < self.order.len() {
                self.order.pop_front().map(|oldest| self.counts.remove(&oldest));
            }
        }
        let count = self.counts.entry(id.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_max_messages_are_counted() {
        let mut unread = Unread::default();
        assert_eq!([unread.count("0"), unread.count("0")], [1, 2]);
        for number in 1..=UNREAD_MAX {
            unread.count(&number.to_string());
        }
        assert_eq!((unread.counts.len(), unread.order.len()), (UNREAD_MAX, UNREAD_MAX));
        assert_eq!(unread.count("0"), 1, "it begins anew");
    }
}
