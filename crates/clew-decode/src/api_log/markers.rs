//! Which log a record is of, by the names of its members.

use clew_event::control_plane::ApiSource;
use clew_event::json::Value;

/// The members by which records are told apart, as a set of bits.
#[derive(Clone, Copy, Default)]
pub(super) struct Markers(u32);

impl Markers {
    const AUDIT_ID: u32 = 1;
    const EVENT_SOURCE: u32 = 1 << 1;
    const EVENT_NAME: u32 = 1 << 2;
    const PROTO_PAYLOAD: u32 = 1 << 3;
    const EVENT_TYPE: u32 = 1 << 4;
    const PUBLISHED: u32 = 1 << 5;
    const ACTOR: u32 = 1 << 6;
    const SENDER: u32 = 1 << 7;
    const ABOUT: u32 = 1 << 8;
    pub(super) const WEBHOOK_TYPE: u32 = 1 << 9;
    const INSIGHT: u32 = 1 << 10;
    const OPERATION: u32 = 1 << 11;
    const CATEGORY: u32 = 1 << 12;
    pub(super) const DIGEST: u32 = 1 << 13;
    const VERB: u32 = 1 << 14;
    const TARGET: u32 = 1 << 15;
    const SIGNED_IN: u32 = 1 << 16;
    const CREATED: u32 = 1 << 17;

    pub(super) fn see(&mut self, name: &[u8]) {
        self.0 |= match name {
            b"auditID" => Self::AUDIT_ID,
            b"eventSource" => Self::EVENT_SOURCE,
            b"eventName" => Self::EVENT_NAME,
            b"protoPayload" => Self::PROTO_PAYLOAD,
            b"eventType" => Self::EVENT_TYPE,
            b"published" => Self::PUBLISHED,
            b"actor" => Self::ACTOR,
            b"sender" => Self::SENDER,
            b"repository" | b"organization" | b"hook" => Self::ABOUT,
            b"webhook_type" => Self::WEBHOOK_TYPE,
            b"insightDetails" => Self::INSIGHT,
            b"operationName" => Self::OPERATION,
            b"category" | b"resourceId" => Self::CATEGORY,
            b"userPrincipalName" | b"uniqueTokenIdentifier" => Self::SIGNED_IN,
            b"createdDateTime" => Self::CREATED,
            b"digestStartTime" => Self::DIGEST,
            b"verb" | b"stage" => Self::VERB,
            b"objectRef" | b"requestURI" => Self::TARGET,
            _ => 0,
        };
    }

    pub(super) fn has(self, all: u32) -> bool {
        self.0 & all == all
    }

    /// The log that a record with these members is of.
    pub(super) fn source(self) -> Option<ApiSource> {
        const BY: [(u32, ApiSource); 10] = [
            (Markers::AUDIT_ID, ApiSource::KubernetesAudit),
            (Markers::VERB | Markers::TARGET, ApiSource::KubernetesAudit),
            (Markers::EVENT_SOURCE | Markers::EVENT_NAME, ApiSource::Cloudtrail),
            (Markers::INSIGHT, ApiSource::Cloudtrail),
            (Markers::PROTO_PAYLOAD, ApiSource::GcpAudit),
            (Markers::EVENT_TYPE | Markers::PUBLISHED | Markers::ACTOR, ApiSource::Okta),
            (Markers::WEBHOOK_TYPE, ApiSource::Github),
            (Markers::SENDER | Markers::ABOUT, ApiSource::Github),
            (Markers::OPERATION | Markers::CATEGORY, ApiSource::AzureActivity),
            (Markers::SIGNED_IN | Markers::CREATED, ApiSource::EntraSignIn),
        ];
        BY.iter().find(|(all, _)| self.has(*all)).map(|(_, source)| *source)
    }
}

/// The log that a record is of, and its members as a set.
pub(super) fn of(record: Value<'_, '_>) -> (Option<ApiSource>, Markers) {
    let mut markers = Markers::default();
    for (name, _) in record.members() {
        markers.see(&name.string().unwrap_or_default());
    }
    let source = markers.source().map(|source| match source {
        // Both logs of Azure have one form.
        ApiSource::AzureActivity if is_sign_in(record) => ApiSource::EntraSignIn,
        other => other,
    });
    (source, markers)
}

/// The categories end so: `SignInLogs`, `NonInteractiveUserSignInLogs`, `ServicePrincipalSignInLogs`,
/// `ManagedIdentitySignInLogs`.
fn is_sign_in(record: Value<'_, '_>) -> bool {
    let category = record.get("category").and_then(Value::string).unwrap_or_default();
    category.to_ascii_lowercase().ends_with(b"signinlogs")
}
