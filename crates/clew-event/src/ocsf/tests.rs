//! One finding and one story in full, and what the schema requires of any.

use std::collections::BTreeMap;

use expect_test::expect_file;

use super::*;
use crate::finding::{Entity, EntityKind};
use crate::id::{BootId, ContainerId, EventId, FindingId, ProcessKey, StoryId};
use crate::story::{Edge, EdgeClass, Impact, ImpactLevel, Root, Severity, Step, Story};

fn at(ms: u64) -> TimestampNs {
    TimestampNs::from_unix_ns(1_764_007_322_000_000_000 + ms * 1_000_000 + 7)
}

fn process(pid: u32, name: &str, line: &str) -> ProcessFacts {
    ProcessFacts {
        key: ProcessKey { start_ns: 5, pid, boot: BootId(0xab) },
        started: at(0),
        executed_by: None,
        name: name.into(),
        exe: format!("/bin/{name}").into(),
        command_line: line.into(),
        uid: 33,
        is_dropped: false,
    }
}

fn finding() -> Finding {
    Finding {
        id: FindingId(1),
        time: at(25),
        source: "syscall".into(),
        rule: "password_hashes_read".into(),
        priority: Priority::Warning,
        techniques: vec!["T1003.008".into(), "T9999".into()],
        tags: vec!["container".into()],
        bits: 8.0,
        entities: vec![Entity { kind: EntityKind::Node, id: "n4".into(), name: "n4".into() }],
        events: vec![EventId(9)],
        output: "cat read the password hashes in /etc/shadow".into(),
        output_fields: BTreeMap::from([("proc.name".into(), "cat".into())]),
        hostname: "n4".into(),
        subject: Subject {
            lineage: vec![process(101, "cat", "cat /etc/shadow"), process(100, "sh", "sh -c x")],
            container: Some(ContainerFacts {
                id: ContainerId("c0ffee".into()),
                name: "shop".into(),
                image: "shop:1".into(),
                pod: "".into(),
            }),
            file: "/etc/shadow".into(),
            peer: "10.0.0.9:4444".into(),
            ..Subject::default()
        },
    }
}

fn step(number: u128, edge: Option<Edge>) -> Step {
    Step {
        time: at(25),
        finding: FindingId(number),
        event: EventId(number),
        rule: "a_rule".into(),
        techniques: vec!["T1059.004".into()],
        process: None,
        sentence: "sh ran.".into(),
        edge,
    }
}

fn story(steps: Vec<Step>, revision: u32) -> Story {
    Story {
        id: StoryId(3),
        revision,
        title: "`sh` below `netcheck`".into(),
        severity: Severity::High,
        likelihood_bits: 24.5,
        impact: Impact { level: ImpactLevel::High, reasons: vec!["Credentials.".into()] },
        techniques: vec!["T1059.004".into()],
        entities: finding().entities,
        root: Root { finding: FindingId(1), process: None, sentence: "It began.".into() },
        steps,
        steps_untold: 2,
        blind_spots: vec!["Unlinks are not seen.".into()],
        alternatives: Vec::new(),
        narrative: "All of it.".into(),
        processes: Vec::new(),
        parents: Vec::new(),
        span: (at(0), at(25)),
    }
}

fn told() -> Story {
    let edge = Edge {
        from: FindingId(1),
        class: EdgeClass::C,
        bits: 20.0,
        events: vec![EventId(1)],
        sentence: "`sh` (pid 100) started `cat` (pid 101).".into(),
        ..Edge::default()
    };
    story(vec![step(1, None), step(2, Some(edge))], 2)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

#[test]
fn a_finding_is_a_detection_finding() {
    expect_file!["detection_finding.json"].assert_eq(&pretty(&detection_finding(&finding())));
}

#[test]
fn a_story_is_an_incident_finding() {
    expect_file!["incident_finding.json"].assert_eq(&pretty(&incident_finding(&told())));
}

#[test]
fn what_the_schema_requires_is_always_there() {
    let bare = Finding {
        techniques: Vec::new(),
        events: Vec::new(),
        subject: Subject::default(),
        hostname: String::new(),
        ..finding()
    };
    let closed = story(Vec::new(), 3);
    let all = [
        detection_finding(&finding()),
        detection_finding(&bare),
        incident_finding(&told()),
        incident_finding(&closed),
    ];
    for event in all {
        for required in [
            "activity_id",
            "category_uid",
            "class_uid",
            "metadata",
            "severity_id",
            "time",
            "type_uid",
        ] {
            assert!(
                event.get(required).is_some_and(|value| !value.is_null()),
                "{required}: {event}"
            );
        }
        let (class, activity) = (event["class_uid"].as_u64(), event["activity_id"].as_u64());
        assert_eq!(event["type_uid"].as_u64(), class.zip(activity).map(|(c, a)| c * 100 + a));
        assert_eq!(event["metadata"]["version"], OCSF_VERSION);
        match class {
            Some(DETECTION_FINDING) => {
                assert!(event["finding_info"]["uid"].is_string());
                let evidence = event["evidences"][0].as_object().unwrap();
                assert!(evidence.keys().any(|name| name != "uid" && name != "container"));
            }
            _ => {
                assert!(event["finding_info_list"][0]["uid"].is_string());
                assert!(event["assignee_group"].is_object() && event["status_id"].is_u64());
            }
        }
    }
}

#[test]
fn an_activity_says_whether_a_story_is_new_changed_or_over() {
    let check = |story: Story, activity: &str| {
        assert_eq!(incident_finding(&story)["activity_name"], activity);
    };
    check(story(vec![step(1, None)], 1), "Create");
    check(story(vec![step(1, None)], 2), "Update");
    check(story(Vec::new(), 2), "Close");
}

#[test]
fn a_peer_that_is_no_address_is_still_an_endpoint() {
    let check = |peer: &str, expected: Option<Value>| assert_eq!(endpoint(&peer.into()), expected);
    check("[fd00::2]:53", Some(json!({ "ip": "fd00::2", "port": 53 })));
    check("/run/x.sock", Some(json!({ "name": "/run/x.sock" })));
    check("", None);
}
