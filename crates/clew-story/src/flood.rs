//! Many findings of one rule in one place, told as one.
//!
//! Whoever makes alerts on purpose, to bury an attack or to push out what is held of it, makes many
//! alike: each beyond the first is no news. So where a place has more than
//! [`Trail::VISITS_MAX`] findings of a rule within [`Flood::SPAN`], the oldest that is tied to
//! nothing is folded into the first of them, which counts it. What is tied to anything stays, and
//! so does what names who acted, for by that it may yet be tied: an attack inside a flood is told.
//!
//! A flood of seeds is itself told, as a story of one step that says how many there were.

use std::collections::BTreeMap;

use clew_event::{Finding, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::line::Rank;
use crate::lines::Lines;
use crate::trail::{Handle, Trail};

/// One flood.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Flood {
    /// The finding that stands for all.
    head: Handle,
    /// When the last one was folded.
    last: TimestampNs,
}

impl Flood {
    /// A flood has so many findings within this time, and without one it is over.
    const SPAN: std::time::Duration = std::time::Duration::from_secs(3_600);
}

/// The floods going on, by rule and place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Floods {
    floods: BTreeMap<Key, Flood>,
}

impl Floods {
    /// Floods known at once; the one that was quiet for longest goes first.
    pub(crate) const FLOODS_MAX: usize = 256;
    /// Findings of one flood from which it is told.
    pub(crate) const TOLD_MIN: u64 = 1_024;

    /// Makes room at one place and rule where this finding is one of a flood. Gives how many
    /// findings went, and the one that stands for them where it is to be told again: at
    /// [`Self::TOLD_MIN`] and each doubling.
    pub(crate) fn fold(&mut self, lines: &mut Lines, finding: &Finding) -> (usize, Option<Handle>) {
        let key = Key::rule(finding);
        let Some(oldest) = oldest_of_flood(lines, key, finding.time) else { return (0, None) };
        let flood = self.floods.get(&key).filter(|flood| {
            finding.time.since(flood.last) <= Flood::SPAN && lines.forest.node(flood.head).is_some()
        });
        let head = flood.map_or(oldest, |flood| flood.head);
        self.floods.insert(key, Flood { head, last: finding.time });
        if Self::FLOODS_MAX < self.floods.len() {
            let stalest = self.floods.iter().min_by_key(|(key, flood)| (flood.last, **key));
            let stalest = stalest.map(|(key, _)| *key);
            stalest.map(|key| self.floods.remove(&key));
        }
        if head == oldest || !is_alone(lines, oldest) {
            return (0, None);
        }
        let repeats = lines.forest.node(oldest).map_or(0, |node| node.repeats);
        let gone = lines.remove(oldest);
        let Some(head_node) = lines.forest.node_mut(head) else { return (gone, None) };
        let before = head_node.folded;
        head_node.folded += 1 + repeats;
        let is_doubled = Self::TOLD_MIN <= head_node.folded
            && before.checked_ilog2() != head_node.folded.checked_ilog2();
        (gone, is_doubled.then_some(head))
    }

    /// True for the finding that stands for a flood large enough to be told.
    pub(crate) const fn is_told(folded: u64) -> bool {
        Self::TOLD_MIN <= folded
    }
}

/// The oldest finding of that rule and place that is known by name, where there are so many since
/// that it is a flood.
fn oldest_of_flood(lines: &Lines, rule: Key, time: TimestampNs) -> Option<Handle> {
    let trail = lines.forest.trail(rule)?;
    let oldest = trail.visits().first()?;
    let is_flood =
        Trail::VISITS_MAX <= trail.visits().len() && time.since(oldest.at.0) <= Flood::SPAN;
    is_flood.then_some(oldest.node)
}

/// True for a finding that nothing is tied to, and that names nobody who acted.
fn is_alone(lines: &Lines, handle: Handle) -> bool {
    let is_tied = lines
        .forest
        .node(handle)
        .is_none_or(|node| node.parent.is_some() || !node.children.is_empty() || 0 < node.folded);
    let line = lines.line(handle).filter(|line| line.members == 1 && line.age.0 < Rank::Settled);
    !is_tied && line.is_some_and(|line| !line.keys.iter().any(|(_, value)| value.is_actor()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known::Known;
    use crate::lines::Judgment;
    use crate::sample::Sample;
    use crate::settings::Settings;

    #[test]
    fn no_more_floods_are_known_than_floods_max() {
        let (known, settings) = (Known::default(), Settings::default());
        let by = Judgment { known: &known, settings: &settings };
        let (mut lines, mut floods) = (Lines::default(), Floods::default());
        for place in 0..Floods::FLOODS_MAX + 1 {
            for number in 0..=Trail::VISITS_MAX {
                let sample = Sample::new("a", place * 100 + number).container(&place.to_string());
                let finding = sample.at(place as u64 * 1_000 + number as u64).finding();
                floods.fold(&mut lines, &finding);
                lines.add(finding, None, by);
            }
        }
        assert_eq!(floods.floods.len(), Floods::FLOODS_MAX);
    }
}
