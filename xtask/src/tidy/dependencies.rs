//! Every outside crate is argued for in one line, and no line outlives its crate.

use std::collections::BTreeSet;

use toml::Table;

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
    missing.chain(left_over).collect()
}

/// The crates of `[workspace.dependencies]` that are not ours.
fn outside_crates(manifest: &str) -> BTreeSet<String> {
    let table: Table = manifest.parse().unwrap_or_default();
    let entries = table.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let entries = entries.and_then(toml::Value::as_table).into_iter().flatten();
    let outside = entries.filter(|(_, value)| value.get("path").is_none());
    outside.map(|(name, _)| name.clone()).collect()
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
    fn drops_the_line_of_a_crate_that_left() {
        let page = "| `zstd` | tapes are compressed |\n| `gone` | was needed once upon a time |\n";
        assert_eq!(check_page(page), ["`gone` is argued but not in Cargo.toml: drop the line"]);
    }
}
