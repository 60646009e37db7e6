//! HTTP/2 as it is spoken, in pieces, joined late, and as an attacker would send it.

use clew_event::http::{HttpFlags, HttpVersion};
use proptest::prelude::*;

use super::Way::{In, Out};
use super::*;

const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;
const DATA: u8 = 0;
const END: u8 = 1;
const WHOLE: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A block of literals; `first` is how each begins: 0x40 puts it into the table.
fn block(first: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(first);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("short"));
            block.extend(text.bytes());
        }
    }
    block
}

fn asked(path: &str) -> Vec<u8> {
    let fields = [(":method", "POST"), (":path", path), (":authority", "h"), ("cookie", "sid=1")];
    block(0x40, &fields)
}

fn answered(status: &str) -> Vec<u8> {
    block(0, &[(":status", status), ("content-type", "text/plain")])
}

fn client() -> Vec<u8> {
    [
        GREETING.to_vec(),
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
        frame(HEADERS, WHOLE, 1, &asked("/1?q")),
        frame(HEADERS, WHOLE | END, 3, &asked("/3")),
        frame(DATA, 8, 1, b"\x03one\0\0\0"),
        frame(6, 0, 0, &[0; 8]),
        frame(DATA, END, 1, b"!"),
        // The same fields again, all by their numbers.
        frame(HEADERS, WHOLE | END, 5, &[0xc5, 0xc0, 0xbf, 0xbe]),
        frame(HEADERS, END, 7, &asked("/7")[..9]),
        frame(9, 0, 7, &asked("/7")[9..20]),
        frame(9, WHOLE, 7, &asked("/7")[20..]),
    ]
    .concat()
}

fn server() -> Vec<u8> {
    [
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, WHOLE | END, 3, &answered("204")),
        frame(HEADERS, WHOLE, 1, &answered("200")),
        frame(5, WHOLE, 1, &[&[0, 0, 0, 2][..], &asked("/pushed")].concat()),
        frame(DATA, 0, 1, b"yes"),
        frame(HEADERS, WHOLE, 5, &answered("404")),
        frame(DATA, END, 1, b"!"),
        frame(DATA, END, 5, b"no"),
        frame(3, 0, 7, &[0, 0, 0, 8]),
    ]
    .concat()
}

/// The exchanges in short, in the order of their paths.
fn exchanges(pieces: &[(Way, &[u8])]) -> Vec<String> {
    let told = told(&mut Wire::inbound(), pieces);
    let mut shorts: Vec<_> = told.iter().filter(|it| it.response.is_some()).map(short).collect();
    shorts.sort();
    shorts
}

const EXPECTED: [&str; 4] = [
    "POST h/1?q one! -> 200 yes!",
    "POST h/3?  -> 204 ",
    "POST h/3?  -> 404 no",
    "POST h/7?  -> 0 ",
];

#[test]
fn streams_are_told_apart_and_fields_are_known_by_their_numbers() {
    let (client, server) = (client(), server());
    assert_eq!(exchanges(&[(In, &client), (Out, &server)]), EXPECTED);
    let told = told(&mut Wire::inbound(), &[(In, &client)]);
    assert_eq!(told.len(), 4);
    assert_eq!(told[0].request.version, HttpVersion::Http2);
    assert_eq!(told[0].request.header("cookie"), Some(&"sid=*".into()));
    assert!(told.iter().all(|it| it.request.flags == HttpFlags::default()));
}

proptest! {
    #[test]
    fn however_the_frames_are_cut_the_same_is_told(
        asked in 1_usize..80, answered in 1_usize..80, is_server_first in any::<bool>(),
    ) {
        let (client, server) = (client(), server());
        let mut pieces: Vec<(Way, &[u8])> = client.chunks(asked).map(|it| (In, it)).collect();
        // A server may greet before it hears anything.
        let at = if is_server_first { 0 } else { pieces.len() };
        pieces.splice(at..at, server.chunks(answered).take(1).map(|it| (Out, it)));
        pieces.extend(server.chunks(answered).skip(1).map(|it| (Out, it)));
        prop_assert_eq!(exchanges(&pieces), EXPECTED);
    }
}

#[test]
fn a_connection_goes_over_from_http1() {
    let upgrade = b"GET /1 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n\
        Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n";
    let server = [
        switched.to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, WHOLE, 1, &answered("200")),
        frame(DATA, END, 1, b"one"),
        frame(HEADERS, WHOLE | END, 3, &answered("204")),
    ]
    .concat();
    let client = [GREETING.to_vec(), frame(HEADERS, WHOLE | END, 3, &asked("/3"))].concat();
    let pieces: &[(Way, &[u8])] =
        &[(In, upgrade), (Out, &server[..70]), (In, &client), (Out, &server[70..])];
    assert_eq!(exchanges(pieces), ["GET h/1?  -> 200 one", "POST h/3?  -> 204 "]);
}

#[test]
fn other_protocols_that_take_over_are_left_alone() {
    let socket = b"GET /s HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    let switched = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x05hello";
    let request: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    let told = told(&mut Wire::inbound(), &[(In, socket), (Out, switched), (In, request)]);
    assert_eq!(shorts(&told), ["GET /s? ", "GET /s?  -> 101 "]);
    let flags = told[1].response.as_ref().map(|it| it.flags).expect("a response");
    assert!(flags.has(HttpFlags::UPGRADED));
    let pieces: &[(Way, &[u8])] = &[
        (In, b"CONNECT a:443 HTTP/1.1\r\n\r\n"),
        (Out, b"HTTP/1.1 200 Ok\r\n\r\n"),
        (In, request),
    ];
    let told = super::told(&mut Wire::inbound(), pieces);
    assert_eq!(shorts(&told), ["CONNECT a:443? ", "CONNECT a:443?  -> 200 "]);
}

#[test]
fn calls_of_grpc_are_told_with_their_message_and_status() {
    let fields =
        [(":method", "POST"), (":path", "/pkg.Svc/Do"), ("content-type", "application/grpc")];
    let client = [
        GREETING.to_vec(),
        frame(HEADERS, WHOLE, 1, &block(0, &fields)),
        frame(DATA, 0, 1, b"\0\0\0"),
        frame(DATA, END, 1, b"\0\x05hello\0\0\0\0\x01!"),
    ]
    .concat();
    let server = [
        frame(HEADERS, WHOLE, 1, &block(0, &[(":status", "200"), fields[2]])),
        frame(DATA, 0, 1, b"\0\0\0\0\x02ok"),
        frame(HEADERS, WHOLE | END, 1, &block(0, &[("grpc-status", "7")])),
    ]
    .concat();
    let told = told(&mut Wire::inbound(), &[(In, &client), (Out, &server)]);
    assert_eq!(short(&told[1]), "POST /pkg.Svc/Do? hello! -> 200 ok");
    let response = told[1].response.as_ref().expect("a response");
    assert_eq!(response.header("grpc-status"), Some(&"7".into()));
    assert!(told[0].request.flags.has(HttpFlags::GRPC) && response.flags.has(HttpFlags::GRPC));
}

#[test]
fn a_connection_that_is_joined_late_has_no_guessed_fields() {
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), vec![]);
    (wire.received, wire.sent) = (5000, 5000);
    let later = TimestampNs::from_unix_ns(wire.now + 2 * REORDER_NS_MAX);
    // `:method` is a number of an entry that was not seen; the rest is told.
    let mut unknown = vec![0xbe];
    unknown.extend(block(0x40, &[(":path", "/late"), (":authority", "h")]));
    let frames = frame(HEADERS, WHOLE | END, 9, &unknown);
    assembler.take(&wire.piece(In, &frames, 0), &mut events);
    let answer = frame(HEADERS, WHOLE | END, 9, &answered("200"));
    assembler.take(&wire.piece(Out, &answer, 0), &mut events);
    assembler.expire(later, &mut events);
    let told = https(&events);
    assert_eq!(shorts(&told), [" h/late? ", " h/late?  -> 200 "]);
    assert!(told[0].request.flags.has(HttpFlags::HEADERS_CUT));
    // What is put into the table now is known by its number.
    let frames = frame(HEADERS, WHOLE | END, 11, &[0x82, 0xbf, 0xbe]);
    assembler.take(&wire.piece(In, &frames, 0), &mut events);
    assert_eq!(https(&events).last().map(short).as_deref(), Some("GET h/late? "));
}

#[test]
fn a_gap_in_content_is_passed_over_and_another_is_found_out_of() {
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), vec![]);
    assembler.take(&wire.piece(In, &client(), 0), &mut events);
    let large = frame(DATA, END, 1, &[b'x'; 1000]);
    let head = frame(HEADERS, WHOLE, 1, &answered("200"));
    assembler.take(&wire.piece(Out, &[&head[..], &large[..100]].concat(), 909), &mut events);
    let told = https(&events);
    let response = told.last().and_then(|it| it.response.as_ref()).expect("a response");
    assert_eq!((response.status, response.body_bytes), (200, 1000));
    assert!(response.flags.has(HttpFlags::GAP) && response.flags.has(HttpFlags::BODY_CUT));
    assembler.take(&wire.piece(Out, &head[..5], 60), &mut events);
    assembler
        .take(&wire.piece(Out, &frame(HEADERS, WHOLE | END, 3, &answered("204")), 0), &mut events);
    assert_eq!(https(&events).last().map(short).as_deref(), Some("POST h/3?  -> 204 "));
    assert_eq!(assembler.counts().gaps, 1);
}

#[test]
fn streams_and_blocks_beyond_their_bounds_are_given_up() {
    let many: Vec<u8> = (0..=STREAMS_MAX)
        .flat_map(|number| {
            let stream = u32::try_from(number).expect("few") * 2 + 1;
            frame(HEADERS, WHOLE | END, stream, &asked("/"))
        })
        .collect();
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), vec![]);
    assembler.take(&wire.piece(In, &[GREETING, &many].concat(), 0), &mut events);
    assert_eq!((assembler.counts().dropped, assembler.counts().unanswered), (1, 1));
    // A flood of continuations, then a stream that is read all the same.
    let (mut wire, mut assembler) = (Wire::inbound(), Assembler::default());
    assembler.take(&wire.piece(In, GREETING, 0), &mut events);
    let literals = block(0, &[("a", "b".repeat(100).as_str()); 150]);
    assembler.take(&wire.piece(In, &frame(HEADERS, END, 1, &asked("/flood")), 0), &mut events);
    for _ in 0..(4 * BLOCK_BYTES_MAX / literals.len()) {
        assembler.take(&wire.piece(In, &frame(9, 0, 1, &literals), 0), &mut events);
        assert!(assembler.buffered() <= 4 * BLOCK_BYTES_MAX, "{}", assembler.buffered());
    }
    events.clear();
    let next = [frame(9, WHOLE, 1, b""), frame(HEADERS, WHOLE | END, 3, &asked("/next"))].concat();
    assembler.take(&wire.piece(In, &next, 0), &mut events);
    let told = https(&events);
    assert_eq!(shorts(&told), ["POST h/flood? ", "POST h/next? "]);
    assert!(told[0].request.flags.has(HttpFlags::HEADERS_CUT));
}

#[test]
fn contents_of_one_connection_are_kept_up_to_their_bound() {
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), vec![]);
    assembler.take(&wire.piece(In, GREETING, 0), &mut events);
    let content = [b'x'; 16_000];
    for number in 0..200 {
        let stream = number * 2 + 1;
        assembler
            .take(&wire.piece(In, &frame(HEADERS, WHOLE, stream, &asked("/")), 0), &mut events);
        for _ in 0..3 {
            assembler.take(&wire.piece(In, &frame(DATA, 0, stream, &content), 0), &mut events);
        }
    }
    assert!(STREAM_BODIES_BYTES_MAX < 200 * 3 * content.len());
    assert!(
        assembler.buffered() < STREAM_BODIES_BYTES_MAX + (512 << 10),
        "{}",
        assembler.buffered()
    );
    let is_cut = |it: &HttpEvent| it.request.flags.has(HttpFlags::BODY_CUT);
    assert!(https(&events).iter().any(is_cut));
}
