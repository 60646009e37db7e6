//! Messages of GitHub's webhooks.

use clew_event::control_plane::ApiCall;
use clew_event::json::Json;
use clew_event::{Text, TimestampNs};

use super::{Told, first_text, text_at, time_at};

pub(super) fn told(record: &Json<'_>) -> Told {
    let call = ApiCall {
        service: "github".into(),
        action: action(record),
        principal: text_at(record, &["sender", "login"]),
        resource: first_text(
            record,
            &[&["repository", "full_name"], &["repository", "html_url"], &["hook", "url"]],
        ),
        account: first_text(
            record,
            &[&["organization", "login"], &["repository", "owner", "login"]],
        ),
        ..ApiCall::default()
    };
    Told { call, time: time(record), ..Told::default() }
}

/// `repository.publicized`: type and action, as far as they are told.
fn action(record: &Json<'_>) -> Text {
    let parts = ["webhook_type", "action"].map(|name| text_at(record, &[name]));
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.map(|part| part.as_bytes().to_vec()).collect::<Vec<_>>().join(&b'.').into()
}

/// Messages have no time of their own; the newest of what they are about is near it.
fn time(record: &Json<'_>) -> Option<TimestampNs> {
    const TIMES: [&[&str]; 4] = [
        &["head_commit", "timestamp"],
        &["workflow_run", "updated_at"],
        &["repository", "updated_at"],
        &["repository", "pushed_at"],
    ];
    TIMES.iter().filter_map(|path| time_at(record, path)).max()
}
