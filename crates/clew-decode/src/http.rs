//! Reads HTTP out of pieces of connections, as they were seen going by.
//!
//! The sensor gives pieces in the order of their times; what comes out are events, each request
//! with its response. Passive: nothing is answered, holes are normal, and a stream may be joined in
//! its middle.

use clew_event::socket::Endpoints;
use clew_event::{Actor, EventId, TimestampNs};

/// What one call moved through a connection, in one direction.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Id of the record that tells it: its events are parts of that id ([`EventId::part`]).
    pub id: EventId,
    /// When the call returned.
    pub time: TimestampNs,
    /// When it reached Clew.
    pub arrived: TimestampNs,
    /// The thread that sent or received.
    pub actor: Actor,
    /// The connection, unique within its boot.
    pub connection: u64,
    /// Both ends, from the side of the actor.
    pub endpoints: &'a Endpoints,
    /// The actor is the server of the connection.
    pub is_accepted: bool,
    /// It was sent; else it was received.
    pub is_sent: bool,
    /// It is plain text that a TLS library took or gave.
    pub is_tls: bool,
    /// The connection ended; there are no bytes.
    pub is_end: bool,
    /// Bytes of this direction that went before it, seen or not.
    pub position: u64,
    /// Bytes that the call moved.
    pub moved: u64,
    /// The first of them: where there are fewer than `moved`, the rest is a gap.
    pub bytes: &'a [u8],
}
