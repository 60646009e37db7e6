//! Filters and processing pipelines: what they make of a rule.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use clew_event::EventType;
use clew_rules::{Loaded, Options, RuleIndex, SourceFile, load};

mod common;
use common::Fields;

const RULE: &str = "
title: Key made
id: 11111111-0000-4000-8000-000000000000
name: key_made
logsource: {product: aws, service: cloudtrail}
detection:
  made: {Action: CreateAccessKey}
  by: {Who|expand: '%admins%'}
  condition: made and not by
";

fn loaded(rules: &str, pipeline: &str) -> Loaded {
    let file = |name: &str, text: &str| SourceFile { name: name.to_owned(), text: text.to_owned() };
    let pipelines = vec![file("pipeline.yml", pipeline)];
    load(&[file("rule.yml", rules)], &Options { pipelines, ..Options::default() })
}

fn matches(loaded: &mut Loaded, fields: &[(&str, &str)]) -> usize {
    let mut event = Fields::default();
    for (name, text) in fields {
        event = event.with_text(&format!("json.member[{name}]"), text);
    }
    let mut matches: Vec<RuleIndex> = Vec::new();
    loaded.rules.judge(EventType::PluginEvent, "aws_cloudtrail", &event, &mut matches);
    matches.len()
}

fn check(rules: &str, pipeline: &str, rows: &[(&[(&str, &str)], bool)]) {
    let mut loaded = loaded(rules, pipeline);
    assert_eq!(loaded.diagnostics, [], "{pipeline}");
    for (fields, expected) in rows {
        assert_eq!(matches(&mut loaded, fields) == 1, *expected, "{fields:?} with {pipeline}");
    }
}

const NAMES: &str = "
name: ours
vars: {admins: [alice, 'bob*']}
transformations:
- type: field_name_mapping
  mapping: {Action: eventName, Who: [user, actor]}
  rule_conditions: [{type: logsource, product: aws}]
- type: value_placeholders
";

#[test]
fn names_are_mapped_and_placeholders_filled() {
    let made = ("eventName", "CreateAccessKey");
    check(
        RULE,
        NAMES,
        &[
            (&[made, ("user", "eve")], true),
            (&[made, ("user", "Alice")], false),
            (&[made, ("actor", "bobby")], false),
            (&[("Action", "CreateAccessKey"), ("user", "eve")], false),
        ],
    );
}

#[test]
fn steps_are_done_where_their_conditions_hold() {
    let simple = RULE.replace("made and not by", "made");
    let with = |steps: &str| format!("transformations:\n{steps}");
    let key = ("Action", "CreateAccessKey");
    let elsewhere = with(
        "- type: field_name_mapping\n  mapping: {Action: x}\n  \
         rule_conditions: [{type: logsource, product: gcp}]\n",
    );
    check(&simple, &elsewhere, &[(&[key], true)]);
    let negated =
        elsewhere.replace("  rule_conditions", "  rule_cond_not: true\n  rule_conditions");
    check(&simple, &negated, &[(&[key], false), (&[("x", "createaccesskey")], true)]);
    let prefixed = with(
        "- {type: field_name_prefix, prefix: 'a.'}\n- {type: field_name_suffix, suffix: .z}\n",
    );
    check(&simple, &prefixed, &[(&[("a.Action.z", "CreateAccessKey")], true), (&[key], false)]);
    let by_prefix = with("- {type: field_name_prefix_mapping, mapping: {Act: event}}\n");
    check(&simple, &by_prefix, &[(&[("evention", "CreateAccessKey")], true)]);
    let replaced = with("- {type: replace_string, regex: '^Create(.*)', replacement: 'Make\\1'}\n");
    check(&simple, &replaced, &[(&[("Action", "MakeAccessKey")], true), (&[key], false)]);
    let added = with("- {type: add_condition, conditions: {account: '1'}}\n");
    check(&simple, &added, &[(&[key, ("account", "1")], true), (&[key], false)]);
    let dropped = with(
        "- type: drop_detection_item\n  field_name_conditions: [{type: include_fields, fields: [Action]}]\n",
    );
    check(&simple, &dropped, &[(&[], true)]);
    let state = with(
        "- {type: set_state, key: k, val: v}\n- type: field_name_suffix\n  suffix: .s\n  \
         rule_conditions: [{type: processing_state, key: k, val: v}]\n",
    );
    check(&simple, &state, &[(&[("Action.s", "CreateAccessKey")], true)]);
    let star = with("- {type: wildcard_placeholders}\n");
    check(RULE, &star, &[(&[key], true), (&[key, ("Who", "x")], false)]);
}

#[test]
fn what_is_not_known_is_refused_by_its_name() {
    let check = |pipeline: &str, message: &str| {
        let loaded = loaded(RULE, pipeline);
        let first = loaded.diagnostics.iter().find(|it| it.file == "pipeline.yml").unwrap();
        assert_eq!(first.message, message);
    };
    check("transformations:\n- {type: nest}\n", "the transformation `nest` is not known");
    check("postprocessing: []\n", "`postprocessing` means nothing here");
    check(
        "transformations:\n- {type: set_state, rule_conditions: [{type: tag}]}\n",
        "`tag` is no condition on rules",
    );
    let failed = loaded(RULE, "transformations:\n- {type: rule_failure, message: not here}\n");
    assert_eq!(failed.diagnostics[0].message, "not here");
    assert_eq!(failed.rules.len(), 0);
}

#[test]
fn a_placeholder_with_more_values_than_are_taken_is_an_error() {
    let many = vec!["x"; 101].join(", ");
    let pipeline =
        format!("vars: {{admins: [{many}]}}\ntransformations:\n- {{type: value_placeholders}}\n");
    let twice = RULE.replace("'%admins%'", "'%admins%%admins%'");
    let loaded = loaded(&twice, &pipeline);
    assert!(loaded.diagnostics[0].message.contains("over 10000 values"), "PLACEHOLDER_VALUES_MAX");
}

#[test]
fn a_filter_adds_its_condition_to_the_rules_that_it_names() {
    let simple = RULE.replace("made and not by", "made");
    let filter = |rules: &str| {
        format!(
            "{simple}---\ntitle: ours\nlogsource: {{product: aws}}\nfilter:\n  rules: {rules}\n  \
             made: {{Who: deploy}}\n  condition: not made\n"
        )
    };
    let key = ("Action", "CreateAccessKey");
    let rows: [(&[(&str, &str)], bool); 2] = [(&[key], true), (&[key, ("Who", "deploy")], false)];
    check(&filter("[key_made]"), "", &rows);
    check(&filter("[11111111-0000-4000-8000-000000000000]"), "", &rows);
    check(&filter("any"), "", &rows);
    let other = loaded(&filter("[other]"), "");
    assert_eq!(other.diagnostics[0].message, "no rule is called `other`");
}
