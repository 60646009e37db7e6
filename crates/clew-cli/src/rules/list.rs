//! `clew rules list`: what each rule is for, where it stands, and whether it runs here.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clew_event::text::escaped;
use clew_rules::{RuleFacts, SigmaFacts, Status};
use serde::Serialize;

use super::{OurPathArgs, shortened};
use crate::Exit;
use crate::engine;
use crate::print::{self, Form};

/// Event types that are named in text; a rule for more is for nearly all.
const TYPES_SHOWN: usize = 6;

/// Characters of a Sigma rule's log source, level and authors that are shown in text.
const AUTHORS_SHOWN: usize = 80;

/// One line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    priority: &'static str,
    source: &'a str,
    status: &'static str,
    missing: &'a [String],
    event_types: Vec<&'static str>,
    techniques: &'a [String],
    tags: &'a [String],
    file: &'a str,
    line: u32,
    #[serde(flatten)]
    sigma: Option<Sigma<'a>>,
}

/// What Sigma rules have beside that.
#[derive(Serialize)]
struct Sigma<'a> {
    title: &'a str,
    id: &'a str,
    author: &'a str,
    license: &'a str,
    level: &'a str,
    logsource: &'a str,
}

/// Lists the rules in the order of their definition.
pub(super) fn list(args: &OurPathArgs) -> Result<Exit> {
    let files = engine::files_or_ours(&args.paths)?;
    let loaded = clew_rules::load(&files, &engine::options(&args.pipeline)?);
    let mut out = BufWriter::new(io::stdout().lock());
    for facts in &loaded.facts {
        match Form::of_flag(args.json) {
            Form::Json => print::json_line(&mut out, "rule", &line(facts))?,
            Form::Human => show(&mut out, facts)?,
        }
    }
    if !args.json {
        let count = |status| loaded.facts.iter().filter(|facts| facts.status == status).count();
        writeln!(
            out,
            "{} rules: {} run here, {} ask for what is not provided yet, {} disabled, {} refused",
            loaded.facts.len(),
            count(Status::Runs),
            count(Status::NotRunnable),
            count(Status::Disabled),
            count(Status::Refused),
        )?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn event_types(facts: &RuleFacts) -> Vec<&'static str> {
    let names = facts.event_types.iter().map(|event_type| event_type.name());
    names.filter(|name| !name.is_empty()).collect()
}

fn line(facts: &RuleFacts) -> Line<'_> {
    Line {
        name: &facts.name,
        priority: facts.priority.name(),
        source: &facts.source,
        status: facts.status.name(),
        missing: &facts.missing,
        event_types: event_types(facts),
        techniques: &facts.techniques,
        tags: &facts.tags,
        file: &facts.file,
        line: facts.line,
        sigma: facts.sigma.as_deref().map(sigma),
    }
}

fn sigma(facts: &SigmaFacts) -> Sigma<'_> {
    let SigmaFacts { title, id, author, license, level, log_source: logsource } = facts;
    Sigma { title, id, author, license, level, logsource }
}

fn show(out: &mut impl Write, facts: &RuleFacts) -> io::Result<()> {
    let types = event_types(facts);
    let types = match types.len() {
        count if count == 0 || facts.source != "syscall" => facts.source.clone(),
        count if TYPES_SHOWN < count => format!("{count} event types"),
        _ => types.join(" "),
    };
    let status = match facts.status {
        Status::NotRunnable => format!("needs {}", facts.missing.join(", ")),
        status => status.name().to_owned(),
    };
    writeln!(
        out,
        "{:<13} {:<58} {:<22} {}",
        facts.priority.name(),
        shortened(&escaped(facts.name.as_bytes()), 58),
        facts.techniques.join(" "),
        status,
    )?;
    write!(out, "{:<13} {}:{}  {types}", "", escaped(facts.file.as_bytes()), facts.line)?;
    if let Some(sigma) = &facts.sigma {
        let said = [&sigma.log_source, &sigma.level, &sigma.author];
        let said: Vec<&str> =
            said.into_iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        write!(out, "  ({})", shortened(&escaped(said.join(", ").as_bytes()), AUTHORS_SHOWN))?;
    }
    writeln!(out)
}
