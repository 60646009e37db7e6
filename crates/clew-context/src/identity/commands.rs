//! Commands that were asked of a cluster's API, and the processes that they became.
//!
//! The audit log tells who asked, the kernel what was started; both name pod, container and
//! arguments. Either may come first, by as much as the log is late, so both wait for the other.
//! Only what a runtime starts in a container waits: few of a machine's processes.

use std::collections::BTreeSet;
use std::time::Duration;

use clew_event::container::ContainerEvent;
use clew_event::{ContainerId, EventId, ProcessKey, Text, TimestampNs};
use serde::{Deserialize, Serialize};

use super::binding::{Class, Relation};
use super::key::Identity;
use crate::bounded::Bounded;
use crate::fair::Fair;

/// Most pods, and most containers whose pod is not told yet, for which something waits.
pub const WAITING_PODS_MAX: usize = 4096;
/// Most commands and most starts that wait for one pod, the newest.
pub const WAITING_MAX: usize = 32;

/// How much earlier than the command the process may start, by clocks of two machines.
const BEFORE: Duration = Duration::from_millis(200);
/// How much later.
const AFTER: Duration = Duration::from_secs(5);

/// A command that was asked for in a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Asked {
    pub time: TimestampNs,
    pub event: EventId,
    pub caller: Identity,
    /// Empty where the caller named none.
    pub container: Text,
    /// Arguments, each ended by a NUL byte.
    pub command: Text,
}

/// A process that the runtime started in a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Start {
    pub time: TimestampNs,
    pub event: EventId,
    pub process: ProcessKey,
    /// Arguments, each ended by a NUL byte.
    pub command: Text,
}

/// The pod and the container in it that a container of the runtime is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub namespace: Text,
    pub pod: Text,
    pub uid: Text,
    pub container: Text,
}

impl Start {
    pub(crate) fn of(event: EventId, time: TimestampNs, process: ProcessKey, argv: &Text) -> Self {
        let is_ended = argv.is_empty() || argv.as_bytes().ends_with(&[0]);
        let command = if is_ended { argv.clone() } else { [argv.as_bytes(), &[0]].concat().into() };
        Self { time, event, process, command }
    }
}

impl Place {
    /// `None` where the container is in no pod, as far as its runtime tells.
    pub(crate) fn of(container: &ContainerEvent) -> Option<Self> {
        let label = |name: &str| {
            let label = container.labels.get(name);
            label.cloned().unwrap_or_default()
        };
        let place = Self {
            namespace: label("io.kubernetes.pod.namespace"),
            pod: label("io.kubernetes.pod.name"),
            uid: label("io.kubernetes.pod.uid"),
            container: label("io.kubernetes.container.name"),
        };
        (!place.pod.is_empty()).then_some(place)
    }
}

/// Both halves of a pair, and how sure it is.
pub(super) struct Pair {
    pub asked: Asked,
    pub start: Start,
    pub place: Place,
    pub class: Class,
}

impl Pair {
    pub(super) const RELATION: Relation = Relation::StartedBy;
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Waiting {
    asked: BTreeSet<Asked>,
    starts: BTreeSet<(Start, Place)>,
}

/// What waits for its other half.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Commands {
    /// By namespace and name: no namespace pushes out what waits in another.
    pods: Fair<Text, Text, Waiting>,
    /// Starts in containers whose pod is not told yet.
    unplaced: Bounded<ContainerId, BTreeSet<Start>>,
    dropped: u64,
}

impl Default for Commands {
    fn default() -> Self {
        Self {
            pods: Fair::new(WAITING_PODS_MAX),
            unplaced: Bounded::new(WAITING_PODS_MAX),
            dropped: 0,
        }
    }
}

impl Commands {
    /// A command was asked for; gives the processes that may be it.
    pub(super) fn ask(&mut self, namespace: &Text, pod: &Text, asked: Asked) -> Vec<Pair> {
        let key = (namespace.clone(), pod.clone());
        let Some(waiting) = self.pods.or_default(&key) else { return Vec::new() };
        if waiting.asked.contains(&asked) {
            return Vec::new();
        }
        let starts = waiting.starts.iter();
        let pairs = starts.filter_map(|(start, place)| pair(&asked, start, place)).collect();
        keep(&mut waiting.asked, asked, &mut self.dropped);
        pairs
    }

    /// A process was started; gives the commands that it may be.
    pub(super) fn start(&mut self, place: &Place, start: Start) -> Vec<Pair> {
        let key = (place.namespace.clone(), place.pod.clone());
        let Some(waiting) = self.pods.or_default(&key) else { return Vec::new() };
        let start = (start, place.clone());
        if waiting.starts.contains(&start) {
            return Vec::new();
        }
        let pairs = waiting.asked.iter().filter_map(|asked| pair(asked, &start.0, place)).collect();
        keep(&mut waiting.starts, start, &mut self.dropped);
        pairs
    }

    /// A process was started in a container of which the runtime has not told yet.
    pub(super) fn start_unplaced(&mut self, container: &ContainerId, start: Start) {
        keep(self.unplaced.or_default(container), start, &mut self.dropped);
    }

    /// The runtime told of a container; gives what waited for it.
    pub(super) fn placed(&mut self, container: &ContainerId) -> BTreeSet<Start> {
        self.unplaced.remove(container).unwrap_or_default()
    }

    /// How many halves were given up.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped + self.pods.evicted() + self.unplaced.evicted()
    }

    #[cfg(test)]
    pub(super) fn lengths(&self) -> (usize, usize) {
        (self.pods.len(), self.unplaced.len())
    }
}

fn keep<T: Ord>(set: &mut BTreeSet<T>, new: T, dropped: &mut u64) {
    set.insert(new);
    if WAITING_MAX < set.len() {
        set.pop_first();
        *dropped = dropped.saturating_add(1);
    }
}

fn pair(asked: &Asked, start: &Start, place: &Place) -> Option<Pair> {
    let is_near = asked.time <= start.time.after(BEFORE) && start.time <= asked.time.after(AFTER);
    let is_there = asked.container.is_empty() || asked.container == place.container;
    let is_equal = asked.command == start.command;
    let class = if is_equal { Class::Causal } else { Class::Shared };
    (is_near && is_there).then(|| Pair {
        asked: asked.clone(),
        start: start.clone(),
        place: place.clone(),
        class,
    })
}

/// Arguments with each ended by a NUL byte.
pub(super) fn ended_by_nul(arguments: &[Text]) -> Text {
    let mut joined = Vec::new();
    for argument in arguments {
        joined.extend_from_slice(argument.as_bytes());
        joined.push(0);
    }
    joined.into()
}
