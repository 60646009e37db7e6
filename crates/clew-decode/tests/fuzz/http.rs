//! Feeds connections: an input is what a client sends, then what a server sends, in pieces with
//! gaps and in disorder as its own bytes say.

use clew_decode::http::{Assembler, BUFFERED_BYTES_MAX, Piece};
use clew_event::socket::Endpoints;
use clew_event::{Actor, Event, EventId, TimestampNs};

pub(crate) const HTTP1_WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b" HTTP/1.1",
    b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"ffffffffffffffff\r\n",
    b"0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"Authorization: Basic ",
    b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSJ9.",
    b"\x1f\x8b\x08",
    b"\"AccessKeyId\":\"ASIA\"",
    b"\0",
    b"\xff",
    SPLIT,
];
pub(crate) const HTTP2_WORDS: &[&[u8]] = &[
    b"\0\0\0\x04\0\0\0\0\0",
    b"\0\0\x01\x01\x05\0\0\0\x01\x82",
    b"\0\0\0\x00\x01\0\0\0\x01",
    b"\0\0\0\x09\x04\0\0\0\x01",
    b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08",
    b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\xff\xff\xff\x00\x08\0\0\0\x01",
    b"\xbe",
    b"\x3f\xe1\xff\x7f",
    b"\x40\x01a\x01b",
    b"\x7f\x00",
    b"\0\0\0\0\x05hello",
    b"application/grpc",
    SPLIT,
];
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Stands between what the client and what the server sends.
const SPLIT: &[u8] = b"\n--server--\n";

pub(crate) fn http1(bytes: &[u8]) {
    let (client, server) = halves(bytes);
    feed(client, server);
}

pub(crate) fn http2(bytes: &[u8]) {
    let (client, server) = halves(bytes);
    feed(&[GREETING, client].concat(), server);
}

/// A block of fields in frames of both sides.
pub(crate) fn hpack(bytes: &[u8]) {
    let mut frames = Vec::new();
    for (number, block) in bytes.chunks(16_000).enumerate() {
        let length = u32::try_from(block.len()).expect("short").to_be_bytes();
        let kind = if number == 0 { [1, 1] } else { [9, 0] };
        frames.extend([&length[1..], &kind, &[0, 0, 0, 1], block].concat());
    }
    frames.extend(b"\0\0\0\x09\x04\0\0\0\x01");
    feed(&[GREETING, &frames].concat(), &frames);
}

fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let found = bytes.windows(SPLIT.len()).position(|window| window == SPLIT);
    found.map_or((bytes, &[]), |at| (&bytes[..at], &bytes[at + SPLIT.len()..]))
}

fn feed(client: &[u8], server: &[u8]) {
    let seed = client.iter().chain(server).fold(7_u64, |hash, &byte| {
        hash.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(byte))
    });
    // One byte at a time where that is not too long.
    let small = 1 + (client.len() + server.len()) / 500;
    for (piece_bytes, is_rough) in [(usize::MAX, false), (small, false), (61 + small, true)] {
        let mut assembler = Assembler::default();
        let mut events: Vec<Event> = Vec::new();
        let mut random = super::Random::new(seed);
        let mut pieces = Vec::new();
        for (is_sent, bytes) in [(false, client), (true, server)] {
            let mut position = 0;
            for bytes in bytes.chunks(piece_bytes) {
                let unseen = if is_rough { random.below(40).saturating_sub(35) } else { 0 };
                pieces.push((is_sent, position, bytes, unseen as u64));
                position += bytes.len() as u64 + unseen as u64;
            }
        }
        if is_rough && !pieces.is_empty() {
            for _ in 0..random.below(9) {
                let (one, two) = (random.below(pieces.len()), random.below(pieces.len()));
                pieces.swap(one, two);
            }
        }
        for (number, &(is_sent, position, bytes, unseen)) in (1..).zip(&pieces) {
            assembler.take(&piece(number, is_sent, position, (bytes, unseen)), &mut events);
        }
        assert!(assembler.buffered() <= BUFFERED_BYTES_MAX);
        assert!(assembler.buffered() <= 64 * (client.len() + server.len()) + (1 << 20));
        let end = piece(u128::MAX >> 64, false, 0, (&[], 0));
        assembler.take(&Piece { is_end: true, ..end }, &mut events);
        assert_eq!((assembler.connections(), assembler.buffered()), (0, 0));
        let counts = assembler.counts();
        assert_eq!(counts.requests, counts.responses, "each request is answered or given up");
        let mut ids: Vec<_> = events.iter().map(|event| event.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), events.len(), "each event has an id of its own");
    }
}

fn piece(number: u128, is_sent: bool, position: u64, (bytes, unseen): (&[u8], u64)) -> Piece<'_> {
    static ENDS: Endpoints = Endpoints {
        family: 2,
        transport: clew_event::socket::Transport::Tcp,
        local: None,
        remote: None,
    };
    let time = TimestampNs::from_unix_ns(u64::try_from(number).unwrap_or(u64::MAX / 2));
    Piece {
        id: EventId(number),
        time,
        arrived: time,
        actor: Actor::default(),
        connection: 1,
        endpoints: &ENDS,
        is_accepted: true,
        is_sent,
        is_tls: false,
        is_end: false,
        position,
        moved: bytes.len() as u64 + unseen,
        bytes,
    }
}
