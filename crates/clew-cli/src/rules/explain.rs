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
    #[serde(skip_serializing_if = "Option::is_none")]
    not_judged: Option<&'a str>,
    condition: &'a Explained,
}

/// Explains one rule on one event; exit code 1 where the rule does not match it, or, of a
/// correlation, does not count it.
pub(super) fn explain(args: &ExplainArgs) -> Result<Exit> {
    let chosen = RuleArgs {
        rules: args.rules.clone(),
        pipeline: args.pipeline.clone(),
        no_default_rules: args.no_default_rules,
        compat: args.compat,
        ..RuleArgs::default()
    };
    let choice = engine::choose(&chosen)?;
    let explainer = Explainer::following(&choice.files, &args.rule, &choice.options)
        .map_err(|error| anyhow!("rule `{}`: {error}", args.rule))?;
    let mut context = Context::default();
    context.set_semantics(choice.options.semantics);
    let event = find(args, &mut context)?;
    let view = context.view(&event);
    let explained = explainer.explain(&view);
    let not_judged = explainer.not_judged(event.event_type, event.source(), &view);
    let matches = explained.holds && not_judged.is_none();
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let (rule, event) = (explainer.name(), event.id);
        let not_judged = not_judged.as_deref();
        let line = Line { rule, event, matches, not_judged, condition: &explained };
        print::json_line(&mut out, "explanation", &line)?;
    } else {
        let verdict = match (explained.kind == PartKind::Correlation, matches) {
            (false, true) => "matches",
            (false, false) => "does not match",
            (true, true) => "counts",
            (true, false) => "does not count",
        };
        let rule = escaped(explainer.name().as_bytes());
        let kind = match event.source() {
            "syscall" => event.event_type.name(),
            log => log,
        };
        writeln!(out, "{rule} {verdict} {kind} {}", event.id)?;
        if let Some(reason) = not_judged {
            writeln!(out, "not judged: {reason}")?;
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
        PartKind::And if part.text.is_empty() => "and".to_owned(),
        PartKind::Or if part.text.is_empty() => "or".to_owned(),
        PartKind::And | PartKind::Or => escaped(part.text.as_bytes()),
        PartKind::Not => "not".to_owned(),
        PartKind::Macro => format!("macro {}", part.text),
        PartKind::Search => escaped(part.text.as_bytes()),
        PartKind::Rule => format!("rule {}", escaped(part.text.as_bytes())),
        PartKind::Correlation => format!("counts {}", escaped(part.text.as_bytes())),
        PartKind::Check => shortened(&part.text, TEXT_SHOWN),
    };
    write!(out, "{mark} {verdict} {:indent$}{text}", "", indent = 2 * depth)?;
    if let Some(value) = &part.value {
        write!(out, "   is {}", shortened(&escaped(value.as_bytes()), TEXT_SHOWN))?;
    }
    if !part.note.is_empty() {
        write!(out, "   ({})", part.note)?;
    }
    let is_named = matches!(part.kind, PartKind::Macro | PartKind::Rule);
    if !part.file.is_empty() && (is_named || (part.kind == PartKind::Check && part.decides)) {
        write!(out, "   [{}:{}]", escaped(part.file.as_bytes()), part.line)?;
    }
    writeln!(out)?;
    part.parts.iter().try_for_each(|part| show(out, part, depth + 1))
}
