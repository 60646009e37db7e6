//! One line: findings that the process tree ties to one cause, summed up.
//!
//! A line with a seed may join another line with a seed over a value that both carry. A line of
//! small findings only (an honest request's shell) never joins over a place, however close it
//! lies. It joins over who acted: an attacker's quiet steps are the attacker's. They make the
//! story whole, and no more likely.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::{Finding, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::tie::Shared;
use crate::trail::Handle;

/// How long a line is kept when room is needed: the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Rank {
    /// Small findings only.
    #[default]
    Quiet,
    /// It has a seed.
    Seeded,
    /// It is what is kept of a story that had no news for long.
    Settled,
    /// It is part of a story that has been told and still grows.
    Told,
}

impl Rank {
    pub(crate) const ALL: [Self; 4] = [Self::Quiet, Self::Seeded, Self::Settled, Self::Told];
}

/// The findings of one line, summed up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) members: usize,
    /// Findings kept in full, by rule.
    rules: BTreeMap<String, usize>,
    /// Findings beyond the bounds: only counted.
    pub(crate) untold: u64,
    /// Rules that gave it a seed.
    seeds: BTreeSet<String>,
    /// The values by which it meets other lines.
    pub(crate) keys: BTreeSet<(Key, Shared)>,
    /// Its place in the order in which lines are let go.
    pub(crate) age: (Rank, TimestampNs),
}

impl Line {
    /// Findings of one line kept in full.
    pub(crate) const MEMBERS_MAX: usize = 512;
    /// Findings of one rule in one line kept in full, so that noise by one rule does not keep
    /// others out.
    pub(crate) const PER_RULE_MAX: usize = 32;
    /// Values by which one line meets others.
    pub(crate) const KEYS_MAX: usize = 8;

    /// Becomes what is left of it when its story settled: what it shares with others is no tie any
    /// more.
    pub(crate) fn settle(&mut self, members: usize) {
        (self.members, self.age.0) = (members, Rank::Settled);
        self.keys.clear();
    }

    pub(crate) fn is_seeded(&self) -> bool {
        !self.seeds.is_empty()
    }

    /// The values by which it meets others now: without a seed, only those that name who acts.
    pub(crate) fn open_keys(&self) -> impl Iterator<Item = (Key, Shared)> + '_ {
        let is_open = |(_, value): &&(Key, Shared)| self.is_seeded() || value.is_actor();
        self.keys.iter().filter(is_open).copied()
    }

    /// True where both know who acted, and it was never the same.
    pub(crate) fn is_of_others(&self, other: &Self) -> bool {
        let mut own = self.callers().peekable();
        let knows_both = own.peek().is_some() && other.callers().next().is_some();
        knows_both && !own.any(|caller| other.keys.contains(caller))
    }

    fn callers(&self) -> impl Iterator<Item = &(Key, Shared)> {
        self.keys.iter().filter(|(_, value)| *value == Shared::Caller)
    }

    /// True where it has a seed of a rule that the other line has not. A line that only does
    /// again what another did is a recurrence (a health check, a nightly job), not its next step.
    pub(crate) fn goes_beyond(&self, other: &Self) -> bool {
        self.seeds.iter().any(|rule| !other.rules.contains_key(rule))
    }

    /// Adds the rules that gave it a seed; true where one of them was not known before.
    pub(crate) fn brings_seed<'a>(&'a self, known: &mut BTreeSet<&'a str>) -> bool {
        let before = known.len();
        known.extend(self.seeds.iter().map(String::as_str));
        before < known.len()
    }

    /// True where a finding of this rule would only be counted.
    pub(crate) fn is_full_for(&self, rule: &str) -> bool {
        Self::MEMBERS_MAX <= self.members
            || self.rules.get(rule).is_some_and(|&count| Self::PER_RULE_MAX <= count)
    }

    /// Adds a finding; true where that changes whom the line can meet.
    pub(crate) fn add(&mut self, finding: &Finding, seed_bits: f64) -> bool {
        let before = (self.seeds.len(), self.keys.len());
        self.members += 1;
        *self.rules.entry(finding.rule.clone()).or_default() += 1;
        if seed_bits <= finding.bits && !self.seeds.contains(&finding.rule) {
            self.seeds.insert(finding.rule.clone());
        }
        self.age.1 = self.age.1.max(finding.time);
        if self.is_seeded() {
            self.age.0 = self.age.0.max(Rank::Seeded);
        }
        let keys = [
            Key::container(finding).map(|key| (key, Shared::Container)),
            Key::peer(finding).map(|key| (key, Shared::Peer)),
            Key::program(finding).map(|key| (key, Shared::Program)),
            Key::credential(finding).map(|key| (key, Shared::Credential)),
            Key::caller(finding).map(|key| (key, Shared::Caller)),
        ];
        for key in keys.into_iter().flatten() {
            if self.keys.len() < Self::KEYS_MAX {
                self.keys.insert(key);
            }
        }
        before != (self.seeds.len(), self.keys.len())
    }
}

/// Order in which lines are let go.
pub(crate) type Ages = BTreeSet<(Rank, TimestampNs, Handle)>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    #[test]
    fn counts_beyond_per_rule_max_and_members_max() {
        let mut line = Line::default();
        for pid in 0..Line::PER_RULE_MAX {
            assert!(!line.is_full_for("a"));
            line.add(&Sample::new("a", pid).finding(), 8.0);
        }
        assert!(line.is_full_for("a"));
        assert!(!line.is_full_for("b"));
        for pid in 0..Line::MEMBERS_MAX {
            line.add(&Sample::new(&format!("r{pid}"), pid).finding(), 8.0);
        }
        assert!(line.is_full_for("b"));
    }

    #[test]
    fn meets_others_by_at_most_keys_max_values() {
        let mut line = Line::default();
        for peer in 0..100 {
            line.add(&Sample::new("a", 1).peer(&format!("10.0.0.{peer}:80")).finding(), 8.0);
        }
        assert_eq!(line.keys.len(), Line::KEYS_MAX);
    }
}
