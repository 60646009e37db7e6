//! What the fields of records say, log by log.

use clew_event::control_plane::{ApiCall, ApiSource};
use clew_event::field::FIELDS;
use clew_event::json::Json;
use clew_event::{
    Event, EventId, EventKind, EventType, FieldArgument, FieldSource, FieldValue, Scalar,
    TimestampNs,
};
use proptest::prelude::*;

use crate::Context;

fn event(source: ApiSource, record: &str) -> Event {
    let call = ApiCall { source, record: record.into(), ..ApiCall::default() };
    Event {
        id: EventId(1),
        time: TimestampNs::from_unix_ns(7),
        arrived: TimestampNs::from_unix_ns(7),
        event_type: EventType::PluginEvent,
        actor: None,
        kind: EventKind::CloudApi(Box::new(call)),
    }
}

fn shown(value: &FieldValue<'_>) -> String {
    let text = |scalar: &Scalar<'_>| match scalar {
        Scalar::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    };
    match value {
        FieldValue::Missing => "-".into(),
        FieldValue::One(value) => text(value),
        FieldValue::Many(values) => {
            format!("({})", values.iter().map(text).collect::<Vec<_>>().join(" | "))
        }
    }
}

/// Checks lines of `field = value` or `field[argument] = value` against a record.
fn check(source: ApiSource, record: &str, lines: &str) {
    let (context, event) = (Context::default(), event(source, record));
    let view = context.view(&event);
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (field, expected) = line.split_once(" = ").unwrap();
        let (name, argument) = match field.split_once('[') {
            Some((name, argument)) => (name, argument.strip_suffix(']').unwrap()),
            None => (field, ""),
        };
        let argument = match argument.parse() {
            Ok(index) => FieldArgument::Index(index),
            Err(_) if argument.is_empty() => FieldArgument::None,
            Err(_) => FieldArgument::Key(argument.into()),
        };
        let spec = FIELDS.iter().find(|spec| spec.name == name).unwrap();
        assert_eq!(shown(&view.field(spec.id, &argument)), expected, "{field}");
    }
}

#[test]
fn pods_tell_of_each_of_their_containers() {
    let record = r#"{"requestObject":{"spec":{"hostPID":true,"securityContext":{"runAsUser":7},
        "containers":[
            {"name":"a","image":"reg:5000/x/a:1","command":["sh","-c"],"ports":[{"containerPort":80},{"hostPort":8080}],
             "securityContext":{"privileged":true,"runAsUser":0,"capabilities":{"add":["SYS_ADMIN","NET_RAW"]}}},
            {"name":"b","image":"b@sha256:0","args":["x y"]}],
        "volumes":[{"name":"v","hostPath":{"path":"/etc/kubernetes"}},{"name":"w","emptyDir":{}}]}}}"#;
    check(
        ApiSource::KubernetesAudit,
        record,
        "ka.req.pod.containers.name = (a | b)
        ka.req.pod.containers.name[1] = (b)
        ka.req.pod.containers.name[2] = -
        ka.req.pod.containers.image.repository = (reg:5000/x/a | b)
        ka.req.container.image = reg:5000/x/a:1
        ka.req.pod.containers.command = (sh -c)
        ka.req.pod.containers.args = (x y)
        ka.req.pod.containers.host_port = (80 | 8080)
        ka.req.pod.containers.privileged = (true)
        ka.req.pod.containers.privileged[1] = -
        ka.req.container.privileged = true
        ka.req.pod.containers.run_as_user = (0)
        ka.req.pod.containers.eff_run_as_user = (0 | 7)
        ka.req.pod.containers.eff_run_as_group = (0 | 0)
        ka.req.pod.containers.add_capabilities = (SYS_ADMIN | NET_RAW)
        ka.req.pod.initContainers.image = -
        ka.req.pod.host_pid = true
        ka.req.pod.run_as_user = 7
        ka.req.pod.volumes.hostpath = (/etc/kubernetes)
        ka.req.pod.volumes.volume_type = (hostPath | emptyDir)
        ka.req.volume.hostpath[/etc*] = true
        ka.req.volume.hostpath[/etc] = false",
    );
}

#[test]
fn kubernetes_records_tell_who_asked_for_what() {
    let record = r#"{"requestURI":"/api/v1/pods/p/exec?container=c&command=ls+-l&bad=%zz&command=x#f",
        "user":{"username":"ann","groups":["g","h"]},"sourceIPs":["10.0.0.1","10.0.0.2"],
        "annotations":{"authorization.k8s.io/decision":"allow"},"responseStatus":{"code":201},
        "objectRef":{"resource":"pods","name":"p"},"responseObject":{"metadata":{"name":"p"}},
        "requestObject":{"data":{"k": "v w"},"roleRef":{"name":"admin"},"rules":[{"verbs":["get"]},{"verbs":["*","list"]}],
        "subjects":[{"kind":"User","name":"u"},{"kind":"ServiceAccount","name":"s","namespace":"n"}]}}"#;
    check(
        ApiSource::KubernetesAudit,
        record,
        r#"ka.uri.param[command] = ls -l
        ka.uri.param[bad] = %zz
        ka.uri.param[absent] = -
        ka.user.groups = (g | h)
        ka.sourceips = (10.0.0.1 | 10.0.0.2)
        ka.auth.decision = allow
        ka.response.code = 201
        ka.target.pod.name = p
        ka.target.subresource = -
        ka.req.configmap.obj = {"k":"v w"}
        ka.req.role.rules.verbs = (get | * | list)
        ka.req.role.rules.verbs[1] = (* | list)
        ka.req.binding.role = admin
        ka.req.binding.subjects.user_names = (u)
        ka.req.binding.subjects.group_names = -
        ka.req.binding.subjects.serviceaccount_ns_names = (n:s)
        jevt.value[/annotations/authorization.k8s.io~1decision] = allow
        json.value[/requestObject/rules/1/verbs/0] = *
        json.value[user/username] = ann
        json.value[/absent] = -
        jevt.rawtime = 7
        ct.name = -"#,
    );
}

#[test]
fn cloudtrail_tells_who_called() {
    let check_user = |identity: &str, user: &str, original: &str| {
        let record = format!(r#"{{"userIdentity":{identity}}}"#);
        let lines = format!("ct.user = {user}\nct.originaluser = {original}");
        check(ApiSource::Cloudtrail, &record, &lines);
    };
    check_user(r#"{"type":"IAMUser","userName":"ann"}"#, "ann", "ann");
    check_user(r#"{"type":"Root"}"#, "-", "-");
    check_user(
        r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#,
        "ec2.amazonaws.com",
        "-",
    );
    check_user(r#"{"type":"AWSAccount"}"#, "AWSAccount", "-");
    check_user(r#"{"type":"new"}"#, "-", "-");
    let role = r#"{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/r/s","sessionContext":{"sessionIssuer":{"userName":"r"}}}"#;
    check_user(role, "r", "s");
    check_user(r#"{"type":"AssumedRole","principalId":"AROA:s"}"#, "AssumedRole", "s");
}

#[test]
fn cloudtrail_tells_of_objects_and_instances() {
    let record = r#"{"eventName":"GetObject","eventSource":"s3.amazonaws.com","sourceIPAddress":"192.0.2.1",
        "userIdentity":{"type":"IAMUser","userName":"ann"},"readOnly":false,"errorCode":"AccessDenied",
        "additionalEventData":{"bytesTransferredIn":1,"bytesTransferredOut":33.0},
        "requestParameters":{"bucketName":"b","key":"k","imageId":"ami-0"},"responseElements":null}"#;
    check(
        ApiSource::Cloudtrail,
        record,
        "ct.shortsrc = s3
        ct.error = AccessDenied
        ct.errormessage = -
        ct.readonly = false
        ct.response = null
        s3.uri = s3://b/k
        s3.bytes = Unsigned(34)
        s3.bytes.out = Unsigned(33)
        s3.cnt.get = Unsigned(1)
        s3.cnt.other = -
        ec2.imageid = ami-0
        ec2.imageids[1] = -
        ct.info = ann via 192.0.2.1 !→ GetObject Size=34 URI=s3://b/k
        evt.plugininfo = ann via 192.0.2.1 !→ GetObject Size=34 URI=s3://b/k
        evt.source = aws_cloudtrail
        evt.hostname = -",
    );
    let record = r#"{"responseElements":{"instancesSet":{"items":[{"imageId":"ami-1"},{"imageId":"ami-2"}]}},
        "resources":[{"ARN": "a"},{"ARN":"b"}],"requestParameters":{"tagSpecificationSet":{"items":[
        {"resourceType":"volume","tags":[{"key":"Name","value":"v"}]},
        {"resourceType":"instance","tags":[{"key":"Name","value":"web"}]}]}}}"#;
    check(
        ApiSource::Cloudtrail,
        record,
        r#"ec2.imageids = (ami-1 | ami-2)
        ec2.imageids[1] = (ami-2)
        ec2.imageid = ami-1
        ec2.name = web
        ct.resources = {"ARN":"a"},{"ARN":"b"}"#,
    );
}

#[test]
fn google_tells_changes_of_access_and_places() {
    let record = r#"{"resource":{"type":"gcs_bucket","labels":{"zone":"us-central1-a","bucket_name":"b"}},
        "protoPayload":{"serviceData":{"policyDelta":{"bindingDeltas":[{"action": "ADD","member":"allUsers"}]}}}}"#;
    check(
        ApiSource::GcpAudit,
        record,
        r#"gcp.policyDelta = [{"action":"ADD","member":"allUsers"}]
        gcp.location = us-central1
        gcp.storage.bucket = b
        gcp.logging.sink = -
        gcp.user = -
        gcp.resourceLabels = {"zone":"us-central1-a","bucket_name":"b"}"#,
    );
}

#[test]
fn github_tells_what_its_receiver_found() {
    let record = r#"{"webhook_type":"push","repository":{"html_url":"https://github.com/o/r","private":true},
        "head_commit":{"id":"c"},"hook":{"id":5},"commits":[{"added":["x","y"]},{"added":["z"],"removed":[]}],
        "files":[{"name":"a","matches":[{"desc":"key","line":3}]},{"name":"b","matches":[{"desc":"token","line":1}]}]}"#;
    check(
        ApiSource::Github,
        record,
        "github.repo.name = o/r
        github.repo.public = false
        github.webhook.id = 5
        github.commit.added = x,y,z
        github.diff.has_secrets = true
        github.diff.committed_secrets.desc = key,token
        github.diff.committed_secrets.lines = 3,1
        github.diff.committed_secrets.links = https://github.com/o/r/blob/c/a/#L3,https://github.com/o/r/blob/c/b/#L1
        github.workflow.has_miners = -",
    );
}

#[test]
fn okta_tells_targets_and_counts_only_refusals() {
    let record = r#"{"eventType":"user.session.start","debugContext":{"debugData":{"requestUri":"/app/mail/1"}},
        "securityContext":{"asNumber":64500},"client":{"geographicalContext":{"geolocation":{"lat":1.5}}},
        "target":[{"type":"User","id":"1","displayName":"Ann"},{"type":"AppInstance","alternateId":"Mail","displayName":"M"}]}"#;
    check(
        ApiSource::Okta,
        record,
        "okta.app = mail
        okta.client.geo.lat = 1.5
        okta.security.asnumber = Unsigned(64500)
        okta.target.user.name = Ann
        okta.target.group.id = -
        okta.target.app.alternateid = Mail
        okta.targets.displayName = (Ann,M)
        okta.targets.displayName[1] = M
        okta.mfa.failure.countlast[300] = -",
    );
    check(ApiSource::Okta, "{}", "okta.security.asnumber = Unsigned(0)");
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-c~/\"\\\\]{0,3}", inner, 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn equal(ours: clew_event::json::Value<'_, '_>, theirs: &serde_json::Value) -> bool {
    use serde_json::Value as V;
    match theirs {
        V::String(text) => ours.string().is_some_and(|ours| *ours == *text.as_bytes()),
        V::Array(items) => {
            ours.items().count() == items.len()
                && ours.items().zip(items).all(|(ours, theirs)| equal(ours, theirs))
        }
        V::Object(members) => {
            ours.members().count() == members.len()
                && members
                    .iter()
                    .all(|(name, value)| ours.get(name).is_some_and(|ours| equal(ours, value)))
        }
        V::Null | V::Bool(_) | V::Number(_) => *ours.raw() == *theirs.to_string().as_bytes(),
    }
}

proptest! {
    #[test]
    fn records_are_read_as_another_reader_reads_them(value in any_json(), is_pretty: bool) {
        let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        let json = Json::parse(text.as_bytes()).unwrap();
        prop_assert!(equal(json.root(), &value), "{text}");
        prop_assert_eq!(json.root().indented(), serde_json::to_vec_pretty(&value).unwrap());
    }

    #[test]
    fn what_another_reader_takes_for_json_is_read(text in r#"[\[\]{}",:\\un0-9a.eE+ -]{0,30}"#) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        let ours = Json::parse(text.as_bytes()).is_ok();
        prop_assert!(ours || !theirs, "{text}");
    }

    #[test]
    fn any_record_can_be_asked_for_any_field(
        value in any_json(),
        names in prop::collection::vec(
            prop::sample::select(vec!["requestObject", "spec", "containers", "rules", "sourceIPs",
                "userIdentity", "target", "files", "commits", "resource", "labels", "volumes"]),
            1..4),
        source in prop::sample::select(ApiSource::ALL.to_vec()),
    ) {
        let record = names.iter().fold(value, |inner, name| serde_json::json!({ *name: inner }));
        let (context, event) = (Context::default(), event(source, &record.to_string()));
        let view = context.view(&event);
        for spec in FIELDS {
            for argument in [FieldArgument::None, FieldArgument::Index(1), FieldArgument::Key("a/*".into())] {
                let value = view.field(spec.id, &argument);
                prop_assert_ne!(value, FieldValue::Many(Vec::new()), "{}", spec.name);
            }
        }
    }
}
