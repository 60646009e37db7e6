//! What a connect costs its caller: bare, told, kept back by its peer, and not wanted at all.
//!
//! `cargo run --release -p clew-sensor --example connects -- [ROUNDS [SECONDS]]`
//!
//! A child connects one UDP socket to the same peer again and again, in all four ways in turn in
//! each round, so that what else runs on the machine hits all alike; CPU time of the child counts.
//! The medians are told, and that of what each way adds to the bare connect of its round.

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clew_event::interest::{InterestSet, QuietVerdict};
use clew_sensor::{Sensor, Settings, Totals};

/// Connects between two looks at the clock.
const STRIDE: u32 = 32;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, seconds] = arguments.as_slice()
        && mode == "work"
    {
        return work(Duration::from_secs_f64(seconds.parse()?));
    }
    let number = |place: usize, default: u32| {
        arguments.get(place).map_or(Ok(default), |given| given.parse::<u32>())
    };
    let (rounds, span) = (number(0, 7)?, Duration::from_secs(number(1, 1)?.into()));
    let mut added = [const { Vec::new() }; 3];
    let (mut bare, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let base_ns = round(None, span, QuietVerdict::Told)?;
        bare.push(base_ns);
        let mut sensor = Sensor::start(Settings::default())?;
        for (way, all) in added.iter_mut().enumerate() {
            let wanted = if way == 2 { InterestSet::default() } else { InterestSet::everything() };
            sensor.set_interest(&wanted)?;
            let verdict = if way == 1 { QuietVerdict::Always } else { QuietVerdict::Told };
            let before = Totals::sum(&sensor.totals().quieted);
            let ns = round(Some(&mut sensor), span, verdict)?;
            all.push(ns - base_ns);
            if way == 1 {
                let kept = Totals::sum(&sensor.totals().quieted) - before;
                #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
                rates.push(kept as f64 / span.as_secs_f64());
            }
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "bare: {:.0} ns a connect", median(&mut bare))?;
    for (name, all) in ["told", "kept back", "not wanted"].iter().zip(&mut added) {
        writeln!(out, "{name}: {:+.0} ns, of {}", median(all), shown(all))?;
    }
    writeln!(out, "kept back a second: {:.0}", median(&mut rates))?;
    Ok(())
}

/// CPU nanoseconds a connect of a child that connects for `span`.
fn round(sensor: Option<&mut Sensor>, span: Duration, verdict: QuietVerdict) -> Result<f64> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["work", &span.as_secs_f64().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the load")?;
    if let Some(sensor) = sensor {
        let (end, mut events) = (Instant::now() + span, Vec::new());
        while Instant::now() < end {
            sensor.poll(Duration::from_millis(50), &mut events)?;
            events.drain(..).for_each(|event| sensor.quiet(&event, || verdict));
        }
    }
    let mut text = String::new();
    child.stdout.take().context("no output")?.read_to_string(&mut text)?;
    ensure!(child.wait()?.success(), "the load failed");
    text.trim().parse().context("no figure")
}

/// Connects a socket to the port of another; prints CPU nanoseconds a connect.
fn work(span: Duration) -> Result<()> {
    let peer = UdpSocket::bind("127.0.0.1:0")?;
    let (socket, address) = (UdpSocket::bind("127.0.0.1:0")?, peer.local_addr()?);
    // What is connected first is told, and judged; that is no part of the figure.
    socket.connect(address)?;
    let (begin, begin_ns, mut count) = (Instant::now(), cpu_ns(), 0);
    while begin.elapsed() < span {
        for _ in 0..STRIDE {
            socket.connect(address)?;
        }
        count += STRIDE;
    }
    writeln!(std::io::stdout(), "{}", (cpu_ns() - begin_ns) / f64::from(count))?;
    Ok(())
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn shown(sorted: &[f64]) -> String {
    let [first, last] = [sorted.first(), sorted.last()].map(|end| end.copied().unwrap_or_default());
    format!("{first:+.0} to {last:+.0} in {} rounds", sorted.len())
}

/// CPU time of this process.
fn cpu_ns() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a short run")]
    let ns = time.tv_sec as f64 * 1e9 + time.tv_nsec as f64;
    ns
}
