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

use crate::behavior::START;
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

/// What Docker's own profile refuses without further capabilities: what its documentation lists
/// (docs.docker.com/engine/security/seccomp), and what came to the kernel since. What is above is
/// left out, and what depends on arguments or is allowed by now (`adjtimex`, `modify_ldt`,
/// `name_to_handle_at`, `personality`, `ustat`).
const REFUSED_CALLS: [&str; 43] = [
    "_sysctl",
    "acct",
    "add_key",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "fsconfig",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "get_mempolicy",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "mount_setattr",
    "move_pages",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "query_module",
    "quotactl",
    "reboot",
    "request_key",
    "set_mempolicy",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "sysfs",
    "umount",
    "uselib",
    "userfaultfd",
    "vhangup",
    "vm86",
    "vm86old",
];
/// `CLONE_NEW*`: cgroup, uts, ipc, user, pid, network, mount (`include/uapi/linux/sched.h`).
const NAMESPACE_FLAGS: [u64; 7] =
    [0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000, 0x0002_0000];

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

/// A seccomp profile that refuses what runtimes refuse by themselves, so that it is never weaker
/// than what it takes the place of, and what the sensor watches and the workload never did. It
/// allows all else: Clew does not see every system call, and a list of all that were seen would be
/// wrong. What set the container up did so before the profile is in force.
#[must_use]
pub fn seccomp(profile: &Profile) -> Offer {
    let own = |class| agreed(profile, class).into_iter().filter(|(item, _)| item.who != START);
    let agreed: Vec<_> = own(Class::Kernel).collect();
    let has = |how: &str| agreed.iter().any(|(item, _)| item.how == how);
    let is_allowed =
        |name: &&&str| !WATCHED_CALLS.iter().any(|(how, names)| has(how) && names.contains(*name));
    let watched = WATCHED_CALLS.iter().flat_map(|(_, names)| *names);
    let names = watched.chain(REFUSED_CALLS.iter()).filter(is_allowed);
    let mut names: BTreeSet<&str> = names.copied().collect();
    let refuse = |names: Value, errno: u32| json!({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno});
    let mut calls = Vec::new();
    let has_namespaces = own(Class::Privilege).any(|(item, _)| item.how.ends_with("namespaces"));
    if !has_namespaces {
        names.extend(["setns", "unshare"]);
        // A filter cannot look into what `clone3` is given; who is told that there is none calls
        // `clone`.
        calls.push(refuse(json!(["clone3"]), 38));
        for flag in NAMESPACE_FLAGS {
            let mut call = refuse(json!(["clone"]), 1);
            let argument =
                json!({"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"});
            if let Some(call) = call.as_object_mut() {
                call.insert("args".to_owned(), json!([argument]));
            }
            calls.push(call);
        }
    }
    calls.push(refuse(json!(names), 1));
    let document = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": calls});
    let allowed = agreed.iter().map(|(_, record)| record.units).fold(0, u64::saturating_add);
    Offer { document, allowed, stopped: 0, stopped_strange: strange_units(profile, Class::Kernel) }
}

/// Capabilities that a container needs beside none: what follows from what it did.
///
/// Who changes its user begins as root and does as root what no sensor sees: it reads and signals
/// what belongs to others.
#[must_use]
pub fn capabilities(profile: &Profile) -> Vec<&'static str> {
    let mut needed = BTreeSet::new();
    for class in [Class::Privilege, Class::File, Class::Network, Class::Kernel] {
        let own = agreed(profile, class).into_iter().filter(|(item, _)| item.who != START);
        for (item, _) in own {
            needed.extend(match (class, item.how) {
                (Class::Privilege, "set user" | "set group") => {
                    &["SETUID", "SETGID", "DAC_OVERRIDE", "KILL"][..]
                }
                (Class::Privilege, "enter namespace" | "leave namespaces")
                | (Class::Kernel, "mount" | "umount2" | "pivot_root") => &["SYS_ADMIN"],
                (Class::File, "chown") => &["CHOWN", "FOWNER", "DAC_OVERRIDE"],
                (Class::File, "chmod") => &["FOWNER"],
                (Class::File, "chroot") => &["SYS_CHROOT"],
                (Class::Kernel, "ptrace") => &["SYS_PTRACE"],
                (Class::Kernel, "init_module") => &["SYS_MODULE"],
                (Class::Network, "on") if is_privileged(&item) => &["NET_BIND_SERVICE"],
                (Class::Network, _) if item.parts.first() == Some(&"raw") => &["NET_RAW"],
                _ => &[],
            });
        }
    }
    needed.into_iter().collect()
}

fn is_privileged(item: &Item<'_>) -> bool {
    let port = item.parts.get(1).and_then(|port| port.parse::<u16>().ok());
    port.is_some_and(|port| port < 1024)
}

/// Where a container writes beyond what a read-only root with a writable `/tmp` allows, the
/// outermost folders of it; empty where that would do.
#[must_use]
pub fn writes_beyond_tmp(profile: &Profile) -> Vec<String> {
    let writes = agreed(profile, Class::File).into_iter();
    let writes = writes.filter(|(item, _)| item.how != "read" && item.who != START);
    let mut folders: Vec<String> = Vec::new();
    let beyond: BTreeSet<String> = writes.filter_map(|(item, _)| folder(&item)).collect();
    // In order, a folder stands before what is in it.
    for path in beyond {
        let is_within = |outer: &String| path.starts_with(&format!("{outer}/"));
        if !folders.iter().any(is_within) {
            folders.push(path);
        }
    }
    folders
}

/// The folder that a write needs, up to the first hole; `None` where it is writable anyway, and for
/// a file without a name.
fn folder(item: &Item<'_>) -> Option<String> {
    let (_, folder) = item.parts.split_last()?;
    let folder: Vec<&str> =
        folder.iter().copied().take_while(|part| !part.starts_with('{')).collect();
    let is_writable = matches!(item.parts.first(), Some(&("tmp" | "dev" | "proc" | "run" | "sys")));
    (!is_writable).then(|| format!("/{}", folder.join("/")))
}
