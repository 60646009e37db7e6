//! `clew identity show` on files of audit logs.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::process::{Command, Output};

use serde_json::Value;

const LOG: &str = r#"{"Records":[
{"eventID":"1","eventVersion":"1.08","eventSource":"sts.amazonaws.com","eventName":"AssumeRole","eventTime":"2024-01-01T00:00:01Z","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/ann","accessKeyId":"AKIA1"},"responseElements":{"credentials":{"accessKeyId":"ASIA2","expiration":"Jan 1, 2024, 1:00:00 AM"},"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/r/s"}}},
{"eventID":"2","eventVersion":"1.08","eventSource":"s3.amazonaws.com","eventName":"ListBuckets","eventTime":"2024-01-01T00:00:05Z","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/r/s","accessKeyId":"ASIA2"}}]}"#;

fn show(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.json"), LOG).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clew"));
    command.current_dir(folder.path()).args(["identity", "show"]).args(arguments).output().unwrap()
}

#[test]
fn a_session_is_shown_with_the_key_it_was_opened_with_and_the_evidence() {
    let output = show(&["--json", "ASIA2", "log.json"]);
    assert_eq!(output.status.code(), Some(0));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["root"]["name"], "arn:aws:iam::111122223333:user/ann");
    let ancestors = shown["ancestors"].as_array().unwrap();
    let minted = ancestors.iter().find(|link| link["relation"] == "minted by").unwrap();
    assert_eq!((&minted["parent"]["name"], &minted["class"]), (&"AKIA1".into(), &"causal".into()));
    assert_eq!(minted["first"]["time"], "2024-01-01T00:00:01.000000000Z");
    assert!(minted["first"]["event"].as_str().unwrap().starts_with("e-"));

    let output = show(&["AKIA1", "log.json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("credential AKIA1\nroot: user arn"), "{text}");
    assert!(text.contains("  credential ASIA2 (minted by credential AKIA1)\n"), "{text}");
}

#[test]
fn what_a_run_knew_is_shown_from_its_state_and_further_files_add_to_it() {
    let mut engine = clew_engine::Engine::new(
        clew_rules::load(&[], &clew_rules::Options::default()).rules,
        clew_engine::Settings::default(),
    );
    for event in clew_decode::api_log::Records::new("log.json", LOG.as_bytes()) {
        engine.step(&event.unwrap(), &mut clew_engine::Output::default());
    }
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    assert_eq!(show(&["AKIA1", "--state", state]).status.code(), Some(2), "there is none yet");
    let mut store = clew_store::Store::open(folder.path()).unwrap();
    let output = show(&["AKIA1", "--state", state]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("has written no state"), "{message}");
    // The one that runs holds its store open.
    store.save_snapshot(&engine.snapshot().unwrap()).unwrap();
    let output = show(&["AKIA1", "--state", state]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("credential AKIA1\nroot: user "), "{text}");
    assert_eq!(show(&["AKIA9", "--state", state]).status.code(), Some(1));
    assert_eq!(show(&["AKIA1", "--state", state, "log.json"]).status.code(), Some(0));
}

#[test]
fn an_identity_that_no_record_tells_of_is_no_answer() {
    let output = show(&["AKIA9", "log.json"]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("no record tells of `AKIA9`"), "{message}");
    assert_eq!(show(&["AKIA1", "absent.json"]).status.code(), Some(2));
}
