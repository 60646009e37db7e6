//! `clew rules explain`: the condition of a rule as a tree, with its verdict for one event.

use std::io::{self, BufWriter, Write};

use anyhow::{Result, anyhow, bail};
use clew_context::Context;
use clew_event::text::escaped;
use clew_event::{Event, EventId};
use clew_rules::explain::{Explained, Explainer, PartKind};
use serde::Serialize;

use super::{ExplainArgs, shortened};
use crate::Exit;
use crate::args::RuleArgs;
use crate::engine;
use crate::print;
use crate::replay::Tapes;

/// Widest comparison and value that are shown as text; JSON has them whole.
const TEXT_SHOWN: usize = 100;

/// Which event is meant.
enum Wanted {
    Id(EventId),
    Number(u64),
}

#[derive(Serialize)]
struct Line<'a> {
    rule: &'a str,
    event: EventId,
    matches: bool,
    condition: &'a Explained,
}

/// Explains one rule on one event; exit code 1 where the rule does not match it.
pub(super) fn explain(args: &ExplainArgs) -> Result<Exit> {
    let chosen = RuleArgs {
        rules: args.rules.clone(),
        no_default_rules: args.no_default_rules,
        ..RuleArgs::default()
    };
    let explainer = Explainer::new(&engine::choose(&chosen)?.files, &args.rule)
        .map_err(|error| anyhow!("rule `{}`: {error}", args.rule))?;
    let mut context = Context::default();
    let event = find(args, &mut context)?;
    let explained = explainer.explain(&context.view(&event));
    // The comparisons would be false anyhow, but the reader should hear why.
    let is_for_source = explainer.source() == event.source();
    let matches = explained.holds && is_for_source;
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let (rule, event) = (explainer.name(), event.id);
        let line = Line { rule, event, matches, condition: &explained };
        print::json_line(&mut out, "explanation", &line)?;
    } else {
        let verdict = if matches { "matches" } else { "does not match" };
        writeln!(out, "{} {verdict} {} {}", explainer.name(), event.event_type.name(), event.id)?;
        if !is_for_source {
            let (rule, event) = (explainer.source(), event.source());
            writeln!(out, "it is for events of source `{rule}`, and this one is of `{event}`")?;
        }
        writeln!(out, "`>` marks the parts that decide, + holds, - does not\n")?;
        show(&mut out, &explained, 0)?;
    }
    out.flush()?;
    Ok(if matches { Exit::Done } else { Exit::No })
}

/// Takes in the tape up to the event that is meant, and gives it.
fn find(args: &ExplainArgs, context: &mut Context) -> Result<Event> {
    let wanted = match (args.event.parse(), args.event.parse()) {
        (Ok(id), _) => Wanted::Id(id),
        (_, Ok(number)) => Wanted::Number(number),
        _ => bail!("`{}` is no event: give an id (`e-…`) or a number from 1", args.event),
    };
    let mut number = 0;
    for item in Tapes::open(std::slice::from_ref(&args.tape)) {
        let event = match item {
            Ok(event) => event,
            Err(complaint) => {
                eprintln!("{}: {}: {}", complaint.file, complaint.r#where, complaint.message);
                continue;
            }
        };
        number += 1;
        context.observe(&event);
        let is_wanted = match wanted {
            Wanted::Id(id) => id == event.id,
            Wanted::Number(wanted) => wanted == number,
        };
        if is_wanted {
            return Ok(event);
        }
    }
    bail!("`{}` has {number} events, and `{}` is none of them", args.tape.display(), args.event)
}

fn show(out: &mut impl Write, part: &Explained, depth: usize) -> io::Result<()> {
    let mark = if part.decides { '>' } else { ' ' };
    let verdict = if part.holds { '+' } else { '-' };
    let text = match part.kind {
        PartKind::And => "and".to_owned(),
        PartKind::Or => "or".to_owned(),
        PartKind::Not => "not".to_owned(),
        PartKind::Macro => format!("macro {}", part.text),
        PartKind::Check => shortened(&part.text, TEXT_SHOWN),
    };
    write!(out, "{mark} {verdict} {:indent$}{text}", "", indent = 2 * depth)?;
    if let Some(value) = &part.value {
        write!(out, "   is {}", shortened(&escaped(value.as_bytes()), TEXT_SHOWN))?;
    }
    if !part.note.is_empty() {
        write!(out, "   ({})", part.note)?;
    }
    if part.kind == PartKind::Macro || (part.kind == PartKind::Check && part.decides) {
        write!(out, "   [{}:{}]", escaped(part.file.as_bytes()), part.line)?;
    }
    writeln!(out)?;
    part.parts.iter().try_for_each(|part| show(out, part, depth + 1))
}
