//! Checks the form of the repository; a test of this crate and of CI.
//!
//! Every check is one function from the [`Tree`] to the problems it found, with its own tests on
//! inline files: a check that cannot fail is a defect. Nothing here judges meaning.

mod bounds;
mod bpf;
mod decisions;
mod dependencies;
mod files;
mod generated;
mod layers;
mod manifests;
mod markdown;
mod names;
mod purity;
mod rules;
mod test_code;

use std::fmt::Write as _;

use crate::tree::Tree;

/// Something that must be mended, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// Path below the root.
    pub(crate) path: String,
    /// Line from 1; 0 when the whole file is meant.
    pub(crate) line: usize,
    /// What is wrong and the way out.
    pub(crate) message: String,
}

impl Problem {
    /// A problem of a whole file.
    pub(crate) fn of_file(path: &str, message: impl Into<String>) -> Self {
        Self::at(path, 0, message)
    }

    /// A problem at one line.
    pub(crate) fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

/// The checks, in the order of `STYLE.md`.
const CHECKS: &[fn(&Tree) -> Vec<Problem>] = &[
    layers::check,
    manifests::check,
    purity::check,
    files::check,
    names::check,
    bounds::check,
    bpf::check,
    test_code::check,
    rules::check,
    generated::check,
    markdown::check,
    decisions::check,
    dependencies::check,
];

/// Runs every check; the problems come sorted by place.
pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems: Vec<Problem> = CHECKS.iter().flat_map(|check| check(tree)).collect();
    problems.sort();
    problems
}

/// One line a problem, and a closing line.
pub(crate) fn report(problems: &[Problem], file_count: usize) -> String {
    let mut text = String::new();
    for Problem { path, line, message } in problems {
        let place = if *line == 0 { path.clone() } else { format!("{path}:{line}") };
        writeln!(text, "{place}: {message}").ok();
    }
    let verdict = if problems.is_empty() { "tidy" } else { "untidy" };
    let (checks, count) = (CHECKS.len(), problems.len());
    writeln!(text, "{verdict}: {file_count} files, {checks} checks, {count} problems").ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let root = crate::tree::root().expect("the repository's root");
        let tree = Tree::read(&root).expect("the repository's files");
        assert!(tree.holds("xtask/src/main.rs"), "the listing must hold this crate");
        let problems = check(&tree);
        assert!(problems.is_empty(), "\n{}", report(&problems, tree.files.len()));
    }

    #[test]
    fn reports_places_a_terminal_can_open() {
        let problems = [Problem::at("a.rs", 3, "too long"), Problem::of_file("b.md", "absent")];
        expect_test::expect![[r"
            a.rs:3: too long
            b.md: absent
            untidy: 9 files, 13 checks, 2 problems
        "]]
        .assert_eq(&report(&problems, 9));
    }
}
