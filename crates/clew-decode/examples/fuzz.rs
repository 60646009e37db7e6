//! Runs the fuzz targets for so many seconds each.
//!
//! `cargo run --release -p clew-decode --example fuzz -- SECONDS [TARGET [FIRST]]` prints how many
//! inputs each target took. A decoder that panics is named with the number of its input; the input
//! is written to `fuzz/regressions/`, and `FIRST` begins with that number.
#![allow(clippy::print_stdout, reason = "figures are printed for people")]
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a harness stops where it fails")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it measures time")]

use std::error::Error;
use std::panic;
use std::path::Path;
use std::time::{Duration, Instant};

#[path = "../tests/fuzz/mod.rs"]
mod fuzz;

use fuzz::{Random, TARGETS, input, seeds};

/// An input that takes longer is a fault: the longest has 64 KiB.
const LONG: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = arguments.first().ok_or("usage: fuzz SECONDS [TARGET [FIRST]]")?.parse()?;
    let first = arguments.get(2).map_or(Ok(0), |first| first.parse())?;
    let is_wanted = |name: &str| arguments.get(1).is_none_or(|wanted| wanted == name);
    for target in TARGETS.iter().filter(|target| is_wanted(target.name)) {
        let (seeds, began) = (seeds(target), Instant::now());
        let mut number: u64 = first;
        while began.elapsed() < Duration::from_secs(seconds) {
            let bytes = input(target, &seeds, &mut Random::new(number));
            let started = Instant::now();
            let is_fine = panic::catch_unwind(|| (target.run)(&bytes)).is_ok();
            if !is_fine || LONG < started.elapsed() {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
                std::fs::create_dir_all(&folder)?;
                std::fs::write(folder.join(format!("{}-{number}", target.name)), &bytes)?;
                return Err(format!("{} fails on input {number}", target.name).into());
            }
            number += 1;
        }
        println!("{}: {} inputs", target.name, number - first);
    }
    Ok(())
}
