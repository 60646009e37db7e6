//! Chores of the house: `tidy`, `codegen`, `bench`, `storybench` and `ait`.
//!
//! Whatever a machine can check about the form of this repository is checked here, so that people
//! can look at meaning. Reading order: [`tree`] (which files there are), [`tidy`] (one small
//! function a check), [`codegen`] (files written from Rust), [`mod@bench`] (figures and ratios).

#![forbid(unsafe_code)]

mod bench;
mod codegen;
mod scan;
mod storybench;
mod tidy;
mod tree;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::tree::Tree;

/// What `cargo xtask` prints when it does not understand.
const USAGE: &str = "usage: cargo xtask CHORE

  tidy               check the form of the repository (also a test: `cargo test -p xtask`)
  codegen [--check]  write the generated files, or say which are stale
  bench [FILTER]     run the benchmarks and print figures and ratios
  storybench …       make up attacks, and print what became of them as stories
  ait FOLDER         tell a public set of labelled alerts as stories, and print figures
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = match words.as_slice() {
        ["tidy"] => run_tidy(),
        ["codegen"] => run_codegen(codegen::Mode::Write),
        ["codegen", "--check"] => run_codegen(codegen::Mode::Check),
        ["bench", filters @ ..] => bench::run(filters).map(|report| (report, true)),
        [program @ ("storybench" | "ait"), words @ ..] => {
            storybench::run(program, words).map(|report| (report, true))
        }
        _ => return say(USAGE, ExitCode::from(2)),
    };
    match answer {
        Ok((report, true)) => say(&report, ExitCode::SUCCESS),
        Ok((report, false)) => say(&report, ExitCode::FAILURE),
        Err(error) => say(&format!("error: {error:#}\n"), ExitCode::from(2)),
    }
}

/// Prints `text` and hands `code` on; a closed pipe is no reason to fail.
fn say(text: &str, code: ExitCode) -> ExitCode {
    std::io::stdout().write_all(text.as_bytes()).ok();
    code
}

fn run_tidy() -> Result<(String, bool)> {
    let tree = Tree::read(&tree::root()?).context("cannot list the repository's files")?;
    let problems = tidy::check(&tree);
    Ok((tidy::report(&problems, tree.files.len()), problems.is_empty()))
}

fn run_codegen(mode: codegen::Mode) -> Result<(String, bool)> {
    let root = tree::root()?;
    let stale = codegen::run(&root, mode)?;
    Ok((codegen::report(&stale, mode), mode == codegen::Mode::Write || stale.is_empty()))
}
