//! Generated files are what their generator writes today.

use super::Problem;
use crate::codegen::{self, Mode};
use crate::tree::Tree;

/// Compares every generated file with what would be written now.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    match codegen::run(&tree.root, Mode::Check) {
        Ok(stale) => stale
            .iter()
            .map(|path| Problem::of_file(path, "is stale: run `cargo xtask codegen`"))
            .collect(),
        Err(error) => vec![Problem::of_file("xtask/src/codegen.rs", format!("{error:#}"))],
    }
}
