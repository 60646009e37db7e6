//! `clew profile` on files of CloudTrail records.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Three hours in which a role lists buckets every ten minutes, and twice from elsewhere.
fn log() -> String {
    let record = |minute: usize, call: &str| {
        json!({
            "eventVersion": "1.08",
            "eventTime": format!("2026-11-25T{:02}:{:02}:00Z", 10 + minute / 60, minute % 60),
            "eventSource": "s3.amazonaws.com",
            "eventName": call,
            "awsRegion": "eu-west-1",
            "sourceIPAddress": "198.51.100.7",
            "userAgent": "aws-sdk-go",
            "eventID": format!("00000000-0000-0000-0000-{minute:012}"),
            "eventType": "AwsApiCall",
            "recipientAccountId": "111122223333",
            "userIdentity": {
                "type": "IAMUser",
                "principalId": "AIDAEXAMPLE",
                "arn": "arn:aws:iam::111122223333:user/backup",
                "accountId": "111122223333",
                "accessKeyId": "AKIAEXAMPLE00000000",
                "userName": "backup",
            },
        })
    };
    let records: Vec<Value> = (0..18)
        .map(|unit| record(unit * 10, "ListBuckets"))
        .chain([record(179, "GetObject")])
        .collect();
    json!({ "Records": records }).to_string()
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clew"));
    command.current_dir(folder).arg("profile").args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("trail.json"), log()).unwrap();
    folder
}

const WORKLOAD: &str = "arn:aws:iam::111122223333:user/backup";

#[test]
fn what_an_identity_does_is_listed_shown_and_said_in_words() {
    let folder = folder();
    let listed = lines(&run(folder.path(), &["list", "--json", "trail.json"]));
    assert_eq!(listed[0]["workload"], WORKLOAD);
    assert_eq!(listed[0]["units"], 18);
    let shown = run(folder.path(), &["show", "--json", "trail.json"]);
    let whats: Vec<_> = lines(&shown).iter().map(|line| line["what"].clone()).collect();
    assert_eq!(
        whats,
        ["s3.amazonaws.com GetObject", "s3.amazonaws.com ListBuckets", "198.51.100.0/24"]
    );
    let progress = lines(&run(folder.path(), &["progress", "--json", "trail.json"]));
    let calls = progress.iter().find(|line| line["class"] == "cloud_api").unwrap();
    assert_eq!(calls["unseen"], 1.0 / 18.0);
    assert!(calls["words"].as_str().unwrap().contains("one new behavior per"));
}

#[test]
fn a_profile_is_exported_imported_and_waived() {
    let folder = folder();
    let exported = run(folder.path(), &["export", "trail.json"]);
    std::fs::write(folder.path().join("profile.json"), &exported.stdout).unwrap();
    let imported = run(folder.path(), &["import", "profile.json", "--state", "state"]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let listed = lines(&run(folder.path(), &["list", "--json", "--state", "state"]));
    assert_eq!(listed[0]["units"], 18);
    let half = exported.stdout.get(..exported.stdout.len() / 2).unwrap();
    std::fs::write(folder.path().join("cut.json"), half).unwrap();
    let refused = run(folder.path(), &["import", "cut.json", "--state", "state"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cut or was edited"));
    let same = lines(&run(folder.path(), &["list", "--json", "--state", "state"]));
    assert_eq!(same, listed, "the last good is kept");
    let waive = |reason: &str| {
        let key = format!("cloud_api\t{WORKLOAD}\t\ts3.amazonaws.com\tDeleteBucket");
        let waive = ["waive", WORKLOAD, &key, "--until", "2027-01-01T00:00:00Z"];
        run(folder.path(), &[&waive[..], &["--state", "state", "--reason", reason]].concat())
    };
    assert!(waive("the old buckets go in December").status.success());
    assert!(!waive(" ").status.success());
}

#[test]
fn a_profile_of_kubescape_is_imported_and_one_that_is_cut_is_not() {
    let folder = folder();
    let mut document = json!({
        "apiVersion": "spdx.softwarecomposition.kubescape.io/v1beta1",
        "kind": "ApplicationProfile",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "web", "execs": [{"path": "/bin/date"}]}]},
    });
    let import = |document: &Value| {
        std::fs::write(folder.path().join("web.json"), document.to_string()).unwrap();
        run(folder.path(), &["import", "web.json", "--state", "state"])
    };
    assert!(import(&document).status.success());
    document["spec"] = Value::Null;
    let refused = import(&document);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no `spec.containers`"));
}
