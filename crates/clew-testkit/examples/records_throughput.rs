//! How long JSON files of audit logs take through decoder, context and rules, and how long through
//! `serde_json` and `rsigma-eval` with the same rules of Sigma.
//!
//! `cargo run --release -p clew-testkit --example records_throughput -- RULES FILE…` prints
//! nanoseconds of a CPU per record and megabytes a second. Each file has one record a line.
#![allow(clippy::print_stdout, reason = "a figure is printed for people")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it measures time")]

use std::error::Error;
use std::fs;

use clew_context::Context;
use clew_decode::api_log;
use clew_event::Event;
use clew_rules::{Options, SourceFile, load};
use rsigma_eval::event::JsonEvent;
use rustix::time::{ClockId, clock_gettime};

/// Each figure is the best of so many runs over all files.
const RUNS: usize = 20;

/// Seconds of a CPU that this process has used, which a busy machine does not stretch.
#[allow(clippy::cast_precision_loss, reason = "hours in nanoseconds fit")]
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

fn best(mut run: impl FnMut() -> usize) -> (f64, usize) {
    let (mut shortest, mut counted) = (f64::MAX, 0);
    for _ in 0..RUNS {
        let began = cpu_seconds();
        counted = run();
        shortest = shortest.min(cpu_seconds() - began);
    }
    (shortest, counted)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rules = arguments.next().ok_or("usage: records_throughput RULES FILE…")?;
    let text = fs::read_to_string(&rules)?;
    let mut other = rsigma_eval::Engine::new();
    other.add_collection(&rsigma_parser::parse_sigma_yaml(&text)?)?;
    let file = SourceFile { name: rules, text };
    let mut rules = load(&[file], &Options::default()).rules;
    let files: Vec<Vec<u8>> = arguments.map(fs::read).collect::<Result<_, _>>()?;
    let bytes: usize = files.iter().map(Vec::len).sum();
    let decode = || files.iter().flat_map(|file| api_log::decode("x", file).events);
    let events: Vec<Event> = decode().collect();
    println!("{} records, {bytes} bytes, {} rules", events.len(), rules.len());
    #[allow(clippy::cast_precision_loss, reason = "sizes of files are small")]
    let show = |what: &str, (seconds, counted): (f64, usize)| {
        let (ns, rate) = (seconds * 1e9 / events.len() as f64, bytes as f64 / 1e6 / seconds);
        println!("{ns:9.0} ns per record, {rate:6.0} MB/s  {what} ({counted})");
    };
    show("decoded", best(|| decode().count()));
    let mut context = Context::default();
    let mut matches = Vec::new();
    let judged = best(|| {
        let mut count = 0;
        for event in &events {
            context.observe(event);
            matches.clear();
            rules.judge(event.event_type, event.source(), &context.view(event), &mut matches);
            count += matches.len();
        }
        count
    });
    show("context and rules", judged);
    let lines = || files.iter().flat_map(|file| file.split(|byte| *byte == b'\n'));
    let others = best(|| {
        let values = lines().filter_map(|line| serde_json::from_slice(line).ok());
        values.map(|value| other.evaluate(&JsonEvent::borrow(&value)).len()).sum()
    });
    show("serde_json and rsigma-eval", others);
    Ok(())
}
