//! One connection: its two directions, and what is spoken there.

use clew_event::query::DatabaseSystem;

use super::Piece;
use super::direction::{Direction, Waiting};
use super::exchange::{About, Moment, Teller};
use super::fastcgi::{self, FastCgi};
use super::head;
use super::http1::{Found, Http1, Turn};
use super::http2::{self, Http2};
use super::statements::{self, Statements};

/// Which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// What is spoken.
#[derive(Debug)]
enum Speaks {
    Http1(Box<Http1>),
    Http2(Box<Http2>),
    FastCgi(Box<FastCgi>),
    Statements(Box<Statements>),
    /// Not HTTP, or not any more: it is left alone.
    Other,
}

/// Directions and messages of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    speaks: Speaks,
    client: Direction,
    server: Direction,
    /// The one who is said to be the server asks.
    is_flipped: bool,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self {
            speaks: Speaks::Http1(Box::default()),
            client: Direction::new(),
            server: Direction::new(),
            is_flipped: false,
        }
    }

    /// Bytes that are kept.
    pub(super) fn buffered(&self) -> usize {
        let messages = match &self.speaks {
            Speaks::Http1(http1) => http1.buffered(),
            Speaks::Http2(http2) => http2.buffered(),
            Speaks::FastCgi(fastcgi) => fastcgi.buffered(),
            Speaks::Statements(statements) => statements.buffered(),
            Speaks::Other => 0,
        };
        self.client.buffered() + self.server.buffered() + messages
    }

    /// True where a piece waits for an earlier one.
    pub(super) fn has_waiting(&self) -> bool {
        !self.client.waiting.is_empty() || !self.server.waiting.is_empty()
    }

    /// True where all that was said before `position` of the piece's direction was seen: a piece
    /// from the start of such a direction begins another connection.
    pub(super) fn is_past(&self, piece: &Piece<'_>) -> bool {
        let side = self.side(piece);
        let direction = if side == Side::Client { &self.client } else { &self.server };
        piece.position == 0 && !piece.is_end && 0 < direction.next
    }

    fn side(&self, piece: &Piece<'_>) -> Side {
        let is_client = (piece.is_accepted != piece.is_sent) != self.is_flipped;
        if is_client { Side::Client } else { Side::Server }
    }

    /// Reads a piece.
    pub(super) fn take(&mut self, piece: &Piece<'_>, to: &mut Teller<'_>) {
        if matches!(self.speaks, Speaks::Other) {
            return;
        }
        self.see_who_asks(piece, to.about);
        let side = self.side(piece);
        let whole = Waiting {
            position: piece.position,
            moved: piece.moved.max(u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX)),
            bytes: piece.bytes,
            moment: to.about.moment,
            is_begin: true,
        };
        let direction = self.direction(side);
        let is_next = direction.waiting.is_empty() && whole.position <= direction.next;
        let rest = if is_next { self.read(side, whole, true, to) } else { Some(whole) };
        if let Some(rest) = rest {
            self.direction(side).wait(rest);
        }
        self.settle(to.about.moment.time.unix_ns(), to);
    }

    /// Reads what waited and need not any more.
    pub(super) fn settle(&mut self, now_ns: u64, to: &mut Teller<'_>) {
        loop {
            let client = self.settle_side(Side::Client, now_ns, to);
            let server = self.settle_side(Side::Server, now_ns, to);
            if !client && !server {
                return;
            }
        }
    }

    /// True where something was read.
    fn settle_side(&mut self, side: Side, now_ns: u64, to: &mut Teller<'_>) -> bool {
        let mut was_read = false;
        loop {
            let direction = self.direction(side);
            let is_overdue = direction.is_overdue(now_ns);
            let Some(first) = direction.waiting.front() else { return was_read };
            if direction.next < first.position && !is_overdue {
                return was_read;
            }
            let Some(first) = direction.pop() else { return was_read };
            let Waiting { position, moved, bytes, moment, is_begin } = first;
            let first = Waiting { position, moved, bytes: bytes.as_slice(), moment, is_begin };
            if let Some(rest) = self.read(side, first, !is_overdue, to) {
                let is_some_read = position < rest.position;
                self.direction(side).wait(rest);
                return was_read || is_some_read;
            }
            was_read = true;
        }
    }

    /// Reads a piece whose turn it is; gives back what is too early.
    fn read<'b>(
        &mut self,
        side: Side,
        piece: Waiting<&'b [u8]>,
        is_patient: bool,
        to: &mut Teller<'_>,
    ) -> Option<Waiting<&'b [u8]>> {
        let direction = self.direction(side);
        let Some(piece) = direction.trim(piece) else {
            to.counts.repeated += 1;
            return None;
        };
        let missing = piece.position - direction.next;
        let is_first = direction.next == 0;
        direction.next = piece.position;
        if 0 < missing {
            if let Speaks::Http1(http1) = &mut self.speaks
                && side == Side::Server
                && !(is_first && to.about.is_joined)
            {
                http1.lose_answers(&self.server.reader, piece.moment.time, to);
            }
            self.gap(side, missing, piece.moment, to);
        }
        if piece.is_begin {
            self.begin(side, &piece, to);
        }
        let mut rest = piece.bytes;
        let turn = Turn { moment: piece.moment, is_patient };
        let mut found = self.feed(side, &mut rest, turn, to);
        if matches!(found, Found::Http2 | Found::Upgraded) {
            self.switch(found, to);
            found = self.feed(side, &mut rest, turn, to);
        }
        let read = u64::try_from(piece.bytes.len() - rest.len()).unwrap_or(u64::MAX);
        let (position, moved) = (piece.position + read, piece.moved - read);
        let direction = self.direction(side);
        direction.next = position;
        match found {
            Found::All => {
                direction.next = position.saturating_add(moved);
                if 0 < moved {
                    self.gap(side, moved, piece.moment, to);
                }
            }
            Found::Early => {
                let (bytes, is_begin) = (rest, piece.is_begin && read == 0);
                return Some(Waiting { position, moved, bytes, moment: piece.moment, is_begin });
            }
            Found::Other => {
                to.counts.not_http += 1;
                self.leave(to);
            }
            Found::Http2 | Found::Upgraded | Found::Handed => self.leave(to),
        }
        None
    }

    fn feed(&mut self, side: Side, rest: &mut &[u8], mut turn: Turn, to: &mut Teller<'_>) -> Found {
        let http1 = match &mut self.speaks {
            Speaks::Http1(http1) => http1,
            Speaks::Http2(http2) => {
                http2.read(side == Side::Client, rest, turn.moment, to);
                return Found::All;
            }
            Speaks::FastCgi(fastcgi) => {
                fastcgi.read(side == Side::Client, rest, turn.moment, to);
                return Found::All;
            }
            Speaks::Statements(statements) => {
                if side == Side::Client {
                    statements.read(rest, turn.moment, to);
                }
                return Found::All;
            }
            Speaks::Other => return Found::Handed,
        };
        match side {
            Side::Client => http1.requests(&mut self.client.reader, rest, turn.moment, to),
            Side::Server => {
                turn.is_patient &= !self.client.reader.is_lost();
                http1.responses(&mut self.server.reader, rest, turn, to)
            }
        }
    }

    /// Hears that a piece begins.
    fn begin(&mut self, side: Side, piece: &Waiting<&[u8]>, to: &mut Teller<'_>) {
        let is_lost = self.direction(side).reader.is_lost();
        if is_lost && !to.about.is_http && http2::is_frames(piece.bytes, piece.moved) {
            self.speaks = Speaks::Http2(Box::new(Http2::joined()));
        }
        let is_undecided = matches!(self.speaks, Speaks::Http1(_)) && !to.about.is_http;
        if side == Side::Client && is_undecided && fastcgi::is_begin(piece.bytes) {
            self.speaks = Speaks::FastCgi(Box::default());
        } else if side == Side::Client
            && is_undecided
            && let Some(system) = statements::system_of(piece.bytes)
        {
            self.speaks = Speaks::Statements(Box::new(Statements::new(system, piece.bytes)));
        } else if is_undecided && statements::is_greeting(piece.bytes) {
            let mysql = Statements::new(DatabaseSystem::Mysql, b"");
            self.speaks = Speaks::Statements(Box::new(mysql));
        }
        let http1 = match &mut self.speaks {
            Speaks::Http1(http1) => http1,
            Speaks::Http2(http2) => {
                return http2.begin(side == Side::Client, piece.bytes, piece.moved);
            }
            Speaks::FastCgi(fastcgi) => {
                return fastcgi.begin(side == Side::Client, piece.bytes);
            }
            Speaks::Statements(statements) => {
                if side == Side::Client {
                    statements.begin(piece.bytes);
                }
                return;
            }
            Speaks::Other => return,
        };
        match side {
            Side::Client => {
                self.client.reader.begin(piece.bytes, head::is_request);
                if self.client.reader.is_between() && self.server.reader.is_lost() {
                    http1.ask_while_lost(to);
                }
            }
            Side::Server => {
                let is_ended = self.server.reader.begin(piece.bytes, head::is_response);
                if is_ended {
                    http1.finish(clew_event::http::HttpFlags::default(), to);
                }
            }
        }
    }

    fn gap(&mut self, side: Side, bytes: u64, moment: Moment, to: &mut Teller<'_>) {
        let http1 = match &mut self.speaks {
            Speaks::Http1(http1) => http1,
            Speaks::Http2(http2) => return http2.gap(side == Side::Client, bytes, moment, to),
            Speaks::FastCgi(fastcgi) => return fastcgi.gap(side == Side::Client, bytes, to),
            Speaks::Statements(statements) => {
                if side == Side::Client {
                    statements.gap(bytes, to);
                }
                return;
            }
            Speaks::Other => return,
        };
        match side {
            Side::Client => http1.request_gap(&mut self.client.reader, bytes, moment, to),
            Side::Server => http1.response_gap(&mut self.server.reader, bytes, moment, to),
        }
    }

    /// Hears that the connection ended, or tells all that is known because it is given up.
    pub(super) fn end(&mut self, to: &mut Teller<'_>) {
        self.settle(u64::MAX, to);
        match &mut self.speaks {
            Speaks::Http1(http1) => http1.end(&self.server.reader, to),
            Speaks::Http2(http2) => http2.end(to),
            Speaks::FastCgi(fastcgi) => fastcgi.end(to),
            Speaks::Statements(_) | Speaks::Other => {}
        }
    }

    /// From here on it is HTTP/2.
    fn switch(&mut self, found: Found, to: &mut Teller<'_>) {
        let Speaks::Http1(http1) = &mut self.speaks else { return };
        let mut http2 = match found {
            Found::Upgraded => Http2::upgraded(http1.waiting.pop_back()),
            _ => Http2::greeted(),
        };
        http1.end(&self.server.reader, to);
        if found == Found::Http2 && 0 < self.server.next {
            http2.lose_server();
        }
        self.speaks = Speaks::Http2(Box::new(http2));
    }

    /// Leaves the rest of the connection alone.
    fn leave(&mut self, to: &mut Teller<'_>) {
        if let Speaks::Http1(http1) = &mut self.speaks {
            http1.end(&self.server.reader, to);
        }
        self.speaks = Speaks::Other;
        (self.client, self.server) = (Direction::new(), Direction::new());
    }

    /// Which end asks is told by the first bytes: who is said to have accepted may be wrong where
    /// the connection was there before the sensor.
    fn see_who_asks(&mut self, piece: &Piece<'_>, about: &mut About) {
        let is_undecided = matches!(self.speaks, Speaks::Http1(_)) && !about.is_http;
        if !is_undecided || piece.bytes.is_empty() {
            return;
        }
        let is_wrong = match self.side(piece) {
            Side::Client => head::is_response(piece.bytes) || statements::is_greeting(piece.bytes),
            Side::Server => {
                head::is_request(piece.bytes)
                    || piece.bytes.starts_with(head::HTTP2_HEAD)
                    || fastcgi::is_begin(piece.bytes)
                    || statements::system_of(piece.bytes).is_some()
            }
        };
        if is_wrong {
            self.is_flipped = !self.is_flipped;
            about.is_inbound = !about.is_inbound;
            std::mem::swap(&mut self.client, &mut self.server);
        }
    }

    fn direction(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}
