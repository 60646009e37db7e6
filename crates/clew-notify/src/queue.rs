//! The bounded queue before one output.
//!
//! It is bounded by lines and by bytes, for a story may have hundreds of steps. When it is full
//! the new line is dropped and the old ones stay: the first alerts of a flood tell how it began.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::form::Note;

/// Lines that may wait for one output.
pub const QUEUE_MAX: usize = 8192;
/// Bytes of lines that may wait for one output; a single larger line still fits when none waits.
pub const QUEUE_BYTES_MAX: usize = 16 << 20;

#[derive(Debug, Default)]
struct Waiting {
    notes: VecDeque<Note>,
    bytes: usize,
    /// Set once the owner closes: when to stop.
    deadline: Option<Instant>,
}

/// Lines that wait for one output.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No step in here can stop half-way, so a poisoned queue is whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line and never waits; false where it is full or closed.
    pub(crate) fn push(&self, note: Note) -> bool {
        let mut waiting = self.lock();
        let bytes = waiting.bytes.saturating_add(note.line.len());
        let is_full = waiting.notes.len() >= QUEUE_MAX
            || (bytes > QUEUE_BYTES_MAX && !waiting.notes.is_empty());
        if is_full || waiting.deadline.is_some() {
            return false;
        }
        waiting.bytes = bytes;
        waiting.notes.push_back(note);
        drop(waiting);
        self.changed.notify_all();
        true
    }

    /// The next line; waits for it. `None` once closed and empty, or past the deadline.
    pub(crate) fn pop(&self) -> Option<Note> {
        let mut waiting = self.lock();
        loop {
            if waiting.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return None;
            }
            if let Some(note) = waiting.notes.pop_front() {
                waiting.bytes -= note.line.len();
                return Some(note);
            }
            if waiting.deadline.is_some() {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for `span`, or as long as closing allows; false where there was no time for all of
    /// it.
    pub(crate) fn wait(&self, span: Duration) -> bool {
        let end = Instant::now() + span;
        let mut waiting = self.lock();
        loop {
            let now = Instant::now();
            if waiting.deadline.is_some_and(|deadline| deadline < end) {
                return false;
            }
            if end <= now {
                return true;
            }
            waiting = self
                .changed
                .wait_timeout(waiting, end - now)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Takes no more lines; those that wait may go until `deadline`.
    pub(crate) fn close(&self, deadline: Instant) {
        self.lock().deadline = Some(deadline);
        self.changed.notify_all();
    }

    /// How many lines wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().notes.len()
    }

    /// Takes out everything that still waits; returns how many lines that were.
    pub(crate) fn clear(&self) -> usize {
        let mut waiting = self.lock();
        waiting.bytes = 0;
        std::mem::take(&mut waiting.notes).len()
    }
}

#[cfg(test)]
mod tests {
    use clew_event::{Priority, TimestampNs};

    use super::*;

    fn note(line: &str) -> Note {
        let time = TimestampNs::default();
        Note { line: line.into(), priority: Priority::Warning, time, subject: "finding" }
    }

    #[test]
    fn queue_max_lines_fit_and_the_first_ones_stay() {
        let queue = Queue::default();
        for number in 0..QUEUE_MAX {
            assert!(queue.push(note(&number.to_string())));
        }
        assert!(!queue.push(note("one too many")));
        assert_eq!(queue.len(), QUEUE_MAX);
        assert_eq!(queue.pop().map(|note| note.line).as_deref(), Some("0"));
        assert!(queue.push(note("room again")));
    }

    #[test]
    fn queue_bytes_max_bytes_fit_and_one_larger_line_when_it_is_empty() {
        let queue = Queue::default();
        let half = "x".repeat(QUEUE_BYTES_MAX / 2);
        assert!(queue.push(note(&half)) && queue.push(note(&half)));
        assert!(!queue.push(note("x")));
        assert_eq!(queue.clear(), 2);
        assert!(queue.push(note(&"x".repeat(QUEUE_BYTES_MAX + 1))));
        assert!(!queue.push(note("x")));
        assert!(queue.pop().is_some() && queue.push(note("x")));
    }

    #[test]
    fn a_closed_queue_gives_what_it_holds_and_takes_nothing() {
        let queue = Queue::default();
        assert!(queue.push(note("a")));
        queue.close(Instant::now() + Duration::from_secs(60));
        assert!(!queue.push(note("b")));
        assert!(queue.pop().is_some());
        assert!(queue.pop().is_none());
    }

    #[test]
    fn past_the_deadline_nothing_goes_out_and_nobody_waits() {
        let queue = Queue::default();
        assert!(queue.push(note("a")));
        queue.close(Instant::now());
        assert!(queue.pop().is_none());
        assert!(!queue.wait(Duration::from_secs(3600)));
        assert_eq!(queue.clear(), 1);
    }

    #[test]
    fn closing_ends_a_long_wait() {
        let queue = Queue::default();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.wait(Duration::from_secs(3600)));
            queue.close(Instant::now());
            assert!(!waiter.join().unwrap());
        });
    }
}
