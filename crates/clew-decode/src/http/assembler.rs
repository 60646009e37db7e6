//! Knows connections, and gives them up when they are quiet or too many.

use std::net::IpAddr;

use clew_event::{Event, TimestampNs};

use super::Piece;
use super::connection::Connection;
use super::exchange::{About, Teller};
use super::fields::Names;
use super::message::Reading;
use super::table::{Key, Table};

/// Most connections that are known; one without a message takes about a kilobyte.
pub const CONNECTIONS_MAX: usize = 128 << 10;
/// Most bytes that are kept of all connections: beginnings of messages, and pieces that wait.
pub const BUFFERED_BYTES_MAX: usize = 64 << 20;
/// How long a connection may be quiet before it is given up: five minutes.
pub const IDLE_NS_MAX: u64 = 300_000_000_000;

/// How requests are read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Key of the hashes of principals. The default is the same everywhere, so whoever has the
    /// hashes can try passwords and short keys: give one that is random and kept.
    pub key: [u8; 32],
    /// Networks whose word on where a request came from is believed: address and prefix length.
    pub trusted_proxies: Vec<(IpAddr, u8)>,
}

impl Default for Settings {
    /// Believes loopback and private addresses.
    fn default() -> Self {
        let net = |a: u16, b: u16, length| (IpAddr::from([a, b, 0, 0, 0, 0, 0, 0]), length);
        Self {
            key: *b"clew: principals, default key 01",
            trusted_proxies: vec![
                (IpAddr::from([127, 0, 0, 0]), 8),
                (IpAddr::from([10, 0, 0, 0]), 8),
                (IpAddr::from([172, 16, 0, 0]), 12),
                (IpAddr::from([192, 168, 0, 0]), 16),
                net(0xfc00, 0, 7),
                (IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), 128),
            ],
        }
    }
}

impl Settings {
    /// True where a proxy at `address` is believed.
    pub(super) fn is_trusted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|&(net, length)| match (net, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let shift = 32_u32.saturating_sub(length.into());
                (net.to_bits() ^ address.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let shift = 128_u32.saturating_sub(length.into());
                (net.to_bits() ^ address.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        })
    }
}

/// What was told, and what could not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were told.
    pub requests: u64,
    /// Statements to databases that were told.
    pub statements: u64,
    /// Responses that were told, seen or given up.
    pub responses: u64,
    /// Of them, those that were given up.
    pub unanswered: u64,
    /// Responses without a request, which are not told.
    pub unasked: u64,
    /// Gaps behind which the start of a message had to be found again.
    pub gaps: u64,
    /// Pieces that were seen before.
    pub repeated: u64,
    /// Connections that are not HTTP.
    pub not_http: u64,
    /// Connections that were given up because nothing was heard for long.
    pub idle: u64,
    /// Connections, requests and streams that were given up because there were too many.
    pub dropped: u64,
}

#[derive(Debug)]
struct Known {
    about: About,
    connection: Connection,
    /// What it held when it was last counted.
    buffered: usize,
    /// It is among those with pieces that wait.
    is_listed: bool,
}

/// Reads HTTP out of all connections of all machines.
#[derive(Debug)]
pub struct Assembler {
    settings: Settings,
    names: Names,
    known: Table<Box<Known>>,
    /// Connections with pieces that wait for earlier ones.
    waiting: Vec<Key>,
    buffered: usize,
    counts: Counts,
}

impl Default for Assembler {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Assembler {
    /// Knows no connection yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            names: Names::new(),
            known: Table::new(),
            waiting: Vec::new(),
            buffered: 0,
            counts: Counts::default(),
        }
    }

    /// What was told and what was not.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Connections that are known.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.known.len()
    }

    /// Bytes that are kept of messages and pieces.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buffered
    }

    /// Reads a piece; what it completes is added to `events`.
    pub fn take(&mut self, piece: &Piece<'_>, events: &mut Vec<Event>) {
        let key = key_of(piece);
        if piece.is_end {
            if let Some(known) = self.known.get(key) {
                known.about.see(piece);
            }
            return self.give_up(key, events);
        }
        if piece.moved == 0 && piece.bytes.is_empty() {
            return;
        }
        // A library's object is used again at the same address.
        if piece.is_tls && self.known.get(key).is_some_and(|it| it.connection.is_past(piece)) {
            self.give_up(key, events);
        }
        let Some(known) = self.known.touch(key, || {
            let (about, connection) = (About::new(piece), Connection::new());
            Box::new(Known { about, connection, buffered: 0, is_listed: false })
        }) else {
            return;
        };
        known.about.see(piece);
        let reading = Reading { settings: &self.settings, names: &self.names };
        let (about, counts) = (&mut known.about, &mut self.counts);
        known.connection.take(piece, &mut Teller { about, reading, counts, events });
        self.buffered -= known.buffered;
        known.buffered = known.connection.buffered();
        self.buffered += known.buffered;
        if !known.is_listed && known.connection.has_waiting() {
            known.is_listed = true;
            self.waiting.push(key);
        }
        while CONNECTIONS_MAX < self.known.len() || BUFFERED_BYTES_MAX < self.buffered {
            let Some((oldest, _)) = self.known.oldest() else { break };
            self.counts.dropped += 1;
            self.give_up(oldest, events);
        }
    }

    /// Gives up connections of which nothing was heard for [`IDLE_NS_MAX`], and pieces that waited
    /// too long for what was before them. To be called about once a second.
    pub fn expire(&mut self, now: TimestampNs, events: &mut Vec<Event>) {
        while let Some((key, known)) = self.known.oldest()
            && known.about.moment.time.unix_ns().saturating_add(IDLE_NS_MAX) < now.unix_ns()
        {
            self.counts.idle += 1;
            self.give_up(key, events);
        }
        for key in std::mem::take(&mut self.waiting) {
            let Some(known) = self.known.get(key) else { continue };
            let reading = Reading { settings: &self.settings, names: &self.names };
            let (about, counts) = (&mut known.about, &mut self.counts);
            let to = &mut Teller { about, reading, counts, events };
            known.connection.settle(now.unix_ns(), to);
            known.is_listed = known.connection.has_waiting();
            if known.is_listed {
                self.waiting.push(key);
            }
        }
    }

    /// Tells what is known of a connection, and forgets it.
    fn give_up(&mut self, key: Key, events: &mut Vec<Event>) {
        let Some(mut known) = self.known.remove(key) else { return };
        self.buffered -= known.buffered;
        let reading = Reading { settings: &self.settings, names: &self.names };
        let (about, counts) = (&mut known.about, &mut self.counts);
        known.connection.end(&mut Teller { about, reading, counts, events });
    }
}

fn key_of(piece: &Piece<'_>) -> Key {
    let process = piece.actor.process;
    let owner = if piece.is_tls { process.pid } else { 0 };
    Key { connection: piece.connection, boot: process.boot.0, owner, is_tls: piece.is_tls }
}
