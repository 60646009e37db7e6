//! What ties findings together and is no finding itself: who was handed which credential, which
//! call made which user or started which process.
//!
//! Clouds hand out credentials all day, so a link waits here, cheaply, until a finding acts with
//! what was handed out; only then it takes its place among the findings, as a step of no bits.

use std::collections::{BTreeMap, BTreeSet};

use std::time::Duration;

use clew_event::{Finding, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::settle::plants;

/// Links that wait for somebody to act with what they made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Links {
    waiting: BTreeMap<u64, Finding>,
    by_identity: BTreeMap<Key, BTreeSet<u64>>,
    next: u64,
    dropped: u64,
}

impl Links {
    /// Links that wait at once, some 1 to 4 KiB each; the oldest goes first.
    pub(crate) const LINKS_MAX: usize = 8_192;
    /// Links that handed out one identity. A metadata service hands out the same credential again
    /// and again: one of a request stays longer than one of none.
    pub(crate) const PER_IDENTITY_MAX: usize = 8;

    /// Lets a link wait.
    pub(crate) fn park(&mut self, link: Finding) {
        let number = self.next;
        self.next += 1;
        let keys: BTreeSet<Key> = Key::makes(&link).collect();
        self.waiting.insert(number, link);
        for key in keys {
            let links = self.by_identity.entry(key).or_default();
            links.insert(number);
            if Self::PER_IDENTITY_MAX < links.len() {
                let of_none = |number: &&u64| {
                    let link = self.waiting.get(*number);
                    link.is_none_or(|link| link.subject.request.is_none())
                };
                let least = links.iter().find(of_none).or_else(|| links.first()).copied();
                self.give_up(least);
            }
        }
        if Self::LINKS_MAX < self.waiting.len() {
            self.give_up(self.waiting.keys().next().copied());
        }
    }

    /// Lets go of what is too old for anybody to act with: a lasting identity after its `life`, what
    /// else is handed out after the `horizon`.
    pub(crate) fn expire(&mut self, now: TimestampNs, horizon: Duration, life: Duration) {
        let is_old = |(_, link): &(&u64, &Finding)| {
            let span = if plants(link) { life } else { horizon };
            span < now.since(link.time)
        };
        let old: Vec<u64> = self.waiting.iter().filter(is_old).map(|(number, _)| *number).collect();
        old.into_iter().for_each(|number| drop(self.remove(number)));
    }

    /// Takes out the links that handed out one of these identities.
    pub(crate) fn take(&mut self, identities: impl Iterator<Item = Key>) -> Vec<Finding> {
        let mut numbers = BTreeSet::new();
        for key in identities {
            numbers.extend(self.by_identity.get(&key).into_iter().flatten());
        }
        numbers.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// Links that went before anybody acted with what they made.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn give_up(&mut self, number: Option<u64>) {
        if number.and_then(|number| self.remove(number)).is_some() {
            self.dropped += 1;
        }
    }

    fn remove(&mut self, number: u64) -> Option<Finding> {
        let link = self.waiting.remove(&number)?;
        for key in Key::makes(&link) {
            let Some(links) = self.by_identity.get_mut(&key) else { continue };
            links.remove(&number);
            if links.is_empty() {
                self.by_identity.remove(&key);
            }
        }
        Some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn link(credential: &str, ms: u64) -> Finding {
        Sample::new("handed out", 1).at(ms).makes(credential).finding()
    }

    fn keys(credential: &str) -> impl Iterator<Item = Key> {
        Key::makes(&link(credential, 0)).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn a_link_waits_until_somebody_acts_with_what_it_made() {
        let mut links = Links::default();
        links.park(link("ASIA1", 1));
        assert_eq!(links.take(keys("ASIA2")), []);
        assert_eq!(links.take(keys("ASIA1")), [link("ASIA1", 1)]);
        assert_eq!(links, Links { next: 1, ..Links::default() });
    }

    #[test]
    fn at_most_per_identity_max_links_wait_for_one_identity_those_of_requests_longest() {
        let mut links = Links::default();
        let of_request = Sample::new("handed out", 1).at(0).makes("ASIA1").request(7, 1.0);
        links.park(of_request.finding());
        (1..100).for_each(|ms| links.park(link("ASIA1", ms)));
        assert_eq!(links.dropped(), 100 - Links::PER_IDENTITY_MAX as u64);
        let left = links.take(keys("ASIA1"));
        assert_eq!(left.len(), Links::PER_IDENTITY_MAX);
        assert!(left.iter().any(|link| link.subject.request.is_some()));
    }

    #[test]
    fn at_most_links_max_wait_and_the_rest_is_counted() {
        let mut links = Links::default();
        let count = Links::LINKS_MAX as u64 + 10;
        (0..count).for_each(|n| links.park(link(&format!("ASIA{n}"), n)));
        assert_eq!((links.waiting.len(), links.dropped()), (Links::LINKS_MAX, 10));
        assert_eq!(links.by_identity.len(), Links::LINKS_MAX);
    }

    #[test]
    fn what_is_too_old_to_be_acted_with_is_let_go_and_a_lasting_identity_stays_longer() {
        let mut links = Links::default();
        links.park(link("ASIA1", 0));
        links.park(link("AKIA1", 1));
        let (day, month) = (Duration::from_secs(86_400), Duration::from_secs(30 * 86_400));
        let mut left = |ms| {
            links.expire(crate::sample::at_ms(ms), day, month);
            links.waiting.len()
        };
        assert_eq!([left(86_400_000), left(86_400_001), left(30 * 86_400_000)], [2, 1, 1]);
        assert_eq!(left(30 * 86_400_000 + 2), 0);
        assert!(links.by_identity.is_empty());
    }
}
