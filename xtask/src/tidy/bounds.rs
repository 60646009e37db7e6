//! Every bound is tried: a constant that ends in `_MAX` must be named in a test.
//!
//! A bound that no test reaches is a promise nobody checks, and an attacker reaches it first.

use std::collections::BTreeSet;

use super::Problem;
use crate::scan;
use crate::tree::{File, Tree};

/// A bound, and where it is defined.
#[derive(Debug, PartialEq, Eq)]
struct Bound<'a> {
    name: &'a str,
    line: usize,
}

/// Checks the constants of all shipped Rust code against all tests of the workspace.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let tested: BTreeSet<&str> = tree
        .with_extension("rs")
        .flat_map(|file| scan::words(scan::tests(file)))
        .map(|(_, word)| word)
        .filter(|word| word.ends_with("_MAX"))
        .collect();
    let mut problems = Vec::new();
    for file in tree.with_extension("rs") {
        for Bound { name, line } in bounds(file) {
            if !tested.contains(name) {
                let message = format!("`{name}` is named in no test: try the bound and one more");
                problems.push(Problem::at(&file.path, line, message));
            }
        }
    }
    problems
}

/// The bounds that the shipped part of `file` defines.
fn bounds(file: &File) -> Vec<Bound<'_>> {
    let text = scan::shipped(file);
    let mut found = Vec::new();
    let mut before = "";
    for (offset, word) in scan::words(text) {
        if before == "const" && word.ends_with("_MAX") {
            found.push(Bound { name: word, line: scan::line_of(text, offset) });
        }
        before = word;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: &str = "//! A.\n\npub const ARGS_MAX: usize = 8;\n";

    fn check_files(files: &[(&str, &str)]) -> Vec<usize> {
        check(&Tree::of(files)).into_iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn finds_a_bound_that_no_test_names() {
        assert_eq!(check_files(&[("crates/a/src/lib.rs", BOUND)]), [3]);
    }

    #[test]
    fn is_not_satisfied_by_shipped_code_or_by_a_longer_name() {
        let uses = "//! B.\nfn f() -> usize { ARGS_MAX }\n";
        let test = "//! T.\nfn f() { assert!(ALL_ARGS_MAX > 1) }\n";
        let files = [
            ("crates/a/src/lib.rs", BOUND),
            ("crates/b/src/lib.rs", uses),
            ("crates/b/tests/all.rs", test),
        ];
        assert_eq!(check_files(&files), [3]);
    }

    #[test]
    fn is_satisfied_by_a_test_in_the_file_or_beside_it() {
        let inside = format!("{BOUND}\n#[cfg(test)]\nmod tests {{ fn f() {{ ARGS_MAX; }} }}\n");
        assert_eq!(check_files(&[("crates/a/src/lib.rs", &inside)]), [0; 0]);
        let files = [
            ("crates/a/src/lib.rs", BOUND),
            ("crates/a/tests/args.rs", "//! T.\nfn f() { a::ARGS_MAX; }\n"),
        ];
        assert_eq!(check_files(&files), [0; 0]);
    }
}
