//! A tape being recorded: a killed recorder leaves all but the last second.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clew_event::Event;
use clew_store::tape::{TapeError, TapeHeader, TapeWriter};

/// How often what was taken in is brought to the disk.
const FLUSH_SPAN: Duration = Duration::from_secs(1);

/// The event as a tape may hold it.
fn without_secrets(event: &Event) -> Cow<'_, Event> {
    match event.kind.redacted() {
        None => Cow::Borrowed(event),
        Some(kind) => Cow::Owned(Event { kind, ..*event }),
    }
}

/// A tape, where it lies, and what it could not take.
#[derive(Debug)]
pub(crate) struct Recorder {
    tape: TapeWriter<BufWriter<File>>,
    path: PathBuf,
    flushed: Instant,
    skipped: u64,
}

impl Recorder {
    /// Begins a new tape at `path`; one that is there is replaced.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let place = || format!("cannot write the tape `{}`", path.display());
        let file = BufWriter::new(File::create(path).with_context(place)?);
        let header = TapeHeader::of_recorder(concat!("clew ", env!("CARGO_PKG_VERSION")));
        let tape = TapeWriter::create(file, &header).with_context(place)?;
        Ok(Self { tape, path: path.to_owned(), flushed: Instant::now(), skipped: 0 })
    }

    /// Takes in events. One that a tape cannot hold is counted, and its neighbours are taken.
    pub(crate) fn append(&mut self, events: &[Event]) -> Result<()> {
        let place = |path: &Path| format!("cannot write the tape `{}`", path.display());
        for event in events {
            match self.tape.append(&without_secrets(event)) {
                Ok(()) => {}
                Err(error @ TapeError::Io(_)) => {
                    return Err(error).with_context(|| place(&self.path));
                }
                Err(_) => self.skipped += 1,
            }
        }
        if FLUSH_SPAN <= self.flushed.elapsed() {
            self.tape.flush().with_context(|| place(&self.path))?;
            self.flushed = Instant::now();
        }
        Ok(())
    }

    /// Ends the tape with its index, and says what is on it.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { tape, path, skipped, .. } = self;
        let events = tape.events();
        tape.finish().with_context(|| format!("cannot end the tape `{}`", path.display()))?;
        eprintln!("{events} events recorded to {}", path.display());
        if 0 < skipped {
            eprintln!("{skipped} events were too long for a tape and are not on it");
        }
        Ok(())
    }
}
