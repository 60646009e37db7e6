//! `clew rules check`: every mistake of rule files with its place and the way out.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clew_rules::{Options, Severity};
use serde::Serialize;

use crate::Exit;
use crate::args::Compat;
use crate::engine;
use crate::print::{self, Form};
use crate::rules::PathArgs;

#[derive(Serialize)]
struct Summary {
    files: usize,
    rules: usize,
    loaded: usize,
    errors: usize,
    warnings: usize,
}

/// Checks the files together, in the order given, as they would be loaded.
pub(super) fn check(args: &PathArgs) -> Result<Exit> {
    let form = Form::of_flag(args.json);
    let files = engine::read_rule_files(&args.paths)?;
    let semantics = args.compat.map(Compat::semantics).unwrap_or_default();
    let options = Options { semantics, ..engine::options(&args.pipeline)? };
    let loaded = clew_rules::load(&files, &options);
    let mut out = BufWriter::new(io::stdout().lock());
    for diagnostic in &loaded.diagnostics {
        match form {
            Form::Json => print::json_line(&mut out, "diagnostic", diagnostic)?,
            Form::Human => {
                let text = files.iter().find(|file| file.name == diagnostic.file);
                let text = text.map_or("", |file| file.text.as_str());
                writeln!(out, "{}", clew_rules::render(diagnostic, text))?;
            }
        }
    }
    let count = |severity| loaded.diagnostics.iter().filter(|d| d.severity == severity).count();
    let summary = Summary {
        files: files.len(),
        rules: loaded.rules_defined,
        loaded: loaded.rules.len(),
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
    };
    match form {
        Form::Json => print::json_line(&mut out, "summary", &summary)?,
        Form::Human => {
            let Summary { files, rules, loaded, errors, warnings } = summary;
            writeln!(
                out,
                "{files} files, {rules} rules, {loaded} run here: {errors} errors, {warnings} warnings"
            )?;
        }
    }
    out.flush()?;
    Ok(if summary.errors == 0 { Exit::Done } else { Exit::No })
}
