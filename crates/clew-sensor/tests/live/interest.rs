//! What nobody reads stays in the kernel.

use std::fs::{self, File, OpenOptions};

use clew_event::EventType;
use clew_event::file::{FileEvent, FileOperation};
use clew_event::interest::{CallClass, CallClasses, InterestSet};

use crate::watch::{Seen, watch_for};

fn opens_to_write() -> InterestSet {
    let mut classes = CallClasses::NONE;
    for flags in [1, 2] {
        classes.add(CallClass::of_call(EventType::Openat, flags, 3));
    }
    let mut wanted = InterestSet::default();
    wanted.add(EventType::Openat, classes);
    wanted.add(EventType::Mkdir, CallClasses::ALL);
    wanted
}

fn told(seen: &Seen) -> Vec<(FileOperation, String)> {
    let folder = format!("{}/", seen.folder.display());
    let of = |file: &FileEvent| (file.operation, file.path.to_string());
    let all = seen.own_files().into_iter().map(of);
    all.filter(|(_, path)| path.starts_with(&folder)).collect()
}

#[test]
fn only_calls_of_the_wanted_classes_are_handed_up() {
    let wanted = opens_to_write();
    let Some(seen) = watch_for(&wanted, |folder| {
        let at = |name: &str| folder.join(name);
        fs::write(at("written"), "x").expect("a file");
        drop(File::open(at("written")).expect("opens"));
        assert!(File::create(at("absent/file")).is_err());
        drop(OpenOptions::new().read(true).write(true).open(at("written")).expect("opens"));
        fs::rename(at("written"), at("renamed")).expect("renamed");
    }) else {
        return;
    };
    let at = |name: &str| seen.folder.join(name).display().to_string();
    let open = (FileOperation::Open, at("written"));
    let mark = (FileOperation::MakeDirectory, at("mark"));
    assert_eq!(told(&seen), [open.clone(), open, mark]);
}

#[test]
fn what_is_wanted_again_is_handed_up_again() {
    for wanted in [InterestSet::everything(), opens_to_write(), InterestSet::everything()] {
        let Some(seen) = watch_for(&wanted, |folder| {
            fs::create_dir(folder.join("d")).expect("a folder");
            fs::remove_dir(folder.join("d")).expect("removed");
        }) else {
            return;
        };
        let at = |name: &str| seen.folder.join(name).display().to_string();
        let removed = (FileOperation::RemoveDirectory, at("d"));
        assert_eq!(told(&seen).contains(&removed), wanted == InterestSet::everything());
    }
}
