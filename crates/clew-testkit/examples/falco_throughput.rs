//! How long the load capture of the Falco oracle takes through decoder, context and rules.
//!
//! `cargo run --release -p clew-testkit --example falco_throughput -- throughput.scap RULES…`
//! prints nanoseconds of a CPU per event, of which Falco's own figure is 3,160 (316,000 events per second
//! of one CPU, with its 81 rules, from the compressed file).
#![allow(clippy::print_stdout, reason = "a figure is printed for people")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it measures time")]

use std::error::Error;
use std::fs;
use std::io::Read;

use clew_context::Context;
use clew_decode::scap::Reader;
use clew_event::Event;
use clew_rules::{Options, RuleSet, SourceFile, load};
use rustix::time::{ClockId, clock_gettime};

/// Each figure is the best of so many runs.
const RUNS: usize = 5;

fn rules(paths: &[String], includes_disabled: bool) -> Result<RuleSet, Box<dyn Error>> {
    let mut files = Vec::new();
    for path in paths {
        files.push(SourceFile { name: path.clone(), text: fs::read_to_string(path)? });
    }
    Ok(load(&files, &Options { includes_disabled, ..Options::default() }).rules)
}

/// Seconds of a CPU that this process has used, which a busy machine does not stretch.
#[allow(clippy::cast_precision_loss, reason = "hours in nanoseconds fit")]
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Best time of several runs per event, and what the last run counted.
fn best(event_count: u64, mut run: impl FnMut() -> u64) -> (f64, u64) {
    let (mut shortest, mut counted) = (f64::MAX, 0);
    for _ in 0..RUNS {
        let began = cpu_seconds();
        counted = run();
        shortest = shortest.min(cpu_seconds() - began);
    }
    #[allow(clippy::cast_precision_loss, reason = "counts of events are small")]
    let events = event_count as f64;
    (shortest * 1e9 / events, counted)
}

fn judged(
    rules: &mut RuleSet,
    events: impl Iterator<Item = impl std::borrow::Borrow<Event>>,
) -> u64 {
    let mut context = Context::default();
    let mut matches = Vec::new();
    let mut count = 0;
    for event in events {
        let event = event.borrow();
        context.observe(event);
        matches.clear();
        rules.judge(event.event_type, "syscall", &context.view(event), &mut matches);
        count += matches.len() as u64;
    }
    count
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: falco_throughput CAPTURE RULES…")?;
    let rule_files: Vec<_> = arguments.collect();
    let packed = fs::read(&path)?;
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut plain)?;
    let mut reader = Reader::new("x", &plain[..]);
    let events: Vec<Event> = reader.by_ref().filter_map(Result::ok).collect();
    let count = reader.counts().events;
    println!("{count} events, {} of Clew's events", events.len());
    let decoded = || Reader::new("x", &plain[..]).filter_map(Result::ok);
    let show = |what: &str, (ns, counted): (f64, u64)| {
        println!("{ns:8.1} ns per event, {:9.0} events/s  {what} ({counted})", 1e9 / ns);
    };
    show("decoded", best(count, || decoded().count() as u64));
    let inflated = || Reader::new("x", &packed[..]).filter_map(Result::ok);
    for includes_disabled in [false, true] {
        let mut rules = rules(&rule_files, includes_disabled)?;
        println!("{} rules", rules.len());
        show("context and rules", best(count, || judged(&mut rules, events.iter())));
        show("decoded, context and rules", best(count, || judged(&mut rules, decoded())));
        show("from the compressed file", best(count, || judged(&mut rules, inflated())));
    }
    Ok(())
}
