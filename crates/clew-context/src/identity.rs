//! Who acts with whose rights: credentials, sessions and people, and what ties them together.
//!
//! An attack changes its name at every step: a process takes the key of its pod, the key opens a
//! session, the session makes a user. Each record that tells of such a step becomes a binding with
//! its evidence; [`Identities::root_of`] follows them back to the process, workload or person.
//!
//! Reading order: [`key`] (one name for one identity), [`binding`], [`graph`] (what is kept and how
//! long), `origins` (who goes first), `claims` (records into bindings), `callers` (who calls again),
//! `commands` (`kubectl exec` and its process), [`lineage`] (the answer), and for rules `sketch`, [`habits`] and `judged`.
//!
//! Invariant: what is known after a set of records does not depend on the order in which they
//! came, as long as no bound was met; a record that comes twice counts once.

pub mod binding;
mod callers;
mod claims;
pub mod commands;
pub mod counted;
pub mod graph;
pub mod habits;
pub mod judged;
pub mod key;
pub mod lineage;
mod origins;
mod sketch;

use std::collections::BTreeSet;
use std::time::Duration;

use clew_event::control_plane::{ApiCall, Claim};
use clew_event::{ContainerId, Event, EventId, ProcessKey, Text, TimestampNs};
use serde::{Deserialize, Serialize};

use binding::{Class, Relation};
use callers::Callers;
use claims::Witness;
use commands::{Commands, Pair, Place, Start};
use counted::Counted;
use graph::{Graph, IDENTITIES_MAX};
use judged::Judged;
use key::{Identity, IdentityKind};

/// How long after its end a credential is still taken for valid: records are late.
pub(crate) const GRACE: Duration = Duration::from_secs(30 * 60);
/// How much earlier than its making a credential may be used, by clocks of two machines.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(2);

/// A credential that a workload was seen to get, before it is used.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// Its public id.
    pub credential: Text,
    /// The process that got it.
    pub process: Option<ProcessKey>,
    /// The container of that process.
    pub container: Option<ContainerId>,
    /// Uid of the pod of that container, or `namespace/name`; empty where it is in none.
    pub pod: Text,
    /// When it ends.
    pub expires: Option<TimestampNs>,
    /// The event that shows it.
    pub event: EventId,
    /// When.
    pub time: TimestampNs,
}

/// A process that the API of a cluster was asked to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartedBy {
    /// The process.
    pub process: ProcessKey,
    /// When it started.
    pub time: TimestampNs,
    /// The event that shows its start.
    pub event: EventId,
    /// The call that asked for it.
    pub asked: EventId,
}

/// All identities, and what is remembered of each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identities {
    graph: Graph,
    commands: Commands,
    counted: Counted,
    #[serde(skip)]
    callers: Callers,
    #[serde(skip)]
    judged: Option<Box<Judged>>,
    /// Starts for which the last event showed who asked.
    #[serde(skip)]
    started: Vec<StartedBy>,
    /// Identities known before the last event told of their making.
    #[serde(skip)]
    late: Vec<Identity>,
}

/// Who called, by the one name that the identity has in every log.
pub(crate) fn principal_name(call: &ApiCall) -> Text {
    Identity::principal(call, &call.principal).map_or_else(Text::default, |of| of.name)
}

/// What a call handed out or made, where it was granted.
pub(crate) fn minted_by(call: &ApiCall) -> impl Iterator<Item = Identity> {
    call.claims.iter().filter(|_| call.error.is_empty()).filter_map(|claim| match claim {
        Claim::Minted(minted) => claims::identity_made(call, minted),
        _ => None,
    })
}

impl Default for Identities {
    fn default() -> Self {
        Self::new(IDENTITIES_MAX)
    }
}

impl Identities {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(identities_max: usize) -> Self {
        Self {
            graph: Graph::new(identities_max),
            commands: Commands::default(),
            counted: Counted::default(),
            callers: Callers::default(),
            judged: None,
            started: Vec::new(),
            late: Vec::new(),
        }
    }

    /// How many identities are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.graph.len()
    }

    /// True where nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Identities, bindings and commands that were given up for want of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.graph.evicted() + self.graph.bindings_dropped() + self.commands.dropped()
    }

    /// Takes out the starts for which the last event showed who asked.
    pub(crate) fn take_started(&mut self) -> Vec<StartedBy> {
        std::mem::take(&mut self.started)
    }

    /// Takes out the identities that were known before the last event told of their making.
    pub(crate) fn take_late(&mut self) -> Vec<Identity> {
        std::mem::take(&mut self.late)
    }

    /// Ties what was made to its maker. Where it acted before, what it did may mean more now.
    fn tie_made(
        &mut self,
        child: &Identity,
        relation: Relation,
        maker: &Identity,
        at: &Witness<'_>,
    ) {
        if self.graph.get(child).is_some() && self.maker(child).is_none() {
            self.late.push(child.clone());
        }
        self.tie(child, (relation, Class::Causal), maker, at);
    }

    /// Takes in one call to an API.
    pub(crate) fn observe(&mut self, event: &Event, call: &ApiCall) {
        self.late.clear();
        let caller = self.callers.of(call);
        let witness = Witness::of(self, (call, &caller), (event.id, event.time));
        self.bind_all(call, &caller, &witness);
        let judged = self.judge(call, &caller, &witness);
        match &mut self.judged {
            Some(before) => **before = judged,
            None => self.judged = Some(Box::new(judged)),
        }
    }

    /// What was known before that event, where it is the last call that was taken in.
    pub(crate) fn judged(&self, event: EventId) -> Option<&Judged> {
        self.judged.as_deref().filter(|judged| judged.event == event)
    }

    /// Remembers a credential that a workload got, so that its first use finds whose it is.
    pub fn register_pending(&mut self, pending: &Pending) {
        self.late.clear();
        let Pending { credential, event, time, .. } = pending;
        let (event, time, counts) = (*event, *time, self.counted.is_first(*event));
        let container = pending.container.as_ref();
        let origin = container.map_or_else(Text::default, |id| id.0.as_bytes().into());
        let (until, origin) = (pending.expires, &origin);
        let mut witness = Witness { event, time, counts, shared: None, until, origin };
        let holders = [
            pending.process.map(|key| Identity::new(IdentityKind::Process, key.to_string())),
            container.map(|id| Identity::new(IdentityKind::Container, id.0.as_bytes())),
            Identity::named(IdentityKind::Pod, &pending.pod),
        ];
        let mut child = Identity::new(IdentityKind::Credential, credential.clone());
        let mut relation = Relation::Fetched;
        for holder in holders.into_iter().flatten() {
            match relation {
                Relation::Fetched => self.tie_made(&child, relation, &holder, &witness),
                _ => self.tie(&child, (relation, Class::Causal), &holder, &witness),
            }
            (child, relation, witness.until) = (holder, Relation::RunsIn, None);
        }
    }

    /// A runtime started a process in a container; `place` is its pod, where that is known.
    pub(crate) fn start(&mut self, container: &ContainerId, place: Option<&Place>, start: Start) {
        match place {
            Some(place) => {
                let pairs = self.commands.start(place, start);
                self.bind_pairs(pairs);
            }
            None => self.commands.start_unplaced(container, start),
        }
    }

    /// The runtime told in which pod a container is, or that it is in none.
    pub(crate) fn place(&mut self, container: &ContainerId, place: Option<&Place>) {
        let starts: BTreeSet<Start> = self.commands.placed(container);
        let Some(place) = place else { return };
        for start in starts {
            let pairs = self.commands.start(place, start);
            self.bind_pairs(pairs);
        }
    }

    fn bind_pairs(&mut self, pairs: Vec<Pair>) {
        for Pair { asked, start, place, class } in pairs {
            if class == Class::Causal {
                let (process, time, event) = (start.process, start.time, start.event);
                self.started.push(StartedBy { process, time, event, asked: asked.event });
            }
            let process = Identity::new(IdentityKind::Process, start.process.to_string());
            let [asking, starting] =
                [(asked.event, asked.time), (start.event, start.time)].map(|(event, time)| {
                    let (shared, until, origin) = (None, None, &place.namespace);
                    Witness { event, time, counts: true, shared, until, origin }
                });
            self.tie(&process, (Pair::RELATION, class), &asked.caller, &asking);
            let pod = Identity::named(IdentityKind::Pod, &place.uid)
                .or_else(|| Identity::pod(&place.namespace, &place.pod));
            if let Some(pod) = pod {
                self.tie(&process, (Relation::RunsIn, Class::Identity), &pod, &starting);
            }
        }
    }
}

#[cfg(test)]
mod tests;
