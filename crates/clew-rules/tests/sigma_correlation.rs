//! Correlation rules as their users see them: what comes, in which order, and what is told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use clew_event::{EventId, EventType, TimestampNs};
use clew_rules::{Correlated, Correlations, Loaded, Matched, RuleIndex};

mod common;
use common::{Fields, load_text};

const LOGINS: &str = "
title: Failed login
name: failed
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin, errorMessage: Failed}, condition: s}
---
title: Login
name: login
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin, errorMessage: null}, condition: s}
---
";

/// One event at a second: `failed` or not, by a user, with a measured value.
struct Seen(u64, &'static str, &'static str, &'static str);

fn fields(seen: &Seen) -> Fields {
    let fields = Fields::default()
        .with_text("json.member[eventName]", "ConsoleLogin")
        .with_text("json.member[user]", seen.2)
        .with_text("json.member[size]", seen.3);
    match seen.1 {
        "failed" => fields.with_text("json.member[errorMessage]", "Failed"),
        _ => fields,
    }
}

struct Run {
    loaded: Loaded,
    state: Correlations,
}

impl Run {
    fn new(correlation: &str) -> Self {
        let loaded = load_text(&format!("{LOGINS}{correlation}"));
        assert_eq!(loaded.diagnostics, []);
        Self { loaded, state: Correlations::default() }
    }

    /// What matches, as `rule@second: events, group`.
    fn step(&mut self, number: usize, seen: &Seen) -> Vec<String> {
        let fields = fields(seen);
        let mut matches: Vec<RuleIndex> = Vec::new();
        self.loaded.rules.judge(EventType::PluginEvent, "aws_cloudtrail", &fields, &mut matches);
        let mut found: Vec<Correlated> = Vec::new();
        let event = EventId(number as u128);
        let time = TimestampNs::from_unix_ns((1_000_000 + seen.0) * 1_000_000_000);
        let rules = &self.loaded.rules;
        let matched = Matched { event, time, rules: &matches };
        rules.correlate(&mut self.state, matched, &fields, &mut found);
        let single = matches.iter().filter(|index| !rules.is_silent(**index));
        let mut told: Vec<String> = single
            .map(|index| format!("{} {}", rules.rule(*index).unwrap().name, number))
            .collect();
        told.extend(found.iter().map(|it| {
            let events: Vec<String> = it.events.iter().map(|id| id.0.to_string()).collect();
            let group: Vec<String> = it.group.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let name = &rules.rule(it.rule).unwrap().name;
            format!("{name} [{}] {} {}", events.join(" "), group.join(" "), it.measure)
        }));
        told
    }
}

fn check(correlation: &str, seen: &[Seen], expected: &[&str]) {
    let mut run = Run::new(correlation);
    let found: Vec<String> = (0..).zip(seen).flat_map(|(n, seen)| run.step(n, seen)).collect();
    assert_eq!(found, expected, "{correlation}");
    // A state that was written and read goes on in the same way.
    let mut again = Run::new(correlation);
    let mut found = Vec::new();
    for (number, seen) in (0..).zip(seen) {
        let text = serde_json::to_string(&again.state).unwrap();
        again.state = serde_json::from_str(&text).unwrap();
        found.extend(again.step(number, seen));
    }
    assert_eq!(found, expected, "after a restart: {correlation}");
}

const BURST: &str = "
title: Burst
name: burst
correlation:
  type: event_count
  rules: [failed]
  group-by: [user]
  timespan: 1m
  condition: {gte: 3}
";

#[test]
fn events_are_counted_by_group_in_a_sliding_span() {
    let failed = |second, user| Seen(second, "failed", user, "");
    check(
        BURST,
        &[failed(0, "a"), failed(30, "a"), failed(40, "b"), failed(61, "a"), failed(90, "a")],
        &["Burst [4 1 3] user=a 3"],
    );
    check(BURST, &[failed(0, "a"), failed(30, "a"), failed(60, "a")], &["Burst [2 0 1] user=a 3"]);
}

#[test]
fn a_group_that_matched_is_silent_for_one_span() {
    let failed = |second| Seen(second, "failed", "a", "");
    let seen: Vec<Seen> = (0..8).map(|number| failed(number * 10)).collect();
    check(BURST, &seen, &["Burst [2 0 1] user=a 3"]);
    let seen: Vec<Seen> = (0..10).map(|number| failed(number * 10)).collect();
    check(BURST, &seen, &["Burst [2 0 1] user=a 3", "Burst [8 2 3 4 5 6 7] user=a 7"]);
}

#[test]
fn a_match_that_comes_late_counts_where_it_stands() {
    let failed = |second| Seen(second, "failed", "a", "");
    check(BURST, &[failed(100), failed(140), failed(90)], &["Burst [2 0 1] user=a 3"]);
    check(BURST, &[failed(100), failed(170), failed(105)], &[]);
}

#[test]
fn values_are_counted_summed_and_ranked() {
    let kind = |kind: &str, condition: &str| {
        format!(
            "title: Values\ncorrelation:\n  type: {kind}\n  rules: [failed]\n  group-by: [user]\n  \
             timespan: 1m\n  condition: {{field: size, {condition}}}\n"
        )
    };
    let seen = || ["5", "5", "40", "x", "1"].map(|size| Seen(1, "failed", "a", size));
    check(&kind("value_count", "gte: 3"), &seen(), &["Values [3 0 1 2] user=a 3"]);
    check(&kind("value_sum", "gt: 45"), &seen(), &["Values [2 0 1] user=a 50"]);
    check(&kind("value_avg", "gte: 16"), &seen(), &["Values [2 0 1] user=a 16.666666666666668"]);
    check(&kind("value_median", "lt: 5"), &seen(), &[]);
    check(&kind("value_median", "lte: 5"), &seen(), &["Values [0] user=a 5"]);
    let high = kind("value_percentile", "percentile: 99, gt: 30");
    check(&high, &seen(), &["Values [2 0 1] user=a 40"]);
    check(&kind("value_sum", "gt: 45, lte: 49"), &seen(), &[]);
}

#[test]
fn rules_are_joined_in_any_order_or_in_theirs() {
    let kind = |kind: &str| {
        format!(
            "title: Both\ncorrelation:\n  type: {kind}\n  rules: [failed, login]\n  \
             group-by: [user]\n  timespan: 1m\n"
        )
    };
    let failed = |second| Seen(second, "failed", "a", "");
    let login = |second| Seen(second, "login", "a", "");
    check(&kind("temporal"), &[login(1), failed(2)], &["Both [1 0] user=a 2"]);
    check(&kind("temporal_ordered"), &[login(1), failed(2)], &[]);
    check(&kind("temporal_ordered"), &[failed(1), login(2)], &["Both [1 0] user=a 2"]);
    check(&kind("temporal_ordered"), &[login(2), failed(1)], &["Both [1 0] user=a 2"]);
    check(&kind("temporal"), &[failed(1), login(90)], &[]);
    let not = kind("temporal") + "  condition: failed and not login\n";
    check(&not, &[login(1), failed(2)], &[]);
    check(&not, &[failed(1)], &["Both [0] user=a 1"]);
}

#[test]
fn correlations_are_chained_and_rules_behind_them_tell_themselves_where_they_are_asked_to() {
    let chain = format!(
        "{BURST}---\ntitle: Broken in\ncorrelation:\n  type: temporal_ordered\n  \
         rules: [burst, login]\n  group-by: [who]\n  timespan: 5m\n  aliases:\n    who:\n      \
         burst: user\n      login: user\n"
    );
    let failed = |second| Seen(second, "failed", "a", "");
    let seen = || [failed(1), failed(2), failed(3), Seen(90, "login", "a", "")];
    check(&chain, &seen(), &["Broken in [3 0 1 2] who=a 2"]);
    let generating = BURST.to_owned() + "  generate: true\n";
    let expected = ["Failed login 0", "Failed login 1", "Failed login 2", "Burst [2 0 1] user=a 3"];
    check(&generating, &seen()[..3], &expected);
    let both = format!("{generating}---\n{}", BURST.replace("urst", "ang"));
    let found = ["Failed login 0", "Failed login 1", "Failed login 2", "Burst [2 0 1] user=a 3"];
    let expected: Vec<&str> = found.into_iter().chain(["Bang [2 0 1] user=a 3"]).collect();
    check(&both, &seen()[..3], &expected);
}

#[test]
fn what_cannot_be_correlated_is_an_error_in_its_place() {
    let check = |correlation: &str, line: u32, message: &str| {
        let loaded = load_text(&format!("{LOGINS}title: c\ncorrelation:\n{correlation}"));
        let found: Vec<_> = loaded.diagnostics.iter().map(|it| (it.line, &*it.message)).collect();
        assert_eq!(found, [(line, message)], "{correlation}");
    };
    let whole = "  type: event_count\n  rules: [failed]\n  timespan: 1m\n";
    check("  type: event_count\n  timespan: 1m\n", 14, "a correlation needs `rules`");
    check(whole, 14, "`event_count` needs a `condition`");
    check(&format!("{whole}  condition: {{ge: 1}}\n"), 17, "`ge` means nothing in a condition");
    let many = "at most 9999 matches of a group are counted";
    check(&format!("{whole}  condition: {{gte: 10000}}\n"), 14, many);
    let span = "  type: temporal\n  rules: [failed]\n  timespan: 1y\n";
    check(span, 16, "`1y` is no timespan");
    let unknown = "  type: temporal\n  rules: [faild]\n  timespan: 1m\n";
    check(unknown, 15, "no rule is called `faild`");
}
