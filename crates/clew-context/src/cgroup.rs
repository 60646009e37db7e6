//! From a cgroup to the container that it holds.
//!
//! Every runtime names a container's cgroup by the container's id: `/docker/<id>`,
//! `/system.slice/docker-<id>.scope`, `/kubepods/…/<id>`, `cri-containerd-<id>.scope`,
//! `crio-<id>.scope`, `libpod-<id>.scope`. Only 64 hexadecimal digits are taken for an id; of
//! several, the innermost, which is the container a process really is in.

use clew_event::container::{CgroupEvent, Lifecycle};
use clew_event::{CgroupId, ContainerId, Text};
use serde::{Deserialize, Serialize};

use crate::bounded::{Bounded, Standing};

const ID_DIGITS: usize = 64;

/// One cgroup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cgroup {
    pub(crate) path: Text,
    pub(crate) container: Option<ContainerId>,
}

/// Every cgroup that is known; one that is gone stays until its room is needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cgroups {
    table: Bounded<CgroupId, Cgroup>,
}

impl Cgroups {
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Bounded::new(max) }
    }

    pub(crate) fn get(&self, id: CgroupId) -> Option<&Cgroup> {
        self.table.get(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    /// The sensor began anew: what it does not list is gone.
    pub(crate) fn restart(&mut self) {
        self.table.end_all();
    }

    pub(crate) fn observe(&mut self, event: &CgroupEvent) {
        let standing = match event.lifecycle {
            Lifecycle::Stopped => Standing::Ended,
            Lifecycle::Known | Lifecycle::Started => Standing::Live,
        };
        if event.path.is_empty() || standing == Standing::Ended && self.get(event.cgroup).is_some()
        {
            self.table.set_standing(&event.cgroup, standing);
            return;
        }
        let container = container_of_path(event.path.as_bytes());
        let cgroup = Cgroup { path: event.path.clone(), container };
        self.table.insert(event.cgroup, cgroup, standing);
    }
}

/// The container that a cgroup path names.
pub(crate) fn container_of_path(path: &[u8]) -> Option<ContainerId> {
    path.rsplit(|&byte| byte == b'/').find_map(container_of_component)
}

fn container_of_component(component: &[u8]) -> Option<ContainerId> {
    let component = component.strip_suffix(b".scope").unwrap_or(component);
    let id = component.rsplit(|&byte| byte == b'-').next()?;
    let is_id = id.len() == ID_DIGITS && id.iter().all(u8::is_ascii_hexdigit);
    is_id.then(|| std::str::from_utf8(id).ok()).flatten().map(|id| ContainerId(id.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_named_by_64_hexadecimal_digits_in_its_cgroup() {
        let id = "0123456789abcdef".repeat(4);
        let check = |path: &str, expected: Option<&str>| {
            let path = path.replace("ID", &id);
            let found = container_of_path(path.as_bytes());
            assert_eq!(found.as_ref().map(|id| &*id.0), expected, "{path}");
        };
        check("/docker/ID", Some(&id));
        check("/system.slice/docker-ID.scope", Some(&id));
        check("/kubepods/burstable/pod3f1c/ID", Some(&id));
        check("/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope", Some(&id));
        check("/machine.slice/libpod-ID.scope/container", Some(&id));
        check("/crio-ID.scope", Some(&id));
        check("/docker/ID/init.scope", Some(&id));
        check("/user.slice/user-0.slice", None);
        check("/docker/IDa", None);
        check("/docker/0123", None);
        check("", None);
    }

    #[test]
    fn of_nested_containers_the_innermost_counts() {
        let (outer, inner) = ("a".repeat(64), "b".repeat(64));
        let path = format!("/docker/{outer}/docker/{inner}");
        assert_eq!(container_of_path(path.as_bytes()), Some(ContainerId(inner.into())));
    }
}
