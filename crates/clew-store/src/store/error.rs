//! Why the store could not do what it was asked, and the way out.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::SNAPSHOT_BYTES_MAX;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The state folder cannot be made or written.
    #[error("cannot use the state folder `{}`: give one that you may write", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes there.
    #[error(
        "another clew writes to the state folder `{}`: stop it, or give another folder",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "the store `{}` is damaged: move it away and a new one is made; `sqlite3 OLD .recover` \
         saves what it holds",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A later version wrote the file.
    #[error(
        "the store `{}` has version {found}, this program knows up to {known}: run the newer \
         clew, or give another folder",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The version that this program writes.
        known: usize,
    },
    /// Another program wrote the file.
    #[error("`{}` is no store of clew: give another folder", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Reading or writing failed, with the file as it was.
    #[error("the store `{}` cannot be read or written", path.display())]
    Access {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A stored or given body has not the form it should have.
    #[error("a stored record has another form than this program writes")]
    Form {
        /// Where it differs.
        source: serde_json::Error,
    },
    /// The engine's state is too large to keep.
    #[error("a snapshot of {bytes} bytes is larger than the {SNAPSHOT_BYTES_MAX} that are kept")]
    SnapshotTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The engine's state cannot be packed or unpacked.
    #[error("the engine's snapshot is unreadable: it is left aside, and the engine starts anew")]
    Snapshot {
        /// What zstd says.
        source: io::Error,
    },
}

impl StoreError {
    /// The error for what SQLite says of the file at `path`.
    pub(super) fn of_file(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, source }
            }
            _ => Self::Access { path, source },
        }
    }
}
