//! What a profile promises: few findings, no poison, any order, and an end to every table.

mod common;

use clew_event::TimestampNs;
use clew_profile::novelty::{RELEASE_RULE, SEED_BITS};
use clew_profile::profile::{NOVELTY_OF_UNIT_MAX, QUARANTINED_MAX};
use clew_profile::profiles::{TOLD_OF_UNIT_MAX, WORKLOADS_MAX};
use clew_profile::unit::{Replica, UnitId};
use clew_profile::waivers::Waiver;
use clew_profile::workload::{NAMED_MAX, RELEASE_ITEMS_MAX, VERSIONS_MAX};
use clew_profile::{Class, Profiles};
use common::{SHELL, UNIT, USUAL, does, of_image, only, scene, settled};
use proptest::prelude::*;

#[test]
fn a_shell_in_a_learned_service_starts_a_story_and_is_told_once() {
    let mut profiles = settled(600);
    assert!(only(&profiles).is_ready(Class::Exec), "{:?}", only(&profiles).sample(Class::Exec));
    let now = scene(1, 600 * UNIT);
    let found = does(&mut profiles, &now, SHELL);
    assert_eq!(found.len(), 1);
    assert!(12.0 < found[0].bits, "{found:?}");
    assert!(found[0].fields.contains_key("profile.p_value"));
    // It is not told again, and a custom where a replica does it on three days or another does.
    let learned = |profiles: &Profiles| {
        let item = only(profiles).items().find(|(item, _)| item.parts.contains(&"/bin/sh"));
        item.map_or(0, |(_, record)| record.units)
    };
    assert_eq!(learned(&profiles), 0, "not from the unit that is told of");
    let later = scene(1, 601 * UNIT);
    assert_eq!(does(&mut profiles, &later, SHELL), []);
    assert_eq!(learned(&profiles), 1);
}

#[test]
fn a_profile_of_one_minute_says_little_but_knows_what_is_not_in_the_image() {
    let mut profiles = Profiles::default();
    let now = scene(1, 0);
    USUAL.iter().for_each(|key| assert_eq!(does(&mut profiles, &now, key), [], "{key}"));
    assert!(does(&mut profiles, &now, SHELL).iter().all(|novelty| novelty.bits < SEED_BITS));
    let dropped = does(&mut profiles, &now, "exec\t/usr/bin/node\tdropped\t/tmp/x");
    assert!(SEED_BITS <= dropped[0].bits);
}

#[test]
fn what_is_never_learned_stays_strange_whoever_repeats_it() {
    let mut profiles = settled(50);
    for unit in 50..60 {
        for replica in 1..4 {
            does(&mut profiles, &scene(replica, unit * UNIT), "kernel\tgdb\tptrace\t");
        }
    }
    let known = only(&profiles)
        .items()
        .any(|(item, record)| item.class == Class::Kernel && 0 < record.units);
    assert!(!known);
}

#[test]
fn an_attacker_in_one_replica_teaches_nothing_that_counts() {
    let mut profiles = settled(20);
    // Mild enough not to start a story by itself.
    let mild = "file\t/usr/bin/node\twrite\tsrv\tapp\tcache.bin";
    for second in 0..100 {
        does(&mut profiles, &scene(1, 20 * UNIT + second), mild);
    }
    let sample = only(&profiles).sample(Class::File);
    assert_eq!(sample.owners, 1, "one unit of one replica owns it");
}

#[test]
fn five_hundred_new_files_of_a_unit_do_not_open_their_directory() {
    let mut profiles = settled(20);
    for number in 0..500 {
        let key = format!("file\t/usr/bin/node\twrite\tsrv\tup\tx-{number}z");
        does(&mut profiles, &scene(1, 20 * UNIT), &key);
    }
    let holes = only(&profiles).items().filter(|(item, _)| item.parts.contains(&"{word}"));
    assert_eq!(holes.count(), 0);
}

#[test]
fn files_that_every_unit_names_anew_become_one_item() {
    let mut profiles = Profiles::default();
    for unit in 0..40 {
        for replica in 0..3 {
            for number in 0..5 {
                let name = format!("sess-{unit}x{replica}x{number}");
                let key = format!("file\tphp\twrite\tvar\tsessions\t{name}");
                does(&mut profiles, &scene(replica, unit * UNIT), &key);
            }
        }
    }
    let items: Vec<_> = only(&profiles).items().map(|(item, _)| item.what()).collect();
    assert_eq!(items, ["/var/sessions/{word}"]);
    assert_eq!(only(&profiles).sample(Class::File).owners, 0);
}

#[test]
fn a_unit_under_suspicion_leaves_no_trace() {
    let clean = settled(30);
    let mut profiles = settled(30);
    let keys: Vec<_> = (0..20).map(|n| format!("file\tx\tread\tsrv\tf{n}")).collect();
    for key in &keys {
        does(&mut profiles, &scene(1, 30 * UNIT), key);
    }
    let unit = UnitId::at(Replica(1), scene(1, 30 * UNIT).moment.time);
    assert!(profiles.retract(&"web".into(), unit));
    // What goes on in that unit is judged, and not learned.
    does(&mut profiles, &scene(1, 30 * UNIT + 9), "file\tx\tread\tsrv\tmore");
    for class in Class::ALL {
        assert_eq!(only(&profiles).sample(class), only(&clean).sample(class), "{class:?}");
    }
    assert!(!profiles.retract(&"web".into(), unit), "it was taken back already");
}

#[test]
fn a_replica_that_was_attacked_does_not_vouch_for_what_it_did_then() {
    let mut profiles = settled(20);
    let tool = "exec\t/usr/bin/node\t\t/usr/bin/python3\tx.py";
    let units = |profiles: &Profiles| {
        let mut items = only(profiles).items();
        items.find(|(item, _)| item.parts.contains(&"x.py")).map_or(0, |(_, record)| record.units)
    };
    let day = 144;
    does(&mut profiles, &scene(1, 20 * UNIT), tool);
    let unit = UnitId::at(Replica(1), scene(1, 20 * UNIT).moment.time);
    assert!(profiles.retract(&"web".into(), unit));
    for later in 1..5 {
        does(&mut profiles, &scene(1, (20 + later * day) * UNIT), tool);
    }
    assert_eq!(units(&profiles), 0);
    for later in 1..5 {
        does(&mut profiles, &scene(2, (20 + later * day) * UNIT), tool);
    }
    assert!(3 <= units(&profiles), "another replica may: {}", units(&profiles));
}

#[test]
fn a_release_gives_one_notice_and_inherits_the_rest() {
    let mut profiles = settled(600);
    let news =
        (0..NAMED_MAX + 2).map(|n| format!("file\t/usr/bin/node\tread\tsrv\tapp\tv2-{n}.js"));
    let news: Vec<String> = news.collect();
    let mut found = Vec::new();
    for unit in 600..620 {
        for replica in [11, 12] {
            let now = of_image(replica, unit * UNIT, "2");
            for key in USUAL.iter().copied().chain(news.iter().map(String::as_str)) {
                found.extend(does(&mut profiles, &now, key));
            }
        }
    }
    let rules: Vec<_> = found.iter().map(|novelty| novelty.rule).collect();
    assert_eq!(rules, [RELEASE_RULE], "{found:?}");
    assert!(found[0].output.ends_with("and 2 more"), "{}", found[0].output);
    // A shell on the first minute of the new release is as strange as on the last of the old.
    let shell = does(&mut profiles, &of_image(13, 620 * UNIT, "2"), SHELL);
    assert!(SEED_BITS < shell[0].bits);
}

#[test]
fn what_a_person_waived_is_learned_and_not_told() {
    let mut profiles = settled(600);
    let waiver = Waiver {
        workload: "web".into(),
        key: SHELL.to_owned(),
        reason: "a health check".to_owned(),
        expires: TimestampNs::from_unix_ns(u64::MAX),
    };
    assert_eq!(profiles.waive(waiver), Ok(()));
    for replica in [1, 2] {
        assert_eq!(does(&mut profiles, &scene(replica, 600 * UNIT), SHELL), []);
    }
    assert_eq!(profiles.counts().waived, 2);
}

#[test]
fn ten_thousand_command_lines_and_two_second_containers_stay_within_bounds() {
    let mut profiles = settled(20);
    let mut told = 0;
    for number in 0..10_000_u64 {
        let key = format!("exec\t/usr/bin/node\t\t/bin/tool\tx{number}y");
        let second = 20 * UNIT + number / 20;
        told += does(&mut profiles, &scene(1, second), &key).len();
        // Another container each time.
        does(&mut profiles, &scene(1_000 + number, second), USUAL[0]);
    }
    let most = usize::try_from(TOLD_OF_UNIT_MAX[1]).unwrap();
    assert!(told <= most, "{told}");
    let [_, open, items, _] = only(&profiles).sizes();
    let novelty = usize::try_from(NOVELTY_OF_UNIT_MAX).unwrap();
    assert!(open <= clew_profile::profile::OPEN_UNITS_MAX);
    assert!(items <= novelty + USUAL.len() + most, "{items}");
    assert!(9_000 < profiles.counts().suppressed);
}

#[test]
fn a_unit_teaches_no_more_than_novelty_of_unit_max_items() {
    let mut profiles = Profiles::default();
    for number in 0..NOVELTY_OF_UNIT_MAX + 9 {
        let key = format!("file\tx\tread\tsrv\tf-{number}");
        does(&mut profiles, &scene(1, 0), &key);
    }
    assert_eq!(only(&profiles).sizes()[2], NOVELTY_OF_UNIT_MAX as usize);
    assert_eq!(only(&profiles).dropped, 9);
}

#[test]
fn at_most_workloads_max_workloads_are_known_and_the_youngest_goes() {
    let mut profiles = settled(5);
    for number in 0..WORKLOADS_MAX + 10 {
        let mut other = scene(1, 0);
        other.workload = format!("host-{number}").into();
        does(&mut profiles, &other, USUAL[0]);
    }
    assert_eq!(profiles.known().len(), WORKLOADS_MAX);
    assert_eq!(profiles.counts().workloads_dropped, 11);
    assert!(profiles.known().contains_key(&clew_event::Text::from("web")));
}

#[test]
fn a_restored_state_is_the_same_and_goes_on_the_same() {
    let mut profiles = settled(40);
    does(&mut profiles, &scene(1, 40 * UNIT), SHELL);
    let bytes = serde_json::to_vec(&profiles).unwrap();
    let mut restored: Profiles = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(restored, profiles);
    for second in 0..5_000 {
        let now = scene(second % 3, 41 * UNIT + second);
        let key = format!("file\tx\tread\tsrv\tf-{}", second % 700);
        assert_eq!(does(&mut restored, &now, &key), does(&mut profiles, &now, &key));
    }
    assert_eq!(serde_json::to_vec(&restored).unwrap(), serde_json::to_vec(&profiles).unwrap());
}

#[test]
fn at_most_versions_max_images_and_release_items_max_new_behaviors_are_kept() {
    let mut profiles = settled(5);
    for version in 2..10 {
        let now = of_image(version, version * UNIT, &version.to_string());
        does(&mut profiles, &now, USUAL[0]);
    }
    let known = profiles.known();
    let workload = known.values().next().unwrap();
    assert_eq!((workload.versions().len(), workload.versions_dropped), (VERSIONS_MAX, 6));
    let before = only(&profiles).dropped;
    let now = of_image(9, 9 * UNIT, "9");
    // One place is taken by the program that it ran already.
    for number in 0..RELEASE_ITEMS_MAX + 6 {
        does(&mut profiles, &now, &format!("file\tx\tread\tsrv\tf-{number}"));
    }
    assert_eq!(only(&profiles).dropped - before, 7);
}

#[test]
fn units_under_suspicion_are_remembered_up_to_quarantined_max() {
    let mut profiles = Profiles::default();
    for slice in 0..QUARANTINED_MAX as u64 + 2 {
        let now = scene(1, slice * UNIT);
        does(&mut profiles, &now, USUAL[0]);
        let unit = UnitId::at(Replica(1), now.moment.time);
        assert!(profiles.retract(&"web".into(), unit));
    }
    assert_eq!(only(&profiles).quarantined(), QUARANTINED_MAX);
    assert_eq!(only(&profiles).sizes()[0], 0);
}

/// What one node saw: replica within the node, unit, item.
fn node() -> impl Strategy<Value = Vec<(u64, u64, u8)>> {
    prop::collection::vec((0..3_u64, 0..30_u64, 0..12_u8), 0..60)
}

fn learned(node: u64, seen: &[(u64, u64, u8)]) -> Profiles {
    let mut profiles = Profiles::default();
    for &(replica, unit, item) in seen {
        let now = of_image(node * 10 + replica, unit * UNIT, if item < 9 { "1" } else { "2" });
        let key = format!("file\tx\twrite\tsrv\tf-{item}");
        does(&mut profiles, &now, &key);
    }
    profiles
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nodes_give_the_same_in_whatever_order_they_are_put_together(
        a in node(), b in node(), c in node(),
    ) {
        let [a, b, c] = [learned(1, &a), learned(2, &b), learned(3, &c)];
        let merged = |nodes: [&Profiles; 3]| {
            let mut all = Profiles::default();
            nodes.iter().for_each(|node| all.merge(node));
            serde_json::to_string(&all).unwrap()
        };
        let first = merged([&a, &b, &c]);
        prop_assert_eq!(&merged([&c, &a, &b]), &first);
        prop_assert_eq!(&merged([&b, &c, &a]), &first);
        // And in whatever way they are grouped.
        let mut right = b.clone();
        right.merge(&c);
        let mut all = a.clone();
        all.merge(&right);
        let mut left = a.clone();
        left.merge(&b);
        left.merge(&c);
        prop_assert_eq!(serde_json::to_string(&all).unwrap(), serde_json::to_string(&left).unwrap());
    }
}
