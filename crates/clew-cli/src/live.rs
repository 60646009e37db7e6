//! What commands that watch the machine share: stopping, polling, and saying why they cannot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clew_event::{Event, TimestampNs};
use clew_sensor::{Sensor, SensorError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::Exit;

/// How long one poll of the sensor waits: the longest that an interrupt goes unnoticed.
pub(crate) const POLL_SPAN: Duration = Duration::from_millis(100);

/// Stops watching, and gives what was recorded until then, losses included.
pub(crate) fn drain(
    sensor: &mut Sensor,
    mut take_in: impl FnMut(&[Event]) -> Result<()>,
) -> Result<()> {
    /// Both rings are empty long before; a bound all the same.
    const POLLS_AT_MOST: usize = 1024;
    sensor.detach();
    let mut events = Vec::new();
    for _ in 0..POLLS_AT_MOST {
        events.clear();
        sensor.poll(POLL_SPAN, &mut events)?;
        if events.is_empty() {
            break;
        }
        take_in(&events)?;
    }
    Ok(())
}

/// Set once the user asks to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asked by interrupt or termination (Ctrl-C, SIGTERM).
    pub(crate) fn on_interrupt() -> Result<Self> {
        let stop = Self(Arc::default());
        for signal in [SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&stop.0)).context("cannot catch interrupts")?;
        }
        Ok(stop)
    }

    /// True once it was asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Set by SIGHUP: rules are to be read again, and files of outputs opened anew.
#[derive(Clone, Debug)]
pub(crate) struct Hangup(Arc<AtomicBool>);

impl Hangup {
    /// From now on SIGHUP asks, and no longer ends the program.
    pub(crate) fn on_signal() -> Result<Self> {
        let hangup = Self(Arc::default());
        flag::register(SIGHUP, Arc::clone(&hangup.0)).context("cannot catch SIGHUP")?;
        Ok(hangup)
    }

    /// True once for each time it was asked.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// The machine's clock. Only the shells read it; the engine lives by the time of events.
pub(crate) fn now() -> TimestampNs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampNs::default().after(since_epoch)
}

/// Says why the sensor cannot watch this machine, and what would help.
pub(crate) fn unable(error: &SensorError) -> Exit {
    eprintln!("clew cannot watch this machine: {}", chain(error));
    eprintln!("`clew doctor` says what is missing and how to get it;");
    eprintln!("`clew replay FILE` and `clew run FILE` judge a tape without any privilege");
    Exit::Unable
}

/// An error with its causes, each once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
