//! What is learned of one endpoint: a method on a template of one API.

use std::collections::BTreeMap;

use clew_event::Text;
use serde::{Deserialize, Serialize};

use super::habit::Habit;
use super::schema::Schema;
use super::sketch::{Seen, Spread};

/// Most users of one endpoint that are told apart; of more, likeness is estimated.
pub(super) const USERS_MAX: usize = 64;
/// Most places of one endpoint that name objects.
pub(super) const OWNED_MAX: usize = 8;
/// Most steps before one step that are told apart.
pub(super) const STEPS_MAX: usize = 32;

/// One endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Endpoint {
    pub(super) api: u64,
    pub(super) method: Text,
    pub(super) template: Text,
    pub(super) version: Option<u32>,
    /// The same for all versions of it.
    pub(super) kin: u64,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    /// Exchanges of its API before the first of its own.
    pub(super) exchanges_before: u32,
    pub(super) exchanges: u32,
    /// Of these, answered well.
    pub(super) oks: u32,
    /// How often each status was answered.
    pub(super) statuses: BTreeMap<u16, u32>,
    pub(super) users: Seen<USERS_MAX>,
    /// Users who had long used the API without it.
    pub(super) late_users: u32,
    /// Different values of its parameters, in their order.
    pub(super) parameters: Vec<Seen<USERS_MAX>>,
    /// Answered well without a principal.
    pub(super) anonymous: Habit,
    pub(super) owned: Vec<Owned>,
    pub(super) query: Schema,
    pub(super) sent: Schema,
    pub(super) answer: Schema,
    pub(super) sent_bytes: Spread,
    pub(super) answer_bytes: Spread,
    pub(super) duration_us: Spread,
    /// Exchanges of one principal in one window.
    pub(super) rate: Spread,
    /// Objects that one principal asked for in one window without having been handed them.
    pub(super) strange: Spread,
    /// Accounts for which attempts of one client, and of all, failed in one window, plus one.
    pub(super) failed: [Spread; 2],
    pub(super) steps: Steps,
}

/// A place of an endpoint that names objects: `order` in its path, `account_id` in its body.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Owned {
    pub(super) place: Text,
    /// Exceptions are objects that were never handed out to who asked for them.
    pub(super) habit: Habit,
}

/// The steps after which this step is taken: a Markov chain of what changes something, read
/// backward, so that each endpoint holds its own part of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Steps {
    /// Count by the endpoint before; 0 for none within half an hour.
    pub(super) before: BTreeMap<u64, u32>,
    pub(super) total: u32,
    /// Milliseconds between.
    pub(super) gaps_ms: Spread,
}

impl Steps {
    /// Steps before that were seen once.
    pub(super) fn singles(&self) -> u32 {
        let singles = self.before.values().filter(|count| **count == 1).count();
        u32::try_from(singles).unwrap_or(u32::MAX)
    }

    pub(super) fn learn(&mut self, before: u64, gap_ms: Option<u64>) {
        self.total = self.total.saturating_add(1);
        if self.before.len() < STEPS_MAX || self.before.contains_key(&before) {
            let count = self.before.entry(before).or_default();
            *count = count.saturating_add(1);
        }
        if let Some(gap_ms) = gap_ms {
            self.gaps_ms.add(gap_ms);
        }
    }
}

impl Endpoint {
    pub(super) const fn age_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.first_ns)
    }

    /// The habit of `place`; `None` where there are too many.
    pub(super) fn owned_mut(&mut self, place: &str) -> Option<&mut Habit> {
        let at = self.owned.iter().position(|owned| owned.place.as_bytes() == place.as_bytes());
        if let Some(at) = at {
            return self.owned.get_mut(at).map(|owned| &mut owned.habit);
        }
        if OWNED_MAX <= self.owned.len() {
            return None;
        }
        self.owned.push(Owned { place: place.into(), habit: Habit::default() });
        self.owned.last_mut().map(|owned| &mut owned.habit)
    }

    pub(super) fn owned(&self, place: &str) -> Option<&Habit> {
        let owned = self.owned.iter().find(|owned| owned.place.as_bytes() == place.as_bytes())?;
        Some(&owned.habit)
    }

    /// `GET /orders/{number}`.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_steps_of_one_endpoint_are_bounded() {
        let mut endpoint = Endpoint::default();
        for number in 0..100_u32 {
            let _ = endpoint.owned_mut(&format!("place{number}"));
            endpoint.steps.learn(u64::from(number), Some(5));
            endpoint.users.add(number);
        }
        assert_eq!((endpoint.owned.len(), endpoint.steps.before.len()), (OWNED_MAX, STEPS_MAX));
        assert_eq!((endpoint.steps.total, endpoint.users.kept().len()), (100, USERS_MAX));
        assert!(endpoint.owned_mut("place3").is_some() && endpoint.owned_mut("other").is_none());
    }
}
