//! Which hours, weekdays and phases of a life a profile has seen.
//!
//! What runs at night alone is not learned by day: novelty in a phase that was never seen says
//! less, and is told with fewer bits.

use clew_event::TimestampNs;
use serde::{Deserialize, Serialize};

/// What was seen of the clock (in UTC) and of a replica's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Bit n: hour n of the day.
    hours: u32,
    /// Bit n: day n of the week, Thursday first, as the epoch began.
    weekdays: u8,
    /// The first minute of a replica.
    pub has_started: bool,
    /// What comes after it.
    pub has_run: bool,
    /// The end of a replica.
    pub has_stopped: bool,
}

impl Phases {
    pub(crate) fn see(&mut self, time: TimestampNs, is_start: bool) {
        let (hour, weekday) = clock(time);
        self.hours |= 1 << hour;
        self.weekdays |= 1 << weekday;
        self.has_started |= is_start;
        self.has_run |= !is_start;
    }

    /// True where the hour, the weekday and the phase of that moment were seen before.
    #[must_use]
    pub fn cover(self, time: TimestampNs, is_start: bool) -> bool {
        let (hour, weekday) = clock(time);
        self.hours >> hour & 1 == 1
            && self.weekdays >> weekday & 1 == 1
            && if is_start { self.has_started } else { self.has_run }
    }

    /// How many of the 24 hours and 7 weekdays were seen.
    #[must_use]
    pub const fn counts(self) -> [u32; 2] {
        [self.hours.count_ones(), self.weekdays.count_ones()]
    }

    pub(crate) const fn merge(&mut self, other: Self) {
        self.hours |= other.hours;
        self.weekdays |= other.weekdays;
        self.has_started |= other.has_started;
        self.has_run |= other.has_run;
        self.has_stopped |= other.has_stopped;
    }
}

fn clock(time: TimestampNs) -> (u64, u64) {
    let hours = time.unix_ns() / 3_600_000_000_000;
    (hours % 24, hours / 24 % 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_a_day_or_a_phase_that_was_not_seen_is_not_covered() {
        let at = |text: &str| TimestampNs::from_rfc3339(text).expect("a time");
        let mut phases = Phases::default();
        phases.see(at("2026-11-24T18:00:00Z"), false);
        assert!(phases.cover(at("2026-11-24T18:59:00Z"), false));
        assert!(!phases.cover(at("2026-11-24T19:00:00Z"), false));
        assert!(!phases.cover(at("2026-11-25T18:00:00Z"), false));
        assert!(!phases.cover(at("2026-11-24T18:00:00Z"), true));
        assert!(phases.cover(at("2026-12-01T18:00:00Z"), false), "a week later");
        assert_eq!(phases.counts(), [1, 1]);
    }
}
