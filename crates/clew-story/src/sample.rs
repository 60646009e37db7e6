//! Findings to test with: a web server in a container, the shells below it and what they run.

use clew_event::finding::{
    CallFacts, ContainerFacts, EntityKind, ProcessFacts, RequestFacts, Subject,
};
use clew_event::{
    BootId, ContainerId, Entity, EventId, Finding, FindingId, Priority, ProcessKey, TimestampNs,
};

/// Second at which all samples begin: 2025-11-24T18:02:02Z.
pub(crate) const START_SECOND: u64 = 1_764_007_322;

/// A finding in the making.
#[derive(Clone, Debug)]
pub(crate) struct Sample(Finding);

/// The event by which a sample process took its program.
pub(crate) fn exec_event(pid: u32) -> EventId {
    EventId::from_kernel(BootId(7), 1, u64::from(pid))
}

pub(crate) fn at_ms(ms: u64) -> TimestampNs {
    TimestampNs::from_unix_ns(START_SECOND * 1_000_000_000 + ms * 1_000_000)
}

pub(crate) fn process(pid: u32, name: &str, command_line: &str, started_ms: u64) -> ProcessFacts {
    ProcessFacts {
        key: ProcessKey { start_ns: started_ms * 1_000_000 + 1, pid, boot: BootId(7) },
        started: at_ms(started_ms),
        executed_by: Some(exec_event(pid)),
        name: name.into(),
        exe: format!("/bin/{name}").into(),
        command_line: command_line.into(),
        uid: 0,
        is_dropped: false,
    }
}

impl Sample {
    /// A warning by a process of its own in container `c0ffee`, at the start.
    pub(crate) fn new(rule: &str, pid: usize) -> Self {
        let pid = u32::try_from(pid).unwrap();
        let container = ContainerFacts {
            id: ContainerId("c0ffee00c0ffee00".into()),
            name: "shop".into(),
            image: "shop:1".into(),
            pod: "".into(),
        };
        let subject = Subject {
            lineage: vec![process(pid, "x", "x", 0)],
            container: Some(container),
            ..Subject::default()
        };
        let finding = Finding {
            id: FindingId(0),
            time: at_ms(0),
            source: "syscall".into(),
            rule: rule.into(),
            priority: Priority::Warning,
            techniques: Vec::new(),
            tags: Vec::new(),
            bits: 8.0,
            entities: Vec::new(),
            events: vec![EventId(1)],
            output: format!("{rule} | more=fields"),
            output_fields: std::collections::BTreeMap::new(),
            hostname: "n4".into(),
            subject,
        };
        Self(finding)
    }

    /// When, in milliseconds since the start; also gives the finding its id and event.
    pub(crate) fn at(mut self, ms: u64) -> Self {
        self.0.time = at_ms(ms);
        self.0.events = vec![EventId::from_kernel(BootId(7), 0, ms)];
        self
    }

    pub(crate) fn priority(mut self, priority: Priority) -> Self {
        self.0.priority = priority;
        self.0.bits = priority.bits();
        self
    }

    pub(crate) fn techniques(mut self, techniques: &[&str]) -> Self {
        self.0.techniques = techniques.iter().map(|&technique| technique.into()).collect();
        self
    }

    /// The process and its ancestors.
    pub(crate) fn lineage(mut self, lineage: &[ProcessFacts]) -> Self {
        self.0.subject.lineage = lineage.to_vec();
        self
    }

    /// Decided by the very exec of its process.
    pub(crate) fn about_start(mut self) -> Self {
        self.0.events =
            self.0.subject.lineage.iter().take(1).filter_map(|p| p.executed_by).collect();
        self
    }

    pub(crate) fn container(mut self, id: &str) -> Self {
        let (container, pod) = (ContainerId(id.into()), "".into());
        let facts = ContainerFacts { id: container, name: id.into(), image: "i".into(), pod };
        self.0.subject.container = Some(facts);
        self
    }

    pub(crate) fn file(mut self, path: &str) -> Self {
        self.0.subject.file = path.into();
        self
    }

    pub(crate) fn peer(mut self, peer: &str) -> Self {
        self.0.subject.peer = peer.into();
        self
    }

    /// Of the request that event `number` told, with that probability.
    pub(crate) fn request(mut self, number: u128, probability: f64) -> Self {
        self.0.subject.request = Some(Box::new(RequestFacts {
            exchange: EventId(number),
            method: "GET".into(),
            target: format!("/ping?host={number}").into(),
            client: "198.51.100.7".into(),
            probability,
            ..RequestFacts::default()
        }));
        self
    }

    /// Of a request that this address sent.
    pub(crate) fn client(mut self, address: &str) -> Self {
        if let Some(request) = &mut self.0.subject.request {
            request.client = address.into();
        }
        self
    }

    /// Of a request for that path.
    pub(crate) fn target(mut self, path: &str) -> Self {
        if let Some(request) = &mut self.0.subject.request {
            request.target = path.into();
        }
        self
    }

    /// Opened its file to write it.
    pub(crate) fn written(mut self) -> Self {
        self.0.subject.is_written = true;
        self
    }

    /// Hands out a credential.
    pub(crate) fn makes(mut self, credential: &str) -> Self {
        let (kind, id) = (EntityKind::Credential, credential.to_owned());
        self.0.subject.makes.push(Entity { kind, name: id.clone(), id });
        self
    }

    /// Of no bits: it ties others together.
    pub(crate) fn link(mut self) -> Self {
        self.0.bits = 0.0;
        self
    }

    /// A call with a credential, of no process.
    pub(crate) fn call(mut self, action: &str, credential: &str, address: &str) -> Self {
        self.0.source = "aws_cloudtrail".into();
        self.0.hostname = String::new();
        let call = CallFacts {
            action: action.into(),
            credential: credential.into(),
            account: "111122223333".into(),
            address: address.into(),
            ..CallFacts::default()
        };
        self.0.subject = Subject { call: Some(Box::new(call)), ..Subject::default() };
        self
    }

    /// The credential of a workload, used outside it.
    pub(crate) fn outside(mut self, workload: &str) -> Self {
        if let Some(call) = &mut self.0.subject.call {
            (call.is_outside, call.workload) = (true, workload.into());
        }
        self
    }

    /// A payload in the request itself, which starts no story.
    pub(crate) fn payload(mut self, number: u128) -> Self {
        self.0.events = vec![EventId(number)];
        self.0.source = "http".into();
        self.priority(Priority::Notice).request(number, 1.0)
    }

    /// The finding, with an id made from rule, process and time.
    pub(crate) fn finding(mut self) -> Finding {
        let pid = self.0.subject.lineage.first().map_or(0, |process| process.key.pid);
        let action =
            self.0.subject.call.as_ref().map_or_else(String::new, |c| c.action.to_string());
        let text = format!("{} {pid} {}{action}", self.0.rule, self.0.time);
        let digest = blake3::hash(text.as_bytes());
        let half: [u8; 16] = digest.as_bytes()[..16].try_into().unwrap();
        self.0.id = FindingId(u128::from_be_bytes(half));
        self.0
    }
}
