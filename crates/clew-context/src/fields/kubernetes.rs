//! `ka.*`: records of the audit log of a Kubernetes API server.

use std::borrow::Cow;

use clew_event::json::{Kind, Value};
use clew_event::{FieldId, FieldValue, Scalar};

use super::pod::{self, Part};
use super::record::{Asked, How, as_text, is_true, list, walk};
use super::{boolean_text, maybe, owned};

const SPEC: [&str; 2] = ["requestObject", "spec"];

#[rustfmt::skip]
#[allow(clippy::too_many_lines, reason = "one line a field")]
pub(super) fn how(id: FieldId) -> Option<How> {
    use FieldId as F;
    let how = match id {
        F::KaAuditid => How::Json(&["auditID"]),
        F::KaStage => How::Json(&["stage"]),
        F::KaAuthDecision => How::Json(&["annotations", "authorization.k8s.io/decision"]),
        F::KaAuthReason => How::Json(&["annotations", "authorization.k8s.io/reason"]),
        F::KaAuthOpenshiftDecision => How::Json(&["annotations", "authentication.openshift.io/decision"]),
        F::KaValidationsAdmissionPolicyFailure => How::Json(&["annotations", "validation.policy.admission.k8s.io/validation_failure"]),
        F::KaSecurityPodViolations => How::Json(&["annotations", "pod-security.kubernetes.io/audit-violations"]),
        F::KaAuthOpenshiftUsername => How::Json(&["annotations", "authentication.openshift.io/username"]),
        F::KaUserName => How::Json(&["user", "username"]),
        F::KaUserGroups => How::List(&["user", "groups"]),
        F::KaImpuserName => How::Json(&["impersonatedUser", "username"]),
        F::KaVerb => How::Json(&["verb"]),
        F::KaUri => How::Json(&["requestURI"]),
        F::KaUriParam => How::Made(uri_parameter),
        F::KaTargetName | F::KaReqConfigmapName => How::Json(&["objectRef", "name"]),
        F::KaTargetNamespace => How::Json(&["objectRef", "namespace"]),
        F::KaTargetResource => How::Json(&["objectRef", "resource"]),
        F::KaTargetSubresource => How::Json(&["objectRef", "subresource"]),
        F::KaTargetPodName => How::Made(target_pod),
        F::KaReqBindingSubjects => How::List(&["requestObject", "subjects"]),
        F::KaReqBindingSubjectsUserNames => How::Made(user_subjects),
        F::KaReqBindingSubjectsServiceaccountNames => How::Made(account_subjects),
        F::KaReqBindingSubjectsServiceaccountNsNames => How::Made(namespaced_subjects),
        F::KaReqBindingSubjectsGroupNames => How::Made(group_subjects),
        F::KaReqBindingRole => How::Json(&["requestObject", "roleRef", "name"]),
        F::KaReqBindingSubjectHasName => How::Made(always_true),
        F::KaReqConfigmapObj => How::Json(&["requestObject", "data"]),
        F::KaReqPodContainersArgs => How::Pod("containers", Part::Args),
        F::KaReqPodContainersCommand => How::Pod("containers", Part::Command),
        F::KaReqPodContainersName => How::Pod("containers", Part::Name),
        F::KaReqPodContainersImage => How::Pod("containers", Part::Image),
        F::KaReqContainerImage => How::Made(first_image),
        F::KaReqPodContainersImageRepository => How::Pod("containers", Part::Repository),
        F::KaReqContainerImageRepository => How::Made(first_repository),
        F::KaReqPodHostIpc => How::Json(&["requestObject", "spec", "hostIPC"]),
        F::KaReqPodHostNetwork | F::KaReqContainerHostNetwork => How::Json(&["requestObject", "spec", "hostNetwork"]),
        F::KaReqPodHostPid => How::Json(&["requestObject", "spec", "hostPID"]),
        F::KaReqPodContainersHostPort => How::Pod("containers", Part::HostPort),
        F::KaReqPodContainersPrivileged => How::Pod("containers", Part::Privileged),
        F::KaReqContainerPrivileged => How::Made(any_privileged),
        F::KaReqPodContainersAllowPrivilegeEscalation => How::Pod("containers", Part::AllowEscalation),
        F::KaReqPodContainersReadOnlyFs => How::Pod("containers", Part::ReadOnly),
        F::KaReqPodRunAsUser => How::Json(&["requestObject", "spec", "securityContext", "runAsUser"]),
        F::KaReqPodContainersRunAsUser => How::Pod("containers", Part::User),
        F::KaReqPodContainersEffRunAsUser => How::Pod("containers", Part::EffectiveUser),
        F::KaReqPodRunAsGroup => How::Json(&["requestObject", "spec", "securityContext", "runAsGroup"]),
        F::KaReqPodContainersRunAsGroup => How::Pod("containers", Part::Group),
        F::KaReqPodContainersEffRunAsGroup => How::Pod("containers", Part::EffectiveGroup),
        F::KaReqPodContainersProcMount => How::Pod("containers", Part::ProcMount),
        F::KaReqRoleRules => How::List(&["requestObject", "rules"]),
        F::KaReqRoleRulesApiGroups => How::Flat(&["requestObject", "rules", "apiGroups"]),
        F::KaReqRoleRulesNonResourceURLs => How::Flat(&["requestObject", "rules", "nonResourceURLs"]),
        F::KaReqRoleRulesVerbs => How::Flat(&["requestObject", "rules", "verbs"]),
        F::KaReqRoleRulesResources => How::Flat(&["requestObject", "rules", "resources"]),
        F::KaReqPodFsGroup => How::Json(&["requestObject", "spec", "securityContext", "fsGroup"]),
        F::KaReqPodSupplementalGroups => How::List(&["requestObject", "spec", "securityContext", "supplementalGroups"]),
        F::KaReqPodContainersAddCapabilities => How::Pod("containers", Part::Capabilities),
        F::KaReqServiceType => How::Json(&["requestObject", "spec", "type"]),
        F::KaReqServicePorts => How::Each(&["requestObject", "spec", "ports", ""]),
        F::KaReqPodVolumesHostpath => How::Each(&["requestObject", "spec", "volumes", "hostPath", "path"]),
        F::KaReqVolumeHostpath => How::Made(gives_host_path),
        F::KaReqPodVolumesFlexvolumeDriver => How::Each(&["requestObject", "spec", "volumes", "flexVolume", "driver"]),
        F::KaReqPodVolumesVolumeType => How::Made(volume_types),
        F::KaRespName => How::Json(&["responseObject", "metadata", "name"]),
        F::KaResponseCode => How::Json(&["responseStatus", "code"]),
        F::KaResponseReason => How::Json(&["responseStatus", "reason"]),
        F::KaUseragent => How::Json(&["userAgent"]),
        F::KaSourceips => How::Flat(&["sourceIPs"]),
        F::KaClusterName => How::Json(&["annotations", "cluster_name"]),
        F::KaReqPodInitContainersName => How::Pod("initContainers", Part::Name),
        F::KaReqPodInitContainersImage => How::Pod("initContainers", Part::Image),
        F::KaReqPodInitContainersImageRepository => How::Pod("initContainers", Part::Repository),
        F::KaReqPodInitContainersCommand => How::Pod("initContainers", Part::Command),
        F::KaReqPodInitContainersArgs => How::Pod("initContainers", Part::Args),
        F::KaReqPodInitContainersPrivileged => How::Pod("initContainers", Part::Privileged),
        F::KaReqPodInitContainersAllowPrivilegeEscalation => How::Pod("initContainers", Part::AllowEscalation),
        F::KaReqPodInitContainersReadOnlyFs => How::Pod("initContainers", Part::ReadOnly),
        F::KaReqPodInitContainersRunAsUser => How::Pod("initContainers", Part::User),
        F::KaReqPodInitContainersEffRunAsUser => How::Pod("initContainers", Part::EffectiveUser),
        F::KaReqPodInitContainersRunAsGroup => How::Pod("initContainers", Part::Group),
        F::KaReqPodInitContainersEffRunAsGroup => How::Pod("initContainers", Part::EffectiveGroup),
        F::KaReqPodInitContainersProcMount => How::Pod("initContainers", Part::ProcMount),
        F::KaReqPodInitContainersAddCapabilities => How::Pod("initContainers", Part::Capabilities),
        F::KaReqPodInitContainersHostPort => How::Pod("initContainers", Part::HostPort),
        F::KaReqPodEphemeralContainersName => How::Pod("ephemeralContainers", Part::Name),
        F::KaReqPodEphemeralContainersImage => How::Pod("ephemeralContainers", Part::Image),
        F::KaReqPodEphemeralContainersImageRepository => How::Pod("ephemeralContainers", Part::Repository),
        F::KaReqPodEphemeralContainersCommand => How::Pod("ephemeralContainers", Part::Command),
        F::KaReqPodEphemeralContainersArgs => How::Pod("ephemeralContainers", Part::Args),
        F::KaReqPodEphemeralContainersPrivileged => How::Pod("ephemeralContainers", Part::Privileged),
        F::KaReqPodEphemeralContainersAllowPrivilegeEscalation => How::Pod("ephemeralContainers", Part::AllowEscalation),
        F::KaReqPodEphemeralContainersReadOnlyFs => How::Pod("ephemeralContainers", Part::ReadOnly),
        F::KaReqPodEphemeralContainersRunAsUser => How::Pod("ephemeralContainers", Part::User),
        F::KaReqPodEphemeralContainersEffRunAsUser => How::Pod("ephemeralContainers", Part::EffectiveUser),
        F::KaReqPodEphemeralContainersRunAsGroup => How::Pod("ephemeralContainers", Part::Group),
        F::KaReqPodEphemeralContainersEffRunAsGroup => How::Pod("ephemeralContainers", Part::EffectiveGroup),
        F::KaReqPodEphemeralContainersProcMount => How::Pod("ephemeralContainers", Part::ProcMount),
        F::KaReqPodEphemeralContainersAddCapabilities => How::Pod("ephemeralContainers", Part::Capabilities),
        _ => return None,
    };
    Some(how)
}

/// The first value of a parameter of the URI. A parameter that cannot be decoded hides no other.
fn uri_parameter<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let uri = asked.text_at(&["requestURI"]);
    let uri = uri.split(|&byte| byte == b'#').next().unwrap_or_default();
    let Some(question) = uri.iter().position(|&byte| byte == b'?') else {
        return FieldValue::Missing;
    };
    let wanted = asked.key();
    let query = uri.get(question + 1..).unwrap_or_default();
    // Falco's plugin gives up the whole query.
    if asked.view.is_falco() && !has_whole_escapes(query) {
        return FieldValue::Missing;
    }
    let mut pairs = query.split(|&byte| byte == b'&').map(|pair| {
        let mut parts = pair.splitn(2, |&byte| byte == b'=').map(decoded);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    });
    maybe(pairs.find(|(name, _)| name == wanted.as_bytes()), |(_, value)| owned(value))
}

/// Text of a query: `+` is a blank, `%41` is `A`; what is no escape stays as it is.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        let escape = (byte == b'%').then(|| hexadecimal(behind)).flatten();
        plain.push(escape.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        rest = if escape.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    plain
}

fn has_whole_escapes(query: &[u8]) -> bool {
    let mut rest = query;
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        rest = rest.get(at + 1..).unwrap_or_default();
        if hexadecimal(rest).is_none() {
            return false;
        }
    }
    true
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digits = digits.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn target_pod<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let is_pod = asked.text_at(&["objectRef", "resource"]) == b"pods";
    let is_whole = asked.text_at(&["objectRef", "subresource"]).is_empty();
    let name = asked.at(&["responseObject", "metadata", "name"]);
    maybe(name.filter(|_| is_pod && is_whole), as_text)
}

fn user_subjects<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    list(subjects(asked, "User").map(|(name, _)| Scalar::Text(name)))
}

fn group_subjects<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    list(subjects(asked, "Group").map(|(name, _)| Scalar::Text(name)))
}

fn account_subjects<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    list(subjects(asked, "ServiceAccount").map(|(name, _)| Scalar::Text(name)))
}

fn namespaced_subjects<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let named = subjects(asked, "ServiceAccount").filter_map(|(name, subject)| {
        let namespace = subject.get("namespace")?.as_text();
        Some(Scalar::Text(Cow::Owned([&*namespace, b":", &*name].concat())))
    });
    list(named)
}

/// Names of the subjects of a kind, each with the subject.
fn subjects<'v, 'a>(
    asked: &Asked<'v, 'a>,
    kind: &'static str,
) -> impl Iterator<Item = (Cow<'a, [u8]>, Value<'v, 'a>)> {
    let all = asked.at(&["requestObject", "subjects"]).into_iter().flat_map(Value::items);
    all.filter(move |subject| subject.get("kind").is_some_and(|found| found.is(kind)))
        .filter_map(|subject| Some((subject.get("name")?.as_text(), subject)))
}

fn always_true<'a>(_: &Asked<'_, 'a>) -> FieldValue<'a> {
    boolean_text(true)
}

fn first_image<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    pod::first(asked, Part::Image)
}

fn first_repository<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    pod::first(asked, Part::Repository)
}

fn any_privileged<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let path = [SPEC.as_slice(), &["containers", "securityContext", "privileged"]].concat();
    maybe(walk(asked.record.root(), &path, None), |found| {
        boolean_text(found.into_iter().flatten().any(is_true))
    })
}

fn gives_host_path<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let wanted = asked.key();
    let path = [SPEC.as_slice(), &["volumes", "hostPath", "path"]].concat();
    let is_wanted = |value: Value<'_, '_>| match wanted.strip_suffix('*') {
        Some(start) => value.as_text().starts_with(start.as_bytes()),
        None => *value.as_text() == *wanted.as_bytes(),
    };
    maybe(walk(asked.record.root(), &path, None), |found| {
        boolean_text(found.into_iter().flatten().any(is_wanted))
    })
}

/// Of each volume the members beside its name: there is one, which is named by the type.
fn volume_types<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let path = [SPEC.as_slice(), &["volumes", ""]].concat();
    maybe(walk(asked.record.root(), &path, asked.index()), |found| {
        let volumes = found.into_iter().flatten().filter(|volume| volume.kind() == Kind::Object);
        let members = volumes.flat_map(Value::members).filter(|(name, _)| !name.is("name"));
        list(members.map(|(name, _)| Scalar::Text(name.as_text())))
    })
}
