//! How late a source is, and up to when it is thought to be complete.
//!
//! Lags are counted in buckets of a quarter octave of milliseconds, so a quantile is at most a
//! quarter too large and memory is fixed. The watermark is the newest event time less the lag that
//! 999 of 1,000 events kept; until [`LEARNED_FROM`] events were seen that lag is taken to be
//! [`SEED_MS`], what public CloudTrail records show. An event whose time cannot be is flagged and
//! moves nothing.

use std::time::Duration;

use clew_event::TimestampNs;

/// Lag before it is learned: 15 minutes.
const SEED_MS: u64 = 15 * 60 * 1000;
/// Events from which a lag of one in a thousand can be learned.
const LEARNED_FROM: u64 = 4096;
/// Counts are halved here, so that what a source does now outweighs what it did once.
const COUNT_MAX: u64 = 1 << 20;
/// A clock may be ahead by this much.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);
/// Records may be this old: a year and a month, what is kept by law in many places.
const BEHIND_MAX: Duration = Duration::from_secs(400 * 24 * 3600);
/// A quarter octave each, up to more than [`BEHIND_MAX`].
const BUCKETS: usize = 140;

/// What an event's time is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// It can be.
    Possible,
    /// It lies in the future.
    Ahead,
    /// It lies years back.
    Behind,
}

/// Lags and newest time of one source.
#[derive(Debug)]
pub(crate) struct Lateness {
    newest: Option<TimestampNs>,
    counts: [u64; BUCKETS],
    count: u64,
}

impl Default for Lateness {
    fn default() -> Self {
        Self { newest: None, counts: [0; BUCKETS], count: 0 }
    }
}

impl Lateness {
    /// Takes in an event that happened at `time`.
    pub(crate) fn observe(&mut self, time: TimestampNs, arrived: TimestampNs) -> Timing {
        let lag = arrived.since(time);
        if AHEAD_MAX < time.since(arrived) {
            return Timing::Ahead;
        }
        if BEHIND_MAX < lag {
            return Timing::Behind;
        }
        let bucket = bucket(u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
            self.count += 1;
        }
        if COUNT_MAX <= self.count {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.count = self.counts.iter().sum();
        }
        // A clock that runs ahead must not make others look late.
        self.newest = self.newest.max(Some(time.min(arrived)));
        Timing::Possible
    }

    pub(crate) const fn newest(&self) -> Option<TimestampNs> {
        self.newest
    }

    /// The lag within which so many of 1,000 events arrived; 0 before the first.
    pub(crate) fn lag_ms(&self, per_mille: u64) -> u64 {
        let rank = (self.count * per_mille).div_ceil(1000);
        let mut below = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            below += count;
            if rank <= below && 0 < *count {
                return upper_ms(bucket);
            }
        }
        0
    }

    pub(crate) fn watermark(&self) -> Option<TimestampNs> {
        let lag_ms = if self.count < LEARNED_FROM { SEED_MS } else { self.lag_ms(999) };
        let newest = self.newest?.unix_ns();
        Some(TimestampNs::from_unix_ns(newest.saturating_sub(lag_ms * 1_000_000)))
    }
}

fn bucket(ms: u64) -> usize {
    let octave = ms.max(1).ilog2();
    let number = if octave < 2 { ms } else { u64::from(octave - 1) * 4 + (ms >> (octave - 2) & 3) };
    usize::try_from(number).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// The largest lag of a bucket.
fn upper_ms(bucket: usize) -> u64 {
    let (octave, quarter) = (bucket / 4, bucket as u64 % 4);
    if octave == 0 { quarter } else { ((5 + quarter) << (octave - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn second(number: u64) -> TimestampNs {
        TimestampNs::from_unix_ns(number * 1_000_000_000)
    }

    proptest! {
        #[test]
        fn a_bucket_ends_at_most_a_quarter_above_what_falls_into_it(ms in 0_u64..30_000_000_000) {
            let upper = upper_ms(bucket(ms));
            prop_assert!(ms <= upper && upper <= ms + ms / 4, "{ms} {upper}");
        }
    }

    #[test]
    fn the_watermark_is_seeded_and_then_learned() {
        let mut lateness = Lateness::default();
        assert_eq!((lateness.watermark(), lateness.lag_ms(500)), (None, 0));
        let now = 1_800_000_000;
        lateness.observe(second(now - 8), second(now));
        assert_eq!(lateness.watermark(), Some(second(now - 8 - SEED_MS / 1000)));
        for _ in 0..LEARNED_FROM {
            lateness.observe(second(now - 8), second(now));
        }
        assert!((8000..10_000).contains(&lateness.lag_ms(990)));
        assert!(second(now - 19) < lateness.watermark().unwrap());
    }

    #[test]
    fn an_event_years_off_is_flagged_and_moves_nothing() {
        let mut lateness = Lateness::default();
        let now = second(1_800_000_000);
        let ahead = now.after(AHEAD_MAX);
        assert_eq!(lateness.observe(ahead, now), Timing::Possible);
        assert_eq!(lateness.newest(), Some(now), "a clock that runs ahead");
        assert_eq!(lateness.observe(ahead.after(Duration::from_nanos(1)), now), Timing::Ahead);
        let behind =
            TimestampNs::from_unix_ns(now.unix_ns() - BEHIND_MAX.as_secs() * 1_000_000_000);
        assert_eq!(lateness.observe(behind, now), Timing::Possible);
        assert_eq!(lateness.observe(TimestampNs::default(), now), Timing::Behind);
        assert_eq!((lateness.newest(), lateness.count), (Some(now), 2));
    }

    #[test]
    fn lags_beyond_count_max_are_forgotten_by_halves() {
        let mut lateness = Lateness::default();
        let now = second(1_800_000_000);
        for _ in 0..COUNT_MAX {
            lateness.observe(second(1_799_000_000), now);
        }
        assert_eq!(lateness.count, COUNT_MAX / 2);
        for _ in 0..COUNT_MAX / 2 - 1 {
            lateness.observe(now, now);
        }
        assert_eq!(lateness.lag_ms(490), 0);
    }
}
