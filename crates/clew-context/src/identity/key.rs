//! What an identity is called, the same whichever log tells of it.
//!
//! CloudTrail names a user by ARN where it acts and by bare name where it is made, and a role with
//! its path here and without it there. One identity has to have one name, or its lineage breaks.

use std::fmt;

use clew_event::control_plane::{ApiCall, ApiSource};
use clew_event::finding::EntityKind;
use clew_event::text::escaped;
use clew_event::{Entity, Text};
use serde::{Deserialize, Serialize};

/// What kind of identity it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IdentityKind {
    /// An access key, a token, a certificate: by its public id.
    Credential,
    /// A session of a role.
    Session,
    /// A process that got or uses a credential.
    Process,
    /// A container.
    Container,
    /// A pod, by its uid; by `namespace/name` where no uid is known.
    Pod,
    /// A task of a container service without nodes.
    Task,
    /// A virtual machine.
    Instance,
    /// A node of a cluster.
    Node,
    /// An identity that programs act with.
    ServiceAccount,
    /// A user of an account or cluster, who may be a person or a program.
    User,
    /// Somebody who signed in.
    Person,
    /// What sessions are opened of.
    Role,
    /// A service of the provider, which acts for others.
    Service,
    /// An account, project, subscription or cluster.
    Account,
}

impl IdentityKind {
    /// Every kind, in their order.
    pub const ALL: [Self; 14] = [
        Self::Credential,
        Self::Session,
        Self::Process,
        Self::Container,
        Self::Pod,
        Self::Task,
        Self::Instance,
        Self::Node,
        Self::ServiceAccount,
        Self::User,
        Self::Person,
        Self::Role,
        Self::Service,
        Self::Account,
    ];

    /// Its name in rules and to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Session => "session",
            Self::Process => "process",
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Task => "task",
            Self::Instance => "instance",
            Self::Node => "node",
            Self::ServiceAccount => "service account",
            Self::User => "user",
            Self::Person => "person",
            Self::Role => "role",
            Self::Service => "service",
            Self::Account => "account",
        }
    }

    /// True for what runs programs and is given credentials to do so.
    #[must_use]
    pub const fn is_workload(self) -> bool {
        matches!(self, Self::Pod | Self::Task | Self::Instance | Self::Node)
    }
}

/// One identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// What it is.
    pub kind: IdentityKind,
    /// What it is called.
    pub name: Text,
}

impl Identity {
    /// The identity of that kind and name, as logs give it.
    #[must_use]
    pub fn new(kind: IdentityKind, name: impl Into<Text>) -> Self {
        Self { kind, name: name.into() }
    }

    /// The same, `None` where there is no name.
    pub(super) fn named(kind: IdentityKind, name: &Text) -> Option<Self> {
        (!name.is_empty()).then(|| Self { kind, name: name.clone() })
    }

    /// A pod by its name, under which commands and labels know it.
    pub(super) fn pod(namespace: &Text, name: &Text) -> Option<Self> {
        if name.is_empty() {
            return None;
        }
        Some(Self::new(IdentityKind::Pod, joined(namespace, name)))
    }

    /// The same as findings name it; `None` for what no finding names.
    pub(crate) fn entity(&self) -> Option<Entity> {
        let kind = match self.kind {
            IdentityKind::Credential => EntityKind::Credential,
            IdentityKind::User | IdentityKind::Person | IdentityKind::ServiceAccount => {
                EntityKind::User
            }
            IdentityKind::Role => EntityKind::Role,
            IdentityKind::Process => EntityKind::Process,
            _ => return None,
        };
        let id = escaped(self.name.as_bytes());
        Some(Entity { kind, name: id.clone(), id })
    }

    pub(super) fn service_account(namespace: &Text, name: &Text) -> Self {
        Self::new(IdentityKind::ServiceAccount, joined(namespace, name))
    }

    /// Whoever a log names as the caller, or as whose rights are used.
    pub(super) fn principal(call: &ApiCall, name: &Text) -> Option<Self> {
        if name.is_empty() {
            return None;
        }
        Some(match call.source {
            ApiSource::Cloudtrail => aws(name, &call.account, &call.principal_kind),
            ApiSource::KubernetesAudit => kubernetes(name),
            ApiSource::GcpAudit => google(name),
            ApiSource::Github
            | ApiSource::Okta
            | ApiSource::AzureActivity
            | ApiSource::EntraSignIn => {
                let is_person = name.as_bytes().contains(&b'@') || call.source != AZURE;
                let kind = if is_person { IdentityKind::Person } else { IdentityKind::User };
                Self::new(kind, name.clone())
            }
        })
    }

    /// A user or role that was made, by whatever the answer calls it.
    pub(super) fn made(call: &ApiCall, kind: IdentityKind, name: &Text) -> Option<Self> {
        if call.source == ApiSource::Cloudtrail {
            let is_arn = name.as_bytes().starts_with(b"arn:");
            let word = if kind == IdentityKind::Role { "role" } else { "user" };
            return match name.is_empty() {
                true => None,
                false if is_arn => Some(aws(name, &call.account, &Text::default())),
                false => Some(Self::new(kind, short_arn(&call.account.to_str_lossy(), word, name))),
            };
        }
        if call.source == ApiSource::KubernetesAudit && kind != IdentityKind::User {
            return Self::named(IdentityKind::ServiceAccount, name).map(|given| {
                let known = kubernetes(name);
                if known.kind == IdentityKind::ServiceAccount { known } else { given }
            });
        }
        Self::principal(call, name)
    }
}

const AZURE: ApiSource = ApiSource::AzureActivity;

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

fn joined(namespace: &Text, name: &Text) -> Text {
    if namespace.is_empty() {
        return name.clone();
    }
    [namespace.as_bytes(), b"/", name.as_bytes()].concat().into()
}

/// An ARN without the path between `user/` or `role/` and the name: names are unique in an account.
fn short_arn(account: &str, word: &str, name: &Text) -> Text {
    format!("arn:aws:iam::{account}:{word}/{}", String::from_utf8_lossy(name.file_name())).into()
}

/// The same of a whole ARN, which is itself where it has no path.
fn without_path(account: &str, word: &str, arn: &Text) -> Text {
    let slashes = arn.as_bytes().iter().filter(|&&byte| byte == b'/').count();
    let is_short = slashes == 1 && arn.as_bytes().starts_with(b"arn:aws:");
    if is_short { arn.clone() } else { short_arn(account, word, arn) }
}

fn aws(name: &Text, account: &Text, kind: &Text) -> Identity {
    let text = name.to_str_lossy();
    let mut parts = text.splitn(6, ':').skip(2);
    let arn = (parts.next(), parts.next(), parts.next(), parts.next());
    if let (true, (Some(service), Some(_), Some(owner), Some(resource))) =
        (text.starts_with("arn:"), arn)
    {
        return match (service, resource.split_once('/')) {
            ("iam", None) => Identity::new(IdentityKind::User, name.clone()),
            ("iam", Some(("role", _))) => {
                Identity::new(IdentityKind::Role, without_path(owner, "role", name))
            }
            ("iam", Some(("user", _))) => {
                Identity::new(IdentityKind::User, without_path(owner, "user", name))
            }
            ("sts", Some(_)) => Identity::new(IdentityKind::Session, name.clone()),
            _ => Identity::new(IdentityKind::User, name.clone()),
        };
    }
    if text.starts_with(SERVICE_ACCOUNT) {
        return kubernetes(name);
    }
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    match kind.as_bytes() {
        b"Root" => Identity::new(IdentityKind::User, format!("arn:aws:iam::{account}:root")),
        b"AWSAccount" => Identity::new(IdentityKind::Account, name.clone()),
        b"IAMUser" => {
            Identity::new(IdentityKind::User, short_arn(&account.to_str_lossy(), "user", name))
        }
        b"SAMLUser" | b"IdentityCenterUser" => Identity::new(IdentityKind::Person, name.clone()),
        b"WebIdentityUser" => Identity::new(IdentityKind::ServiceAccount, name.clone()),
        _ if text.ends_with(".amazonaws.com") => Identity::new(IdentityKind::Service, name.clone()),
        _ if is_account => Identity::new(IdentityKind::Account, name.clone()),
        _ => Identity::new(IdentityKind::User, name.clone()),
    }
}

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

fn kubernetes(name: &Text) -> Identity {
    let text = name.to_str_lossy();
    if let Some((namespace, account)) =
        text.strip_prefix(SERVICE_ACCOUNT).and_then(|rest| rest.split_once(':'))
    {
        return Identity::service_account(&namespace.into(), &account.into());
    }
    match text.strip_prefix("system:node:") {
        Some(node) => Identity::new(IdentityKind::Node, node),
        None => Identity::new(IdentityKind::User, name.clone()),
    }
}

fn google(name: &Text) -> Identity {
    let is_program = name.as_bytes().ends_with(b".gserviceaccount.com");
    let kind = if is_program { IdentityKind::ServiceAccount } else { IdentityKind::Person };
    Identity::new(kind, name.clone())
}

/// The role of a session.
pub(super) fn role_of(session: &Identity) -> Option<Identity> {
    let text = session.name.to_str_lossy();
    let (account, role, _) = parts_of_session(&text)?;
    Some(Identity::new(IdentityKind::Role, format!("arn:aws:iam::{account}:role/{role}")))
}

/// Who holds a session, where its name tells.
///
/// Whoever opens a session chooses its name, so what it tells ranks below a call that was seen
/// opening it.
pub(super) fn holder_of(session: &Identity) -> Option<Identity> {
    let text = session.name.to_str_lossy();
    let (_, role, name) = parts_of_session(&text)?;
    holder_of_session(role, name)
}

/// Account, role and name of a session.
fn parts_of_session(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.splitn(6, ':').skip(4);
    let (account, resource) = (parts.next()?, parts.next()?);
    let (role, name) = resource.strip_prefix("assumed-role/")?.split_once('/')?;
    Some((account, role, name))
}

fn holder_of_session(role: &str, name: &str) -> Option<Identity> {
    const TASK_DIGITS: usize = 32;
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(digits) = name.strip_prefix("i-")
        && (8..=17).contains(&digits.len())
        && is_hex(digits)
    {
        return Some(Identity::new(IdentityKind::Instance, name));
    }
    if name.len() == TASK_DIGITS && is_hex(name) {
        return Some(Identity::new(IdentityKind::Task, name));
    }
    // The sign-on service names sessions by whoever signed in.
    role.starts_with("AWSReservedSSO_").then(|| Identity::new(IdentityKind::Person, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(source: ApiSource, kind: &str) -> ApiCall {
        ApiCall {
            source,
            principal_kind: kind.into(),
            account: "123456789012".into(),
            ..ApiCall::default()
        }
    }

    #[test]
    fn one_identity_has_one_name_in_every_log() {
        let check = |source, kind: &str, name: &str, expected: &str| {
            let found = Identity::principal(&call(source, kind), &name.into());
            assert_eq!(found.map(|found| found.to_string()).unwrap_or_default(), expected);
        };
        use ApiSource::{AzureActivity, Cloudtrail, GcpAudit, KubernetesAudit};
        check(
            Cloudtrail,
            "IAMUser",
            "arn:aws:iam::123456789012:user/ops/ann",
            "user arn:aws:iam::123456789012:user/ann",
        );
        check(Cloudtrail, "IAMUser", "ann", "user arn:aws:iam::123456789012:user/ann");
        check(
            Cloudtrail,
            "Root",
            "arn:aws:iam::123456789012:root",
            "user arn:aws:iam::123456789012:root",
        );
        check(Cloudtrail, "Root", "root", "user arn:aws:iam::123456789012:root");
        check(Cloudtrail, "AWSAccount", "123456789012", "account 123456789012");
        check(Cloudtrail, "AWSService", "ec2.amazonaws.com", "service ec2.amazonaws.com");
        check(
            Cloudtrail,
            "AssumedRole",
            "arn:aws:sts::1:assumed-role/r/s",
            "session arn:aws:sts::1:assumed-role/r/s",
        );
        check(
            Cloudtrail,
            "WebIdentityUser",
            "system:serviceaccount:shop:cart",
            "service account shop/cart",
        );
        check(KubernetesAudit, "", "system:serviceaccount:shop:cart", "service account shop/cart");
        check(KubernetesAudit, "", "system:node:n1", "node n1");
        check(KubernetesAudit, "", "ann", "user ann");
        check(
            GcpAudit,
            "",
            "ci@p.iam.gserviceaccount.com",
            "service account ci@p.iam.gserviceaccount.com",
        );
        check(GcpAudit, "", "ann@example.org", "person ann@example.org");
        check(AzureActivity, "", "9d1c-app", "user 9d1c-app");
        check(Cloudtrail, "", "", "");
    }

    #[test]
    fn a_made_user_has_the_name_under_which_it_acts() {
        let trail = call(ApiSource::Cloudtrail, "");
        let made = |kind, name: &str| {
            Identity::made(&trail, kind, &name.into()).map(|made| made.name.to_string())
        };
        let arn = Some("arn:aws:iam::123456789012:user/bob".to_owned());
        assert_eq!(made(IdentityKind::User, "bob"), arn);
        assert_eq!(made(IdentityKind::User, "arn:aws:iam::123456789012:user/x/bob"), arn);
        assert_eq!(made(IdentityKind::User, ""), None);
    }

    #[test]
    fn the_name_of_a_session_tells_role_and_holder() {
        let check = |resource: &str, expected: &str| {
            let arn = format!("arn:aws:sts::1:assumed-role/{resource}");
            let session = Identity::new(IdentityKind::Session, arn);
            assert_eq!(role_of(&session).map(|role| role.kind), Some(IdentityKind::Role));
            assert_eq!(
                holder_of(&session).map(|holder| holder.to_string()).unwrap_or_default(),
                expected
            );
        };
        check("web/i-786a3A8B5C0d92eF4", "instance i-786a3A8B5C0d92eF4");
        check("web/i-xyz", "");
        check("job/0123456789abcdef0123456789abcdef", "task 0123456789abcdef0123456789abcdef");
        check("AWSReservedSSO_Admin_1/ann@example.org", "person ann@example.org");
        check("web/session", "");
    }
}
