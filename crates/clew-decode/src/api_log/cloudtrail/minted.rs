//! What a call handed out: sessions, keys, users, roles, logins.
//!
//! A session is known by the public id of its key in the answer, whatever call gave it: `AssumeRole`
//! and its kin, `AssumeRoot`, `GetFederationToken`, `GetSessionToken`, `AssumeRoleForPodIdentity`,
//! `CreateSession`. Answers that hide the key (`sso:GetRoleCredentials`) prove nothing to join on.

use clew_event::Text;
use clew_event::control_plane::{Claim, Minted, MintedKind};
use clew_event::json::Value;

use super::super::{first_of, member, moment_of, service_account, text_of};
use super::Call;
use super::identity::is_instance_id;

/// Calls that make something with an id: where the answer tells it, and who will act with it.
const MADE: [(&str, MintedKind, &[&str], &[&str]); 8] = [
    (
        "CreateAccessKey",
        MintedKind::AccessKey,
        &["accessKey", "accessKeyId"],
        &["accessKey", "userName"],
    ),
    (
        "CreateServiceSpecificCredential",
        MintedKind::AccessKey,
        &["serviceSpecificCredential", "serviceSpecificCredentialId"],
        &["serviceSpecificCredential", "userName"],
    ),
    (
        "UploadSSHPublicKey",
        MintedKind::AccessKey,
        &["sSHPublicKey", "sSHPublicKeyId"],
        &["sSHPublicKey", "userName"],
    ),
    ("CreateUser", MintedKind::User, &["user", "arn"], &["user", "arn"]),
    ("CreateRole", MintedKind::Role, &["role", "arn"], &["role", "arn"]),
    ("CreateServiceLinkedRole", MintedKind::Role, &["role", "arn"], &["role", "arn"]),
    (
        "CreateLoginProfile",
        MintedKind::Login,
        &["loginProfile", "userName"],
        &["loginProfile", "userName"],
    ),
    (
        "UpdateLoginProfile",
        MintedKind::Login,
        &["loginProfile", "userName"],
        &["loginProfile", "userName"],
    ),
];

impl Call<'_, '_, '_> {
    /// Adds what the call proves beside who made it; one that failed hands out nothing.
    pub(super) fn claims(&self, service: &[u8], is_granted: bool, claims: &mut Vec<Claim>) {
        if !is_granted {
            return;
        }
        self.on_behalf(service, claims);
        let key = member(self.response, "credentials");
        if let Some(key) = key.filter(|key| !text_of(key.get("accessKeyId")).is_empty()) {
            claims.push(Claim::Minted(self.session(key)));
        } else if self.name.is_some_and(|name| name.is("ConsoleLogin")) {
            let (id, kind) = (self.caller.clone(), MintedKind::ConsoleSession);
            claims.push(Claim::Minted(Minted { kind, holder: id.clone(), id, expires: None }));
        }
        let made = MADE.iter().find(|(name, ..)| self.name.is_some_and(|it| it.is(name)));
        claims.extend(made.and_then(|made| self.made(made)).map(Claim::Minted));
    }

    fn made(&self, made: &(&str, MintedKind, &[&str], &[&str])) -> Option<Minted> {
        let (_, kind, id, holder) = *made;
        let at = |path| self.response.and_then(|response| response.at(path));
        let [user, role] =
            self.request.map(|it| it.pick(["userName", "roleName"])).unwrap_or_default();
        let asked = match kind {
            // Without the answer nobody knows the new key.
            MintedKind::AccessKey => None,
            MintedKind::Role => role,
            _ => user,
        };
        let id = first_of([at(id), asked]);
        let own = if user.is_none() && kind == MintedKind::AccessKey { self.caller } else { &id };
        let holder = first_of([at(holder), user, role]);
        let holder = if holder.is_empty() { own.clone() } else { holder };
        (!id.is_empty()).then_some(Minted { kind, id, holder, expires: None })
    }

    fn session(&self, key: Value<'_, '_>) -> Minted {
        let [role, user] = self
            .response
            .map(|it| it.pick(["assumedRoleUser", "federatedUser"]))
            .unwrap_or_default();
        let holder = first_of([member(role, "arn"), member(user, "arn")]);
        let [id, ends] = key.pick(["accessKeyId", "expiration"]);
        Minted {
            kind: MintedKind::Session,
            id: text_of(id),
            holder: if holder.is_empty() { self.asked_for() } else { holder },
            expires: moment_of(ends),
        }
    }

    /// Whose session was asked for, where the answer does not say: the role under its new name, the
    /// root of an account; else it is the caller's own.
    fn asked_for(&self) -> Text {
        let [role, session, target] = self
            .request
            .map(|it| it.pick(["roleArn", "roleSessionName", "targetPrincipal"]))
            .unwrap_or_default();
        let (role, session, target) = (text_of(role), text_of(session), text_of(target));
        if !target.is_empty() {
            let is_account = target.as_bytes().iter().all(u8::is_ascii_digit);
            return if is_account { format!("arn:aws:iam::{target}:root").into() } else { target };
        }
        session_arn(role.as_bytes(), session.as_bytes())
            .unwrap_or_else(|| if role.is_empty() { self.caller.clone() } else { role.clone() })
    }

    /// For whom a service made the call: only the services themselves are believed, because anyone
    /// may open a session under any name and with any tags.
    fn on_behalf(&self, service: &[u8], claims: &mut Vec<Claim>) {
        match service {
            b"ec2.amazonaws.com" => {
                let name = text_of(member(self.request, "roleSessionName"));
                if is_instance_id(name.as_bytes()) {
                    claims.push(Claim::Instance { id: name });
                }
            }
            b"pods.eks.amazonaws.com" => pod_of_tags(self.request, claims),
            _ => {}
        }
        // Of a token that a cluster signed, the subject.
        let [subject, pod_subject] = self
            .response
            .map(|it| it.pick(["subjectFromWebIdentityToken", "subject"]))
            .unwrap_or_default();
        let told = subject.and_then(service_account);
        let told = told.or_else(|| {
            let [namespace, name] = pod_subject?.pick(["namespace", "serviceAccount"]);
            Some(Claim::ServiceAccount {
                namespace: text_of(namespace),
                name: text_of(Some(name?)),
            })
        });
        claims.extend(told.filter(|claim| !claims.contains(claim)));
    }
}

/// `arn:aws:iam::1:role/path/R` opened as `S` acts as `arn:aws:sts::1:assumed-role/R/S`.
fn session_arn(role: &[u8], session: &[u8]) -> Option<Text> {
    let mut parts = role.splitn(6, |&byte| byte == b':');
    let partition = parts.by_ref().nth(1)?;
    let account = parts.by_ref().nth(2)?;
    let name = parts.next()?.strip_prefix(b"role/")?.rsplit(|&byte| byte == b'/').next()?;
    let is_whole = !name.is_empty() && !session.is_empty();
    is_whole.then(|| {
        [b"arn:", partition, b":sts::", account, b":assumed-role/", name, b"/", session]
            .concat()
            .into()
    })
}

/// The tags that EKS puts on the session of a pod.
fn pod_of_tags(request: Option<Value<'_, '_>>, claims: &mut Vec<Claim>) {
    let tags = request.map(|it| it.pick(["tags", "principalTags"])).unwrap_or_default();
    let mut told = [None; 4];
    const NAMES: [&str; 4] = [
        "kubernetes-pod-uid",
        "kubernetes-pod-name",
        "kubernetes-namespace",
        "kubernetes-service-account",
    ];
    for tag in tags.into_iter().flatten() {
        for item in tag.items() {
            let [key, value] = item.pick(["key", "value"]);
            let place = NAMES.iter().position(|name| key.is_some_and(|key| key.is(name)));
            if let Some(told) = place.and_then(|at| told.get_mut(at)) {
                *told = value;
            }
        }
        for (name, value) in NAMES.iter().zip(&mut told) {
            *value = value.or_else(|| tag.get(name));
        }
    }
    let [uid, pod, namespace, account] = told.map(text_of);
    if !account.is_empty() {
        claims.push(Claim::ServiceAccount { namespace: namespace.clone(), name: account });
    }
    if !uid.is_empty() || !pod.is_empty() {
        claims.push(Claim::Pod { uid, name: pod, namespace });
    }
}
