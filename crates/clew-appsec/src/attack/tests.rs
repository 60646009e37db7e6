//! What payloads are told, and how.

use std::sync::Arc;

use clew_event::http::{HttpEvent, HttpFlags, HttpRequest};

use super::*;
use crate::detected::PAYLOAD_BITS_MAX;

fn judged(query: &str) -> Vec<Detected> {
    let request = HttpRequest {
        method: "GET".into(),
        path: "/search".into(),
        query: query.into(),
        ..HttpRequest::default()
    };
    judged_request(request)
}

fn judged_request(request: HttpRequest) -> Vec<Detected> {
    let event = HttpEvent { is_inbound: true, request: Arc::new(request), ..HttpEvent::default() };
    let mut found = Vec::new();
    Attacks::new().judge(&event, &mut found);
    found
}

fn rules(query: &str) -> Vec<String> {
    judged(query).iter().map(|it| it.rule.to_string()).collect()
}

#[test]
fn names_argument_form_and_bytes() {
    let found = judged("id=1%2527%2520or%25201%253D1--");
    let sql = found.iter().find(|it| it.rule == Class::Sql.rule()).expect("it is found");
    assert_eq!(sql.fields.get("http.argument").map(String::as_str), Some("query `id`"));
    assert_eq!(sql.fields.get("http.decoded").map(String::as_str), Some("percent"));
    assert!(sql.output.contains("or 1="), "{}", sql.output);
    assert!(sql.bits <= PAYLOAD_BITS_MAX);
}

#[test]
fn tells_each_class_once_and_never_more_than_a_payload_is_worth() {
    let payload = "' or 1=1--&".repeat(50).replace('&', "&a=");
    let found = judged(&format!("a={payload}"));
    assert_eq!(found.iter().filter(|it| it.rule == Class::Sql.rule()).count(), 1);
    assert!(found.iter().all(|it| it.bits <= PAYLOAD_BITS_MAX));
}

#[test]
fn keeps_back_what_a_secret_holds() {
    let found = judged("password=%27or%271%27%3D%271");
    assert!(!found.is_empty());
    for it in &found {
        assert!(!it.output.contains("'or'1'='1"), "{}", it.output);
    }
    let partly = judged("token=abcdefgh%27+union+select+passwordpasswordpassword%2C2--");
    let shown = partly.iter().find(|it| it.rule == Class::Sql.rule()).expect("it is found");
    let shown = shown.fields.get("http.match").expect("a part is shown");
    assert!(shown.len() <= told::SECRET_BYTES_MAX, "{shown}");
    let long = judged(&format!("q=%3Cscript%20{}%3E", "x".repeat(999)));
    let shown = long.iter().filter_map(|it| it.fields.get("http.match"));
    assert!(shown.clone().count() > 0 && shown.clone().all(|it| it.len() <= 4 * MATCH_BYTES_MAX));
}

#[test]
fn says_nothing_of_ordinary_requests() {
    for query in [
        "q=red+shoes&page=2&sort=price_desc",
        "name=O%27Neil&city=L%27Aquila",
        "q=how+to+select+a+union+representative",
        "text=The+heroine%3B+more+than+that%2C+she+became+aware",
        "next=%2Faccount%2Forders&utm_source=mail",
        "filter=price%3E10&filter=price%3C20",
        "token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
        "q=C%2B%2B+%26+Rust+(2nd+edition)",
        "note=5+%3C+6",
        "date=2026-01-02T03%3A04%3A05Z&email=a.b%2Bc%40example.com",
    ] {
        assert_eq!(rules(query), Vec::<String>::new(), "{query}");
    }
}

#[test]
fn looks_at_the_tail_of_a_padded_value() {
    let padded = format!("a={}%27+union+select+1,2--", "A".repeat(200_000));
    assert!(rules(&padded).contains(&Class::Sql.rule().to_owned()));
}

#[test]
fn tells_smuggling_and_many_ranges() {
    let mut flags = HttpFlags::default();
    flags.set(HttpFlags::AMBIGUOUS_LENGTH);
    let many = "bytes=".to_owned() + &"0-1,".repeat(message::RANGES_MAX);
    let request = HttpRequest {
        method: "GET".into(),
        path: "/".into(),
        headers: vec![("range".into(), many.into())],
        flags,
        ..HttpRequest::default()
    };
    let found = judged_request(request);
    let protocol = found.iter().find(|it| it.rule == Class::Protocol.rule());
    assert_eq!(protocol.and_then(|it| it.fields.get("http.matches").cloned()), Some("2".into()));
}

#[test]
fn looks_at_the_head_of_a_response() {
    let response = |at: usize| HttpResponse {
        body: ("x".repeat(at) + "You have an error in your SQL syntax").into(),
        ..HttpResponse::default()
    };
    for (at, count) in [(0, 1), (RESPONSE_BYTES_MAX, 0)] {
        let event = HttpEvent {
            is_inbound: true,
            response: Some(Box::new(response(at))),
            ..HttpEvent::default()
        };
        let mut found = Vec::new();
        Attacks::new().judge(&event, &mut found);
        assert_eq!(found.len(), count);
    }
}

#[test]
fn reads_a_tag_to_its_bound_only() {
    let far = format!("q=%3Cb{}onload=alert%3E", "%20".repeat(html::TAG_BYTES_MAX));
    let near = "q=%3Cb%20onload=alert%3E";
    let bits = |query: &str| judged(query).first().map_or(0.0, |it| it.bits);
    assert!(bits(&far) < bits(near));
}

#[test]
fn reads_nested_tags_a_bounded_number_of_times() {
    let nested = "%3Ca+b=".repeat(html::READS_MAX * 999);
    assert!(judged(&format!("q={nested}")).iter().all(|it| it.bits < 4.0));
    assert!(rules(&format!("q={nested}%3Cscript%3E")).contains(&Class::Script.rule().to_owned()));
}
