//! Who called and what was handed out, in records of every type of caller.

use clew_event::control_plane::{ApiCall, Claim, MintedKind};

use super::super::decode;
use super::super::tests::shown;

fn call(record: &str) -> ApiCall {
    let record = record.replacen('{', r#"{"eventSource":"s","eventName":"N","#, 1);
    // The first of a name counts, so that the defaults stand behind.
    let decoded = decode("f", record.as_bytes());
    assert_eq!(decoded.complaints, [], "{record}");
    decoded.events[0].api_call().cloned().unwrap()
}

fn named(name: &str, rest: &str) -> ApiCall {
    let text = format!(r#"{{"eventSource":"s","eventName":"{name}",{rest}}}"#);
    let decoded = decode("f", text.as_bytes());
    assert_eq!(decoded.complaints, [], "{text}");
    decoded.events[0].api_call().cloned().unwrap()
}

#[test]
fn every_type_of_caller_is_known() {
    let check = |identity: &str, expected: &str| {
        let call = call(&format!(r#"{{"userIdentity":{identity}}}"#));
        let texts =
            [call.principal_kind, call.principal, call.credential, call.issuer, call.session];
        let texts = texts.map(|text| text.to_string()).join(" | ");
        assert_eq!(format!("{texts} | {}", shown(&call.claims)), expected);
    };
    check(
        r#"{"type":"Root","arn":"arn:aws:iam::1:root","accessKeyId":""}"#,
        "Root | arn:aws:iam::1:root |  |  |  | ",
    );
    check(
        r#"{"type":"IAMUser","arn":"arn:aws:iam::1:user/a","accessKeyId":"AKIA1","principalId":"AIDA:x"}"#,
        "IAMUser | arn:aws:iam::1:user/a | AKIA1 |  |  | ",
    );
    check(
        r#"{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/R/i-0dbc91f429e48eeed","accessKeyId":"ASIA1","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:role/R"},"ec2RoleDelivery":"2.0","webIdFederationData":{},"sourceIdentity":"ann"}}"#,
        "AssumedRole | arn:aws:sts::1:assumed-role/R/i-0dbc91f429e48eeed | ASIA1 | arn:aws:iam::1:role/R | i-0dbc91f429e48eeed | instance i-0dbc91f429e48eeed; signed in ann",
    );
    // A session that merely calls itself after a machine is none of it.
    check(
        r#"{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/R/i-0dbc91f429e48eeed"}"#,
        "AssumedRole | arn:aws:sts::1:assumed-role/R/i-0dbc91f429e48eeed |  |  | i-0dbc91f429e48eeed | ",
    );
    check(
        r#"{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/R","principalId":"AROA1:web","sessionContext":{"webIdFederationData":{"federatedProvider":"p","attributes":{"sub":"system:serviceaccount:shop:web"}}}}"#,
        "AssumedRole | arn:aws:sts::1:assumed-role/R |  |  | web | account shop/web",
    );
    check(
        r#"{"type":"Role","arn":"arn:aws:iam::1:role/R"}"#,
        "Role | arn:aws:iam::1:role/R |  |  |  | ",
    );
    check(
        r#"{"type":"FederatedUser","arn":"arn:aws:sts::1:federated-user/bob","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:user/a"}}}"#,
        "FederatedUser | arn:aws:sts::1:federated-user/bob |  | arn:aws:iam::1:user/a | bob | ",
    );
    check(r#"{"type":"Directory","principalId":"d-1"}"#, "Directory | d-1 |  |  |  | ");
    check(
        r#"{"type":"AWSAccount","principalId":"AROA2:s","accountId":"2"}"#,
        "AWSAccount | AROA2:s |  |  | s | ",
    );
    check(r#"{"type":"AWSAccount","accountId":"2"}"#, "AWSAccount | 2 |  |  |  | ");
    check(
        r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#,
        "AWSService | ec2.amazonaws.com |  |  |  | ",
    );
    check(
        r#"{"type":"IdentityCenterUser","accountId":"1","onBehalfOf":{"userId":"u-1"},"credentialId":"c-1"}"#,
        "IdentityCenterUser | u-1 | c-1 |  |  | signed in u-1",
    );
    check(
        r#"{"type":"SAMLUser","principalId":"q:u","userName":"ann@example.com"}"#,
        "SAMLUser | ann@example.com |  |  |  | ",
    );
    check(
        r#"{"type":"WebIdentityUser","principalId":"p:a:system:serviceaccount:shop:web","userName":"system:serviceaccount:shop:web"}"#,
        "WebIdentityUser | system:serviceaccount:shop:web |  |  |  | account shop/web",
    );
    check(r#"{"type":"Unknown"}"#, "Unknown | Unknown |  |  |  | ");
    check(r#"{"type":7,"arn":[1],"sessionContext":"x","accessKeyId":null}"#, "7 | [1] |  |  |  | ");
    check("null", " |  |  |  |  | ");
}

#[test]
fn what_a_call_hands_out_is_told() {
    let check = |name: &str, rest: &str, expected: &str| {
        assert_eq!(shown(&named(name, rest).claims), expected, "{name}");
    };
    let key = r#""credentials":{"accessKeyId":"ASIA2","expiration":"Aug 1, 2024, 11:45:22 AM"}"#;
    let until = "until 2024-08-01T11:45:22.000000000Z";
    let role = r#""requestParameters":{"roleArn":"arn:aws:iam::1:role/p/R","roleSessionName":"s"}"#;
    check(
        "AssumeRole",
        &format!(
            r#"{role},"responseElements":{{{key},"assumedRoleUser":{{"arn":"arn:s"}}}},"sharedEventID":"e""#
        ),
        &format!("session ASIA2 for arn:s {until}; shared e"),
    );
    check(
        "AssumeRole",
        &format!(r#"{role},"responseElements":{{{key}}}"#),
        &format!("session ASIA2 for arn:aws:sts::1:assumed-role/R/s {until}"),
    );
    check("AssumeRole", &format!(r#"{role},"responseElements":{{{key}}},"errorCode":"E""#), "");
    check("AssumeRole", &format!(r#"{role},"responseElements":null"#), "");
    check(
        "AssumeRoleWithWebIdentity",
        &format!(
            r#""userIdentity":{{"type":"WebIdentityUser","userName":"system:serviceaccount:shop:web"}},"responseElements":{{{key},"subjectFromWebIdentityToken":"system:serviceaccount:shop:web","assumedRoleUser":{{"arn":"arn:s"}}}}"#
        ),
        &format!("account shop/web; session ASIA2 for arn:s {until}"),
    );
    check(
        "AssumeRoot",
        &format!(r#""requestParameters":{{"targetPrincipal":"123"}},"responseElements":{{{key}}}"#),
        &format!("session ASIA2 for arn:aws:iam::123:root {until}"),
    );
    let user = r#""userIdentity":{"type":"IAMUser","arn":"arn:u"}"#;
    check(
        "GetFederationToken",
        &format!(r#"{user},"responseElements":{{{key},"federatedUser":{{"arn":"arn:f"}}}}"#),
        &format!("session ASIA2 for arn:f {until}"),
    );
    check(
        "GetSessionToken",
        &format!(r#"{user},"responseElements":{{{key}}}"#),
        &format!("session ASIA2 for arn:u {until}"),
    );
    check(
        "AssumeRoleForPodIdentity",
        r#""responseElements":{"subject":{"namespace":"shop","serviceAccount":"web"},"credentials":{"accessKeyId":"ASIA3","expiration":"2024-08-01T11:45:22Z"},"assumedRoleUser":{"arn":"arn:s"}}"#,
        &format!("account shop/web; session ASIA3 for arn:s {until}"),
    );
}

#[test]
fn keys_users_roles_and_logins_that_are_made_are_told() {
    let check = |name: &str, rest: &str, expected: &str| {
        assert_eq!(shown(&named(name, rest).claims), expected, "{name}");
    };
    let user = r#""userIdentity":{"type":"IAMUser","arn":"arn:u"}"#;
    check(
        "CreateAccessKey",
        r#""responseElements":{"accessKey":{"accessKeyId":"AKIA9","userName":"eve"}}"#,
        "key AKIA9 for eve",
    );
    check(
        "CreateAccessKey",
        r#""requestParameters":{"userName":"eve"},"responseElements":null"#,
        "",
    );
    check(
        "CreateUser",
        r#""responseElements":{"user":{"arn":"arn:eve"}}"#,
        "user arn:eve for arn:eve",
    );
    check("CreateUser", r#""requestParameters":{"userName":"eve"}"#, "user eve for eve");
    check("CreateRole", r#""responseElements":{"role":{"arn":"arn:r"}}"#, "role arn:r for arn:r");
    check("UpdateLoginProfile", r#""requestParameters":{"userName":"eve"}"#, "login eve for eve");
    check(
        "ConsoleLogin",
        &format!(r#"{user},"responseElements":{{"ConsoleLogin":"Success"}}"#),
        "console arn:u for arn:u",
    );
    check(
        "ConsoleLogin",
        &format!(r#"{user},"responseElements":{{"ConsoleLogin":"Failure"}}"#),
        "",
    );
    check("GetRoleCredentials", r#""responseElements":null"#, "");
}

#[test]
fn services_call_on_behalf_and_only_they_are_believed() {
    let answer = r#""responseElements":{"credentials":{"accessKeyId":"ASIA2"}}"#;
    let tags = r#""tags":[{"key":"kubernetes-pod-uid","value":"u"},{"key":"kubernetes-pod-name","value":"web-1"},{"key":"kubernetes-namespace","value":"shop"},{"key":"kubernetes-service-account","value":"web"}]"#;
    let check = |caller: &str, request: &str, expected: &str| {
        let rest = format!(
            r#""userIdentity":{caller},"requestParameters":{{"roleArn":"arn:aws:iam::1:role/R",{request}}},{answer}"#
        );
        assert_eq!(shown(&named("AssumeRole", &rest).claims), expected);
    };
    let instance = r#""roleSessionName":"i-0dbc91f429e48eeed""#;
    let session = "session ASIA2 for arn:aws:sts::1:assumed-role/R";
    check(
        r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#,
        instance,
        &format!("instance i-0dbc91f429e48eeed; {session}/i-0dbc91f429e48eeed"),
    );
    check(
        r#"{"type":"IAMUser","invokedBy":"ec2.amazonaws.com"}"#,
        instance,
        &format!("{session}/i-0dbc91f429e48eeed"),
    );
    let pod = format!(r#""roleSessionName":"s",{tags}"#);
    check(
        r#"{"type":"AWSService","invokedBy":"pods.eks.amazonaws.com"}"#,
        &pod,
        &format!("account shop/web; pod shop/web-1 u; {session}/s"),
    );
    check(r#"{"type":"IAMUser"}"#, &pod, &format!("{session}/s"));
}

#[test]
fn insights_and_refused_sign_ins_have_their_own_form() {
    let text = r#"{"eventVersion":"1.08","eventTime":"2024-08-01T11:45:22Z","eventType":"AwsCloudTrailInsight","sharedEventID":"e","insightDetails":{"state":"Start","eventSource":"iam.amazonaws.com","eventName":"ListUsers","insightType":"ApiCallRateInsight"}}"#;
    let decoded = decode("f", text.as_bytes());
    assert_eq!(decoded.complaints, []);
    let call = decoded.events[0].api_call().unwrap();
    let texts = [&call.service, &call.action, &call.resource].map(ToString::to_string);
    assert_eq!(texts, ["iam.amazonaws.com", "ApiCallRateInsight", "ListUsers"]);
    assert_eq!(call.claims, []);
    let refused = named("ConsoleLogin", r#""errorMessage":"Failed authentication""#);
    assert_eq!(refused.error.to_string(), "Failure");
}

#[test]
fn a_minted_key_without_a_name_is_its_callers() {
    let call = named(
        "CreateAccessKey",
        r#""userIdentity":{"arn":"arn:u"},"responseElements":{"accessKey":{"accessKeyId":"K"}}"#,
    );
    let [Claim::Minted(minted)] = call.claims.as_slice() else { panic!("{:?}", call.claims) };
    assert_eq!((minted.kind, minted.holder.as_bytes()), (MintedKind::AccessKey, &b"arn:u"[..]));
}
