//! Who may send: the token of a request is compared in a time that tells nothing of it.

use std::path::Path;

use axum::http::{HeaderMap, header};

use crate::error::StartError;
use crate::spec::Sender;

/// By what requests are known.
#[derive(Debug)]
pub(super) enum Guard {
    /// The hash of a bearer token. Hashes are compared in constant time, and their comparison does
    /// not even tell the token's length.
    Token(blake3::Hash),
    /// The same for a key in a header of that name.
    Key(String, blake3::Hash),
}

impl Guard {
    pub(super) fn of(name: &str, sender: &Sender) -> Result<Self, StartError> {
        match sender {
            Sender::Kubernetes { token } => secret(name, token).map(Self::Token),
            Sender::EventBridge { header, token } => {
                Ok(Self::Key(header.clone(), secret(name, token)?))
            }
        }
    }

    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Token(expected) => {
                bearer(headers).is_some_and(|token| blake3::hash(token.as_bytes()) == *expected)
            }
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
        let (name, path) = (name.to_owned(), path.to_owned());
        return Err(StartError::Content { name, path, expected: "token" });
    }
    Ok(blake3::hash(text.as_bytes()))
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
