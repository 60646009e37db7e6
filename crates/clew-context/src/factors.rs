//! Second factors that were refused lately, by actor.
//!
//! Somebody who has a password tries the second factor again and again, or sends pushes until the
//! owner gives in; rules count both in a window of seconds. Of an actor at most
//! [`REFUSALS_MAX`] times are kept, the newest, and at most [`REFUSED_ACTORS_MAX`] actors.

use std::collections::VecDeque;
use std::time::Duration;

use clew_event::control_plane::{ApiCall, ApiSource};
use clew_event::{Text, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::bounded::{Bounded, Standing};

/// Most times that are kept of one actor: what Falco's plugin keeps.
pub(crate) const REFUSALS_MAX: usize = 200;
/// Most actors: what Falco's plugin keeps.
pub(crate) const REFUSED_ACTORS_MAX: usize = 10_000;

/// How a second factor was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// It was wrong.
    Failed,
    /// Its owner said no.
    Denied,
}

impl Refusal {
    /// What the record tells, where it tells of a refusal.
    pub(crate) fn of(call: &ApiCall) -> Option<Self> {
        if call.source != ApiSource::Okta {
            return None;
        }
        match call.action.as_bytes() {
            b"user.mfa.okta_verify.deny_push" => Some(Self::Denied),
            b"user.authentication.auth_via_mfa" if call.error.as_bytes() == b"FAILURE" => {
                Some(Self::Failed)
            }
            _ => None,
        }
    }
}

/// Refusals by actor, each actor's in ascending order of time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Factors {
    table: Bounded<(Refusal, Text), VecDeque<TimestampNs>>,
}

impl Default for Factors {
    fn default() -> Self {
        Self { table: Bounded::new(REFUSED_ACTORS_MAX) }
    }
}

impl Factors {
    /// Takes in a call. The same moment counts once, so that a record may come twice.
    pub(crate) fn observe(&mut self, call: &ApiCall, time: TimestampNs) {
        let Some(refusal) = Refusal::of(call) else { return };
        let key = (refusal, call.principal.clone());
        let mut times = self.table.remove(&key).unwrap_or_default();
        if let Err(place) = times.binary_search(&time) {
            times.insert(place, time);
        }
        if REFUSALS_MAX < times.len() {
            times.pop_front();
        }
        self.table.insert(key, times, Standing::Live);
    }

    /// How often an actor was refused in the seconds up to `now`.
    pub(crate) fn count(
        &self,
        refusal: Refusal,
        actor: &Text,
        now: TimestampNs,
        seconds: u64,
    ) -> u64 {
        let span = Duration::from_secs(seconds);
        let times = self.table.get(&(refusal, actor.clone()));
        let recent = |time: &&TimestampNs| **time <= now && now.since(**time) < span;
        times.map_or(0, |times| times.iter().filter(recent).count() as u64)
    }

    /// How many actors were given up.
    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(actor: &str, action: &str) -> ApiCall {
        ApiCall {
            source: ApiSource::Okta,
            principal: actor.into(),
            action: action.into(),
            error: "FAILURE".into(),
            ..ApiCall::default()
        }
    }

    fn second(seconds: u64) -> TimestampNs {
        TimestampNs::from_unix_ns(seconds * 1_000_000_000)
    }

    #[test]
    fn refusals_are_counted_by_kind_actor_and_window() {
        let mut factors = Factors::default();
        for time in [10, 100, 300, 300, 200] {
            factors.observe(&call("ann", "user.authentication.auth_via_mfa"), second(time));
        }
        factors.observe(&call("ann", "user.mfa.okta_verify.deny_push"), second(300));
        factors.observe(&call("ann", "user.session.start"), second(300));
        let check = |refusal, actor: &str, now, seconds, expected| {
            assert_eq!(factors.count(refusal, &actor.into(), second(now), seconds), expected);
        };
        check(Refusal::Failed, "ann", 300, 300, 4);
        check(Refusal::Failed, "ann", 300, 200, 2);
        check(Refusal::Failed, "ann", 200, 300, 3);
        check(Refusal::Failed, "bob", 300, 300, 0);
        check(Refusal::Denied, "ann", 300, 300, 1);
    }

    #[test]
    fn times_and_actors_are_bounded() {
        let mut factors = Factors::default();
        for time in 0..REFUSALS_MAX as u64 + 50 {
            factors.observe(&call("ann", "user.authentication.auth_via_mfa"), second(time));
        }
        let now = second(10_000);
        let count = factors.count(Refusal::Failed, &"ann".into(), now, 20_000);
        assert_eq!(count, REFUSALS_MAX as u64);
        for actor in 0..=REFUSED_ACTORS_MAX {
            let action = "user.mfa.okta_verify.deny_push";
            factors.observe(&call(&actor.to_string(), action), second(1));
        }
        assert_eq!((factors.table.len(), factors.evicted()), (REFUSED_ACTORS_MAX, 2));
    }
}
