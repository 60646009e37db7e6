//! Every rule file of SigmaHQ, unchanged: all of them load, and what cannot run says why.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test is told by the environment where data lies, and says what it skips"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clew_rules::explain::Explainer;
use clew_rules::{Loaded, Options, SourceFile, Status, load};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "yml") {
            found.push(path);
        }
    }
}

/// Everything under `rules/`; `None`, loudly, where it is not there.
fn upstream() -> Option<(Vec<SourceFile>, Loaded)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("CLEW_SHARED").map_or(beside, PathBuf::from);
    let folder = shared.join("data/sigma-rules/rules");
    if !folder.is_dir() {
        eprintln!("SKIPPED: no {}; set CLEW_SHARED to have it run", folder.display());
        return None;
    }
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let read = |path: &PathBuf| SourceFile {
        name: path.strip_prefix(&folder).unwrap_or(path).display().to_string(),
        text: fs::read_to_string(path).unwrap_or_default(),
    };
    let sources: Vec<SourceFile> = paths.iter().map(read).collect();
    let loaded = load(&sources, &Options::default());
    Some((sources, loaded))
}

#[test]
fn every_file_of_upstream_loads_and_what_cannot_run_says_why() {
    let Some((sources, loaded)) = upstream() else { return };
    let files = sources.len();
    let errors: Vec<String> = loaded
        .diagnostics
        .iter()
        .filter(|it| it.severity == clew_rules::Severity::Error)
        .map(|it| format!("{} {}:{} {}", it.code, it.file, it.line, it.message))
        .collect();
    assert_eq!(errors, [""; 0]);
    assert!(3_000 < files, "{files} files");
    assert_eq!(loaded.facts.len(), files);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for facts in &loaded.facts {
        let reason = match facts.status {
            Status::Runs => format!("runs on {}", facts.source),
            Status::NotRunnable => format!("needs {}", facts.missing.join(", ")),
            other => other.name().to_owned(),
        };
        *reasons.entry(reason).or_default() += 1;
    }
    println!("{reasons:#?}");
    let runs =
        |source: &str| reasons.get(&format!("runs on {source}")).copied().unwrap_or_default();
    assert_eq!(runs("aws_cloudtrail"), 57);
    assert_eq!(runs("gcp_auditlog"), 16);
    assert_eq!(runs("k8s_audit"), 16);
    assert_eq!(runs("okta"), 21);
    assert!(100 < runs("syscall"), "{}", runs("syscall"));
}

/// Rules of web servers and proxies are judged on requests; three are about lines of error logs.
#[test]
fn every_rule_of_upstream_about_requests_runs() {
    let Some((_, loaded)) = upstream() else { return };
    let (runs, rest): (Vec<_>, Vec<_>) = loaded
        .facts
        .iter()
        .filter(|facts| facts.file.starts_with("web/"))
        .partition(|facts| facts.status == Status::Runs);
    let missing: Vec<_> = rest.iter().map(|facts| facts.missing.join(", ")).collect();
    assert_eq!(missing, ["logsource=apache", "logsource=apache", "logsource=nginx"]);
    assert_eq!(runs.len(), 42);
}

#[test]
fn every_rule_of_upstream_that_runs_can_be_explained() {
    let Some((sources, loaded)) = upstream() else { return };
    let running = loaded.facts.iter().filter(|facts| facts.status == Status::Runs);
    for facts in running {
        let file = sources.iter().find(|file| file.name == facts.file).cloned();
        let explainer = Explainer::new(&file.into_iter().collect::<Vec<_>>(), &facts.name);
        let title = facts.sigma.as_ref().map(|sigma| sigma.title.clone());
        assert_eq!(explainer.map(|it| it.name().to_owned()), Ok(title.unwrap_or_default()));
    }
}
