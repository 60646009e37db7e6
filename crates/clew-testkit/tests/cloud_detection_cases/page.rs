//! The figures of `docs/cloud-detection.md`, between two marks of the page.

use std::fs;
use std::path::Path;

const PAGE: &str = "../../docs/cloud-detection.md";

#[allow(clippy::disallowed_methods, reason = "the switch that expect-test reads, too")]
fn is_update() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

/// Holds the block `name` of the page to be `text`; `UPDATE_EXPECT=1` rewrites it.
pub(crate) fn hold(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = page.split_once(&begin).expect("the page has the block");
    let (found, after) = rest.split_once(&end).expect("the block ends");
    if is_update() {
        fs::write(&path, format!("{before}{begin}{text}{end}{after}")).unwrap();
    } else {
        assert_eq!(found, text, "docs/cloud-detection.md is stale: run with UPDATE_EXPECT=1");
    }
}

/// Names of our rules that stand in code marks on the page.
pub(crate) fn rules_named() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(path).unwrap();
    let is_ours = |word: &&str| word.starts_with("aws_") || word.starts_with("kubernetes_");
    page.split('`').filter(is_ours).map(ToOwned::to_owned).collect()
}

/// A table in markdown.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    [line(&head), line(&rule)].into_iter().chain(rows.iter().map(|row| line(row))).collect()
}
