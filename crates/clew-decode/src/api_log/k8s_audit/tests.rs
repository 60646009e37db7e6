//! Who called, what was handed out and which commands were started.

use super::super::decode;
use super::super::tests::shown;
use super::*;

fn call(members: &str) -> ApiCall {
    let text = format!(r#"{{"kind":"Event","auditID":"a",{members}}}"#);
    let decoded = decode("f", text.as_bytes());
    assert_eq!(decoded.complaints, [], "{text}");
    decoded.events[0].api_call().cloned().unwrap()
}

#[test]
fn callers_are_known_by_name_and_extras() {
    let check = |user: &str, expected: &str| {
        let call = call(&format!(r#""user":{user}"#));
        let texts = [&call.principal_kind, &call.credential].map(ToString::to_string).join(" | ");
        assert_eq!(format!("{texts} | {}", shown(&call.claims)), expected);
    };
    check(r#"{"username":"ann"}"#, "user |  | ");
    check(r#"{"username":"system:node:n1"}"#, "node |  | node n1");
    check(
        r#"{"username":"system:serviceaccount:shop:web","extra":{"authentication.kubernetes.io/credential-id":["JTI=1"],"authentication.kubernetes.io/pod-name":["web-1"],"authentication.kubernetes.io/pod-uid":["u"]}}"#,
        "serviceaccount | JTI=1 | account shop/web; pod shop/web-1 u",
    );
    check(
        r#"{"username":"kubernetes-admin","extra":{"arn":["arn:a"],"accessKeyId":["ASIA1"],"sessionName":["s"]}}"#,
        "user | ASIA1 | cloud arn:a ASIA1",
    );
    check(r#"{"username":"system:serviceaccount:shop","extra":[1]}"#, "user |  | ");
    check("7", "user |  | ");
}

#[test]
fn an_impersonated_user_is_the_issuer() {
    let call = call(r#""user":{"username":"ann"},"impersonatedUser":{"username":"root"}"#);
    assert_eq!([call.principal, call.issuer].map(|it| it.to_string()), ["ann", "root"]);
}

#[test]
fn an_issued_token_is_named_by_the_server() {
    let check = |rest: &str, expected: &str| {
        let members = format!(
            r#""stage":"ResponseComplete","verb":"create","objectRef":{{"resource":"serviceaccounts","subresource":"token","namespace":"shop","name":"web"}},"annotations":{{"authentication.kubernetes.io/issued-credential-id":"JTI=2"}},{rest}"#
        );
        assert_eq!(shown(&call(&members).claims), expected);
    };
    let token = "token JTI=2 for system:serviceaccount:shop:web";
    check(
        r#""responseObject":{"status":{"expirationTimestamp":"2026-11-24T11:49:17Z"}}"#,
        &format!("{token} until 2026-11-24T11:49:17.000000000Z"),
    );
    check(
        r#""stageTimestamp":"2026-11-24T10:49:17Z","requestObject":{"spec":{"expirationSeconds":3600}}"#,
        &format!("{token} until 2026-11-24T11:49:17.000000000Z"),
    );
    check(r#""responseStatus":{"code":201}"#, token);
    check(r#""responseStatus":{"code":403,"reason":"Forbidden"}"#, "");
}

#[test]
fn a_command_in_a_pod_is_told_however_it_is_asked_for() {
    let check = |part: &str, rest: &str, expected: &str| {
        let members = format!(
            r#""objectRef":{{"resource":"{part}","namespace":"shop","name":"web"}},{rest}"#
        );
        assert_eq!(
            shown(&call(&members.replace(r#"pods/"#, r#"pods","subresource":""#)).claims),
            expected
        );
    };
    let exec = r#""requestURI":"/x/exec?command=sh&command=-c&command=id+%26%20ls%zz&container=c&tty=true""#;
    check(
        "pods/exec",
        &format!(r#""stage":"ResponseStarted","responseStatus":{{"code":101}},{exec}"#),
        r#"command shop/web/c ["sh", "-c", "id & ls%zz"]"#,
    );
    check("pods/exec", &format!(r#""stage":"RequestReceived",{exec}"#), "");
    check("pods/exec", &format!(r#""responseStatus":{{"code":403}},{exec}"#), "");
    check("pods/attach", r#""requestURI":"/x/attach?container=c""#, "command shop/web/c []");
    check("pods/portforward", r#""requestURI":"/x""#, "command shop/web/ []");
    check(
        "pods/ephemeralcontainers",
        r#""requestObject":{"spec":{"ephemeralContainers":[{"name":"a"},{"name":"b","command":["sh"],"args":["-i"]}]}}"#,
        r#"command shop/web/b ["sh", "-i"]"#,
    );
    check("pods/log", exec, "");
}

#[test]
fn a_command_through_the_kubelet_is_told() {
    let check = |path: &str, expected: &str| {
        let members = format!(
            r#""objectRef":{{"resource":"nodes","subresource":"proxy","name":"n1"}},"requestURI":"/api/v1/nodes/n1/proxy{path}""#
        );
        assert_eq!(shown(&call(&members).claims), expected);
    };
    check("/exec/shop/web/c?command=id", r#"command shop/web/c ["id"]"#);
    check("/run/shop/web/c?cmd=id", r#"command shop/web/c ["id"]"#);
    check("/pods", "");
    check("/exec/shop", "");
}

#[test]
fn arguments_are_bounded() {
    let query = "command=a&".repeat(ARGUMENTS_MAX + 1);
    let members = format!(
        r#""objectRef":{{"resource":"pods","subresource":"exec"}},"requestURI":"/x?{query}""#
    );
    let claims = call(&members).claims;
    let [Claim::PodCommand { command, .. }] = claims.as_slice() else { panic!("{claims:?}") };
    assert_eq!(command.len(), ARGUMENTS_MAX);
}

#[test]
fn an_audit_id_that_a_caller_chose_does_not_make_two_requests_one() {
    let id = |stage: &str, received: &str, uri: &str| {
        let text = format!(
            r#"{{"kind":"Event","auditID":"a","stage":"{stage}","verb":"get","requestURI":"{uri}","requestReceivedTimestamp":"{received}","objectRef":{{"resource":"pods"}}}}"#
        );
        decode("t", text.as_bytes()).events.first().map(|event| event.id)
    };
    let first = id("ResponseStarted", "2026-11-24T10:00:00.000001Z", "/a");
    assert!(first.is_some());
    assert_eq!(first, id("ResponseComplete", "2026-11-24T10:00:00.000001Z", "/a"));
    assert_ne!(first, id("ResponseStarted", "2026-11-24T10:00:00.000002Z", "/a"));
    assert_ne!(first, id("ResponseStarted", "2026-11-24T10:00:00.000001Z", "/b"));
}
