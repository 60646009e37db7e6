//! What sources beside the sensor bring, and what is said to them once it is kept.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clew_event::Event;
use clew_intake::{Ack, Committer, Intake, SourceFigures, SourceSpec};

use crate::print::{self, Form};
use crate::requests::{RequestArgs, kept_key};

/// Events taken at once, so that the sensor's ring is never left waiting for long.
const EVENTS_AT_ONCE: usize = 16_384;

/// The sources that were asked for, if any.
#[derive(Debug, Default)]
pub(crate) struct Inlet(Option<Intake>);

impl Inlet {
    /// Starts the sources; what was read of them is kept in the folder `state`.
    pub(crate) fn start(
        specs: &[SourceSpec],
        requests: &RequestArgs,
        state: &Path,
    ) -> Result<(Self, Option<Committer>)> {
        if specs.is_empty() {
            return Ok((Self::default(), None));
        }
        let http = requests.reading(kept_key(state)?);
        let (intake, committer) =
            Intake::start_with(specs.to_vec(), state, http).context("cannot start the sources")?;
        for SourceFigures { name, address, .. } in intake.monitor().figures() {
            let place = if address.is_empty() { String::new() } else { format!(" at {address}") };
            eprintln!("source: {name}{place}");
        }
        Ok((Self(Some(intake)), Some(committer)))
    }

    /// Adds what has come; waits for it at most `span`. What is wrong with it goes to standard
    /// error.
    pub(crate) fn take(&mut self, span: Duration, events: &mut Vec<Event>) -> Result<Vec<Ack>> {
        let Some(intake) = &mut self.0 else {
            std::thread::sleep(span);
            return Ok(Vec::new());
        };
        let (before, mut acks) = (events.len(), Vec::new());
        let mut next = intake.poll(span);
        while let Some(delivered) = next {
            for complaint in &delivered.complaints {
                print::complaint(&mut io::stderr(), Form::Human, complaint)?;
            }
            events.extend(delivered.events);
            acks.push(delivered.ack);
            let has_room = events.len() - before < EVENTS_AT_ONCE;
            next = has_room.then(|| intake.poll(Duration::ZERO)).flatten();
        }
        Ok(acks)
    }

    /// How each source stands.
    pub(crate) fn figures(&self) -> Vec<SourceFigures> {
        self.0.as_ref().map(|intake| intake.monitor().figures()).unwrap_or_default()
    }
}
