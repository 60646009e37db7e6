//! What to do now, from what a story names: proposals for a person; nothing is carried out.

use clew_event::Story;
use clew_event::finding::EntityKind;

use super::markdown::{code, prose};
use crate::attack::{Tactic, technique};
use crate::words;

/// Names that one proposal lists.
const NAMES_MAX: usize = 8;

/// Proposals in the order in which they are worth doing: what stops the attacker first, then what
/// keeps the evidence, then what mends.
pub(super) fn advice(story: &Story) -> Vec<String> {
    let of = |kind| names(story, kind);
    let dropped = story.processes.iter().filter(|process| process.is_dropped);
    let dropped = listed(dropped.map(|process| process.exe.to_string()).collect());
    let entry = entry(story);
    let proposals = [
        of(EntityKind::Credential).map(|names| {
            format!("Revoke or rotate {names}, and look at every call that was made with it.")
        }),
        of(EntityKind::Role).map(|names| {
            format!("Revoke the open sessions of {names}; they outlive the credential that made them.")
        }),
        of(EntityKind::Pod).or_else(|| of(EntityKind::Container)).map(|names| {
            format!("Cut {names} off from the network before stopping it: memory and the writable layer are evidence.")
        }),
        of(EntityKind::Peer).map(|names| format!("Block {names}, and look for who else spoke with it.")),
        dropped.map(|names| {
            format!("Keep a copy of {names}, with its hash; then look for it on other machines.")
        }),
        uses(story, Tactic::Persistence).map(|names| {
            format!("Look for what brings it back ({names}) before anything is started again.")
        }),
        of(EntityKind::Resource).map(|names| format!("Check what was read or changed in {names}.")),
        entry,
        (!story.blind_spots.is_empty()).then(|| {
            "Look elsewhere for what could not be seen here; see “What could not be seen”.".to_owned()
        }),
    ];
    proposals.into_iter().flatten().collect()
}

/// How it came in, where that is known.
fn entry(story: &Story) -> Option<String> {
    let first = story.steps.iter().find(|step| step.finding == story.root.finding);
    let is_entry =
        |id: &String| technique(id).is_some_and(|found| found.tactic == Tactic::InitialAccess);
    first.filter(|step| step.techniques.iter().any(is_entry))?;
    Some(format!("Close the way in: {}", prose(&story.root.sentence)))
}

fn names(story: &Story, kind: EntityKind) -> Option<String> {
    let of_kind = story.entities.iter().filter(|entity| entity.kind == kind);
    listed(of_kind.map(|it| if it.name.is_empty() { &it.id } else { &it.name }.clone()).collect())
}

/// Techniques of a story that serve this tactic.
fn uses(story: &Story, tactic: Tactic) -> Option<String> {
    let found = story.techniques.iter().filter_map(|id| technique(id));
    let found = found.filter(|found| found.tactic == tactic);
    let names: Vec<String> = found.map(|found| format!("{} {}", found.id, found.name)).collect();
    (!names.is_empty()).then(|| words::listed(&names))
}

fn listed(mut names: Vec<String>) -> Option<String> {
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    let mut names: Vec<String> = names.iter().map(|name| code(name)).collect();
    if 0 < more {
        names.push(format!("{more} more"));
    }
    (!names.is_empty()).then(|| words::listed(&names))
}

#[cfg(test)]
mod tests {
    use clew_event::Entity;

    use super::*;
    use crate::export::tests::story;

    #[test]
    fn a_proposal_names_at_most_names_max() {
        let mut story = story();
        let credential = |number: usize| Entity {
            kind: EntityKind::Credential,
            id: format!("AKIA{number}"),
            name: String::new(),
        };
        story.entities = (0..20).map(credential).collect();
        let advice = advice(&story);
        assert_eq!(advice[0].matches("`AKIA").count(), NAMES_MAX);
        assert!(advice[0].contains("and 12 more"), "{}", advice[0]);
    }

    #[test]
    fn a_story_that_names_nothing_proposes_nothing() {
        let mut story = story();
        story.entities.clear();
        story.processes.clear();
        story.techniques.clear();
        story.steps.clear();
        story.blind_spots.clear();
        assert_eq!(advice(&story), Vec::<String>::new());
    }
}
