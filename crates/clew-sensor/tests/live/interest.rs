//! What nobody reads stays in the kernel.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use clew_event::file::{FileEvent, FileOperation};
use clew_event::interest::{CallClass, CallClasses, InterestSet, QuietVerdict};
use clew_event::{Event, EventKind, EventType};
use clew_sensor::{Sensor, Settings};
use clew_wire::limits::KIND_FILE;

use crate::watch::{PATIENCE, Seen, is_mark, start, watch_for};

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

#[test]
fn an_open_found_quiet_is_counted_and_kept_back_until_the_interest_is_set_again() {
    let settings =
        Settings { is_self_reported: true, is_runtime_watched: false, ..Settings::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a path");
    let [quiet, other] = ["quiet", "other"].map(|name| path.join(name).display().to_string());
    for file in [&quiet, &other] {
        fs::write(file, "x").expect("a file");
    }
    let Some((mut sensor, _turn)) = start(settings) else { return };
    sensor.set_interest(&InterestSet::everything()).expect("the kernel takes it");
    let mut is_asked = 0;
    let mut round = |sensor: &mut Sensor, number: u32| {
        drop(File::open(&quiet).expect("opens"));
        drop(OpenOptions::new().write(true).open(&quiet).expect("opens"));
        drop(File::open(&other).expect("opens"));
        let mark = path.join(format!("mark-{number}"));
        fs::create_dir(&mark).expect("the mark");
        let mark = mark.display().to_string();
        let mut told = Vec::new();
        for event in until(sensor, &mark) {
            let EventKind::File(file) = &event.kind else { continue };
            if [&quiet, &other].contains(&&file.path.to_string()) {
                told.push((file.path.to_string(), file.flags & 3));
            }
            if file.path.to_string() == quiet && file.flags & 3 == 0 {
                sensor.quiet(&event, || {
                    is_asked += 1;
                    QuietVerdict::Always
                });
            }
        }
        told
    };
    let all = [(quiet.clone(), 0), (quiet.clone(), 1), (other.clone(), 0)];
    let kind = usize::from(KIND_FILE);
    assert_eq!(round(&mut sensor, 1), all);
    let before = sensor.totals().quieted[kind];
    assert_eq!(round(&mut sensor, 2), all[1..]);
    assert_eq!(sensor.totals().quieted[kind], before + 1);
    let told: Vec<_> = sensor.take_quieted(usize::MAX);
    let told: Vec<_> =
        told.iter().map(|kept| (kept.path.to_string(), kept.flags, kept.count)).collect();
    assert_eq!(told, [(quiet.clone(), 0, 1)]);
    assert_eq!(sensor.take_quieted(usize::MAX), []);
    sensor.set_interest(&InterestSet::everything()).expect("the kernel takes it");
    assert_eq!(round(&mut sensor, 3), all);
    assert_eq!(round(&mut sensor, 4), all[1..]);
    assert_eq!(is_asked, 2);
}

#[test]
fn an_open_is_known_by_the_name_it_has_now_and_told_where_its_caller_climbed() {
    let settings =
        Settings { is_self_reported: true, is_runtime_watched: false, ..Settings::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a path");
    // The kernel keeps a long name elsewhere than a short one.
    let long = path.join("x".repeat(60));
    let [short, other] = ["12345678", "other"].map(|name| path.join(name));
    let climbing = path.join("../").join(path.file_name().expect("a name")).join("12345678");
    let Some((mut sensor, _turn)) = start(settings) else { return };
    sensor.set_interest(&InterestSet::everything()).expect("the kernel takes it");
    let round = |sensor: &mut Sensor, number: u32, opened: &[&Path]| {
        opened.iter().for_each(|path| drop(File::open(path).expect("opens")));
        let mark = path.join(format!("mark-{number}"));
        fs::create_dir(&mark).expect("the mark");
        let told: Vec<_> = until(sensor, &mark.display().to_string())
            .into_iter()
            .filter(|event| match &event.kind {
                EventKind::File(file) => {
                    file.path.to_string().starts_with(&format!("{}/", path.display()))
                        && file.operation == FileOperation::Open
                }
                _ => false,
            })
            .collect();
        for event in &told {
            sensor.quiet(event, || QuietVerdict::UnlessClimbing);
        }
        told.len()
    };
    for file in [&long, &short] {
        drop(File::create(file).expect("a file"));
    }
    assert_eq!(round(&mut sensor, 1, &[&long, &short, &long]), 5);
    assert_eq!(round(&mut sensor, 2, &[&long, &short, &climbing]), 1);
    fs::rename(&short, &other).expect("renamed");
    assert_eq!(round(&mut sensor, 3, &[&other, &long]), 1);
    fs::hard_link(&other, &short).expect("linked");
    fs::remove_file(&long).expect("removed");
    fs::rename(&other, &long).expect("renamed");
    fs::create_dir(path.join("d")).expect("a folder");
    fs::hard_link(&short, path.join("d/12345678")).expect("linked");
    assert_eq!(round(&mut sensor, 4, &[&short, &long, &path.join("d/12345678")]), 1);
}

/// Events up to the one of that path.
fn until(sensor: &mut Sensor, mark: &str) -> Vec<Event> {
    let end = Instant::now() + PATIENCE;
    let mut events = Vec::new();
    while !events.iter().any(|event| is_mark(event, mark)) {
        assert!(Instant::now() < end, "the mark was not seen in {PATIENCE:?}");
        sensor.poll(Duration::from_millis(100), &mut events).expect("polls");
    }
    events
}
