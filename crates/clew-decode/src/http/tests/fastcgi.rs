//! FastCGI as nginx and PHP-FPM speak it, in pieces, with gaps, and as an attacker would send it.

use clew_event::http::{HttpFlags, HttpVersion};
use proptest::prelude::*;

use super::Way::{In, Out};
use super::*;

const BEGIN: u8 = 1;
const END: u8 = 3;
const PARAMETERS: u8 = 4;
const INPUT: u8 = 5;
const OUTPUT: u8 = 6;
const ERRORS: u8 = 7;

fn record(kind: u8, request: u8, content: &[u8]) -> Vec<u8> {
    let padding = (8 - content.len() % 8) % 8;
    let length = u16::try_from(content.len()).expect("short").to_be_bytes();
    let mut record = vec![1, kind, 0, request];
    record.extend(length);
    record.extend([u8::try_from(padding).expect("below 8"), 0]);
    record.extend(content);
    record.resize(record.len() + padding, 0);
    record
}

fn parameters(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in pairs {
        for text in [name, value] {
            match u8::try_from(text.len()).ok().filter(|length| *length < 128) {
                Some(length) => block.push(length),
                None => {
                    let length = u32::try_from(text.len()).expect("short") | 1 << 31;
                    block.extend(length.to_be_bytes());
                }
            }
        }
        block.extend(name.bytes().chain(value.bytes()));
    }
    block
}

fn client(agent: &str) -> Vec<u8> {
    let told = parameters(&[
        ("SCRIPT_FILENAME", "/srv/app/index.php"),
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/ping?host=a%3Bid"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("CONTENT_TYPE", "text/plain"),
        ("CONTENT_LENGTH", "5"),
        ("HTTP_HOST", "shop.test"),
        ("HTTP_USER_AGENT", agent),
        ("HTTP_AUTHORIZATION", "Bearer very-secret"),
    ]);
    let (first, second) = told.split_at(told.len() / 2);
    [
        record(BEGIN, 1, &[0, 1, 1, 0, 0, 0, 0, 0]),
        record(PARAMETERS, 1, first),
        record(PARAMETERS, 1, second),
        record(PARAMETERS, 1, b""),
        record(INPUT, 1, b"he"),
        record(INPUT, 1, b"llo"),
        record(INPUT, 1, b""),
    ]
    .concat()
}

fn server() -> Vec<u8> {
    [
        record(ERRORS, 1, b"PHP message: careful"),
        record(OUTPUT, 1, b"Status: 404 Not Found\r\nContent-type: text/plain\r\n"),
        record(OUTPUT, 1, b"\r\nno "),
        record(OUTPUT, 1, b"such page"),
        record(OUTPUT, 1, b""),
        record(END, 1, &[0; 8]),
    ]
    .concat()
}

#[test]
fn a_worker_is_asked_what_the_web_server_was_asked() {
    let long = "x".repeat(300);
    let told = told(&mut Wire::inbound(), &[(In, &client(&long)), (Out, &server())]);
    let asked = "POST shop.test/ping?host=a%3Bid hello";
    assert_eq!(shorts(&told), [asked, &format!("{asked} -> 404 no such page")]);
    let request = &told[0].request;
    assert_eq!(request.client, "192.0.2.7".parse().ok());
    assert_eq!(request.version, HttpVersion::Http11);
    assert_eq!(request.header("user-agent"), Some(&long.as_str().into()));
    assert_eq!(request.header("content-type"), Some(&"text/plain".into()));
    assert!(!format!("{request:?}").contains("very-secret"));
    assert!(request.principal.is_some());
    assert_eq!(told[1].exchange, told[0].exchange);
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let (asked, answered) = (client("a"), server());
    let pieces = [(In, &asked[..]), (Out, &answered), (In, &asked), (Out, &answered)];
    let told = told(&mut Wire::inbound(), &pieces);
    assert_eq!(told.len(), 4);
    assert_ne!(told[0].exchange, told[2].exchange);
}

#[test]
fn a_request_is_told_before_the_worker_begins() {
    let told_of = |length: &str, content: &[u8]| {
        let asked = parameters(&[("REQUEST_METHOD", "GET"), ("CONTENT_LENGTH", length)]);
        let begin = record(BEGIN, 1, &[0, 1, 1, 0, 0, 0, 0, 0]);
        let client = [begin, record(PARAMETERS, 1, &asked), record(PARAMETERS, 1, b"")].concat();
        let mut pieces = vec![(In, client)];
        if !content.is_empty() {
            pieces.push((In, record(INPUT, 1, content)));
        }
        let pieces: Vec<_> = pieces.iter().map(|(way, bytes)| (*way, &bytes[..])).collect();
        told(&mut Wire::inbound(), &pieces)
    };
    for whole in [told_of("", b""), told_of("0", b""), told_of("3", b"abc")] {
        assert_eq!(whole.len(), 1);
        assert!(!whole[0].request.flags.has(HttpFlags::AMBIGUOUS_LENGTH));
    }
    assert!(told_of("4", b"abc").is_empty());
}

#[test]
fn a_response_without_an_end_is_told_when_the_connection_ends() {
    let mut wire = Wire::inbound();
    let (mut assembler, mut events) = (Assembler::default(), Vec::new());
    assembler.take(&wire.piece(In, &client("a"), 0), &mut events);
    assembler.take(&wire.piece(Out, &server()[..80], 0), &mut events);
    assembler.take(&wire.end(), &mut events);
    let told = https(&events);
    let response = told[1].response.as_ref().expect("a response");
    assert!(response.flags.has(HttpFlags::UNFINISHED));
}

#[test]
fn a_gap_in_a_content_costs_that_content_alone() {
    let mut wire = Wire::inbound();
    let (mut assembler, mut events) = (Assembler::default(), Vec::new());
    let asked = client("a");
    let at = asked.len() - 3 * 16 + 8;
    assembler.take(&wire.piece(In, &asked[..at], 2), &mut events);
    assembler.take(&wire.piece(In, &asked[at + 2..], 0), &mut events);
    assembler.take(&wire.piece(Out, &server(), 0), &mut events);
    let told = https(&events);
    assert_eq!(told.len(), 2);
    assert!(told[0].request.flags.has(HttpFlags::GAP));
    assert_eq!(told[1].response.as_ref().map(|it| it.status), Some(404));
}

#[test]
fn too_many_requests_and_parameters_are_counted_and_cut() {
    let (mut wire, mut assembler) = (Wire::inbound(), Assembler::default());
    let mut events = Vec::new();
    for number in 0..=u8::try_from(REQUESTS_MAX).expect("few") {
        let begin = record(BEGIN, number, &[0, 1, 1, 0, 0, 0, 0, 0]);
        assembler.take(&wire.piece(In, &begin, 0), &mut events);
    }
    assert_eq!(assembler.counts().dropped, 1);
    for _ in 0..20 {
        assembler.take(&wire.piece(In, &record(PARAMETERS, 1, &[0xff; 8000]), 0), &mut events);
    }
    assert!(assembler.buffered() < 2 * PARAMETERS_BYTES_MAX);
    assembler.take(&wire.piece(In, &record(PARAMETERS, 1, b""), 0), &mut events);
    assembler.take(&wire.piece(In, &record(INPUT, 1, b""), 0), &mut events);
    let told = https(&events);
    assert!(told[0].request.flags.has(HttpFlags::HEADERS_CUT));
}

proptest! {
    #[test]
    fn any_split_gives_the_same(cuts in proptest::collection::vec(8_usize..700, 0..12)) {
        let (asked, answered) = (client("a"), server());
        let whole = told(&mut Wire::inbound(), &[(In, &asked), (Out, &answered)]);
        let mut wire = Wire::inbound();
        let (mut assembler, mut events) = (Assembler::default(), Vec::new());
        for (way, bytes) in [(In, &asked), (Out, &answered)] {
            let mut places: Vec<_> = cuts.iter().map(|cut| (*cut).min(bytes.len())).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            places.dedup();
            for pair in places.windows(2) {
                assembler.take(&wire.piece(way, &bytes[pair[0]..pair[1]], 0), &mut events);
            }
        }
        prop_assert_eq!(shorts(&https(&events)), shorts(&whole));
    }

    #[test]
    fn hostile_records_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut wire = Wire::inbound();
        let (mut assembler, mut events) = (Assembler::default(), Vec::new());
        let begin = record(BEGIN, 1, &[0, 1, 1, 0, 0, 0, 0, 0]);
        for piece in [(In, &begin), (In, &bytes), (Out, &bytes)] {
            assembler.take(&wire.piece(piece.0, piece.1, 0), &mut events);
        }
        assembler.take(&wire.end(), &mut events);
        prop_assert!(assembler.buffered() == 0);
    }
}
