//! Threads and the processes they belong to, as far as later events need them.
//!
//! An event names its thread by number; numbers are given out again. A process is known by its
//! number and the moment it was made, so that a later one of the same number is another.

use std::sync::Arc;

use clew_event::process::Executed;
use clew_event::{BootId, CgroupId, ProcessKey, Text};
use rustc_hash::FxHashMap;

use super::descriptors::{Descriptor, Table};

/// Most threads that are kept (Falco's default).
pub const THREADS_MAX: usize = 131_072;
/// Most descriptors that are kept of all processes together; about 96 MiB.
pub const DESCRIPTORS_TOTAL_MAX: usize = 4 << 20;

/// One thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thread {
    /// Number of its process.
    pub(super) pid: i64,
    /// Number of the thread that made its process, or that took it when its maker ended.
    pub(super) parent: i64,
    /// Its number in its own pid namespace.
    pub(super) vtid: i64,
    pub(super) cgroup: CgroupId,
    /// When it was made; 0 where it was there when the capture began.
    pub(super) made_ns: u64,
    /// Effective user.
    pub(super) uid: u32,
    /// When the first process of its pid namespace started, nanoseconds since boot.
    pub(super) namespace_started_ns: u64,
    /// The event of the thread itself made it known, before that of its maker.
    pub(super) told_by_itself: bool,
}

/// What the threads of a process share.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    pub(super) key: ProcessKey,
    pub(super) descriptors: Table,
    /// Working directory, with a final slash.
    pub(super) cwd: Text,
    /// Leader of its session, in the initial pid namespace.
    pub(super) sid: u32,
    /// The program it runs, where a list or an exec told it.
    pub(super) image: Option<Arc<Executed>>,
    pub(super) threads_count: u32,
}

impl Process {
    /// The same for a child: it begins with one thread of its own.
    pub(super) fn of_child(self) -> Self {
        Self { threads_count: 0, ..self }
    }
}

/// Everything that runs.
#[derive(Debug, Default)]
pub(super) struct Threads {
    threads: FxHashMap<i64, Thread>,
    processes: FxHashMap<i64, Process>,
    descriptors_count: usize,
    /// Threads and descriptors for which there was no room.
    pub(super) dropped: u64,
    pub(super) boot: BootId,
    pub(super) boot_unix_ns: u64,
}

impl Threads {
    pub(super) fn thread(&self, tid: i64) -> Option<&Thread> {
        self.threads.get(&tid)
    }

    pub(super) fn thread_mut(&mut self, tid: i64) -> Option<&mut Thread> {
        self.threads.get_mut(&tid)
    }

    /// The process of that number.
    pub(super) fn process(&self, pid: i64) -> Option<&Process> {
        self.processes.get(&pid)
    }

    /// The process of a thread.
    pub(super) fn process_of(&self, tid: i64) -> Option<&Process> {
        self.processes.get(&self.threads.get(&tid)?.pid)
    }

    /// Key of the process of that number; made up of the number alone where it is not known.
    pub(super) fn key(&self, pid: i64) -> ProcessKey {
        match self.processes.get(&pid) {
            Some(process) => process.key,
            None => ProcessKey { pid: number(pid), start_ns: 0, boot: self.boot },
        }
    }

    /// Adds a thread; a process with it where `process` is given. False where there is no room.
    pub(super) fn add(&mut self, tid: i64, thread: Thread, process: Option<Process>) -> bool {
        self.remove(tid);
        if THREADS_MAX <= self.threads.len() {
            self.dropped += 1;
            return false;
        }
        let pid = thread.pid;
        self.threads.insert(tid, thread);
        if let Some(mut process) = process {
            if DESCRIPTORS_TOTAL_MAX < self.descriptors_count + process.descriptors.len() {
                self.dropped += process.descriptors.len() as u64;
                process.descriptors = Table::default();
            }
            self.descriptors_count += process.descriptors.len();
            let old = self.processes.insert(pid, process);
            self.descriptors_count -= old.map_or(0, |old| old.descriptors.len());
        }
        self.processes.entry(pid).or_default().threads_count += 1;
        true
    }

    /// Forgets a thread, and its process with the last of its threads. True where the process went.
    pub(super) fn remove(&mut self, tid: i64) -> bool {
        let Some(thread) = self.threads.remove(&tid) else { return false };
        let Some(process) = self.processes.get_mut(&thread.pid) else { return false };
        process.threads_count = process.threads_count.saturating_sub(1);
        if process.threads_count != 0 {
            return false;
        }
        self.descriptors_count -= process.descriptors.len();
        self.processes.remove(&thread.pid);
        true
    }

    /// The key of a process that is made now.
    pub(super) fn key_of_new(&self, pid: i64, made_ns: u64) -> ProcessKey {
        let start_ns = made_ns.saturating_sub(self.boot_unix_ns);
        ProcessKey { pid: number(pid), start_ns, boot: self.boot }
    }

    pub(super) fn descriptor(&self, tid: i64, number: i64) -> Option<&Arc<Descriptor>> {
        self.process_of(tid)?.descriptors.get(number)
    }

    pub(super) fn put(&mut self, tid: i64, number: i64, descriptor: impl Into<Arc<Descriptor>>) {
        let is_full = DESCRIPTORS_TOTAL_MAX <= self.descriptors_count;
        let Some(pid) = self.threads.get(&tid).map(|thread| thread.pid) else { return };
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let before = process.descriptors.len();
        if is_full || !process.descriptors.put(number, descriptor.into()) {
            self.dropped += 1;
        }
        self.descriptors_count += process.descriptors.len() - before;
    }

    /// Changes the table of a thread's process to the same or a smaller one.
    pub(super) fn shrink(&mut self, tid: i64, change: impl FnOnce(&mut Table)) {
        let Some(pid) = self.threads.get(&tid).map(|thread| thread.pid) else { return };
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let before = process.descriptors.len();
        change(&mut process.descriptors);
        self.descriptors_count -= before - process.descriptors.len();
    }

    pub(super) fn set_cwd(&mut self, tid: i64, path: &[u8]) {
        let Some(pid) = self.threads.get(&tid).map(|thread| thread.pid) else { return };
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let cwd = super::path::joined(process.cwd.as_bytes(), path);
        process.cwd = super::path::with_final_slash(&cwd);
    }

    /// The thread's process leads a session of its own.
    pub(super) fn lead_session(&mut self, tid: i64) {
        let Some(pid) = self.threads.get(&tid).map(|thread| thread.pid) else { return };
        if let Some(process) = self.processes.get_mut(&pid) {
            process.sid = number(pid);
        }
    }

    pub(super) fn set_image(&mut self, pid: i64, image: Arc<Executed>) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.image = Some(image);
        }
    }

    /// Forgets the other threads of a process that executes.
    pub(super) fn execute(&mut self, tid: i64, pid: i64) {
        if self.processes.get(&pid).is_none_or(|process| process.threads_count <= 1) {
            return;
        }
        let mut others: Vec<i64> = self
            .threads
            .iter()
            .filter(|(other, thread)| thread.pid == pid && **other != tid && **other != pid)
            .map(|(other, _)| *other)
            .collect();
        others.sort_unstable();
        for other in others {
            self.remove(other);
        }
    }
}

/// A process number; 0 where it is none.
pub(super) fn number(pid: i64) -> u32 {
    u32::try_from(pid).unwrap_or(0)
}
