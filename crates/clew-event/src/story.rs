//! One attack, explained.

use serde::{Deserialize, Serialize};

use crate::finding::{Entity, ProcessFacts};
use crate::id::{EventId, FindingId, ProcessKey, StoryId};
use crate::time::TimestampNs;

/// Findings joined into one attack. Each change gives a new revision; the last one is the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// Made from the root's finding.
    pub id: StoryId,
    /// Counts changes, from 1.
    pub revision: u32,
    /// One line.
    pub title: String,
    /// How bad, from likelihood, impact and stage.
    pub severity: Severity,
    /// Log-likelihood ratio in bits that this is an attack and no coincidence.
    pub likelihood_bits: f64,
    /// What is at stake, beside how likely it is; never mixed into it.
    pub impact: Impact,
    /// ATT&CK techniques in the order in which they were first seen.
    pub techniques: Vec<String>,
    /// Everything it is about.
    pub entities: Vec<Entity>,
    /// Where it began.
    pub root: Root,
    /// What happened, in order of time; at most [`Story::STEPS_MAX`] in full.
    pub steps: Vec<Step>,
    /// Findings that belong to it beyond those told in full.
    pub steps_untold: u64,
    /// What could not be seen while it happened, in whole sentences.
    pub blind_spots: Vec<String>,
    /// What else it could be, the likeliest first.
    #[serde(default)]
    pub alternatives: Vec<Alternative>,
    /// All of it in words; made from the other fields.
    pub narrative: String,
    /// The processes of the steps and what leads to them, parents before children.
    pub processes: Vec<ProcessFacts>,
    /// For each process its parent among them; the same order as `processes`.
    pub parents: Vec<Option<ProcessKey>>,
    /// First and last moment.
    pub span: (TimestampNs, TimestampNs),
}

impl Story {
    /// Steps that are told in full; the rest is counted.
    pub const STEPS_MAX: usize = 256;
}

/// Where a story began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The first finding of the chain.
    pub finding: FindingId,
    /// The process that began it.
    pub process: Option<ProcessKey>,
    /// What it was, in one sentence.
    pub sentence: String,
}

/// One step of a story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub time: TimestampNs,
    /// The finding that tells it.
    pub finding: FindingId,
    /// The event that proves it.
    pub event: EventId,
    /// Rule that found it.
    pub rule: String,
    /// ATT&CK techniques of the finding.
    pub techniques: Vec<String>,
    /// The process that did it.
    pub process: Option<ProcessKey>,
    /// What was done, in one sentence.
    pub sentence: String,
    /// What joins it to the step before it; absent for the root.
    pub edge: Option<Edge>,
}

/// Why two steps belong to one attack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// The earlier finding.
    pub from: FindingId,
    /// How strong the tie is by its nature.
    pub class: EdgeClass,
    /// Bits for this tie against coincidence.
    pub bits: f64,
    /// The events that prove it.
    pub events: Vec<EventId>,
    /// The tie in one sentence: "`sh` (100) started `id` (101)".
    pub sentence: String,
    /// What both have in common: `process`, `request`, `event`, `identity`, `stolen_credential`,
    /// `file`, or a value that may coincide: `container`, `peer`, `program`, `credential`, `caller`.
    #[serde(default)]
    pub kind: String,
    /// Seconds from the earlier finding to the later one; negative where clocks differ.
    #[serde(default)]
    pub seconds: f64,
    /// How often a day unrelated findings meet at the value; absent for what cannot coincide.
    #[serde(default)]
    pub coincidences_per_day: Option<f64>,
    /// Findings that would no longer be part of the story without this tie.
    #[serde(default)]
    pub holds: usize,
}

/// Another reading of what happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// What it would be: "a deploy or restart".
    pub hypothesis: String,
    /// How much speaks against it.
    pub bits_against: f64,
    /// What does, in one sentence.
    pub because: String,
}

/// How strong a tie is by its nature.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum EdgeClass {
    /// Causal: the kernel or a provider says that one made the other.
    C,
    /// Identity: both carry the same exact identity.
    I,
    /// Statistical: they share a value that is rare enough.
    S,
    /// Excluded as a cause, kept for context.
    #[default]
    X,
}

/// What is at stake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impact {
    /// How much.
    pub level: ImpactLevel,
    /// Why, in whole sentences.
    pub reasons: Vec<String>,
}

/// How much is at stake.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ImpactLevel {
    /// Nothing beyond the process.
    #[default]
    Low,
    /// One container.
    Medium,
    /// Credentials, data, or a way out.
    High,
    /// The machine or more.
    Critical,
}

/// How bad a story is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Low,
    /// Look today.
    Medium,
    /// Look now.
    High,
    /// Act now.
    Critical,
}
