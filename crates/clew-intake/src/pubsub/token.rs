//! Who we are: a token for a service account's signed claim, or that of the instance.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clew_event::TimestampNs;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use ureq::Agent;

use crate::error::StartError;
use crate::spec::{GoogleAccount, PubSubSpec};
use crate::web;

const SCOPE: &str = "https://www.googleapis.com/auth/pubsub";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Where an instance is told who it is.
const METADATA: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";
/// How long before its end a token is no longer used.
const RENEWAL_SPAN: Duration = Duration::from_secs(60);
/// How long our claim is good; Google takes an hour at most.
const CLAIM_SECONDS: u64 = 3600;
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Gets tokens, and keeps the last one while it is good.
#[derive(Debug)]
pub(super) struct Tokens {
    agent: Agent,
    account: Account,
    kept: Option<(String, TimestampNs)>,
}

enum Account {
    Key(Box<ServiceAccount>),
    Instance,
    Nobody,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "a key",
            Self::Instance => "the instance",
            Self::Nobody => "nobody",
        })
    }
}

struct ServiceAccount {
    file: KeyFile,
    key: RsaKeyPair,
}

/// The file that Google gives for a key of a service account.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key_id: String,
    private_key: String,
    token_uri: String,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

impl Tokens {
    pub(super) fn of(name: &str, spec: &PubSubSpec, agent: Agent) -> Result<Self, StartError> {
        let account = match &spec.account {
            GoogleAccount::Key(path) => Account::Key(Box::new(read(name, path)?)),
            GoogleAccount::Instance => Account::Instance,
            GoogleAccount::Nobody => Account::Nobody,
        };
        Ok(Self { agent, account, kept: None })
    }

    pub(super) fn forget(&mut self) {
        self.kept = None;
    }

    /// A token that is good now; `None` where none is needed.
    pub(super) fn get(&mut self, now: TimestampNs) -> Result<Option<String>, String> {
        if let Some((token, end)) = &self.kept
            && now < *end
        {
            return Ok(Some(token.clone()));
        }
        let (address, answer) = match &self.account {
            Account::Nobody => return Ok(None),
            Account::Instance => {
                let ask = self.agent.get(METADATA).header("Metadata-Flavor", "Google");
                (METADATA, ask.call())
            }
            Account::Key(account) => {
                let claim = account.claim(now.unix_ns() / 1_000_000_000)?;
                let form = [("grant_type", GRANT), ("assertion", &*claim)];
                (&*account.file.token_uri, self.agent.post(&account.file.token_uri).send_form(form))
            }
        };
        let at = |reason: String| format!("no token from `{address}`: {reason}");
        let mut answer = answer.map_err(|error| at(error.to_string()))?;
        if !answer.status().is_success() {
            return Err(at(format!("it was answered {}", answer.status())));
        }
        let bytes = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let bytes = bytes.map_err(|error| at(error.to_string()))?;
        // What the answer holds is a secret, so it is not told where it cannot be read.
        let read = serde_json::from_slice(&bytes);
        let Answer { access_token, expires_in } =
            read.map_err(|_| at("it was answered with something else".to_owned()))?;
        let span = Duration::from_secs(expires_in).saturating_sub(RENEWAL_SPAN);
        self.kept = Some((access_token.clone(), now.after(span)));
        Ok(Some(access_token))
    }
}

impl ServiceAccount {
    /// Says who we are, signed.
    fn claim(&self, now: u64) -> Result<String, String> {
        let KeyFile { client_email, private_key_id, token_uri, .. } = &self.file;
        let head = json!({"alg": "RS256", "typ": "JWT", "kid": private_key_id});
        let claims = json!({
            "iss": client_email, "scope": SCOPE, "aud": token_uri,
            "iat": now, "exp": now + CLAIM_SECONDS,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(head), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| "the key of the service account cannot sign".to_owned())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn read(name: &str, path: &Path) -> Result<ServiceAccount, StartError> {
    let text = std::fs::read(path).map_err(|source| StartError::File {
        name: name.to_owned(),
        path: path.to_owned(),
        source,
    })?;
    let account = || {
        let file: KeyFile = serde_json::from_slice(&text).ok()?;
        let der = PrivateKeyDer::from_pem_slice(file.private_key.as_bytes()).ok()?;
        let key = RsaKeyPair::from_pkcs8(der.secret_der()).ok()?;
        web::is_private(&file.token_uri).then_some(ServiceAccount { file, key })
    };
    account().ok_or_else(|| StartError::Content {
        name: name.to_owned(),
        path: path.to_owned(),
        expected: "key of a service account as Google gives it",
    })
}
