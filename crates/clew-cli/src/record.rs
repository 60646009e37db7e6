//! `clew record`: what the sensor sees, to a tape, without judging it.

use std::time::{Duration, Instant};

use anyhow::Result;
use clew_sensor::Sensor;

use crate::Exit;
use crate::args::RecordArgs;
use crate::live::{self, POLL_SPAN, Stop, unable};
use crate::recorder::Recorder;
use crate::requests;

/// Records until the time is over or an interrupt comes.
pub(crate) fn record(args: &RecordArgs) -> Result<Exit> {
    // Nobody has the key of the principals of a tape.
    let settings = args.requests.sensor(requests::new_key()?);
    let mut sensor = match Sensor::start(settings) {
        Ok(sensor) => sensor,
        Err(error) => return Ok(unable(&error)),
    };
    args.requests.watch_tls(&mut sensor);
    let mut tape = Recorder::create(&args.out)?;
    let stop = Stop::on_interrupt()?;
    let began = Instant::now();
    let span = args.seconds.map(Duration::from_secs);
    let mut events = Vec::new();
    while !stop.is_asked() && span.is_none_or(|span| began.elapsed() < span) {
        events.clear();
        sensor.poll(POLL_SPAN, &mut events)?;
        tape.append(&events)?;
    }
    live::drain(&mut sensor, |events| tape.append(events))?;
    tape.finish()?;
    Ok(Exit::Done)
}
