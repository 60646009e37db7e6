//! Shows through which libraries calls come, or what telling that costs.
//!
//! `cargo run --release -p clew-sensor --example stacks -- watch SECONDS`
//! `cargo run --release -p clew-sensor --example stacks -- cost [ROUNDS]`

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clew_event::interest::InterestSet;
use clew_event::stack::StackEvent;
use clew_event::{Event, EventKind, ProcessKey, Text};
use clew_sensor::{Sensor, Settings};
use clew_wire::limits::STACKS_PER_SECOND_MAX;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["watch", seconds] => watch(Duration::from_secs(seconds.parse()?)),
        ["cost"] => cost(9),
        ["cost", rounds] => cost(rounds.parse()?),
        ["work", what, count] => work(what, count.parse()?),
        _ => anyhow::bail!("give `watch SECONDS` or `cost [ROUNDS]`"),
    }
}

/// Prints a line for each event that has a stack.
fn watch(span: Duration) -> Result<()> {
    let mut sensor = Sensor::start(Settings::default())?;
    sensor.set_interest(&InterestSet::everything())?;
    let mut names: HashMap<ProcessKey, Text> = HashMap::new();
    let (mut next, mut events) = (HashMap::new(), Vec::<Event>::new());
    let end = Instant::now() + span;
    let mut out = std::io::stdout().lock();
    while Instant::now() < end {
        sensor.poll(Duration::from_millis(50), &mut events)?;
        for event in events.drain(..) {
            let Some(actor) = event.actor else { continue };
            let name = names.get(&actor.process).cloned().unwrap_or_default();
            match event.kind {
                EventKind::Stack(stack) => drop(next.insert((actor.process, actor.tid), stack)),
                EventKind::Forked(fork) => drop(names.insert(fork.child, name)),
                EventKind::Running(program) => drop(names.insert(actor.process, program.name)),
                EventKind::Executed(program) => {
                    let stack = next.remove(&(actor.process, actor.tid));
                    writeln!(out, "{name} runs {}: {}", program.exe, shown(stack.as_deref()))?;
                    names.insert(actor.process, program.name);
                }
                EventKind::Socket(_) | EventKind::File(_) => {
                    let Some(stack) = next.remove(&(actor.process, actor.tid)) else { continue };
                    writeln!(out, "{name} {:?}: {}", event.event_type, shown(Some(&*stack)))?;
                }
                _ => {}
            }
        }
    }
    writeln!(out, "{:?}", sensor.stack_counts())?;
    Ok(())
}

fn shown(stack: Option<&StackEvent>) -> String {
    let Some(stack) = stack else { return "no stack".to_owned() };
    let frames = stack.frames.iter().map(|frame| {
        let name = String::from_utf8_lossy(frame.name());
        let name = if name.is_empty() { "code in memory".into() } else { name };
        format!("{name}{}", if frame.is_likely { "?" } else { "" })
    });
    let cut = if stack.is_truncated { " …" } else { "" };
    frames.collect::<Vec<_>>().join(" ← ") + cut
}

/// Prints what a connect and an exec cost their caller, with stacks and without, in turn.
fn cost(rounds: u32) -> Result<()> {
    let mut out = std::io::stdout().lock();
    // Few enough to be told each, within a second.
    let count = STACKS_PER_SECOND_MAX / 2;
    for what in ["connect", "exec"] {
        let mut figures = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            for (way, all) in figures.iter_mut().enumerate() {
                all.push(round(what, count, way)?);
            }
        }
        for (name, all) in ["bare", "told", "told with its stack"].iter().zip(&mut figures) {
            all.sort_by(f64::total_cmp);
            let middle = all.get(all.len() / 2).copied().unwrap_or_default();
            writeln!(out, "{what} {name}: {middle:.0} ns, of {all:.0?}")?;
        }
    }
    Ok(())
}

fn round(what: &str, count: u32, way: usize) -> Result<f64> {
    let settings = Settings { has_stacks: way == 2, ..Settings::default() };
    let mut sensor = (0 < way).then(|| Sensor::start(settings)).transpose()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["work", what, &count.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the load")?;
    if let Some(sensor) = &mut sensor {
        while child.try_wait()?.is_none() {
            sensor.poll(Duration::from_millis(20), &mut Vec::new())?;
        }
    }
    let mut text = String::new();
    child.stdout.take().context("no output")?.read_to_string(&mut text)?;
    ensure!(child.wait()?.success(), "the load failed");
    text.trim().parse().context("no figure")
}

/// Prints nanoseconds a call.
fn work(what: &str, count: u32) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let peer = socket.local_addr()?;
    let mut spent = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        if what == "connect" {
            socket.connect(peer)?;
        } else {
            Command::new("/bin/true").status()?;
        }
        spent.push(begun.elapsed());
    }
    spent.sort();
    let middle = spent.get(spent.len() / 2).context("no calls")?;
    writeln!(std::io::stdout(), "{}", middle.as_nanos())?;
    Ok(())
}
