//! Records of audit logs: calls to the API of AWS and of Kubernetes, and any other as JSON.
//!
//! A line says what its case is about; the rest of the record has ordinary values. The record is
//! read by the decoder of its log, so a case meets a rule as a file does.

use clew_decode::api_log;
use clew_event::TimestampNs;
use serde_json::{Map, Value, json};

use super::line::Line;
use super::world::World;

/// The account whose log it is; the documentation of AWS uses this number.
const ACCOUNT: &str = "111122223333";
/// Where calls come from whose line does not say: a network of the documentation (RFC 5737).
const ADDRESS: &str = "192.0.2.10";

/// A record that is written out.
pub(super) fn as_it_stands(world: &mut World, text: &str) -> Result<(), String> {
    let decoded = api_log::decode("case", text.as_bytes());
    if let Some(complaint) = decoded.complaints.first() {
        return Err(format!("the record cannot be read: {}", complaint.message));
    }
    if decoded.events.is_empty() {
        return Err("nothing tells which log the record is of".to_owned());
    }
    decoded.events.into_iter().for_each(|event| world.add(event));
    Ok(())
}

/// `aws ACTION service=…`.
pub(super) fn aws(world: &mut World, line: &mut Line) -> Result<(), String> {
    let time = moment(world, line)?;
    let action = line.name.take().ok_or("`aws` needs the name of an action behind it")?;
    let by = line.take("by").unwrap_or_else(|| "user/alice".to_owned());
    let account = line.take("account").unwrap_or_else(|| ACCOUNT.to_owned());
    let mut identity = aws_identity(&by, &account)?;
    if let Some(key) = line.take("key") {
        set(&mut identity, "accessKeyId", key.into());
    }
    put_all(&mut identity, line.take_below("user."));
    let service = line.need("service")?;
    let mut record = json!({
        "eventVersion": "1.11",
        "eventID": format!("case-{time}-{}", world.count()),
        "eventTime": whole_seconds(time),
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": action,
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "awsRegion": line.take("region").unwrap_or_else(|| "us-east-1".to_owned()),
        "sourceIPAddress": line.take("from").unwrap_or_else(|| ADDRESS.to_owned()),
        "userAgent": line.take("agent").unwrap_or_else(|| "aws-sdk-go-v2/1.30.0".to_owned()),
        "recipientAccountId": account,
        "userIdentity": identity,
    });
    if let Some(error) = line.take("error") {
        set(&mut record, "errorCode", error.into());
    }
    for (key, member) in [("request.", "requestParameters"), ("response.", "responseElements")] {
        let mut value = Value::Null;
        put_all(&mut value, line.take_below(key));
        set(&mut record, member, value);
    }
    put_all(&mut record, line.take_below("record."));
    as_it_stands(world, &record.to_string())
}

/// Who calls: `user/NAME`, `role/NAME/SESSION`, `root`, or the host name of a service.
fn aws_identity(by: &str, account: &str) -> Result<Value, String> {
    let parts: Vec<&str> = by.split('/').collect();
    let id = |prefix: &str, names: &[&str]| {
        let letters = names.concat().to_ascii_uppercase();
        let letters: String = letters.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{prefix}{letters}")
    };
    Ok(match parts.as_slice() {
        ["root"] => json!({
            "type": "Root",
            "principalId": account,
            "arn": format!("arn:aws:iam::{account}:root"),
            "accountId": account,
            "accessKeyId": "ASIAROOT",
        }),
        ["user", name] => json!({
            "type": "IAMUser",
            "principalId": id("AIDA", &[name]),
            "arn": format!("arn:aws:iam::{account}:user/{name}"),
            "accountId": account,
            "accessKeyId": id("AKIA", &[name]),
            "userName": name,
        }),
        ["role", name, session] => json!({
            "type": "AssumedRole",
            "principalId": format!("{}:{session}", id("AROA", &[name])),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
            "accountId": account,
            "accessKeyId": id("ASIA", &[name, session]),
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": id("AROA", &[name]),
                    "arn": format!("arn:aws:iam::{account}:role/{name}"),
                    "accountId": account,
                    "userName": name,
                },
                "attributes": { "mfaAuthenticated": "false" },
            },
        }),
        [service] if service.ends_with(".amazonaws.com") => {
            json!({ "type": "AWSService", "invokedBy": service })
        }
        _ => {
            return Err(format!(
                "`by={by}` is none of `user/NAME`, `role/NAME/SESSION`, `root`, \
                 `SERVICE.amazonaws.com`"
            ));
        }
    })
}

/// `kubernetes VERB resource=…`.
pub(super) fn kubernetes(world: &mut World, line: &mut Line) -> Result<(), String> {
    let time = moment(world, line)?;
    let verb = line.name.take().ok_or("`kubernetes` needs a verb behind it")?;
    let resource = line.need("resource")?;
    let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
    let (namespace, name) = (line.take("namespace"), line.take("name"));
    let within = namespace.as_ref().map(|namespace| format!("namespaces/{namespace}"));
    let path = [Some("/api/v1"), within.as_deref(), Some(resource), name.as_deref()];
    let path: Vec<&str> = path.into_iter().flatten().collect();
    let code = line.take_as("code")?.unwrap_or(200_u16);
    let mut user = json!({
        "username": line.take("by").unwrap_or_else(|| "alice".to_owned()),
        "groups": line.take("groups").unwrap_or_else(|| "system:authenticated".to_owned())
            .split(',').collect::<Vec<_>>(),
    });
    put_all(&mut user, line.take_below("user."));
    let mut record = json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": format!("case-{time}-{}", world.count()),
        "stage": line.take("stage").unwrap_or_else(|| "ResponseComplete".to_owned()),
        "requestURI": line.take("uri").unwrap_or_else(|| path.join("/")),
        "verb": verb,
        "user": user,
        "sourceIPs": [line.take("from").unwrap_or_else(|| ADDRESS.to_owned())],
        "userAgent": line.take("agent").unwrap_or_else(|| "kubectl/v1.36.0".to_owned()),
        "objectRef": { "resource": resource, "apiVersion": "v1" },
        "responseStatus": { "code": code },
        "requestReceivedTimestamp": time.to_string(),
        "stageTimestamp": time.to_string(),
        "annotations": {
            "authorization.k8s.io/decision": if code == 403 { "forbid" } else { "allow" },
        },
    });
    let object = [("namespace", namespace), ("name", name), ("apiGroup", line.take("group"))];
    for (member, value) in object {
        if let Some(value) = value {
            put(&mut record, &format!("objectRef.{member}"), value.into());
        }
    }
    if !subresource.is_empty() {
        put(&mut record, "objectRef.subresource", subresource.into());
    }
    for (key, member) in [("object.", "requestObject"), ("response.", "responseObject")] {
        let below = line.take_below(key);
        if !below.is_empty() {
            let mut value = Value::Null;
            put_all(&mut value, below);
            set(&mut record, member, value);
        }
    }
    put_all(&mut record, line.take_below("record."));
    as_it_stands(world, &record.to_string())
}

/// When it happens: one tick after the line before it, or `after=` seconds more.
fn moment(world: &mut World, line: &mut Line) -> Result<TimestampNs, String> {
    let seconds = line.take_as("after")?.unwrap_or(0);
    Ok(world.wait(seconds))
}

/// CloudTrail tells whole seconds.
fn whole_seconds(time: TimestampNs) -> String {
    let text = time.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

fn put_all(value: &mut Value, members: Vec<(String, String)>) {
    for (path, text) in members {
        // A value stands between double quotes, so JSON inside it is written with single ones.
        let parsed = serde_json::from_str(&text.replace('\'', "\""));
        put(value, &path, parsed.unwrap_or(Value::String(text)));
    }
}

/// Sets the member at the end of a dotted path; a slash at the start keeps the dots of a name:
/// `record./annotations/authorization.k8s.io~1reason`, as in a JSON pointer.
fn put(value: &mut Value, path: &str, new: Value) {
    let names: Vec<String> = match path.strip_prefix('/') {
        Some(pointer) => {
            pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
        }
        None => path.split('.').map(str::to_owned).collect(),
    };
    let mut at = value;
    for name in names {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = match at {
            Value::Object(members) => members.entry(name).or_insert(Value::Null),
            _ => return,
        };
    }
    *at = new;
}

fn set(value: &mut Value, member: &str, new: Value) {
    if let Value::Object(members) = value {
        members.insert(member.to_owned(), new);
    }
}

#[cfg(test)]
mod tests {
    use super::super::events;

    fn record(line: &str) -> serde_json::Value {
        let events = events(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let call = events.last().and_then(|event| event.api_call()).unwrap();
        serde_json::from_slice(call.record.as_bytes()).unwrap()
    }

    #[test]
    fn a_call_to_aws_is_told_as_cloudtrail_tells_it() {
        let record = record(
            "aws CreateUser service=iam by=role/web/i-0abc from=203.0.113.9 request.userName=eve \
             user.sessionContext.ec2RoleDelivery=\"'2.0'\"",
        );
        assert_eq!(record["eventSource"], "iam.amazonaws.com");
        assert_eq!(record["eventTime"], "2026-01-01T00:00:00Z");
        assert_eq!(record["requestParameters"]["userName"], "eve");
        assert_eq!(record["userIdentity"]["sessionContext"]["ec2RoleDelivery"], "2.0");
        assert_eq!(record["userIdentity"]["accessKeyId"], "ASIAWEBI0ABC");
        assert_eq!(record["responseElements"], serde_json::Value::Null);
    }

    #[test]
    fn a_call_to_kubernetes_is_told_as_its_audit_log_tells_it() {
        let record = record(
            "kubernetes create resource=pods namespace=default name=x code=201 \
             object.spec.containers=\"[{'name':'a','securityContext':{'privileged':true}}]\" \
             record./annotations/a.b~1c=d",
        );
        let container = &record["requestObject"]["spec"]["containers"][0];
        assert_eq!(container["securityContext"]["privileged"], true);
        assert_eq!(record["objectRef"]["namespace"], "default");
        assert_eq!(record["annotations"]["a.b/c"], "d");
    }

    #[test]
    fn time_passes_as_the_lines_say() {
        let events =
            events("aws A service=iam\naws B service=iam after=90\n{\"x\":1}").unwrap_err();
        assert_eq!(events.line, 3);
        let events = super::super::events("aws A service=iam\naws B service=iam after=90").unwrap();
        let [.., first, second] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(second.time.since(first.time).as_secs(), 90);
        assert_ne!(first.id, second.id);
    }

    #[test]
    fn a_mistake_is_told() {
        let check = |line: &str, reason: &str| {
            let error = events(line).unwrap_err();
            assert!(error.reason.starts_with(reason), "{line}: {}", error.reason);
        };
        check("aws service=iam", "`aws` needs the name of an action behind it");
        check("aws X", "`aws` needs `service=`");
        check("aws X service=iam color=red", "`aws` does not take `color=`");
        check("kubernetes get", "`kubernetes` needs `resource=`");
        check("{\"x\":1}", "the record cannot be read: ");
    }
}
