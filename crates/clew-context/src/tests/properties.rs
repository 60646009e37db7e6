//! Promises that hold for any sequence of events.

use clew_event::container::{AccountEvent, Lifecycle};
use clew_event::field::FIELDS;
use clew_event::file::FileEvent;
use clew_event::http::HttpEvent;
use clew_event::privilege::PrivilegeEvent;
use clew_event::process::Exited;
use clew_event::socket::DnsEvent;
use clew_event::{CgroupId, ContainerId, Event, EventKind, EventType, FieldArgument, FieldSource};
use proptest::prelude::*;

use crate::context::{BOOTS_MAX, CGROUPS_MAX, CONTAINERS_MAX, DOMAINS_MAX, PROCESSES_MAX};
use crate::tests::builders::{
    HOST, INSIDE, cgroup, container, container_cgroup, event, exec, fork, node, program,
    shell_in_container, told,
};
use crate::{Context, Limits};

const SMALL: Limits = Limits {
    processes_max: 8,
    cgroups_max: 4,
    containers_max: 3,
    domains_max: 2,
    identities_max: 16,
    requests_max: 4,
};

/// Any event of few processes, cgroups and containers, so that they meet often.
fn any_event() -> impl Strategy<Value = Event> {
    let pid = 1..24_u32;
    let group = (0..9_u64).prop_map(CgroupId);
    let life =
        prop_oneof![Just(Lifecycle::Known), Just(Lifecycle::Started), Just(Lifecycle::Stopped)];
    let what = 0..11_u8;
    (pid.clone(), pid, group, life, what, 0..300_u64).prop_map(
        |(pid, other, group, lifecycle, what, seconds)| {
            let mut event = event_of((pid, group), other, lifecycle, what);
            event.time = event.time.after(std::time::Duration::from_secs(seconds));
            event
        },
    )
}

fn event_of(actor: (u32, CgroupId), other: u32, lifecycle: Lifecycle, what: u8) -> Event {
    let id = ContainerId(format!("{other:064x}").into());
    match what {
        0 => fork(actor, other),
        1 => exec(actor, program(&format!("p{other}"), "a b")),
        2 => event(Some(actor), EventType::ProcessExit, EventKind::Exited(Exited::default())),
        3 => cgroup(actor.1, &format!("/docker/{}", id.0), lifecycle),
        4 => {
            let facts =
                clew_event::container::ContainerEvent { id: Some(id), lifecycle, ..container("c") };
            told(facts)
        }
        5 => {
            let account =
                AccountEvent { container: Some(id), is_group: false, id: other, name: "u".into() };
            event(None, EventType::Other, EventKind::Account(account))
        }
        6 => {
            let answer = DnsEvent {
                name: "x".into(),
                addresses: vec![std::net::Ipv4Addr::from(other).into()],
                ..DnsEvent::default()
            };
            event(Some(actor), EventType::Dns, EventKind::Dns(Box::new(answer)))
        }
        7 => {
            let privilege = PrivilegeEvent { uid_after: other, ..PrivilegeEvent::default() };
            event(Some(actor), EventType::Setuid, EventKind::Privilege(privilege))
        }
        8 => {
            let is_answer = other.is_multiple_of(2);
            let response = is_answer.then(Default::default);
            let of = if is_answer { EventType::HttpResponse } else { EventType::HttpRequest };
            let exchange = clew_event::EventId((other / 2).into());
            let http = HttpEvent { exchange, is_inbound: true, response, ..HttpEvent::default() };
            event(Some(actor), of, EventKind::Http(Box::new(http)))
        }
        _ => event(Some(actor), EventType::Openat, EventKind::File(FileEvent::default())),
    }
}

/// Every field of the event, each with the arguments it may take.
fn every_field(context: &Context, event: &Event) -> Vec<String> {
    let view = context.view(event);
    let arguments = [
        FieldArgument::None,
        FieldArgument::Index(0),
        FieldArgument::Index(1),
        FieldArgument::Index(u32::MAX),
        FieldArgument::Key("name".into()),
        FieldArgument::Key("/*".into()),
    ];
    FIELDS
        .iter()
        .flat_map(|spec| arguments.iter().map(move |argument| (spec.id, argument)))
        .map(|(id, argument)| format!("{:?}", view.field(id, argument)))
        .chain([format!("{:?}", view.subject())])
        .chain([format!("{:?}", causes(context, event))])
        .collect()
}

fn causes(context: &Context, event: &Event) -> Vec<crate::requests::Cause> {
    let mut causes = Vec::new();
    context.causes(event, &mut causes);
    causes
}

proptest! {
    #[test]
    fn no_sequence_of_events_exceeds_a_bound(events in prop::collection::vec(any_event(), 0..200)) {
        let mut context = Context::new(SMALL);
        for event in &events {
            context.observe(event);
            let counts = context.counts();
            prop_assert!(counts.processes <= SMALL.processes_max);
            prop_assert!(counts.cgroups <= SMALL.cgroups_max);
            prop_assert!(counts.containers <= SMALL.containers_max);
            prop_assert!(counts.domains <= SMALL.domains_max);
            prop_assert!(counts.requests <= SMALL.requests_max);
        }
        if let Some(last) = events.last() {
            every_field(&context, last);
        }
    }

    #[test]
    fn a_restored_context_gives_the_same_views(
        before in prop::collection::vec(any_event(), 0..80),
        after in prop::collection::vec(any_event(), 1..12),
    ) {
        let mut context = Context::new(SMALL);
        before.iter().for_each(|event| context.observe(event));
        let stored = serde_json::to_string(&context).expect("serializes");
        let mut restored: Context = serde_json::from_str(&stored).expect("deserializes");
        prop_assert_eq!(serde_json::to_string(&restored).expect("serializes"), stored);
        for event in &after {
            context.observe(event);
            restored.observe(event);
            prop_assert_eq!(every_field(&context, event), every_field(&restored, event));
        }
        prop_assert_eq!(context.counts(), restored.counts());
    }

    #[test]
    fn it_does_not_matter_when_the_runtime_tells_of_a_container(
        order in Just([0, 1, 2, 3, 4]).prop_shuffle()
    ) {
        let facts = [
            told(container("web")),
            container_cgroup(),
            exec((30, INSIDE), program("sh", "sh -c id")),
            node(),
            cgroup(HOST, "/", Lifecycle::Known),
        ];
        let view_after = |order: [usize; 5]| {
            let mut context = Context::default();
            order.iter().filter_map(|&at| facts.get(at)).for_each(|event| context.observe(event));
            every_field(&context, &facts[2])
        };
        prop_assert_eq!(view_after(order), view_after([3, 4, 1, 0, 2]));
    }
}

#[test]
fn the_limits_of_a_machine_are_those_that_are_documented() {
    let limits = Limits::default();
    assert_eq!(
        (limits.processes_max, limits.cgroups_max, limits.containers_max, limits.domains_max),
        (PROCESSES_MAX, CGROUPS_MAX, CONTAINERS_MAX, DOMAINS_MAX)
    );
}

#[test]
fn boots_beyond_boots_max_are_given_up_and_counted() {
    let mut context = Context::default();
    for boot in 0..=u32::try_from(BOOTS_MAX).expect("fits") {
        let mut event = node();
        if let EventKind::NodeStarted(started) = &mut event.kind {
            started.boot = clew_event::BootId(boot);
        }
        context.observe(&event);
    }
    assert_eq!(context.counts().boots_dropped, 1);
}

#[test]
fn an_observed_call_on_a_file_changes_nothing_but_the_number_of_events() {
    let mut context = shell_in_container();
    let before = context.counts();
    let file = event(Some((30, INSIDE)), EventType::Openat, EventKind::File(FileEvent::default()));
    context.observe(&file);
    let after = context.counts();
    assert_eq!(after.events, before.events + 1);
    assert_eq!(crate::Counts { events: before.events, ..after }, before);
}
