//! `clew rules cost`: what each rule costs on tapes, in nanoseconds an event.
//!
//! A rule alone is loaded as a set of its own, and judges each event of a type that it wants many
//! times over between two readings of the clock, because one judgment takes less than reading it.
//! Together rules cost less than their sum: what they share is decided once. The first judgment of
//! an event is not measured, so that what the view of an event remembers is there for all alike.

use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use clew_context::{Context, View};
use clew_event::Event;
use clew_event::text::escaped;
use clew_rules::{Options, RuleIndex, RuleSet, Selection, Selector, load};
use serde::Serialize;

use super::TapeArgs;
use crate::Exit;
use crate::engine::{self, Choice};
use crate::print;
use crate::replay::Tapes;

/// Events on which rules are measured; those behind them are not read.
const EVENTS_MEASURED: u64 = 20_000;
/// Judgments between two readings of the clock.
const REPETITIONS: u32 = 16;

/// One rule, or all together, with what was measured.
struct Measured {
    name: String,
    rules: RuleSet,
    events: u64,
    matches: u64,
    spent: Duration,
}

#[derive(Serialize)]
struct Line<'a> {
    rule: &'a str,
    events: u64,
    matches: u64,
    ns_per_event: f64,
    share_percent: f64,
}

#[derive(Serialize)]
struct Summary {
    events: u64,
    rules: usize,
    judged: u64,
    ns_per_judged_event: f64,
}

/// Measures the rules, the dearest first.
pub(super) fn cost(args: &TapeArgs) -> Result<Exit> {
    let choice = engine::choose(&args.rules)?;
    let mut all = Measured::new("", choice.load().rules);
    let mut each: Vec<Measured> = all
        .rules
        .iter()
        .map(|(_, rule)| Measured::new(&rule.name, alone(&choice, &rule.name)))
        .collect();
    let mut context = Context::default();
    context.set_semantics(choice.options.semantics);
    let mut tapes = Tapes::open(&args.tape);
    let mut events = 0;
    for event in tapes.by_ref().filter_map(Result::ok) {
        if events == EVENTS_MEASURED {
            break;
        }
        events += 1;
        context.observe(&event);
        let view = context.view(&event);
        all.judge(&event, &view);
        each.iter_mut().for_each(|rule| rule.judge(&event, &view));
    }
    each.sort_by_key(|rule| std::cmp::Reverse(rule.spent));
    let sum: Duration = each.iter().map(|rule| rule.spent).sum();
    let mut out = BufWriter::new(io::stdout().lock());
    for rule in &each {
        let line = Line {
            rule: &rule.name,
            events: rule.events,
            matches: rule.matches,
            ns_per_event: rule.ns_per_event(),
            share_percent: 100.0 * rule.spent.as_secs_f64() / sum.as_secs_f64().max(1e-9),
        };
        show(&mut out, args.json, &line)?;
    }
    let summary = Summary {
        events,
        rules: each.len(),
        judged: all.events,
        ns_per_judged_event: all.ns_per_event(),
    };
    if args.json {
        print::json_line(&mut out, "summary", &summary)?;
    } else {
        let Summary { events, rules, judged, ns_per_judged_event } = summary;
        writeln!(
            out,
            "all {rules} rules together: {ns_per_judged_event:.0} ns for each of {judged} events \
             that any of them wants, of {events}"
        )?;
    }
    out.flush()?;
    Ok(if tapes.is_any_readable { Exit::Done } else { Exit::BadInput })
}

/// One rule as a set of its own, loaded as all are.
fn alone(choice: &Choice, name: &str) -> RuleSet {
    let mut selection = choice.options.selection.clone();
    let entry = |is_enabled, name: &str| Selection {
        is_enabled,
        selector: Selector::Name(name.to_owned()),
    };
    selection.extend([entry(false, "*"), entry(true, name)]);
    load(&choice.files, &Options { selection, ..choice.options.clone() }).rules
}

impl Measured {
    fn new(name: &str, rules: RuleSet) -> Self {
        Self { name: name.to_owned(), rules, events: 0, matches: 0, spent: Duration::ZERO }
    }

    fn judge(&mut self, event: &Event, view: &View<'_>) {
        if !self.rules.wants(event.event_type, event.source()) {
            return;
        }
        let mut matches: Vec<RuleIndex> = Vec::new();
        self.rules.judge(event.event_type, event.source(), view, &mut matches);
        self.events += 1;
        self.matches += matches.len() as u64;
        let began = Instant::now();
        for _ in 0..REPETITIONS {
            matches.clear();
            self.rules.judge(event.event_type, event.source(), view, &mut matches);
        }
        self.spent += began.elapsed();
        std::hint::black_box(&matches);
    }

    fn ns_per_event(&self) -> f64 {
        let judged = self.events.max(1) as f64 * f64::from(REPETITIONS);
        self.spent.as_nanos() as f64 / judged
    }
}

fn show(out: &mut impl Write, is_json: bool, line: &Line<'_>) -> io::Result<()> {
    if is_json {
        return print::json_line(out, "rule", line);
    }
    let Line { rule, events, matches, ns_per_event, share_percent } = line;
    writeln!(
        out,
        "{ns_per_event:>8.0} ns  {share_percent:>5.1} %  {events:>8} events {matches:>7} matches  {}",
        escaped(rule.as_bytes())
    )
}
