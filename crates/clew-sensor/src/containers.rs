//! Watches container runtimes: which containers run, what they are called, who their users are.
//!
//! The kernel knows a container only as a cgroup; its name, image, labels and mounts are known to
//! the runtime that made it. So one thread asks every runtime that answers on its socket (Docker's
//! API, which podman speaks too), follows what it tells, and puts it into the stream as events.
//! They come after the container's first processes; whoever keeps the state binds them late.
//!
//! Reading order: this file (what callers use), `follow` (one runtime, from connecting to the end),
//! `api` (questions to a runtime, each with a deadline), `facts` (answers as events), `accounts`
//! (users and groups inside), `outbox` (the bounded way out).
//!
//! Losses: a full stream is waited for, then the event is dropped and counted. A runtime that is
//! absent or does not answer costs names and images, never containers: those are told by cgroups.

use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use clew_event::Event;
use tokio::sync::watch::Sender;

mod accounts;
mod api;
mod facts;
mod follow;
mod outbox;

use api::{Api, Failure};
pub use outbox::Counts;
use outbox::Outbox;

/// Longest that any answer of a runtime is waited for.
const ANSWER_SPAN: Duration = Duration::from_secs(5);
/// Longest that a read of a container's files may outlive the watcher.
const FILE_SPAN: Duration = Duration::from_millis(200);
/// Threads that read files of containers; one whose files hang holds one of them.
const FILE_THREADS_MAX: usize = 4;

/// Which runtimes are watched, and how patiently.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where runtimes answer.
    pub sockets: Vec<Socket>,
    /// Longest that one answer is waited for.
    pub answer_span: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let socket =
            |runtime: &str, path: &str| Socket { runtime: runtime.to_owned(), path: path.into() };
        Self {
            sockets: vec![
                socket("docker", "/var/run/docker.sock"),
                socket("podman", "/run/podman/podman.sock"),
            ],
            answer_span: ANSWER_SPAN,
        }
    }
}

/// Where one runtime answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its name, as events carry it.
    pub runtime: String,
    /// Its unix socket, which speaks Docker's API.
    pub path: PathBuf,
}

/// Whether a runtime tells what it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeStatus {
    /// The runtime.
    pub name: String,
    /// True where it answers.
    pub is_available: bool,
    /// What it answered, or why it did not.
    pub reason: String,
    /// What would help; empty where nothing is needed.
    pub fix: String,
}

impl RuntimeStatus {
    fn not_asked(socket: &Socket) -> Self {
        Self {
            name: socket.runtime.clone(),
            is_available: false,
            reason: "it was not asked yet".to_owned(),
            fix: String::new(),
        }
    }

    fn failed(socket: &Socket, failure: &Failure) -> Self {
        Self {
            name: socket.runtime.clone(),
            is_available: false,
            reason: failure.told(),
            fix: failure.fix(&socket.runtime),
        }
    }
}

/// What the watcher's thread and its owner share.
#[derive(Debug)]
struct Shared {
    statuses: Mutex<Vec<RuntimeStatus>>,
}

impl Shared {
    fn report(&self, position: usize, status: RuntimeStatus) {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = statuses.get_mut(position) {
            *place = status;
        }
    }
}

/// A running watcher. Its thread ends, and is joined, when this is stopped or dropped.
#[derive(Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
    outbox: Outbox,
    /// Dropped to ask the thread to end.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Watches the runtimes of `settings` and sends what they tell to `sender`.
///
/// Also sends the host's users and groups, first of all. Where no thread can be started nothing is
/// watched, and every status says so.
#[must_use = "a watcher stops when it is dropped"]
pub fn watch(settings: Settings, sender: SyncSender<Event>) -> Watcher {
    let statuses = settings.sockets.iter().map(RuntimeStatus::not_asked).collect();
    let shared = Arc::new(Shared { statuses: Mutex::new(statuses) });
    let outbox = Outbox::new(sender);
    let (stop, stopped) = tokio::sync::watch::channel(());
    let (sockets, for_thread) = (settings.sockets.clone(), (Arc::clone(&shared), outbox.clone()));
    let body = move || {
        let (shared, outbox) = for_thread;
        let Ok(runtime) = runtime() else {
            return not_started(&shared, &settings.sockets);
        };
        runtime.block_on(follow::all(&settings, &shared, &outbox, stopped));
        // A container's hanging file system must not hold up whoever stops us.
        runtime.shutdown_timeout(FILE_SPAN);
    };
    let thread = std::thread::Builder::new().name("clew-containers".to_owned()).spawn(body).ok();
    if thread.is_none() {
        not_started(&shared, &sockets);
    }
    Watcher { shared, outbox, stop: Some(stop), thread }
}

impl Watcher {
    /// Whether each runtime answers, as of now.
    #[must_use]
    pub fn statuses(&self) -> Vec<RuntimeStatus> {
        self.shared.statuses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was sent and what was lost on the way.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.outbox.counts()
    }

    /// Ends the thread and waits for it.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to give.
            drop(thread.join());
        }
    }
}

/// Asks every runtime of the default settings once, each for at most `timeout`.
#[must_use]
pub fn probe(timeout: Duration) -> Vec<RuntimeStatus> {
    let settings = Settings { answer_span: timeout, ..Settings::default() };
    probe_sockets(&settings)
}

fn probe_sockets(settings: &Settings) -> Vec<RuntimeStatus> {
    let Ok(runtime) = runtime() else {
        return settings.sockets.iter().map(RuntimeStatus::not_asked).collect();
    };
    let ask = |socket| async move {
        match follow::greet(socket, settings.answer_span).await {
            Ok((_, status)) => status,
            Err(failure) => RuntimeStatus::failed(socket, &failure),
        }
    };
    runtime.block_on(futures_util::future::join_all(settings.sockets.iter().map(ask)))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(FILE_THREADS_MAX)
        .build()
}

fn not_started(shared: &Shared, sockets: &[Socket]) {
    for (position, socket) in sockets.iter().enumerate() {
        let reason = "the machine allows no further thread".to_owned();
        shared.report(position, RuntimeStatus { reason, ..RuntimeStatus::not_asked(socket) });
    }
}

#[cfg(test)]
mod tests;
