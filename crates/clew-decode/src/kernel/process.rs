//! Decodes the life of processes and of cgroups.

use clew_event::container::{CgroupEvent, Lifecycle};
use clew_event::file::FileId;
use clew_event::process::{
    Credentials, ExecFailed, Executed, ExecutedFlags, Exited, Forked, Session, Surroundings,
};
use clew_event::{CgroupId, EventKind, EventType, Text};
use clew_wire::limits;
use clew_wire::record::{self, Cgroup, Exec, Exit, Fork};

use super::{Bytes, Decoder, Malformed, environment, is_truncated, socket, syscall};

impl Decoder {
    pub(super) fn fork(&self, record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
        let fork: Fork = record.fixed()?;
        let forked = Forked {
            child: self.process(fork.child_tgid, fork.child_start_ns),
            child_tid: fork.child_tid,
            child_vpid: fork.child_vpid,
            parent: self.process(fork.parent_tgid, fork.parent_start_ns),
            is_thread: fork.child_tid != fork.child_tgid,
        };
        Ok((syscall::of_fork(fork.header.syscall), EventKind::Forked(forked)))
    }

    pub(super) fn exec(&self, record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
        let exec: Exec = record.fixed()?;
        let executed = Executed {
            parent: self.process(exec.parent_tgid, exec.parent_start_ns),
            name: until_nul(&exec.comm),
            exe: record.path(exec.exe)?,
            filename: record.text(exec.filename)?,
            argv: record.text(exec.argv)?,
            cwd: record.path(exec.cwd)?,
            exe_file: FileId { inode: exec.exe_inode, device: exec.exe_device },
            flags: flags(&exec),
            credentials: Credentials {
                uid: exec.uid,
                gid: exec.gid,
                login_uid: exec.login_uid,
                effective: exec.cap_effective,
            },
            session: Session { vpid: exec.vpid, sid: exec.sid, pgid: exec.pgid, tty: exec.tty },
            surroundings: Some(Box::new(surroundings(record, &exec)?)),
        };
        if exec.header.kind == limits::KIND_TASK {
            return Ok((EventType::Other, EventKind::Running(executed)));
        }
        Ok((syscall::of_exec(exec.header.syscall), EventKind::Executed(executed)))
    }
}

fn surroundings(record: Bytes<'_>, exec: &Exec) -> Result<Surroundings, Malformed> {
    let [input, output, error] = &exec.stdio;
    Ok(Surroundings {
        permitted: exec.cap_permitted,
        inheritable: exec.cap_inheritable,
        stdio: [
            socket::target(record, input)?,
            socket::target(record, output)?,
            socket::target(record, error)?,
        ],
        environment: environment::allowed(record.raw(exec.environment)?),
        exe_ctime_ns: exec.exe_ctime_ns,
        exe_mtime_ns: exec.exe_mtime_ns,
        ..Surroundings::default()
    })
}

fn flags(exec: &Exec) -> ExecutedFlags {
    let seen = [
        (limits::EXEC_UPPER_LAYER, ExecutedFlags::UPPER_LAYER),
        (limits::EXEC_MEMFD, ExecutedFlags::MEMFD),
        (limits::EXEC_UNLINKED, ExecutedFlags::UNLINKED),
        (limits::EXEC_SETUID, ExecutedFlags::SETUID),
        (limits::EXEC_WRITABLE, ExecutedFlags::WRITABLE),
    ];
    let mut flags = ExecutedFlags::default();
    for (wire, flag) in seen {
        if exec.flags & wire != 0 {
            flags = flags | flag;
        }
    }
    if is_truncated(exec.argv) {
        flags = flags | ExecutedFlags::ARGV_TRUNCATED;
    }
    if [exec.exe, exec.cwd, exec.filename].into_iter().any(is_truncated) {
        flags = flags | ExecutedFlags::PATH_TRUNCATED;
    }
    flags
}

pub(super) fn exec_failed(record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
    let failed: record::ExecFailed = record.fixed()?;
    let number = failed.header.syscall;
    let Some(event_type @ (EventType::Execve | EventType::Execveat)) = syscall::reported(number)
    else {
        return Err(Malformed::WrongCall { kind: limits::KIND_EXEC_FAILED, number });
    };
    let event = ExecFailed {
        result: failed.header.result,
        filename: record.text(failed.filename)?,
        argv: record.text(failed.argv)?,
        cwd: record.path(failed.cwd)?,
    };
    Ok((event_type, EventKind::ExecFailed(Box::new(event))))
}

/// The bytes before the first NUL.
fn until_nul(bytes: &[u8]) -> Text {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default().into()
}

pub(super) fn exit(record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
    let exit: Exit = record.fixed()?;
    let [low, status, ..] = exit.code.to_le_bytes();
    // Bit 7 tells that memory was dumped.
    let (status, signal) = (status.into(), (low & 0x7f).into());
    let exited = Exited { status, signal, ..Exited::default() };
    Ok((EventType::ProcessExit, EventKind::Exited(exited)))
}

pub(super) fn cgroup(record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
    let cgroup: Cgroup = record.fixed()?;
    let is_removed = cgroup.change == limits::CGROUP_REMOVED;
    let event = CgroupEvent {
        lifecycle: if is_removed { Lifecycle::Stopped } else { Lifecycle::Started },
        cgroup: CgroupId(cgroup.id),
        path: record.text(cgroup.path)?,
    };
    Ok((EventType::Other, EventKind::Cgroup(event)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_event::BootId;
    use clew_wire::as_bytes;
    use clew_wire::record::TextRef;
    use proptest::prelude::*;

    /// Puts `text` behind the fixed part and tells where it lies.
    fn put(bytes: &mut Vec<u8>, text: &str, flags: u16) -> TextRef {
        let offset = size_of::<Exec>() + bytes.len();
        bytes.extend_from_slice(text.as_bytes());
        let number = |given: usize| u16::try_from(given).expect("a short record");
        TextRef { offset: number(offset), size: number(text.len()), flags, reserved: 0 }
    }

    fn executed(exec: &Exec, texts: &[u8]) -> Executed {
        let record = [as_bytes(exec), texts].concat();
        match Decoder::new(BootId(1), 0).exec(Bytes(&record)) {
            Ok((EventType::Execve, EventKind::Executed(executed))) => executed,
            other => panic!("not an exec: {other:?}"),
        }
    }

    #[test]
    fn an_exec_tells_program_arguments_and_place() {
        let mut texts = Vec::new();
        let exec = Exec {
            comm: *b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            parent_tgid: 4,
            parent_start_ns: 44,
            argv: put(&mut texts, "sh\0-c\0id\0", 0),
            exe: put(&mut texts, "dash/bin/usr/", limits::TEXT_COMPONENTS),
            cwd: put(&mut texts, "", limits::TEXT_COMPONENTS),
            environment: put(&mut texts, "HOME=/\0LD_PRELOAD=/x\0", 0),
            ..Exec::default()
        };
        let executed = executed(&exec, &texts);
        assert_eq!((executed.name, executed.exe), ("sh".into(), "/usr/bin/dash".into()));
        assert_eq!((executed.argv, executed.cwd), ("sh\0-c\0id\0".into(), "/".into()));
        assert_eq!((executed.parent.pid, executed.parent.start_ns), (4, 44));
        let surroundings = executed.surroundings.expect("always there");
        assert_eq!(surroundings.environment, "LD_PRELOAD=/x\0".into());
    }

    #[test]
    fn what_the_kernel_saw_and_what_was_cut_become_flags() {
        let mut texts = Vec::new();
        let exec = Exec {
            flags: limits::EXEC_MEMFD | limits::EXEC_UNLINKED,
            argv: put(&mut texts, "x", limits::TEXT_TRUNCATED),
            ..Exec::default()
        };
        let expected =
            ExecutedFlags::MEMFD | ExecutedFlags::UNLINKED | ExecutedFlags::ARGV_TRUNCATED;
        assert_eq!(executed(&exec, &texts).flags, expected);
    }

    #[test]
    fn an_exit_code_is_status_or_signal() {
        let check = |code, status, signal| {
            let record = Exit { code, ..Exit::default() };
            let expected = Exited { status, signal, ..Exited::default() };
            let decoded = exit(Bytes(as_bytes(&record)));
            assert_eq!(decoded, Ok((EventType::ProcessExit, EventKind::Exited(expected))));
        };
        check(0x0100, 1, 0);
        check(0x0009, 0, 9);
        check(0x008b, 0, 11);
    }

    proptest! {
        #[test]
        fn an_exec_that_is_cut_anywhere_is_refused(cut in 1_usize..600) {
            let mut texts = Vec::new();
            let exec = Exec {
                exe: put(&mut texts, "dash/bin/usr/", limits::TEXT_COMPONENTS),
                environment: put(&mut texts, "LD_PRELOAD=/x\0", 0),
                ..Exec::default()
            };
            let record = [as_bytes(&exec), &texts].concat();
            let kept = record.len().saturating_sub(cut);
            let refused = Decoder::new(BootId(1), 0).exec(Bytes(&record[..kept]));
            prop_assert!(refused.is_err());
        }
    }

    #[test]
    fn a_text_outside_the_record_is_refused() {
        let argv = TextRef { offset: 65_535, size: 65_535, ..TextRef::default() };
        let record = Exec { argv, ..Exec::default() };
        let refused = Decoder::new(BootId(1), 0).exec(Bytes(as_bytes(&record)));
        let expected = Malformed::TextOutside { offset: 65_535, size_bytes: 65_535 };
        assert_eq!(refused, Err(expected));
    }
}
