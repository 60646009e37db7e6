//! Writes the files that are made from Rust, or says which of them are stale.
//!
//! One definition, no hand-typed twin: `clew-wire` holds the kernel records as `repr(C)` types
//! and prints the C header that `bpf/` includes. The header is committed, so that a reader of the
//! BPF programs sees it and a change of layout shows in review.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Whether to write or only to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Bring every file up to date.
    Write,
    /// Touch nothing.
    Check,
}

/// A generated file: its path below the root, and the text it must hold.
type Generated = (&'static str, fn() -> String);

/// All generated files. A new one needs only its line here.
const GENERATED: &[Generated] = &[("bpf/lib/wire.h", clew_wire::c_header::text)];

/// Compares each generated file with its generator; in [`Mode::Write`] also writes it.
///
/// Returns the paths that were stale.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn run(root: &Path, mode: Mode) -> Result<Vec<&'static str>> {
    run_on(root, mode, GENERATED)
}

fn run_on(root: &Path, mode: Mode, files: &[Generated]) -> Result<Vec<&'static str>> {
    let mut stale = Vec::new();
    for (path, generate) in files {
        let (place, text) = (root.join(path), generate());
        let is_current = std::fs::read_to_string(&place).is_ok_and(|found| found == text);
        if is_current {
            continue;
        }
        if mode == Mode::Write {
            std::fs::write(&place, text).with_context(|| format!("cannot write `{path}`"))?;
        }
        stale.push(*path);
    }
    Ok(stale)
}

/// One line a stale file, and a closing line.
pub(crate) fn report(stale: &[&str], mode: Mode) -> String {
    let mut text = String::new();
    for path in stale {
        match mode {
            Mode::Write => writeln!(text, "wrote {path}").ok(),
            Mode::Check => writeln!(text, "{path}: is stale: run `cargo xtask codegen`").ok(),
        };
    }
    writeln!(text, "codegen: {} files, {} were stale", GENERATED.len(), stale.len()).ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[Generated] = &[("wire.h", || "#pragma once\n".to_owned())];

    #[test]
    fn finds_an_absent_and_a_changed_file_and_touches_neither() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let check = || run_on(folder.path(), Mode::Check, FILES).expect("a comparison");
        assert_eq!(check(), ["wire.h"]);
        let place = folder.path().join("wire.h");
        std::fs::write(&place, "#pragma twice\n").expect("a file");
        assert_eq!(check(), ["wire.h"]);
        assert_eq!(std::fs::read_to_string(&place).expect("a file"), "#pragma twice\n");
    }

    #[test]
    fn writes_a_file_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = || run_on(folder.path(), Mode::Write, FILES).expect("written");
        assert_eq!(write(), ["wire.h"]);
        assert_eq!(write(), [""; 0]);
    }
}
