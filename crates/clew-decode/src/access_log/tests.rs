//! Lines as servers write them, and as nobody should.

use clew_event::http::{HttpEvent, HttpPrincipalKind};

use super::*;

const COMBINED: &str = r#"203.0.113.9 - ann [10/Oct/2026:13:55:36 +0200] "GET /a?q=1%27 HTTP/1.1" 200 2326 "http://ref/" "curl/8" "198.51.100.7, 10.0.0.3" 0.250"#;
const ALB: &str = r#"https 2026-07-02T22:23:00.186641Z app/lb/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 34 57 "GET https://www.example.com:443/x?y=1 HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" "arn:aws:acm:x" 1 2026-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#;
const ENVOY: &str = r#"[2026-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80""#;
const ISTIO: &str = r#"[2026-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 3 1 "-" "curl/7.73.0" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "127.0.0.1:80" inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin.foo default"#;
const GATEWAY: &str = r#"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000]"GET /pets/{id} HTTP/1.1" 200 1024 c6af9ac6-7b61-11e6-9a41-93e8deadbeef"#;
const GATEWAY_JSON: &str = r#"{"requestId":"c6af9ac6","ip":"192.0.2.1","caller":"-","user":"ann","requestTime":"10/Oct/2026:13:55:36 +0000","httpMethod":"GET","resourcePath":"/pets","status":"200","protocol":"HTTP/1.1","responseLength":"1024"}"#;
const NGINX_JSON: &str = r#"{"time_iso8601":"2026-10-10T13:55:36+00:00","remote_addr":"192.0.2.1","request_method":"GET","uri":"/a","args":"q=1","status":200,"body_bytes_sent":7,"request_time":0.5,"http_user_agent":"curl","http_x_forwarded_for":"","host":"shop","server_protocol":"HTTP/2.0"}"#;
const ENVOY_JSON: &str = r#"{"start_time":"2026-10-10T13:55:36.5Z","method":"GET","path":"/a?b","protocol":"HTTP/1.1","response_code":503,"duration":12,"bytes_sent":9,"bytes_received":3,"authority":"shop","user_agent":"x","x_forwarded_for":"203.0.113.9","downstream_remote_address":"10.0.0.9:4444","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#;
const ALL: [&str; 8] = [COMBINED, ALB, ENVOY, ISTIO, GATEWAY, GATEWAY_JSON, NGINX_JSON, ENVOY_JSON];

fn http(line: &str) -> (Event, HttpEvent) {
    let decoded = decode(&Settings::default(), "f", 0, line.as_bytes());
    assert_eq!(decoded.complaints, [], "{line}");
    let event = decoded.events.into_iter().next().expect("an event");
    let EventKind::Http(http) = event.kind.clone() else { panic!("another kind") };
    assert_eq!((http.exchange, http.seen_by, event.actor), (event.id, HttpSource::Log, None));
    (event, *http)
}

/// `client method host path?query status bytes milliseconds time`
fn check(line: &str, expected: &str) -> HttpEvent {
    let (event, http) = http(line);
    let (asked, answer) = (&http.request, http.response.as_deref().expect("a response"));
    let client = asked.client.map_or_else(|| "-".to_owned(), |client| client.to_string());
    let told = format!(
        "{client} {} {} {}?{} {} {} {} {}",
        asked.method,
        asked.host,
        asked.path,
        asked.query,
        answer.status,
        answer.body_bytes,
        answer.duration_ns / 1_000_000,
        event.time
    );
    assert_eq!(told, expected);
    http
}

#[test]
fn combined_lines_are_read_with_what_a_site_adds() {
    let http =
        check(COMBINED, "203.0.113.9 GET  /a?q=1%27 200 2326 250 2026-10-10T11:55:36.000000000Z");
    let principal = http.request.principal.clone().expect("a user");
    assert_eq!((principal.kind, principal.name), (HttpPrincipalKind::Basic, "ann".into()));
    assert_eq!(http.request.header("user-agent"), Some(&"curl/8".into()));
    assert_eq!(http.request.header("referer"), Some(&"http://ref/".into()));
    assert_eq!(http.request.started.to_string(), "2026-10-10T11:55:35.750000000Z");
    let by_proxy = COMBINED.replace("203.0.113.9 -", "10.0.0.9 -");
    check(&by_proxy, "198.51.100.7 GET  /a?q=1%27 200 2326 250 2026-10-10T11:55:36.000000000Z");
    let with_host = format!("shop.example:443 {COMBINED}");
    let told =
        "203.0.113.9 GET shop.example:443 /a?q=1%27 200 2326 250 2026-10-10T11:55:36.000000000Z";
    check(&with_host, told);
    check(
        r#"h - a b [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.0" 304 -"#,
        "- GET  /? 304 0 0 2026-10-10T13:55:36.000000000Z",
    );
    check(
        r#"::1 - - [10/Oct/2026:13:55:36 +0000] "\x16\x03\x01\x02 x" 400 0 "-" "-""#,
        "::1   \\x16\\x03\\x01\\x02 x? 400 0 0 2026-10-10T13:55:36.000000000Z",
    );
}

#[test]
fn proxies_and_gateways_are_read() {
    check(
        ALB,
        "192.168.131.39 GET www.example.com:443 /x?y=1 200 57 171 2026-07-02T22:23:00.186641000Z",
    );
    check(
        ENVOY,
        "10.0.35.28 POST locations /api/v1/locations? 204 0 226 2026-04-15T20:17:00.536000000Z",
    );
    check(
        ISTIO,
        "10.44.1.23 GET httpbin:8000 /status/418? 418 135 3 2026-11-25T21:26:18.412000000Z",
    );
    check(GATEWAY, "192.0.2.1 GET  /pets/{id}? 200 1024 0 2026-10-10T13:55:36.000000000Z");
    check(GATEWAY_JSON, "192.0.2.1 GET  /pets? 200 1024 0 2026-10-10T13:55:36.000000000Z");
    check(NGINX_JSON, "192.0.2.1 GET shop /a?q=1 200 7 500 2026-10-10T13:55:36.000000000Z");
    let http =
        check(ENVOY_JSON, "203.0.113.9 GET shop /a?b 503 9 12 2026-10-10T13:55:36.512000000Z");
    assert!(!http.request.trace.is_empty());
}

#[test]
fn every_form_is_told_from_other_files() {
    for line in ALL {
        assert!(is_access_log(format!("{line}\n").as_bytes()), "{line}");
    }
    let others = [
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","requestURI":"/","responseStatus":{"code":200}}"#,
        r#"{"eventVersion":"1.08","eventName":"X","eventTime":"2026-10-10T13:55:36Z"}"#,
        r#"{"method":"GET","status":200}"#,
        r#"{"Records":[]}"#,
        "Oct 10 13:55:36 host sshd[1]: Accepted password",
        "a - - [not a time] \"GET / HTTP/1.1\" 200 1",
        "",
        "{",
        "[",
    ];
    for other in others {
        assert!(!is_access_log(other.as_bytes()), "{other}");
    }
}

#[test]
fn a_line_that_is_none_costs_itself_alone() {
    let text = format!("{COMBINED}\nnonsense\n\n# a remark\n{COMBINED}\r\n{{\"cut\n{ALB}");
    let decoded = decode(&Settings::default(), "f", 0, text.as_bytes());
    assert_eq!(decoded.events.len(), 3);
    assert!(decoded.events.is_sorted_by_key(|event| event.time));
    let places: Vec<_> = decoded.complaints.iter().map(|it| it.r#where.as_str()).collect();
    assert_eq!(places, ["line 2", "line 6"]);
}

#[test]
fn a_line_of_line_bytes_max_is_read_and_a_longer_one_passed_over() {
    let line = |length: usize| {
        let head = "a - - [10/Oct/2026:13:55:36 +0000] \"GET /";
        let tail = " HTTP/1.1\" 200 1";
        format!("{head}{}{tail}\n", "x".repeat(length - head.len() - tail.len()))
    };
    for length in [LINE_BYTES_MAX + 1, 3 * LINE_BYTES_MAX] {
        let text = line(LINE_BYTES_MAX) + &line(length) + COMBINED;
        let decoded = decode(&Settings::default(), "f", 0, text.as_bytes());
        assert_eq!((decoded.events.len(), decoded.complaints.len()), (2, 1));
        assert_eq!(decoded.complaints[0].code, "access-log-line-too-long");
        assert_eq!(decoded.complaints[0].r#where, "line 2");
        let last = format!("{}{COMBINED}", line(length).replace('/', " "));
        let alone = decode(&Settings::default(), "f", 0, last.as_bytes()).events.len();
        assert_eq!(alone, 1);
    }
}

#[test]
fn of_complaints_complaints_max_are_told_and_one_that_counts_the_rest() {
    let text = "nonsense\n".repeat(COMPLAINTS_MAX + 5);
    let complaints = decode(&Settings::default(), "f", 0, text.as_bytes()).complaints;
    assert_eq!(complaints.len(), COMPLAINTS_MAX + 1);
    assert_eq!(complaints[COMPLAINTS_MAX].message, "5 further complaints");
}

#[test]
fn equal_lines_are_two_events_and_the_same_line_read_again_is_one() {
    let text = format!("{COMBINED}\n{COMBINED}\n");
    let ids = |decoded: Decoded| decoded.events.iter().map(|it| it.id).collect::<Vec<_>>();
    let whole = ids(decode(&Settings::default(), "f", 0, text.as_bytes()));
    assert_ne!(whole[0], whole[1]);
    let second = decode(&Settings::default(), "g", COMBINED.len() as u64 + 1, COMBINED.as_bytes());
    assert_eq!(ids(second), whole[1..]);
}

#[test]
fn users_and_proxies_are_read_as_the_settings_say() {
    let settings = Settings { key: [7; 32], trusted_proxies: Vec::new() };
    let told = |settings: &Settings| {
        let line = COMBINED.replace("203.0.113.9 -", "10.0.0.9 -");
        let event = decode(settings, "f", 0, line.as_bytes()).events.remove(0);
        let EventKind::Http(http) = event.kind else { panic!("another kind") };
        (http.request.client, http.request.principal.clone().expect("a user").hash)
    };
    let (usual, other) = (told(&Settings::default()), told(&settings));
    assert_eq!(usual.0, "198.51.100.7".parse().ok());
    assert_eq!(other.0, "10.0.0.9".parse().ok());
    assert_ne!(usual.1, other.1);
}
