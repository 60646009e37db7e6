//! Standard output: one JSON line each.

use std::io::{self, Write as _};

use crate::channel::{Channel, Delivered, Failure};
use crate::form::Note;

/// Writes to standard output, which it locks for one line at a time.
#[derive(Debug)]
pub(crate) struct StandardOut;

impl Channel for StandardOut {
    fn deliver(&mut self, note: &Note) -> Result<Delivered, Failure> {
        let mut out = io::stdout().lock();
        let outcome = writeln!(out, "{}", note.line).and_then(|()| out.flush());
        match outcome {
            Ok(()) => Ok(Delivered::Whole),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(Failure::Lasting("nobody reads standard output any more".to_owned()))
            }
            Err(error) => Err(Failure::passing("cannot write to standard output", &error)),
        }
    }
}
