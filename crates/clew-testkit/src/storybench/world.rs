//! One tenant: its machines, pods and processes, and the events that they make.
//!
//! Every moment is given by the caller in nanoseconds since the epoch, so that a day's traffic and
//! an attack over three days are written one after the other and put into order at the end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clew_event::container::{CgroupEvent, ContainerEvent, Lifecycle};
use clew_event::file::{FileEvent, FileOperation};
use clew_event::kernel::NodeStarted;
use clew_event::process::{
    Credentials, Executed, ExecutedFlags, Exited, Forked, Session, Surroundings,
};
use clew_event::socket::{DescriptorEvent, DescriptorTarget, Endpoints, SocketEvent};
use clew_event::socket::{SocketOperation, Transport};
use clew_event::{
    Actor, BootId, CgroupId, ContainerId, Event, EventId, EventKind, EventType, ProcessKey, Text,
    TimestampNs,
};

use super::random::Random;
use super::truth::{AttackId, Truth, Truths};

/// Nanoseconds.
pub const MS: u64 = 1_000_000;
/// Nanoseconds.
pub const SECOND: u64 = 1_000 * MS;
/// Nanoseconds.
pub const MINUTE: u64 = 60 * SECOND;
/// Nanoseconds.
pub const HOUR: u64 = 60 * MINUTE;
/// Nanoseconds.
pub const DAY: u64 = 24 * HOUR;
/// 2026-06-01T00:00:00Z, when every tenant begins to be watched.
pub const START: u64 = 1_780_272_000 * SECOND;
/// What a ring buffer takes.
const KERNEL_LAG: u64 = 2 * MS;
/// Capabilities of root in a container that Docker started with its defaults.
const CONTAINER_CAPABILITIES: u64 = 0xa804_25fb;
/// What root holds on a machine.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

/// A layer that can be blind to an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The sensor of a machine.
    Kernel,
    /// What is read of requests.
    Http,
    /// The log of the cloud.
    Cloud,
    /// The log of the cluster.
    Cluster,
}

/// A process as far as its children inherit it.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Who it is.
    pub actor: Actor,
    is_inside: bool,
    tty: u32,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its id at the cloud.
    pub instance: String,
    /// Its address in the network of the tenant.
    pub address: Ipv4Addr,
    boot: BootId,
    init: Process,
}

/// A pod with one container.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Place of its machine in [`World::nodes`].
    pub node: usize,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: &'static str,
    /// Its unique id.
    pub uid: String,
    /// What its namespace and controller are called: the service account too.
    pub app: &'static str,
    /// Its address.
    pub address: Ipv4Addr,
    /// The runtime's process that starts what runs in it.
    pub shim: Process,
    /// Its first process.
    pub server: Process,
    cgroup: CgroupId,
}

/// How a program is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Program<'a> {
    /// File and arguments; a name without a slash lies in `/usr/bin`.
    pub argv: &'a [&'a str],
    /// It was not part of the image.
    pub is_dropped: bool,
    /// Number of its terminal; 0 leaves it that of its parent.
    pub tty: u32,
}

/// What the events that are made now are of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) attack: AttackId,
    pub(super) step: usize,
    pub(super) cause: Option<EventId>,
    pub(super) blind: Option<Layer>,
    pub(super) is_late: bool,
}

/// One tenant and what happened there.
#[derive(Debug)]
pub struct World {
    /// Where all chance comes from.
    pub random: Random,
    /// Its number.
    pub tenant: u32,
    /// Machines.
    pub nodes: Vec<Node>,
    /// Pods.
    pub pods: Vec<Pod>,
    /// Events in the order in which they were written.
    pub events: Vec<Event>,
    /// What they are of.
    pub truths: Truths,
    pub(super) mark: Option<Mark>,
    pub(super) last: Option<EventId>,
    sequence: u64,
    pid: u32,
}

impl World {
    /// A tenant without machines.
    #[must_use]
    pub fn new(tenant: u32, seed: u64) -> Self {
        Self {
            random: Random::new(seed ^ u64::from(tenant).wrapping_mul(0x9e37_79b9)),
            tenant,
            nodes: Vec::new(),
            pods: Vec::new(),
            events: Vec::new(),
            truths: Truths::default(),
            mark: None,
            last: None,
            sequence: 0,
            pid: 1_000,
        }
    }

    /// Takes an event in, unless the layer is blind to the attack that it is of.
    pub(super) fn take(&mut self, event: Event, layer: Layer) {
        if let Some(mark) = self.mark {
            if mark.blind == Some(layer) {
                return;
            }
            let truth = Truth { attack: mark.attack, step: mark.step, cause: mark.cause };
            self.truths.events.insert(event.id, truth);
            if let Some(attack) = self.truths.attacks.get_mut(&mark.attack) {
                attack.last_arrived = attack.last_arrived.max(event.arrived);
            }
        }
        self.last = Some(event.id);
        self.events.push(event);
    }

    /// The id of the next event of the kernel.
    pub(super) fn next_id(&self) -> EventId {
        EventId::from_kernel(BootId(self.tenant << 8), 0, self.sequence + 1)
    }

    /// An event of the kernel.
    pub(super) fn push(
        &mut self,
        at: u64,
        event_type: EventType,
        actor: Option<Actor>,
        kind: EventKind,
    ) {
        let id = self.next_id();
        self.sequence += 1;
        let layer = if matches!(kind, EventKind::Http(_)) { Layer::Http } else { Layer::Kernel };
        let time = TimestampNs::from_unix_ns(at);
        let arrived = TimestampNs::from_unix_ns(at + KERNEL_LAG);
        self.take(Event { id, time, arrived, event_type, actor, kind }, layer);
    }

    fn new_process(&mut self, at: u64, boot: BootId, cgroup: CgroupId) -> Process {
        self.pid += 1;
        let pid = self.pid;
        let process = ProcessKey { start_ns: at.saturating_sub(START - DAY), pid, boot };
        Process { actor: Actor { process, cgroup, tid: pid }, is_inside: false, tty: 0 }
    }

    /// Puts a machine up.
    pub fn add_node(&mut self) -> usize {
        let number = u32::try_from(self.nodes.len()).unwrap_or_default();
        let boot = BootId(self.tenant << 8 | (number + 1));
        let address = self.address(number, 10);
        let started = NodeStarted {
            boot,
            hostname: format!("ip-10-{}-{number}-10", self.tenant).into(),
            kernel: "6.1.0".into(),
            boot_unix_ns: START - DAY,
            addresses: vec![IpAddr::V4(address)],
            ..NodeStarted::default()
        };
        self.push(START, EventType::Other, None, EventKind::NodeStarted(Box::new(started)));
        let init = self.new_process(START, boot, CgroupId(1));
        let executed = executed(
            init,
            init,
            Program { argv: &["/usr/lib/systemd/systemd"], ..Program::default() },
        );
        self.push(START, EventType::Execve, Some(init.actor), EventKind::Running(executed));
        let instance = format!("i-0{:08x}{number:08x}", self.tenant);
        self.nodes.push(Node { instance, address, boot, init });
        self.nodes.len() - 1
    }

    fn address(&self, net: u32, host: u8) -> Ipv4Addr {
        let [.., tenant] = self.tenant.to_be_bytes();
        let [.., net] = net.to_be_bytes();
        Ipv4Addr::new(10, tenant, net, host)
    }

    /// Starts a pod whose first process is that program.
    pub fn add_pod(
        &mut self,
        at: u64,
        node: usize,
        (namespace, app): (&'static str, &'static str),
        argv: &[&str],
    ) -> usize {
        let number = self.pods.len();
        let digits = (u64::from(self.tenant) << 32) | number as u64;
        let id = format!("{digits:012x}{:052x}", digits.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let uid = format!("{:08x}-0000-4000-8000-{number:012x}", self.tenant);
        let name = format!("{app}-7d9f8b{number:04x}-{:05x}", self.random.below(1 << 20));
        let cgroup = CgroupId(100 + digits);
        let [.., host] = (20 + number).to_be_bytes();
        let address = self.address(200 + u32::try_from(number / 200).unwrap_or_default(), host);
        let (boot, init) =
            self.nodes.get(node).map_or((BootId(0), self.new_init()), |it| (it.boot, it.init));
        let cgroup_event = CgroupEvent {
            lifecycle: Lifecycle::Started,
            cgroup,
            path: format!("/kubepods/pod{uid}/{id}").into(),
        };
        let label = |name: &str, value: &str| (name.to_owned(), Text::from(value));
        let container = ContainerEvent {
            lifecycle: Lifecycle::Started,
            id: Some(ContainerId(id.into())),
            runtime: "containerd".into(),
            name: app.into(),
            image: format!("registry.example/{app}:1").into(),
            labels: [
                label("io.kubernetes.pod.name", &name),
                label("io.kubernetes.pod.namespace", namespace),
                label("io.kubernetes.pod.uid", &uid),
                label("io.kubernetes.container.name", app),
            ]
            .into_iter()
            .collect(),
            addresses: vec![IpAddr::V4(address)],
            ..ContainerEvent::default()
        };
        self.push(at, EventType::Other, None, EventKind::Cgroup(cgroup_event));
        self.push(at, EventType::Container, None, EventKind::Container(Box::new(container)));
        let shim = self.fork(at, init, (boot, CgroupId(1)), false);
        let program = Program { argv: &["/usr/bin/containerd-shim-runc-v2"], ..Program::default() };
        self.execute(at, (shim, init), program);
        let server = self.fork(at + MS, shim, (boot, cgroup), true);
        self.execute(at + MS, (server, shim), Program { argv, ..Program::default() });
        self.pods.push(Pod { node, name, namespace, uid, app, address, shim, server, cgroup });
        number
    }

    fn new_init(&self) -> Process {
        Process { actor: Actor::default(), is_inside: false, tty: 0 }
    }

    fn fork(
        &mut self,
        at: u64,
        parent: Process,
        (boot, cgroup): (BootId, CgroupId),
        is_inside: bool,
    ) -> Process {
        let child = Process { is_inside, tty: parent.tty, ..self.new_process(at, boot, cgroup) };
        let forked = Forked {
            child: child.actor.process,
            child_tid: child.actor.tid,
            child_vpid: child.actor.tid,
            parent: parent.actor.process,
            is_thread: false,
        };
        self.push(at, EventType::Clone, Some(parent.actor), EventKind::Forked(forked));
        child
    }

    fn execute(&mut self, at: u64, (process, parent): (Process, Process), program: Program<'_>) {
        let executed = executed(process, parent, program);
        self.push(at, EventType::Execve, Some(process.actor), EventKind::Executed(executed));
    }

    /// A child of `parent` runs a program.
    pub fn start(&mut self, at: u64, parent: Process, program: Program<'_>) -> Process {
        let home = (parent.actor.process.boot, parent.actor.cgroup);
        let mut child = self.fork(at, parent, home, parent.is_inside);
        child.tty = if program.tty == 0 { parent.tty } else { program.tty };
        self.execute(at, (child, parent), program);
        child
    }

    /// A child of `parent` runs a program of the image.
    pub fn run(&mut self, at: u64, parent: Process, argv: &[&str]) -> Process {
        self.start(at, parent, Program { argv, ..Program::default() })
    }

    /// The same for one that ends at once.
    pub fn run_briefly(&mut self, at: u64, parent: Process, argv: &[&str]) -> Process {
        let child = self.run(at, parent, argv);
        self.stop(at + 5 * MS, child);
        child
    }

    /// The runtime starts a program in a pod, as `kubectl exec` has it do.
    pub fn start_in_pod(&mut self, at: u64, pod: usize, program: Program<'_>) -> Option<Process> {
        let pod = self.pods.get(pod)?;
        let (shim, home) = (pod.shim, (pod.shim.actor.process.boot, pod.cgroup));
        let mut child = self.fork(at, shim, home, true);
        child.tty = program.tty;
        self.execute(at, (child, shim), program);
        Some(child)
    }

    /// A process leaves its container for the machine.
    pub fn run_on_node(&mut self, at: u64, parent: Process, argv: &[&str]) -> Process {
        let home = (parent.actor.process.boot, CgroupId(1));
        let child = self.fork(at, parent, home, false);
        self.execute(at, (child, parent), Program { argv, ..Program::default() });
        child
    }

    /// A process ends.
    pub fn stop(&mut self, at: u64, process: Process) {
        let exited = EventKind::Exited(Exited::default());
        self.push(at, EventType::ProcessExit, Some(process.actor), exited);
    }

    /// A process opens a file.
    pub fn open(&mut self, at: u64, process: Process, path: &str, flags: u32) {
        let file = FileEvent {
            operation: FileOperation::Open,
            result: 3,
            path: path.into(),
            path_given: path.into(),
            flags,
            ..FileEvent::default()
        };
        self.push(at, EventType::Openat, Some(process.actor), EventKind::File(file));
    }

    /// A process makes a file executable.
    pub fn make_executable(&mut self, at: u64, process: Process, path: &str) {
        let file = FileEvent {
            operation: FileOperation::ChangeMode,
            path: path.into(),
            path_given: path.into(),
            mode: 0o755,
            ..FileEvent::default()
        };
        self.push(at, EventType::Fchmodat, Some(process.actor), EventKind::File(file));
    }

    /// A process connects, or takes a connection.
    pub fn socket(
        &mut self,
        at: u64,
        process: Process,
        operation: SocketOperation,
        remote: SocketAddr,
    ) {
        let event_type = match operation {
            SocketOperation::Accept => EventType::Accept4,
            _ => EventType::Connect,
        };
        let socket = SocketEvent {
            operation,
            result: if operation == SocketOperation::Accept { 5 } else { 0 },
            descriptor: 3,
            endpoints: endpoints(remote),
            ..SocketEvent::default()
        };
        self.push(at, event_type, Some(process.actor), EventKind::Socket(socket));
    }

    /// A process connects.
    pub fn connect(&mut self, at: u64, process: Process, remote: SocketAddr) {
        self.socket(at, process, SocketOperation::Connect, remote);
    }

    /// A server takes a connection.
    pub fn accept(&mut self, at: u64, process: Process, remote: SocketAddr) {
        self.socket(at, process, SocketOperation::Accept, remote);
    }

    /// A process puts a connection on its standard input.
    pub fn attach(&mut self, at: u64, process: Process, remote: SocketAddr) {
        let target = DescriptorTarget::Internet(Box::new(endpoints(remote)));
        let descriptor = DescriptorEvent { result: 0, old: 3, target };
        self.push(at, EventType::Dup2, Some(process.actor), EventKind::Descriptor(descriptor));
    }

    /// A process asks the kernel for something that applications do not.
    pub fn mount(&mut self, at: u64, process: Process, path: &str, device: &str) {
        let kernel = clew_event::kernel::KernelEvent {
            path: path.into(),
            other: device.into(),
            ..clew_event::kernel::KernelEvent::default()
        };
        self.push(at, EventType::Mount, Some(process.actor), EventKind::Kernel(kernel));
    }

    /// All events in the order in which they reach Clew, with what they are of.
    #[must_use]
    pub fn into_arrivals(mut self) -> (Vec<Event>, Truths) {
        self.events.sort_by_key(|event| (event.arrived, event.time));
        (self.events, self.truths)
    }
}

/// Ends of a connection from an address of ours.
pub(super) fn endpoints(remote: SocketAddr) -> Endpoints {
    Endpoints {
        family: Endpoints::INET,
        transport: Transport::Tcp,
        local: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 8080)),
        remote: Some(remote),
    }
}

fn executed(process: Process, parent: Process, program: Program<'_>) -> Executed {
    let file = program.argv.first().copied().unwrap_or_default();
    let exe = match file.starts_with('/') {
        true => file.to_owned(),
        false => format!("/usr/bin/{file}"),
    };
    let name: String = exe.rsplit('/').next().unwrap_or_default().chars().take(15).collect();
    let argv: String = program.argv.iter().flat_map(|word| [*word, "\0"]).collect();
    let effective = if process.is_inside { CONTAINER_CAPABILITIES } else { ALL_CAPABILITIES };
    let flags = if program.is_dropped { ExecutedFlags::UPPER_LAYER } else { ExecutedFlags(0) };
    let is_first = process.is_inside && !parent.is_inside && program.tty == 0;
    let pid = process.actor.process.pid;
    Executed {
        parent: parent.actor.process,
        name: name.into(),
        filename: exe.as_str().into(),
        exe: exe.into(),
        argv: argv.into(),
        cwd: "/".into(),
        flags,
        credentials: Credentials { uid: 0, gid: 0, login_uid: u32::MAX, effective },
        session: Session {
            vpid: if is_first { 1 } else { pid },
            sid: pid,
            pgid: pid,
            tty: if program.tty == 0 { process.tty } else { program.tty },
        },
        surroundings: Some(Box::new(Surroundings {
            permitted: effective,
            ..Surroundings::default()
        })),
        ..Executed::default()
    }
}
