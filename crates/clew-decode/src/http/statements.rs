//! Statements that clients send to databases, by the plain protocols of PostgreSQL (version 3) and
//! MySQL.
//!
//! Only the client's side is read, and of it only messages that hold a statement. Values that are
//! sent apart from a statement (bound parameters) cannot change its structure, so they are passed
//! over.

use clew_event::query::{DatabaseSystem, QueryEvent};
use clew_event::{Event, EventKind, EventType};

use super::exchange::{Moment, Teller};

/// Longest statement that is kept.
pub const STATEMENT_BYTES_MAX: usize = 16 << 10;

/// Longest message that a client sends in earnest: both servers refuse more than a gigabyte.
const MESSAGE_BYTES_MAX: usize = 1 << 30;
/// The version of PostgreSQL's protocol, where a start says it.
const POSTGRES_VERSION: [u8; 4] = [0, 3, 0, 0];
/// What a client of PostgreSQL says instead where it wishes for TLS, for another encryption, or to
/// cancel a statement.
const POSTGRES_WISHES: [[u8; 4]; 3] =
    [[4, 0xd2, 0x16, 0x2f], [4, 0xd2, 0x16, 0x30], [4, 0xd2, 0x16, 0x2e]];
/// Messages of a client of PostgreSQL.
const POSTGRES_KINDS: &[u8] = b"BCDEFHPQSXcdfp";
/// Commands of MySQL that hold a statement: `COM_QUERY` and `COM_STMT_PREPARE`.
const MYSQL_STATEMENTS: [u8; 2] = [3, 0x16];
const MYSQL_COMMAND_LAST: u8 = 0x1f;

/// The database whose conversation a piece of a client begins or goes on with.
pub(super) fn system_of(bytes: &[u8]) -> Option<DatabaseSystem> {
    match *bytes {
        [0, 0, _, _, a, b, c, d, ..] => {
            let said = [a, b, c, d];
            let is_start = said == POSTGRES_VERSION || POSTGRES_WISHES.contains(&said);
            is_start.then_some(DatabaseSystem::Postgresql)
        }
        [_, _, _, 0, command, ..] if command == MYSQL_STATEMENTS[0] => Some(DatabaseSystem::Mysql),
        [b'Q' | b'P', 0, ..] => Some(DatabaseSystem::Postgresql),
        _ => None,
    }
}

/// True where a server of MySQL greets: packet 0, version 10 of the handshake, its own version as a
/// text.
pub(super) fn is_greeting(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, 0, 0, 10, digit, ..] if digit.is_ascii_digit())
}

/// The client's side of a connection to a database.
#[derive(Debug)]
pub(super) struct Statements {
    system: DatabaseSystem,
    /// What comes next has no kind: a start of PostgreSQL.
    is_start: bool,
    header: Vec<u8>,
    /// What the message is, as its protocol says it.
    kind: u8,
    /// Bytes of the message that are still to come.
    left: usize,
    /// The beginning of a message that may hold a statement.
    kept: Vec<u8>,
    is_kept: bool,
    is_cut: bool,
    is_lost: bool,
}

impl Statements {
    /// A connection of which the client's first piece is `bytes`.
    pub(super) fn new(system: DatabaseSystem, bytes: &[u8]) -> Self {
        let is_start = system == DatabaseSystem::Postgresql && bytes.first() == Some(&0);
        Self {
            system,
            is_start,
            header: Vec::new(),
            kind: 0,
            left: 0,
            kept: Vec::new(),
            is_kept: false,
            is_cut: false,
            is_lost: false,
        }
    }

    /// Bytes that are kept.
    pub(super) fn buffered(&self) -> usize {
        self.kept.len()
    }

    /// A piece of the client begins: after a gap it may be the start of a message.
    pub(super) fn begin(&mut self, bytes: &[u8]) {
        if self.is_lost && self.is_header(bytes) {
            *self = Self::new(self.system, b"?");
        }
    }

    fn is_header(&self, bytes: &[u8]) -> bool {
        match (self.system, bytes) {
            (DatabaseSystem::Postgresql, [kind, 0, ..]) => POSTGRES_KINDS.contains(kind),
            (DatabaseSystem::Mysql, [_, _, _, 0, command, ..]) => *command <= MYSQL_COMMAND_LAST,
            _ => false,
        }
    }

    /// Reads what the client sent.
    pub(super) fn read(&mut self, input: &mut &[u8], moment: Moment, to: &mut Teller<'_>) {
        while !input.is_empty() && !self.is_lost {
            if self.left == 0 {
                self.head(input);
            } else {
                let (bytes, rest) = input.split_at(self.left.min(input.len()));
                *input = rest;
                self.left -= bytes.len();
                self.keep(bytes);
            }
            if self.left == 0 && self.header.is_empty() {
                self.end(moment, to);
            }
        }
        *input = &[];
    }

    /// Reads the length of the next message, and whether it may hold a statement.
    fn head(&mut self, input: &mut &[u8]) {
        let is_postgres = self.system == DatabaseSystem::Postgresql;
        let header_bytes = if is_postgres && !self.is_start { 5 } else { 4 };
        let wanted = header_bytes - self.header.len();
        let (bytes, rest) = input.split_at(wanted.min(input.len()));
        *input = rest;
        self.header.extend_from_slice(bytes);
        if self.header.len() < header_bytes {
            return;
        }
        let (kind, length) = match *self.header.as_slice() {
            [a, b, c, d] if is_postgres => (0, u32::from_be_bytes([a, b, c, d]).checked_sub(4)),
            [kind, a, b, c, d] => (kind, u32::from_be_bytes([a, b, c, d]).checked_sub(4)),
            [a, b, c, number] => (number, Some(u32::from_le_bytes([a, b, c, 0]))),
            _ => (0, None),
        };
        let length = length.and_then(|length| usize::try_from(length).ok());
        let is_known = self.is_start || !is_postgres || POSTGRES_KINDS.contains(&kind);
        let Some(length) = length.filter(|length| is_known && *length <= MESSAGE_BYTES_MAX) else {
            self.is_lost = true;
            return;
        };
        self.is_kept =
            if is_postgres { self.is_start || matches!(kind, b'Q' | b'P') } else { kind == 0 };
        (self.kind, self.left) = (kind, length);
        self.header.clear();
        self.is_cut = false;
    }

    fn keep(&mut self, bytes: &[u8]) {
        if !self.is_kept {
            return;
        }
        let room = STATEMENT_BYTES_MAX.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.is_cut |= room < bytes.len();
    }

    /// A message is whole.
    fn end(&mut self, moment: Moment, to: &mut Teller<'_>) {
        let kept = std::mem::take(&mut self.kept);
        if !self.is_kept {
            return;
        }
        if self.is_start {
            let is_wish = kept.first_chunk().is_some_and(|said| POSTGRES_WISHES.contains(said));
            self.is_start = is_wish;
            return;
        }
        let statement = match self.system {
            DatabaseSystem::Postgresql => of_postgres(self.kind, &kept),
            DatabaseSystem::Mysql => of_mysql(&kept),
        };
        if let Some(statement) = statement.filter(|statement| !statement.is_empty()) {
            self.tell(statement, moment, to);
        }
    }

    fn tell(&self, statement: &[u8], moment: Moment, to: &mut Teller<'_>) {
        let query = QueryEvent {
            connection: to.about.connection,
            endpoints: to.about.endpoints.clone(),
            is_inbound: to.about.is_inbound,
            system: self.system,
            statement: statement.into(),
            is_cut: self.is_cut,
            ..QueryEvent::default()
        };
        to.counts.statements += 1;
        to.events.push(Event {
            id: to.about.next_id(),
            time: moment.time,
            arrived: moment.arrived,
            event_type: EventType::DbQuery,
            actor: Some(moment.actor),
            kind: EventKind::Query(Box::new(query)),
        });
    }

    /// Hears of bytes that were not seen.
    pub(super) fn gap(&mut self, bytes: u64, to: &mut Teller<'_>) {
        let left = u64::try_from(self.left).unwrap_or(u64::MAX);
        if self.is_lost || left <= bytes {
            self.is_lost = true;
            to.counts.gaps += 1;
            return;
        }
        self.left -= usize::try_from(bytes).unwrap_or(self.left);
        // What is behind the gap would be taken for what followed.
        self.is_kept = false;
    }
}

/// The text up to its NUL byte; of a statement that is prepared the one behind its name.
fn of_postgres(kind: u8, message: &[u8]) -> Option<&[u8]> {
    message.split(|&byte| byte == 0).nth(usize::from(kind == b'P'))
}

/// What stands behind the command; where parameters may follow, behind how many there are.
fn of_mysql(packet: &[u8]) -> Option<&[u8]> {
    let (command, rest) = packet.split_first()?;
    if !MYSQL_STATEMENTS.contains(command) {
        return None;
    }
    Some(rest.strip_prefix(&[0, 1]).unwrap_or(rest))
}
