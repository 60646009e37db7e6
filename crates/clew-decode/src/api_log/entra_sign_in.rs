//! Records of Microsoft Entra's sign-in logs: of users, service principals and managed identities.
//!
//! Diagnostic settings put the sign-in under `properties`, Graph gives it alone. Its
//! `uniqueTokenIdentifier` is the `uti` of the token that was handed out, which the activity log and
//! Graph's own log name with each call.

use clew_event::Text;
use clew_event::control_plane::{ApiCall, Claim, Minted, MintedKind};
use clew_event::json::{Json, Value};

use super::address::address;
use super::{Told, first_of, member, moment_of, text_of};

pub(super) fn told(record: &Json<'_>) -> Told {
    let root = record.root();
    #[rustfmt::skip]
    let [operation, category, place, time, tenant, result, identity, properties] = root.pick([
        "operationName", "category", "callerIpAddress", "time", "tenantId", "resultType",
        "identity", "properties",
    ]);
    #[rustfmt::skip]
    let [user, program, program_id, token, session, app, target, agent, other_place, status, id,
        created, region] = properties.unwrap_or(root).pick([
        "userPrincipalName", "servicePrincipalName", "servicePrincipalId",
        "uniqueTokenIdentifier", "sessionId", "appDisplayName", "resourceDisplayName", "userAgent",
        "ipAddress", "status", "id", "createdDateTime", "location",
    ]);
    let error = error([result, member(status, "errorCode")]);
    let (principal, token) = (first_of([user, program, program_id, identity]), text_of(token));
    let is_minted = error.is_empty() && !token.is_empty();
    let minted = is_minted.then(|| Minted {
        kind: MintedKind::Session,
        id: token.clone(),
        holder: principal.clone(),
        expires: None,
    });
    let action = text_of(operation);
    let call = ApiCall {
        service: text_of(app),
        action: if action.is_empty() { "Sign-in activity".into() } else { action },
        principal_kind: kind(&text_of(category)),
        principal,
        resource: text_of(target),
        source_address: [place, other_place]
            .into_iter()
            .find_map(|place| address(&place?.string()?)),
        account: text_of(tenant),
        error,
        session: text_of(session),
        user_agent: text_of(agent),
        region: text_of(member(region, "countryOrRegion")),
        claims: minted.map(Claim::Minted).into_iter().collect(),
        ..ApiCall::default()
    };
    Told {
        call,
        time: moment_of(time).or_else(|| moment_of(created)),
        id: id.and_then(Value::string).unwrap_or_default().into_owned(),
        unknown_version: None,
    }
}

/// The first code that is none of success.
fn error(codes: [Option<Value<'_, '_>>; 2]) -> Text {
    let codes = codes.map(text_of);
    let is_error = |code: &Text| !matches!(code.as_bytes(), b"" | b"0" | b"Success");
    codes.into_iter().rev().find(is_error).unwrap_or_default()
}

/// `ServicePrincipal` of `ServicePrincipalSignInLogs`.
fn kind(category: &Text) -> Text {
    let kind = category.as_bytes().strip_suffix(b"SignInLogs").unwrap_or_default();
    match kind {
        b"" | b"NonInteractiveUser" => "User".into(),
        kind => kind.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::super::tests::shown;
    use clew_event::control_plane::{ApiCall, ApiSource};

    fn call(text: &str) -> ApiCall {
        let decoded = decode("f", text.as_bytes());
        assert_eq!(decoded.complaints, [], "{text}");
        decoded.events[0].api_call().cloned().unwrap()
    }

    fn line(call: &ApiCall) -> String {
        let texts = [
            &call.service,
            &call.action,
            &call.principal_kind,
            &call.principal,
            &call.credential,
            &call.resource,
            &call.account,
            &call.error,
            &call.region,
        ];
        let place = call.source_address.map(|it| it.to_string()).unwrap_or_default();
        format!(
            "{} | {place} | {}",
            texts.map(ToString::to_string).join(" | "),
            shown(&call.claims)
        )
    }

    #[test]
    fn a_sign_in_tells_which_token_it_handed_out() {
        let record = r#"{"time":"2025-01-15T08:15:23Z","operationName":"Sign-in activity","category":"SignInLogs","tenantId":"t","resultType":"0","callerIpAddress":"192.0.2.4","properties":{"userPrincipalName":"a@b","uniqueTokenIdentifier":"u1","appDisplayName":"Portal","resourceDisplayName":"Graph","location":{"countryOrRegion":"DE"}}}"#;
        let signed_in = call(record);
        assert_eq!(signed_in.source, ApiSource::EntraSignIn);
        assert_eq!(
            line(&signed_in),
            "Portal | Sign-in activity | User | a@b |  | Graph | t |  | DE | 192.0.2.4 | session u1 for a@b"
        );
        let refused = call(
            &record.replace("\"0\"", "50053").replace("SignInLogs", "ServicePrincipalSignInLogs"),
        );
        assert_eq!(
            line(&refused),
            "Portal | Sign-in activity | ServicePrincipal | a@b |  | Graph | t | 50053 | DE | 192.0.2.4 | "
        );
        let graph = call(
            r#"{"id":"1","createdDateTime":"2025-01-15T08:15:23Z","userPrincipalName":"a@b","ipAddress":"192.0.2.4","status":{"errorCode":0},"uniqueTokenIdentifier":"u2"}"#,
        );
        assert_eq!(
            line(&graph),
            " | Sign-in activity | User | a@b |  |  |  |  |  | 192.0.2.4 | session u2 for a@b"
        );
    }

    #[test]
    fn activity_is_read_in_both_of_its_forms() {
        let diagnostic = call(
            r#"{"time":"2024-12-17T10:30:00Z","resourceId":"/SUBSCRIPTIONS/S1/RESOURCEGROUPS/R","operationName":"MICROSOFT.STORAGE/X/WRITE","category":"Administrative","resultType":"Failure","resultSignature":"Failed.Forbidden","callerIpAddress":"192.0.2.1","identity":{"authorization":{"evidence":{"principalType":"User"}},"claims":{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"a@b","uti":"u1"}},"location":"eastus"}"#,
        );
        assert_eq!(diagnostic.source, ApiSource::AzureActivity);
        assert_eq!(
            line(&diagnostic),
            "MICROSOFT.STORAGE | MICROSOFT.STORAGE/X/WRITE | User | a@b | u1 | /SUBSCRIPTIONS/S1/RESOURCEGROUPS/R | S1 | Failed.Forbidden | eastus | 192.0.2.1 | "
        );
        let rest = call(
            r#"{"caller":"a@b","claims":{"uti":"u1","ipaddr":"192.0.2.1"},"eventDataId":"e","eventTimestamp":"2024-12-17T10:30:00Z","operationName":{"value":"Microsoft.Storage/x/write","localizedValue":"Write"},"resourceProviderName":{"value":"Microsoft.Storage"},"resourceId":"/subscriptions/s1/x","status":{"value":"Succeeded"}}"#,
        );
        assert_eq!(
            line(&rest),
            "Microsoft.Storage | Microsoft.Storage/x/write |  | a@b | u1 | /subscriptions/s1/x | s1 |  |  | 192.0.2.1 | "
        );
        let user = call(
            r#"{"time":"2024-12-17T10:30:00Z","category":"AuditLogs","operationName":"Add user","tenantId":"t","properties":{"initiatedBy":{"user":{"userPrincipalName":"a@b","ipAddress":"192.0.2.1"}},"targetResources":[{"id":"1","userPrincipalName":"eve@b"}]}}"#,
        );
        assert_eq!(
            line(&user),
            "Microsoft Entra | Add user |  | a@b |  |  | t |  |  | 192.0.2.1 | user eve@b for eve@b"
        );
    }
}
