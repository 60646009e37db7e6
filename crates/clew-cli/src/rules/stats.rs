//! `clew rules stats`: how often each rule matches on tapes, and how often its rate holds it back.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clew_engine::{Engine, Output, Settings};
use clew_event::text::escaped;
use serde::Serialize;

use super::TapeArgs;
use crate::Exit;
use crate::engine;
use crate::print;
use crate::replay::Tapes;

#[derive(Serialize)]
struct Line<'a> {
    rule: &'a str,
    matches: u64,
    suppressed: u64,
}

#[derive(Serialize)]
struct Summary {
    events: u64,
    rules: usize,
    matched: usize,
    findings: u64,
    suppressed: u64,
}

/// Judges the tapes and counts; the rules with most matches first.
pub(super) fn stats(args: &TapeArgs) -> Result<Exit> {
    let rules = engine::rules(&args.rules)?;
    let rule_count = rules.len();
    let mut engine = Engine::new(rules, Settings::default());
    engine.set_rule_rate(args.rules.rule_rate);
    engine.set_profiling(args.rules.profiling());
    let mut output = Output::default();
    let mut tapes = Tapes::open(&args.tape);
    for event in tapes.by_ref().filter_map(Result::ok) {
        engine.step(&event, &mut output);
        output.clear();
    }
    let mut tallies: Vec<_> = engine.tallies().collect();
    tallies.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.matches));
    let counts = engine.counts();
    let summary = Summary {
        events: counts.events,
        rules: rule_count,
        matched: tallies.len(),
        findings: counts.findings,
        suppressed: counts.suppressed,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    for (rule, tally) in tallies {
        let (matches, suppressed) = (tally.matches, tally.suppressed);
        if args.json {
            print::json_line(&mut out, "rule", &Line { rule, matches, suppressed })?;
        } else {
            let rule = escaped(rule.as_bytes());
            writeln!(out, "{matches:>9} matches {suppressed:>9} suppressed  {rule}")?;
        }
    }
    if args.json {
        print::json_line(&mut out, "summary", &summary)?;
    } else {
        let Summary { events, rules, matched, findings, suppressed } = summary;
        writeln!(
            out,
            "{events} events: {matched} of {rules} rules matched, {findings} findings, \
             {suppressed} suppressed"
        )?;
    }
    out.flush()?;
    Ok(if tapes.is_any_readable { Exit::Done } else { Exit::BadInput })
}
