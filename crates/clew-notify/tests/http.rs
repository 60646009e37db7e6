//! HTTP outputs against a real server: retries, refusals, a server that hangs, TLS, headers.

mod receivers;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use clew_notify::{ANSWER_BYTES_MAX, ATTEMPTS_MAX, Outputs, QUEUE_MAX, Settings, StartError};
use receivers::web::{Answer, WebServer, certificate};
use receivers::{DEADLINE, finding, number, outputs, wait_for};
use serde_json::Value;

#[test]
fn a_server_that_fails_three_times_gets_every_alert_in_order() {
    let server = WebServer::start(|number| Answer::Code(if number < 3 { 503 } else { 200 }));
    let outputs = outputs(&[&format!("http:http://{}/hook,format=falco", server.address)]);
    for number in 0..5 {
        outputs.send(&finding(number));
    }
    let figures = wait_for(&outputs, |figures| figures.sent == 5);
    assert_eq!((figures.retried, figures.failed, figures.dropped), (3, 0, 0));
    assert_eq!(figures.last_error.as_deref(), Some("the answer is 503"));
    outputs.close();
    let numbers: Vec<_> = server.requests.try_iter().map(|request| number(&request.body)).collect();
    assert_eq!(numbers, [0, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(server.connections.load(Ordering::Relaxed), 1, "the connection is kept");
}

#[test]
fn an_alert_is_what_falcosidekick_reads() {
    let server = WebServer::start(|_| Answer::Code(200));
    let outputs = outputs(&[&format!("http:http://{}/,format=falco", server.address)]);
    outputs.send(&finding(7));
    let request = server.requests.recv_timeout(DEADLINE).unwrap();
    outputs.close();
    assert!(request.head.starts_with("post / http/1.1"), "{}", request.head);
    assert!(request.head.contains("content-type: application/json\r\n"), "{}", request.head);
    let alert: Value = serde_json::from_str(&request.body).unwrap();
    let keys: BTreeSet<_> = alert.as_object().unwrap().keys().map(String::as_str).collect();
    let read =
        ["hostname", "output", "output_fields", "priority", "rule", "source", "tags", "time"];
    assert_eq!(keys, BTreeSet::from(read));
    for text in ["hostname", "output", "priority", "rule", "source", "time"] {
        assert!(alert[text].as_str().is_some_and(|text| !text.is_empty()), "{text}");
    }
    assert!(alert["output_fields"].is_object());
    assert!(alert["tags"].as_array().unwrap().iter().all(Value::is_string));
    assert_eq!(alert["time"], "2025-11-24T16:00:00.000000007Z");
}

#[test]
fn what_a_server_refuses_is_not_repeated() {
    let server = WebServer::start(|number| Answer::Code(if number == 0 { 400 } else { 200 }));
    let outputs = outputs(&[&format!("http:http://{}/", server.address)]);
    outputs.send(&finding(0));
    outputs.send(&finding(1));
    let figures = wait_for(&outputs, |figures| figures.sent == 1);
    assert_eq!((figures.failed, figures.retried), (1, 0));
    outputs.close();
}

#[test]
fn a_redirect_is_not_followed() {
    let server = WebServer::start(|_| Answer::Code(302));
    let outputs = outputs(&[&format!("http:http://{}/", server.address)]);
    outputs.send(&finding(0));
    let figures = wait_for(&outputs, |figures| figures.failed == 1);
    assert_eq!(figures.last_error.as_deref(), Some("the answer is 302"));
    outputs.close();
}

#[test]
fn an_answer_longer_than_answer_bytes_max_costs_no_more_than_the_connection() {
    let length = usize::try_from(ANSWER_BYTES_MAX).unwrap();
    let lengths = [length, length + 1, 0];
    let server = WebServer::start(move |number| Answer::Long(lengths[number]));
    let outputs = outputs(&[&format!("http:http://{}/", server.address)]);
    for number in 0..3 {
        outputs.send(&finding(number));
    }
    let figures = wait_for(&outputs, |figures| figures.sent == 3);
    assert_eq!((figures.retried, figures.failed), (0, 0));
    outputs.close();
    assert_eq!(server.connections.load(Ordering::Relaxed), 2);
}

#[test]
fn an_address_where_nobody_listens_is_tried_attempts_max_times() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outputs = outputs(&[&format!("http:http://{address}/")]);
    outputs.send(&finding(0));
    let figures = wait_for(&outputs, |figures| figures.failed == 1);
    assert_eq!(figures.retried, u64::from(ATTEMPTS_MAX) - 1);
    outputs.close();
}

#[test]
fn a_server_that_hangs_costs_its_own_alerts_alone() {
    let server = WebServer::start(|_| Answer::Hang);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.json");
    let specs =
        [format!("http:http://{}/,timeout=1", server.address), format!("file:{}", path.display())];
    let specs = specs.iter().map(|spec| spec.parse().unwrap()).collect();
    let outputs = Outputs::start(
        specs,
        &Settings { close_span: std::time::Duration::ZERO, ..Settings::default() },
    )
    .unwrap();
    let monitor = outputs.monitor();
    outputs.send(&finding(0));
    server.requests.recv_timeout(DEADLINE).unwrap();
    let count = QUEUE_MAX as u64 + 100;
    for number in 1..=count {
        outputs.send(&finding(number));
        // As fast as the file takes it, so that its own queue never fills.
        receivers::wait_until(|| (monitor.figures()[1].queued < 1000).then_some(()));
    }
    receivers::wait_until(|| (monitor.figures()[1].sent == count + 1).then_some(()));
    let hanging = &monitor.figures()[0];
    assert_eq!((hanging.sent, monitor.figures()[1].dropped), (0, 0));
    assert!(hanging.queued <= QUEUE_MAX as u64 && hanging.dropped >= 99, "{hanging:?}");
    outputs.close();
    let hanging = &monitor.figures()[0];
    assert_eq!(hanging.sent + hanging.failed + hanging.dropped, count + 1, "all are accounted for");
    assert_eq!(hanging.queued, 0);
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count() as u64, count + 1);
}

#[test]
fn a_server_of_ones_own_authority_is_believed_where_the_option_names_it() {
    let server = WebServer::start_tls();
    let (port, ca) = (server.address.port(), certificate("authority.pem"));
    for host in ["localhost", "127.0.0.1"] {
        let outputs = outputs(&[&format!("http:https://{host}:{port}/,ca={}", ca.display())]);
        outputs.send(&finding(1));
        let figures = wait_for(&outputs, |figures| figures.sent + figures.failed == 1);
        assert_eq!(figures.sent, 1, "{figures:?}");
        outputs.close();
        assert_eq!(number(&server.requests.recv_timeout(DEADLINE).unwrap().body), 1);
    }
}

#[test]
fn a_server_of_an_unknown_authority_gets_nothing() {
    let server = WebServer::start_tls();
    let (port, ca) = (server.address.port(), certificate("stranger.pem"));
    let outputs = outputs(&[&format!("http:https://localhost:{port}/,ca={}", ca.display())]);
    outputs.send(&finding(1));
    let figures = wait_for(&outputs, |figures| figures.failed == 1);
    let error = figures.last_error.unwrap();
    assert!(error.to_lowercase().contains("certificate"), "{error}");
    outputs.close();
    assert!(server.requests.try_recv().is_err());
}

#[test]
fn headers_come_from_the_option_or_a_file() {
    let server = WebServer::start(|_| Answer::Code(200));
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "Bearer a,b=c\n").unwrap();
    let spec = format!(
        "http:http://{}/,header=X-Site: eu,,1,header=Authorization: @{}",
        server.address,
        token.display()
    );
    let outputs = outputs(&[&spec]);
    outputs.send(&finding(1));
    let request = server.requests.recv_timeout(DEADLINE).unwrap();
    outputs.close();
    assert!(request.head.contains("x-site: eu,1\r\n"), "{}", request.head);
    assert!(request.head.contains("authorization: bearer a,b=c\r\n"), "{}", request.head);
}

#[test]
fn what_an_option_names_is_read_before_anything_begins() {
    let start = |spec: &str| Outputs::start(vec![spec.parse().unwrap()], &Settings::default());
    let absent = start("http:https://h/,ca=/nonexistent.pem");
    assert!(matches!(absent, Err(StartError::Read { option: "ca", .. })));
    let none = start("http:https://h/,ca=/dev/null");
    assert!(matches!(none, Err(StartError::Certificates { .. })));
    let split = start("http:http://h/,header=A B: c");
    assert!(matches!(split, Err(StartError::Header { .. })));
}
