//! What is known of each source: how much came, how late, and what went wrong.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use clew_event::TimestampNs;
use serde::{Deserialize, Serialize};

use crate::lateness::Lateness;

/// Notes of a source that are shown; of more, the oldest are let go.
pub const NOTES_MAX: usize = 8;

/// How one source stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceFigures {
    /// Its name.
    pub name: String,
    /// Its kind: `files`, `kubernetes`, `sqs`, …
    pub kind: String,
    /// Where it listens, for a receiver; else empty.
    #[serde(default)]
    pub address: String,
    /// Batches that were taken: files or parts of them, requests, objects.
    pub batches: u64,
    /// Events that were taken, each once.
    pub events: u64,
    /// Events a second, over the time since the figures were last asked for.
    pub events_per_second: f64,
    /// Events that were delivered again and counted once.
    pub duplicates: u64,
    /// Ids of events that were let go: what they name would be judged again.
    pub ids_let_go: u64,
    /// Records that could not be read.
    pub complaints: u64,
    /// Places where records are known to be missing.
    pub gaps: u64,
    /// Events whose time lies years off.
    pub times_off: u64,
    /// Deliveries without a right token or signature; they were not read.
    pub refused: u64,
    /// Deliveries that were asked to come again because the queue was full.
    pub throttled: u64,
    /// Attempts that failed and are made again.
    pub failures: u64,
    /// Messages put aside because they could not be read however often they came.
    pub parked: u64,
    /// Log files that a digest proved.
    #[serde(default)]
    pub files_proven: u64,
    /// Log files and digests that were changed after they were written, or are not signed.
    #[serde(default)]
    pub files_altered: u64,
    /// Batches that wait in the queue.
    pub queued: u64,
    /// Time of the newest event.
    pub last_event: Option<TimestampNs>,
    /// Up to which event time the source is thought to be complete.
    pub watermark: Option<TimestampNs>,
    /// Half of the events arrived within this time after they happened.
    pub lag_p50_ms: u64,
    /// Of a hundred events, 99 arrived within this time after they happened.
    pub lag_p99_ms: u64,
    /// What somebody should look at, the newest last, at most [`NOTES_MAX`].
    pub notes: Vec<String>,
}

/// The figures of one source, written by its thread and by the engine's loop.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    figures: SourceFigures,
    lateness: Lateness,
    asked: (Instant, u64),
}

impl Shared {
    pub(crate) fn new(name: &str, kind: &str) -> Self {
        let figures =
            SourceFigures { name: name.into(), kind: kind.into(), ..SourceFigures::default() };
        let asked = (Instant::now(), 0);
        Self(Mutex::new(Kept { figures, lateness: Lateness::default(), asked }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut SourceFigures)) {
        change(&mut self.kept().figures);
    }

    /// Counts events and their times.
    pub(crate) fn take_in(&self, count: impl FnOnce(&mut SourceFigures, &mut Lateness)) {
        let Kept { figures, lateness, .. } = &mut *self.kept();
        count(figures, lateness);
    }

    /// Keeps a note for whoever looks after the source; one that stands there already is not
    /// repeated.
    pub(crate) fn note(&self, note: String) {
        self.change(|figures| {
            figures.notes.retain(|other| *other != note);
            figures.notes.push(note);
            let over = figures.notes.len().saturating_sub(NOTES_MAX);
            figures.notes.drain(..over);
        });
    }

    /// A failed attempt, and why.
    pub(crate) fn fail(&self, reason: String) {
        self.change(|figures| figures.failures += 1);
        self.note(reason);
    }

    pub(crate) fn figures(&self) -> SourceFigures {
        let Kept { figures, lateness, asked } = &mut *self.kept();
        let span = asked.0.elapsed();
        if 1 <= span.as_secs() {
            figures.events_per_second = (figures.events - asked.1) as f64 / span.as_secs_f64();
            *asked = (Instant::now(), figures.events);
        }
        figures.last_event = lateness.newest();
        figures.watermark = lateness.watermark();
        figures.lag_p50_ms = lateness.lag_ms(500);
        figures.lag_p99_ms = lateness.lag_ms(990);
        figures.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_max_notes_are_shown_the_newest_last_and_each_once() {
        let shared = Shared::new("s", "files");
        for number in 0..=NOTES_MAX {
            shared.note(number.to_string());
        }
        shared.note("2".into());
        let notes = shared.figures().notes;
        assert_eq!((notes.len(), notes[0].as_str()), (NOTES_MAX, "1"));
        assert_eq!(notes.last().map(String::as_str), Some("2"));
    }
}
