//! What an engine gives up for want of room, or takes too late, by kind.

use std::collections::{BTreeMap, VecDeque};

use clew_event::TimestampNs;
use serde::{Deserialize, Serialize};

/// One kind of what may be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgotten {
    /// Groups of correlation rules.
    CorrelationGroup,
    /// Matches of correlation rules.
    CorrelationMatch,
    /// Matches of correlation rules that came later than their span.
    CorrelationMatchLate,
    /// Identities, and what ties them.
    Identity,
    /// Requests in flight, and the causes of processes.
    Request,
    /// What was learned of how APIs are used.
    ApiUse,
    /// What this tenant does as a matter of course.
    Habit,
}

impl Forgotten {
    /// Its name to machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CorrelationGroup => "correlation_group",
            Self::CorrelationMatch => "correlation_match",
            Self::CorrelationMatchLate => "correlation_match_late",
            Self::Identity => "identity",
            Self::Request => "request",
            Self::ApiUse => "api_use",
            Self::Habit => "habit",
        }
    }

    /// What became of so many of it, as a sentence without its end.
    pub(crate) fn told(self, count: u64) -> String {
        let what = match self {
            Self::CorrelationGroup => "groups of correlation rules",
            Self::CorrelationMatch => "matches of correlation rules",
            Self::CorrelationMatchLate => {
                return format!("{count} matches of correlation rules came too late to be counted");
            }
            Self::Identity => "identities or what ties them",
            Self::Request => "requests in flight",
            Self::ApiUse => "habits of APIs",
            Self::Habit => "habits of findings",
        };
        format!("{count} {what} were forgotten for want of room")
    }
}

const NS_PER_HOUR: u64 = 3_600_000_000_000;

/// What was given up, by hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gaps {
    /// The newest last.
    gaps: VecDeque<Gap>,
    /// How much there was when it was last told.
    totals: BTreeMap<Forgotten, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Gap {
    hour: u64,
    what: Forgotten,
    count: u64,
}

impl Gaps {
    /// Hours × kinds remembered, two days of all kinds; the one told first goes first, for what is
    /// older concerns no story that grows.
    const GAPS_MAX: usize = 288;
    /// So many hours before a story count: what was known then is asked in it.
    const HOURS_BEFORE: u64 = 24;

    /// Takes in how much was given up since the engine began.
    pub(crate) fn note(&mut self, now: TimestampNs, totals: &[(Forgotten, u64)]) {
        let hour = now.unix_ns() / NS_PER_HOUR;
        for &(what, total) in totals.iter().filter(|(_, total)| *total != 0) {
            let before = std::mem::replace(self.totals.entry(what).or_default(), total);
            let count = total.saturating_sub(before);
            if count == 0 {
                continue;
            }
            let same = self.gaps.iter_mut().find(|gap| (gap.hour, gap.what) == (hour, what));
            match same {
                Some(same) => same.count = same.count.saturating_add(count),
                None => self.gaps.push_back(Gap { hour, what, count }),
            }
            if Self::GAPS_MAX < self.gaps.len() {
                self.gaps.pop_front();
            }
        }
    }

    /// What was given up in this span or the day before, in whole sentences.
    pub(crate) fn tell(&self, span: (TimestampNs, TimestampNs)) -> Vec<String> {
        let (first, last) = (span.0.unix_ns() / NS_PER_HOUR, span.1.unix_ns() / NS_PER_HOUR);
        let first = first.saturating_sub(Self::HOURS_BEFORE);
        let mut sums: BTreeMap<Forgotten, u64> = BTreeMap::new();
        for gap in self.gaps.iter().filter(|gap| first <= gap.hour && gap.hour <= last) {
            let sum = sums.entry(gap.what).or_default();
            *sum = sum.saturating_add(gap.count);
        }
        let sentence = |(what, count): (Forgotten, u64)| {
            format!("{}, at that time or in the day before.", what.told(count))
        };
        sums.into_iter().map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: u64) -> TimestampNs {
        TimestampNs::from_unix_ns(hour * NS_PER_HOUR)
    }

    #[test]
    fn what_was_given_up_then_or_in_the_day_before_is_told_once() {
        let mut gaps = Gaps::default();
        gaps.note(hour(100), &[(Forgotten::Identity, 3), (Forgotten::Request, 0)]);
        gaps.note(hour(100), &[(Forgotten::Identity, 4)]);
        gaps.note(hour(101), &[(Forgotten::Identity, 4), (Forgotten::CorrelationMatchLate, 2)]);
        let end = "at that time or in the day before.";
        let late = format!("2 matches of correlation rules came too late to be counted, {end}");
        let identities =
            format!("4 identities or what ties them were forgotten for want of room, {end}");
        assert_eq!(gaps.tell((hour(110), hour(111))), [late.clone(), identities.clone()]);
        assert_eq!(gaps.tell((hour(99), hour(100))), [identities]);
        assert_eq!(gaps.tell((hour(125), hour(125))), [late]);
        assert_eq!(gaps.tell((hour(126), hour(200))), [""; 0]);
        assert_eq!(gaps.tell((hour(98), hour(99))), [""; 0]);
    }

    #[test]
    fn at_most_gaps_max_hours_and_kinds_are_remembered() {
        let mut gaps = Gaps::default();
        for count in 1..=Gaps::GAPS_MAX as u64 + 1 {
            gaps.note(hour(count), &[(Forgotten::ApiUse, count)]);
        }
        assert_eq!(gaps.gaps.len(), Gaps::GAPS_MAX);
    }
}
