//! Events of the audit log of a Kubernetes API server (`audit.k8s.io`, v1alpha1 to v1).

mod command;

use clew_event::Text;
use clew_event::control_plane::{ApiCall, CallStage, Claim, Minted, MintedKind};
use clew_event::json::{Json, Value};

use super::address::address;
use super::{Told, account_of, first_of, member, moment_of, text_of};
pub(super) use command::ARGUMENTS_MAX;

const ERROR_CODE_MIN: u64 = 400;
const ISSUED: &str = "authentication.kubernetes.io/issued-credential-id";
const VERSIONS: [&str; 3] = ["audit.k8s.io/v1", "audit.k8s.io/v1beta1", "audit.k8s.io/v1alpha1"];
const NODE: &[u8] = b"system:node:";

pub(super) fn told(record: &Json<'_>) -> Told {
    #[rustfmt::skip]
    let [id, stage, verb, uri, user, as_user, places, agent, target, status, request, response,
        notes, stage_time, request_time, old_time, version] = record.root().pick([
        "auditID", "stage", "verb", "requestURI", "user", "impersonatedUser", "sourceIPs",
        "userAgent", "objectRef", "responseStatus", "requestObject", "responseObject",
        "annotations", "stageTimestamp", "requestReceivedTimestamp", "timestamp", "apiVersion",
    ]);
    let [resource, part, namespace, name, group] = target
        .map(|it| it.pick(["resource", "subresource", "namespace", "name", "apiGroup"]))
        .unwrap_or_default();
    let kind = joined(text_of(resource), b'/', &text_of(part));
    let caller = Caller::of(user);
    let error = error(status);
    let stage = stage_of(stage);
    let mut claims = caller.claims;
    if error.is_empty() && stage != CallStage::Received {
        let asked = command::Asked { kind: &kind, namespace, name, uri, request };
        claims.extend(asked.command());
        claims.extend(token(notes, [namespace, name], request, response, stage_time));
    }
    let call = ApiCall {
        service: text_of(group),
        action: joined(text_of(verb), b' ', &kind),
        principal: caller.name,
        principal_kind: caller.kind.into(),
        credential: caller.credential,
        issuer: text_of(member(as_user, "username")),
        resource: joined(text_of(namespace), b'/', &text_of(name)),
        source_address: last_address(places),
        account: text_of(member(notes, "cluster_name")),
        error,
        user_agent: text_of(agent),
        claims,
        stage,
        ..ApiCall::default()
    };
    let is_known = version.is_none_or(|version| VERSIONS.iter().any(|known| version.is(known)));
    Told {
        call,
        time: moment_of(stage_time)
            .or_else(|| moment_of(request_time))
            .or_else(|| moment_of(old_time)),
        id: request_id(id, [request_time, verb, uri]),
        unknown_version: (!is_known).then(|| text_of(version)),
    }
}

/// What names a request in all its stages; empty where nothing does.
///
/// A caller may choose the audit id (the header `Audit-ID` is taken over by the API server's
/// `WithAuditInit`), and so make many requests look like one. When the server received a request
/// it says itself, so that, and what was asked, are part of the name.
fn request_id(id: Option<Value<'_, '_>>, told: [Option<Value<'_, '_>>; 3]) -> Vec<u8> {
    let mut name = id.and_then(Value::string).unwrap_or_default().into_owned();
    if !name.is_empty() {
        for part in told {
            name.push(0);
            name.extend_from_slice(&part.and_then(Value::string).unwrap_or_default());
        }
    }
    name
}

/// Who asked, and what they proved to be.
#[derive(Default)]
struct Caller {
    name: Text,
    kind: &'static str,
    credential: Text,
    claims: Vec<Claim>,
}

impl Caller {
    fn of(user: Option<Value<'_, '_>>) -> Self {
        let [name, extra] = user.map(|user| user.pick(["username", "extra"])).unwrap_or_default();
        #[rustfmt::skip]
        let extra = extra.map(|extra| extra.pick([
            "authentication.kubernetes.io/credential-id", "accessKeyId", "arn", "sessionName",
            "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid",
        ])).unwrap_or_default();
        let [id, key, arn, _, pod, uid] =
            extra.map(|it| text_of(it.and_then(|it| it.items().next())));
        let name = text_of(name);
        let (mut kind, mut claims, mut own_namespace) = ("user", Vec::new(), Text::default());
        if let Some(node) = name.as_bytes().strip_prefix(NODE) {
            kind = "node";
            claims.push(Claim::Node { name: node.into() });
        } else if let Some(claim @ Claim::ServiceAccount { .. }) = account_of(name.as_bytes()) {
            kind = "serviceaccount";
            if let Claim::ServiceAccount { namespace, .. } = &claim {
                own_namespace = namespace.clone();
            }
            claims.push(claim);
        }
        if !uid.is_empty() || !pod.is_empty() {
            claims.push(Claim::Pod { uid, name: pod, namespace: own_namespace });
        }
        let credential = if id.is_empty() { key.clone() } else { id };
        if !arn.is_empty() || !key.is_empty() {
            claims.push(Claim::Cloud { principal: arn, credential: key });
        }
        Self { name, kind, credential, claims }
    }
}

/// The token that was handed out for a service account, where the server names it.
fn token(
    notes: Option<Value<'_, '_>>,
    account: [Option<Value<'_, '_>>; 2],
    request: Option<Value<'_, '_>>,
    response: Option<Value<'_, '_>>,
    time: Option<Value<'_, '_>>,
) -> Option<Claim> {
    let id = text_of(Some(member(notes, ISSUED)?));
    let [namespace, name] = account.map(text_of);
    let told = moment_of(response.and_then(|it| it.at(&["status", "expirationTimestamp"])));
    let asked = || {
        let seconds = request?.at(&["spec", "expirationSeconds"])?.unsigned()?;
        Some(moment_of(time)?.after(std::time::Duration::from_secs(seconds)))
    };
    Some(Claim::Minted(Minted {
        kind: MintedKind::Token,
        id,
        holder: format!("system:serviceaccount:{namespace}:{name}").into(),
        expires: told.or_else(asked),
    }))
}

fn stage_of(stage: Option<Value<'_, '_>>) -> CallStage {
    let is = |name: &str| stage.is_some_and(|stage| stage.is(name));
    if is("RequestReceived") {
        CallStage::Received
    } else if is("ResponseStarted") {
        CallStage::Started
    } else if is("Panic") {
        CallStage::Failed
    } else {
        CallStage::Complete
    }
}

/// Both texts with `separator` between where both are there.
fn joined(first: Text, separator: u8, second: &Text) -> Text {
    if first.is_empty() || second.is_empty() {
        return if first.is_empty() { second.clone() } else { first };
    }
    [first.as_bytes(), &[separator], second.as_bytes()].concat().into()
}

/// Only the last address is one that the server itself saw; the ones before it are claims.
fn last_address(places: Option<Value<'_, '_>>) -> Option<std::net::IpAddr> {
    address(&places?.items().last()?.string()?)
}

fn error(status: Option<Value<'_, '_>>) -> Text {
    let [code, reason] = status.map(|it| it.pick(["code", "reason"])).unwrap_or_default();
    let is_error = |code: &Value<'_, '_>| code.unsigned().is_some_and(|it| ERROR_CODE_MIN <= it);
    let code = code.filter(is_error);
    if code.is_none() { Text::default() } else { first_of([reason, code]) }
}

#[cfg(test)]
mod tests;
