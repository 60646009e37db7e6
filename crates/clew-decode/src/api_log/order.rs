//! Puts the events of one log into order of time, as far as a bounded number of them allows.
//!
//! CloudTrail writes records of a quarter of an hour into a file, a fifth of them before an earlier
//! neighbour; the files have at most some 50 MB. So a log is sorted as a whole as long as it has no
//! more than [`WAITING_MAX`] records with [`WAITING_BYTES_MAX`] bytes, and behind that as far as
//! these reach. An event that comes later than that keeps its own time and stands where it came.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use clew_event::{Complaint, Event, TimestampNs};

/// Most events that wait for earlier ones.
pub const WAITING_MAX: usize = 65_536;
/// Most bytes of their records.
pub const WAITING_BYTES_MAX: usize = 64 << 20;

/// Events in order of time; those of one moment in the order in which they came.
#[derive(Debug)]
pub struct Ordered<I> {
    events: I,
    waiting: BinaryHeap<Reverse<Waiting>>,
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
        Self { events, waiting: BinaryHeap::new(), waiting_bytes: 0, came: 0, is_over: false }
    }
}

#[cfg(test)]
impl<I> Ordered<I> {
    pub(super) fn waiting_count(&self) -> usize {
        self.waiting.len()
    }
}

fn bytes(event: &Event) -> usize {
    event.api_call().map_or(0, |call| call.record.as_bytes().len())
}

impl<I: Iterator<Item = Result<Event, Complaint>>> Iterator for Ordered<I> {
    type Item = Result<Event, Complaint>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over
            && self.waiting.len() < WAITING_MAX
            && self.waiting_bytes < WAITING_BYTES_MAX
        {
            match self.events.next() {
                Some(Ok(event)) => {
                    self.waiting_bytes += bytes(&event);
                    self.came += 1;
                    let (time, came) = (event.time, self.came);
                    self.waiting.push(Reverse(Waiting { time, came, event: Box::new(event) }));
                }
                Some(Err(complaint)) => return Some(Err(complaint)),
                None => self.is_over = true,
            }
        }
        let Reverse(Waiting { event, .. }) = self.waiting.pop()?;
        self.waiting_bytes -= bytes(&event);
        Some(Ok(*event))
    }
}
