//! Events of the audit log of a Kubernetes API server (`audit.k8s.io`).

use clew_event::Text;
use clew_event::control_plane::ApiCall;
use clew_event::json::Json;

use super::address::address;
use super::{Told, first_text, text_at, text_of, time_at};

const ERROR_CODE_MIN: u64 = 400;

pub(super) fn told(record: &Json<'_>) -> Told {
    let call = ApiCall {
        service: text_at(record, &["objectRef", "apiGroup"]),
        action: joined(record, b' ', &["verb"], &resource_kind(record)),
        principal: text_at(record, &["user", "username"]),
        credential: first_text(
            record,
            &[
                &["user", "extra", "authentication.kubernetes.io/credential-id", "0"],
                &["user", "extra", "accessKeyId", "0"],
            ],
        ),
        resource: joined(
            record,
            b'/',
            &["objectRef", "namespace"],
            &text_at(record, &["objectRef", "name"]),
        ),
        source_address: last_address(record),
        account: text_at(record, &["annotations", "cluster_name"]),
        error: error(record),
        ..ApiCall::default()
    };
    // Each stage of a request is a record of its own under one id.
    let id = ["auditID", "stage"].map(|name| text_at(record, &[name]).as_bytes().to_vec());
    let time = time_at(record, &["stageTimestamp"]);
    Told {
        call,
        time: time.or_else(|| time_at(record, &["requestReceivedTimestamp"])),
        id: id.join(&b'\n'),
    }
}

/// `pods`, `pods/exec`.
fn resource_kind(record: &Json<'_>) -> Text {
    let subresource = text_at(record, &["objectRef", "subresource"]);
    joined(record, b'/', &["objectRef", "resource"], &subresource)
}

/// What stands at `path` and `second`, with `separator` between where both are there.
fn joined(record: &Json<'_>, separator: u8, path: &[&str], second: &Text) -> Text {
    let first = text_at(record, path);
    if first.is_empty() || second.is_empty() {
        return if first.is_empty() { second.clone() } else { first };
    }
    [first.as_bytes(), &[separator], second.as_bytes()].concat().into()
}

/// Only the last address is one that the server itself saw; the ones before it are claims.
fn last_address(record: &Json<'_>) -> Option<std::net::IpAddr> {
    let last = record.at(&["sourceIPs"])?.items().last()?;
    address(&text_of(last).to_str_lossy())
}

fn error(record: &Json<'_>) -> Text {
    let code = record
        .at(&["responseStatus", "code"])
        .filter(|code| code.unsigned().is_some_and(|code| ERROR_CODE_MIN <= code));
    let Some(code) = code else { return Text::default() };
    let reason = text_at(record, &["responseStatus", "reason"]);
    if reason.is_empty() { text_of(code) } else { reason }
}
