//! Tests wait for a condition, and none is switched off.
//!
//! A sleep is too short on a busy machine and too long on every other one. The one place that may
//! sleep is the waiting itself, in `clew-testkit`. An ignored test is one that nobody runs; a
//! test that needs what the machine lacks looks, says so on stderr and ends.

use super::Problem;
use crate::scan;
use crate::tree::{File, Tree};

/// Where waiting on a condition with a deadline lives.
const WAITING: &str = "crates/clew-testkit/";

/// Checks the test code of every crate.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let files = tree.with_extension("rs").filter(|file| !file.path.starts_with(WAITING));
    files.flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Problem> {
    let tests = scan::tests(file);
    let first_line = file.text.lines().count() - tests.lines().count() + 1;
    let mut problems = Vec::new();
    for (number, line) in (first_line..).zip(tests.lines()) {
        let code = scan::without_comment(line);
        let mut words = scan::words(code).map(|(_, word)| word);
        if words.any(|word| word == "sleep") && code.contains("sleep(") {
            let message = "a test sleeps: wait on a condition with a deadline";
            problems.push(Problem::at(&file.path, number, message));
        }
        if code.trim_start().starts_with("#[ignore") {
            let message = "a test is switched off: let it look for what it needs, and say so";
            problems.push(Problem::at(&file.path, number, message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|problem| problem.line).collect()
    }

    const HEAD: &str = "//! A.\nfn f() { sleep(a); }\n\n#[cfg(test)]\nmod tests {\n";

    #[test]
    fn finds_a_test_that_sleeps_or_is_switched_off() {
        let (ignore, sleep) = ("ignore", "sleep");
        let text =
            format!("{HEAD}    #[{ignore}]\n    fn t() {{ std::thread::{sleep}(a); }}\n}}\n");
        assert_eq!(check_one("crates/a/src/lib.rs", &text), [6, 7]);
    }

    #[test]
    fn lets_shipped_code_and_the_waiting_itself_sleep() {
        assert_eq!(check_one("crates/a/src/lib.rs", HEAD), [0; 0]);
        let wait = "//! W.\nfn wait() { sleep(a); }\n";
        assert_eq!(check_one("crates/clew-testkit/src/wait.rs", wait), [0; 0]);
        assert_eq!(check_one("crates/a/tests/live.rs", wait), [2]);
    }
}
