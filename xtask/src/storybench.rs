//! Runs what measures stories: storybench, with made-up attacks of known truth, and the AIT set.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::tree;

/// Builds and runs this program of the testkit with these words; its table goes to standard output
/// as it is.
///
/// # Errors
/// When it does not build or does not run.
pub(crate) fn run(program: &str, words: &[&str]) -> Result<String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--release", "--package", "clew-testkit"]);
    cargo.args(["--bin", program, "--"]).args(words);
    let status = cargo.current_dir(tree::root()?).status().context("cannot run `cargo run`")?;
    ensure!(status.success(), "{program} failed");
    Ok(String::new())
}
