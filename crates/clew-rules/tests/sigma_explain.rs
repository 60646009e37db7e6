//! How a Sigma rule is explained: searches by their names, quantifiers as written, correlations.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use clew_event::{EventId, EventType, FieldValue, Scalar, Semantics, TimestampNs};
use clew_rules::explain::{EXPLAINED_PARTS_MAX, Explained, Explainer, NotExplained, PartKind};
use clew_rules::{Correlations, Matched, Options, RuleIndex, SourceFile, load};
use common::{Fields, load_text};
use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn file(text: &str) -> [SourceFile; 1] {
    [SourceFile { name: "sigma.yml".into(), text: text.into() }]
}

fn cloudtrail() -> Fields {
    Fields::default().with_text("evt.source", "aws_cloudtrail")
}

fn shown(part: &Explained, depth: usize, lines: &mut String) {
    let mark = if part.decides { ">" } else { " " };
    let kind = format!("{:?}", part.kind).to_lowercase();
    let verdict = if part.holds { "+" } else { "-" };
    let value = part.value.as_deref().map(|value| format!("  is {value}")).unwrap_or_default();
    let line = if part.line == 0 { String::new() } else { format!(":{}", part.line) };
    let indent = "  ".repeat(depth);
    let text = format!("{mark} {verdict} {indent}{kind}{line} {}{value}  {}", part.text, part.note);
    lines.push_str(text.trim_end());
    lines.push('\n');
    part.parts.iter().for_each(|part| shown(part, depth + 1, lines));
}

fn check(text: &str, name: &str, fields: &Fields, expected: &Expect) {
    let explained = Explainer::new(&file(text), name).unwrap().explain(fields);
    let mut lines = String::new();
    shown(&explained, 0, &mut lines);
    expected.assert_eq(&lines);
}

const RULE: &str = "\
title: Key made
id: 0f0a1b2c-0000-4000-8000-000000000001
logsource: {product: aws, service: cloudtrail}
detection:
  selection_call:
    eventSource: iam.amazonaws.com
    eventName: [CreateAccessKey, CreateLoginProfile]
  selection_tool:
    - userAgent|contains|all: [aws-cli, Linux]
    - sourceIPAddress|cidr: 10.0.0.0/8
  filter_own:
    userIdentity.arn|endswith: /deploy
  condition: all of selection_* and not 1 of filter_*
";

#[test]
fn searches_stand_by_their_names_and_quantifiers_as_they_are_written() {
    let event = cloudtrail()
        .with_text("json.member[eventSource]", "iam.amazonaws.com")
        .with_text("json.member[eventName]", "CreateAccessKey")
        .with_text("json.member[userAgent]", "aws-cli/2 Linux")
        .with_text("json.member[userIdentity.arn]", "arn:aws:iam::1:user/ann");
    check(
        RULE,
        "Key made",
        &event,
        &expect![[r#"
            > + and
            > +   check:3 logsource aws/cloudtrail  is aws_cloudtrail
            > +   and
            > +     and all of selection_*
            > +       search:6 selection_call
            > +         check:6 eventSource: iam.amazonaws.com  is iam.amazonaws.com
            > +         check:7 eventName: [CreateAccessKey, CreateLoginProfile]  is CreateAccessKey
            > +       search:9 selection_tool
            > +         or
            > +           check:9 userAgent|contains|all: [aws-cli, Linux]  is aws-cli/2 Linux
              -           check:10 sourceIPAddress|cidr: 10.0.0.0/8  is <NA>
            > +     not
            > -       or 1 of filter_*
            > -         search:12 filter_own
            > -           check:12 userIdentity.arn|endswith: /deploy  is arn:aws:iam::1:user/ann
        "#]],
    );
}

#[test]
fn an_event_of_another_source_is_told_by_the_log_source() {
    check(
        "title: t\nlogsource: {category: process_creation, product: linux}\n\
         detection: {s: {Image|endswith: /id}, k: {Hashes: x}, condition: 1 of s* or k}\n",
        "t",
        &cloudtrail(),
        &expect![[r#"
            > - and
            > -   check:2 logsource linux/process_creation  is <NA>
              -   or
              -     or 1 of s*
              -       search:3 s
              -         check:3 Image|endswith: /id  is <NA>
              -     search:3 k
              -       check:3 Hashes: x  not provided yet: Hashes
        "#]],
    );
}

const CORRELATION: &str = "\
title: Failed login
name: failed
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin, errorMessage: Failed}, condition: s}
---
title: Listing
name: listing
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: list}, condition: s}
---
title: Burst
correlation:
  type: value_count
  rules: [failed, listing]
  group-by: [who]
  aliases: {who: {failed: userIdentity.userName, listing: user.username}}
  timespan: 5m
  condition: {gte: 3, field: sourceIPAddress}
";

#[test]
fn a_correlation_tells_what_it_counts_and_whether_it_counts_this_event() {
    let event = cloudtrail()
        .with_text("json.member[eventName]", "ConsoleLogin")
        .with_text("json.member[errorMessage]", "Failed")
        .with_text("json.member[verb]", "list")
        .with_text("json.member[sourceIPAddress]", "192.0.2.1")
        .with_text("json.member[userIdentity.userName]", "ann");
    check(
        CORRELATION,
        "Burst",
        &event,
        &expect![[r#"
            > + correlation:11 value_count of sourceIPAddress by who in 300 s >= 3
            > +   rule:1 Failed login
            > +     and
            > +       check:3 logsource aws/cloudtrail  is aws_cloudtrail
            > +       search:4 s
            > +         check:4 eventName: ConsoleLogin  is ConsoleLogin
            > +         check:4 errorMessage: Failed  is Failed
            > +     check group-by who  is ann
            > +     check field sourceIPAddress  is 192.0.2.1
              -   rule:6 Listing
              -     and
              -       check:8 logsource kubernetes/audit  is aws_cloudtrail
              +       search:9 s
              +         check:9 verb: list  is list
              -     check group-by who  is <NA>
              +     check field sourceIPAddress  is 192.0.2.1
        "#]],
    );
}

#[test]
fn a_rule_is_found_by_its_title_id_and_name_and_near_ones_are_offered() {
    let named = |name: &str| Explainer::new(&file(RULE), name).map(|it| it.name().to_owned());
    assert_eq!(named("0f0a1b2c-0000-4000-8000-000000000001").unwrap(), "Key made");
    assert_eq!(named("Key mad").unwrap_err(), NotExplained::NoSuchRule(vec!["Key made".into()]));
    let broken = RULE.replace("|cidr", "|cdir");
    let error = Explainer::new(&file(&broken), "Key made").unwrap_err();
    assert_eq!(error.to_string(), "the rule has a mistake: `cdir` is no modifier");
    let shapeless = RULE.replace("  condition: all", "  was: all");
    let error = Explainer::new(&file(&shapeless), "Key made").unwrap_err();
    assert_eq!(error.to_string(), "the rule has a mistake: `detection` has no `condition`");
    let looped = "title: c\nname: c\ncorrelation: {type: temporal, rules: [c], timespan: 1m}\n";
    let error = Explainer::new(&file(looped), "c").unwrap_err();
    assert!(error.to_string().contains("it is about itself"), "{error}");
}

#[test]
fn a_failed_exec_is_explained_as_it_is_judged() {
    let text = "title: t\nlogsource: {category: process_creation, product: linux}\n\
                detection: {s: {Image|endswith: /id}, condition: s}\n";
    let event = Fields::default()
        .with_text("evt.source", "syscall")
        .with_text("evt.type", "execve")
        .with_text("proc.exepath", "/usr/bin/id")
        .with("evt.failed", FieldValue::One(Scalar::Bool(true)));
    for (semantics, expected) in [(Semantics::Clew, false), (Semantics::Falco, true)] {
        let options = Options { semantics, ..Options::default() };
        let explainer = Explainer::following(&file(text), "t", &options).unwrap();
        assert_eq!(explainer.explain(&event).holds, expected);
        let said = explainer.not_judged(EventType::Execve, "syscall", &event);
        assert_eq!(said.is_none(), expected, "{said:?}");
        let mut matches: Vec<RuleIndex> = Vec::new();
        let mut rules = load(&file(text), &options).rules;
        rules.judge(EventType::Execve, "syscall", &event, &mut matches);
        assert_eq!(!matches.is_empty(), expected);
    }
}

#[test]
fn a_search_that_is_named_again_and_again_is_explained_up_to_a_bound() {
    let explained = |times: usize| {
        let items = vec!["{f: x}"; 999].join(", ");
        let condition = vec!["s"; times].join(" or ");
        let text = format!(
            "title: t\nlogsource: {{product: aws, service: cloudtrail}}\n\
             detection: {{s: [{items}], condition: {condition}}}\n"
        );
        Explainer::new(&file(&text), "t").map(|it| it.name().to_owned())
    };
    // Each item counts with its mapping, the search with its list; two more stand outside.
    let too_many = EXPLAINED_PARTS_MAX / (2 * 999 + 2);
    assert!(explained(too_many - 1).is_ok());
    let error = explained(too_many).unwrap_err();
    assert!(matches!(error, NotExplained::HasMistake(_)), "{error}");
}

/// The verdict as it follows from the parts that are said to decide, and from no other.
fn by_deciding_parts(part: &Explained) -> bool {
    let mut deciding = part.parts.iter().filter(|part| part.decides).map(by_deciding_parts);
    match part.kind {
        PartKind::Check => part.holds,
        PartKind::And | PartKind::Macro | PartKind::Search | PartKind::Rule => {
            deciding.all(|holds| holds)
        }
        PartKind::Or | PartKind::Correlation => deciding.any(|holds| holds),
        PartKind::Not => deciding.all(|holds| !holds),
    }
}

const MODIFIERS: [&str; 9] = [
    "",
    "|contains",
    "|contains|all",
    "|startswith",
    "|endswith|cased",
    "|neq",
    "|re",
    "|exists",
    "|fieldref",
];
const CONDITIONS: [&str; 8] = [
    "s0",
    "s0 and s1 or s2",
    "s0 and (s1 or not s2)",
    "1 of s*",
    "all of them",
    "not 1 of s*",
    "not s0 or all of s*",
    "any of s1* and not s0",
];
const SOURCES: [(&str, &str); 4] = [
    ("product: aws, service: cloudtrail", "aws_cloudtrail"),
    ("product: azure, service: activitylogs", "azure_activity"),
    (PROCESS, "syscall"),
    (AUDITD, "syscall"),
];
const PROCESS: &str = "category: process_creation, product: linux";
const AUDITD: &str = "product: linux, service: auditd";

/// Fields that rules of a log source name, and what stands behind them.
fn names(log: &str) -> [(&'static str, &'static str); 3] {
    match log {
        PROCESS => {
            [("Image", "proc.exepath"), ("User", "user.name"), ("ParentImage", "proc.pexepath")]
        }
        AUDITD => [("exe", "proc.exepath"), ("comm", "proc.name"), ("name", "fs.path.name")],
        _ => [
            ("eventName", "json.member[eventName]"),
            ("operationName", "json.member[operationName.value]"),
            ("who", "json.member[properties.who]"),
        ],
    }
}

fn item() -> impl Strategy<Value = (usize, &'static str, Vec<&'static str>)> {
    let values = vec(select(&["a", "ab", "b*", "B", "null", "''"][..]), 1..3);
    (0_usize..3, select(&MODIFIERS[..]), values)
}

fn written((field, modifiers, values): &(usize, &str, Vec<&str>), log: &str) -> String {
    let (name, _) = names(log)[*field];
    let values = match *modifiers {
        "|exists" => "true".to_owned(),
        "|fieldref" => names(log)[(field + 1) % 3].0.to_owned(),
        "|re" => values[0].replace("null", "a").replace("''", "b").replace('*', "+"),
        _ => format!("[{}]", values.join(", ")),
    };
    format!("{{{name}{modifiers}: {values}}}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn explanations_give_the_verdict_of_the_engine(
        (log, source) in select(&SOURCES[..]),
        condition in select(&CONDITIONS[..]),
        searches in vec(vec(item(), 1..3), 3),
        values in vec(prop::option::of(select(&["a", "ab", "b", "ba", ""][..])), 3),
        event_type in select(&["execve", "open"][..]),
        other_source in prop::option::weighted(0.2, select(&["aws_cloudtrail", "syscall"][..])),
        has_failed in any::<bool>(),
        is_counted in any::<bool>(),
    ) {
        let of_source = other_source.unwrap_or(source);
        let search = |items: &Vec<(usize, &str, Vec<&str>)>| {
            let items: Vec<String> = items.iter().map(|item| written(item, log)).collect();
            format!("[{}]", items.join(", "))
        };
        let [s0, s1, s2] = [0, 1, 2].map(|at| search(&searches[at]));
        let text = format!(
            "title: r\nname: r\nlogsource: {{{log}}}\ndetection:\n  s0: {s0}\n  s1: {s1}\n  \
             s2: {s2}\n  condition: {condition}\n---\ntitle: c\ncorrelation:\n  type: event_count\n  \
             rules: [r]\n  group-by: [{}]\n  timespan: 1m\n  generate: true\n  condition: {{gte: 1}}\n",
            names(log)[0].0,
        );
        let mut fields = Fields::default()
            .with_text("evt.source", of_source)
            .with_text("evt.type", event_type)
            .with("evt.failed", FieldValue::One(Scalar::Bool(has_failed)));
        for (at, value) in values.iter().enumerate() {
            if let Some(value) = value {
                fields = fields.with_text(names(log)[at].1, value);
            }
        }
        let name = if is_counted { "c" } else { "r" };
        let explainer = Explainer::new(&file(&text), name).unwrap();
        let event_type = match of_source {
            "syscall" => EventType::from_name(event_type).unwrap(),
            _ => EventType::PluginEvent,
        };
        let mut loaded = load_text(&text);
        prop_assert_eq!(loaded.error_count(), 0, "{:?}", loaded.diagnostics);
        let mut matches: Vec<RuleIndex> = Vec::new();
        loaded.rules.judge(event_type, of_source, &fields, &mut matches);
        let mut expected = !matches.is_empty();
        if is_counted {
            let (time, event) = (TimestampNs::from_unix_ns(1 << 60), EventId(1));
            let matched = Matched { event, time, rules: &matches };
            let mut found = Vec::new();
            loaded.rules.correlate(&mut Correlations::default(), matched, &fields, &mut found);
            expected = !found.is_empty();
        }
        let not_judged = explainer.not_judged(event_type, of_source, &fields);
        let explained = explainer.explain(&fields);
        prop_assert_eq!(explained.holds && not_judged.is_none(), expected, "{:#?}\n{}", explained, text);
        prop_assert_eq!(by_deciding_parts(&explained), explained.holds, "{:#?}", explained);
    }
}
