//! Who is there: the machine, its containers, its processes, and a clock that ticks per event.

use std::collections::BTreeMap;

use clew_event::container::{CgroupEvent, ContainerEvent, Lifecycle};
use clew_event::http::HttpEvent;
use clew_event::kernel::NodeStarted;
use clew_event::process::{Credentials, Executed, Forked};
use clew_event::{
    Actor, BootId, CgroupId, ContainerId, Event, EventId, EventKind, EventType, ProcessKey,
    TimestampNs,
};

const BOOT: BootId = BootId(0xc1e3);
/// 2026-01-01T00:00:00Z: any moment does, as long as it is always the same.
const BOOT_UNIX_NS: u64 = 1_767_225_600_000_000_000;
/// One millisecond passes between two events.
const TICK_NS: u64 = 1_000_000;
/// The process that a process of the host has for a parent when its line names none.
const INIT_PID: u32 = 1;
/// Container runtimes get pids that no scenario uses.
const SHIM_PID_FIRST: u32 = 900_000;

/// A process as far as its children inherit it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    pub(super) actor: Actor,
    pub(super) uid: u32,
    pub(super) tty: u32,
    pub(super) is_in_container: bool,
}

#[derive(Clone, Copy, Debug)]
struct Container {
    cgroup: CgroupId,
    shim_pid: u32,
}

/// Everything that lines refer back to.
#[derive(Debug, Default)]
pub(super) struct World {
    events: Vec<Event>,
    ticks: u64,
    processes: BTreeMap<u32, Process>,
    containers: BTreeMap<String, Container>,
    /// Requests without a response, by the process that read or sent them.
    asked: BTreeMap<u32, Vec<HttpEvent>>,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self::default();
        let started = NodeStarted {
            boot: BOOT,
            hostname: "node".into(),
            kernel: "6.1.0".into(),
            boot_unix_ns: BOOT_UNIX_NS,
            ..NodeStarted::default()
        };
        world.push(EventType::Other, None, EventKind::NodeStarted(Box::new(started)));
        let init = world.appear(INIT_PID, CgroupId(1));
        let running = Executed {
            name: "systemd".into(),
            exe: "/usr/lib/systemd/systemd".into(),
            filename: "/sbin/init".into(),
            argv: "/sbin/init\0".into(),
            cwd: "/".into(),
            ..Executed::default()
        };
        world.push(EventType::Execve, Some(init.actor), EventKind::Running(running));
        world
    }

    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }

    /// Adds an event one tick after the last.
    pub(super) fn push(&mut self, event_type: EventType, actor: Option<Actor>, kind: EventKind) {
        self.ticks += 1;
        let time = TimestampNs::from_unix_ns(BOOT_UNIX_NS + self.ticks * TICK_NS);
        let id = EventId::from_kernel(BOOT, 0, self.ticks);
        self.events.push(Event { id, time, arrived: time, event_type, actor, kind });
    }

    /// The id that the next event gets.
    pub(super) fn next_id(&self) -> EventId {
        EventId::from_kernel(BOOT, 0, self.ticks + 1)
    }

    /// Keeps a request for its response.
    pub(super) fn asked(&mut self, pid: u32, http: HttpEvent) {
        self.asked.entry(pid).or_default().push(http);
    }

    /// The last request of a process that has no response yet.
    pub(super) fn answered(&mut self, pid: u32) -> Option<HttpEvent> {
        self.asked.get_mut(&pid)?.pop()
    }

    /// Adds an event that has its time and id already.
    pub(super) fn add(&mut self, event: Event) {
        self.events.push(event);
    }

    /// How many events there are.
    pub(super) fn count(&self) -> usize {
        self.events.len()
    }

    /// Lets so many seconds pass; the moment after them.
    pub(super) fn wait(&mut self, seconds: u64) -> TimestampNs {
        self.ticks += 1 + seconds * (1_000_000_000 / TICK_NS);
        TimestampNs::from_unix_ns(BOOT_UNIX_NS + self.ticks * TICK_NS)
    }

    pub(super) fn process(&self, pid: u32) -> Result<Process, String> {
        self.processes.get(&pid).copied().ok_or_else(|| format!("no `exec` started process {pid}"))
    }

    pub(super) fn is_known(&self, pid: u32) -> bool {
        self.processes.contains_key(&pid)
    }

    /// Whether a container of that name is declared.
    pub(super) fn has_container(&self, name: &str) -> bool {
        self.containers.contains_key(name)
    }

    /// Declares a container, with the runtime's process that starts what runs in it.
    pub(super) fn add_container(&mut self, name: &str, image: &str, is_privileged: bool) {
        let number = u32::try_from(self.containers.len()).unwrap_or(u32::MAX);
        let home = Container {
            cgroup: CgroupId(100 + u64::from(number)),
            shim_pid: SHIM_PID_FIRST.saturating_add(number),
        };
        // The first twelve digits, which rules compare, tell containers apart.
        let id = format!("{:012x}{:052}", 0xc1e0_0000_0000_u64 + u64::from(number), 0);
        let cgroup = CgroupEvent {
            lifecycle: Lifecycle::Started,
            cgroup: home.cgroup,
            path: format!("/docker/{id}").into(),
        };
        let container = ContainerEvent {
            lifecycle: Lifecycle::Started,
            id: Some(ContainerId(id.into())),
            runtime: "docker".into(),
            name: name.into(),
            image: image.into(),
            is_privileged,
            ..ContainerEvent::default()
        };
        self.push(EventType::Other, None, EventKind::Cgroup(cgroup));
        self.push(EventType::Container, None, EventKind::Container(Box::new(container)));
        self.containers.insert(name.to_owned(), home);
        self.start_shim(home.shim_pid);
    }

    /// The one who starts a process whose line names no parent.
    pub(super) fn starter(&self, container: Option<&str>) -> Result<Process, String> {
        let container = container.and_then(|name| self.containers.get(name));
        self.process(container.map_or(INIT_PID, |container| container.shim_pid))
    }

    /// A new process of `parent`, in `container` or else where its parent is.
    pub(super) fn fork(&mut self, pid: u32, parent: Process, container: Option<&str>) -> Process {
        let container = container.and_then(|name| self.containers.get(name)).copied();
        let cgroup = container.map_or(parent.actor.cgroup, |container| container.cgroup);
        let child = self.appear(pid, cgroup);
        let forked = Forked {
            child: child.actor.process,
            child_tid: pid,
            child_vpid: pid,
            parent: parent.actor.process,
            is_thread: false,
        };
        self.push(EventType::Clone, Some(parent.actor), EventKind::Forked(forked));
        let child = Process {
            uid: parent.uid,
            tty: parent.tty,
            is_in_container: container.is_some() || parent.is_in_container,
            ..child
        };
        self.processes.insert(pid, child);
        child
    }

    /// Keeps what an exec changed in a process.
    pub(super) fn update(&mut self, pid: u32, process: Process) {
        self.processes.insert(pid, process);
    }

    fn appear(&mut self, pid: u32, cgroup: CgroupId) -> Process {
        let start_ns = (self.ticks + 1) * TICK_NS;
        let process = ProcessKey { start_ns, pid, boot: BOOT };
        let actor = Actor { process, cgroup, tid: pid };
        let process = Process { actor, uid: 0, tty: 0, is_in_container: false };
        self.processes.insert(pid, process);
        process
    }

    fn start_shim(&mut self, pid: u32) {
        let Ok(init) = self.process(INIT_PID) else { return };
        let shim = self.fork(pid, init, None);
        let executed = Executed {
            parent: init.actor.process,
            name: "containerd-shim".into(),
            exe: "/usr/bin/containerd-shim-runc-v2".into(),
            filename: "/usr/bin/containerd-shim-runc-v2".into(),
            argv: "containerd-shim-runc-v2\0".into(),
            cwd: "/".into(),
            credentials: Credentials { login_uid: u32::MAX, ..Credentials::default() },
            ..Executed::default()
        };
        self.push(EventType::Execve, Some(shim.actor), EventKind::Executed(executed));
    }
}
