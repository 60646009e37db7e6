//! `clew rules test`: rules tried on the cases of the markdown pages beside them.

use std::error::Error as _;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clew_rules::{Options, RuleSet};
use clew_suite::verdict::judge;
use serde::Serialize;

use super::TestArgs;
use crate::Exit;
use crate::engine;
use crate::print;

/// Directories in directories that are searched.
const DEPTH_SEARCHED: usize = 32;

#[derive(Serialize)]
struct Fault {
    file: String,
    kind: &'static str,
    message: String,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    pages: usize,
    cases: usize,
    broken: usize,
    stale: usize,
    updated: usize,
}

/// Judges every case; exit code 1 where a claim is broken or a block out of date.
pub(super) fn test(args: &TestArgs) -> Result<Exit> {
    let mut rule_files = Vec::new();
    let mut pages = Vec::new();
    collect(&args.directory, DEPTH_SEARCHED, &mut rule_files, &mut pages)?;
    if pages.is_empty() {
        bail!(
            "`{}` has no markdown page: write cases as rules/README.md says",
            args.directory.display()
        );
    }
    let mut sources = engine::read_rule_files(&args.rules)?;
    sources.extend(engine::read_rule_files(&rule_files)?);
    let loaded = clew_rules::load(&sources, &Options::default());
    let errors = loaded.error_count();
    let mut rules = loaded.rules;
    let mut out = BufWriter::new(io::stdout().lock());
    if 0 < errors {
        eprintln!("{errors} errors in the rule files; `clew rules check` shows them");
    }
    let mut summary = Summary::default();
    for path in &pages {
        page(args, path, &mut rules, &mut summary, &mut out)?;
    }
    if args.json {
        print::json_line(&mut out, "summary", &summary)?;
    } else {
        let Summary { pages, cases, broken, stale, updated } = &summary;
        writeln!(
            out,
            "{cases} cases on {pages} pages: {broken} broken claims, {stale} blocks out of date, \
             {updated} pages rewritten"
        )?;
    }
    out.flush()?;
    let is_good = summary.broken == 0 && summary.stale == 0 && errors == 0;
    Ok(if is_good { Exit::Done } else { Exit::No })
}

fn page(
    args: &TestArgs,
    path: &Path,
    rules: &mut RuleSet,
    summary: &mut Summary,
    out: &mut impl Write,
) -> Result<()> {
    let place = || format!("`{}`", path.display());
    let text = fs::read_to_string(path).with_context(place)?;
    let mut faults = Vec::new();
    match judge(rules, &text) {
        Ok(verdict) => {
            summary.pages += usize::from(0 < verdict.case_count);
            summary.cases += verdict.case_count;
            faults.extend(verdict.broken.into_iter().map(|message| ("broken", message)));
            if !args.update {
                faults.extend(verdict.stale.into_iter().map(|message| ("stale", message)));
            } else if verdict.page != text {
                fs::write(path, &verdict.page).with_context(place)?;
                summary.updated += 1;
            }
        }
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            faults.push(("broken", format!("{error}{cause}")));
        }
    }
    for (kind, message) in faults {
        match kind {
            "broken" => summary.broken += 1,
            _ => summary.stale += 1,
        }
        let file = path.display().to_string();
        if args.json {
            print::json_line(out, "fault", &Fault { file, kind, message })?;
        } else {
            writeln!(out, "{file}: {message}\n")?;
        }
    }
    Ok(())
}

/// Rule files and pages below a directory, each directory's in order of name.
fn collect(
    directory: &Path,
    depth: usize,
    rules: &mut Vec<PathBuf>,
    pages: &mut Vec<PathBuf>,
) -> Result<()> {
    let unreadable = || format!("cannot read the directory `{}`", directory.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).with_context(unreadable)? {
        entries.push(entry.with_context(unreadable)?.path());
    }
    entries.sort();
    for path in entries {
        let is_link = path.is_symlink();
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if path.is_dir() && !is_link && 0 < depth => {
                collect(&path, depth - 1, rules, pages)?;
            }
            Some("yaml" | "yml") => rules.push(path),
            Some("md") => pages.push(path),
            _ => {}
        }
    }
    Ok(())
}
