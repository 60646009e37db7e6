//! `identity.*`: who called, with whose rights, and what of it is new.
//!
//! All as of before the call: it does not make its own network known. What a call before it tells
//! is answered only for the last call that was taken in, and is missing for others.

use clew_event::{FieldId, FieldValue};

use super::{boolean, maybe, owned, text, unsigned};
use crate::identity::binding::Relation;
use crate::identity::habits::Before;
use crate::identity::judged::Judged;
use crate::identity::key::{Identity, IdentityKind};
use crate::view::View;

/// `None` for a field of another family.
pub(super) fn value<'a>(view: &View<'a>, id: FieldId) -> Option<FieldValue<'a>> {
    let take = taken(id)?;
    let judged = view.event.api_call().and_then(|_| view.context.identities.judged(view.event.id));
    Some(maybe(judged, |judged| match take {
        Take::Principal(take) => maybe(judged.principal.as_ref(), |_| take(&judged.of_principal)),
        Take::Account(take) => take(&judged.of_account),
        Take::Credential(take) => {
            maybe(judged.credential.as_ref(), |_| take(&judged.of_credential))
        }
        Take::Made(make) => make(view, judged),
    }))
}

/// How a field is taken from what was known before the call.
enum Take {
    Principal(fn(&Before) -> FieldValue<'static>),
    Account(fn(&Before) -> FieldValue<'static>),
    Credential(fn(&Before) -> FieldValue<'static>),
    Made(for<'a> fn(&View<'a>, &'a Judged) -> FieldValue<'a>),
}

#[rustfmt::skip]
fn taken(id: FieldId) -> Option<Take> {
    use FieldId as F;
    use Take::{Account, Credential, Made, Principal};
    let take = match id {
        F::IdentityPrincipal => Made(|_, judged| maybe(judged.principal.as_ref(), |of| text(&of.name))),
        F::IdentityPrincipalKind => Made(|_, judged| maybe(judged.principal.as_ref(), |of| of.kind.name().into())),
        F::IdentityPrincipalAge => Principal(|before| unsigned(before.age_ns)),
        F::IdentityPrincipalCalls => Principal(|before| unsigned(before.calls)),
        F::IdentityPrincipalErrors => Principal(|before| unsigned(before.errors)),
        F::IdentityPrincipalNetworks => Principal(|before| unsigned(before.networks)),
        F::IdentityPrincipalServices => Principal(|before| unsigned(before.services)),
        F::IdentityPrincipalRegions => Principal(|before| unsigned(before.regions)),
        F::IdentityPrincipalCalls5m => Principal(|before| unsigned(before.calls_5m)),
        F::IdentityPrincipalErrors5m => Principal(|before| unsigned(before.errors_5m)),
        F::IdentityPrincipalReads5m => Principal(|before| unsigned(before.reads_5m)),
        F::IdentityPrincipalIsNewNetwork => Principal(|before| boolean(before.is_new_network)),
        F::IdentityPrincipalIsNewAgent => Principal(|before| boolean(before.is_new_agent)),
        F::IdentityPrincipalIsNewRegion => Principal(|before| boolean(before.is_new_region)),
        F::IdentityPrincipalIsNewService => Principal(|before| boolean(before.is_new_service)),
        F::IdentityPrincipalIsNewAction => Principal(|before| boolean(before.is_new_action)),
        F::IdentityAccountAge => Account(|before| unsigned(before.age_ns)),
        F::IdentityAccountIsNewRegion => Account(|before| boolean(before.is_new_region)),
        F::IdentityCredential => Made(|_, judged| maybe(judged.credential.as_ref(), |of| text(&of.name))),
        F::IdentityCredentialAge => Made(age),
        F::IdentityCredentialCalls => Credential(|before| unsigned(before.calls)),
        F::IdentityCredentialNetworks => Credential(|before| unsigned(before.networks)),
        F::IdentityCredentialIsNewNetwork => Credential(|before| boolean(before.is_new_network)),
        F::IdentityCredentialIsNewAgent => Credential(|before| boolean(before.is_new_agent)),
        F::IdentityCredentialIsOutside => Made(|_, judged| boolean(judged.outside.is_some_and(|outside| outside.is_outside()))),
        F::IdentityCredentialOutside => Made(|_, judged| maybe(judged.outside, |outside| outside.name().into())),
        F::IdentityDeliveryChanged => Made(|_, judged| boolean(judged.is_delivery_changed)),
        F::IdentityCredentialRoot => Made(|view, judged| maybe(root(view, judged), |root| text(&root.name))),
        F::IdentityRootKind => Made(|view, judged| maybe(root(view, judged), |root| root.kind.name().into())),
        F::IdentityLineageDepth => Made(depth),
        F::IdentityMintedBy => Made(minted_by),
        F::IdentityWorkload => Made(|_, judged| maybe(judged.workload.as_ref(), |of| text(&of.name))),
        F::IdentityIsWorkload => Made(is_workload),
        _ => return None,
    };
    Some(take)
}

fn actor(judged: &Judged) -> Option<&Identity> {
    judged.credential.as_ref().or(judged.principal.as_ref())
}

fn root<'a>(view: &View<'a>, judged: &'a Judged) -> Option<&'a Identity> {
    Some(view.context.identities.root_of(actor(judged)?, view.event.time))
}

/// From when it was handed out, where that was seen.
fn age<'a>(view: &View<'a>, judged: &'a Judged) -> FieldValue<'a> {
    let Some(credential) = &judged.credential else { return FieldValue::Missing };
    let minted = view.context.identities.minted(credential);
    unsigned(minted.map_or(judged.of_credential.age_ns, |binding| {
        u64::try_from(view.event.time.since(binding.first_time).as_nanos()).unwrap_or(u64::MAX)
    }))
}

fn depth<'a>(view: &View<'a>, judged: &'a Judged) -> FieldValue<'a> {
    maybe(actor(judged), |actor| {
        let steps = view.context.identities.steps(actor, view.event.time);
        let handed_on = |relation| {
            use Relation::{Fetched, HeldBy, Minted, OnBehalfOf, SessionOf, SignedIn};
            matches!(relation, Fetched | HeldBy | Minted | OnBehalfOf | SessionOf | SignedIn)
        };
        unsigned(steps.filter(|step| handed_on(step.relation)).count() as u64)
    })
}

fn minted_by<'a>(view: &View<'a>, judged: &'a Judged) -> FieldValue<'a> {
    let identities = &view.context.identities;
    let both = [judged.credential.as_ref(), judged.principal.as_ref()];
    let minted = both.into_iter().flatten().find_map(|of| identities.minted(of));
    maybe(minted, |binding| owned(binding.parent.name.as_bytes()))
}

fn is_workload<'a>(view: &View<'a>, judged: &'a Judged) -> FieldValue<'a> {
    let identities = &view.context.identities;
    let is_program = |identity: &Identity| {
        identity.kind.is_workload()
            || matches!(identity.kind, IdentityKind::ServiceAccount | IdentityKind::Process)
            || identities.minted(identity).is_some_and(|by| by.parent.kind == IdentityKind::Service)
    };
    // Where these were found from the credential, they stand on its way.
    let told = judged.credential.as_ref().and(judged.workload.as_ref()).map(|of| of.kind);
    if matches!(told, Some(IdentityKind::Instance | IdentityKind::Task)) {
        return boolean(true);
    }
    maybe(actor(judged), |actor| {
        let mut path = std::iter::once(actor).chain(identities.path(actor, view.event.time));
        boolean(path.any(is_program))
    })
}
