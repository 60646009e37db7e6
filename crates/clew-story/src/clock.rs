//! How late it is, by findings of which some may be wrong about it.
//!
//! What is old is let go by this clock, so whoever could set it ahead could make every open story
//! be forgotten. One finding proves nothing: a file that is replayed may hold a record of the year
//! 2100, and the clock of one machine may be broken all day. So the clock stands at a time that
//! [`Clock::QUORUM`] of the last [`Clock::WINDOW_MAX`] findings have reached and, where they come
//! from several machines or accounts, at least two of these. It lags by a few findings, which
//! costs nothing: letting go later is only a matter of room.

use std::collections::VecDeque;

use clew_event::{Finding, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::key::Key;

/// The time, as the last findings agree on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// When each of the last findings happened, and by whose clock.
    window: VecDeque<(TimestampNs, Key)>,
    now: TimestampNs,
}

impl Clock {
    /// Findings that are asked.
    const WINDOW_MAX: usize = 64;
    /// Of these, so many must have come as far.
    pub(crate) const QUORUM: usize = 4;

    pub(crate) const fn now(&self) -> TimestampNs {
        self.now
    }

    /// Takes in when a finding happened.
    pub(crate) fn observe(&mut self, finding: &Finding) {
        self.window.push_back((finding.time, Key::clock(finding)));
        if Self::WINDOW_MAX < self.window.len() {
            self.window.pop_front();
        }
        if self.now < finding.time {
            self.now = self.agreed().max(self.now);
        }
    }

    fn agreed(&self) -> TimestampNs {
        let mut times: Vec<TimestampNs> = self.window.iter().map(|(time, _)| *time).collect();
        let mut latest: Vec<(Key, TimestampNs)> = Vec::new();
        for &(time, source) in &self.window {
            match latest.iter_mut().find(|(known, _)| *known == source) {
                Some((_, last)) => *last = time.max(*last),
                None => latest.push((source, time)),
            }
        }
        let mut sources: Vec<TimestampNs> = latest.into_iter().map(|(_, time)| time).collect();
        let sources_min = sources.len().min(2);
        let nth_latest = |times: &mut Vec<TimestampNs>, n: usize| {
            times.sort_unstable_by(|a, b| b.cmp(a));
            times.get(n - 1).copied().unwrap_or_default()
        };
        let by_sources = nth_latest(&mut sources, sources_min);
        nth_latest(&mut times, Self::QUORUM).min(by_sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, at_ms};

    const YEAR_MS: u64 = 365 * 86_400_000;

    fn at(clock: &mut Clock, host: &str, ms: u64) {
        let mut finding = Sample::new("a", 1).at(ms).finding();
        finding.hostname = host.into();
        clock.observe(&finding);
    }

    #[test]
    fn it_takes_a_quorum_to_move_the_clock_and_one_outlier_does_not() {
        let mut clock = Clock::default();
        (0..9).for_each(|ms| at(&mut clock, "n1", ms));
        assert_eq!(clock.now(), at_ms(9 - Clock::QUORUM as u64));
        (1..Clock::QUORUM).for_each(|_| at(&mut clock, "n1", YEAR_MS));
        assert!(clock.now() <= at_ms(9));
        at(&mut clock, "n1", YEAR_MS);
        assert_eq!(clock.now(), at_ms(YEAR_MS), "a tenant that was silent for a year");
    }

    #[test]
    fn the_broken_clock_of_one_machine_moves_nothing_while_another_is_heard() {
        let mut clock = Clock::default();
        for ms in 0..500 {
            at(
                &mut clock,
                if ms % 20 == 0 { "n1" } else { "broken" },
                YEAR_MS * (ms % 20).min(1) + ms,
            );
        }
        assert!(clock.now() <= at_ms(500));
        assert_eq!(clock.window.len(), Clock::WINDOW_MAX);
    }

    #[test]
    fn it_never_goes_back() {
        let mut clock = Clock::default();
        for ms in [10, 10, 10, 10, 5, 5, 5, 5, 5] {
            at(&mut clock, "n1", ms);
        }
        assert_eq!(clock.now(), at_ms(10));
    }
}
