//! How often each rule matched, and how often it was held back.
//!
//! A rule that matches in a flood hides the others from people. Where the user sets a rate, each
//! rule has a bucket of tokens that fills by the time of events and never by a clock, so that a
//! replay gives the same findings. What is held back is counted, and makes no finding.
//!
//! A tally is kept for each rule that ever matched, by name: it stays when rules are read again,
//! and its number is bounded by what the user's files define.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::str::FromStr;

use clew_event::TimestampNs;
use serde::{Deserialize, Serialize};

/// How many findings a rule may make in a span of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleRate {
    findings: NonZeroU32,
    span_ns: u64,
}

/// A rate that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no rate: write `10/s`, `10/m` or `10/h`, from 1 up")]
pub struct RateError {
    given: String,
}

impl FromStr for RuleRate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        const SECOND_NS: u64 = 1_000_000_000;
        let error = || RateError { given: text.to_owned() };
        let (number, unit) = text.split_once('/').ok_or_else(error)?;
        let span_ns = match unit {
            "s" => SECOND_NS,
            "m" => 60 * SECOND_NS,
            "h" => 3600 * SECOND_NS,
            _ => return Err(error()),
        };
        Ok(Self { findings: number.parse().map_err(|_| error())?, span_ns })
    }
}

/// What became of the matches of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Events that it matched.
    pub matches: u64,
    /// Of these, how many made no finding because the rule's rate was used up.
    pub suppressed: u64,
    /// When the bucket is full again, nanoseconds since the epoch.
    full_at_ns: u64,
}

impl Tally {
    /// Counts a match; true where it may become a finding.
    fn admit(&mut self, time: TimestampNs, rate: Option<RuleRate>) -> bool {
        self.matches += 1;
        let Some(RuleRate { findings, span_ns }) = rate else { return true };
        let (now_ns, token_ns) = (time.unix_ns(), span_ns / u64::from(findings.get()));
        let full_at_ns = self.full_at_ns.max(now_ns).saturating_add(token_ns);
        if span_ns < full_at_ns.saturating_sub(now_ns) {
            self.suppressed += 1;
            return false;
        }
        self.full_at_ns = full_at_ns;
        true
    }
}

/// The tallies of all rules.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tallies {
    by_rule: BTreeMap<String, Tally>,
    #[serde(skip)]
    pub(crate) rate: Option<RuleRate>,
}

impl Tallies {
    pub(crate) fn admit(&mut self, rule: &str, time: TimestampNs) -> bool {
        match self.by_rule.get_mut(rule) {
            Some(tally) => tally.admit(time, self.rate),
            None => self.by_rule.entry(rule.to_owned()).or_default().admit(time, self.rate),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Tally)> {
        self.by_rule.iter().map(|(rule, tally)| (rule.as_str(), *tally))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(rate: Option<&str>, times_ms: &[u64]) -> Vec<bool> {
        let mut tallies =
            Tallies { rate: rate.map(|rate| rate.parse().unwrap()), ..Tallies::default() };
        let time = |ms: &u64| TimestampNs::from_unix_ns(1_000_000_000_000 + ms * 1_000_000);
        times_ms.iter().map(|ms| tallies.admit("r", time(ms))).collect()
    }

    #[test]
    fn a_rule_without_a_rate_is_never_held_back() {
        assert_eq!(admitted(None, &[0; 100]), [true; 100]);
    }

    #[test]
    fn a_burst_uses_the_bucket_up_and_event_time_fills_it() {
        assert_eq!(
            admitted(Some("2/s"), &[0, 0, 0, 499, 500, 501]),
            [true, true, false, false, true, false]
        );
        assert_eq!(admitted(Some("1/m"), &[0, 59_999, 60_000]), [true, false, true]);
    }

    #[test]
    fn an_event_that_comes_late_uses_a_token_and_breaks_nothing() {
        assert_eq!(admitted(Some("2/s"), &[5000, 0, 0, 5500]), [true, false, false, true]);
    }

    #[test]
    fn every_match_is_counted_by_its_rule() {
        let mut tallies = Tallies { rate: "1/h".parse().ok(), ..Tallies::default() };
        for rule in ["a", "a", "b"] {
            tallies.admit(rule, TimestampNs::default());
        }
        let counts: Vec<_> =
            tallies.iter().map(|(rule, t)| (rule, t.matches, t.suppressed)).collect();
        assert_eq!(counts, [("a", 2, 1), ("b", 1, 0)]);
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "10", "0/s", "-1/s", "1/d", "x/s"] {
            assert!(text.parse::<RuleRate>().is_err(), "{text}");
        }
    }
}
