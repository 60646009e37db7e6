//! How a rule that matched becomes a finding with its evidence.

use std::collections::BTreeMap;

use clew_appsec::detected::Detected;
use clew_context::View;
use clew_context::requests::Cause;
use clew_event::control_plane::ApiCall;
use clew_event::finding::{Entity, EntityKind, Finding, RequestFacts, Subject};
use clew_event::text::escaped;
use clew_event::{Event, EventId, EventKind, FieldId, FindingId};
use clew_profile::Novelty;
use clew_rules::{Correlated, RuleIndex, RuleSet};

/// Values by the names of their fields.
type Fields = BTreeMap<String, serde_json::Value>;

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
        id: finding_id(&rule.source, &rule.name, event.id),
        time: event.time,
        source: rule.source.clone(),
        rule: rule.name.clone(),
        priority: rule.priority,
        techniques: rule.techniques.clone(),
        tags: rule.tags.clone(),
        bits: rule.priority.bits(),
        entities: event.api_call().map_or_else(|| entities(&subject, &hostname), entities_of_call),
        events: vec![event.id],
        output: output.text,
        output_fields: with_libraries(output.fields, &subject),
        hostname,
        subject,
    })
}

/// The finding for a correlation rule that matched with `event`: it names the other events too,
/// and says what they have in common and what was measured.
pub(crate) fn of_correlated(
    rules: &RuleSet,
    correlated: &Correlated,
    event: &Event,
    view: &View<'_>,
) -> Option<Finding> {
    let mut finding = of_match(rules, correlated.rule, event, view)?;
    finding.events.clone_from(&correlated.events);
    finding.output.push_str(&correlated.words());
    for (name, value) in &correlated.group {
        finding.output_fields.insert(name.clone(), value.clone().into());
    }
    finding.output_fields.insert("correlation.measure".to_owned(), correlated.measure.into());
    Some(finding)
}

/// Source of what is found in requests and responses themselves.
pub const HTTP_SOURCE: &str = "http";

/// The finding for an attack in a request, for its effect, or for a strange use of an API.
pub(crate) fn of_detected(
    (detected, of): (Detected, Option<Cause>),
    event: &Event,
    view: &View<'_>,
) -> Finding {
    let mut subject = view.subject();
    if let Some(cause) = of {
        subject.request = Some(Box::new(cause.facts()));
    }
    let hostname = view.hostname().to_str_lossy().into_owned();
    let mut entities = entities(&subject, &hostname);
    entities.extend(detected.entities);
    let is_http = matches!(event.kind, EventKind::Http(_));
    let source = if is_http { HTTP_SOURCE } else { event.source() };
    let owned = |texts: Vec<&'static str>| texts.into_iter().map(str::to_owned).collect();
    let fields = detected.fields.into_iter();
    let further = detected.events.into_iter().filter(|further| *further != event.id);
    Finding {
        id: finding_id(source, &detected.rule, event.id),
        time: event.time,
        source: source.to_owned(),
        rule: detected.rule.into_owned(),
        priority: detected.priority,
        techniques: owned(detected.techniques),
        tags: owned(detected.tags),
        bits: detected.bits,
        entities,
        events: std::iter::once(event.id).chain(further).collect(),
        output: detected.output,
        output_fields: with_libraries(
            fields.map(|(name, value)| (name.to_owned(), value.into())).collect(),
            &subject,
        ),
        hostname,
        subject,
    }
}

/// Adds new behavior to what was found of its event: where that is something, it has as many bits
/// at least, and says what is new; else it is a finding of its own.
pub(crate) fn add_novelties(
    found: &mut Vec<Finding>,
    novelties: impl Iterator<Item = Novelty>,
    event: &Event,
    view: &View<'_>,
) {
    for novelty in novelties {
        match found.iter_mut().max_by(|a, b| a.bits.total_cmp(&b.bits)) {
            Some(finding) => {
                finding.bits = finding.bits.max(novelty.bits);
                let fields = novelty.fields.into_iter();
                finding
                    .output_fields
                    .extend(fields.map(|(name, value)| (name.to_owned(), value.into())));
            }
            None => found.push(of_novelty(novelty, event, view)),
        }
    }
}

/// The finding for behavior that is new to its workload.
fn of_novelty(novelty: Novelty, event: &Event, view: &View<'_>) -> Finding {
    let subject = view.subject();
    let hostname = view.hostname().to_str_lossy().into_owned();
    let source = event.source();
    let fields = novelty.fields.into_iter();
    Finding {
        id: finding_id(source, novelty.rule, event.id),
        time: event.time,
        source: source.to_owned(),
        rule: novelty.rule.to_owned(),
        priority: novelty.priority,
        techniques: novelty.techniques.into_iter().map(str::to_owned).collect(),
        tags: Vec::new(),
        bits: novelty.bits,
        entities: event.api_call().map_or_else(|| entities(&subject, &hostname), entities_of_call),
        events: vec![event.id],
        output: novelty.output,
        output_fields: with_libraries(
            fields.map(|(name, value)| (name.to_owned(), value.into())).collect(),
            &subject,
        ),
        hostname,
        subject,
    }
}

/// The fields, and the files that the call came through, whether or not the rule names them.
fn with_libraries(mut fields: Fields, subject: &Subject) -> Fields {
    if !subject.libraries.is_empty() {
        let names = subject.libraries.iter().map(|name| escaped(name.as_bytes()));
        fields.insert(FieldId::StackLibraries.spec().name.to_owned(), names.collect());
    }
    fields
}

/// One event matches one rule at most once, so the two name the finding.
pub(crate) fn finding_id(source: &str, rule: &str, event: EventId) -> FindingId {
    let mut hasher = blake3::Hasher::new();
    for part in [source.as_bytes(), rule.as_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(&event.0.to_le_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    FindingId(u128::from_le_bytes(id))
}

/// What the finding is about, from the nearest to the widest.
pub(crate) fn entities(subject: &Subject, hostname: &str) -> Vec<Entity> {
    let mut entities = Vec::new();
    let mut add = |kind, id: String, name: String| {
        if !id.is_empty() {
            entities.push(Entity { kind, id, name });
        }
    };
    if let Some(process) = subject.lineage.first() {
        add(EntityKind::Process, process.key.to_string(), process.name.to_string());
    }
    if let Some(request) = &subject.request {
        add(EntityKind::Request, request.exchange.to_string(), name_of_request(request));
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

fn name_of_request(request: &RequestFacts) -> String {
    let parts = [&request.method, &request.target];
    parts.map(|part| escaped(part.as_bytes())).join(" ")
}

/// What a call to an API is about: who called with which credential, on what, from where.
fn entities_of_call(call: &ApiCall) -> Vec<Entity> {
    let told = [
        (EntityKind::User, escaped(call.principal.as_bytes())),
        (EntityKind::Credential, escaped(call.credential.as_bytes())),
        (EntityKind::Resource, escaped(call.resource.as_bytes())),
        (EntityKind::Peer, call.source_address.map_or_else(String::new, |ip| ip.to_string())),
    ];
    let is_told = |(_, id): &(EntityKind, String)| !id.is_empty();
    let entity = |(kind, id): (EntityKind, String)| Entity { kind, name: id.clone(), id };
    told.into_iter().filter(is_told).map(entity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_about_who_called_with_what_on_what_from_where() {
        let call = ApiCall {
            principal: "arn:aws:iam::1:user/eve".into(),
            credential: "AKIA1".into(),
            source_address: "192.0.2.1".parse().ok(),
            ..ApiCall::default()
        };
        let told = entities_of_call(&call);
        let told: Vec<_> = told.iter().map(|entity| (entity.kind, entity.id.as_str())).collect();
        let user = (EntityKind::User, "arn:aws:iam::1:user/eve");
        let expected = [user, (EntityKind::Credential, "AKIA1"), (EntityKind::Peer, "192.0.2.1")];
        assert_eq!(told, expected);
    }

    #[test]
    fn the_files_that_a_call_came_through_stand_among_the_fields() {
        let libraries = ["libc.so.6".into(), vec![0xff].into()].into();
        let subject = Subject { libraries, ..Subject::default() };
        let fields = with_libraries(Fields::new(), &subject);
        let told = serde_json::Value::from(fields.into_iter().collect::<serde_json::Map<_, _>>());
        let expected = serde_json::json!({ "stack.libraries": ["libc.so.6", escaped(&[0xff])] });
        assert_eq!(told, expected);
        assert!(with_libraries(Fields::new(), &Subject::default()).is_empty());
    }

    #[test]
    fn a_finding_is_named_by_its_rule_and_event() {
        let event = EventId;
        let base = finding_id("syscall", "a rule", event(1));
        assert_eq!(base, finding_id("syscall", "a rule", event(1)));
        assert_ne!(base, finding_id("syscall", "a rule", event(2)));
        assert_ne!(base, finding_id("syscal", "la rule", event(1)));
    }
}
