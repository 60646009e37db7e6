//! What a person said is to be expected: one behavior of one workload, with a reason, for a time.

use std::collections::BTreeMap;

use clew_event::{Text, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::item::Item;

/// Most waivers; further ones are refused.
pub const WAIVERS_MAX: usize = 1_024;
/// Longest reason in bytes.
pub const REASON_BYTES_MAX: usize = 1_024;

/// One waiver.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Waiver {
    /// Whose behavior.
    pub workload: Text,
    /// Key of the item.
    pub key: String,
    /// Why a person expects it.
    pub reason: String,
    /// Until when.
    pub expires: TimestampNs,
}

/// Why a waiver was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaiverError {
    /// Nobody could later say why.
    #[error("a waiver needs a reason of 1 to {REASON_BYTES_MAX} bytes, this one has {given}")]
    Reason {
        /// Bytes of the reason.
        given: usize,
    },
    /// The key is no item's.
    #[error("`{key}` is no behavior: copy it from `clew profile show --json`")]
    Key {
        /// As it was given.
        key: String,
    },
    /// There are too many.
    #[error("there are {WAIVERS_MAX} waivers already: wait until one expires")]
    Full,
}

/// All waivers, by workload and item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Waiver>", into = "Vec<Waiver>")]
pub struct Waivers(BTreeMap<(Text, String), Waiver>);

impl Waivers {
    /// True where a waiver that has not expired covers the item.
    #[must_use]
    pub fn cover(&self, workload: &Text, key: &str, now: TimestampNs) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let waiver = self.0.get(&(workload.clone(), key.to_owned()));
        waiver.is_some_and(|waiver| now < waiver.expires)
    }

    pub(crate) fn add(&mut self, waiver: Waiver) -> Result<(), WaiverError> {
        let given = waiver.reason.trim().len();
        if !(1..=REASON_BYTES_MAX).contains(&given) {
            return Err(WaiverError::Reason { given });
        }
        if Item::of_key(&waiver.key).is_none() {
            return Err(WaiverError::Key { key: waiver.key });
        }
        let at = (waiver.workload.clone(), waiver.key.clone());
        if self.0.len() == WAIVERS_MAX && !self.0.contains_key(&at) {
            return Err(WaiverError::Full);
        }
        self.0.insert(at, waiver);
        Ok(())
    }

    /// Every waiver, expired ones too.
    pub fn iter(&self) -> impl Iterator<Item = &Waiver> {
        self.0.values()
    }

    /// Of two for the same item the one that lasts longer.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (at, waiver) in &other.0 {
            match self.0.get(at) {
                Some(ours) if (waiver.expires, &waiver.reason) <= (ours.expires, &ours.reason) => {}
                None if self.0.len() == WAIVERS_MAX => {}
                _ => {
                    self.0.insert(at.clone(), waiver.clone());
                }
            }
        }
    }
}

impl From<Vec<Waiver>> for Waivers {
    fn from(waivers: Vec<Waiver>) -> Self {
        let mut all = Self::default();
        // What cannot be a waiver waives nothing.
        waivers.into_iter().for_each(|waiver| drop(all.add(waiver)));
        all
    }
}

impl From<Waivers> for Vec<Waiver> {
    fn from(waivers: Waivers) -> Self {
        waivers.0.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(key: &str, reason: &str, expires: u64) -> Waiver {
        let expires = TimestampNs::from_unix_ns(expires);
        Waiver { workload: "web".into(), key: key.into(), reason: reason.into(), expires }
    }

    #[test]
    fn a_waiver_holds_until_it_expires_and_for_its_workload_alone() {
        let mut waivers = Waivers::default();
        assert_eq!(waivers.add(waiver("exec\ta\t\tb", "migration", 10)), Ok(()));
        let covers = |workload: &str, now| {
            waivers.cover(&workload.into(), "exec\ta\t\tb", TimestampNs::from_unix_ns(now))
        };
        assert!(covers("web", 9));
        assert!(!covers("web", 10));
        assert!(!covers("db", 9));
    }

    #[test]
    fn a_waiver_without_reason_or_behavior_is_refused_and_waivers_max_is_the_end() {
        let mut waivers = Waivers::default();
        let refused = |result: Result<(), WaiverError>| assert!(result.is_err(), "{result:?}");
        refused(waivers.add(waiver("exec\ta\t\tb", "  ", 10)));
        refused(waivers.add(waiver("exec\ta\t\tb", &"x".repeat(REASON_BYTES_MAX + 1), 10)));
        refused(waivers.add(waiver("anything", "because", 10)));
        for number in 0..WAIVERS_MAX {
            assert_eq!(waivers.add(waiver(&format!("exec\ta\t\t{number}"), "why", 10)), Ok(()));
        }
        assert_eq!(waivers.add(waiver("exec\ta\t\tx", "why", 10)), Err(WaiverError::Full));
    }
}
