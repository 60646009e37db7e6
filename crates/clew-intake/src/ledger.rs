//! How far each source was read, and which events were taken: what survives a restart.
//!
//! One SQLite file of its own. Cursors and the ids of the events they stand behind are written in
//! one transaction, after the engine's caller has kept what came of these events. So a kill at any
//! moment leaves either both or none, and what is delivered again is known by its id.
//!
//! Ids are kept for the last [`SEEN_MAX`] events of all sources, 16 bytes each. What is delivered
//! again later than that is judged again; its findings have the same ids, so that the store still
//! keeps them once. How many ids were let go is counted.

use std::path::Path;

use clew_event::{EventId, TimestampNs};
use rusqlite::{Connection, Transaction, params};

use crate::error::LedgerError;

/// Name of the file in the state folder.
pub const FILE_NAME: &str = "intake.db";
/// Events that are known by their id.
pub const SEEN_MAX: usize = 1 << 20;
/// Parked messages that are kept; of more, the oldest are let go.
pub const PARKED_MAX: usize = 1000;
/// Longest text of a parked message that is kept, in bytes.
pub const PARKED_BYTES_MAX: usize = 64 << 10;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS cursor (
        source TEXT NOT NULL,
        key    TEXT NOT NULL,
        value  TEXT NOT NULL,
        PRIMARY KEY (source, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS seen (   -- one row a commit, its ids one behind the other
        number INTEGER PRIMARY KEY,
        ids    BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS parked (
        number INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        time   INTEGER NOT NULL,
        id     TEXT NOT NULL,
        reason TEXT NOT NULL,
        body   TEXT NOT NULL
    ) STRICT;
";

/// What a commit changes beside the ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A cursor moves.
    Move { key: String, value: String },
    /// A cursor is no longer needed.
    Forget { key: String },
    /// A message that cannot be read is put aside.
    Park(Parked),
}

/// A message that was delivered again and again and could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parked {
    /// When it was put aside.
    pub time: TimestampNs,
    /// Its id at the provider.
    pub id: String,
    /// Why it could not be read.
    pub reason: String,
    /// Its text, at most [`PARKED_BYTES_MAX`] of it.
    pub body: String,
}

/// The file.
#[derive(Debug)]
pub(crate) struct Ledger {
    connection: Connection,
    /// Ids in the file.
    seen: usize,
    seen_max: usize,
}

impl Ledger {
    pub(crate) fn open(folder: &Path) -> Result<Self, LedgerError> {
        Self::with_bound(folder, SEEN_MAX)
    }

    fn with_bound(folder: &Path, seen_max: usize) -> Result<Self, LedgerError> {
        let path = folder.join(FILE_NAME);
        std::fs::create_dir_all(folder)
            .map_err(|source| LedgerError::Folder { folder: folder.to_owned(), source })?;
        let at = |source| LedgerError::File { path: path.clone(), source };
        let connection = Connection::open(&path).map_err(at)?;
        connection.execute_batch(SCHEMA).map_err(at)?;
        let sql = "SELECT coalesce(sum(length(ids)), 0) / 16 FROM seen";
        let seen: u32 = connection.query_row(sql, (), |row| row.get(0)).map_err(at)?;
        Ok(Self { connection, seen: seen as usize, seen_max })
    }

    /// The ids of the last events, oldest first.
    pub(crate) fn seen(&self) -> Result<Vec<EventId>, LedgerError> {
        let mut select = self.connection.prepare("SELECT ids FROM seen ORDER BY number")?;
        let mut rows = select.query(())?;
        let mut ids = Vec::with_capacity(self.seen);
        while let Some(row) = rows.next()? {
            let bytes: Vec<u8> = row.get(0)?;
            let (all, _) = bytes.as_chunks::<16>();
            ids.extend(all.iter().map(|bytes| EventId(u128::from_be_bytes(*bytes))));
        }
        Ok(ids)
    }

    /// The cursors of a source, in order of their keys.
    pub(crate) fn cursors(&self, source: &str) -> Result<Vec<(String, String)>, LedgerError> {
        let sql = "SELECT key, value FROM cursor WHERE source = ? ORDER BY key";
        let mut select = self.connection.prepare(sql)?;
        let rows = select.query_map([source], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The parked messages of a source, oldest first.
    pub(crate) fn parked(&self, source: &str) -> Result<Vec<Parked>, LedgerError> {
        let sql = "SELECT time, id, reason, body FROM parked WHERE source = ? ORDER BY number";
        let mut select = self.connection.prepare(sql)?;
        let rows = select.query_map([source], |row| {
            let time: i64 = row.get(0)?;
            let time = TimestampNs::from_unix_ns(u64::try_from(time).unwrap_or_default());
            Ok(Parked { time, id: row.get(1)?, reason: row.get(2)?, body: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes all of it or none; returns how many ids were let go.
    pub(crate) fn write<'a>(
        &mut self,
        ids: &[EventId],
        changes: impl Iterator<Item = (&'a str, &'a Change)>,
    ) -> Result<usize, LedgerError> {
        let transaction = self.connection.transaction()?;
        for (source, change) in changes {
            carry_out(&transaction, source, change)?;
        }
        let mut seen = self.seen + ids.len();
        if !ids.is_empty() {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.0.to_be_bytes()).collect();
            transaction
                .prepare_cached("INSERT INTO seen (ids) VALUES (?)")?
                .execute(params![bytes])?;
        }
        let before = seen;
        while self.seen_max < seen {
            let sql = "DELETE FROM seen WHERE number = (SELECT min(number) FROM seen)
                RETURNING length(ids) / 16";
            let gone: u32 = transaction.prepare_cached(sql)?.query_row((), |row| row.get(0))?;
            seen -= gone as usize;
        }
        transaction.commit()?;
        self.seen = seen;
        Ok(before - seen)
    }
}

fn carry_out(
    transaction: &Transaction<'_>,
    source: &str,
    change: &Change,
) -> Result<(), rusqlite::Error> {
    match change {
        Change::Move { key, value } => transaction
            .prepare_cached("INSERT OR REPLACE INTO cursor (source, key, value) VALUES (?, ?, ?)")?
            .execute(params![source, key, value])?,
        Change::Forget { key } => transaction
            .prepare_cached("DELETE FROM cursor WHERE source = ? AND key = ?")?
            .execute(params![source, key])?,
        Change::Park(Parked { time, id, reason, body }) => {
            let time = i64::try_from(time.unix_ns()).unwrap_or(i64::MAX);
            let body = body.get(..body.floor_char_boundary(PARKED_BYTES_MAX)).unwrap_or_default();
            let sql = "INSERT INTO parked (source, time, id, reason, body) VALUES (?, ?, ?, ?, ?)";
            transaction.execute(sql, params![source, time, id, reason, body])?;
            let sql = "DELETE FROM parked WHERE number NOT IN
                (SELECT number FROM parked ORDER BY number DESC LIMIT ?)";
            transaction.execute(sql, params![i64::try_from(PARKED_MAX).unwrap_or(i64::MAX)])?
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_and_ids_survive_and_the_oldest_ids_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::with_bound(folder.path(), 3).unwrap();
        let moved = |value: &str| Change::Move { key: "k".into(), value: value.into() };
        let write = |ledger: &mut Ledger, ids: &[u128], change: &Change| {
            let ids: Vec<_> = ids.iter().copied().map(EventId).collect();
            ledger.write(&ids, [("s", change)].into_iter()).unwrap()
        };
        assert_eq!(write(&mut ledger, &[1, 2], &moved("a")), 0);
        assert_eq!(write(&mut ledger, &[3], &moved("b")), 0);
        drop(ledger);
        let mut ledger = Ledger::with_bound(folder.path(), 3).unwrap();
        assert_eq!(ledger.cursors("s").unwrap(), [("k".to_owned(), "b".to_owned())]);
        assert_eq!(ledger.cursors("other").unwrap(), []);
        assert_eq!(ledger.seen().unwrap(), [1, 2, 3].map(EventId));
        assert_eq!(write(&mut ledger, &[4], &Change::Forget { key: "k".into() }), 2);
        assert_eq!(ledger.seen().unwrap(), [3, 4].map(EventId));
        assert_eq!(ledger.cursors("s").unwrap(), []);
        assert_eq!(Ledger::open(folder.path()).unwrap().seen_max, SEEN_MAX);
    }

    #[test]
    fn parked_max_messages_are_kept_and_parked_bytes_max_of_each() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path()).unwrap();
        let park = |number: usize| {
            let body = "é".repeat(PARKED_BYTES_MAX);
            Change::Park(Parked { id: number.to_string(), body, ..Parked::default() })
        };
        let changes: Vec<_> = (0..=PARKED_MAX).map(park).collect();
        ledger.write(&[], changes.iter().map(|change| ("s", change))).unwrap();
        let parked = ledger.parked("s").unwrap();
        assert_eq!((parked.len(), parked[0].id.as_str()), (PARKED_MAX, "1"));
        assert_eq!(parked[0].body.len(), PARKED_BYTES_MAX);
    }
}
