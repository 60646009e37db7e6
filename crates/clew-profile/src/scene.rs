//! Whose behavior an event shows: workload, image and replica.

use clew_context::View;
use clew_event::{Event, EventKind, Text, TimestampNs};

use crate::behavior;
use crate::profile::Moment;
use crate::unit::Replica;

/// The workload of programs that run from memory on a host, and how the kernel's names of them
/// begin.
const MEMORY: &str = "/memfd:";
/// How long the first phase of a container lasts.
const START_SECONDS: u64 = 60;

/// Workload, image and replica of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// What `clew_context` calls the workload; for calls to an API the identity that calls.
    pub workload: Text,
    /// Image as it was asked for; empty outside of containers.
    pub image: Text,
    /// What tells one build of the image from another; empty outside of containers.
    pub digest: Text,
    /// Replica and time.
    pub moment: Moment,
}

impl Scene {
    /// The scene of an event; `None` where nobody's behavior is known to be shown: in a container
    /// that the runtime has told nothing of, or by a process that was not seen to start.
    #[must_use]
    pub fn of(view: &View<'_>) -> Option<Self> {
        let event = view.event();
        if let Some(call) = event.api_call() {
            return Self::of_host(
                behavior::caller(call).clone(),
                call.credential.as_bytes(),
                event,
            );
        }
        let Some(id) = view.container_id() else {
            // A program that was just put in place is the behavior of what started it.
            let workload = match &event.kind {
                EventKind::Executed(_) => behavior::parent_exe(view)?,
                _ => view.workload(),
            };
            // Names of memory files are chosen anew each time, and so would be workloads without end.
            let is_memory = workload.as_bytes().starts_with(MEMORY.as_bytes());
            let workload = if is_memory { MEMORY.into() } else { workload };
            return Self::of_host(workload, &view.key()?.boot.0.to_le_bytes(), event);
        };
        let told = view.container()?;
        let digest = [&told.image_digest, &told.image_id, &told.image];
        let digest = digest.into_iter().find(|digest| !digest.is_empty());
        let start = TimestampNs::from_unix_ns(START_SECONDS * 1_000_000_000);
        Some(Self {
            workload: view.workload(),
            image: told.image.clone(),
            digest: digest.cloned().unwrap_or_default(),
            moment: Moment {
                replica: Replica::from_id(id.0.as_bytes()),
                time: event.time,
                is_start: event.time.since(told.started).as_nanos() < u128::from(start.unix_ns()),
            },
        })
    }

    fn of_host(workload: Text, replica: &[u8], event: &Event) -> Option<Self> {
        let replica = Replica::from_id(replica);
        let moment = Moment { replica, time: event.time, is_start: false };
        let (image, digest) = (Text::default(), Text::default());
        (!workload.is_empty()).then_some(Self { workload, image, digest, moment })
    }
}

/// The image without tag and digest.
pub(crate) fn repository(image: &Text) -> &[u8] {
    let image = image.as_bytes();
    let image = image.split(|&byte| byte == b'@').next().unwrap_or_default();
    let name = image.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    let tag = image.iter().rposition(|&byte| byte == b':').filter(|at| name <= *at);
    tag.and_then(|at| image.get(..at)).unwrap_or(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_an_image_without_tag_and_digest() {
        let check = |image: &str, expected: &str| {
            assert_eq!(repository(&image.into()), expected.as_bytes());
        };
        check("registry:5000/shop/web:1.2", "registry:5000/shop/web");
        check("nginx@sha256:00", "nginx");
        check("nginx", "nginx");
        check("", "");
    }
}
