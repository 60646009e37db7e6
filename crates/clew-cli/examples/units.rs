//! Prints what workloads did on tapes, unit by unit, for the example `calibration` of clew-profile.
//!
//! `cargo run -p clew-cli --example units -- PREFIX TAPE…` takes workloads whose names begin so.
//!
//! For each workload: a line `workload NAME`, a line `replicas` with how many units each replica
//! has (units are numbered by replica, then by time), and a line for each item: how many of its
//! parts never become holes (`-` for all), the numbers of the units that show it, and its key as it
//! came, before any part became a hole. Of items of one class, program and access that the same
//! units show, the first few stand for all.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to who runs it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;

use anyhow::{Context as _, Result};
use clew_context::{Context, Limits};
use clew_profile::scene::Scene;
use clew_profile::unit::{Replica, UnitId};
use clew_profile::{KeyBuilder, behavior};
use clew_store::tape::TapeReader;

/// So many items that always come together are told.
const TOGETHER: usize = 2;

/// Units of each item, by its key and its fixed parts.
type Items = BTreeMap<(String, usize), BTreeSet<(Replica, u32)>>;

fn read(path: &str, prefix: &str, workloads: &mut BTreeMap<String, Items>) -> Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read `{path}`"))?;
    let tape = TapeReader::open(path, BufReader::new(file))
        .map_err(|complaint| anyhow::anyhow!("`{path}` is no tape: {}", complaint.message))?;
    let mut context = Context::new(Limits::default());
    let mut key = KeyBuilder::default();
    for event in tape.filter_map(Result::ok) {
        context.observe(&event);
        let view = context.view(&event);
        let (Some(class), Some(scene)) = (behavior::read(&view, &mut key), Scene::of(&view)) else {
            continue;
        };
        let workload = scene.workload.to_string();
        if class.is_of_requests() || !workload.starts_with(prefix) {
            continue;
        }
        let unit = UnitId::at(scene.moment.replica, scene.moment.time);
        let (text, fixed) = key.key();
        let items = workloads.entry(workload).or_default();
        let units = items.entry((text.to_owned(), fixed)).or_default();
        units.insert((unit.replica, unit.slice));
    }
    Ok(())
}

/// `0-3 7 9-10`.
fn ranges(numbers: &[usize]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for run in numbers.chunk_by(|a, b| a + 1 == *b) {
        let [first, .., last] = run else {
            parts.extend(run.iter().map(usize::to_string));
            continue;
        };
        parts.push(format!("{first}-{last}"));
    }
    parts.join(" ")
}

fn print(name: &str, items: &Items) {
    let units: BTreeSet<(Replica, u32)> = items.values().flatten().copied().collect();
    let mut replicas: Vec<usize> = Vec::new();
    let units: Vec<(Replica, u32)> = units.into_iter().collect();
    replicas.extend(units.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len));
    let replicas: Vec<String> = replicas.iter().map(usize::to_string).collect();
    println!("workload {name}\nreplicas {}", replicas.join(" "));
    let mut together: BTreeMap<(Vec<&str>, &BTreeSet<_>), usize> = BTreeMap::new();
    for ((key, fixed), of) in items {
        let seen = together.entry((key.split('\t').take(3).collect(), of)).or_default();
        *seen += 1;
        if TOGETHER < *seen {
            continue;
        }
        let numbers = of.iter().filter_map(|unit| units.binary_search(unit).ok());
        let numbers: Vec<usize> = numbers.collect();
        let parts = key.matches('\t').count().saturating_sub(2);
        let fixed = if parts <= *fixed { "-".to_owned() } else { fixed.to_string() };
        println!("{fixed}\t{}\t{key}", ranges(&numbers));
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let prefix = arguments.next().context("units PREFIX TAPE…")?;
    let mut workloads = BTreeMap::new();
    for path in arguments {
        read(&path, &prefix, &mut workloads)?;
    }
    workloads.iter().for_each(|(name, items)| print(name, items));
    eprintln!("units: {} workloads", workloads.len());
    Ok(())
}
