//! What else a profile gives: Kubescape's profiles, a network policy, a seccomp profile.
//!
//! Only what is agreed on is exported (`Record::is_normal` at the last time anything was seen), so
//! that one strange unit does not become a permission. Each policy is replayed against the record
//! before it is offered: it says how many counted units it would have stopped.
//!
//! Forms: `ApplicationProfile` and `NetworkNeighborhood` of `spdx.softwarecomposition.kubescape.io`
//! version `v1beta1`, `NetworkPolicy` of `networking.k8s.io/v1`, and the seccomp profile of the OCI
//! runtime specification (`linux.seccomp`).

use std::collections::{BTreeMap, BTreeSet};

use clew_event::Text;
use serde_json::{Value, json};

use crate::class::Class;
use crate::item::Item;
use crate::kubescape::{ALL, ONE};
use crate::profile::Profile;
use crate::record::Record;

/// System calls that a sensor tells of and that few workloads need; a profile that was quiet about
/// them can do without.
const WATCHED_CALLS: [(&str, &[&str]); 8] = [
    ("ptrace", &["ptrace", "process_vm_readv", "process_vm_writev"]),
    ("mount", &["mount", "fsmount", "move_mount"]),
    ("umount2", &["umount2"]),
    ("pivot_root", &["pivot_root"]),
    ("memfd_create", &["memfd_create"]),
    ("bpf", &["bpf"]),
    ("init_module", &["init_module", "finit_module"]),
    ("kexec_load", &["kexec_load", "kexec_file_load"]),
];

/// A policy with what it would have done to the behavior on record.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The policy.
    pub document: Value,
    /// Units of agreed items that it allows.
    pub allowed: u64,
    /// Units of agreed items that it would have stopped.
    pub stopped: u64,
    /// Units of items that nobody agreed on and that it would have stopped.
    pub stopped_strange: u64,
}

fn agreed(profile: &Profile, class: Class) -> Vec<(Item<'_>, &Record)> {
    let last = profile.items().map(|(_, record)| record.last).max().unwrap_or_default();
    let all = profile.items();
    all.filter(|(item, record)| item.class == class && record.is_normal(last)).collect()
}

fn strange_units(profile: &Profile, class: Class) -> u64 {
    let last = profile.items().map(|(_, record)| record.last).max().unwrap_or_default();
    let all = profile.items().filter(|(item, _)| item.class == class);
    all.filter(|(_, record)| !record.is_normal(last)).map(|(_, record)| record.units).sum()
}

/// Kubescape's wildcard for one part of a path, and for all that follows.
fn kubescape_path(item: &Item<'_>) -> String {
    let parts = item.parts.iter().map(|part| match *part {
        crate::item::REST => ALL,
        part if part.starts_with('{') => ONE,
        part => part,
    });
    parts.fold(String::new(), |path, part| path + "/" + part)
}

/// The profile as Kubescape's `ApplicationProfile`.
#[must_use]
pub fn application_profile(workload: &Text, profile: &Profile) -> Value {
    let execs = agreed(profile, Class::Exec).into_iter().filter_map(|(item, _)| {
        let (path, arguments) = item.parts.split_first()?;
        let arguments = arguments.iter().map(|part| {
            if part.starts_with('{') { ONE } else { part }
        });
        Some(json!({"path": path, "args": std::iter::once(*path).chain(arguments).collect::<Vec<_>>()}))
    });
    let mut opens: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (item, _) in agreed(profile, Class::File) {
        let flags = opens.entry(kubescape_path(&item)).or_default();
        match item.how {
            "read" => flags.insert("O_RDONLY"),
            "write" => flags.insert("O_RDWR"),
            _ => false,
        };
    }
    opens.retain(|_, flags| !flags.is_empty());
    let opens = opens.iter().map(|(path, flags)| json!({"path": path, "flags": flags}));
    let endpoints = agreed(profile, Class::HttpIn).into_iter().filter_map(|(item, _)| {
        let (method, path) = item.parts.split_first()?;
        let path = Item { parts: path.to_vec(), ..item.clone() };
        Some(json!({
            "endpoint": format!(":*{}", kubescape_path(&path)),
            "methods": [method],
            "direction": "inbound",
            "internal": false,
        }))
    });
    let container = json!({
        "name": container_name(workload),
        "capabilities": [],
        "execs": execs.collect::<Vec<_>>(),
        "opens": opens.collect::<Vec<_>>(),
        "endpoints": endpoints.collect::<Vec<_>>(),
        "syscalls": [],
    });
    document("ApplicationProfile", workload, &json!({"containers": [container]}))
}

/// The profile as Kubescape's `NetworkNeighborhood`.
#[must_use]
pub fn network_neighborhood(workload: &Text, profile: &Profile) -> Value {
    let (mut egress, mut ingress) = (Vec::new(), Vec::new());
    for (item, _) in agreed(profile, Class::Network) {
        let (protocol, port, peer) = match item.parts.as_slice() {
            [protocol, port, peer] => (protocol.to_uppercase(), *port, *peer),
            _ => continue,
        };
        let number = port.parse::<u16>().unwrap_or_default();
        let is_name = !peer.contains('/') && peer.parse::<std::net::IpAddr>().is_err();
        let is_outside = matches!(peer, "public") || peer.contains('.') && is_name;
        let neighbor = json!({
            "identifier": format!("{}-{port}-{peer}", item.how),
            "type": if is_outside { "external" } else { "internal" },
            "dnsNames": if is_name && peer.contains('.') { vec![peer] } else { vec![] },
            "ipAddress": if is_name { "" } else { peer },
            "ports": [{"name": format!("{protocol}-{port}"), "protocol": protocol, "port": number}],
        });
        match item.how {
            "to" => egress.push(neighbor),
            "from" => ingress.push(neighbor),
            _ => {}
        }
    }
    let container = json!({"name": container_name(workload), "egress": egress, "ingress": ingress});
    document("NetworkNeighborhood", workload, &json!({"containers": [container]}))
}

fn document(kind: &str, workload: &Text, spec: &Value) -> Value {
    json!({
        "apiVersion": "spdx.softwarecomposition.kubescape.io/v1beta1",
        "kind": kind,
        "metadata": metadata(workload),
        "spec": spec,
    })
}

fn metadata(workload: &Text) -> Value {
    let name = workload.to_string();
    let mut parts = name.split('/');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    match second {
        Some(controller) => json!({"name": controller, "namespace": first}),
        None => json!({"name": first}),
    }
}

fn container_name(workload: &Text) -> String {
    workload.to_string().rsplit('/').next().unwrap_or_default().to_owned()
}

/// A network policy that allows what is agreed on. Peers known by name are allowed by port alone,
/// because a policy knows no names.
#[must_use]
pub fn network_policy(workload: &Text, profile: &Profile) -> Offer {
    let (mut egress, mut ingress) = (BTreeSet::new(), BTreeSet::new());
    let (mut allowed, mut stopped) = (0_u64, 0_u64);
    for (item, record) in agreed(profile, Class::Network) {
        let rule = match (item.how, item.parts.as_slice()) {
            ("to", [protocol @ ("tcp" | "udp"), port, peer]) => rule("to", protocol, port, peer),
            ("from", [protocol @ ("tcp" | "udp"), port, _]) => rule("from", protocol, port, ""),
            // Who listens takes what `from` allows.
            ("on", _) => None,
            _ => {
                stopped = stopped.saturating_add(record.units);
                continue;
            }
        };
        allowed = allowed.saturating_add(record.units);
        let rules = if item.how == "to" { &mut egress } else { &mut ingress };
        rules.extend(rule.map(|rule| rule.to_string()));
    }
    let written = |rules: BTreeSet<String>| -> Vec<Value> {
        rules.iter().filter_map(|rule| serde_json::from_str(rule).ok()).collect()
    };
    let document = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(workload),
        "spec": {
            "podSelector": {"matchLabels": {"app": container_name(workload)}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": written(ingress),
            "egress": written(egress),
        },
    });
    Offer { document, allowed, stopped, stopped_strange: strange_units(profile, Class::Network) }
}

fn rule(direction: &str, protocol: &str, port: &str, peer: &str) -> Option<Value> {
    // Loopback never leaves the pod.
    if peer == "loopback" {
        return None;
    }
    let mut ports = json!({"protocol": protocol.to_uppercase()});
    if let (Ok(number), Some(ports)) = (port.parse::<u16>(), ports.as_object_mut()) {
        ports.insert("port".to_owned(), number.into());
    }
    let mut rule = serde_json::Map::from_iter([("ports".to_owned(), json!([ports]))]);
    let is_address = peer.contains('/') || peer.parse::<std::net::IpAddr>().is_ok();
    if is_address {
        let width = if peer.contains(':') { 128 } else { 32 };
        let cidr = if peer.contains('/') { peer.to_owned() } else { format!("{peer}/{width}") };
        rule.insert(direction.to_owned(), json!([{"ipBlock": {"cidr": cidr}}]));
    }
    Some(Value::Object(rule))
}

/// A seccomp profile that refuses what the sensor watches and the workload never did. It allows
/// all else: Clew does not see every system call, and a list of all that were seen would be wrong.
#[must_use]
pub fn seccomp(profile: &Profile) -> Offer {
    let agreed = agreed(profile, Class::Kernel);
    let refused =
        WATCHED_CALLS.iter().filter(|(how, _)| !agreed.iter().any(|(item, _)| item.how == *how));
    let names: Vec<&str> = refused.flat_map(|(_, names)| *names).copied().collect();
    let document = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
    });
    let allowed = agreed.iter().map(|(_, record)| record.units).fold(0, u64::saturating_add);
    Offer { document, allowed, stopped: 0, stopped_strange: strange_units(profile, Class::Kernel) }
}

/// Where a container writes beyond what a read-only root with a writable `/tmp` allows; empty
/// where that would do.
#[must_use]
pub fn writes_beyond_tmp(profile: &Profile) -> Vec<String> {
    let writes = agreed(profile, Class::File).into_iter().filter(|(item, _)| item.how != "read");
    let beyond = writes.filter(|(item, _)| {
        !matches!(item.parts.first(), Some(&("tmp" | "dev" | "proc" | "run" | "sys")))
    });
    let directory = |item: &Item<'_>| {
        let parts = item.parts.split_last().map_or(&[][..], |(_, directory)| directory);
        format!("/{}", parts.join("/"))
    };
    let beyond: BTreeSet<String> = beyond.map(|(item, _)| directory(&item)).collect();
    beyond.into_iter().collect()
}
