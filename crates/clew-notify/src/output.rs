//! One output: a thread that takes lines from its queue, tries again where that may help, and
//! counts.
//!
//! The waits between attempts are fixed (250 ms, doubled up to 30 s), so that a test and an
//! operator know them. A line that has failed [`ATTEMPTS_MAX`] times, after half a minute, is
//! given up: one bad line must not stand before all others for ever.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::channel::{Channel, Delivered, Failure};
use crate::form::Note;
use crate::queue::Queue;

/// How often a line is tried.
pub const ATTEMPTS_MAX: u32 = 8;
/// The longest wait between two attempts.
const WAIT_SPAN_MAX: Duration = Duration::from_secs(30);

/// What became of the lines of one output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFigures {
    /// The output, without anything secret of its address.
    pub name: String,
    /// Lines that arrived, as far as the way out can tell.
    pub sent: u64,
    /// Lines that were given up or refused.
    pub failed: u64,
    /// Lines for which the queue had no room, or the end no time.
    pub dropped: u64,
    /// Lines that arrived cut, because the way out has a limit.
    pub cut: u64,
    /// Attempts beyond the first.
    pub retried: u64,
    /// Lines that wait.
    pub queued: u64,
    /// Why the last attempt that failed did.
    pub last_error: Option<String>,
}

/// What the owner and the thread of an output share.
#[derive(Debug)]
pub(crate) struct Shared {
    name: String,
    pub(crate) queue: Queue,
    pub(crate) is_reopen_asked: AtomicBool,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    cut: AtomicU64,
    retried: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl Shared {
    pub(crate) fn new(name: String) -> Arc<Self> {
        Arc::new(Self {
            name,
            queue: Queue::default(),
            is_reopen_asked: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            last_error: Mutex::new(None),
        })
    }

    /// Hands over a line; never waits.
    pub(crate) fn push(&self, note: Note) {
        if !self.queue.push(note) {
            count(&self.dropped, 1);
        }
    }

    /// Counts a line that could not even be written.
    pub(crate) fn fail(&self, reason: String) {
        self.remember(reason);
        count(&self.failed, 1);
    }

    fn remember(&self, reason: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    pub(crate) fn figures(&self) -> OutputFigures {
        let count = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        OutputFigures {
            name: self.name.clone(),
            sent: count(&self.sent),
            failed: count(&self.failed),
            dropped: count(&self.dropped),
            cut: count(&self.cut),
            retried: count(&self.retried),
            queued: self.queue.len() as u64,
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Works off the queue until it is closed; what then still waits is dropped and counted.
pub(crate) fn work(mut channel: Box<dyn Channel>, shared: &Shared, first_wait: Duration) {
    while let Some(note) = shared.queue.pop() {
        if shared.is_reopen_asked.swap(false, Ordering::Relaxed) {
            channel.reopen();
        }
        deliver(channel.as_mut(), shared, &note, first_wait);
    }
    let left = shared.queue.clear();
    count(&shared.dropped, left as u64);
}

fn deliver(channel: &mut dyn Channel, shared: &Shared, note: &Note, first_wait: Duration) {
    for attempt in 0..ATTEMPTS_MAX {
        if attempt > 0 {
            if !shared.queue.wait(wait_span(first_wait, attempt)) {
                break;
            }
            count(&shared.retried, 1);
        }
        match channel.deliver(note) {
            Ok(delivered) => {
                if delivered == Delivered::Cut {
                    count(&shared.cut, 1);
                }
                count(&shared.sent, 1);
                return;
            }
            Err(Failure::Passing(reason)) => shared.remember(reason),
            Err(Failure::Lasting(reason)) => {
                shared.fail(reason);
                return;
            }
        }
    }
    count(&shared.failed, 1);
}

/// Adds to a counter. Who sees the new count also sees what was written before, such as why.
fn count(counter: &AtomicU64, lines: u64) {
    counter.fetch_add(lines, Ordering::Release);
}

/// How long to wait before attempt number `attempt`, the second one being 1.
fn wait_span(first: Duration, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1);
    first.saturating_mul(2_u32.saturating_pow(doublings)).min(WAIT_SPAN_MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use clew_event::{Priority, TimestampNs};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn note(line: &str) -> Note {
        let time = TimestampNs::default();
        Note { line: line.into(), priority: Priority::Warning, time, subject: "finding" }
    }

    /// Fails as often as it is told, then takes everything.
    struct Failing {
        failures: u32,
        failure: Failure,
    }

    impl Channel for Failing {
        fn deliver(&mut self, _: &Note) -> Result<Delivered, Failure> {
            if self.failures == 0 {
                return Ok(Delivered::Whole);
            }
            self.failures -= 1;
            Err(self.failure.clone())
        }
    }

    /// Does one thing after the other, and then takes everything.
    struct Scripted(std::vec::IntoIter<Result<Delivered, Failure>>);

    impl Channel for Scripted {
        fn deliver(&mut self, _: &Note) -> Result<Delivered, Failure> {
            self.0.next().unwrap_or(Ok(Delivered::Whole))
        }
    }

    fn outcome() -> impl Strategy<Value = Result<Delivered, Failure>> {
        prop_oneof![
            Just(Ok(Delivered::Whole)),
            Just(Ok(Delivered::Cut)),
            Just(Err(Failure::Passing("busy".to_owned()))),
            Just(Err(Failure::Lasting("no".to_owned()))),
        ]
    }

    proptest! {
        #[test]
        fn every_line_is_accounted_for_whatever_the_way_out_does(
            outcomes in vec(outcome(), 0..64),
            lines in 0_u64..32,
            has_time in any::<bool>(),
        ) {
            let shared = Shared::new("test".into());
            for _ in 0..lines {
                shared.push(note("a"));
            }
            let span = if has_time { Duration::from_secs(60) } else { Duration::ZERO };
            shared.queue.close(Instant::now() + span);
            shared.push(note("late"));
            work(Box::new(Scripted(outcomes.into_iter())), &shared, Duration::ZERO);
            let OutputFigures { sent, failed, dropped, queued, cut, .. } = shared.figures();
            prop_assert_eq!(sent + failed + dropped, lines + 1);
            prop_assert!(queued == 0 && cut <= sent && 1 <= dropped);
            prop_assert!(has_time || dropped == lines + 1);
        }
    }

    fn check(failures: u32, failure: Failure, expected: (u64, u64, u64)) {
        let shared = Shared::new("test".into());
        for line in ["a", "b"] {
            shared.push(note(line));
        }
        shared.queue.close(Instant::now() + Duration::from_secs(60));
        work(Box::new(Failing { failures, failure }), &shared, Duration::from_millis(1));
        let OutputFigures { sent, failed, retried, dropped, queued, .. } = shared.figures();
        assert_eq!((sent, failed, retried), expected);
        assert_eq!((dropped, queued), (0, 0));
    }

    #[test]
    fn a_line_is_tried_attempts_max_times_and_then_the_next_one() {
        let passing = || Failure::Passing("busy".into());
        check(0, passing(), (2, 0, 0));
        check(3, passing(), (2, 0, 3));
        check(ATTEMPTS_MAX, passing(), (1, 1, u64::from(ATTEMPTS_MAX) - 1));
        check(2 * ATTEMPTS_MAX, passing(), (0, 2, 2 * (u64::from(ATTEMPTS_MAX) - 1)));
    }

    #[test]
    fn a_line_that_is_refused_is_not_tried_again() {
        check(1, Failure::Lasting("no such hook".into()), (1, 1, 0));
    }

    #[test]
    fn waits_double_from_the_first_up_to_wait_span_max() {
        let first = Duration::from_millis(250);
        let spans: Vec<_> =
            (1..ATTEMPTS_MAX).map(|attempt| wait_span(first, attempt).as_millis()).collect();
        assert_eq!(spans, [250, 500, 1000, 2000, 4000, 8000, 16_000]);
        assert_eq!(wait_span(first, 8), WAIT_SPAN_MAX);
        assert_eq!(wait_span(first, u32::MAX), WAIT_SPAN_MAX);
    }
}
