//! Prints what the sensor sees: `cargo run -p clew-sensor --example watch [SECONDS]`.

use std::io::Write;
use std::time::{Duration, Instant};

use clew_sensor::{Sensor, Settings};

fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(10), |given| given.parse())?;
    let mut sensor = Sensor::start(Settings::default())?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut out = std::io::stdout().lock();
    let mut events = Vec::new();
    while Instant::now() < end {
        sensor.poll(Duration::from_millis(200), &mut events)?;
        for event in events.drain(..) {
            writeln!(out, "{} {:?} {:?}", event.time, event.actor, event.kind)?;
        }
    }
    writeln!(out, "{:?}", sensor.totals())?;
    Ok(())
}
