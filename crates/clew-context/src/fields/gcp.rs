//! `gcp.*`: records of the audit log of Google Cloud.

use clew_event::json::Value;
use clew_event::{FieldId, FieldValue};

use super::record::{Asked, How, as_text};
use super::{maybe, owned};

#[rustfmt::skip]
pub(super) fn how(id: FieldId) -> Option<How> {
    use FieldId as F;
    let how = match id {
        F::GcpUser => How::Json(&["protoPayload", "authenticationInfo", "principalEmail"]),
        F::GcpCallerIP => How::Json(&["protoPayload", "requestMetadata", "callerIp"]),
        F::GcpUserAgent => How::Json(&["protoPayload", "requestMetadata", "callerSuppliedUserAgent"]),
        F::GcpAuthorizationInfo => How::Json(&["protoPayload", "authorizationInfo"]),
        F::GcpServiceName => How::Json(&["protoPayload", "serviceName"]),
        F::GcpPolicyDelta => How::Made(policy_delta),
        F::GcpRequest => How::Json(&["protoPayload", "request"]),
        F::GcpMethodName => How::Json(&["protoPayload", "methodName"]),
        F::GcpCloudfunctionsFunction => How::Json(&["resource", "labels", "function_name"]),
        F::GcpCloudsqlDatabaseId => How::Json(&["resource", "labels", "database_id"]),
        F::GcpComputeInstanceId => How::Json(&["resource", "labels", "instance_id"]),
        F::GcpComputeNetworkId => How::Json(&["resource", "labels", "network_id"]),
        F::GcpComputeSubnetwork => How::Json(&["resource", "labels", "subnetwork_name"]),
        F::GcpComputeSubnetworkId => How::Json(&["resource", "labels", "subnetwork_id"]),
        F::GcpDnsZone => How::Json(&["resource", "labels", "zone_name"]),
        F::GcpIamServiceAccount => How::Json(&["resource", "labels", "email_id"]),
        F::GcpIamServiceAccountId => How::Json(&["resource", "labels", "unique_id"]),
        F::GcpLocation => How::Made(location),
        F::GcpLoggingSink => How::Made(sink),
        F::GcpProjectId => How::Json(&["resource", "labels", "project_id"]),
        F::GcpResourceName => How::Json(&["protoPayload", "resourceName"]),
        F::GcpResourceType => How::Json(&["resource", "type"]),
        F::GcpResourceLabels => How::Json(&["resource", "labels"]),
        F::GcpStorageBucket => How::Json(&["resource", "labels", "bucket_name"]),
        F::GcpTime => How::Json(&["timestamp"]),
        _ => return None,
    };
    Some(how)
}

fn policy_delta<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let path: &[&str] = if asked.text_at(&["resource", "type"]) == b"gcs_bucket" {
        &["protoPayload", "serviceData", "policyDelta", "bindingDeltas"]
    } else {
        &["protoPayload", "metadata", "datasetChange", "bindingDeltas"]
    };
    maybe(asked.at(path), as_text)
}

/// Falco's plugin reads it as a text, which it never is.
pub(super) fn policy_delta_text<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    match policy_delta(asked) {
        FieldValue::Missing => FieldValue::Missing,
        FieldValue::One(_) | FieldValue::Many(_) => "".into(),
    }
}

/// The location, else the region, else the zone without its letter.
fn location<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let label = |name: &str| asked.at(&["resource", "labels", name]);
    if let Some(place) = label("location").or_else(|| label("region")) {
        return as_text(place);
    }
    maybe(label("zone").and_then(Value::string).filter(|zone| !zone.is_empty()), |zone| {
        let letter_bytes = if 2 < zone.len() { 2 } else { 0 };
        owned(zone.get(..zone.len() - letter_bytes).unwrap_or_default())
    })
}

fn sink<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let is_sink = asked.text_at(&["resource", "type"]) == b"logging_sink";
    maybe(asked.at(&["resource", "labels", "name"]).filter(|_| is_sink), as_text)
}
