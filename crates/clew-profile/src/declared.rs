//! Behavior that somebody declared of a workload before it was seen: it is known, and not learned.
//!
//! A declaration names no program that acts, so it covers what any program of the workload does.
//! What is never learned as normal is not covered: only a waiver with a reason is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::item::{Item, REST};

/// Most behaviors that are declared of one workload.
pub const DECLARED_MAX: usize = 16_384;
/// Stands for one part, whatever it is.
pub(crate) const ANY: &str = "{*}";

/// What was declared of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    classes: BTreeMap<Class, BTreeMap<Box<str>, Node>>,
    count: usize,
    /// What was left out: no behavior, or one too many.
    #[serde(default)]
    dropped: usize,
}

/// A part of what is declared, with what may follow it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Node {
    next: BTreeMap<Box<str>, Self>,
    is_end: bool,
}

impl Declared {
    /// Declares a behavior by its key, whoever acts in it; false where it is no key, or there are
    /// too many.
    pub(crate) fn add(&mut self, key: &str) -> bool {
        let Some(item) = Item::of_key(key).filter(|_| self.count < DECLARED_MAX) else {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        };
        let ways = self.classes.entry(item.class).or_default();
        let mut node = ways.entry(item.how.into()).or_default();
        for part in item.parts {
            node = node.next.entry(part.into()).or_default();
        }
        self.count += usize::from(!node.is_end);
        node.is_end = true;
        true
    }

    /// True where the behavior was declared.
    #[must_use]
    pub fn covers(&self, item: &Item<'_>) -> bool {
        let node = self.classes.get(&item.class).and_then(|ways| ways.get(item.how));
        node.is_some_and(|node| node.covers(&item.parts))
    }

    /// How much is declared.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// How much was left out: no behavior, or one too many.
    #[must_use]
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// Adds what was declared elsewhere, as far as there is room.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.dropped = self.dropped.saturating_add(other.dropped);
        for (class, ways) in &other.classes {
            let ours = self.classes.entry(*class).or_default();
            for (how, node) in ways {
                let mut room = DECLARED_MAX - self.count;
                let before = room;
                let dropped = ours.entry(how.clone()).or_default().merge(node, &mut room);
                self.count += before - room;
                self.dropped = self.dropped.saturating_add(dropped);
            }
        }
    }
}

impl Node {
    fn covers(&self, parts: &[&str]) -> bool {
        if self.next.contains_key(REST) {
            return true;
        }
        let Some((first, rest)) = parts.split_first() else { return self.is_end };
        [first, ANY].iter().any(|part| self.next.get(*part).is_some_and(|it| it.covers(rest)))
    }

    /// Takes over what there is room for; gives how much there was none for.
    fn merge(&mut self, other: &Self, room: &mut usize) -> usize {
        let mut dropped = 0;
        if other.is_end && !self.is_end {
            self.is_end = 0 < *room;
            dropped += usize::from(*room == 0);
            *room = room.saturating_sub(1);
        }
        for (part, node) in &other.next {
            // No empty branch where nothing fits any more.
            let is_known = self.next.contains_key(part);
            if is_known || 0 < *room {
                dropped += self.next.entry(part.clone()).or_default().merge(node, room);
            } else {
                dropped += node.count();
            }
        }
        dropped
    }

    fn count(&self) -> usize {
        usize::from(self.is_end) + self.next.values().map(Self::count).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(declared: &Declared, key: &str) -> bool {
        declared.covers(&Item::of_key(key).expect("a key"))
    }

    #[test]
    fn a_declaration_covers_any_program_a_part_and_what_is_below() {
        let mut declared = Declared::default();
        assert!(declared.add("file\t\tread\tsrv\t{*}\ta.js"));
        assert!(declared.add("file\t\twrite\tvar\tlog\t{**}"));
        for key in ["file\tnode\tread\tsrv\tx\ta.js", "file\tsh\twrite\tvar\tlog\ta\tb"] {
            assert!(covers(&declared, key), "{key}");
        }
        for key in [
            "file\tnode\tread\tsrv\tx",
            "file\tnode\tread\tsrv\tx\ty\ta.js",
            "file\tnode\twrite\tsrv\tx\ta.js",
            "exec\tnode\tread\tsrv\tx\ta.js",
        ] {
            assert!(!covers(&declared, key), "{key}");
        }
    }

    #[test]
    fn at_most_declared_max_behaviors_are_declared_and_each_counts_once() {
        let mut declared = Declared::default();
        for number in 0..DECLARED_MAX {
            assert!(declared.add(&format!("dns\t\t\tn{number}")));
            assert!(number != 0 || declared.add("dns\t\t\tn0"));
        }
        assert!(!declared.add("dns\t\t\tmore"));
        assert_eq!((declared.count(), declared.dropped()), (DECLARED_MAX, 1));
        let mut twice = declared.clone();
        twice.merge(&declared);
        assert_eq!((twice.count(), twice.dropped()), (DECLARED_MAX, 2));
        let mut other = Declared::default();
        assert!(other.add("dns\t\t\tmore") && other.add("dns\t\t\tn0"));
        declared.merge(&other);
        assert_eq!((declared.count(), declared.dropped()), (DECLARED_MAX, 2));
        assert!(!covers(&declared, "dns\tnode\t\tmore"));
    }
}
