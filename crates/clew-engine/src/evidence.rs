//! What is kept of an event as evidence: all of it but the secrets.
//!
//! Records of audit logs carry session tokens, passwords and the content of Kubernetes secrets.
//! Rules judge the record as it came; what is kept, shown and exported has each such value as
//! stars of the same length, so that every offset into the record stays right. Requests and
//! responses are kept as `HttpEvent::redacted` gives them. What else went over a
//! socket is judged and not kept: a rule that wants it told names it in its sentence.

use clew_event::control_plane::ApiCall;
use clew_event::json::{Kind, Value};
use clew_event::{Event, EventKind, Text};

/// Names of members whose text is a secret, in lower case. Sources: the credentials of AWS STS
/// (`AssumeRole` and others), AWS Secrets Manager and IAM, `TokenRequest` of Kubernetes, OAuth 2.
const SECRET_NAMES: &[&str] = &[
    "accesstoken",
    "authorization",
    "clientsecret",
    "idtoken",
    "newpassword",
    "oldpassword",
    "password",
    "privatekey",
    "refreshtoken",
    "secretaccesskey",
    "secretbinary",
    "secretstring",
    "sessiontoken",
    "token",
];

/// Members of a Kubernetes secret in which its content stands.
const SECRET_CONTENT: &[&str] = &["data", "stringData"];
/// The annotation that repeats a whole object, content included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The event as it may be kept.
pub(crate) fn kept(event: &Event) -> Event {
    let mut kept = event.clone();
    if let EventKind::Socket(socket) = &mut kept.kind {
        socket.payload = Text::default();
    }
    if let Some(redacted) = kept.kind.redacted() {
        kept.kind = redacted;
    }
    if let EventKind::KubernetesApi(call) | EventKind::CloudApi(call) = &mut kept.kind
        && let Some(record) = without_secrets(call)
    {
        call.record = Text::from(record);
    }
    kept
}

/// The record without its secrets; `None` where it holds none. One that cannot be read as JSON
/// is not kept at all: nobody knows what is in it.
fn without_secrets(call: &ApiCall) -> Option<Vec<u8>> {
    let Some(json) = call.json() else { return Some(Vec::new()) };
    let mut clean = call.record.as_bytes().to_vec();
    let mut is_changed = false;
    let mut blank = |value: Value<'_, '_>| {
        if value.kind() == Kind::String {
            let place = value.place();
            let inner = place.start + 1..place.end.saturating_sub(1);
            clean.get_mut(inner).unwrap_or_default().fill(b'*');
            is_changed = true;
        }
    };
    let is_of_secrets = json.at(&["objectRef", "resource"]).is_some_and(|it| it.is("secrets"));
    for (name, value) in json.objects().flat_map(Value::members) {
        if is_secret(name) {
            blank(value);
        } else if is_of_secrets && SECRET_CONTENT.iter().any(|content| name.is(content)) {
            value.members().for_each(|(_, text)| blank(text));
        } else if is_of_secrets && name.is(LAST_APPLIED) {
            blank(value);
        }
    }
    is_changed.then_some(clean)
}

fn is_secret(name: Value<'_, '_>) -> bool {
    let name = name.as_text();
    SECRET_NAMES.iter().any(|secret| secret.as_bytes().eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    use clew_event::socket::SocketEvent;
    use clew_event::{EventId, EventType, TimestampNs};

    use super::*;

    fn check(record: &str, kept: &str) {
        let clean = without_secrets(&ApiCall { record: record.into(), ..ApiCall::default() });
        let clean = clean.unwrap_or_else(|| record.as_bytes().to_vec());
        assert_eq!(String::from_utf8(clean).unwrap(), kept);
    }

    #[test]
    fn a_token_is_starred_wherever_it_stands_and_ids_stay() {
        check(
            r#"{"responseElements":{"credentials":{"accessKeyId":"ASIA1","sessionToken":"ab\"c"}}}"#,
            r#"{"responseElements":{"credentials":{"accessKeyId":"ASIA1","sessionToken":"*****"}}}"#,
        );
        check(r#"[{"PASSWORD":"x"},{"token":7}]"#, r#"[{"PASSWORD":"*"},{"token":7}]"#);
        check(r#"{"password":"","user":"eve"}"#, r#"{"password":"","user":"eve"}"#);
    }

    #[test]
    fn the_content_of_a_kubernetes_secret_is_starred_and_that_of_other_objects_stays() {
        check(
            r#"{"objectRef":{"resource":"secrets"},"requestObject":{"data":{"key":"c2Vj"}}}"#,
            r#"{"objectRef":{"resource":"secrets"},"requestObject":{"data":{"key":"****"}}}"#,
        );
        check(
            r#"{"objectRef":{"resource":"configmaps"},"requestObject":{"data":{"key":"on"}}}"#,
            r#"{"objectRef":{"resource":"configmaps"},"requestObject":{"data":{"key":"on"}}}"#,
        );
    }

    #[test]
    fn what_went_over_a_socket_is_not_kept() {
        let socket = SocketEvent { result: 5, payload: "token".into(), ..SocketEvent::default() };
        let event = Event {
            id: EventId(1),
            time: TimestampNs::default(),
            arrived: TimestampNs::default(),
            event_type: EventType::Recvfrom,
            actor: None,
            kind: EventKind::Socket(socket),
        };
        let EventKind::Socket(kept) = kept(&event).kind else { panic!("another kind") };
        assert_eq!((kept.result, kept.payload), (5, Text::default()));
    }

    #[test]
    fn a_request_is_kept_without_its_secrets() {
        let request =
            clew_event::http::HttpRequest { query: "password=x1&u=2".into(), ..Default::default() };
        let http = clew_event::http::HttpEvent { request: request.into(), ..Default::default() };
        let event = Event {
            id: EventId(1),
            time: TimestampNs::default(),
            arrived: TimestampNs::default(),
            event_type: EventType::HttpRequest,
            actor: None,
            kind: EventKind::Http(Box::new(http)),
        };
        let EventKind::Http(kept) = kept(&event).kind else { panic!("another kind") };
        assert_eq!(kept.request.query, "password=*&u=2".into());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_not_kept() {
        check(r#"{"password":"x"#, "");
    }
}
