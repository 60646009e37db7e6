//! `proc.*` and `thread.*`: the process that acted and its ancestors.

use clew_event::process::{ExecutedFlags, Session};
use clew_event::{FieldArgument, FieldValue, ProcessKey, Scalar, Text};

use super::{boolean, maybe, owned, text, unsigned};
use crate::process::{Image, Process};
use crate::view::View;

/// The process, where more than its children is known of it.
pub(crate) fn seen<'a>(view: &View<'a>) -> Option<&'a Process> {
    view.process().filter(|process| process.image.is_some())
}

pub(crate) fn exe_line(image: &Image) -> FieldValue<'_> {
    owned([image.called.as_bytes(), image.arguments()].join(&b' '))
}

/// Sum of the lengths of the arguments after the first, without what separates them.
pub(crate) fn arguments_length(image: &Image) -> FieldValue<'_> {
    let separators = image.arguments_count.saturating_sub(1);
    let joined = u64::try_from(image.arguments().len()).unwrap_or(u64::MAX);
    unsigned(joined.saturating_sub(separators.into()))
}

/// All allowed variables joined by spaces, or the value of one; empty where it is not set.
pub(crate) fn environment<'a>(image: &'a Image, of: &FieldArgument) -> FieldValue<'a> {
    let FieldArgument::Key(name) = of else {
        return owned(image.variables().collect::<Vec<_>>().join(&b' '));
    };
    let value = image
        .variables()
        .find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    value.unwrap_or_default().into()
}

pub(crate) fn parent_key(view: &View<'_>) -> Option<ProcessKey> {
    view.context.processes.parent_key(view.process()?)
}

pub(crate) fn parent<'a>(view: &View<'a>) -> Option<&'a Image> {
    view.context.process(&parent_key(view)?)?.image.as_deref()
}

pub(crate) fn vpid(view: &View<'_>) -> Option<u32> {
    seen(view).map(|process| process.session.vpid).filter(|&vpid| vpid != 0)
}

/// Known only of the thread that leads its process, whose id is the process's.
pub(crate) fn vtid(view: &View<'_>) -> Option<u32> {
    let actor = view.event.actor?;
    (actor.tid == actor.process.pid).then(|| vpid(view))?
}

/// The group leader's id in the pid namespace: known where the leader is the process itself or an
/// ancestor, and on the host, where it is the machine's id.
pub(crate) fn vpgid(view: &View<'_>) -> Option<u32> {
    let (process, key) = (seen(view)?, view.key()?);
    let pgid = process.session.pgid;
    if pgid == key.pid {
        return vpid(view);
    }
    let mut ancestors = view.context.processes.ancestors(process);
    match ancestors.find(|(key, _)| key.pid == pgid) {
        Some((_, leader)) => Some(leader.session.vpid).filter(|&vpid| vpid != 0),
        None => (process.session.vpid == key.pid).then_some(pgid),
    }
}

/// The session leader, where it is the process or an ancestor; else the uppermost ancestor that is
/// in the session, because the leader may have ended long ago.
pub(crate) fn session_leader<'a>(view: &View<'a>) -> Option<&'a Image> {
    let process = seen(view)?;
    let sid = process.session.sid;
    let in_session = view
        .context
        .processes
        .ancestors(process)
        .map(|(_, ancestor)| ancestor)
        .take_while(|ancestor| ancestor.session.sid == sid);
    in_session.last().unwrap_or(process).image.as_deref()
}

/// Whether the process is the leader of what `leader` tells.
pub(crate) fn leads<'a>(view: &View<'a>, leader: fn(&Session) -> u32) -> FieldValue<'a> {
    let Some((process, key)) = seen(view).zip(view.key()) else { return FieldValue::Missing };
    boolean(leader(&process.session) == key.pid)
}

/// When the first process of the actor's pid namespace started, nanoseconds since boot: as it was
/// told, else as the nearest ancestor that leads a namespace tells.
pub(crate) fn namespace_started_ns(view: &View<'_>) -> Option<u64> {
    let (process, key) = (view.process()?, view.key()?);
    match process.image.as_deref().map_or(0, |image| image.namespace_started_ns) {
        0 => std::iter::once((key, process))
            .chain(view.context.processes.ancestors(process))
            .find(|(_, process)| process.session.vpid == 1)
            .map(|(key, _)| key.start_ns),
        told_ns => Some(told_ns),
    }
}

/// From the start of a process to the event.
pub(crate) fn duration<'a>(view: &View<'a>, key: ProcessKey) -> FieldValue<'a> {
    maybe(view.context.started(&key), |started| {
        unsigned(view.event.time.unix_ns().saturating_sub(started.unix_ns()))
    })
}

/// From the last change of the executed file's inode to the start of the process; missing where
/// the file was changed later.
pub(crate) fn from_change_to_start<'a>(view: &View<'a>) -> FieldValue<'a> {
    let changed_ns = view.image().map_or(0, |image| image.ctime_ns);
    let started = view.key().and_then(|key| view.context.started(&key));
    match started {
        Some(started) if changed_ns != 0 && changed_ns < started.unix_ns() => {
            unsigned(started.unix_ns() - changed_ns)
        }
        Some(_) | None => FieldValue::Missing,
    }
}

pub(crate) fn flag<'a>(view: &View<'a>, flag: ExecutedFlags) -> FieldValue<'a> {
    maybe(view.image(), |image| boolean(image.flags.has(flag)))
}

pub(crate) fn cgroup<'a>(view: &View<'a>) -> FieldValue<'a> {
    let cgroup = view.cgroup().and_then(|id| view.context.cgroups.get(id));
    maybe(cgroup, |cgroup| text(&cgroup.path))
}

/// One text of the n-th ancestor (0 = the process itself), or of all, the parent first.
pub(crate) fn ancestors<'a>(
    view: &View<'a>,
    of: &FieldArgument,
    part: fn(&Image) -> &Text,
) -> FieldValue<'a> {
    let value = |process: &'a Process| {
        process.image.as_deref().map(|image| Scalar::from(part(image).as_bytes()))
    };
    each(view, of, |_, process| value(process))
}

pub(crate) fn ancestor_pids<'a>(view: &View<'a>, of: &FieldArgument) -> FieldValue<'a> {
    each(view, of, |key, _| Some(Scalar::Signed(key.pid.into())))
}

fn each<'a>(
    view: &View<'a>,
    of: &FieldArgument,
    value: impl Fn(ProcessKey, &'a Process) -> Option<Scalar<'a>>,
) -> FieldValue<'a> {
    let Some((process, key)) = view.process().zip(view.key()) else { return FieldValue::Missing };
    let mut above = view.context.processes.ancestors(process);
    match of {
        FieldArgument::Index(0) => maybe(value(key, process), FieldValue::One),
        FieldArgument::Index(index) => {
            let nth = usize::try_from(index - 1).ok().and_then(|index| above.nth(index));
            maybe(nth.and_then(|(key, process)| value(key, process)), FieldValue::One)
        }
        FieldArgument::None | FieldArgument::Key(_) => {
            let values: Vec<_> = above.filter_map(|(key, process)| value(key, process)).collect();
            if values.is_empty() { FieldValue::Missing } else { FieldValue::Many(values) }
        }
    }
}

#[cfg(test)]
mod tests {
    use clew_event::file::FileEvent;
    use clew_event::process::{Credentials, Executed, Surroundings};
    use clew_event::{Event, EventKind, EventType};
    use expect_test::expect;

    use super::*;
    use crate::tests::builders::{
        BOOT_NS, HOST, INSIDE, event, exec, fork, node, observed, program, shell_in_container,
        shown, table,
    };

    fn open(pid: u32) -> Event {
        event(Some((pid, INSIDE)), EventType::Openat, EventKind::File(FileEvent::default()))
    }

    #[test]
    fn a_process_is_seen_with_its_ancestors() {
        let context = shell_in_container();
        let names = [
            "proc.name",
            "proc.exe",
            "proc.exepath",
            "proc.args",
            "proc.cmdline",
            "proc.exeline",
            "proc.cmdnargs",
            "proc.cmdlenargs",
            "proc.cwd",
            "proc.pid",
            "proc.ppid",
            "proc.pname",
            "proc.pexe",
            "proc.pexepath",
            "proc.pcmdline",
            "proc.aname",
            "proc.aname[0]",
            "proc.aname[1]",
            "proc.aname[2]",
            "proc.aname[4]",
            "proc.aexepath[2]",
            "proc.acmdline[3]",
            "proc.apid",
            "proc.duration",
            "proc.ppid.duration",
            "thread.tid",
            "thread.ismain",
        ];
        expect![[r#"
            proc.name = "sh"
            proc.exe = "/bin/sh"
            proc.exepath = "/bin/sh"
            proc.args = "-c id"
            proc.cmdline = "sh -c id"
            proc.exeline = "/bin/sh -c id"
            proc.cmdnargs = 2
            proc.cmdlenargs = 4
            proc.cwd = "/srv/"
            proc.pid = +30
            proc.ppid = +20
            proc.pname = "httpd"
            proc.pexe = "httpd"
            proc.pexepath = "/bin/httpd"
            proc.pcmdline = "httpd -f"
            proc.aname = ["httpd", "shim", "systemd"]
            proc.aname[0] = "sh"
            proc.aname[1] = "httpd"
            proc.aname[2] = "shim"
            proc.aname[4] = -
            proc.aexepath[2] = "/bin/shim"
            proc.acmdline[3] = "systemd"
            proc.apid = [+20, +10, +1]
            proc.duration = 9999999970
            proc.ppid.duration = 9999999980
            thread.tid = +30
            thread.ismain = true
        "#]]
        .assert_eq(&table(&context.view(&open(30)), &names));
    }

    #[test]
    fn an_unseen_process_has_an_id_and_nothing_else() {
        let context = shell_in_container();
        let names = [
            "proc.name",
            "proc.cmdline",
            "proc.pid",
            "proc.ppid",
            "proc.aname",
            "proc.tty",
            "proc.is_exe_upper_layer",
            "user.uid",
            "thread.tid",
        ];
        expect![[r#"
            proc.name = -
            proc.cmdline = -
            proc.pid = +99
            proc.ppid = -
            proc.aname = -
            proc.tty = -
            proc.is_exe_upper_layer = -
            user.uid = -
            thread.tid = +99
        "#]]
        .assert_eq(&table(&context.view(&open(99)), &names));
    }

    #[test]
    fn a_fat_exec_tells_capabilities_environment_and_file() {
        let surroundings = Surroundings {
            permitted: 1 << 21 | 1 << 16,
            inheritable: 0,
            environment: (&b"LD_PRELOAD=/tmp/x.so\0AWS_SECRET_ACCESS_KEY\0"[..]).into(),
            exe_ctime_ns: BOOT_NS - 5,
            exe_mtime_ns: 9,
            ..Surroundings::default()
        };
        let executed = Executed {
            flags: ExecutedFlags::UPPER_LAYER | ExecutedFlags::WRITABLE,
            credentials: Credentials { effective: 1 << 1, ..Credentials::default() },
            session: Session { vpid: 5, sid: 30, pgid: 30, tty: 34816 },
            surroundings: Some(Box::new(surroundings)),
            ..program("x", "/tmp/x")
        };
        let exec = exec((30, INSIDE), executed);
        let context = observed(&[node(), exec.clone()]);
        let names = [
            "thread.cap_permitted",
            "thread.cap_effective",
            "thread.cap_inheritable",
            "proc.env",
            "proc.env[LD_PRELOAD]",
            "proc.env[AWS_SECRET_ACCESS_KEY]",
            "proc.env[PATH]",
            "proc.is_exe_upper_layer",
            "proc.is_exe_from_memfd",
            "proc.is_exe_writable",
            "proc.exe_ino",
            "proc.exe_ino.ctime",
            "proc.exe_ino.mtime",
            "proc.exe_ino.ctime_duration_proc_start",
            "proc.vpid",
            "proc.sid",
            "proc.pgid",
            "proc.vpgid",
            "proc.is_vpgid_leader",
            "proc.is_sid_leader",
            "proc.tty",
            "thread.vtid",
        ];
        expect![[r#"
            thread.cap_permitted = "CAP_SYS_MODULE CAP_SYS_ADMIN"
            thread.cap_effective = "CAP_DAC_OVERRIDE"
            thread.cap_inheritable = ""
            proc.env = "LD_PRELOAD=/tmp/x.so AWS_SECRET_ACCESS_KEY"
            proc.env[LD_PRELOAD] = "/tmp/x.so"
            proc.env[AWS_SECRET_ACCESS_KEY] = ""
            proc.env[PATH] = ""
            proc.is_exe_upper_layer = true
            proc.is_exe_from_memfd = false
            proc.is_exe_writable = true
            proc.exe_ino = -
            proc.exe_ino.ctime = 999999999995
            proc.exe_ino.mtime = 9
            proc.exe_ino.ctime_duration_proc_start = 35
            proc.vpid = +5
            proc.sid = +30
            proc.pgid = +30
            proc.vpgid = +5
            proc.is_vpgid_leader = true
            proc.is_sid_leader = true
            proc.tty = 34816
            thread.vtid = +5
        "#]]
        .assert_eq(&table(&context.view(&exec), &names));
    }

    #[test]
    fn a_session_is_named_by_its_leader_or_who_is_left_of_it() {
        let in_session =
            |sid, program| Executed { session: Session { sid, ..Session::default() }, ..program };
        let context = observed(&[
            node(),
            exec((1, HOST), in_session(1, program("init", "init"))),
            fork((1, HOST), 20),
            exec((20, HOST), in_session(15, program("bash", "bash"))),
            fork((20, HOST), 30),
            exec((30, HOST), in_session(15, program("ls", "ls"))),
        ]);
        assert_eq!(shown(&context.view(&open(30)), "proc.sname"), "\"bash\"");
        assert_eq!(shown(&context.view(&open(1)), "proc.sname"), "\"init\"");
    }
}
