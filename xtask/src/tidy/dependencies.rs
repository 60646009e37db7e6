//! Every outside crate is argued for in one line, and no line outlives its crate.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Problem;
use crate::tree::Tree;

/// The page with one line a dependency, each `| name | why |`.
const PAGE: &str = "docs/decisions/dependencies.md";

/// Compares the workspace's dependencies with the page.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let manifest = tree.get("Cargo.toml").map_or("", |file| &file.text);
    let (used, page) = (outside_crates(manifest), tree.get(PAGE).map_or("", |file| &file.text));
    let argued: BTreeSet<String> = page.lines().filter_map(argued_crate).collect();
    let missing = used.difference(&argued).map(|name| {
        Problem::of_file(PAGE, format!("`{name}` is used but not argued: add `| {name} | why |`"))
    });
    let left_over = argued.difference(&used).map(|name| {
        Problem::of_file(PAGE, format!("`{name}` is argued but not in Cargo.toml: drop the line"))
    });
    let loose = loose_crates(manifest).into_iter().map(|name| {
        Problem::of_file("Cargo.toml", format!("`{name}` takes any version: name the major"))
    });
    missing.chain(left_over).chain(loose).collect()
}

/// The crates of `[workspace.dependencies]`, each with what is asked of it.
fn outside_entries(manifest: &str) -> Vec<(String, Value)> {
    let table: Table = manifest.parse().unwrap_or_default();
    let entries = table.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let entries = entries.and_then(Value::as_table).cloned().unwrap_or_default();
    entries.into_iter().filter(|(_, value)| value.get("path").is_none()).collect()
}

/// Outside crates without a version, or with `*`: a new major would slip in unseen.
fn loose_crates(manifest: &str) -> Vec<String> {
    let is_loose = |value: &Value| {
        let version = value.as_str().or_else(|| value.get("version")?.as_str());
        version.is_none_or(|version| version.contains('*'))
    };
    let entries = outside_entries(manifest).into_iter();
    entries.filter(|(_, value)| is_loose(value)).map(|(name, _)| name).collect()
}

/// The names of the crates that are not ours.
fn outside_crates(manifest: &str) -> BTreeSet<String> {
    outside_entries(manifest).into_iter().map(|(name, _)| name).collect()
}

/// The crate that a table row argues for.
fn argued_crate(line: &str) -> Option<String> {
    let (name, why) = line.strip_prefix("| `")?.split_once("` |")?;
    (why.trim_matches(['|', ' ']).len() > 10).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace.dependencies]\nclew-a = { path = \"a\" }\nzstd = \"1\"\n";

    fn check_page(page: &str) -> Vec<String> {
        let tree = Tree::of(&[("Cargo.toml", MANIFEST), (PAGE, page)]);
        check(&tree).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn accepts_a_line_for_each_outside_crate() {
        assert_eq!(check_page("| `zstd` | tapes are compressed |\n"), [""; 0]);
    }

    #[test]
    fn asks_for_a_reason() {
        assert_eq!(check_page("| `zstd` | |\n").len(), 1);
    }

    #[test]
    fn refuses_a_crate_of_any_version() {
        let of = |asked: &str| loose_crates(&format!("[workspace.dependencies]\nzstd = {asked}\n"));
        assert_eq!(of("\"1\""), [""; 0]);
        assert_eq!(of("{ version = \"1\", features = [] }"), [""; 0]);
        assert_eq!(of("\"*\""), ["zstd"]);
        assert_eq!(of("{ git = \"x\" }"), ["zstd"]);
    }

    #[test]
    fn drops_the_line_of_a_crate_that_left() {
        let page = "| `zstd` | tapes are compressed |\n| `gone` | was needed once upon a time |\n";
        assert_eq!(check_page(page), ["`gone` is argued but not in Cargo.toml: drop the line"]);
    }
}
