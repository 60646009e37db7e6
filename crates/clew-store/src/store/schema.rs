//! The tables, and how a file of an earlier version becomes one of this.

use clew_event::TimestampNs;
use rusqlite::Connection;

use super::error::StoreError;
use super::reader::StoreReader;

/// `CLEW`: SQLite keeps it in the file's header, so that a file of another program is not taken
/// for ours.
const APPLICATION_ID: i64 = 0x434c_4557;

/// Each step leads from the version of its place to the next. Never changed once released; a new
/// one is added at the end.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE finding (
        id   TEXT PRIMARY KEY,
        time INTEGER NOT NULL,           -- nanoseconds since the Unix epoch, as everywhere
        body TEXT NOT NULL               -- JSON, as everywhere
    ) STRICT;
    CREATE INDEX finding_by_time ON finding (time);

    CREATE TABLE story (
        id         TEXT PRIMARY KEY,
        revision   INTEGER NOT NULL,
        severity   INTEGER NOT NULL,     -- 0 low to 3 critical
        likelihood REAL NOT NULL,        -- bits
        last       INTEGER NOT NULL,
        summary    TEXT NOT NULL,
        body       TEXT NOT NULL
    ) STRICT;
    CREATE INDEX story_by_rank ON story (severity DESC, likelihood DESC, last DESC, id);

    CREATE TABLE event (
        id   TEXT PRIMARY KEY,
        time INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX event_by_time ON event (time);

    CREATE TABLE finding_event (         -- which events prove a finding
        finding TEXT NOT NULL,
        event   TEXT NOT NULL,
        PRIMARY KEY (finding, event)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX finding_by_event ON finding_event (event);

    CREATE TABLE pin (                   -- findings and events that a story keeps
        story  TEXT NOT NULL,
        target TEXT NOT NULL,
        PRIMARY KEY (story, target)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX pin_by_target ON pin (target);

    CREATE TABLE snapshot (              -- one row: the engine's state
        id         INTEGER PRIMARY KEY CHECK (id = 1),
        size_bytes INTEGER NOT NULL,
        packed     BLOB NOT NULL         -- zstd
    ) STRICT;
",
    "
    ALTER TABLE event ADD COLUMN told INTEGER NOT NULL DEFAULT 0;  -- how much it tells of its call
",
];

/// Settings of the writing connection. A commit survives a crash of the program; only a crash of
/// the machine may take the last ones (`synchronous = NORMAL`), and never the file.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA busy_timeout = 5000;
         PRAGMA trusted_schema = OFF;
         PRAGMA journal_size_limit = 16777216;",
    )
}

/// Brings the file to this version.
pub(super) fn migrate(store: &mut StoreReader) -> Result<(), StoreError> {
    let known = MIGRATIONS.len();
    let found = version(store)?;
    if found == 0 && !is_empty(store)? {
        return Err(StoreError::Foreign { path: store.path().to_owned() });
    }
    if known < found {
        let path = store.path().to_owned();
        return Err(StoreError::Newer { path, found, known });
    }
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        let sql = format!(
            "BEGIN IMMEDIATE; {sql}; PRAGMA application_id = {APPLICATION_ID}; \
             PRAGMA user_version = {}; COMMIT;",
            step + 1
        );
        store.connection().execute_batch(&sql).map_err(|source| store.failed(source))?;
    }
    Ok(())
}

/// How many migrations the file has behind it; an error where another program made it.
pub(super) fn version(store: &StoreReader) -> Result<usize, StoreError> {
    let version = store.pragma("user_version")?;
    let application = store.pragma("application_id")?;
    if application != APPLICATION_ID && (application != 0 || version != 0) {
        return Err(StoreError::Foreign { path: store.path().to_owned() });
    }
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Fails where a reading connection meets a file of another version.
pub(super) fn check_version(store: &StoreReader) -> Result<(), StoreError> {
    let (found, known) = (version(store)?, MIGRATIONS.len());
    let path = || store.path().to_owned();
    match found {
        0 => Err(StoreError::Foreign { path: path() }),
        found if known < found => Err(StoreError::Newer { path: path(), found, known }),
        _ => Ok(()),
    }
}

fn is_empty(store: &StoreReader) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM sqlite_schema";
    let count: i64 = store
        .connection()
        .query_row(sql, [], |row| row.get(0))
        .map_err(|source| store.failed(source))?;
    Ok(count == 0)
}

/// A time as SQLite holds it: signed, so it stops in the year 2262.
pub(super) fn time_column(time: TimestampNs) -> i64 {
    i64::try_from(time.unix_ns()).unwrap_or(i64::MAX)
}
