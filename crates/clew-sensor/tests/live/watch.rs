//! Watches what a test does.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clew_event::file::FileEvent;
use clew_event::interest::InterestSet;
use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::process::Executed;
use clew_event::{Actor, Event, EventKind, ProcessKey};
use clew_sensor::{Sensor, SensorError, Settings};

/// How long the mark may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One test at a time: each watches the whole machine.
static ONE: Mutex<()> = Mutex::new(());

/// What the sensor told while a test acted.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Node, cgroups, processes.
    pub(crate) bootstrap: Vec<Event>,
    /// Everything after that, up to the mark.
    pub(crate) events: Vec<Event>,
    /// Where the test acted.
    pub(crate) folder: PathBuf,
}

/// Lets `act` do something in a folder of its own, and tells what the sensor saw of it.
///
/// `None` where the kernel does not let the sensor run.
pub(crate) fn watch(act: impl FnOnce(&Path)) -> Option<Seen> {
    watch_for(&InterestSet::everything(), act)
}

/// As [`watch`], of the wanted calls only; `mkdir` has to be one, for it makes the mark.
pub(crate) fn watch_for(wanted: &InterestSet, act: impl FnOnce(&Path)) -> Option<Seen> {
    let (mut sensor, _turn) = start(Settings {
        is_self_reported: true,
        is_runtime_watched: false,
        ..Settings::default()
    })?;
    let mut bootstrap = Vec::new();
    sensor.poll(Duration::ZERO, &mut bootstrap).expect("polls");
    sensor.set_interest(wanted).expect("the kernel takes it");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a path");
    act(&path);
    let mark = path.join("mark").display().to_string();
    std::fs::create_dir(&mark).expect("the mark");
    let end = Instant::now() + PATIENCE;
    let mut events = Vec::new();
    while !events.iter().any(|event| is_mark(event, &mark)) {
        assert!(Instant::now() < end, "the mark was not seen in {PATIENCE:?}");
        sensor.poll(Duration::from_millis(100), &mut events).expect("polls");
    }
    Some(Seen { bootstrap, events, folder: path })
}

/// Starts the sensor for as long as the turn is kept; `None`, and loudly, where the kernel refuses.
pub(crate) fn start(settings: Settings) -> Option<(Sensor, MutexGuard<'static, ()>)> {
    let turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    match Sensor::start(settings) {
        Ok(sensor) => Some((sensor, turn)),
        Err(SensorError::Refused(reason)) => {
            eprintln!("skipped: live tests need root and BPF: {reason}");
            None
        }
        Err(error) => panic!("{error}: {error:?}"),
    }
}

pub(crate) fn is_mark(event: &Event, mark: &str) -> bool {
    matches!(&event.kind, EventKind::File(file) if file.path_given.as_bytes() == mark.as_bytes())
}

impl Seen {
    /// Events of this process.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Event> {
        let is_own = |event: &&Event| {
            event.actor.is_some_and(|actor| actor.process.pid == std::process::id())
        };
        self.events.iter().filter(is_own)
    }

    /// Key of this process.
    pub(crate) fn own_key(&self) -> ProcessKey {
        self.own().find_map(|event| event.actor).expect("the mark is there").process
    }

    /// File events of this process.
    pub(crate) fn own_files(&self) -> Vec<&FileEvent> {
        let files = self.own().filter_map(|event| match &event.kind {
            EventKind::File(file) => Some(file),
            _ => None,
        });
        files.collect()
    }

    /// The exec of a program with that name.
    pub(crate) fn exec_named(&self, name: &str) -> (Actor, &Executed) {
        self.exec(|executed| executed.name.as_bytes() == name.as_bytes())
    }

    /// The exec whose arguments end like that.
    pub(crate) fn exec_with(&self, argv: &str) -> (Actor, &Executed) {
        self.exec(|executed| executed.argv.as_bytes().ends_with(argv.as_bytes()))
    }

    fn exec(&self, is_meant: impl Fn(&Executed) -> bool) -> (Actor, &Executed) {
        let mut descendants = vec![self.own_key()];
        for event in &self.events {
            let EventKind::Forked(forked) = &event.kind else { continue };
            if descendants.contains(&forked.parent) {
                descendants.push(forked.child);
            }
        }
        let found = self.events.iter().find_map(|event| match &event.kind {
            EventKind::Executed(executed) if is_meant(executed) => {
                let actor = event.actor?;
                descendants.contains(&actor.process).then_some((actor, executed))
            }
            _ => None,
        });
        found.expect("the exec was seen")
    }

    /// All calls on the kernel with that operation.
    pub(crate) fn kernel_all(&self, operation: KernelOperation) -> Vec<&KernelEvent> {
        let found = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Kernel(kernel) if kernel.operation == operation => Some(kernel),
            _ => None,
        });
        found.collect()
    }
}
