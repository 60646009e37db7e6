//! Versions that a file requires of the engine and of plugins.
//!
//! Rule files written for Falco say which Falco they need. Clew answers for the engine version
//! whose language it speaks, and for the plugins whose fields it knows, at the versions whose
//! field tables were read (August 2026).

/// Version of the rule language that is spoken.
pub(crate) const ENGINE_VERSION: &str = "0.63.0";

/// Plugins whose fields are known, with the version of their field tables.
pub(super) const PLUGINS: [(&str, &str); 12] = [
    ("cloudtrail", "0.17.1"),
    ("container", "0.7.1"),
    ("gcpaudit", "0.8.1"),
    ("github", "0.10.1"),
    ("json", "0.7.4"),
    ("k8saudit", "0.18.0"),
    ("k8saudit-aks", "0.6.0"),
    ("k8saudit-eks", "0.12.0"),
    ("k8saudit-gke", "0.9.0"),
    ("k8saudit-ovh", "0.6.0"),
    ("krsi", "0.2.0"),
    ("okta", "0.12.0"),
];

/// A version by three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

impl Version {
    /// `1.2.3`; anything behind a third number's `-` or `+` is left aside.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain = text.split(['-', '+']).next()?;
        let mut numbers = plain.split('.').map(|part| part.parse().ok());
        let version =
            Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()?? };
        numbers.next().is_none().then_some(version)
    }

    /// An engine version: three numbers, or one that stands for `0.N.0`.
    pub(super) fn parse_engine(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(minor) => Some(Self { major: 0, minor, patch: 0 }),
            Err(_) => Self::parse(text),
        }
    }

    /// True where this version does what a file needs that was written for `required`.
    pub(super) fn satisfies(self, required: Self) -> bool {
        self.major == required.major && required <= self
    }
}

/// The version of a plugin that is answered for.
pub(super) fn plugin(name: &str) -> Option<Version> {
    let found = PLUGINS.iter().find(|(plugin, _)| *plugin == name);
    found.and_then(|(_, version)| Version::parse(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_satisfies_earlier_ones_of_the_same_major_number() {
        let check = |required: &str, is_satisfied: bool| {
            let engine = Version::parse(ENGINE_VERSION).unwrap();
            let required = Version::parse_engine(required).unwrap();
            assert_eq!(engine.satisfies(required), is_satisfied, "{required:?}");
        };
        check("0.57.0", true);
        check("15", true);
        check("0.63.0", true);
        check("64", false);
        check("0.63.1", false);
        check("1.0.0", false);
        assert_eq!(Version::parse("0.1"), None);
        assert_eq!(Version::parse("0.1.x"), None);
        assert_eq!(Version::parse("0.1.2-rc1"), Version::parse("0.1.2"));
    }

    #[test]
    fn every_plugin_has_a_version() {
        for (name, _) in PLUGINS {
            assert!(plugin(name).is_some(), "{name}");
        }
        assert_eq!(plugin("nonesuch"), None);
    }
}
