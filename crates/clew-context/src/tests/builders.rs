//! Builders of events for the tests of this crate.

use clew_event::container::{CgroupEvent, ContainerEvent, Lifecycle};
use clew_event::field::FIELDS;
use clew_event::kernel::NodeStarted;
use clew_event::process::{Executed, Forked};
use clew_event::{
    Actor, BootId, CgroupId, ContainerId, Event, EventId, EventKind, EventType, FieldArgument,
    FieldSource, FieldValue, ProcessKey, Scalar, TimestampNs,
};

use crate::{Context, View};

pub(crate) const BOOT: BootId = BootId(7);
pub(crate) const BOOT_NS: u64 = 1_000_000_000_000;
pub(crate) const HOST: CgroupId = CgroupId(1);
pub(crate) const INSIDE: CgroupId = CgroupId(2);

pub(crate) fn container_id() -> ContainerId {
    ContainerId("0123456789abcdef".repeat(4).into())
}

/// The process of that pid, started as many nanoseconds after boot as its pid says.
pub(crate) fn key(pid: u32) -> ProcessKey {
    ProcessKey { boot: BOOT, pid, start_ns: pid.into() }
}

pub(crate) fn event(actor: Option<(u32, CgroupId)>, of: EventType, kind: EventKind) -> Event {
    let actor = actor.map(|(pid, cgroup)| Actor { process: key(pid), cgroup, tid: pid });
    let time = TimestampNs::from_unix_ns(BOOT_NS + 10_000_000_000);
    Event {
        id: EventId::from_kernel(BOOT, 3, 42),
        time,
        arrived: time,
        event_type: of,
        actor,
        kind,
    }
}

pub(crate) fn node() -> Event {
    let started = NodeStarted {
        boot: BOOT,
        hostname: "node-1".into(),
        boot_unix_ns: BOOT_NS,
        ..NodeStarted::default()
    };
    event(None, EventType::Other, EventKind::NodeStarted(Box::new(started)))
}

pub(crate) fn cgroup(id: CgroupId, path: &str, lifecycle: Lifecycle) -> Event {
    let cgroup = CgroupEvent { lifecycle, cgroup: id, path: path.into() };
    event(None, EventType::Other, EventKind::Cgroup(cgroup))
}

pub(crate) fn container_cgroup() -> Event {
    cgroup(INSIDE, &format!("/docker/{}", container_id().0), Lifecycle::Started)
}

pub(crate) fn container(name: &str) -> ContainerEvent {
    ContainerEvent {
        lifecycle: Lifecycle::Started,
        id: Some(container_id()),
        runtime: "docker".into(),
        name: name.into(),
        image: "registry:5000/shop/web:1.2".into(),
        ..ContainerEvent::default()
    }
}

pub(crate) fn told(container: ContainerEvent) -> Event {
    event(None, EventType::Other, EventKind::Container(Box::new(container)))
}

pub(crate) fn fork(parent: (u32, CgroupId), child: u32) -> Event {
    let forked = Forked {
        child: key(child),
        child_tid: child,
        child_vpid: child,
        parent: key(parent.0),
        is_thread: false,
    };
    event(Some(parent), EventType::Clone, EventKind::Forked(forked))
}

pub(crate) fn program(name: &str, argv: &str) -> Executed {
    Executed {
        name: name.into(),
        exe: format!("/bin/{name}").into(),
        argv: argv.replace(' ', "\0").into(),
        cwd: "/srv".into(),
        ..Executed::default()
    }
}

pub(crate) fn exec(actor: (u32, CgroupId), executed: Executed) -> Event {
    event(Some(actor), EventType::Execve, EventKind::Executed(executed))
}

pub(crate) fn observed<'a>(events: impl IntoIterator<Item = &'a Event>) -> Context {
    let mut context = Context::default();
    for event in events {
        context.observe(event);
    }
    context
}

/// A machine with a shell in a container: systemd (1) → shim (10) → init (20) → sh (30).
pub(crate) fn shell_in_container() -> Context {
    observed(&[
        node(),
        cgroup(HOST, "/", Lifecycle::Known),
        container_cgroup(),
        exec((1, HOST), program("systemd", "/sbin/init")),
        fork((1, HOST), 10),
        exec((10, HOST), program("shim", "shim -id x")),
        fork((10, HOST), 20),
        exec((20, INSIDE), program("httpd", "httpd -f")),
        fork((20, INSIDE), 30),
        exec((30, INSIDE), program("sh", "/bin/sh -c id")),
    ])
}

/// The value of a field by its name in rules, as text.
pub(crate) fn shown(view: &View<'_>, name: &str) -> String {
    let (id, argument) = field(name);
    show(&view.field(id, &argument))
}

fn show(value: &FieldValue<'_>) -> String {
    match value {
        FieldValue::Missing => "-".to_owned(),
        FieldValue::One(one) => show_scalar(one),
        FieldValue::Many(many) => {
            format!("[{}]", many.iter().map(show_scalar).collect::<Vec<_>>().join(", "))
        }
    }
}

fn show_scalar(scalar: &Scalar<'_>) -> String {
    match scalar {
        Scalar::Text(text) => format!("\"{}\"", clew_event::text::escaped(text)),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Unsigned(value) => value.to_string(),
        Scalar::Signed(value) => format!("{value:+}"),
        Scalar::Ip(address) => address.to_string(),
    }
}

fn field(name: &str) -> (clew_event::FieldId, FieldArgument) {
    let (bare, argument) = match name.split_once('[') {
        Some((bare, rest)) => {
            let inner = rest.trim_end_matches(']');
            let argument = inner
                .parse()
                .map_or_else(|_| FieldArgument::Key(inner.into()), FieldArgument::Index);
            (bare, argument)
        }
        None => match name.strip_prefix("evt.arg.") {
            Some(argument) => ("evt.arg", FieldArgument::Key(argument.into())),
            None => (name, FieldArgument::None),
        },
    };
    let spec = FIELDS.iter().find(|spec| spec.name == bare).expect("a field of that name");
    (spec.id, argument)
}

/// The named fields, one a line, for an expected text.
pub(crate) fn table(view: &View<'_>, names: &[&str]) -> String {
    names.iter().map(|name| format!("{name} = {}\n", shown(view, name))).collect()
}
