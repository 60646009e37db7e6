//! Which system calls the engine reads: what the sensor need not hand up may stay in the kernel.
//!
//! What rules can match is asked of them. The rest is listed here, in one place: calls that change
//! what later events are seen through, and calls that stories read themselves.

use clew_event::EventType;
use clew_event::interest::{CallClasses, InterestSet};
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
        "`clew-story` keeps servers apart by whether they listen and accept",
        &[EventType::Listen, EventType::Accept, EventType::Accept4],
    ),
    (
        "a socket on standard input or output makes a reverse shell of what runs next",
        &[EventType::Dup, EventType::Dup2, EventType::Dup3],
    ),
];

impl Engine {
    /// The classes of system calls that context, stories or a loaded rule read.
    ///
    /// It changes with the rules, and with nothing else.
    #[must_use]
    pub fn interest(&self) -> InterestSet {
        of_rules(&self.rules)
    }
}

/// What an engine with these rules reads.
#[must_use]
pub fn of_rules(rules: &RuleSet) -> InterestSet {
    let mut interest = InterestSet::default();
    for &event_type in EventType::ALL {
        interest.add(event_type, rules.classes(event_type, KERNEL_SOURCE));
    }
    for event_type in ALWAYS.iter().flat_map(|(_, calls)| *calls) {
        interest.add(*event_type, CallClasses::ALL);
    }
    interest
}
