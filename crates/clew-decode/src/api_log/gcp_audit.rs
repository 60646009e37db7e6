//! Entries of the audit log of Google Cloud.

use clew_event::control_plane::ApiCall;
use clew_event::json::Json;

use super::address::address;
use super::{Told, first_text, text_at, time_at};

pub(super) fn told(record: &Json<'_>) -> Told {
    let payload = |path: &[&str]| text_at(record, &[&["protoPayload"], path].concat());
    let caller = ["protoPayload", "authenticationInfo"];
    let call = ApiCall {
        service: payload(&["serviceName"]),
        action: payload(&["methodName"]),
        principal: first_text(
            record,
            &[
                &[caller[0], caller[1], "principalEmail"],
                &[caller[0], caller[1], "principalSubject"],
            ],
        ),
        credential: payload(&["authenticationInfo", "serviceAccountKeyName"]),
        resource: payload(&["resourceName"]),
        source_address: address(payload(&["requestMetadata", "callerIp"]).as_bytes()),
        account: text_at(record, &["resource", "labels", "project_id"]),
        error: error(record),
        ..ApiCall::default()
    };
    let id = ["logName", "timestamp", "insertId"].map(|name| text_at(record, &[name]));
    let is_named = !id[2].is_empty();
    Told {
        call,
        time: time_at(record, &["timestamp"]).or_else(|| time_at(record, &["receiveTimestamp"])),
        id: if is_named {
            id.map(|part| part.as_bytes().to_vec()).join(&b'\n')
        } else {
            Vec::new()
        },
        unknown_version: None,
    }
}

/// Code of a status that is none of success (0, or no status at all).
fn error(record: &Json<'_>) -> clew_event::Text {
    let code = text_at(record, &["protoPayload", "status", "code"]);
    if code.as_bytes() == b"0" { clew_event::Text::default() } else { code }
}
