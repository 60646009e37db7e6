//! The state as a whole: what each event changes in it, and how large it may become.

use clew_event::container::ContainerEvent;
use clew_event::file::FileOperation;
use clew_event::http::HttpEvent;
use clew_event::kernel::NodeStarted;
use clew_event::process::Executed;
use clew_event::{
    Actor, BootId, CgroupId, ContainerId, Event, EventId, EventKind, ProcessKey, Semantics, Text,
    TimestampNs,
};
use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroups;
use crate::container::{Container, Containers};
use crate::domain::{Domains, Scope};
use crate::factors::Factors;
use crate::identity::commands::{Place, Start};
use crate::identity::graph::IDENTITIES_MAX;
use crate::identity::judged::Judged;
use crate::identity::key::Identity;
use crate::identity::{Identities, Pending, StartedBy};
use crate::process::Process;
use crate::processes::Processes;
use crate::requests::{Cause, REQUESTS_MAX, Requests};
use crate::stacks::Stacks;
use crate::view::View;

/// Most processes, alive or kept, that are known at once: twice the default `pid_max` of a
/// machine, and at about 400 bytes each at most 26 MiB beside their command lines.
pub const PROCESSES_MAX: usize = 65_536;
/// Most cgroups: a machine with 1,000 containers under systemd has about 5,000.
pub const CGROUPS_MAX: usize = 16_384;
/// Most containers, running or kept: a Kubernetes node runs at most a few hundred.
pub const CONTAINERS_MAX: usize = 4_096;
/// Most addresses with a domain name.
pub const DOMAINS_MAX: usize = 16_384;
/// Most boots (of one machine or several) that one stream tells of.
pub const BOOTS_MAX: usize = 64;

/// How large each table may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processes.
    pub processes_max: usize,
    /// Cgroups.
    pub cgroups_max: usize,
    /// Containers.
    pub containers_max: usize,
    /// Addresses with a domain name.
    pub domains_max: usize,
    /// Credentials, workloads, people.
    pub identities_max: usize,
    /// Requests in flight.
    pub requests_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            processes_max: PROCESSES_MAX,
            cgroups_max: CGROUPS_MAX,
            containers_max: CONTAINERS_MAX,
            domains_max: DOMAINS_MAX,
            identities_max: IDENTITIES_MAX,
            requests_max: REQUESTS_MAX,
        }
    }
}

/// How much is kept, and what had to be given up for want of room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events observed.
    pub events: u64,
    /// Processes kept.
    pub processes: usize,
    /// Cgroups kept.
    pub cgroups: usize,
    /// Containers kept.
    pub containers: usize,
    /// Addresses with a domain name.
    pub domains: usize,
    /// Processes given up.
    pub processes_evicted: u64,
    /// Cgroups given up.
    pub cgroups_evicted: u64,
    /// Containers given up.
    pub containers_evicted: u64,
    /// Addresses with domain names, and single names, given up.
    pub domains_evicted: u64,
    /// Actors with a refused second factor given up.
    #[serde(default)]
    pub refused_actors_evicted: u64,
    /// Credentials, workloads, people.
    #[serde(default)]
    pub identities: usize,
    /// Identities, and what ties them, given up.
    #[serde(default)]
    pub identities_dropped: u64,
    /// Requests in flight.
    #[serde(default)]
    pub requests: usize,
    /// Answered requests because of which a process was made that still runs.
    #[serde(default)]
    pub requests_held: usize,
    /// Requests given up for want of room, in flight or held, and processes whose causes were.
    #[serde(default)]
    pub requests_dropped: u64,
    /// Users and groups not kept.
    pub accounts_dropped: u64,
    /// Command lines and paths that were cut.
    pub texts_cut: u64,
    /// Starts of machines not kept.
    pub boots_dropped: u64,
}

/// Everything that later events are seen through.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Context {
    events: u64,
    #[serde(default)]
    pub(crate) semantics: Semantics,
    boots: Vec<NodeStarted>,
    boots_dropped: u64,
    pub(crate) processes: Processes,
    pub(crate) cgroups: Cgroups,
    pub(crate) containers: Containers,
    pub(crate) domains: Domains,
    #[serde(default)]
    pub(crate) factors: Factors,
    #[serde(default)]
    pub(crate) identities: Identities,
    #[serde(default)]
    pub(crate) requests: Requests,
    #[serde(default)]
    pub(crate) stacks: Stacks,
}

impl Default for Context {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Context {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            events: 0,
            semantics: Semantics::default(),
            boots: Vec::new(),
            boots_dropped: 0,
            processes: Processes::new(limits.processes_max),
            cgroups: Cgroups::new(limits.cgroups_max),
            containers: Containers::new(limits.containers_max),
            domains: Domains::new(limits.domains_max),
            factors: Factors::default(),
            identities: Identities::new(limits.identities_max),
            requests: Requests::new(limits.requests_max),
            stacks: Stacks::default(),
        }
    }

    /// Follows Clew or Falco from the next event on. Begins with Clew.
    pub fn set_semantics(&mut self, semantics: Semantics) {
        self.semantics = semantics;
    }

    /// Takes in one event. Called before the event is viewed: an exec is seen as what it became.
    pub fn observe(&mut self, event: &Event) {
        self.events += 1;
        self.requests.observe(event);
        self.stacks.observe(event);
        match (&event.kind, &event.actor) {
            (EventKind::NodeStarted(started), _) if started.goes_on() => {}
            (EventKind::NodeStarted(started), _) => self.start(started, event.time),
            (EventKind::Forked(forked), Some(actor)) => {
                self.processes.fork(actor, forked, event.time);
            }
            (EventKind::Executed(executed), Some(actor)) => {
                self.domains.observe_environment(&self.scope(actor), executed);
                self.processes.execute(actor, executed, Some(event.id));
                self.note_start(event, actor, executed);
            }
            (EventKind::Running(running), Some(actor)) => {
                self.domains.observe_environment(&self.scope(actor), running);
                self.processes.execute(actor, running, None);
            }
            (EventKind::Exited(exited), Some(actor)) if !exited.is_thread => {
                if self.semantics.is_falco() {
                    self.processes.hand_on(&actor.process, exited.reaper);
                }
                self.processes.exit(&actor.process, event.time);
            }
            (EventKind::File(file), Some(actor))
                if file.operation == FileOperation::ChangeDirectory && file.result == 0 =>
            {
                self.processes.change_directory(&actor.process, &file.path);
            }
            (EventKind::Privilege(privilege), Some(actor)) => {
                self.processes.change_privilege(&actor.process, event.event_type, privilege);
            }
            (EventKind::Dns(message), Some(actor)) => {
                self.domains.observe(&self.scope(actor), message, event.time);
            }
            (EventKind::Cgroup(cgroup), _) => self.cgroups.observe(cgroup),
            (EventKind::Container(container), _) => self.note_container(container),
            // Falco forgets who is in a container's files when it replays a capture.
            (EventKind::Account(account), _)
                if self.semantics.is_falco()
                    && account.container.is_some()
                    && event.id.capture_number().is_some() => {}
            (EventKind::Account(account), _) => self.containers.observe_account(account),
            (EventKind::CloudApi(call), _) => {
                self.factors.observe(call, event.time);
                self.identities.observe(event, call);
            }
            (EventKind::KubernetesApi(call), _) => self.identities.observe(event, call),
            (EventKind::Http(http), Some(actor)) => self.note_issued(event, actor, http),
            (
                EventKind::Forked(_)
                | EventKind::Executed(_)
                | EventKind::Running(_)
                | EventKind::Exited(_)
                | EventKind::Privilege(_)
                | EventKind::File(_)
                | EventKind::Socket(_)
                | EventKind::Descriptor(_)
                | EventKind::Dns(_)
                | EventKind::Kernel(_)
                | EventKind::Http(_)
                | EventKind::Lost(_)
                | EventKind::ExecFailed(_)
                | EventKind::Query(_)
                | EventKind::Stack(_),
                _,
            ) => {}
        }
    }

    /// Shows an event that was observed, under the names that rules use.
    #[must_use]
    pub fn view<'a>(&'a self, event: &'a Event) -> View<'a> {
        View::new(self, event)
    }

    /// How much is kept, and what had to be given up.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            events: self.events,
            processes: self.processes.len(),
            cgroups: self.cgroups.len(),
            containers: self.containers.len(),
            domains: self.domains.len(),
            processes_evicted: self.processes.evicted(),
            cgroups_evicted: self.cgroups.evicted(),
            containers_evicted: self.containers.evicted(),
            domains_evicted: self.domains.evicted(),
            refused_actors_evicted: self.factors.evicted(),
            identities: self.identities.len(),
            identities_dropped: self.identities.dropped(),
            requests: self.requests.open_count(),
            requests_held: self.requests.held_count(),
            requests_dropped: self.requests.dropped(),
            accounts_dropped: self.containers.accounts_dropped(),
            texts_cut: self.processes.texts_cut(),
            boots_dropped: self.boots_dropped,
        }
    }

    /// Requests given up for want of room, and processes whose causes were.
    #[must_use]
    pub fn requests_dropped(&self) -> u64 {
        self.requests.dropped()
    }

    /// Who acts with whose rights.
    #[must_use]
    pub fn identities(&self) -> &Identities {
        &self.identities
    }

    /// Remembers a credential that a workload got, so that its first use finds whose it is.
    pub fn register_pending(&mut self, pending: &Pending) {
        self.identities.register_pending(pending);
    }

    /// Adds the requests that may be the cause of an observed event, at most [`CAUSES_MAX`] and
    /// with probabilities that sum to 1 at most; none for a request that came in.
    ///
    /// [`CAUSES_MAX`]: crate::requests::CAUSES_MAX
    pub fn causes(&self, event: &Event, causes: &mut Vec<Cause>) {
        self.requests.causes(event, causes);
    }

    /// The event that told a request in flight, or one because of which a process still runs, to be
    /// kept as evidence; once.
    pub fn give_request(&mut self, exchange: EventId) -> Option<Event> {
        self.requests.give(exchange)
    }

    /// Whether a process handles a request, or was made because of one: what it does may be an
    /// effect.
    #[must_use]
    pub fn may_act_for_a_request(&self, process: &ProcessKey) -> bool {
        self.requests.concern(process)
    }

    /// What is known of a process, alive or kept.
    #[must_use]
    pub fn process(&self, key: &ProcessKey) -> Option<&Process> {
        self.processes.get(key)
    }

    /// The container that a cgroup belongs to; `None` for the host and where it is not known.
    #[must_use]
    pub fn container_of(&self, cgroup: CgroupId) -> Option<&ContainerId> {
        self.cgroups.get(cgroup)?.container.as_ref()
    }

    /// Whose domain names `actor` sees.
    fn scope(&self, actor: &Actor) -> Scope {
        let container = self.container_of(actor.cgroup).cloned();
        Scope { boot: actor.process.boot, container }
    }

    pub(crate) fn container(&self, id: &ContainerId) -> Option<&Container> {
        self.containers.get(id)
    }

    pub(crate) fn boot(&self, boot: BootId) -> Option<&NodeStarted> {
        self.boots.iter().find(|started| started.boot == boot)
    }

    /// The machine that told of itself last.
    pub(crate) fn last_boot(&self) -> Option<&NodeStarted> {
        self.boots.last()
    }

    /// When a process started, by the clock of its machine.
    pub(crate) fn started(&self, key: &ProcessKey) -> Option<TimestampNs> {
        let boot = self.boot(key.boot)?;
        let start_ns = (key.start_ns != 0).then_some(key.start_ns)?;
        Some(TimestampNs::from_unix_ns(boot.boot_unix_ns.saturating_add(start_ns)))
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// Takes out the processes of which it became known, since this was last asked, that a cluster's
    /// API was asked to start them.
    pub fn take_started(&mut self) -> Vec<StartedBy> {
        self.identities.take_started()
    }

    /// Takes out the identities that were known before the last event told of their making.
    pub fn take_late(&mut self) -> Vec<Identity> {
        self.identities.take_late()
    }

    /// Shows an earlier call again as it was judged then, but for what is known now of whose its
    /// credential is. Until the next call is observed.
    pub fn judge_again(&mut self, event: &Event, judged: Judged) {
        if let Some(call) = event.api_call() {
            self.identities.judge_again(call, event.time, judged);
        }
    }

    /// Uid of a container's pod, or `namespace/name`; empty where it is in none.
    pub(crate) fn pod_of(&self, container: &ContainerId) -> Text {
        let told = self.container(container).and_then(|container| container.facts.as_ref());
        let Some(place) = told.and_then(Place::of) else { return Text::default() };
        match place.uid.is_empty() {
            true => [place.namespace.as_bytes(), place.pod.as_bytes()].join(&b'/').into(),
            false => place.uid,
        }
    }

    /// A process was handed a credential: whoever uses it later, in a cloud's audit log, is that
    /// process.
    fn note_issued(&mut self, event: &Event, actor: &Actor, http: &HttpEvent) {
        let issued = http.response.as_deref().and_then(|response| response.issued.as_deref());
        let Some(issued) = issued.filter(|_| !http.is_inbound) else { return };
        let container = self.container_of(actor.cgroup).cloned();
        let pod = container.as_ref().map_or_else(Text::default, |id| self.pod_of(id));
        self.identities.register_pending(&Pending {
            credential: issued.id.clone(),
            process: Some(actor.process),
            container,
            pod,
            expires: issued.expires,
            event: event.id,
            time: event.time,
        });
    }

    fn note_container(&mut self, container: &ContainerEvent) {
        self.containers.observe(container);
        if let Some(id) = &container.id {
            self.identities.place(id, Place::of(container).as_ref());
        }
    }

    /// Keeps what a runtime started in a container, in case the cluster's API was asked for it: a
    /// process there whose parent is outside.
    fn note_start(&mut self, event: &Event, actor: &Actor, executed: &Executed) {
        let Some(container) = self.container_of(actor.cgroup) else { return };
        let parent = self.process(&actor.process).and_then(|process| process.parent);
        let Some(parent) = parent.and_then(|parent| self.process(&parent)) else { return };
        let facts = self.container(container).and_then(|container| container.facts.as_ref());
        let place = facts.and_then(Place::of);
        let is_of_no_pod = facts.is_some() && place.is_none();
        if is_of_no_pod || self.container_of(parent.cgroup) == Some(container) {
            return;
        }
        let start = Start::of(event.id, event.time, actor.process, &executed.argv);
        self.identities.start(&container.clone(), place.as_ref(), start);
    }

    fn start(&mut self, started: &NodeStarted, now: TimestampNs) {
        self.processes.restart(started.boot, now);
        self.cgroups.restart();
        self.containers.restart();
        self.boots.retain(|known| known.boot != started.boot);
        if BOOTS_MAX <= self.boots.len() {
            self.boots.remove(0);
            self.boots_dropped = self.boots_dropped.saturating_add(1);
        }
        self.boots.push(started.clone());
    }
}
