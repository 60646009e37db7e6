//! Every BPF program says what it hooks, what it costs and what it can lose.
//!
//! These programs run in the kernel of other people's machines; the head of the file is what an
//! operator reads before he lets it.

use super::Problem;
use crate::tree::{File, Tree};

/// What the first lines must hold.
const LICENCE: &str = "SPDX-License-Identifier:";

/// The labels of the head comment, in order.
const LABELS: &[&str] = &["Hook:", "Emits:", "Cost:", "Loses:"];

/// Checks the head of every program of `bpf/`.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let programs = tree.with_extension("c").filter(|file| file.path.starts_with("bpf/"));
    programs.flat_map(check_head).collect()
}

fn check_head(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !file.text.lines().next().is_some_and(|line| line.contains(LICENCE)) {
        problems.push(Problem::at(&file.path, 1, format!("starts without `{LICENCE}`")));
    }
    let head = file.text.split_once("*/\n#").map_or(file.text.as_str(), |(head, _)| head);
    let mut rest = head;
    for label in LABELS {
        match rest.split_once(label) {
            Some((_, after)) => rest = after,
            None => {
                let message = format!("its head lacks `{label}` (order: {})", LABELS.join(" "));
                problems.push(Problem::at(&file.path, 1, message));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0\n/*\n * exec: reports\n \
                           *\n * Hook:  tp_btf\n * Emits: one\n * Cost:  one\n * Loses: none\n \
                           */\n#include \"x.h\"\n";

    fn check_one(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn accepts_a_program_with_its_head() {
        assert_eq!(check_one("bpf/exec.c", PROGRAM), 0);
    }

    #[test]
    fn asks_for_the_licence_and_for_each_label() {
        assert_eq!(check_one("bpf/exec.c", &PROGRAM.replace("SPDX", "Licence")), 1);
        for label in LABELS {
            assert_eq!(check_one("bpf/exec.c", &PROGRAM.replace(label, "Note:")), 1, "{label}");
        }
    }

    #[test]
    fn reads_the_head_only() {
        let text = PROGRAM.replace(" * Cost:  one\n", "") + "/* Cost: none */\n";
        assert_eq!(check_one("bpf/exec.c", &text), 1);
    }

    #[test]
    fn leaves_other_c_files_alone() {
        assert_eq!(check_one("lab/images/netcheck/netcheck.c", "int main;\n"), 0);
    }
}
