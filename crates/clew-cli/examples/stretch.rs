//! Lays tapes end to end and stretches their time, so that minutes of load stand for days.
//!
//! `cargo run -p clew-cli --example stretch -- FACTOR OUT TAPE…`
//!
//! A profile learns by units of ten minutes, and is ready after about a thousand; nobody records a
//! week to measure that. With a factor of 120 five seconds of load are one unit. What is measured
//! then is how units repeat one another, which is what the promise is about; what only time brings
//! (a job of the night, a log that is turned each week) is not in it. The end stays where it was,
//! so what comes after the last tape comes after this one.
#![allow(clippy::print_stderr, reason = "an example speaks to who runs it")]

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clew_event::{Event, EventKind, TimestampNs};
use clew_store::tape::{TapeHeader, TapeReader, TapeWriter};

fn open(path: &str) -> Result<TapeReader<BufReader<File>>> {
    let file = File::open(path).with_context(|| format!("cannot read `{path}`"))?;
    TapeReader::open(path, BufReader::new(file))
        .map_err(|complaint| anyhow::anyhow!("`{path}` is no tape: {}", complaint.message))
}

/// How a piece's times are changed: its end comes to `end`, and `factor` stretches what lies before.
#[derive(Clone, Copy)]
struct Stretch {
    factor: u32,
    was: TimestampNs,
    end: TimestampNs,
}

impl Stretch {
    fn time(self, time: TimestampNs) -> TimestampNs {
        self.end.before(self.was.since(time) * self.factor)
    }

    fn event(self, event: Event) -> Event {
        let (time, arrived) = (self.time(event.time), self.time(event.arrived));
        let kind = match event.kind {
            EventKind::Container(mut container) => {
                container.started = self.time(container.started);
                EventKind::Container(container)
            }
            kind => kind,
        };
        Event { time, arrived, kind, ..event }
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "stretch FACTOR OUT TAPE…";
    let factor: u32 = arguments.next().context(usage)?.parse().context(usage)?;
    let out = arguments.next().context(usage)?;
    let mut pieces = Vec::new();
    let mut end = None;
    for path in arguments.collect::<Vec<_>>().into_iter().rev() {
        let (first, last) = open(&path)?.span()?.with_context(|| format!("`{path}` is empty"))?;
        let stretch = Stretch { factor, was: last, end: end.unwrap_or(last) };
        // Pieces do not share a unit.
        end = Some(stretch.time(first).before(Duration::from_secs(600)));
        pieces.push((path, stretch));
    }
    let file = BufWriter::new(File::create(&out).with_context(|| format!("cannot write `{out}`"))?);
    let mut tape = TapeWriter::create(file, &TapeHeader::of_recorder("stretch"))?;
    for (path, stretch) in pieces.into_iter().rev() {
        for event in open(&path)? {
            match event {
                Ok(event) => tape.append(&stretch.event(event))?,
                Err(complaint) => eprintln!("stretch: {path}: {}", complaint.message),
            }
        }
    }
    let events = tape.events();
    tape.finish()?;
    eprintln!("stretch: {events} events");
    Ok(())
}
