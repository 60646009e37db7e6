//! Imports go down only: each crate may depend on crates of lower layers and on none beside it.
//!
//! The table is read from `ARCHITECTURE.md`, so that the page cannot differ from the truth. Two
//! more promises of that page are held here: a pure crate links nothing that does I/O, and the
//! simulator never ships.

use std::collections::BTreeMap;

use super::Problem;
use super::manifests::{Dependency, Kind, Manifest};
use crate::tree::Tree;

/// The page that holds the table.
const PAGE: &str = "ARCHITECTURE.md";

/// The last layer that is pure.
const PURE_LAYER_LAST: u8 = 3;

/// Crates that stand beside the layers: nothing shipped may depend on them.
const BESIDE: &[&str] = &["clew-testkit", "xtask"];

/// Outside crates that do I/O, hold threads or draw random numbers: never under a pure crate.
const IMPURE: &[&str] = &[
    "anyhow",
    "axum",
    "bollard",
    "getrandom",
    "libbpf-rs",
    "libc",
    "nix",
    "rand",
    "reqwest",
    "rusqlite",
    "rustls",
    "signal-hook",
    "tokio",
    "tokio-stream",
    "ureq",
    "uuid",
];

/// Crates that may use `anyhow`: there is no caller left who could match on the error.
const ANYHOW_HOMES: &[&str] = &["clew-cli", "xtask"];

/// The layer of every crate that has one.
#[derive(Debug, Default)]
pub(super) struct Layers(BTreeMap<String, u8>);

impl Layers {
    /// Reads the table: a line of it begins with the layer's number and then names its crates.
    pub(super) fn of(tree: &Tree) -> Self {
        let page = tree.get(PAGE).map_or("", |file| &file.text);
        let mut layers = BTreeMap::new();
        for line in page.lines() {
            let Some((number, rest)) = line.split_once("  ") else { continue };
            let Ok(layer) = number.parse() else { continue };
            let names = rest.split_whitespace().take_while(|word| word.starts_with("clew-"));
            layers.extend(names.map(|name| (name.to_owned(), layer)));
        }
        Self(layers)
    }

    /// Whether the crate belongs to the pure layers.
    pub(super) fn is_pure(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|layer| *layer <= PURE_LAYER_LAST)
    }

    /// What is wrong with crate `name` using `dependency`, if anything.
    fn fault(&self, name: &str, dependency: &Dependency) -> Option<String> {
        let used = dependency.name.as_str();
        let (own, below) = (self.0.get(name), self.0.get(used));
        if dependency.kind == Kind::Dev {
            // Tests may use the simulator, which stands on the whole engine, and siblings.
            return (own? < below?).then(|| self.points_up(name, used));
        }
        if BESIDE.contains(&used) && !BESIDE.contains(&name) {
            return Some(format!("`{used}` never ships: make it a dev-dependency"));
        }
        if used == "anyhow" && !ANYHOW_HOMES.contains(&name) && !BESIDE.contains(&name) {
            return Some("`anyhow` only in clew-cli, xtask and tests: use `thiserror`".into());
        }
        if self.is_pure(name) && IMPURE.contains(&used) {
            return Some(format!("`{name}` is pure and cannot use `{used}`"));
        }
        (own? <= below?).then(|| self.points_up(name, used))
    }

    fn points_up(&self, name: &str, used: &str) -> String {
        let layer = |name: &str| self.0.get(name).copied().unwrap_or_default();
        let (own, below) = (layer(name), layer(used));
        format!("`{name}` (layer {own}) uses `{used}` (layer {below}): imports go down only")
    }
}

/// Checks every manifest of the workspace.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let layers = Layers::of(tree);
    let manifests = tree.files.iter().filter_map(Manifest::of);
    manifests.flat_map(|manifest| check_manifest(&layers, &manifest)).collect()
}

fn check_manifest(layers: &Layers, manifest: &Manifest) -> Vec<Problem> {
    let name = manifest.name.as_str();
    if !layers.0.contains_key(name) && !BESIDE.contains(&name) {
        let message = format!("crate `{name}` has no layer: give it one in {PAGE}");
        return vec![Problem::of_file(&manifest.path, message)];
    }
    let faults = manifest.dependencies.iter().filter_map(|used| layers.fault(name, used));
    faults.map(|message| Problem::of_file(&manifest.path, message)).collect()
}

/// The crates of the workspace by the folder they lie in.
pub(super) fn crates(tree: &Tree) -> BTreeMap<String, String> {
    let manifests = tree.files.iter().filter_map(Manifest::of);
    manifests.map(|manifest| (manifest.folder().to_owned(), manifest.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "6  clew-cli             the binary\n5  clew-server\n3  clew-engine\n\
                         2  clew-rules  clew-story  siblings\n1  clew-decode  clew-context\n\
                         0  clew-event  clew-wire   plain values\n";

    fn check_one(name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        let path = format!("crates/{name}/Cargo.toml");
        let tree = Tree::of(&[(&path, &text), (PAGE, TABLE)]);
        check(&tree).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn reads_the_table_of_the_page() {
        let layers = Layers::of(&Tree::of(&[(PAGE, TABLE)]));
        assert_eq!(layers.0.len(), 9);
        assert!(layers.is_pure("clew-engine"));
        assert!(!layers.is_pure("clew-server") && !layers.is_pure("plain"));
    }

    #[test]
    fn lets_a_crate_use_what_lies_below() {
        let rest = "[dependencies]\nclew-event.workspace = true\nclew-wire = { workspace = true }";
        assert_eq!(check_one("clew-decode", rest), [""; 0]);
    }

    #[test]
    fn stops_an_import_that_points_up() {
        let found = check_one("clew-event", "[dependencies]\nclew-rules.workspace = true\n");
        assert_eq!(
            found,
            ["`clew-event` (layer 0) uses `clew-rules` (layer 2): imports go down only"]
        );
    }

    #[test]
    fn stops_siblings_from_importing_one_another() {
        assert_eq!(check_one("clew-rules", "[dependencies.clew-story]\npath = \"x\"\n").len(), 1);
    }

    #[test]
    fn sees_through_a_renamed_dependency() {
        let rest = "[dependencies]\nrules = { package = \"clew-rules\", path = \"x\" }\n";
        assert_eq!(check_one("clew-context", rest).len(), 1);
    }

    #[test]
    fn sees_dependencies_of_one_target_only() {
        let rest = "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\n";
        assert_eq!(
            check_one("clew-engine", rest),
            ["`clew-engine` is pure and cannot use `tokio`"]
        );
    }

    #[test]
    fn keeps_the_simulator_out_of_what_ships() {
        assert_eq!(check_one("clew-server", "[dependencies]\nclew-testkit = {}\n").len(), 1);
        assert_eq!(check_one("clew-server", "[dev-dependencies]\nclew-testkit = {}\n").len(), 0);
    }

    #[test]
    fn keeps_anyhow_at_the_edge() {
        assert_eq!(check_one("clew-server", "[dependencies]\nanyhow = \"1\"\n").len(), 1);
        assert_eq!(check_one("clew-cli", "[dependencies]\nanyhow = \"1\"\n").len(), 0);
        assert_eq!(check_one("clew-story", "[dev-dependencies]\nanyhow = \"1\"\n").len(), 0);
    }

    #[test]
    fn asks_for_the_place_of_a_new_crate() {
        assert_eq!(
            check_one("clew-magic", ""),
            ["crate `clew-magic` has no layer: give it one in ARCHITECTURE.md"]
        );
    }
}
