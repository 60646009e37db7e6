//! Findings in such numbers that the join engine is full: what it costs then.
//!
//! A fleet of containers, each with a server of its own; what is found is of new processes below
//! it, as in storybench, with a file, an address or neither. Also what attackers send in numbers:
//! alerts alike from one place, and many attacks at once.

use std::collections::BTreeMap;

use clew_event::finding::{ContainerFacts, ProcessFacts, Subject};
use clew_event::{
    BootId, ContainerId, Entity, EventId, Finding, FindingId, Priority, ProcessKey, TimestampNs,
};

use super::random::Random;
use super::world::{MS, START};

/// Rules of one attack, in order, each with the technique that it names.
const STEPS: [(&str, &str); 6] = [
    ("server_ran_a_shell", "T1059.004"),
    ("system_explored", "T1082"),
    ("password_hashes_read", "T1003.008"),
    ("tool_fetched", "T1105"),
    ("dropped_binary_executed", "T1036.005"),
    ("dropped_binary_connected", "T1071"),
];
/// Containers of the fleet.
const CONTAINERS: u64 = 20_000;

/// Where and when something is found.
#[derive(Clone, Copy, Debug)]
struct Spot {
    container: u64,
    /// Number of the process, and of its parent.
    process: u64,
    parent: u64,
    ns: u64,
}

/// The `number`-th finding of a busy fleet: a process that nothing else was found of, a hundred a
/// second over all containers.
#[must_use]
pub fn of_fleet(number: u64) -> Finding {
    let mut random = Random::new(number);
    let container = random.below(CONTAINERS);
    let (rule, technique) =
        STEPS.get(usize::try_from(random.below(6)).unwrap_or(0)).copied().unwrap_or_default();
    let spot = Spot {
        container,
        process: 2 * number + CONTAINERS,
        parent: 2 * number + CONTAINERS + 1,
        ns: START + number * 10 * MS,
    };
    let mut found = finding(spot, (rule, technique));
    match random.below(3) {
        0 => found.subject.file = format!("/srv/{number}.dat").as_str().into(),
        1 => found.subject.peer = format!("10.{}.7.9:443", random.below(250)).as_str().into(),
        _ => {}
    }
    found
}

/// One of a million alerts that somebody makes in one container, a thousand a second.
#[must_use]
pub fn of_flood(number: u64) -> Finding {
    let (process, parent) = (2 * number + CONTAINERS, 2 * number + CONTAINERS + 1);
    finding(
        Spot { container: 1, process, parent, ns: START + number * MS },
        ("dropped_binary_executed", "T1036.005"),
    )
}

/// One step of so many attacks that go on at once, each in a container of its own.
#[must_use]
pub fn of_attacks(attacks: u64, number: u64) -> Finding {
    let (attack, step) = (number % attacks, number / attacks);
    let (rule, technique) =
        usize::try_from(step).ok().and_then(|step| STEPS.get(step)).copied().unwrap_or_default();
    let (process, parent) = (CONTAINERS + attack * 8 + step + 1, CONTAINERS + attack * 8);
    finding(
        Spot { container: attack, process, parent, ns: START + number * MS / 10 },
        (rule, technique),
    )
}

fn finding(spot: Spot, (rule, technique): (&str, &str)) -> Finding {
    let id = u128::from(spot.process) << 8 | 1;
    let at = TimestampNs::from_unix_ns(spot.ns);
    let name = format!("c{:05}", spot.container);
    let container = ContainerFacts {
        id: ContainerId(format!("{:064x}", spot.container).as_str().into()),
        name: name.as_str().into(),
        image: "registry.example/shop:1".into(),
        pod: "".into(),
    };
    let own = process(spot.process, "sh", spot.ns);
    let entity = |kind, id: String| Entity { kind, name: id.clone(), id };
    let entities = vec![
        entity(clew_event::finding::EntityKind::Process, own.key.to_string()),
        entity(clew_event::finding::EntityKind::Container, name),
    ];
    let lineage =
        vec![own, process(spot.parent, "sh", spot.ns), process(spot.container, "server", START)];
    Finding {
        id: FindingId(id),
        time: at,
        source: "syscall".to_owned(),
        rule: rule.to_owned(),
        priority: Priority::Warning,
        techniques: vec![technique.to_owned()],
        tags: Vec::new(),
        bits: Priority::Warning.bits(),
        entities,
        events: vec![EventId(id)],
        output: format!("{rule} by sh"),
        output_fields: BTreeMap::new(),
        hostname: format!("n{}", spot.container % 100),
        subject: Subject { lineage, container: Some(container), ..Subject::default() },
    }
}

fn process(number: u64, name: &str, started: u64) -> ProcessFacts {
    let pid = u32::try_from(number % (1 << 22)).unwrap_or_default();
    ProcessFacts {
        key: ProcessKey { start_ns: number, pid, boot: BootId(7) },
        started: TimestampNs::from_unix_ns(started),
        executed_by: Some(EventId(u128::from(number) << 8)),
        name: name.into(),
        exe: format!("/usr/bin/{name}").as_str().into(),
        command_line: format!("{name} -c 'step {number}'").as_str().into(),
        uid: 33,
        is_dropped: false,
    }
}

#[cfg(test)]
mod tests {
    use clew_story::{Settings, Stories};

    use super::*;

    fn joined(findings: impl Iterator<Item = Finding>) -> Stories {
        let mut stories = Stories::new(Settings::default());
        let mut revisions = Vec::new();
        findings.for_each(|finding| stories.join(&finding, &mut revisions));
        stories
    }

    #[test]
    fn a_fleet_brings_several_values_with_each_finding_and_few_stories() {
        let stories = joined((0..500).map(of_fleet));
        assert!(4 * 500 < stories.values(), "{}", stories.values());
        assert!(stories.counts().stories_told < 50, "{:?}", stories.counts());
    }

    #[test]
    fn each_of_many_attacks_is_a_story() {
        let stories = joined((0..50 * 6).map(|number| of_attacks(50, number)));
        assert_eq!(stories.counts().stories_told, 50);
    }
}
