//! Reads the crates' manifests, and checks what every one of them owes the workspace.
//!
//! Each takes the workspace's lints; a pure crate has no `clippy.toml` of its own, for that would
//! switch the strict one off; each crate root forbids `unsafe`, but for the two that need it.

use toml::{Table, Value};

use super::Problem;
use super::layers::Layers;
use crate::tree::{File, Tree};

/// When a dependency is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Into what ships, or into its build script.
    Shipped,
    /// Into tests and benches only.
    Dev,
}

/// One dependency of a crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dependency {
    /// The crate's true name, whatever it is renamed to.
    pub(super) name: String,
    /// When it is linked.
    pub(super) kind: Kind,
}

/// What the checks need of one `Cargo.toml`.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    /// Path below the root.
    pub(super) path: String,
    /// The crate's name.
    pub(super) name: String,
    /// All dependencies, of every kind and target.
    pub(super) dependencies: Vec<Dependency>,
    /// Whether it says `[lints] workspace = true`.
    pub(super) takes_lints: bool,
}

impl Manifest {
    /// Reads the manifest of a crate; `None` for other files and for a workspace root.
    pub(super) fn of(file: &File) -> Option<Self> {
        if !(file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml")) {
            return None;
        }
        let table: Table = file.text.parse().ok()?;
        let name = table.get("package")?.get("name")?.as_str()?.to_owned();
        let lints = table.get("lints").and_then(|lints| lints.get("workspace"));
        Some(Self {
            path: file.path.clone(),
            name,
            dependencies: dependencies(&table),
            takes_lints: lints.and_then(Value::as_bool) == Some(true),
        })
    }

    /// The folder of the crate.
    pub(super) fn folder(&self) -> &str {
        self.path.strip_suffix("/Cargo.toml").unwrap_or_default()
    }
}

/// The dependencies of a manifest or of one of its `[target]` tables.
fn dependencies(table: &Table) -> Vec<Dependency> {
    let sections = [
        ("dependencies", Kind::Shipped),
        ("build-dependencies", Kind::Shipped),
        ("dev-dependencies", Kind::Dev),
    ];
    let mut found = Vec::new();
    for (section, kind) in sections {
        let Some(entries) = table.get(section).and_then(Value::as_table) else { continue };
        found.extend(entries.iter().map(|(key, value)| Dependency {
            name: value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned(),
            kind,
        }));
    }
    let targets = table.get("target").and_then(Value::as_table);
    for target in targets.into_iter().flat_map(Table::values).filter_map(Value::as_table) {
        found.extend(dependencies(target));
    }
    found
}

/// Crates with `unsafe` in one module, each argued in `ARCHITECTURE.md`.
const UNSAFE_HOMES: &[&str] = &["clew-wire", "clew-sensor", "clew-respond"];

/// Checks every manifest, and that each can be read at all.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.with_extension("toml") {
        if let Err(error) = file.text.parse::<Table>() {
            let reason = error.message().to_owned();
            problems.push(Problem::of_file(&file.path, format!("is not TOML: {reason}")));
        }
    }
    let layers = Layers::of(tree);
    for manifest in tree.files.iter().filter_map(Manifest::of) {
        problems.extend(check_manifest(tree, &layers, &manifest));
    }
    problems
}

fn check_manifest(tree: &Tree, layers: &Layers, manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (name, folder) = (manifest.name.as_str(), manifest.folder());
    if !manifest.takes_lints {
        let message = "does not take the house's lints: add `[lints]` with `workspace = true`";
        problems.push(Problem::of_file(&manifest.path, message));
    }
    let own_clippy = format!("{folder}/clippy.toml");
    if layers.is_pure(name) && tree.holds(&own_clippy) {
        let message = format!("`{name}` is pure: the strict file at the root holds for it");
        problems.push(Problem::of_file(&own_clippy, message));
    }
    if UNSAFE_HOMES.contains(&name) {
        return problems;
    }
    for root in ["lib.rs", "main.rs"] {
        let path = format!("{folder}/src/{root}");
        let forbids = |file: &File| file.text.contains("#![forbid(unsafe_code)]");
        if tree.get(&path).is_some_and(|file| !forbids(file)) {
            problems.push(Problem::of_file(&path, "lacks `#![forbid(unsafe_code)]`"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"clew-rules\"\n[lints]\nworkspace = true\n";

    fn check_files(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let problems = check(&Tree::of(files));
        problems.into_iter().map(|problem| (problem.path, problem.message)).collect()
    }

    #[test]
    fn accepts_a_crate_that_takes_the_lints_and_forbids_unsafe() {
        let lib = "//! Rules.\n#![forbid(unsafe_code)]\n";
        let files = [("crates/clew-rules/Cargo.toml", GOOD), ("crates/clew-rules/src/lib.rs", lib)];
        assert_eq!(check_files(&files), []);
    }

    #[test]
    fn misses_the_lints() {
        let manifest = "[package]\nname = \"clew-rules\"\n";
        assert_eq!(check_files(&[("crates/clew-rules/Cargo.toml", manifest)]).len(), 1);
    }

    #[test]
    fn misses_the_ban_on_unsafe_where_it_is_owed() {
        let files =
            [("crates/clew-rules/Cargo.toml", GOOD), ("crates/clew-rules/src/lib.rs", "//! R.\n")];
        let found = check_files(&files);
        assert_eq!(found.len(), 1);
        let sensor = GOOD.replace("clew-rules", "clew-sensor");
        let files = [
            ("crates/clew-sensor/Cargo.toml", sensor.as_str()),
            ("crates/clew-sensor/src/lib.rs", "//! S.\n"),
        ];
        assert_eq!(check_files(&files), []);
    }

    #[test]
    fn refuses_a_relaxed_clippy_file_in_a_pure_crate() {
        let page = ("ARCHITECTURE.md", "4  clew-store\n2  clew-rules\n");
        let files =
            [page, ("crates/clew-rules/Cargo.toml", GOOD), ("crates/clew-rules/clippy.toml", "")];
        let found = check_files(&files);
        assert_eq!(found.len(), 1, "{found:?}");
        let store = GOOD.replace("clew-rules", "clew-store");
        let files = [
            page,
            ("crates/clew-store/Cargo.toml", store.as_str()),
            ("crates/clew-store/clippy.toml", ""),
        ];
        assert_eq!(check_files(&files), []);
    }

    #[test]
    fn names_a_manifest_that_is_not_toml() {
        assert_eq!(check_files(&[("crates/x/Cargo.toml", "[package\n")]).len(), 1);
    }
}
