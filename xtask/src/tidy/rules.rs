//! Every rule we ship says which adversary technique it is about, and is tried.
//!
//! The tests of a rule stand in a markdown file of the same folder: a heading with the rule's
//! name, below it headings that begin with *fires on* (at least one) and *silent on* (at least
//! two), each with its events. Here only their presence is counted; the rule suite runs them.

use super::Problem;
use crate::scan;
use crate::tree::{File, Tree};

/// Cases in which a rule must fire, and in which it must not: fewer prove too little.
const FIRES_ON_MIN: usize = 1;
const SILENT_ON_MIN: usize = 2;

/// A rule of a rule file.
#[derive(Debug, PartialEq, Eq)]
struct Rule<'a> {
    name: &'a str,
    line: usize,
    text: String,
}

/// Checks the rules of `rules/`.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let files = tree.files.iter().filter(|file| file.path.starts_with("rules/"));
    for file in files.filter(|file| file.has_extension("yaml") || file.has_extension("yml")) {
        let beside = |page: &&File| page.folder() == file.folder();
        let pages: Vec<&File> = tree.with_extension("md").filter(beside).collect();
        for rule in rules(&file.text) {
            let faults = faults(&rule, &pages).into_iter();
            problems.extend(faults.map(|fault| Problem::at(&file.path, rule.line, fault)));
        }
    }
    problems
}

/// The rules of a file: each begins with `- rule:` and ends where the next item begins.
fn rules(text: &str) -> Vec<Rule<'_>> {
    let mut found: Vec<Rule<'_>> = Vec::new();
    let mut is_in_rule = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("- ") {
            is_in_rule = line.starts_with("- rule:");
        }
        if let Some(name) = line.strip_prefix("- rule:") {
            let name = name.trim().trim_matches(['"', '\'']);
            found.push(Rule { name, line: number, text: String::new() });
        }
        if let Some(rule) = found.last_mut().filter(|_| is_in_rule) {
            rule.text.push_str(line);
            rule.text.push('\n');
        }
    }
    found
}

fn faults(rule: &Rule<'_>, pages: &[&File]) -> Vec<String> {
    let name = rule.name;
    let mut faults = Vec::new();
    if !has_technique(&rule.text) {
        faults.push(format!("rule `{name}` has no ATT&CK technique among its tags, such as T1059"));
    }
    let (fires, silent) = cases(name, pages);
    if fires < FIRES_ON_MIN || silent < SILENT_ON_MIN {
        faults.push(format!(
            "rule `{name}` has {fires} *fires on* and {silent} *silent on* cases in a markdown \
             file beside it; {FIRES_ON_MIN} and {SILENT_ON_MIN} are due"
        ));
    }
    faults
}

/// Whether the tags hold a technique id: `T` and four digits.
fn has_technique(rule: &str) -> bool {
    let tags = rule.split_once("\n  tags:").map_or("", |(_, tags)| tags);
    let is_tag_line = |line: &&str| !line.starts_with("  ") || line.trim_start().starts_with('-');
    let mut lines = tags.lines();
    let first = lines.next().unwrap_or_default();
    let rest = lines.take_while(|line| line.starts_with("    ") || is_tag_line(line));
    let is_technique = |word: &str| {
        let digits = word.strip_prefix(['T', 't']).unwrap_or_default();
        digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit())
    };
    let mut words = std::iter::once(first).chain(rest).flat_map(scan::words);
    words.any(|(_, word)| is_technique(word))
}

/// How many cases the pages hold for the rule: (fires on, silent on).
fn cases(name: &str, pages: &[&File]) -> (usize, usize) {
    let (mut fires, mut silent) = (0, 0);
    for page in pages {
        let mut level_of_rule = None;
        for line in page.text.lines().filter(|line| line.starts_with('#')) {
            let title = line.trim_start_matches('#');
            let level = line.len() - title.len();
            let claim = title.trim().trim_matches('`');
            if claim == name {
                level_of_rule = Some(level);
            } else if level_of_rule.is_some_and(|of_rule| level <= of_rule) {
                level_of_rule = None;
            } else if level_of_rule.is_some() {
                let claim = claim.to_lowercase();
                fires += usize::from(claim.starts_with("fires on"));
                silent += usize::from(claim.starts_with("silent on"));
            }
        }
    }
    (fires, silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "- macro: a\n  condition: evt.type = open\n\n\
                        - rule: Shell in a web server\n  condition: a\n  priority: WARNING\n  \
                        tags: [host, mitre_execution, T1059.004]\n";
    const PAGE: &str = "# Tests\n## Shell in a web server\n### Fires on sh\n### Silent on cron\n\
                        ### Silent on a build\n## Other\n### Silent on x\n";

    fn check_files(rule: &str, page: &str) -> Vec<usize> {
        let tree = Tree::of(&[("rules/shells.yaml", rule), ("rules/shells.md", page)]);
        check(&tree).into_iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn accepts_a_rule_with_technique_and_cases() {
        assert_eq!(check_files(RULE, PAGE), [0; 0]);
    }

    #[test]
    fn asks_for_the_technique_among_the_tags() {
        let rule = RULE.replace("T1059.004", "shell").replace("condition: a", "condition: T1059");
        assert_eq!(check_files(&rule, PAGE), [4]);
    }

    #[test]
    fn reads_tags_written_one_a_line() {
        let tags = "tags:\n    - mitre_execution\n    - T1059\n";
        let rule = RULE.replace("tags: [host, mitre_execution, T1059.004]\n", tags);
        assert_eq!(check_files(&rule, PAGE), [0; 0]);
    }

    #[test]
    fn counts_only_cases_below_the_rule_s_own_heading() {
        let page = PAGE.replace("### Silent on a build\n", "");
        assert_eq!(check_files(RULE, &page), [4]);
        assert_eq!(check_files(RULE, &PAGE.replace("### Fires on sh", "### Runs sh")), [4]);
    }

    #[test]
    fn wants_the_tests_beside_the_rule() {
        let tree = Tree::of(&[("rules/a/shells.yaml", RULE), ("rules/b/shells.md", PAGE)]);
        assert_eq!(check(&tree).len(), 1);
    }
}
