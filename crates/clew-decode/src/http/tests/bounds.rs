//! Whatever comes, memory is bounded, what is dropped is counted, and neighbours are told.

use std::io::Write as _;

use clew_event::http::HttpFlags;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Way::{In, Out};
use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_connection_that_is_quiet_for_too_long_is_given_up() {
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), vec![]);
    assembler.take(&wire.piece(In, REQUEST, 0), &mut events);
    let last = wire.now;
    assembler.expire(TimestampNs::from_unix_ns(last + IDLE_NS_MAX), &mut events);
    assert_eq!((events.len(), assembler.connections()), (1, 1));
    assembler.expire(TimestampNs::from_unix_ns(last + IDLE_NS_MAX + 1), &mut events);
    assert_eq!((events.len(), assembler.connections(), assembler.buffered()), (2, 0, 0));
    let told = https(&events);
    let response = told[1].response.as_ref().expect("a response");
    assert_eq!((response.status, response.flags), (0, HttpFlags::UNFINISHED));
    assert_ne!(events[0].id, events[1].id);
    assert_eq!((assembler.counts().idle, assembler.counts().unanswered), (1, 1));
    // What comes later is read from the next message on.
    assembler.take(&wire.piece(In, REQUEST, 0), &mut events);
    assembler.expire(TimestampNs::from_unix_ns(wire.now + REORDER_NS_MAX + 1), &mut events);
    assert_eq!(events.len(), 3);
}

#[test]
fn the_longest_quiet_of_too_many_connections_is_given_up() {
    let (mut assembler, mut events) = (Assembler::default(), Vec::new());
    let mut wires: Vec<_> = (0..=CONNECTIONS_MAX as u64)
        .map(|connection| Wire { connection, ..Wire::inbound() })
        .collect();
    for wire in &mut wires {
        assembler.take(&wire.piece(In, b"GE", 0), &mut events);
    }
    assert_eq!((assembler.connections(), assembler.counts().dropped), (CONNECTIONS_MAX, 1));
    assert!(assembler.buffered() <= CONNECTIONS_MAX * 64, "{}", assembler.buffered());
    let last = wires.last_mut().expect("many");
    assembler.take(&last.piece(In, b"T / HTTP/1.1\r\n\r\n", 0), &mut events);
    assembler.take(&last.piece(Out, RESPONSE, 0), &mut events);
    assert_eq!(events.len(), 2);
}

#[test]
fn heads_that_never_end_are_given_up_and_others_are_told() {
    let (mut assembler, mut events) = (Assembler::default(), Vec::new());
    let head = [b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'x'; HEAD_BYTES_MAX - 1000]].concat();
    for connection in 10..10 + 2 * (BUFFERED_BYTES_MAX / head.len()) as u64 {
        let mut wire = Wire { connection, ..Wire::inbound() };
        for piece in head.chunks(9000) {
            assembler.take(&wire.piece(In, piece, 0), &mut events);
        }
        assert!(assembler.buffered() <= BUFFERED_BYTES_MAX);
    }
    assert!(0 < assembler.counts().dropped);
    let mut wire = Wire::inbound();
    assembler.take(&wire.piece(In, REQUEST, 0), &mut events);
    assembler.take(&wire.piece(Out, RESPONSE, 0), &mut events);
    assert_eq!(events.len(), 2);
}

#[test]
fn a_piece_waits_for_an_earlier_one_within_bounds() {
    let check = |pieces: usize, piece_bytes: usize, later_ns: u64, is_told: bool| {
        let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), vec![]);
        wire.received = REQUEST.len() as u64;
        let waiting = vec![b'\n'; piece_bytes];
        for _ in 1..pieces {
            assembler.take(&wire.piece(In, &waiting, 0), &mut events);
        }
        let last = [vec![b'\n'; piece_bytes - REQUEST.len()], REQUEST.to_vec()].concat();
        let last = if pieces == 1 { REQUEST.to_vec() } else { last };
        assembler.take(&wire.piece(In, &last, 0), &mut events);
        assembler.take(&wire.piece(In, REQUEST, 0), &mut events);
        assembler.expire(TimestampNs::from_unix_ns(wire.now + later_ns), &mut events);
        assert_eq!(!events.is_empty(), is_told, "{pieces} {piece_bytes} {later_ns}");
    };
    check(1, 100, 0, false);
    check(1, 100, REORDER_NS_MAX - 2000, false);
    check(1, 100, REORDER_NS_MAX + 1, true);
    check(REORDER_PIECES_MAX - 2, 100, 0, false);
    check(REORDER_PIECES_MAX, 100, 0, true);
    check(4, REORDER_BYTES_MAX / 4, 0, true);
}

#[test]
fn requests_that_are_not_answered_are_given_up_beyond_their_bound() {
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), vec![]);
    assembler.take(&wire.piece(In, &REQUEST.repeat(EXCHANGES_MAX), 0), &mut events);
    assert_eq!((events.len(), assembler.counts().dropped), (EXCHANGES_MAX, 0));
    assembler.take(&wire.piece(In, REQUEST, 0), &mut events);
    assert_eq!((events.len(), assembler.counts().dropped), (EXCHANGES_MAX + 2, 1));
}

#[test]
fn contents_are_kept_up_to_their_bounds_and_told_at_them() {
    let length = REQUEST_BODY_BYTES_MAX + 1;
    let head = format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
    let body = vec![b'a'; length];
    let pieces: &[(Way, &[u8])] = &[(In, head.as_bytes()), (In, &body[..length - 1])];
    let told = told(&mut Wire::inbound(), pieces);
    assert_eq!(told[0].request.body.as_bytes().len(), REQUEST_BODY_BYTES_MAX);
    assert_eq!(told[0].request.body_bytes, length as u64);
    let whole = [b"HTTP/1.1 200 OK\r\n\r\n", &vec![b'a'; RESPONSE_BODY_BYTES_MAX + 1][..]].concat();
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), vec![]);
    assembler.take(&wire.piece(In, REQUEST, 0), &mut events);
    assembler.take(&wire.piece(Out, &whole, 0), &mut events);
    assembler.take(&wire.end(), &mut events);
    let response = https(&events)[1].response.clone().expect("a response");
    assert_eq!(response.body.as_bytes().len(), RESPONSE_BODY_BYTES_MAX);
    assert_eq!(response.body_bytes, 1 + RESPONSE_BODY_BYTES_MAX as u64);
    assert!(response.flags.has(HttpFlags::BODY_CUT));
}

fn answer(content: &[u8], coding: &str) -> clew_event::http::HttpResponse {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    let response = [head.as_bytes(), content].concat();
    let told = told(&mut Wire::inbound(), &[(In, REQUEST), (Out, &response)]);
    *told[1].response.clone().expect("a response")
}

#[test]
fn codings_are_undone_and_bombs_are_cut() {
    let packed = |plain: &[u8]| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(plain).expect("memory");
        packed.finish().expect("memory")
    };
    let response = answer(&packed(b"hello"), "gzip");
    assert_eq!((response.body, response.flags), ("hello".into(), HttpFlags::default()));
    let bomb = answer(&packed(&vec![0; 50 << 20]), "gzip");
    assert_eq!(bomb.body.as_bytes().len(), RESPONSE_BODY_BYTES_MAX);
    assert!(bomb.flags.has(HttpFlags::BODY_CUT));
    let zlib = b"\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15";
    assert_eq!(answer(zlib, "deflate").body, "hello".into());
    assert_eq!(answer(&zlib[2..11], "deflate").body, "hello".into());
    for (content, coding) in [(&b"junk"[..], "gzip"), (b"junk", "deflate"), (b"junk", "zstd")] {
        assert!(answer(content, coding).flags.has(HttpFlags::UNDECODED), "{coding}");
    }
}

#[test]
fn long_fields_and_targets_are_cut_at_their_bounds() {
    let of = |path: usize, field: usize| {
        let (path, field) = ("p".repeat(path - 1), "f".repeat(field));
        let request = format!("GET /{path} HTTP/1.1\r\nA: {field}\r\n\r\n");
        told(&mut Wire::inbound(), &[(In, request.as_bytes())])[0].request.flags
    };
    assert_eq!(of(TARGET_BYTES_MAX, FIELD_BYTES_MAX), HttpFlags::default());
    assert_eq!(of(TARGET_BYTES_MAX + 1, 1), HttpFlags::TARGET_CUT);
    assert_eq!(of(1, FIELD_BYTES_MAX + 1), HttpFlags::HEADERS_CUT);
}

#[test]
fn an_end_that_asks_is_the_client_whoever_is_said_to_have_accepted() {
    let mut wire = Wire { is_accepted: false, ..Wire::inbound() };
    let told = told(&mut wire, &[(In, REQUEST), (Out, RESPONSE)]);
    assert_eq!(shorts(&told), ["GET /? ", "GET /?  -> 200 ok"]);
    assert!(told[0].is_inbound);
}

#[test]
fn an_object_of_a_library_is_another_connection_when_it_begins_again() {
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), vec![]);
    for _ in 0..2 {
        (wire.sent, wire.received) = (0, 0);
        let piece = wire.piece(In, REQUEST, 0);
        assembler.take(&Piece { is_tls: true, ..piece }, &mut events);
    }
    assert_eq!(https(&events).iter().filter(|it| it.response.is_none()).count(), 2);
}
