//! Calls on files as the sensor tells them.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use clew_event::EventKind;
use clew_event::file::{FileEvent, FileOperation};

use crate::watch::{Seen, watch};

/// The file events of this process with that operation and path.
fn file<'a>(seen: &'a Seen, operation: FileOperation, path: &str) -> &'a FileEvent {
    seen.own()
        .find_map(|event| match &event.kind {
            EventKind::File(file)
                if file.operation == operation && file.path.as_bytes() == path.as_bytes() =>
            {
                Some(file)
            }
            _ => None,
        })
        .unwrap_or_else(|| panic!("no {operation:?} of `{path}` in {:#?}", seen.own_files()))
}

#[test]
fn an_open_through_links_and_dots_tells_the_true_path() {
    let Some(seen) = watch(|folder| {
        fs::create_dir(folder.join("real")).expect("a folder");
        fs::write(folder.join("real/file"), "x").expect("a file");
        std::os::unix::fs::symlink("real", folder.join("link")).expect("a link");
        File::open(folder.join("link/../link/./file")).expect("opens");
        assert!(File::open(folder.join("link/absent")).is_err());
    }) else {
        return;
    };
    let folder = seen.folder.display();
    let given = format!("{folder}/link/../link/./file");
    let opened = seen
        .own_files()
        .into_iter()
        .find(|file| file.path_given.as_bytes() == given.as_bytes())
        .expect("the open");
    assert_eq!(opened.path.to_string(), format!("{folder}/real/file"));
    assert!(opened.is_open_for_reading() && opened.file.inode != 0);
    let failed = file(&seen, FileOperation::Open, &format!("{folder}/link/absent"));
    assert_eq!((failed.result, failed.file.inode), (-2, 0));
}

#[test]
fn a_relative_path_starts_from_its_directory() {
    let Some(seen) = watch(|folder| {
        let shell = "cd / && cat proc/version absent-file; mkdir rel-XX; rmdir rel-XX";
        let shell = shell.replace("rel-XX", &folder.join("x/../y").display().to_string()[1..]);
        fs::create_dir(folder.join("x")).expect("a folder");
        Command::new("sh").args(["-c", &shell]).stderr(Stdio::null()).status().expect("runs");
    }) else {
        return;
    };
    let find = |path: String| {
        let of_all = seen.events.iter().find_map(|event| match &event.kind {
            EventKind::File(file) if file.path.to_string() == path => Some(file),
            _ => None,
        });
        of_all.unwrap_or_else(|| panic!("no event on `{path}`"))
    };
    assert_eq!(find("/proc/version".into()).path_given, "proc/version".into());
    assert_eq!(find("/absent-file".into()).result, -2);
    let made = find(seen.folder.join("y").display().to_string());
    assert_eq!((made.operation, made.result), (FileOperation::MakeDirectory, 0));
}

#[test]
fn calls_on_names_tell_both_names() {
    let Some(seen) = watch(|folder| {
        let at = |name: &str| folder.join(name);
        fs::create_dir(at("d")).expect("a folder");
        fs::write(at("a"), "x").expect("a file");
        fs::rename(at("a"), at("b")).expect("renamed");
        fs::hard_link(at("b"), at("c")).expect("linked");
        std::os::unix::fs::symlink("b", at("s")).expect("a link");
        fs::set_permissions(at("b"), Permissions::from_mode(0o4711)).expect("a mode");
        let open = File::open(at("c")).expect("opens");
        open.set_permissions(Permissions::from_mode(0o600)).expect("a mode");
        fs::remove_file(at("c")).expect("removed");
        fs::remove_dir(at("d")).expect("removed");
    }) else {
        return;
    };
    let at = |name: &str| seen.folder.join(name).display().to_string();
    let other = |operation, path: &str| file(&seen, operation, &at(path)).other.to_string();
    assert_eq!(other(FileOperation::Rename, "a"), at("b"));
    assert_eq!(other(FileOperation::Link, "b"), at("c"));
    assert_eq!(other(FileOperation::Symlink, "s"), "b");
    let mode = |path: &str| file(&seen, FileOperation::ChangeMode, &at(path)).mode;
    assert_eq!((mode("b") & 0o7777, mode("c") & 0o7777), (0o4711, 0o600));
    assert_eq!(file(&seen, FileOperation::Unlink, &at("c")).result, 0);
    assert_eq!(file(&seen, FileOperation::MakeDirectory, &at("d")).result, 0);
    assert_eq!(file(&seen, FileOperation::RemoveDirectory, &at("d")).result, 0);
    let created = file(&seen, FileOperation::Open, &at("a"));
    assert!(created.is_open_for_writing() && created.mode & 0o777 == 0o666);
}
