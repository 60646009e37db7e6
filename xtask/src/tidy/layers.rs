//! Imports go down only: each crate may depend on crates of lower layers and on none beside it.
//!
//! The table is the one of `ARCHITECTURE.md`. Two more promises of that page are held here: a
//! pure crate links nothing that does I/O, and the simulator never ships.

use std::collections::BTreeMap;

use super::Problem;
use super::manifests::{Dependency, Kind, Manifest};
use crate::tree::Tree;

/// The layer of every crate; a crate absent from here has no place yet.
const LAYERS: &[(&str, u8)] = &[
    ("clew-event", 0),
    ("clew-wire", 0),
    ("clew-decode", 1),
    ("clew-context", 1),
    ("clew-rules", 2),
    ("clew-profile", 2),
    ("clew-appsec", 2),
    ("clew-story", 2),
    ("clew-engine", 3),
    ("clew-sensor", 4),
    ("clew-intake", 4),
    ("clew-store", 4),
    ("clew-bus", 4),
    ("clew-respond", 4),
    ("clew-server", 5),
    ("clew-cli", 6),
];

/// The last layer that is pure.
pub(super) const PURE_LAYER_LAST: u8 = 3;

/// Crates that stand beside the layers: nothing shipped may depend on them.
const BESIDE: &[&str] = &["clew-testkit", "xtask"];

/// Outside crates that do I/O, hold threads or draw random numbers: never under a pure crate.
const IMPURE: &[&str] = &[
    "anyhow",
    "axum",
    "bollard",
    "ctrlc",
    "getrandom",
    "libbpf-rs",
    "libc",
    "nix",
    "rand",
    "reqwest",
    "rusqlite",
    "tokio",
    "tokio-stream",
    "uuid",
];

/// Crates that may use `anyhow`: there is no caller left who could match on the error.
const ANYHOW_HOMES: &[&str] = &["clew-cli", "xtask"];

/// The layer of a crate.
pub(super) fn layer_of(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

/// Whether the crate belongs to the pure layers.
pub(super) fn is_pure(name: &str) -> bool {
    layer_of(name).is_some_and(|layer| layer <= PURE_LAYER_LAST)
}

/// Checks every manifest of the workspace.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for manifest in tree.files.iter().filter_map(Manifest::of) {
        problems.extend(check_manifest(&manifest));
    }
    problems
}

fn check_manifest(manifest: &Manifest) -> Vec<Problem> {
    let name = manifest.name.as_str();
    if layer_of(name).is_none() && !BESIDE.contains(&name) {
        let message = format!("crate `{name}` has no layer: add it to ARCHITECTURE.md and here");
        return vec![Problem::of_file(&manifest.path, message)];
    }
    let faults = manifest.dependencies.iter().filter_map(|dependency| fault(name, dependency));
    faults.map(|message| Problem::of_file(&manifest.path, message)).collect()
}

/// What is wrong with crate `name` using `dependency`, if anything.
fn fault(name: &str, dependency: &Dependency) -> Option<String> {
    let used = dependency.name.as_str();
    if dependency.kind == Kind::Dev {
        return fault_in_tests(name, used);
    }
    if BESIDE.contains(&used) && !BESIDE.contains(&name) {
        return Some(format!("`{used}` never ships: make it a dev-dependency"));
    }
    if used == "anyhow" && !ANYHOW_HOMES.contains(&name) && !BESIDE.contains(&name) {
        return Some("`anyhow` only in clew-cli, xtask and tests: use a `thiserror` enum".into());
    }
    if is_pure(name) && IMPURE.contains(&used) {
        return Some(format!("`{name}` is pure and cannot use `{used}`"));
    }
    let (own, below) = (layer_of(name)?, layer_of(used)?);
    (own <= below).then(|| points_up(name, own, used, below))
}

/// Tests may use the simulator, which itself stands on the whole engine, and lower layers.
fn fault_in_tests(name: &str, used: &str) -> Option<String> {
    let (own, below) = (layer_of(name)?, layer_of(used)?);
    (own < below).then(|| points_up(name, own, used, below))
}

fn points_up(name: &str, own: u8, used: &str, below: u8) -> String {
    format!("`{name}` (layer {own}) uses `{used}` (layer {below}): imports go down only")
}

/// The crates of the workspace by the folder they lie in.
pub(super) fn crates(tree: &Tree) -> BTreeMap<String, String> {
    let manifests = tree.files.iter().filter_map(Manifest::of);
    manifests.map(|manifest| (manifest.folder().to_owned(), manifest.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        let tree = Tree::of(&[(&format!("crates/{name}/Cargo.toml"), &text)]);
        check(&tree).into_iter().map(|problem| problem.message).collect()
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
            ["crate `clew-magic` has no layer: add it to ARCHITECTURE.md and here"]
        );
    }
}
