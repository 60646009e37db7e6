//! What Pub/Sub pushes: with a token of the one service account that was asked for, signed by
//! Google's keys, for us, and still good.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clew_event::TimestampNs;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fetch;

const KEYS_ADDRESS: &str = "https://www.googleapis.com/oauth2/v3/certs";
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
/// How far the clock of the sender may be off.
const SKEW_SECONDS: u64 = 60;
/// How often keys are fetched at most, whatever is sent to us.
const FETCH_SPAN: Duration = Duration::from_secs(60);
/// How long fetched keys are believed.
const KEYS_SPAN: Duration = Duration::from_secs(3600);

/// Checks the tokens of one service account.
#[derive(Debug)]
pub(super) struct Google {
    audience: String,
    email: String,
    given: Option<Keys>,
    fetched: Mutex<Fetched>,
}

/// Keys by their ids, as Google lists them.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Keys {
    keys: Vec<Key>,
}

#[derive(Clone, Debug, Deserialize)]
struct Key {
    kid: String,
    n: String,
    e: String,
}

#[derive(Debug, Default)]
struct Fetched {
    tried: Option<Instant>,
    keys: Option<(Instant, Keys)>,
}

#[derive(Debug, Deserialize)]
struct Head {
    alg: String,
    kid: String,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    email: String,
    #[serde(default)]
    email_verified: bool,
    iat: u64,
    exp: u64,
}

impl Google {
    pub(super) fn of(audience: String, email: String, given: Option<Keys>) -> Self {
        Self { audience, email, given, fetched: Mutex::default() }
    }

    pub(super) async fn admits(&self, token: &str, now: TimestampNs) -> bool {
        self.check(token, now.unix_ns() / 1_000_000_000).await.is_some()
    }

    async fn check(&self, token: &str, now: u64) -> Option<()> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (head, claims) = signed.split_once('.')?;
        let head: Head = part(head)?;
        let claims: Claims = part(claims)?;
        let is_ours = head.alg == "RS256"
            && ISSUERS.contains(&&*claims.iss)
            && claims.aud == self.audience
            && claims.email == self.email
            && claims.email_verified
            && now < claims.exp.saturating_add(SKEW_SECONDS)
            && claims.iat <= now.saturating_add(SKEW_SECONDS);
        if !is_ours {
            return None;
        }
        let key = self.key(&head.kid).await?;
        let (n, e) = (URL_SAFE_NO_PAD.decode(key.n).ok()?, URL_SAFE_NO_PAD.decode(key.e).ok()?);
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = RsaPublicKeyComponents { n, e };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).ok()
    }

    async fn key(&self, id: &str) -> Option<Key> {
        let find = |keys: &Keys| keys.keys.iter().find(|key| key.kid == id).cloned();
        if let Some(given) = &self.given {
            return find(given);
        }
        {
            let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
            let known = fetched.keys.as_ref().filter(|(at, _)| at.elapsed() < KEYS_SPAN);
            if let Some(key) = known.and_then(|(_, keys)| find(keys)) {
                return Some(key);
            }
            if fetched.tried.is_some_and(|tried| tried.elapsed() < FETCH_SPAN) {
                return None;
            }
            fetched.tried = Some(Instant::now());
        }
        let keys: Keys =
            serde_json::from_slice(&fetch::get(KEYS_ADDRESS.to_owned()).await?).ok()?;
        let key = find(&keys);
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.keys = Some((Instant::now(), keys));
        key
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
