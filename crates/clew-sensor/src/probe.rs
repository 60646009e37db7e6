//! What this machine allows the sensor to do, and what would allow more.

use crate::blind;
use crate::dns::Dns;
use crate::http::Http;
use crate::stacks;
use crate::tier::{RingSizes, T0, T0s, try_t1, try_t2};

/// One thing that the sensor may or may not do here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// What it is.
    pub name: String,
    /// The tier that needs it; empty where it is more general.
    pub tier: &'static str,
    /// True where it can be used.
    pub is_available: bool,
    /// True where nothing can be watched without it.
    pub is_needed: bool,
    /// What it gives, or why it cannot be used.
    pub reason: String,
    /// What to do about it; empty where nothing is to be done.
    pub fix: String,
}

/// What a machine allows, and what cannot be seen on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Each thing that was tried.
    pub capabilities: Vec<Capability>,
    /// What cannot be seen, in sentences.
    pub blind_spots: Vec<String>,
}

/// Tries everything out; what had to be attached for it is taken off again.
#[must_use]
pub fn probe() -> Found {
    let mut found = vec![privilege(), btf()];
    let sizes = RingSizes { priority: 1 << 16, bulk: 1 << 16, stream: 1 << 16 };
    let t0 = T0::load(sizes);
    let t0s = t0.as_ref().ok().map(T0s::load);
    let dns = t0.as_ref().map_or_else(|_| Err(unloaded()), Dns::load);
    let dns = dns.and_then(Dns::attached).map(drop);
    let http = match (&t0, &t0s) {
        (Ok(t0), Some(Ok(t0s))) => Http::load(t0, t0s).map(drop),
        _ => Err(unloaded()),
    };
    let stacks = t0.as_ref().map_or_else(|_| Err(unloaded()), stacks::Programs::start);
    let stacks = stacks.map(drop);
    found.push(tier("processes and cgroups", "T0", t0.map(drop)));
    found.push(part("messages to name servers", "T0d", dns.as_ref().err(), "5.12"));
    found.push(part("requests on plain sockets", "T0h", http.as_ref().err(), "5.12"));
    found.push(part("libraries that start programs", "T0x", stacks.as_ref().err(), "6.10"));
    let t0s = t0s.unwrap_or_else(|| Err(unloaded()));
    if let Ok(loaded) = &t0s {
        let compat = loaded.compat_refusal();
        found.push(part("system calls by the 32-bit entry", "T0s", compat, "5.12"));
        found.push(part("requests through io_uring", "T0s", loaded.uring_refusal(), "6.3"));
    }
    let mut blind_spots = blind::all(t0s.as_ref());
    blind_spots.push(blind::of_names(dns.as_ref().err()));
    blind_spots.push(blind::OF_TLS.to_owned());
    blind_spots.push(blind::of_requests(http.as_ref().err()));
    blind_spots.push(blind::of_stacks(stacks.as_ref().err()));
    found.push(tier("files, sockets, credentials and calls on the kernel", "T0s", t0s.map(drop)));
    found.push(later("cheaper hooks (fentry)", "T1", try_t1()));
    found.push(later("denial in the kernel (BPF LSM)", "T2", try_t2()));
    Found { capabilities: found, blind_spots }
}

/// True for the user who may do everything in this user namespace.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn privilege() -> Capability {
    /// Bits of `linux/capability.h`.
    const PERFMON: u64 = 1 << 38;
    const BPF: u64 = 1 << 39;
    const ADMIN: u64 = 1 << 21;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    let is_available = held & ADMIN != 0 || held & (BPF | PERFMON) == BPF | PERFMON;
    let reason = if is_available { "held" } else { "not held by this process" };
    let fix = "run as root, or with CAP_BPF and CAP_PERFMON";
    capability("CAP_BPF and CAP_PERFMON", "", is_available, (reason, fix))
}

fn btf() -> Capability {
    const PATH: &str = "/sys/kernel/btf/vmlinux";
    let is_available = std::fs::exists(PATH).unwrap_or(false);
    let reason = if is_available { "`/sys/kernel/btf/vmlinux` is there" } else { "it is absent" };
    let fix = "boot a kernel with CONFIG_DEBUG_INFO_BTF, and mount /sys";
    capability("kernel type information (BTF)", "", is_available, (reason, fix))
}

fn tier(name: &str, tier: &'static str, loaded: Result<(), libbpf_rs::Error>) -> Capability {
    let is_available = loaded.is_ok();
    let refused = loaded.err().map(|error| format!("refused: {error}"));
    let reason = refused.unwrap_or_else(|| "loads".to_owned());
    let fix = "run as root on a kernel of 5.12 or later with BTF";
    capability(name, tier, is_available, (&reason, fix))
}

/// A part of a tier that its kernel may refuse.
fn part(
    name: &str,
    tier: &'static str,
    refusal: Option<&libbpf_rs::Error>,
    since: &str,
) -> Capability {
    let reason = refusal.map_or_else(|| "loads".to_owned(), |error| format!("refused: {error}"));
    let fix = format!("run as root on a kernel of {since} or later with BTF");
    capability(name, tier, refusal.is_none(), (&reason, &fix))
}

/// A tier that has no programs yet beside the one that tries it.
fn later(name: &str, tier: &'static str, tried: Result<(), libbpf_rs::Error>) -> Capability {
    let reason = match tried {
        Ok(()) => "the kernel allows it, but this version has no programs for it".to_owned(),
        Err(error) => format!("refused: {error}"),
    };
    capability(name, tier, false, (&reason, ""))
}

fn capability(
    name: &str,
    tier: &'static str,
    is_available: bool,
    (reason, fix): (&str, &str),
) -> Capability {
    let fix = if is_available { String::new() } else { fix.to_owned() };
    Capability {
        name: name.to_owned(),
        tier,
        is_available,
        is_needed: tier.is_empty() || tier == "T0",
        reason: reason.to_owned(),
        fix,
    }
}

fn unloaded() -> libbpf_rs::Error {
    std::io::Error::other("tier T0, whose maps it shares, did not load").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_says_why_and_how_to_get_it() {
        for found in probe().capabilities {
            assert!(!found.reason.is_empty(), "{found:?}");
            let is_later = found.tier == "T1" || found.tier == "T2";
            assert!(found.is_available || is_later || !found.fix.is_empty(), "{found:?}");
        }
    }
}
