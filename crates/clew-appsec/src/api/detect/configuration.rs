//! API8: what should not be open (security misconfiguration).

use std::net::IpAddr;

use clew_event::http::HttpSource;

use super::super::exchange::Exchange;
use super::super::known::Known;
use super::super::value::find;
use super::super::verdict::{Item, Verdict, weight};
use super::authentication::known_wrong;

/// How applications show where they broke, by the words of their runtimes.
const LEAKS: [&[u8]; 16] = [
    b"Traceback (most recent call last)",
    b"Exception in thread ",
    b"\tat java.",
    b"at org.springframework.",
    b"goroutine 1 [",
    b"panic: runtime error",
    b"System.NullReferenceException",
    b"   at System.",
    b"/node_modules/",
    b"SQLSTATE[",
    b"ORA-0",
    b"You have an error in your SQL syntax",
    b"<b>Fatal error</b>:",
    b"thread 'main' panicked at",
    b"psycopg2.errors.",
    b"Whitelabel Error Page",
];
const LEAK_BITS: f64 = 5.0;

/// Pages that tell about the application and are not for its users.
const DEBUG_PATHS: [&[u8]; 16] = [
    b"/actuator/env",
    b"/actuator/heapdump",
    b"/actuator/mappings",
    b"/debug/pprof",
    b"/debug/vars",
    b"/.env",
    b"/.git/config",
    b"/.git/head",
    b"/phpinfo.php",
    b"/info.php",
    b"/server-status",
    b"/_profiler",
    b"/console",
    b"/trace.axd",
    b"/elmah.axd",
    b"/wp-config.php",
];
const DEBUG_BITS: f64 = 9.0;
const SHARED_BITS: f64 = 8.0;
const OPEN_LINE_BITS: f64 = 3.0;

/// An answer that shows how the application works inside.
pub(in super::super) fn leak(exchange: &Exchange<'_>) -> Option<&'static [u8]> {
    if exchange.is_ok() {
        return None;
    }
    let body = exchange.response.body.as_bytes();
    LEAKS.into_iter().find(|words| find(body, words)).or_else(|| script_frame(body))
}

/// A frame of a stack in JavaScript, `    at name (/srv/app.js:12:34)`: the same in all its engines
/// of a server, whatever packages there are.
fn script_frame(body: &[u8]) -> Option<&'static [u8]> {
    const FILES: [&[u8]; 4] = [b".js:", b".mjs:", b".cjs:", b".ts:"];
    let is_place = |behind: &[u8]| {
        let digits = |of: &[u8]| of.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let line = digits(behind);
        let column = behind.get(line..).and_then(|rest| rest.strip_prefix(b":"));
        0 < line && column.is_some_and(|column| 0 < digits(column))
    };
    let has_place = |ending: &&[u8]| {
        body.windows(ending.len()).enumerate().any(|(at, part)| {
            part == *ending && body.get(at + ending.len()..).is_some_and(is_place)
        })
    };
    FILES.into_iter().find(has_place).filter(|_| find(body, b"    at "))
}

/// Any site may read the answer with the user's credentials (Fetch standard, CORS protocol).
pub(in super::super) fn is_shared(exchange: &Exchange<'_>) -> bool {
    let header = |name| exchange.response.header(name).map(clew_event::Text::as_bytes);
    let is_foreign = |origin: &[u8]| {
        let host = exchange.request.host.as_bytes();
        !host.is_empty() && !find(origin, host)
    };
    let origin = exchange.request.header("origin").map(clew_event::Text::as_bytes);
    header("access-control-allow-credentials") == Some(b"true")
        && match header("access-control-allow-origin") {
            Some(b"*" | b"null") => true,
            allowed => allowed.is_some() && allowed == origin && origin.is_some_and(is_foreign),
        }
}

/// A credential over a line that others in the network can read.
pub(in super::super) fn is_open_line(exchange: &Exchange<'_>) -> bool {
    let remote = exchange.http.endpoints.remote.map(|remote| remote.ip().to_canonical());
    exchange.http.seen_by == HttpSource::Socket
        && exchange.request.principal.is_some()
        && remote.is_some_and(|ip: IpAddr| !ip.is_loopback())
        && exchange.request.header("x-forwarded-proto").is_none()
}

pub(super) fn judge(known: &Known<'_>, exchange: &Exchange<'_>, found: &mut Vec<Verdict>) {
    let age_ns = known.api.age_ns(known.now_ns);
    let mut say = |rule, bits, sentence: String, techniques| {
        found.push(Verdict {
            item: Item::Configuration,
            rule,
            techniques,
            bits,
            sentence,
            object: rule.to_owned(),
        });
    };
    if let Some(words) = leak(exchange) {
        let words = clew_event::text::escaped(words);
        let sentence = format!("the answer shows the application's inside: `{words}`");
        let bits = known_wrong(&known.api.leaks, age_ns, LEAK_BITS);
        say("Error shows the inside", bits, sentence, &["T1190", "T1592.002"]);
    }
    let path = exchange.request.path.as_bytes().to_ascii_lowercase();
    let debug = DEBUG_PATHS.into_iter().find(|debug| {
        let rest = path.strip_prefix(*debug);
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    });
    if let Some(debug) = debug {
        let page = clew_event::text::escaped(debug);
        let bits = DEBUG_BITS * weight(exchange.response.status);
        say("Debug page open", bits, format!("`{page}` is not for users"), &["T1190", "T1592.002"]);
    }
    if exchange.is_ok() && is_shared(exchange) {
        let bits = known_wrong(&known.api.shared, age_ns, SHARED_BITS);
        let sentence = "any site may read the answer with the user's credentials".to_owned();
        say("Answer shared with any site", bits, sentence, &["T1185"]);
    }
    if is_open_line(exchange) {
        let bits = known_wrong(&known.api.open_line, 0, OPEN_LINE_BITS);
        let sentence = "its credential went over an open line".to_owned();
        say("Credential over an open line", bits, sentence, &["T1040"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_in_javascript_is_told_by_the_form_of_its_frames() {
        let is_told = |body: &[u8]| script_frame(body).is_some();
        assert!(is_told(
            b"SyntaxError: x\n    at JSON.parse (<anonymous>)\n    at /srv/shop.js:12:3"
        ));
        assert!(is_told(br#"{"error":"x\n    at answer (/srv/shop.mjs:120:31)"}"#));
        assert!(!is_told(b"load /app.js:  we are    at your service"));
        assert!(!is_told(br#"{"error":"look    at app.js:3"}"#));
        assert!(!is_told(b"/srv/shop.js:12:3"));
    }
}
