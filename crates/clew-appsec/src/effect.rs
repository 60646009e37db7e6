//! What an application did because of a request, where a piece of the request is part of it.

use std::net::SocketAddr;
use std::sync::Arc;

use clew_event::EventId;
use clew_event::http::HttpRequest;

use crate::detected::Detected;

/// A request that may have caused an effect.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The exchange: id of the event that told the request.
    pub exchange: EventId,
    /// The request itself.
    pub request: Arc<HttpRequest>,
    /// That the effect is of this request: 1 where its thread handled no other.
    pub probability: f64,
}

/// What an application did while it handled requests.
#[derive(Clone, Copy, Debug)]
pub enum Effect<'a> {
    /// A child took a program.
    Executed {
        /// File that runs.
        exe: &'a [u8],
        /// Arguments.
        argv: &'a [clew_event::Text],
        /// The file was written by this application after it started.
        is_dropped: bool,
    },
    /// A file was opened, made, renamed or removed.
    File {
        /// Path that it has.
        path: &'a [u8],
        /// Path as the application gave it.
        given: &'a [u8],
        /// It was made or written; else it was read.
        is_written: bool,
    },
    /// A connection was asked for.
    Connected {
        /// The other end.
        peer: SocketAddr,
        /// Names by which that address was looked up here.
        names: &'a [clew_event::Text],
    },
    /// A name was asked for.
    Resolved {
        /// The name.
        name: &'a [u8],
    },
    /// A statement was sent to a database.
    Queried {
        /// The statement as it was sent.
        statement: &'a [u8],
        /// Name of the database system: `postgresql`, `mysql`.
        system: &'a str,
    },
    /// Another service was asked.
    Requested {
        /// The request that the application sent.
        request: &'a HttpRequest,
        /// The other end.
        peer: Option<SocketAddr>,
    },
}

/// Adds what `effect` proves of the requests that may have caused it.
pub fn judge(effect: &Effect<'_>, causes: &[Cause], found: &mut Vec<Detected>) {
    let _ = (effect, causes, found);
}
