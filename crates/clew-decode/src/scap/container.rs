//! Containers: which one a cgroup names, and what the container plugin told of it.

use std::collections::BTreeMap;

use clew_event::container::{ContainerEvent, ContainerMount, Lifecycle};
use clew_event::{ContainerId, Text, TimestampNs};
use serde::Deserialize;

use super::bytes::until_nul;

const ID_DIGITS: usize = 64;

/// Of a list of `subsystem=path`, each ended by a NUL byte, the first path that names a container;
/// else the first of all.
pub(super) fn cgroup_path(list: &[u8]) -> &[u8] {
    let paths = || {
        list.split(|&byte| byte == 0).filter_map(|entry| {
            let equals = entry.iter().position(|&byte| byte == b'=')?;
            entry.get(equals + 1..)
        })
    };
    paths().find(|path| id_in(path).is_some()).or_else(|| paths().next()).unwrap_or_default()
}

/// The container that a cgroup path names.
pub(super) fn container_of(path: &[u8]) -> Option<ContainerId> {
    let id = std::str::from_utf8(id_in(path)?).ok()?;
    Some(ContainerId(id.into()))
}

fn id_in(path: &[u8]) -> Option<&[u8]> {
    path.rsplit(|&byte| matches!(byte, b'/' | b'-' | b'.'))
        .find(|part| part.len() == ID_DIGITS && part.iter().all(u8::is_ascii_hexdigit))
}

/// What the container plugin tells of a container, in its own names.
#[derive(Deserialize)]
struct Told {
    container: Facts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Facts {
    id: String,
    full_id: String,
    #[serde(rename = "type")]
    kind: u32,
    name: String,
    image: String,
    imageid: String,
    imagedigest: String,
    created_time: u64,
    ip: String,
    privileged: bool,
    labels: Option<BTreeMap<String, String>>,
    #[serde(rename = "Mounts")]
    mounts: Option<Vec<Mount>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Mount {
    source: String,
    destination: String,
    #[serde(rename = "RW")]
    is_writable: bool,
}

/// A container from the event `name` with its JSON; `None` where it is another event or no JSON.
pub(super) fn told(name: &[u8], json: &[u8]) -> Option<ContainerEvent> {
    let lifecycle = match name {
        b"container" => Lifecycle::Started,
        b"container_removed" => Lifecycle::Stopped,
        _ => return None,
    };
    let facts = serde_json::from_slice::<Told>(until_nul(json)).ok()?.container;
    let id = if facts.full_id.is_empty() { facts.id } else { facts.full_id };
    let mount = |mount: Mount| ContainerMount {
        source: Text::from(mount.source),
        destination: Text::from(mount.destination),
        is_writable: mount.is_writable,
    };
    Some(ContainerEvent {
        lifecycle,
        id: Some(ContainerId(id.into())),
        runtime: Text::from(runtime(facts.kind)),
        name: Text::from(facts.name),
        image: Text::from(facts.image),
        image_id: Text::from(facts.imageid),
        image_digest: Text::from(facts.imagedigest),
        labels: facts
            .labels
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| (name, Text::from(value)))
            .collect(),
        mounts: facts.mounts.unwrap_or_default().into_iter().map(mount).collect(),
        is_privileged: facts.privileged,
        addresses: facts.ip.parse().into_iter().collect(),
        started: TimestampNs::from_unix_ns(facts.created_time.saturating_mul(1_000_000_000)),
        ..ContainerEvent::default()
    })
}

/// Runtimes by their number (`sinsp_container_type` of falcosecurity/libs).
fn runtime(kind: u32) -> &'static str {
    match kind {
        0 => "docker",
        1 => "lxc",
        2 => "libvirt-lxc",
        3 => "mesos",
        4 => "rkt",
        6 => "cri",
        7 => "containerd",
        8 => "cri-o",
        9 => "bpm",
        11 => "podman",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_cgroups_the_one_that_names_a_container_counts() {
        let id = "0123456789abcdef".repeat(4);
        let list = format!("cpuset=/\0cpu=/docker/{id}\0memory=/\0");
        let path = cgroup_path(list.as_bytes());
        assert_eq!(path, format!("/docker/{id}").as_bytes());
        assert_eq!(container_of(path), Some(ContainerId(id.as_str().into())));
        assert_eq!(cgroup_path(b"cpuset=/user\0cpu=/\0"), b"/user");
        assert_eq!(cgroup_path(b""), b"");
    }

    #[test]
    fn a_container_is_told_with_its_facts() {
        let json = br#"{"container":{"type":0,"id":"ab","full_id":"abcd","name":"web","image":"bb",
            "labels":{"a":"b"},"Mounts":[{"Source":"/proc","Destination":"/host","RW":true}],
            "privileged":true,"ip":"172.17.0.2","created_time":7}}"#;
        let told = told(b"container", json).expect("known");
        assert_eq!(told.id, Some(ContainerId("abcd".into())));
        assert_eq!(told.mounts.len(), 1);
        assert!(told.is_privileged);
        assert_eq!(told.started.unix_ns(), 7_000_000_000);
        assert!(super::told(b"other", json).is_none());
        assert!(super::told(b"container", b"{").is_none());
    }
}
