//! `evt.*`: what the event itself says.

use clew_event::file::{FileEvent, FileOperation};
use clew_event::{Event, EventKind, EventType, FieldArgument, FieldValue};

use super::{maybe, owned, text};
use crate::names;
use crate::process::split_nul;
use crate::view::View;

const EXECUTABLE: u32 = 0o111;
const ACCESS_MODE: u32 = 0o3;
const WRITE_ONLY: u32 = 0o1;
const CREATE: u32 = 0o100;
const TEMPORARY: u32 = 0o20_000_000;

pub(crate) fn type_name<'a>(view: &View<'a>) -> FieldValue<'a> {
    match view.event.event_type {
        EventType::Other => FieldValue::Missing,
        named => named.name().into(),
    }
}

/// The n-th argument of a program that starts.
pub(crate) fn argument_started<'a>(view: &View<'a>, of: &FieldArgument) -> FieldValue<'a> {
    let (EventKind::Executed(executed), FieldArgument::Index(index)) = (&view.event.kind, of)
    else {
        return FieldValue::Missing;
    };
    maybe(split_nul(executed.argv.as_bytes()).nth(*index as usize), Into::into)
}

/// An open whose flags allow reading, also where it failed: rules ask `fd.num` for that. `creat`
/// is none, as in Falco.
pub(crate) fn is_open_read(event: &Event) -> bool {
    open(event).is_some_and(|open| open.flags & ACCESS_MODE != WRITE_ONLY)
}

/// An open whose flags allow writing, also where it failed.
pub(crate) fn is_open_write(event: &Event) -> bool {
    open(event).is_some_and(|open| open.flags & ACCESS_MODE != 0)
}

/// A creation with an executable mode.
pub(crate) fn is_open_exec(event: &Event) -> bool {
    let EventKind::File(file) = &event.kind else { return false };
    match event.event_type {
        EventType::Creat => file.mode & EXECUTABLE != 0,
        EventType::Open | EventType::Openat | EventType::Openat2 => {
            file.flags & (CREATE | TEMPORARY) != 0 && file.mode & EXECUTABLE != 0
        }
        _ => false,
    }
}

fn open(event: &Event) -> Option<&FileEvent> {
    match &event.kind {
        EventKind::File(file)
            if file.operation == FileOperation::Open && event.event_type != EventType::Creat =>
        {
            Some(file)
        }
        _ => None,
    }
}

pub(crate) fn result_name<'a>(view: &View<'a>) -> FieldValue<'a> {
    match view.event.result() {
        None => FieldValue::Missing,
        Some(result) if 0 <= result => "SUCCESS".into(),
        Some(result) => match names::error(result) {
            Some(name) => name.into(),
            None => owned(result.to_string()),
        },
    }
}

/// CPU that gave the record, which kernel event ids carry. Other ids have their highest bit set,
/// or the number of no CPU.
pub(crate) fn cpu(event: &Event) -> Option<u64> {
    const FOREIGN: u128 = 1 << 127;
    const NO_CPU: u64 = 0xffff;
    let cpu = u64::try_from(event.id.0 >> 48 & u128::from(NO_CPU)).ok()?;
    (event.id.0 & FOREIGN == 0 && cpu != NO_CPU).then_some(cpu)
}

pub(crate) fn hostname<'a>(view: &View<'a>) -> FieldValue<'a> {
    maybe(view.boot(), |boot| text(&boot.hostname))
}

/// The first bytes sent or received, where some rule asked the sensor for them.
pub(crate) fn buffer(event: &Event) -> FieldValue<'_> {
    match &event.kind {
        EventKind::Socket(socket) if !socket.payload.is_empty() => text(&socket.payload),
        _ => FieldValue::Missing,
    }
}

/// Name of the source, as rules give it after `source:`.
pub(crate) fn source<'a>(view: &View<'a>) -> FieldValue<'a> {
    view.event.source().into()
}

/// Family of the event, by Falco's names.
#[rustfmt::skip]
pub(crate) fn category<'a>(view: &View<'a>) -> FieldValue<'a> {
    use EventType as E;
    match view.event.event_type {
        E::Execve | E::Execveat | E::Clone | E::Clone3 | E::Fork | E::Vfork | E::ProcessExit
        | E::Capset | E::Setns | E::Unshare | E::Chroot | E::Ptrace | E::Prctl
        | E::ProcessVmReadv | E::ProcessVmWritev => "process".into(),
        E::Open | E::Openat | E::Openat2 | E::Creat | E::OpenByHandleAt | E::Rename | E::Renameat
        | E::Renameat2 | E::Link | E::Linkat | E::Symlink | E::Symlinkat | E::Unlink
        | E::Unlinkat | E::Mkdir | E::Mkdirat | E::Rmdir | E::Chmod | E::Fchmod | E::Fchmodat
        | E::Chown | E::Fchown | E::Lchown | E::Fchownat | E::Truncate | E::Ftruncate | E::Mount
        | E::Umount | E::Umount2 | E::PivotRoot | E::Userfaultfd | E::Read | E::Write | E::Close
        | E::Chdir | E::Fchdir => "file".into(),
        E::Socket | E::Socketpair | E::Connect | E::Accept | E::Accept4 | E::Bind | E::Listen
        | E::Sendto | E::Sendmsg | E::Sendmmsg | E::Recvfrom | E::Recvmsg
        | E::Recvmmsg | E::Dns | E::HttpRequest | E::HttpResponse | E::DbQuery => "net".into(),
        E::Setuid | E::Setgid | E::Setreuid | E::Setregid | E::Setresuid | E::Setresgid
        | E::Setfsuid | E::Setfsgid => "user".into(),
        E::MemfdCreate | E::Mprotect => "memory".into(),
        E::Kill | E::Tkill | E::Tgkill => "signal".into(),
        E::Dup | E::Dup2 | E::Dup3 | E::Fcntl | E::Bpf | E::InitModule | E::FinitModule
        | E::KexecLoad | E::KexecFileLoad | E::PerfEventOpen | E::IoUringSetup
        | E::IoUringEnter | E::Keyctl => "other".into(),
        E::Container => "internal".into(),
        E::AsyncEvent => "meta".into(),
        E::PluginEvent => "plugin".into(),
        E::Other => FieldValue::Missing,
    }
}

#[cfg(test)]
mod tests {
    use clew_event::privilege::PrivilegeEvent;
    use clew_event::{BootId, EventId};
    use expect_test::expect;

    use super::*;
    use crate::tests::builders::{INSIDE, event, exec, program, shell_in_container, shown, table};

    fn open(of: EventType, flags: u32, mode: u32, result: i64) -> Event {
        let file = FileEvent { flags, mode, result, path: "/x".into(), ..FileEvent::default() };
        event(Some((30, INSIDE)), of, EventKind::File(file))
    }

    #[test]
    fn an_event_tells_its_time_kind_and_place() {
        let context = shell_in_container();
        let exec = exec((30, INSIDE), program("sh", "sh"));
        let names = [
            "evt.num",
            "evt.time",
            "evt.time.iso8601",
            "evt.rawtime",
            "evt.type",
            "evt.category",
            "evt.rawres",
            "evt.res",
            "evt.failed",
            "evt.cpu",
            "evt.hostname",
            "evt.source",
            "evt.buffer",
            "evt.dir",
            "evt.is_open_read",
        ];
        expect![[r#"
            evt.num = 10
            evt.time = "00:16:50.000000000"
            evt.time.iso8601 = 1010000000000
            evt.rawtime = 1010000000000
            evt.type = "execve"
            evt.category = "process"
            evt.rawres = +0
            evt.res = "SUCCESS"
            evt.failed = false
            evt.cpu = 3
            evt.hostname = "node-1"
            evt.source = "syscall"
            evt.buffer = -
            evt.dir = "<"
            evt.is_open_read = false
        "#]]
        .assert_eq(&table(&context.view(&exec), &names));
    }

    #[test]
    fn only_what_a_cpu_told_has_a_cpu() {
        let check = |id, expected| {
            let mut event = exec((30, INSIDE), program("sh", "sh"));
            event.id = id;
            assert_eq!(cpu(&event), expected);
        };
        check(EventId::from_kernel(BootId(u32::MAX), 1, 9), Some(1));
        check(EventId::from_kernel(BootId(1), u16::MAX, 9), None);
        check(EventId(1 << 127), None);
    }

    #[test]
    fn a_failed_call_is_named_by_its_error() {
        let context = shell_in_container();
        let check = |result, expected: &str| {
            let privilege = PrivilegeEvent { result, ..PrivilegeEvent::default() };
            let event =
                event(Some((30, INSIDE)), EventType::Unshare, EventKind::Privilege(privilege));
            let view = context.view(&event);
            assert_eq!(
                (shown(&view, "evt.res"), shown(&view, "evt.failed")),
                (expected.to_owned(), "true".to_owned())
            );
        };
        check(-1, "\"EPERM\"");
        check(-4095, "\"-4095\"");
    }

    #[test]
    fn an_open_is_judged_by_its_flags_also_where_it_failed() {
        let context = shell_in_container();
        let check = |event: Event, expected: [&str; 3]| {
            let view = context.view(&event);
            let names = ["evt.is_open_read", "evt.is_open_write", "evt.is_open_exec"];
            assert_eq!(names.map(|name| shown(&view, name)), expected.map(str::to_owned));
        };
        check(open(EventType::Openat, 0o0, 0, 3), ["true", "false", "false"]);
        check(open(EventType::Openat, 0o0, 0, -13), ["true", "false", "false"]);
        check(open(EventType::Open, 0o1 | 0o100, 0o755, 3), ["false", "true", "true"]);
        check(open(EventType::Openat2, 0o2, 0o755, 3), ["true", "true", "false"]);
        check(open(EventType::Creat, 0o1101, 0o644, 3), ["false", "false", "false"]);
        check(open(EventType::Creat, 0o1101, 0o700, 3), ["false", "false", "true"]);
    }
}
