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
            request: None,
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
        EventKind::ExecFailed(failed) => failed.filename.clone(),
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

#[cfg(test)]
mod tests {
    use clew_event::file::FileEvent;
    use clew_event::process::{Executed, ExecutedFlags};
    use clew_event::socket::{Endpoints, SocketEvent, SocketOperation};
    use clew_event::{CgroupId, EventType};
    use expect_test::expect;

    use super::*;
    use crate::Context;
    use crate::tests::builders::{
        HOST, INSIDE, container, event, exec, fork, program, shell_in_container, told,
    };

    fn names(context: &Context, actor: (u32, CgroupId)) -> Vec<String> {
        let file = EventKind::File(FileEvent::default());
        let event = event(Some(actor), EventType::Openat, file);
        let subject = context.view(&event).subject();
        subject.lineage.iter().map(|facts| facts.name.to_string()).collect()
    }

    #[test]
    fn a_lineage_ends_where_the_container_is_left() {
        let context = shell_in_container();
        assert_eq!(names(&context, (30, INSIDE)), ["sh", "httpd"]);
        assert_eq!(names(&context, (20, INSIDE)), ["httpd"]);
        assert_eq!(names(&context, (10, HOST)), ["shim", "systemd"]);
    }

    #[test]
    fn an_unseen_process_is_still_named_by_its_key() {
        let event =
            event(Some((99, HOST)), EventType::Openat, EventKind::File(FileEvent::default()));
        let context = shell_in_container();
        let lineage = context.view(&event).subject().lineage;
        assert_eq!(lineage.iter().map(|facts| facts.key.pid).collect::<Vec<_>>(), [99]);
    }

    #[test]
    fn a_lineage_carries_at_most_lineage_max_generations() {
        let mut context = shell_in_container();
        for pid in 30..100 {
            context.observe(&fork((pid, INSIDE), pid + 1));
        }
        assert_eq!(names(&context, (100, INSIDE)).len(), Subject::LINEAGE_MAX);
    }

    #[test]
    fn a_subject_tells_who_where_and_on_what() {
        let mut context = shell_in_container();
        context.observe(&told(container("web")));
        let dropped = Executed { flags: ExecutedFlags::UPPER_LAYER, ..program("x", "/tmp/x -v") };
        let mut exec = exec((30, INSIDE), dropped);
        exec.id = clew_event::EventId(5);
        context.observe(&exec);
        let connect = SocketEvent {
            operation: SocketOperation::Connect,
            result: -111,
            endpoints: Endpoints {
                remote: "[::ffff:203.0.113.9]:443".parse().ok(),
                ..Endpoints::default()
            },
            ..SocketEvent::default()
        };
        let event = event(Some((30, INSIDE)), EventType::Connect, EventKind::Socket(connect));
        let mut subject = context.view(&event).subject();
        subject.lineage.truncate(1);
        expect![[r#"
            Subject {
                lineage: [
                    ProcessFacts {
                        key: ProcessKey {
                            start_ns: 30,
                            pid: 30,
                            boot: BootId(
                                7,
                            ),
                        },
                        started: TimestampNs(
                            1000000000030,
                        ),
                        executed_by: Some(
                            EventId(
                                5,
                            ),
                        ),
                        name: "x",
                        exe: "/bin/x",
                        command_line: "x -v",
                        uid: 0,
                        is_dropped: true,
                    },
                ],
                container: Some(
                    ContainerFacts {
                        id: ContainerId(
                            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                        ),
                        name: "web",
                        image: "registry:5000/shop/web:1.2",
                    },
                ),
                file: "",
                peer: "203.0.113.9:443",
                request: None,
            }
        "#]]
        .assert_debug_eq(&subject);
    }
}
