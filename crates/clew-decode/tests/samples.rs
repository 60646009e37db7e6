//! Recorded logs of real systems: every record is read, and what it hands out is told.
//!
//! The logs are in the shared data, looked for under `$CLEW_SHARED` or in `shared/` beside the
//! repository; where they are absent, the tests say so and prove nothing.
#![allow(clippy::print_stderr, reason = "what was proved and what was not is for people")]
#![allow(clippy::unwrap_used, reason = "a test that finds its data out of shape must fail")]
#![allow(clippy::disallowed_methods, reason = "a test is told by the environment where data lies")]

use std::fs;
use std::path::{Path, PathBuf};

use clew_decode::api_log::{self, Decoded};
use clew_event::control_plane::{ApiSource, Claim, MintedKind};

fn shared(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("CLEW_SHARED").map_or(beside, PathBuf::from);
    let path = root.join("data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is absent, so nothing was proved", path.display());
    None
}

fn folder(name: &str, ends: &str) -> Option<Decoded> {
    let mut all = Decoded::default();
    let mut files: Vec<_> =
        fs::read_dir(shared(name)?).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(ends));
    files.sort();
    for file in files {
        let decoded = api_log::decode(&file.to_string_lossy(), &fs::read(&file).unwrap());
        all.events.extend(decoded.events);
        all.complaints.extend(decoded.complaints);
    }
    Some(all)
}

/// Events, those of `source`, complaints, and what was minted: sessions, keys, tokens, the rest.
fn counts(all: &Decoded, source: ApiSource) -> [usize; 7] {
    let calls = || all.events.iter().filter_map(|event| event.api_call());
    let minted = |wanted: &[MintedKind]| {
        let claims = calls().flat_map(|call| &call.claims);
        claims.filter(|it| matches!(it, Claim::Minted(it) if wanted.contains(&it.kind))).count()
    };
    [
        all.events.len(),
        calls().filter(|call| call.source == source).count(),
        all.complaints.len(),
        minted(&[MintedKind::Session]),
        minted(&[MintedKind::AccessKey]),
        minted(&[MintedKind::Token]),
        minted(&[
            MintedKind::User,
            MintedKind::Role,
            MintedKind::Login,
            MintedKind::ConsoleSession,
        ]),
    ]
}

#[test]
fn every_record_of_recorded_cloudtrail_is_read() {
    let check = |name: &str, ends: &str, expected: [usize; 7]| {
        let Some(all) = folder(name, ends) else { return };
        assert_eq!(
            counts(&all, ApiSource::Cloudtrail),
            expected,
            "{name} {:?}",
            all.complaints.first()
        );
    };
    check("stratus-red-team", ".json", [159, 159, 0, 4, 1, 0, 1]);
    check("invictus-aws", ".json", [1448, 1448, 0, 14, 0, 0, 7]);
    check("app-layer/cloud-chain", ".jsonl", [74, 74, 0, 0, 0, 0, 3]);
}

#[test]
fn every_record_of_a_recorded_cluster_is_read() {
    let check = |ends: &str, expected: [usize; 7]| {
        let Some(all) = folder("k8s-audit-1.36", ends) else { return };
        assert_eq!(
            counts(&all, ApiSource::KubernetesAudit),
            expected,
            "{:?}",
            all.complaints.first()
        );
    };
    check("webhook-bodies.jsonl", [1168, 1168, 0, 0, 0, 0, 0]);
    check("attack-events.jsonl", [23, 23, 0, 0, 0, 1, 0]);
}

/// Records of rule tests are trimmed by hand. Those that are not known have their names in lower
/// case, as a data lake wrote them, or are nothing but the name of a method.
#[test]
fn records_of_rule_tests_are_known_but_for_trimmed_ones() {
    let mut wrong = Vec::new();
    let mut check = |name: &str, source: ApiSource, known: usize, unknown: usize| {
        let Some(file) = shared(&format!("panther-tests/{name}_rules.jsonl")) else { return };
        let text = fs::read_to_string(file).unwrap();
        let lines =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let (mut found, mut refused) = (0, Vec::new());
        for line in lines {
            let record = line["event"].to_string();
            let decoded = api_log::decode("f", record.as_bytes());
            let sources = decoded.events.iter().filter_map(|event| event.api_call());
            found += sources.filter(|call| call.source == source).count();
            refused
                .extend(decoded.complaints.into_iter().map(|it| format!("{} {record}", it.code)));
        }
        if (found, refused.len()) != (known, unknown) {
            wrong.push(format!("{name}: {found} {} {refused:#?}", refused.len()));
        }
    };
    check("aws_cloudtrail", ApiSource::Cloudtrail, 283, 5);
    check("gcp_audit", ApiSource::GcpAudit, 77, 10);
    check("gcp_k8s", ApiSource::GcpAudit, 14, 2);
    check("azure_activity", ApiSource::AzureActivity, 123, 0);
    check("azure_signin", ApiSource::EntraSignIn, 14, 0);
    check("aws_eks", ApiSource::KubernetesAudit, 8, 0);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
