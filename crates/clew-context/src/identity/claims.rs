//! What one record of an API proves of identities: claims into bindings.

use clew_event::control_plane::{ApiCall, CallStage, Claim, Minted, MintedKind};
use clew_event::{EventId, Text, TimestampNs};

use super::Identities;
use super::binding::{Class, Relation, Told};
use super::commands::{Asked, ended_by_nul};
use super::key::{Identity, IdentityKind, holder_of, role_of};
use super::origins;
use super::sketch::hash64;

/// Who called, under the names of [`Identity`].
#[derive(Debug)]
pub(super) struct Caller {
    pub credential: Option<Identity>,
    pub principal: Option<Identity>,
    /// The role of a session; else whoever is impersonated.
    pub issuer: Option<Identity>,
    pub account: Option<Identity>,
    /// Whose share of the room it takes what the call tells.
    origin: Text,
    /// Who holds the session of the principal.
    holder: Option<Identity>,
}

impl Caller {
    pub(super) fn of(call: &ApiCall) -> Self {
        let principal = Identity::principal(call, &call.principal);
        let issuer = Identity::principal(call, &call.issuer).or_else(|| {
            let session = principal.as_ref().filter(|of| of.kind == IdentityKind::Session)?;
            role_of(session)
        });
        let session = principal.as_ref().filter(|of| of.kind == IdentityKind::Session);
        let holder = session.and_then(holder_of);
        Self {
            origin: origins::of_call(call, principal.as_ref()),
            credential: Identity::named(IdentityKind::Credential, &call.credential),
            issuer: issuer.filter(|issuer| Some(issuer) != principal.as_ref()),
            principal,
            account: Identity::named(IdentityKind::Account, &call.account),
            holder,
        }
    }

    /// The credential where the record has one, else whoever called.
    fn actor(&self) -> Option<&Identity> {
        self.credential.as_ref().or(self.principal.as_ref())
    }

    /// In whose name it was done: a user, or the role of a session, which outlives the session.
    pub(super) fn principal(&self) -> Option<&Identity> {
        let role = self.issuer.as_ref().filter(|issuer| issuer.kind == IdentityKind::Role);
        role.or(self.principal.as_ref())
    }
}

/// The record that bears witness.
#[derive(Clone, Copy, Debug)]
pub(super) struct Witness<'a> {
    pub event: EventId,
    pub time: TimestampNs,
    /// Whether it counts; copies are asked one by one.
    pub counts: bool,
    /// The id that the copies of it share, as hash.
    pub shared: Option<u64>,
    /// When what it tells of ends, where that is known.
    pub until: Option<TimestampNs>,
    /// Whose share of the room it takes.
    pub origin: &'a Text,
}

impl<'a> Witness<'a> {
    pub(super) fn of(
        identities: &mut Identities,
        (call, caller): (&ApiCall, &'a Caller),
        (event, time): (EventId, TimestampNs),
    ) -> Self {
        let is_whole = matches!(call.stage, CallStage::Complete | CallStage::Failed);
        let id = call.claims.iter().find_map(|claim| match claim {
            Claim::Shared { id } => Some(id),
            _ => None,
        });
        let shared = id.map(|id| hash64(&[id.as_bytes()]));
        let counts = is_whole && (shared.is_some() || identities.counted.is_first(event));
        Self { event, time, counts, shared, until: None, origin: &caller.origin }
    }

    /// When, and whose share of the room it takes.
    pub(super) fn moment(&self) -> (TimestampNs, &'a Text) {
        (self.time, self.origin)
    }
}

impl Identities {
    /// Whether the record counts for that subject.
    pub(super) fn counts(&mut self, witness: &Witness<'_>, subject: &[&Identity]) -> bool {
        let Some(shared) = witness.shared.filter(|_| witness.counts) else { return witness.counts };
        let names: Vec<&[u8]> = subject.iter().map(|identity| identity.name.as_bytes()).collect();
        self.counted.is_first_copy(shared, hash64(&names))
    }

    pub(super) fn tie(
        &mut self,
        child: &Identity,
        (relation, class): (Relation, Class),
        parent: &Identity,
        witness: &Witness<'_>,
    ) {
        let count = u16::from(self.counts(witness, &[child, parent]));
        let until_s = witness.until.map_or(0, |until| {
            u32::try_from(until.unix_ns().div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
        });
        let (event, time) = (witness.event, witness.time);
        let told = Told { time, event, until_s, count, relation, class };
        self.graph.bind(child, parent, told, witness.origin);
    }

    /// Takes in all that a record proves.
    pub(super) fn bind_all(&mut self, call: &ApiCall, caller: &Caller, witness: &Witness<'_>) {
        self.bind_caller(call, caller, witness);
        if call.claims.is_empty() {
            return;
        }
        let made: Vec<Identity> = call.claims.iter().filter_map(credential_made).collect();
        // A service that calls for a workload has no credential of its own: what it got is the
        // workload's.
        let held: Vec<&Identity> = match &caller.credential {
            Some(credential) => vec![credential],
            None => made.iter().collect(),
        };
        for claim in &call.claims {
            self.bind_claim(call, caller, claim, witness);
            if let Some((relation, parent)) = holder(claim)
                && caller.principal.as_ref() != Some(&parent)
            {
                for child in &held {
                    self.tie(child, (relation, Class::Identity), &parent, witness);
                }
            }
            if let Claim::Pod { uid, name, namespace } = claim
                && !uid.is_empty()
                && let Some(by_name) = Identity::pod(namespace, name)
            {
                let pod = Identity::new(IdentityKind::Pod, uid.clone());
                self.tie(&pod, (Relation::Named, Class::Identity), &by_name, witness);
            }
        }
    }

    /// A credential acts as its principal, a session is of its role.
    fn bind_caller(&mut self, call: &ApiCall, caller: &Caller, witness: &Witness<'_>) {
        let Some(principal) = &caller.principal else { return };
        let has_cloud_identity =
            call.claims.iter().any(|claim| matches!(claim, Claim::Cloud { .. }));
        if let Some(credential) = &caller.credential
            && !has_cloud_identity
        {
            self.tie(credential, (Relation::ActsAs, Class::Identity), principal, witness);
        }
        match (&caller.issuer, principal.kind) {
            (Some(role), IdentityKind::Session) => {
                self.bind_parts(principal, (Some(role), caller.holder.as_ref()), witness);
            }
            (None, IdentityKind::Session) => self.bind_session(principal, witness),
            (Some(impersonated), _) => {
                if let Some(actor) = caller.actor() {
                    let tie = (Relation::ImpersonatedBy, Class::Causal);
                    self.tie(impersonated, tie, actor, witness);
                }
            }
            (None, _) => {}
        }
    }

    fn bind_session(&mut self, session: &Identity, witness: &Witness<'_>) {
        let (role, holder) = (role_of(session), holder_of(session));
        self.bind_parts(session, (role.as_ref(), holder.as_ref()), witness);
    }

    /// Role and holder of a session.
    fn bind_parts(
        &mut self,
        session: &Identity,
        (role, holder): (Option<&Identity>, Option<&Identity>),
        witness: &Witness<'_>,
    ) {
        if let Some(role) = role {
            self.tie(session, (Relation::SessionOf, Class::Identity), role, witness);
        }
        if let Some(holder) = holder {
            let is_person = holder.kind == IdentityKind::Person;
            let relation = if is_person { Relation::SignedIn } else { Relation::HeldBy };
            self.tie(session, (relation, Class::Identity), holder, witness);
        }
    }

    fn bind_claim(
        &mut self,
        call: &ApiCall,
        caller: &Caller,
        claim: &Claim,
        witness: &Witness<'_>,
    ) {
        match claim {
            Claim::Minted(minted) => self.bind_minted(call, caller, minted, witness),
            Claim::Cloud { principal, credential } => {
                self.bind_cloud_identity(caller, (principal, credential), witness);
            }
            Claim::PodCommand { namespace, pod, container, command } => {
                if let Some(by) = caller.actor()
                    && call.error.is_empty()
                    && !command.is_empty()
                {
                    let asked = Asked {
                        time: witness.time,
                        event: witness.event,
                        caller: by.clone(),
                        container: container.clone(),
                        command: ended_by_nul(command),
                    };
                    let pairs = self.commands.ask(namespace, pod, asked);
                    self.bind_pairs(pairs);
                }
            }
            Claim::Pod { .. }
            | Claim::Instance { .. }
            | Claim::ServiceAccount { .. }
            | Claim::Node { .. }
            | Claim::SignedIn { .. }
            | Claim::Shared { .. } => {}
        }
    }

    fn bind_minted(&mut self, call: &ApiCall, caller: &Caller, minted: &Minted, at: &Witness<'_>) {
        let (Some(actor), Some(child)) = (caller.actor(), identity_made(call, minted)) else {
            return;
        };
        let limited = Witness { until: minted.expires, ..*at };
        self.tie_made(&child, Relation::Minted, actor, &limited);
        let holder = match minted.kind {
            MintedKind::Session | MintedKind::ConsoleSession => {
                Identity::principal(call, &minted.holder)
            }
            MintedKind::AccessKey | MintedKind::Login => {
                Identity::made(call, IdentityKind::User, &minted.holder)
            }
            MintedKind::Token => Identity::made(call, IdentityKind::ServiceAccount, &minted.holder),
            MintedKind::User | MintedKind::Role => None,
        };
        let Some(holder) = holder else { return };
        self.tie(&child, (Relation::ActsAs, Class::Causal), &holder, &limited);
        if holder.kind == IdentityKind::Session {
            self.bind_session(&holder, at);
        }
    }

    /// The cluster's user is a mask that its cloud identities wear, many of them the same.
    fn bind_cloud_identity(
        &mut self,
        caller: &Caller,
        (principal, credential): (&Text, &Text),
        witness: &Witness<'_>,
    ) {
        let named = ApiCall {
            source: clew_event::control_plane::ApiSource::Cloudtrail,
            ..ApiCall::default()
        };
        let cloud = Identity::principal(&named, principal);
        let key = Identity::named(IdentityKind::Credential, credential);
        if let (Some(key), Some(cloud)) = (&key, &cloud) {
            self.tie(key, (Relation::ActsAs, Class::Identity), cloud, witness);
        }
        if let Some(cloud) = cloud.as_ref().filter(|cloud| cloud.kind == IdentityKind::Session) {
            self.bind_session(cloud, witness);
        }
        let Some(parent) = key.as_ref().or(cloud.as_ref()) else { return };
        if let Some(user) = &caller.principal {
            self.tie(user, (Relation::OnBehalfOf, Class::Shared), parent, witness);
        }
        if let Some(own) = &caller.credential {
            self.tie(own, (Relation::OnBehalfOf, Class::Identity), parent, witness);
        }
    }
}

/// What a minted thing is called when it acts.
pub(super) fn identity_made(call: &ApiCall, minted: &Minted) -> Option<Identity> {
    match minted.kind {
        MintedKind::Session | MintedKind::AccessKey | MintedKind::Token => {
            Identity::named(IdentityKind::Credential, &minted.id)
        }
        MintedKind::User => Identity::made(call, IdentityKind::User, &minted.id),
        MintedKind::Role => Identity::made(call, IdentityKind::Role, &minted.id),
        MintedKind::Login => {
            // No log names a password; this tells it from the keys of the same user.
            let of = if minted.holder.is_empty() { &minted.id } else { &minted.holder };
            let user = Identity::made(call, IdentityKind::User, of)?;
            Some(Identity::new(IdentityKind::Credential, format!("password of {}", user.name)))
        }
        // It is whoever signed in, and has no id of its own.
        MintedKind::ConsoleSession => None,
    }
}

fn credential_made(claim: &Claim) -> Option<Identity> {
    let Claim::Minted(minted) = claim else { return None };
    match minted.kind {
        MintedKind::Session | MintedKind::AccessKey | MintedKind::Token => {
            Identity::named(IdentityKind::Credential, &minted.id)
        }
        MintedKind::User | MintedKind::Role | MintedKind::Login | MintedKind::ConsoleSession => {
            None
        }
    }
}

/// Whose credential it is.
fn holder(claim: &Claim) -> Option<(Relation, Identity)> {
    let holder = match claim {
        Claim::Pod { uid, name, namespace } => {
            Identity::named(IdentityKind::Pod, uid).or_else(|| Identity::pod(namespace, name))?
        }
        Claim::Instance { id } => Identity::named(IdentityKind::Instance, id)?,
        Claim::Node { name } => Identity::named(IdentityKind::Node, name)?,
        Claim::ServiceAccount { namespace, name } => {
            let account = Identity::service_account(namespace, name);
            return Some((Relation::ActsAs, account));
        }
        Claim::SignedIn { name } => {
            return Some((Relation::SignedIn, Identity::named(IdentityKind::Person, name)?));
        }
        Claim::Minted(_)
        | Claim::Cloud { .. }
        | Claim::Shared { .. }
        | Claim::PodCommand { .. } => return None,
    };
    Some((Relation::HeldBy, holder))
}
