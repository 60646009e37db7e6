//! Files of every shape, and hostile ones.

use std::fmt::Write as _;
use std::io::Write as _;

use clew_event::control_plane::{CallStage, MintedKind};
use clew_event::json::JSON_BYTES_MAX;
use proptest::prelude::*;

use super::*;

mod stream;

const CLOUDTRAIL: &str = r#"{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventID":"i","eventTime":"2024-07-30T21:53:13Z","userIdentity":{"arn":"arn:a","accessKeyId":"AKIA"},"sourceIPAddress":"192.0.2.1","errorCode":"AccessDenied","requestParameters":{"userName":"eve"}}"#;
const KUBERNETES: &str = r#"{"auditID":"a","stage":"ResponseComplete","verb":"create","stageTimestamp":"2018-10-25T14:37:54.5Z","user":{"username":"ann"},"objectRef":{"resource":"pods","subresource":"exec","namespace":"shop","name":"web"},"sourceIPs":["198.51.100.1","10.0.0.9"],"responseStatus":{"code":403,"reason":"Forbidden"}}"#;
const GCP: &str = r#"{"protoPayload":{"serviceName":"s","methodName":"m","status":{"code":7},"resourceName":"r","authenticationInfo":{"principalEmail":"p"},"requestMetadata":{"callerIp":"192.0.2.2"}},"insertId":"x","timestamp":"2024-01-01T00:00:00Z"}"#;
const OKTA: &str = r#"{"uuid":"u","published":"2024-01-01T00:00:00Z","eventType":"user.session.start","actor":{"id":"1","alternateId":"ann@example.com"},"outcome":{"result":"FAILURE"},"client":{"ipAddress":"192.0.2.3"}}"#;
const GITHUB: &str = r#"{"action":"publicized","sender":{"login":"ann"},"repository":{"full_name":"o/r","updated_at":"2024-01-01T00:00:00Z"}}"#;

fn calls(text: &str) -> Vec<ApiCall> {
    let decoded = decode("f", text.as_bytes());
    assert_eq!(decoded.complaints, [], "{text}");
    let call = |event: Event| event.api_call().cloned().unwrap();
    decoded.events.into_iter().map(call).collect()
}

fn codes(decoded: &Decoded) -> Vec<String> {
    let code = |complaint: &Complaint| format!("{}: {}", complaint.r#where, complaint.code);
    decoded.complaints.iter().map(code).collect()
}

#[test]
fn every_log_tells_who_did_what_to_what() {
    let check = |record: &str, source: ApiSource, expected: &str| {
        let [call] = <[ApiCall; 1]>::try_from(calls(record)).unwrap();
        assert_eq!((call.source, call.record.as_bytes()), (source, record.as_bytes()));
        let address = call.source_address.map_or_else(String::new, |address| address.to_string());
        let texts = [call.action, call.principal, call.credential, call.resource, call.error];
        let texts: Vec<_> = texts.iter().map(ToString::to_string).collect();
        assert_eq!(format!("{} | {address}", texts.join(" | ")), expected);
    };
    check(
        CLOUDTRAIL,
        ApiSource::Cloudtrail,
        "CreateUser | arn:a | AKIA | eve | AccessDenied | 192.0.2.1",
    );
    check(
        KUBERNETES,
        ApiSource::KubernetesAudit,
        "create pods/exec | ann |  | shop/web | Forbidden | 10.0.0.9",
    );
    check(GCP, ApiSource::GcpAudit, "m | p |  | r | 7 | 192.0.2.2");
    check(
        OKTA,
        ApiSource::Okta,
        "user.session.start | ann@example.com |  |  | FAILURE | 192.0.2.3",
    );
    check(GITHUB, ApiSource::Github, "publicized | ann |  | o/r |  | ");
}

#[test]
fn records_are_found_in_whatever_they_are_wrapped_in() {
    let check = |text: String, expected: usize| assert_eq!(calls(&text).len(), expected, "{text}");
    let as_text = |record: &str| record.replace('"', "\\\"");
    check(format!("{CLOUDTRAIL}\n{KUBERNETES}\n\n{GCP}"), 3);
    check(format!("\u{feff} [{CLOUDTRAIL},\n {OKTA}]"), 2);
    check(format!(r#"{{"Records":[{CLOUDTRAIL},{CLOUDTRAIL}]}}"#), 2);
    check(r#"{"Records":[]}"#.into(), 0);
    check(format!(r#"{{"kind":"EventList","metadata":{{}},"items":[{KUBERNETES}]}}"#), 1);
    check(format!(r#"{{"version":"0","source":"aws.iam","detail":{CLOUDTRAIL}}}"#), 1);
    check(format!(r#"{{"logEvents":[{{"id":"1","message":"{}"}}]}}"#, as_text(KUBERNETES)), 1);
    check(format!(r#"{{"Events":[{{"CloudTrailEvent":"{}"}}]}}"#, as_text(CLOUDTRAIL)), 1);
    check(CLOUDTRAIL.replace(',', ",\n  "), 1);
    let packed = |record: &str| base64(&gzip(record));
    let logs = format!(r#"{{"logEvents":[{{"message":"{}"}}]}}"#, as_text(CLOUDTRAIL));
    check(format!(r#"{{"awslogs":{{"data":"{}"}}}}"#, packed(&logs)), 1);
    check(
        format!(r#"{{"records":[{{"data":"{}"}},{{"data":"{}"}}]}}"#, packed(&logs), packed(&logs)),
        2,
    );
    check(format!(r#"{{"message":{{"data":"{}","messageId":"1"}}}}"#, base64(GCP.as_bytes())), 1);
    check(
        format!(
            r#"{{"receivedMessages":[{{"message":{{"data":"{}"}}}}]}}"#,
            base64(GCP.as_bytes())
        ),
        1,
    );
    let azure = r#""operationName":"Microsoft.ContainerService/x","category":"kube-audit""#;
    check(format!(r#"{{{azure},"properties":{{"log":"{}"}}}}"#, as_text(KUBERNETES)), 1);
    check(r#"{"logEvents":[{"message":"CWL CONTROL MESSAGE: Checking health"}]}"#.into(), 0);
    check(r#"{"awsAccountId":"1","digestStartTime":"t","logFiles":[{}]}"#.into(), 0);
    check(format!(r#"{{"Records":[{CLOUDTRAIL}],"next":{{"Records":["}}"]}}}} {OKTA}"#), 2);
    check(String::new(), 0);
}

#[test]
fn the_type_of_a_webhook_is_taken_from_its_request() {
    let text = format!(r#"{{"headers":{{"X-GitHub-Event":"repository"}},"body":{GITHUB}}}"#);
    let [call] = <[ApiCall; 1]>::try_from(calls(&text)).unwrap();
    assert_eq!(call.action.to_string(), "repository.publicized");
    assert!(call.record.as_bytes().starts_with(br#"{"webhook_type":"repository","action""#));
    let empty = r#"{"headers":{"x-github-event":"ping"},"body":{}}"#;
    assert_eq!(calls(empty)[0].record.as_bytes(), br#"{"webhook_type":"ping"}"#);
}

#[test]
fn events_stand_in_order_of_time_and_are_named_by_their_record() {
    let decoded = decode("f", format!("{CLOUDTRAIL}\n{KUBERNETES}\n{KUBERNETES}").as_bytes());
    let times: Vec<_> = decoded.events.iter().map(|event| event.time.to_string()).collect();
    assert_eq!(times[0], "2018-10-25T14:37:54.500000000Z");
    assert!(times.is_sorted());
    assert_eq!(decoded.events[0].id, decoded.events[1].id);
    assert_ne!(decoded.events[0].id, decoded.events[2].id);
    let other_stage = KUBERNETES.replace("ResponseComplete", "RequestReceived");
    let other = decode("f", other_stage.as_bytes()).events.remove(0);
    assert_eq!(other.id, decoded.events[0].id, "an id names the call, whatever its stage");
    assert_eq!(other.api_call().unwrap().stage, CallStage::Received);
}

#[test]
fn a_bad_record_costs_itself_alone() {
    let check = |text: &str, events: usize, expected: &[&str]| {
        let decoded = decode("f", text.as_bytes());
        assert_eq!(
            (decoded.events.len(), codes(&decoded)),
            (events, to_strings(expected)),
            "{text}"
        );
    };
    let broken = KUBERNETES.replace("403", "4o3");
    let malformed = ["record 2: json-malformed"];
    check(&format!("[{CLOUDTRAIL},{broken},{GCP}]"), 2, &malformed);
    check(&format!("{CLOUDTRAIL}\n{broken}\n{GCP}"), 2, &malformed);
    let cut = &CLOUDTRAIL[..100];
    check(&format!("{CLOUDTRAIL}\n{cut}\n{GCP}\n{OKTA}"), 3, &malformed);
    check(&format!("{CLOUDTRAIL}\n{cut}"), 1, &malformed);
    let cut_short = "end: json-cut-short";
    check(&format!("[{CLOUDTRAIL},{GCP},{cut}"), 2, &["record 3: json-malformed", cut_short]);
    check(&format!(r#"{{"Records":[{CLOUDTRAIL},{cut}"#), 1, &[malformed[0], cut_short]);
    check(&format!("[{CLOUDTRAIL},}},{GCP}]"), 2, &malformed);
    check(
        &format!("{{\"a\":1}}\n{GCP}\nx"),
        1,
        &["record 1: json-unknown-record", "record 3: json-malformed"],
    );
}

fn to_strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

#[test]
fn an_unknown_version_is_said_and_the_record_is_read() {
    let newer = CLOUDTRAIL.replacen('{', r#"{"eventVersion":"2.0","#, 1);
    let known = CLOUDTRAIL.replacen('{', r#"{"eventVersion":"1.99","#, 1);
    let audit = KUBERNETES.replacen('{', r#"{"apiVersion":"audit.k8s.io/v2","#, 1);
    let decoded = decode("f", format!("{newer}\n{known}\n{audit}").as_bytes());
    assert_eq!(decoded.events.len(), 3);
    let expected = ["record 1: json-unknown-version", "record 3: json-unknown-version"];
    assert_eq!(codes(&decoded), expected);
}

#[test]
fn length_wrapping_and_complaints_are_bounded() {
    let long = CLOUDTRAIL.replace("\"eve\"", &format!("\"{}\"", "e".repeat(JSON_BYTES_MAX)));
    let decoded = decode("f", format!("{long}\n{GCP}").as_bytes());
    assert_eq!(
        (decoded.events.len(), codes(&decoded)),
        (1, to_strings(&["record 1: json-record-too-long"]))
    );

    let wrapped = |depth: usize| "[".repeat(depth) + GCP + &"]".repeat(depth);
    assert_eq!(calls(&wrapped(WRAPPERS_MAX)).len(), 1);
    let decoded = decode("f", wrapped(WRAPPERS_MAX + 1).as_bytes());
    assert_eq!(codes(&decoded), ["record 1: json-wrapped-too-deeply"]);

    let mut text = String::new();
    for _ in 0..COMPLAINTS_MAX + 7 {
        writeln!(text, "{{}}").unwrap();
    }
    let decoded = decode("f", text.as_bytes());
    assert_eq!(decoded.complaints.len(), COMPLAINTS_MAX + 1);
    assert_eq!(decoded.complaints[COMPLAINTS_MAX].message, "7 more records could not be read");
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, &byte| bits << 8 | usize::from(byte));
        let bits = bits << (8 * (3 - group.len()));
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(if digit <= group.len() { DIGITS[value].into() } else { '=' });
        }
    }
    text
}

#[test]
fn packed_files_are_known_and_read_even_where_they_are_cut() {
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    for pack in [&gzip as &dyn Fn(&str) -> Vec<u8>, &zstd] {
        let packed = [pack(&format!("{CLOUDTRAIL}\n")), pack(OKTA)].concat();
        assert!(is_json(&packed));
        assert_eq!(decode("f", &packed).events.len(), 2);
        let cut = decode("f", &packed[..packed.len() - 4]);
        assert!(codes(&cut).contains(&"end: json-cut-short".to_owned()), "{:?}", codes(&cut));
        assert!(!cut.events.is_empty());
    }
    assert!(is_json(b" \n[") && is_json(b"\xef\xbb\xbf{"));
    assert!(!is_json(b"clew") && !is_json(b"") && !is_json(&[0x1f, 0x8b, 0]));
    assert_eq!(codes(&decode("f", b"\xff\xfe{\0}\0")), ["end: json-cut-short"]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
        prop_assert!(decode("f", &bytes).complaints.len() <= COMPLAINTS_MAX + 1);
    }

    #[test]
    fn anything_like_json_is_read_without_panic(text in r#"([\[\]{}",:\\u0-9a \n]|"auditID":|"items":|"message":"){0,200}"#) {
        let decoded = decode("f", text.as_bytes());
        prop_assert!(decoded.complaints.len() <= COMPLAINTS_MAX + 1);
    }

    #[test]
    fn good_lines_survive_a_bad_one(place in 0..3_usize, junk in r#"[\[\]{}",:\\0-9a ]{0,40}"#) {
        let mut lines = vec![CLOUDTRAIL, KUBERNETES, GCP];
        lines.insert(place, &junk);
        let decoded = decode("f", lines.join("\n").as_bytes());
        prop_assert!(2 <= decoded.events.len(), "{:?}", decoded.complaints);
    }

    #[test]
    fn a_flipped_byte_costs_at_most_its_line(at in 0..CLOUDTRAIL.len(), byte: u8) {
        let mut changed = CLOUDTRAIL.as_bytes().to_vec();
        changed[at] = byte;
        let text = [KUBERNETES.as_bytes(), &changed, GCP.as_bytes(), OKTA.as_bytes()].join(&b'\n');
        prop_assert!(3 <= decode("f", &text).events.len());
    }
}

/// Claims in a line.
pub(super) fn shown(claims: &[Claim]) -> String {
    let shown = |claim: &Claim| match claim {
        Claim::Minted(minted) => {
            let kind = match minted.kind {
                MintedKind::Session => "session",
                MintedKind::AccessKey => "key",
                MintedKind::Token => "token",
                MintedKind::User => "user",
                MintedKind::Role => "role",
                MintedKind::Login => "login",
                MintedKind::ConsoleSession => "console",
            };
            let until = minted.expires.map(|time| format!(" until {time}")).unwrap_or_default();
            format!("{kind} {} for {}{until}", minted.id, minted.holder)
        }
        Claim::Pod { uid, name, namespace } => format!("pod {namespace}/{name} {uid}"),
        Claim::Instance { id } => format!("instance {id}"),
        Claim::ServiceAccount { namespace, name } => format!("account {namespace}/{name}"),
        Claim::Node { name } => format!("node {name}"),
        Claim::Cloud { principal, credential } => format!("cloud {principal} {credential}"),
        Claim::Shared { id } => format!("shared {id}"),
        Claim::PodCommand { namespace, pod, container, command } => {
            format!("command {namespace}/{pod}/{container} {command:?}")
        }
        Claim::SignedIn { name } => format!("signed in {name}"),
    };
    claims.iter().map(shown).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_event_grid_tells_of_a_resource_is_a_record_of_its_activity() {
    let event = r#"[{"subject":"/subscriptions/s/x","eventType":"Microsoft.Resources.ResourceWriteSuccess","eventTime":"2026-11-24T10:00:00Z","id":"e1","data":{"authorization":{"scope":"/"},"claims":{"appid":"a","ipaddr":"192.0.2.1"},"correlationId":"c","httpRequest":"","resourceProvider":"Microsoft.Authorization","resourceUri":"/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/r","operationName":"Microsoft.Authorization/roleAssignments/write","status":"Succeeded","subscriptionId":"s","tenantId":"t"},"dataVersion":"2","metadataVersion":"1","topic":"/subscriptions/s"}]"#;
    let Decoded { events, complaints } = decode("grid", event.as_bytes());
    assert_eq!(complaints, []);
    let call = events[0].api_call().unwrap();
    assert_eq!(call.source, ApiSource::AzureActivity);
    assert_eq!(call.action, "Microsoft.Authorization/roleAssignments/write".into());
    assert_eq!((&*call.principal.to_string(), &*call.account.to_string()), ("a", "s"));
    assert_eq!(events[0].time, TimestampNs::from_rfc3339("2026-11-24T10:00:00Z").unwrap());
    let other = event.replace("Microsoft.Resources.", "Microsoft.Storage.");
    assert!(decode("grid", other.as_bytes()).events.is_empty());
}
