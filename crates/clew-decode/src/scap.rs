//! Capture files of Falco and sysdig (`.scap`, `.scap.gz`) into events.
//!
//! Layouts are those of falcosecurity/libs as of July 2026: blocks in
//! `userspace/libscap/scap_savefile.h`, event types and their parameters in
//! `driver/event_table.c`. Only returns of system calls are read; entries, which older captures
//! also hold, are counted with the rest of what is not read.
//!
//! An event of a capture names descriptors by number and processes by a number that is given out
//! again. What Clew's events need beyond that is kept here: `threads` and `descriptors`, copied
//! and forgotten at the moments at which Falco does, so that the same capture gives the same
//! verdicts. Reading order: `block`, `record`, `lists`, `machine`, then one file a family of calls.
//!
//! Invariant: hostile bytes never panic; memory is bounded by [`BLOCK_BYTES_MAX`],
//! [`THREADS_MAX`], [`DESCRIPTORS_MAX`] and [`DESCRIPTORS_TOTAL_MAX`]; what is left out is counted
//! in [`Counts`] and the first of each kind is complained of.

mod address;
mod block;
mod bytes;
mod container;
mod descriptors;
mod environment;
mod files;
mod flags;
mod life;
mod lists;
mod machine;
mod path;
mod privileges;
mod record;
mod sockets;
mod state;
mod threads;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::Read;

use clew_event::{Complaint, Event, TimestampNs};

use block::{Blocks, Next};
use machine::Machine;

pub use block::{BLOCK_BYTES_MAX, is_scap};
pub use descriptors::DESCRIPTORS_MAX;
pub use threads::{DESCRIPTORS_TOTAL_MAX, THREADS_MAX};

/// Most things told before the first event that wait for it; beyond that they have the moment of
/// boot as their time.
pub const LISTED_MAX: usize = 262_144;

/// Reads one capture as events: the machine first, its users, what ran, then what happened.
pub struct Reader<'a> {
    name: String,
    blocks: Blocks<'a>,
    machine: Machine,
    waiting: VecDeque<Result<Event, Complaint>>,
    counts: Counts,
    is_over: bool,
}

/// What was read, and what was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Event blocks: as many events as Falco counts.
    pub events: u64,
    /// Events of a type that gives no event of Clew's; many change what later ones mean.
    pub without_meaning: u64,
    /// Events shorter than their type asks for.
    pub malformed: u64,
    /// Blocks of a kind that is not known.
    pub unknown_blocks: u64,
    /// Blocks longer than [`BLOCK_BYTES_MAX`].
    pub blocks_too_long: u64,
    /// Lists that broke off; what stood before the break was taken.
    pub lists_cut: u64,
    /// Threads and descriptors for which there was no room.
    pub dropped: u64,
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("name", &self.name).field("counts", &self.counts).finish()
    }
}

impl<'a> Reader<'a> {
    /// Reads a capture; `name` is what complaints call it.
    #[must_use]
    pub fn new(name: &str, input: impl Read + 'a) -> Self {
        Self {
            name: name.to_owned(),
            blocks: Blocks::new(input),
            machine: Machine::default(),
            waiting: VecDeque::new(),
            counts: Counts::default(),
            is_over: false,
        }
    }

    /// What was read so far, and what was left out.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { dropped: self.machine.dropped(), ..self.counts }
    }

    /// What is listed before the first event waits for it, because it is told as of its time.
    fn is_told(&self) -> bool {
        self.is_over || self.machine.first_ns.is_some() || LISTED_MAX <= self.waiting.len()
    }

    fn set_time_of_lists(&mut self) {
        let Some(first_ns) = self.machine.first_ns else { return };
        for event in self.waiting.iter_mut().filter_map(|item| item.as_mut().ok()) {
            if event.id.capture_number() == Some(0) {
                event.time = TimestampNs::from_unix_ns(first_ns);
                event.arrived = event.time;
            }
        }
    }

    fn read_block(&mut self) {
        let offset = self.blocks.offset();
        let problem = match self.blocks.next() {
            Next::Block { kind, content } => {
                self.machine.take(kind, content, &mut self.counts, &mut self.waiting)
            }
            Next::TooLong { length } => {
                self.counts.blocks_too_long += 1;
                let text = format!("a block of {length} bytes, at most {BLOCK_BYTES_MAX} are read");
                Some(("scap-block-too-long", text))
            }
            Next::End => {
                self.is_over = true;
                None
            }
            Next::Broken(reason) => {
                self.is_over = true;
                Some(("scap-cut-short", format!("{reason}; what stands before it was read")))
            }
        };
        if let Some((code, message)) = problem {
            self.waiting.push_back(Err(Complaint {
                file: self.name.clone(),
                r#where: format!("byte {offset}"),
                code: code.to_owned(),
                message,
            }));
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Event, Complaint>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.is_told()
                && let Some(ready) = self.waiting.pop_front()
            {
                return Some(ready);
            }
            if self.is_over {
                return None;
            }
            let was_told = self.is_told();
            self.read_block();
            if !was_told && self.is_told() {
                self.set_time_of_lists();
            }
        }
    }
}
