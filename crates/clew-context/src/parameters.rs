//! Names of the arguments of each kind of event, in Falco's order (`driver/event_table.c`).
//!
//! `evt.arg[1]` counts in this order and `evt.args` lists in it, also where Clew does not see an
//! argument: then it has no value, but the ones after it keep their numbers.

use clew_event::EventType;

const RESULT: &[&str] = &["res"];
#[rustfmt::skip]
const EXEC: &[&str] = &[
    "res", "exe", "args", "tid", "pid", "ptid", "cwd", "fdlimit", "pgft_maj", "pgft_min",
    "vm_size", "vm_rss", "vm_swap", "comm", "cgroups", "env", "tty", "vpgid", "loginuid", "flags",
    "cap_inheritable", "cap_permitted", "cap_effective", "exe_ino", "exe_ino_ctime",
    "exe_ino_mtime", "uid", "trusted_exepath", "pgid", "gid", "filename",
];
#[rustfmt::skip]
const FORK: &[&str] = &[
    "res", "exe", "args", "tid", "pid", "ptid", "cwd", "fdlimit", "pgft_maj", "pgft_min",
    "vm_size", "vm_rss", "vm_swap", "comm", "cgroups", "flags", "uid", "gid", "vtid", "vpid",
    "pidns_init_start_ts",
];

/// The arguments of this kind of event.
#[rustfmt::skip]
pub(crate) fn parameters(event_type: EventType) -> &'static [&'static str] {
    use EventType as E;
    match event_type {
        E::Execve | E::Execveat => EXEC,
        E::Clone | E::Clone3 | E::Fork | E::Vfork => FORK,
        E::ProcessExit => &["status", "ret", "sig", "core", "reaper_tid"],
        E::Open => &["fd", "name", "flags", "mode", "dev", "ino"],
        E::Openat => &["fd", "dirfd", "name", "flags", "mode", "dev", "ino"],
        E::Openat2 => &["fd", "dirfd", "name", "flags", "mode", "resolve", "dev", "ino"],
        E::Creat => &["fd", "name", "mode", "dev", "ino", "creat_flags"],
        E::OpenByHandleAt => &["fd", "mountfd", "flags", "path", "dev", "ino"],
        E::Rename | E::Link => &["res", "oldpath", "newpath"],
        E::Renameat => &["res", "olddirfd", "oldpath", "newdirfd", "newpath"],
        E::Renameat2 => &["res", "olddirfd", "oldpath", "newdirfd", "newpath", "flags"],
        E::Linkat => &["res", "olddir", "oldpath", "newdir", "newpath", "flags"],
        E::Symlink => &["res", "target", "linkpath"],
        E::Symlinkat => &["res", "target", "linkdirfd", "linkpath"],
        E::Unlink | E::Rmdir | E::Chroot | E::Chdir => &["res", "path"],
        E::Unlinkat => &["res", "dirfd", "name", "flags"],
        E::Mkdir => &["res", "path", "mode"],
        E::Mkdirat => &["res", "dirfd", "path", "mode"],
        E::Chmod => &["res", "filename", "mode"],
        E::Fchmod => &["res", "fd", "mode"],
        E::Fchmodat => &["res", "dirfd", "filename", "mode"],
        E::Chown | E::Lchown => &["res", "path", "uid", "gid"],
        E::Fchown => &["res", "fd", "uid", "gid"],
        E::Fchownat => &["res", "dirfd", "pathname", "uid", "gid", "flags"],
        E::Truncate => &["res", "path"],
        E::Ftruncate | E::Fchdir => &["res", "fd"],
        E::Socket => &["fd", "domain", "type", "proto", "flags"],
        E::Socketpair => &["res", "fd1", "fd2", "source", "peer", "domain", "type", "proto"],
        E::Connect => &["res", "tuple", "fd", "addr"],
        E::Accept => &["fd", "tuple", "queuepct", "queuelen", "queuemax"],
        E::Accept4 => &["fd", "tuple", "queuepct", "queuelen", "queuemax", "flags"],
        E::Bind => &["res", "addr", "fd"],
        E::Listen => &["res", "fd", "backlog"],
        E::Sendto | E::Sendmsg | E::Sendmmsg => &["res", "data", "fd", "size", "tuple"],
        E::Recvfrom => &["res", "data", "tuple", "fd", "size"],
        E::Recvmsg | E::Recvmmsg => &["res", "size", "data", "tuple", "msgcontrol", "fd"],
        E::Dup => &["res", "oldfd"],
        E::Dup2 => &["res", "oldfd", "newfd"],
        E::Dup3 => &["res", "oldfd", "newfd", "flags"],
        E::Setuid | E::Setfsuid => &["res", "uid"],
        E::Setgid | E::Setfsgid => &["res", "gid"],
        E::Setreuid => &["res", "ruid", "euid"],
        E::Setregid => &["res", "rgid", "egid"],
        E::Setresuid => &["res", "ruid", "euid", "suid"],
        E::Setresgid => &["res", "rgid", "egid", "sgid"],
        E::Capset => &["res", "cap_inheritable", "cap_permitted", "cap_effective"],
        E::Setns => &["res", "fd", "nstype"],
        E::Unshare | E::Userfaultfd => &["res", "flags"],
        E::Mount => &["res", "dev", "dir", "type", "flags"],
        E::Umount => &["res", "name"],
        E::Umount2 => &["res", "name", "flags"],
        E::PivotRoot => &["res", "new_root", "put_old"],
        E::Ptrace => &["res", "addr", "data", "request", "pid"],
        E::MemfdCreate => &["fd", "name", "flags"],
        E::Bpf => &["fd", "cmd"],
        E::InitModule => &["res", "img", "length", "uargs"],
        E::FinitModule => &["res", "fd", "uargs", "flags"],
        E::Read | E::Write | E::Close | E::Fcntl | E::ProcessVmReadv
        | E::ProcessVmWritev | E::KexecLoad | E::KexecFileLoad | E::PerfEventOpen
        | E::IoUringSetup | E::IoUringEnter | E::Mprotect | E::Kill | E::Tkill | E::Tgkill
        | E::Prctl | E::Keyctl => RESULT,
        E::Other | E::Container | E::AsyncEvent | E::PluginEvent | E::Dns | E::HttpRequest | E::HttpResponse | E::DbQuery => &[],
    }
}
