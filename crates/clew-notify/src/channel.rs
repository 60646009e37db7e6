//! What every kind of output can do: take one line.

use std::error::Error;

use crate::form::Note;

/// One way out. Every wait in it is bounded by the output's time limit.
pub(crate) trait Channel: Send {
    /// Hands over one line.
    fn deliver(&mut self, note: &Note) -> Result<Delivered, Failure>;

    /// Opens anew what another program may have moved away.
    fn reopen(&mut self) {}
}

/// How much of a line arrived, as far as the way out can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// All of it.
    Whole,
    /// Its beginning: the way out has a limit.
    Cut,
}

/// Why a line did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may arrive later.
    Passing(String),
    /// It would be refused again.
    Lasting(String),
}

impl Failure {
    /// An error that may pass, with its causes.
    pub(crate) fn passing(what: &str, error: &dyn Error) -> Self {
        Self::Passing(format!("{what}: {}", chain(error)))
    }
}

/// An error with its causes, each once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
