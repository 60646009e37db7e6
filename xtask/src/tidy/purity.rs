//! The shipped code of a pure crate names no clock, file, socket, environment, thread or process.
//!
//! Clippy bans the common calls; this bans the whole modules of `std`, so that no new door opens.
//! Tests of pure crates may read fixtures, so only the part that ships is read.

use super::Problem;
use super::layers::{self, Layers};
use crate::scan;
use crate::tree::{File, Tree};

/// Paths of `std` that reach outside the values a function is given.
const BANNED: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net::Tcp",
    "std::net::ToSocketAddrs",
    "std::net::Udp",
    "std::os",
    "std::process",
    "std::sync::mpsc",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "thread_local!",
];

/// Checks every source file of every pure crate.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let (mut problems, layers) = (Vec::new(), Layers::of(tree));
    for (folder, name) in layers::crates(tree) {
        if layers.is_pure(&name) {
            let sources = format!("{folder}/src/");
            let files = tree.with_extension("rs").filter(|file| file.path.starts_with(&sources));
            problems.extend(files.flat_map(check_file));
        }
    }
    problems
}

fn check_file(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(scan::shipped(file).lines()) {
        let code = scan::without_comment(line);
        for banned in BANNED.iter().filter(|banned| code.contains(**banned)) {
            let message = format!("`{banned}` in a pure crate: a shell hands the value down");
            problems.push(Problem::at(&file.path, number, message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_in(name: &str, text: &str) -> Vec<usize> {
        let manifest = format!("[package]\nname = \"{name}\"\n");
        let page = "4  clew-store\n2  clew-story\n0  clew-event\n";
        let tree = Tree::of(&[
            ("ARCHITECTURE.md", page),
            ("crates/a/Cargo.toml", &manifest),
            ("crates/a/src/lib.rs", text),
        ]);
        check(&tree).into_iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn finds_a_clock_in_a_pure_crate() {
        assert_eq!(check_in("clew-story", "//! S.\nuse std::time::Instant;\n"), [2]);
    }

    #[test]
    fn lets_a_pure_crate_speak_of_addresses() {
        assert_eq!(check_in("clew-event", "//! S.\nuse std::net::IpAddr;\n"), [0; 0]);
        assert_eq!(check_in("clew-event", "//! S.\nuse std::net::TcpStream;\n"), [2]);
    }

    #[test]
    fn lets_a_shell_read_files() {
        assert_eq!(check_in("clew-store", "//! S.\nuse std::fs::File;\n"), [0; 0]);
    }

    #[test]
    fn lets_tests_and_comments_speak_of_files() {
        let text = "//! Not std::fs.\n\n#[cfg(test)]\nmod tests { use std::fs::read; }\n";
        assert_eq!(check_in("clew-story", text), [0; 0]);
    }
}
