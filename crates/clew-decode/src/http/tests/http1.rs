//! HTTP/1 as it is spoken.

use clew_event::EventType;
use clew_event::http::HttpFlags;

use super::Way::{In, Out};
use super::*;

#[test]
fn an_exchange_is_told_twice() {
    let mut wire = Wire::inbound();
    let mut assembler = Assembler::default();
    let mut events = Vec::new();
    let request = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    let started = wire.now + 1000;
    assembler.take(&wire.piece(In, request, 0), &mut events);
    assert_eq!(events.len(), 1);
    assembler
        .take(&wire.piece(Out, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes", 0), &mut events);
    let types: Vec<_> = events.iter().map(|event| event.event_type).collect();
    assert_eq!(types, [EventType::HttpRequest, EventType::HttpResponse]);
    let told = https(&events);
    assert_eq!(shorts(&told), ["POST x/a?b=c hi", "POST x/a?b=c hi -> 200 yes"]);
    assert!(told[0].is_inbound);
    assert_eq!(told[0].exchange, events[0].id);
    assert_eq!(told[1].exchange, events[0].id);
    assert_ne!(events[1].id, events[0].id);
    assert_eq!(told[0].request.started.unix_ns(), started);
    assert_eq!(told[1].response.as_ref().map(|it| it.duration_ns), Some(1000));
    assert_eq!(events[1].actor.map(|actor| actor.tid), Some(43));
    assert_eq!(told[1].request.flags, HttpFlags::default());
}

#[test]
fn a_connection_is_kept_alive_and_requests_are_pipelined() {
    let told = told(
        &mut Wire::inbound(),
        &[
            (In, b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nHEAD /3 HTTP/1.1\r\n\r\n"),
            (Out, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n"),
            (Out, b"2\r\nde\r\n0\r\nTrailer: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n"),
            (Out, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
            (In, b"GET /4 HTTP/1.1\r\n\r\n"),
            (Out, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n4"),
        ],
    );
    let answers: Vec<_> = shorts(&told).into_iter().filter(|it| it.contains("->")).collect();
    let expected =
        ["GET /1?  -> 200 abcde", "GET /2?  -> 204 ", "HEAD /3?  -> 200 ", "GET /4?  -> 200 4"];
    assert_eq!(answers, expected);
}

#[test]
fn a_response_may_end_with_the_connection() {
    let mut wire = Wire::inbound();
    let (mut assembler, mut events) = (Assembler::default(), Vec::new());
    assembler.take(&wire.piece(In, b"GET / HTTP/1.0\r\n\r\n", 0), &mut events);
    assembler.take(&wire.piece(Out, b"HTTP/1.0 200 OK\r\n\r\nab", 0), &mut events);
    assert_eq!(events.len(), 1);
    assembler.take(&wire.end(), &mut events);
    let told = https(&events);
    assert_eq!(short(&told[1]), "GET /?  -> 200 ab");
    assert_eq!(told[1].response.as_ref().map(|it| it.flags), Some(HttpFlags::default()));
    assert_eq!((assembler.connections(), assembler.buffered()), (0, 0));
}
