//! What the engine does not ask for would have changed nothing.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may panic, read where shared data lie, and say that it skips"
)]

use std::collections::BTreeMap;
use std::path::Path;

use clew_engine::{Appsec, Engine, Output, Settings};
use clew_event::file::{FileEvent, FileId, FileOperation};
use clew_event::interest::{CallClass, InterestSet, QuietVerdict};
use clew_event::process::Executed;
use clew_event::socket::{SocketEvent, SocketOperation};
use clew_event::{Actor, Event, EventId, EventKind, EventType, ProcessKey, TimestampNs};
use clew_rules::{Options, RuleSet, SourceFile, load};
use proptest::prelude::*;
use proptest::sample::select;

const PATHS: [&str; 8] = [
    "/etc/shadow",
    "/etc/hostname",
    "/root/.ssh/id_rsa",
    "/usr/bin/x",
    "/dev/null",
    "/proc/1/environ",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "",
];

fn own_rules() -> Vec<SourceFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    paths.sort();
    let read = |path| SourceFile {
        name: format!("{path:?}"),
        text: std::fs::read_to_string(path).unwrap(),
    };
    paths.into_iter().map(read).collect()
}

/// Rules that ask in other ways for what a class tells.
const OTHERS: &str = "
- macro: opens
  condition: evt.type in (open, openat, openat2, creat)
- rule: written
  condition: opens and evt.is_open_write = true and fd.num >= 0 and fd.name startswith /etc
  output: o
  desc: d
  priority: info
- rule: secret read
  condition: opens and evt.is_open_read = true and not fd.num < 0 and fd.name endswith shadow
  output: o
  desc: d
  priority: info
- rule: climbed
  condition: opens and fd.name startswith /etc and fd.nameraw contains '../' and fd.nameraw glob '*../*../*'
  output: o
  desc: d
  priority: info
- rule: made executable
  condition: evt.type in (chmod, fchmodat) and evt.res = SUCCESS
  output: o
  desc: d
  priority: info
- rule: refused
  condition: (evt.type = connect and evt.rawres in (-13, -1)) or (evt.type = bind and evt.failed = true)
  output: o
  desc: d
  priority: info
";

fn engine(texts: Vec<SourceFile>) -> Engine {
    let loaded = load(&texts, &Options::default());
    assert_eq!(loaded.diagnostics, []);
    Engine::new(loaded.rules, Settings::default())
}

fn of_process(event_type: EventType, kind: EventKind) -> Event {
    let process = ProcessKey { pid: 7, ..ProcessKey::default() };
    Event {
        id: EventId(1),
        time: TimestampNs::from_unix_ns(1),
        arrived: TimestampNs::from_unix_ns(1),
        event_type,
        actor: Some(Actor { process, ..Actor::default() }),
        kind,
    }
}

fn on_file() -> impl Strategy<Value = Event> {
    use EventType as E;
    use FileOperation as O;
    let calls = [
        (E::Open, O::Open),
        (E::Openat, O::Open),
        (E::Openat2, O::Open),
        (E::Creat, O::Open),
        (E::Chmod, O::ChangeMode),
        (E::Fchmodat, O::ChangeMode),
        (E::Renameat2, O::Rename),
        (E::Symlinkat, O::Symlink),
        (E::Unlinkat, O::Unlink),
        (E::Mkdir, O::MakeDirectory),
    ];
    let results = select(vec![-13_i64, -2, -1, 0, 3]);
    (select(calls.to_vec()), results, any::<u32>(), select(PATHS.to_vec()), any::<u32>()).prop_map(
        |((event_type, operation), result, flags, path, mode)| {
            let file = FileId { inode: 1, device: 1 };
            let path_given = path.into();
            let path = path.into();
            let given = FileEvent {
                operation,
                result,
                flags,
                path,
                path_given,
                mode,
                file,
                ..FileEvent::default()
            };
            of_process(event_type, EventKind::File(given))
        },
    )
}

fn on_socket() -> impl Strategy<Value = Event> {
    use EventType as E;
    use SocketOperation as O;
    let calls = [
        (E::Socket, O::Create),
        (E::Connect, O::Connect),
        (E::Bind, O::Bind),
        (E::Listen, O::Listen),
        (E::Accept4, O::Accept),
        (E::Sendto, O::Send),
    ];
    let results = select(vec![-115_i64, -13, -1, 0, 3]);
    (select(calls.to_vec()), results, 0_u16..8).prop_map(|((event_type, operation), result, of)| {
        let given = SocketEvent { operation, result, socket_type: of, ..SocketEvent::default() };
        of_process(event_type, EventKind::Socket(given))
    })
}

fn class(event: &Event) -> CallClass {
    let flags = match &event.kind {
        EventKind::File(file) => file.flags,
        _ => 0,
    };
    CallClass::of_call(event.event_type, flags, event.result().unwrap_or_default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_is_not_asked_for_matches_no_rule(
        events in proptest::collection::vec(prop_oneof![3 => on_file(), 1 => on_socket()], 256),
    ) {
        let own = own_rules();
        prop_assert!(1 < own.len());
        let others = vec![SourceFile { name: "others".into(), text: OTHERS.into() }];
        for texts in [own, others] {
            let mut engine = engine(texts);
            let interest = engine.interest();
            let mut output = Output::default();
            for event in &events {
                output.clear();
                engine.step(event, &mut output);
                let is_wanted = interest.has(event.event_type, class(event));
                prop_assert!(
                    is_wanted || output.findings.is_empty(),
                    "{:?}: {:?}", event, output.findings
                );
            }
        }
    }
}

/// What the kernel knows an open by, as `clew-sensor` tells it.
type Key = (EventType, u32, String);

/// As the kernel looks for it.
fn is_climbing(event: &Event) -> bool {
    match &event.kind {
        EventKind::File(file) => file.path_given.to_string().contains(".."),
        _ => false,
    }
}

fn key(event: &Event) -> Option<Key> {
    const FLAGS: u32 = 0o200_003;
    match &event.kind {
        EventKind::File(file) if file.operation == FileOperation::Open && 0 <= file.result => {
            Some((event.event_type, file.flags & FLAGS, file.path.to_string()))
        }
        _ => None,
    }
}

/// Programs by which rules tell apart who opens.
const ACTORS: [&str; 4] = ["sh", "cat", "nginx", "sshd"];

fn exec(number: usize, name: &str) -> Event {
    let process = ProcessKey { pid: u32::try_from(number).unwrap(), ..ProcessKey::default() };
    let mut event = of_process(
        EventType::Execve,
        EventKind::Executed(Executed {
            name: name.into(),
            argv: format!("{name}\0--x\0").into_bytes().into(),
            exe: format!("/usr/bin/{name}").into(),
            ..Executed::default()
        }),
    );
    event.actor = Some(Actor { process, ..Actor::default() });
    event
}

/// Findings on each event; opens that were found quiet before are left out, as the kernel does.
fn findings(texts: &[SourceFile], events: &[Event], is_kept: bool) -> (Vec<String>, usize) {
    let mut engine = engine(texts.to_vec());
    let mut output = Output::default();
    for (number, name) in ACTORS.iter().enumerate() {
        engine.step(&exec(number, name), &mut output);
    }
    output.clear();
    let mut quiet: BTreeMap<Key, QuietVerdict> = BTreeMap::new();
    let mut kept_back = 0;
    for event in events {
        let is_quiet = match key(event).and_then(|key| quiet.get(&key)) {
            Some(QuietVerdict::Always) => true,
            Some(QuietVerdict::UnlessClimbing) => !is_climbing(event),
            Some(QuietVerdict::Told) | None => false,
        };
        if is_kept && is_quiet {
            kept_back += 1;
            continue;
        }
        engine.step(event, &mut output);
        if let Some(key) = key(event) {
            quiet.entry(key).or_insert_with(|| engine.quiet_verdict(event));
        }
    }
    let told = output.findings.iter();
    (
        told.map(|finding| format!("{} {} {:?}", finding.rule, finding.output, finding.events))
            .collect(),
        kept_back,
    )
}

fn upstream() -> Option<SourceFile> {
    let shared = std::env::var_os("CLEW_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), Into::into);
    let path = shared.join("data/falco-rules/falco_rules.yaml");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(SourceFile { name: "falco_rules.yaml".into(), text }),
        Err(error) => {
            eprintln!("SKIPPED: Falco's rules beside our own: {}: {error}", path.display());
            None
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn what_was_found_quiet_never_hides_a_match(
        events in proptest::collection::vec((on_file(), 0..ACTORS.len(), 0_u32..4, any::<bool>()), 512),
    ) {
        let events: Vec<Event> = (1..).zip(events).map(|(number, (mut event, actor, access, climbs))| {
            let pid = u32::try_from(actor).unwrap();
            let process = ProcessKey { pid, ..ProcessKey::default() };
            event.id = EventId(number);
            event.actor = Some(Actor { process, ..Actor::default() });
            if let EventKind::File(file) = &mut event.kind {
                // Few flags, so that the same open comes again.
                file.flags = if access == 3 { 0o200_000 } else { access };
                if climbs {
                    let climbing = format!("/tmp/../x/..{}", file.path);
                    file.path_given = climbing.into();
                }
            }
            event
        }).collect();
        let others = SourceFile { name: "others".into(), text: OTHERS.into() };
        let sets = [Some(own_rules()), Some(vec![others]), upstream().map(|file| vec![file])];
        for texts in sets.into_iter().flatten() {
            let (all, _) = findings(&texts, &events, false);
            let (kept, kept_back) = findings(&texts, &events, true);
            prop_assert_eq!(all, kept);
            prop_assert!(0 < kept_back);
        }
    }
}

#[test]
fn what_context_and_stories_read_is_asked_for_without_any_rule() {
    let interest = clew_engine::interest::of_rules(&RuleSet::default(), Appsec::Off);
    for event_type in [EventType::Setuid, EventType::Dup2] {
        assert_eq!(interest.left_out(event_type), None);
    }
    // Whoever failed to serve is no server.
    assert_eq!(interest.left_out(EventType::Listen).as_deref(), Some("listen (failed)"));
    assert_eq!(interest.left_out(EventType::Accept).as_deref(), Some("accept (failed)"));
    assert_eq!(interest.left_out(EventType::Openat).as_deref(), Some("openat"));
    assert_ne!(interest, InterestSet::everything());
}

#[test]
fn where_requests_are_judged_their_effects_are_asked_for() {
    let interest = clew_engine::interest::of_rules(&RuleSet::default(), Appsec::On);
    assert_eq!(interest.left_out(EventType::Openat).as_deref(), Some("openat (failed)"));
    for event_type in [EventType::HttpRequest, EventType::HttpResponse, EventType::Connect] {
        assert_eq!(interest.left_out(event_type), None);
    }
    let mut engine = engine(Vec::new());
    assert_eq!(engine.interest(), interest);
    engine.set_appsec(Appsec::Off);
    assert_eq!(engine.interest().left_out(EventType::HttpRequest).as_deref(), Some("http_request"));
}

#[test]
fn the_interest_follows_the_rules() {
    let mut engine = engine(vec![SourceFile { name: "others".into(), text: OTHERS.into() }]);
    assert_eq!(engine.interest().left_out(EventType::Chmod).as_deref(), Some("chmod (failed)"));
    engine.set_rules(RuleSet::default());
    assert_eq!(engine.interest().left_out(EventType::Chmod).as_deref(), Some("chmod"));
}
