//! Puts the records of all CPUs and both rings into one order of time.
//!
//! Each ring is nearly in order of time already: its records are reserved in it within a few
//! microseconds of their time stamps. Held back are only the records younger than the moment up
//! to which both rings have been read, so waiting costs about a millisecond, and an event never
//! goes before one that led to it.

use clew_event::{Event, TimestampNs};

/// Events that may be held; beyond that the oldest go, in order as far as it is known.
pub(crate) const HELD_EVENTS_MAX: usize = 65_536;

/// Events that wait for the others of their time.
#[derive(Debug, Default)]
pub(crate) struct Order {
    held: Vec<Event>,
    complete: TimestampNs,
}

impl Order {
    /// Takes an event in any order.
    pub(crate) fn push(&mut self, event: Event) {
        self.held.push(event);
    }

    /// Tells that nothing older than `moment` will be pushed any more.
    pub(crate) fn complete_until(&mut self, moment: TimestampNs) {
        self.complete = self.complete.max(moment);
    }

    /// True where events wait.
    pub(crate) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// All that wait.
    pub(crate) fn held(&self) -> &[Event] {
        &self.held
    }

    /// Moves what is complete to `events`, oldest first.
    pub(crate) fn release(&mut self, events: &mut Vec<Event>) {
        // Two sorted runs: the sort merges them in linear time. The id settles equal times, so
        // that the order of a tape does not depend on the round in which a record was read.
        self.held.sort_by_key(|event| (event.time, event.id));
        let ripe = self.held.partition_point(|event| event.time <= self.complete);
        let count = ripe.max(self.held.len().saturating_sub(HELD_EVENTS_MAX));
        events.extend(self.held.drain(..count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_event::{BootId, EventId, EventKind, EventType};

    fn at(time: u64) -> Event {
        let time = TimestampNs::from_unix_ns(time);
        Event {
            id: EventId::from_kernel(BootId(1), 0, time.unix_ns()),
            time,
            arrived: time,
            event_type: EventType::Other,
            actor: None,
            kind: EventKind::Lost(clew_event::kernel::Lost::default()),
        }
    }

    fn released(order: &mut Order) -> Vec<u64> {
        let mut events = Vec::new();
        order.release(&mut events);
        events.iter().map(|event| event.time.unix_ns()).collect()
    }

    #[test]
    fn events_of_two_rings_leave_in_order_of_time() {
        let mut order = Order::default();
        [5, 9, 3, 7].into_iter().for_each(|time| order.push(at(time)));
        order.complete_until(TimestampNs::from_unix_ns(7));
        assert_eq!(released(&mut order), [3, 5, 7]);
        assert!(order.is_holding());
        order.push(at(8));
        order.complete_until(TimestampNs::from_unix_ns(9));
        assert_eq!(released(&mut order), [8, 9]);
    }

    #[test]
    fn no_more_than_held_events_max_wait() {
        let mut order = Order::default();
        for time in 0..=HELD_EVENTS_MAX as u64 {
            order.push(at(time + 1));
        }
        assert_eq!(released(&mut order), [1]);
        assert_eq!(order.held().len(), HELD_EVENTS_MAX);
    }
}
