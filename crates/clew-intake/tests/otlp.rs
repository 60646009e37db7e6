//! Exports of OpenTelemetry, by real requests of HTTP and calls of gRPC.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request};
use clew_event::EventKind;
use clew_intake::GRPC_BYTES_MAX;
use common::{DEADLINE, Run, gzip};
use flate2::Compression;
use flate2::write::GzEncoder;

const TOKEN: &str = "a-token-of-the-test";
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

fn receiver(folder: &Path) -> String {
    fs::write(folder.join("token"), TOKEN).unwrap();
    format!("otlp:127.0.0.1:0,token={}", folder.join("token").display())
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 1 << 14);
    let length = u16::try_from(content.len()).unwrap();
    let [low, high] = [length & 0x7f | 0x80, length >> 7].map(|part| part.to_le_bytes()[0]);
    [&[number << 3 | 2, low, high][..], content].concat()
}

/// A span of a server that was asked for `path`.
fn traces(path: &str) -> Vec<u8> {
    let attribute = |name: &str, value: &str| {
        let value = field(2, &field(1, value.as_bytes()));
        field(9, &[field(1, name.as_bytes()), value].concat())
    };
    let times = [&[7 << 3 | 1][..], &[1; 8], &[8 << 3 | 1], &[1; 8]].concat();
    let ids = [field(1, &[1; 16]), field(2, path.as_bytes().first_chunk::<8>().unwrap())];
    let asked = [attribute("http.request.method", "GET"), attribute("url.path", path)];
    let span = [ids.concat(), vec![6 << 3, 2], times, asked.concat()].concat();
    field(1, &field(2, &field(2, &span)))
}

fn log(line: &str) -> Vec<u8> {
    field(1, &field(2, &field(2, &field(5, &field(1, line.as_bytes())))))
}

fn paths(run: &Run) -> Vec<String> {
    let path = |event: &clew_event::Event| match &event.kind {
        EventKind::Http(http) => http.request.path.to_string(),
        other => format!("{other:?}"),
    };
    run.events.iter().map(path).collect()
}

fn post(address: &str, token: &str, kind: &str, body: &[u8]) -> (u16, String) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(address).header("authorization", format!("Bearer {token}"));
    let mut answer = request.header("content-type", kind).send(body).unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

#[test]
fn traces_and_logs_come_by_http_in_both_encodings_packed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(&[&receiver(folder.path())], folder.path());
    let address = run.address();
    let client = thread::spawn(move || {
        let (binary, json) = ("application/x-protobuf", "application/json");
        let line =
            "192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] \\\"GET /of-a-log HTTP/1.1\\\" 200 1";
        let text = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{{"stringValue":"{line}"}}}}]}}]}}]}}"#
        );
        let at = |path: &str| format!("{address}{path}");
        vec![
            post(&at("v1/traces"), TOKEN, binary, &traces("/by-http")),
            post(&at("v1/traces"), TOKEN, binary, &traces("/by-http")),
            post(&at("v1/logs"), TOKEN, json, &gzip(&text)),
            post(&at("v1/traces"), "wrong", binary, &traces("/refused")),
            post(&at("v1/metrics"), TOKEN, binary, b""),
            post(&at("v1/traces"), TOKEN, binary, b"\x0a\xff"),
        ]
    });
    run.until("all", |run| run.figures().batches == 4 && run.figures().refused == 1);
    let answers = client.join().unwrap();
    let statuses: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 200, 200, 401, 404, 200]);
    assert_eq!((&*answers[0].1, &*answers[2].1), ("", "{}"));
    assert_eq!(paths(&run), ["/by-http", "/by-http", "/of-a-log"]);
    assert_eq!(run.figures().duplicates, 2);
    assert!(run.complaints.iter().any(|complaint| complaint.code == "otlp-malformed"));
}

/// Makes one call on a connection of its own; gives the message and its status.
async fn call(address: &str, path: &str, token: &str, body: Vec<u8>) -> (Vec<u8>, String) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {token}"))
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (answer, mut sender) = client.send_request(request, false).unwrap();
    sender.send_data(Bytes::from(body), true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let status =
        |fields: &HeaderMap| fields.get("grpc-status").map(|it| it.to_str().unwrap().to_owned());
    let early = status(answer.headers());
    let mut content = answer.into_body();
    let mut message = Vec::new();
    while let Some(part) = content.data().await {
        message.extend_from_slice(&part.unwrap());
    }
    let trailers = content.trailers().await.unwrap();
    drop(client);
    connection.abort();
    (message, early.or_else(|| status(&trailers?)).unwrap_or_default())
}

fn framed(is_packed: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[is_packed][..], &length, message].concat()
}

#[test]
fn traces_and_logs_come_by_grpc_and_refusals_are_told_in_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(&[&receiver(folder.path())], folder.path());
    let address = run.address().replace("http://", "").replace('/', "");
    let client = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let calls = async {
                let line =
                    "192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] \"GET /of-a-log HTTP/1.1\" 200 1";
                let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
                packed.write_all(&log(line)).unwrap();
                let packed = packed.finish().unwrap();
                let wrong = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
                vec![
                    call(&address, TRACES, TOKEN, framed(0, &traces("/by-grpc"))).await,
                    call(&address, LOGS, TOKEN, framed(0, &log(line))).await,
                    call(&address, LOGS, TOKEN, framed(1, &packed)).await,
                    call(&address, TRACES, "wrong", framed(0, b"")).await,
                    call(&address, wrong, TOKEN, framed(0, b"")).await,
                    call(&address, TRACES, TOKEN, b"\0\0\0\0\x09x".to_vec()).await,
                    call(&address, TRACES, TOKEN, framed(0, &vec![0; GRPC_BYTES_MAX + 1])).await,
                ]
            };
            tokio::time::timeout(DEADLINE, calls).await.unwrap()
        })
    });
    run.until("the answers", |_| client.is_finished());
    let answers = client.join().unwrap();
    let statuses: Vec<_> = answers.iter().map(|(_, status)| &**status).collect();
    assert_eq!(statuses, ["0", "0", "0", "16", "12", "3", "8"]);
    assert_eq!(answers[0].0, framed(0, b""));
    assert_eq!(paths(&run), ["/by-grpc", "/by-grpc", "/of-a-log"]);
    assert_eq!((run.figures().refused, run.figures().duplicates), (1, 1));
}
