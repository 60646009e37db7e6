//! The lines that are sent: Falco's alert, our machine interface, or OCSF.
//!
//! `falco` is what Falco writes with `json_output` (`formats.cpp` of Falco 0.45): the keys
//! `hostname`, `output`, `output_fields`, `priority`, `rule`, `source`, `tags`, `time`.
//! falcosidekick reads exactly these (`types.FalcoPayload` of its version 2): `time` as RFC 3339,
//! `priority` as one of the eight names, `output_fields` as an object. It answers 400 where `rule`,
//! `priority`, `time` or `output_fields` is empty (`FalcoPayload.Check`), and expects
//! `k8s.ns.name` and `k8s.pod.name` to be strings or null (`newFalcoPayload`).

use std::sync::Arc;

use clew_event::ocsf::{detection_finding, incident_finding};
use clew_event::story::Severity;
use clew_event::{Finding, Priority, Story, TimestampNs};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// How findings and stories are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Falco's alert; stories have no place in it.
    Falco,
    /// The lines of `clew run --json`.
    #[default]
    Clew,
    /// OCSF 1.8.0: Detection Finding and Incident Finding.
    Ocsf,
}

impl Form {
    /// Every form, with the name by which it is asked for.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Falco, "falco"), (Self::Clew, "clew"), (Self::Ocsf, "ocsf")];

    /// The finding as one line, without a line break.
    ///
    /// # Errors
    /// Where a value has no JSON.
    pub fn finding(self, finding: &Finding) -> serde_json::Result<String> {
        match self {
            Self::Falco => serde_json::to_string(&falco_alert(finding)),
            Self::Clew => serde_json::to_string(&Line { r#type: "finding", value: finding }),
            Self::Ocsf => serde_json::to_string(&detection_finding(finding)),
        }
    }

    /// The revision of a story as one line, without a line break; `None` in Falco's form.
    ///
    /// # Errors
    /// Where a value has no JSON.
    pub fn story(self, story: &Story) -> serde_json::Result<Option<String>> {
        match self {
            Self::Falco => Ok(None),
            Self::Clew => serde_json::to_string(&Line { r#type: "story", value: story }).map(Some),
            Self::Ocsf => serde_json::to_string(&incident_finding(story)).map(Some),
        }
    }
}

/// A line of the machine interface: the value with its type before it.
#[derive(Debug, Serialize)]
pub struct Line<'a, T> {
    /// `finding`, `story`, …
    pub r#type: &'a str,
    /// The value.
    #[serde(flatten)]
    pub value: &'a T,
}

/// The finding as Falco's alert.
///
/// As there, `output` begins with the time of day and the priority, tags are in ascending order,
/// and `output_fields` has the time in nanoseconds as `evt.time`.
#[must_use]
pub fn falco_alert(finding: &Finding) -> Value {
    let mut fields: Map<String, Value> = finding.output_fields.clone().into_iter().collect();
    fields.insert("evt.time".to_owned(), finding.time.unix_ns().into());
    let priority = finding.priority.name();
    json!({
        "hostname": finding.hostname,
        "output": format!("{}: {priority} {}", finding.time.time_of_day(), finding.output),
        "output_fields": fields,
        "priority": priority,
        "rule": finding.rule,
        "source": finding.source,
        "tags": finding.tags,
        "time": finding.time.to_string(),
    })
}

/// One line on its way, with what a receiver may want beside it.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    /// The JSON, without a line break.
    pub(crate) line: Arc<str>,
    /// Of the finding; of a story from its severity.
    pub(crate) priority: Priority,
    /// When it happened.
    pub(crate) time: TimestampNs,
    /// `finding` or `story`.
    pub(crate) subject: &'static str,
}

/// The priority that a story is sent with.
pub(crate) const fn story_priority(severity: Severity) -> Priority {
    match severity {
        Severity::Low => Priority::Notice,
        Severity::Medium => Priority::Warning,
        Severity::High => Priority::Error,
        Severity::Critical => Priority::Critical,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn finding() -> Finding {
        Finding {
            id: clew_event::FindingId(7),
            time: TimestampNs::from_unix_ns(1_764_000_000_000_000_007),
            source: "syscall".into(),
            rule: "Shadow read".into(),
            priority: Priority::Warning,
            techniques: vec!["T1003.008".into()],
            tags: vec!["T1003.008".into(), "container".into()],
            bits: 8.0,
            entities: Vec::new(),
            events: Vec::new(),
            output: "Shadow read | by=<NA> tty=0".into(),
            output_fields: BTreeMap::from([
                ("proc.name".into(), Value::Null),
                ("proc.tty".into(), 0.into()),
                ("proc.aname[2]".into(), "sh".into()),
            ]),
            hostname: "node-1".into(),
            subject: clew_event::finding::Subject::default(),
        }
    }

    #[test]
    fn an_alert_has_the_keys_order_and_types_of_falco() {
        let line = Form::Falco.finding(&finding()).unwrap();
        assert_eq!(
            line,
            "{\"hostname\":\"node-1\",\"output\":\"16:00:00.000000007: Warning Shadow read | \
             by=<NA> tty=0\",\"output_fields\":{\"evt.time\":1764000000000000007,\
             \"proc.aname[2]\":\"sh\",\"proc.name\":null,\"proc.tty\":0},\"priority\":\"Warning\",\
             \"rule\":\"Shadow read\",\"source\":\"syscall\",\"tags\":[\"T1003.008\",\
             \"container\"],\"time\":\"2025-11-24T16:00:00.000000007Z\"}"
        );
    }

    #[test]
    fn an_alert_without_fields_still_has_its_time_among_them() {
        let alert = falco_alert(&Finding { output_fields: BTreeMap::new(), ..finding() });
        assert_eq!(alert["output_fields"], json!({ "evt.time": 1_764_000_000_000_000_007_u64 }));
    }

    #[test]
    fn the_other_forms_are_the_machine_interface_and_ocsf() {
        let finding = finding();
        let clew = Form::Clew.finding(&finding).unwrap();
        assert!(clew.starts_with("{\"type\":\"finding\",\"id\":\"f-"), "{clew}");
        let ocsf: Value = serde_json::from_str(&Form::Ocsf.finding(&finding).unwrap()).unwrap();
        assert_eq!(ocsf["class_uid"], 2004);
    }

    #[test]
    fn a_line_break_in_a_name_stays_inside_its_string() {
        let hostile = Finding { output: "a\nb\u{2028}\"".into(), ..finding() };
        for (form, name) in Form::ALL {
            let line = form.finding(&hostile).unwrap();
            assert!(!line.contains('\n'), "{name}: {line}");
        }
    }

    #[test]
    fn a_worse_story_is_never_less_urgent() {
        let severities = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
        for pair in severities.windows(2) {
            assert!(story_priority(pair[1]) < story_priority(pair[0]));
        }
    }
}
