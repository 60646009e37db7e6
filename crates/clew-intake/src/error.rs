//! What is wrong with a source that was asked for, or with what the intake keeps.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the text of a source cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// No such kind, or nothing behind it.
    #[error("`{given}` is no source; allowed are {allowed}")]
    Kind {
        /// What was given.
        given: String,
        /// The kinds.
        allowed: String,
    },
    /// An option that this kind does not have.
    #[error("option {place} is `{given}`, but `{kind}` takes {allowed}")]
    Option {
        /// Which option, counted from 1.
        place: usize,
        /// What was given.
        given: String,
        /// Kind of the source.
        kind: &'static str,
        /// Those it has.
        allowed: String,
    },
    /// A value that cannot be.
    #[error("`{name}` is `{given}`; allowed is {allowed}")]
    Value {
        /// What it is of.
        name: &'static str,
        /// What was given.
        given: String,
        /// What it takes.
        allowed: &'static str,
    },
    /// An option without which this kind does not work.
    #[error("`{kind}` needs `{option}={value}`")]
    Missing {
        /// Kind of the source.
        kind: &'static str,
        /// The option.
        option: &'static str,
        /// What it takes.
        value: &'static str,
    },
}

/// Why a source cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Too many of them.
    #[error("{given} sources are asked for, at most {allowed} are possible")]
    TooMany {
        /// How many were asked for.
        given: usize,
        /// How many there may be.
        allowed: usize,
    },
    /// Two of one name would share their cursors.
    #[error("two sources are called `{name}`: give one of them another `name=`")]
    SameName {
        /// The name.
        name: String,
    },
    /// What was kept cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No thread or runtime is to be had.
    #[error("cannot start a thread for source `{name}`")]
    Thread {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that an option names cannot be read.
    #[error("source `{name}`: cannot read `{}`", path.display())]
    File {
        /// The source.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that an option names does not hold what it should.
    #[error("source `{name}`: `{}` holds no {expected}", path.display())]
    Content {
        /// The source.
        name: String,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// Records and tokens would travel in the clear.
    #[error(
        "source `{name}`: {address} can be reached from elsewhere, so it needs `cert=PATH` and \
         `key=PATH`"
    )]
    InTheClear {
        /// The source.
        name: String,
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("source `{name}`: cannot listen on {address}")]
    Listen {
        /// The source.
        name: String,
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why cursors cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The folder cannot be made.
    #[error("cannot use `{}` for cursors", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be opened.
    #[error("cannot open `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A statement failed.
    #[error("cannot keep how far sources were read")]
    Statement(#[from] rusqlite::Error),
}
