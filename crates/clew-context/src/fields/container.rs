//! `container.*` and `k8s.*`: where the process runs, and what its runtime says of that place.
//!
//! On the host, `container.id` and `container.name` are `host` and the rest is empty. In a
//! container whose runtime has not told anything yet, only the id is known and the rest is missing.

use clew_event::container::{ContainerEvent, ContainerMount};
use clew_event::{FieldArgument, FieldValue, Text};
use regex::bytes::{Regex, RegexBuilder};

use super::{boolean, maybe, owned, proc, text, unsigned};
use crate::glob;
use crate::view::View;

const HOST: &str = "host";
const ID_DIGITS: usize = 12;
/// Most memory of a pattern that is taken for a regular expression.
const PATTERN_BYTES_MAX: usize = 1 << 20;

pub(crate) fn id<'a>(view: &View<'a>) -> FieldValue<'a> {
    match view.container_id() {
        Some(id) => id.short().into(),
        None => host(view, HOST),
    }
}

pub(crate) fn full_id<'a>(view: &View<'a>) -> FieldValue<'a> {
    match view.container_id() {
        Some(id) => (*id.0).into(),
        None => host(view, HOST),
    }
}

/// One fact of the container, or what holds for the host.
pub(crate) fn fact<'a>(
    view: &View<'a>,
    on_host: &'static str,
    fact: impl FnOnce(&'a ContainerEvent) -> FieldValue<'a>,
) -> FieldValue<'a> {
    match view.container_id() {
        Some(_) => maybe(view.container(), fact),
        None => host(view, on_host),
    }
}

pub(crate) fn privileged<'a>(view: &View<'a>) -> FieldValue<'a> {
    match view.container_id() {
        Some(_) => maybe(view.container(), |facts| boolean(facts.is_privileged)),
        None if view.event.actor.is_some() => boolean(false),
        None => FieldValue::Missing,
    }
}

pub(crate) fn image_id(facts: &ContainerEvent) -> FieldValue<'_> {
    let id = facts.image_id.as_bytes();
    let digits = id.strip_prefix(b"sha256:").unwrap_or(id);
    digits.get(..ID_DIGITS).unwrap_or(digits).into()
}

pub(crate) fn image_repository(facts: &ContainerEvent) -> FieldValue<'_> {
    image_parts(&facts.image).0.into()
}

pub(crate) fn image_tag(facts: &ContainerEvent) -> FieldValue<'_> {
    image_parts(&facts.image).1.into()
}

pub(crate) fn image_digest(facts: &ContainerEvent) -> FieldValue<'_> {
    if facts.image_digest.is_empty() {
        return image_parts(&facts.image).2.into();
    }
    text(&facts.image_digest)
}

/// Repository, tag and digest of `registry:5000/name:tag@sha256:…`; `latest` where neither tag
/// nor digest is given.
fn image_parts(image: &Text) -> (&[u8], &[u8], &[u8]) {
    let image = image.as_bytes();
    let (named, digest) = match image.iter().position(|&byte| byte == b'@') {
        Some(at) => (image.get(..at).unwrap_or_default(), image.get(at + 1..).unwrap_or_default()),
        None => (image, b"".as_slice()),
    };
    // A colon before the last slash belongs to the registry's port.
    let colon = named.iter().rposition(|&byte| byte == b':');
    let slash = named.iter().rposition(|&byte| byte == b'/');
    match colon {
        Some(colon) if slash.is_none_or(|slash| slash < colon) => {
            let tag = named.get(colon + 1..).unwrap_or_default();
            (named.get(..colon).unwrap_or_default(), tag, digest)
        }
        Some(_) | None if digest.is_empty() && !named.is_empty() => (named, b"latest", digest),
        Some(_) | None => (named, b"", digest),
    }
}

/// `source:destination:mode:write:propagation` of each mount, joined by commas. Mode and
/// propagation are not told and stay empty.
pub(crate) fn mounts(facts: &ContainerEvent) -> FieldValue<'_> {
    let shown = |mount: &ContainerMount| {
        let writable: &[u8] = if mount.is_writable { b"true" } else { b"false" };
        [mount.source.as_bytes(), mount.destination.as_bytes(), b"", writable, b""].join(&b':')
    };
    owned(facts.mounts.iter().map(shown).collect::<Vec<_>>().join(&b','))
}

pub(crate) fn mount_destination<'a>(view: &View<'a>, of: &FieldArgument) -> FieldValue<'a> {
    maybe(mount(view, of, |mount| &mount.source), |mount| text(&mount.destination))
}

pub(crate) fn mount_source<'a>(view: &View<'a>, of: &FieldArgument) -> FieldValue<'a> {
    maybe(mount(view, of, |mount| &mount.destination), |mount| text(&mount.source))
}

/// The mount of that number, or the first whose `part` matches the pattern.
fn mount<'a>(
    view: &View<'a>,
    of: &FieldArgument,
    part: fn(&ContainerMount) -> &Text,
) -> Option<&'a ContainerMount> {
    let mounts = &view.container()?.mounts;
    match of {
        FieldArgument::Index(index) => mounts.get(usize::try_from(*index).ok()?),
        FieldArgument::Key(pattern) if view.is_falco() => {
            let pattern = falco_pattern(pattern)?;
            mounts.iter().find(|mount| pattern.is_match(part(mount).as_bytes()))
        }
        FieldArgument::Key(pattern) => {
            mounts.iter().find(|mount| glob::matches(pattern.as_bytes(), part(mount).as_bytes()))
        }
        FieldArgument::None => None,
    }
}

/// Falco's container plugin 0.7 takes the pattern for a regular expression, and looks for it
/// anywhere in the path: `/proc*` is in `/srv/products`, and `/` is in every path.
fn falco_pattern(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .multi_line(true)
        .unicode(false)
        .size_limit(PATTERN_BYTES_MAX)
        .build()
        .ok()
}

pub(crate) fn started<'a>(view: &View<'a>) -> FieldValue<'a> {
    maybe(started_ns(view), unsigned)
}

pub(crate) fn duration<'a>(view: &View<'a>) -> FieldValue<'a> {
    let now_ns = view.event.time.unix_ns();
    maybe(started_ns(view), |started_ns| unsigned(now_ns.saturating_sub(started_ns)))
}

/// When the container started, nanoseconds since 1970. In Falco, when the first process of the
/// pid namespace did, nanoseconds since boot; so its durations are nearly those since 1970.
fn started_ns(view: &View<'_>) -> Option<u64> {
    let started_ns = if view.is_falco() {
        proc::namespace_started_ns(view)
    } else {
        view.container().map(|facts| facts.started.unix_ns())
    };
    started_ns.filter(|&started_ns| started_ns != 0)
}

pub(crate) fn first_address(facts: &ContainerEvent) -> FieldValue<'_> {
    match facts.addresses.first() {
        Some(address) => owned(address.to_string()),
        None => "".into(),
    }
}

pub(crate) fn label<'a>(view: &View<'a>, of: &FieldArgument) -> FieldValue<'a> {
    match of {
        FieldArgument::Key(name) => known_label(view, name),
        FieldArgument::None | FieldArgument::Index(_) => FieldValue::Missing,
    }
}

pub(crate) fn known_label<'a>(view: &View<'a>, name: &str) -> FieldValue<'a> {
    maybe(view.container().and_then(|facts| facts.labels.get(name)), text)
}

pub(crate) fn labels(facts: &ContainerEvent) -> FieldValue<'_> {
    let shown = |(name, value): (&String, &Text)| [name.as_bytes(), value.as_bytes()].join(&b':');
    owned(facts.labels.iter().map(shown).collect::<Vec<_>>().join(b", ".as_slice()))
}

/// What holds where a thread acted outside of containers; missing where no thread acted.
fn host<'a>(view: &View<'a>, value: &'static str) -> FieldValue<'a> {
    if view.event.actor.is_some() { value.into() } else { FieldValue::Missing }
}

#[cfg(test)]
mod tests {
    use clew_event::file::FileEvent;
    use clew_event::process::Executed;
    use clew_event::{CgroupId, Event, EventKind, EventType, Semantics, TimestampNs};
    use expect_test::expect;

    use super::*;
    use crate::tests::builders::{
        BOOT_NS, HOST, INSIDE, container, container_cgroup, event, exec, node, observed, program,
        shown, table, told,
    };

    #[test]
    fn an_image_is_split_into_repository_tag_and_digest() {
        let check = |image: &str, expected: [&str; 3]| {
            let image = Text::from(image);
            let (repository, tag, digest) = image_parts(&image);
            assert_eq!([repository, tag, digest], expected.map(str::as_bytes));
        };
        check("nginx", ["nginx", "latest", ""]);
        check("nginx:1.27", ["nginx", "1.27", ""]);
        check("registry:5000/team/app", ["registry:5000/team/app", "latest", ""]);
        check("registry:5000/team/app:v2", ["registry:5000/team/app", "v2", ""]);
        check("app@sha256:00ff", ["app", "", "sha256:00ff"]);
        check("app:v1@sha256:00ff", ["app", "v1", "sha256:00ff"]);
        check("", ["", "", ""]);
    }

    fn write(cgroup: CgroupId) -> Event {
        event(Some((30, cgroup)), EventType::Openat, EventKind::File(FileEvent::default()))
    }

    const NAMES: [&str; 20] = [
        "container.id",
        "container.full_id",
        "container.name",
        "container.image",
        "container.image.id",
        "container.image.repository",
        "container.image.tag",
        "container.image.digest",
        "container.type",
        "container.privileged",
        "container.mounts",
        "container.mount.dest[/var/run/docker*]",
        "container.mount.source[/etc]",
        "container.start_ts",
        "container.duration",
        "container.ip",
        "container.label[app]",
        "container.labels",
        "k8s.pod.name",
        "k8s.ns.name",
    ];

    #[test]
    fn a_container_is_seen_with_what_its_runtime_told() {
        let mount = |source: &str, destination: &str, is_writable| ContainerMount {
            source: source.into(),
            destination: destination.into(),
            is_writable,
        };
        let told = told(ContainerEvent {
            image_id: "sha256:0011223344556677".into(),
            image_digest: "sha256:8899".into(),
            is_privileged: true,
            mounts: vec![
                mount("/var/run/docker.sock", "/run/docker.sock", true),
                mount("/srv/etc", "/etc", false),
            ],
            labels: [("app", "shop"), ("io.kubernetes.pod.name", "web-0")]
                .map(|(name, value)| (name.to_owned(), value.into()))
                .into(),
            addresses: vec![[10, 0, 0, 2].into()],
            started: TimestampNs::from_unix_ns(BOOT_NS),
            ..container("web")
        });
        let context = observed(&[node(), container_cgroup(), told]);
        expect![[r#"
            container.id = "0123456789ab"
            container.full_id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
            container.name = "web"
            container.image = "registry:5000/shop/web:1.2"
            container.image.id = "001122334455"
            container.image.repository = "registry:5000/shop/web"
            container.image.tag = "1.2"
            container.image.digest = "sha256:8899"
            container.type = "docker"
            container.privileged = true
            container.mounts = "/var/run/docker.sock:/run/docker.sock::true:,/srv/etc:/etc::false:"
            container.mount.dest[/var/run/docker*] = "/run/docker.sock"
            container.mount.source[/etc] = "/srv/etc"
            container.start_ts = 1000000000000
            container.duration = 10000000000
            container.ip = "10.0.0.2"
            container.label[app] = "shop"
            container.labels = "app:shop, io.kubernetes.pod.name:web-0"
            k8s.pod.name = "web-0"
            k8s.ns.name = -
        "#]]
        .assert_eq(&table(&context.view(&write(INSIDE)), &NAMES));
    }

    #[test]
    fn until_its_runtime_tells_a_container_has_an_id_and_nothing_else() {
        let context = observed(&[node(), container_cgroup()]);
        let event = write(INSIDE);
        let view = context.view(&event);
        assert_eq!(shown(&view, "container.id"), "\"0123456789ab\"");
        for name in NAMES.iter().skip(2) {
            assert_eq!(shown(&view, name), "-", "{name}");
        }
    }

    #[test]
    fn the_host_is_named_host_and_the_rest_is_empty() {
        let context = observed(&[node()]);
        expect![[r#"
            container.id = "host"
            container.full_id = "host"
            container.name = "host"
            container.image = ""
            container.image.id = ""
            container.image.repository = ""
            container.image.tag = ""
            container.image.digest = ""
            container.type = "host"
            container.privileged = false
            container.mounts = ""
            container.mount.dest[/var/run/docker*] = -
            container.mount.source[/etc] = -
            container.start_ts = -
            container.duration = -
            container.ip = ""
            container.label[app] = -
            container.labels = ""
            k8s.pod.name = -
            k8s.ns.name = -
        "#]]
        .assert_eq(&table(&context.view(&write(HOST)), &NAMES));
    }

    #[test]
    fn where_falco_is_followed_a_mount_is_found_by_a_part_of_its_path() {
        let mount = ContainerMount {
            source: "/srv/products".into(),
            destination: "/data".into(),
            is_writable: false,
        };
        let told = told(ContainerEvent {
            mounts: vec![mount],
            started: TimestampNs::from_unix_ns(BOOT_NS),
            ..container("web")
        });
        let first = Executed {
            session: clew_event::process::Session { vpid: 1, ..<_>::default() },
            ..program("httpd", "httpd")
        };
        let mut context = observed(&[node(), container_cgroup(), told, exec((30, INSIDE), first)]);
        let event = write(INSIDE);
        let mut check = |name: &str, [clew, falco]: [&str; 2]| {
            context.set_semantics(Semantics::Clew);
            assert_eq!(shown(&context.view(&event), name), clew, "{name}");
            context.set_semantics(Semantics::Falco);
            assert_eq!(shown(&context.view(&event), name), falco, "{name} in Falco");
        };
        check("container.mount.dest[/pro*]", ["-", "\"/data\""]);
        check("container.mount.dest[/]", ["-", "\"/data\""]);
        check("container.mount.dest[(]", ["-", "-"]);
        let too_large = format!("container.mount.dest[(a{{{PATTERN_BYTES_MAX}}})]");
        check(&too_large, ["-", "-"]);
        check("container.start_ts", ["1000000000000", "30"]);
        check("container.duration", ["10000000000", "1009999999970"]);
    }
}
