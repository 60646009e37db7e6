//! Where each finding was made, so that a story can take back what its steps taught.
//!
//! A finding of few bits is learned from like any behavior. When a story makes it a step of an
//! attack, the unit it was made in is known to be the attacker's too, however long ago it ended.

use std::collections::{BTreeMap, VecDeque};

use clew_event::{FindingId, Text};
use serde::{Deserialize, Serialize};

use crate::unit::UnitId;

/// Most findings whose unit is remembered; the oldest go first, and what they taught stays.
pub(crate) const FINDINGS_MAX: usize = 4_096;

/// The units of the newest findings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Lesson>", into = "Vec<Lesson>")]
pub(crate) struct Taught {
    units: BTreeMap<FindingId, (Text, UnitId)>,
    /// The newest last; those that were taken out too.
    order: VecDeque<FindingId>,
}

/// As it is kept.
#[derive(Serialize, Deserialize)]
struct Lesson(FindingId, Text, UnitId);

impl Taught {
    /// Remembers in which unit of which workload a finding was made; gives how many others that no
    /// story had asked for were given up for it.
    pub(crate) fn remember(&mut self, finding: FindingId, workload: Text, unit: UnitId) -> u64 {
        let mut dropped = 0;
        if self.units.insert(finding, (workload, unit)).is_none() {
            self.order.push_back(finding);
        }
        while FINDINGS_MAX < self.order.len() {
            let oldest = self.order.pop_front();
            dropped += u64::from(oldest.is_some_and(|oldest| self.units.remove(&oldest).is_some()));
        }
        dropped
    }

    /// Takes out the unit of a finding.
    pub(crate) fn take(&mut self, finding: FindingId) -> Option<(Text, UnitId)> {
        self.units.remove(&finding)
    }
}

impl From<Vec<Lesson>> for Taught {
    fn from(lessons: Vec<Lesson>) -> Self {
        let mut taught = Self::default();
        for Lesson(finding, workload, unit) in lessons {
            taught.remember(finding, workload, unit);
        }
        taught
    }
}

impl From<Taught> for Vec<Lesson> {
    fn from(mut taught: Taught) -> Self {
        let order = std::mem::take(&mut taught.order);
        let lessons = order.into_iter().filter_map(|finding| {
            let (workload, unit) = taught.take(finding)?;
            Some(Lesson(finding, workload, unit))
        });
        lessons.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_findings_max_are_remembered_each_once_and_in_their_order() {
        let mut taught = Taught::default();
        let unit = UnitId::default();
        let ids = 0..=FINDINGS_MAX as u128;
        let dropped = ids.map(|id| taught.remember(FindingId(id), "web".into(), unit));
        assert_eq!(dropped.sum::<u64>(), 1);
        assert_eq!(taught.take(FindingId(0)), None, "the oldest went");
        assert_eq!(taught.take(FindingId(1)), Some(("web".into(), UnitId::default())));
        assert_eq!(taught.take(FindingId(1)), None);
        let kept = serde_json::to_vec(&taught).unwrap();
        let mut restored: Taught = serde_json::from_slice(&kept).unwrap();
        assert_eq!(restored.units, taught.units);
        restored.remember(FindingId(u128::MAX), "web".into(), UnitId::default());
        assert!(restored.take(FindingId(2)).is_some());
    }
}
