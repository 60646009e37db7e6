//! Records of Microsoft Entra's sign-in log.

use clew_event::control_plane::ApiCall;
use clew_event::json::Json;

use super::address::address;
use super::{Told, text_at, time_at};

pub(super) fn told(record: &Json<'_>) -> Told {
    let call = ApiCall {
        action: text_at(record, &["operationName"]),
        source_address: address(text_at(record, &["callerIpAddress"]).as_bytes()),
        ..ApiCall::default()
    };
    Told { call, time: time_at(record, &["time"]), ..Told::default() }
}
