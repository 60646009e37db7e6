//! What is made of a profile allows what is agreed on, and nothing else.

mod common;

use clew_profile::{Class, Item, Profiles, export, kubescape};
use common::{SHELL, UNIT, USUAL, does, only, scene, settled};
use serde_json::json;

#[test]
fn kubescape_profiles_hold_what_is_agreed_on() {
    let mut profiles = settled(20);
    does(&mut profiles, &scene(1, 20 * UNIT), "exec\tx\t\t/bin/once");
    let profile = export::application_profile(&"shop/web".into(), only(&profiles));
    assert_eq!(profile["metadata"], json!({"name": "web", "namespace": "shop"}));
    let container = &profile["spec"]["containers"][0];
    let exec = json!([{"path": "/usr/bin/convert", "args": ["/usr/bin/convert", "--resize"]}]);
    assert_eq!(container["execs"], exec);
    assert_eq!(container["opens"], json!([{"path": "/srv/app/index.js", "flags": ["O_RDONLY"]}]));
    let neighborhood = export::network_neighborhood(&"shop/web".into(), only(&profiles));
    let port = neighborhood.pointer("/spec/containers/0/egress/0/ports/0/port");
    assert_eq!(port, Some(&json!(5432)));
}

#[test]
fn a_network_policy_stops_no_good_unit_and_the_strange_one() {
    let mut profiles = settled(20);
    does(&mut profiles, &scene(1, 20 * UNIT), "network\tx\tto\ttcp\t443\t203.0.113.0/24");
    let offer = export::network_policy(&"shop/web".into(), only(&profiles));
    assert_eq!((offer.allowed, offer.stopped, offer.stopped_strange), (40, 0, 1));
    let egress = json!([{"ports": [{"protocol": "TCP", "port": 5432}]}]);
    assert_eq!(offer.document["spec"]["egress"], egress);
}

#[test]
fn a_seccomp_profile_refuses_what_was_watched_for_and_never_done() {
    let mut profiles = settled(20);
    // The first units are told of, and teach nothing.
    for unit in 20..23 {
        for replica in [1, 2] {
            let now = scene(replica, unit * UNIT);
            does(&mut profiles, &now, USUAL[0]);
            does(&mut profiles, &now, "kernel\tjava\tmemfd_create\tjit");
        }
    }
    let offer = export::seccomp(only(&profiles));
    let calls = offer.document["syscalls"].to_string();
    assert!(calls.contains("ptrace") && !calls.contains("memfd_create"), "{calls}");
    assert!(calls.contains("io_uring_setup"), "no weaker than what it takes the place of");
    assert_eq!(offer.stopped, 0);
}

/// Both replicas do it in three units more.
fn agree(profiles: &mut Profiles, key: &str) {
    for unit in 20..23 {
        for replica in [1, 2] {
            let now = scene(replica, unit * UNIT);
            does(profiles, &now, USUAL[0]);
            does(profiles, &now, key);
        }
    }
}

#[test]
fn what_sets_a_container_up_is_no_need_of_its_own() {
    let mut profiles = settled(20);
    agree(&mut profiles, "kernel\t(start)\tpivot_root\t.");
    agree(&mut profiles, "file\t(start)\tchown\tdev\tnull");
    let calls = export::seccomp(only(&profiles)).document["syscalls"].to_string();
    assert!(calls.contains("\"pivot_root\""), "{calls}");
    assert_eq!(export::capabilities(only(&profiles)), [""; 0]);
}

#[test]
fn capabilities_follow_from_what_was_done() {
    let mut profiles = settled(20);
    agree(&mut profiles, "network\tnginx\ton\ttcp\t80");
    agree(&mut profiles, "network\tnginx\ton\ttcp\t8080");
    assert_eq!(export::capabilities(only(&profiles)), ["NET_BIND_SERVICE"]);
    agree(&mut profiles, "privilege\tnginx\tset user\t33");
    let needed = ["DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];
    assert_eq!(export::capabilities(only(&profiles)), needed);
}

#[test]
fn a_read_only_root_needs_what_is_written_beyond_tmp() {
    let mut profiles = settled(3);
    assert_eq!(export::writes_beyond_tmp(only(&profiles)), [""; 0]);
    for replica in [1, 2] {
        for name in ["srv\tup\ta", "srv\tup\tin\tb", "srv\tup\t{word}\tc", "tmp\tb"] {
            does(&mut profiles, &scene(replica, 3 * UNIT), &format!("file\tx\twrite\t{name}"));
        }
    }
    assert_eq!(export::writes_beyond_tmp(only(&profiles)), ["/srv/up"]);
}

#[test]
fn what_is_exported_for_kubescape_and_read_again_covers_what_is_agreed_on() {
    let profiles = settled(20);
    let web = clew_event::Text::from("shop/web");
    let mut other = Profiles::default();
    for document in [
        export::application_profile(&web, only(&profiles)),
        export::network_neighborhood(&web, only(&profiles)),
    ] {
        for (workload, declared) in kubescape::read(&document).unwrap() {
            assert_eq!(workload, web);
            other.declare(&workload, &declared);
        }
    }
    let known = other.known();
    let declared = known.get(&web).unwrap().declared();
    for (item, _) in only(&profiles).items().filter(|(item, _)| item.class != Class::Dns) {
        assert!(declared.covers(&item), "{item}");
    }
    assert!(!declared.covers(&Item::of_key(SHELL).unwrap()));
}

#[test]
fn what_was_declared_is_not_told_but_what_is_never_normal_is() {
    let mut profiles = settled(600);
    let document = json!({
        "apiVersion": "spdx.softwarecomposition.kubescape.io/v1beta1",
        "kind": "ApplicationProfile",
        "metadata": {"name": "web"},
        "spec": {"containers": [{
            "name": "web",
            "execs": [{"path": "/bin/sh", "args": ["/bin/sh", "-c", "id"]}],
            "opens": [{"path": "/proc/*", "flags": ["O_RDONLY"]}],
        }]},
    });
    for (workload, declared) in kubescape::read(&document).unwrap() {
        profiles.declare(&workload, &declared);
    }
    let now = scene(1, 600 * UNIT);
    assert_eq!(does(&mut profiles, &now, SHELL), []);
    assert_eq!(does(&mut profiles, &now, "file\tx\tread\tproc\t{number}\tenviron").len(), 1);
    assert_eq!(does(&mut profiles, &now, "exec\t/usr/bin/node\t\t/bin/sh\t-c\tls").len(), 1);
}
