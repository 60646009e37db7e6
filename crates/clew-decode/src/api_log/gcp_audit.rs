//! Entries of the audit log of Google Cloud: `LogEntry` with an `AuditLog` in it.
//!
//! Tokens have no id in this log: a token that was handed out is known by the account it is for.

use clew_event::Text;
use clew_event::control_plane::{ApiCall, Claim, Minted, MintedKind};
use clew_event::json::{Json, Value};

use super::address::address;
use super::k8s_audit::ARGUMENTS_MAX;
use super::{Told, account_of, first_of, member, moment_of, text_of};

const KEY_HOST: &[u8] = b"//iam.googleapis.com/";
/// Methods of `iamcredentials.googleapis.com` that hand out what acts as a service account.
const HAND_OUT: [&[u8]; 4] = [b"GenerateAccessToken", b"GenerateIdToken", b"SignJwt", b"SignBlob"];

pub(super) fn told(record: &Json<'_>) -> Told {
    let [payload, id, log, time, received, resource] = record.root().pick([
        "protoPayload",
        "insertId",
        "logName",
        "timestamp",
        "receiveTimestamp",
        "resource",
    ]);
    #[rustfmt::skip]
    let [service, method, who, request_facts, name, status, request, response] =
        payload.map(|it| it.pick([
            "serviceName", "methodName", "authenticationInfo", "requestMetadata", "resourceName",
            "status", "request", "response",
        ])).unwrap_or_default();
    let [email, subject, key, delegation] = pick(
        who,
        [
            "principalEmail",
            "principalSubject",
            "serviceAccountKeyName",
            "serviceAccountDelegationInfo",
        ],
    );
    let [place, other_place, agent] =
        pick(request_facts, ["callerIp", "callerIP", "callerSuppliedUserAgent"]);
    let labels = member(resource, "labels");
    let [project, location, region, zone, email_id] =
        pick(labels, ["project_id", "location", "region", "zone", "email_id"]);
    let principal = first_of([email, subject]);
    let error = error(member(status, "code"));
    let mut claims = identity_claims(&principal, &text_of(subject), delegation);
    if error.is_empty() {
        let asked =
            Asked { method: text_of(method), name: text_of(name), request, response, email_id };
        claims.extend(asked.minted().map(Claim::Minted));
        claims.extend(asked.command());
    }
    let call = ApiCall {
        service: text_of(service),
        action: text_of(method),
        principal_kind: kind(&principal, &text_of(subject)),
        principal,
        credential: without_host(text_of(key)),
        resource: text_of(name),
        source_address: place.or(other_place).and_then(Value::string).and_then(|it| address(&it)),
        account: text_of(project),
        error,
        user_agent: text_of(agent),
        region: first_of([location, region, zone]),
        claims,
        ..ApiCall::default()
    };
    let id = id.map(|id| [log, time, Some(id)].map(text_of));
    let id = id.map(|parts| parts.map(|part| part.as_bytes().to_vec()).join(&b'\n'));
    Told {
        call,
        time: moment_of(time).or_else(|| moment_of(received)),
        id: id.unwrap_or_default(),
        unknown_version: None,
    }
}

fn pick<'j, 'a, const N: usize>(
    object: Option<Value<'j, 'a>>,
    names: [&str; N],
) -> [Option<Value<'j, 'a>>; N] {
    object.map_or([None; N], |object| object.pick(names))
}

/// Code of a status that is none of success (0, or no status at all).
fn error(code: Option<Value<'_, '_>>) -> Text {
    let code = text_of(code);
    if code.as_bytes() == b"0" { Text::default() } else { code }
}

/// `user`, `serviceAccount` or `principal`, as subjects begin.
fn kind(principal: &Text, subject: &Text) -> Text {
    let start = subject.as_bytes().split(|&byte| byte == b':').next().unwrap_or_default();
    if !start.is_empty() && start.iter().all(u8::is_ascii_alphabetic) {
        return start.into();
    }
    let is_account = principal.as_bytes().ends_with(b".gserviceaccount.com");
    if is_account { "serviceAccount".into() } else { Text::default() }
}

fn without_host(key: Text) -> Text {
    key.as_bytes().strip_prefix(KEY_HOST).map_or_else(|| key.clone(), Text::from)
}

fn identity_claims(
    principal: &Text,
    subject: &Text,
    delegation: Option<Value<'_, '_>>,
) -> Vec<Claim> {
    let mut claims = Vec::new();
    let node = principal.as_bytes().strip_prefix(b"system:node:");
    claims.extend(node.map(|name| Claim::Node { name: name.into() }));
    let account = account_of(principal.as_bytes()).or_else(|| workload(subject.as_bytes()));
    claims.extend(account);
    // Whoever began a chain of impersonations stands first.
    let first = delegation.and_then(|chain| chain.items().next());
    let first = first.map(|first| {
        let [subject, own, other] =
            first.pick(["principalSubject", "firstPartyPrincipal", "thirdPartyPrincipal"]);
        first_of([member(own, "principalEmail"), subject, member(other, "principalEmail")])
    });
    let first = first.filter(|name| !name.is_empty());
    claims.extend(first.map(|name| Claim::SignedIn { name }));
    claims
}

/// A service account of a cluster that acts through workload identity: `…svc.id.goog[NS/NAME]`, or
/// `…svc.id.goog/subject/ns/NS/sa/NAME`.
fn workload(subject: &[u8]) -> Option<Claim> {
    const POOL: &[u8] = b".svc.id.goog";
    let rest = subject.get(memchr::memmem::find(subject, POOL)? + POOL.len()..)?;
    let mut parts = rest.split(|&byte| byte == b'/');
    let (namespace, name) = if let Some(inside) = rest.strip_prefix(b"[") {
        let mut parts = inside.strip_suffix(b"]")?.split(|&byte| byte == b'/');
        (parts.next()?, parts.next()?)
    } else {
        let named = [parts.next()?, parts.next()?, parts.next()?];
        let namespace = parts.next()?;
        (named == [b"" as &[u8], b"subject", b"ns"] && parts.next()? == b"sa").then_some(())?;
        (namespace, parts.next()?)
    };
    let is_whole = !namespace.is_empty() && !name.is_empty();
    is_whole.then(|| Claim::ServiceAccount { namespace: namespace.into(), name: name.into() })
}

struct Asked<'j, 'a> {
    method: Text,
    name: Text,
    request: Option<Value<'j, 'a>>,
    response: Option<Value<'j, 'a>>,
    email_id: Option<Value<'j, 'a>>,
}

impl Asked<'_, '_> {
    fn minted(&self) -> Option<Minted> {
        let method = self.method.as_bytes().rsplit(|&byte| byte == b'.').next()?;
        let (kind, id) = match method {
            b"CreateServiceAccountKey" => {
                (MintedKind::AccessKey, text_of(member(self.response, "name")))
            }
            b"CreateServiceAccount" => (MintedKind::Role, text_of(member(self.response, "email"))),
            method if HAND_OUT.contains(&method) => (MintedKind::Session, self.account()),
            _ => return None,
        };
        let holder = match kind {
            MintedKind::AccessKey => self.account(),
            _ => id.clone(),
        };
        (!id.is_empty()).then_some(Minted { kind, id, holder, expires: None })
    }

    /// The service account that was asked for: an address, or a number where only that is told.
    fn account(&self) -> Text {
        let told = text_of(self.email_id);
        if !told.is_empty() {
            return told;
        }
        let name = first_of([member(self.request, "name"), member(self.response, "name")]);
        let name = if name.is_empty() { &self.name } else { &name };
        let mut parts = name.as_bytes().split(|&byte| byte == b'/');
        parts.find(|part| *part == b"serviceAccounts");
        parts.next().unwrap_or_default().into()
    }

    /// GKE tells of commands in pods as of any other call: `core/v1/namespaces/NS/pods/POD/exec`.
    fn command(&self) -> Option<Claim> {
        let mut parts =
            self.name.as_bytes().strip_prefix(b"core/v1/namespaces/")?.split(|&b| b == b'/');
        let namespace = parts.next()?;
        (parts.next()? == b"pods").then_some(())?;
        let pod = parts.next()?;
        matches!(parts.next()?, b"exec" | b"attach" | b"portforward").then_some(())?;
        let [container, command] = pick(self.request, ["container", "command"]);
        let words = command.into_iter().flat_map(Value::items);
        Some(Claim::PodCommand {
            namespace: namespace.into(),
            pod: pod.into(),
            container: text_of(container),
            command: words.take(ARGUMENTS_MAX).map(|word| text_of(Some(word))).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::super::tests::shown;
    use super::*;

    fn call(payload: &str) -> ApiCall {
        let text = format!(r#"{{"protoPayload":{{{payload}}},"insertId":"i"}}"#);
        let decoded = decode("f", text.as_bytes());
        assert_eq!(decoded.complaints, [], "{text}");
        decoded.events[0].api_call().cloned().unwrap()
    }

    #[test]
    fn callers_keys_and_chains_are_told() {
        let check = |who: &str, expected: &str| {
            let call = call(&format!(r#""authenticationInfo":{who}"#));
            let texts = [&call.principal_kind, &call.principal, &call.credential];
            let texts = texts.map(ToString::to_string).join(" | ");
            assert_eq!(format!("{texts} | {}", shown(&call.claims)), expected);
        };
        check(r#"{"principalEmail":"a@b","principalSubject":"user:a@b"}"#, "user | a@b |  | ");
        check(
            r#"{"principalEmail":"s@p.iam.gserviceaccount.com","serviceAccountKeyName":"//iam.googleapis.com/projects/p/serviceAccounts/s/keys/1","serviceAccountDelegationInfo":[{"firstPartyPrincipal":{"principalEmail":"a@b"}},{"principalSubject":"x"}]}"#,
            "serviceAccount | s@p.iam.gserviceaccount.com | projects/p/serviceAccounts/s/keys/1 | signed in a@b",
        );
        check(
            r#"{"principalSubject":"serviceAccount:p.svc.id.goog[shop/web]"}"#,
            "serviceAccount | serviceAccount:p.svc.id.goog[shop/web] |  | account shop/web",
        );
        check(
            r#"{"principalSubject":"principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p.svc.id.goog/subject/ns/shop/sa/web"}"#,
            "principal | principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p.svc.id.goog/subject/ns/shop/sa/web |  | account shop/web",
        );
        check(
            r#"{"principalEmail":"system:serviceaccount:shop:web"}"#,
            " | system:serviceaccount:shop:web |  | account shop/web",
        );
        check(r#"{"principalEmail":"system:node:n1"}"#, " | system:node:n1 |  | node n1");
    }

    #[test]
    fn what_is_handed_out_and_started_is_told() {
        let check =
            |payload: &str, expected: &str| assert_eq!(shown(&call(payload).claims), expected);
        let name = r#""request":{"name":"projects/-/serviceAccounts/s@p"}"#;
        check(&format!(r#""methodName":"GenerateAccessToken",{name}"#), "session s@p for s@p");
        check(&format!(r#""methodName":"GenerateAccessToken",{name},"status":{{"code":7}}"#), "");
        check(
            r#""methodName":"google.iam.admin.v1.CreateServiceAccountKey","response":{"name":"projects/p/serviceAccounts/s@p/keys/1"}"#,
            "key projects/p/serviceAccounts/s@p/keys/1 for s@p",
        );
        check(
            r#""methodName":"google.iam.admin.v1.CreateServiceAccount","response":{"email":"s@p"}"#,
            "role s@p for s@p",
        );
        check(
            r#""methodName":"io.k8s.core.v1.pods.exec.create","resourceName":"core/v1/namespaces/shop/pods/web/exec","request":{"container":"c","command":["id"]}"#,
            r#"command shop/web/c ["id"]"#,
        );
    }
}
