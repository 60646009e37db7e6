//! Findings of one request are one story, which begins with it.

use clew_event::finding::ProcessFacts;
use clew_event::http::HttpEvent;
use clew_event::story::EdgeClass;
use clew_event::{Actor, Event, EventId, EventKind, EventType, Finding, ProcessKey, Story};

use crate::sample::{Sample, at_ms, process};
use crate::{Settings, Stories};

fn app() -> ProcessFacts {
    process(12, "app", "app", 0)
}

/// A server, as it reads a request.
pub(crate) fn served(by: ProcessKey) -> Event {
    let http = HttpEvent { is_inbound: true, ..HttpEvent::default() };
    Event {
        id: EventId(1),
        time: at_ms(0),
        arrived: at_ms(0),
        event_type: EventType::HttpRequest,
        actor: Some(Actor { process: by, ..Actor::default() }),
        kind: EventKind::Http(Box::new(http)),
    }
}

fn payload(exchange: u128, ms: u64) -> Finding {
    payload_of("198.51.100.7", exchange, ms)
}

fn payload_of(client: &str, exchange: u128, ms: u64) -> Finding {
    let sample = Sample::new("command injection in a request", 1).lineage(&[app()]).at(ms);
    sample.payload(exchange).client(client).finding()
}

/// A file that the server itself opened while it handled a request.
fn effect(rule: &str, exchange: u128, probability: f64, ms: u64) -> Finding {
    let sample = Sample::new(rule, 1).priority(clew_event::Priority::Critical);
    sample.lineage(&[app()]).at(ms).request(exchange, probability).finding()
}

/// The last revision of each story, the earliest told first.
fn told(findings: &[Finding]) -> Vec<Story> {
    let mut stories = Stories::new(Settings::default());
    stories.observe(&served(app().key));
    let mut revisions: Vec<Story> = Vec::new();
    for finding in findings {
        stories.join(finding, &mut revisions);
    }
    let mut last: Vec<Story> = Vec::new();
    for story in revisions {
        last.retain(|other| other.id != story.id);
        last.push(story);
    }
    last
}

fn rules(story: &Story) -> Vec<&str> {
    story.steps.iter().map(|step| step.rule.as_str()).collect()
}

#[test]
fn an_effect_makes_a_story_that_begins_with_its_request_and_holds_none_of_others() {
    let findings = [
        payload_of("203.0.113.1", 101, 0),
        payload(102, 1),
        effect("password file read", 102, 1.0, 5),
        payload_of("203.0.113.2", 103, 6),
    ];
    let stories = told(&findings);
    let [story] = stories.as_slice() else { panic!("{stories:?}") };
    assert_eq!(rules(story), ["command injection in a request", "password file read"]);
    let edge = story.steps[1].edge.as_ref().unwrap();
    assert_eq!(
        (edge.class, edge.sentence.as_str()),
        (EdgeClass::C, "Both are of the request `GET /ping?host=102`.")
    );
    assert_eq!(
        story.root.sentence,
        "A request from `198.51.100.7` asked `GET /ping?host=102` \
         (e-00000000000000000000000000000066) of `app` (pid 12) in container `shop` (image `shop:1`) \
         on node `n4`."
    );
    assert!(story.narrative.contains(&story.root.sentence));
}

#[test]
fn requests_of_the_same_client_are_part_of_its_story_and_make_it_no_likelier() {
    let alone = told(&[payload(102, 1), effect("password file read", 102, 1.0, 5)]);
    let findings = [
        payload(101, 0),
        payload(102, 1),
        effect("password file read", 102, 1.0, 5),
        payload(103, 6_000),
    ];
    let stories = told(&findings);
    let [story] = stories.as_slice() else { panic!("{stories:?}") };
    assert_eq!(story.steps.len(), 4);
    assert!((story.likelihood_bits - alone[0].likelihood_bits).abs() < 1e-9, "{story:#?}");
    assert!(story.root.sentence.contains("host=101"), "{}", story.root.sentence);
    let edge = story.steps[3].edge.as_ref().unwrap();
    assert_eq!(edge.class, EdgeClass::I);
    assert!(edge.sentence.starts_with("Both came from the same address"), "{}", edge.sentence);
}

#[test]
fn two_clients_who_attack_one_container_in_turn_are_two_stories() {
    let attack = |client: &str, exchange, rule: &str, ms| {
        let sample = Sample::new(rule, usize::try_from(ms).unwrap());
        let sample = sample.priority(clew_event::Priority::Critical).request(exchange, 1.0);
        sample.client(client).at(ms).finding()
    };
    let first = attack("203.0.113.1", 1, "password file read", 5);
    let findings = |client| [first.clone(), attack(client, 2, "shell started", 600_000)];
    assert_eq!(told(&findings("203.0.113.1")).len(), 1);
    assert_eq!(told(&findings("203.0.113.2")).len(), 2);
}

#[test]
fn an_address_that_many_share_ties_no_requests() {
    let many = (0..100).map(|n| payload(200 + n, u64::try_from(n).unwrap()));
    let effect = effect("password file read", 102, 1.0, 5_000);
    let stories = told(&many.chain([effect]).collect::<Vec<_>>());
    let [story] = stories.as_slice() else { panic!("{stories:?}") };
    assert_eq!(rules(story), ["password file read"]);
}

#[test]
fn whoever_asked_the_application_and_then_calls_an_api_is_one() {
    let call =
        Sample::new("administrator made", 1).call("AttachUserPolicy", "AKIA1", "198.51.100.7");
    let findings = [effect("password file read", 7, 1.0, 5), call.at(60_000).finding()];
    let stories = told(&findings);
    let [story] = stories.as_slice() else { panic!("{stories:?}") };
    assert_eq!(rules(story), ["password file read", "administrator made"]);
    let unlikely = Sample::new("read", 1).request(9, 0.3).at(5).finding();
    let call =
        Sample::new("administrator made", 1).call("AttachUserPolicy", "AKIA1", "198.51.100.7");
    assert_eq!(told(&[unlikely, call.at(60_000).finding()]), []);
}

#[test]
fn payloads_alone_are_no_story_however_many() {
    let findings: Vec<_> = (0..200).map(|n| payload(100 + n, u64::try_from(n).unwrap())).collect();
    assert_eq!(told(&findings), []);
}

#[test]
fn an_effect_of_a_request_that_was_not_found_begins_with_it_too() {
    let stories = told(&[effect("password file read", 7, 1.0, 5)]);
    let [story] = stories.as_slice() else { panic!("{stories:?}") };
    let sentence = &story.root.sentence;
    assert!(sentence.starts_with("A request from `198.51.100.7` asked `GET /ping?host=7`"));
    assert!(sentence.contains("`app` (pid 12) ran in container `shop`"), "{sentence}");
}

#[test]
fn a_likely_request_ties_by_its_odds_and_an_unlikely_one_does_not() {
    let stories = told(&[payload(9, 0), effect("read", 9, 0.8, 5)]);
    let edge = stories[0].steps[1].edge.as_ref().unwrap();
    assert_eq!(edge.class, EdgeClass::S);
    assert!((edge.bits - 2.0).abs() < 1e-9, "{}", edge.bits);
    assert!(edge.sentence.ends_with("with a probability of 80 %."), "{}", edge.sentence);
    let stories = told(&[payload(9, 0), effect("read", 9, 0.3, 5)]);
    assert_eq!(rules(&stories[0]), ["read"]);
    assert!(!stories[0].root.sentence.contains("request"), "{}", stories[0].root.sentence);
}

#[test]
fn effects_of_one_request_in_several_processes_are_one_story() {
    let other = process(77, "worker", "worker", 0);
    let sample = Sample::new("metadata asked", 1).priority(clew_event::Priority::Critical);
    let far = sample.lineage(&[other]).container("other").at(9).request(5, 1.0).finding();
    let findings = [far, effect("read", 5, 1.0, 7), payload(5, 0)];
    let stories = told(&findings);
    let [story] = stories.as_slice() else { panic!("{stories:?}") };
    assert_eq!(rules(story), ["command injection in a request", "read", "metadata asked"]);
}

#[test]
fn who_asks_for_a_file_that_a_request_had_written_goes_on_with_that_request() {
    let written = |exchange, path: &str| {
        let sample = Sample::new("new file", 1).lineage(&[app()]).file(path).at(5).written();
        sample.request(exchange, 1.0).client("203.0.113.1").finding()
    };
    let asked = |exchange, path: &str, ms| {
        let sample = Sample::new("shell started", 1).lineage(&[app()]).at(ms);
        let sample = sample.priority(clew_event::Priority::Critical).request(exchange, 1.0);
        sample.client("203.0.113.2").target(path).finding()
    };
    let hours = 3 * 3_600_000;
    const UPLOADED: &str = "/var/www/uploads/1.php";
    let of = |file: &str, path: &str| told(&[written(1, file), asked(2, path, hours)]);
    for (file, path) in [
        (UPLOADED, "/uploads/1.php?c=id"),
        (UPLOADED, "/shop/uploads/1.php"),
        ("/var/www/html/1.php", "/1.php"),
    ] {
        let stories = of(file, path);
        assert_eq!(rules(&stories[0]), ["new file", "shell started"], "{path}");
        let edge = stories[0].steps[1].edge.as_ref().unwrap();
        assert_eq!((edge.class, edge.kind.as_str()), (EdgeClass::C, "file"));
        assert!(edge.sentence.contains(&format!("write the file `{file}`")));
    }
    for path in ["/images/1.php", "/uploads/", "/", "/1.php"] {
        assert_eq!(rules(&of(UPLOADED, path)[0]), ["shell started"], "{path}");
    }
    let mut read = written(1, UPLOADED);
    read.subject.is_written = false;
    assert_eq!(rules(&told(&[read, asked(2, "/uploads/1.php", hours)])[0]), ["shell started"]);
}
