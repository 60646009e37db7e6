//! `clew record`: what the sensor sees, to a tape, without judging it.

use std::fs::File;
use std::io::BufWriter;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clew_sensor::Sensor;
use clew_store::tape::{TapeHeader, TapeWriter};

use crate::Exit;
use crate::args::RecordArgs;
use crate::live::{POLL_SPAN, Stop, unable};

/// Records until the time is over or an interrupt comes.
pub(crate) fn record(args: &RecordArgs) -> Result<Exit> {
    let mut sensor = match Sensor::start(clew_sensor::Settings::default()) {
        Ok(sensor) => sensor,
        Err(error) => return Ok(unable(&error)),
    };
    let mut tape = create(&args.out)?;
    let stop = Stop::on_interrupt()?;
    let began = Instant::now();
    let span = args.seconds.map(Duration::from_secs);
    let mut events = Vec::new();
    let mut count = 0;
    while !stop.is_asked() && span.is_none_or(|span| began.elapsed() < span) {
        events.clear();
        sensor.poll(POLL_SPAN, &mut events)?;
        for event in &events {
            tape.append(event)?;
        }
        count += events.len();
    }
    tape.finish()?;
    println!("{count} events recorded to {}", args.out.display());
    Ok(Exit::Done)
}

/// A new tape at `path`.
pub(crate) fn create(path: &std::path::Path) -> Result<TapeWriter<BufWriter<File>>> {
    let place = || format!("cannot write the tape `{}`", path.display());
    let file = File::create(path).with_context(place)?;
    let header = TapeHeader::of_recorder(concat!("clew ", env!("CARGO_PKG_VERSION")));
    TapeWriter::create(BufWriter::new(file), &header).with_context(place)
}
