//! Bodies as senders make them, in both encodings, and as nobody should.

use clew_event::http::{HttpEvent, HttpFlags, HttpSource};
use clew_event::query::{DatabaseSystem, QueryEvent};
use clew_event::{EventKind, EventType};

use super::*;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while 0x80 <= number {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

fn field(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn fixed(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3 | 1), value.to_le_bytes().to_vec()].concat()
}

/// A text; a number where it is made of digits alone.
fn any(text: &str) -> Vec<u8> {
    match text.parse::<u64>() {
        Ok(number) => [vec![3 << 3], varint(number)].concat(),
        Err(_) => field(1, text.as_bytes()),
    }
}

fn attributes(number: u64, pairs: &[(&str, &str)]) -> Vec<u8> {
    let pair = |(name, value): &(&str, &str)| {
        field(number, &[field(1, name.as_bytes()), field(2, &any(value))].concat())
    };
    pairs.iter().flat_map(pair).collect()
}

/// A body that holds one message.
fn body(item: &[u8]) -> Vec<u8> {
    field(1, &[field(1, b""), field(2, &field(2, item))].concat())
}

fn span(id: u8, kind: u8, pairs: &[(&str, &str)]) -> Vec<u8> {
    let ids = [field(1, &[0xab; 16]), field(2, &[id; 8]), field(4, &[1; 8])].concat();
    let times = [fixed(7, 1_000), fixed(8, 5_000)].concat();
    let kind = vec![6 << 3, kind];
    [ids, field(5, b"name"), kind, times, attributes(9, pairs), field(15, b"")].concat()
}

fn traces(body: &[u8]) -> Decoded {
    decode(&Settings::default(), "f", (Signal::Traces, Encoding::Protobuf), body)
}

fn of(decoded: &Decoded, number: usize) -> &HttpEvent {
    match &decoded.events[number].kind {
        EventKind::Http(http) => http,
        other => panic!("{other:?}"),
    }
}

const TODAY: &[(&str, &str)] = &[
    ("http.request.method", "POST"),
    ("url.path", "/login"),
    ("url.query", "next=%2F"),
    ("server.address", "shop.example"),
    ("server.port", "8443"),
    ("client.address", "203.0.113.9"),
    ("user_agent.original", "curl/8"),
    ("network.protocol.version", "2"),
    ("http.response.status_code", "401"),
    ("enduser.id", "ann"),
];
const BEFORE: &[(&str, &str)] = &[
    ("http.method", "POST"),
    ("http.target", "/login?next=%2F"),
    ("http.host", "shop.example:8443"),
    ("http.client_ip", "203.0.113.9"),
    ("net.sock.peer.addr", "203.0.113.9"),
    ("http.user_agent", "curl/8"),
    ("http.flavor", "2.0"),
    ("http.status_code", "401"),
    ("enduser.id", "ann"),
];

#[test]
fn a_span_of_a_server_is_a_request_and_its_response_by_conventions_old_and_new() {
    for pairs in [TODAY, BEFORE] {
        let decoded = traces(&body(&span(7, 2, pairs)));
        assert_eq!((decoded.events.len(), &*decoded.complaints), (2, &[][..]));
        let (asked, answered) = (of(&decoded, 0), of(&decoded, 1));
        assert_eq!(decoded.events[0].event_type, EventType::HttpRequest);
        assert_eq!(decoded.events[1].event_type, EventType::HttpResponse);
        assert_eq!(answered.exchange, decoded.events[0].id);
        assert!(asked.is_inbound && asked.seen_by == HttpSource::Span && asked.response.is_none());
        let request = &asked.request;
        assert_eq!((&request.method, &request.path), (&"POST".into(), &"/login".into()));
        assert_eq!(
            (&request.query, &request.host),
            (&"next=%2F".into(), &"shop.example:8443".into())
        );
        assert_eq!(request.client, "203.0.113.9".parse().ok());
        assert_eq!(request.header("user-agent"), Some(&"curl/8".into()));
        assert_eq!(request.principal.as_ref().map(|it| &it.name), Some(&"ann".into()));
        assert_eq!(request.version, clew_event::http::HttpVersion::Http2);
        let trace = format!("00-{}-0707070707070707-01", "ab".repeat(16));
        assert_eq!(request.trace, trace.into());
        let response = answered.response.as_deref().expect("a response");
        assert_eq!((response.status, response.duration_ns), (401, 4_000));
        assert_eq!(decoded.events[1].time.unix_ns(), 5_000);
    }
}

#[test]
fn clients_databases_and_calls_of_grpc_are_read_and_others_passed_over() {
    let url = [
        ("http.request.method", "GET"),
        ("url.full", "http://10.0.0.2:81/x?y"),
        ("server.address", "10.0.0.2"),
        ("server.port", "81"),
    ];
    let decoded = traces(&body(&span(1, 3, &url)));
    let sent = of(&decoded, 0);
    assert!(!sent.is_inbound);
    assert_eq!(sent.endpoints.remote, "10.0.0.2:81".parse().ok());
    let request = &sent.request;
    assert_eq!((&request.host, &request.path), (&"10.0.0.2:81".into(), &"/x".into()));

    for names in [["db.system.name", "db.query.text"], ["db.system", "db.statement"]] {
        let pairs = [(names[0], "mariadb"), (names[1], "SELECT 'x'")];
        let decoded = traces(&body(&span(2, 3, &pairs)));
        let EventKind::Query(query) = &decoded.events[0].kind else { panic!("no statement") };
        let QueryEvent { system, statement, trace, .. } = &**query;
        assert_eq!((*system, statement), (DatabaseSystem::Mysql, &"SELECT 'x'".into()));
        assert!(!trace.is_empty());
    }

    let call = [("rpc.system", "grpc"), ("rpc.service", "a.B"), ("rpc.method", "C")];
    let decoded = traces(&body(&span(3, 2, &call)));
    assert_eq!(of(&decoded, 0).request.path, "/a.B/C".into());
    assert!(of(&decoded, 0).request.flags.has(HttpFlags::GRPC));

    for (kind, pairs) in [(1, TODAY), (3, &[("db.system", "redis"), ("db.statement", "GET x")][..])]
    {
        assert_eq!(traces(&body(&span(4, kind, pairs))), Decoded::default());
    }
}

#[test]
fn json_tells_the_same_events() {
    let pair = |(name, value): &(&str, &str)| match value.parse::<u64>() {
        Ok(number) => format!(r#"{{"key":"{name}","value":{{"intValue":"{number}"}}}}"#),
        Err(_) => format!(r#"{{"key":"{name}","value":{{"stringValue":"{value}"}}}}"#),
    };
    for kind in ["2", "\"SPAN_KIND_SERVER\""] {
        let text = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{}","spanId":"{}","kind":{kind},"startTimeUnixNano":"1000","endTimeUnixNano":5000,"attributes":[{}]}}]}}]}}]}}"#,
            "AB".repeat(16),
            "07".repeat(8),
            TODAY.iter().map(pair).collect::<Vec<_>>().join(",")
        );
        let json =
            decode(&Settings::default(), "f", (Signal::Traces, Encoding::Json), text.as_bytes());
        assert_eq!(json, traces(&body(&span(7, 2, TODAY))));
    }
}

#[test]
fn fields_that_are_told_are_starred_as_those_of_sockets_are() {
    let header = field(1, b"http.request.header.x_api_key");
    let list = field(5, &field(1, &field(1, b"0123456789abcdef")));
    let header = field(9, &[header, field(2, &list)].concat());
    let decoded = traces(&body(&[span(1, 2, TODAY), header].concat()));
    assert_eq!(of(&decoded, 0).request.header("x-api-key"), Some(&"*".into()));
}

#[test]
fn a_log_tells_an_exchange_by_attributes_or_as_a_line_and_nothing_else() {
    let logs = |record: &[u8]| {
        decode(&Settings::default(), "f", (Signal::Logs, Encoding::Protobuf), &body(record))
    };
    let by_attributes = [fixed(1, 9_000), attributes(6, TODAY)].concat();
    let decoded = logs(&by_attributes);
    let http = of(&decoded, 0);
    assert_eq!((decoded.events.len(), http.seen_by), (1, HttpSource::Log));
    assert!(http.response.as_deref().is_some_and(|answer| answer.status == 401));
    let line = b"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] \"GET /a HTTP/1.1\" 200 1";
    let decoded = logs(&[fixed(11, 9_000), field(5, &field(1, line))].concat());
    assert_eq!(of(&decoded, 0).request.path, "/a".into());
    assert_eq!(logs(&field(5, &field(1, b"started"))), Decoded::default());
    let text = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"stringValue":"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] \"GET /a HTTP/1.1\" 200 1"}}]}]}]}"#;
    let decoded = decode(&Settings::default(), "f", (Signal::Logs, Encoding::Json), text);
    assert_eq!(of(&decoded, 0).request.path, "/a".into());
}

#[test]
fn what_is_broken_keeps_what_stood_before_it() {
    let whole = body(&span(7, 2, TODAY));
    let decoded = traces(&[&whole[..], b"\x0a\xff"].concat());
    assert_eq!((decoded.events.len(), decoded.complaints.len()), (2, 1));
    for length in 0..whole.len() {
        traces(&whole[..length]);
    }
    let json = decode(
        &Settings::default(),
        "f",
        (Signal::Traces, Encoding::Json),
        b"{\"resourceSpans\":[{",
    );
    assert_eq!(json.complaints[0].code, "otlp-malformed");
}

#[test]
fn spans_max_spans_and_attributes_max_attributes_are_read() {
    let one = field(2, &span(7, 2, TODAY));
    let many = field(1, &field(2, &one.repeat(SPANS_MAX + 1)));
    let decoded = traces(&many);
    assert_eq!(decoded.events.len(), 2 * SPANS_MAX);
    assert_eq!(decoded.complaints[0].code, "otlp-too-many-spans");
    let filler = [("a", "b")].repeat(ATTRIBUTES_MAX);
    let late = [&filler[..], TODAY].concat();
    assert_eq!(traces(&body(&span(7, 2, &late))).events, []);
    assert_eq!(
        traces(&body(&span(7, 2, &[&filler[TODAY.len()..], TODAY].concat()))).events.len(),
        2
    );
}
