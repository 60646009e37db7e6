//! What was known of whoever called, before the call: what rules ask.
//!
//! A rule asks after the call was taken in, so the answers are taken down before: a call must not
//! make its own network known.

use clew_event::control_plane::ApiCall;
use clew_event::{EventId, TimestampNs};

use super::Identities;
use super::binding::Relation;
use super::claims::{Caller, Witness};
use super::habits::{Before, Delivery, Habits, Traits};
use super::key::{Identity, IdentityKind};

/// Most credentials of one workload that are asked where they were used; an instance gets about
/// four a day.
pub(crate) const CREDENTIALS_MAX: usize = 64;

/// Where a credential of a workload was used, the least telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// The answers for the last call that was taken in.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub event: EventId,
    pub credential: Option<Identity>,
    pub principal: Option<Identity>,
    pub workload: Option<Identity>,
    pub of_principal: Before,
    pub of_credential: Before,
    pub of_account: Before,
    /// `None` where the credential is of no workload.
    pub outside: Option<Outside>,
    /// It is used where it was first seen outside its workload.
    pub is_outside: bool,
    /// The instance got its credential in the old way, and all before in the new one.
    pub is_delivery_changed: bool,
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
            outside: workload
                .as_ref()
                .zip(actor)
                .map(|(workload, actor)| self.outside(call, &traits, [workload, actor])),
            credential: caller.credential.clone(),
            principal,
            workload,
            is_outside: false,
            is_delivery_changed: false,
        };
        judged.is_outside = self.note_outside(&judged, &traits, witness);
        let workload = judged.workload.as_ref();
        judged.is_delivery_changed = self.deliver(call, workload, witness);
        self.record(&judged.credential, Habits::default, &traits, witness);
        self.record(&judged.principal, Habits::of_principal, &traits, witness);
        self.record(&caller.account, Habits::default, &traits, witness);
        judged
    }

    /// Whether the credential is used where it was first seen outside its workload: the first call
    /// makes the place known, and the thief stays a thief.
    fn note_outside(&mut self, judged: &Judged, traits: &Traits, at: &Witness<'_>) -> bool {
        let is_first = judged.outside.is_some_and(Outside::is_outside);
        let (Some(credential), Some(network)) = (&judged.credential, traits.network()) else {
            return is_first;
        };
        if is_first {
            let habits = self.graph.habits(credential, at.moment(), Habits::default);
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

    fn outside(&self, call: &ApiCall, traits: &Traits, of: [&Identity; 2]) -> Outside {
        let (Some(address), Some(network)) = (call.source_address, traits.network()) else {
            return Outside::No;
        };
        let [workload, actor] = of;
        let mut is_unknown = true;
        for habits in self.own_habits(actor).chain(self.credentials_of(workload)) {
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

    fn children(&self, of: &Identity) -> impl Iterator<Item = &Identity> {
        self.graph.get(of).into_iter().flat_map(|node| node.children.iter()).map(|child| &**child)
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
