//! Which system calls the engine reads: what the sensor need not hand up may stay in the kernel.
//!
//! What rules can match is asked of them. The rest is listed here, in one place: calls that change
//! what later events are seen through, and calls that stories read themselves. Neither reads opens,
//! so an open that no rule can match may be kept back by its path.

use clew_event::file::FileOperation;
use clew_event::interest::{CallClass, CallClasses, InterestSet, QuietVerdict};
use clew_event::{Event, EventKind, EventType};
use clew_rules::RuleSet;

use crate::Engine;

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
        "`clew-story` keeps servers apart by whether they listen and accept",
        &[EventType::Listen, EventType::Accept, EventType::Accept4],
    ),
    (
        "a socket on standard input or output makes a reverse shell of what runs next",
        &[EventType::Dup, EventType::Dup2, EventType::Dup3],
    ),
    ("`clew-context` names addresses by the answers of name servers", &[EventType::Dns]),
];

impl Engine {
    /// The classes of system calls that context, stories or a loaded rule read.
    ///
    /// It changes with the rules, and with nothing else.
    #[must_use]
    pub fn interest(&self) -> InterestSet {
        of_rules(&self.rules)
    }

    /// Whether no loaded rule can match the open of that file, whoever opens its path with that
    /// access: the kernel need not tell of it again until the rules change.
    #[must_use]
    pub fn quiet_verdict(&self, event: &Event) -> QuietVerdict {
        let EventKind::File(file) = &event.kind else { return QuietVerdict::Told };
        if file.operation != FileOperation::Open || file.result < 0 {
            return QuietVerdict::Told;
        }
        let class = CallClass::of_call(event.event_type, file.flags, file.result);
        let view = self.context.view(event);
        self.rules.quiet_verdict(event.event_type, KERNEL_SOURCE, class, &view)
    }
}

/// What an engine with these rules reads.
#[must_use]
pub fn of_rules(rules: &RuleSet) -> InterestSet {
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
    interest
}
