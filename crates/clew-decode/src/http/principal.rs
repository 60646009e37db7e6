//! As whom a request was made, and from where.

use std::net::IpAddr;

use clew_event::http::{HttpPrincipal, HttpPrincipalKind};
use serde::Deserialize;
use serde_json::Value;

use super::assembler::Settings;
use super::fields::{Kind, Sorted, is_session_name, value};
use crate::api_log::base64;

/// Most addresses of a chain of proxies that are looked at.
pub(super) const PROXIES_MAX: usize = 32;
/// Longest name of a principal.
const NAME_BYTES_MAX: usize = 256;

/// Members of a JSON web token that are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Claims {
    alg: Option<Value>,
    iss: Option<Value>,
    sub: Option<Value>,
    exp: Option<Value>,
}

/// As whom a request is made; `None` where it does not say.
pub(super) fn of(key: &[u8; 32], fields: &[Sorted<'_>]) -> Option<HttpPrincipal> {
    let authorization = value(fields, Kind::Authorization);
    if let Some(at) = memchr::memchr(b' ', authorization) {
        let (scheme, credential) = authorization.split_at(at);
        let credential = credential.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"basic") {
            return Some(basic(key, credential));
        }
        return Some(
            token(key, credential)
                .unwrap_or_else(|| hashed(key, HttpPrincipalKind::Bearer, credential)),
        );
    }
    let api_key = value(fields, Kind::ApiKey);
    if !api_key.is_empty() {
        return Some(
            token(key, api_key).unwrap_or_else(|| hashed(key, HttpPrincipalKind::ApiKey, api_key)),
        );
    }
    let cookies = || {
        let fields = fields.iter().filter(|field| field.kind == Kind::Cookie);
        fields.flat_map(|field| field.value.split(|&byte| byte == b';')).map(<[u8]>::trim_ascii)
    };
    let session = cookies().find_map(|cookie| {
        let at = memchr::memchr(b'=', cookie)?;
        let value = cookie.get(at + 1..).filter(|value| !value.is_empty())?;
        is_session_name(cookie.get(..at)?).then_some(value)
    });
    if let Some(session) = session {
        return Some(
            token(key, session).unwrap_or_else(|| hashed(key, HttpPrincipalKind::Session, session)),
        );
    }
    let mut all: Vec<_> = cookies().filter(|cookie| !cookie.is_empty()).collect();
    all.sort_unstable();
    (!all.is_empty()).then(|| hashed(key, HttpPrincipalKind::Session, &all.join(&b';')))
}

fn hashed(key: &[u8; 32], kind: HttpPrincipalKind, of: &[u8]) -> HttpPrincipal {
    const DIGITS: usize = 16;
    let hex = blake3::keyed_hash(key, of).to_hex();
    let hash = hex.as_str().get(..DIGITS).unwrap_or_default().into();
    HttpPrincipal { kind, hash, ..HttpPrincipal::default() }
}

fn basic(key: &[u8; 32], credential: &[u8]) -> HttpPrincipal {
    let plain = base64(credential).unwrap_or_default();
    let name = plain.split(|&byte| byte == b':').next().unwrap_or_default();
    if name.is_empty() {
        return hashed(key, HttpPrincipalKind::Basic, credential);
    }
    named(key, name)
}

/// A user by name alone: a wrong password is the same principal, else nobody could count them.
pub(super) fn named(key: &[u8; 32], name: &[u8]) -> HttpPrincipal {
    let kept = name.get(..NAME_BYTES_MAX).unwrap_or(name).into();
    HttpPrincipal { name: kept, ..hashed(key, HttpPrincipalKind::Basic, name) }
}

/// Reads a JSON web token without checking it; `None` where it is none.
fn token(key: &[u8; 32], text: &[u8]) -> Option<HttpPrincipal> {
    let mut parts = text.split(|&byte| byte == b'.');
    let (head, claims) = (parts.next()?, parts.next()?);
    if !head.starts_with(b"ey") || parts.next().is_none() || parts.next().is_some() {
        return None;
    }
    let head: Claims = serde_json::from_slice(&base64(head)?).ok()?;
    let claims: Claims = serde_json::from_slice(&base64(claims)?).ok()?;
    let name = claims.sub.as_ref().map(text_of).unwrap_or_default();
    let kind = HttpPrincipalKind::Token;
    let mut principal = if name.is_empty() {
        hashed(key, kind, text)
    } else {
        let issuer = claims.iss.as_ref().map(text_of).unwrap_or_default();
        hashed(key, kind, format!("{issuer}\n{name}").as_bytes())
    };
    principal.name = cut(&name).into();
    principal.algorithm =
        head.alg.as_ref().map(|alg| cut(&text_of(alg)).into()).unwrap_or_default();
    principal.expires = claims.exp.as_ref().and_then(seconds);
    Some(principal)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or(text)
}

fn seconds(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, which is far in the future")]
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// The last address that no trusted proxy added; `peer` where there is none or it is not trusted.
pub(super) fn client(
    settings: &Settings,
    fields: &[Sorted<'_>],
    peer: Option<IpAddr>,
) -> Option<IpAddr> {
    let mut client = peer;
    let has_forwarded = fields.iter().any(|field| field.kind == Kind::Forwarded);
    let kind = if has_forwarded { Kind::Forwarded } else { Kind::ForwardedFor };
    let fields = fields.iter().rev().filter(|field| field.kind == kind);
    let chain = fields.flat_map(|field| field.value.rsplit(|&byte| byte == b','));
    for hop in chain.take(PROXIES_MAX) {
        // A peer without an address is at the other end of a unix socket.
        if client.is_some_and(|client| !settings.is_trusted(client)) {
            break;
        }
        let hop = if kind == Kind::Forwarded { forwarded_for(hop) } else { hop };
        let Some(address) = address(hop) else { break };
        client = Some(address);
    }
    client
}

/// RFC 7239: the value of `for`.
fn forwarded_for(hop: &[u8]) -> &[u8] {
    hop.split(|&byte| byte == b';')
        .map(<[u8]>::trim_ascii)
        .find_map(|pair| {
            let (name, value) = pair.split_at_checked(4)?;
            name.eq_ignore_ascii_case(b"for=").then_some(value)
        })
        .unwrap_or_default()
}

/// An address with or without a port, quotes and brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim().trim_matches('"');
    let inner = text.strip_prefix('[').and_then(|text| text.split(']').next());
    if let Some(inner) = inner {
        return inner.parse().ok();
    }
    text.parse().ok().or_else(|| text.rsplit_once(':')?.0.parse().ok())
}
