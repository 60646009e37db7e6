//! Falco's own alerts over recorded captures, and ours.
//!
//! The captures, the alerts Falco raised when it replayed them, and the rule files it had are in
//! the shared data, whose README says how they were made. They are looked for under
//! `$CLEW_SHARED`, or in `shared/` beside the repository; where they are absent, the tests say so
//! and prove nothing.
#![allow(clippy::print_stderr, reason = "the table of equal and differing alerts is for people")]
#![allow(clippy::indexing_slicing, reason = "a test that finds its data out of shape must fail")]

mod falco_oracle_cases;

use std::collections::BTreeMap;
use std::path::Path;

use clew_event::Semantics;
use falco_oracle_cases::{
    Configuration, Difference, EXPLAINED, Explained, Outcome, Tally, captures, compare, expected,
    explained, replay, rules, shared,
};

const CONFIGURATIONS: [Configuration; 2] = [Configuration::AsShipped, Configuration::AllEnabled];

/// Compares every given capture, prints what differs by rule, and fails where that is not exactly
/// what is explained; `first_count` is where the counts for these captures stand. Where Falco is
/// followed, nothing is explained.
fn check(folder: &Path, names: &[String], semantics: Semantics, first_count: usize) -> Outcome<()> {
    let mut unexplained = Vec::new();
    for (nth, configuration) in CONFIGURATIONS.into_iter().enumerate() {
        let mut by_rule = BTreeMap::new();
        let mut used = vec![0; EXPLAINED.len()];
        let mut equal_captures = 0;
        let mut rules = rules(folder, (configuration, semantics))?;
        for name in names {
            let ours = replay(folder, name, &mut rules)?;
            let differences = compare(folder, name, configuration, &ours, &mut by_rule)?;
            equal_captures += usize::from(differences.is_empty());
            for difference in differences {
                match explained(&difference) {
                    Some(index) if !semantics.is_falco() => used[index] += 1,
                    Some(_) | None => unexplained.push(difference),
                }
            }
        }
        report((configuration, semantics), &by_rule, (equal_captures, names.len()));
        for (explained, used) in EXPLAINED.iter().zip(used) {
            let Explained { rule, reason, counts, .. } = explained;
            let expected = if semantics.is_falco() { 0 } else { counts[first_count + nth] };
            assert_eq!(used, expected, "`{rule}` with {configuration:?}: {reason}");
            if used != 0 {
                eprintln!("{used:>6} of `{rule}`: {reason}");
            }
        }
    }
    for difference in unexplained.iter().take(SHOWN_MAX) {
        eprintln!("{difference}");
    }
    let count = unexplained.len();
    assert!(unexplained.is_empty(), "{count} differences from Falco that nobody explained");
    Ok(())
}

/// Most differences that are shown.
const SHOWN_MAX: usize = 40;

fn report(
    (configuration, semantics): (Configuration, Semantics),
    by_rule: &BTreeMap<String, Tally>,
    (equal, captures): (usize, usize),
) {
    eprintln!(
        "\n{semantics:?}, {configuration:?}: {equal} of {captures} captures equal in every alert"
    );
    eprintln!("{:>6} {:>7} {:>6} {:>7}  rule", "equal", "missing", "extra", "changed");
    let mut total = Tally::default();
    for (rule, tally) in by_rule {
        let Tally { equal, missing, extra, changed } = *tally;
        eprintln!("{equal:>6} {missing:>7} {extra:>6} {changed:>7}  {rule}");
        total.add(tally);
    }
    let Tally { equal, missing, extra, changed } = total;
    eprintln!("{equal:>6} {missing:>7} {extra:>6} {changed:>7}  all");
}

#[test]
fn every_capture_gives_the_alerts_that_falco_gives() -> Outcome<()> {
    let Some(folder) = shared() else { return Ok(()) };
    let names = captures(&folder)?;
    assert!(38 <= names.len(), "only {} captures", names.len());
    check(&folder, &names, Semantics::Clew, 0)?;
    check(&folder, &names, Semantics::Falco, 0)
}

#[test]
fn the_load_capture_gives_the_alerts_that_falco_gives() -> Outcome<()> {
    let Some(folder) = shared() else { return Ok(()) };
    let names = ["throughput".to_owned()];
    check(&folder, &names, Semantics::Clew, 2)?;
    check(&folder, &names, Semantics::Falco, 2)
}

/// Actions whose own rule Falco did not raise, as the page of differences lists them.
fn actions_without_alert() -> Outcome<Vec<(String, String)>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/falco-differences.md");
    let page = std::fs::read_to_string(page)?;
    let (_, table) = page.split_once("## Actions of the event-generator").ok_or("no table")?;
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let action = cells.next()?.trim_end_matches('`').to_owned();
        Some((action, cells.next()?.to_owned()))
    };
    Ok(table.lines().filter_map(row).collect())
}

#[test]
fn the_own_rule_of_every_action_fires_wherever_it_did_in_falco() -> Outcome<()> {
    let Some(folder) = shared() else { return Ok(()) };
    // An action is named like its rule, without blanks and signs.
    let letters = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let mut rules = rules(&folder, (Configuration::AllEnabled, Semantics::Clew))?;
    let own: BTreeMap<String, String> =
        rules.iter().map(|(_, rule)| (letters(&rule.name), rule.name.clone())).collect();
    let (mut silent, mut fired) = (Vec::new(), 0);
    for action in captures(&folder)?.iter().filter(|name| !name.starts_with("benign-")) {
        let own = own.get(&letters(action)).ok_or_else(|| format!("no rule for `{action}`"))?;
        if expected(&folder, action, Configuration::AllEnabled)?.iter().all(|a| a.rule != *own) {
            silent.push((action.clone(), own.clone()));
            continue;
        }
        let ours = replay(&folder, action, &mut rules)?;
        assert!(ours.iter().any(|alert| alert.rule == *own), "`{own}` is silent on `{action}`");
        fired += 1;
    }
    eprintln!("{fired} actions raise the alert of their own rule in both");
    assert_eq!(silent, actions_without_alert()?);
    Ok(())
}

#[test]
fn a_difference_is_told_by_rule_and_field() {
    let difference = Difference {
        capture: "x".to_owned(),
        event_number: 7,
        rule: "r".to_owned(),
        what: "missing".to_owned(),
    };
    assert_eq!(difference.to_string(), "x event 7 `r`: missing");
}
