//! Detections of Sigma against single events: each row is an item, a value, and the verdict.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use clew_event::{EventType, FieldValue, Scalar};
use clew_rules::{Code, RuleIndex};
use proptest::prelude::*;

mod common;
use common::{Fields, load_text};

fn rule(detection: &str) -> String {
    let indented = detection.replace('\n', "\n  ");
    format!(
        "title: r\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  {indented}\n"
    )
}

fn judged(text: &str, fields: &Fields) -> bool {
    let mut loaded = load_text(text);
    assert_eq!(loaded.diagnostics, [], "{text}");
    let mut matches: Vec<RuleIndex> = Vec::new();
    loaded.rules.judge(EventType::PluginEvent, "aws_cloudtrail", fields, &mut matches);
    !matches.is_empty()
}

/// A value as rows write it: `7`, `true`, `null`, `absent`, `[a, b]`, else a text.
fn value(text: &str) -> FieldValue<'static> {
    let scalar = |text: &str| match text {
        "true" => Scalar::Bool(true),
        "false" => Scalar::Bool(false),
        _ => match (text.parse(), text.parse()) {
            (Ok(number), _) => Scalar::Unsigned(number),
            (_, Ok(number)) => Scalar::Signed(number),
            _ => Scalar::Text(text.as_bytes().to_vec().into()),
        },
    };
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some("") => FieldValue::Many(Vec::new()),
        Some(list) => FieldValue::Many(list.split(", ").map(scalar).collect()),
        None if text == "null" => FieldValue::Many(Vec::new()),
        None if text == "absent" => FieldValue::Missing,
        None => FieldValue::One(scalar(text)),
    }
}

/// An item of field `f`, and values of it that have to match and those that must not.
fn check(item: &str, matching: &[&str], others: &[&str]) {
    let text = rule(&format!("s: {{{item}}}\ncondition: s"));
    for (values, expected) in [(matching, true), (others, false)] {
        for shown in values {
            let fields = Fields::default()
                .with("json.member[f]", value(shown))
                .with("json.member[g]", value("Xyz"))
                .with("json.words", value("[Alpha, the beta]"));
            assert_eq!(judged(&text, &fields), expected, "{item} on {shown}");
        }
    }
}

#[test]
fn texts_are_compared_whole_without_regard_to_case() {
    check("f: 'aBc'", &["abc", "ABC", "[x, abc]"], &["abcd", "absent", "null", "xabc", "[]"]);
    check("f: [a, b]", &["A", "b"], &["c", "ab"]);
    check("f: ''", &[""], &["x", "absent", "null"]);
    check("f: null", &["absent", "null", "[]"], &["", "x", "0", "false"]);
    check("f: [null, x]", &["absent", "X"], &["y"]);
    check("f|cased: aB", &["aB"], &["ab", "AB"]);
}

#[test]
fn numbers_and_truths_are_compared_as_they_are_written() {
    check("f: 7", &["7"], &["77", "x", "-7"]);
    check("f: '7'", &["7"], &["8"]);
    check("f: -3", &["-3"], &["3"]);
    check("f: 'true'", &["true"], &["false", "truer"]);
    check("f: True", &["true"], &["false"]);
    check("f: 4*", &["42", "4"], &["24"]);
    check("f|gt: 5", &["6", "[1, 6]"], &["5", "absent", "x", "true"]);
    check("f|lte: 5.5", &["5", "-9"], &["6"]);
}

#[test]
fn wildcards_and_escapes_mean_what_the_specification_says() {
    check("f: 'a*c'", &["ac", "abbc"], &["acd", "bac"]);
    check("f: 'a?c'", &["abc", "a\u{e9}c"], &["ac", "abbc"]);
    check(r"f: 'a\*c'", &["a*c"], &["abc"]);
    check(r"f: 'a\?'", &["a?"], &["ab"]);
    check(r"f: 'C:\Dir\*x'", &[r"C:\Dir*x"], &[r"C:\Dir\yx"]);
    check(r"f: 'C:\Dir\\*'", &[r"c:\dir\y"], &[r"C:\Dirx"]);
    check("f: '*'", &["x", "", "7"], &["absent", "null"]);
    check("f|contains: 'b*d'", &["abcde"], &["abce"]);
}

#[test]
fn ends_and_middles_can_be_asked_for() {
    check("f|startswith: Ab", &["abc", "AB"], &["xab", "a"]);
    check("f|endswith: bC", &["abc"], &["bcd"]);
    check("f|contains: B", &["abc", "b"], &["ac"]);
    check("f|contains|all: [a, c]", &["xcxa"], &["aab"]);
    check("f|contains|cased: B", &["aBc"], &["abc"]);
    check("f|startswith|neq: a", &["b", "absent"], &["ab"]);
    check("f|neq: a", &["b", "absent"], &["A"]);
}

#[test]
fn expressions_have_flags_and_are_found_anywhere() {
    check("f|re: 'b+'", &["abbc"], &["ac", "aBc"]);
    check("f|re|i: '^AB'", &["abc"], &["xab"]);
    check("f|re: '^a.c$'", &["abc"], &["a\nc", "abcd"]);
    check("f|re|s: '^a.c$'", &["a\nc"], &[]);
    check("f|re|m: '^b'", &["a\nb"], &["ab"]);
    check("f|re: '^4'", &["42"], &["24"]);
}

#[test]
fn values_are_encoded_before_they_are_looked_for() {
    check("f|base64: foobar", &["Zm9vYmFy"], &["foobar"]);
    check("f|base64offset|contains: '/bin/bash'", &["xxL2Jpbi9iYXNoxx"], &["/bin/bash"]);
    // `printf 'xcmd' | iconv -t utf-16le | base64`
    check("f|wide|base64offset|contains: cmd", &["eABjAG0AZAA="], &["Y21k"]);
    check("f|windash|contains: ' -x'", &["a /x", "a -x", "a \u{2013}x"], &["a x"]);
    check("f|utf16|base64: a", &["//5hAA=="], &["YQ=="]);
}

#[test]
fn addresses_times_and_other_fields_are_compared() {
    check("f|cidr: 10.0.0.0/8", &["10.1.2.3", "[x, 10.0.0.1]"], &["11.0.0.1", "x", "::1"]);
    check("f|cidr: ['fe80::/10', 192.0.2.1]", &["fe80::1", "192.0.2.1"], &["10.0.0.1"]);
    check("f|exists: true", &["x", "null", ""], &["absent"]);
    check("f|exists: false", &["absent"], &["null", "x"]);
    check("f|fieldref: g", &["xyz"], &["xy", "absent"]);
    check("f|fieldref|startswith: g", &["XYZ1"], &["1xyz"]);
    check("f|hour: 14", &["2026-08-05T14:03:11Z"], &["2026-08-05T15:03:11Z", "x"]);
    check("f|hour|gte: 22", &["2026-08-05T23:03:11Z"], &["2026-08-05T15:03:11Z"]);
    check("f|week: [32, 33]", &["2026-08-05"], &["2026-01-05"]);
}

#[test]
fn keywords_are_found_in_any_name_or_value() {
    let with = |detection: &str| {
        let fields = Fields::default().with("json.words", value("[Alpha, the beta]"));
        judged(&rule(detection), &fields)
    };
    assert!(with("s: [nothing, BETA]\ncondition: s"));
    assert!(with("s: alph\ncondition: s"));
    assert!(!with("s: [gamma]\ncondition: s"));
    assert!(with("s:\n  '|all': [alpha, beta]\ncondition: s"));
    assert!(!with("s:\n  '|all': [alpha, gamma]\ncondition: s"));
}

#[test]
fn mistakes_have_their_code_and_cost_their_rule_only() {
    let check = |detection: &str, code: Code| {
        let good = rule("s: {f: x}\ncondition: s");
        let loaded = load_text(&format!("{}---\n{good}", rule(detection)));
        let codes: Vec<Code> = loaded.diagnostics.iter().map(|it| it.code).collect();
        assert_eq!((codes.as_slice(), loaded.rules.len()), ([code].as_slice(), 1), "{detection}");
    };
    check("s: {f: x}", Code::SigmaShape);
    check("s: {f: []}\ncondition: s", Code::SigmaShape);
    check("s: {f: {g: x}}\ncondition: s", Code::SigmaShape);
    check("s: {f: x}\ntimeframe: 5m\ncondition: s", Code::SigmaShape);
    check("s: {f: x}\ncondition: s | count() > 5", Code::SigmaCondition);
    check("s: {f|contians: x}\ncondition: s", Code::SigmaModifier);
    check("s: {f|cidr: x}\ncondition: s", Code::SigmaModifier);
    check("s: {f|gt: x}\ncondition: s", Code::SigmaModifier);
    check("s: {f|re|cidr: x}\ncondition: s", Code::SigmaModifier);
    check("s: {f|exists: maybe}\ncondition: s", Code::SigmaModifier);
    check("s: {f|base64: 'a*'}\ncondition: s", Code::SigmaModifier);
    check("s: {f|re: '(?=x)'}\ncondition: s", Code::SigmaRegex);
    check("s: {f|expand: '%x%'}\ncondition: s", Code::SigmaPlaceholder);
}

#[test]
fn collections_share_what_their_global_document_says() {
    let text = "action: global\nlogsource: {product: aws, service: cloudtrail}\nlevel: high\n---\n\
                title: a\ndetection: {s: {f: x}, condition: s}\n---\n\
                title: b\ndetection: {s: {f: y}, condition: s}\n---\n\
                action: repeat\ntitle: c\ndetection: {s: {f: z}}\n";
    let loaded = load_text(text);
    assert_eq!(loaded.diagnostics, []);
    let names: Vec<_> = loaded.rules.iter().map(|(_, rule)| rule.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

/// A pattern fits a text, written as plainly as it goes.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            naive(rest, text) || !text.is_empty() && naive(pattern, &text[1..])
        }
        (['?', rest @ ..], [_, more @ ..]) => naive(rest, more),
        ([a, rest @ ..], [b, more @ ..]) if a.eq_ignore_ascii_case(b) => naive(rest, more),
        _ => false,
    }
}

fn naive_item(modifier: &str, pattern: &str, text: &str) -> bool {
    let whole = match modifier {
        "|contains" => format!("*{pattern}*"),
        "|startswith" => format!("{pattern}*"),
        "|endswith" => format!("*{pattern}"),
        _ => pattern.to_owned(),
    };
    naive(&whole.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn verdicts_are_those_of_a_plain_evaluator(
        patterns in prop::collection::vec("[aAbB*?]{1,5}", 9),
        modifiers in prop::collection::vec(prop::sample::select(
            vec!["", "|contains", "|startswith", "|endswith"]), 3),
        texts in prop::collection::vec("[aAbB\u{e9}]{0,6}", 3),
        form in 0_usize..6,
    ) {
        let forms = ["s0 and s1 or s2", "s0 and (s1 or not s2)", "1 of s*", "all of them",
            "not 1 of s*", "not s0 or all of s*"];
        let item = |at: usize| format!("s{at}:\n  f{at}{}: ['{}', '{}', '{}']",
            modifiers[at], patterns[at * 3], patterns[at * 3 + 1], patterns[at * 3 + 2]);
        let detection = format!("{}\n{}\n{}\ncondition: {}", item(0), item(1), item(2), forms[form]);
        let mut fields = Fields::default();
        for (at, text) in texts.iter().enumerate() {
            fields = fields.with_text(&format!("json.member[f{at}]"), text);
        }
        let holds = |at: usize| (0..3).any(|n| naive_item(modifiers[at], &patterns[at * 3 + n], &texts[at]));
        let [a, b, c] = [holds(0), holds(1), holds(2)];
        let expected = match form {
            0 => a && b || c,
            1 => a && (b || !c),
            2 => a || b || c,
            3 => a && b && c,
            4 => !(a || b || c),
            _ => !a || b && c,
        };
        prop_assert_eq!(judged(&rule(&detection), &fields), expected, "{}", detection);
    }

    #[test]
    fn rules_chosen_by_a_value_match_as_if_all_were_looked_at(
        names in prop::collection::vec("[a-c]{1,2}", 20),
        value in "[a-cA-C]{1,2}",
    ) {
        let one = |(number, name): (usize, &String)| {
            let extra = if number % 5 == 0 { "s2" } else { "s" };
            let detection = format!("s: {{f: {name}}}\ns2: {{g|contains: z}}\ncondition: {extra}");
            rule(&detection).replace("title: r", &format!("title: r{number}"))
        };
        let text = names.iter().enumerate().map(one).collect::<Vec<_>>().join("---\n");
        let mut loaded = load_text(&text);
        let fields = Fields::default().with_text("json.member[f]", &value).with_text("json.member[g]", "z");
        let mut matches: Vec<RuleIndex> = Vec::new();
        loaded.rules.judge(EventType::PluginEvent, "aws_cloudtrail", &fields, &mut matches);
        let expected: Vec<RuleIndex> = (0..).zip(&names)
            .filter(|(number, name)| number % 5 == 0 || name.eq_ignore_ascii_case(&value))
            .map(|(number, _)| RuleIndex(number)).collect();
        prop_assert_eq!(matches, expected);
    }
}
