//! Calls that change who a process is, the kernel, or another process.

use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::privilege::{PrivilegeEvent, PrivilegeOperation};
use clew_event::{EventKind, EventType, Text};

use super::descriptors::Descriptor;
use super::flags;
use super::machine::{Machine, Waiting};
use super::record::Record;
use super::state::{Outcome, Short};

impl Machine {
    pub(super) fn privilege(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        use EventType as E;
        use PrivilegeOperation as Op;
        let (event_type, operation) = match record.kind {
            199 => (E::Setuid, Op::SetUser),
            193 => (E::Setresuid, Op::SetUser),
            427 => (E::Setreuid, Op::SetUser),
            201 => (E::Setgid, Op::SetGroup),
            195 => (E::Setresgid, Op::SetGroup),
            429 => (E::Setregid, Op::SetGroup),
            353 => (E::Capset, Op::SetCapabilities),
            241 => (E::Setns, Op::EnterNamespace),
            285 => (E::Unshare, Op::LeaveNamespaces),
            _ => return Ok(false),
        };
        let result = record.signed(0).ok_or(Short)?;
        let before = self.threads.thread(record.tid).map_or(0, |thread| thread.uid);
        let effective = if record.kind == 199 { record.u32(1) } else { record.u32(2) };
        let after = match (operation, effective) {
            (Op::SetUser, Some(uid)) if result == 0 && uid != u32::MAX => uid,
            _ => before,
        };
        if let Some(thread) = self.threads.thread_mut(record.tid) {
            thread.uid = after;
        }
        let namespaces = |index| record.u32(index).map_or(0, flags::namespaces).into();
        let argument = match operation {
            Op::EnterNamespace => namespaces(2),
            Op::LeaveNamespaces => namespaces(1),
            Op::SetUser | Op::SetGroup | Op::SetCapabilities => record.unsigned(1).unwrap_or(0),
        };
        let descriptor = match operation {
            Op::EnterNamespace => record.signed(1).and_then(|fd| i32::try_from(fd).ok()),
            Op::SetUser | Op::SetGroup | Op::SetCapabilities | Op::LeaveNamespaces => None,
        };
        let event = PrivilegeEvent {
            operation,
            result,
            argument,
            descriptor: descriptor.unwrap_or(-1),
            uid_before: before,
            uid_after: after,
            ..PrivilegeEvent::default()
        };
        let actor = self.actor(record.tid);
        self.emit((record.time_ns, actor), event_type, EventKind::Privilege(event), waiting);
        Ok(true)
    }

    pub(super) fn kernel_call(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        use EventType as E;
        use KernelOperation as Op;
        let result = record.signed(0).ok_or(Short)?;
        let number = |index| record.unsigned(index).unwrap_or(0);
        let call = KernelEvent { result, ..KernelEvent::default() };
        let file = |index| match record.signed(index) {
            Some(fd) => self.threads.descriptor(record.tid, fd).map(|open| open.name.clone()),
            None => None,
        };
        let (event_type, call) = match record.kind {
            169 => {
                let argument = flags::ptrace(number(3));
                let target_pid = record.signed(4).map_or(0, super::threads::number);
                (E::Ptrace, KernelEvent { operation: Op::Trace, argument, target_pid, ..call })
            }
            257 => {
                let (path, other) = (record.text(2), record.text(1));
                let argument = number(4);
                (E::Mount, KernelEvent { operation: Op::Mount, argument, path, other, ..call })
            }
            267 => {
                let path = record.text(1);
                (E::Chroot, KernelEvent { operation: Op::PivotRoot, path, ..call })
            }
            387 | 391 => {
                let event_type = if record.kind == 387 { E::Umount } else { E::Umount2 };
                let (path, argument) = (record.text(1), number(2));
                (event_type, KernelEvent { operation: Op::Unmount, path, argument, ..call })
            }
            405 => {
                let (path, argument) = (record.text(1), number(2));
                (E::MemfdCreate, KernelEvent { operation: Op::MemoryFile, path, argument, ..call })
            }
            369 => (E::Bpf, KernelEvent { operation: Op::Bpf, argument: number(1), ..call }),
            411 => (E::InitModule, KernelEvent { operation: Op::LoadModule, ..call }),
            413 => {
                let path = file(1).unwrap_or_default();
                let argument = number(3);
                (E::FinitModule, KernelEvent { operation: Op::LoadModule, path, argument, ..call })
            }
            _ => {
                let argument = number(1);
                (E::Userfaultfd, KernelEvent { operation: Op::UserFaults, argument, ..call })
            }
        };
        self.keep_made(record, &call);
        let actor = self.actor(record.tid);
        self.emit((record.time_ns, actor), event_type, EventKind::Kernel(call), waiting);
        Ok(true)
    }

    /// Keeps the descriptor that a call made.
    fn keep_made(&mut self, record: &Record<'_>, call: &KernelEvent) {
        let made = match call.operation {
            KernelOperation::MemoryFile => Descriptor::other("memfd:"),
            KernelOperation::Bpf => Descriptor::other("bpf"),
            KernelOperation::UserFaults => Descriptor::other("userfaultfd"),
            KernelOperation::Mount
            | KernelOperation::Unmount
            | KernelOperation::PivotRoot
            | KernelOperation::Trace
            | KernelOperation::LoadModule
            | KernelOperation::LoadKernel => return,
        };
        if 0 <= call.result {
            let name = Text::clone(&call.path);
            self.threads.put(record.tid, call.result, Descriptor { name, ..made });
        }
    }
}
