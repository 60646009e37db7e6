//! Processes that are made, execute and end.
//!
//! A process is made known by whichever of two events comes first: that of its maker or its own.
//! The rules by which the other is passed over are Falco's, because the moment decides what the
//! child's table of descriptors holds.

use std::sync::Arc;

use clew_event::file::FileId;
use clew_event::process::{
    Credentials, ExecFailed, Executed, ExecutedFlags, Exited, Forked, Session, Surroundings,
};
use clew_event::{Actor, CgroupId, EventKind, EventType, ProcessKey, Text};

use super::environment::without_secrets;
use super::flags;
use super::machine::{Machine, Waiting};
use super::record::Record;
use super::state::{Outcome, Short};
use super::threads::{Process, Thread, number};

/// A thread made known later than this before its own event is another of the same number.
const STALE_NS: u64 = 2_000_000_000;
const VFORK: u16 = 227;

/// What the event of a maker or of a child tells of the child.
struct Child {
    tid: i64,
    /// Whose process it copies.
    maker: i64,
    thread: Thread,
    is_thread: bool,
}

impl Machine {
    /// A process or thread was made; told once, by whoever tells it first.
    pub(super) fn fork(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        let result = record.signed(0).ok_or(Short)?;
        let flags = record.u32(15).ok_or(Short)?;
        let cgroup = self.cgroup(record.bytes(14).unwrap_or_default(), record.time_ns, waiting);
        let child = match result {
            ..0 => None,
            0 => self.told_by_itself(record, flags, cgroup)?,
            tid => self.told_by_maker(record, tid, flags, cgroup),
        };
        let Some(child) = child else { return Ok(false) };
        self.make(record, &child, waiting);
        Ok(true)
    }

    fn told_by_maker(
        &self,
        record: &Record<'_>,
        tid: i64,
        flags: u32,
        cgroup: CgroupId,
    ) -> Option<Child> {
        let maker = *self.threads.thread(record.tid)?;
        let elsewhere = flags::CHILD_IN_PID_NAMESPACE | flags::CLONE_NEW_PID | flags::CLONE_PARENT;
        let has_run = flags & flags::CLONE_VFORK != 0 || record.kind == VFORK;
        if flags & elsewhere != 0 || has_run || record.tid != maker.vtid {
            return None;
        }
        if self.threads.thread(tid).is_some_and(|known| known.told_by_itself)
            || self.has_ended_lately(tid, record.tid, record.time_ns)
        {
            return None;
        }
        let is_thread = flags & flags::CLONE_THREAD != 0;
        let thread = Thread {
            pid: if is_thread { maker.pid } else { tid },
            parent: if is_thread { maker.parent } else { record.tid },
            vtid: tid,
            cgroup,
            made_ns: record.time_ns,
            uid: record.u32(16).unwrap_or(maker.uid),
            namespace_started_ns: record.unsigned(20).unwrap_or(maker.namespace_started_ns),
            told_by_itself: false,
        };
        Some(Child { tid, maker: record.tid, thread, is_thread })
    }

    fn told_by_itself(
        &self,
        record: &Record<'_>,
        flags: u32,
        cgroup: CgroupId,
    ) -> Result<Option<Child>, Short> {
        let known = self.threads.thread(record.tid);
        if known.is_some_and(|known| {
            known.made_ns != 0 && record.time_ns.saturating_sub(known.made_ns) < STALE_NS
        }) {
            return Ok(None);
        }
        let (pid, parent) = record.signed(4).zip(record.signed(5)).ok_or(Short)?;
        // Some events of threads have lost their flags; the numbers do not lie.
        let is_thread = flags & flags::CLONE_THREAD != 0 || pid != record.tid;
        let maker = if is_thread { pid } else { parent };
        let thread = Thread {
            pid,
            parent,
            vtid: record.signed(18).unwrap_or(record.tid),
            cgroup,
            made_ns: record.time_ns,
            uid: record.u32(16).unwrap_or(0),
            namespace_started_ns: record.unsigned(20).unwrap_or(0),
            told_by_itself: true,
        };
        Ok(Some(Child { tid: record.tid, maker, thread, is_thread }))
    }

    fn make(&mut self, record: &Record<'_>, child: &Child, waiting: &mut Waiting) {
        let maker = self.threads.process_of(child.maker);
        let maker_key = maker.map(|maker| maker.key);
        let process = (!child.is_thread).then(|| Process {
            key: self.threads.key_of_new(child.thread.pid, record.time_ns),
            ..maker.cloned().unwrap_or_default().of_child()
        });
        let maker_tid = child.maker;
        if !self.threads.add(child.tid, child.thread, process) {
            return;
        }
        let process = self.threads.key(child.thread.pid);
        let maker_key = maker_key.unwrap_or_else(|| self.threads.key(maker_tid));
        let parent = match self.threads.thread(child.thread.parent) {
            Some(parent) => self.threads.key(parent.pid),
            None if child.thread.parent <= 0 => ProcessKey::default(),
            None => self.threads.key(child.thread.parent),
        };
        let forked = Forked {
            child: process,
            child_tid: number(child.tid),
            child_vpid: number(
                record.signed(19).filter(|_| record.signed(0) == Some(0)).unwrap_or(child.tid),
            ),
            parent,
            is_thread: child.is_thread,
        };
        let actor =
            Actor { process: maker_key, cgroup: child.thread.cgroup, tid: number(maker_tid) };
        let event_type = match record.kind {
            225 => EventType::Fork,
            VFORK => EventType::Vfork,
            335 => EventType::Clone3,
            _ => EventType::Clone,
        };
        self.emit((record.time_ns, Some(actor)), event_type, EventKind::Forked(forked), waiting);
        if !child.is_thread {
            self.tell_new_name(record, child, waiting);
        }
    }

    /// A process may have another name than its maker's program, who gave himself one by `prctl`,
    /// and other arguments, where he was made for somebody else: nothing else tells it.
    fn tell_new_name(&mut self, record: &Record<'_>, child: &Child, waiting: &mut Waiting) {
        let Some(name) = record.str(13) else { return };
        let process = self.threads.process(child.thread.pid);
        let Some(image) = process.and_then(|process| process.image.clone()) else { return };
        let is_same = image.name.as_bytes() == name
            && is_command(image.argv.as_bytes(), record.str(1), record.bytes(2));
        if is_same {
            return;
        }
        let argv = command(record);
        let image = Arc::new(Executed { name: Text::from(name), argv, ..Executed::clone(&image) });
        self.threads.set_image(child.thread.pid, Arc::clone(&image));
        let actor = self.actor(child.tid);
        let kind = EventKind::Running(Executed::clone(&image));
        self.emit((record.time_ns, actor), EventType::Other, kind, waiting);
    }

    /// A program was put in place.
    pub(super) fn execute(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        let result = record.signed(0).ok_or(Short)?;
        if result != 0 {
            self.fail_to_execute(record, result, waiting);
            return Ok(true);
        }
        let pid = record.signed(4).ok_or(Short)?;
        let cgroup = self.cgroup(record.bytes(14).unwrap_or_default(), record.time_ns, waiting);
        let parent = record.signed(5).unwrap_or(0);
        self.settle(record, pid, parent, cgroup);
        let executed = self.executed(record, parent);
        self.threads.set_image(pid, Arc::new(executed.clone()));
        let actor = self.actor(record.tid);
        let kind = EventKind::Executed(executed);
        self.emit((record.time_ns, actor), exec_type(record), kind, waiting);
        Ok(true)
    }

    fn fail_to_execute(&mut self, record: &Record<'_>, result: i64, waiting: &mut Waiting) {
        let failed = ExecFailed {
            result,
            filename: record.text(30),
            argv: command(record),
            cwd: record.text(6),
        };
        let actor = self.actor(record.tid);
        let kind = EventKind::ExecFailed(Box::new(failed));
        self.emit((record.time_ns, actor), exec_type(record), kind, waiting);
    }

    /// Brings the tables to what holds after an exec, also for a thread not seen before.
    fn settle(&mut self, record: &Record<'_>, pid: i64, parent: i64, cgroup: CgroupId) {
        if self.threads.thread(record.tid).is_none() {
            let key = self.threads.key_of_new(pid, record.time_ns);
            let thread = Thread {
                pid,
                parent,
                vtid: record.tid,
                cgroup,
                made_ns: 0,
                uid: 0,
                namespace_started_ns: 0,
                told_by_itself: false,
            };
            let process = Process { key, ..Process::default() };
            self.threads.add(record.tid, thread, Some(process));
        }
        let uid = record.u32(26);
        if let Some(thread) = self.threads.thread_mut(record.tid) {
            thread.cgroup = cgroup;
            thread.uid = uid.unwrap_or(thread.uid);
        }
        if let Some(cwd) = record.str(6).filter(|cwd| !cwd.is_empty()) {
            self.threads.set_cwd(record.tid, cwd);
        }
        self.threads.shrink(record.tid, super::descriptors::Table::execute);
        self.threads.execute(record.tid, pid);
    }

    fn executed(&self, record: &Record<'_>, parent: i64) -> Executed {
        let exe = record.text(27);
        let name = record.str(13).or_else(|| record.str(1)).unwrap_or_default();
        let thread = self.threads.thread(record.tid);
        Executed {
            parent: match self.threads.thread(parent) {
                Some(parent) => self.threads.key(parent.pid),
                None => ProcessKey::default(),
            },
            name: Text::from(name),
            filename: if record.bytes(30).is_some() { record.text(30) } else { exe.clone() },
            exe,
            argv: command(record),
            cwd: self
                .threads
                .process_of(record.tid)
                .map_or_else(Text::default, |process| process.cwd.clone()),
            exe_file: FileId { inode: record.unsigned(23).unwrap_or(0), device: 0 },
            flags: executed_flags(record.u32(19).unwrap_or(0)),
            credentials: Credentials {
                uid: record.u32(26).unwrap_or(0),
                gid: record.u32(29).unwrap_or(0),
                login_uid: record.u32(18).unwrap_or(u32::MAX),
                effective: record.unsigned(22).unwrap_or(0),
            },
            session: Session {
                vpid: thread.map_or(0, |thread| number(thread.vtid)),
                sid: self.threads.process_of(record.tid).map_or(0, |process| process.sid),
                pgid: record.signed(28).map_or(0, number),
                tty: record.u32(16).unwrap_or(0),
            },
            surroundings: Some(Box::new(Surroundings {
                permitted: record.unsigned(21).unwrap_or(0),
                inheritable: record.unsigned(20).unwrap_or(0),
                environment: without_secrets(record.bytes(15).unwrap_or_default()),
                exe_ctime_ns: record.unsigned(24).unwrap_or(0),
                exe_mtime_ns: record.unsigned(25).unwrap_or(0),
                namespace_started_ns: thread.map_or(0, |thread| thread.namespace_started_ns),
                ..Surroundings::default()
            })),
        }
    }

    /// A thread ended, and its process with the last of its threads.
    pub(super) fn exit(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        let Some(actor) = self.actor(record.tid) else { return Ok(false) };
        let status = record.signed(1).or_else(|| record.signed(0)).unwrap_or(0);
        let signal = record.unsigned(2).unwrap_or(0);
        let parent = self.threads.thread(record.tid).map_or(0, |thread| thread.parent);
        // By number of thread; not above 0 where the kernel found no children or gave up.
        let reaper = record.signed(4).and_then(|tid| self.threads.process_of(tid));
        let reaper = reaper.map(|reaper| reaper.key);
        self.remember_ended(record.tid, parent, record.time_ns);
        let is_thread = !self.threads.remove(record.tid);
        let exited = Exited {
            status: i32::try_from(status).unwrap_or(0),
            signal: i32::try_from(signal).unwrap_or(0),
            is_thread,
            reaper,
        };
        let kind = EventKind::Exited(exited);
        self.emit((record.time_ns, Some(actor)), EventType::ProcessExit, kind, waiting);
        Ok(true)
    }
}

fn exec_type(record: &Record<'_>) -> EventType {
    const AT: u16 = 331;
    if record.kind == AT { EventType::Execveat } else { EventType::Execve }
}

/// The first argument and the others, each ended by a NUL byte.
fn command(record: &Record<'_>) -> Text {
    let called = record.str(1).unwrap_or_default();
    Text::from([called, b"\0", record.bytes(2).unwrap_or_default()].concat())
}

fn is_command(argv: &[u8], called: Option<&[u8]>, arguments: Option<&[u8]>) -> bool {
    let rest = argv.strip_prefix(called.unwrap_or_default());
    let rest = rest.and_then(|rest| rest.strip_prefix(b"\0"));
    rest == Some(arguments.unwrap_or_default())
}

fn executed_flags(told: u32) -> ExecutedFlags {
    let all = [
        (1, ExecutedFlags::WRITABLE),
        (1 << 1, ExecutedFlags::UPPER_LAYER),
        (1 << 2, ExecutedFlags::MEMFD),
        (1 << 3, ExecutedFlags::LOWER_LAYER),
    ];
    all.iter()
        .filter(|(bit, _)| told & bit != 0)
        .fold(ExecutedFlags::default(), |flags, (_, flag)| flags | *flag)
}
