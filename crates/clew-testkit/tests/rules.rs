//! Every rule we ship keeps what the cases beside it claim.
//!
//! `UPDATE_EXPECT=1` rewrites the expected findings; a claim that does not hold fails all the same.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clew_rules::{Loaded, Options, SourceFile, load};
use clew_testkit::rule_suite::judge;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules")
}

/// Files below the folder of rules with one of the extensions, in order of their paths.
fn files(extension: &str) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn loaded() -> Outcome<Loaded> {
    let mut sources = Vec::new();
    for path in files("yaml")? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        sources.push(SourceFile { name, text: fs::read_to_string(&path)? });
    }
    Ok(load(&sources, &Options::default()))
}

#[allow(clippy::disallowed_methods, reason = "the switch that expect-test reads, too")]
fn is_update() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

#[test]
fn our_rules_load_without_a_complaint() -> Outcome<()> {
    let loaded = loaded()?;
    assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
    assert!(loaded.not_runnable.is_empty(), "{:#?}", loaded.not_runnable);
    assert!(30 <= loaded.rules.len(), "only {} rules", loaded.rules.len());
    Ok(())
}

#[test]
fn our_rules_keep_their_claims() -> Outcome<()> {
    let mut rules = loaded()?.rules;
    let mut faults = Vec::new();
    let mut case_count = 0;
    for path in files("md")? {
        let page = fs::read_to_string(&path)?;
        let verdict = judge(&mut rules, &page).map_err(|error| {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            format!("{}: {error}: {cause}", path.display())
        })?;
        case_count += verdict.case_count;
        let stale = if is_update() { Vec::new() } else { verdict.stale };
        if is_update() && verdict.page != page {
            fs::write(&path, &verdict.page)?;
        }
        let faults_here = verdict.broken.into_iter().chain(stale);
        faults.extend(faults_here.map(|fault| format!("{}: {fault}", path.display())));
    }
    assert!(faults.is_empty(), "{}\n{} faults", faults.join("\n"), faults.len());
    assert!(120 <= case_count, "only {case_count} cases were found");
    Ok(())
}
