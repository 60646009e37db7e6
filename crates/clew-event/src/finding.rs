//! One detection, with the evidence and the sentence that explain it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{ContainerId, EventId, FindingId, ProcessKey};
use crate::text::Text;
use crate::time::TimestampNs;

/// How urgent a rule's author calls it; the eight levels of syslog, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Priority {
    /// The system is unusable.
    Emergency,
    /// Act at once.
    Alert,
    /// Critical.
    Critical,
    /// Error.
    Error,
    /// Warning.
    Warning,
    /// Normal, but worth a look.
    Notice,
    /// For information.
    Informational,
    /// For debugging rules.
    Debug,
}

impl Priority {
    /// Every level, most urgent first.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Informational,
        Self::Debug,
    ];

    /// The level's name as alerts carry it: `Warning`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency",
            Self::Alert => "Alert",
            Self::Critical => "Critical",
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Notice => "Notice",
            Self::Informational => "Informational",
            Self::Debug => "Debug",
        }
    }

    /// Surprisal, in bits, of a match of a rule with this priority, where nothing has been
    /// learned yet: a first guess of how rarely such a rule fires without an attack, on which
    /// profiles improve. Eight bits make a seed of a story.
    #[must_use]
    pub const fn bits(self) -> f64 {
        match self {
            Self::Emergency | Self::Alert | Self::Critical => 12.0,
            Self::Error => 10.0,
            Self::Warning => 8.0,
            Self::Notice => 5.0,
            Self::Informational => 3.0,
            Self::Debug => 1.0,
        }
    }
}

/// Kind of an [`Entity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// A process.
    Process,
    /// A container.
    Container,
    /// An image.
    Image,
    /// A machine.
    Node,
    /// A user.
    User,
    /// A file.
    File,
    /// The other end of a connection.
    Peer,
    /// A request to an application.
    Request,
    /// A pod.
    Pod,
    /// A cloud or cluster credential, by its public id.
    Credential,
    /// A cloud or cluster resource.
    Resource,
    /// A role that sessions are opened of.
    Role,
}

/// Something that a finding or story is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// Its id: process key, container id, path, address.
    pub id: String,
    /// How people call it.
    pub name: String,
}

/// One detection: a rule that matched, with what proves and explains it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Made from the rule and the events, so that a replay gives the same.
    pub id: FindingId,
    /// Time of the event that decided it.
    pub time: TimestampNs,
    /// Source of the rule: `syscall`, `k8s_audit`, …
    pub source: String,
    /// Name of the rule.
    pub rule: String,
    /// How urgent its author calls it.
    pub priority: Priority,
    /// ATT&CK techniques, such as `T1059.004`, in ascending order.
    pub techniques: Vec<String>,
    /// All tags of the rule, in ascending order.
    pub tags: Vec<String>,
    /// How surprising it is: 8 bits = once in 256 equal occasions.
    pub bits: f64,
    /// What it is about.
    pub entities: Vec<Entity>,
    /// The events that prove it, the deciding one first.
    pub events: Vec<EventId>,
    /// The rule's sentence with its fields filled in.
    pub output: String,
    /// The fields of that sentence with their values, as rules name them.
    pub output_fields: BTreeMap<String, serde_json::Value>,
    /// Host name of the machine.
    pub hostname: String,
    /// Who acted, and where.
    pub subject: Subject,
}

/// Who acted in a finding, with enough of its surroundings to join it to others and to tell it,
/// without asking the machine again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// The process that acted, then its parent, its grandparent and so on, at most
    /// [`Subject::LINEAGE_MAX`]. Within one container: the lineage ends where it is left.
    pub lineage: Vec<ProcessFacts>,
    /// The container it ran in.
    pub container: Option<ContainerFacts>,
    /// File it touched.
    pub file: Text,
    /// True where it opened that file to write it.
    #[serde(default)]
    pub is_written: bool,
    /// Other end of its connection, as `address:port`.
    pub peer: Text,
    /// The request to the application that it is, or that it is an effect of.
    #[serde(default)]
    pub request: Option<Box<RequestFacts>>,
    /// The call to the API of a cloud or cluster that it is about.
    #[serde(default)]
    pub call: Option<Box<CallFacts>>,
    /// What it handed out or made that others act with from then on: credentials, users,
    /// processes; at most [`Subject::MAKES_MAX`].
    #[serde(default)]
    pub makes: Vec<Entity>,
    /// Names of the files that the call came through, from the caller outwards, each once; empty
    /// where that was not told.
    #[serde(default)]
    pub libraries: Vec<Text>,
}

impl Subject {
    /// How many generations a finding carries.
    pub const LINEAGE_MAX: usize = 16;
    /// How many identities that it made a finding carries.
    pub const MAKES_MAX: usize = 8;
}

/// What a finding says of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessFacts {
    /// The process.
    pub key: ProcessKey,
    /// When it started.
    pub started: TimestampNs,
    /// The event that put its present program in place; `None` where that was not seen.
    pub executed_by: Option<EventId>,
    /// Program's name.
    pub name: Text,
    /// File that runs.
    pub exe: Text,
    /// Arguments joined by spaces, bounded by the sensor.
    pub command_line: Text,
    /// Effective user id.
    pub uid: u32,
    /// True where the file lies in a container's writable layer or has no name.
    pub is_dropped: bool,
}

/// What a finding says of its container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerFacts {
    /// Full id.
    pub id: ContainerId,
    /// Name; empty until the runtime told it.
    pub name: Text,
    /// Image as it was asked for; empty until the runtime told it.
    pub image: Text,
    /// Uid of its pod, or `namespace/name`; empty where it is in none.
    #[serde(default)]
    pub pod: Text,
}

/// What a finding says of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// The exchange: id of the event that told the request.
    pub exchange: EventId,
    /// When its first byte was seen.
    pub started: TimestampNs,
    /// `GET`, `POST`, …
    pub method: Text,
    /// Host asked for.
    pub host: Text,
    /// Path as given, and query where it fits, without what is secret; bounded.
    pub target: Text,
    /// Who asked.
    pub client: Text,
    /// That the finding is an effect of this request and of no other: 1 where the thread handled
    /// it alone, less where several were in flight.
    pub probability: f64,
}

/// What a finding says of a call to an API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFacts {
    /// What was asked: `CreateUser`, or verb and resource in Kubernetes.
    pub action: Text,
    /// Public id of the credential used; empty where the log has none.
    pub credential: Text,
    /// Who asked, by the one name that identities have in every log.
    pub principal: Text,
    /// Account, project, subscription or cluster.
    pub account: Text,
    /// Where it came from; empty for calls of the provider's own.
    pub address: Text,
    /// What it was done to.
    pub resource: Text,
    /// What runs with that credential: uid of a pod, id of an instance or container; empty where
    /// that is not known.
    pub workload: Text,
    /// True where the credential of a workload was used where that workload never was.
    pub is_outside: bool,
    /// True where it was refused or failed.
    pub is_refused: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_more_urgent_priority_never_has_fewer_bits() {
        for pair in Priority::ALL.windows(2) {
            assert!(pair[1].bits() <= pair[0].bits(), "{pair:?}");
        }
    }

    #[test]
    fn priorities_are_written_as_alerts_carry_them() -> Result<(), serde_json::Error> {
        for priority in Priority::ALL {
            assert_eq!(serde_json::to_value(priority)?, priority.name());
        }
        Ok(())
    }
}
