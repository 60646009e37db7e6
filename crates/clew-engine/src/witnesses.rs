//! Keeps the events that correlation rules count, until one of them decides.
//!
//! A correlation names events of the past as its reason, and whoever reads it wants to see them.
//! The newest are kept; each is given out once, for the store has it from then on. Most are never
//! asked for, so secrets are taken out where one leaves: as evidence, or in a snapshot.

use std::collections::{BTreeSet, VecDeque};

use clew_event::json::JsonIndex;
use clew_event::{Event, EventId, EventKind};
use serde::{Deserialize, Serialize, Serializer};

use crate::evidence;

/// Most events that wait; a record of AWS has about 2 KB.
pub(crate) const WITNESSES_MAX: usize = 1_024;
/// Longest record of one that waits, in bytes; together at most 32 MiB.
pub(crate) const RECORD_BYTES_MAX: usize = 32 << 10;
/// Most that are given out for one finding, the newest.
pub(crate) const WITNESSES_OF_FINDING_MAX: usize = 16;

/// Events that matched a rule that a correlation counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Witnesses {
    /// The newest last.
    #[serde(serialize_with = "without_secrets")]
    waiting: VecDeque<Event>,
    dropped: u64,
}

impl Witnesses {
    /// Keeps an event, without the index of its record, which can be made again.
    pub(crate) fn keep(&mut self, event: &Event) {
        let record_bytes = event.api_call().map_or(0, |call| call.record.as_bytes().len());
        if RECORD_BYTES_MAX < record_bytes {
            self.dropped += 1;
            return;
        }
        let mut event = event.clone();
        if let EventKind::KubernetesApi(call) | EventKind::CloudApi(call) = &mut event.kind {
            call.index = JsonIndex::default();
        }
        self.waiting.push_back(event);
        if WITNESSES_MAX < self.waiting.len() {
            self.waiting.pop_front();
            self.dropped += 1;
        }
    }

    /// Takes out the newest of these events that wait, in the order in which they came and without
    /// their secrets.
    pub(crate) fn take(&mut self, events: &[EventId]) -> Vec<Event> {
        let mut wanted: BTreeSet<EventId> = events.iter().copied().collect();
        let places = (0..self.waiting.len()).rev();
        // One that was delivered twice is given out once.
        let is_wanted =
            |place: &usize| self.waiting.get(*place).is_some_and(|it| wanted.remove(&it.id));
        let places: Vec<usize> = places.filter(is_wanted).take(WITNESSES_OF_FINDING_MAX).collect();
        let taken = places.into_iter().filter_map(|place| self.waiting.remove(place));
        let mut taken: Vec<Event> = taken.map(|event| evidence::kept(&event)).collect();
        taken.reverse();
        taken
    }

    /// Events that were too long, or went before they were asked for.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

fn without_secrets<S: Serializer>(
    waiting: &VecDeque<Event>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(waiting.iter().map(evidence::kept))
}

#[cfg(test)]
mod tests {
    use clew_event::control_plane::ApiCall;
    use clew_event::{EventKind, EventType, TimestampNs};

    use super::*;

    fn event(id: usize, record_bytes: usize) -> Event {
        let record = "x".repeat(record_bytes).as_str().into();
        Event {
            id: EventId(id as u128),
            time: TimestampNs::default(),
            arrived: TimestampNs::default(),
            event_type: EventType::Other,
            actor: None,
            kind: EventKind::CloudApi(Box::new(ApiCall { record, ..ApiCall::default() })),
        }
    }

    fn ids(events: Vec<Event>) -> Vec<u128> {
        events.into_iter().map(|event| event.id.0).collect()
    }

    #[test]
    fn the_newest_of_a_finding_are_given_out_once_and_in_their_order() {
        let mut witnesses = Witnesses::default();
        (0..20).chain([19]).for_each(|id| witnesses.keep(&event(id, 1)));
        let all: Vec<EventId> = (0..30).map(EventId).collect();
        let newest: Vec<u128> = (20 - WITNESSES_OF_FINDING_MAX as u128..20).collect();
        assert_eq!(ids(witnesses.take(&all)), newest);
        assert_eq!(ids(witnesses.take(&all)), [0, 1, 2, 3, 19]);
        assert_eq!(witnesses.dropped(), 0);
    }

    #[test]
    fn one_leaves_without_its_secrets() {
        let mut secret = event(1, 0);
        if let EventKind::CloudApi(call) = &mut secret.kind {
            call.record = r#"{"password":"hunter2"}"#.into();
        }
        let mut witnesses = Witnesses::default();
        witnesses.keep(&secret);
        let stored = serde_json::to_string(&witnesses).unwrap();
        assert!(!stored.contains("hunter2") && stored.contains("*******"), "{stored}");
        let taken = witnesses.take(&[EventId(1)]);
        let record = taken[0].api_call().unwrap().record.clone();
        assert_eq!(record.as_bytes(), br#"{"password":"*******"}"#);
    }

    #[test]
    fn at_most_witnesses_max_of_record_bytes_max_wait_and_the_rest_is_counted() {
        let mut witnesses = Witnesses::default();
        witnesses.keep(&event(0, RECORD_BYTES_MAX + 1));
        (1..=WITNESSES_MAX + 1).for_each(|id| witnesses.keep(&event(id, 0)));
        assert_eq!((witnesses.waiting.len(), witnesses.dropped()), (WITNESSES_MAX, 2));
        assert_eq!(ids(witnesses.take(&[EventId(0), EventId(1), EventId(2)])), [2]);
    }
}
