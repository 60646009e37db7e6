//! Remembers the first process of each container.
//!
//! What a container's first process starts does not belong together on that account; what someone
//! started beside it (`docker exec`) is an errand like any other. Both stand at the top of what is
//! known of their lineage, and only the runtime tells them apart.

use std::collections::{BTreeMap, VecDeque};

use clew_event::finding::ContainerFacts;
use clew_event::{ContainerId, Event, EventKind, ProcessKey};
use serde::{Deserialize, Serialize};

/// Pids of first processes, as the runtime told them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "VecDeque<(ContainerId, u32)>", into = "VecDeque<(ContainerId, u32)>")]
pub(crate) struct FirstProcesses {
    pids: BTreeMap<ContainerId, u32>,
    /// The same containers, the longest known first.
    by_age: VecDeque<ContainerId>,
}

impl From<VecDeque<(ContainerId, u32)>> for FirstProcesses {
    fn from(known: VecDeque<(ContainerId, u32)>) -> Self {
        let by_age = known.iter().map(|(id, _)| id.clone()).collect();
        Self { pids: known.into_iter().collect(), by_age }
    }
}

impl From<FirstProcesses> for VecDeque<(ContainerId, u32)> {
    fn from(first: FirstProcesses) -> Self {
        let FirstProcesses { pids, by_age } = first;
        by_age.into_iter().filter_map(|id| pids.get(&id).copied().map(|pid| (id, pid))).collect()
    }
}

impl FirstProcesses {
    /// Containers remembered; the longest known goes first.
    const CONTAINERS_MAX: usize = 4_096;

    pub(crate) fn observe(&mut self, event: &Event) {
        let EventKind::Container(container) = &event.kind else { return };
        let (Some(id), true) = (&container.id, 0 < container.pid) else { return };
        if self.pids.insert(id.clone(), container.pid).is_none() {
            self.by_age.push_back(id.clone());
        }
        if Self::CONTAINERS_MAX < self.by_age.len()
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.pids.remove(&oldest);
        }
        debug_assert_eq!(self.pids.len(), self.by_age.len());
    }

    /// True where the process, topmost of its lineage, was started beside the container's first.
    pub(crate) fn is_beside(
        &self,
        process: ProcessKey,
        container: Option<&ContainerFacts>,
    ) -> bool {
        let first = container.and_then(|container| self.pids.get(&container.id));
        first.is_some_and(|&first| first != process.pid)
    }
}

#[cfg(test)]
mod tests {
    use clew_event::container::ContainerEvent;
    use clew_event::{EventId, EventType, TimestampNs};

    use super::*;

    fn started(id: &str, pid: u32) -> Event {
        let id = Some(ContainerId(id.into()));
        let container = ContainerEvent { id, pid, ..ContainerEvent::default() };
        Event {
            id: EventId(1),
            time: TimestampNs::default(),
            arrived: TimestampNs::default(),
            event_type: EventType::Other,
            actor: None,
            kind: EventKind::Container(Box::new(container)),
        }
    }

    fn is_beside(first: &FirstProcesses, pid: u32, id: &str) -> bool {
        let id = ContainerId(id.into());
        let facts = ContainerFacts { id, name: "".into(), image: "".into(), pod: "".into() };
        first.is_beside(ProcessKey { pid, ..ProcessKey::default() }, Some(&facts))
    }

    #[test]
    fn only_a_process_of_a_known_container_is_beside_its_first() {
        let mut first = FirstProcesses::default();
        first.observe(&started("a", 10));
        assert!(!is_beside(&first, 10, "a"));
        assert!(is_beside(&first, 11, "a"));
        assert!(!is_beside(&first, 11, "b"));
        first.observe(&started("a", 11));
        assert!(is_beside(&first, 10, "a"));
    }

    #[test]
    fn remembers_at_most_containers_max() {
        let mut first = FirstProcesses::default();
        for container in 0..FirstProcesses::CONTAINERS_MAX + 1 {
            first.observe(&started(&container.to_string(), 1));
        }
        assert_eq!(first.pids.len(), FirstProcesses::CONTAINERS_MAX);
        assert!(!is_beside(&first, 2, "0"));
    }
}
