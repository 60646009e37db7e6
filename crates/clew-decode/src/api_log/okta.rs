//! Events of Okta's system log.

use clew_event::Text;
use clew_event::control_plane::ApiCall;
use clew_event::json::Json;

use super::address::address;
use super::{Told, first_text, text_at, time_at};

pub(super) fn told(record: &Json<'_>) -> Told {
    let call = ApiCall {
        service: "okta".into(),
        action: text_at(record, &["eventType"]),
        principal: first_text(record, &[&["actor", "alternateId"], &["actor", "id"]]),
        credential: text_at(record, &["authenticationContext", "externalSessionId"]),
        resource: first_text(
            record,
            &[&["target", "0", "alternateId"], &["target", "0", "displayName"]],
        ),
        source_address: address(text_at(record, &["client", "ipAddress"]).as_bytes()),
        error: error(record),
        ..ApiCall::default()
    };
    Told {
        call,
        time: time_at(record, &["published"]),
        id: text_at(record, &["uuid"]).as_bytes().to_vec(),
        unknown_version: None,
    }
}

/// The outcome, where it is none of those that grant.
fn error(record: &Json<'_>) -> Text {
    let result = text_at(record, &["outcome", "result"]);
    match result.as_bytes() {
        b"SUCCESS" | b"ALLOW" => Text::default(),
        _ => result,
    }
}
