//! Links between our own pages lead somewhere: the file is there, and so is the heading.

use super::Problem;
use crate::tree::{File, Tree};

/// Checks every relative link of every markdown file.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.with_extension("md") {
        for (line, target) in links(&file.text) {
            if let Some(message) = fault(tree, file, target) {
                problems.push(Problem::at(&file.path, line, message));
            }
        }
    }
    problems
}

/// The targets of inline links and images, with their lines; fenced code is left out.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        }
        if is_fenced {
            continue;
        }
        for part in outside_code(line).flat_map(|text| text.split("](").skip(1)) {
            let target = part.split([')', ' ']).next().unwrap_or_default();
            found.push((number, target));
        }
    }
    found
}

/// The parts of a line that lie outside back-ticks.
fn outside_code(line: &str) -> impl Iterator<Item = &str> {
    // A link's text may hold code, so a closing "](" that follows a back-tick still counts.
    line.split('`').enumerate().filter(|(index, _)| index % 2 == 0).map(|(_, part)| part)
}

/// What is wrong with a link from `file` to `target`, if anything.
fn fault(tree: &Tree, file: &File, target: &str) -> Option<String> {
    let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
    if is_elsewhere {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let page = if path.is_empty() { file.path.clone() } else { resolve(file.folder(), path) };
    if !tree.holds(&page) {
        return Some(format!("the link `{target}` leads nowhere: there is no `{page}`"));
    }
    let is_known = |page: &File| headings(&page.text).any(|known| known == heading);
    let lacks_heading = !heading.is_empty() && tree.get(&page).is_some_and(|page| !is_known(page));
    lacks_heading.then(|| format!("the link `{target}` leads nowhere: no such heading"))
}

/// The path that `link` means in `folder`, with `.` and `..` resolved.
fn resolve(folder: &str, link: &str) -> String {
    let base = if link.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(link.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The anchors of a page's headings, as forges make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles = text.lines().filter(|line| line.starts_with('#'));
    titles.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_page(text: &str) -> Vec<String> {
        let files = [
            ("docs/page.md", text),
            ("README.md", "# Clew\n## How data flows\n"),
            ("docs/decisions/0001-layers.md", "# 1\n"),
        ];
        check(&Tree::of(&files)).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn follows_links_to_files_folders_and_headings() {
        let text = "# Page\n[a](../README.md) [b](decisions) [c](./decisions/0001-layers.md)\n\
                    [d](../README.md#how-data-flows) [e](#page) [`f`](/README.md \"title\")\n";
        assert_eq!(check_page(text), [""; 0]);
    }

    #[test]
    fn finds_a_link_to_an_absent_file() {
        assert_eq!(
            check_page("[a](gone.md)"),
            ["the link `gone.md` leads nowhere: there is no `docs/gone.md`"]
        );
        assert_eq!(check_page("[`a`](gone.md)").len(), 1);
    }

    #[test]
    fn finds_a_link_to_an_absent_heading() {
        assert_eq!(
            check_page("[a](../README.md#gone)"),
            ["the link `../README.md#gone` leads nowhere: no such heading"]
        );
    }

    #[test]
    fn leaves_other_sites_and_code_alone() {
        let text = "[a](https://example.org/x) `[b](gone.md)`\n```\n[c](gone.md)\n```\n";
        assert_eq!(check_page(text), [""; 0]);
    }
}
