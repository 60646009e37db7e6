//! Knows what fields mean, and takes the credentials out of them.
//!
//! A field may hold a credential or an attack, and which cannot be told by its name alone. So a
//! value where credentials belong is starred where it is made of the letters of which credentials
//! are made, and kept where it is not: no token has a brace, a quote or a slash with dots.

use std::borrow::Cow;

use clew_event::Text;
use clew_event::http::HttpFlags;
use memchr::memmem::Finder;
use rustc_hash::FxHashMap;

use super::head::{Field, Fields};
use super::http2::hpack::Statics;

/// Longest name or value of a field that is kept.
pub const FIELD_BYTES_MAX: usize = 8 << 10;
/// Longest name that is looked up.
const NAME_BYTES_MAX: usize = 64;
/// Shortest value of a cookie of any name that may be a session.
const SESSION_BYTES_MIN: usize = 16;

/// What a field is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Other,
    Host,
    ContentLength,
    TransferEncoding,
    ContentEncoding,
    ContentType,
    Upgrade,
    Authorization,
    Cookie,
    SetCookie,
    /// Tells as whom a request is made.
    ApiKey,
    /// A credential that tells nobody.
    Secret,
    /// A session token of a metadata service.
    MetadataToken,
    Forwarded,
    ForwardedFor,
    TraceParent,
    GrpcEncoding,
    /// By its name it may hold a credential.
    Suspect,
}

const KNOWN: &[(&str, Kind)] = &[
    ("host", Kind::Host),
    ("content-length", Kind::ContentLength),
    ("transfer-encoding", Kind::TransferEncoding),
    ("content-encoding", Kind::ContentEncoding),
    ("content-type", Kind::ContentType),
    ("upgrade", Kind::Upgrade),
    ("authorization", Kind::Authorization),
    ("proxy-authorization", Kind::Secret),
    ("cookie", Kind::Cookie),
    ("set-cookie", Kind::SetCookie),
    ("x-api-key", Kind::ApiKey),
    ("api-key", Kind::ApiKey),
    ("apikey", Kind::ApiKey),
    ("x-apikey", Kind::ApiKey),
    ("x-auth-token", Kind::ApiKey),
    ("x-access-token", Kind::ApiKey),
    ("x-goog-api-key", Kind::ApiKey),
    ("ocp-apim-subscription-key", Kind::ApiKey),
    ("private-token", Kind::ApiKey),
    ("x-vault-token", Kind::ApiKey),
    ("x-functions-key", Kind::ApiKey),
    ("x-amz-security-token", Kind::Secret),
    ("x-csrf-token", Kind::Secret),
    ("x-xsrf-token", Kind::Secret),
    ("http2-settings", Kind::Other),
    ("x-identity-header", Kind::Secret),
    ("sec-websocket-key", Kind::Other),
    ("x-aws-ec2-metadata-token", Kind::MetadataToken),
    ("x-aws-ec2-metadata-token-ttl-seconds", Kind::Other),
    ("metadata-flavor", Kind::Other),
    ("metadata", Kind::Other),
    ("forwarded", Kind::Forwarded),
    ("x-forwarded-for", Kind::ForwardedFor),
    ("traceparent", Kind::TraceParent),
    ("tracestate", Kind::Other),
    ("grpc-status", Kind::Other),
    ("grpc-message", Kind::Other),
    ("grpc-encoding", Kind::GrpcEncoding),
    ("user-agent", Kind::Other),
    ("accept", Kind::Other),
    ("accept-encoding", Kind::Other),
    ("accept-language", Kind::Other),
    ("accept-ranges", Kind::Other),
    ("access-control-allow-credentials", Kind::Other),
    ("access-control-allow-origin", Kind::Other),
    ("cache-control", Kind::Other),
    ("connection", Kind::Other),
    ("date", Kind::Other),
    ("etag", Kind::Other),
    ("expect", Kind::Other),
    ("expires", Kind::Other),
    ("if-modified-since", Kind::Other),
    ("if-none-match", Kind::Other),
    ("keep-alive", Kind::Other),
    ("last-modified", Kind::Other),
    ("location", Kind::Other),
    ("origin", Kind::Other),
    ("pragma", Kind::Other),
    ("range", Kind::Other),
    ("referer", Kind::Other),
    ("sec-fetch-dest", Kind::Other),
    ("sec-fetch-mode", Kind::Other),
    ("sec-fetch-site", Kind::Other),
    ("server", Kind::Other),
    ("te", Kind::Other),
    ("upgrade-insecure-requests", Kind::Other),
    ("vary", Kind::Other),
    ("via", Kind::Other),
    ("x-forwarded-host", Kind::Other),
    ("x-forwarded-proto", Kind::Other),
    ("x-powered-by", Kind::Other),
    ("x-real-ip", Kind::Other),
    ("x-request-id", Kind::Other),
    ("x-requested-with", Kind::Other),
];

const SUSPECT_WORDS: &[&[u8]] =
    &[b"token", b"secret", b"api-key", b"apikey", b"passw", b"credential", b"session", b"auth"];

/// Cookies by which the usual frameworks know a session.
const SESSION_COOKIES: &[&[u8]] = &[
    b"session",
    b"sessionid",
    b"session_id",
    b"sid",
    b"phpsessid",
    b"jsessionid",
    b"asp.net_sessionid",
    b".aspnetcore.session",
    b".aspnetcore.cookies",
    b".aspxauth",
    b"connect.sid",
    b"laravel_session",
    b"ci_session",
    b"remember_token",
    b"remember-me",
    b"rack.session",
    b"_session_id",
    b"access_token",
    b"auth_token",
    b"authtoken",
    b"id_token",
    b"jwt",
    b"token",
    b"auth",
];

/// A field with its meaning.
#[derive(Debug)]
pub(super) struct Sorted<'a> {
    pub(super) kind: Kind,
    pub(super) name: Text,
    pub(super) value: Cow<'a, [u8]>,
}

/// Names that occur often, each once in memory.
#[derive(Debug)]
pub(super) struct Names {
    known: FxHashMap<&'static [u8], (Text, Kind)>,
    suspect: Vec<Finder<'static>>,
    /// Fields that HTTP/2 knows by number.
    pub(super) statics: Statics,
}

impl Names {
    pub(super) fn new() -> Self {
        let one = |&(name, kind): &(&'static str, Kind)| (name.as_bytes(), (name.into(), kind));
        Self {
            known: KNOWN.iter().map(one).collect(),
            suspect: SUSPECT_WORDS.iter().map(Finder::new).collect(),
            statics: Statics::new(),
        }
    }

    /// Each field with its name in lower case and its meaning.
    pub(super) fn sort<'a>(&self, fields: Fields<'a>) -> Vec<Sorted<'a>> {
        fields.fields.into_iter().map(|field| self.one(field)).collect()
    }

    fn one<'a>(&self, field: Field<'a>) -> Sorted<'a> {
        let mut lower = [0; NAME_BYTES_MAX];
        if let Some(lower) = lower.get_mut(..field.name.len()) {
            lower.copy_from_slice(field.name);
            lower.make_ascii_lowercase();
            if let Some((name, kind)) = self.known.get(&*lower) {
                return Sorted { kind: *kind, name: name.clone(), value: field.value };
            }
        }
        let kept = field.name.get(..FIELD_BYTES_MAX).unwrap_or(field.name);
        let name = kept.to_ascii_lowercase();
        Sorted { kind: self.by_words(&name), name: name.into(), value: field.value }
    }

    /// A field of HTTP/2 with its meaning; its name is in lower case already.
    pub(super) fn known<'a>(&self, name: &Text, value: &'a [u8]) -> Sorted<'a> {
        let known = self.known.get(name.as_bytes()).map(|(_, kind)| *kind);
        let kind = known.unwrap_or_else(|| self.by_words(name.as_bytes()));
        Sorted { kind, name: name.clone(), value: value.into() }
    }

    fn by_words(&self, name: &[u8]) -> Kind {
        let is_suspect = self.suspect.iter().any(|word| word.find(name).is_some());
        if is_suspect { Kind::Suspect } else { Kind::Other }
    }
}

/// The value of the first field of that kind; empty where there is none.
pub(super) fn value<'f>(fields: &'f [Sorted<'_>], kind: Kind) -> &'f [u8] {
    fields.iter().find(|field| field.kind == kind).map_or(&[], |field| field.value.as_ref())
}

/// What is told of the fields.
pub(super) fn told(fields: &[Sorted<'_>], flags: &mut HttpFlags) -> Vec<(Text, Text)> {
    let mut told = Vec::with_capacity(fields.len());
    for field in fields {
        let value = harmless(field);
        let kept = value.get(..FIELD_BYTES_MAX).unwrap_or(&value);
        if kept.len() < value.len() || FIELD_BYTES_MAX <= field.name.as_bytes().len() {
            flags.set(HttpFlags::HEADERS_CUT);
        }
        told.push((field.name.clone(), kept.into()));
    }
    told
}

fn harmless<'f>(field: &'f Sorted<'_>) -> Cow<'f, [u8]> {
    let value = field.value.as_ref();
    match field.kind {
        Kind::Authorization => {
            let scheme = value.split(|&byte| byte == b' ').next().unwrap_or_default();
            match scheme.len() {
                short if short < value.len() && short <= NAME_BYTES_MAX => {
                    [scheme, b" *"].concat().into()
                }
                _ => starred(),
            }
        }
        Kind::Secret | Kind::MetadataToken => starred(),
        Kind::ApiKey | Kind::Suspect if is_secret_like(value) => starred(),
        Kind::Cookie => cookies(value).into(),
        Kind::SetCookie => {
            let (cookie, attributes) =
                value.split_at(memchr::memchr(b';', value).unwrap_or(value.len()));
            [&cookies(cookie), attributes].concat().into()
        }
        _ => value.into(),
    }
}

const fn starred() -> Cow<'static, [u8]> {
    Cow::Borrowed(b"*")
}

/// The cookies with their names, sessions starred.
fn cookies(value: &[u8]) -> Vec<u8> {
    let mut told = Vec::with_capacity(value.len());
    for (number, cookie) in value.split(|&byte| byte == b';').enumerate() {
        if 0 < number {
            told.push(b';');
        }
        match memchr::memchr(b'=', cookie) {
            Some(at) => {
                let (name, rest) = cookie.split_at(at + 1);
                let value = rest.trim_ascii();
                told.extend_from_slice(name);
                let name = name.strip_suffix(b"=").unwrap_or(name).trim_ascii();
                told.extend_from_slice(if is_session(name, value) { b"*" } else { rest });
            }
            None if is_long_and_mixed(cookie.trim_ascii()) => told.push(b'*'),
            None => told.extend_from_slice(cookie),
        }
    }
    told
}

/// True where a cookie holds a session, by its name or its form.
fn is_session(name: &[u8], value: &[u8]) -> bool {
    if is_session_name(name) {
        return !value.is_empty() && value.iter().all(is_of_secret);
    }
    is_long_and_mixed(value)
}

/// True where a cookie of that name holds a session with the usual frameworks.
pub(super) fn is_session_name(name: &[u8]) -> bool {
    let name =
        name.strip_prefix(b"__Host-").or_else(|| name.strip_prefix(b"__Secure-")).unwrap_or(name);
    SESSION_COOKIES.iter().any(|known| name.eq_ignore_ascii_case(known))
        || name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case(b"ASPSESSIONID"))
        || name.starts_with(b"wordpress_logged_in_")
}

fn is_long_and_mixed(value: &[u8]) -> bool {
    SESSION_BYTES_MIN <= value.len()
        && value.iter().all(is_of_secret)
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
}

/// True where a value may be a credential: it is not short, and made of their letters alone.
fn is_secret_like(value: &[u8]) -> bool {
    6 <= value.len() && value.iter().all(is_of_secret)
}

/// Letters of base64, hexadecimal, UUIDs, tokens with dots, and what percent-coding makes of them.
const fn is_of_secret(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'+' | b'/' | b'=' | b'.' | b'_' | b'~' | b'-' | b':' | b'%' | b'!')
}
