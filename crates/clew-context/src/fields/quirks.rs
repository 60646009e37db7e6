//! What Falco's plugins (August 2026) make of records where their documentation says something else.
//!
//! Asked before the tables of the logs, and only where Falco is followed.

use clew_event::{FieldId, FieldValue};

use super::owned;
use super::pod::Part;
use super::record::{Asked, How};

const EPHEMERAL: &str = "ephemeralContainers";

#[rustfmt::skip]
pub(super) fn how(id: FieldId) -> Option<How> {
    use FieldId as F;
    let how = match id {
        // Cut at the first colon, which may be that of the registry's port.
        F::KaReqPodContainersImageRepository => How::Pod("containers", Part::BeforeColon),
        F::KaReqPodInitContainersImageRepository => How::Pod("initContainers", Part::BeforeColon),
        F::KaReqPodEphemeralContainersImageRepository => How::Pod(EPHEMERAL, Part::BeforeColon),
        F::KaReqContainerImageRepository => How::Made(first_before_colon),
        // The JSON of each list, which equals no name of a capability.
        F::KaReqPodContainersAddCapabilities => How::Pod("containers", Part::CapabilitiesJson),
        F::KaReqPodInitContainersAddCapabilities => How::Pod("initContainers", Part::CapabilitiesJson),
        F::KaReqPodEphemeralContainersAddCapabilities => How::Pod(EPHEMERAL, Part::CapabilitiesJson),
        // Looked for beside the security contexts, where they never are.
        F::KaReqPodContainersEffRunAsUser | F::KaReqPodContainersEffRunAsGroup => How::Pod("containers", Part::Zero),
        F::KaReqPodInitContainersEffRunAsUser | F::KaReqPodInitContainersEffRunAsGroup => How::Pod("initContainers", Part::Zero),
        F::KaReqPodEphemeralContainersEffRunAsUser | F::KaReqPodEphemeralContainersEffRunAsGroup => How::Pod(EPHEMERAL, Part::Zero),
        // Looked for in the rules of a role, and under another name.
        F::KaSourceips | F::CtRequestDocumentname => How::Made(nothing),
        // Only texts are read.
        F::GcpAuthorizationInfo => How::Text(&["protoPayload", "authorizationInfo"]),
        F::GcpRequest => How::Text(&["protoPayload", "request"]),
        F::GcpPolicyDelta => How::Made(super::gcp::policy_delta_text),
        F::OktaClientGeoLon => How::Made(zero),
        F::OktaMfaFailureCountlast | F::OktaMfaDenyCountlast => How::Made(super::okta::refusals),
        // No comma between the files of two commits.
        F::GithubCommitAdded => How::Made(|asked| super::github::files_run_together(asked, "added")),
        F::GithubCommitModified => How::Made(|asked| super::github::files_run_together(asked, "modified")),
        F::GithubCommitRemoved => How::Made(|asked| super::github::files_run_together(asked, "removed")),
        _ => return None,
    };
    Some(how)
}

fn nothing<'a>(_: &Asked<'_, 'a>) -> FieldValue<'a> {
    FieldValue::Missing
}

fn zero<'a>(_: &Asked<'_, 'a>) -> FieldValue<'a> {
    owned("0")
}

fn first_before_colon<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    super::pod::first(asked, Part::BeforeColon)
}

#[cfg(test)]
mod tests {
    use clew_event::control_plane::{ApiCall, ApiSource};
    use clew_event::{Event, EventId, EventKind, EventType, Semantics, TimestampNs};

    use crate::Context;
    use crate::tests::builders::shown;

    #[test]
    fn where_falco_is_followed_its_plugins_readings_hold() {
        let check = |source, record: &str, name: &str, [clew, falco]: [&str; 2]| {
            let call = ApiCall { source, record: record.into(), ..ApiCall::default() };
            let event = Event {
                id: EventId(1),
                time: TimestampNs::default(),
                arrived: TimestampNs::default(),
                event_type: EventType::PluginEvent,
                actor: None,
                kind: EventKind::CloudApi(Box::new(call)),
            };
            let mut context = Context::default();
            assert_eq!(shown(&context.view(&event), name), clew, "{name}");
            context.set_semantics(Semantics::Falco);
            assert_eq!(shown(&context.view(&event), name), falco, "{name} in Falco");
        };
        use ApiSource as S;
        let pod = r#"{"requestObject":{"spec":{"containers":[{"image":"r:5000/web","securityContext":
            {"runAsUser":7,"capabilities":{"add":["SYS_ADMIN"]}}}]}},"sourceIPs":["10.0.0.1"],
            "requestURI":"/a?x=1&y=%zz"}"#;
        let ka = |name, expected| check(S::KubernetesAudit, pod, name, expected);
        ka("ka.req.pod.containers.image.repository", [r#"["r:5000/web"]"#, r#"["r"]"#]);
        ka("ka.req.container.image.repository", [r#""r:5000/web""#, r#""r""#]);
        ka("ka.req.pod.containers.eff_run_as_user", [r#"["7"]"#, r#"["0"]"#]);
        ka("ka.req.pod.containers.add_capabilities", [r#"["SYS_ADMIN"]"#, r#"["["SYS_ADMIN"]"]"#]);
        ka("ka.sourceips", [r#"["10.0.0.1"]"#, "-"]);
        ka("ka.uri.param[x]", [r#""1""#, "-"]);
        let document = r#"{"requestParameters":{"documentName":"d"}}"#;
        check(S::Cloudtrail, document, "ct.request.documentname", [r#""d""#, "-"]);
        let deltas = r#"{"protoPayload":{"metadata":{"datasetChange":{"bindingDeltas":[1]}}}}"#;
        check(S::GcpAudit, deltas, "gcp.policyDelta", [r#""[1]""#, r#""""#]);
        let place = r#"{"client":{"geographicalContext":{"geolocation":{"lon":8.5}}}}"#;
        check(S::Okta, place, "okta.client.geo.lon", [r#""8.5""#, r#""0""#]);
        let commits = r#"{"commits":[{"added":["a","b"]},{"added":["c"]}]}"#;
        check(S::Github, commits, "github.commit.added", [r#""a,b,c""#, r#""a,bc""#]);
    }
}
