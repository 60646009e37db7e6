//! How a rule that matched becomes a finding with its evidence.

use clew_context::View;
use clew_event::finding::{Entity, EntityKind, Finding, Subject};
use clew_event::text::escaped;
use clew_event::{Event, FindingId};
use clew_rules::{RuleIndex, RuleSet};

/// The finding for a match of rule `index` on `event`.
pub(crate) fn of_match(
    rules: &RuleSet,
    index: RuleIndex,
    event: &Event,
    view: &View<'_>,
) -> Option<Finding> {
    let rule = rules.rule(index)?;
    let output = rules.output(index, view);
    let subject = view.subject();
    let hostname = view.hostname().to_str_lossy().into_owned();
    Some(Finding {
        id: finding_id(&rule.source, &rule.name, event),
        time: event.time,
        source: rule.source.clone(),
        rule: rule.name.clone(),
        priority: rule.priority,
        techniques: rule.techniques.clone(),
        tags: rule.tags.clone(),
        bits: rule.priority.bits(),
        entities: entities(&subject, &hostname),
        events: vec![event.id],
        output: output.text,
        output_fields: output.fields,
        hostname,
        subject,
    })
}

/// One event matches one rule at most once, so the two name the finding.
fn finding_id(source: &str, rule: &str, event: &Event) -> FindingId {
    let mut hasher = blake3::Hasher::new();
    for part in [source.as_bytes(), rule.as_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(&event.id.0.to_le_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    FindingId(u128::from_le_bytes(id))
}

/// What the finding is about, from the nearest to the widest.
fn entities(subject: &Subject, hostname: &str) -> Vec<Entity> {
    let mut entities = Vec::new();
    let mut add = |kind, id: String, name: String| {
        if !id.is_empty() {
            entities.push(Entity { kind, id, name });
        }
    };
    if let Some(process) = subject.lineage.first() {
        add(EntityKind::Process, process.key.to_string(), process.name.to_string());
    }
    let file = escaped(subject.file.as_bytes());
    add(EntityKind::File, file.clone(), file);
    let peer = escaped(subject.peer.as_bytes());
    add(EntityKind::Peer, peer.clone(), peer);
    if let Some(container) = &subject.container {
        add(EntityKind::Container, container.id.0.to_string(), container.name.to_string());
        add(EntityKind::Image, container.image.to_string(), container.image.to_string());
    }
    add(EntityKind::Node, hostname.to_owned(), hostname.to_owned());
    entities
}

#[cfg(test)]
mod tests {
    use clew_event::{EventId, EventType, TimestampNs};

    use super::*;

    #[test]
    fn a_finding_is_named_by_its_rule_and_event() {
        let event = |id| Event {
            id: EventId(id),
            time: TimestampNs::default(),
            arrived: TimestampNs::default(),
            event_type: EventType::Open,
            actor: None,
            kind: clew_event::EventKind::Lost(Default::default()),
        };
        let base = finding_id("syscall", "a rule", &event(1));
        assert_eq!(base, finding_id("syscall", "a rule", &event(1)));
        assert_ne!(base, finding_id("syscall", "a rule", &event(2)));
        assert_ne!(base, finding_id("syscal", "la rule", &event(1)));
    }
}
