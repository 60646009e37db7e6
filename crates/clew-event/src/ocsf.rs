//! Findings and stories in the form that other products read: OCSF 1.8.0.
//!
//! A finding is a Detection Finding (class 2004), a story an Incident Finding (class 2005); both
//! as in schema.ocsf.io, version 1.8.0 (March 2026). Times are milliseconds, as the schema has
//! them; the exact nanoseconds stand in `unmapped`. Nothing is left out: what the schema has no
//! place for is kept in `unmapped`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::attack::{self, technique};
use crate::finding::{ContainerFacts, Finding, Priority, ProcessFacts, Subject};
use crate::text::{Text, escaped};
use crate::time::TimestampNs;

mod incident;

pub use incident::incident_finding;

/// Version of the schema that the output follows.
pub const OCSF_VERSION: &str = "1.8.0";

const CATEGORY_FINDINGS: u64 = 2;
const DETECTION_FINDING: u64 = 2004;
const INCIDENT_FINDING: u64 = 2005;

/// The finding as a Detection Finding.
#[must_use]
pub fn detection_finding(finding: &Finding) -> Value {
    const CREATE: u64 = 1;
    const STATUS_NEW: u64 = 1;
    let time = milliseconds(finding.time);
    let mut event = class(DETECTION_FINDING, "Detection Finding", CREATE, "Create");
    event.insert("time".into(), time.into());
    event.insert("metadata".into(), metadata(&finding.id.to_string(), &["host"], finding.time));
    let (severity_id, severity) = priority_severity(finding.priority);
    event.insert("severity_id".into(), severity_id.into());
    event.insert("severity".into(), severity.into());
    event.insert("status_id".into(), STATUS_NEW.into());
    event.insert("status".into(), "New".into());
    event.insert("message".into(), finding.output.clone().into());
    event.insert("is_alert".into(), true.into());
    event.insert("finding_info".into(), finding_info(finding));
    event.insert("evidences".into(), vec![evidence(finding)].into());
    let resources: Vec<Value> = finding.subject.container.iter().map(resource).collect();
    insert_some(&mut event, "resources", (!resources.is_empty()).then(|| resources.into()));
    insert_some(&mut event, "device", device(&finding.hostname));
    event.insert("unmapped".into(), unmapped(finding));
    Value::Object(event)
}

/// What every event of a class begins with.
fn class(class_uid: u64, name: &str, activity_id: u64, activity: &str) -> Map<String, Value> {
    let fields = [
        ("category_uid", json!(CATEGORY_FINDINGS)),
        ("category_name", json!("Findings")),
        ("class_uid", json!(class_uid)),
        ("class_name", json!(name)),
        ("activity_id", json!(activity_id)),
        ("activity_name", json!(activity)),
        ("type_uid", json!(class_uid * 100 + activity_id)),
        ("type_name", json!(format!("{name}: {activity}"))),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn metadata(uid: &str, profiles: &[&str], time: TimestampNs) -> Value {
    json!({
        "version": OCSF_VERSION,
        "uid": uid,
        "profiles": profiles,
        "original_time": time.to_string(),
        "product": {
            "name": "Clew",
            "vendor_name": "Clew",
            "version": env!("CARGO_PKG_VERSION"),
        },
    })
}

fn finding_info(finding: &Finding) -> Value {
    let related: Vec<Value> =
        finding.events.iter().map(|event| json!({ "uid": event.to_string() })).collect();
    let mut info = object(json!({
        "uid": finding.id.to_string(),
        "title": finding.rule,
        "desc": finding.output,
        "created_time": milliseconds(finding.time),
        "analytic": analytic(&finding.rule),
        "data_sources": [finding.source],
        "related_events": related,
    }));
    insert_some(&mut info, "attacks", attacks(&finding.techniques));
    Value::Object(info)
}

fn analytic(rule: &str) -> Value {
    const RULE: u64 = 1;
    json!({ "type_id": RULE, "type": "Rule", "name": rule, "uid": rule })
}

/// Each technique with its tactic; `None` where there is none, for an empty list says nothing.
fn attacks(techniques: &[String]) -> Option<Value> {
    let mut seen = BTreeSet::new();
    let listed: Vec<Value> = techniques
        .iter()
        .filter(|id| seen.insert(id.as_str()))
        .map(|id| Value::Object(attack_object(id)))
        .collect();
    (!listed.is_empty()).then(|| listed.into())
}

fn attack_object(id: &str) -> Map<String, Value> {
    let known = technique(id);
    let parent = id.split_once('.').map_or(id, |(parent, _)| parent);
    let mut entry = object(json!({ "version": attack::VERSION }));
    let named = |id: &str| {
        let mut named = object(json!({ "uid": id }));
        let exact = technique(id).filter(|found| found.id == id);
        insert_some(&mut named, "name", exact.map(|found| found.name.into()));
        Value::Object(named)
    };
    entry.insert("technique".into(), named(parent));
    if parent != id {
        entry.insert("sub_technique".into(), named(id));
    }
    let tactic =
        known.map(|found| json!({ "uid": found.tactic.id(), "name": found.tactic.name() }));
    insert_some(&mut entry, "tactic", tactic);
    entry
}

/// What proves a finding: who acted, where, on what.
fn evidence(finding: &Finding) -> Value {
    let Subject { lineage, container, file, peer, .. } = &finding.subject;
    let mut evidence = Map::new();
    let event = finding.events.first().map(|event| event.to_string().into());
    insert_some(&mut evidence, "uid", event);
    insert_some(&mut evidence, "process", process(lineage));
    insert_some(&mut evidence, "container", container.as_ref().map(container_object));
    insert_some(&mut evidence, "file", file_object(file));
    insert_some(&mut evidence, "dst_endpoint", endpoint(peer));
    if evidence.len() <= 1 {
        // The schema asks for at least one artifact.
        evidence.insert("data".into(), json!({ "output": finding.output }));
    }
    Value::Object(evidence)
}

/// A process with its parent and all known ancestors.
fn process(lineage: &[ProcessFacts]) -> Option<Value> {
    let (first, ancestors) = lineage.split_first()?;
    let mut process = process_entity(first);
    insert_some(&mut process, "file", file_object(&first.exe));
    process.insert("user".into(), json!({ "uid": first.uid.to_string() }));
    if let Some(parent) = ancestors.first() {
        process.insert("parent_process".into(), Value::Object(process_entity(parent)));
        let above: Vec<Value> =
            ancestors.iter().map(|facts| Value::Object(process_entity(facts))).collect();
        process.insert("ancestry".into(), above.into());
    }
    Some(Value::Object(process))
}

fn process_entity(facts: &ProcessFacts) -> Map<String, Value> {
    object(json!({
        "uid": facts.key.to_string(),
        "pid": facts.key.pid,
        "name": facts.name.to_string(),
        "path": facts.exe.to_string(),
        "cmd_line": facts.command_line.to_string(),
        "created_time": milliseconds(facts.started),
    }))
}

fn container_object(container: &ContainerFacts) -> Value {
    let image = container.image.to_string();
    let mut object = object(json!({ "uid": escaped(container.id.0.as_bytes()) }));
    let name = (!container.name.is_empty()).then(|| container.name.to_string().into());
    insert_some(&mut object, "name", name);
    insert_some(&mut object, "image", (!image.is_empty()).then(|| json!({ "uid": image })));
    Value::Object(object)
}

fn resource(container: &ContainerFacts) -> Value {
    const AFFECTED: u64 = 3;
    json!({
        "uid": escaped(container.id.0.as_bytes()),
        "name": container.name.to_string(),
        "type": "Container",
        "role_id": AFFECTED,
        "role": "Affected",
    })
}

fn file_object(path: &Text) -> Option<Value> {
    const UNKNOWN: u64 = 0;
    (!path.is_empty()).then(|| {
        let name = escaped(path.file_name());
        json!({ "path": path.to_string(), "name": name, "type_id": UNKNOWN, "type": "Unknown" })
    })
}

/// `address:port` as an endpoint.
fn endpoint(peer: &Text) -> Option<Value> {
    let shown = peer.to_string();
    if shown.is_empty() {
        return None;
    }
    let parsed = shown.parse::<std::net::SocketAddr>();
    Some(parsed.map_or_else(
        |_| json!({ "name": shown }),
        |address| json!({ "ip": address.ip().to_string(), "port": address.port() }),
    ))
}

fn device(hostname: &str) -> Option<Value> {
    const UNKNOWN: u64 = 0;
    let hostname = escaped(hostname.as_bytes());
    (!hostname.is_empty())
        .then(|| json!({ "hostname": hostname, "type_id": UNKNOWN, "type": "Unknown" }))
}

/// What the schema has no place for.
fn unmapped(finding: &Finding) -> Value {
    json!({
        "time_ns": finding.time.unix_ns(),
        "bits": finding.bits,
        "priority": finding.priority.name(),
        "tags": finding.tags,
        "output_fields": finding.output_fields,
        "entities": finding.entities,
    })
}

/// The schema's severity for a rule's priority.
const fn priority_severity(priority: Priority) -> (u64, &'static str) {
    match priority {
        Priority::Emergency => (6, "Fatal"),
        Priority::Alert | Priority::Critical => (5, "Critical"),
        Priority::Error => (4, "High"),
        Priority::Warning => (3, "Medium"),
        Priority::Notice => (2, "Low"),
        Priority::Informational | Priority::Debug => (1, "Informational"),
    }
}

/// Milliseconds since the epoch, the schema's `timestamp_t`.
const fn milliseconds(time: TimestampNs) -> u64 {
    time.unix_ns() / 1_000_000
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn insert_some(fields: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
