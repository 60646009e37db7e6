//! Records of Azure's activity log and of Entra's audit log.
//!
//! Two forms: the one of diagnostic settings (`time`, texts), which Event Hubs and storage accounts
//! hold, and the one of the REST interface (`eventTimestamp`, texts inside `{"value":…}`).

use clew_event::Text;
use clew_event::control_plane::{ApiCall, Claim, Minted, MintedKind};
use clew_event::json::{Json, Kind, Value};

use super::address::address;
use super::{Told, first_of, member, moment_of, text_of};

const UPN: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";
const NAME: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name";
const OBJECT: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";

pub(super) fn told(record: &Json<'_>) -> Told {
    #[rustfmt::skip]
    let [operation, resource, place, time, other_time, id, identity, claims, caller, location,
        result, signature, status, sub_status, subscription, tenant, provider, properties, request] =
        record.root().pick([
            "operationName", "resourceId", "callerIpAddress", "time", "eventTimestamp",
            "eventDataId", "identity", "claims", "caller", "location", "resultType",
            "resultSignature", "status", "subStatus", "subscriptionId", "tenantId",
            "resourceProviderName", "properties", "httpRequest",
        ]);
    let rights = claims.or_else(|| member(identity, "claims"));
    let [upn, name, object, app, token, from] =
        rights.map(|it| it.pick([UPN, NAME, OBJECT, "appid", "uti", "ipaddr"])).unwrap_or_default();
    let started_by = member(properties, "initiatedBy");
    let [user, program] = started_by.map(|it| it.pick(["user", "app"])).unwrap_or_default();
    let evidence = member(member(identity, "authorization"), "evidence");
    let operation = worded(operation);
    let resource_id = text_of(resource);
    let error = error([worded(result), worded(status)], [worded(signature), worded(sub_status)]);
    let target = member(properties, "targetResources").and_then(|all| all.items().next());
    let minted = minted(&operation, target).filter(|_| error.is_empty());
    let account = first_of([subscription, tenant]);
    let call = ApiCall {
        service: service(worded(provider), &operation),
        action: operation,
        principal: first_of([
            caller,
            upn,
            name,
            member(user, "userPrincipalName"),
            member(program, "displayName"),
            app,
            object,
            member(properties, "caller"),
        ]),
        principal_kind: text_of(member(evidence, "principalType")),
        credential: text_of(token),
        source_address: [
            place,
            member(request, "clientIpAddress"),
            from,
            member(user, "ipAddress"),
        ]
        .into_iter()
        .find_map(|place| address(&place?.string()?)),
        account: subscription_of(resource_id.as_bytes()).unwrap_or(account),
        resource: resource_id,
        error,
        region: text_of(location),
        claims: minted.map(Claim::Minted).into_iter().collect(),
        ..ApiCall::default()
    };
    Told {
        call,
        time: moment_of(time).or_else(|| moment_of(other_time)),
        id: id.and_then(Value::string).unwrap_or_default().into_owned(),
        unknown_version: None,
    }
}

/// A text, or the one inside `{"value":…,"localizedValue":…}`.
fn worded(value: Option<Value<'_, '_>>) -> Text {
    let value =
        value.and_then(|it| if it.kind() == Kind::Object { it.get("value") } else { Some(it) });
    text_of(value)
}

/// The provider of an operation stands before its first slash; what Entra does has none.
fn service(provider: Text, operation: &Text) -> Text {
    if !provider.is_empty() {
        return provider;
    }
    let mut parts = operation.as_bytes().split(|&byte| byte == b'/');
    let first = parts.next().filter(|_| parts.next().is_some());
    first.map_or_else(|| "Microsoft Entra".into(), Text::from)
}

/// Of an outcome that is a failure, the more exact word.
fn error(outcomes: [Text; 2], details: [Text; 2]) -> Text {
    let is_failure = |text: &Text| {
        [&b"failed"[..], b"failure"].iter().any(|word| text.as_bytes().eq_ignore_ascii_case(word))
    };
    let Some(outcome) = outcomes.into_iter().find(is_failure) else { return Text::default() };
    let detail = details.into_iter().find(|it| !matches!(it.as_bytes(), b"" | b"None"));
    detail.unwrap_or(outcome)
}

fn subscription_of(resource: &[u8]) -> Option<Text> {
    let mut parts = resource.strip_prefix(b"/")?.split(|&byte| byte == b'/');
    parts.next()?.eq_ignore_ascii_case(b"subscriptions").then_some(())?;
    parts.next().map(Text::from)
}

/// Identities that Entra was told to make.
fn minted(operation: &Text, target: Option<Value<'_, '_>>) -> Option<Minted> {
    let kind = match operation.as_bytes() {
        b"Add user" => MintedKind::User,
        b"Add service principal" | b"Add application" => MintedKind::Role,
        _ => return None,
    };
    let [name, id] = target?.pick(["userPrincipalName", "id"]);
    let id = first_of([name, id]);
    (!id.is_empty()).then(|| Minted { kind, holder: id.clone(), id, expires: None })
}
