//! A workload whose replicas do what a test says.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::expect_used, reason = "a test that cannot go on says so")]

use clew_event::TimestampNs;
use clew_profile::novelty::Novelty;
use clew_profile::profile::Moment;
use clew_profile::scene::Scene;
use clew_profile::unit::Replica;
use clew_profile::{Item, Profile, Profiles};

/// Seconds of a unit.
pub const UNIT: u64 = 600;
/// A day that begins at midnight.
pub const DAY: u64 = 1_764_028_800;

/// A replica of workload `web` with image `shop/web:1` at a second of that day.
pub fn scene(replica: u64, second: u64) -> Scene {
    of_image(replica, second, "1")
}

/// The same with another image.
pub fn of_image(replica: u64, second: u64, version: &str) -> Scene {
    let time = TimestampNs::from_unix_ns((DAY + second) * 1_000_000_000);
    Scene {
        workload: "web".into(),
        image: format!("shop/web:{version}").into(),
        digest: format!("sha256:{version}").into(),
        moment: Moment { replica: Replica(replica), time, is_start: false },
    }
}

/// Judges and learns an item by its key, of which `fixed` parts never open.
pub fn does(profiles: &mut Profiles, scene: &Scene, key: &str) -> Vec<Novelty> {
    let class = Item::of_key(key).expect("a key").class;
    let fixed = match class {
        clew_profile::Class::Exec | clew_profile::Class::File => 1,
        _ => usize::MAX,
    };
    let mut found = Vec::new();
    profiles.take(scene, class, (key, fixed), &mut found);
    found
}

/// The only profile of the only workload.
pub fn only(profiles: &Profiles) -> &Profile {
    let known = profiles.known();
    let workload = known.values().next().expect("a workload");
    &workload.versions().last().expect("a version").profile
}

/// Two replicas that do the same few things in each unit, for so many units of each.
pub fn settled(units: u64) -> Profiles {
    let mut profiles = Profiles::default();
    for unit in 0..units {
        for replica in [1, 2] {
            let scene = scene(replica, unit * UNIT);
            for key in USUAL {
                does(&mut profiles, &scene, key);
            }
        }
    }
    profiles
}

/// What [`settled`] does.
pub const USUAL: [&str; 4] = [
    "exec\t/usr/bin/node\t\t/usr/bin/convert\t--resize",
    "file\t/usr/bin/node\tread\tsrv\tapp\tindex.js",
    "network\t/usr/bin/node\tto\ttcp\t5432\tdb",
    "dns\t/usr/bin/node\t\tdb",
];

/// A shell that opens a way out.
pub const SHELL: &str = "exec\t/usr/bin/node\t\t/bin/sh\t-c\tid";
