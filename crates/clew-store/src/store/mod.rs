//! Findings, stories and their evidence in one SQLite file that survives a restart.
//!
//! One [`Store`] writes and is used from one thread; any number of [`StoreReader`]s, each with its
//! own connection, read beside it without waiting (SQLite's write-ahead log). Bodies are the JSON
//! of the machine interface, so that what the page shows is what was stored; the columns beside
//! them are only what lists are ranked and pruned by. The folder is the owner's alone (mode 0700):
//! command lines and paths are nobody else's business.
//!
//! Reading order: `schema`, this file (writing), [`reader`], [`retention`], [`summary`].
//! Invariant: what a `put_…` returned for is on the file of this machine, and a story never loses
//! its evidence to retention.

pub mod error;
pub mod reader;
pub mod retention;
mod schema;
pub mod summary;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clew_event::control_plane::CallStage;
use clew_event::{Event, Finding, Story};
use rusqlite::{Connection, OpenFlags, Transaction, params};

pub use error::StoreError;
pub use reader::{Counts, StoreReader};
pub use retention::{Pruned, Retention};
pub use summary::StorySummary;

/// Name of the file in the state folder.
pub const FILE_NAME: &str = "clew.db";
/// Name of the file whose lock says that somebody writes.
const LOCK_NAME: &str = "clew.lock";
/// Largest snapshot that is kept, before compression; SQLite's own limit is a billion bytes.
pub const SNAPSHOT_BYTES_MAX: usize = 512 << 20;
/// zstd's fast end: a snapshot is taken while events wait.
const SNAPSHOT_COMPRESSION_LEVEL: i32 = 1;

/// The one writer of a state folder. It reads as well, see [`StoreReader`].
#[derive(Debug)]
pub struct Store {
    own: StoreReader,
    folder: PathBuf,
    /// Held while the store lives; the operating system gives it up with the process.
    _lock: File,
}

/// What is stored at once, or not at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch<'a> {
    /// New findings.
    pub findings: &'a [Finding],
    /// What ties findings of the stories together; kept as findings are.
    pub links: &'a [Finding],
    /// New revisions.
    pub stories: &'a [Story],
    /// The events that prove them.
    pub events: &'a [Event],
}

impl Store {
    /// Opens the store in `folder`, and makes both where they are absent.
    ///
    /// # Errors
    /// Where the folder cannot be used, another process writes it, or the file is damaged, of a
    /// newer version, or not ours.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let at = |source| StoreError::Folder { folder: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at)?;
        let lock = lock(&folder.join(LOCK_NAME), folder)?;
        let path = folder.join(FILE_NAME);
        // Made here with its mode; SQLite gives the same to the files beside it.
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600).open(&path).map_err(at)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .and_then(|connection| schema::configure(&connection).map(|()| connection))
            .map_err(|source| StoreError::of_file(&path, source))?;
        let mut own = StoreReader::of_connection(connection, path);
        schema::migrate(&mut own)?;
        Ok(Self { own, folder: folder.to_owned(), _lock: lock })
    }

    /// A second connection that only reads, for another thread.
    ///
    /// # Errors
    /// Where the file cannot be opened again.
    pub fn reader(&self) -> Result<StoreReader, StoreError> {
        StoreReader::open(&self.folder)
    }

    /// Stores all of `batch` in one transaction. What is already there stays as it is, except
    /// that a story gives way to a later revision.
    ///
    /// # Errors
    /// Where the file cannot be written; then nothing of the batch was.
    pub fn put(&mut self, batch: Batch<'_>) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut findings = batch.findings.iter().chain(batch.links);
            findings.try_for_each(|finding| insert_finding(transaction, finding))?;
            batch.stories.iter().try_for_each(|story| insert_story(transaction, story))?;
            batch.events.iter().try_for_each(|event| insert_event(transaction, event))
        })
    }

    /// Stores one finding, as [`Store::put`].
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_finding(&mut self, finding: &Finding) -> Result<(), StoreError> {
        self.put(Batch { findings: std::slice::from_ref(finding), ..Batch::default() })
    }

    /// Stores one revision of a story, as [`Store::put`]. An earlier one than is there is ignored.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_story(&mut self, story: &Story) -> Result<(), StoreError> {
        self.put(Batch { stories: std::slice::from_ref(story), ..Batch::default() })
    }

    /// Stores the events that prove findings, as [`Store::put`].
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_events(&mut self, events: &[Event]) -> Result<(), StoreError> {
        self.put(Batch { events, ..Batch::default() })
    }

    /// Keeps the engine's state, in place of the one before.
    ///
    /// # Errors
    /// Where it is larger than [`SNAPSHOT_BYTES_MAX`] or the file cannot be written.
    pub fn save_snapshot(&mut self, snapshot: &[u8]) -> Result<(), StoreError> {
        if SNAPSHOT_BYTES_MAX < snapshot.len() {
            return Err(StoreError::SnapshotTooLarge { bytes: snapshot.len() });
        }
        let packed = zstd::bulk::compress(snapshot, SNAPSHOT_COMPRESSION_LEVEL)
            .map_err(|source| StoreError::Snapshot { source })?;
        self.write(|transaction| {
            let sql = "INSERT OR REPLACE INTO snapshot (id, size_bytes, packed) VALUES (1, ?, ?)";
            transaction.execute(sql, params![size_of_column(snapshot.len()), packed])?;
            Ok(())
        })
    }

    /// Removes what `retention` no longer asks to keep, seen from `now`, and gives the room back.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn prune(
        &mut self,
        now: clew_event::TimestampNs,
        retention: &Retention,
    ) -> Result<Pruned, StoreError> {
        let pruned = self.write(|transaction| retention::prune(transaction, now, retention))?;
        if pruned != Pruned::default() {
            let sql = "PRAGMA incremental_vacuum";
            let freed = self.own.connection().execute_batch(sql);
            freed.map_err(|source| self.own.failed(source))?;
        }
        Ok(pruned)
    }

    fn write<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, RowError>,
    ) -> Result<T, StoreError> {
        let done = self.own.connection_mut().transaction().map_err(RowError::from).and_then(
            |transaction| {
                let done = change(&transaction)?;
                transaction.commit()?;
                Ok(done)
            },
        );
        done.map_err(|error| match error {
            RowError::Sqlite(source) => self.own.failed(source),
            RowError::Json(source) => StoreError::Form { source },
        })
    }
}

/// A store reads whatever a reader reads.
impl Deref for Store {
    type Target = StoreReader;

    fn deref(&self) -> &StoreReader {
        &self.own
    }
}

/// Why one row could not be written or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

fn lock(path: &Path, folder: &Path) -> Result<File, StoreError> {
    let at = |source| StoreError::Folder { folder: folder.to_owned(), source };
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).mode(0o600).open(path).map_err(at)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::InUse { folder: folder.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(at(source)),
    }
}

fn insert_finding(transaction: &Transaction<'_>, finding: &Finding) -> Result<(), RowError> {
    let id = finding.id.to_string();
    let sql = "INSERT OR IGNORE INTO finding (id, time, body) VALUES (?, ?, ?)";
    let body = serde_json::to_string(finding)?;
    let mut insert = transaction.prepare_cached(sql)?;
    insert.execute(params![id, schema::time_column(finding.time), body])?;
    let executed = finding.subject.lineage.iter().filter_map(|process| process.executed_by);
    let sql = "INSERT OR IGNORE INTO finding_event (finding, event) VALUES (?, ?)";
    let mut insert = transaction.prepare_cached(sql)?;
    for event in finding.events.iter().copied().chain(executed) {
        insert.execute(params![id, event.to_string()])?;
    }
    Ok(())
}

fn insert_story(transaction: &Transaction<'_>, story: &Story) -> Result<(), RowError> {
    let id = story.id.to_string();
    let summary = StorySummary::of_story(story);
    let sql = "INSERT INTO story (id, revision, severity, likelihood, last, summary, body)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET revision = excluded.revision,
            severity = excluded.severity, likelihood = excluded.likelihood,
            last = excluded.last, summary = excluded.summary, body = excluded.body
        WHERE story.revision <= excluded.revision";
    transaction.prepare_cached(sql)?.execute(params![
        id,
        story.revision,
        summary::severity_rank(story.severity),
        story.likelihood_bits,
        schema::time_column(story.span.1),
        serde_json::to_string(&summary)?,
        serde_json::to_string(story)?,
    ])?;
    // Pins only grow: evidence of an earlier revision stays as long as its story.
    let mut pin =
        transaction.prepare_cached("INSERT OR IGNORE INTO pin (story, target) VALUES (?, ?)")?;
    pin.execute(params![id, story.root.finding.to_string()])?;
    for step in &story.steps {
        pin.execute(params![id, step.finding.to_string()])?;
        pin.execute(params![id, step.event.to_string()])?;
        for event in step.edge.iter().flat_map(|edge| &edge.events) {
            pin.execute(params![id, event.to_string()])?;
        }
    }
    for event in story.processes.iter().filter_map(|process| process.executed_by) {
        pin.execute(params![id, event.to_string()])?;
    }
    Ok(())
}

fn insert_event(transaction: &Transaction<'_>, event: &Event) -> Result<(), RowError> {
    let sql = "INSERT INTO event (id, time, body, told) VALUES (?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET time = excluded.time, body = excluded.body,
            told = excluded.told
        WHERE event.told < excluded.told";
    let body = serde_json::to_string(event)?;
    let time = schema::time_column(event.time);
    transaction.prepare_cached(sql)?.execute(params![
        event.id.to_string(),
        time,
        body,
        told(event)
    ])?;
    Ok(())
}

/// How much an event tells of its call: the parts of one call share their id, and the part that
/// tells most is kept, in whatever order they come.
fn told(event: &Event) -> u8 {
    match event.api_call().map(|call| call.stage) {
        None | Some(CallStage::Received) => 0,
        Some(CallStage::Started) => 1,
        Some(CallStage::Complete | CallStage::Failed) => 2,
    }
}

/// A size as SQLite holds it.
fn size_of_column(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
