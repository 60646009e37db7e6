//! Whether the rules keep what the cases of their pages claim.
//!
//! Each case is judged in a fresh context. Its claim is checked by itself (the rule did or did not
//! find something), and the findings of *all* rules are compared with its block. So a block that
//! is rewritten shows in a diff what changed, but can never hide that a rule fell silent.

use clew_context::Context;
use clew_event::{Event, Priority};
use clew_rules::RuleSet;

use crate::page::{Case, Claim, PageError, cases, with_findings};
use crate::scenario::{self, ScenarioError};

/// The source that rules about kernel events name.
const SOURCE: &str = "syscall";

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
    let mut all = Vec::new();
    let mut matches = Vec::new();
    for event in events {
        context.observe(event);
        let view = context.view(event);
        matches.clear();
        rules.judge(event.event_type, SOURCE, &view, &mut matches);
        all.extend(matches.iter().filter_map(|&index| {
            let rule = rules.rule(index)?;
            let output = rules.output(index, &view).text;
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
