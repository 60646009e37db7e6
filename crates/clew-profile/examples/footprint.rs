//! Memory that profiles take: bytes of one item, and of 200 workloads.
//!
//! `cargo run -p clew-profile --example footprint [ITEMS]`. It is the resident memory of this
//! process as the kernel counts it, so what the allocator wastes is in it.
#![allow(clippy::print_stdout, reason = "an example speaks to who runs it")]

use std::fs;
use std::io::{Error, ErrorKind};

use clew_event::TimestampNs;
use clew_profile::profile::Moment;
use clew_profile::scene::Scene;
use clew_profile::unit::Replica;
use clew_profile::{Class, Profiles};

const WORKLOADS: u32 = 200;
/// What a container of the lab shows in an hour; most show fewer.
const ITEMS: u32 = 500;
const PAGE_BYTES: u64 = 4096;
/// Two replicas, for two days, an hour apart, agree on each item.
const UNITS: u64 = 48;

fn resident() -> Result<u64, Error> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.map(|pages| pages * PAGE_BYTES).ok_or_else(|| Error::from(ErrorKind::InvalidData))
}

fn scene(workload: u32, replica: u64, unit: u64) -> Scene {
    let time = TimestampNs::from_unix_ns((1_764_028_800 + unit * 3_600) * 1_000_000_000);
    Scene {
        workload: format!("shop/service-{workload}").into(),
        image: format!("shop/service-{workload}:1").into(),
        digest: format!("sha256:{workload:064x}").into(),
        moment: Moment {
            replica: Replica(u64::from(workload) * 2 + replica),
            time,
            is_start: false,
        },
    }
}

/// Files, programs and peers as long as they usually are.
fn key(number: u32) -> (Class, String) {
    match number % 8 {
        0 => (Class::Exec, format!("exec\t/usr/bin/node\t\t/usr/bin/tool-{number}\t--flag\t-o")),
        1 => (Class::Network, format!("network\t/usr/bin/node\tto\ttcp\t{}\tdb", 5_000 + number)),
        _ => (
            Class::File,
            format!("file\t/usr/bin/node\tread\tsrv\tapp\tpart-{number}x\tindex\tmain.js"),
        ),
    }
}

fn main() -> Result<(), Error> {
    let items = std::env::args().nth(1).and_then(|items| items.parse().ok()).unwrap_or(ITEMS);
    let keys: Vec<(Class, String)> = (0..items).map(key).collect();
    let before = resident()?;
    let mut profiles = Profiles::default();
    let mut found = Vec::new();
    for unit in 0..UNITS {
        for (workload, replica) in (0..WORKLOADS).flat_map(|it| [(it, 0), (it, 1)]) {
            let scene = scene(workload, replica, unit);
            for (class, key) in &keys {
                profiles.take(&scene, *class, (key, usize::MAX), &mut found);
            }
            found.clear();
        }
    }
    let bytes = resident()?.saturating_sub(before);
    let known = profiles.known();
    let versions = known.values().flat_map(|workload| workload.versions());
    let held: usize = versions.map(|version| version.profile.sizes()[2]).sum();
    let each = bytes.checked_div(held as u64).unwrap_or_default();
    println!(
        "{WORKLOADS} workloads of {items} items in two replicas: {} MiB, {each} bytes an item",
        bytes >> 20
    );
    Ok(())
}
