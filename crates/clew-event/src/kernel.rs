//! Calls on the kernel itself or on another process, the sensor's own start, and losses.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::BootId;
use crate::text::Text;

/// What was done to the kernel or to another process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KernelOperation {
    /// `path` was mounted from `other`.
    #[default]
    Mount,
    /// `path` was unmounted.
    Unmount,
    /// The root was changed to `path`.
    PivotRoot,
    /// `argument` is the `ptrace` request, `target_pid` the traced process.
    Trace,
    /// A file without a name was made; `path` is the label it was given.
    MemoryFile,
    /// `argument` is the `bpf` command.
    Bpf,
    /// A module was loaded; `path` is its name or file.
    LoadModule,
    /// Another kernel was loaded.
    LoadKernel,
    /// `userfaultfd`, which exploits use to win races.
    UserFaults,
}

/// One such call, seen when it returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelEvent {
    /// What was done.
    pub operation: KernelOperation,
    /// What the call returned.
    pub result: i64,
    /// Request, command or flags, by the operation.
    pub argument: u64,
    /// Process it was done to, in the caller's pid namespace; 0 where there is none.
    pub target_pid: u32,
    /// Path or name, by the operation.
    pub path: Text,
    /// Second path (the mounted device) or file system type.
    pub other: Text,
}

/// The sensor of a machine began. The first event of every stream and tape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStarted {
    /// The boot that all kernel events after it belong to.
    pub boot: BootId,
    /// Host name.
    pub hostname: Text,
    /// `uname -r`.
    pub kernel: Text,
    /// Moment of boot, nanoseconds since the epoch: kernel times are since boot. Or
    /// [`NodeStarted::GOES_ON`].
    pub boot_unix_ns: u64,
    /// What loaded, such as `T0` and `T0s`.
    pub tiers: Vec<String>,
    /// Addresses of its network interfaces; empty where they were not told.
    pub addresses: Vec<IpAddr>,
    /// What this machine's sensor cannot see, in whole sentences; told in every story.
    pub blind_spots: Vec<String>,
}

impl NodeStarted {
    /// Instead of the moment of boot, where the sensor goes on and only tells anew what it cannot
    /// see: tapes have the same form as before.
    pub const GOES_ON: u64 = u64::MAX;

    /// True where nothing began: the sensor goes on, and tells anew what it cannot see.
    #[must_use]
    pub const fn goes_on(&self) -> bool {
        self.boot_unix_ns == Self::GOES_ON
    }
}

/// Where events were lost.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum LossReason {
    /// The ring of high priority (exec, credentials) was full.
    #[default]
    PriorityRingFull,
    /// The ring of bulk events (files, sockets) was full.
    BulkRingFull,
    /// The record could not be read or decoded.
    Malformed,
    /// A queue in user space was full.
    QueueFull,
    /// A table in the kernel was full.
    MapFull,
    /// More of one kind than is told in a second, or its ring was full.
    RateBound,
    /// A file of an audit log was changed or removed after it was written.
    AuditFile,
}

/// Events that were lost before Clew could read them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// CPU on which they were lost; `u16::MAX` where none is to blame.
    pub cpu: u16,
    /// Where.
    pub reason: LossReason,
    /// What kind of record, by its wire name (`file`, `exec`); empty where not known.
    pub record: Text,
    /// How many since the last such event.
    pub count: u64,
}
