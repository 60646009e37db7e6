//! Calls that change who a process is or what it sees.

use serde::{Deserialize, Serialize};

/// What was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PrivilegeOperation {
    /// User ids (`setuid`, `setreuid`, `setresuid`, `setfsuid`).
    #[default]
    SetUser,
    /// Group ids.
    SetGroup,
    /// Capabilities (`capset`).
    SetCapabilities,
    /// A namespace was entered (`setns`).
    EnterNamespace,
    /// Namespaces were left for new ones (`unshare`).
    LeaveNamespaces,
}

/// Capabilities of a thread, bit n = capability n of `linux/capability.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// What it may do now.
    pub effective: u64,
    /// What it may make effective.
    pub permitted: u64,
    /// What it may hand on.
    pub inheritable: u64,
}

/// One such call, seen when it returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivilegeEvent {
    /// What was changed.
    pub operation: PrivilegeOperation,
    /// 0, or a negative error number.
    pub result: i64,
    /// First argument: the user or group id asked for, `CLONE_NEW*` flags of `setns`/`unshare`.
    pub argument: u64,
    /// The descriptor given to `setns`; -1 elsewhere.
    pub descriptor: i32,
    /// Effective user before the call.
    pub uid_before: u32,
    /// Effective user after it.
    pub uid_after: u32,
    /// Effective group after it, where the kernel told.
    pub gid_after: Option<u32>,
    /// Capabilities after it, where the kernel told; a change of user changes them too.
    pub capabilities: Option<Capabilities>,
}
