//! Reads the store, on a connection of its own.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use clew_event::{EventId, Finding, FindingId, Story, StoryId};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::summary::StorySummary;
use super::{FILE_NAME, SNAPSHOT_BYTES_MAX, schema};

/// Most stories that one list gives.
pub const STORIES_MAX: usize = 1000;

/// A reading connection. It may move to another thread, and sees each commit of the writer.
#[derive(Debug)]
pub struct StoreReader {
    connection: Connection,
    path: PathBuf,
}

/// How much the store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Stories.
    pub stories: u64,
    /// Findings.
    pub findings: u64,
    /// Events that prove them.
    pub events: u64,
}

impl StoreReader {
    /// Opens the store in `folder` for reading.
    ///
    /// # Errors
    /// Where there is none, or it is damaged, of a newer version, or not ours.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .and_then(|connection| {
                connection.execute_batch(
                    "PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF;
                     PRAGMA query_only = ON;",
                )?;
                Ok(connection)
            })
            .map_err(|source| StoreError::of_file(&path, source))?;
        let reader = Self { connection, path };
        schema::check_version(&reader)?;
        Ok(reader)
    }

    /// The worst stories first: by severity, then likelihood, then time; at most
    /// [`STORIES_MAX`]. A story without a step was merged into another or taken back: it is
    /// found by its id only.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn stories(&self, limit: usize) -> Result<Vec<StorySummary>, StoreError> {
        let sql = "SELECT summary FROM story WHERE 0 < summary ->> '$.steps'
            ORDER BY severity DESC, likelihood DESC, last DESC, id LIMIT ?";
        let limit = i64::try_from(limit.min(STORIES_MAX)).unwrap_or(0);
        let bodies = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut query| {
                query.query_map([limit], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()
            })
            .map_err(|source| self.failed(source))?;
        bodies.iter().map(|body| parsed(body)).collect()
    }

    /// The last revision of a story.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn story(&self, id: StoryId) -> Result<Option<Story>, StoreError> {
        self.story_json(id)?.as_deref().map(parsed).transpose()
    }

    /// The last revision of a story as it was stored.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn story_json(&self, id: StoryId) -> Result<Option<String>, StoreError> {
        self.body("SELECT body FROM story WHERE id = ?", id)
    }

    /// One finding.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn finding(&self, id: FindingId) -> Result<Option<Finding>, StoreError> {
        self.finding_json(id)?.as_deref().map(parsed).transpose()
    }

    /// Those of `ids` that are there, in the same order.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn findings(&self, ids: &[FindingId]) -> Result<Vec<Finding>, StoreError> {
        ids.iter().filter_map(|id| self.finding(*id).transpose()).collect()
    }

    /// One finding as it was stored.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn finding_json(&self, id: FindingId) -> Result<Option<String>, StoreError> {
        self.body("SELECT body FROM finding WHERE id = ?", id)
    }

    /// One event as it was stored.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn event_json(&self, id: EventId) -> Result<Option<String>, StoreError> {
        self.body("SELECT body FROM event WHERE id = ?", id)
    }

    /// The engine's state as it was last saved.
    ///
    /// # Errors
    /// Where the file cannot be read or the snapshot cannot be unpacked.
    pub fn load_snapshot(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT size_bytes, packed FROM snapshot";
        let row = self
            .connection
            .query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .optional()
            .map_err(|source| self.failed(source))?;
        let Some((size, packed)) = row else { return Ok(None) };
        let size = usize::try_from(size).unwrap_or(0).min(SNAPSHOT_BYTES_MAX);
        zstd::bulk::decompress(&packed, size)
            .map(Some)
            .map_err(|source| StoreError::Snapshot { source })
    }

    /// How much the store holds.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM story), (SELECT count(*) FROM finding),
            (SELECT count(*) FROM event)";
        let count = |row: &rusqlite::Row<'_>, column| {
            row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0))
        };
        self.connection
            .query_row(sql, [], |row| {
                Ok(Counts {
                    stories: count(row, 0)?,
                    findings: count(row, 1)?,
                    events: count(row, 2)?,
                })
            })
            .map_err(|source| self.failed(source))
    }

    pub(super) const fn of_connection(connection: Connection, path: PathBuf) -> Self {
        Self { connection, path }
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) const fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::of_file(&self.path, source)
    }

    pub(super) fn pragma(&self, name: &str) -> Result<i64, StoreError> {
        self.connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|source| self.failed(source))
    }

    fn body(&self, sql: &str, id: impl Display) -> Result<Option<String>, StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row([id.to_string()], |row| row.get(0)).optional())
            .map_err(|source| self.failed(source))
    }
}

fn parsed<T: DeserializeOwned>(body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|source| StoreError::Form { source })
}
