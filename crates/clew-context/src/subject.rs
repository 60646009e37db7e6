//! Who acted, with enough of its surroundings that a finding can be joined to others and told.
//!
//! The lineage ends where the container is left: the parent of a container's first process is the
//! runtime, which starts everybody's containers and would join everybody's findings.

use clew_event::container::ContainerEvent;
use clew_event::control_plane::ApiCall;
use clew_event::finding::{CallFacts, ContainerFacts, ProcessFacts, Subject};
use clew_event::socket::DescriptorTarget;
use clew_event::{ContainerId, Entity, EventKind, ProcessKey, Text, TimestampNs};

use crate::context::Context;
use crate::fields::{fd, stack};
use crate::identity::key::{Identity, IdentityKind};
use crate::identity::{self};
use crate::process::Process;
use crate::view::View;

impl View<'_> {
    /// Who acted in this event, where, and on what.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject {
            lineage: self.lineage(),
            container: self
                .container_id()
                .map(|id| self.context.container_facts(id, self.container())),
            file: file(self),
            is_written: matches!(&self.event.kind, EventKind::File(file) if file.is_open_for_writing()),
            peer: peer(self),
            request: self.context.requests.facts(self.event).map(Box::new),
            call: self.event.api_call().map(|call| Box::new(self.call_facts(call))),
            makes: self.makes(),
            libraries: stack::libraries(self).into_iter().map(Text::from).collect(),
        }
    }

    /// Names the workload in which the process acted, the same on every restart: what the cluster,
    /// compose or the runtime calls its container, else the program's file.
    #[must_use]
    pub fn workload(&self) -> Text {
        let Some(told) = self.container() else {
            return self.image().map_or_else(Text::default, |image| image.path.clone());
        };
        let label = |name: &str| told.labels.get(name).map(Text::as_bytes).unwrap_or_default();
        let pod = controller(label("io.kubernetes.pod.name"));
        let (namespace, container) =
            (label("io.kubernetes.pod.namespace"), label("io.kubernetes.container.name"));
        let (project, service) =
            (label("com.docker.compose.project"), label("com.docker.compose.service"));
        if !pod.is_empty() {
            [namespace, pod, container].join(&b'/').into()
        } else if !service.is_empty() {
            [project, service].join(&b'/').into()
        } else {
            told.name.clone()
        }
    }

    /// Names by which the acting process knows an address, the one told last first.
    #[must_use]
    pub fn names_of(&self, address: std::net::IpAddr) -> Vec<Text> {
        let Some(scope) = self.scope() else { return Vec::new() };
        let address = address.to_canonical();
        let names = self.context.domains.names(scope, address, self.event.time);
        names.into_iter().cloned().collect()
    }

    fn lineage(&self) -> Vec<ProcessFacts> {
        let Some(key) = self.key() else { return Vec::new() };
        self.context.lineage(key, self.process(), self.container_id())
    }

    fn call_facts(&self, call: &ApiCall) -> CallFacts {
        let judged = self.context.identities.judged(self.event.id);
        let workload = judged.and_then(|judged| judged.workload.as_ref());
        let address = call.source_address.map(|address| address.to_canonical().to_string().into());
        CallFacts {
            action: call.action.clone(),
            credential: call.credential.clone(),
            principal: identity::principal_name(call),
            account: call.account.clone(),
            address: address.unwrap_or_default(),
            resource: call.resource.clone(),
            workload: workload.map_or_else(Text::default, |of| of.name.clone()),
            is_outside: judged.is_some_and(|judged| judged.is_outside),
            is_refused: !call.error.is_empty(),
        }
    }

    /// What the event handed out: a credential from a metadata service, or what a call minted.
    fn makes(&self) -> Vec<Entity> {
        let issued = match &self.event.kind {
            EventKind::Http(http) => {
                http.response.as_deref().and_then(|told| told.issued.as_deref())
            }
            _ => None,
        };
        let fetched =
            issued.map(|issued| Identity::new(IdentityKind::Credential, issued.id.clone()));
        let minted = self.event.api_call().into_iter().flat_map(identity::minted_by);
        fetched
            .into_iter()
            .chain(minted)
            .filter_map(|of| of.entity())
            .take(Subject::MAKES_MAX)
            .collect()
    }
}

impl Context {
    /// Who a process is and where it runs, as a finding of it would say.
    #[must_use]
    pub fn subject_of(&self, key: ProcessKey) -> Subject {
        let process = self.process(&key);
        let inside = process.and_then(|process| self.container_of(process.cgroup));
        let told = inside.and_then(|id| self.container(id)?.facts.as_ref());
        Subject {
            lineage: self.lineage(key, process, inside),
            container: inside.map(|id| self.container_facts(id, told)),
            ..Subject::default()
        }
    }

    fn lineage(
        &self,
        key: ProcessKey,
        process: Option<&Process>,
        inside: Option<&ContainerId>,
    ) -> Vec<ProcessFacts> {
        let Some(process) = process else {
            return vec![ProcessFacts { key, ..ProcessFacts::default() }];
        };
        let ancestors = self
            .processes
            .ancestors(process)
            .take_while(|(_, ancestor)| self.container_of(ancestor.cgroup) == inside);
        std::iter::once((key, process))
            .chain(ancestors)
            .take(Subject::LINEAGE_MAX)
            .map(|(key, process)| self.facts(key, process))
            .collect()
    }

    fn facts(&self, key: ProcessKey, process: &Process) -> ProcessFacts {
        use clew_event::process::ExecutedFlags as F;
        let started = self.started(&key).unwrap_or(TimestampNs::from_unix_ns(0));
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

    fn container_facts(&self, id: &ContainerId, told: Option<&ContainerEvent>) -> ContainerFacts {
        ContainerFacts {
            id: id.clone(),
            name: told.map_or_else(Text::default, |told| told.name.clone()),
            image: told.map_or_else(Text::default, |told| told.image.clone()),
            pod: self.pod_of(id),
        }
    }
}

/// Name of what made a pod: the pod's without the number, or the random letters, that Kubernetes
/// put behind it (`apimachinery/pkg/util/rand`: no vowels; five for a pod, up to ten for a set).
fn controller(pod: &[u8]) -> &[u8] {
    fn without_last(name: &[u8], is_made: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
        let at = name.iter().rposition(|&byte| byte == b'-')?;
        let (head, last) = (name.get(..at)?, name.get(at + 1..)?);
        is_made(last).then_some(head)
    }
    let is_random =
        |text: &[u8]| text.iter().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(byte));
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if let Some(set) = without_last(pod, |last| last.len() == 5 && is_random(last)) {
        let of_deployment = |last: &[u8]| (6..=10).contains(&last.len()) && is_random(last);
        return without_last(set, of_deployment).unwrap_or(set);
    }
    without_last(pod, is_number).unwrap_or(pod)
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
        | EventKind::Lost(_)
        | EventKind::Query(_)
        | EventKind::Stack(_) => Text::default(),
    }
}

/// The other end, also of a connection that was refused.
fn peer(view: &View<'_>) -> Text {
    let asked = match &view.event.kind {
        EventKind::Socket(socket) => socket.endpoints.remote,
        EventKind::Http(http) => http.endpoints.remote,
        EventKind::Query(query) => query.endpoints.remote,
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

    #[test]
    fn a_pod_is_named_by_what_made_it() {
        let check = |pod: &str, name: &str| assert_eq!(controller(pod.as_bytes()), name.as_bytes());
        check("shop-7d9f8b5c4d-x2vbk", "shop");
        check("agent-x2vbk", "agent");
        check("db-0", "db");
        check("alone", "alone");
        check("shop-frontend", "shop-frontend");
    }

    #[test]
    fn a_workload_is_what_cluster_compose_runtime_or_file_system_calls_it() {
        let workload = |labels: &[(&str, &str)]| {
            let mut context = shell_in_container();
            let labels = labels.iter().map(|&(name, value)| (name.into(), value.into()));
            let facts = ContainerEvent { labels: labels.collect(), ..container("web") };
            context.observe(&told(facts));
            let event =
                event(Some((30, INSIDE)), EventType::Openat, EventKind::File(FileEvent::default()));
            context.view(&event).workload().to_string()
        };
        let of_pod = [
            ("io.kubernetes.pod.name", "shop-7d9f8b5c4d-x2vbk"),
            ("io.kubernetes.pod.namespace", "prod"),
            ("io.kubernetes.container.name", "app"),
        ];
        assert_eq!(workload(&of_pod), "prod/shop/app");
        let compose = [("com.docker.compose.project", "p"), ("com.docker.compose.service", "s")];
        assert_eq!(workload(&compose), "p/s");
        assert_eq!(workload(&[]), "web");
        let context = shell_in_container();
        let on_host =
            event(Some((1, HOST)), EventType::Openat, EventKind::File(FileEvent::default()));
        assert_eq!(context.view(&on_host).workload(), "/bin/systemd".into());
    }

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
                        pod: "",
                    },
                ),
                file: "",
                is_written: false,
                peer: "203.0.113.9:443",
                request: None,
                call: None,
                makes: [],
                libraries: [],
            }
        "#]]
        .assert_debug_eq(&subject);
    }

    #[test]
    fn a_finding_carries_at_most_makes_max_of_what_a_call_made() {
        use clew_event::control_plane::{Claim, Minted, MintedKind};
        let minted = |n: u32| {
            let id = format!("AKIA{n}").into();
            Claim::Minted(Minted { kind: MintedKind::AccessKey, id, ..Minted::default() })
        };
        let call = ApiCall { claims: (0..20).map(minted).collect(), ..ApiCall::default() };
        let event = event(None, EventType::Other, EventKind::CloudApi(Box::new(call)));
        let context = shell_in_container();
        assert_eq!(context.view(&event).subject().makes.len(), Subject::MAKES_MAX);
    }
}
