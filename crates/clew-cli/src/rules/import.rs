//! `clew rules import`: what Clew takes over of a Falco installation, what not, and why.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clew_event::text::escaped;
use clew_rules::{Loaded, Selector, Status};
use serde::Serialize;

use super::ImportArgs;
use crate::Exit;
use crate::falco::Installation;
use crate::print::{self, Form};

#[derive(Serialize)]
struct Summary {
    config_files: usize,
    rule_files: usize,
    rules: usize,
    run: usize,
    disabled: usize,
    less_urgent: usize,
    not_runnable: usize,
    refused: usize,
    keys_not_taken: usize,
}

#[derive(Serialize)]
struct Absent {
    path: String,
}

#[derive(Serialize)]
struct Rule<'a> {
    name: &'a str,
    status: &'static str,
    missing: &'a [String],
}

/// Reads the installation and tells of it; exit code 1 where a rule is refused.
pub(super) fn import(args: &ImportArgs) -> Result<Exit> {
    let installation = Installation::read(&args.config)?;
    let choice = installation.choice()?;
    let loaded = clew_rules::load(&choice.files, &choice.options);
    let count = |status| loaded.facts.iter().filter(|facts| facts.status == status).count();
    let summary = Summary {
        config_files: installation.config_files.len(),
        rule_files: choice.files.len(),
        rules: loaded.facts.len(),
        run: count(Status::Runs),
        disabled: count(Status::Disabled),
        less_urgent: count(Status::LessUrgent),
        not_runnable: count(Status::NotRunnable),
        refused: count(Status::Refused),
        keys_not_taken: installation.config.notes.iter().filter(|note| !note.is_taken).count(),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match Form::of_flag(args.json) {
        Form::Json => write_json(&mut out, &installation, &loaded, &summary)?,
        Form::Human => {
            show_keys(&mut out, &installation)?;
            show_selection(&mut out, &installation, &loaded)?;
            show_rules(&mut out, &loaded, &summary)?;
            let config = escaped(args.config.display().to_string().as_bytes());
            writeln!(out, "\nto run with it: clew run --falco-config {config}")?;
        }
    }
    out.flush()?;
    Ok(if summary.refused == 0 { Exit::Done } else { Exit::No })
}

fn write_json(
    out: &mut impl Write,
    installation: &Installation,
    loaded: &Loaded,
    summary: &Summary,
) -> io::Result<()> {
    for note in &installation.config.notes {
        print::json_line(out, "key", note)?;
    }
    for path in &installation.absent {
        print::json_line(out, "absent", &Absent { path: path.display().to_string() })?;
    }
    for facts in loaded.facts.iter().filter(|facts| facts.status != Status::Runs) {
        let (name, missing) = (facts.name.as_str(), facts.missing.as_slice());
        print::json_line(out, "rule", &Rule { name, status: facts.status.name(), missing })?;
    }
    print::json_line(out, "summary", summary)
}

fn show_keys(out: &mut impl Write, installation: &Installation) -> io::Result<()> {
    for (is_taken, title) in [(true, "Taken over"), (false, "Not taken over")] {
        let notes = installation.config.notes.iter().filter(|note| note.is_taken == is_taken);
        let lines: Vec<String> = notes
            .map(|note| {
                let (key, file) = (escaped(note.key.as_bytes()), escaped(note.file.as_bytes()));
                let reason = escaped(note.reason.as_bytes());
                format!("  {key:<36} {reason}   [{file}:{}]", note.line)
            })
            .collect();
        if !lines.is_empty() {
            writeln!(out, "{title}\n{}\n", lines.join("\n"))?;
        }
    }
    for path in &installation.absent {
        let path = escaped(path.display().to_string().as_bytes());
        writeln!(out, "not there, passed over as Falco does: {path}")?;
    }
    Ok(())
}

/// Each command with how many rules it fits: one that fits none is often a typing mistake.
fn show_selection(
    out: &mut impl Write,
    installation: &Installation,
    loaded: &Loaded,
) -> io::Result<()> {
    for entry in &installation.config.selection {
        let fits = loaded.facts.iter().filter(|facts| {
            entry.selector.fits(&facts.name, facts.tags.iter().map(String::as_str))
        });
        let verb = if entry.is_enabled { "enable" } else { "disable" };
        let (kind, name) = match &entry.selector {
            Selector::Name(name) => ("rule", name),
            Selector::Tag(name) => ("tag", name),
        };
        let name = escaped(name.as_bytes());
        match fits.count() {
            0 => writeln!(out, "warning: `{verb} {kind} {name}` fits no rule")?,
            count => writeln!(out, "{verb} {kind} `{name}`: fits {count} rules")?,
        }
    }
    Ok(())
}

fn show_rules(out: &mut impl Write, loaded: &Loaded, summary: &Summary) -> io::Result<()> {
    for facts in &loaded.facts {
        let name = escaped(facts.name.as_bytes());
        match facts.status {
            Status::Runs | Status::Disabled | Status::LessUrgent => {}
            Status::NotRunnable => {
                writeln!(out, "does not run yet: {name} (needs {})", facts.missing.join(", "))?;
            }
            Status::Refused => writeln!(out, "refused: {name} (`clew rules check` says why)")?,
        }
    }
    let Summary { rule_files, rules, run, disabled, less_urgent, not_runnable, refused, .. } =
        summary;
    writeln!(
        out,
        "{rule_files} rule files, {rules} rules: {run} run here, {disabled} disabled, \
         {less_urgent} less urgent than asked for, {not_runnable} not runnable yet, {refused} refused"
    )
}
