//! Reads HTTP, and statements to databases, out of pieces of connections, as they were seen going
//! by.
//!
//! The sensor gives pieces in the order of their times; what comes out are events, each request
//! with its response. Passive: nothing is answered, holes are normal, and a stream may be joined in
//! its middle.
//!
//! Reading order: `assembler` (which connections are known, and when they are given up), `table`,
//! `direction` (pieces into their order), `connection` (what a connection speaks), `http1` and
//! `exchange` (messages of HTTP/1 and their matching), `http2`, `fastcgi`, `statements` (of databases), `reader` and `head` (bytes into parts of
//! messages), `message` (parts into what is told), `body`, `fields`, `principal`, `metadata`; `told`
//! (what logs and spans say) needs but the last of them.
//!
//! Invariant: memory is bounded by [`BUFFERED_BYTES_MAX`] and [`CONNECTIONS_MAX`], whatever comes.

mod assembler;
mod body;
mod connection;
mod direction;
mod exchange;
mod fastcgi;
mod fields;
mod head;
mod http1;
mod http2;
mod message;
mod metadata;
mod principal;
mod reader;
mod statements;
mod table;
mod told;

#[cfg(test)]
mod tests;

pub use assembler::{
    Assembler, BUFFERED_BYTES_MAX, CONNECTIONS_MAX, Counts, IDLE_NS_MAX, Settings,
};
pub use body::{REQUEST_BODY_BYTES_MAX, RESPONSE_BODY_BYTES_MAX};
pub use direction::{REORDER_BYTES_MAX, REORDER_NS_MAX, REORDER_PIECES_MAX};
pub use exchange::EXCHANGES_MAX;
pub use fastcgi::{PARAMETERS_BYTES_MAX, REQUESTS_MAX};
pub use head::FIELDS_MAX;
pub use http2::{BLOCK_BYTES_MAX, STREAM_BODIES_BYTES_MAX, STREAMS_MAX, TABLE_BYTES_MAX};
pub use message::{FIELD_BYTES_MAX, TARGET_BYTES_MAX};
pub use reader::HEAD_BYTES_MAX;
pub use statements::STATEMENT_BYTES_MAX;
pub(crate) use told::{Named, Told, Words};

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
