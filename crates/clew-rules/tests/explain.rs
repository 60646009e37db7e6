//! How a condition is explained: its parts as they are written, and which of them decided.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic, in its helpers too")]

mod common;

use clew_rules::SourceFile;
use clew_rules::explain::{EXPLAINED_PARTS_MAX, Explained, Explainer, NotExplained, PartKind};
use common::Fields;
use expect_test::{Expect, expect};

const RULES: &str = "
- list: shells
  items: [sh, bash]
- macro: spawned
  condition: evt.type in (execve, execveat)
- macro: by_server
  condition: (proc.pname = nginx or proc.aname = java)
- rule: Shell
  condition: spawned and proc.name in (shells) and by_server and not proc.tty exists
  exceptions:
    - name: known
      fields: [proc.cmdline]
      comps: [startswith]
      values: [[/usr/bin/known]]
  output: o
  desc: d
  priority: info
";

fn file(text: &str) -> [SourceFile; 1] {
    [SourceFile { name: "rules.yaml".into(), text: text.into() }]
}

fn shown(part: &Explained, depth: usize, lines: &mut String) {
    let mark = if part.decides { ">" } else { " " };
    let word = match part.kind {
        PartKind::And => "and",
        PartKind::Or => "or",
        PartKind::Not => "not",
        PartKind::Macro => "macro",
        PartKind::Check => "check",
        PartKind::Search => "search",
        PartKind::Rule => "rule",
        PartKind::Correlation => "correlation",
    };
    let value = part.value.as_deref().map(|value| format!("  <- {value}")).unwrap_or_default();
    let line = if part.line == 0 { String::new() } else { format!(":{}", part.line) };
    let (holds, text) = (part.holds, &part.text);
    let text =
        format!("{mark} {}{word}{line} {text} {holds}{value} {}", "  ".repeat(depth), part.note);
    lines.push_str(text.trim_end());
    lines.push('\n');
    part.parts.iter().for_each(|part| shown(part, depth + 1, lines));
}

fn check(fields: &Fields, expected: &Expect) {
    let explained = Explainer::new(&file(RULES), "Shell").unwrap().explain(fields);
    let mut lines = String::new();
    shown(&explained, 0, &mut lines);
    expected.assert_eq(&lines);
}

#[test]
fn every_part_has_its_verdict_and_the_deciding_ones_are_marked() {
    let event = Fields::default()
        .with_text("evt.type", "execve")
        .with_text("proc.name", "bash")
        .with_text("proc.pname", "nginx")
        .with_text("proc.cmdline", "bash -i");
    check(
        &event,
        &expect![[r#"
        > and  true
        >   and  true
        >     macro:9 spawned true
        >       check:5 evt.type in (execve, execveat) true  <- execve
        >     check:9 proc.name in (sh, bash) true  <- bash
        >     macro:9 by_server true
        >       or  true
        >         check:7 proc.pname = nginx true  <- nginx
                  check:7 proc.aname = java false  <- <NA>
        >     not  true
        >       check:9 proc.tty exists false  <- <NA>
        >   not  true
        >     check:12 proc.cmdline startswith /usr/bin/known false  <- bash -i
    "#]],
    );
}

#[test]
fn the_first_part_that_fails_decides() {
    let event = Fields::default()
        .with_text("evt.type", "execve")
        .with_text("proc.name", "id")
        .with_text("proc.pname", "sshd");
    check(
        &event,
        &expect![[r#"
        > and  false
        >   and  false
              macro:9 spawned true
                check:5 evt.type in (execve, execveat) true  <- execve
        >     check:9 proc.name in (sh, bash) false  <- id
              macro:9 by_server false
                or  false
                  check:7 proc.pname = nginx false  <- sshd
                  check:7 proc.aname = java false  <- <NA>
              not  true
                check:9 proc.tty exists false  <- <NA>
            not  true
              check:12 proc.cmdline startswith /usr/bin/known false  <- <NA>
    "#]],
    );
}

#[test]
fn a_field_that_is_not_provided_is_named() {
    let text = RULES.replace("proc.tty exists", "evt.rawarg.flags = 1");
    let explained = Explainer::new(&file(&text), "Shell").unwrap().explain(&Fields::default());
    let noted = find(&explained, &|part| !part.note.is_empty()).unwrap();
    assert_eq!((noted.note.as_str(), noted.holds), ("not provided yet: evt.rawarg", false));
}

fn find<'a>(part: &'a Explained, wanted: &dyn Fn(&Explained) -> bool) -> Option<&'a Explained> {
    if wanted(part) {
        return Some(part);
    }
    part.parts.iter().find_map(|part| find(part, wanted))
}

#[test]
fn a_rule_that_is_not_there_is_answered_with_names_that_are_near() {
    let no_such = |name: &str| Explainer::new(&file(RULES), name).unwrap_err();
    let near = NotExplained::NoSuchRule(vec!["Shell".into()]);
    assert_eq!(no_such("shel"), near);
    assert_eq!(no_such("Shall"), near);
    assert_eq!(no_such("x").to_string(), "there is no such rule");
    let broken = RULES.replace("by_server and", "by_serve and");
    let error = Explainer::new(&file(&broken), "Shell").unwrap_err();
    assert_eq!(error.to_string(), "the rule has a mistake: macro `by_serve` cannot be used");
}

/// Each macro names the one before it twice.
fn doubling(macro_count: u32) -> String {
    let mut text = "- macro: m0\n  condition: proc.name = a\n".to_owned();
    for number in 1..=macro_count {
        let before = number - 1;
        text.push_str(&format!("- macro: m{number}\n  condition: m{before} or m{before}\n"));
    }
    text.push_str(&format!(
        "- rule: r\n  condition: m{macro_count}\n  output: o\n  desc: d\n  priority: info\n"
    ));
    text
}

#[test]
fn macros_that_double_one_another_are_explained_up_to_a_bound() {
    // m(n) has 2 m(n-1) parts, its `or`, and itself where it is used.
    let fits = (0..).take_while(|n| (1_usize << n) * 5 <= EXPLAINED_PARTS_MAX).last().unwrap();
    assert!(Explainer::new(&file(&doubling(fits)), "r").is_ok());
    let error = Explainer::new(&file(&doubling(fits + 2)), "r").unwrap_err();
    assert!(matches!(error, NotExplained::HasMistake(_)), "{error}");
}
