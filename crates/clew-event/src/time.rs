//! Points in time, as nanoseconds since the Unix epoch.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, up to the year 2554.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct TimestampNs(u64);

impl TimestampNs {
    /// From nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_ns(unix_ns: u64) -> Self {
        Self(unix_ns)
    }

    /// From RFC 3339, as in `2026-11-24T18:00:00.5Z`; `None` where it is none or before 1970.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let timestamp: Timestamp = text.parse().ok()?;
        u64::try_from(timestamp.as_nanosecond()).ok().map(Self)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_ns(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This point moved later by `span`; stops at the last point that can be told.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// This point moved earlier by `span`; stops at the beginning of 1970.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Only the time of day with nanoseconds, in UTC: `14:03:22.000000007`.
    #[must_use]
    pub fn time_of_day(self) -> String {
        const SECONDS_PER_DAY: u64 = 86_400;
        let (seconds, ns) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let second = seconds % SECONDS_PER_DAY;
        format!("{:02}:{:02}:{:02}.{ns:09}", second / 3600, second / 60 % 60, second % 60)
    }
}

/// RFC 3339 in UTC with nine digits: `2026-11-24T18:00:00.000000000Z`.
impl fmt::Display for TimestampNs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(timestamp) => write!(f, "{timestamp:.9}"),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc3339_with_nine_digits() {
        let check = |ns, text: &str| assert_eq!(TimestampNs::from_unix_ns(ns).to_string(), text);
        check(0, "1970-01-01T00:00:00.000000000Z");
        check(1_764_007_322_000_000_007, "2025-11-24T18:02:02.000000007Z");
        check(u64::MAX, "2554-07-21T23:34:33.709551615Z");
    }

    #[test]
    fn reads_what_audit_logs_write() {
        let check = |text: &str, ns: Option<u64>| {
            assert_eq!(TimestampNs::from_rfc3339(text).map(TimestampNs::unix_ns), ns, "{text}");
        };
        check("2014-03-06T21:22:54Z", Some(1_394_140_974_000_000_000));
        check("2018-10-25T14:37:54.000123Z", Some(1_540_478_274_000_123_000));
        check("2018-10-25T16:37:54+02:00", Some(1_540_478_274_000_000_000));
        check("1960-01-01T00:00:00Z", None);
        check("yesterday", None);
    }

    #[test]
    fn prints_the_time_of_day() {
        let time = TimestampNs::from_unix_ns(1_764_007_322_000_000_007);
        assert_eq!(time.time_of_day(), "18:02:02.000000007");
    }

    #[test]
    fn a_span_never_wraps() {
        let (early, late) = (TimestampNs::from_unix_ns(5), TimestampNs::from_unix_ns(9));
        assert_eq!(late.since(early), Duration::from_nanos(4));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.after(Duration::MAX).unix_ns(), u64::MAX);
    }
}
