//! One observation, of whatever source.

use serde::{Deserialize, Serialize};

use crate::container::{AccountEvent, CgroupEvent, ContainerEvent};
use crate::control_plane::ApiCall;
use crate::event_type::EventType;
use crate::file::FileEvent;
use crate::http::HttpEvent;
use crate::id::{CgroupId, EventId, ProcessKey};
use crate::kernel::{KernelEvent, Lost, NodeStarted};
use crate::privilege::PrivilegeEvent;
use crate::process::{ExecFailed, Executed, Exited, Forked};
use crate::query::QueryEvent;
use crate::socket::{DescriptorEvent, DnsEvent, SocketEvent};
use crate::stack::StackEvent;
use crate::time::TimestampNs;

/// One observation with its times and whoever acted.
///
/// At most 256 bytes in memory, plus its strings (held by a test), so that a burst of a million
/// waits in a quarter of a gigabyte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unique over all machines, and the same on every replay.
    pub id: EventId,
    /// When it happened, by the clock of the machine or provider that saw it.
    pub time: TimestampNs,
    /// When it reached Clew. Late by the ring buffer for kernel events, by minutes for clouds.
    pub arrived: TimestampNs,
    /// The name by which rules know it; what rules are dispatched by.
    pub event_type: EventType,
    /// The thread that acted; absent for what no thread did (a loss, a cloud record).
    pub actor: Option<Actor>,
    /// What happened.
    pub kind: EventKind,
}

/// The thread that acted, as the kernel knew it at that moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its process.
    pub process: ProcessKey,
    /// Its cgroup, which tells the container.
    pub cgroup: CgroupId,
    /// Thread id in the machine's initial pid namespace.
    pub tid: u32,
}

/// What happened. A new source adds a variant at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EventKind {
    /// The sensor of a machine began, or a tape begins.
    NodeStarted(Box<NodeStarted>),
    /// A process or thread was made.
    Forked(Forked),
    /// A process took a new program.
    Executed(Executed),
    /// A process was there when the sensor began; the same facts as of an exec.
    Running(Executed),
    /// A process ended.
    Exited(Exited),
    /// A file system call.
    File(FileEvent),
    /// A socket call.
    Socket(SocketEvent),
    /// A descriptor was put on another number.
    Descriptor(DescriptorEvent),
    /// A name was asked or answered.
    Dns(Box<DnsEvent>),
    /// Credentials or namespaces changed.
    Privilege(PrivilegeEvent),
    /// Something was done to the kernel or to another process.
    Kernel(KernelEvent),
    /// A cgroup came, went, or was there.
    Cgroup(CgroupEvent),
    /// A container came, went, or became known.
    Container(Box<ContainerEvent>),
    /// A user or group got a name.
    Account(AccountEvent),
    /// A request or response of an application.
    Http(Box<HttpEvent>),
    /// A call to the Kubernetes API.
    KubernetesApi(Box<ApiCall>),
    /// A call to the API of a cloud or of a service.
    CloudApi(Box<ApiCall>),
    /// Events that were lost before Clew could read them.
    Lost(Lost),
    /// A process tried to take a new program and failed.
    ExecFailed(Box<ExecFailed>),
    /// A statement was sent to a database.
    Query(Box<QueryEvent>),
    /// The files that a call came through, told before the event of that call.
    Stack(Box<StackEvent>),
}

/// Name that rules for kernel events give after `source:`.
pub const KERNEL_SOURCE: &str = "syscall";

impl EventKind {
    /// The same without what must not be stored, where it may hold such: secrets in requests,
    /// values within statements.
    #[must_use]
    pub fn redacted(&self) -> Option<Self> {
        match self {
            Self::Http(http) => Some(Self::Http(Box::new(http.redacted()))),
            Self::Query(query) => Some(Self::Query(Box::new(query.redacted()))),
            _ => None,
        }
    }
}

impl Event {
    /// Name of its source, as rules give it after `source:`.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.api_call().map_or(KERNEL_SOURCE, |call| call.source.name())
    }

    /// The call to an API that this event tells of.
    #[must_use]
    pub fn api_call(&self) -> Option<&ApiCall> {
        match &self.kind {
            EventKind::KubernetesApi(call) | EventKind::CloudApi(call) => Some(call),
            EventKind::NodeStarted(_)
            | EventKind::Forked(_)
            | EventKind::Executed(_)
            | EventKind::Running(_)
            | EventKind::Exited(_)
            | EventKind::File(_)
            | EventKind::Socket(_)
            | EventKind::Descriptor(_)
            | EventKind::Dns(_)
            | EventKind::Privilege(_)
            | EventKind::Kernel(_)
            | EventKind::Cgroup(_)
            | EventKind::Container(_)
            | EventKind::Account(_)
            | EventKind::Http(_)
            | EventKind::Lost(_)
            | EventKind::ExecFailed(_)
            | EventKind::Query(_)
            | EventKind::Stack(_) => None,
        }
    }

    /// What the system call returned; `None` where there was no call, or none with a result.
    #[must_use]
    pub fn result(&self) -> Option<i64> {
        match &self.kind {
            EventKind::Executed(_) => Some(0),
            EventKind::ExecFailed(failed) => Some(failed.result),
            EventKind::File(file) => Some(file.result),
            EventKind::Socket(socket) => Some(socket.result),
            EventKind::Descriptor(descriptor) => Some(descriptor.result),
            EventKind::Privilege(privilege) => Some(privilege.result),
            EventKind::Kernel(kernel) => Some(kernel.result),
            EventKind::Forked(fork) => Some(i64::from(fork.child.pid)),
            EventKind::NodeStarted(_)
            | EventKind::Running(_)
            | EventKind::Exited(_)
            | EventKind::Dns(_)
            | EventKind::Cgroup(_)
            | EventKind::Container(_)
            | EventKind::Account(_)
            | EventKind::Http(_)
            | EventKind::Query(_)
            | EventKind::Stack(_)
            | EventKind::KubernetesApi(_)
            | EventKind::CloudApi(_)
            | EventKind::Lost(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_takes_at_most_256_bytes_plus_its_strings() {
        assert!(size_of::<Event>() <= 256, "{} bytes", size_of::<Event>());
    }

    #[test]
    fn an_event_survives_tape_and_json() -> Result<(), Box<dyn std::error::Error>> {
        let event = Event {
            id: EventId(1),
            time: TimestampNs::from_unix_ns(2),
            arrived: TimestampNs::from_unix_ns(3),
            event_type: EventType::Openat,
            actor: Some(Actor::default()),
            kind: EventKind::File(FileEvent { path: "/etc/shadow".into(), ..Default::default() }),
        };
        let taped = postcard::to_stdvec(&event)?;
        assert_eq!(postcard::from_bytes::<Event>(&taped)?, event);
        let json = serde_json::to_string(&event)?;
        assert_eq!(serde_json::from_str::<Event>(&json)?, event);
        Ok(())
    }
}
