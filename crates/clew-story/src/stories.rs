//! Takes findings one by one and gives the stories they make.

use clew_event::{Event, Finding, Story};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// All findings that may still belong together, and the stories they make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stories {
    settings: Settings,
    counts: Counts,
}

/// What the stories hold and what they had to let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Findings taken in.
    pub findings_seen: u64,
    /// Findings held now.
    pub findings_kept: u64,
    /// Findings let go because there were too many.
    pub findings_evicted: u64,
    /// Stories that still grow.
    pub stories_open: u64,
    /// Stories ever told.
    pub stories_told: u64,
}

impl Stories {
    /// No findings yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, counts: Counts::default() }
    }

    /// Takes note of what an event says about what cannot be seen, and about which processes
    /// serve many.
    pub fn observe(&mut self, _event: &Event) {}

    /// Takes one finding, and appends a revision of each story it changes.
    pub fn join(&mut self, _finding: &Finding, _revisions: &mut Vec<Story>) {
        self.counts.findings_seen += 1;
    }

    /// What is held and what was let go.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }
}
