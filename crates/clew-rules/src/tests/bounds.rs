//! What is too long or too deep is refused, with a code, and nothing else is lost.

use crate::compile::{MACRO_DEPTH_MAX, REGEX_BYTES_MAX};
use crate::condition::{CONDITION_BYTES_MAX, CONDITION_DEPTH_MAX};
use crate::diagnostic::Code;
use crate::judge::graph::GRAPH_DEPTH_MAX;
use crate::output::OUTPUT_WIDTH_MAX;
use crate::{Options, SourceFile, load};

fn rule(name: &str, condition: &str, output: &str) -> String {
    format!(
        "- rule: {name}\n  condition: {condition}\n  output: \"{output}\"\n  desc: d\n  \
         priority: info\n  warn_evttypes: false\n"
    )
}

/// Codes of all diagnostics, each once; another rule of the file has to load whatever they are.
fn codes(text: &str) -> Vec<Code> {
    let text = format!("{text}{}", rule("unharmed", "evt.type = open", "o"));
    let files = [SourceFile { name: "rules.yaml".to_owned(), text }];
    let loaded = load(&files, &Options::default());
    assert!(loaded.rules.iter().any(|(_, rule)| rule.name == "unharmed"));
    let mut codes: Vec<Code> = loaded.diagnostics.iter().map(|found| found.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

#[test]
fn a_condition_nests_as_deep_as_in_the_original() {
    // One pair of parentheses passes five rules of the grammar, the comparison inside four.
    let deepest = (CONDITION_DEPTH_MAX as usize - 5) / 5;
    let nested = |pairs: usize| {
        let condition = format!("{}proc.name = a{}", "(".repeat(pairs), ")".repeat(pairs));
        codes(&rule("r", &condition, "o"))
    };
    assert_eq!(nested(deepest), []);
    assert_eq!(nested(deepest + 1), [Code::ConditionLimit]);
    assert_eq!(nested(100_000), [Code::ConditionLimit]);
}

#[test]
fn a_condition_is_as_long_as_allowed_or_refused() {
    let long = |bytes: usize| {
        let start = "proc.name = ";
        let condition = format!("{start}{}", "x".repeat(bytes - start.len()));
        codes(&rule("r", &condition, "o"))
    };
    assert_eq!(long(CONDITION_BYTES_MAX), []);
    assert_eq!(long(CONDITION_BYTES_MAX + 1), [Code::ConditionLimit]);
}

/// Macros that each contain the one before, and a rule with the last.
fn chain(count: usize, link: impl Fn(usize, &str) -> String) -> String {
    let mut text = String::from("- macro: m0\n  condition: proc.name = a\n");
    for number in 1..count {
        let below = format!("m{}", number - 1);
        text.push_str(&format!("- macro: m{number}\n  condition: {}\n", link(number, &below)));
    }
    text.push_str(&rule("r", &format!("m{}", count - 1), "o"));
    text
}

#[test]
fn macros_contain_macros_up_to_a_bound() {
    let link = |number: usize, below: &str| format!("{below} or proc.name = p{number}");
    assert_eq!(codes(&chain(MACRO_DEPTH_MAX, link)), []);
    let refused = codes(&chain(MACRO_DEPTH_MAX + 1, link));
    assert_eq!(refused, [Code::ConditionLimit, Code::BrokenMacro]);
}

#[test]
fn a_condition_with_its_macros_is_as_deep_as_a_stack_can_bear() {
    // Each link adds twenty nodes of depth.
    let link = |number: usize, below: &str| {
        let levels: String =
            (0..10).map(|level| format!("fd.num = {level}{number} and not (")).collect();
        format!("{levels}{below}{}", ")".repeat(10))
    };
    let deepest = usize::from(GRAPH_DEPTH_MAX) / 20;
    assert_eq!(codes(&chain(deepest - 2, link)), []);
    let refused = codes(&chain(deepest + 2, link));
    assert_eq!(refused, [Code::ConditionLimit, Code::BrokenMacro]);
}

#[test]
fn macros_that_double_each_time_are_compiled_once_each() {
    let link = |number: usize, below: &str| {
        format!("({below} and proc.pname = p{number}) or ({below} and proc.nmae = {number})")
    };
    let refused = codes(&chain(60, link));
    assert_eq!(refused, [Code::BrokenMacro, Code::UnknownField]);
}

#[test]
fn a_regular_expression_is_as_large_as_allowed_or_refused() {
    let repeated =
        |count: usize| codes(&rule("r", &format!("proc.name regex 'a{{{count}}}'"), "o"));
    assert_eq!(repeated(1000), []);
    // A state takes more than a byte.
    assert_eq!(repeated(REGEX_BYTES_MAX), [Code::Value]);
}

#[test]
fn an_output_is_as_wide_as_allowed_or_refused() {
    let wide = |width: usize| codes(&rule("r", "evt.type = open", &format!("%{width}proc.name")));
    assert_eq!(wide(OUTPUT_WIDTH_MAX), []);
    assert_eq!(wide(OUTPUT_WIDTH_MAX + 1), [Code::OutputSyntax]);
}
