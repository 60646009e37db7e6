//! Which system calls the engine reads: what the sensor need not hand up may stay in the kernel.
//!
//! What rules can match is asked of them. The rest is listed here, in one place: calls that change
//! what later events are seen through, and calls that stories read themselves. Neither reads opens
//! or connects, so one that no rule can match may be kept back by its path or peer.

use clew_event::file::FileOperation;
use clew_event::interest::{CallClass, CallClasses, InterestSet, QuietVerdict};
use clew_event::socket::{Endpoints, SocketOperation};
use clew_event::{Event, EventKind, EventType, FieldId};
use clew_rules::RuleSet;
use clew_rules::interest::{KnownCall, OF_PATH, OF_PATH_OF_PEER, OF_PEER, OF_PEER_IN_FALCO};

use crate::{Appsec, Engine};

/// Name of the source that rules for system calls give.
const KERNEL_SOURCE: &str = "syscall";

/// Calls that are read whether or not a rule names them, with the reason.
///
/// Life and end of processes, cgroups and containers are not system calls here: the sensor always
/// tells them.
const ALWAYS: &[(&str, &[EventType])] = &[
    (
        "`clew-context` keeps the user and the capabilities of each process",
        &[
            EventType::Setuid,
            EventType::Setgid,
            EventType::Setreuid,
            EventType::Setregid,
            EventType::Setresuid,
            EventType::Setresgid,
            EventType::Setfsuid,
            EventType::Setfsgid,
            EventType::Capset,
            EventType::Setns,
            EventType::Unshare,
        ],
    ),
    (
        "`clew-context` keeps the working directory of each process",
        &[EventType::Chdir, EventType::Fchdir],
    ),
    (
        "a socket on standard input or output makes a reverse shell of what runs next",
        &[EventType::Dup, EventType::Dup2, EventType::Dup3],
    ),
    ("`clew-context` names addresses by the answers of name servers", &[EventType::Dns]),
];

/// Calls that are read where requests are judged, with the reason. An open or connect is kept back
/// as before once it is known that no rule can match it: the sensor tells it nevertheless where its
/// process handles a request or was made because of one.
const OF_REQUESTS: &[(&str, &[EventType])] = &[
    (
        "`clew-appsec` judges requests and learns from responses",
        &[EventType::HttpRequest, EventType::HttpResponse],
    ),
    ("a connect may be the effect of a request, whatever came of it", &[EventType::Connect]),
];

/// Calls that may be the effect of a request where they succeeded.
const EFFECTS: [EventType; 14] = [
    EventType::Open,
    EventType::Openat,
    EventType::Openat2,
    EventType::Creat,
    EventType::Rename,
    EventType::Renameat,
    EventType::Renameat2,
    EventType::Unlink,
    EventType::Unlinkat,
    EventType::Link,
    EventType::Linkat,
    EventType::Symlink,
    EventType::Symlinkat,
    EventType::Truncate,
];

/// Calls that `clew-story` reads where they succeeded: it keeps servers apart by whether they
/// listen and accept.
const OF_SERVERS: [EventType; 3] = [EventType::Listen, EventType::Accept, EventType::Accept4];

impl Engine {
    /// The classes of system calls that context, stories or a loaded rule read.
    ///
    /// It changes with the rules, with whether requests are judged, and with nothing else.
    #[must_use]
    pub fn interest(&self) -> InterestSet {
        let appsec = if self.judge.is_some() { Appsec::On } else { Appsec::Off };
        of_rules(&self.rules, appsec)
    }

    /// Whether no loaded rule can match the open of that file or the connect to that peer, whoever
    /// opens its path with that access or connects with that result: the kernel need not tell of
    /// it again until the rules change.
    ///
    /// Where requests are judged, the sensor has to tell in spite of that what is done by a process
    /// that handles a request or was made because of one: any call of it may be an effect.
    #[must_use]
    pub fn quiet_verdict(&self, event: &Event) -> QuietVerdict {
        let Some((decided, flags)) = self.decided(event) else { return QuietVerdict::Told };
        let result = event.result().unwrap_or_default();
        let class = CallClass::of_call(event.event_type, flags, result);
        let fields = &self.context.view(event);
        let call = KnownCall { event_type: event.event_type, class, decided, fields };
        match (self.rules.quiet_verdict(KERNEL_SOURCE, &call), &event.kind) {
            // No one climbs to a peer, so the kernel does not look whether he did.
            (QuietVerdict::UnlessClimbing, EventKind::Socket(_)) => QuietVerdict::Told,
            (verdict, _) => verdict,
        }
    }

    /// Fields that the sensor's key of such a call decides, and the flags of its class.
    fn decided(&self, event: &Event) -> Option<(&'static [FieldId], u32)> {
        match &event.kind {
            EventKind::File(file) if file.operation == FileOperation::Open && 0 <= file.result => {
                Some((&OF_PATH, file.flags))
            }
            EventKind::Socket(socket) if socket.operation == SocketOperation::Connect => {
                match socket.endpoints.family {
                    Endpoints::UNIX => Some((&OF_PATH_OF_PEER, 0)),
                    Endpoints::INET | Endpoints::INET6 if self.rules.semantics().is_falco() => {
                        Some((OF_PEER_IN_FALCO, 0))
                    }
                    Endpoints::INET | Endpoints::INET6 => Some((&OF_PEER, 0)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// What an engine with these rules reads, where requests are judged or not.
#[must_use]
pub fn of_rules(rules: &RuleSet, appsec: Appsec) -> InterestSet {
    let mut interest = InterestSet::default();
    for &event_type in EventType::ALL {
        interest.add(event_type, rules.classes(event_type, KERNEL_SOURCE));
        if rules.reads_payload(event_type, KERNEL_SOURCE) {
            interest.add_payload(event_type);
        }
    }
    for event_type in ALWAYS.iter().flat_map(|(_, calls)| *calls) {
        interest.add(*event_type, CallClasses::ALL);
    }
    let mut succeeded = CallClasses::NONE;
    CallClass::all().filter(|class| !class.is_failed()).for_each(|class| succeeded.add(class));
    for event_type in OF_SERVERS {
        interest.add(event_type, succeeded);
    }
    if appsec == Appsec::On {
        for event_type in OF_REQUESTS.iter().flat_map(|(_, calls)| *calls) {
            interest.add(*event_type, CallClasses::ALL);
        }
        for event_type in EFFECTS {
            interest.add(event_type, succeeded);
        }
    }
    interest
}
