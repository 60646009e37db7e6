//! Names by which rules know the kind of an event.
//!
//! They are Falco's (`evt.type`), because rules are written in them: the system call's name where
//! there is one. `dns`, `http_request`, `http_response` and `db_query` are
//! Clew's own: Falco has no such events.
//! Events that rules never name (losses, cgroups) have [`EventType::Other`].

use serde::{Deserialize, Serialize};

macro_rules! event_types {
    ($($variant:ident $name:literal,)*) => {
        /// The kind of an event by its name in rules; also the key by which rules are dispatched.
        #[allow(missing_docs, reason = "each variant is the system call of that name")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(Serialize, Deserialize)]
        #[repr(u16)]
        pub enum EventType {
            /// No rule names it.
            #[default]
            Other,
            $($variant,)*
        }

        impl EventType {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Self] = &[Self::Other, $(Self::$variant,)*];

            /// The name in rules; empty for [`EventType::Other`].
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Other => "",
                    $(Self::$variant => $name,)*
                }
            }

            /// The kind of that name, where Clew has events of it.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

// New kinds are added at the end: the number is part of a tape.
event_types! {
    Execve "execve",
    Execveat "execveat",
    Clone "clone",
    Clone3 "clone3",
    Fork "fork",
    Vfork "vfork",
    ProcessExit "procexit",
    Open "open",
    Openat "openat",
    Openat2 "openat2",
    Creat "creat",
    OpenByHandleAt "open_by_handle_at",
    Rename "rename",
    Renameat "renameat",
    Renameat2 "renameat2",
    Link "link",
    Linkat "linkat",
    Symlink "symlink",
    Symlinkat "symlinkat",
    Unlink "unlink",
    Unlinkat "unlinkat",
    Mkdir "mkdir",
    Mkdirat "mkdirat",
    Rmdir "rmdir",
    Chmod "chmod",
    Fchmod "fchmod",
    Fchmodat "fchmodat",
    Chown "chown",
    Fchown "fchown",
    Lchown "lchown",
    Fchownat "fchownat",
    Truncate "truncate",
    Ftruncate "ftruncate",
    Socket "socket",
    Socketpair "socketpair",
    Connect "connect",
    Accept "accept",
    Accept4 "accept4",
    Bind "bind",
    Listen "listen",
    Sendto "sendto",
    Sendmsg "sendmsg",
    Sendmmsg "sendmmsg",
    Recvfrom "recvfrom",
    Recvmsg "recvmsg",
    Recvmmsg "recvmmsg",
    Dup "dup",
    Dup2 "dup2",
    Dup3 "dup3",
    Fcntl "fcntl",
    Setuid "setuid",
    Setgid "setgid",
    Setreuid "setreuid",
    Setregid "setregid",
    Setresuid "setresuid",
    Setresgid "setresgid",
    Setfsuid "setfsuid",
    Setfsgid "setfsgid",
    Capset "capset",
    Setns "setns",
    Unshare "unshare",
    Mount "mount",
    Umount "umount",
    Umount2 "umount2",
    PivotRoot "pivot_root",
    Chroot "chroot",
    Ptrace "ptrace",
    ProcessVmReadv "process_vm_readv",
    ProcessVmWritev "process_vm_writev",
    MemfdCreate "memfd_create",
    Bpf "bpf",
    InitModule "init_module",
    FinitModule "finit_module",
    KexecLoad "kexec_load",
    KexecFileLoad "kexec_file_load",
    Userfaultfd "userfaultfd",
    PerfEventOpen "perf_event_open",
    IoUringSetup "io_uring_setup",
    IoUringEnter "io_uring_enter",
    Mprotect "mprotect",
    Kill "kill",
    Tkill "tkill",
    Tgkill "tgkill",
    Prctl "prctl",
    Keyctl "keyctl",
    Read "read",
    Write "write",
    Close "close",
    Chdir "chdir",
    Fchdir "fchdir",
    Container "container",
    AsyncEvent "asyncevent",
    PluginEvent "pluginevent",
    Dns "dns",
    HttpRequest "http_request",
    HttpResponse "http_response",
    DbQuery "db_query",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for &kind in EventType::ALL.iter().filter(|&&kind| kind != EventType::Other) {
            assert_eq!(EventType::from_name(kind.name()), Some(kind));
        }
        assert_eq!(EventType::from_name("no_such_call"), None);
        assert_eq!(EventType::from_name(""), None);
    }
}
