//! Life of a process: forked, executed, exited.

use serde::{Deserialize, Serialize};

use crate::file::FileId;
use crate::id::ProcessKey;
use crate::socket::DescriptorTarget;
use crate::text::Text;

/// A process or thread was made by fork, vfork or clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forked {
    /// The new process; that of the parent where only a thread was made.
    pub child: ProcessKey,
    /// The new thread's id in the initial pid namespace.
    pub child_tid: u32,
    /// The new thread's id in its own pid namespace; 0 where not known.
    pub child_vpid: u32,
    /// Parent of the new process: not the actor where `CLONE_PARENT` was asked.
    pub parent: ProcessKey,
    /// True where only a thread was made, which is no process of its own.
    pub is_thread: bool,
}

/// Everything about a program at the moment it was put in place: decides a reverse shell or a
/// dropped binary from one event, without asking a table that may have lost something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Executed {
    /// Parent at that moment.
    pub parent: ProcessKey,
    /// `task->comm`, at most 15 bytes; what rules call `proc.name`.
    pub name: Text,
    /// Resolved path of the file that runs, in the process's own mount namespace.
    pub exe: Text,
    /// Path as the caller gave it: differs from `exe` for scripts, links and descriptors.
    pub filename: Text,
    /// Arguments, each ended by a NUL byte, bounded by the sensor.
    pub argv: Text,
    /// Working directory.
    pub cwd: Text,
    /// The file that runs.
    pub exe_file: FileId,
    /// What was seen of the file and of the arguments.
    pub flags: ExecutedFlags,
    /// Who runs it.
    pub credentials: Credentials,
    /// Ids in the pid namespace, the session and the terminal.
    pub session: Session,
    /// What is too bulky for every event.
    pub surroundings: Option<Box<Surroundings>>,
}

/// A program was asked for and not put in place: the process goes on with the one it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecFailed {
    /// The error, a number below 0.
    pub result: i64,
    /// Path as the caller gave it.
    pub filename: Text,
    /// Arguments for the program, each ended by a NUL byte, bounded by the sensor; text of the
    /// caller's memory, which no kernel structure confirms.
    pub argv: Text,
    /// Working directory; empty where not known.
    pub cwd: Text,
}

/// Facts about an executed file, and what the sensor had to leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutedFlags(pub u32);

impl ExecutedFlags {
    /// The file lies in the writable layer of a container, not in its image.
    pub const UPPER_LAYER: Self = Self(1);
    /// The file has no name on any disk: `memfd_create`.
    pub const MEMFD: Self = Self(1 << 1);
    /// The file had been unlinked when it was executed.
    pub const UNLINKED: Self = Self(1 << 2);
    /// The file has a setuid or setgid bit.
    pub const SETUID: Self = Self(1 << 3);
    /// The file is writable for whoever executed it.
    pub const WRITABLE: Self = Self(1 << 4);
    /// Arguments were longer than the sensor's bound.
    pub const ARGV_TRUNCATED: Self = Self(1 << 5);
    /// A path could not be resolved in full.
    pub const PATH_TRUNCATED: Self = Self(1 << 6);
    /// The file lies in the image of a container; told by captures only.
    pub const LOWER_LAYER: Self = Self(1 << 7);

    /// True where all bits of `flag` are set.
    #[must_use]
    pub const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 == flag.0
    }
}

impl std::ops::BitOr for ExecutedFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Numbers that say what a process may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Effective user, in the initial user namespace.
    pub uid: u32,
    /// Effective group, in the initial user namespace.
    pub gid: u32,
    /// User who logged in; `u32::MAX` where nobody did.
    pub login_uid: u32,
    /// Effective capabilities, bit n = capability n of `linux/capability.h`.
    pub effective: u64,
}

/// Where a process stands among the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Process id in its own pid namespace.
    pub vpid: u32,
    /// Session leader's pid in the initial pid namespace.
    pub sid: u32,
    /// Process group leader's pid in the initial pid namespace.
    pub pgid: u32,
    /// Device number of the controlling terminal; 0 where there is none.
    pub tty: u32,
}

/// What is read at exec but is too bulky for every event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Surroundings {
    /// Permitted capabilities, bit n = capability n of `linux/capability.h`.
    pub permitted: u64,
    /// Inheritable capabilities.
    pub inheritable: u64,
    /// Where standard input, output and error lead.
    pub stdio: [DescriptorTarget; 3],
    /// `NAME=value` of the allowed loader variables, and the bare names of `AWS_*` variables,
    /// each ended by a NUL byte. Never the value of a secret.
    pub environment: Text,
    /// Last change of the executed file's inode, nanoseconds since the epoch.
    pub exe_ctime_ns: u64,
    /// Last change of the executed file's content, nanoseconds since the epoch.
    pub exe_mtime_ns: u64,
    /// When the first process of its pid namespace started, nanoseconds since boot; 0 where not
    /// known.
    pub namespace_started_ns: u64,
}

/// A process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// Status given to `exit`; 0 where a signal ended it.
    pub status: i32,
    /// Signal that ended it; 0 where it exited.
    pub signal: i32,
    /// True where only a thread ended and the process goes on.
    pub is_thread: bool,
    /// Who takes its children; `None` where that was not told.
    pub reaper: Option<ProcessKey>,
}
