//! Who acted, with enough of its surroundings that a finding can be joined to others and told.
//!
//! The lineage ends where the container is left: the parent of a container's first process is the
//! runtime, which starts everybody's containers and would join everybody's findings.

use clew_event::finding::{ContainerFacts, ProcessFacts, Subject};
use clew_event::socket::DescriptorTarget;
use clew_event::{EventKind, ProcessKey, Text, TimestampNs};

use crate::fields::fd;
use crate::process::Process;
use crate::view::View;

impl View<'_> {
    /// Who acted in this event, where, and on what.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject {
            lineage: self.lineage(),
            container: self.container_facts(),
            file: file(self),
            peer: peer(self),
        }
    }

    fn lineage(&self) -> Vec<ProcessFacts> {
        let Some(key) = self.key() else { return Vec::new() };
        let Some(process) = self.process() else {
            return vec![ProcessFacts { key, ..ProcessFacts::default() }];
        };
        let inside = self.container_id();
        let ancestors = self
            .context
            .processes
            .ancestors(process)
            .take_while(|(_, ancestor)| self.context.container_of(ancestor.cgroup) == inside);
        std::iter::once((key, process))
            .chain(ancestors)
            .take(Subject::LINEAGE_MAX)
            .map(|(key, process)| self.facts(key, process))
            .collect()
    }

    fn facts(&self, key: ProcessKey, process: &Process) -> ProcessFacts {
        use clew_event::process::ExecutedFlags as F;
        let started = self.context.started(&key).unwrap_or(TimestampNs::from_unix_ns(0));
        let Some(image) = process.image.as_deref() else {
            return ProcessFacts { key, started, ..ProcessFacts::default() };
        };
        ProcessFacts {
            key,
            started,
            executed_by: process.executed_by,
            name: image.name.clone(),
            exe: image.path.clone(),
            command_line: image.command_line.clone(),
            uid: process.credentials.uid,
            is_dropped: image.flags.has(F::UPPER_LAYER) || image.flags.has(F::MEMFD),
        }
    }

    fn container_facts(&self) -> Option<ContainerFacts> {
        let id = self.container_id()?.clone();
        let told = self.container();
        Some(ContainerFacts {
            id,
            name: told.map_or_else(Text::default, |told| told.name.clone()),
            image: told.map_or_else(Text::default, |told| told.image.clone()),
        })
    }
}

fn file(view: &View<'_>) -> Text {
    match &view.event.kind {
        EventKind::File(file) if file.path.is_empty() => file.path_given.clone(),
        EventKind::File(file) => file.path.clone(),
        EventKind::Kernel(call) => call.path.clone(),
        EventKind::Descriptor(descriptor) => match &descriptor.target {
            DescriptorTarget::File(path) => path.clone(),
            DescriptorTarget::None
            | DescriptorTarget::Pipe
            | DescriptorTarget::Internet(_)
            | DescriptorTarget::Unix(_)
            | DescriptorTarget::Other(_) => Text::default(),
        },
        EventKind::NodeStarted(_)
        | EventKind::Forked(_)
        | EventKind::Executed(_)
        | EventKind::Running(_)
        | EventKind::Exited(_)
        | EventKind::Socket(_)
        | EventKind::Dns(_)
        | EventKind::Privilege(_)
        | EventKind::Cgroup(_)
        | EventKind::Container(_)
        | EventKind::Account(_)
        | EventKind::Http(_)
        | EventKind::KubernetesApi(_)
        | EventKind::CloudApi(_)
        | EventKind::Lost(_) => Text::default(),
    }
}

/// The other end, also of a connection that was refused.
fn peer(view: &View<'_>) -> Text {
    let asked = match &view.event.kind {
        EventKind::Socket(socket) => socket.endpoints.remote,
        _ => None,
    };
    match fd::remote(view).or(asked) {
        Some(end) => {
            Text::from(std::net::SocketAddr::new(fd::address(end), end.port()).to_string())
        }
        None => Text::default(),
    }
}
