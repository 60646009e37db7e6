//! Calls to the APIs that run a cloud, a cluster or a service: what is common to all of them.
//!
//! Who did what to what, from where, with which credential, and with what result. The record
//! itself is kept beside it, because rules name its own fields.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::text::Text;

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
}

impl ApiSource {
    /// Every log, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::KubernetesAudit, Self::Cloudtrail, Self::GcpAudit, Self::Github, Self::Okta];

    /// Its name as rules give it after `source:`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KubernetesAudit => "k8s_audit",
            Self::Cloudtrail => "aws_cloudtrail",
            Self::GcpAudit => "gcp_auditlog",
            Self::Github => "github",
            Self::Okta => "okta",
        }
    }
}
