//! Records of AWS CloudTrail, versions 1.00 to 1.11.
//!
//! Members are those of the "CloudTrail record contents" and "userIdentity element" pages of its
//! user guide. Calls, console sign-ins, events of services, network activity of VPC endpoints and
//! Insights are records of one form; Insights lack the name of a call and are named by their type.

mod identity;
mod minted;

use clew_event::control_plane::{ApiCall, Claim};
use clew_event::json::{Json, Value};
use clew_event::{Text, TimestampNs};

use super::address::address;
use super::words::Words;
use super::{Told, first_of, member, moment_of, text_of};
use identity::Caller;

/// What a call was done to, by the names of its parameters, the telling ones first.
const TARGETS: [&str; 12] = [
    "bucketName",
    "roleArn",
    "roleName",
    "userName",
    "functionName",
    "secretId",
    "instanceId",
    "groupId",
    "targetPrincipal",
    "trailName",
    "name",
    "keyId",
];

/// When a record says that it happened, and the version of its form where that is unknown: all
/// that has to be known before its turn comes.
pub(super) fn glance(record: &Json<'_>) -> (Option<TimestampNs>, Option<Text>) {
    // Both stand near the start.
    let [version, time] = ["eventVersion", "eventTime"].map(|name| record.at(&[name]));
    let version = text_of(version.filter(|it| !it.as_text().starts_with(b"1.")));
    (moment_of(time), (!version.is_empty()).then_some(version))
}

pub(super) fn told(record: &Json<'_>, words: &mut Words) -> Told {
    #[rustfmt::skip]
    let [caller, source, name, region, place, agent, error, failure, request,
        response, id, resources, account, shared, insight] = record.root().pick([
        "userIdentity", "eventSource", "eventName", "awsRegion",
        "sourceIPAddress", "userAgent", "errorCode", "errorMessage", "requestParameters",
        "responseElements", "eventID", "resources", "recipientAccountId", "sharedEventID",
        "insightDetails",
    ]);
    let caller = Caller::of(caller, words);
    let mut claims = caller.claims;
    let error = error_of(error, failure, response);
    let of_call = Call { name, request, response, caller: &caller.principal };
    of_call.claims(caller.service.as_bytes(), error.is_empty(), &mut claims);
    if insight.is_none() && shared.is_some() {
        claims.push(Claim::Shared { id: text_of(shared) });
    }
    let call = ApiCall {
        service: words.first_of([source, member(insight, "eventSource")]),
        action: words.first_of([name, member(insight, "insightType")]),
        principal: caller.principal,
        credential: caller.credential,
        resource: resource(resources, request, insight),
        source_address: place.and_then(Value::string).and_then(|place| address(&place)),
        account: words.first_of([account, caller.account]),
        error,
        principal_kind: caller.kind,
        issuer: caller.issuer,
        session: caller.session,
        user_agent: words.text_of(agent),
        region: words.text_of(region),
        claims,
        ..ApiCall::default()
    };
    let id = id.and_then(Value::string).unwrap_or_default().into_owned();
    Told { call, id, ..Told::default() }
}

/// What a call asked for and was answered.
struct Call<'c, 'j, 'a> {
    name: Option<Value<'j, 'a>>,
    request: Option<Value<'j, 'a>>,
    response: Option<Value<'j, 'a>>,
    caller: &'c Text,
}

/// A sign-in that was refused has no code, only its outcome.
fn error_of(
    code: Option<Value<'_, '_>>,
    message: Option<Value<'_, '_>>,
    response: Option<Value<'_, '_>>,
) -> Text {
    let code = text_of(code);
    let is_refused = || member(response, "ConsoleLogin").is_some_and(|it| it.is("Failure"));
    if code.is_empty() && (is_refused() || !text_of(message).is_empty()) {
        return "Failure".into();
    }
    code
}

fn resource(
    resources: Option<Value<'_, '_>>,
    request: Option<Value<'_, '_>>,
    insight: Option<Value<'_, '_>>,
) -> Text {
    let first = resources.and_then(|all| all.items().next());
    let named = first.map(|first| first.pick(["ARN", "arn", "ARNPrefix"]));
    let named = named.map_or_else(Text::default, first_of);
    if !named.is_empty() {
        return named;
    }
    let targets = request.map(|request| request.pick(TARGETS));
    let target = targets.map_or_else(Text::default, first_of);
    if target.is_empty() { text_of(member(insight, "eventName")) } else { target }
}

#[cfg(test)]
mod tests;
