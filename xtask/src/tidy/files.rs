//! One idea a file: a header that says which, a length that keeps it one, no notes to self.

use std::path::Path;

use super::Problem;
use crate::tree::{File, Tree};

/// Lines of a source file with its tests; one that outgrows this holds two ideas.
const SOURCE_LINES_MAX: usize = 600;

/// Lines of a BPF program; it must fit in a reader's head beside the verifier's rules.
const BPF_LINES_MAX: usize = 400;

/// Size of one file; larger things are made by a script or kept outside.
const BLOB_BYTES_MAX: usize = 256 * 1024;

/// Files that are large by nature: the kernel's types, the records that are generated for the
/// sensor's programs, and the lock of the dependencies.
const LARGE_BY_NATURE: &[&str] =
    &["Cargo.lock", "bpf/lib/wire.h", "bpf/vmlinux.h", "bpf/lib/vmlinux.h"];

/// Notes to self; an open end belongs into an issue, where others can see it.
const MARKERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Places below which nothing is anybody's own: a path there may stand in any text.
const SHARED_PLACES: &[&str] =
    &["/", "/home", "/mnt", "/opt", "/root", "/srv", "/src", "/tmp", "/usr", "/usr/src", "/var"];

/// Where toolchains lie; a compiler's message pasted into a file carries them along.
const TOOLCHAIN_PLACES: &[&str] =
    &[concat!(".cargo/", "registry/src/"), concat!(".rustup/", "toolchains/")];

/// Checks headers, lengths, sizes, markers and paths of this machine.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let places = own_places(&tree.root);
    let mut problems = Vec::new();
    for file in &tree.files {
        problems.extend(header(file));
        problems.extend(length(file));
        problems.extend(size(file));
        problems.extend(markers(file));
        problems.extend(machine_paths(file, &places));
    }
    problems
}

fn header(file: &File) -> Option<Problem> {
    let is_headless = file.has_extension("rs") && !file.text.starts_with("//! ");
    is_headless.then(|| {
        Problem::at(&file.path, 1, "starts without `//!`: say what the file does, and why so")
    })
}

fn length(file: &File) -> Option<Problem> {
    let lines_max = match () {
        () if LARGE_BY_NATURE.contains(&file.path.as_str()) => return None,
        () if file.path.starts_with("bpf/") && file.has_extension("c") => BPF_LINES_MAX,
        () if ["rs", "c", "h", "sh", "js", "css"].iter().any(|e| file.has_extension(e)) => {
            SOURCE_LINES_MAX
        }
        () => return None,
    };
    let lines = file.text.lines().count();
    let message = format!("has {lines} lines of {lines_max} allowed: one idea a file");
    (lines > lines_max).then(|| Problem::of_file(&file.path, message))
}

fn size(file: &File) -> Option<Problem> {
    let is_large = file.size_bytes > BLOB_BYTES_MAX;
    let message = format!("has {} bytes of {BLOB_BYTES_MAX} allowed", file.size_bytes);
    (is_large && !LARGE_BY_NATURE.contains(&file.path.as_str()))
        .then(|| Problem::of_file(&file.path, message))
}

fn markers(file: &File) -> Vec<Problem> {
    let speaks_of_them = ["STYLE.md", "CONTRIBUTING.md"].contains(&file.path.as_str());
    if speaks_of_them || LARGE_BY_NATURE.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let mut words = crate::scan::words(line).map(|(_, word)| word);
        if let Some(marker) = words.find(|word| MARKERS.contains(word)) {
            let message = format!("`{marker}`: do it now, or open an issue and leave no mark");
            problems.push(Problem::at(&file.path, number, message));
        }
    }
    problems
}

/// Paths that mean this machine: the repository's own, the folder above it, and toolchains'.
fn own_places(root: &Path) -> Vec<String> {
    let is_own = |place: &&Path| !SHARED_PLACES.iter().any(|shared| Path::new(shared) == *place);
    let above = root.parent();
    let mut places: Vec<String> = [Some(root), above]
        .into_iter()
        .flatten()
        .filter(is_own)
        .map(|place| format!("{}/", place.display()))
        .collect();
    places.extend(TOOLCHAIN_PLACES.iter().map(|place| (*place).to_owned()));
    places
}

fn machine_paths(file: &File, places: &[String]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        if let Some(place) = places.iter().find(|place| line.contains(place.as_str())) {
            let message = format!("names a path of one machine, `{place}`");
            problems.push(Problem::at(&file.path, number, message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str) -> Vec<(usize, String)> {
        let problems = check(&Tree::of(&[(path, text)]));
        problems.into_iter().map(|problem| (problem.line, problem.message)).collect()
    }

    #[test]
    fn accepts_a_short_file_with_a_header() {
        assert_eq!(check_one("a.rs", "//! Adds.\n"), []);
    }

    #[test]
    fn asks_for_the_header() {
        let found = check_one("a.rs", "// Adds.\n");
        assert_eq!(found.len(), 1);
        assert_eq!(check_one("a.md", "Adds.\n"), []);
    }

    #[test]
    fn stops_a_source_above_source_lines_max() {
        let header = "//! Adds.\n";
        let full = header.to_owned() + &"\n".repeat(SOURCE_LINES_MAX - 1);
        assert_eq!(check_one("a.rs", &full), []);
        assert_eq!(check_one("a.rs", &(full + "\n")).len(), 1);
    }

    #[test]
    fn stops_a_bpf_program_above_bpf_lines_max() {
        let full = "\n".repeat(BPF_LINES_MAX);
        assert_eq!(check_one("bpf/exec.c", &full), []);
        assert_eq!(check_one("bpf/exec.c", &(full + "\n")).len(), 1);
        assert_eq!(check_one("bpf/vmlinux.h", &"\n".repeat(SOURCE_LINES_MAX + 1)), []);
    }

    #[test]
    fn stops_a_blob_above_blob_bytes_max() {
        let full = "x".repeat(BLOB_BYTES_MAX);
        assert_eq!(check_one("a.bin", &full), []);
        assert_eq!(check_one("a.bin", &(full.clone() + "x")).len(), 1);
        assert_eq!(check_one("Cargo.lock", &(full + "x")), []);
    }

    #[test]
    fn finds_notes_to_self_as_whole_words() {
        let note = format!("//! Adds.\n// {}: subtract\n", MARKERS.first().expect("a marker"));
        assert_eq!(check_one("a.rs", &note).first().map(|found| found.0), Some(2));
        let name = format!("//! Adds.\nfn {}S() {{}}\n", MARKERS.first().expect("a marker"));
        assert_eq!(check_one("a.rs", &name), []);
    }

    #[test]
    fn finds_paths_of_this_machine() {
        let places = own_places(Path::new("/home/ann/src/clew"));
        let file = |text: &str| Tree::of(&[("a.md", text)]).files.remove(0);
        assert_eq!(machine_paths(&file("cd /home/ann/src/clew/crates"), &places).len(), 1);
        assert_eq!(machine_paths(&file("see /home/ann/src/other"), &places).len(), 1);
        assert_eq!(machine_paths(&file("reads /home/ann/.ssh/id_rsa"), &places), []);
    }

    #[test]
    fn leaves_shared_places_to_everybody() {
        let places = own_places(Path::new("/opt/checkout"));
        assert!(places.contains(&"/opt/checkout/".to_owned()));
        assert!(!places.contains(&"/tmp/".to_owned()));
    }
}
