//! Calls to the APIs that run a cloud or a cluster: what is common to all of them.
//!
//! Who did what to what, from where, with which credential, and with what result. The record
//! itself is kept beside it, because rules name its own fields.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// One call to the Kubernetes API or to a cloud's API.
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
}
