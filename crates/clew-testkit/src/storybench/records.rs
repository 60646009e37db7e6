//! Records of the cloud and of the cluster, read by the decoders that read the real ones.

use clew_decode::api_log;
use clew_event::{EventId, TimestampNs};
use serde_json::{Value, json};

use super::world::{Layer, MS, SECOND, World};

/// Who calls the cloud.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// A person or program with a lasting key.
    User(&'a str),
    /// A role and the name of the session.
    Role(&'a str, &'a str),
    /// Nobody who is known yet: what a token of a cluster or pipeline is shown for.
    Web(&'a str),
}

/// A call to the cloud.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// `iam`, `sts`, …
    pub service: &'a str,
    /// `CreateUser`, …
    pub action: &'a str,
    /// Who calls.
    pub by: By<'a>,
    /// Public id of the key.
    pub key: &'a str,
    /// From where.
    pub from: &'a str,
    /// What the caller says it is.
    pub agent: &'a str,
    /// Which of the tenant's accounts.
    pub account: u32,
    /// Parameters.
    pub request: Value,
    /// Answer.
    pub response: Value,
    /// Error code where it was refused.
    pub error: Option<&'a str>,
}

/// What programs say they are.
pub const SDK: &str = "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5";
/// What people's and attackers' prompts say they are.
pub const CLI: &str = "aws-cli/2.17.20 md/awscrt#0.20.11 os/linux";

impl Default for Call<'_> {
    fn default() -> Self {
        Self {
            service: "sts",
            action: "GetCallerIdentity",
            by: By::User(""),
            key: "",
            from: "",
            agent: SDK,
            account: 0,
            request: Value::Null,
            response: Value::Null,
            error: None,
        }
    }
}

/// A call to the cluster.
#[derive(Clone, Debug, Default)]
pub struct Ordered<'a> {
    /// `create`, `list`, …
    pub verb: &'a str,
    /// Resource, and subresource behind a slash.
    pub resource: &'a str,
    /// Namespace; empty where it has none.
    pub namespace: &'a str,
    /// Name; empty where it has none.
    pub name: &'a str,
    /// User name.
    pub by: &'a str,
    /// Id of the token; empty where there is none.
    pub token: &'a str,
    /// Name and uid of the pod that the token is bound to.
    pub pod: Option<(&'a str, &'a str)>,
    /// From where.
    pub from: &'a str,
    /// `kubectl` where it is empty.
    pub agent: &'a str,
    /// What stands behind the `?` of the path.
    pub query: &'a str,
    /// Body of the request.
    pub object: Value,
}

impl World {
    /// Number of one of the tenant's accounts.
    #[must_use]
    pub fn account(&self, number: u32) -> String {
        format!("{:012}", 210_000_000_000 + u64::from(self.tenant) * 10 + u64::from(number))
    }

    /// Public address from which the tenant's machines go out.
    #[must_use]
    pub fn gateway(&self) -> String {
        format!("52.28.{}.{}", self.tenant / 200, 10 + self.tenant % 200)
    }

    /// Takes a record of CloudTrail in; `None` where the log is blind to it.
    pub fn aws(&mut self, at: u64, call: &Call<'_>) -> Option<EventId> {
        let account = self.account(call.account);
        let id = self.unique();
        let service = call.service;
        let mut record = json!({
            "eventVersion": "1.11",
            "eventID": id,
            "eventTime": seconds(at),
            "eventSource": format!("{service}.amazonaws.com"),
            "eventName": call.action,
            "eventType": "AwsApiCall",
            "eventCategory": "Management",
            "readOnly": is_reading(call.action),
            "awsRegion": "eu-central-1",
            "sourceIPAddress": call.from,
            "userAgent": call.agent,
            "recipientAccountId": account,
            "userIdentity": identity(call, &account),
            "requestParameters": call.request,
            "responseElements": call.response,
        });
        if let (Some(error), Value::Object(members)) = (call.error, &mut record) {
            members.insert("errorCode".to_owned(), error.into());
        }
        let lag = self.cloud_lag();
        self.record(at, lag, &record, Layer::Cloud)
    }

    /// Takes a record of the cluster's audit log in; `None` where the log is blind to it.
    pub fn cluster(&mut self, at: u64, call: &Ordered<'_>) -> Option<EventId> {
        let (resource, subresource) = call.resource.split_once('/').unwrap_or((call.resource, ""));
        let moment = TimestampNs::from_unix_ns(at).to_string();
        let mut object = json!({ "resource": resource, "apiVersion": "v1" });
        let members =
            [("subresource", subresource), ("namespace", call.namespace), ("name", call.name)];
        for (member, value) in members.into_iter().filter(|(_, value)| !value.is_empty()) {
            set(&mut object, member, value.into());
        }
        let mut extra = json!({});
        if !call.token.is_empty() {
            let id = format!("JTI={}", call.token);
            set(&mut extra, "authentication.kubernetes.io/credential-id", json!([id]));
        }
        if let Some((name, uid)) = call.pod {
            set(&mut extra, "authentication.kubernetes.io/pod-name", json!([name]));
            set(&mut extra, "authentication.kubernetes.io/pod-uid", json!([uid]));
        }
        let path = [resource, call.name, subresource].join("/");
        let mut record = json!({
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "RequestResponse",
            "auditID": self.unique(),
            "stage": "ResponseComplete",
            "requestURI": format!("/api/v1/namespaces/{}/{path}?{}", call.namespace, call.query),
            "verb": call.verb,
            "user": { "username": call.by, "groups": ["system:authenticated"], "extra": extra },
            "sourceIPs": [call.from],
            "userAgent": if call.agent.is_empty() { "kubectl/v1.36.0" } else { call.agent },
            "objectRef": object,
            "responseStatus": { "code": if subresource == "exec" { 101 } else { 200 } },
            "requestReceivedTimestamp": moment,
            "stageTimestamp": moment,
            "annotations": { "authorization.k8s.io/decision": "allow" },
        });
        if !call.object.is_null() {
            set(&mut record, "requestObject", call.object.clone());
        }
        let lag = 500 * MS + self.random.below(20) * SECOND;
        self.record(at, lag, &record, Layer::Cluster)
    }

    /// What an audit log of the cloud takes: half within 3.6 minutes, 9 of 10 within 7.8, none
    /// above 10, as measured on public logs.
    fn cloud_lag(&mut self) -> u64 {
        let part = self.random.below(1_000);
        let tail = part * part / 1_000 * part / 1_000 * part / 1_000;
        (120 + 150 * part / 1_000 + 324 * tail / 1_000) * SECOND
    }

    fn record(&mut self, at: u64, lag: u64, record: &Value, layer: Layer) -> Option<EventId> {
        let is_late = self.mark.is_some_and(|mark| mark.is_late);
        let lags = if is_late { vec![3 * lag, 3 * lag + 600 * SECOND] } else { vec![lag] };
        let decoded = api_log::decode("storybench", record.to_string().as_bytes());
        debug_assert!(decoded.complaints.is_empty(), "{:?}", decoded.complaints);
        let event = decoded.events.into_iter().next()?;
        let id = event.id;
        for lag in lags {
            let mut event = event.clone();
            event.arrived = TimestampNs::from_unix_ns(at + lag);
            self.take(event, layer);
        }
        Some(id)
    }

    fn unique(&mut self) -> String {
        let (high, low) = (self.random.next(), self.random.next());
        format!("{:08x}-{:04x}-4000-8000-{:012x}", high >> 32, high & 0xffff, low >> 16)
    }
}

fn identity(call: &Call<'_>, account: &str) -> Value {
    match call.by {
        By::User(name) => json!({
            "type": "IAMUser",
            "principalId": format!("AIDA{}", name.to_uppercase()),
            "arn": format!("arn:aws:iam::{account}:user/{name}"),
            "accountId": account,
            "accessKeyId": call.key,
            "userName": name,
        }),
        By::Role(role, session) => {
            let id = format!("AROA{}", role.to_uppercase().replace('-', ""));
            let mut context = json!({
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": id,
                    "arn": format!("arn:aws:iam::{account}:role/{role}"),
                    "accountId": account,
                    "userName": role,
                },
                "attributes": { "mfaAuthenticated": "false" },
            });
            if session.starts_with("i-") {
                set(&mut context, "ec2RoleDelivery", "2.0".into());
            }
            json!({
                "type": "AssumedRole",
                "principalId": format!("{id}:{session}"),
                "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
                "accountId": account,
                "accessKeyId": call.key,
                "sessionContext": context,
            })
        }
        By::Web(subject) => json!({
            "type": "WebIdentityUser",
            "principalId": format!("arn:aws:iam::{account}:oidc-provider/oidc.eks:sts.amazonaws.com:{subject}"),
            "userName": subject,
            "identityProvider": format!("arn:aws:iam::{account}:oidc-provider/oidc.eks"),
        }),
    }
}

/// The answer of a call that opens a session of a role.
#[must_use]
pub fn session(account: &str, (role, name): (&str, &str), key: &str) -> Value {
    json!({
        "credentials": { "accessKeyId": key, "sessionToken": "IQoJ" },
        "assumedRoleUser": {
            "assumedRoleId": format!("AROA{}:{name}", role.to_uppercase().replace('-', "")),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"),
        },
    })
}

fn is_reading(action: &str) -> bool {
    ["Get", "List", "Describe", "Assume", "Batch", "Head"].iter().any(|it| action.starts_with(it))
}

/// CloudTrail tells whole seconds.
fn seconds(at: u64) -> String {
    let text = TimestampNs::from_unix_ns(at).to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

fn set(value: &mut Value, member: &str, new: Value) {
    if let Value::Object(members) = value {
        members.insert(member.to_owned(), new);
    }
}
