//! What `evt.args` shows for each kind of call.

use clew_event::container::AccountEvent;
use clew_event::file::{FileEvent, FileOperation, Owner};
use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::privilege::{PrivilegeEvent, PrivilegeOperation};
use clew_event::process::{Executed, ExecutedFlags};
use clew_event::socket::{
    DescriptorEvent, DescriptorTarget, Endpoints, SocketEvent, SocketOperation, Transport,
};
use clew_event::{EventKind, EventType};
use expect_test::{Expect, expect};

use crate::tests::builders::{
    INSIDE, container_id, event, exec, observed, program, shell_in_container, shown,
};

fn args(of: EventType, kind: EventKind) -> String {
    let mut context = shell_in_container();
    let account = AccountEvent {
        container: Some(container_id()),
        is_group: false,
        id: 33,
        name: "www-data".into(),
    };
    context.observe(&event(None, EventType::Other, EventKind::Account(account)));
    let event = event(Some((30, INSIDE)), of, kind);
    shown(&context.view(&event), "evt.args")
}

fn check(of: EventType, kind: EventKind, expected: &Expect) {
    expected.assert_eq(&args(of, kind));
}

fn file(operation: FileOperation, result: i64, given: &str, other: &str) -> FileEvent {
    FileEvent {
        operation,
        result,
        path: format!("/srv/{given}").into(),
        path_given: given.into(),
        other: other.into(),
        ..FileEvent::default()
    }
}

#[test]
fn file_calls_show_paths_and_named_flags() {
    use FileOperation as Op;
    let open = FileEvent { flags: 0o1101, mode: 0o644, ..file(Op::Open, 3, "a", "") };
    check(
        EventType::Openat,
        EventKind::File(open),
        &expect![[
            r#""fd=3(<f>/srv/a) name=/srv/a flags=262(O_TRUNC|O_CREAT|O_WRONLY) mode=0644 dev=0 ino=0""#
        ]],
    );
    let failed = FileEvent { flags: 0o2_000_000, ..file(Op::Open, -2, "a", "") };
    check(
        EventType::Open,
        EventKind::File(failed),
        &expect![[r#""fd=-2(ENOENT) name=/srv/a flags=4097(O_RDONLY|O_CLOEXEC) mode=0""#]],
    );
    let remove = FileEvent { flags: 0x200, ..file(Op::Unlink, -21, "a", "") };
    check(
        EventType::Unlinkat,
        EventKind::File(remove),
        &expect![[r#""res=-21(EISDIR) name=/srv/a flags=512(AT_REMOVEDIR)""#]],
    );
    check(
        EventType::Renameat,
        EventKind::File(file(Op::Rename, 0, "a", "b")),
        &expect![[r#""res=0 oldpath=/srv/a newpath=/srv/b""#]],
    );
    check(
        EventType::Symlink,
        EventKind::File(file(Op::Symlink, 0, "a", "/etc")),
        &expect![[r#""res=0 target=/etc linkpath=/srv/a""#]],
    );
    let mode = FileEvent { mode: 0o4700, ..file(Op::ChangeMode, 0, "a", "") };
    check(
        EventType::Fchmodat,
        EventKind::File(mode.clone()),
        &expect![[r#""res=0 filename=/srv/a mode=04700(S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID)""#]],
    );
    check(
        EventType::Fchmod,
        EventKind::File(mode),
        &expect![[r#""res=0 fd=(<f>/srv/a) mode=04700(S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID)""#]],
    );
}

#[test]
fn directories_and_owners_show_as_given() {
    use FileOperation as Op;
    let link = FileEvent {
        descriptor: Some(-100),
        other_directory: Some(7),
        ..file(Op::Link, 0, "/a", "/b")
    };
    check(
        EventType::Linkat,
        EventKind::File(link),
        &expect![[r#""res=0 olddir=-100(AT_FDCWD) oldpath=/a newdir=7 newpath=/b flags=0""#]],
    );
    let owner = Some(Owner { user: 33, group: u32::MAX });
    let owned = FileEvent { owner, descriptor: Some(5), ..file(Op::ChangeOwner, 0, "a", "") };
    check(
        EventType::Fchown,
        EventKind::File(owned),
        &expect![[r#""res=0 fd=5(<f>/srv/a) uid=33(www-data) gid=-1(<NONE>)""#]],
    );
    check(
        EventType::Chdir,
        EventKind::File(file(Op::ChangeDirectory, 0, "a", "")),
        &expect![[r#""res=0 path=/srv/a""#]],
    );
}

#[test]
fn socket_calls_show_families_and_ends() {
    let endpoints = Endpoints {
        family: Endpoints::INET,
        transport: Transport::Udp,
        local: "10.0.0.2:40000".parse().ok(),
        remote: "10.0.0.3:53".parse().ok(),
    };
    let connect = SocketEvent {
        operation: SocketOperation::Connect,
        descriptor: 5,
        endpoints: endpoints.clone(),
        ..SocketEvent::default()
    };
    check(
        EventType::Connect,
        EventKind::Socket(connect),
        &expect![[
            r#""res=0 tuple=10.0.0.2:40000->10.0.0.3:53 fd=5(<4u>10.0.0.2:40000->10.0.0.3:53) addr=10.0.0.3:53""#
        ]],
    );
    let packet = SocketEvent {
        result: 4,
        descriptor: 4,
        endpoints: Endpoints { family: 17, ..Endpoints::default() },
        socket_type: 3,
        protocol: 768,
        ..SocketEvent::default()
    };
    check(
        EventType::Socket,
        EventKind::Socket(packet),
        &expect![[r#""fd=4(<o>) domain=17(AF_PACKET) type=3 proto=768""#]],
    );
    let target = DescriptorTarget::Internet(Box::new(endpoints));
    let dup = DescriptorEvent { result: 0, old: 5, target };
    check(
        EventType::Dup2,
        EventKind::Descriptor(dup),
        &expect![[
            r#""res=0(<4u>10.0.0.2:40000->10.0.0.3:53) oldfd=5(<4u>10.0.0.2:40000->10.0.0.3:53) newfd=0(<4u>10.0.0.2:40000->10.0.0.3:53)""#
        ]],
    );
}

#[test]
fn privilege_calls_show_users_and_namespaces() {
    let privilege = |operation, argument| {
        EventKind::Privilege(PrivilegeEvent {
            operation,
            argument,
            descriptor: 3,
            ..PrivilegeEvent::default()
        })
    };
    use PrivilegeOperation as Op;
    check(EventType::Setuid, privilege(Op::SetUser, 33), &expect![[r#""res=0 uid=33(www-data)""#]]);
    check(EventType::Setgid, privilege(Op::SetGroup, 0), &expect![[r#""res=0 gid=0(root)""#]]);
    check(
        EventType::Setresuid,
        privilege(Op::SetUser, u32::MAX.into()),
        &expect![[r#""res=0 ruid=-1(<NONE>) euid=0(root)""#]],
    );
    check(
        EventType::Unshare,
        privilege(Op::LeaveNamespaces, 0x1002_0000),
        &expect![[r#""res=0 flags=268566528(CLONE_NEWNS|CLONE_NEWUSER)""#]],
    );
    check(
        EventType::Setns,
        privilege(Op::EnterNamespace, 0x4000_0000),
        &expect![[r#""res=0 fd=3 nstype=1073741824(CLONE_NEWNET)""#]],
    );
}

#[test]
fn kernel_calls_show_what_they_ask_for() {
    let call = |operation, argument, path: &str, other: &str| {
        EventKind::Kernel(KernelEvent {
            operation,
            argument,
            target_pid: 9,
            path: path.into(),
            other: other.into(),
            ..KernelEvent::default()
        })
    };
    use KernelOperation as Op;
    check(
        EventType::Ptrace,
        call(Op::Trace, 16, "", ""),
        &expect![[r#""res=0 request=16(PTRACE_ATTACH) pid=9""#]],
    );
    check(
        EventType::Mount,
        call(Op::Mount, 0x1001, "/mnt", "/dev/sda1"),
        &expect![[r#""res=0 dev=/dev/sda1 dir=/mnt flags=4097(RDONLY|BIND)""#]],
    );
    check(
        EventType::Bpf,
        call(Op::Bpf, 5, "", ""),
        &expect![[r#""fd=0(<b>) cmd=5(BPF_PROG_LOAD)""#]],
    );
    check(
        EventType::MemfdCreate,
        call(Op::MemoryFile, 1, "x", ""),
        &expect![[r#""fd=0(<m>x) name=x flags=1(MFD_CLOEXEC)""#]],
    );
}

#[test]
fn an_argument_is_asked_by_name_or_number_and_gives_the_meaning() {
    let executed = Executed {
        flags: ExecutedFlags::WRITABLE
            | ExecutedFlags::UPPER_LAYER
            | ExecutedFlags::MEMFD
            | ExecutedFlags::LOWER_LAYER,
        filename: "./x".into(),
        ..program("x", "./x -v")
    };
    let exec = exec((30, INSIDE), executed);
    let context = observed([&exec]);
    let view = context.view(&exec);
    let check = |name: &str, expected: &str| assert_eq!(shown(&view, name), expected, "{name}");
    check("evt.arg.flags", "\"EXE_WRITABLE|EXE_UPPER_LAYER|EXE_FROM_MEMFD|EXE_LOWER_LAYER\"");
    check("evt.arg.filename", "\"./x\"");
    check("evt.arg[1]", "\"./x\"");
    check("evt.arg[13]", "\"x\"");
    check("evt.arg.args", "\"-v\"");
    check("evt.arg.uid", "\"root\"");
    check("evt.arg.newpath", "-");
    check("evt.arg[99]", "-");
}
