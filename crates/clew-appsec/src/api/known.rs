//! What is known of an exchange before it is learned from: the ground on which detectors judge.

use std::collections::BTreeSet;

use clew_event::Text;
use serde::{Deserialize, Serialize};

use super::Apis;
use super::endpoint::Endpoint;
use super::habit::Habit;
use super::principal::Principal;
use super::sketch::Seen;

/// Most accounts and secrets of one client's attempts to log in that are told apart.
pub(super) const ACCOUNTS_MAX: usize = 64;

/// One API: a host of a workload.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Api {
    pub(super) workload: Text,
    pub(super) host: Text,
    pub(super) first_ns: u64,
    /// Exchanges that were answered well.
    pub(super) exchanges: u32,
    pub(super) principals: Seen<256>,
    /// Templates that wait for a second source.
    pub(super) singles: u32,
    /// A principal came from a network and with a program that were new to it, both at once.
    pub(super) moves: Habit,
    /// A token without signature, or one that had expired, was answered well.
    pub(super) unsigned: Habit,
    pub(super) expired: Habit,
    /// An answer showed how the application works inside.
    pub(super) leaks: Habit,
    /// Any site may read answers with the user's credentials.
    pub(super) shared: Habit,
    /// Credentials went over an open line.
    pub(super) open_line: Habit,
}

impl Api {
    pub(super) const fn age_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.first_ns)
    }
}

/// Attempts of one client, or of all, to log in at one endpoint in one window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Attempts {
    pub(super) window: u64,
    /// Accounts for which it failed.
    pub(super) accounts: Seen<ACCOUNTS_MAX>,
    pub(super) secrets: Seen<ACCOUNTS_MAX>,
    /// Something in the window started a story: it teaches nothing.
    pub(super) is_tainted: bool,
}

/// What is known of the API, endpoint and principal of one exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) apis: &'a Apis,
    pub(super) api: &'a Api,
    pub(super) principal: &'a Principal,
    pub(super) now_ns: u64,
}

impl Known<'_> {
    /// How many further endpoints `users` share, where they are a role and who asks is not of it.
    ///
    /// A role is what endpoints with like users make: two endpoints belong together where at least
    /// half of those who use either use both. Supported by two users, or by one who used it eight
    /// times; used by less than half of all principals. Who used one of them is of the role.
    pub(super) fn role_apart<const MAX: usize>(
        &self,
        users: &Seen<MAX>,
        own_endpoint: u64,
    ) -> Option<usize> {
        const USERS_ASKED: usize = 4;
        const SUPPORT_ALONE: u32 = 8;
        if self.principal.is_over || self.api.principals.distinct() <= users.distinct() * 2 {
            return None;
        }
        let mut candidates = BTreeSet::new();
        let mut support = users.distinct();
        for user in users.kept().iter().take(USERS_ASKED) {
            let Some(principal) = self.apis.principals.get_by_upper(*user) else { continue };
            let own = principal.uses.get(&own_endpoint);
            if own.is_some_and(|used| SUPPORT_ALONE <= used.oks) {
                support += 1;
            }
            candidates.extend(principal.uses.keys().copied());
        }
        let belongs =
            |key: &&u64| {
                **key != own_endpoint
                    && self.apis.endpoints.get(**key).is_some_and(|other| {
                        50 <= other.users.likeness_percent(users) && 1 < other.oks
                    })
            };
        let companions: Vec<&u64> = candidates.iter().filter(belongs).collect();
        let is_member = companions.iter().any(|key| self.principal.has_used(**key));
        (2 <= support && !is_member && !companions.is_empty()).then_some(companions.len())
    }
}

/// How late a principal is, as a share: who has hardly been seen may have any role.
pub(super) fn experience(principal: &Principal) -> f64 {
    f64::from(principal.oks) / (f64::from(principal.oks) + 16.0)
}

/// How many hundredths of an endpoint's users came to it late.
pub(super) fn late_percent(endpoint: &Endpoint) -> u32 {
    let percent = u64::from(endpoint.late_users) * 100 / endpoint.users.distinct().max(1);
    u32::try_from(percent.min(100)).unwrap_or(100)
}
