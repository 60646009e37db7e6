//! What was known of whoever called, before the call: what rules ask.
//!
//! A rule asks after the call was taken in, so the answers are taken down before: a call must not
//! make its own network known.

use clew_event::control_plane::ApiCall;
use clew_event::{EventId, Text, TimestampNs};
use serde::{Deserialize, Serialize};

use super::Identities;
use super::binding::Relation;
use super::claims::{Caller, Witness};
use super::habits::{Before, Delivery, Habits, Traits};
use super::key::{Identity, IdentityKind};
use super::origins;

/// Most credentials of one workload that are asked where they were used; an instance gets about
/// four a day.
pub(crate) const CREDENTIALS_MAX: usize = 64;

/// Where a credential of a workload was used, the least telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Outside {
    /// Where its workload was seen before, or inside the provider.
    No,
    /// Its workload was never seen: nothing to compare with.
    Unknown,
    /// At a private address where its workload was never seen.
    Private,
    /// At a public address where its workload was never seen.
    Public,
}

impl Outside {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::Private => "private",
            Self::Public => "public",
        }
    }

    pub(crate) const fn is_outside(self) -> bool {
        matches!(self, Self::Private | Self::Public)
    }
}

/// The answers for one call, as they were when it was taken in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Judged {
    pub(crate) event: EventId,
    pub(crate) credential: Option<Identity>,
    pub(crate) principal: Option<Identity>,
    pub(crate) workload: Option<Identity>,
    pub(crate) of_principal: Before,
    pub(crate) of_credential: Before,
    pub(crate) of_account: Before,
    /// `None` where the credential is of no workload.
    pub(crate) outside: Option<Outside>,
    /// It is used where it was first seen outside its workload.
    pub(crate) is_outside: bool,
    /// The instance got its credential in the old way, and all before in the new one.
    pub(crate) is_delivery_changed: bool,
}

impl Judged {
    /// The credential that was used.
    #[must_use]
    pub const fn credential(&self) -> Option<&Identity> {
        self.credential.as_ref()
    }

    fn actor(&self) -> Option<&Identity> {
        self.credential.as_ref().or(self.principal.as_ref())
    }
}

impl Identities {
    /// Takes down the answers, then takes in what the call adds to habits.
    pub(super) fn judge(
        &mut self,
        call: &ApiCall,
        caller: &Caller,
        witness: &Witness<'_>,
    ) -> Judged {
        let traits = Traits::of(call, witness.time);
        // Another account is no caller whose habits tell anything.
        let principal = caller.principal().filter(|of| of.kind != IdentityKind::Account).cloned();
        let actor = caller.credential.as_ref().or(caller.principal.as_ref());
        let workload = actor.and_then(|of| self.workload(of, witness.time)).cloned();
        let before = |of: &Option<Identity>| {
            let habits = of.as_ref().and_then(|of| self.graph.get(of)?.habits.as_deref());
            habits.map_or_else(Before::default, |habits| habits.before(&traits))
        };
        let mut judged = Judged {
            event: witness.event,
            of_principal: before(&principal),
            of_credential: before(&caller.credential),
            of_account: before(&caller.account),
            outside: workload.as_ref().zip(actor).map(|(workload, actor)| {
                let own = self.own_habits(actor);
                outside(call, &traits, own.chain(self.credentials_of(workload)))
            }),
            credential: caller.credential.clone(),
            principal,
            workload,
            is_outside: false,
            is_delivery_changed: false,
        };
        judged.is_outside = self.note_outside(&judged, &traits, witness.moment());
        let workload = judged.workload.as_ref();
        judged.is_delivery_changed = self.deliver(call, workload, witness);
        self.record(&judged.credential, Habits::default, &traits, witness);
        self.record(&judged.principal, Habits::of_principal, &traits, witness);
        self.record(&caller.account, Habits::default, &traits, witness);
        judged
    }

    /// The answers for an earlier call, now that more is known of whose its credential is.
    pub(crate) fn judge_again(&mut self, call: &ApiCall, time: TimestampNs, mut judged: Judged) {
        let workload = judged.actor().and_then(|of| self.workload(of, time)).cloned();
        if let Some(workload) = workload.filter(|_| judged.workload.is_none()) {
            let traits = Traits::of(call, time);
            judged.outside = Some(self.outside_again(call, &traits, &judged, &workload));
            let origin = origins::of_call(call, judged.principal.as_ref());
            judged.is_outside = self.note_outside(&judged, &traits, (time, &origin));
            judged.workload = Some(workload);
        }
        self.judged = Some(Box::new(judged));
    }

    /// As of before the call: that its credential is known there by now is no answer.
    fn outside_again(
        &self,
        call: &ApiCall,
        traits: &Traits,
        judged: &Judged,
        workload: &Identity,
    ) -> Outside {
        let before = &judged.of_credential;
        if 0 < before.networks && !before.is_new_network {
            return Outside::No;
        }
        let own = judged.actor().and_then(|actor| self.own_habits(actor).next());
        let is_own = |habits: &&Habits| own.is_some_and(|own| std::ptr::eq(own, *habits));
        outside(call, traits, self.credentials_of(workload).filter(|habits| !is_own(habits)))
    }

    /// Whether the credential is used where it was first seen outside its workload: the first call
    /// makes the place known, and the thief stays a thief.
    fn note_outside(&mut self, judged: &Judged, traits: &Traits, at: (TimestampNs, &Text)) -> bool {
        let is_first = judged.outside.is_some_and(Outside::is_outside);
        let (Some(credential), Some(network)) = (&judged.credential, traits.network()) else {
            return is_first;
        };
        if is_first {
            let habits = self.graph.habits(credential, at, Habits::default);
            habits.into_iter().for_each(|habits| habits.note_outside(network));
            return true;
        }
        self.own_habits(credential).any(|habits| habits.is_outside(network))
    }

    /// Notes how an instance got its credential; true where it is the first time by version 1 of
    /// its metadata service, after version 2 alone.
    fn deliver(&mut self, call: &ApiCall, to: Option<&Identity>, at: &Witness<'_>) -> bool {
        let instance = to.filter(|of| of.kind == IdentityKind::Instance);
        let delivery = instance.and_then(|_| Delivery::of(call));
        let (Some(instance), Some(delivery)) = (instance, delivery) else { return false };
        let habits = self.graph.habits(instance, at.moment(), Habits::default);
        habits.is_some_and(|habits| habits.deliver(delivery))
    }

    fn record(
        &mut self,
        of: &Option<Identity>,
        new: fn() -> Habits,
        traits: &Traits,
        witness: &Witness<'_>,
    ) {
        let Some(of) = of else { return };
        let counts = self.counts(witness, &[of]);
        if let Some(habits) = self.graph.habits(of, witness.moment(), new) {
            habits.record(traits, counts);
        }
    }

    /// The workload that an identity's rights were given to, or that a process of it runs in.
    pub(crate) fn workload<'a>(
        &'a self,
        of: &'a Identity,
        time: TimestampNs,
    ) -> Option<&'a Identity> {
        std::iter::once(of).chain(self.path(of, time)).find_map(|identity| match identity.kind {
            IdentityKind::Pod | IdentityKind::Task | IdentityKind::Instance => Some(identity),
            IdentityKind::Process | IdentityKind::Container => self.runs_in(identity),
            _ => None,
        })
    }

    fn runs_in(&self, of: &Identity) -> Option<&Identity> {
        let parent = |of: &Identity| {
            let mut parents = self.graph.get(of)?.parents.iter();
            Some(&*parents.find(|binding| binding.relation == Relation::RunsIn)?.parent)
        };
        let place = parent(of)?;
        if place.kind == IdentityKind::Container {
            Some(parent(place).unwrap_or(place))
        } else {
            Some(place)
        }
    }

    fn own_habits(&self, of: &Identity) -> impl Iterator<Item = &Habits> {
        self.graph.get(of).and_then(|node| node.habits.as_deref()).into_iter()
    }

    /// What was done with the credentials that a workload holds, itself, through a session, or
    /// through a container or process of it. Asked of them and not kept with the workload: whose
    /// they are may be told after their use.
    fn credentials_of(&self, workload: &Identity) -> impl Iterator<Item = &Habits> {
        let mut held: Vec<&Identity> = self.children(workload).take(CREDENTIALS_MAX).collect();
        let mut next = 0;
        while let Some(&at) = held.get(next) {
            next += 1;
            let leads_on = matches!(
                at.kind,
                IdentityKind::Session | IdentityKind::Container | IdentityKind::Process
            );
            let room = CREDENTIALS_MAX.saturating_sub(held.len());
            held.extend(self.children(at).take(if leads_on { room } else { 0 }));
        }
        held.into_iter().flat_map(|held| self.own_habits(held))
    }

    pub(super) fn children(&self, of: &Identity) -> impl Iterator<Item = &Identity> {
        self.graph.get(of).into_iter().flat_map(|node| node.children.iter()).map(|child| &**child)
    }
}

/// Where a call came from, for a workload whose credentials were used as `known` tells.
fn outside<'a>(
    call: &ApiCall,
    traits: &Traits,
    known: impl Iterator<Item = &'a Habits>,
) -> Outside {
    let (Some(address), Some(network)) = (call.source_address, traits.network()) else {
        return Outside::No;
    };
    let mut is_unknown = true;
    for habits in known {
        if habits.has_networks() && habits.knows_network(network) {
            return Outside::No;
        }
        is_unknown &= !habits.has_networks();
    }
    match is_unknown {
        true => Outside::Unknown,
        false if is_private(address) => Outside::Private,
        false => Outside::Public,
    }
}

fn is_private(address: std::net::IpAddr) -> bool {
    match address.to_canonical() {
        std::net::IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_carrier = first == 100 && (64..128).contains(&second);
            address.is_private() || address.is_loopback() || address.is_link_local() || is_carrier
        }
        std::net::IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}
