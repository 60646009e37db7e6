//! A story as an Incident Finding.

use serde_json::{Map, Value, json};

use super::{
    INCIDENT_FINDING, analytic, attacks, class, device, insert_some, metadata, milliseconds, object,
};
use crate::finding::EntityKind;
use crate::story::{ImpactLevel, Severity, Step, Story};

/// The revision of a story as an Incident Finding: its steps in `finding_info_list`, its ties as
/// the `attack_graph` of the first of them.
#[must_use]
pub fn incident_finding(story: &Story) -> Value {
    let (activity_id, activity) = activity(story);
    let mut event = class(INCIDENT_FINDING, "Incident Finding", activity_id, activity);
    let (first, last) = story.span;
    event.insert("time".into(), milliseconds(last).into());
    event.insert("start_time".into(), milliseconds(first).into());
    event.insert("end_time".into(), milliseconds(last).into());
    let uid = format!("{}-{}", story.id, story.revision);
    let mut about = object(metadata(&uid, &["incident"], last));
    about.insert("correlation_uid".into(), story.id.to_string().into());
    event.insert("metadata".into(), about.into());
    let (severity_id, severity) = severity(story.severity);
    event.insert("severity_id".into(), severity_id.into());
    event.insert("severity".into(), severity.into());
    let (impact_id, impact) = impact(story.impact.level);
    event.insert("impact_id".into(), impact_id.into());
    event.insert("impact".into(), impact.into());
    let (confidence_id, confidence) = confidence(story.likelihood_bits);
    event.insert("confidence_id".into(), confidence_id.into());
    event.insert("confidence".into(), confidence.into());
    let (status_id, status) = if is_closed(story) { (5, "Closed") } else { (1, "New") };
    event.insert("status_id".into(), status_id.into());
    event.insert("status".into(), status.into());
    event.insert("message".into(), story.title.clone().into());
    event.insert("desc".into(), story.narrative.clone().into());
    // The schema asks for an assignee or a group; nobody has taken it yet.
    event.insert("assignee_group".into(), json!({ "name": "unassigned" }));
    event.insert("finding_info_list".into(), finding_info_list(story));
    insert_some(&mut event, "attacks", attacks(&story.techniques));
    event.insert("unmapped".into(), unmapped(story));
    Value::Object(event)
}

/// True for the last revision of a story that turned out to be none of its own.
fn is_closed(story: &Story) -> bool {
    story.steps.is_empty()
}

fn activity(story: &Story) -> (u64, &'static str) {
    match story.revision {
        _ if is_closed(story) => (3, "Close"),
        0 | 1 => (1, "Create"),
        _ => (2, "Update"),
    }
}

const fn severity(severity: Severity) -> (u64, &'static str) {
    match severity {
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

const fn impact(level: ImpactLevel) -> (u64, &'static str) {
    match level {
        ImpactLevel::Low => (1, "Low"),
        ImpactLevel::Medium => (2, "Medium"),
        ImpactLevel::High => (3, "High"),
        ImpactLevel::Critical => (4, "Critical"),
    }
}

/// Twenty bits against coincidence are one in a million, twelve one in four thousand.
fn confidence(bits: f64) -> (u64, &'static str) {
    if 20.0 <= bits {
        (3, "High")
    } else if 12.0 <= bits {
        (2, "Medium")
    } else {
        (1, "Low")
    }
}

/// One entry a step; a closed story has none left, and names its first finding.
fn finding_info_list(story: &Story) -> Value {
    if is_closed(story) {
        return json!([{ "uid": story.root.finding.to_string(), "title": story.title }]);
    }
    let mut steps: Vec<Map<String, Value>> = story.steps.iter().map(finding_info).collect();
    if let Some(first) = steps.first_mut() {
        first.insert("attack_graph".into(), attack_graph(story));
    }
    steps.into()
}

fn finding_info(step: &Step) -> Map<String, Value> {
    let mut info = object(json!({
        "uid": step.finding.to_string(),
        "title": step.rule,
        "desc": step.sentence,
        "created_time": milliseconds(step.time),
        "analytic": analytic(&step.rule),
        "related_events": [{ "uid": step.event.to_string() }],
    }));
    insert_some(&mut info, "attacks", attacks(&step.techniques));
    info
}

/// Steps as nodes, ties as directed edges from the earlier to the later.
fn attack_graph(story: &Story) -> Value {
    let nodes: Vec<Value> = story
        .steps
        .iter()
        .map(|step| {
            let uid = step.finding.to_string();
            json!({ "uid": uid, "name": step.rule, "desc": step.sentence, "type": "Finding" })
        })
        .collect();
    let edges = story.steps.iter().filter_map(|step| {
        let edge = step.edge.as_ref()?;
        let events: Vec<String> = edge.events.iter().map(ToString::to_string).collect();
        Some(json!({
            "source": edge.from.to_string(),
            "target": step.finding.to_string(),
            "name": edge.sentence,
            "relation": "led-to",
            "is_directed": true,
            "data": {
                "class": edge.class,
                "kind": edge.kind,
                "bits": edge.bits,
                "seconds": edge.seconds,
                "coincidences_per_day": edge.coincidences_per_day,
                "holds": edge.holds,
                "events": events,
            },
        }))
    });
    let edges: Vec<Value> = edges.collect();
    json!({ "uid": story.id.to_string(), "is_directed": true, "nodes": nodes, "edges": edges })
}

/// What the schema has no place for.
fn unmapped(story: &Story) -> Value {
    let nodes = story.entities.iter().filter(|entity| entity.kind == EntityKind::Node);
    let devices: Vec<Value> = nodes.filter_map(|node| device(&node.name)).collect();
    json!({
        "revision": story.revision,
        "likelihood_bits": story.likelihood_bits,
        "impact_reasons": story.impact.reasons,
        "root": story.root,
        "steps_untold": story.steps_untold,
        "blind_spots": story.blind_spots,
        "alternatives": story.alternatives,
        "entities": story.entities,
        "devices": devices,
        "span_ns": [story.span.0.unix_ns(), story.span.1.unix_ns()],
    })
}
