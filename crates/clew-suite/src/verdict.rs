//! Whether the rules keep what the cases of their pages claim.
//!
//! Each case is judged in a fresh context. Its claim is checked by itself (the rule did or did not
//! find something), and the findings of *all* rules are compared with its block. So a block that
//! is rewritten shows in a diff what changed, but can never hide that a rule fell silent.

use clew_context::Context;
use clew_event::{Event, Priority};
use clew_rules::{Correlations, Matched, RuleSet};

use crate::page::{Case, Claim, PageError, cases, with_findings};
use crate::scenario::{self, ScenarioError};

/// One thing that a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Name of the rule.
    pub rule: String,
    /// How urgent its author calls it.
    pub priority: Priority,
    /// What it says.
    pub output: String,
}

/// What became of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many cases it has.
    pub case_count: usize,
    /// Claims that do not hold, each with the line of its case. No rewriting mends these.
    pub broken: Vec<String>,
    /// Blocks that differ from what was found, each with the line of its case.
    pub stale: Vec<String>,
    /// The page as it should read.
    pub page: String,
}

/// A page that cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The page itself is not as it should be.
    #[error("the page cannot be taken apart")]
    Page(#[from] PageError),
    /// The events of a case cannot be understood.
    #[error("the events of the case at line {line} cannot be understood")]
    Scenario {
        /// Line of the case's heading.
        line: usize,
        /// What is wrong.
        #[source]
        source: ScenarioError,
    },
}

/// What `rules` find in `events`, in their order.
pub fn found(rules: &mut RuleSet, events: &[Event]) -> Vec<Found> {
    let mut context = Context::default();
    let mut correlations = Correlations::default();
    let mut all = Vec::new();
    let (mut matches, mut correlated) = (Vec::new(), Vec::new());
    for event in events {
        context.observe(event);
        let view = context.view(event);
        matches.clear();
        rules.judge(event.event_type, event.source(), &view, &mut matches);
        correlated.clear();
        let matched = Matched { event: event.id, time: event.time, rules: &matches };
        rules.correlate(&mut correlations, matched, &view, &mut correlated);
        let single = matches.iter().filter(|&&index| !rules.is_silent(index));
        let single = single.map(|&index| (index, String::new()));
        let several = correlated.iter().map(|it| (it.rule, it.words()));
        all.extend(single.chain(several).filter_map(|(index, words)| {
            let rule = rules.rule(index)?;
            let output = rules.output(index, &view).text + &words;
            Some(Found { rule: rule.name.clone(), priority: rule.priority, output })
        }));
    }
    all
}

/// Judges every case of a page.
///
/// # Errors
/// A page or a case that cannot be understood.
pub fn judge(rules: &mut RuleSet, page: &str) -> Result<Verdict, SuiteError> {
    let cases = cases(page)?;
    let mut verdict = Verdict {
        case_count: cases.len(),
        broken: Vec::new(),
        stale: Vec::new(),
        page: String::new(),
    };
    let mut blocks = Vec::new();
    for case in &cases {
        let events = scenario::events(&case.events)
            .map_err(|source| SuiteError::Scenario { line: case.line, source })?;
        let found = found(rules, &events);
        let block = block(&found);
        verdict.broken.extend(broken(case, &found, rules));
        if block != case.findings {
            verdict.stale.push(format!(
                "line {}: {}, `{}`\nexpected:\n{}found:\n{block}",
                case.line, case.rule, case.title, case.findings
            ));
        }
        blocks.push(block);
    }
    verdict.page = with_findings(page, &cases, &blocks);
    Ok(verdict)
}

fn broken(case: &Case, found: &[Found], rules: &RuleSet) -> Option<String> {
    let at =
        |what: &str| Some(format!("line {}: {} {what} `{}`", case.line, case.rule, case.title));
    if !rules.iter().any(|(_, rule)| rule.name == case.rule) {
        return at("is not a rule that runs, for");
    }
    match (case.claim, found.iter().any(|found| found.rule == case.rule)) {
        (Claim::FiresOn, false) => at("is silent, against"),
        (Claim::SilentOn, true) => at("fires, against"),
        (Claim::FiresOn, true) | (Claim::SilentOn, false) => None,
    }
}

fn block(found: &[Found]) -> String {
    let line = |found: &Found| {
        format!("{} {}: {}\n", found.priority.name(), found.rule, found.output.trim_end())
    };
    found.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use clew_rules::{Options, SourceFile, load};

    use super::*;

    const RULE: &str = "- rule: shadow_read\n  desc: d\n  condition: evt.type = openat and \
                        fd.name = /etc/shadow\n  output: \"%proc.name read %fd.name\"\n  \
                        priority: WARNING\n  tags: [T1003.008]\n";

    fn judge_page(page: &str) -> Verdict {
        let file = SourceFile { name: "rules.yaml".into(), text: RULE.into() };
        let loaded = load(&[file], &Options::default());
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        let mut rules = loaded.rules;
        judge(&mut rules, page).unwrap()
    }

    fn page(claim: &str, path: &str, findings: &str) -> String {
        let events = format!("exec pid=10 args=cat\nopen pid=10 path={path}\n");
        format!(
            "## shadow_read\n\n### {claim} x\n\n```event\n{events}```\n\n\
             ```findings\n{findings}```\n"
        )
    }

    const FOUND: &str = "Warning shadow_read: cat read /etc/shadow\n";

    #[test]
    fn a_page_that_tells_the_truth_has_no_faults() {
        let check = |page: String| {
            let verdict = judge_page(&page);
            assert_eq!((verdict.broken, verdict.stale, verdict.page), (vec![], vec![], page));
        };
        check(page("Fires on", "/etc/shadow", FOUND));
        check(page("Silent on", "/etc/passwd", ""));
    }

    #[test]
    fn a_claim_that_does_not_hold_stays_broken_whatever_its_block_says() {
        let check = |page: String, told: &str| {
            let verdict = judge_page(&page);
            assert_eq!(verdict.broken, [format!("line 3: shadow_read {told} x`")]);
        };
        check(page("Fires on", "/etc/passwd", ""), "is silent, against `Fires on");
        check(page("Silent on", "/etc/shadow", FOUND), "fires, against `Silent on");
    }

    #[test]
    fn a_stale_block_is_told_and_written_anew() {
        let verdict = judge_page(&page("Fires on", "/etc/shadow", "Notice other: x\n"));
        assert_eq!((verdict.broken.len(), verdict.stale.len()), (0, 1));
        assert_eq!(verdict.page, page("Fires on", "/etc/shadow", FOUND));
    }

    #[test]
    fn a_case_of_a_rule_that_does_not_run_is_broken() {
        let page = page("Silent on", "/etc/passwd", "").replace("## shadow_read", "## misspelt");
        let verdict = judge_page(&page);
        let told = "line 3: misspelt is not a rule that runs, for `Silent on x`";
        assert_eq!(verdict.broken, [told]);
    }
}
