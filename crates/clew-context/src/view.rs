//! One event, seen through the state at its moment.
//!
//! A view borrows everything: making one costs nothing, and a field is looked up when a rule asks
//! for it. Process and container are found once and remembered.

use std::cell::OnceCell;

use clew_event::container::ContainerEvent;
use clew_event::json::Json;
use clew_event::kernel::NodeStarted;
use clew_event::{
    CgroupId, ContainerId, Event, EventKind, FieldArgument, FieldId, FieldSource, FieldValue,
    ProcessKey, Text,
};

use crate::container::Accounts;
use crate::context::Context;
use crate::domain::Scope;
use crate::fields;
use crate::process::{Image, Process};

/// One event with its surroundings; answers for every field that rules can name.
#[derive(Debug)]
pub struct View<'a> {
    pub(crate) context: &'a Context,
    pub(crate) event: &'a Event,
    process: OnceCell<Option<&'a Process>>,
    container_id: OnceCell<Option<&'a ContainerId>>,
    container: OnceCell<Option<&'a ContainerEvent>>,
    record: OnceCell<Option<Box<Json<'a>>>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(context: &'a Context, event: &'a Event) -> Self {
        Self {
            context,
            event,
            process: OnceCell::new(),
            container_id: OnceCell::new(),
            container: OnceCell::new(),
            record: OnceCell::new(),
        }
    }

    /// The event itself.
    #[must_use]
    pub fn event(&self) -> &'a Event {
        self.event
    }

    /// The process that acted, where its start was seen.
    #[must_use]
    pub fn process(&self) -> Option<&'a Process> {
        let find = || self.context.process(&self.key()?);
        *self.process.get_or_init(find)
    }

    /// Adds the requests that may be the cause of the event, as [`Context::causes`] does.
    pub fn causes(&self, causes: &mut Vec<crate::requests::Cause>) {
        self.context.causes(self.event, causes);
    }

    /// The key of the process that acted, also where nothing else is known of it.
    #[must_use]
    pub fn key(&self) -> Option<ProcessKey> {
        self.event.actor.map(|actor| actor.process)
    }

    /// The container in which the process acted; `None` on the host.
    #[must_use]
    pub fn container_id(&self) -> Option<&'a ContainerId> {
        let find = || match &self.event.kind {
            EventKind::Container(container) => container.id.as_ref(),
            EventKind::NodeStarted(_)
            | EventKind::Forked(_)
            | EventKind::Executed(_)
            | EventKind::Running(_)
            | EventKind::Exited(_)
            | EventKind::File(_)
            | EventKind::Socket(_)
            | EventKind::Descriptor(_)
            | EventKind::Dns(_)
            | EventKind::Privilege(_)
            | EventKind::Kernel(_)
            | EventKind::Cgroup(_)
            | EventKind::Account(_)
            | EventKind::Http(_)
            | EventKind::KubernetesApi(_)
            | EventKind::CloudApi(_)
            | EventKind::Lost(_)
            | EventKind::ExecFailed(_)
            | EventKind::Query(_)
            | EventKind::Stack(_) => self.context.container_of(self.cgroup()?),
        };
        *self.container_id.get_or_init(find)
    }

    /// What the runtime told of that container; `None` on the host, and until it told.
    #[must_use]
    pub fn container(&self) -> Option<&'a ContainerEvent> {
        let find = || self.context.container(self.container_id()?)?.facts.as_ref();
        *self.container.get_or_init(find)
    }

    /// The record of an API call, with the index its decoder made, else indexed on first use; `None`
    /// where there is none, or where it is no JSON (what decoders let through is).
    pub(crate) fn record(&self) -> Option<&Json<'a>> {
        let read = || self.event.api_call()?.json().map(Box::new);
        self.record.get_or_init(read).as_deref()
    }

    /// Name of the machine; empty where its start was not seen, and for what no machine saw (a
    /// call to an API).
    #[must_use]
    pub fn hostname(&self) -> Text {
        self.boot().map_or_else(Text::default, |boot| boot.hostname.clone())
    }

    pub(crate) fn boot(&self) -> Option<&'a NodeStarted> {
        match self.event.actor {
            Some(actor) => self.context.boot(actor.process.boot),
            None if self.event.api_call().is_some() => None,
            None => self.context.last_boot(),
        }
    }

    /// The cgroup in which the process acted: as the event says, where that cgroup is known; else
    /// the one the process last executed in.
    pub(crate) fn cgroup(&self) -> Option<CgroupId> {
        let now = self.event.actor.map(|actor| actor.cgroup)?;
        if self.context.cgroups.get(now).is_some() {
            return Some(now);
        }
        Some(self.process().map_or(now, |process| process.cgroup))
    }

    /// Whose domain names the acting process sees; `None` where nobody acted.
    pub(crate) fn scope(&self) -> Option<Scope> {
        Some(Scope { boot: self.key()?.boot, container: self.container_id().cloned() })
    }

    /// True where Falco's answer is asked for.
    pub(crate) fn is_falco(&self) -> bool {
        self.context.semantics.is_falco()
    }

    pub(crate) fn image(&self) -> Option<&'a Image> {
        self.process()?.image.as_deref()
    }

    pub(crate) fn accounts(&self) -> Option<&'a Accounts> {
        self.context.containers.accounts(self.container_id())
    }
}

impl FieldSource for View<'_> {
    fn field(&self, id: FieldId, argument: &FieldArgument) -> FieldValue<'_> {
        fields::value(self, id, argument)
    }
}
