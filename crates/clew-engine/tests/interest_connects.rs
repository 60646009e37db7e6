//! A connect that was found quiet hides no match, whatever the rules.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may panic, read where shared data lie, and say that it skips"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use clew_engine::{Engine, Output, Settings};
use clew_event::interest::QuietVerdict;
use clew_event::process::Executed;
use clew_event::socket::{
    DescriptorEvent, DescriptorTarget, DnsEvent, Endpoints, SocketEvent, SocketOperation, Transport,
};
use clew_event::{Actor, Event, EventId, EventKind, EventType, ProcessKey, Semantics, TimestampNs};
use clew_rules::{Options, SourceFile, load};
use proptest::prelude::*;
use proptest::sample::select;

/// Programs by which rules tell apart who connects.
const ACTORS: [&str; 3] = ["sh", "nginx", "curl"];
const PEERS: [&str; 6] = [
    "127.0.0.1:80",
    "127.0.0.1:22",
    "10.0.0.9:443",
    "169.254.169.254:80",
    "[::1]:80",
    "[2001:db8::7]:443",
];
const PATHS: [&str; 4] = ["/run/nscd/socket", "/run/docker.sock", "docker.sock", "/dev/log"];
const NAMES: [&str; 2] = ["pool.example", "shop.example"];

/// What random conditions are made of: all that a rule may ask of a connect, and of who makes it.
const ASKED: [&str; 30] = [
    "fd.rip = 127.0.0.1",
    "fd.rnet in (\"127.0.0.0/8\", \"::1/128\")",
    "fd.rport in (22, 443)",
    "fd.rport > 100",
    "fd.sip = 169.254.169.254",
    "fd.snet = \"10.0.0.0/8\"",
    "fd.sport = 80",
    "fd.sport exists",
    "fd.ip = 10.0.0.9",
    "fd.net = \"127.0.0.0/8\"",
    "fd.port = 80",
    "fd.cport = 40001",
    "fd.lip = 10.0.0.1",
    "fd.lport = 40000",
    "fd.sip.name = pool.example",
    "fd.rip.name exists",
    "fd.name contains 40001",
    "fd.name contains docker.sock",
    "fd.nameraw contains ..",
    "fd.filename exists",
    "fd.type in (ipv4, unix)",
    "fd.typechar = 6",
    "fd.l4proto = tcp",
    "fd.sockfamily = ip",
    "fd.is_server = false",
    "fd.connected = true",
    "evt.res = EINPROGRESS",
    "evt.rawres >= 0",
    "fd.num = 4",
    "proc.name = sh",
];

fn condition() -> impl Strategy<Value = String> {
    let leaf = select(ASKED.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 3, |inner| {
        let several = |word: &'static str| {
            proptest::collection::vec(inner.clone(), 2..4)
                .prop_map(move |parts| format!("({})", parts.join(word)))
        };
        prop_oneof![
            several(" and "),
            several(" or "),
            inner.clone().prop_map(|one| format!("not {one}")),
        ]
    })
}

/// A few rules about connects, and one about what a descriptor leads to later.
fn rules(conditions: &[String]) -> SourceFile {
    let mut text = String::new();
    let later = "evt.type = dup2 and fd.rip = 10.0.0.9".to_owned();
    let connects = conditions.iter().map(|condition| format!("evt.type = connect and {condition}"));
    for (number, condition) in connects.chain([later]).enumerate() {
        text += &format!(
            "- rule: r{number}\n  desc: d\n  condition: >\n    {condition}\n  output: o\n  priority: info\n"
        );
    }
    SourceFile { name: "random".into(), text }
}

fn of_actor(actor: usize, event_type: EventType, kind: EventKind) -> Event {
    let pid = u32::try_from(actor).unwrap();
    let process = ProcessKey { pid, ..ProcessKey::default() };
    Event {
        id: EventId(0),
        time: TimestampNs::from_unix_ns(1),
        arrived: TimestampNs::from_unix_ns(1),
        event_type,
        actor: Some(Actor { process, ..Actor::default() }),
        kind,
    }
}

fn endpoints(peer: &str, local_port: u16, transport: Transport) -> Endpoints {
    let remote: SocketAddr = peer.parse().unwrap();
    let family = if remote.is_ipv4() { Endpoints::INET } else { Endpoints::INET6 };
    let local = Some(([10, 0, 0, 1], local_port).into());
    Endpoints { family, transport, local, remote: Some(remote) }
}

fn connect() -> impl Strategy<Value = Event> {
    let result = select(vec![0_i64, -115, -111]);
    let local = select(vec![40_000_u16, 40_001, 22]);
    let to_peer =
        (select(PEERS.to_vec()), local, any::<bool>()).prop_map(|(peer, port, is_tcp)| {
            let (transport, protocol, socket_type) =
                if is_tcp { (Transport::Tcp, 6, 1) } else { (Transport::Udp, 17, 2) };
            let endpoints = endpoints(peer, port, transport);
            SocketEvent { endpoints, protocol, socket_type, ..SocketEvent::default() }
        });
    let to_path = select(PATHS.to_vec()).prop_map(|path| {
        let endpoints = Endpoints { family: Endpoints::UNIX, ..Endpoints::default() };
        SocketEvent { endpoints, path: path.into(), socket_type: 1, ..SocketEvent::default() }
    });
    let socket = prop_oneof![3 => to_peer, 1 => to_path];
    (socket, result, 3..5_i32, 0..ACTORS.len()).prop_map(|(socket, result, descriptor, actor)| {
        let operation = SocketOperation::Connect;
        let socket = SocketEvent { operation, result, descriptor, ..socket };
        of_actor(actor, EventType::Connect, EventKind::Socket(socket))
    })
}

/// A socket put on standard input, and names that come to belong to an address.
fn other() -> impl Strategy<Value = Event> {
    let dup = (select(PEERS.to_vec()), 0..ACTORS.len()).prop_map(|(peer, actor)| {
        let target = Box::new(endpoints(peer, 40_000, Transport::Tcp));
        let target = DescriptorTarget::Internet(target);
        let event = DescriptorEvent { result: 0, old: 4, target };
        of_actor(actor, EventType::Dup2, EventKind::Descriptor(event))
    });
    let answer = (select(PEERS.to_vec()), select(NAMES.to_vec()), 0..ACTORS.len());
    let answer = answer.prop_map(|(peer, name, actor)| {
        let address: SocketAddr = peer.parse().unwrap();
        let answer = DnsEvent {
            name: name.into(),
            record_type: if address.is_ipv4() { 1 } else { 28 },
            addresses: vec![address.ip()],
            is_answer: true,
            ttl_seconds: 60,
            ..DnsEvent::default()
        };
        of_actor(actor, EventType::Dns, EventKind::Dns(Box::new(answer)))
    });
    prop_oneof![dup, answer]
}

fn exec(actor: usize, name: &str) -> Event {
    let executed = Executed {
        name: name.into(),
        argv: format!("{name}\0--x\0").into_bytes().into(),
        exe: format!("/usr/bin/{name}").into(),
        ..Executed::default()
    };
    of_actor(actor, EventType::Execve, EventKind::Executed(executed))
}

/// As the kernel makes it: `clew-sensor` has the same in bytes.
type Key = (i64, u16, u16, u16, Option<SocketAddr>, String);

fn key(event: &Event) -> Option<Key> {
    let EventKind::Socket(socket) = &event.kind else { return None };
    let Endpoints { family, remote, .. } = socket.endpoints;
    let is_done = matches!(socket.result, 0 | -115);
    let (peer, path) = match family {
        Endpoints::UNIX => (None, socket.path.to_string()),
        _ if is_done => (remote, String::new()),
        Endpoints::INET => (None, String::new()),
        _ => return None,
    };
    Some((socket.result, family, socket.protocol, socket.socket_type, peer, path))
}

/// Findings, and how many connects were kept back if those that were found quiet are.
fn findings(
    texts: &[SourceFile],
    semantics: Semantics,
    events: &[Event],
    is_kept: bool,
) -> (Vec<String>, usize) {
    let loaded = load(texts, &Options { semantics, ..Options::default() });
    assert!(!loaded.rules.is_empty(), "{:?}", loaded.diagnostics);
    let mut engine = Engine::new(loaded.rules, Settings::default());
    let mut output = Output::default();
    for (number, name) in ACTORS.iter().enumerate() {
        engine.step(&exec(number, name), &mut output);
    }
    output.clear();
    let mut verdicts: BTreeMap<Key, QuietVerdict> = BTreeMap::new();
    let mut kept_back = 0;
    for event in events {
        let key = key(event);
        let verdict = key.as_ref().and_then(|key| verdicts.get(key));
        if is_kept && verdict == Some(&QuietVerdict::Always) {
            kept_back += 1;
            continue;
        }
        engine.step(event, &mut output);
        if let Some(key) = key {
            let verdict = engine.quiet_verdict(event);
            assert_ne!(verdict, QuietVerdict::UnlessClimbing, "no one climbs to a peer");
            verdicts.entry(key).or_insert(verdict);
        }
    }
    let told = output.findings.iter();
    let told = told.map(|finding| format!("{} {:?}", finding.rule, finding.events));
    (told.collect(), kept_back)
}

fn numbered(events: Vec<Event>) -> Vec<Event> {
    let numbers = (1..).map(EventId).zip(events);
    numbers.map(|(id, event)| Event { id, ..event }).collect()
}

fn stream(count: usize) -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![6 => connect(), 1 => other()];
    proptest::collection::vec(event, count).prop_map(numbered)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_was_found_quiet_hides_no_match_of_random_rules(
        conditions in proptest::collection::vec(condition(), 1..4),
        events in stream(192),
        semantics in select(vec![Semantics::Clew, Semantics::Falco]),
    ) {
        let texts = [rules(&conditions)];
        let (all, _) = findings(&texts, semantics, &events, false);
        let (kept, _) = findings(&texts, semantics, &events, true);
        prop_assert_eq!(all, kept);
    }
}

fn own_rules() -> Vec<SourceFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    paths.sort();
    paths.iter().map(|path| source(path).unwrap()).collect()
}

fn source(path: &Path) -> std::io::Result<SourceFile> {
    Ok(SourceFile { name: path.display().to_string(), text: std::fs::read_to_string(path)? })
}

fn upstream() -> Option<Vec<SourceFile>> {
    let shared = std::env::var_os("CLEW_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), Into::into);
    let path = shared.join("data/falco-rules/falco_rules.yaml");
    match source(&path) {
        Ok(file) => Some(vec![file]),
        Err(error) => {
            eprintln!("SKIPPED: Falco's rules beside our own: {}: {error}", path.display());
            None
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn connects_are_kept_back_for_shipped_rules_and_hide_no_match(events in stream(512)) {
        for texts in [Some(own_rules()), upstream()].into_iter().flatten() {
            let (all, _) = findings(&texts, Semantics::Clew, &events, false);
            let (kept, kept_back) = findings(&texts, Semantics::Clew, &events, true);
            prop_assert_eq!(all, kept);
            prop_assert!(0 < kept_back);
        }
    }
}

#[test]
fn our_rules_are_about_no_connect_within_the_machine_but_about_those_that_leave_it() {
    let loaded = load(&own_rules(), &Options::default());
    let engine = Engine::new(loaded.rules, Settings::default());
    let check = |result, endpoints: Endpoints, path: &str, expected| {
        let operation = SocketOperation::Connect;
        let path = path.into();
        let socket = SocketEvent { operation, result, endpoints, path, ..SocketEvent::default() };
        let event = of_actor(0, EventType::Connect, EventKind::Socket(socket));
        assert_eq!(engine.quiet_verdict(&event), expected, "{event:?}");
    };
    let to = |peer| endpoints(peer, 40_000, Transport::Tcp);
    let unix = || Endpoints { family: Endpoints::UNIX, ..Endpoints::default() };
    check(0, to("127.0.0.1:80"), "", QuietVerdict::Always);
    check(-111, to("10.0.0.9:443"), "", QuietVerdict::Always);
    check(-115, to("10.0.0.9:443"), "", QuietVerdict::Told);
    check(0, to("169.254.169.254:80"), "", QuietVerdict::Told);
    check(-2, unix(), "/run/nscd/socket", QuietVerdict::Always);
    check(0, unix(), "/run/docker.sock", QuietVerdict::Told);
    check(0, Endpoints { family: 16, ..Endpoints::default() }, "", QuietVerdict::Told);
}
