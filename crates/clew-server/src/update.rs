//! What the owner of the server publishes to the page.

use clew_event::{Finding, FindingId, Priority, Story, TimestampNs};
use clew_intake::SourceFigures;
use clew_notify::OutputFigures;
use clew_store::StorySummary;
use serde::{Deserialize, Serialize};

/// One thing that has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// A story has a new revision. To be published after the store has it: the page asks the
    /// store for the rest.
    Story(StorySummary),
    /// There is a new finding.
    Finding(FindingSummary),
    /// How things stand; to be published each second.
    Status(Status),
}

impl Update {
    /// The update that tells of a new revision.
    #[must_use]
    pub fn of_story(story: &Story) -> Self {
        Self::Story(StorySummary::of_story(story))
    }

    /// The update that tells of a new finding.
    #[must_use]
    pub fn of_finding(finding: &Finding) -> Self {
        Self::Finding(FindingSummary {
            id: finding.id,
            time: finding.time,
            rule: finding.rule.clone(),
            priority: finding.priority,
            output: finding.output.clone(),
        })
    }
}

/// What the page says of a finding as it comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingSummary {
    /// The finding.
    pub id: FindingId,
    /// When.
    pub time: TimestampNs,
    /// Rule that matched.
    pub rule: String,
    /// How urgent its author calls it.
    pub priority: Priority,
    /// The rule's sentence.
    pub output: String,
}

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Events since the start.
    pub events_total: u64,
    /// Events in the last second.
    pub events_per_second: f64,
    /// Events lost since the start.
    pub lost_total: u64,
    /// Calls that the kernel kept back because no rule can match them.
    #[serde(default)]
    pub quieted_total: u64,
    /// Findings since the start.
    pub findings_total: u64,
    /// Matches that made no finding because the rate of their rule was used up.
    #[serde(default)]
    pub suppressed_total: u64,
    /// Each rule that ever matched, by name.
    #[serde(default)]
    pub rules: Vec<RuleFigures>,
    /// Stories that may still grow.
    pub stories_open: u64,
    /// What is watched: `kernel T0s`, `docker`.
    pub sources: Vec<String>,
    /// How each source beside the sensor stands.
    #[serde(default)]
    pub source_figures: Vec<SourceFigures>,
    /// What cannot be seen, in whole sentences.
    pub blind_spots: Vec<String>,
    /// What became of the lines of each output.
    #[serde(default)]
    pub outputs: Vec<OutputFigures>,
    /// When watching began.
    pub started: TimestampNs,
    /// Version of the program.
    pub version: String,
}

/// What became of the matches of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFigures {
    /// Its name.
    pub rule: String,
    /// Events that it matched.
    pub matches: u64,
    /// Of these, how many its rate held back.
    pub suppressed: u64,
}
