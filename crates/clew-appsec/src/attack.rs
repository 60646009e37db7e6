//! Attacks in the bytes of a request: a suspicion, never a proof.

use clew_event::http::HttpEvent;

use crate::detected::Detected;

/// The compiled patterns of all classes of attacks.
#[derive(Debug, Default)]
pub struct Attacks {}

impl Attacks {
    /// Compiles them; once a process.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }

    /// Adds what the request, or its response, holds.
    pub fn judge(&self, event: &HttpEvent, found: &mut Vec<Detected>) {
        let _ = (event, found);
    }
}
