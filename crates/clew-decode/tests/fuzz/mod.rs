//! Feeds decoders with bytes that are almost right.
//!
//! A stable tool chain has no coverage to steer by, so inputs are steered by form: seeds are real,
//! and a change is one that decoders have to expect: a flipped bit, a length that lies, a part cut
//! out, doubled or taken from another seed, a token of the format where none belongs. The same seed
//! number gives the same inputs, so a crash is reproduced by its number.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a harness stops where it fails")]

mod http;

use std::path::Path;

use clew_decode::access_log::{Lines, is_access_log};
use clew_decode::api_log::{COMPLAINTS_MAX, Ordered, Records};
use clew_decode::http::Settings;
use clew_decode::otlp::{Encoding, SPANS_MAX, Signal};
use clew_decode::{kernel, scap};
use clew_event::json::{Json, Value};
use clew_event::{BootId, TimestampNs};

/// Longest input; what is longer is cut.
pub(crate) const INPUT_BYTES_MAX: usize = 64 << 10;

/// A decoder, the folder of its seeds, and words of its format.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&[u8]),
    words: &'static [&'static [u8]],
}

const JSON_WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"\\u0000",
    b"\\",
    b"\n",
    b"null",
    b"true",
    b"-1e999",
    b"\"Records\":[",
    b"\"items\":[",
    b"\"message\":\"{",
    b"\"data\":\"H4sI",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd",
    b"\0",
];
const LINE_WORDS: &[&[u8]] = &[
    b"\n",
    b"\"",
    b"[",
    b"] ",
    b"\\x",
    b"\\",
    b" - ",
    b"{\"",
    b"\":",
    b"\xff",
    b"\0",
    b"-1",
    b"1e999",
    b"[10/Oct/2026:13:55:36 +0000] \"",
    b" HTTP/1.1\" 200 ",
    b"\x1f\x8b\x08",
    b"999999999999999999999",
];
const EXPORT_WORDS: &[&[u8]] = &[
    b"\x0a\x00",
    b"\x12\xff\x7f",
    b"\x80\x80\x80",
    b"\x12\x12\x0a\x10db.statement",
    b"\x0a\x09url.query",
    b"\x30\x02",
    b"\x2a\x04\x0a\x02",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\"spans\":[{",
    b"{\"stringValue\":\"",
    b"\"intValue\":-1e999",
];
const NUMBERS: &[&[u8]] =
    &[b"\0\0", b"\xff\xff", b"\xff\xff\xff\xff", b"\x01\0", b"\0\x80", b"\x7f"];

pub(crate) const TARGETS: [Target; 9] = [
    Target { name: "api_log", run: api_log, words: JSON_WORDS },
    Target { name: "access_log", run: access_log, words: LINE_WORDS },
    Target { name: "otlp", run: otlp, words: EXPORT_WORDS },
    Target { name: "json", run: json, words: JSON_WORDS },
    Target { name: "scap", run: capture, words: NUMBERS },
    Target { name: "kernel", run: record, words: NUMBERS },
    Target { name: "http1", run: http::http1, words: http::HTTP1_WORDS },
    Target { name: "http2", run: http::http2, words: http::HTTP2_WORDS },
    Target { name: "hpack", run: http::hpack, words: http::HTTP2_WORDS },
];

fn api_log(bytes: &[u8]) {
    let found = Ordered::new(Records::new("f", bytes));
    let complaints = found.filter(Result::is_err).count();
    assert!(complaints <= COMPLAINTS_MAX + 3, "{complaints} complaints");
}

fn access_log(bytes: &[u8]) {
    let lines = bytes.split(|&byte| byte == b'\n').count();
    let (mut events, mut complaints) = (0, 0);
    for found in Lines::new(&Settings::default(), "f", bytes) {
        *(if found.is_ok() { &mut events } else { &mut complaints }) += 1;
    }
    // What is packed has other lines than its bytes.
    assert!(events <= lines || bytes.starts_with(b"\x1f\x8b") || bytes.starts_with(b"\x28\xb5"));
    assert!(complaints <= COMPLAINTS_MAX + 2, "{complaints} complaints");
    let _ = is_access_log(bytes);
}

fn otlp(bytes: &[u8]) {
    for signal in [Signal::Traces, Signal::Logs] {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let decoded =
                clew_decode::otlp::decode(&Settings::default(), "f", (signal, encoding), bytes);
            assert!(decoded.events.len() <= 2 * SPANS_MAX && decoded.complaints.len() <= 2);
        }
    }
}

fn json(bytes: &[u8]) {
    let Ok((json, end)) = Json::parse_start(bytes) else { return };
    assert!(end <= bytes.len());
    let count = json.objects().flat_map(Value::members).count();
    assert!(count <= bytes.len());
    let again = Json::parse(json.text()).expect("what was read is JSON");
    assert_eq!(again.root().raw(), json.root().raw());
    let shown = json.root().indented();
    assert!(Json::parse(&shown).is_ok() || 8 << 20 < shown.len());
}

fn capture(bytes: &[u8]) {
    let mut left = 1_000_000_u32;
    for _ in scap::Reader::new("f", bytes) {
        left = left.checked_sub(1).expect("a capture ends");
    }
}

fn record(bytes: &[u8]) {
    let decoder = kernel::Decoder::new(BootId::default(), 0);
    drop(decoder.decode(bytes, TimestampNs::default()));
}

/// Random numbers (xorshift64*), the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0) % end.max(1)
    }
}

/// The seeds of a target under `fuzz/corpus`, and one that is empty.
pub(crate) fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let name = if target.name == "json" { "api_log" } else { target.name };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|it| it.path()).collect();
    files.sort();
    let mut seeds: Vec<_> = files.iter().flat_map(std::fs::read).collect();
    seeds.push(Vec::new());
    seeds
}

/// An input made from the seeds.
pub(crate) fn input(target: &Target, seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(64)).min(bytes.len());
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap_or(0),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => {
                let part = bytes[at..end].repeat(1 + random.below(300));
                bytes.splice(at..at, part);
            }
            5 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                let to = (from + random.below(4096)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                let word = target.words[random.below(target.words.len())];
                let behind =
                    if random.below(2) == 0 { at } else { (at + word.len()).min(bytes.len()) };
                bytes.splice(at..behind, word.iter().copied());
            }
        }
        bytes.truncate(INPUT_BYTES_MAX);
    }
    bytes
}
