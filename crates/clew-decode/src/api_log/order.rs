//! Puts the events of one log into order of time, as far as a bounded number of them allows.
//!
//! CloudTrail writes records of a quarter of an hour into a file, a fifth of them before an earlier
//! neighbour; the files have at most some 50 MB. So a log is sorted as a whole as long as it has no
//! more than [`WAITING_MAX`] records with [`WAITING_BYTES_MAX`] bytes, and behind that as far as
//! these reach. An event that comes later than that keeps its own time and stands where it came.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use clew_event::{Complaint, Event, EventKind, TimestampNs};

/// Most events that wait for earlier ones.
pub const WAITING_MAX: usize = 65_536;
/// Most bytes of their records.
pub const WAITING_BYTES_MAX: usize = 64 << 20;

/// Events in order of time; those of one moment in the order in which they came.
#[derive(Debug)]
pub struct Ordered<I> {
    events: I,
    /// Those that came behind all earlier ones, as nearly all do.
    on_time: VecDeque<Waiting>,
    late: BinaryHeap<Reverse<Waiting>>,
    waiting_bytes: usize,
    came: u64,
    is_over: bool,
}

#[derive(Debug)]
struct Waiting {
    time: TimestampNs,
    came: u64,
    event: Box<Event>,
}

impl Waiting {
    fn key(&self) -> (TimestampNs, u64) {
        (self.time, self.came)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<I> Ordered<I> {
    /// Puts `events` into order.
    pub fn new(events: I) -> Self {
        let (on_time, late) = (VecDeque::new(), BinaryHeap::new());
        Self { events, on_time, late, waiting_bytes: 0, came: 0, is_over: false }
    }

    fn push(&mut self, event: Event) {
        self.waiting_bytes += bytes(&event);
        self.came += 1;
        let new = Waiting { time: event.time, came: self.came, event: Box::new(event) };
        match self.on_time.back() {
            Some(last) if new.time < last.time => self.late.push(Reverse(new)),
            Some(_) | None => self.on_time.push_back(new),
        }
    }

    fn pop(&mut self) -> Option<Event> {
        let is_late = match (self.on_time.front(), self.late.peek()) {
            (Some(on_time), Some(Reverse(late))) => late < on_time,
            (on_time, _) => on_time.is_none(),
        };
        let first = match is_late {
            true => self.late.pop().map(|Reverse(late)| late),
            false => self.on_time.pop_front(),
        };
        let event = first?.event;
        self.waiting_bytes -= bytes(&event);
        Some(*event)
    }

    fn held_count(&self) -> usize {
        self.on_time.len() + self.late.len()
    }
}

#[cfg(test)]
impl<I> Ordered<I> {
    pub(super) fn waiting_count(&self) -> usize {
        self.held_count()
    }
}

fn bytes(event: &Event) -> usize {
    match &event.kind {
        EventKind::Http(http) => http.bytes(),
        _ => event.api_call().map_or(0, |call| call.record.as_bytes().len()),
    }
}

impl<I: Iterator<Item = Result<Event, Complaint>>> Iterator for Ordered<I> {
    type Item = Result<Event, Complaint>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over
            && self.held_count() < WAITING_MAX
            && self.waiting_bytes < WAITING_BYTES_MAX
        {
            match self.events.next() {
                Some(Ok(event)) => self.push(event),
                Some(Err(complaint)) => return Some(Err(complaint)),
                None => self.is_over = true,
            }
        }
        self.pop().map(Ok)
    }
}
