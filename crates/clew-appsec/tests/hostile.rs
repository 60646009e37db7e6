//! Feeds detectors with requests that are almost right: no panic, bounded output, linear time.
//!
//! The same seed number gives the same inputs, so a crash is reproduced by its number. Set
//! `CLEW_FUZZ_SECONDS` to go on for longer than a test may.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a harness stops where it fails"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_appsec::arguments::{ARGUMENTS_MAX, Arguments};
use clew_appsec::attack::{Attacks, Class};
use clew_appsec::decoding::{self, FORMS_BYTES_MAX, FORMS_MAX};
use clew_appsec::detected::PAYLOAD_BITS_MAX;
use clew_appsec::effect::{self, Cause, Effect};
use clew_event::http::{HttpEvent, HttpRequest};
use clew_event::{EventId, Text};

const WORDS: &[&[u8]] = &[
    b"'",
    b"\"",
    b"`",
    b" or 1=1",
    b"union select ",
    b"/*",
    b"*/",
    b"--",
    b"#",
    b"(",
    b")",
    b";",
    b"<",
    b">",
    b"<a b=",
    b"onload=",
    b"<!--",
    b"../",
    b"..\\",
    b"%2e",
    b"%25",
    b"%u002e",
    b"&#x3c;",
    b"&lt;",
    b"\\u003c",
    b"\\x",
    b"${",
    b"{{",
    b"$(",
    b"|",
    b"http://",
    b"169.254.169.254",
    b"[::1]",
    b"\0",
    b"\xc0\xae",
    b"\xff",
    b"+ADw-",
    b"YWxlcnQoMSk=",
    b"{\"a\":",
    b"[",
    b"]",
    b"}",
    b",",
    b"&",
    b"=",
    b"\r\n",
    b"--B",
    b"Content-Disposition: form-data; name=\"a\"; filename=\"",
    b"<!DOCTYPE x [",
    b"select a from b",
    b"$IFS",
    b"${x}",
    b"sh -c ",
    b"\\",
];
const KINDS: &[&str] = &[
    "application/x-www-form-urlencoded",
    "application/json",
    "text/xml",
    "multipart/form-data; boundary=B",
    "text/plain",
    "application/grpc+protobuf",
];

/// Random numbers (xorshift64*), the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % end.max(1)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..self.below(24) {
            let word = WORDS[self.below(WORDS.len())];
            let count = if self.below(12) == 0 { self.below(200) } else { 1 };
            bytes.extend(word.repeat(count));
            if self.below(3) == 0 {
                bytes.push(u8::try_from(self.below(256)).unwrap());
            }
        }
        bytes
    }

    fn request(&mut self) -> HttpRequest {
        let kind = KINDS[self.below(KINDS.len())];
        HttpRequest {
            method: "POST".into(),
            path: self.bytes().into(),
            query: self.bytes().into(),
            headers: vec![
                ("content-type".into(), kind.into()),
                ("cookie".into(), self.bytes().into()),
                ("user-agent".into(), self.bytes().into()),
            ],
            body: self.bytes().into(),
            ..HttpRequest::default()
        }
    }
}

fn judge_all(attacks: &Attacks, request: HttpRequest, other: &[u8]) {
    assert!(Arguments::of(&request).list.len() <= ARGUMENTS_MAX);
    let request = Arc::new(request);
    let event = HttpEvent { is_inbound: true, request: request.clone(), ..HttpEvent::default() };
    let mut found = Vec::new();
    attacks.judge(&event, &mut found);
    assert!(found.len() <= Class::ALL.len());
    assert!(found.iter().all(|it| it.bits <= PAYLOAD_BITS_MAX && it.output.len() < 4096));

    let causes =
        [Cause { exchange: EventId::default(), request: request.clone(), probability: 0.5 }];
    let argv = [Text::from("sh"), Text::from("-c"), Text::from(other)];
    let sent = HttpRequest { host: other.into(), ..HttpRequest::default() };
    let peer = "169.254.169.254:80".parse().unwrap();
    for effect in [
        Effect::Executed { exe: b"/bin/sh", argv: &argv, is_dropped: true },
        Effect::Executed { exe: other, argv: &argv, is_dropped: false },
        Effect::File { path: other, given: other, is_written: true },
        Effect::Connected { peer, names: &argv },
        Effect::Resolved { name: other },
        Effect::Queried { statement: other, system: "mysql" },
        Effect::Requested { request: &sent, peer: Some(peer) },
    ] {
        found.clear();
        effect::judge(&effect, &causes, &mut found);
        assert!(found.len() <= 1);
    }
}

#[test]
fn survives_requests_that_are_almost_right() {
    let attacks = Attacks::new();
    let seconds = std::env::var("CLEW_FUZZ_SECONDS").ok().and_then(|it| it.parse().ok());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut seed = 0_u64;
    while seed < 300 || until.is_some_and(|until| Instant::now() < until) {
        seed += 1;
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (request, mut other) = (random.request(), random.bytes());
        if random.below(2) == 0 {
            other = request.body.as_bytes().to_vec();
        }
        let forms = decoding::forms(&other);
        assert!(forms.list.len() < FORMS_MAX);
        assert!(forms.list.iter().map(|it| it.bytes.len()).sum::<usize>() <= FORMS_BYTES_MAX);
        judge_all(&attacks, request, &other);
    }
    println!("{seed} requests");
}

#[test]
fn ends_on_64_kib_of_whatever_nests_or_repeats() {
    let attacks = Attacks::new();
    for word in WORDS {
        let value = word.repeat((64 << 10) / word.len());
        for kind in KINDS {
            let request = HttpRequest {
                method: "POST".into(),
                path: "/".into(),
                headers: vec![("content-type".into(), (*kind).into())],
                body: value.as_slice().into(),
                ..HttpRequest::default()
            };
            let event =
                HttpEvent { is_inbound: true, request: Arc::new(request), ..HttpEvent::default() };
            let start = Instant::now();
            attacks.judge(&event, &mut Vec::new());
            let took = start.elapsed();
            if Duration::from_millis(50) < took {
                println!("{kind} {:?} {took:?}", String::from_utf8_lossy(word));
            }
        }
    }
}
