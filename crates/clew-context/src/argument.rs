//! `evt.arg.*`: the arguments of a call, as text.
//!
//! An argument has a number and, where the number has a name, the name: a rule compares the name
//! (`evt.arg.flags contains O_TRUNC`), `evt.args` shows both (`flags=256(O_TRUNC)`).

use std::borrow::Cow;

use clew_event::file::{FileEvent, FileOperation};
use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::privilege::PrivilegeEvent;
use clew_event::process::{ExecFailed, Executed, ExecutedFlags, Exited, Forked};
use clew_event::socket::{DescriptorEvent, SocketEvent};
use clew_event::{EventKind, EventType, FieldArgument, FieldValue, Scalar};

use crate::fields::user::UNKNOWN;
use crate::fields::{fd, proc, user};
use crate::names::{self, Bits};
use crate::parameters::parameters;
use crate::process::split_nul;
use crate::view::View;

/// One argument.
#[derive(Debug, PartialEq, Eq)]
struct Argument<'a> {
    value: Cow<'a, [u8]>,
    /// What the number means, where it means something.
    name: Option<Cow<'a, [u8]>>,
}

/// The argument of that name or number.
pub(crate) fn value<'a>(view: &View<'a>, of: &FieldArgument) -> FieldValue<'a> {
    let known = parameters(view.event.event_type);
    let name = match of {
        FieldArgument::Key(key) => known.iter().find(|name| **name == &**key),
        FieldArgument::Index(index) => usize::try_from(*index).ok().and_then(|at| known.get(at)),
        FieldArgument::None => None,
    };
    match name.and_then(|name| argument(view, name)) {
        Some(argument) => FieldValue::One(Scalar::Text(argument.name.unwrap_or(argument.value))),
        None => FieldValue::Missing,
    }
}

/// All arguments that are known, as `name=value` or `name=value(name of the value)`.
pub(crate) fn all<'a>(view: &View<'a>) -> FieldValue<'a> {
    let mut shown = Vec::new();
    for name in parameters(view.event.event_type) {
        let Some(argument) = argument(view, name) else { continue };
        if !shown.is_empty() {
            shown.push(b' ');
        }
        shown.extend_from_slice(name.as_bytes());
        shown.push(b'=');
        shown.extend_from_slice(&argument.value);
        if let Some(meaning) = &argument.name {
            shown.push(b'(');
            shown.extend_from_slice(meaning);
            shown.push(b')');
        }
    }
    FieldValue::One(Scalar::Text(Cow::Owned(shown)))
}

fn argument<'a>(view: &View<'a>, name: &str) -> Option<Argument<'a>> {
    match &view.event.kind {
        EventKind::Executed(executed) => of_exec(view, executed, name),
        EventKind::ExecFailed(failed) => of_failed_exec(view, failed, name),
        EventKind::Forked(forked) => of_fork(view, forked, name),
        EventKind::Exited(exited) => of_exit(*exited, name),
        EventKind::File(file) => of_file(view, file, name),
        EventKind::Socket(socket) => of_socket(view, socket, name),
        EventKind::Descriptor(descriptor) => of_descriptor(view, descriptor, name),
        EventKind::Privilege(privilege) => of_privilege(view, *privilege, name),
        EventKind::Kernel(call) => of_kernel(view, call, name),
        EventKind::NodeStarted(_)
        | EventKind::Running(_)
        | EventKind::Dns(_)
        | EventKind::Cgroup(_)
        | EventKind::Container(_)
        | EventKind::Account(_)
        | EventKind::Http(_)
        | EventKind::KubernetesApi(_)
        | EventKind::CloudApi(_)
        | EventKind::Lost(_)
        | EventKind::Query(_)
        | EventKind::Stack(_) => None,
    }
}

fn of_exec<'a>(view: &View<'a>, executed: &'a Executed, name: &str) -> Option<Argument<'a>> {
    let image = view.image();
    let credentials = &executed.credentials;
    match name {
        "res" => Some(number(0)),
        "exe" => image.map(|image| bytes(image.called.as_bytes())),
        "args" => image.map(|image| bytes(image.arguments())),
        "tid" => view.event.actor.map(|actor| number(actor.tid.into())),
        "pid" => view.key().map(|key| number(key.pid.into())),
        "ptid" => Some(number(executed.parent.pid.into())),
        "cwd" => image.map(|image| bytes(image.cwd.as_bytes())),
        "comm" => Some(bytes(executed.name.as_bytes())),
        "tty" => Some(number(executed.session.tty.into())),
        "loginuid" => Some(user_id(view, credentials.login_uid)),
        "flags" => Some(flags(executed_flags(executed.flags), names::EXECUTED_FLAGS)),
        "cap_inheritable" => Some(hexadecimal(executed.surroundings.as_deref()?.inheritable)),
        "cap_permitted" => Some(hexadecimal(executed.surroundings.as_deref()?.permitted)),
        "cap_effective" => Some(hexadecimal(credentials.effective)),
        "exe_ino" => Some(unsigned(executed.exe_file.inode)),
        "exe_ino_ctime" => Some(unsigned(executed.surroundings.as_deref()?.exe_ctime_ns)),
        "exe_ino_mtime" => Some(unsigned(executed.surroundings.as_deref()?.exe_mtime_ns)),
        "uid" => Some(user_id(view, credentials.uid)),
        "trusted_exepath" => Some(bytes(executed.exe.as_bytes())),
        "pgid" => Some(number(executed.session.pgid.into())),
        "gid" => Some(number(credentials.gid.into())),
        "filename" => Some(bytes(executed.filename.as_bytes())),
        _ => None,
    }
}

/// What was asked for, and who asked.
fn of_failed_exec<'a>(view: &View<'a>, failed: &'a ExecFailed, name: &str) -> Option<Argument<'a>> {
    let argv = failed.argv.as_bytes();
    match name {
        "res" => Some(result(failed.result)),
        "exe" => split_nul(argv).next().map(bytes),
        "args" => {
            let arguments: Vec<_> = split_nul(argv).skip(1).collect();
            Some(Argument { value: Cow::Owned(arguments.join(&b' ')), name: None })
        }
        "tid" => view.event.actor.map(|actor| number(actor.tid.into())),
        "pid" => view.key().map(|key| number(key.pid.into())),
        "ptid" => proc::parent_key(view).map(|parent| number(parent.pid.into())),
        "cwd" if failed.cwd.is_empty() => view.image().map(|image| bytes(image.cwd.as_bytes())),
        "cwd" => Some(bytes(failed.cwd.as_bytes())),
        "comm" => view.image().map(|image| bytes(image.name.as_bytes())),
        "uid" => view.process().map(|process| user_id(view, process.credentials.uid)),
        "gid" => view.process().map(|process| number(process.credentials.gid.into())),
        "filename" => Some(bytes(failed.filename.as_bytes())),
        _ => of_caller(view, name),
    }
}

/// What the process still runs, as far as it is known.
fn of_caller<'a>(view: &View<'a>, name: &str) -> Option<Argument<'a>> {
    let (process, image) = (view.process()?, view.image()?);
    match name {
        "tty" => Some(number(process.session.tty.into())),
        "pgid" => Some(number(process.session.pgid.into())),
        "loginuid" => Some(user_id(view, process.credentials.login_uid)),
        "flags" => Some(flags(executed_flags(image.flags), names::EXECUTED_FLAGS)),
        "cap_inheritable" => image.inheritable.map(hexadecimal),
        "cap_permitted" => image.permitted.map(hexadecimal),
        "cap_effective" => Some(hexadecimal(process.credentials.effective)),
        "exe_ino" => Some(unsigned(image.file.inode)),
        "exe_ino_ctime" => Some(unsigned(image.ctime_ns)),
        "exe_ino_mtime" => Some(unsigned(image.mtime_ns)),
        "trusted_exepath" => Some(bytes(image.path.as_bytes())),
        _ => None,
    }
}

fn of_fork<'a>(view: &View<'a>, forked: &Forked, name: &str) -> Option<Argument<'a>> {
    let image = view.image();
    match name {
        "res" => Some(number(forked.child_tid.into())),
        "exe" => image.map(|image| bytes(image.called.as_bytes())),
        "args" => image.map(|image| bytes(image.arguments())),
        "comm" => image.map(|image| bytes(image.name.as_bytes())),
        "cwd" => image.map(|image| bytes(image.cwd.as_bytes())),
        "tid" => view.event.actor.map(|actor| number(actor.tid.into())),
        "pid" => view.key().map(|key| number(key.pid.into())),
        "ptid" => proc::parent_key(view).map(|parent| number(parent.pid.into())),
        "uid" => view.process().map(|process| number(process.credentials.uid.into())),
        "gid" => view.process().map(|process| number(process.credentials.gid.into())),
        _ => None,
    }
}

fn of_exit<'a>(exited: Exited, name: &str) -> Option<Argument<'a>> {
    match name {
        "status" => Some(number(i64::from(exited.status) << 8 | i64::from(exited.signal))),
        "ret" => Some(number(exited.status.into())),
        "sig" => Some(number(exited.signal.into())),
        _ => None,
    }
}

fn of_file<'a>(view: &View<'a>, file: &'a FileEvent, name: &str) -> Option<Argument<'a>> {
    let event_type = view.event.event_type;
    match name {
        "res" => Some(result(file.result)),
        "fd" if file.operation == FileOperation::Open => Some(opened(view, file.result)),
        "fd" => Some(match file.descriptor {
            Some(descriptor) => opened(view, descriptor.into()),
            None => Argument { value: Cow::Borrowed(b""), name: descriptor_name(view) },
        }),
        "dirfd" | "olddirfd" | "olddir" | "linkdirfd" | "mountfd" => file.descriptor.map(directory),
        "newdirfd" | "newdir" => file.other_directory.map(directory),
        "uid" => file.owner.map(|owner| user_id(view, owner.user)),
        "gid" => file.owner.map(|owner| group_id(view, owner.group)),
        "target" => Some(bytes(file.other.as_bytes())),
        "newpath" => Some(path(view, file.other.as_bytes())),
        "name" | "path" | "pathname" | "filename" | "oldpath" | "linkpath" => {
            Some(bytes(given_absolute(file)))
        }
        "mode" if file.operation == FileOperation::ChangeMode => Some(Argument {
            name: meaning(names::bits(file.mode.into(), names::MODE)),
            ..octal(file.mode)
        }),
        "mode" if file.operation == FileOperation::MakeDirectory => {
            Some(hexadecimal(file.mode.into()))
        }
        "mode" => Some(octal(file.mode)),
        "flags" if file.operation == FileOperation::Open => {
            Some(flags(names::open_flags(file.flags), names::OPEN_FLAGS))
        }
        "flags" => {
            let names = match event_type {
                EventType::Unlinkat => names::UNLINKAT_FLAGS,
                EventType::Linkat => names::LINKAT_FLAGS,
                EventType::Renameat2 => names::RENAME_FLAGS,
                EventType::Fchownat => names::FCHOWNAT_FLAGS,
                _ => return None,
            };
            Some(flags(file.flags.into(), names))
        }
        "dev" if 0 <= file.result => Some(hexadecimal(file.file.device.into())),
        "ino" if 0 <= file.result => Some(unsigned(file.file.inode)),
        _ => None,
    }
}

fn of_socket<'a>(view: &View<'a>, socket: &SocketEvent, name: &str) -> Option<Argument<'a>> {
    let end =
        |end: std::net::SocketAddr| owned(format!("{}:{}", end.ip().to_canonical(), end.port()));
    match name {
        "res" => Some(result(socket.result)),
        "fd" => match view.event.event_type {
            EventType::Socket | EventType::Accept | EventType::Accept4 => {
                Some(opened(view, socket.result))
            }
            _ => Some(opened(view, socket.descriptor.into())),
        },
        "domain" => Some(Argument {
            name: names::family(socket.endpoints.family).map(|name| name.as_bytes().into()),
            ..number(socket.endpoints.family.into())
        }),
        "type" => Some(number(socket.socket_type.into())),
        "proto" => Some(number(socket.protocol.into())),
        "tuple" => fd::of(view).map(|fd| Argument { value: fd.target.name_bytes(), name: None }),
        "addr" if view.event.event_type == EventType::Bind => socket.endpoints.local.map(end),
        "addr" => socket.endpoints.remote.map(end),
        "size" if 0 <= socket.result => Some(number(socket.result)),
        _ => None,
    }
}

fn of_descriptor<'a>(
    view: &View<'a>,
    descriptor: &DescriptorEvent,
    name: &str,
) -> Option<Argument<'a>> {
    match name {
        "res" => Some(opened(view, descriptor.result)),
        "oldfd" => Some(opened(view, descriptor.old.into())),
        "newfd" if 0 <= descriptor.result => Some(opened(view, descriptor.result)),
        _ => None,
    }
}

fn of_privilege<'a>(
    view: &View<'a>,
    privilege: PrivilegeEvent,
    name: &str,
) -> Option<Argument<'a>> {
    let id = u32::try_from(privilege.argument).unwrap_or(u32::MAX);
    match name {
        "res" => Some(result(privilege.result)),
        "uid" | "ruid" => Some(user_id(view, id)),
        "gid" | "rgid" => Some(group_id(view, id)),
        "euid" if privilege.result == 0 => Some(user_id(view, privilege.uid_after)),
        "egid" if privilege.result == 0 => Some(group_id(view, privilege.gid_after?)),
        "cap_inheritable" => Some(hexadecimal(privilege.capabilities?.inheritable)),
        "cap_permitted" => Some(hexadecimal(privilege.capabilities?.permitted)),
        "cap_effective" => Some(hexadecimal(privilege.capabilities?.effective)),
        "fd" => Some(number(privilege.descriptor.into())),
        "nstype" | "flags" => Some(flags(privilege.argument, names::CLONE_FLAGS)),
        _ => None,
    }
}

fn of_kernel<'a>(view: &View<'a>, call: &'a KernelEvent, name: &str) -> Option<Argument<'a>> {
    use KernelOperation as Op;
    let named = |name: Option<&'static str>| Argument {
        name: name.map(|name| name.as_bytes().into()),
        ..unsigned(call.argument)
    };
    match (name, call.operation) {
        ("res", _) => Some(result(call.result)),
        ("fd", Op::LoadModule) => None,
        ("fd", _) => Some(opened(view, call.result)),
        ("dev", Op::Mount) => Some(bytes(call.other.as_bytes())),
        ("dir", Op::Mount) | ("name", Op::Unmount | Op::MemoryFile) => {
            Some(bytes(call.path.as_bytes()))
        }
        ("new_root" | "path", Op::PivotRoot) => Some(bytes(call.path.as_bytes())),
        ("put_old", Op::PivotRoot) => Some(bytes(call.other.as_bytes())),
        ("flags", Op::Mount) => Some(flags(call.argument, names::MOUNT_FLAGS)),
        ("flags", Op::Unmount) => Some(flags(call.argument, names::UMOUNT_FLAGS)),
        ("flags", Op::MemoryFile) => Some(flags(call.argument, names::MEMFD_FLAGS)),
        ("flags", Op::UserFaults | Op::LoadModule) => Some(unsigned(call.argument)),
        ("request", Op::Trace) => Some(named(names::ptrace_request(call.argument))),
        ("pid", Op::Trace) => Some(number(call.target_pid.into())),
        ("cmd", Op::Bpf) => Some(named(names::bpf_command(call.argument))),
        _ => None,
    }
}

fn executed_flags(flags: ExecutedFlags) -> u64 {
    [
        (ExecutedFlags::WRITABLE, 1),
        (ExecutedFlags::UPPER_LAYER, 1 << 1),
        (ExecutedFlags::MEMFD, 1 << 2),
        (ExecutedFlags::LOWER_LAYER, 1 << 3),
    ]
    .iter()
    .filter(|(flag, _)| flags.has(*flag))
    .fold(0, |shown, (_, bit)| shown | bit)
}

/// The descriptor of a directory that a path starts from.
fn directory<'a>(descriptor: i32) -> Argument<'a> {
    const WORKING_DIRECTORY: i32 = -100;
    let name = (descriptor == WORKING_DIRECTORY).then_some(Cow::Borrowed(&b"AT_FDCWD"[..]));
    Argument { name, ..number(descriptor.into()) }
}

/// The path as given where it is absolute; else as it was resolved.
fn given_absolute(file: &FileEvent) -> &[u8] {
    if file.path_given.as_bytes().starts_with(b"/") || file.path.is_empty() {
        file.path_given.as_bytes()
    } else {
        file.path.as_bytes()
    }
}

fn path<'a>(view: &View<'a>, given: &'a [u8]) -> Argument<'a> {
    match crate::fields::path::absolute(view, given) {
        FieldValue::One(Scalar::Text(value)) => Argument { value, name: None },
        _ => bytes(given),
    }
}

/// A descriptor with what it leads to: `3(<f>/etc/passwd)`, or the error that came instead.
fn opened<'a>(view: &View<'a>, number: i64) -> Argument<'a> {
    if number < 0 {
        return result(number);
    }
    Argument { value: Cow::Owned(number.to_string().into_bytes()), name: descriptor_name(view) }
}

fn descriptor_name<'a>(view: &View<'a>) -> Option<Cow<'a, [u8]>> {
    let target = fd::of(view)?.target;
    let protocol: &[u8] = match &target {
        fd::Target::Unknown | fd::Target::NotOpened(_) => return None,
        fd::Target::Internet { transport, .. } => match transport {
            clew_event::socket::Transport::Tcp => b"t",
            clew_event::socket::Transport::Udp => b"u",
            clew_event::socket::Transport::Icmp => b"i",
            clew_event::socket::Transport::Raw => b"r",
            clew_event::socket::Transport::Unknown => b"",
        },
        _ => b"",
    };
    let letter = target.kind().1.as_bytes();
    Some(Cow::Owned([b"<", letter, protocol, b">", &*target.name_bytes()].concat()))
}

fn result<'a>(result: i64) -> Argument<'a> {
    Argument { name: names::error(result).map(|name| name.as_bytes().into()), ..number(result) }
}

fn user_id<'a>(view: &View<'a>, uid: u32) -> Argument<'a> {
    named_id(uid, || user::name(view, uid))
}

fn group_id<'a>(view: &View<'a>, gid: u32) -> Argument<'a> {
    named_id(gid, || user::group_name(view, gid))
}

fn named_id<'a>(id: u32, name: impl FnOnce() -> FieldValue<'a>) -> Argument<'a> {
    if id == u32::MAX {
        return Argument { name: Some(Cow::Borrowed(b"<NONE>")), ..number(-1) };
    }
    let name = match name() {
        FieldValue::One(Scalar::Text(name)) => name,
        _ => Cow::Borrowed(UNKNOWN.as_bytes()),
    };
    Argument { name: Some(name), ..number(id.into()) }
}

fn flags<'a>(set: u64, names: Bits) -> Argument<'a> {
    Argument { name: meaning(names::bits(set, names)), ..unsigned(set) }
}

fn meaning<'a>(names: String) -> Option<Cow<'a, [u8]>> {
    (!names.is_empty()).then(|| Cow::Owned(names.into_bytes()))
}

fn bytes(value: &[u8]) -> Argument<'_> {
    Argument { value: Cow::Borrowed(value), name: None }
}

fn owned<'a>(value: String) -> Argument<'a> {
    Argument { value: Cow::Owned(value.into_bytes()), name: None }
}

fn number<'a>(value: i64) -> Argument<'a> {
    owned(value.to_string())
}

fn unsigned<'a>(value: u64) -> Argument<'a> {
    owned(value.to_string())
}

fn hexadecimal<'a>(value: u64) -> Argument<'a> {
    owned(format!("{value:X}"))
}

fn octal<'a>(value: u32) -> Argument<'a> {
    owned(if value == 0 { "0".to_owned() } else { format!("0{value:o}") })
}
