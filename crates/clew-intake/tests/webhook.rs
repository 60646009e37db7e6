//! The audit webhook of an API server, by real HTTPS requests.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use clew_intake::{BODY_BYTES_MAX, QUEUE_BYTES_MAX};
use common::{DEADLINE, Run, certificate, shared};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

const TOKEN: &str = "a-token-of-the-test";

fn receiver(folder: &Path, with_tls: bool) -> String {
    fs::write(folder.join("token"), format!("{TOKEN}\n")).unwrap();
    let token = folder.join("token");
    let mut text = format!("kubernetes:127.0.0.1:0,name=k8s,token={}", token.display());
    if with_tls {
        let [cert, key] = ["server.pem", "server.key"].map(certificate);
        text += &format!(",cert={},key={}", cert.display(), key.display());
    }
    text
}

fn agent() -> Agent {
    rustls::crypto::ring::default_provider().install_default().ok();
    let pem = fs::read(certificate("authority.pem")).unwrap();
    let authority = Certificate::from_pem(&pem).unwrap();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[authority])).build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_global(Some(DEADLINE))
        .build()
        .into()
}

fn post(agent: &Agent, address: &str, token: Option<&str>, body: &[u8]) -> u16 {
    let mut request = agent.post(address);
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    request.send(body).unwrap().status().as_u16()
}

/// What is answered to the head of a request for so many bytes, before any of them is sent.
fn head(address: &str, length: usize) -> String {
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    let token = format!("host: {host}\r\nauthorization: bearer {TOKEN}");
    write!(stream, "POST /audit HTTP/1.1\r\n{token}\r\ncontent-length: {length}\r\n\r\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn event_list(numbers: std::ops::Range<usize>) -> String {
    let event = |number: usize| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{number}","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","user":{{"username":"ann"}},"objectRef":{{"resource":"pods"}},"responseStatus":{{"code":200}},"stageTimestamp":"2026-11-24T10:00:00.5Z"}}"#
        )
    };
    let events: Vec<_> = numbers.map(event).collect();
    format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{}]}}"#,
        events.join(",")
    )
}

#[test]
fn a_batch_is_answered_once_it_is_committed_and_counted_once_however_often_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(&[&receiver(folder.path(), true)], folder.path());
    let address = run.address().replace("127.0.0.1", "localhost");
    assert!(address.starts_with("https://"), "{address}");
    let (sender, answers) = mpsc::channel();
    let client = thread::spawn(move || {
        let (agent, token) = (agent(), format!("Bearer {TOKEN}"));
        for _ in 0..2 {
            let body = event_list(0..5);
            sender.send(post(&agent, &address, Some(&token), body.as_bytes())).unwrap();
        }
    });
    let delivered = run.intake.poll(DEADLINE).unwrap();
    assert_eq!(delivered.events.len(), 5);
    let early = answers.recv_timeout(Duration::from_millis(50));
    assert!(early.is_err(), "answered before it was committed");
    run.committer.commit(vec![delivered.ack]).unwrap();
    assert_eq!(answers.recv_timeout(DEADLINE), Ok(200));
    run.until("the second", |run| run.figures().batches == 2);
    assert_eq!(answers.recv_timeout(DEADLINE), Ok(200));
    client.join().unwrap();
    let figures = run.figures();
    assert_eq!((figures.events, figures.duplicates, figures.refused), (5, 5, 0));
}

#[test]
fn what_comes_without_the_token_is_refused_and_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(&[&receiver(folder.path(), false)], folder.path());
    let agent = agent();
    let longer = format!("Bearer {TOKEN}x");
    let wrong = [None, Some("Bearer "), Some("Bearer x"), Some(&*longer), Some(TOKEN)];
    for token in wrong {
        let status = post(&agent, &run.address(), token, b"{\"broken");
        assert_eq!(status, 401, "{token:?}");
    }
    let figures = run.figures();
    assert_eq!((figures.refused, figures.batches, figures.complaints), (5, 0, 0));
}

#[test]
fn a_full_queue_asks_to_come_again_and_a_long_body_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(&[&receiver(folder.path(), false)], folder.path());
    let token = format!("Bearer {TOKEN}");
    let answer = head(&run.address(), BODY_BYTES_MAX + 1);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // Nobody takes: so many wait that no further one of their length has a place.
    let body = event_list(0..1) + &" ".repeat(BODY_BYTES_MAX - 4096);
    let waiting = QUEUE_BYTES_MAX as usize / body.len();
    let senders: Vec<_> = (0..waiting)
        .map(|_| {
            let (address, token, body) = (run.address(), token.clone(), body.clone());
            thread::spawn(move || post(&agent(), &address, Some(&token), body.as_bytes()))
        })
        .collect();
    let deadline = std::time::Instant::now() + DEADLINE;
    while run.figures().queued < waiting as u64 {
        assert!(std::time::Instant::now() < deadline, "{:?}", run.figures());
        thread::yield_now();
    }
    let answer = head(&run.address(), body.len());
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: 2"), "{answer}");
    run.until_events(1);
    run.until("all", |run| run.figures().batches == waiting as u64);
    assert!(senders.into_iter().all(|sender| sender.join().unwrap() == 200));
    assert_eq!(run.figures().throttled, 1);
}

#[test]
fn a_packed_body_is_unpacked_and_one_that_would_burst_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(&[&receiver(folder.path(), false)], folder.path());
    let (address, token) = (run.address(), format!("Bearer {TOKEN}"));
    let client = thread::spawn(move || {
        let bomb = common::gzip(&" ".repeat(BODY_BYTES_MAX + 1));
        let broken = b"\x1f\x8b\x08\0\0\0\0\0\0\0no gzip";
        let bodies = [&bomb[..], broken, &common::gzip(&event_list(0..3))];
        bodies.map(|body| post(&agent(), &address, Some(&token), body))
    });
    run.until_events(3);
    let answers = client.join().unwrap();
    assert_eq!((answers[0], answers[2]), (413, 200));
    assert!([400, 413].contains(&answers[1]), "{answers:?}");
    assert_eq!((run.figures().batches, run.figures().complaints), (1, 0));
}

#[test]
fn what_event_bridge_sends_is_known_by_the_key_in_its_header() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), "a-key").unwrap();
    let key = folder.path().join("key");
    let source = format!("eventbridge:127.0.0.1:0,header=x-clew,token={}", key.display());
    let mut run = Run::start(&[&source], folder.path());
    let address = run.address();
    let body = format!(r#"{{"version":"0","source":"aws.iam","detail":{}}}"#, common::record("a"));
    let client = thread::spawn(move || {
        let send = |name: &str, key: &str| {
            agent().post(&address).header(name, key).send(&body).unwrap().status().as_u16()
        };
        [("x-clew", "a-ke"), ("authorization", "Bearer a-key"), ("x-clew", "a-key")]
            .map(|(name, key)| send(name, key))
    });
    run.until_events(1);
    assert_eq!(client.join().unwrap(), [401, 401, 200]);
    assert_eq!((run.names(), run.figures().refused), (vec!["a".to_owned()], 2));
}

#[test]
fn every_body_that_an_api_server_sent_is_taken() {
    let Some(path) = shared("k8s-audit-1.36/webhook-bodies.jsonl") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(&[&receiver(folder.path(), true)], folder.path());
    let address = run.address().replace("127.0.0.1", "localhost");
    let text = fs::read_to_string(path).unwrap();
    let bodies: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: std::collections::BTreeSet<_> = bodies
        .iter()
        .flat_map(|body| body["body"]["items"].as_array().unwrap())
        .map(|event| (event["auditID"].to_string(), event["stage"].to_string()))
        .collect();
    let count = bodies.len() as u64;
    let client = thread::spawn(move || {
        let (agent, token) = (agent(), format!("Bearer {TOKEN}"));
        bodies.iter().all(|body| {
            let body = body["body"].to_string();
            post(&agent, &address, Some(&token), body.as_bytes()) == 200
        })
    });
    run.until("all bodies", |run| run.figures().batches == count);
    assert!(client.join().unwrap(), "every body is answered 200");
    assert_eq!(run.events.len(), ids.len());
    assert_eq!(run.complaints, []);
}
