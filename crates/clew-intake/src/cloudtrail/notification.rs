//! What a message of the queue says: which objects are new.
//!
//! S3 writes to the queue itself, or through SNS, or through EventBridge; CloudTrail writes to SNS
//! a form of its own. All of them are told apart by their members.

use serde_json::Value;

use super::client::Object;

/// What one message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// S3 tries whether the queue takes messages: the first one after it was set up.
    Test,
    /// These objects are new.
    Objects(Vec<Object>),
}

/// Reads a message; `None` where it is none of these.
pub(super) fn read(body: &str) -> Option<Notice> {
    let value: Value = serde_json::from_str(body).ok()?;
    let wrapped = value.get("Message").and_then(Value::as_str);
    // One wrapper is opened: SNS does not wrap its own messages.
    match wrapped.filter(|_| value.get("Type").is_some_and(|kind| kind == "Notification")) {
        Some(inside) => notice(&serde_json::from_str(inside).ok()?),
        None => notice(&value),
    }
}

fn notice(value: &Value) -> Option<Notice> {
    if value.get("Event").is_some_and(|event| event == "s3:TestEvent") {
        return Some(Notice::Test);
    }
    if let Some(records) = value.get("Records").and_then(Value::as_array) {
        return records.iter().map(of_s3).collect::<Option<_>>().map(Notice::Objects);
    }
    if let Some(keys) = value.get("s3ObjectKey").and_then(Value::as_array) {
        let bucket = value.get("s3Bucket")?.as_str()?;
        let object = |key: &Value| Some(object(bucket, key.as_str()?));
        return keys.iter().map(object).collect::<Option<_>>().map(Notice::Objects);
    }
    let bucket = value.pointer("/detail/bucket/name")?.as_str()?;
    let key = value.pointer("/detail/object/key")?.as_str()?;
    Some(Notice::Objects(vec![object(bucket, key)]))
}

fn object(bucket: &str, key: &str) -> Object {
    Object { bucket: bucket.to_owned(), key: key.to_owned() }
}

/// S3 writes keys as forms do: `+` for a blank, `%2B` for a plus.
fn of_s3(record: &Value) -> Option<Object> {
    let bucket = record.pointer("/s3/bucket/name")?.as_str()?;
    let key = record.pointer("/s3/object/key")?.as_str()?;
    Some(object(bucket, &decoded(key)?))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind.split_at_checked(2)) {
            (b'+', _) => bytes.push(b' '),
            (b'%', Some((digits, behind))) => {
                let digits = std::str::from_utf8(digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = behind;
            }
            _ => bytes.push(first),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_the_queue_is_understood() {
        let s3 = r#"{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"a+b%2B%C3%A9/c.json.gz","size":1}}}]}"#;
        let object = |key: &str| Some(Notice::Objects(vec![object("b", key)]));
        assert_eq!(read(s3), object("a b+é/c.json.gz"));
        let sns = serde_json::json!({"Type": "Notification", "Message": s3}).to_string();
        assert_eq!(read(&sns), object("a b+é/c.json.gz"));
        let bridge = r#"{"source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"b"},"object":{"key":"a+b"}}}"#;
        assert_eq!(read(bridge), object("a+b"));
        assert_eq!(read(r#"{"s3Bucket":"b","s3ObjectKey":["k"]}"#), object("k"));
        assert_eq!(read(r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#), Some(Notice::Test));
    }

    #[test]
    fn what_is_no_notification_is_said_to_be_none() {
        let cases = [
            "",
            "x",
            "[]",
            "{}",
            r#"{"Records":[{"s3":{}}]}"#,
            r#"{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"%zz"}}}]}"#,
            r#"{"Type":"Notification","Message":"hello"}"#,
            r#"{"detail":{"bucket":{"name":7},"object":{"key":"k"}}}"#,
        ];
        assert!(cases.iter().all(|body| read(body).is_none()));
    }
}
