//! Connections whole, in pieces, with gaps, and as an attacker would send them.

mod bounds;
mod fastcgi;
mod hostile;
mod http1;
mod http2;
mod metadata;
mod splits;
mod statements;

use std::net::SocketAddr;

use clew_event::http::HttpEvent;
use clew_event::id::ProcessKey;
use clew_event::socket::{Endpoints, Transport};
use clew_event::{Actor, Event, EventId, EventKind, Text, TimestampNs};

use super::*;

/// Direction of a piece of an inbound connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// A connection of which pieces are made.
#[derive(Clone)]
struct Wire {
    connection: u64,
    endpoints: Endpoints,
    is_accepted: bool,
    sent: u64,
    received: u64,
    now: u64,
}

impl Wire {
    fn inbound() -> Self {
        let ends = |local: &str, remote: &str| Endpoints {
            family: Endpoints::INET,
            transport: Transport::Tcp,
            local: local.parse().ok(),
            remote: remote.parse().ok(),
        };
        let endpoints = ends("10.0.0.2:80", "10.0.0.9:40000");
        Self { connection: 7, endpoints, is_accepted: true, sent: 0, received: 0, now: 1_000_000 }
    }

    fn outbound(peer: &str) -> Self {
        let remote: SocketAddr = peer.parse().expect("an address");
        let endpoints = Endpoints { remote: Some(remote), ..Self::inbound().endpoints };
        Self { endpoints, is_accepted: false, ..Self::inbound() }
    }

    /// A piece of which `bytes` were seen and `unseen` more were not.
    fn piece<'a>(&'a mut self, way: Way, bytes: &'a [u8], unseen: u64) -> Piece<'a> {
        self.now += 1000;
        let is_sent = way == Way::Out;
        let moved = bytes.len() as u64 + unseen;
        let count = if is_sent { &mut self.sent } else { &mut self.received };
        let position = *count;
        *count += moved;
        let process = ProcessKey { pid: 42, ..ProcessKey::default() };
        Piece {
            id: EventId(u128::from(self.now)),
            time: TimestampNs::from_unix_ns(self.now),
            arrived: TimestampNs::from_unix_ns(self.now + 1),
            actor: Actor { process, tid: 43, ..Actor::default() },
            connection: self.connection,
            endpoints: &self.endpoints,
            is_accepted: self.is_accepted,
            is_sent,
            is_tls: false,
            is_end: false,
            position,
            moved,
            bytes,
        }
    }

    fn end(&mut self) -> Piece<'_> {
        Piece { is_end: true, ..self.piece(Way::In, b"", 0) }
    }
}

/// What pieces give, one after the other.
fn told(wire: &mut Wire, pieces: &[(Way, &[u8])]) -> Vec<HttpEvent> {
    let mut assembler = Assembler::default();
    let mut events = Vec::new();
    for (way, bytes) in pieces {
        assembler.take(&wire.piece(*way, bytes, 0), &mut events);
    }
    https(&events)
}

fn https(events: &[Event]) -> Vec<HttpEvent> {
    let one = |event: &Event| match &event.kind {
        EventKind::Http(http) => HttpEvent::clone(http),
        other => panic!("{other:?}"),
    };
    events.iter().map(one).collect()
}

/// An exchange in short: `GET host/path?query body → status body`.
fn short(event: &HttpEvent) -> String {
    let request = &event.request;
    let asked = format!(
        "{} {}{}?{} {}",
        request.method, request.host, request.path, request.query, request.body
    );
    match &event.response {
        None => asked,
        Some(response) => format!("{asked} -> {} {}", response.status, response.body),
    }
}

fn shorts(events: &[HttpEvent]) -> Vec<String> {
    events.iter().map(short).collect()
}
