//! Remembers which processes take connections or requests, and so act for many.
//!
//! What descends from a server does not belong together on that account: the shell of an honest
//! request has the same parent as the shell of an attack. A process that takes a new program is a
//! new process in this respect.

use std::collections::{BTreeSet, VecDeque};

use clew_event::socket::SocketOperation;
use clew_event::{Event, EventKind, ProcessKey};
use serde::{Deserialize, Serialize};

/// Processes that listen, have accepted a connection or have read a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "VecDeque<ProcessKey>", into = "VecDeque<ProcessKey>")]
pub(crate) struct Servers {
    known: BTreeSet<ProcessKey>,
    /// The same, the longest known first.
    by_age: VecDeque<ProcessKey>,
}

impl From<VecDeque<ProcessKey>> for Servers {
    fn from(by_age: VecDeque<ProcessKey>) -> Self {
        Self { known: by_age.iter().copied().collect(), by_age }
    }
}

impl From<Servers> for VecDeque<ProcessKey> {
    fn from(servers: Servers) -> Self {
        servers.by_age
    }
}

impl Servers {
    /// How many are remembered; the longest known goes first. 24 bytes each.
    pub(crate) const SERVERS_MAX: usize = 16_384;

    pub(crate) fn observe(&mut self, event: &Event) {
        let Some(actor) = event.actor else { return };
        match &event.kind {
            EventKind::Socket(socket)
                if matches!(
                    socket.operation,
                    SocketOperation::Listen | SocketOperation::Accept
                ) && 0 <= socket.result =>
            {
                self.insert(actor.process);
            }
            EventKind::Http(http) if http.is_inbound => self.insert(actor.process),
            EventKind::Executed(_) => self.remove(actor.process),
            _ => {}
        }
    }

    pub(crate) fn has(&self, process: ProcessKey) -> bool {
        self.known.contains(&process)
    }

    fn insert(&mut self, process: ProcessKey) {
        if !self.known.insert(process) {
            return;
        }
        self.by_age.push_back(process);
        if Self::SERVERS_MAX < self.by_age.len()
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.known.remove(&oldest);
        }
        debug_assert_eq!(self.known.len(), self.by_age.len());
    }

    fn remove(&mut self, process: ProcessKey) {
        if self.known.remove(&process) {
            self.by_age.retain(|other| *other != process);
        }
    }
}

#[cfg(test)]
mod tests {
    use clew_event::process::Executed;
    use clew_event::socket::SocketEvent;
    use clew_event::{Actor, EventId, EventType, TimestampNs};

    use super::*;

    fn by(pid: u32, kind: EventKind) -> Event {
        let process = ProcessKey { pid, ..ProcessKey::default() };
        Event {
            id: EventId(1),
            time: TimestampNs::default(),
            arrived: TimestampNs::default(),
            event_type: EventType::Other,
            actor: Some(Actor { process, ..Actor::default() }),
            kind,
        }
    }

    fn accepts(pid: u32, result: i64) -> Event {
        let operation = SocketOperation::Accept;
        by(pid, EventKind::Socket(SocketEvent { operation, result, ..SocketEvent::default() }))
    }

    #[test]
    fn a_process_serves_from_its_first_connection_until_its_next_program() {
        let process = ProcessKey { pid: 7, ..ProcessKey::default() };
        let mut servers = Servers::default();
        servers.observe(&accepts(7, -11));
        assert!(!servers.has(process));
        servers.observe(&accepts(7, 5));
        assert!(servers.has(process));
        servers.observe(&by(7, EventKind::Executed(Executed::default())));
        assert!(!servers.has(process));
    }

    #[test]
    fn remembers_at_most_servers_max() {
        let mut servers = Servers::default();
        let max = u32::try_from(Servers::SERVERS_MAX).unwrap();
        for pid in 0..max + 10 {
            servers.observe(&accepts(pid, 5));
        }
        assert_eq!(servers.known.len(), Servers::SERVERS_MAX);
        assert!(!servers.has(ProcessKey { pid: 9, ..ProcessKey::default() }));
        assert!(servers.has(ProcessKey { pid: 10, ..ProcessKey::default() }));
    }
}
