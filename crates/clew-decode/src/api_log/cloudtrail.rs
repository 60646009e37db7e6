//! Records of AWS CloudTrail.

use clew_event::control_plane::ApiCall;
use clew_event::json::Json;

use super::address::address;
use super::{Told, first_text, text_at, time_at};

pub(super) fn told(record: &Json<'_>) -> Told {
    let call = ApiCall {
        service: text_at(record, &["eventSource"]),
        action: text_at(record, &["eventName"]),
        principal: first_text(
            record,
            &[
                &["userIdentity", "arn"],
                &["userIdentity", "userName"],
                &["userIdentity", "invokedBy"],
                &["userIdentity", "principalId"],
                &["userIdentity", "type"],
            ],
        ),
        credential: text_at(record, &["userIdentity", "accessKeyId"]),
        resource: first_text(
            record,
            &[
                &["resources", "0", "ARN"],
                &["requestParameters", "bucketName"],
                &["requestParameters", "roleArn"],
                &["requestParameters", "roleName"],
                &["requestParameters", "userName"],
                &["requestParameters", "functionName"],
                &["requestParameters", "secretId"],
                &["requestParameters", "instanceId"],
                &["requestParameters", "groupId"],
                &["requestParameters", "name"],
            ],
        ),
        source_address: address(&text_at(record, &["sourceIPAddress"]).to_str_lossy()),
        account: first_text(record, &[&["recipientAccountId"], &["userIdentity", "accountId"]]),
        error: text_at(record, &["errorCode"]),
        ..ApiCall::default()
    };
    Told {
        call,
        time: time_at(record, &["eventTime"]),
        id: text_at(record, &["eventID"]).as_bytes().to_vec(),
    }
}
