//! What SNS and Pub/Sub push, signed by a key of the tests, by real requests.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, thread};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clew_event::TimestampNs;
use clew_intake::MESSAGE_BYTES_MAX;
use common::{DEADLINE, Run, record};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

const TOPIC: &str = "arn:aws:sns:us-east-1:1:trail";

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

fn key() -> RsaKeyPair {
    let key = PrivateKeyDer::from_pem_file(certificate("sender.key")).unwrap();
    RsaKeyPair::from_pkcs8(key.secret_der()).unwrap()
}

fn sign(text: &str) -> Vec<u8> {
    let key = key();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    signature
}

fn post(address: &str, token: Option<&str>, body: &str) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(DEADLINE))
        .build()
        .into();
    let mut request = agent.post(address);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.send(body).unwrap().status().as_u16()
}

fn seconds_now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// A message of SNS, with members besides that are signed too, in their order.
fn envelope(kind: &str, message: &str, besides: &[(&str, &str)]) -> String {
    let time = TimestampNs::default().after(Duration::from_secs(seconds_now())).to_string();
    let mut members = vec![("Message", message), ("MessageId", "m"), ("Timestamp", &*time)];
    members.extend([("TopicArn", TOPIC), ("Type", kind)]);
    members.extend(besides);
    members.sort_unstable();
    let signed: String = members.iter().map(|(name, text)| format!("{name}\n{text}\n")).collect();
    let mut body: serde_json::Map<String, Value> =
        members.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
    body.insert("SignatureVersion".into(), json!("2"));
    body.insert("Signature".into(), json!(STANDARD.encode(sign(&signed))));
    let address = "https://sns.us-east-1.amazonaws.com/a.pem";
    body.insert("SigningCertURL".into(), json!(address));
    Value::Object(body).to_string()
}

#[test]
fn messages_of_sns_are_taken_by_their_signature_and_a_confirmation_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate("sender.pem");
    let source = format!("sns:127.0.0.1:0,topic={TOPIC},certificate={}", certificate.display());
    let mut run = Run::start(&[&source], folder.path());
    let address = run.address();
    let client = thread::spawn(move || {
        let good = envelope("Notification", &record("a"), &[("Subject", "s")]);
        let forged = good.replace("iam.amazonaws.com", "sts.amazonaws.com");
        let url = [("SubscribeURL", "https://confirm.example/"), ("Token", "t")];
        let confirm = envelope("SubscriptionConfirmation", "please", &url);
        let without = record("b");
        [&forged, &without, &confirm, &good].map(|body| post(&address, None, body))
    });
    run.until_events(1);
    assert_eq!(client.join().unwrap(), [403, 403, 200, 200]);
    let figures = run.figures();
    assert_eq!((run.names(), figures.refused), (vec!["a".to_owned()], 2));
    assert_eq!((figures.batches, figures.complaints), (1, 0), "what is refused is not read");
    assert_eq!(figures.notes, ["SNS asks to confirm: open https://confirm.example/"]);
}

#[test]
fn no_more_than_message_bytes_max_are_read_of_what_may_be_signed() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(&[&format!("sns:127.0.0.1:0,topic={TOPIC}")], folder.path());
    let host = run.address().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let answer = |length: usize, body: &str| {
        let mut stream = TcpStream::connect(&host).unwrap();
        let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length";
        write!(stream, "{head}: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(answer(MESSAGE_BYTES_MAX, &" ".repeat(MESSAGE_BYTES_MAX)), "403");
    assert_eq!(answer(MESSAGE_BYTES_MAX + 1, ""), "413");
    assert_eq!((run.figures().refused, run.figures().batches), (1, 0));
}

fn claims() -> Value {
    let now = seconds_now();
    json!({
        "iss": "https://accounts.google.com", "aud": "https://clew.example", "iat": now,
        "email": "push@p.iam.gserviceaccount.com", "email_verified": true, "exp": now + 3600
    })
}

fn token(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(head), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(&signed));
    format!("{signed}.{signature}")
}

/// A right token, and each that is wrong in one thing.
fn tokens() -> (String, Vec<String>) {
    let head = json!({"alg": "RS256", "kid": "k", "typ": "JWT"});
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().insert(name.to_owned(), value);
        token(&head, &claims)
    };
    let good = token(&head, &claims());
    let (begin, end) = good.rsplit_once('.').unwrap();
    let now = seconds_now();
    let wrong = vec![
        with("iss", json!("https://evil.example")),
        with("aud", json!("https://other.example")),
        with("email", json!("other@p.iam.gserviceaccount.com")),
        with("email_verified", json!(false)),
        with("exp", json!(now - 120)),
        with("iat", json!(now + 600)),
        token(&json!({"alg": "RS256", "kid": "other"}), &claims()),
        token(&json!({"alg": "none", "kid": "k"}), &claims()),
        format!("{begin}."),
        format!("{begin}.{}", end.chars().rev().collect::<String>()),
        String::new(),
    ];
    (good, wrong)
}

#[test]
fn what_pub_sub_pushes_is_taken_by_its_token_alone() {
    let folder = tempfile::tempdir().unwrap();
    let public = PublicKeyComponents::<Vec<u8>>::from(key().public());
    let [n, e] = [public.n, public.e].map(|part| URL_SAFE_NO_PAD.encode(part));
    let keys = folder.path().join("keys.json");
    fs::write(&keys, json!({"keys": [{"kid": "k", "n": n, "e": e}]}).to_string()).unwrap();
    let source = format!(
        "pubsub-push:127.0.0.1:0,audience=https://clew.example,\
         email=push@p.iam.gserviceaccount.com,keys={}",
        keys.display()
    );
    let mut run = Run::start(&[&source], folder.path());
    let (address, (good, wrong)) = (run.address(), tokens());
    let (count, data) = (wrong.len(), STANDARD.encode(record("a")));
    let client = thread::spawn(move || {
        let body = json!({"message": {"data": data, "messageId": "1"}, "subscription": "s"});
        let body = body.to_string();
        assert_eq!(post(&address, None, &body), 401);
        for token in &wrong {
            assert_eq!(post(&address, Some(token), &body), 401, "{token}");
        }
        post(&address, Some(&good), &body)
    });
    run.until_events(1);
    assert_eq!(client.join().unwrap(), 200);
    let figures = run.figures();
    assert_eq!((figures.batches, figures.refused), (1, count as u64 + 1));
    assert_eq!((run.names(), figures.complaints), (vec!["a".to_owned()], 0));
}

#[test]
fn event_grid_is_given_its_code_back_and_what_it_sends_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "secret\n").unwrap();
    let source = format!("eventgrid:127.0.0.1:0,token={}", token.display());
    let mut run = Run::start(&[&source], folder.path());
    let address = run.address();
    let client = thread::spawn(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(DEADLINE))
            .build()
            .into();
        let post = |query: &str, kind: &str, body: &Value| {
            let ask = agent.post(format!("{address}{query}")).header("aeg-event-type", kind);
            let mut answer = ask.send(body.to_string()).unwrap();
            (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
        };
        let ask = json!([{
            "id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {"validationCode": "c0de"},
        }]);
        let kind = "SubscriptionValidation";
        assert_eq!(post("?token=wrong", kind, &ask).0, 401);
        assert_eq!(post("", kind, &ask).0, 401);
        let given = post("?token=secret", kind, &ask);
        assert_eq!(given, (200, r#"{"validationResponse":"c0de"}"#.to_owned()));
        let event = json!([{
            "id": "2", "eventTime": "2026-11-24T10:00:00Z",
            "eventType": "Microsoft.Resources.ResourceWriteSuccess",
            "data": {"operationName": "a", "resourceUri": "/subscriptions/s/r"},
        }]);
        assert_eq!(post("?token=secret", "Other", &event).0, 400);
        post("?a=b&token=secret", "Notification", &event).0
    });
    run.until_events(1);
    assert_eq!(client.join().unwrap(), 200);
    assert_eq!((run.names(), run.figures().refused), (vec!["a".to_owned()], 2));
}
