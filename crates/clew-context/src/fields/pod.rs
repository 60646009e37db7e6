//! The containers of a pod that a Kubernetes request asks for.

use std::borrow::Cow;

use clew_event::json::{Kind, Value};
use clew_event::{FieldValue, Scalar};

use super::record::{Asked, list, text_of, walk};

/// What is asked of each container.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Its name.
    Name,
    /// Its image.
    Image,
    /// Its image without tag and digest.
    Repository,
    /// Its command, joined by blanks.
    Command,
    /// Its arguments, joined by blanks.
    Args,
    /// Its ports on the host; a port of its own where none is named, which the host has, too,
    /// in the host's network.
    HostPort,
    /// `privileged`
    Privileged,
    /// `allowPrivilegeEscalation`
    AllowEscalation,
    /// `readOnlyRootFilesystem`
    ReadOnly,
    /// `runAsUser`
    User,
    /// `runAsGroup`
    Group,
    /// Its own user, else the pod's, else 0.
    EffectiveUser,
    /// Its own group, else the pod's, else 0.
    EffectiveGroup,
    /// `procMount`
    ProcMount,
    /// Names of the capabilities it asks for.
    Capabilities,
    /// What of its image stands before the first colon: a quirk of Falco's.
    BeforeColon,
    /// The list of capabilities it asks for as JSON: a quirk of Falco's.
    CapabilitiesJson,
    /// `0`: a quirk of Falco's.
    Zero,
}

type Found<'v, 'a> = Vec<Option<Value<'v, 'a>>>;

/// That part of all `containers` (a member of the pod's specification), or of the n-th.
pub(super) fn value<'a>(
    asked: &Asked<'_, 'a>,
    containers: &'static str,
    part: Part,
) -> FieldValue<'a> {
    values(asked, containers, part, asked.index())
        .map_or(FieldValue::Missing, |values| list(values.into_iter()))
}

/// That part of the first container.
pub(super) fn first<'a>(asked: &Asked<'_, 'a>, part: Part) -> FieldValue<'a> {
    let values = values(asked, "containers", part, Some(0)).unwrap_or_default();
    values.into_iter().next().map_or(FieldValue::Missing, FieldValue::One)
}

fn values<'a>(
    asked: &Asked<'_, 'a>,
    containers: &'static str,
    part: Part,
    index: Option<usize>,
) -> Option<Vec<Scalar<'a>>> {
    let find = |path: &[&str]| {
        let path = [&["requestObject", "spec", containers], path].concat();
        walk(asked.record.root(), &path, index)
    };
    let context = |name: &str| find(&["securityContext", name]);
    match part {
        Part::Name => all(find(&["name"])?),
        Part::Image => all(find(&["image"])?),
        Part::Repository => {
            let images = find(&["image"])?.into_iter();
            images.map(|image| Some(Scalar::Text(repository(image?.as_text())))).collect()
        }
        Part::Command => joined(find(&["command"])?),
        Part::Args => joined(find(&["args"])?),
        Part::HostPort => {
            let ports = find(&["ports"])?.into_iter().flatten().flat_map(Value::items);
            Some(ports.filter_map(port_on_host).map(text_of).collect())
        }
        Part::Privileged => Some(there(context("privileged")?)),
        Part::AllowEscalation => Some(there(context("allowPrivilegeEscalation")?)),
        Part::ReadOnly => Some(there(context("readOnlyRootFilesystem")?)),
        Part::User => Some(there(context("runAsUser")?)),
        Part::Group => Some(there(context("runAsGroup")?)),
        Part::ProcMount => Some(there(context("procMount")?)),
        Part::EffectiveUser => Some(effective(asked, "runAsUser", context("runAsUser")?)),
        Part::EffectiveGroup => Some(effective(asked, "runAsGroup", context("runAsGroup")?)),
        Part::BeforeColon => {
            let images = find(&["image"])?.into_iter();
            images.map(|image| Some(Scalar::Text(before_colon(&image?.as_text())))).collect()
        }
        Part::CapabilitiesJson => Some(there(find(&["securityContext", "capabilities", "add"])?)),
        Part::Zero => Some(find(&[""])?.iter().map(|_| Scalar::from("0")).collect()),
        Part::Capabilities => {
            let added = find(&["securityContext", "capabilities", "add"])?.into_iter();
            Some(added.flatten().flat_map(Value::items).map(text_of).collect())
        }
    }
}

fn before_colon<'a>(image: &[u8]) -> Cow<'a, [u8]> {
    Cow::Owned(image.split(|&byte| byte == b':').next().unwrap_or_default().to_vec())
}

fn port_on_host<'v, 'a>(port: Value<'v, 'a>) -> Option<Value<'v, 'a>> {
    port.get("hostPort").or_else(|| port.get("containerPort"))
}

/// `None` where one has nothing.
fn all<'a>(found: Found<'_, 'a>) -> Option<Vec<Scalar<'a>>> {
    found.into_iter().map(|value| value.map(text_of)).collect()
}

fn there<'a>(found: Found<'_, 'a>) -> Vec<Scalar<'a>> {
    found.into_iter().flatten().map(text_of).collect()
}

/// The texts of each array joined by blanks; `None` where one holds something else.
fn joined<'a>(found: Found<'_, 'a>) -> Option<Vec<Scalar<'a>>> {
    let join = |words: Value<'_, 'a>| {
        (words.kind() == Kind::Array).then_some(())?;
        let words: Option<Vec<_>> = words.items().map(Value::string).collect();
        Some(Scalar::Text(Cow::Owned(words?.join(&b' '))))
    };
    found.into_iter().flatten().map(join).collect()
}

fn effective<'a>(asked: &Asked<'_, 'a>, name: &str, found: Found<'_, 'a>) -> Vec<Scalar<'a>> {
    let pod = asked.at(&["requestObject", "spec", "securityContext", name]);
    let of_pod = || pod.map_or_else(|| Scalar::from("0"), text_of);
    found.into_iter().map(|own| own.map_or_else(of_pod, text_of)).collect()
}

/// `registry:5000/name` of `registry:5000/name:tag@sha256:…`.
fn repository(image: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let named = image.iter().position(|&byte| byte == b'@').unwrap_or(image.len());
    let named = image.get(..named).unwrap_or_default();
    let after_slash = named.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let name = named.get(after_slash..).unwrap_or_default();
    let end = name.iter().position(|&byte| byte == b':').map_or(named.len(), |at| after_slash + at);
    match image {
        Cow::Borrowed(image) => Cow::Borrowed(image.get(..end).unwrap_or_default()),
        Cow::Owned(mut image) => {
            image.truncate(end);
            Cow::Owned(image)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_keeps_the_port_of_its_registry() {
        let check = |image: &'static str, expected: &str| {
            let image = Cow::Borrowed(image.as_bytes());
            assert_eq!(*repository(image), *expected.as_bytes());
        };
        check("nginx", "nginx");
        check("nginx:1.25", "nginx");
        check("docker.io/library/nginx@sha256:abc", "docker.io/library/nginx");
        check("registry:5000/shop/web:1@sha256:abc", "registry:5000/shop/web");
        check("registry:5000/web", "registry:5000/web");
        check("", "");
    }
}
