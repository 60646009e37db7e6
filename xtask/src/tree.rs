//! Lists the repository's files and holds their content.
//!
//! Git decides what belongs: tracked files and new ones that are not ignored. So a check sees
//! what a commit would hold, and never wanders into `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// One file of the repository.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Path below the root, with `/`.
    pub(crate) path: String,
    /// Its content; invalid UTF-8 is replaced, which no check minds.
    pub(crate) text: String,
    /// Its size on disk.
    pub(crate) size_bytes: usize,
}

impl File {
    /// Whether the name ends in `.extension`.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// The folder the file lies in, empty for the root.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// All files of the repository, by path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    /// Where the repository lies on this machine.
    pub(crate) root: PathBuf,
    /// The files, sorted by path.
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads what git tracks below `root`, and what it would track.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("cannot run `git`")?;
        let complaint = String::from_utf8_lossy(&listed.stderr).into_owned();
        ensure!(listed.status.success(), "`git ls-files` failed: {}", complaint.trim());
        let listing = String::from_utf8_lossy(&listed.stdout).into_owned();
        let mut paths: Vec<&str> = listing.split('\0').filter(|path| !path.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        let files = paths.iter().filter_map(|path| read_file(root, path).transpose());
        Ok(Self { root: root.to_owned(), files: files.collect::<Result<_>>()? })
    }

    /// A tree of `(path, text)` pairs, for tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
            size_bytes: text.len(),
        };
        Self { root: PathBuf::from("/nowhere"), files: files.iter().map(file).collect() }
    }

    /// The file at `path`, if there is one.
    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The files whose name ends in `.extension`.
    pub(crate) fn with_extension<'a>(
        &'a self,
        extension: &'a str,
    ) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.has_extension(extension))
    }

    /// Whether `path` names a file or a folder of the tree.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }
}

/// Reads one listed file; `None` when it was deleted and the deletion is not committed yet, and
/// for links and submodules, which have no content of their own.
fn read_file(root: &Path, path: &str) -> Result<Option<File>> {
    let place = root.join(path);
    let is_file = place.symlink_metadata().is_ok_and(|found| found.is_file());
    if !is_file {
        return Ok(None);
    }
    let bytes = std::fs::read(&place).with_context(|| format!("cannot read `{path}`"))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Some(File { path: path.to_owned(), text, size_bytes: bytes.len() }))
}

/// The repository's root: the folder above this crate.
pub(crate) fn root() -> Result<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let crate_folder = here.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    let root = crate_folder.parent().context("`xtask` has no folder above it")?;
    root.canonicalize().with_context(|| format!("cannot open `{}`", root.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_new_files_but_no_ignored_ones() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let git = Command::new("git").args(["init", "-q"]).current_dir(folder.path()).status();
        assert!(git.expect("git runs").success());
        for (name, text) in [(".gitignore", "/built\n"), ("built", "x"), ("kept.md", "y")] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let tree = Tree::read(folder.path()).expect("a tree");
        let paths: Vec<_> = tree.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".gitignore", "kept.md"]);
    }

    #[test]
    fn holds_files_and_the_folders_above_them() {
        let tree = Tree::of(&[("docs/decisions/0001-layers.md", "")]);
        for path in ["", "docs", "docs/decisions", "docs/decisions/0001-layers.md"] {
            assert!(tree.holds(path), "{path}");
        }
        for path in ["doc", "docs/dec", "docs/decisions/0001"] {
            assert!(!tree.holds(path), "{path}");
        }
    }
}
