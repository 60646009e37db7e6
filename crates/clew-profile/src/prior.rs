//! What kind of behavior is telling wherever it is new: the prior of the whole world, in bits.
//!
//! A server that never ran a shell and now does says more than one that reads another page. The
//! numbers are rounded guesses of how rarely such an item is the next new one of a healthy
//! workload; what a workload shows itself (`learning::Kind`) and what others with the same image
//! do weighs against them.

use crate::behavior::{DROPPED, START, is_sensitive};
use crate::class::Class;
use crate::item::Item;

const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "csh"];
/// What brings in or opens a way out.
const CARRIERS: [&str; 12] = [
    "curl", "wget", "nc", "ncat", "netcat", "socat", "ssh", "scp", "ftp", "tftp", "telnet", "nmap",
];
const INSTALLERS: [&str; 12] =
    ["apt", "apt-get", "dpkg", "apk", "yum", "dnf", "rpm", "pip", "pip3", "npm", "gem", "cargo"];
const INTERPRETERS: [&str; 6] = ["python", "perl", "ruby", "php", "node", "lua"];
const MINERS: [&str; 8] = [
    "minexmr",
    "nanopool",
    "supportxmr",
    "moneroocean",
    "hashvault",
    "xmrpool",
    "2miners",
    "c3pool",
];
/// Ports of mining pools (Stratum) that nothing else listens on.
const MINER_PORTS: [&str; 4] = ["3333", "14444", "45700", "5555"];
const WRITABLE: [&str; 3] = ["tmp", "dev", "run"];

/// Bits of the item as the next new one of any workload.
#[must_use]
pub fn bits(item: &Item<'_>) -> f64 {
    // What sets a container up mounts, enters and executes the same for each.
    if item.who == START {
        return 1.0;
    }
    match item.class {
        Class::Exec => of_exec(item),
        Class::File => of_file(item),
        Class::Network => of_network(item),
        Class::Dns => 1.0,
        Class::Privilege if item.how.ends_with("namespaces") || item.how.ends_with("namespace") => {
            5.0
        }
        Class::Privilege if item.how == "set user" && item.parts.first() == Some(&"0") => 4.0,
        Class::Privilege => 2.0,
        Class::Kernel => match item.how {
            "ptrace" | "init_module" | "kexec_load" => 7.0,
            "bpf" | "pivot_root" | "mount" | "userfaultfd" => 5.0,
            _ => 3.0,
        },
        Class::CloudApi | Class::KubernetesApi if item.how == "refused" => 2.0,
        Class::CloudApi | Class::KubernetesApi => 1.0,
        Class::HttpIn | Class::HttpOut => 0.0,
    }
}

fn of_exec(item: &Item<'_>) -> f64 {
    let exe = item.parts.first().copied().unwrap_or_default();
    let name = exe.rsplit('/').next().unwrap_or_default();
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if exe.starts_with("/tmp/") || exe.starts_with("/dev/shm/") || exe.starts_with("/var/tmp/") {
        return 6.0;
    }
    match name {
        name if CARRIERS.contains(&name) || INSTALLERS.contains(&name) => 5.0,
        name if SHELLS.contains(&name) => 4.0,
        _ if INTERPRETERS.contains(&bare) => 3.0,
        _ => 2.0,
    }
}

fn of_file(item: &Item<'_>) -> f64 {
    let first = item.parts.first().copied().unwrap_or_default();
    let is_read = item.how == "read";
    if is_sensitive(item.what().as_bytes()) {
        let is_secret = item.parts.iter().any(|part| {
            matches!(*part, ".ssh" | ".aws" | ".kube" | "shadow" | "environ" | "mem" | "secrets")
        });
        return match (is_read, is_secret) {
            (_, true) => 6.0,
            // A process looks at itself, and at settings, without end.
            (true, false) => 1.0,
            (false, false) if first == "proc" => 2.0,
            (false, false) => 5.0,
        };
    }
    match first {
        _ if is_read => 0.5,
        "usr" | "bin" | "sbin" | "lib" | "lib64" | "boot" | "opt" => 5.0,
        first if WRITABLE.contains(&first) => 1.0,
        _ => 1.5,
    }
}

fn of_network(item: &Item<'_>) -> f64 {
    match (item.how, item.parts.as_slice()) {
        ("from", [_]) => 2.0,
        ("from", [_, _, "public"]) => 1.5,
        ("from", _) => 0.5,
        ("on", [_, "{ephemeral}"]) => 0.5,
        ("on", _) => 3.0,
        ("to", [_, _, "169.254.169.254"]) => 5.0,
        ("to", [_, "53" | "80" | "443", ..]) => 1.0,
        ("to", [_, _, peer]) if is_private(peer) => 1.5,
        _ => 3.0,
    }
}

fn is_private(peer: &str) -> bool {
    peer == "loopback"
        || peer.starts_with("10.")
        || peer.starts_with("192.168.")
        || peer.starts_with("172.")
        || peer.ends_with(".local")
        || peer.ends_with(".internal")
        || !peer.contains(['.', ':'])
}

/// Why a behavior is never learned as normal, whoever repeats it; only a person may waive it.
#[must_use]
pub fn never_learned(item: &Item<'_>) -> Option<&'static str> {
    match item.class {
        Class::Exec if item.how == DROPPED => Some("the executed file is not in the image"),
        Class::Kernel => match item.how {
            "ptrace" => Some("one process took control of another"),
            "init_module" => Some("a kernel module was loaded"),
            "kexec_load" => Some("another kernel was loaded"),
            _ => None,
        },
        Class::File => match item.parts.as_slice() {
            ["proc", "{number}", "environ" | "mem"] => {
                Some("it reads the environment or memory of another process")
            }
            _ => None,
        },
        Class::Dns => {
            let name = item.parts.first().copied().unwrap_or_default();
            MINERS.iter().any(|miner| name.contains(miner)).then_some("a mining pool was asked for")
        }
        Class::Network if item.how == "to" => of_peer(item),
        Class::CloudApi => match item.parts.as_slice() {
            [_, "AttachUserPolicy" | "AttachRolePolicy" | "PutUserPolicy" | "PutRolePolicy"]
                if item.how.is_empty() =>
            {
                Some("it gave rights to an identity")
            }
            _ => None,
        },
        Class::Exec
        | Class::Network
        | Class::Privilege
        | Class::HttpIn
        | Class::HttpOut
        | Class::KubernetesApi => None,
    }
}

fn of_peer(item: &Item<'_>) -> Option<&'static str> {
    let name = item.who.rsplit('/').next().unwrap_or_default();
    let is_tool = SHELLS.contains(&name) || CARRIERS.contains(&name);
    match item.parts.as_slice() {
        [_, _, "169.254.169.254"] if is_tool => Some("a tool asked the cloud's metadata service"),
        [_, port, peer] if MINER_PORTS.contains(port) && !is_private(peer) => {
            Some("the port is one of mining pools")
        }
        [_, _, peer] if MINERS.iter().any(|miner| peer.contains(miner)) => {
            Some("the peer is a mining pool")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str) -> Item<'_> {
        Item::of_key(key).expect("a key")
    }

    #[test]
    fn what_opens_a_way_is_more_telling_than_what_servers_do() {
        let order = [
            "exec\t/usr/bin/app\t\t/usr/bin/date",
            "exec\t/usr/bin/app\t\t/usr/bin/python3.11",
            "exec\t/usr/bin/app\t\t/bin/sh",
            "exec\t/usr/bin/app\t\t/usr/bin/curl",
            "exec\t/usr/bin/app\t\t/tmp/x",
        ];
        assert!(order.windows(2).all(|pair| bits(&item(pair[0])) < bits(&item(pair[1]))));
        assert!(bits(&item("exec\t(start)\t\t/bin/sh")) < 2.0);
        assert!(bits(&item("kernel\t(start)\tpivot_root\t.")) < 2.0);
        let read = bits(&item("file\t/usr/bin/app\tread\tetc\thosts"));
        assert!(read < bits(&item("file\t/usr/bin/app\tread\tetc\tshadow")));
        assert!(read < bits(&item("file\t/usr/bin/app\twrite\tetc\tcron.d\tx")));
    }

    #[test]
    fn some_behavior_is_never_normal() {
        for key in [
            "exec\tapp\tdropped\t/x",
            "kernel\tapp\tptrace\t",
            "file\tapp\tread\tproc\t{number}\tenviron",
            "dns\tapp\t\tpool.minexmr.com",
            "network\t/usr/bin/curl\tto\ttcp\t80\t169.254.169.254",
            "network\tapp\tto\ttcp\t3333\t203.0.113.0/24",
            "cloud_api\teve\t\tiam.amazonaws.com\tAttachUserPolicy",
        ] {
            assert!(never_learned(&item(key)).is_some(), "{key}");
        }
        for key in [
            "file\tapp\tread\tproc\t{self}\tenviron",
            "network\tapp\tto\ttcp\t80\t169.254.169.254",
            "network\tapp\tto\ttcp\t3333\tloopback",
            "cloud_api\teve\trefused\tiam.amazonaws.com\tAttachUserPolicy",
        ] {
            assert!(never_learned(&item(key)).is_none(), "{key}");
        }
    }
}
