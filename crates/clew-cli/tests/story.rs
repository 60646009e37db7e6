//! `clew story list` and `show`: of audit logs, of what a replay printed, and of a state.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

use std::path::Path;
use std::process::{Command, Output};

use clew_event::Story;
use serde_json::Value;

/// Two accounts whose keys were found in public.
const LOG: &str = r#"{"Records":[
{"eventID":"1","eventVersion":"1.08","eventSource":"iam.amazonaws.com","eventName":"AttachUserPolicy","eventTime":"2024-01-01T00:00:01Z","recipientAccountId":"111122223333","sourceIPAddress":"192.0.2.1","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/ann","accessKeyId":"AKIA1"},"requestParameters":{"userName":"ann","policyArn":"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2"}},
{"eventID":"2","eventVersion":"1.08","eventSource":"iam.amazonaws.com","eventName":"AttachUserPolicy","eventTime":"2024-01-01T09:00:05Z","recipientAccountId":"444455556666","sourceIPAddress":"198.51.100.1","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::444455556666:user/bob","accessKeyId":"AKIA2"},"requestParameters":{"userName":"bob","policyArn":"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2"}}]}"#;

fn clew(folder: &Path, arguments: &[&str]) -> Output {
    std::fs::write(folder.join("log.json"), LOG).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clew"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Ids that `clew story list` prints.
fn listed(folder: &Path, from: &[&str]) -> Vec<String> {
    let output = clew(folder, &[&["story", "list", "--json"], from].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_same_stories_are_listed_of_a_log_of_its_replay_and_of_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let of_log = listed(folder, &["log.json"]);
    assert_eq!(of_log.len(), 2);
    let replayed = clew(folder, &["replay", "--json", "log.json"]).stdout;
    std::fs::write(folder.join("told.jsonl"), &replayed).unwrap();
    assert_eq!(listed(folder, &["told.jsonl"]), of_log);

    let mut store = clew_store::Store::open(&folder.join("state")).unwrap();
    for line in text(&replayed).lines().filter(|it| it.starts_with("{\"type\":\"story\"")) {
        store.put_story(&serde_json::from_str::<Story>(line).unwrap()).unwrap();
    }
    assert_eq!(listed(folder, &["--state", "state"]), of_log);
    let show = |from: &[&str]| clew(folder, &[&["story", "show", &of_log[0]], from].concat());
    assert_eq!(show(&["--state", "state"]).stdout, show(&["log.json"]).stdout);
    let output = clew(folder, &["story", "list", "log.json"]);
    assert!(text(&output.stdout).starts_with(&of_log[0]), "{}", text(&output.stdout));
}

#[test]
fn one_story_is_shown_in_each_form() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let id = &listed(folder, &["log.json"])[0];
    let show = |format: &str| {
        let output = clew(folder, &["story", "show", &id[..8], "log.json", "--format", format]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(show("text").contains("\nWhere it began\n"));
    assert!(show("markdown").contains("\n## What to do now\n"));
    let json = |format: &str| serde_json::from_str::<Value>(&show(format)).unwrap();
    assert_eq!(json("json")["id"], id.as_str());
    assert_eq!(json("attack-flow")["type"], "bundle");
    let ocsf = json("ocsf");
    assert_eq!((&ocsf["class_uid"], &ocsf["metadata"]["version"]), (&2005.into(), &"1.8.0".into()));
}

#[test]
fn what_is_not_there_or_not_clear_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let check = |arguments: &[&str], code: i32, said: &str| {
        let output = clew(folder, &[&["story"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    };
    check(&["show", "zz", "log.json"], 1, "there is no story `zz`");
    check(&["show", "s-", "log.json"], 2, "`s-` begins the ids of 2 stories");
    check(&["list", "absent.json"], 2, "absent.json");
    check(&["list", "--state", "absent"], 2, "cannot read the state in `absent`");
    check(&["list"], 2, "--state");
    let cut = "{\"type\":\"story\",\"id\":";
    std::fs::write(folder.join("cut.jsonl"), cut).unwrap();
    check(&["list", "cut.jsonl"], 2, "`cut.jsonl`, line 1");
    let told = text(&clew(folder, &["replay", "--json", "log.json"]).stdout);
    std::fs::write(folder.join("going.jsonl"), told.clone() + cut).unwrap();
    check(&["list", "going.jsonl"], 0, &format!("line {}", told.lines().count() + 1));
    assert_eq!(listed(folder, &["going.jsonl"]), listed(folder, &["log.json"]));
}
