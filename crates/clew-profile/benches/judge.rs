//! Nanoseconds that one judged event takes, by how many items its profile holds.
//!
//! Flat is what it must be: an item is found by hash, and a hole by as many look-ups as the item
//! has parts.
#![allow(missing_docs, reason = "criterion's macros make functions without any")]

use std::hint::black_box;

use clew_event::TimestampNs;
use clew_profile::profile::{Moment, NOVELTY_OF_UNIT_MAX};
use clew_profile::scene::Scene;
use clew_profile::unit::Replica;
use clew_profile::{Class, Profiles};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const SIZES: [u32; 4] = [100, 1_000, 10_000, 100_000];

fn scene(replica: u64, second: u64) -> Scene {
    let time = TimestampNs::from_unix_ns((1_764_028_800 + second) * 1_000_000_000);
    Scene {
        workload: "shop/web".into(),
        image: "shop/web:1".into(),
        digest: "sha256:1".into(),
        moment: Moment { replica: Replica(replica), time, is_start: false },
    }
}

/// No two items have a hole in common: each name is a directory of its own.
fn key(number: u32) -> String {
    format!("file\t/usr/bin/node\tread\tsrv\tapp\tpart-{number}x\tindex\tmain.js")
}

fn learned(items: u32) -> Profiles {
    let mut profiles = Profiles::default();
    let mut found = Vec::new();
    for replica in 0..2 {
        for number in 0..items {
            let second = u64::from(number / (NOVELTY_OF_UNIT_MAX / 2)) * 600;
            let scene = scene(replica, second);
            profiles.take(&scene, Class::File, (&key(number), usize::MAX), &mut found);
        }
    }
    profiles
}

fn judge(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("profile");
    for items in SIZES {
        let mut profiles = learned(items);
        let keys: Vec<String> =
            (0..items.min(4_096)).map(|n| key(n * (items / items.min(4_096)))).collect();
        let mut found = Vec::new();
        let mut at = 0_u64;
        let mut keys = keys.iter().cycle();
        group.bench_function(BenchmarkId::new("known", items), |bencher| {
            let mut scenes = [scene(0, 0), scene(1, 0)];
            bencher.iter(|| {
                at += 1;
                let (Some(key), [even, odd]) = (keys.next(), &mut scenes) else { return };
                let scene = if at.is_multiple_of(2) { even } else { odd };
                // The second of the event moves, so that new units begin.
                let second = 1_774_028_800 + at / 100;
                scene.moment.time = TimestampNs::from_unix_ns(second * 1_000_000_000);
                profiles.take(scene, Class::File, (black_box(key), 1), &mut found);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, judge);
criterion_main!(benches);
