//! Calls to the APIs that run a cloud, a cluster or a service: what is common to all of them.
//!
//! Who did what to what, from where, with which credential, and with what result. The record
//! itself is kept beside it, because rules name its own fields.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::json::{Json, JsonIndex};
use crate::text::Text;
use crate::time::TimestampNs;

/// One call to the Kubernetes API, to a cloud's API, or to a service's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiCall {
    /// Service: `iam.amazonaws.com`, `storage.googleapis.com`, or the API group in Kubernetes.
    pub service: Text,
    /// What was asked: `CreateUser`, or verb and resource in Kubernetes.
    pub action: Text,
    /// Who asked: an ARN, a member, a Kubernetes user name.
    pub principal: Text,
    /// Public id of the credential used (an access key id); never the secret.
    pub credential: Text,
    /// What it was done to.
    pub resource: Text,
    /// Where it came from.
    pub source_address: Option<IpAddr>,
    /// Account, project, subscription or cluster.
    pub account: Text,
    /// Empty where it was granted; else the provider's error code.
    pub error: Text,
    /// The provider's record as JSON.
    pub record: Text,
    /// The log that told of it.
    pub source: ApiSource,
    /// The provider's own word for what kind of caller it is: `AssumedRole`, `Root`,
    /// `serviceaccount`.
    pub principal_kind: Text,
    /// Whose rights the caller acts with: the role of an assumed role, whoever is impersonated.
    pub issuer: Text,
    /// Name of the session, as whoever opened it chose; empty where there is none.
    pub session: Text,
    /// What the caller says it is. Anyone may say anything: never joins alone.
    pub user_agent: Text,
    /// Region or location that was asked; empty where the log has none.
    pub region: Text,
    /// What the record proves about identities, in the order in which it tells them.
    pub claims: Vec<Claim>,
    /// Which part of the call this tells of.
    pub stage: CallStage,
    /// The index of `record`, where whoever read it left it.
    #[serde(skip)]
    pub index: JsonIndex,
}

impl ApiCall {
    /// The record, ready to be asked; `None` where it is no JSON.
    #[must_use]
    pub fn json(&self) -> Option<Json<'_>> {
        let text = self.record.as_bytes();
        Json::with_index(text, &self.index).or_else(|| Json::parse(text).ok())
    }
}

/// Which part of a call an event tells of.
///
/// Kubernetes tells of one call up to three times. All of them have the same event id, which names
/// the call: whoever drops repeated deliveries has to go by id **and** stage, and whoever counts
/// calls counts ids. `Started` is told at once where a call lasts (`exec`, `watch`), and carries
/// the same claims as what follows it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum CallStage {
    /// The whole call, with its result. What every other log tells.
    #[default]
    Complete,
    /// It was received; nothing is decided yet.
    Received,
    /// It was granted or refused, and goes on.
    Started,
    /// The server failed on it.
    Failed,
}

/// Something that a record proves about an identity; what lineage is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// The call handed out a credential, or made an identity that can get one.
    Minted(Minted),
    /// The credential used is that of a pod, or a service called on behalf of one.
    Pod {
        /// Its unique id; empty where the record has none.
        uid: Text,
        /// Its name; empty where the record has none.
        name: Text,
        /// Its namespace; empty where the record has none.
        namespace: Text,
    },
    /// The credential used is that of a virtual machine, or a service called on behalf of one.
    Instance {
        /// Its id, such as `i-0abc…`.
        id: Text,
    },
    /// The credential used is that of a Kubernetes service account, or was handed out for its token.
    ServiceAccount {
        /// Its namespace.
        namespace: Text,
        /// Its name.
        name: Text,
    },
    /// The credential used is that of a Kubernetes node.
    Node {
        /// Its name.
        name: Text,
    },
    /// A cloud identity stands behind the caller of a cluster's API.
    Cloud {
        /// Its ARN or name; empty where the record has none.
        principal: Text,
        /// The access key it used; empty where the record has none.
        credential: Text,
    },
    /// Several accounts were told of one call under this id.
    Shared {
        /// The id that all copies carry.
        id: Text,
    },
    /// A command was started inside a pod.
    PodCommand {
        /// Namespace of the pod.
        namespace: Text,
        /// Name of the pod.
        pod: Text,
        /// Container in the pod; empty where the caller named none.
        container: Text,
        /// The command with its arguments; empty for `attach` and `portforward`.
        command: Vec<Text>,
    },
    /// Whoever first signed in; fixed to the session and to all that are opened from it.
    SignedIn {
        /// As the identity provider named them.
        name: Text,
    },
}

/// What a call handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minted {
    /// What it is.
    pub kind: MintedKind,
    /// Its public id: an access key id, a token's `JTI=…`, the ARN or name of a user or role.
    pub id: Text,
    /// Who acts with it: the ARN or name of the user, the role with its session.
    pub holder: Text,
    /// When it ends; `None` where it does not, or the record does not say.
    pub expires: Option<TimestampNs>,
}

/// Kinds of what a call can hand out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum MintedKind {
    /// A session with a temporary credential.
    #[default]
    Session,
    /// A long-lived key.
    AccessKey,
    /// A token of a service account.
    Token,
    /// A user.
    User,
    /// A role or service account that can be assumed.
    Role,
    /// A password for a console.
    Login,
    /// A session in a console. Logs give it no id of its own: `id` is whoever signed in.
    ConsoleSession,
}

/// A log of API calls; decides which rules judge its records and what their fields mean.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum ApiSource {
    /// Audit log of a Kubernetes API server.
    #[default]
    KubernetesAudit,
    /// AWS CloudTrail.
    Cloudtrail,
    /// Audit log of Google Cloud.
    GcpAudit,
    /// Webhooks of GitHub.
    Github,
    /// System log of Okta.
    Okta,
    /// Activity log of Azure.
    AzureActivity,
    /// Sign-in log of Microsoft Entra.
    EntraSignIn,
}

impl ApiSource {
    /// Every log, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::KubernetesAudit,
        Self::Cloudtrail,
        Self::GcpAudit,
        Self::Github,
        Self::Okta,
        Self::AzureActivity,
        Self::EntraSignIn,
    ];

    /// Its name as rules give it after `source:`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KubernetesAudit => "k8s_audit",
            Self::Cloudtrail => "aws_cloudtrail",
            Self::GcpAudit => "gcp_auditlog",
            Self::Github => "github",
            Self::Okta => "okta",
            Self::AzureActivity => "azure_activity",
            Self::EntraSignIn => "entra_signin",
        }
    }
}
