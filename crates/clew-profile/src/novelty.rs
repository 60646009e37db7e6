//! What comes out: new behavior with its bits and the sentence that explains it.

use std::collections::BTreeMap;

use clew_event::finding::Priority;

use crate::class::Class;
use crate::item::Item;

/// From so many bits on new behavior is told.
pub const TELLING_BITS: f64 = 6.0;
/// From so many bits on it starts a story.
pub const SEED_BITS: f64 = 8.0;
/// Name under which a release's new behavior is told, all at once.
pub const RELEASE_RULE: &str = "Release behaves differently";

/// One detection, ready to become a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Novelty {
    /// Name of the detector, as a rule's.
    pub rule: &'static str,
    /// How urgent it is.
    pub priority: Priority,
    /// ATT&CK techniques, where the behavior has one.
    pub techniques: Vec<&'static str>,
    /// How surprising it is.
    pub bits: f64,
    /// One sentence that explains it.
    pub output: String,
    /// The facts of that sentence by name.
    pub fields: BTreeMap<&'static str, String>,
}

/// How urgent so many bits are.
pub(crate) fn priority(bits: f64) -> Priority {
    match bits {
        bits if 12.0 <= bits => Priority::Error,
        bits if SEED_BITS <= bits => Priority::Warning,
        bits if 5.0 <= bits => Priority::Notice,
        _ => Priority::Informational,
    }
}

/// The technique that new behavior of this sort belongs to, where it is one sort.
pub(crate) fn techniques(item: &Item<'_>) -> Vec<&'static str> {
    let technique = match (item.class, item.how) {
        (Class::Exec, _) => "T1059",
        (Class::Network, "to") => "T1071",
        (Class::Network, "on") => "T1205",
        (Class::Dns, _) => "T1071.004",
        (Class::Privilege, "enter namespace" | "leave namespaces") => "T1611",
        (Class::Privilege, _) => "T1548",
        (Class::Kernel, "ptrace") => "T1055.008",
        (Class::Kernel, "init_module") => "T1547.006",
        (Class::Kernel, "memfd_create") => "T1620",
        (Class::Kernel, "mount") => "T1611",
        (Class::File, "read") if item.parts.first() == Some(&"etc") => "T1083",
        (Class::File, "chmod" | "chown") => "T1222",
        (Class::CloudApi, _) => "T1078.004",
        (Class::KubernetesApi, _) => "T1078",
        (Class::File | Class::Network | Class::Kernel | Class::HttpIn | Class::HttpOut, _) => {
            return Vec::new();
        }
    };
    vec![technique]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_technique_is_one_of_attack() {
        for key in [
            "exec\ta\t\tb",
            "network\ta\tto",
            "network\ta\ton",
            "dns\ta\t\tb",
            "privilege\ta\tenter namespace",
            "privilege\ta\tset user",
            "kernel\ta\tptrace",
            "kernel\ta\tinit_module",
            "kernel\ta\tmemfd_create",
            "kernel\ta\tmount",
            "file\ta\tread\tetc",
            "file\ta\tchmod\ttmp",
            "cloud_api\ta\t\tb",
            "kubernetes_api\ta\t\tb",
        ] {
            let item = Item::of_key(key).expect("a key");
            let [technique] = techniques(&item)[..] else { panic!("{key}") };
            assert!(clew_event::attack::technique(technique).is_some(), "{technique}");
        }
    }

    #[test]
    fn more_bits_are_never_less_urgent() {
        let of: Vec<_> = [0.0, 5.0, 8.0, 12.0].map(priority).into();
        assert!(of.windows(2).all(|pair| pair[1] < pair[0]));
    }
}
