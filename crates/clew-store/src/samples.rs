//! Events, findings and stories for the tests of this crate.

use std::collections::BTreeMap;

use clew_event::file::FileEvent;
use clew_event::finding::Subject;
use clew_event::story::{Impact, Root, Severity, Step};
use clew_event::{
    Actor, Event, EventId, EventKind, EventType, Finding, FindingId, Priority, Story, StoryId,
    TimestampNs,
};

/// The `number`-th event: an open of `path` at `time_ns`.
pub(crate) fn file_event(number: usize, time_ns: u64, path: &str) -> Event {
    Event {
        id: EventId(u128::try_from(number).unwrap_or(0)),
        time: TimestampNs::from_unix_ns(time_ns),
        arrived: TimestampNs::from_unix_ns(time_ns),
        event_type: EventType::Openat,
        actor: Some(Actor::default()),
        kind: EventKind::File(FileEvent { path: path.into(), ..FileEvent::default() }),
    }
}

/// A finding that the event with the same number proves.
pub(crate) fn finding(number: usize, time_ns: u64) -> Finding {
    let number = u128::try_from(number).unwrap_or(0);
    Finding {
        id: FindingId(number),
        time: TimestampNs::from_unix_ns(time_ns),
        source: "syscall".to_owned(),
        rule: "Read a password file".to_owned(),
        priority: Priority::Warning,
        techniques: vec!["T1003.008".to_owned()],
        tags: Vec::new(),
        bits: 8.0,
        entities: Vec::new(),
        events: vec![EventId(number)],
        output: "`cat` read /etc/shadow".to_owned(),
        output_fields: BTreeMap::new(),
        hostname: "node".to_owned(),
        subject: Subject::default(),
    }
}

/// A story of one step, with the finding and the event of the same number.
pub(crate) fn story(number: usize, time_ns: u64) -> Story {
    let (finding, time) = (finding(number, time_ns), TimestampNs::from_unix_ns(time_ns));
    Story {
        id: StoryId(finding.id.0),
        revision: 1,
        title: format!("Story {number}"),
        severity: Severity::High,
        likelihood_bits: 20.0,
        impact: Impact::default(),
        techniques: finding.techniques.clone(),
        entities: Vec::new(),
        root: Root { finding: finding.id, ..Root::default() },
        steps: vec![Step {
            time,
            finding: finding.id,
            event: EventId(finding.id.0),
            rule: finding.rule,
            techniques: finding.techniques,
            process: None,
            sentence: finding.output,
            edge: None,
        }],
        steps_untold: 0,
        blind_spots: Vec::new(),
        alternatives: Vec::new(),
        narrative: String::new(),
        processes: Vec::new(),
        parents: Vec::new(),
        span: (time, time),
    }
}
