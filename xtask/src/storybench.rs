//! Runs storybench: made-up attacks with known truth, and what became of them as stories.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::tree;

/// Builds and runs it with these words; its table goes to standard output as it is.
///
/// # Errors
/// When it does not build or does not run.
pub(crate) fn run(words: &[&str]) -> Result<String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--release", "--package", "clew-testkit"]);
    cargo.args(["--bin", "storybench", "--"]).args(words);
    let status = cargo.current_dir(tree::root()?).status().context("cannot run `cargo run`")?;
    ensure!(status.success(), "storybench failed");
    Ok(String::new())
}
