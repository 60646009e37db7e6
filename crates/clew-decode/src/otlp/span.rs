//! A span into the events that it tells.
//!
//! A request is told twice, as one on a socket is: when it began, because what other spans of its
//! trace tell is its effect, and when it was answered.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use clew_event::http::{HttpEvent, HttpFlags, HttpRequest, HttpResponse, HttpSource, HttpVersion};
use clew_event::query::{DatabaseSystem, QueryEvent};
use clew_event::socket::Endpoints;
use clew_event::{Event, EventId, EventKind, EventType, Text, TimestampNs};

use super::Span;
use super::attributes::Attributes;
use crate::access_log::{self, Line};
use crate::api_log::foreign_id;
use crate::http::{STATEMENT_BYTES_MAX, Told, Words};

const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const METHODS: &[&str] = &["http.request.method_original", "http.request.method", "http.method"];
const HEADER: &str = "http.request.header.";

/// Adds what a span of a trace tells.
pub(super) fn of_trace(words: &Words, span: &Span<'_>, events: &mut Vec<Event>) {
    let is_grpc = span.attributes.first(&["rpc.system", "rpc.system.name"]) == b"grpc";
    let is_http = is_grpc || !span.attributes.first(METHODS).is_empty();
    match span.kind {
        SERVER | CLIENT if is_http => exchange(words, span, is_grpc, events),
        CLIENT => events.extend(query(span)),
        _ => {}
    }
}

/// Adds the exchange that a record of a log tells, by attributes or as a line.
pub(super) fn of_log(words: &Words, span: &Span<'_>, events: &mut Vec<Event>) {
    let time = TimestampNs::from_unix_ns(span.end_ns);
    if span.attributes.first(METHODS).is_empty() {
        let text = span.text.get(..access_log::LINE_BYTES_MAX).unwrap_or(&span.text).trim_ascii();
        if let Some(line) = Line::of(text) {
            let id = event_id(span, b"line");
            events.push(access_log::event(words, id, time, &line));
        }
        return;
    }
    let id = event_id(span, b"log");
    let request = Arc::new(request(words, span, false));
    let response = Some(Box::new(response(span, false)));
    let http = HttpEvent { response, ..http(id, span, true, request) };
    let http = HttpEvent { seen_by: HttpSource::Log, ..http };
    events.push(event(id, time, EventType::HttpResponse, EventKind::Http(Box::new(http))));
}

fn exchange(words: &Words, span: &Span<'_>, is_grpc: bool, events: &mut Vec<Event>) {
    let asked = event_id(span, b"request");
    let request = Arc::new(request(words, span, is_grpc));
    let asking = http(asked, span, span.kind == SERVER, request);
    let response = Some(Box::new(response(span, is_grpc)));
    let answering = HttpEvent { response, ..asking.clone() };
    let start = TimestampNs::from_unix_ns(span.start_ns);
    let end = TimestampNs::from_unix_ns(span.end_ns.max(span.start_ns));
    let [asking, answering] = [asking, answering].map(|it| EventKind::Http(Box::new(it)));
    events.push(event(asked, start, EventType::HttpRequest, asking));
    let answered = event_id(span, b"response");
    events.push(event(answered, end, EventType::HttpResponse, answering));
}

fn http(id: EventId, span: &Span<'_>, is_inbound: bool, request: Arc<HttpRequest>) -> HttpEvent {
    let endpoints = Endpoints { remote: remote(&span.attributes), ..Endpoints::default() };
    let seen_by = HttpSource::Span;
    HttpEvent { exchange: id, seen_by, is_inbound, endpoints, request, ..HttpEvent::default() }
}

fn request(words: &Words, span: &Span<'_>, is_grpc: bool) -> HttpRequest {
    let of = &span.attributes;
    let mut told = Told {
        method: Cow::Borrowed(of.first(METHODS)),
        target: target(of),
        version: version(of),
        user: Cow::Borrowed(of.first(&["enduser.id", "user.id", "user.name"])),
        peer: address(of.first(&["client.address", "http.client_ip"]))
            .or_else(|| remote(of).map(|remote| remote.ip())),
        ..Told::default()
    };
    if is_grpc && told.method.is_empty() {
        let parts = [&b"/"[..], of.first(&["rpc.service"]), b"/", of.first(&["rpc.method"])];
        told.method = Cow::Borrowed(b"POST");
        told.target = parts.concat().into();
        told.version = HttpVersion::Http2;
    }
    let host = host(of);
    let agent = of.first(&["user_agent.original", "http.user_agent"]);
    for (name, value) in [("host", &*host), ("user-agent", agent)] {
        let key = format!("{HEADER}{name}");
        if !value.is_empty() && of.first(&[&key]).is_empty() {
            told.fields.push((name.as_bytes().into(), value.into()));
        }
    }
    // The conventions before 1.23 wrote `_` for each `-`.
    let named = |name: &[u8]| name.iter().map(|&it| if it == b'_' { b'-' } else { it }).collect();
    let headers = of.below(HEADER).map(|(name, value)| (Cow::Owned(named(name)), value.into()));
    told.fields.extend(headers);
    let mut request = words.request(&told);
    request.started = TimestampNs::from_unix_ns(start_ns(span));
    request.trace = traceparent(span);
    request.body_bytes =
        of.number(&["http.request.body.size", "http.request_content_length"]).unwrap_or_default();
    if is_grpc {
        request.flags.set(HttpFlags::GRPC);
    }
    request
}

fn response(span: &Span<'_>, is_grpc: bool) -> HttpResponse {
    let of = &span.attributes;
    let status = of.number(&["http.response.status_code", "http.status_code"]);
    let status = status.and_then(|status| status.try_into().ok());
    HttpResponse {
        // gRPC answers 200 and tells its own status behind the content.
        status: status.unwrap_or(if is_grpc { 200 } else { 0 }),
        duration_ns: span.end_ns.saturating_sub(start_ns(span)),
        body_bytes: of
            .number(&["http.response.body.size", "http.response_content_length"])
            .unwrap_or_default(),
        ..HttpResponse::default()
    }
}

/// A record of a log tells its end alone.
fn start_ns(span: &Span<'_>) -> u64 {
    if span.start_ns == 0 { span.end_ns } else { span.start_ns }
}

/// Path and query; of a client perhaps a whole address.
fn target<'s>(of: &'s Attributes<'_>) -> Cow<'s, [u8]> {
    let (path, query) = (of.first(&["url.path"]), of.first(&["url.query"]));
    match (path.is_empty(), query.is_empty()) {
        (false, true) => path.into(),
        (false, false) => [path, query].join(&b'?').into(),
        (true, _) => of.first(&["http.target", "url.full", "http.url", "http.route"]).into(),
    }
}

fn host<'s>(of: &'s Attributes<'_>) -> Cow<'s, [u8]> {
    let whole = of.first(&["http.host"]);
    if !whole.is_empty() {
        return whole.into();
    }
    let host = of.first(&["server.address", "net.host.name", "net.peer.name"]);
    let port = of.first(&["server.port", "net.host.port"]);
    match port {
        b"" | b"80" | b"443" => host.into(),
        port if !host.is_empty() => [host, port].join(&b':').into(),
        _ => host.into(),
    }
}

fn version(of: &Attributes<'_>) -> HttpVersion {
    let told = of.first(&["network.protocol.version", "http.flavor"]);
    access_log::version(told)
        .or_else(|| access_log::version(&[b"HTTP/", told].concat()))
        .unwrap_or_default()
}

/// The other end, where its address is told.
fn remote(of: &Attributes<'_>) -> Option<SocketAddr> {
    const ADDRESSES: &[&str] = &[
        "network.peer.address",
        "net.sock.peer.addr",
        "net.peer.ip",
        "client.address",
        "server.address",
    ];
    let port = of.number(&["network.peer.port", "net.sock.peer.port", "net.peer.port"]);
    let port = port.or_else(|| of.number(&["server.port"])).and_then(|port| port.try_into().ok());
    Some(SocketAddr::new(address(of.first(ADDRESSES))?, port.unwrap_or_default()))
}

fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The statement that a span of a client of a database tells, of the systems that are known.
fn query(span: &Span<'_>) -> Option<Event> {
    let of = &span.attributes;
    let system = match of.first(&["db.system.name", "db.system"]) {
        b"postgresql" | b"cockroachdb" | b"redshift" | b"aws.redshift" => {
            DatabaseSystem::Postgresql
        }
        b"mysql" | b"mariadb" => DatabaseSystem::Mysql,
        _ => return None,
    };
    let statement = of.first(&["db.query.text", "db.statement"]);
    let kept = statement.get(..STATEMENT_BYTES_MAX).unwrap_or(statement);
    let query = QueryEvent {
        endpoints: Endpoints { remote: remote(of), ..Endpoints::default() },
        system,
        statement: kept.into(),
        is_cut: kept.len() < statement.len(),
        trace: traceparent(span),
        ..QueryEvent::default()
    };
    let kind = EventKind::Query(Box::new(query));
    let time = TimestampNs::from_unix_ns(span.start_ns);
    let id = event_id(span, b"query");
    (!statement.is_empty()).then(|| event(id, time, EventType::DbQuery, kind))
}

/// W3C Trace Context, as the span itself would hand it on; empty where the ids are none.
fn traceparent(span: &Span<'_>) -> Text {
    if span.trace.len() != 16 || span.id.len() != 8 {
        return Text::default();
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("00-{}-{}-01", hex(&span.trace), hex(&span.id)).into()
}

/// The same span has the same id however often it is sent. A record of a log is known by its text
/// and time too, as many have no span.
fn event_id(span: &Span<'_>, part: &[u8]) -> EventId {
    let times = [span.start_ns.to_be_bytes(), span.end_ns.to_be_bytes()].concat();
    let parts = [part, &*span.trace, &*span.id, &*times, &*span.text];
    let lengths: Vec<u8> = parts.iter().flat_map(|part| part.len().to_be_bytes()).collect();
    foreign_id(b"otlp", &[parts.concat(), lengths].concat())
}

fn event(id: EventId, time: TimestampNs, event_type: EventType, kind: EventKind) -> Event {
    Event { id, time, arrived: time, event_type, actor: None, kind }
}
