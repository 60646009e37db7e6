//! Decision records are numbered without holes and keep one form.

use super::Problem;
use crate::tree::{File, Tree};

/// Where the records lie.
const FOLDER: &str = "docs/decisions/";

/// The headings of a record, in order.
const HEADINGS: &[&str] = &["## Context", "## Decision", "## What would change our mind"];

/// Lines of a record; half a page, so that it is read.
const RECORD_LINES_MAX: usize = 60;

/// Checks the numbers and the form of all records.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut expected: usize = 1;
    for file in tree.with_extension("md").filter(|file| file.path.starts_with(FOLDER)) {
        let Some(number) = number(file) else { continue };
        if number != expected {
            let message = format!("is numbered {number:04} where {expected:04} is due");
            problems.push(Problem::of_file(&file.path, message));
        }
        expected = number + 1;
        problems.extend(form(file));
    }
    problems
}

/// The number in a record's name; `None` for the other pages of the folder.
fn number(file: &File) -> Option<usize> {
    let name = file.path.strip_prefix(FOLDER)?;
    let (digits, _) = name.split_once('-')?;
    (digits.len() == 4).then(|| digits.parse().ok())?
}

fn form(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    let found: Vec<&str> = file.text.lines().filter(|line| line.starts_with("## ")).collect();
    if found != HEADINGS {
        let message = format!("must have the headings {}", HEADINGS.join(", "));
        problems.push(Problem::of_file(&file.path, message));
    }
    let lines = file.text.lines().count();
    if lines > RECORD_LINES_MAX {
        let message = format!("has {lines} lines of {RECORD_LINES_MAX} allowed: half a page");
        problems.push(Problem::of_file(&file.path, message));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> String {
        HEADINGS.join("\n")
    }

    fn check_names(names: &[&str]) -> Vec<String> {
        let (paths, text): (Vec<_>, _) =
            (names.iter().map(|name| format!("{FOLDER}{name}")).collect(), record());
        let files: Vec<_> = paths.iter().map(|path| (path.as_str(), text.as_str())).collect();
        check(&Tree::of(&files)).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn accepts_records_in_a_row_and_other_pages_beside_them() {
        assert_eq!(check_names(&["0001-a.md", "0002-b.md", "dependencies.md"]), [""; 0]);
    }

    #[test]
    fn finds_a_hole_and_a_number_taken_twice() {
        assert_eq!(
            check_names(&["0001-a.md", "0003-b.md"]),
            ["is numbered 0003 where 0002 is due"]
        );
        assert_eq!(
            check_names(&["0001-a.md", "0001-b.md"]),
            ["is numbered 0001 where 0002 is due"]
        );
    }

    #[test]
    fn asks_for_the_three_parts() {
        let tree = Tree::of(&[("docs/decisions/0001-a.md", "# A\n## Context\n")]);
        assert_eq!(check(&tree).len(), 1);
    }

    #[test]
    fn stops_a_record_above_record_lines_max() {
        let long = record() + &"\nline".repeat(RECORD_LINES_MAX);
        assert_eq!(check(&Tree::of(&[("docs/decisions/0001-a.md", &long)])).len(), 1);
    }
}
