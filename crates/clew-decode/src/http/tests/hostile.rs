//! What an attacker sends, and what only begins like HTTP.

use clew_event::http::HttpFlags;

use super::Way::{In, Out};
use super::*;
use crate::http::head::METHOD_BYTES_MAX;
use crate::http::http1::SNIFFED_BYTES_MAX;
use crate::http::principal::PROXIES_MAX;
use crate::http::reader::{CHUNK_LINE_BYTES_MAX, SIZE_DIGITS_MAX};

/// Flags of the first request.
fn flags_of(request: &[u8]) -> HttpFlags {
    told(&mut Wire::inbound(), &[(In, request)]).first().map(|it| it.request.flags).expect("one")
}

#[test]
fn shapes_that_servers_disagree_about_are_flagged() {
    let check = |fields: &str, flag: HttpFlags| {
        let request = format!("POST / HTTP/1.1\r\n{fields}\r\n0\r\n\r\n");
        assert_eq!(flags_of(request.as_bytes()), flag, "{fields}");
    };
    check("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", HttpFlags::AMBIGUOUS_LENGTH);
    check("Content-Length: 5\r\nContent-Length: 4\r\n", HttpFlags::AMBIGUOUS_LENGTH);
    check("Content-Length: +5\r\n", HttpFlags::AMBIGUOUS_LENGTH);
    check("Content-Length: 5\r\nContent-Length: 5\r\n", HttpFlags::default());
    check("A: b\r\n c\r\nContent-Length: 5\r\n", HttpFlags::FOLDED_FIELD);
    check("Content-Length: 5\nA: b\r\n", HttpFlags::BARE_LINE_FEED);
}

#[test]
fn chunks_win_over_a_length_so_a_smuggled_request_is_seen() {
    let request = b"POST /a HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n";
    let told = told(&mut Wire::inbound(), &[(In, request)]);
    assert_eq!(shorts(&told), ["POST /a? ", "GET /smuggled? "]);
}

#[test]
fn lines_and_numbers_beyond_their_bounds_end_the_message() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let check = |chunks: String, is_whole: bool| {
        let told = told(&mut Wire::inbound(), &[(In, [head, &chunks].concat().as_bytes())]);
        let flags = told.first().map(|it| it.request.flags).expect("one");
        assert_eq!(!flags.has(HttpFlags::UNFINISHED), is_whole, "{}", chunks.len());
    };
    let digits = usize::from(SIZE_DIGITS_MAX);
    let line = CHUNK_LINE_BYTES_MAX as usize;
    check(format!("{:0digits$}\r\n\r\n", 0), true);
    check(format!("{:01$}\r\n\r\n", 0, digits + 1), false);
    check(format!("0;{}\r\n\r\n", "x".repeat(line - 5)), true);
    check(format!("0;{}\r\n\r\n", "x".repeat(line)), false);
    check(format!("0\r\nA: {}\r\n\r\n", "x".repeat(line - 8)), true);
    check(format!("0\r\nA: {}\r\n\r\n", "x".repeat(line)), false);
    check("zz\r\n".into(), false);
    let check = |length, is_http| {
        let request = format!("{} / HTTP/1.1\r\n\r\n", "A".repeat(length));
        let told = told(&mut Wire::inbound(), &[(In, request.as_bytes())]);
        assert_eq!(told.len(), usize::from(is_http));
    };
    check(METHOD_BYTES_MAX, true);
    check(METHOD_BYTES_MAX + 1, false);
}

#[test]
fn only_so_many_proxies_are_asked() {
    let check = |proxies: usize, client: &str| {
        let chain = "8.8.8.8".to_owned() + &", 10.0.0.1".repeat(proxies - 1);
        let request = format!("GET / HTTP/1.1\r\nX-Forwarded-For: {chain}\r\n\r\n");
        let told = told(&mut Wire::inbound(), &[(In, request.as_bytes())]);
        assert_eq!(told[0].request.client, client.parse().ok());
    };
    check(PROXIES_MAX, "8.8.8.8");
    check(PROXIES_MAX + 1, "10.0.0.1");
}

#[test]
fn other_protocols_are_left_alone() {
    let long = [b"A B".as_slice(), &[b'x'; SNIFFED_BYTES_MAX], b"\r\n\r\n"].concat();
    for bytes in [&long[..], b"\x16\x03\x01\x02", b"EHLO x\r\n", b"GET \x00\x01\r\n\r\n"] {
        let (mut wire, mut assembler) = (Wire::inbound(), Assembler::default());
        let mut events = Vec::new();
        assembler.take(&wire.piece(In, bytes, 0), &mut events);
        assembler.take(&wire.piece(In, b"GET / HTTP/1.1\r\n\r\n", 0), &mut events);
        assembler.take(&wire.piece(Out, b"HTTP/1.1 200 OK\r\n\r\n", 0), &mut events);
        assert_eq!((events.len(), assembler.counts().not_http), (0, 1));
    }
}

#[test]
fn a_head_beyond_its_bound_is_told_as_far_as_it_is_kept() {
    let bomb = format!("A: {}\r\n", "b".repeat(1000)).repeat(HEAD_BYTES_MAX / 1000);
    let request =
        ["GET /bomb HTTP/1.1\r\n", &bomb, &bomb, "\r\nGET /next HTTP/1.1\r\n\r\n"].concat();
    assert!(HEAD_BYTES_MAX < request.len());
    let mut wire = Wire::inbound();
    let pieces: Vec<_> = request.as_bytes().chunks(1000).map(|piece| (In, piece)).collect();
    let told = told(&mut wire, &pieces);
    assert_eq!(shorts(&told), ["GET /bomb? ", "GET /next? "]);
    assert!(told[0].request.flags.has(HttpFlags::HEADERS_CUT));
    assert!(told[0].request.headers.len() <= FIELDS_MAX);
}
