//! Which files there are.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::tail::Key;

/// Files of one source; the newest beyond are left out, and said to be.
pub(crate) const FILES_MAX: usize = 20_000;
/// Folders within folders that are looked into: CloudTrail's own nest nine deep.
const DEPTH_MAX: usize = 16;

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The files, the one that was written to longest ago first, so that a rotated one is read
    /// before the one in its place.
    pub(super) files: Vec<(Key, PathBuf, Metadata)>,
    /// Files beyond [`FILES_MAX`].
    pub(super) left_out: usize,
    /// Why not all of it could be looked at.
    pub(super) fault: Option<String>,
}

/// The file at `path` and, where it was rotated, those beside it that are `wanted`; or all files
/// below the folder at `path`. Names that begin with a dot are being written, and left alone.
pub(super) fn find(path: &Path, wanted: impl Fn(&Key) -> bool) -> Found {
    let mut found = Found::default();
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => found.folder(path, 0),
        Ok(metadata) => found.add(path.to_owned(), metadata),
        // Between a rename and the new file there is none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => found.fail(path, &error),
    }
    if !path.is_dir() {
        found.siblings(path, wanted);
    }
    found.files.sort_by_key(|(key, _, metadata)| (metadata.mtime(), metadata.mtime_nsec(), *key));
    found
}

impl Found {
    fn fail(&mut self, path: &Path, error: &io::Error) {
        self.fault = Some(format!("`{}`: {error}", path.display()));
    }

    fn add(&mut self, path: PathBuf, metadata: Metadata) {
        if !metadata.is_file() {
            return;
        }
        if FILES_MAX <= self.files.len() {
            self.left_out += 1;
            return;
        }
        self.files.push((Key::of(&metadata), path, metadata));
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        if DEPTH_MAX < depth {
            self.fault = Some(format!("`{}` lies more than {DEPTH_MAX} deep", path.display()));
            return;
        }
        for (path, metadata) in self.entries(path) {
            if metadata.is_dir() {
                self.folder(&path, depth + 1);
            } else {
                self.add(path, metadata);
            }
        }
    }

    fn siblings(&mut self, path: &Path, wanted: impl Fn(&Key) -> bool) {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        for (sibling, metadata) in self.entries(folder) {
            if sibling.file_name() != path.file_name() && wanted(&Key::of(&metadata)) {
                self.add(sibling, metadata);
            }
        }
    }

    /// What stands in a folder; links are not followed, so that none leads around in a circle.
    fn entries(&mut self, folder: &Path) -> Vec<(PathBuf, Metadata)> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.fail(folder, &error);
                return Vec::new();
            }
        };
        let is_hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
        entries
            .flatten()
            .filter(|entry| !is_hidden(&entry.file_name()))
            // One that has just gone is looked for in vain, and that is right.
            .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_looked_into_depth_max_deep() {
        let folder = tempfile::tempdir().unwrap();
        let deepest = (0..DEPTH_MAX).fold(folder.path().to_owned(), |path, _| path.join("d"));
        fs::create_dir_all(deepest.join("d")).unwrap();
        fs::write(deepest.join("in"), "").unwrap();
        fs::write(deepest.join(".hidden"), "").unwrap();
        fs::write(deepest.join("d/out"), "").unwrap();
        let found = find(folder.path(), |_| false);
        let names: Vec<_> = found.files.iter().map(|(_, path, _)| path.file_name()).collect();
        assert_eq!(names, [Some("in".as_ref())]);
        assert!(found.fault.unwrap().ends_with("deep"));
    }

    #[test]
    fn files_beyond_files_max_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        let metadata = fs::metadata(folder.path().join("a")).unwrap();
        let mut found = Found::default();
        for _ in 0..=FILES_MAX {
            found.add(folder.path().join("a"), metadata.clone());
        }
        assert_eq!((found.files.len(), found.left_out), (FILES_MAX, 1));
    }
}
