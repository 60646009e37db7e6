//! Each class of error and warning of Falco's loader, with files that raise it and files that are
//! nearly so and do not.
//!
//! Classes are those of `userspace/engine/falco_load_result.cpp` of Falco 0.45; the cases are our
//! own. Left out are the two that no text raises: a file that cannot be read, which is the
//! caller's, and the two `EXTENSION`s, which are for plugins that add kinds of items.

use std::collections::BTreeMap;

use clew_event::Semantics;
use clew_rules::{Code, Diagnostic, Options, Severity, SourceFile, load};

/// The class that Falco gives such a mistake.
fn class(diagnostic: &Diagnostic) -> &'static str {
    use Code as C;
    let is_error = diagnostic.severity == Severity::Error;
    match diagnostic.code {
        C::NotYaml | C::FileLimit => "ERR_YAML_PARSE",
        C::NotASequence | C::MissingKey | C::WrongValue | C::Override => "ERR_YAML_VALIDATE",
        C::NoPrevious | C::SourceChanged | C::EngineVersion | C::PluginVersion => "ERR_VALIDATE",
        C::Exception => "ERR_VALIDATE",
        C::OutputSyntax if is_error => "ERR_COMPILE_OUTPUT",
        C::UnknownItem => "UNKNOWN_ITEM",
        C::UnknownKey => "UNKNOWN_KEY",
        C::Deprecated => "DEPRECATED_ITEM",
        C::InvalidName if diagnostic.message.contains("list") => "INVALID_LIST_NAME",
        C::InvalidName => "INVALID_MACRO_NAME",
        C::UnknownSource => "UNKNOWN_SOURCE",
        C::DoubtfulException if diagnostic.message.contains("without") => "APPEND_NO_VALUES",
        C::DoubtfulException => "EXCEPTION_NAME_NOT_UNIQUE",
        C::UnusedMacro => "UNUSED_MACRO",
        C::UnusedList => "UNUSED_LIST",
        C::ManyEventTypes => "NO_EVTTYPE",
        C::UnsafeAbsence => "UNSAFE_NA_CHECK",
        _ if is_error => "ERR_COMPILE_CONDITION",
        _ => "UNKNOWN_FILTER",
    }
}

/// A rule with these keys beside or instead of the usual ones.
fn rule(keys: &str) -> String {
    let usual =
        [("condition", "evt.type = open"), ("output", "o"), ("desc", "d"), ("priority", "info")];
    let given = |key: &str| keys.lines().any(|line| line.trim_start().starts_with(key));
    let mut text = "- rule: r\n".to_owned();
    for (key, value) in usual.iter().filter(|(key, _)| !given(&format!("{key}:"))) {
        text.push_str(&format!("  {key}: {value}\n"));
    }
    keys.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
    text
}

fn condition(condition: &str) -> String {
    rule(&format!("condition: '{}'", condition.replace('\'', "''")))
}

fn exception(values: &str) -> String {
    rule(&format!("exceptions:\n  - {{name: e, fields: [proc.name, fd.name], {values}}}"))
}

/// Each class, files that raise it, and files that raise nothing.
#[rustfmt::skip]
fn cases() -> Vec<(&'static str, Vec<String>, Vec<String>)> {
    let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let list = "- list: l\n  items: [a, b]\n";
    let used = condition("evt.type = open and proc.name in (l)");
    let add = |key: &str| format!("{}- rule: r\n  {key}\n", rule(""));
    vec![
        ("ERR_YAML_PARSE", all(&["- rule: [", "- a: 'open"]), vec![rule(""), String::new()]),
        ("ERR_YAML_VALIDATE",
            vec!["rule: r".into(), "- rule: r\n  desc: d".into(), rule("priority: urgent"), rule("tags: {a: b}"),
                add("override: {condition: append}"), add("output: x\n  override: {condition: append}\n  condition: and fd.num = 1"),
                add("condition: and fd.num = 1\n  append: true\n  override: {condition: append}"),
                add("priority: error\n  override: {priority: append}")],
            vec![rule("priority: WARNING"), rule("tags: [a, b]"), rule("enabled: false"),
                add("condition: and fd.num = 1\n  override: {condition: append}"),
                add("condition: evt.type = close\n  output: x\n  override: {condition: replace, output: append}"),
                add("priority: error\n  override: {priority: replace}"), add("enabled: false\n  override: {enabled: replace}")]),
        ("ERR_VALIDATE",
            vec!["- rule: none\n  condition: and fd.num = 1\n  override: {condition: append}\n".into(),
                "- macro: none\n  condition: and fd.num = 1\n  override: {condition: append}\n".into(),
                "- list: none\n  items: [a]\n  override: {items: append}\n".into(),
                format!("{}{}", rule(""), rule("source: k8s_audit\ncondition: ka.verb = get")),
                "- required_engine_version: 99.0.0\n".into(), "- required_engine_version: 1000\n".into(),
                "- required_plugin_versions: [{name: container, version: 99.0.0}]\n".into(),
                "- required_plugin_versions: [{name: nowhere, version: 0.1.0}]\n".into(),
                exception("comps: [=], values: [[a, b]]"), exception("values: [[a]]"), exception("comps: [=, like], values: [[a, b]]"),
                rule("exceptions:\n  - {name: e, fields: proc.name, comps: startswith, values: [a]}")],
            vec![format!("{}{}", rule(""), rule("")), "- required_engine_version: 0.57.0\n".into(), "- required_engine_version: 15\n".into(),
                "- required_plugin_versions: [{name: nowhere, version: 0.1.0, alternatives: [{name: container, version: 0.2.0}]}]\n".into(),
                format!("{list}- list: l\n  items: [c]\n  override: {{items: append}}\n{used}"),
                exception("comps: [=, startswith], values: [[a, b], [c, d]]"), exception("values: []"),
                rule("exceptions:\n  - {name: e, fields: proc.name, values: [a, b]}")]),
        ("ERR_COMPILE_CONDITION",
            vec![condition("evt.type = open and"), condition("evt.type = open and proc.nme = a"), condition("evt.type = no_such_call"),
                condition("nowhere"), condition("evt.type = open and proc.name ="), condition("evt.type = open and fd.num contains 1"),
                condition("evt.type = open and fd.num = many"), condition("evt.type = open and fd.net = 10.0.0.0/99"),
                condition(r#"evt.type = open and proc.name = "a\d""#), condition("evt.type = open and proc.aname[x] = a"),
                format!("- macro: a\n  condition: b\n- macro: b\n  condition: a\n{}", condition("evt.type = open and a"))],
            vec![condition("evt.type = open and not proc.name in (a, b)"), condition("evt.type in (open, openat) and fd.num >= 3"),
                condition("evt.type = open and fd.net = 10.0.0.0/8"), condition(r#"evt.type = open and proc.name = "a\\d""#),
                condition("evt.type = open and proc.aname[2] = a"), condition("evt.type = open and toupper(proc.name) = A"),
                format!("- macro: a\n  condition: evt.type = open\n{}", condition("a and fd.num = 3"))]),
        ("ERR_COMPILE_OUTPUT", vec![rule("output: '%no.such'"), rule("output: '%proc.aname[x]'"), rule("output: '100%'")],
            vec![rule("output: 'by %proc.name in %proc.aname[2]'"), rule("output: '%toupper(proc.name)'")]),
        ("UNKNOWN_SOURCE", vec![rule("source: nowhere")], vec![rule("source: syscall"), rule("source: k8s_audit\ncondition: ka.verb = get")]),
        ("UNSAFE_NA_CHECK", vec![rule("source: k8s_audit\ncondition: ka.verb = <NA>")], vec![rule("source: k8s_audit\ncondition: not ka.verb exists"), condition("evt.type = open and proc.name = <NA>")]),
        ("NO_EVTTYPE", vec![condition("proc.name = a")], vec![condition("evt.type = open and proc.name = a"), rule("condition: proc.name = a\nwarn_evttypes: false")]),
        ("UNKNOWN_FILTER", vec![rule("condition: evt.type = open and proc.nme = a\nskip-if-unknown-filter: true")],
            vec![rule("condition: evt.type = open and proc.name = a\nskip-if-unknown-filter: true")]),
        ("UNUSED_MACRO", vec!["- macro: m\n  condition: evt.type = open\n".into()], vec![format!("- macro: m\n  condition: evt.type = open\n{}", condition("m"))]),
        ("UNUSED_LIST", vec![list.into()], vec![format!("{list}{used}")]),
        ("UNKNOWN_ITEM", all(&["- routine: r\n"]), vec![rule("")]),
        ("UNKNOWN_KEY", vec![rule("severity: high")], vec![rule("capture: true\ncapture_duration: 5")]),
        ("DEPRECATED_ITEM", vec![add("enabled: false"), add("condition: and fd.num = 1\n  append: true")], vec![rule("enabled: true")]),
        ("APPEND_NO_VALUES", vec![add("exceptions: [{name: e, fields: proc.name}]\n  override: {exceptions: append}")],
            vec![add("exceptions: [{name: e, fields: proc.name, values: [a]}]\n  override: {exceptions: append}")]),
        ("EXCEPTION_NAME_NOT_UNIQUE", vec![rule("exceptions:\n  - {name: e, fields: proc.name, values: [a]}\n  - {name: e, fields: fd.name, values: [b]}")],
            vec![rule("exceptions:\n  - {name: e, fields: proc.name, values: [a]}\n  - {name: f, fields: fd.name, values: [b]}")]),
        ("INVALID_MACRO_NAME", vec!["- macro: 'no-name'\n  condition: evt.type = open\n".into()], vec![format!("- macro: a_1\n  condition: evt.type = open\n{}", condition("a_1"))]),
        ("INVALID_LIST_NAME", vec!["- list: 'a b'\n  items: [x]\n".into()], vec![format!("{list}{used}")]),
    ]
}

#[test]
fn every_class_of_falcos_loader_is_raised_where_it_should_be_and_not_elsewhere() {
    let mut wrong = BTreeMap::new();
    for (expected, raising, silent) in cases() {
        for (text, is_raising) in
            raising.iter().map(|text| (text, true)).chain(silent.iter().map(|text| (text, false)))
        {
            let files = [SourceFile { name: "r.yaml".into(), text: text.clone() }];
            for semantics in [Semantics::Clew, Semantics::Falco] {
                let loaded = load(&files, &Options { semantics, ..Options::default() });
                let found: Vec<_> = loaded.diagnostics.iter().map(class).collect();
                let is_right =
                    if is_raising { found.contains(&expected) } else { found.is_empty() };
                if !is_right {
                    wrong.insert((expected, text.clone()), loaded.diagnostics);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
