//! Who may send: the token of a request is compared in a time that tells nothing of it.

use std::path::Path;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::google::{Google, Keys};
use super::sns::Sns;
use crate::error::StartError;
use crate::intake::now;
use crate::spec::Sender;

/// By what requests are known.
#[derive(Debug)]
pub(super) enum Guard {
    /// The hash of a bearer token. Hashes are compared in constant time, and their comparison does
    /// not even tell the token's length.
    Token(blake3::Hash),
    /// The same for a key in a header of that name.
    Key(String, blake3::Hash),
    /// The signature of each message.
    Sns(Sns),
    /// A signed token.
    Google(Google),
    /// A bearer token of whoever sends OpenTelemetry's records.
    Otlp(blake3::Hash),
    /// As for a bearer token; Event Grid may send it in the address too.
    EventGrid(blake3::Hash),
}

impl Guard {
    pub(super) fn of(name: &str, sender: &Sender) -> Result<Self, StartError> {
        match sender {
            Sender::Kubernetes { token } => secret(name, token).map(Self::Token),
            Sender::EventBridge { header, token } => {
                Ok(Self::Key(header.clone(), secret(name, token)?))
            }
            Sender::Otlp { token } => secret(name, token).map(Self::Otlp),
            Sender::EventGrid { token } => secret(name, token).map(Self::EventGrid),
            Sender::Sns { topic, certificate } => {
                let read = |path: &Path| {
                    CertificateDer::from_pem_slice(read(name, path)?.as_bytes())
                        .map_err(|_| content(name, path, "certificate in PEM"))
                };
                let given = certificate.as_deref().map(read).transpose()?;
                Ok(Self::Sns(Sns::of(topic.clone(), given)))
            }
            Sender::PubSubPush { audience, email, keys } => {
                let read = |path: &Path| {
                    serde_json::from_str::<Keys>(&read(name, path)?)
                        .map_err(|_| content(name, path, "keys in JSON"))
                };
                let given = keys.as_deref().map(read).transpose()?;
                Ok(Self::Google(Google::of(audience.clone(), email.clone(), given)))
            }
        }
    }

    /// Judges a request by its head; one of SNS is judged by its body.
    pub(super) async fn admits(&self, Parts { headers, uri, .. }: &Parts) -> bool {
        match self {
            Self::Sns(_) => true,
            Self::Google(google) => match bearer(headers) {
                Some(token) => google.admits(token, now()).await,
                None => false,
            },
            Self::Token(expected) | Self::Otlp(expected) => {
                bearer(headers).is_some_and(|token| blake3::hash(token.as_bytes()) == *expected)
            }
            Self::EventGrid(expected) => bearer(headers)
                .or_else(|| uri.query()?.split('&').find_map(|part| part.strip_prefix("token=")))
                .is_some_and(|token| blake3::hash(token.as_bytes()) == *expected),
            Self::Key(name, expected) => {
                headers.get(name).is_some_and(|key| blake3::hash(key.as_bytes()) == *expected)
            }
        }
    }
}

/// The hash of what a file holds.
fn secret(name: &str, path: &Path) -> Result<blake3::Hash, StartError> {
    let text = read(name, path)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(content(name, path, "token"));
    }
    Ok(blake3::hash(text.as_bytes()))
}

fn content(name: &str, path: &Path, expected: &'static str) -> StartError {
    StartError::Content { name: name.to_owned(), path: path.to_owned(), expected }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn read(name: &str, path: &Path) -> Result<String, StartError> {
    std::fs::read_to_string(path).map_err(|source| StartError::File {
        name: name.to_owned(),
        path: path.to_owned(),
        source,
    })
}
