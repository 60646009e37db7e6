//! Puts the events of one log into order of time, as far as a bounded number of them allows.
//!
//! CloudTrail writes records of a quarter of an hour into a file, a fifth of them before an earlier
//! neighbour; the files have at most some 50 MB. So a log is sorted as a whole as long as it has no
//! more than [`WAITING_MAX`] records with [`WAITING_BYTES_MAX`] bytes, and behind that as far as
//! these reach. An event that comes later than that keeps its own time and stands where it came.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;

use clew_event::{Complaint, Event, TimestampNs};

/// Most events that wait for earlier ones.
pub const WAITING_MAX: usize = 65_536;
/// Most bytes of their records.
pub const WAITING_BYTES_MAX: usize = 64 << 20;

/// A log whose records can wait for earlier ones.
pub trait Log {
    /// What waits: what becomes an event, in as little room as may be.
    type Record;

    /// The next record, or what could not be read; `None` at the end.
    fn read(&mut self) -> Option<Result<Waiting<Self::Record>, Complaint>>;

    /// What a record tells.
    fn event(&mut self, record: Self::Record) -> Event;
}

/// A record that waits.
#[derive(Debug)]
pub struct Waiting<T> {
    /// When it happened.
    pub time: TimestampNs,
    /// How many bytes it takes.
    pub bytes: usize,
    /// What becomes an event.
    pub record: T,
}

/// Events in order of time; those of one moment in the order in which they came.
pub struct Ordered<L: Log> {
    log: L,
    /// Those that came behind all earlier ones, as nearly all do.
    on_time: VecDeque<Turn<L::Record>>,
    late: BinaryHeap<Reverse<Turn<L::Record>>>,
    waiting_bytes: usize,
    came: u64,
    is_over: bool,
}

impl<L: Log> fmt::Debug for Ordered<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ordered({} wait)", self.held_count())
    }
}

struct Turn<T> {
    came: u64,
    waiting: Waiting<T>,
}

impl<T> Turn<T> {
    fn key(&self) -> (TimestampNs, u64) {
        (self.waiting.time, self.came)
    }
}

impl<T> PartialEq for Turn<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Turn<T> {}

impl<T> PartialOrd for Turn<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Turn<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<L: Log> Ordered<L> {
    /// Puts the events of `log` into order.
    pub fn new(log: L) -> Self {
        let (on_time, late) = (VecDeque::new(), BinaryHeap::new());
        Self { log, on_time, late, waiting_bytes: 0, came: 0, is_over: false }
    }

    fn push(&mut self, waiting: Waiting<L::Record>) {
        self.waiting_bytes += waiting.bytes;
        self.came += 1;
        let new = Turn { came: self.came, waiting };
        match self.on_time.back() {
            Some(last) if new.waiting.time < last.waiting.time => self.late.push(Reverse(new)),
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
        let Waiting { bytes, record, .. } = first?.waiting;
        self.waiting_bytes -= bytes;
        Some(self.log.event(record))
    }

    fn held_count(&self) -> usize {
        self.on_time.len() + self.late.len()
    }
}

#[cfg(test)]
impl<L: Log> Ordered<L> {
    pub(super) fn waiting_count(&self) -> usize {
        self.held_count()
    }
}

impl<L: Log> Iterator for Ordered<L> {
    type Item = Result<Event, Complaint>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over
            && self.held_count() < WAITING_MAX
            && self.waiting_bytes < WAITING_BYTES_MAX
        {
            match self.log.read() {
                Some(Ok(waiting)) => self.push(waiting),
                Some(Err(complaint)) => return Some(Err(complaint)),
                None => self.is_over = true,
            }
        }
        self.pop().map(Ok)
    }
}
