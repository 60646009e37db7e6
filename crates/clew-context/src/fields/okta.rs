//! `okta.*`: events of Okta's system log.
//!
//! A field that a record does not have is empty, not missing, as in Falco's plugin.

use clew_event::json::Value;
use clew_event::{FieldId, FieldValue};

use super::record::{Asked, How, as_text};
use super::{maybe, owned, unsigned};
use crate::factors::Refusal;

#[rustfmt::skip]
pub(super) fn how(id: FieldId) -> Option<How> {
    use FieldId as F;
    let how = match id {
        F::OktaApp => How::Made(application),
        F::OktaBehaviors => How::TextOrEmpty(&["debugContext", "debugData", "behaviors"]),
        F::OktaOrg => How::Made(organization),
        F::OktaEvtType => How::TextOrEmpty(&["eventType"]),
        F::OktaEvtLegacytype => How::TextOrEmpty(&["legacyEventType"]),
        F::OktaSeverity => How::TextOrEmpty(&["severity"]),
        F::OktaMessage => How::TextOrEmpty(&["displayMessage"]),
        F::OktaPublished => How::TextOrEmpty(&["published"]),
        F::OktaLogonlysecuritydata => How::TextOrEmpty(&["debugContext", "debugData", "logOnlySecurityData"]),
        F::OktaActorId => How::TextOrEmpty(&["actor", "id"]),
        F::OktaActorType => How::TextOrEmpty(&["actor", "type"]),
        F::OktaActorAlternateid => How::TextOrEmpty(&["actor", "alternateId"]),
        F::OktaActorName => How::TextOrEmpty(&["actor", "displayName"]),
        F::OktaClientZone => How::TextOrEmpty(&["client", "zone"]),
        F::OktaClientIp => How::TextOrEmpty(&["client", "ipAddress"]),
        F::OktaClientDevice => How::TextOrEmpty(&["client", "device"]),
        F::OktaClientId => How::TextOrEmpty(&["client", "id"]),
        F::OktaClientGeoCity => How::TextOrEmpty(&["client", "geographicalContext", "city"]),
        F::OktaClientGeoState => How::TextOrEmpty(&["client", "geographicalContext", "state"]),
        F::OktaClientGeoCountry => How::TextOrEmpty(&["client", "geographicalContext", "country"]),
        F::OktaClientGeoPostalcode => How::TextOrEmpty(&["client", "geographicalContext", "postalCode"]),
        F::OktaClientGeoLat => How::TextOrEmpty(&["client", "geographicalContext", "geolocation", "lat"]),
        F::OktaClientGeoLon => How::TextOrEmpty(&["client", "geographicalContext", "geolocation", "lon"]),
        F::OktaUseragentOs => How::TextOrEmpty(&["client", "userAgent", "os"]),
        F::OktaUseragentBrowser => How::TextOrEmpty(&["client", "userAgent", "browser"]),
        F::OktaUseragentRaw => How::TextOrEmpty(&["client", "userAgent", "rawUserAgent"]),
        F::OktaResult => How::TextOrEmpty(&["outcome", "result"]),
        F::OktaReason => How::TextOrEmpty(&["outcome", "reason"]),
        F::OktaTransactionId => How::TextOrEmpty(&["transaction", "id"]),
        F::OktaTransactionType => How::TextOrEmpty(&["transaction", "type"]),
        F::OktaRequesturi => How::TextOrEmpty(&["debugContext", "debugData", "requestUri"]),
        F::OktaPrincipalId => How::TextOrEmpty(&["debugContext", "debugData", "originalPrincipal", "id"]),
        F::OktaPrincipalAlternateid => How::TextOrEmpty(&["debugContext", "debugData", "originalPrincipal", "alternateId"]),
        F::OktaPrincipalType => How::TextOrEmpty(&["debugContext", "debugData", "originalPrincipal", "type"]),
        F::OktaPrincipalName => How::TextOrEmpty(&["debugContext", "debugData", "originalPrincipal", "displayName"]),
        F::OktaAuthenticationStep => How::TextOrEmpty(&["authenticationContext", "authenticationStep"]),
        F::OktaAuthenticationSessionid => How::TextOrEmpty(&["authenticationContext", "externalSessionId"]),
        F::OktaAuthenticationProvider => How::TextOrEmpty(&["authenticationContext", "authenticationProvider"]),
        F::OktaAuthenticationCredentialprovider => How::TextOrEmpty(&["authenticationContext", "credentialProvider"]),
        F::OktaSecurityAsnumber => How::NumberOrZero(&["securityContext", "asNumber"]),
        F::OktaSecurityAsorg => How::TextOrEmpty(&["securityContext", "asOrg"]),
        F::OktaSecurityIsp => How::TextOrEmpty(&["securityContext", "isp"]),
        F::OktaSecurityDomain => How::TextOrEmpty(&["securityContext", "domain"]),
        F::OktaSecurityIsproxy => How::TextOrEmpty(&["securityContext", "isProxy"]),
        F::OktaTargetUserId => How::Target("User", "id"),
        F::OktaTargetUserAlternateid => How::Target("User", "alternateId"),
        F::OktaTargetUserName => How::Target("User", "displayName"),
        F::OktaTargetGroupId => How::Target("UserGroup", "id"),
        F::OktaTargetGroupAlternateid => How::Target("UserGroup", "alternateId"),
        F::OktaTargetGroupName => How::Target("UserGroup", "displayName"),
        F::OktaTargetAppAlternateid => How::Target("AppInstance", "alternateId"),
        F::OktaTargetsDisplayName => How::Made(target_names),
        F::OktaMfaFailureCountlast => How::Made(failures),
        F::OktaMfaDenyCountlast => How::Made(denials),
        _ => return None,
    };
    Some(how)
}

/// `NAME` of a request for `/app/NAME/…`.
fn application<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let uri = asked.text_at(&["debugContext", "debugData", "requestUri"]);
    let name = uri.strip_prefix(b"/app/").map(|rest| rest.split(|&byte| byte == b'/').next());
    maybe(name.flatten(), owned)
}

fn organization<'a>(_: &Asked<'_, 'a>) -> FieldValue<'a> {
    FieldValue::Missing
}

pub(super) fn target<'a>(asked: &Asked<'_, 'a>, of_type: &str, member: &str) -> FieldValue<'a> {
    let of_type = targets(asked).filter(|target| target.get("type").is_some_and(|t| t.is(of_type)));
    maybe(of_type.last(), |target| target.get(member).map_or_else(|| "".into(), as_text))
}

fn targets<'v, 'a>(asked: &Asked<'v, 'a>) -> impl Iterator<Item = Value<'v, 'a>> {
    asked.at(&["target"]).into_iter().flat_map(Value::items)
}

fn target_names<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let name = |target: Value<'_, 'a>| {
        target.get("displayName").map_or_else(Vec::new, |name| name.as_text().into_owned())
    };
    if let Some(index) = asked.index() {
        return maybe(targets(asked).nth(index), |target| owned(name(target)));
    }
    let names: Vec<_> = targets(asked).map(name).collect();
    if names.is_empty() {
        return FieldValue::Missing;
    }
    owned([b"(", &*names.join(&b','), b")"].concat())
}

fn failures<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    count(asked, Refusal::Failed)
}

fn denials<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    count(asked, Refusal::Denied)
}

/// Falco's plugin counts whichever of the two the event is, in both fields.
pub(super) fn refusals<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let refusal = asked.view.event().api_call().and_then(Refusal::of);
    maybe(refusal, |refusal| count(asked, refusal))
}

/// Only an event that is itself one of those counted has a count.
fn count<'a>(asked: &Asked<'_, 'a>, refusal: Refusal) -> FieldValue<'a> {
    let event = asked.view.event();
    let Some(call) = event.api_call().filter(|call| Refusal::of(call) == Some(refusal)) else {
        return FieldValue::Missing;
    };
    let seconds = asked.index().unwrap_or_default() as u64;
    let factors = &asked.view.context.factors;
    unsigned(factors.count(refusal, &call.principal, event.time, seconds))
}
