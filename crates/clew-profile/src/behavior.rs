//! What an event says of its workload's behavior, as the key of one item.
//!
//! A failed call is no behavior: programs look for files in many places where none is. Reads of
//! what an image holds are learned by directory, because a program reads hundreds of its files and
//! none of them tells anything.

use std::borrow::Cow;

use clew_context::View;
use clew_event::control_plane::ApiCall;
use clew_event::file::{FileEvent, FileOperation};
use clew_event::http::HttpEvent;
use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::privilege::{PrivilegeEvent, PrivilegeOperation};
use clew_event::process::{Executed, ExecutedFlags};
use clew_event::{EventKind, Text};

use crate::class::Class;
use crate::item::{KeyBuilder, REST};
use crate::peer;
use crate::shape::{drawn, volatile};

/// Who runs the first program of a container, and sets it up before.
pub const START: &str = "(start)";
/// How a program is executed that is not in the image, or has no file at all.
pub const DROPPED: &str = "dropped";
/// Reads below these are learned by directory.
const SYSTEM_TREES: [&str; 8] = ["usr", "lib", "lib64", "bin", "sbin", "opt", "sys", "nix"];
/// How many parts of such a directory are told apart.
const SYSTEM_DEPTH: usize = 3;

/// Begins `key` as the item that the event shows; `None` where it shows none.
pub fn read(view: &View<'_>, key: &mut KeyBuilder) -> Option<Class> {
    let start = Text::from(START);
    let who = || {
        let image = view.process()?.image.as_deref()?;
        // A runtime runs from a file that the container does not hold until the first program is
        // in place, and no path leads there.
        let is_runtime = image.path.as_bytes() == b"/" && view.container_id().is_some();
        Some(if is_runtime { &start } else { &image.path })
    };
    match &view.event().kind {
        EventKind::Executed(executed) => Some(of_exec(view, executed, key)),
        EventKind::File(file) => of_file(view, who()?, file, key),
        EventKind::Socket(socket) => peer::of_socket(view, who()?, socket, key),
        EventKind::Dns(message) if !message.is_answer => {
            key.begin(Class::Dns, who()?.as_bytes(), "");
            key.part(peer::registrable(message.name.as_bytes())).fix();
            Some(Class::Dns)
        }
        EventKind::Privilege(change) if change.result == 0 => {
            Some(of_privilege(who()?, change, key))
        }
        EventKind::Kernel(call) if 0 <= call.result => Some(of_kernel(who()?, call, key)),
        EventKind::Http(http) => of_http(who(), http, key),
        EventKind::CloudApi(call) => Some(of_call(Class::CloudApi, call, key)),
        EventKind::KubernetesApi(call) => Some(of_call(Class::KubernetesApi, call, key)),
        EventKind::NodeStarted(_)
        | EventKind::Forked(_)
        | EventKind::Running(_)
        | EventKind::Exited(_)
        | EventKind::Descriptor(_)
        | EventKind::Dns(_)
        | EventKind::Privilege(_)
        | EventKind::Kernel(_)
        | EventKind::Cgroup(_)
        | EventKind::Container(_)
        | EventKind::Account(_)
        | EventKind::Lost(_)
        | EventKind::ExecFailed(_)
        | EventKind::Query(_)
        | EventKind::Stack(_) => None,
    }
}

fn of_exec(view: &View<'_>, executed: &Executed, key: &mut KeyBuilder) -> Class {
    let parent = parent_exe(view);
    let is_dropped = executed.flags.has(ExecutedFlags::MEMFD)
        || view.container_id().is_some() && executed.flags.has(ExecutedFlags::UPPER_LAYER);
    let who = parent.as_ref().map_or(START.as_bytes(), Text::as_bytes);
    key.begin(Class::Exec, who, if is_dropped { DROPPED } else { "" });
    key.part(executed.exe.as_bytes()).fix();
    let argv = executed.argv.as_bytes();
    let argv = argv.strip_suffix(b"\0").unwrap_or(argv);
    for argument in argv.split(|&byte| byte == 0).skip(1) {
        named(key, argument);
    }
    Class::Exec
}

/// Program of the process that started the one that acts; `None` where that is outside of the
/// container, or not known.
pub(crate) fn parent_exe(view: &View<'_>) -> Option<Text> {
    let parent = view.subject().lineage.into_iter().nth(1)?;
    (!parent.exe.is_empty()).then_some(parent.exe)
}

/// Adds a part, or the hole of what is never a name.
fn typed(key: &mut KeyBuilder, part: &[u8]) {
    match volatile(part) {
        Some(hole) => key.word(hole),
        None => key.part(part),
    };
}

/// The same, where a name may hold what is drawn anew each time.
fn named(key: &mut KeyBuilder, part: &[u8]) {
    match drawn(part) {
        Some(shaped) => key.word(&shaped),
        None => key.part(part),
    };
}

fn of_file(view: &View<'_>, who: &Text, file: &FileEvent, key: &mut KeyBuilder) -> Option<Class> {
    if file.result < 0 || file.path.as_bytes().first() != Some(&b'/') {
        return None;
    }
    let how = match file.operation {
        FileOperation::Open if file.is_open_for_writing() => "write",
        FileOperation::Open => "read",
        FileOperation::Truncate => "write",
        FileOperation::Rename => "rename",
        FileOperation::Link | FileOperation::Symlink => "link",
        FileOperation::Unlink | FileOperation::RemoveDirectory => "delete",
        FileOperation::MakeDirectory => "create",
        FileOperation::ChangeMode => "chmod",
        FileOperation::ChangeOwner => "chown",
        FileOperation::ChangeRoot => "chroot",
        FileOperation::ChangeDirectory => return None,
    };
    key.begin(Class::File, who.as_bytes(), how);
    let path = file.path.as_bytes();
    let parts = || path.split(|&byte| byte == b'/').filter(|part| !part.is_empty());
    if how == "read"
        && let Some(directory) = system_depth(path)
    {
        parts().take(directory).for_each(|part| {
            key.part(part);
        });
        key.word(REST).fix();
        return Some(Class::File);
    }
    if is_sensitive(path) {
        parts().for_each(|part| own_or(view, key, part, typed));
        key.fix();
        return Some(Class::File);
    }
    for (at, part) in parts().enumerate() {
        own_or(view, key, part, named);
        if at == 0 {
            key.fix();
        }
    }
    Some(Class::File)
}

/// How many parts of a path are kept where it is read from what an image holds.
pub(crate) fn system_depth(path: &[u8]) -> Option<usize> {
    let parts = || path.split(|&byte| byte == b'/').filter(|part| !part.is_empty());
    let first = parts().next()?;
    let is_system = SYSTEM_TREES.iter().any(|tree| tree.as_bytes() == first);
    is_system.then(|| parts().count().saturating_sub(1).min(SYSTEM_DEPTH))
}

/// A process reads of itself under its own number; of another one under a hole. Any other part
/// goes the `other` way.
fn own_or(view: &View<'_>, key: &mut KeyBuilder, part: &[u8], other: fn(&mut KeyBuilder, &[u8])) {
    let is_own = || {
        let number = std::str::from_utf8(part).ok().and_then(|text| text.parse::<u32>().ok());
        let pid = view.key().map(|key| key.pid);
        let vpid = view.process().map(|process| process.session.vpid);
        number.is_some() && (number == pid || number == vpid)
    };
    if is_own() {
        key.word("{self}");
    } else {
        other(key, part);
    }
}

/// Where no name ever becomes a hole, whatever is seen there.
#[must_use]
pub fn is_sensitive(path: &[u8]) -> bool {
    const PREFIXES: [&str; 8] = [
        "/etc/",
        "/root/",
        "/proc/",
        "/var/run/secrets/",
        "/run/secrets/",
        "/var/spool/cron/",
        "/lib/systemd/",
        "/usr/lib/systemd/",
    ];
    const PARTS: [&str; 6] = [".ssh", ".aws", ".kube", ".gnupg", ".docker", ".config"];
    const NAMES: [&str; 6] =
        [".bashrc", ".profile", ".bash_profile", ".zshrc", "sitecustomize.py", ".pth"];
    let parts = || path.split(|&byte| byte == b'/');
    PREFIXES.iter().any(|prefix| path.starts_with(prefix.as_bytes()))
        || parts().any(|part| PARTS.iter().any(|it| it.as_bytes() == part))
        || NAMES.iter().any(|name| path.ends_with(name.as_bytes()))
}

fn of_privilege(who: &Text, change: &PrivilegeEvent, key: &mut KeyBuilder) -> Class {
    let how = match change.operation {
        PrivilegeOperation::SetUser => "set user",
        PrivilegeOperation::SetGroup => "set group",
        PrivilegeOperation::SetCapabilities => "set capabilities",
        PrivilegeOperation::EnterNamespace => "enter namespace",
        PrivilegeOperation::LeaveNamespaces => "leave namespaces",
    };
    key.begin(Class::Privilege, who.as_bytes(), how);
    match change.operation {
        PrivilegeOperation::SetUser => key.word(&change.uid_after.to_string()),
        PrivilegeOperation::SetGroup => {
            key.word(&change.gid_after.map_or_else(|| "{number}".to_owned(), |gid| gid.to_string()))
        }
        PrivilegeOperation::SetCapabilities => {
            let effective = change.capabilities.map_or(0, |it| it.effective);
            key.word(&format!("{effective:#x}"))
        }
        PrivilegeOperation::EnterNamespace | PrivilegeOperation::LeaveNamespaces => {
            key.word(&format!("{:#x}", change.argument))
        }
    };
    key.fix();
    Class::Privilege
}

fn of_kernel(who: &Text, call: &KernelEvent, key: &mut KeyBuilder) -> Class {
    let how = match call.operation {
        KernelOperation::Mount => "mount",
        KernelOperation::Unmount => "umount2",
        KernelOperation::PivotRoot => "pivot_root",
        KernelOperation::Trace => "ptrace",
        KernelOperation::MemoryFile => "memfd_create",
        KernelOperation::Bpf => "bpf",
        KernelOperation::LoadModule => "init_module",
        KernelOperation::LoadKernel => "kexec_load",
        KernelOperation::UserFaults => "userfaultfd",
    };
    key.begin(Class::Kernel, who.as_bytes(), how);
    // A runtime mounts each container below a name of its own.
    let parts = call.path.as_bytes().split(|&byte| byte == b'/');
    let shaped = parts.map(|part| match drawn(part) {
        Some(shaped) => Cow::Owned(shaped.into_owned().into_bytes()),
        None => Cow::Borrowed(part),
    });
    key.part(&shaped.collect::<Vec<Cow<'_, [u8]>>>().join(&b'/')).fix();
    Class::Kernel
}

fn of_http(who: Option<&Text>, http: &HttpEvent, key: &mut KeyBuilder) -> Option<Class> {
    let response = http.response.as_deref()?;
    let class = if http.is_inbound { Class::HttpIn } else { Class::HttpOut };
    let how = format!("{}xx", response.status / 100);
    key.begin(class, who.map_or(&b""[..], Text::as_bytes), &how);
    key.part(http.request.method.as_bytes());
    if !http.is_inbound {
        key.part(http.request.host.as_bytes());
    }
    key.fix();
    let path = http.request.path.as_bytes();
    for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
        typed(key, part);
    }
    Some(class)
}

fn of_call(class: Class, call: &ApiCall, key: &mut KeyBuilder) -> Class {
    let how = if call.error.is_empty() { "" } else { "refused" };
    key.begin(class, caller(call).as_bytes(), how);
    if class == Class::CloudApi {
        key.part(call.service.as_bytes());
    }
    key.part(call.action.as_bytes());
    if class == Class::KubernetesApi {
        // Namespace, the first part of `namespace/name`.
        let resource = call.resource.as_bytes();
        key.part(resource.split(|&byte| byte == b'/').next().unwrap_or_default());
    }
    key.fix();
    class
}

/// Whose behavior a call is: the role, not its session.
pub(crate) fn caller(call: &ApiCall) -> &Text {
    if call.issuer.is_empty() { &call.principal } else { &call.issuer }
}

/// Begins `key` as the item of where a call to an API came from.
pub fn read_origin(call: &ApiCall, key: &mut KeyBuilder) -> Option<Class> {
    let address = call.source_address?;
    key.begin(Class::Network, caller(call).as_bytes(), "from");
    key.word(&peer::network(address)).fix();
    Some(Class::Network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_give_power_are_sensitive_wherever_they_stand() {
        for path in [
            "/etc/cron.d/x",
            "/root/.bashrc",
            "/proc/7/environ",
            "/home/a/.ssh/authorized_keys",
            "/srv/app/.aws/credentials",
            "/usr/lib/python3/sitecustomize.py",
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
        ] {
            assert!(is_sensitive(path.as_bytes()), "{path}");
        }
        assert!(!is_sensitive(b"/var/lib/postgresql/16/base/1"));
    }
}
