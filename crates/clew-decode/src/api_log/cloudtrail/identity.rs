//! Who made a call: the `userIdentity` of a record, in all its types.

use clew_event::Text;
use clew_event::control_plane::Claim;
use clew_event::json::Value;

use super::super::words::Words;
use super::super::{member, service_account, text_of};

/// Who made a call, and what the record proves about them.
pub(super) struct Caller<'j, 'a> {
    /// ARN, else the name of the service or user, else the id.
    pub(super) principal: Text,
    pub(super) kind: Text,
    pub(super) credential: Text,
    pub(super) issuer: Text,
    pub(super) session: Text,
    /// The service that made the call of its own accord or for someone; empty where none did.
    pub(super) service: Text,
    pub(super) account: Option<Value<'j, 'a>>,
    pub(super) claims: Vec<Claim>,
}

impl<'j, 'a> Caller<'j, 'a> {
    pub(super) fn of(identity: Option<Value<'j, 'a>>, words: &mut Words) -> Self {
        #[rustfmt::skip]
        let [kind, id, arn, account, key, name, context, service, on_behalf, other_id] =
            identity.map(|identity| identity.pick([
                "type", "principalId", "arn", "accountId", "accessKeyId", "userName",
                "sessionContext", "invokedBy", "onBehalfOf", "credentialId",
            ])).unwrap_or_default();
        let person = member(on_behalf, "userId");
        let mut caller = Self {
            principal: words.first_of([arn, name, service, person, id, account, kind]),
            kind: words.text_of(kind),
            // A user of the Identity Center has a token with an id of its own.
            credential: words.first_of([key, other_id]),
            issuer: Text::default(),
            session: session_name(arn, id, words),
            // A service that passes on a caller's call is named beside that caller.
            service: if kind.is_some_and(|kind| kind.is("AWSService")) {
                words.text_of(service)
            } else {
                Text::default()
            },
            account,
            claims: Vec::new(),
        };
        caller.context(context, words);
        let is_web = kind.is_some_and(|kind| kind.is("WebIdentityUser"));
        if let Some(claim) = name.filter(|_| is_web).and_then(service_account) {
            caller.claims.push(claim);
        }
        let signed_in = text_of(person);
        if !signed_in.is_empty() {
            caller.claims.push(Claim::SignedIn { name: signed_in });
        }
        caller
    }

    fn context(&mut self, context: Option<Value<'_, '_>>, words: &mut Words) {
        let Some(context) = context else { return };
        let [issuer, web, delivery, source] = context.pick([
            "sessionIssuer",
            "webIdFederationData",
            "ec2RoleDelivery",
            "sourceIdentity",
        ]);
        let issuer =
            issuer.map(|it| it.pick(["arn", "userName", "principalId"])).unwrap_or_default();
        self.issuer = words.first_of(issuer);
        // Anyone who opens a session chooses its name; only the machine's own service, which says
        // how it delivered the credential, names it after the machine.
        if delivery.is_some() && is_instance_id(self.session.as_bytes()) {
            self.claims.push(Claim::Instance { id: self.session.clone() });
        }
        let told = member(web, "attributes").into_iter().flat_map(Value::members);
        self.claims.extend(told.filter_map(|(_, told)| service_account(told)).take(1));
        let signed_in = text_of(source);
        if !signed_in.is_empty() {
            self.claims.push(Claim::SignedIn { name: signed_in });
        }
    }
}

/// `i-` with 8 or 17 digits. Published records have them in any case.
pub(super) fn is_instance_id(name: &[u8]) -> bool {
    let digits = name.strip_prefix(b"i-").unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.iter().all(u8::is_ascii_alphanumeric)
}

/// The name of a session: what stands behind the role in its ARN, else behind the id of the role.
fn session_name(arn: Option<Value<'_, '_>>, id: Option<Value<'_, '_>>, words: &mut Words) -> Text {
    let arn = arn.and_then(Value::string).unwrap_or_default();
    let mut parts =
        arn.splitn(6, |&byte| byte == b':').nth(5).unwrap_or_default().split(|&b| b == b'/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(b"assumed-role"), Some(_), Some(name)) => return words.text(name),
        (Some(b"federated-user"), Some(name), None) => return words.text(name),
        (Some(b"assumed-role"), _, None) => {}
        _ if arn.is_empty() => {}
        _ => return Text::default(),
    }
    // `AROA…:NAME`; other ids with colons are no sessions.
    let id = id.and_then(Value::string).unwrap_or_default();
    let name = id.splitn(2, |&byte| byte == b':').nth(1).filter(|_| id.starts_with(b"ARO"));
    words.text(name.unwrap_or_default())
}
