//! What a runtime answers about a container, as an event.

use std::net::IpAddr;

use bollard::models::{ContainerInspectResponse, MountPoint, NetworkSettings};
use clew_event::container::{ContainerEvent, ContainerMount, Lifecycle};
use clew_event::{ContainerId, Text, TimestampNs};

/// The facts of a container. Text is passed on as it came; whoever shows it escapes it.
pub(crate) fn of_answer(
    runtime: &str,
    id: ContainerId,
    answer: ContainerInspectResponse,
) -> ContainerEvent {
    let config = answer.config.unwrap_or_default();
    let host = answer.host_config.unwrap_or_default();
    let state = answer.state.unwrap_or_default();
    let labels = config.labels.unwrap_or_default().into_iter();
    ContainerEvent {
        lifecycle: Lifecycle::Known,
        id: Some(id),
        runtime: runtime.into(),
        name: answer.name.as_deref().map(without_slash).unwrap_or_default().into(),
        image: config.image.unwrap_or_default().into(),
        image_id: answer.image.unwrap_or_default().into(),
        image_digest: Text::default(),
        labels: labels.map(|(name, value)| (name, value.into())).collect(),
        mounts: answer.mounts.unwrap_or_default().into_iter().map(mount).collect(),
        is_privileged: host.privileged.unwrap_or_default(),
        capabilities_added: host.cap_add.unwrap_or_default(),
        addresses: addresses(answer.network_settings.unwrap_or_default()),
        pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default(),
        started: state.started_at.as_deref().map(timestamp).unwrap_or_default(),
    }
}

/// The digest in `repository@sha256:…`, the first of a list.
pub(crate) fn digest(repository_digests: &[String]) -> Text {
    let first = repository_digests.iter().find_map(|digest| digest.split_once('@'));
    first.map_or_else(Text::default, |(_, digest)| digest.into())
}

fn without_slash(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

fn mount(mount: MountPoint) -> ContainerMount {
    let source = mount.source.filter(|source| !source.is_empty()).or(mount.name);
    ContainerMount {
        source: source.unwrap_or_default().into(),
        destination: mount.destination.unwrap_or_default().into(),
        is_writable: mount.rw.unwrap_or_default(),
    }
}

/// Addresses on all networks, in the order of the networks' names.
fn addresses(settings: NetworkSettings) -> Vec<IpAddr> {
    let mut networks: Vec<_> = settings.networks.unwrap_or_default().into_iter().collect();
    networks.sort_by(|(left, _), (right, _)| left.cmp(right));
    let ends = networks
        .into_iter()
        .flat_map(|(_, network)| [network.ip_address, network.global_ipv6_address]);
    ends.flatten().filter_map(|address| address.parse().ok()).collect()
}

/// RFC 3339 as runtimes write it; 0 where the container never started.
fn timestamp(text: &str) -> TimestampNs {
    let parsed: Option<jiff::Timestamp> = text.parse().ok();
    let unix_ns = parsed.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    TimestampNs::from_unix_ns(unix_ns.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_facts() -> Result<(), serde_json::Error> {
        let answer = serde_json::json!({
            "Name": "/we\u{1b}b",
            "Image": "sha256:00ff",
            "Config": { "Image": "registry:5000/web:1", "Labels": { "app": "shop" } },
            "HostConfig": { "Privileged": true, "CapAdd": ["SYS_ADMIN"] },
            "State": { "Pid": 42, "StartedAt": "1970-01-01T00:00:01.5Z" },
            "Mounts": [
                { "Source": "/srv", "Destination": "/data", "RW": true },
                { "Name": "volume", "Source": "", "Destination": "/v", "RW": false },
            ],
            "NetworkSettings": { "Networks": {
                "b": { "IPAddress": "10.0.0.3" },
                "a": { "IPAddress": "10.0.0.2", "GlobalIPv6Address": "fd00::2" },
                "none": { "IPAddress": "" },
            } },
        });
        let id = ContainerId("c1".into());
        let facts = of_answer("docker", id.clone(), serde_json::from_value(answer)?);
        let mount = |source: &str, destination: &str, is_writable| ContainerMount {
            source: source.into(),
            destination: destination.into(),
            is_writable,
        };
        let expected = ContainerEvent {
            lifecycle: Lifecycle::Known,
            id: Some(id),
            runtime: "docker".into(),
            name: "we\u{1b}b".into(),
            image: "registry:5000/web:1".into(),
            image_id: "sha256:00ff".into(),
            image_digest: Text::default(),
            labels: [("app".to_owned(), "shop".into())].into(),
            mounts: vec![mount("/srv", "/data", true), mount("volume", "/v", false)],
            is_privileged: true,
            capabilities_added: vec!["SYS_ADMIN".to_owned()],
            addresses: vec![
                [10, 0, 0, 2].into(),
                "fd00::2".parse().expect("an address"),
                [10, 0, 0, 3].into(),
            ],
            pid: 42,
            started: TimestampNs::from_unix_ns(1_500_000_000),
        };
        assert_eq!(facts, expected);
        Ok(())
    }

    #[test]
    fn an_empty_answer_is_no_error() {
        let id = ContainerId("c1".into());
        let facts = of_answer("docker", id.clone(), ContainerInspectResponse::default());
        let expected =
            ContainerEvent { id: Some(id), runtime: "docker".into(), ..ContainerEvent::default() };
        assert_eq!(facts, expected);
    }

    #[test]
    fn a_digest_is_what_follows_the_repository() {
        let check = |given: &[&str], expected: &str| {
            let given: Vec<_> = given.iter().map(|&digest| digest.to_owned()).collect();
            assert_eq!(digest(&given), expected.into());
        };
        check(&["registry:5000/web@sha256:00ff", "other@sha256:11"], "sha256:00ff");
        check(&[], "");
        check(&["<none>"], "");
    }
}
