//! How likely a tree of findings is an attack, in bits, and from where it is told.
//!
//! The sum has three parts:
//! - *findings*: each rule once per story, with the bits of its first finding. A rule that fired
//!   n times before in that container (decayed, outside the story) is worth log2(1 + n) bits
//!   less: what happens daily surprises nobody. Repetitions inside one story are one piece of
//!   evidence, for one script repeats itself.
//! - *ties*: each at most [`TIE_BITS_MAX`]. A tie proves one cause, and not yet that the cause is
//!   an attack: honest scripts have children too.
//! - *order*: how much likelier the tactics follow one another so in attacks, see [`order`].
//!
//! The numbers are first guesses; the story benchmark will fit them. A story is told where the
//! sum reaches log2(looks / α): `looks` is the number of different (container, rule) pairs that
//! gave a seed in the last day, at least [`LOOKS_MIN`], and α the false stories allowed per day.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::TimestampNs;
use serde::{Deserialize, Serialize};

use crate::attack::{Tactic, technique};
use crate::forest::Forest;
use crate::key::Key;
use crate::order;
use crate::settings::Settings;
use crate::tie::Tie;
use crate::trail::{Handle, Moment, decay};

/// Bits that one tie adds to a story's likelihood at most.
pub(crate) const TIE_BITS_MAX: f64 = 4.0;
/// Looks per day that are assumed at least: a day without any other alert proves little.
const LOOKS_MIN: usize = 16;
const NS_PER_DAY: u64 = 86_400_000_000_000;

/// What speaks for an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Likelihood {
    pub(crate) finding_bits: f64,
    pub(crate) tie_bits: f64,
    pub(crate) order_bits: f64,
}

impl Likelihood {
    /// All of it, to a hundredth of a bit.
    pub(crate) fn bits(&self) -> f64 {
        let sum = self.finding_bits + self.tie_bits + self.order_bits;
        (sum * 100.0).round() / 100.0
    }
}

/// Weighs what speaks for an attack in the tree of these `members`; both in any order.
pub(crate) fn weigh(
    forest: &Forest,
    members: &[Handle],
    evidence: &BTreeSet<Handle>,
) -> Likelihood {
    let mut first_of_rule: BTreeMap<&str, (Moment, Handle)> = BTreeMap::new();
    let mut tactics: Vec<(Moment, Tactic)> = Vec::new();
    let mut tie_bits = 0.0;
    for &member in evidence {
        let Some(node) = forest.node(member) else { continue };
        let first = first_of_rule.entry(&node.finding.rule).or_insert((node.at(), member));
        *first = (*first).min((node.at(), member));
        tie_bits += tie_bits_of(forest, member, evidence);
        let first = node.finding.techniques.iter().find_map(|id| technique(id));
        tactics.extend(first.map(|found| (node.at(), found.tactic)));
    }
    tactics.sort_unstable();
    let tactics: Vec<Tactic> = tactics.into_iter().map(|(_, tactic)| tactic).collect();
    let story: BTreeSet<Handle> = members.iter().copied().collect();
    let finding_bits =
        first_of_rule.values().map(|&(_, first)| surprisal(forest, first, &story)).sum();
    Likelihood { finding_bits, tie_bits, order_bits: order::bits(&tactics) }
}

/// Bits of what ties a finding to others that speak for an attack, by way of some that do not.
fn tie_bits_of(forest: &Forest, member: Handle, evidence: &BTreeSet<Handle>) -> f64 {
    let tie_of = |member| forest.node(member).and_then(|node| node.parent.as_ref());
    let mut above = std::iter::successors(tie_of(member), |tie| tie_of(tie.to));
    let leads_to_evidence = above.any(|tie| evidence.contains(&tie.to));
    tie_of(member).filter(|_| leads_to_evidence).map_or(0.0, scored)
}

fn scored(tie: &Tie) -> f64 {
    tie.bits.clamp(0.0, TIE_BITS_MAX)
}

/// Bits of a finding, less what its rule's earlier findings in the same place and outside its
/// `story` explain.
fn surprisal(forest: &Forest, handle: Handle, story: &BTreeSet<Handle>) -> f64 {
    let Some(node) = forest.node(handle) else { return 0.0 };
    let Some(trail) = forest.trail(Key::rule(&node.finding)) else { return node.finding.bits };
    let mut lines = BTreeSet::new();
    let mut before = trail.older_weight(node.finding.time);
    let others = trail.before(node.at()).filter(|visit| !story.contains(&visit.node));
    for visit in others {
        if lines.insert(forest.line_root(visit.node)) {
            before += decay(visit.at.0, node.finding.time);
        }
    }
    (node.finding.bits - before.ln_1p() / std::f64::consts::LN_2).max(0.0)
}

/// Counts how often a story was looked for: one look for each rule in each container and day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Looks {
    last: BTreeMap<Key, TimestampNs>,
}

impl Looks {
    /// Looks that are told apart; more do not raise the threshold further, so that noise cannot
    /// hide an attack.
    pub(crate) const LOOKS_MAX: usize = 4_096;

    /// Takes note of a seed.
    pub(crate) fn insert(&mut self, rule: Key, time: TimestampNs) {
        if Self::LOOKS_MAX <= self.last.len() {
            self.last.retain(|_, last| time.since(*last).as_nanos() < u128::from(NS_PER_DAY));
        }
        if self.last.len() < Self::LOOKS_MAX || self.last.contains_key(&rule) {
            let last = self.last.entry(rule).or_default();
            *last = time.max(*last);
        }
    }

    /// Bits from which a story is told.
    pub(crate) fn bits_needed(&self, now: TimestampNs, settings: &Settings) -> f64 {
        let day = u128::from(NS_PER_DAY);
        let looks = self.last.values().filter(|last| now.since(**last).as_nanos() < day).count();
        let looks = u32::try_from(looks.max(LOOKS_MIN)).unwrap_or(u32::MAX);
        let bits = (f64::from(looks) / settings.false_stories_per_day).log2();
        (bits * 100.0).round() / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, at_ms};

    #[test]
    fn a_rule_that_fires_daily_surprises_less() {
        let mut forest = Forest::default();
        let bits =
            |forest: &Forest, handle| weigh(forest, &[handle], &BTreeSet::from([handle])).bits();
        let first = forest.insert(Sample::new("a", 1).at(0).finding());
        assert!((bits(&forest, first) - 8.0).abs() < 1e-9);
        let mut last = first;
        for pid in 2..=4 {
            last = forest.insert(Sample::new("a", pid).at(pid as u64).finding());
        }
        assert!((bits(&forest, last) - 6.0).abs() < 0.01);
    }

    #[test]
    fn a_rule_counts_once_per_story_and_the_order_of_tactics_a_little() {
        let mut forest = Forest::default();
        let mut add = |rule, pid, technique: &str| {
            let sample = Sample::new(rule, pid).techniques(&[technique]);
            forest.insert(sample.at(pid as u64).container(&format!("c{pid}")).finding())
        };
        let story = [
            add("shell", 1, "T1059.004"),
            add("recon", 2, "T1082"),
            add("recon", 3, "T1082"),
            add("shadow", 4, "T1003.008"),
        ];
        let likelihood = weigh(&forest, &story, &BTreeSet::from(story));
        assert!((likelihood.finding_bits - 24.0).abs() < 1e-9);
        assert!((likelihood.order_bits - 1.8).abs() < 1e-9);
    }

    #[test]
    fn a_tie_adds_a_bounded_part() {
        let tie = |bits| Tie {
            to: 0,
            class: clew_event::story::EdgeClass::C,
            bits,
            via: crate::tie::Via::File { touched: 0, ran: 0 },
        };
        assert!((scored(&tie(20.0)) - TIE_BITS_MAX).abs() < 1e-9);
        assert!(scored(&tie(-3.0)).abs() < 1e-9);
    }

    #[test]
    fn noise_raises_the_threshold_only_up_to_looks_max() {
        let settings = Settings::default();
        let mut looks = Looks::default();
        let needed = |looks: &Looks| looks.bits_needed(at_ms(0), &settings);
        assert!((needed(&looks) - 10.64).abs() < 1e-9);
        for rule in 0..Looks::LOOKS_MAX + 100 {
            looks.insert(Key::rule(&Sample::new(&format!("{rule}"), 1).finding()), at_ms(0));
        }
        assert_eq!(looks.last.len(), Looks::LOOKS_MAX);
        assert!((needed(&looks) - 18.64).abs() < 1e-9);
    }
}
