//! What is known of the machine before anything happens.

use clew_event::kernel::NodeStarted;
use clew_event::{BootId, Text};

use crate::rings::Clock;

/// The first event of a stream: this boot of this machine.
pub(crate) fn started(tiers: Vec<String>, blind_spots: Vec<String>) -> NodeStarted {
    NodeStarted {
        boot: boot(),
        hostname: Text::from(read("/proc/sys/kernel/hostname")),
        kernel: Text::from(read("/proc/sys/kernel/osrelease")),
        boot_unix_ns: Clock.unix().unix_ns().saturating_sub(Clock.boot_ns()),
        tiers,
        blind_spots,
        ..NodeStarted::default()
    }
}

/// This boot, by the hash of its random id.
fn boot() -> BootId {
    let id = read("/proc/sys/kernel/random/boot_id");
    let hash = blake3::hash(id.as_bytes());
    let first = hash.as_bytes().first_chunk::<4>().copied().unwrap_or_default();
    BootId(u32::from_be_bytes(first))
}

/// A one-line file of the kernel; empty where it is absent.
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_keeps_its_id() {
        assert_eq!(boot(), boot());
        assert_ne!(boot(), BootId(0));
    }

    #[test]
    fn a_node_tells_its_name_and_its_boot() {
        let started = started(vec!["T0".to_owned()], Vec::new());
        assert!(!started.hostname.is_empty() && !started.kernel.is_empty());
        assert!(0 < started.boot_unix_ns && started.boot_unix_ns < Clock.unix().unix_ns());
    }
}
