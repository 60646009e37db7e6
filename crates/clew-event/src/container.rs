//! Containers, the cgroups that hold them, and the names of users inside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{CgroupId, ContainerId};
use crate::text::Text;
use crate::time::TimestampNs;

/// What became of a cgroup or container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lifecycle {
    /// It was there when the sensor began, or became known later.
    #[default]
    Known,
    /// It was made.
    Started,
    /// It is gone.
    Stopped,
}

/// A cgroup came, went, or was there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupEvent {
    /// What became of it.
    pub lifecycle: Lifecycle,
    /// The cgroup.
    pub cgroup: CgroupId,
    /// Its path below the root of its hierarchy; tells the container
    /// (`/docker/<64 hexadecimal digits>`).
    pub path: Text,
}

/// One file system of the host that a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerMount {
    /// Path on the host, or the volume's name.
    pub source: Text,
    /// Path in the container.
    pub destination: Text,
    /// True where the container may write to it.
    pub is_writable: bool,
}

/// What the runtime tells about a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerEvent {
    /// What became of it.
    pub lifecycle: Lifecycle,
    /// Full id.
    pub id: Option<ContainerId>,
    /// `docker`, `podman`, `containerd`, `cri-o`.
    pub runtime: Text,
    /// Name, without Docker's leading slash.
    pub name: Text,
    /// Image as it was asked for: `registry/name:tag`.
    pub image: Text,
    /// Image id, `sha256:…`.
    pub image_id: Text,
    /// Repository digest, `sha256:…`; empty for an image built here.
    pub image_digest: Text,
    /// Labels, those of Kubernetes among them.
    pub labels: BTreeMap<String, Text>,
    /// Mounts.
    pub mounts: Vec<ContainerMount>,
    /// True where it was started with all privileges.
    pub is_privileged: bool,
    /// Capabilities added, such as `SYS_ADMIN`.
    pub capabilities_added: Vec<String>,
    /// Addresses on the runtime's networks.
    pub addresses: Vec<std::net::IpAddr>,
    /// First process, in the initial pid namespace; 0 where it does not run.
    pub pid: u32,
    /// When it was started.
    pub started: TimestampNs,
}

/// A user or group got a name, on the host or in a container (`/etc/passwd`, `/etc/group`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEvent {
    /// The container whose file it is; `None` for the host.
    pub container: Option<ContainerId>,
    /// True for a group.
    pub is_group: bool,
    /// User or group number.
    pub id: u32,
    /// Its name.
    pub name: Text,
}
