//! Which identity goes first where there is no room.
//!
//! Whoever can make identities would push out those of everybody else: a key a second, in an account
//! that was taken over. So each identity is of an origin, and the origin that holds most gives up
//! one of its own, that which may go first. An origin is the account that a name tells; else that
//! of whoever called, or the log or container that tells of it. Of several the smallest counts, so
//! that it does not matter who told first.

use std::collections::BTreeSet;
use std::sync::Arc;

use clew_event::Text;
use clew_event::control_plane::ApiCall;
use rustc_hash::FxHashMap;

use super::graph::KeepUntil;
use super::key::{Identity, IdentityKind};

/// The origin of what a call tells.
pub(super) fn of_call(call: &ApiCall, principal: Option<&Identity>) -> Text {
    match principal.and_then(own) {
        Some(account) => account.into(),
        None if call.account.is_empty() => call.source.name().into(),
        None => call.account.clone(),
    }
}

/// The account that the name of an identity tells, whoever tells of it.
pub(super) fn own(identity: &Identity) -> Option<&[u8]> {
    let name = identity.name.as_bytes();
    match identity.kind {
        IdentityKind::Account => Some(name),
        _ => has_own(identity).then(|| name.split(|&byte| byte == b':').nth(4).unwrap_or_default()),
    }
}

/// Whether [`own`] gives one, which is asked of each record.
pub(super) fn has_own(identity: &Identity) -> bool {
    match identity.kind {
        IdentityKind::Account => true,
        IdentityKind::Session | IdentityKind::User | IdentityKind::Role => {
            identity.name.as_bytes().starts_with(b"arn:")
        }
        _ => false,
    }
}

/// Every identity once, by origin and in the order in which they may go.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    held: FxHashMap<Text, BTreeSet<(KeepUntil, Arc<Identity>)>>,
    /// Every origin once, who holds most at the end.
    ranks: BTreeSet<(usize, Text)>,
}

impl Origins {
    pub(super) fn insert(&mut self, origin: &Text, keep: KeepUntil, identity: Arc<Identity>) {
        self.change(origin, |held| held.insert((keep, identity)));
    }

    pub(super) fn remove(&mut self, origin: &Text, keep: KeepUntil, identity: Arc<Identity>) {
        self.change(origin, |held| held.remove(&(keep, identity)));
    }

    /// Takes down that an identity is kept longer.
    pub(super) fn keep(
        &mut self,
        origin: &Text,
        [before, after]: [KeepUntil; 2],
        identity: Arc<Identity>,
    ) {
        let Some(held) = self.held.get_mut(origin) else { return };
        let of_before = (before, identity);
        held.remove(&of_before);
        held.insert((after, of_before.1));
    }

    /// Takes out the identity that goes first.
    pub(super) fn pop(&mut self) -> Option<Arc<Identity>> {
        let (_, origin) = self.ranks.last()?.clone();
        self.change(&origin, BTreeSet::pop_first).map(|(_, identity)| identity)
    }

    pub(super) fn len(&self) -> usize {
        self.held.values().map(BTreeSet::len).sum()
    }

    fn change<R>(
        &mut self,
        origin: &Text,
        how: impl FnOnce(&mut BTreeSet<(KeepUntil, Arc<Identity>)>) -> R,
    ) -> R {
        let held = self.held.entry(origin.clone()).or_default();
        let before = held.len();
        let changed = how(held);
        let after = held.len();
        if before != after {
            self.ranks.remove(&(before, origin.clone()));
        }
        if after == 0 {
            self.held.remove(origin);
        } else if before != after {
            self.ranks.insert((after, origin.clone()));
        }
        changed
    }
}
