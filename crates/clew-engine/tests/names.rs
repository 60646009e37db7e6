//! Rules on the names of addresses, from the answer of a name server to the finding.

use std::error::Error;

use clew_engine::{Engine, Output, Settings};
use clew_event::socket::{DnsEvent, Endpoints};
use clew_event::{Event, EventKind, EventType};
use clew_rules::{Options, SourceFile, load};
use clew_testkit::scenario;

/// The macro and the part of the rule "Contact K8S API Server From Container" that decide.
const RULES: &str = "
- macro: k8s_api_server
  condition: (fd.sip.name=\"kubernetes.default.svc.cluster.local\")
- rule: contact
  desc: a container connected to the API server
  condition: evt.type=connect and container.id != host and k8s_api_server
  output: 'connected to %fd.sip.name at %fd.sip'
  priority: NOTICE
  tags: [T1565]
- rule: elsewhere
  desc: a container connected to something else that it resolved
  condition: evt.type=connect and fd.sip.name != kubernetes.default.svc.cluster.local
  output: 'connected to %fd.sip.name'
  priority: NOTICE
  tags: [T1565]
- rule: asked
  desc: a container asked for a name
  condition: evt.type=dns and dns.name endswith .cluster.local and dns.type=A and dns.is_answer=true
  output: '%dns.name is %dns.answers'
  priority: NOTICE
  tags: [T1018]
";

const CONNECTIONS: &str = "
exec pid=10 container=web args=curl
connect pid=10 to=198.51.100.10:443
connect pid=10 to=198.51.100.11:443
";

/// What the rules find where the process was told `name` for the first address beforehand.
fn found(names: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
    let mut events = scenario::events(CONNECTIONS)?;
    let connect = events.iter().position(is_connect).ok_or("nobody connects")?;
    let asked = events.get(connect).ok_or("nobody connects")?.clone();
    for name in names {
        let message = DnsEvent {
            name: (*name).into(),
            record_type: 1,
            addresses: vec![[198, 51, 100, 10].into()],
            is_answer: true,
            ..DnsEvent::default()
        };
        let kind = EventKind::Dns(Box::new(message));
        events.insert(connect, Event { event_type: EventType::Dns, kind, ..asked.clone() });
    }
    let file = SourceFile { name: "names.yaml".into(), text: RULES.into() };
    let loaded = load(&[file], &Options::default());
    assert_eq!(loaded.diagnostics, []);
    let mut engine = Engine::new(loaded.rules, Settings::default());
    let mut output = Output::default();
    for event in &events {
        engine.step(event, &mut output);
    }
    Ok(output.findings.into_iter().map(|finding| finding.output).collect())
}

fn is_connect(event: &Event) -> bool {
    let is_inet = |ends: &Endpoints| ends.family == Endpoints::INET;
    matches!(&event.kind, EventKind::Socket(socket) if is_inet(&socket.endpoints))
}

#[test]
fn a_connection_to_an_address_that_was_answered_has_the_name() -> Result<(), Box<dyn Error>> {
    let api_server = "kubernetes.default.svc.cluster.local";
    let expected = [
        "kubernetes.default.svc.cluster.local is (198.51.100.10)",
        "connected to kubernetes.default.svc.cluster.local at 198.51.100.10",
    ];
    assert_eq!(found(&[api_server])?, expected);
    assert_eq!(found(&["other.example"])?, ["connected to other.example"]);
    assert!(found(&[])?.is_empty());
    Ok(())
}

#[test]
fn an_address_with_several_names_is_each_of_them() -> Result<(), Box<dyn Error>> {
    let names = ["kubernetes.default.svc.cluster.local", "other.example"];
    let found = found(&names)?;
    assert_eq!(found.len(), 2, "{found:?}");
    let is_other = |text: &String| text.contains("other.example");
    assert!(found.get(1).is_some_and(is_other), "{found:?}");
    Ok(())
}
