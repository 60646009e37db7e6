//! The machine that a capture tells of, block by block.

use std::collections::VecDeque;
use std::sync::Arc;

use clew_event::container::{CgroupEvent, Lifecycle};
use clew_event::kernel::NodeStarted;
use clew_event::process::{Credentials, Executed, ExecutedFlags, Session, Surroundings};
use clew_event::{
    Actor, BootId, CgroupId, Complaint, ContainerId, Event, EventId, EventKind, EventType, Text,
    TimestampNs,
};
use rustc_hash::FxHashMap;

use super::Counts;
use super::lists::{self, Listed, ProcessesVersion};
use super::record::Record;
use super::threads::{Process, Thread, Threads, number};

/// Most cgroups that are remembered as told; more are told again.
pub(super) const CGROUPS_MAX: usize = 16_384;

/// Ended threads that are remembered, so that the late event of a maker does not make them again.
pub(super) const ENDED_MAX: usize = 8192;

/// Code and text of a complaint.
pub(super) type Problem = (&'static str, String);
pub(super) type Waiting = VecDeque<Result<Event, Complaint>>;

/// State that events are read with.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) threads: Threads,
    /// Cgroups that were told, and the container of each.
    cgroups: FxHashMap<CgroupId, Option<ContainerId>>,
    is_started: bool,
    /// Number of the event being read, from 1; 0 before the first.
    pub(super) event_number: u64,
    ordinal: u32,
    /// When the first event happened; what was listed before it is told as of then.
    pub(super) first_ns: Option<u64>,
    complained: Vec<&'static str>,
    /// Threads that ended last, with their parents, and when each ended.
    ended: FxHashMap<(i64, i64), u64>,
    ended_order: VecDeque<(i64, i64)>,
}

impl Machine {
    pub(super) fn dropped(&self) -> u64 {
        self.threads.dropped
    }

    /// Takes in a block: its events go to `waiting`. The first problem of each kind is returned.
    pub(super) fn take(
        &mut self,
        kind: u32,
        content: &[u8],
        counts: &mut Counts,
        waiting: &mut Waiting,
    ) -> Option<Problem> {
        let problem = match kind {
            0x0a0d_0d0a | 0x205 | 0x8011_abcd => None,
            0x219 => Self::list_addresses(content, waiting),
            0x201 | 0x8002_abcd => self.start(content, waiting),
            0x206 | 0x220 | 0x8012_abcd => self.list_accounts(content, kind == 0x220, waiting),
            0x203 | 0x218 | 0x8001_abcd => self.list_descriptors(content, kind == 0x218),
            0x204 | 0x216 | 0x8010_abcd => self.event(content, (false, false), counts, waiting),
            0x208 | 0x217 => self.event(content, (false, true), counts, waiting),
            0x221 => self.event(content, (true, false), counts, waiting),
            0x222 => self.event(content, (true, true), counts, waiting),
            _ => match version_of_processes(kind) {
                Some(version) => self.list_processes(content, version, waiting),
                None => {
                    counts.unknown_blocks += 1;
                    Some(("scap-unknown-block", format!("a block of kind {kind:#x}, passed over")))
                }
            },
        };
        let (code, message) = problem?;
        if code == "scap-list-cut" {
            counts.lists_cut += 1;
        }
        if self.complained.contains(&code) {
            return None;
        }
        self.complained.push(code);
        Some((code, message))
    }

    fn event(
        &mut self,
        content: &[u8],
        (is_large, has_flags): (bool, bool),
        counts: &mut Counts,
        waiting: &mut Waiting,
    ) -> Option<Problem> {
        counts.events += 1;
        self.event_number += 1;
        self.ordinal = 0;
        let read = Record::from_block(content, is_large, has_flags)
            .inspect(|record| _ = self.first_ns.get_or_insert(record.time_ns))
            .ok_or(None)
            .and_then(|record| self.read(&record, waiting).map_err(|_| Some(record.kind)));
        match read {
            Ok(true) => None,
            Ok(false) => {
                counts.without_meaning += 1;
                None
            }
            Err(kind) => {
                counts.malformed += 1;
                let number = self.event_number;
                let of = kind.map_or_else(String::new, |kind| format!(" of type {kind}"));
                let text = format!("event {number}{of} is too short, passed over");
                Some(("scap-event-short", text))
            }
        }
    }

    fn start(&mut self, content: &[u8], waiting: &mut Waiting) -> Option<Problem> {
        let Some(started) = lists::machine(content) else {
            return Some(("scap-list-cut", "the block of the machine is too short".to_owned()));
        };
        self.threads.boot = BootId(u32::try_from(hash(&[content]) >> 32).unwrap_or_default());
        self.threads.boot_unix_ns = started.boot_unix_ns;
        self.tell_start(started, waiting);
        None
    }

    /// The first event of every stream, also where the capture does not tell of the machine.
    fn tell_start(&mut self, started: NodeStarted, waiting: &mut Waiting) {
        self.is_started = true;
        let blind = "A capture holds only the system calls that its recorder was told to record.";
        let started = NodeStarted {
            boot: self.threads.boot,
            tiers: vec!["scap".to_owned()],
            blind_spots: vec![blind.to_owned()],
            ..started
        };
        let time = self.first_ns.unwrap_or(started.boot_unix_ns);
        self.emit(
            (time, None),
            EventType::Other,
            EventKind::NodeStarted(Box::new(started)),
            waiting,
        );
    }

    /// The start of the machine is told already, and waits for the first event.
    fn list_addresses(content: &[u8], waiting: &mut Waiting) -> Option<Problem> {
        for event in waiting.iter_mut().filter_map(|item| item.as_mut().ok()) {
            if let EventKind::NodeStarted(started) = &mut event.kind {
                started.addresses = lists::addresses(content);
            }
        }
        None
    }

    fn list_accounts(
        &mut self,
        content: &[u8],
        has_lengths: bool,
        waiting: &mut Waiting,
    ) -> Option<Problem> {
        for account in lists::accounts(content, has_lengths) {
            let time = self.threads.boot_unix_ns;
            self.emit((time, None), EventType::Other, EventKind::Account(account), waiting);
        }
        None
    }

    fn list_processes(
        &mut self,
        content: &[u8],
        version: ProcessesVersion,
        waiting: &mut Waiting,
    ) -> Option<Problem> {
        let (listed, is_whole) = lists::threads(content, version);
        let (leaders, others): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|thread| thread.tid == thread.pid);
        for leader in &leaders {
            self.add_listed(leader, waiting);
            self.tell_running(leader, waiting);
        }
        for other in others.iter().filter(|other| 0 <= other.pid) {
            self.add_listed(other, waiting);
        }
        let cut = || ("scap-list-cut", "a list of processes breaks off".to_owned());
        (!is_whole).then(cut)
    }

    fn add_listed(&mut self, listed: &Listed<'_>, waiting: &mut Waiting) {
        let cgroup = self.cgroup(listed.cgroups, self.threads.boot_unix_ns, waiting);
        let thread = Thread {
            pid: listed.pid,
            parent: listed.parent,
            vtid: listed.vtid,
            cgroup,
            made_ns: 0,
            uid: listed.uid,
            namespace_started_ns: listed.namespace_started_ns,
            told_by_itself: false,
        };
        let is_new = self.threads.process(listed.pid).is_none();
        let process = is_new.then(|| Process {
            key: self.threads.key(listed.pid),
            cwd: super::path::with_final_slash(listed.cwd),
            sid: number(listed.sid),
            ..Process::default()
        });
        self.threads.add(listed.tid, thread, process);
    }

    fn tell_running(&mut self, listed: &Listed<'_>, waiting: &mut Waiting) {
        let flag = |is_set, flag| if is_set { flag } else { ExecutedFlags::default() };
        let running = Executed {
            parent: if 0 < listed.parent {
                self.threads.key(listed.parent)
            } else {
                <_>::default()
            },
            name: Text::from(listed.name),
            exe: Text::from(listed.exe),
            filename: Text::from(listed.exe),
            argv: Text::from([listed.called, b"\0", listed.arguments].concat()),
            cwd: Text::from(listed.cwd),
            exe_file: clew_event::file::FileId { inode: listed.inode, device: 0 },
            flags: flag(listed.is_writable, ExecutedFlags::WRITABLE)
                | flag(listed.is_upper_layer, ExecutedFlags::UPPER_LAYER)
                | flag(listed.is_lower_layer, ExecutedFlags::LOWER_LAYER)
                | flag(listed.is_memfd, ExecutedFlags::MEMFD),
            credentials: Credentials {
                uid: listed.uid,
                gid: listed.gid,
                login_uid: listed.login_uid,
                effective: listed.effective,
            },
            session: Session {
                vpid: number(listed.vpid),
                sid: number(listed.sid),
                pgid: number(listed.pgid),
                tty: listed.tty,
            },
            surroundings: Some(Box::new(Surroundings {
                permitted: listed.permitted,
                inheritable: listed.inheritable,
                environment: super::environment::without_secrets(listed.environment),
                exe_ctime_ns: listed.ctime_ns,
                exe_mtime_ns: listed.mtime_ns,
                namespace_started_ns: listed.namespace_started_ns,
                ..Surroundings::default()
            })),
        };
        self.threads.set_image(listed.pid, Arc::new(running.clone()));
        let actor = self.actor(listed.tid);
        let time = self.threads.boot_unix_ns;
        self.emit((time, actor), EventType::Other, EventKind::Running(running), waiting);
    }

    fn list_descriptors(&mut self, content: &[u8], has_lengths: bool) -> Option<Problem> {
        let Some((tid, listed, is_whole)) = lists::descriptors(content, has_lengths) else {
            return Some(("scap-list-cut", "a list of descriptors names no thread".to_owned()));
        };
        for (number, descriptor) in lists::shared(listed) {
            self.threads.put(tid, number, descriptor);
        }
        (!is_whole).then(|| ("scap-list-cut", "a list of descriptors breaks off".to_owned()))
    }

    /// The thread as an actor, where it is known.
    pub(super) fn actor(&self, tid: i64) -> Option<Actor> {
        let thread = self.threads.thread(tid)?;
        let process = self.threads.process(thread.pid)?.key;
        Some(Actor { process, cgroup: thread.cgroup, tid: number(tid) })
    }

    /// The cgroup of a list of `subsystem=path`, told to `waiting` when it is new.
    pub(super) fn cgroup(&mut self, list: &[u8], time: u64, waiting: &mut Waiting) -> CgroupId {
        let path = super::container::cgroup_path(list);
        let cgroup = CgroupId(hash(&[path]));
        if self.cgroups.contains_key(&cgroup) {
            return cgroup;
        }
        if self.cgroups.len() < CGROUPS_MAX {
            self.cgroups.insert(cgroup, super::container::container_of(path));
        }
        let lifecycle = Lifecycle::Known;
        let event = CgroupEvent { lifecycle, cgroup, path: Text::from(path) };
        self.emit((time, None), EventType::Other, EventKind::Cgroup(event), waiting);
        cgroup
    }

    /// Remembers the last threads that ended.
    pub(super) fn remember_ended(&mut self, tid: i64, parent: i64, time_ns: u64) {
        if self.ended_order.len() == ENDED_MAX
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        if self.ended.insert((tid, parent), time_ns).is_none() {
            self.ended_order.push_back((tid, parent));
        }
    }

    /// Whether a thread ended before the event of its maker came.
    pub(super) fn has_ended_lately(&self, tid: i64, maker: i64, time_ns: u64) -> bool {
        const LATELY_NS: u64 = 2_000_000_000;
        let ended_ns = self.ended.get(&(tid, maker));
        ended_ns
            .and_then(|ended_ns| time_ns.checked_sub(*ended_ns))
            .is_some_and(|span| span < LATELY_NS)
    }

    /// The whole id of a container that some cgroup named, by its first digits.
    pub(super) fn container(&self, short: &[u8]) -> Option<ContainerId> {
        let mut named = self.cgroups.values().flatten();
        named.find(|id| id.short().as_bytes() == short).cloned()
    }

    pub(super) fn emit(
        &mut self,
        (time_ns, actor): (u64, Option<Actor>),
        event_type: EventType,
        kind: EventKind,
        waiting: &mut Waiting,
    ) {
        if !self.is_started {
            self.tell_start(NodeStarted::default(), waiting);
        }
        let id = EventId::from_capture(self.threads.boot, self.event_number, self.ordinal);
        self.ordinal = self.ordinal.wrapping_add(1);
        let time = TimestampNs::from_unix_ns(time_ns);
        waiting.push_back(Ok(Event { id, time, arrived: time, event_type, actor, kind }));
    }
}

fn version_of_processes(kind: u32) -> Option<ProcessesVersion> {
    let version = match kind {
        0x202 | 0x8000_abcd => 1,
        0x207 | 0x8013_abcd => 2,
        0x209 | 0x8014_abcd => 3,
        0x210 => 4,
        0x211 => 5,
        0x212 => 6,
        0x213 => 7,
        0x214 => 8,
        0x215 => 9,
        _ => return None,
    };
    Some(ProcessesVersion(version))
}

/// FNV-1a, 64 bits: the same on every replay.
pub(super) fn hash(parts: &[&[u8]]) -> u64 {
    parts.iter().flat_map(|part| part.iter()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
