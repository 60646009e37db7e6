//! Who was at one value, and when: the newest by name, the older ones as a decayed count.
//!
//! The count gives the rate at which unrelated findings meet at this value. A value that many
//! share makes its own coincidences likely and so prices itself out; no list of hot values is
//! needed. Half-life 6 h and pseudo count 0.25 are those of the design's simulation.

use std::time::Duration;

use clew_event::{FindingId, TimestampNs};
use serde::{Deserialize, Serialize};

/// Names one finding held here; never reused.
pub(crate) type Handle = u64;

/// Event time, and the id where two are equally late: a total order that arrival cannot change.
pub(crate) type Moment = (TimestampNs, FindingId);

/// Seconds after which an occurrence counts half.
pub(crate) const HALF_LIFE_SECONDS: f64 = 6.0 * 3600.0;

/// Occurrences assumed where none was seen.
pub(crate) const PSEUDO_COUNT: f64 = 0.25;
/// The same of one who acts and does what it did not do before. Most who call or ask are in no such
/// finding for a month, while every place has its own each day: a quarter in 30 days.
const PSEUDO_COUNT_OF_PROGRESS: f64 = PSEUDO_COUNT * HALF_LIFE_SECONDS / (30.0 * 86_400.0);

/// One finding at a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) at: Moment,
    pub(crate) node: Handle,
    /// For a process: generations from the finding's process up to it, 0 for its own. For a file:
    /// 0 where it was touched, 1 where it ran.
    pub(crate) distance: u8,
}

/// The findings at one value, in order of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trail {
    visits: Vec<Visit>,
    /// Decayed count of those no longer named, as of `older_at`.
    older: f64,
    older_at: TimestampNs,
}

impl Trail {
    /// What those that are only counted weigh at least, to be remembered: after some 40 h one is a
    /// hundredth.
    pub(crate) const WEIGHT_MIN: f64 = 0.01;

    /// Findings of one value that are named.
    pub(crate) const VISITS_MAX: usize = 64;

    /// How much earlier than others that are counted a finding may be.
    const DISORDER_MAX: Duration = Duration::from_secs(8 * 86_400);

    /// Adds a finding. Beyond [`Self::VISITS_MAX`] the oldest is only counted; those of the
    /// process itself stay longest, for they explain its descendants.
    pub(crate) fn insert(&mut self, visit: Visit) {
        // Most values are met once: room for four, as vectors begin with, would be most of the state.
        if self.visits.is_empty() {
            self.visits.reserve_exact(1);
        }
        let place = self.visits.partition_point(|other| other.at < visit.at);
        self.visits.insert(place, visit);
        if Self::VISITS_MAX < self.visits.len() {
            let oldest = self.visits.iter().position(|other| 0 < other.distance).unwrap_or(1);
            let gone = self.visits.remove(oldest);
            self.count_older(gone.at.0);
        }
        debug_assert!(self.visits.is_sorted_by_key(|visit| visit.at));
    }

    /// Takes a finding out, as if it had never been here.
    pub(crate) fn remove_visit(&mut self, node: Handle) {
        self.visits.retain(|visit| visit.node != node);
    }

    /// Takes a finding out, and goes on counting it.
    pub(crate) fn forget(&mut self, node: Handle) {
        if let Some(visit) = self.visits.iter().find(|visit| visit.node == node) {
            self.count_older(visit.at.0);
            self.remove_visit(node);
        }
    }

    /// Counts one that is no longer named. Where the count is said to be of a day that is far ahead
    /// of this one, one clock or the other is wrong: then it begins anew, so that a single finding of
    /// the year 2100 does not make this value look quiet for good.
    fn count_older(&mut self, time: TimestampNs) {
        if Self::DISORDER_MAX < self.older_at.since(time) {
            (self.older, self.older_at) = (0.0, time);
        }
        let now = self.older_at.max(time);
        let sum = self.older_weight(now) + decay(time, now);
        // Rounded, so that a snapshot in JSON gives back the very same number.
        self.older = (sum * 1e6).round() / 1e6;
        self.older_at = now;
    }

    /// How much those that are no longer named weigh at `now`.
    pub(crate) fn older_weight(&self, now: TimestampNs) -> f64 {
        self.older * decay(self.older_at, now)
    }

    /// All named findings before `moment`, the latest first.
    pub(crate) fn before(&self, moment: Moment) -> impl Iterator<Item = &Visit> {
        self.visits.iter().rev().filter(move |visit| visit.at < moment)
    }

    /// All named findings after `moment`, the earliest first.
    pub(crate) fn after(&self, moment: Moment) -> impl Iterator<Item = &Visit> {
        self.visits.iter().filter(move |visit| moment < visit.at)
    }

    /// All named findings, the earliest first.
    pub(crate) fn visits(&self) -> &[Visit] {
        &self.visits
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.visits.is_empty()
    }
}

/// What an occurrence at `then` still counts at `now`; 1 if it lies later.
pub(crate) fn decay(then: TimestampNs, now: TimestampNs) -> f64 {
    (-now.since(then).as_secs_f64() / HALF_LIFE_SECONDS).exp2()
}

/// Occurrences per second that a decayed count stands for.
pub(crate) fn rate_per_second(weight: f64, is_progress: bool) -> f64 {
    let pseudo = if is_progress { PSEUDO_COUNT_OF_PROGRESS } else { PSEUDO_COUNT };
    (weight + pseudo) * std::f64::consts::LN_2 / HALF_LIFE_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(second: u64, distance: u8) -> Visit {
        let time = TimestampNs::from_unix_ns(second * 1_000_000_000);
        Visit { at: (time, FindingId(u128::from(second))), node: second, distance }
    }

    #[test]
    fn names_at_most_visits_max_and_counts_the_rest() {
        let mut trail = Trail::default();
        for second in 0..1000 {
            trail.insert(visit(second, 1));
        }
        assert_eq!(trail.visits().len(), Trail::VISITS_MAX);
        let weight = trail.older_weight(TimestampNs::from_unix_ns(1_000_000_000_000));
        assert!(920.0 < weight && weight < 936.0, "{weight}");
    }

    #[test]
    fn keeps_the_findings_of_the_process_itself_longest() {
        let mut trail = Trail::default();
        trail.insert(visit(0, 0));
        for second in 1..1000 {
            trail.insert(visit(second, 1));
        }
        assert_eq!(trail.visits().first().map(|visit| visit.node), Some(0));
    }

    #[test]
    fn an_occurrence_counts_half_after_six_hours() {
        let at = |hours: u64| TimestampNs::from_unix_ns(hours * 3_600_000_000_000);
        assert!((decay(at(0), at(6)) - 0.5).abs() < 1e-9);
        assert!((decay(at(6), at(0)) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_late_finding_takes_its_place_in_time() {
        let mut trail = Trail::default();
        for second in [5, 1, 3] {
            trail.insert(visit(second, 1));
        }
        let nodes: Vec<_> = trail.visits().iter().map(|visit| visit.node).collect();
        assert_eq!(nodes, [1, 3, 5]);
        assert_eq!(trail.before(visit(3, 1).at).next().map(|visit| visit.node), Some(1));
        assert_eq!(trail.after(visit(3, 1).at).next().map(|visit| visit.node), Some(5));
    }

    #[test]
    fn one_finding_of_the_far_future_does_not_make_a_busy_value_quiet() {
        let mut trail = Trail::default();
        let far = 4_000_000_000;
        trail.insert(visit(far, 1));
        trail.forget(far);
        (0..1000).for_each(|second| trail.insert(visit(second, 1)));
        assert!(900.0 < trail.older_weight(TimestampNs::from_unix_ns(1_000_000_000_000)));
        let begins_anew = |seconds: u64| {
            let mut trail = Trail::default();
            trail.count_older(TimestampNs::from_unix_ns(seconds * 1_000_000_000));
            trail.count_older(TimestampNs::default());
            trail.older_at == TimestampNs::default()
        };
        let most = Trail::DISORDER_MAX.as_secs();
        assert!(!begins_anew(most) && begins_anew(most + 1));
    }
}
