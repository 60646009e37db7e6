//! Plain text of TLS, seen where the libraries take and give it.
//!
//! It costs a watched workload microseconds a call, so it is looked into only where it was asked
//! for ([`Selector`]). Programs are put into the file of a library when the first selected process
//! runs it and taken out when the last one ends. The kernel tells everyone's use of a file: whoever
//! else runs the same file pays for the trap, but nothing of it is told.
//!
//! Reading order: this file (what callers use), `select` (whom), `watch` (the thread that keeps it
//! up), `files` (what they run), `library` (what a file holds), `elf` and `go` (where its functions
//! lie), `attach` (the programs). What they tell goes the way of `http`.
//!
//! Not seen, and said by [`Status::blind_spots`]: libraries built into a program without names of
//! their functions (rustls, stripped static builds). Not seen, and not recognized: Java's and
//! .NET's own TLS, and NSS.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use clew_event::container::ContainerEvent;
use clew_event::{Event, EventKind};
use rustix::event::{EventfdFlags, eventfd};

mod attach;
mod elf;
mod files;
mod go;
mod library;
mod select;
mod watch;

use attach::{Form, Programs};
pub use select::{Selector, SelectorError};
pub use watch::Counts;
use watch::{Reached, Watch};

use crate::tier::T0;

/// Containers that wait to be heard of; further ones are found by their next event.
pub(crate) const TOLD_MAX: usize = 1024;

/// Bytes of the ring of `tls_news` in `bpf/lib/tls.h`.
const NEWS_RING_BYTES: usize = 1 << 16;

/// What is looked into, as of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Processes that are watched.
    pub processes: usize,
    /// Files that programs are in, as one of their users sees them, and how many run each.
    pub attached: Vec<(String, usize)>,
    /// What of selected workloads is not seen, in sentences.
    pub blind_spots: Vec<String>,
    /// What could not be done.
    pub counts: Counts,
}

/// The running watcher.
#[derive(Debug)]
pub(crate) struct Tls {
    wake: OwnedFd,
    told: Option<SyncSender<ContainerEvent>>,
    status: Arc<Mutex<Status>>,
    thread: Option<JoinHandle<()>>,
}

impl Tls {
    /// Begins to look into the TLS of selected processes.
    pub(crate) fn start(t0: &T0, selectors: Vec<Selector>) -> Result<Self, libbpf_rs::Error> {
        let mut programs = Programs::load(t0, Form::Multi)?;
        programs.attach()?;
        let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC);
        let wake = wake.map_err(std::io::Error::from)?;
        let (told, heard) = sync_channel(TOLD_MAX);
        let status = Arc::new(Mutex::new(Status::default()));
        let reached = Reached { wake: wake.try_clone()?, told: heard, status: Arc::clone(&status) };
        let watch = Watch::new(selectors, programs, reached)?;
        let thread = std::thread::Builder::new().name("clew-tls".to_owned());
        let thread = thread.spawn(move || watch.run())?;
        Ok(Self { wake, told: Some(told), status, thread: Some(thread) })
    }

    /// Hears of containers, whose names and images selectors may ask for.
    pub(crate) fn hear(&self, event: &Event) {
        let (EventKind::Container(container), Some(told)) = (&event.kind, &self.told) else {
            return;
        };
        match told.try_send((**container).clone()) {
            Ok(()) => self.wake(),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// What is looked into, as of now.
    pub(crate) fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wake(&self) {
        rustix::io::write(self.wake.as_fd(), &1_u64.to_ne_bytes()).ok();
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        drop(self.told.take());
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to give.
            drop(thread.join());
        }
    }
}
