//! What is wrong with an output that was asked for.

use std::io;
use std::path::PathBuf;

/// Why the text of an output cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// No such kind.
    #[error(
        "`{given}` is no kind of output; allowed are `stdout`, `file:PATH`, `syslog`, \
         `syslog:unix:PATH`, `syslog:udp:HOST:PORT`, `syslog:tcp:HOST:PORT`, `program:COMMAND`, \
         `http:URL`"
    )]
    Kind {
        /// What was given.
        given: String,
    },
    /// The kind needs more, or something else, after its colon.
    #[error("`{given}` does not name a place; allowed is `{allowed}`")]
    Target {
        /// What was given.
        given: String,
        /// How it is written.
        allowed: &'static str,
    },
    /// An option that this kind does not have.
    #[error("option {place} is `{given}`, but `{kind}` takes {allowed}")]
    Option {
        /// Which option, counted from 1.
        place: usize,
        /// Its name.
        given: String,
        /// Kind of the output.
        kind: &'static str,
        /// Those it has.
        allowed: String,
    },
    /// An option without a value.
    #[error(
        "option {place} is `{given}`, but an option is `name=value`; a comma inside of a path, \
         command, address or value is written twice (`,,`)"
    )]
    NoValue {
        /// Which option, counted from 1.
        place: usize,
        /// What was given.
        given: String,
    },
    /// A value that the option cannot have.
    #[error("option {place}, `{option}`, is `{given}`; allowed is {allowed}")]
    Value {
        /// Which option, counted from 1.
        place: usize,
        /// Its name.
        option: &'static str,
        /// What was given.
        given: String,
        /// What it takes.
        allowed: &'static str,
    },
    /// Falco's form has no stories.
    #[error(
        "`format=falco` has no stories, but `only=stories` asks for nothing else: take \
         `format=clew` or `format=ocsf`"
    )]
    NoStories,
}

/// Why an output cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// More outputs than [`OUTPUTS_MAX`](crate::outputs::OUTPUTS_MAX).
    #[error("{given} outputs are given; at most {allowed} are allowed")]
    TooMany {
        /// How many.
        given: usize,
        /// How many may be.
        allowed: usize,
    },
    /// The file cannot be written.
    #[error("output `{name}`: cannot open the file to append to it")]
    Open {
        /// The output.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// A file that an option names cannot be read.
    #[error("output `{name}`: cannot read `{}`, which `{option}` names", path.display())]
    Read {
        /// The output.
        name: String,
        /// The option.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of certificates has none.
    #[error("output `{name}`: `{}` holds no certificate in PEM form", path.display())]
    Certificates {
        /// The output.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// The machine has no list of certificate authorities.
    #[error(
        "output `{name}`: this machine has no list of certificate authorities; install its \
         `ca-certificates`, or name a file with `ca=PATH`"
    )]
    NoAuthorities {
        /// The output.
        name: String,
    },
    /// A header that HTTP does not allow.
    #[error("output `{name}`: the header `{header}` has a name or value that HTTP does not allow")]
    Header {
        /// The output.
        name: String,
        /// Its name; values may be secret.
        header: String,
    },
    /// No thread can be made.
    #[error("output `{name}`: cannot start its thread")]
    Thread {
        /// The output.
        name: String,
        /// Why.
        source: io::Error,
    },
}
