//! What a list of stories shows of each.

use std::collections::BTreeSet;

use clew_event::finding::EntityKind;
use clew_event::story::{ImpactLevel, Severity};
use clew_event::{Story, StoryId, TimestampNs};
use serde::{Deserialize, Serialize};

/// How many names of one kind a summary carries.
pub const NAMES_MAX: usize = 8;

/// One line of the list of stories; stored beside the story, so that a list reads no bodies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorySummary {
    /// The story.
    pub id: StoryId,
    /// Its revision.
    pub revision: u32,
    /// Its title.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Bits that it is an attack.
    pub likelihood_bits: f64,
    /// What is at stake.
    pub impact: ImpactLevel,
    /// ATT&CK techniques in the order in which they were first seen.
    pub techniques: Vec<String>,
    /// Names of its containers (the id where there is no name), at most [`NAMES_MAX`].
    pub containers: Vec<String>,
    /// Names of its machines, at most [`NAMES_MAX`].
    pub nodes: Vec<String>,
    /// Steps, told and untold.
    pub steps: u64,
    /// How many blind spots.
    pub blind_spots: u64,
    /// First moment.
    pub first: TimestampNs,
    /// Last moment.
    pub last: TimestampNs,
}

impl StorySummary {
    /// The summary of `story`.
    #[must_use]
    pub fn of_story(story: &Story) -> Self {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        Self {
            id: story.id,
            revision: story.revision,
            title: story.title.clone(),
            severity: story.severity,
            likelihood_bits: story.likelihood_bits,
            impact: story.impact.level,
            techniques: story.techniques.clone(),
            containers: names(story, EntityKind::Container),
            nodes: names(story, EntityKind::Node),
            steps: count(story.steps.len()).saturating_add(story.steps_untold),
            blind_spots: count(story.blind_spots.len()),
            first: story.span.0,
            last: story.span.1,
        }
    }
}

fn names(story: &Story, kind: EntityKind) -> Vec<String> {
    let entities = story.entities.iter().filter(|entity| entity.kind == kind);
    let names: BTreeSet<&str> = entities
        .map(|entity| if entity.name.is_empty() { &entity.id } else { &entity.name })
        .map(String::as_str)
        .collect();
    names.into_iter().take(NAMES_MAX).map(str::to_owned).collect()
}

/// Severity as a number that grows with it.
pub(super) const fn severity_rank(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 0,
        Severity::Medium => 1,
        Severity::High => 2,
        Severity::Critical => 3,
    }
}

#[cfg(test)]
mod tests {
    use clew_event::Entity;

    use super::*;
    use crate::samples::story;

    #[test]
    fn a_summary_names_each_container_once_and_at_most_names_max() {
        let mut story = story(1, 1);
        let container = |number: usize| Entity {
            kind: EntityKind::Container,
            id: format!("id{number}"),
            name: if number == 0 { String::new() } else { format!("web{}", number % 100) },
        };
        story.entities = (0..110).map(container).collect();
        let names = StorySummary::of_story(&story).containers;
        assert_eq!(names.len(), NAMES_MAX);
        assert_eq!(names[..2], ["id0", "web0"]);
    }
}
