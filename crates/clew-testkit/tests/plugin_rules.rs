//! Falco's rules for audit logs over records whose verdicts are known.
//!
//! The rules, and the records with their labels (Falco's own regression tests), are in the shared
//! data, whose README files say where they come from. They are looked for under `$CLEW_SHARED`, or
//! in `shared/` beside the repository; where they are absent, the tests say so and prove nothing.
#![allow(clippy::print_stderr, reason = "what was proved and what was not is for people")]
#![allow(clippy::indexing_slicing, reason = "a test that finds its data out of shape must fail")]

mod plugin_rules_cases;

use std::collections::BTreeMap;
use std::fs;

use plugin_rules_cases::{Outcome, found, kubernetes_cases, load_rules, rule_file, shared};
use serde_json::Value;

const KUBERNETES_RULES: &str = "k8saudit/k8s_audit_rules.yaml";
const CLOUDTRAIL_RULES: &str = "cloudtrail/aws_cloudtrail_rules.yaml";
const GITHUB_RULES: &str = "github/github.yaml";
const OKTA_RULES: &str = "okta/okta_rules.yaml";

#[test]
fn every_rule_of_the_plugin_files_runs() -> Outcome<()> {
    let Some(data) = shared("falco-rules/plugins") else { return Ok(()) };
    let files =
        [(KUBERNETES_RULES, 48), (CLOUDTRAIL_RULES, 22), (GITHUB_RULES, 15), (OKTA_RULES, 21)];
    for (name, count) in files {
        let loaded = load_rules(vec![rule_file(&data, name)?], true);
        assert!(loaded.not_runnable.is_empty(), "{name}: {:#?}", loaded.not_runnable);
        assert_eq!(loaded.rules.len(), count, "{name}: {:#?}", loaded.diagnostics);
        eprintln!("{count:>4} rules of {name}");
    }
    Ok(())
}

#[test]
fn kubernetes_cases_have_the_verdicts_of_their_labels() -> Outcome<()> {
    let Some(data) = shared("falco-k8saudit") else { return Ok(()) };
    let (mut right, mut absent, mut wrong) = (0, Vec::new(), Vec::new());
    for case in kubernetes_cases(&data)? {
        let Ok(records) = fs::read(data.join("falco-k8saudit").join(&case.trace)) else {
            absent.push(case.name);
            continue;
        };
        let mut rules = load_rules(case.rules(&data)?, false).rules;
        let found = found(&mut rules, &case.trace, &records);
        let is_right = match &case.expected {
            Some((rule, count)) => found.get(rule.as_str()) == Some(count),
            None => found.is_empty(),
        };
        if is_right {
            right += 1;
        } else {
            wrong.push(format!("{}: {:?} was expected, {found:?} came", case.name, case.expected));
        }
    }
    let judged = right + wrong.len();
    eprintln!(
        "{right} of {judged} cases right; {} cases have no records: {absent:?}",
        absent.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(38 <= judged, "only {judged} cases were judged");
    Ok(())
}

/// Rules that ask for nothing but a name of the call and that no error came, with the name.
const CALLS: [(&str, &str); 14] = [
    ("Create AWS user", "CreateUser"),
    ("Create Group", "CreateGroup"),
    ("Delete Group", "DeleteGroup"),
    ("Create Lambda Function", "CreateFunction20150331"),
    ("Update Lambda Function Code", "UpdateFunctionCode20150331v2"),
    ("Update Lambda Function Configuration", "UpdateFunctionConfiguration20150331v2"),
    ("Run Instances", "RunInstances"),
    ("Run Instances in Non-approved Region", "RunInstances"),
    ("Delete Bucket Encryption", "DeleteBucketEncryption"),
    ("List Buckets", "ListBuckets"),
    ("Put Bucket ACL", "PutBucketAcl"),
    ("Put Bucket Policy", "PutBucketPolicy"),
    ("CloudTrail Trail Created", "CreateTrail"),
    ("CloudTrail Logging Disabled", "StopLogging"),
];

/// How often each call of [`CALLS`] stands in a file without an error, counted by another reader.
fn counted(text: &[u8]) -> Outcome<BTreeMap<String, usize>> {
    let value: Value = serde_json::from_slice(text)?;
    let records = value.get("Records").unwrap_or(&value).as_array().ok_or("no array")?.clone();
    let mut counts = BTreeMap::new();
    for record in records.iter().filter(|record| record.get("errorCode").is_none()) {
        for (rule, call) in CALLS {
            if record["eventName"] == call {
                *counts.entry(rule.to_owned()).or_default() += 1;
            }
        }
    }
    Ok(counts)
}

#[test]
fn cloudtrail_rules_find_what_another_reader_counts() -> Outcome<()> {
    let Some(data) = shared("falco-rules/plugins") else { return Ok(()) };
    let mut rules = load_rules(vec![rule_file(&data, CLOUDTRAIL_RULES)?], true).rules;
    let (mut file_count, mut finding_count) = (0, 0);
    for folder in ["falco-cloudtrail", "stratus-red-team", "invictus-aws"] {
        let Some(data) = shared(folder) else { continue };
        for entry in fs::read_dir(data.join(folder))? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = fs::read(&path)?;
            let mut found = found(&mut rules, &path.display().to_string(), &text);
            found.retain(|name, _| CALLS.iter().any(|(rule, _)| rule == name));
            assert_eq!(found, counted(&text)?, "{}", path.display());
            file_count += 1;
            finding_count += found.values().sum::<usize>();
        }
    }
    eprintln!("{finding_count} findings in {file_count} files of CloudTrail, all as counted");
    assert!(file_count == 0 || 2 <= file_count);
    Ok(())
}

#[test]
fn both_records_of_cloudtrail_are_read_whole() -> Outcome<()> {
    let (Some(data), Some(_)) = (shared("falco-cloudtrail"), shared("falco-rules/plugins")) else {
        return Ok(());
    };
    let mut rules = load_rules(vec![rule_file(&data, CLOUDTRAIL_RULES)?], true).rules;
    for name in ["alice_start_instances.json", "alice_start_instances_bigevent.json"] {
        let text = fs::read(data.join("falco-cloudtrail").join(name))?;
        let found = found(&mut rules, name, &text);
        assert_eq!(found, BTreeMap::from([("All Cloudtrail Events".to_owned(), 1)]), "{name}");
    }
    Ok(())
}

/// Lines of records, and the rules that each file finds in them, made up from the meaning of the
/// rules: Falco gives no records for these logs.
#[test]
fn made_up_records_of_other_logs_are_judged_as_the_rules_say() -> Outcome<()> {
    let Some(data) = shared("falco-rules/plugins") else { return Ok(()) };
    let check = |file: &str, records: &str, expected: &[(&str, usize)]| -> Outcome<()> {
        let mut rules = load_rules(vec![rule_file(&data, file)?], true).rules;
        let expected = expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(found(&mut rules, file, records.as_bytes()), expected, "{records}");
        Ok(())
    };
    let (github, okta) = (plugin_rules_cases::GITHUB, plugin_rules_cases::OKTA);
    for (records, expected) in github {
        check(GITHUB_RULES, records, expected)?;
    }
    for (records, expected) in okta {
        check(OKTA_RULES, records, expected)?;
    }
    for (records, expected) in plugin_rules_cases::CLOUDTRAIL {
        check(CLOUDTRAIL_RULES, records, expected)?;
    }
    Ok(())
}
