//! Files and folders: growing files of JSON lines, and whole files that are dropped in.
//!
//! Folders are looked through again and again instead of being watched by the kernel: the same code
//! works on network file systems, after a restart and when a notification was lost, and looking at
//! a thousand files takes some milliseconds. A file is known by device, inode and a hash of its
//! beginning, so a renamed file goes on where it was, and one that was cut and written anew, or
//! that got the inode of another, begins anew. What a copy of a file holds is known by its events.
//!
//! Reading order: this file (the rounds), `walk` (which files there are), `tail` (one file),
//! `beside` (what a digest names).

mod beside;
mod tail;
mod walk;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::ledger::Change;
use crate::queue::Feed;
use tail::{Cursor, Key, Tail};
use walk::Found;

pub(crate) use walk::FILES_MAX;

/// The least time between two rounds.
const ROUND_SPAN: Duration = Duration::from_millis(250);
/// A round may take one part in so many of the time.
const IDLE_SHARE: u32 = 10;

/// Follows what lies at a path.
#[derive(Debug)]
pub(crate) struct Watcher {
    path: PathBuf,
    tails: BTreeMap<Key, Tail>,
}

impl Watcher {
    /// Begins where `cursors` say.
    pub(crate) fn of(path: PathBuf, cursors: Vec<(String, String)>) -> Self {
        let read = |(key, value): (String, String)| {
            let cursor: Cursor = serde_json::from_str(&value).ok()?;
            Some((key.parse().ok()?, Tail::resumed(cursor)))
        };
        Self { path, tails: cursors.into_iter().filter_map(read).collect() }
    }

    /// Goes round until the intake stops.
    pub(crate) fn run(&mut self, feed: &Feed) {
        loop {
            let began = Instant::now();
            if self.round(feed).is_none() {
                return;
            }
            if !feed.pause(ROUND_SPAN.max(began.elapsed() * IDLE_SHARE)) {
                return;
            }
        }
    }

    /// Looks at every file once; `None` when the intake stops.
    fn round(&mut self, feed: &Feed) -> Option<()> {
        let wanted = |key: &Key| self.tails.get(key).is_some_and(Tail::is_behind);
        let Found { files, left_out, fault } = walk::find(&self.path, wanted);
        if let Some(fault) = &fault {
            feed.shared.note(fault.clone());
        }
        if 0 < left_out {
            feed.shared.note(format!("{left_out} files beyond the first {FILES_MAX} are not read"));
        }
        for (key, path, metadata) in &files {
            let tail = self.tails.entry(*key).or_default();
            if let Err(error) = tail.see(path, metadata) {
                feed.shared.note(format!("`{}`: {error}", path.display()));
                continue;
            }
            match tail.read(*key, feed)? {
                Ok(()) => {}
                Err(error) => feed.shared.fail(format!("`{}`: {error}", path.display())),
            }
        }
        // A folder that could not be read says nothing of what is gone.
        if fault.is_none() && left_out == 0 {
            let is_there: std::collections::BTreeSet<_> =
                files.iter().map(|(key, ..)| *key).collect();
            let gone: Vec<_> =
                self.tails.keys().filter(|key| !is_there.contains(key)).copied().collect();
            for key in gone {
                self.forget(key, feed)?;
            }
        }
        Some(())
    }

    /// Reads what is left of a file that is no longer there, as far as it is still open.
    fn forget(&mut self, key: Key, feed: &Feed) -> Option<()> {
        let Some(mut tail) = self.tails.remove(&key) else { return Some(()) };
        let outcome = tail.finish(key, feed)?;
        if tail.is_behind() || outcome.is_err() {
            feed.shared.change(|figures| figures.gaps += 1);
            feed.shared.note(format!("`{}` went before it was read to its end", tail.path()));
        }
        feed.hand(Default::default(), vec![Change::Forget { key: key.to_string() }], None);
        Some(())
    }
}
