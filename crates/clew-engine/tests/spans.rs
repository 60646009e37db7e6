//! What an application tells of itself: a request and its statement, joined by their trace.

use std::sync::Arc;

use clew_engine::{Engine, Output, Settings};
use clew_event::http::{HttpEvent, HttpRequest, HttpResponse, HttpSource};
use clew_event::query::QueryEvent;
use clew_event::{Event, EventId, EventKind, EventType, TimestampNs};
use clew_rules::{Options, load};

/// The rules that two spans of one trace, and the response, are found by.
fn found(query: &str, statement: &str) -> Vec<String> {
    let trace = |span: &str| format!("00-{}-{}-01", "a".repeat(32), span.repeat(16)).into();
    let event = |n: u64, event_type, kind| Event {
        id: EventId(n.into()),
        time: TimestampNs::from_unix_ns(1_700_000_000_000_000_000 + n),
        arrived: TimestampNs::default(),
        event_type,
        actor: None,
        kind,
    };
    let request = HttpRequest {
        method: "GET".into(),
        path: "/item".into(),
        query: query.into(),
        trace: trace("1"),
        ..HttpRequest::default()
    };
    let asked = HttpEvent {
        exchange: EventId(1),
        seen_by: HttpSource::Span,
        is_inbound: true,
        request: Arc::new(request),
        ..HttpEvent::default()
    };
    let response = Some(Box::new(HttpResponse { status: 200, ..HttpResponse::default() }));
    let answered = HttpEvent { response, ..asked.clone() };
    let sent =
        QueryEvent { statement: statement.into(), trace: trace("2"), ..QueryEvent::default() };
    let mut engine = Engine::new(load(&[], &Options::default()).rules, Settings::default());
    let mut output = Output::default();
    engine.step(&event(1, EventType::HttpRequest, EventKind::Http(Box::new(asked))), &mut output);
    engine.step(&event(2, EventType::DbQuery, EventKind::Query(Box::new(sent))), &mut output);
    let answered = EventKind::Http(Box::new(answered));
    engine.step(&event(3, EventType::HttpResponse, answered), &mut output);
    output.findings.into_iter().map(|finding| finding.rule.to_string()).collect()
}

#[test]
fn a_statement_that_a_request_changed_is_proven_by_their_trace_and_each_is_told_once() {
    let told = found("id=1%27%20OR%20%271%27%3D%271", "SELECT a FROM b WHERE id = '1' OR '1'='1'");
    assert_eq!(told, ["SQL injection in a request", "Statement changed by a request"]);
    let safe = found("id=1%27%20OR%20%271%27%3D%271", "SELECT a FROM b WHERE id = $1");
    assert_eq!(safe, ["SQL injection in a request"]);
    let harmless = found("id=1", "SELECT a FROM b WHERE id = '1'");
    assert!(harmless.is_empty(), "{harmless:?}");
}
