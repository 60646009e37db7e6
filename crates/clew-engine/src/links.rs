//! What ties findings together and is no finding: a credential that was handed out, an identity
//! that a call made, a process that a call started.

use std::time::Duration;

use clew_context::View;
use clew_context::context::Context;
use clew_context::identity::StartedBy;
use clew_event::control_plane::Claim;
use clew_event::finding::{Entity, EntityKind, Finding, Priority, Subject};
use clew_event::text::escaped;
use clew_event::{Event, EventId, EventKind, TimestampNs};

use crate::finding;

/// A credential came from a metadata service.
pub const HANDED_OUT: &str = "Credential handed out";
/// A call made an identity, or a credential of one.
pub const MADE: &str = "Identity made by a call";
/// A call to the API of a cluster started a process.
pub const STARTED: &str = "Process started by a call";

/// The link that an event is, if it handed something out.
pub(crate) fn of_event(event: &Event, view: &View<'_>) -> Option<Finding> {
    let hands_out = match &event.kind {
        EventKind::Http(http) => {
            http.response.as_deref().is_some_and(|response| response.issued.is_some())
        }
        // A service of the provider that acts for itself leads back to nobody.
        EventKind::CloudApi(call) | EventKind::KubernetesApi(call) => {
            call.principal_kind.as_bytes() != b"AWSService"
                && !(call.credential.is_empty() && call.principal.is_empty())
                && call.claims.iter().any(|claim| matches!(claim, Claim::Minted(_)))
        }
        _ => false,
    };
    let subject = hands_out.then(|| view.subject()).filter(|told| !told.makes.is_empty())?;
    let made = listed(&subject.makes);
    let (rule, output) = match (&subject.call, subject.lineage.first()) {
        (Some(call), _) => {
            let action = escaped(call.action.as_bytes());
            (MADE, format!("{} made {made} by {action}", escaped(call.principal.as_bytes())))
        }
        (None, Some(process)) => {
            let name = escaped(process.name.as_bytes());
            (HANDED_OUT, format!("{name} was handed {made} by the metadata service"))
        }
        (None, None) => return None,
    };
    let hostname = view.hostname().to_str_lossy().into_owned();
    Some(link((rule, output), (event.id, event.time), vec![event.id], subject, hostname))
}

/// The link from a call to the process that it started.
pub(crate) fn of_start(started: &StartedBy, hostname: &str, context: &Context) -> Finding {
    let mut subject = context.subject_of(started.process);
    let facts = subject.lineage.first();
    let name = facts.map_or_else(String::new, |facts| escaped(facts.command_line.as_bytes()));
    let id = started.process.to_string();
    subject.makes.push(Entity { kind: EntityKind::Process, id, name: name.clone() });
    let output = format!("A call to the cluster's API started {name}");
    let events = vec![started.event, started.asked];
    let hostname = hostname.to_owned();
    // Before whatever is found of the process at the same moment: that is of the call.
    let time = started.time.before(Duration::from_nanos(1));
    link((STARTED, output), (started.event, time), events, subject, hostname)
}

fn listed(made: &[Entity]) -> String {
    let names: Vec<&str> = made.iter().map(|entity| entity.name.as_str()).collect();
    names.join(" and ")
}

fn link(
    (rule, output): (&str, String),
    (event, time): (EventId, TimestampNs),
    events: Vec<EventId>,
    subject: Subject,
    hostname: String,
) -> Finding {
    let mut entities = finding::entities(&subject, &hostname);
    entities.extend(subject.makes.iter().cloned());
    Finding {
        id: finding::finding_id("link", rule, event),
        time,
        source: "link".to_owned(),
        rule: rule.to_owned(),
        priority: Priority::Debug,
        techniques: Vec::new(),
        tags: Vec::new(),
        bits: 0.0,
        entities,
        events,
        output,
        output_fields: std::collections::BTreeMap::new(),
        hostname,
        subject,
    }
}
