//! On every event of every case of our rules, each rule is explained as it judges.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

use std::fs;
use std::path::{Path, PathBuf};

use clew_context::Context;
use clew_rules::explain::{Explainer, PartKind};
use clew_rules::{Options, SourceFile, load};
use clew_suite::page::cases;
use clew_suite::scenario;

fn files(extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

#[test]
fn the_explanation_of_a_rule_agrees_with_its_judgment() {
    let source = |path: &PathBuf| SourceFile {
        name: path.display().to_string(),
        text: fs::read_to_string(path).unwrap(),
    };
    let sources: Vec<SourceFile> = files("yaml").iter().map(source).collect();
    let mut rules = load(&sources, &Options::default()).rules;
    let explainers: Vec<Explainer> =
        rules.iter().map(|(_, rule)| Explainer::new(&sources, &rule.name).unwrap()).collect();
    let (mut compared, mut matched) = (0, 0);
    for path in files("md") {
        for case in cases(&fs::read_to_string(path).unwrap()).unwrap() {
            let mut context = Context::default();
            for event in scenario::events(&case.events).unwrap() {
                context.observe(&event);
                let view = context.view(&event);
                let mut matches = Vec::new();
                rules.judge(event.event_type, event.source(), &view, &mut matches);
                matched += matches.len();
                for ((index, rule), explainer) in rules.iter().zip(&explainers) {
                    let is_match = matches.contains(&index);
                    if explainer.not_judged(event.event_type, event.source(), &view).is_some() {
                        assert!(!is_match, "{}", rule.name);
                        continue;
                    }
                    let explained = explainer.explain(&view);
                    if explained.kind == PartKind::Correlation {
                        // It holds where the event counts, which is no match yet.
                        continue;
                    }
                    assert_eq!(explained.holds, is_match, "{}: {explained:#?}", rule.name);
                    compared += 1;
                }
            }
        }
    }
    assert!(40_000 < compared && 100 < matched, "{compared} compared, {matched} matched");
}
