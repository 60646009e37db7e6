//! The thread that keeps up which processes are watched, and looks at what they run.
//!
//! The kernel tells it of programs that begin, files that are mapped to be run, children and ends.
//! Where it missed some of that, it looks at every process.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};

use clew_event::container::{ContainerEvent, Lifecycle};
use libbpf_rs::{MapCore, MapFlags, MapHandle};
use rustix::event::{PollFd, PollFlags, poll};

use super::attach::Programs;
use super::files::{Files, Mapped};
use super::select::{Containers, Selector};
use super::{NEWS_RING_BYTES, Status};
use crate::sys::Ring;

/// Processes that can be watched at the same time.
pub(super) const WATCHED_MAX: u32 = 8192;

/// Pieces of news that are read before they are acted upon.
pub(super) const NEWS_PER_ROUND_MAX: u32 = 4096;

const EXECUTED: u64 = 1;
const ENDED: u64 = 4;

/// What the thread has.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) selectors: Vec<Selector>,
    containers: Containers,
    programs: Programs,
    watched: MapHandle,
    missed: MapHandle,
    missed_told: u64,
    ring: Ring,
    wake: OwnedFd,
    told: Receiver<ContainerEvent>,
    files: Files,
    status: Arc<Mutex<Status>>,
    counts: Counts,
}

/// What could not be done, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Processes that are not watched because too many are.
    pub processes_refused: u64,
    /// Files that are not looked into because too many are.
    pub files_refused: u64,
    /// Containers whose names are not remembered because too many are.
    pub containers_refused: u64,
    /// Pieces of news that were missed, after each of which every process was looked at.
    pub news_missed: u64,
}

/// What has to be done about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// It runs another program: is it selected?
    Decide,
    /// It is watched and may run another file.
    Look,
}

/// How the thread is reached.
pub(super) struct Reached {
    pub(super) wake: OwnedFd,
    pub(super) told: Receiver<ContainerEvent>,
    pub(super) status: Arc<Mutex<Status>>,
}

impl Watch {
    pub(super) fn new(
        selectors: Vec<Selector>,
        programs: Programs,
        reached: Reached,
    ) -> Result<Self, libbpf_rs::Error> {
        let news = programs.map("tls_news")?;
        let fd = crate::tier::descriptor(&news)?;
        let ring = Ring::map(fd, NEWS_RING_BYTES).map_err(std::io::Error::from)?;
        Ok(Self {
            selectors,
            containers: Containers::default(),
            watched: programs.map("tls_watched")?,
            missed: programs.map("tls_missed")?,
            missed_told: 0,
            programs,
            ring,
            wake: reached.wake,
            told: reached.told,
            files: Files::default(),
            status: reached.status,
            counts: Counts::default(),
        })
    }

    /// Watches until nobody can tell it anything any more.
    pub(super) fn run(mut self) {
        self.look_at_all();
        self.tell();
        loop {
            let mut both = [
                PollFd::from_borrowed_fd(self.ring.fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN),
            ];
            // A signal only makes one round more.
            poll(&mut both, None).ok();
            rustix::io::read(&self.wake, &mut [0; 8]).ok();
            if !self.hear_of_containers() {
                return;
            }
            self.hear_news();
            self.tell();
        }
    }

    /// Takes what was told of containers; false where whoever tells is gone.
    fn hear_of_containers(&mut self) -> bool {
        let mut is_new = false;
        loop {
            match self.told.try_recv() {
                Ok(event) => is_new |= self.learn(&event),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        if is_new {
            self.look_at_all();
        }
        true
    }

    fn learn(&mut self, event: &ContainerEvent) -> bool {
        let Some(id) = event.id.clone() else { return false };
        if event.lifecycle == Lifecycle::Stopped {
            self.containers.forget(&id);
            return false;
        }
        let is_learned = self.containers.learn(id, event);
        self.counts.containers_refused += u64::from(!is_learned);
        is_learned
    }

    fn hear_news(&mut self) {
        let mut due = BTreeMap::new();
        let mut ended = Vec::new();
        let end = self.ring.written();
        self.ring.drain(end, NEWS_PER_ROUND_MAX, |record| {
            let Some(news) = record.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes)) else {
                return;
            };
            let pid = u32::try_from(news & u64::from(u32::MAX)).unwrap_or_default();
            match news >> 32 {
                ENDED => {
                    due.remove(&pid);
                    ended.push(pid);
                }
                EXECUTED => drop(due.insert(pid, Due::Decide)),
                _ => {
                    due.entry(pid).or_insert(Due::Look);
                }
            }
        });
        for pid in ended.into_iter().filter(|pid| !due.contains_key(pid)) {
            self.files.end(pid);
        }
        for (pid, due) in due {
            match due {
                Due::Decide => self.decide(pid),
                Due::Look => self.look(pid),
            }
        }
        let missed = self.missed.lookup(&0_u32.to_ne_bytes(), MapFlags::ANY).ok().flatten();
        let missed = missed.and_then(|bytes| bytes.first_chunk().copied());
        let missed = missed.map_or(self.missed_told, u64::from_ne_bytes);
        if missed != self.missed_told {
            self.counts.news_missed = missed;
            self.missed_told = missed;
            self.look_at_all();
        }
    }

    /// Looks at every process, and forgets those that ended.
    fn look_at_all(&mut self) {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids: Vec<u32> =
            entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        for pid in self.files.processes() {
            if !pids.contains(&pid) {
                self.forget(pid);
            }
        }
        for pid in pids {
            self.decide(pid);
        }
    }

    /// Watches a process where it is selected.
    fn decide(&mut self, pid: u32) {
        let is_selected =
            pid != std::process::id() && self.containers.is_selected(&self.selectors, pid);
        if !is_selected {
            self.forget(pid);
            return;
        }
        // Watched first, so that what it maps while it is looked at is told.
        if self.watched.update(&pid.to_ne_bytes(), &[1], MapFlags::ANY).is_err() {
            self.counts.processes_refused += 1;
            return;
        }
        self.look(pid);
    }

    fn look(&mut self, pid: u32) {
        let mapped = Mapped::of(pid);
        if mapped.is_empty() {
            self.forget(pid);
        } else {
            self.files.update(pid, mapped, &mut self.programs);
        }
    }

    fn forget(&mut self, pid: u32) {
        // Most processes never were watched.
        self.watched.delete(&pid.to_ne_bytes()).ok();
        self.files.end(pid);
    }

    fn tell(&mut self) {
        self.counts.files_refused = self.files.refused;
        let status = Status {
            processes: self.files.processes().len(),
            attached: self.files.attached(),
            blind_spots: self.files.blind_spots(),
            counts: self.counts,
        };
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_takes_a_full_ring_of_news() {
        // A header of eight bytes, and as many of news.
        const { assert!(NEWS_RING_BYTES / 16 <= NEWS_PER_ROUND_MAX as usize) };
    }

    #[test]
    fn watched_processes_are_fewer_than_a_machine_may_have() {
        // `PID_MAX_LIMIT` of `linux/threads.h`; what is over the bound is counted.
        const { assert!(WATCHED_MAX < 4 << 20) };
    }
}
